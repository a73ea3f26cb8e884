//! Plain and fused linear layers in turn.

use elision::{Activation, Dropout, Epilogue, Isa, Key, Result, Tensor, ops};
use rayon::ThreadPool;

use super::limits::multiply_adds;
use super::operands::Operands;
use super::report::{Line, Report};
use super::timing::{alone, pair, threaded_pair};
use crate::failure::Failure;

/// Rows, depth and columns: small, skinny, square and those of common networks.
const SHAPES: [[usize; 3]; 7] = [
    [1, 1024, 1024],
    [16, 1024, 1024],
    [64, 512, 512],
    [128, 784, 2048],
    [512, 768, 3072],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
];
const RATE: f64 = 0.5;
/// Rounds of multiply-adds that take a tenth of a second.
const PEAK_ROUNDS: u32 = 25_000_000;

/// One layer and the memory of its step.
struct Layer {
    operands: Operands,
    saved: ops::Saved,
    fused: bool,
    dropout: Dropout,
}

impl Layer {
    fn new(shape: [usize; 3], fused: bool) -> Result<Self> {
        Ok(Self {
            operands: Operands::new(shape)?,
            saved: ops::Saved::default(),
            fused,
            dropout: Dropout::new(Key::new(1), RATE)?,
        })
    }

    /// Bias alone, or bias, ReLU and dropout.
    fn epilogue<'a>(bias: &'a Tensor, fused: bool, dropout: Dropout) -> Epilogue<'a> {
        let plain = Epilogue {
            bias: Some(bias.view()),
            ..Epilogue::default()
        };
        let (activation, dropout) = (Activation::Relu, Some(dropout));
        if fused {
            Epilogue {
                activation,
                dropout,
                ..plain
            }
        } else {
            plain
        }
    }

    fn forward(&mut self) {
        let Operands { x, w, bias, y, .. } = &mut self.operands;
        let epilogue = Self::epilogue(bias, self.fused, self.dropout);
        ops::linear_into(&*x, &*w, &epilogue, y, Some(&mut self.saved)).expect("the shapes fit");
    }

    fn backward(&mut self) {
        let Operands {
            x,
            w,
            bias,
            g,
            grads,
            ..
        } = &mut self.operands;
        let epilogue = Self::epilogue(bias, self.fused, self.dropout);
        ops::linear_backward_into(&*g, &*x, &*w, &epilogue, &self.saved, grads.all_mut())
            .expect("the shapes fit");
    }

    fn step(&mut self) {
        self.forward();
        self.backward();
    }

    /// Some outputs against sums in f64.
    fn check(&self, op: &str) -> Result<(), Failure> {
        let Operands { x, w, bias, y, .. } = &self.operands;
        let (k, n) = (w.shape()[1], w.shape()[0]);
        let (x, w, y) = (x.as_slice(), w.as_slice(), y.as_slice());
        for at in (0..y.len()).step_by(y.len() / 97 + 1) {
            let (i, j) = (at / n, at % n);
            let products = (0..k).map(|p| f64::from(x[i * k + p]) * f64::from(w[j * k + p]));
            let mut want = products.sum::<f64>() + f64::from(bias.as_slice()[j]);
            if self.fused {
                let kept = self.saved.kept().and_then(|kept| kept.get(at)) == Some(true);
                want = if kept {
                    want * f64::from(self.dropout.scale())
                } else {
                    0.0
                };
            }
            let y = y[at];
            if (f64::from(y) - want).abs() > 1e-3 || (self.fused && y < 0.0) {
                return Err(Failure::WrongAnswer(op.to_owned()));
            }
        }
        Ok(())
    }
}

fn layer(shape: [usize; 3], fused: bool) -> Result<Layer, Failure> {
    Layer::new(shape, fused).map_err(Failure::Work)
}

/// Measures every shape with the ambient threads.
pub(super) fn measure(report: &mut Report) -> Result<(), Failure> {
    for shape in SHAPES {
        let [m, k, n] = shape;
        let flops = 2.0 * (m * k * n) as f64;
        let (mut plain, mut fused) = (layer(shape, false)?, layer(shape, true)?);
        let line = Line {
            m: Some(m),
            k: Some(k),
            n: Some(n),
            ..Line::new("")
        };
        let gflops = |flops: f64, seconds: f64| Some(flops / seconds / 1e9);

        let seconds = alone(|| plain.forward());
        report.line(&Line {
            gflops: gflops(flops, seconds),
            ..line.named("linear forward")
        })?;
        plain.check("linear forward")?;
        let timed = pair(|| fused.forward(), || plain.forward());
        let op = "linear+relu+dropout forward";
        let ratio = Some(timed.ratio);
        let p = Some(RATE);
        report.line(&Line {
            gflops: gflops(flops, timed.seconds),
            ratio,
            p,
            ..line.named(op)
        })?;
        fused.check(op)?;

        let flops = 3.0 * flops;
        let seconds = alone(|| plain.step());
        report.line(&Line {
            gflops: gflops(flops, seconds),
            ..line.named("linear forward+backward")
        })?;
        let timed = pair(|| fused.step(), || plain.step());
        let op = "linear+relu+dropout forward+backward";
        let ratio = Some(timed.ratio);
        report.line(&Line {
            gflops: gflops(flops, timed.seconds),
            ratio,
            p,
            ..line.named(op)
        })?;
    }
    Ok(())
}

/// The plain product of the largest shape in turn with multiply-adds alone that take about as long; `ratio` is
/// the share of their rate that it reaches.
pub(super) fn measure_peak_share(isa: Isa, report: &mut Report) -> Result<(), Failure> {
    let [m, k, n] = SHAPES[SHAPES.len() - 1];
    let mut plain = layer([m, k, n], false)?;
    let flops = 2.0 * (m * k * n) as f64;
    let mut peak = 0.0;
    let timed = pair(
        || plain.forward(),
        || peak = multiply_adds(isa, PEAK_ROUNDS),
    );
    report.line(&Line {
        m: Some(m),
        k: Some(k),
        n: Some(n),
        gflops: Some(flops / timed.seconds / 1e9),
        ratio: Some(flops / peak / timed.ratio),
        ..Line::new("linear forward, share of the fma peak")
    })
}

/// One thread against many, in turn: the fused layer at 1024 x 1024 x 1024.
pub(super) fn measure_speedup(
    one: &ThreadPool,
    many: &ThreadPool,
    report: &mut Report,
) -> Result<(), Failure> {
    let shape @ [m, k, n] = [1024; 3];
    let (mut left, mut right) = (layer(shape, true)?, layer(shape, true)?);
    let timed = threaded_pair(
        || one.install(|| left.forward()),
        || many.install(|| right.forward()),
    );
    let line = Line {
        m: Some(m),
        k: Some(k),
        n: Some(n),
        p: Some(RATE),
        ..Line::new("")
    };
    let op = "linear+relu+dropout forward, one thread over all";
    report.line(&Line {
        ratio: Some(timed.ratio),
        ..line.named(op)
    })
}
