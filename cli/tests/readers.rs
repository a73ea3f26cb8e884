//! The readers of data: what they accept, and what they say of everything else.

use std::io::{Read, Write};

use elision_cli::data::decoded;
use elision_cli::data::idx::{self, Array, IdxFault};
use elision_cli::data::table::{self, Layout, Table, TableFault};
use flate2::{Compression, write::GzEncoder};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// Two images of 2 x 3 pixels.
fn images() -> Vec<u8> {
    let header = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3];
    header.into_iter().chain(0..12).collect()
}

fn read_idx(bytes: &[u8], rank: usize) -> Result<Array, IdxFault> {
    idx::read(decoded(bytes).expect("memory can be read"), rank)
}

fn read_csv(text: &str, label: &str) -> Result<Table, TableFault> {
    table::read(
        text.as_bytes(),
        &Layout {
            label: label.to_owned(),
            header: true,
        },
    )
}

#[track_caller]
fn csv_fault(text: &str, label: &str) -> String {
    read_csv(text, label)
        .expect_err("this table is not good")
        .to_string()
}

#[test]
fn idx_files_are_read_plain_and_gzipped() {
    let want = Array {
        dims: vec![2, 2, 3],
        data: (0..12).collect(),
    };
    assert_eq!((want.items(), want.item_len()), (2, 6));
    assert_eq!(read_idx(&images(), 3).expect("a good file"), want);
    assert_eq!(read_idx(&gzip(&images()), 3).expect("a good file"), want);
    let labels = read_idx(&[0, 0, 8, 1, 0, 0, 0, 2, 7, 9], 1).expect("a good file");
    assert_eq!(
        (labels.items(), labels.item_len(), labels.data),
        (2, 1, vec![7, 9])
    );
}

#[test]
fn an_idx_file_cut_anywhere_is_an_error_with_the_place() {
    let whole = images();
    for cut in 0..whole.len() {
        let fault = read_idx(&whole[..cut], 3).expect_err("it is cut");
        let want = match cut {
            0..16 => format!("truncated in the header: {cut} bytes of 16"),
            16..22 => format!("truncated in item 0 of 2: ends at byte {cut} of 28"),
            _ => format!("truncated in item 1 of 2: ends at byte {cut} of 28"),
        };
        assert_eq!(fault.to_string(), want);
    }
    let packed = gzip(&whole);
    for cut in 2..packed.len() {
        assert!(read_idx(&packed[..cut], 3).is_err(), "gzip cut at {cut}");
    }
}

#[test]
fn an_idx_file_of_another_kind_is_an_error() {
    let fault = |bytes: &[u8], rank| read_idx(bytes, rank).expect_err("a bad file").to_string();
    assert_eq!(
        fault(&images(), 1),
        "wrong magic number 0x00000803 at byte 0: expected 0x00000801"
    );
    assert_eq!(
        fault(b"5,0,1\n", 3),
        "wrong magic number 0x352c302c at byte 0: expected 0x00000803"
    );
    for rank in [0, 4, usize::MAX] {
        assert!(matches!(
            read_idx(&images()[..4], rank),
            Err(IdxFault::Magic { .. } | IdxFault::Header { .. })
        ));
    }
    assert_eq!(
        fault(&[images(), vec![0]].concat(), 3),
        "more data than the header says: expected the end at byte 28"
    );
    assert_eq!(
        fault(&[0, 0, 8, 1, 0, 0, 0, 0], 1),
        "dimension 0 of the header is 0"
    );
}

#[test]
fn a_header_that_promises_too_much_costs_nothing() {
    let most = [[0, 0, 8, 3].as_slice(), &[255; 12], &[1; 5]].concat();
    assert_eq!(
        read_idx(&most, 3).expect_err("too much").to_string(),
        "the dimensions of the header overflow"
    );
    // 2^31 images of 65536 pixels: 128 TiB.
    let large = [0, 0, 8, 3, 128, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 5];
    assert!(matches!(
        read_idx(&large, 3),
        Err(IdxFault::Truncated {
            item: 0,
            found: 17,
            ..
        })
    ));
}

/// A reader whose bytes end in an error.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(std::io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

#[test]
fn errors_of_the_medium_name_the_place() {
    let fault = idx::read(Broken(&images()[..20]), 3).expect_err("it breaks");
    assert_eq!(
        fault.to_string(),
        "cannot be read after byte 20: the disk is gone"
    );
    let layout = Layout {
        label: "b".to_owned(),
        header: true,
    };
    let fault = table::read(Broken(b"a,b\n1,2\n"), &layout).expect_err("it breaks");
    assert_eq!(
        fault.to_string(),
        "cannot be read after line 2: the disk is gone"
    );
}

#[test]
fn a_table_keeps_its_order_and_sorts_its_classes() {
    let table =
        read_csv("a,kind,b\n1,cat,-2.5\n 3 , ant ,4e1\n5,cat,6\n", "kind").expect("a good table");
    assert_eq!(table.columns, ["a", "b"]);
    assert_eq!(table.classes, ["ant", "cat"]);
    assert_eq!(table.rows.x, [1.0, -2.5, 3.0, 40.0, 5.0, 6.0]);
    assert_eq!(table.rows.labels, [1, 0, 1]);
}

#[test]
fn integer_labels_are_sorted_as_integers() {
    let table = read_csv("x,y\n0,10\n0,9\n0,-1\n", "y").expect("a good table");
    assert_eq!(table.classes, ["-1", "9", "10"]);
    assert_eq!(table.rows.labels, [2, 1, 0]);
    let table = read_csv("x,y\n0,10\n0,9\n0,b\n", "y").expect("a good table");
    assert_eq!(table.classes, ["10", "9", "b"]);
}

#[test]
fn the_spellings_of_csv_are_one_table() {
    let plain = read_csv("a,y\n1,0\n2,1\n", "y").expect("a good table");
    for text in [
        "a,y\r\n1,0\r\n2,1\r\n",
        "a,y\n1,0\n2,1",
        "\u{feff}a,y\n1,0\n2,1\n",
        "\"a\",y\n\"1\",0\n\n2,1\n",
    ] {
        let table = read_csv(text, "y").expect("a good table");
        assert_eq!(
            (table.columns, table.classes, table.rows),
            (
                plain.columns.clone(),
                plain.classes.clone(),
                plain.rows.clone()
            ),
            "{text:?}"
        );
    }
    let packed = gzip(b"a,y\n1,0\n2,1\n");
    let layout = Layout {
        label: "y".to_owned(),
        header: true,
    };
    let table = table::read(
        decoded(packed.as_slice()).expect("memory can be read"),
        &layout,
    );
    assert_eq!(table.expect("a good table").rows, plain.rows);
}

#[test]
fn without_a_header_columns_are_numbered() {
    let layout = |label: &str| Layout {
        label: label.to_owned(),
        header: false,
    };
    let table = table::read("1,0\n2,1\n".as_bytes(), &layout("2")).expect("a good table");
    assert_eq!(table.columns, ["1"]);
    assert_eq!(table.rows.x, [1.0, 2.0]);
    let fault = table::read("1,0\n".as_bytes(), &layout("3")).expect_err("no such column");
    assert_eq!(fault.to_string(), r#"no column "3"; the columns are 1, 2"#);
}

#[test]
fn a_bad_cell_is_named_with_line_and_column() {
    for cell in ["NaN", "nan", "inf", "-inf", "1e39", "", "?", "1 2", "0x1"] {
        let text = format!("age,y\n1,0\n2,1\n{cell},1\n");
        assert_eq!(
            csv_fault(&text, "y"),
            format!("line 4, column \"age\": {cell:?} is not a finite number")
        );
    }
    assert_eq!(
        csv_fault("a,y\n1,\n", "y"),
        r#"line 2, column "y": the label is empty"#
    );
    // A quoted line break is one cell: the next line's number counts it.
    assert_eq!(
        csv_fault("a,y\n1,\"b\nc\"\nx,0\n", "y"),
        r#"line 4, column "a": "x" is not a finite number"#
    );
}

#[test]
fn long_and_strange_cells_stay_in_one_line() {
    let fault = csv_fault(&format!("a,y\n{},0\n", "x".repeat(10_000)), "y");
    assert!(fault.len() < 200 && fault.contains('…'), "{fault}");
    let fault = csv_fault("a,y\n\"1\n2\",0\n", "y");
    assert!(!fault.contains('\n'), "{fault}");
    let layout = Layout {
        label: "y".to_owned(),
        header: true,
    };
    assert!(table::read(b"a,y\n\xff\xfe,0\n".as_slice(), &layout).is_err());
    assert!(table::read(b"\xff,y\n1,\xff\n2,\xfe\n".as_slice(), &layout).is_ok());
}

#[test]
fn ragged_rows_are_named() {
    assert_eq!(
        csv_fault("a,b,y\n1,2,0\n1,0\n", "y"),
        "line 3: 2 cells, expected 3"
    );
    assert_eq!(
        csv_fault("a,y\n1,0,5\n", "y"),
        "line 2: 3 cells, expected 2"
    );
}

#[test]
fn an_absent_column_is_answered_with_those_that_there_are() {
    assert_eq!(
        csv_fault("a,b\n1,2\n", "y"),
        r#"no column "y"; the columns are a, b"#
    );
    let wide: Vec<String> = (0..100).map(|i| format!("c{i}")).collect();
    let fault = csv_fault(&wide.join(","), "y");
    assert!(fault.ends_with("c18, c19, 80 more"), "{fault}");
    assert_eq!(csv_fault("y,y\n1,2\n", "y"), r#"two columns are named "y""#);
    assert_eq!(
        csv_fault("y\n1\n", "y"),
        r#"no column but "y": there is nothing to learn from"#
    );
}

#[test]
fn a_table_needs_rows_and_classes() {
    assert_eq!(csv_fault("", "y"), "no rows");
    assert_eq!(csv_fault("a,y\n", "y"), "no rows");
    assert_eq!(
        csv_fault("a,y\n1,0\n2,0\n", "y"),
        r#"column "y" has 1 different labels, expected 2 to 1024"#
    );
    let many: String = (0..2000).map(|i| format!("1,{i}.5\n")).collect();
    let fault = csv_fault(&format!("a,y\n{many}"), "y");
    assert!(fault.contains("1025 different labels"), "{fault}");
}

#[test]
fn bytes_of_any_kind_do_no_harm() {
    let mut state = 1u64;
    for round in 0..2000 {
        let bytes: Vec<u8> = (0..round % 97)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                b"01,\"\n\r.y-\x00\xff\x08\x1f\x8be "[(state >> 33) as usize % 16]
            })
            .collect();
        for header in [true, false] {
            let _ = table::read(
                bytes.as_slice(),
                &Layout {
                    label: "1".to_owned(),
                    header,
                },
            );
        }
        if let Ok(content) = decoded(bytes.as_slice()) {
            let _ = idx::read(content, round % 5);
        }
    }
}
