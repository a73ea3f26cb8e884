//! Whole data sets: how they are split, scaled and encoded, and what is said of files that are not there.

use std::fs;
use std::path::Path;

use elision::Key;
use elision_cli::data::table::Layout;
use elision_cli::data::{Dataset, HoldOut, Part, Pick, Source, hold_out};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    fs::write(folder.path().join(name), content).expect("the folder can be written");
}

/// Means and variances of the columns.
fn moments(part: &Part, features: usize) -> Vec<(f64, f64)> {
    let moments = |at| {
        let column = || part.x.iter().skip(at).step_by(features);
        let mean = column().map(|&x| f64::from(x)).sum::<f64>() / part.rows() as f64;
        let square = |&x: &f32| (f64::from(x) - mean).powi(2);
        (mean, column().map(square).sum::<f64>() / part.rows() as f64)
    };
    (0..features).map(moments).collect()
}

fn is_standard(&(mean, variance): &(f64, f64)) -> bool {
    mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-5
}

#[test]
fn breast_cancer_is_scaled_as_its_training_rows_ask_for() {
    let set = Source::BreastCancer.load().expect("it is embedded");
    assert_eq!((set.features, set.classes.len()), (30, 2));
    assert!(moments(&set.train, 30).iter().all(is_standard));
    assert!(!moments(&set.test, 30).iter().any(is_standard));
    let held_out = Some(HoldOut::Last(100));
    let set = Source::BreastCancer.load_held_out(held_out);
    let set = set.expect("it is embedded");
    let validation = set.validation.expect("it was asked for");
    assert_eq!((set.train.rows(), validation.rows()), (326, 100));
    assert!(moments(&set.train, 30).iter().all(is_standard));
    assert!(!moments(&validation, 30).iter().any(is_standard));
}

#[test]
fn rows_outside_of_training_change_nothing_inside() {
    let folder = folder();
    let layout = Layout {
        label: "y".to_owned(),
        header: true,
    };
    let load = |last: f32| {
        let row = |i: u8| format!("{},{}\n", if i == 19 { last } else { f32::from(i) }, i % 2);
        let rows: String = (0..20).map(row).collect();
        write(&folder, "t.csv", "a,y\n".to_owned() + &rows);
        let source = Source::Csv {
            path: folder.path().join("t.csv"),
            layout: layout.clone(),
            // The shuffle by this key puts the last row among the test rows.
            pick: Pick {
                key: key(|order| order >= 15),
                fraction: 0.25,
            },
        };
        source.load().expect("a good table")
    };
    let (near, far) = (load(19.0), load(1e6));
    assert_eq!(near.train, far.train);
    assert_ne!(near.test, far.test);
}

/// The first key whose shuffle of twenty rows has the last one at a place that `wanted` accepts.
fn key(wanted: impl Fn(usize) -> bool) -> Key {
    let place = |&key: &Key| {
        let order = elision::train::shuffled(key, 20);
        wanted(
            order
                .iter()
                .position(|&row| row == 19)
                .expect("it is there"),
        )
    };
    (0..).map(Key::new).find(place).expect("some key does it")
}

#[test]
fn validation_rows_are_the_last_or_chosen_by_a_key() {
    let rows = Part {
        x: (0..20u8).map(f32::from).collect(),
        labels: (0..10).collect(),
    };
    let (train, validation) = hold_out(rows.clone(), 2, HoldOut::Last(3)).expect("enough rows");
    assert_eq!((train.rows(), &train.x[..]), (7, &rows.x[..14]));
    assert_eq!(
        (&validation.labels[..], &validation.x[..]),
        (&[7, 8, 9][..], &rows.x[14..])
    );
    let pick = |seed| {
        let which = HoldOut::Fraction(Pick {
            key: Key::new(seed),
            fraction: 0.3,
        });
        hold_out(rows.clone(), 2, which).expect("enough rows")
    };
    let (train, validation) = pick(1);
    assert_eq!((train.rows(), validation.rows()), (7, 3));
    let mut all = [train.labels.clone(), validation.labels.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, rows.labels);
    assert_eq!((train, validation), pick(1));
    assert_ne!(pick(1), pick(2));
    for count in [0, 10, 11] {
        let fault = hold_out(rows.clone(), 2, HoldOut::Last(count)).expect_err("too few rows");
        assert_eq!(
            fault.to_string(),
            format!("{count} of 10 training rows cannot be held out for validation")
        );
    }
}

/// A line with these categories of work and sex, and this age; all else is constant.
fn person(age: u8, work: &str, sex: &str, income: &str) -> String {
    format!(
        "{age}, {work}, 9, HS, 1, Single, Sales, None, White, {sex}, 0, 0, 40, Peru, {income}\n"
    )
}

fn adult(folder: &TempDir, train: &str, test: &str) -> Source {
    write(folder, "adult.data", train);
    write(folder, "adult.test", test);
    Source::Adult {
        folder: folder.path().to_owned(),
    }
}

#[test]
fn categories_of_adult_are_those_of_its_training_rows() {
    let folder = folder();
    let train = [
        person(20, "Private", "Male", "<=50K"),
        person(40, "?", "Female", ">50K"),
        person(40, "Gov", "Female", ">50K"),
        "\n".to_owned(),
    ];
    let test = [
        "|1x3 Cross validator\n".to_owned(),
        person(50, "Never", "Male", ">50K."),
        person(30, "?", "Other", "<=50K."),
    ];
    let set = adult(&folder, &train.concat(), &test.concat());
    let held_out = set.load_held_out(Some(HoldOut::Last(1)));
    let set = set.load().expect("good files");
    // Six numbers, three kinds of work, two sexes, and six columns that have one category.
    assert_eq!((set.features, set.classes.len()), (6 + 3 + 2 + 6, 2));
    assert_eq!(set.train.labels, [0, 1, 1]);
    assert_eq!(set.test.labels, [1, 0]);
    let work = |part: &Part| {
        part.x
            .chunks(17)
            .map(|row| row[1..4].to_vec())
            .collect::<Vec<_>>()
    };
    // In the alphabet's order: "?", "Gov", "Private".
    assert_eq!(work(&set.train), [[0., 0., 1.], [1., 0., 0.], [0., 1., 0.]]);
    assert_eq!(work(&set.test), [[0., 0., 0.], [1., 0., 0.]]);
    let age = |part: &Part| part.x.iter().step_by(17).sum::<f32>();
    assert!(age(&set.train).abs() < 1e-6 && age(&set.test) > 1.0);
    // Without the last row nobody works for the government.
    let set: Dataset = held_out.expect("good files");
    assert_eq!(set.features, 6 + 2 + 2 + 6);
    assert_eq!(set.validation.expect("asked for").x[1..3], [0.0, 0.0]);
}

#[test]
fn faults_of_adult_name_the_file_the_line_and_the_column() {
    let folder = folder();
    let good = person(20, "Private", "Male", "<=50K");
    let message = |train: &str, test: &str| {
        let located = adult(&folder, train, test).load().expect_err("a bad file");
        let name = located.path.file_name().expect("a file").to_string_lossy();
        format!("{name}: {}", located.fault)
    };
    assert_eq!(
        message(&good, &(good.clone() + &person(20, "", "Male", "<=50K."))),
        "adult.test: line 2, column \"workclass\": \"\" is not a category, one of at most 256"
    );
    assert_eq!(
        message(&good.replace("20", "x"), &good),
        "adult.data: line 1, column \"age\": \"x\" is not a finite number"
    );
    assert_eq!(
        message(&good.replace("<=50K", "rich"), &good),
        "adult.data: line 1, column \"income\": \"rich\" is not <=50K or >50K"
    );
    assert_eq!(
        message("1, 2\n", &good),
        "adult.data: line 1: 2 cells, expected 15"
    );
    assert_eq!(message(&good, "|nobody\n"), "adult.test: no rows");
    let many: String = (0..257)
        .map(|i| person(20, &i.to_string(), "Male", "<=50K"))
        .collect();
    assert!(message(&many, &good).contains("line 257, column \"workclass\""));
}

#[test]
fn sets_that_are_not_there_say_how_to_get_them() {
    let folder = folder();
    let folder = folder.path().to_owned();
    let message = |source: Source| {
        source
            .load()
            .expect_err("it is not there")
            .fault
            .to_string()
    };
    let idx = Source::Idx {
        name: "mnist".to_owned(),
        folder: folder.clone(),
    };
    assert!(message(idx).contains("; `elision data fetch mnist` brings it"));
    let adult = Source::Adult { folder };
    assert!(message(adult).contains("; `elision data fetch adult` brings it"));
}

#[test]
fn npy_files_are_split_and_their_faults_name_the_file() {
    let folder = folder();
    let header = |shape: &str| {
        let text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
        [
            b"\x93NUMPY\x01\x00",
            [text.len() as u8, 0].as_slice(),
            text.as_bytes(),
        ]
        .concat()
    };
    let rows: Vec<u8> = (0..16).collect();
    write(&folder, "x.npy", [header("(8, 2)"), rows].concat());
    write(
        &folder,
        "y.npy",
        [header("(8,)"), vec![3, 1, 3, 1, 3, 1, 3, 1]].concat(),
    );
    let source = |y: &str| Source::Npy {
        x: folder.path().join("x.npy"),
        y: folder.path().join(y),
        pick: Pick {
            key: Key::new(1),
            fraction: 0.25,
        },
    };
    let set = source("y.npy").load().expect("good files");
    assert_eq!(
        (set.name.as_str(), set.features, set.classes.len()),
        ("x", 2, 2)
    );
    assert_eq!((set.train.rows(), set.test.rows()), (6, 2));
    assert!(moments(&set.train, 2).iter().all(is_standard));
    write(&folder, "z.npy", [header("(3,)"), vec![0, 1, 2]].concat());
    for (y, text) in [
        ("z.npy", "3 labels for 8 rows of features"),
        ("x.npy", "2 numbers a row, where one label is expected"),
    ] {
        let located = source(y).load().expect_err("no labels");
        assert_eq!(located.path.file_name(), Path::new(y).file_name());
        assert_eq!(located.fault.to_string(), text);
    }
}
