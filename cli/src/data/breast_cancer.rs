//! The embedded measurements of breast tumours; `data/README.md` states their source and licence.

use std::io::{BufRead, BufReader};

use super::embedded::split_table;
use super::{Column, Fault, Raw, Scaling, file};

const FILE: &[u8] = include_bytes!("../../data/breast_cancer.csv.gz");
/// 143 of the 569 rows.
const TEST: f64 = 143.0 / 569.0;

pub(super) fn load() -> Result<Raw, Fault> {
    let mut content = BufReader::new(file::decoded(FILE).map_err(Fault::Open)?);
    // The first line counts rows and columns and names the classes.
    content.skip_until(b'\n').map_err(Fault::Open)?;
    let (table, train, test) = split_table(content, "31", TEST)?;
    Ok(Raw {
        name: "breast-cancer".to_owned(),
        classes: ["malignant", "benign"].map(str::to_owned).to_vec(),
        scaling: Scaling::Fitted(vec![Column::Number; table.features()]),
        train,
        test,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_set_is_whole() {
        let raw = load().expect("the embedded file is good");
        assert_eq!((raw.train.rows(), raw.test.rows()), (426, 143));
        assert_eq!((raw.columns(), raw.classes.len()), (30, 2));
        let labels = raw.train.labels.iter().chain(&raw.test.labels);
        assert_eq!(labels.filter(|&&label| label == 0).count(), 212);
        // The smallest and largest mean radius, as the authors state them.
        let radius = raw.train.x.iter().chain(&raw.test.x).step_by(30);
        let (least, most) = radius.fold((f32::MAX, 0.0f32), |(least, most), &radius| {
            (least.min(radius), most.max(radius))
        });
        assert_eq!((least, most), (6.981, 28.11));
    }
}
