//! Random numbers, and noise made of them, beside a scaled copy.

mod common;

use common::{Case, Name, numbers, places, time};
use elision::reference::noise as naive;
use elision::{AlphaDropout, Key, Mask, Noise, View, ViewMut, ops};

/// What is timed.
#[derive(Clone, Copy)]
enum Work {
    /// The yardstick: `x * scale`.
    ScaledCopy,
    /// Uniform numbers alone.
    Uniform,
    /// Normal numbers alone.
    Normal,
    /// Gaussian dropout, which is its own backward pass.
    GaussianDropout,
    /// Uniform noise that multiplies.
    UniformDropout,
    /// Alpha dropout: a mask is drawn and applied.
    AlphaDropout,
}

impl Work {
    const ALL: [Self; 6] = [
        Self::ScaledCopy,
        Self::Uniform,
        Self::Normal,
        Self::GaussianDropout,
        Self::UniformDropout,
        Self::AlphaDropout,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::ScaledCopy => "scaled-copy",
            Self::Uniform => "uniform",
            Self::Normal => "normal",
            Self::GaussianDropout => "gaussian-dropout",
            Self::UniformDropout => "uniform-dropout",
            Self::AlphaDropout => "alpha-dropout",
        }
    }
}

const KEY: Key = Key::new(1);
const SCALE: f32 = 1.25;
const RATE: f64 = 0.3;
const HALF_WIDTH: f64 = 0.1;

struct Draws {
    work: Work,
    x: Vec<f32>,
    y: Vec<f32>,
    mask: Mask,
}

impl Draws {
    fn new(work: Work, n: usize) -> Self {
        Self {
            work,
            x: numbers(n, 1),
            y: vec![0.0; n],
            mask: Mask::none(n),
        }
    }

    /// What element `i` should be.
    fn expected(&self, i: usize) -> f64 {
        let [normal, uniform] = ["normal", "uniform"].map(|name| KEY.named(name).to_u128());
        let (x, index) = (f64::from(self.x[i]), i as u64);
        match self.work {
            Work::ScaledCopy => x * f64::from(SCALE),
            Work::Uniform => naive::uniform(uniform, index),
            Work::Normal => naive::normal(normal, index),
            Work::GaussianDropout => {
                x * (1.0 + (RATE / (1.0 - RATE)).sqrt() * naive::normal(normal, index))
            }
            Work::UniformDropout => {
                x * (1.0 + HALF_WIDTH * (2.0 * naive::uniform(uniform, index) - 1.0))
            }
            Work::AlphaDropout => {
                let alpha = AlphaDropout::new(KEY, RATE).unwrap();
                match self.mask.get(i) {
                    Some(true) => alpha.scale() * x + alpha.shift(),
                    _ => alpha.dropped(),
                }
            }
        }
    }
}

impl Case for Draws {
    fn run(&mut self) {
        let shape = [self.x.len()];
        let x = View::contiguous(&self.x, &shape).unwrap();
        let y = ViewMut::contiguous(&mut self.y, &shape).unwrap();
        match self.work {
            Work::ScaledCopy => ops::scale_into(x, SCALE, y),
            Work::Uniform => ops::uniform_into(KEY, y),
            Work::Normal => ops::normal_into(KEY, y),
            Work::GaussianDropout => {
                ops::noise_into(x, &Noise::gaussian_dropout(KEY, RATE).unwrap(), y)
            }
            Work::UniformDropout => {
                ops::noise_into(x, &Noise::uniform(KEY, HALF_WIDTH).unwrap(), y)
            }
            Work::AlphaDropout => {
                let alpha = AlphaDropout::new(KEY, RATE).unwrap();
                self.mask.redraw(alpha.dropout()).unwrap();
                ops::alpha_dropout_into(x, &alpha, &self.mask, y)
            }
        }
        .unwrap();
    }

    fn check(&self) {
        // The reference is slow; the two ends tell.
        for start in [0, self.x.len() - 512] {
            for i in start..start + 512 {
                let (found, expected) = (f64::from(self.y[i]), self.expected(i));
                let off = (found - expected).abs() / expected.abs().max(1.0);
                assert!(off < 5e-6, "element {i}: {found} instead of {expected}");
            }
        }
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places().iter().filter(|place| !place.is_slow()) {
        for n in [1 << 16, 1 << 20] {
            for work in Work::ALL {
                let name = Name {
                    operation: work.name(),
                    shape: n,
                    work: n,
                };
                time(&mut criterion, place, name, || Draws::new(work, n));
            }
        }
    }
    criterion.final_summary();
}
