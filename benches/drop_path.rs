//! A training step of a residual network whose samples go without some branches, beside one that drops nothing. Half of
//! the samples in each branch should cost little more than half: what stays are the gathered rows, the gradients of the
//! weights, which are as large as ever, and the optimiser's step, which the second case has too.

mod common;

use common::{Case, Name, numbers, places, time};
use elision::autograd::{Gradients, Tape};
use elision::nn::{Layer, Linear, Pass, Residual, Sequential};
use elision::train::{Optimizer, OptimizerConfig, Rule};
use elision::{Activation, Dropout, Key, Mask, Tensor};

const BLOCKS: usize = 8;
/// A small batch is gathered into so few rows that packing the weights is felt.
const BATCHES: [usize; 2] = [256, 1024];
const WIDTHS: [usize; 2] = [512, 1024];
const RUN: Key = Key::new(1);

thread_local! {
    /// A tape stays on its thread, and its memory is used again by each step.
    static TAPE: Tape = Tape::new();
}

struct Step {
    p: f64,
    model: Sequential,
    optimizer: Option<Optimizer>,
    x: Tensor,
    y: Tensor,
    /// The gradient of the output.
    g: Tensor,
}

fn model(p: f64) -> Sequential {
    let [narrow, wide] = WIDTHS;
    let block = |name: &str| {
        let key = RUN.named(name);
        let first = Linear::new(narrow, wide, key.named("first"))?.activation(Activation::Relu);
        let branch = Sequential::new()
            .with("first", first)?
            .with("second", Linear::new(wide, narrow, key.named("second"))?)?;
        Residual::new(branch).drop_path(p)
    };
    (0..BLOCKS).fold(Sequential::new(), |model, i| {
        let name = i.to_string();
        model.with(&name, block(&name).unwrap()).unwrap()
    })
}

impl Step {
    fn new(p: f64, rows: usize, trains: bool) -> Self {
        let batch = |seed| {
            let shape = [rows, WIDTHS[0]];
            Tensor::from_vec(numbers(rows * WIDTHS[0], seed), &shape).unwrap()
        };
        // So small a rate leaves the weights as they are, for `check`, and costs what any does.
        let config = OptimizerConfig::new(Rule::sgd(0.0), 1e-20);
        Self {
            p,
            model: model(p),
            optimizer: trains.then(|| Optimizer::new(config).unwrap()),
            x: batch(1),
            y: batch(1),
            g: batch(2),
        }
    }
}

impl Case for Step {
    fn run(&mut self) {
        let tape = TAPE.with(Tape::clone);
        let x = tape.constant(self.x.clone());
        let y = self.model.forward(&x, &Pass::train(RUN, 0)).unwrap();
        self.y.as_mut_slice().copy_from_slice(y.value().as_slice());
        let mut gradients: Gradients = y.backward_from(self.g.clone()).unwrap();
        if let Some(optimizer) = &mut self.optimizer {
            optimizer.step(&mut self.model, &mut gradients).unwrap();
        }
    }

    fn check(&self) {
        let tape = Tape::new();
        let (root, eval) = (Pass::train(RUN, 0), Pass::eval());
        let mut x = self.x.clone();
        for (name, block) in self.model.children() {
            let dropout = Dropout::new(root.child(name).key(), self.p).unwrap();
            let kept = Mask::draw(&dropout, x.shape()[0]).unwrap();
            let whole = block.forward(&tape.constant(x.clone()), &eval).unwrap();
            let whole = whole.value().as_slice();
            for (i, x) in x.as_mut_slice().iter_mut().enumerate() {
                if kept.get(i / WIDTHS[0]) == Some(true) {
                    *x += dropout.scale() * (whole[i] - *x);
                }
            }
        }
        for (found, want) in self.y.as_slice().iter().zip(x.as_slice()) {
            assert!((found - want).abs() < 1e-2 * want.abs().max(1.0));
        }
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places().into_iter().filter(|place| place.is_best) {
        for rows in BATCHES {
            for (trains, word) in [(false, "backward"), (true, "train")] {
                for p in [0.0, 0.2, 0.5] {
                    let [narrow, wide] = WIDTHS;
                    let name = Name {
                        operation: format!("drop-path-{word}-p{p}"),
                        shape: format!("{rows}x{BLOCKS}x{narrow}x{wide}"),
                        work: 3 * 2 * 2 * BLOCKS * rows * narrow * wide,
                    };
                    time(&mut criterion, &place, name, || Step::new(p, rows, trains));
                }
            }
        }
    }
    criterion.final_summary();
}
