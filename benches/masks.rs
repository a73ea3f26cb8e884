//! Drawing keep bits. A rate of a half takes one random digit a bit, others about ten.

mod common;

use common::{Case, Name, places, time};
use elision::{Dropout, Key, Mask, reference};

struct Draw {
    dropout: Dropout,
    mask: Mask,
}

impl Draw {
    fn new(p: f64, n: usize) -> Self {
        let dropout = Dropout::new(Key::new(1), p).unwrap();
        Self {
            dropout,
            mask: Mask::none(n),
        }
    }
}

impl Case for Draw {
    fn run(&mut self) {
        self.mask.redraw(&self.dropout).unwrap();
    }

    fn check(&self) {
        let (n, key) = (self.mask.len(), self.dropout.key().to_u128());
        // The reference is slow; the two ends tell.
        for start in [0, n - 8192] {
            let expected =
                reference::stream::keep_bits(key, self.dropout.p(), start as u64, 8192).unwrap();
            let found = self.mask.slice(start..start + 8192).unwrap();
            assert_eq!(found.to_bools(), expected);
        }
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places() {
        for n in [1 << 16, 1 << 20] {
            for p in [0.5, 0.3, 0.1] {
                let operation = format!("mask-draw-p{p}");
                let name = Name {
                    operation,
                    shape: n,
                    work: n,
                };
                time(&mut criterion, &place, name, || Draw::new(p, n));
            }
        }
    }
    criterion.final_summary();
}
