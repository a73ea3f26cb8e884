//! Plain and fused linear layers in turn.

use elision::{Activation, Dropout, Epilogue, Isa, Key, Result, Tensor, ops};
use rayon::ThreadPool;

use super::limits::multiply_adds;
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
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    g: Tensor,
    y: Tensor,
    dx: Tensor,
    dw: Tensor,
    dbias: Tensor,
    saved: ops::Saved,
    fused: bool,
    dropout: Dropout,
}

impl Layer {
    fn new([m, k, n]: [usize; 3], fused: bool) -> Result<Self> {
        Ok(Self {
            x: noise(&[m, k], 1)?,
            w: noise(&[n, k], 2)?,
            bias: noise(&[n], 3)?,
            g: noise(&[m, n], 4)?,
            y: Tensor::zeros(&[m, n])?,
            dx: Tensor::zeros(&[m, k])?,
            dw: Tensor::zeros(&[n, k])?,
            dbias: Tensor::zeros(&[n])?,
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
        let Self {
            x,
            w,
            bias,
            y,
            saved,
            fused,
            dropout,
            ..
        } = self;
        let epilogue = Self::epilogue(bias, *fused, *dropout);
        ops::linear_into(&*x, &*w, &epilogue, y, Some(saved)).expect("the shapes fit");
    }

    fn backward(&mut self) {
        let Self {
            x,
            w,
            bias,
            g,
            dx,
            dw,
            dbias,
            saved,
            fused,
            dropout,
            ..
        } = self;
        let epilogue = Self::epilogue(bias, *fused, *dropout);
        let into = ops::LinearGradsInto {
            x: Some(dx.view_mut()),
            w: Some(dw.view_mut()),
            bias: Some(dbias.view_mut()),
        };
        ops::linear_backward_into(&*g, &*x, &*w, &epilogue, saved, into).expect("the shapes fit");
    }

    fn step(&mut self) {
        self.forward();
        self.backward();
    }

    /// Some outputs against sums in f64.
    fn check(&self, op: &str) -> Result<(), Failure> {
        let (k, n) = (self.w.shape()[1], self.w.shape()[0]);
        let (x, w) = (self.x.as_slice(), self.w.as_slice());
        for at in (0..self.y.len()).step_by(self.y.len() / 97 + 1) {
            let (i, j) = (at / n, at % n);
            let products = (0..k).map(|p| f64::from(x[i * k + p]) * f64::from(w[j * k + p]));
            let mut want = products.sum::<f64>() + f64::from(self.bias.as_slice()[j]);
            if self.fused {
                let kept = self.saved.kept().and_then(|kept| kept.get(at)) == Some(true);
                want = if kept {
                    want * f64::from(self.dropout.scale())
                } else {
                    0.0
                };
            }
            let y = self.y.as_slice()[at];
            if (f64::from(y) - want).abs() > 1e-3 || (self.fused && y < 0.0) {
                return Err(Failure::WrongAnswer(op.to_owned()));
            }
        }
        Ok(())
    }
}

/// Numbers in (-0.5, 0.5) that a seed decides.
pub(super) fn noise(shape: &[usize], seed: u64) -> Result<Tensor> {
    let mut tensor = Tensor::zeros(shape)?;
    let key = Key::new(seed);
    for (i, x) in (0..).zip(tensor.as_mut_slice()) {
        *x = (key.fold_in(i).to_u128() >> 104) as f32 / 16_777_216.0 - 0.5;
    }
    Ok(tensor)
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
