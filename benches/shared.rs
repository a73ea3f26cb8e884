//! Dropout of groups that share a fate, drawing included, beside a scaled copy of the same tensor.

mod common;

use common::{Case, Name, numbers, places, time};
use elision::reference::shared;
use elision::{Channels, DropBlock, Dropout, Key, Mask, Tensor, Where, ops};

/// What is timed.
#[derive(Clone, Copy)]
enum Work {
    /// The yardstick: `x * scale`.
    ScaledCopy,
    /// Forward, keeping the mask.
    Forward(Where),
    /// Backward from the mask.
    Backward(Where),
    /// Forward, the mask included.
    Blocks(DropBlock),
    /// Forward, the mask included.
    Heads,
}

const P: f64 = 0.1;

struct Shared {
    work: Work,
    dropout: Dropout,
    x: Tensor,
    y: Tensor,
    /// The shape of the mask, and the mask of the latest run.
    noise_shape: Vec<usize>,
    mask: Mask,
    scale: f32,
}

impl Shared {
    fn new(work: Work, shape: &[usize]) -> Self {
        let dropout = Dropout::new(Key::new(1), P).unwrap();
        let noise_shape = match work {
            Work::ScaledCopy => vec![1; shape.len()],
            Work::Forward(place) | Work::Backward(place) => {
                place.noise_shape(shape).unwrap().to_vec()
            }
            Work::Blocks(block) => block.noise_shape(shape).unwrap().to_vec(),
            Work::Heads => vec![shape[0], shape[1], 1, 1],
        };
        let groups = noise_shape.iter().product();
        let mask = match work {
            Work::ScaledCopy => Mask::all(groups),
            _ => Mask::draw(&dropout, groups).unwrap(),
        };
        let x = numbers(shape.iter().product(), 1);
        Self {
            work,
            dropout,
            x: Tensor::from_vec(x, shape).unwrap(),
            y: Tensor::zeros(shape).unwrap(),
            noise_shape,
            mask,
            scale: dropout.scale(),
        }
    }

    /// The factor of each element; those of heads are the samples'.
    fn factor(&self, element: usize) -> f32 {
        if !matches!(self.work, Work::Heads) {
            return self.scale;
        }
        let heads = self.noise_shape[1];
        let sample = element / (self.x.len() / self.noise_shape[0]);
        let kept = self.mask.slice(sample * heads..(sample + 1) * heads);
        heads as f32 / kept.unwrap().count_kept() as f32
    }
}

impl Case for Shared {
    fn run(&mut self) {
        let (x, y, noise_shape) = (&self.x, &mut self.y, &self.noise_shape);
        let dropout = &self.dropout;
        match self.work {
            Work::ScaledCopy => ops::scale_into(x, dropout.scale(), y).unwrap(),
            Work::Forward(_) => {
                ops::dropout_shared_into(x, noise_shape, dropout, y, Some(&mut self.mask)).unwrap();
            }
            Work::Backward(_) => {
                let mask = Some(&self.mask);
                ops::dropout_shared_backward_into(x, noise_shape, dropout, mask, y).unwrap();
            }
            Work::Blocks(block) => {
                let mask = ops::drop_block_into(x, &block, dropout, y).unwrap();
                self.scale = mask.scale();
                self.mask = mask.mask().clone();
            }
            Work::Heads => self.mask = ops::drop_heads_into(x, dropout, y).unwrap(),
        }
    }

    fn check(&self) {
        let small = self.mask.to_bools();
        let kept = shared::broadcast(&small, &self.noise_shape, self.x.shape()).unwrap();
        let pairs = self.x.as_slice().iter().zip(self.y.as_slice());
        for (i, ((x, y), kept)) in pairs.zip(kept).enumerate() {
            assert_eq!(*y, if kept { x * self.factor(i) } else { 0.0 });
        }
        let dropped = 1.0 - self.mask.count_kept() as f64 / self.mask.len() as f64;
        let copied = matches!(self.work, Work::ScaledCopy);
        assert!(copied || (0.03..0.2).contains(&dropped), "{dropped}");
    }
}

/// Each geometry with a shape of its trade.
fn cases() -> Vec<(&'static str, Vec<usize>, Work)> {
    let (last, first) = ([32, 14, 14, 64], [32, 64, 14, 14]);
    let block = DropBlock::new(7).unwrap();
    let mut cases = vec![
        ("drop-block", last.to_vec(), Work::Blocks(block)),
        (
            "drop-block-coupled",
            last.to_vec(),
            Work::Blocks(block.coupled()),
        ),
        (
            "drop-block-channels-first",
            first.to_vec(),
            Work::Blocks(block.with_channels(Channels::First)),
        ),
        ("drop-head", vec![16, 12, 128, 64], Work::Heads),
    ];
    for (name, shape, place) in [
        ("unit", vec![512, 1024], Where::Unit),
        (
            "channel-last",
            last.to_vec(),
            Where::Channel(Channels::Last),
        ),
        (
            "channel-first",
            first.to_vec(),
            Where::Channel(Channels::First),
        ),
        ("row", vec![32, 128, 256], Where::Row),
        ("sample", last.to_vec(), Where::Sample),
        ("locked", vec![32, 64, 256], Where::Locked { time: 1 }),
        ("element", last.to_vec(), Where::Element),
    ] {
        cases.push((name, shape.clone(), Work::Forward(place)));
        if name != "element" {
            cases.push((name, shape, Work::Backward(place)));
        }
    }
    cases
}

fn main() {
    let mut criterion = common::criterion();
    for place in places().iter().filter(|place| place.is_best) {
        for (geometry, shape, work) in cases() {
            let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
            let way = match work {
                Work::Backward(_) => "-backward",
                _ => "",
            };
            for (what, work) in [("scaled-copy", Work::ScaledCopy), ("dropped", work)] {
                let name = Name {
                    operation: format!("shared-{geometry}{way}-{what}"),
                    shape: sizes.join("x"),
                    work: shape.iter().product(),
                };
                time(&mut criterion, place, name, || Shared::new(work, &shape));
            }
        }
    }
    criterion.final_summary();
}
