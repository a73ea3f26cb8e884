//! The embedded digits; `data/README.md` states their source and licence.

use elision::Key;

use super::{Dataset, Fault, Part, Pick, file, split, table};

const FILE: &[u8] = include_bytes!("../../data/digits.csv.gz");
/// The largest value of a pixel.
const WHITE: f32 = 16.0;
/// 450 of the 1,797 images. The shuffle's key is fixed, so that runs with different seeds are judged by
/// the same images.
const TEST: f64 = 450.0 / 1797.0;

/// The digits, pixels scaled to [0, 1].
pub(super) fn load() -> Result<Dataset, Fault> {
    let layout = table::Layout {
        label: "65".to_owned(),
        header: false,
    };
    let content = file::decoded(FILE).map_err(Fault::Open)?;
    let table = table::read(content, &layout)?;
    let pick = Pick {
        key: Key::new(0),
        fraction: TEST,
    };
    let (train, test) = split(&table.rows, table.features(), pick)?;
    Ok(Dataset {
        name: "digits".to_owned(),
        features: table.features(),
        classes: table.classes.len(),
        train: scaled(train),
        test: scaled(test),
    })
}

fn scaled(mut part: Part) -> Part {
    for pixel in &mut part.x {
        *pixel /= WHITE;
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_set_is_whole() {
        let digits = load().expect("the embedded file is good");
        assert_eq!((digits.features, digits.classes), (64, 10));
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
