//! Arrays of NumPy: what the readers accept, and what they say of everything else.

use std::io::{Cursor, Write};

use elision_cli::data::npy::{self, NpyFault};
use elision_cli::data::{Examples, Fault, from_npz};
use zip::write::{SimpleFileOptions, ZipWriter};

/// A file with this text as its header.
fn file(version: u8, text: &str, data: &[u8]) -> Vec<u8> {
    let len = text.len() as u32;
    let width = if version == 1 { 2 } else { 4 };
    let start = [b"\x93NUMPY".as_slice(), &[version, 0]].concat();
    [&start, &len.to_le_bytes()[..width], text.as_bytes(), data].concat()
}

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}  \n");
    file(1, &text, data)
}

/// Two rows of three.
fn whole() -> Vec<u8> {
    npy("|i1", "(2, 3)", &[1, 2, 3, 4, 255, 6])
}

#[track_caller]
fn fault(bytes: &[u8]) -> String {
    npy::read(bytes).expect_err("a bad file").to_string()
}

#[test]
fn an_array_keeps_its_order() {
    let array = npy::read(whole().as_slice()).expect("a good file");
    assert_eq!((array.items(), array.item_len()), (2, 3));
    let features = array.features().expect("they are finite");
    assert_eq!(features, [1.0, 2.0, 3.0, 4.0, -1.0, 6.0]);
}

#[test]
fn the_spellings_of_a_header_are_one_array() {
    let plain = npy::read(whole().as_slice()).expect("a good file");
    for text in [
        "{'shape':(2,3),'fortran_order':False,'descr':'|i1'}",
        "{\"descr\": \"|i1\", \"fortran_order\": False, \"shape\": (2, 3,)}\n",
        " { 'descr' : '|i1' , 'fortran_order' : False , 'shape' : ( 2 , 3 ) , } ",
    ] {
        for version in [1, 2, 3] {
            let bytes = file(version, text, &[1, 2, 3, 4, 255, 6]);
            assert_eq!(npy::read(bytes.as_slice()).expect(text), plain, "{text}");
        }
    }
}

#[test]
fn arrays_in_fortran_order_become_row_major() {
    let text = "{'descr': '>u2', 'fortran_order': True, 'shape': (2, 3, 2), }";
    // The element at [i, j, k] is 100 i + 10 j + k, and the first index varies fastest.
    let index = |at: u16| 100 * (at % 2) + 10 * (at / 2 % 3) + at / 6;
    let data: Vec<u8> = (0..12).map(index).flat_map(u16::to_be_bytes).collect();
    let array = npy::read(file(1, text, &data).as_slice()).expect("a good file");
    let want = (0..12u16).map(|at| 100 * (at / 6) + 10 * (at / 2 % 3) + at % 2);
    let want: Vec<f32> = want.map(f32::from).collect();
    assert_eq!(array.features().expect("they are finite"), want);
    assert_eq!((array.items(), array.item_len()), (2, 6));
}

#[test]
fn a_file_cut_anywhere_is_an_error_with_the_place() {
    let whole = whole();
    let start = whole.len() - 6;
    for cut in 0..whole.len() {
        let want = match cut {
            0..8 => format!("truncated in the header: {cut} bytes of 8"),
            8..10 => format!("truncated in the header: {cut} bytes of 10"),
            _ if cut < start => format!("truncated in the header: {cut} bytes of {start}"),
            _ => format!(
                "truncated in item {} of 2: ends at byte {cut} of {}",
                (cut - start) / 3,
                whole.len()
            ),
        };
        assert_eq!(fault(&whole[..cut]), want);
    }
    let end = whole.len();
    assert_eq!(
        fault(&[whole, vec![0]].concat()),
        format!("more data than the header says: expected the end at byte {end}")
    );
}

#[test]
fn foreign_files_are_errors() {
    let magic = "no NPY file: it does not begin with its magic number";
    assert_eq!(fault(b"1,2,3\n4,5,6\n"), magic);
    assert_eq!(fault(b"PK\x03\x04"), magic);
    assert_eq!(
        fault(b"\x93NUMPY\x09\x00\x00\x00"),
        "version 9.0 of the format; 1.0, 2.0 and 3.0 are read"
    );
    for text in [
        "",
        "{",
        "[]",
        "{}",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [1]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'more': True}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999999,)}",
    ] {
        let message = fault(&file(1, text, &[0; 8]));
        let end = "the header is not the dictionary of an array";
        assert!(message.ends_with(end), "{text}: {message}");
    }
    for descr in ["|O", "<c8", "<U3", "<f2"] {
        let message = fault(&npy(descr, "(1,)", &[0; 8]));
        let start = format!("elements of type {descr:?}; ");
        assert!(message.starts_with(&start), "{message}");
    }
    let fields = "{'descr': [('a', '<f4'), ('b', '<i2')], 'fortran_order': False, 'shape': (1,)}";
    let message = fault(&file(1, fields, &[0; 6]));
    assert!(message.starts_with("elements of type \"[('a'"), "{message}");
}

#[test]
fn a_header_that_promises_too_much_costs_nothing() {
    let long = [b"\x93NUMPY\x02\x00".as_slice(), &[255; 4], b"{"].concat();
    assert_eq!(
        fault(&long),
        "a header of 4294967295 bytes; at most 10000 are read"
    );
    assert_eq!(
        fault(&npy("<f8", "(4294967296, 4294967296)", &[0; 8])),
        "the dimensions of the header overflow"
    );
    assert_eq!(
        fault(&npy("<f8", "(3, 0)", &[])),
        "dimension 1 of the header is 0"
    );
    let large = npy("<f8", "(65536, 65536, 8)", &[0; 8]);
    let message = fault(&large);
    let place = format!(
        "ends at byte {} of {}",
        large.len(),
        large.len() as u64 + (1 << 38) - 8
    );
    assert_eq!(message, format!("truncated in item 0 of 65536: {place}"));
}

#[test]
fn numbers_that_cannot_be_used_are_named() {
    let array = |bytes: &[u8]| npy::read(bytes).expect("a good file");
    let nan = [1.0, f64::NAN, 1e39, 4.0].map(f64::to_le_bytes).concat();
    let nan = array(&npy("<f8", "(2, 2)", &nan));
    assert_eq!(
        nan.features().expect_err("not finite").to_string(),
        "row 0, feature 1: NaN is not a finite number of single precision"
    );
    assert!(matches!(nan.labels(), Err(NpyFault::Wide(2))));
    let half = [1.0f32, 0.5].map(f32::to_le_bytes).concat();
    let half = array(&npy("<f4", "(2, 1)", &half));
    assert_eq!(
        half.labels().expect_err("no integer").to_string(),
        "row 1: the label 0.5 is not an integer"
    );
    let scalar = array(&npy("|b1", "()", &[1]));
    assert!(matches!(scalar.features(), Err(NpyFault::Scalar)));
    assert!(matches!(scalar.labels(), Err(NpyFault::Scalar)));
    let labels = array(&npy("|b1", "(3,)", &[1, 0, 1]));
    assert_eq!(labels.labels().expect("they are"), [1, 0, 1]);
}

fn npz(arrays: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in arrays {
        archive
            .start_file(format!("{name}.npy"), options)
            .expect("memory takes everything");
        archive.write_all(bytes).expect("memory takes everything");
    }
    archive
        .finish()
        .expect("memory takes everything")
        .into_inner()
}

fn read_npz(arrays: &[(&str, &[u8])]) -> Result<Examples, Fault> {
    from_npz(Cursor::new(npz(arrays, zip::CompressionMethod::Deflated)))
}

#[test]
fn an_npz_file_holds_features_and_labels() {
    let y = npy("<u2", "(2,)", &[7, 0, 3, 0]);
    let arrays: [(&str, &[u8]); 3] = [("y", &y), ("x", &whole()), ("z", b"not read")];
    for method in [
        zip::CompressionMethod::Stored,
        zip::CompressionMethod::Deflated,
    ] {
        let examples = from_npz(Cursor::new(npz(&arrays, method))).expect("a good file");
        assert_eq!((examples.features, examples.classes.len()), (3, 2));
        assert_eq!(examples.train.x, [1.0, 2.0, 3.0, 4.0, -1.0, 6.0]);
        assert_eq!(examples.train.labels, [1, 0]);
        assert_eq!(examples.test, None);
    }
}

#[test]
fn an_npz_file_may_hold_a_test_part() {
    let (y, x) = (
        npy("|i1", "(2, 1)", &[254, 5]),
        npy("|b1", "(1, 3)", &[1, 0, 1]),
    );
    let last = npy("<f4", "(1,)", &9f32.to_le_bytes());
    let mut arrays: [(&str, &[u8]); 4] = [
        ("x_train", &whole()),
        ("y_train", &y),
        ("x_test", &x),
        ("y_test", &last),
    ];
    let examples = read_npz(&arrays).expect("a good file");
    assert_eq!((examples.features, examples.classes.len()), (3, 3));
    assert_eq!(examples.train.labels, [0, 1]);
    let test = examples.test.expect("a test part");
    assert_eq!((test.x, test.labels), (vec![1.0, 0.0, 1.0], vec![2]));
    let narrow = npy("|b1", "(1, 2)", &[1, 0]);
    arrays[2].1 = &narrow;
    assert_eq!(
        read_npz(&arrays).expect_err("too narrow").to_string(),
        "array x_test: 2 features a row, but the training rows have 3"
    );
}

#[test]
fn faults_of_an_npz_file_name_the_array() {
    let message = |arrays: &[(&str, &[u8])]| {
        let fault = read_npz(arrays).expect_err("a bad file");
        fault.to_string()
    };
    let x = whole();
    let expected = "neither the arrays x and y nor x_train, y_train, x_test and y_test; it has ";
    assert_eq!(message(&[]), format!("{expected}none"));
    assert_eq!(message(&[("x", &x), ("t", &x)]), format!("{expected}x, t"));
    let one = npy("|u1", "(1,)", &[1]);
    assert_eq!(
        message(&[("x", &x), ("y", &one)]),
        "array y: 1 labels for 2 rows of features"
    );
    let same = npy("|u1", "(2,)", &[1, 1]);
    assert_eq!(
        message(&[("x", &x), ("y", &same)]),
        "array y: 1 different labels, expected 2 to 1024"
    );
    let cut = message(&[("x", &x[..x.len() - 1]), ("y", &same)]);
    assert!(
        cut.starts_with("array x: truncated in item 1 of 2"),
        "{cut}"
    );
    let whole = npz(&[("x", &x), ("y", &same)], zip::CompressionMethod::Stored);
    for cut in 0..whole.len() {
        assert!(from_npz(Cursor::new(&whole[..cut])).is_err(), "{cut}");
    }
    let fault = from_npz(Cursor::new(x))
        .expect_err("no archive")
        .to_string();
    assert!(fault.starts_with("no NPZ file: "), "{fault}");
}

#[test]
fn damaged_bytes_are_errors_or_numbers_and_never_a_panic() {
    let labels = npy("<u2", "(2,)", &[7, 0, 3, 0]);
    let arrays: [(&str, &[u8]); 2] = [("x", &whole()), ("y", &labels)];
    let archive = npz(&arrays, zip::CompressionMethod::Stored);
    let mut state = 1u64;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..20_000 {
        let (mut array, mut archive) = (whole(), archive.clone());
        for _ in 0..=next(3) {
            let (at, byte) = (next(array.len()), next(256) as u8);
            array[at] = byte;
            let (at, byte) = (next(archive.len()), next(256) as u8);
            archive[at] = byte;
        }
        if let Ok(array) = npy::read(array.as_slice()) {
            let count = array.items() * array.item_len();
            assert!(array.features().map_or(true, |x| x.len() == count));
            assert!(array.labels().map_or(true, |y| y.len() == count));
        }
        let _ = from_npz(Cursor::new(archive));
    }
}
