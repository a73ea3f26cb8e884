//! NPY and NPZ files: what is accepted has the numbers that its dimensions say, and a refusal is one line.

use std::fmt::Display;
use std::io::Cursor;

use elision_cli::data::npy::{self, Array};
use elision_cli::data::{Examples, Part, decoded, from_npz};

/// The first byte chooses the format, the others are the file.
pub(crate) fn run(data: &[u8]) {
    let Some((&choice, file)) = data.split_first() else {
        return;
    };
    if choice & 1 == 1 {
        match from_npz(Cursor::new(file)) {
            Ok(examples) => check(&examples),
            Err(fault) => one_line(&fault),
        }
    } else if let Ok(plain) = decoded(file) {
        match npy::read(plain) {
            Ok(array) => numbers(&array),
            Err(fault) => one_line(&fault),
        }
    }
}

fn one_line(fault: &impl Display) {
    let text = fault.to_string();
    assert!(!text.contains('\n'), "{text}");
}

fn numbers(array: &Array) {
    let count = array.items() * array.item_len();
    assert_eq!(count, array.dims.iter().product::<usize>());
    match array.features() {
        Ok(features) => {
            assert_eq!(features.len(), count);
            assert!(features.iter().all(|x| x.is_finite()));
        }
        Err(fault) => one_line(&fault),
    }
    match array.labels() {
        Ok(labels) => assert_eq!(labels.len(), count),
        Err(fault) => one_line(&fault),
    }
}

fn check(examples: &Examples) {
    assert!(examples.features > 0 && examples.classes.len() > 1);
    let sound = |part: &Part| {
        assert!(part.rows() > 0);
        assert_eq!(part.x.len(), part.rows() * examples.features);
        let classes = &examples.classes;
        assert!(
            part.labels
                .iter()
                .all(|&label| (label as usize) < classes.len())
        );
    };
    sound(&examples.train);
    examples.test.iter().for_each(sound);
}
