//! The four files of MNIST and of the sets that took its format over.

use std::path::{Path, PathBuf};

use super::{Fault, Located, Part, Raw, Scaling, file, idx};

/// Both sets have ten classes.
const CLASSES: usize = 10;
/// The largest value of a pixel.
const WHITE: f32 = 255.0;

/// Reads the set in `folder`; pixels are to be scaled to [0, 1].
pub(super) fn load(name: &str, folder: &Path) -> Result<Raw, Located> {
    let (train, features) = side(folder, "train")?;
    let (test, found) = side(folder, "t10k")?;
    if found != features {
        let path = find(folder, "t10k", Kind::Images);
        return Err(Located::new(
            path,
            Fault::Pixels {
                expected: features,
                found,
            },
        ));
    }
    Ok(Raw {
        name: name.to_owned(),
        classes: classes(name),
        scaling: Scaling::Divided {
            features,
            by: WHITE,
        },
        train,
        test,
    })
}

/// What the authors of fashion-mnist call theirs; other sets have digits.
const FASHION: [&str; CLASSES] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

fn classes(set: &str) -> Vec<String> {
    match set {
        "fashion-mnist" => FASHION.map(str::to_owned).to_vec(),
        _ => (0..CLASSES).map(|class| class.to_string()).collect(),
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    fn rank(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }
}

/// One side and the number of pixels of an image.
fn side(folder: &Path, prefix: &str) -> Result<(Part, usize), Located> {
    let images = array(folder, prefix, Kind::Images)?;
    let labels = array(folder, prefix, Kind::Labels)?;
    let at_labels = |fault| Located::new(find(folder, prefix, Kind::Labels), fault);
    if labels.items() != images.items() {
        return Err(at_labels(Fault::Count {
            labels: labels.items(),
            images: images.items(),
        }));
    }
    if let Some(item) = labels
        .data
        .iter()
        .position(|&label| usize::from(label) >= CLASSES)
    {
        return Err(at_labels(Fault::Class {
            item,
            label: labels.data[item],
        }));
    }
    let part = Part {
        x: images.data.iter().map(|&pixel| f32::from(pixel)).collect(),
        labels: labels.data.iter().map(|&label| u32::from(label)).collect(),
    };
    Ok((part, images.item_len()))
}

fn array(folder: &Path, prefix: &str, kind: Kind) -> Result<idx::Array, Located> {
    let path = find(folder, prefix, kind);
    idx::read(file::open(&path)?, kind.rank()).map_err(|fault| Located::new(&path, fault))
}

/// The first name in use for this file that exists, else the official one: with `-` or `.` before
/// `idx`, plain or gzipped.
fn find(folder: &Path, prefix: &str, kind: Kind) -> PathBuf {
    let (what, rank) = (kind.name(), kind.rank());
    let names = ["-", "."].into_iter().flat_map(|separator| {
        ["", ".gz"]
            .map(|end| folder.join(format!("{prefix}-{what}{separator}idx{rank}-ubyte{end}")))
    });
    let official = folder.join(format!("{prefix}-{what}-idx{rank}-ubyte"));
    names
        .into_iter()
        .find(|path| path.exists())
        .unwrap_or(official)
}
