//! The fused linear layer, with dropout and without, in floating-point operations of its products. The
//! cases without are the yardstick: dropout should not be seen beside them.

mod common;

use common::{Case, Name, integers, places, time};
use elision::{Activation, Dropout, Epilogue, Key, Tensor, ops, reference};

/// Batch, inputs and outputs. The first is for every instruction set.
const SHAPES: [[usize; 3]; 5] = [
    [64, 512, 512],
    [16, 1024, 1024],
    [128, 784, 2048],
    [512, 768, 3072],
    [1024, 1024, 1024],
];

/// What is timed.
#[derive(Clone, Copy)]
enum Pass {
    /// The output and what the backward pass needs.
    Forward,
    /// Forward, then the gradients of input, weights and bias.
    Both,
}

struct Linear {
    pass: Pass,
    dropout: Option<Dropout>,
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    y: Tensor,
    saved: ops::Saved,
    /// The gradient of the output.
    g: Tensor,
    grads: ops::LinearGrads,
}

impl Linear {
    fn new([m, k, n]: [usize; 3], pass: Pass, p: Option<f64>) -> Self {
        let filled = |shape: &[usize], seed| {
            Tensor::from_slice(&integers(shape.iter().product(), seed), shape).unwrap()
        };
        let zeros = |shape: &[usize]| Tensor::zeros(shape).unwrap();
        Self {
            pass,
            dropout: p.map(|p| Dropout::new(Key::new(1), p).unwrap()),
            x: filled(&[m, k], 1),
            w: filled(&[n, k], 2),
            bias: filled(&[n], 3),
            y: zeros(&[m, n]),
            saved: ops::Saved::default(),
            g: filled(&[m, n], 4),
            grads: ops::LinearGrads {
                x: zeros(&[m, k]),
                w: zeros(&[n, k]),
                bias: zeros(&[n]),
            },
        }
    }

    /// The last row of the output, from the definition.
    fn expected_output(&self) -> Vec<f32> {
        let (m, k, n) = (self.x.shape()[0], self.x.shape()[1], self.w.shape()[0]);
        let x = &self.x.as_slice()[(m - 1) * k..];
        let transposed = reference::gemm::transpose(self.w.as_slice(), n, k);
        let sums = reference::gemm::matmul(x, &transposed, (1, k, n));
        let y: Vec<f32> = sums
            .iter()
            .zip(self.bias.as_slice())
            .map(|(&(sum, _), &bias)| (sum as f32 + bias).max(0.0))
            .collect();
        let Some(dropout) = self.dropout else {
            return y;
        };
        let first = (m - 1) * n;
        let key = dropout.key().to_u128();
        let kept = reference::stream::keep_bits(key, dropout.p(), first as u64, n).unwrap();
        reference::dropout::forward(&y, &kept, dropout.p()).unwrap()
    }

    /// The gradient before the activation, given the output, which `expected_output` vouches for.
    fn gradient_of_sums(&self) -> Vec<f32> {
        let scale = self.dropout.map_or(1.0, |dropout| dropout.scale());
        let pairs = self.y.as_slice().iter().zip(self.g.as_slice());
        pairs
            .map(|(&y, &g)| if y > 0.0 { g * scale } else { 0.0 })
            .collect()
    }

    fn check_gradients(&self) {
        let (m, k, n) = (self.x.shape()[0], self.x.shape()[1], self.w.shape()[0]);
        let dz = self.gradient_of_sums();
        let ones = vec![1.0; m];
        let dbias = reference::gemm::matmul(&ones, &dz, (1, m, n));
        assert_exact(&dbias, self.grads.bias.as_slice());
        let dx = reference::gemm::matmul(&dz[(m - 1) * n..], self.w.as_slice(), (1, n, k));
        assert_exact(&dx, &self.grads.x.as_slice()[(m - 1) * k..]);
        let last: Vec<f32> = dz.iter().skip(n - 1).step_by(n).copied().collect();
        let dw = reference::gemm::matmul(&last, self.x.as_slice(), (1, m, k));
        assert_exact(&dw, &self.grads.w.as_slice()[(n - 1) * k..]);
    }
}

/// Sums of small integers have no error.
fn assert_exact(expected: &[(f64, f64)], found: &[f32]) {
    assert!(
        expected
            .iter()
            .zip(found)
            .all(|(&(sum, _), &x)| sum == f64::from(x))
    );
}

impl Case for Linear {
    fn run(&mut self) {
        let Self {
            dropout,
            x,
            w,
            bias,
            y,
            saved,
            g,
            grads,
            ..
        } = self;
        let epilogue = Epilogue {
            bias: Some(bias.view()),
            activation: Activation::Relu,
            dropout: *dropout,
        };
        ops::linear_into(&*x, &*w, &epilogue, y, Some(saved)).unwrap();
        if let Pass::Both = self.pass {
            let into = ops::LinearGradsInto {
                x: Some(grads.x.view_mut()),
                w: Some(grads.w.view_mut()),
                bias: Some(grads.bias.view_mut()),
            };
            ops::linear_backward_into(&*g, &*x, &*w, &epilogue, saved, into).unwrap();
        }
    }

    fn check(&self) {
        let expected = self.expected_output();
        assert_eq!(self.y.as_slice()[self.y.len() - expected.len()..], expected);
        if let Pass::Both = self.pass {
            self.check_gradients();
        }
    }
}

fn main() {
    let mut criterion = common::criterion();
    for place in places() {
        let shapes = match (place.is_best, place.is_slow()) {
            (true, _) => &SHAPES[..],
            (_, false) => &SHAPES[..3],
            (_, true) => &SHAPES[..1],
        };
        for &shape in shapes {
            let [m, k, n] = shape;
            for (pass, products, word) in [(Pass::Forward, 1, "forward"), (Pass::Both, 3, "step")] {
                // A rate of a half has a scale of 2, which keeps integers integers.
                for (p, rate) in [(None, ""), (Some(0.5), "-p0.5")] {
                    let operation = format!("linear-{word}{rate}");
                    let name = Name {
                        operation,
                        shape: format!("{m}x{k}x{n}"),
                        work: products * 2 * m * n * k,
                    };
                    time(&mut criterion, &place, name, || Linear::new(shape, pass, p));
                }
            }
        }
    }
    criterion.final_summary();
}
