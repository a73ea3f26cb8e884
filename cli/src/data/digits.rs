//! The embedded digits; `data/README.md` states their source and licence.

use super::embedded::split_table;
use super::{Fault, Raw, Scaling, file};

const FILE: &[u8] = include_bytes!("../../data/digits.csv.gz");
/// The largest value of a pixel.
const WHITE: f32 = 16.0;
/// 450 of the 1,797 images.
const TEST: f64 = 450.0 / 1797.0;

/// The digits, and how their pixels are scaled to [0, 1].
pub(super) fn load() -> Result<Raw, Fault> {
    let content = file::decoded(FILE).map_err(Fault::Open)?;
    let (table, train, test) = split_table(content, "65", TEST)?;
    Ok(Raw {
        name: "digits".to_owned(),
        scaling: Scaling::Divided {
            features: table.features(),
            by: WHITE,
        },
        classes: table.classes,
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
        let digits = raw.dataset(None).expect("nothing is held out");
        assert_eq!((digits.features, digits.classes.len()), (64, 10));
        assert_eq!((digits.train.rows(), digits.test.rows()), (1347, 450));
        let all = digits.train.x.iter().chain(&digits.test.x);
        assert!(all.clone().all(|pixel| (0.0..=1.0).contains(pixel)));
        // The sum of all pixels of the file, in sixteenths: a property of the set, not of the split.
        assert_eq!(
            all.map(|&pixel| f64::from(pixel) * 16.0).sum::<f64>(),
            561_718.0
        );
        let mut counts = [0; 10];
        for &label in digits.train.labels.iter().chain(&digits.test.labels) {
            counts[label as usize] += 1;
        }
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }
}
