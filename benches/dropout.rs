//! Dropout of a contiguous array, beside the scaled copy that it should cost no more than.

mod common;

use common::{Case, Name, numbers, places, time};
use elision::{Dropout, Key, Mask, View, ViewMut, ops, reference};

/// What is timed.
#[derive(Clone, Copy)]
enum Work {
    /// The yardstick: `x * scale`.
    ScaledCopy,
    /// Forward, keeping the mask.
    Forward,
    /// Forward, keeping nothing.
    ForwardUnsaved,
    /// Backward from the mask.
    Backward,
    /// Backward from the key.
    BackwardRedrawn,
}

impl Work {
    fn name(self, p: f64) -> String {
        match self {
            Self::ScaledCopy => "scaled-copy".into(),
            Self::Forward => format!("dropout-forward-p{p}"),
            Self::ForwardUnsaved => format!("dropout-forward-unsaved-p{p}"),
            Self::Backward => format!("dropout-backward-p{p}"),
            Self::BackwardRedrawn => format!("dropout-backward-redrawn-p{p}"),
        }
    }
}

struct Elementwise {
    work: Work,
    dropout: Dropout,
    x: Vec<f32>,
    y: Vec<f32>,
    mask: Mask,
}

impl Elementwise {
    fn new(work: Work, p: f64, n: usize) -> Self {
        let dropout = Dropout::new(Key::new(1), p).unwrap();
        let mask = match work {
            Work::Backward => Mask::draw(&dropout, n).unwrap(),
            _ => Mask::none(n),
        };
        Self {
            work,
            dropout,
            x: numbers(n, 1),
            y: vec![0.0; n],
            mask,
        }
    }
}

impl Case for Elementwise {
    fn run(&mut self) {
        let shape = [self.x.len()];
        let x = View::contiguous(&self.x, &shape).unwrap();
        let y = ViewMut::contiguous(&mut self.y, &shape).unwrap();
        let dropout = &self.dropout;
        match self.work {
            Work::ScaledCopy => ops::scale_into(x, dropout.scale(), y),
            Work::Forward => ops::dropout_into(x, dropout, y, Some(&mut self.mask)),
            Work::ForwardUnsaved => ops::dropout_into(x, dropout, y, None),
            Work::Backward => ops::dropout_backward_into(x, dropout, Some(&self.mask), y),
            Work::BackwardRedrawn => ops::dropout_backward_into(x, dropout, None, y),
        }
        .unwrap();
    }

    fn check(&self) {
        let (n, p, key) = (self.x.len(), self.dropout.p(), self.dropout.key());
        // The reference is slow; the two ends tell.
        for start in [0, n - 8192] {
            let range = start..start + 8192;
            let kept = match self.work {
                Work::ScaledCopy => vec![true; 8192],
                _ => reference::stream::keep_bits(key.to_u128(), p, start as u64, 8192).unwrap(),
            };
            let expected = reference::dropout::forward(&self.x[range.clone()], &kept, p).unwrap();
            assert_eq!(self.y[range.clone()], expected);
            if matches!(self.work, Work::Forward) {
                assert_eq!(self.mask.slice(range).unwrap().to_bools(), kept);
            }
        }
    }
}

/// The rates; a yardstick has none of its own.
fn rates(work: Work) -> &'static [f64] {
    match work {
        Work::Forward => &[0.5, 0.3],
        _ => &[0.3],
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places() {
        let sizes: &[usize] = if place.is_best {
            &[1 << 16, 1 << 20, 1 << 24]
        } else {
            &[1 << 16, 1 << 20]
        };
        for &n in sizes {
            for work in [
                Work::ScaledCopy,
                Work::Forward,
                Work::ForwardUnsaved,
                Work::Backward,
                Work::BackwardRedrawn,
            ] {
                for &p in rates(work) {
                    let name = Name {
                        operation: work.name(p),
                        shape: n,
                        work: n,
                    };
                    time(&mut criterion, &place, name, || {
                        Elementwise::new(work, p, n)
                    });
                }
            }
        }
    }
    criterion.final_summary();
}
