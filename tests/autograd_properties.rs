//! Random graphs: the gradients of all leaves are those of the naive tape.

mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Fused, Tape, Var};
use elision::ops::{Conv2d, Window};
use elision::reference::tape as naive;
use elision::{Activation, Dropout, Isa, Key, Mask, Tensor, broadcast_shapes};
use proptest::prelude::*;
use support::noise;
use twins::{array, assert_near};

/// Sizes above which a graph grows no further.
const MOST_ELEMENTS: usize = 300;

/// Values above this size are scaled down, so that products of products stay tame.
const TAME: f64 = 2.0;

/// Added to variances: so much that values which hardly differ stay so.
const EPS: f32 = 0.1;

/// What a graph is made of: leaves, then operations that pick their operands among all values before them.
#[derive(Clone, Debug)]
struct Plan {
    leaves: Vec<(Vec<usize>, Leaf)>,
    steps: Vec<(usize, usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaf {
    Variable,
    Constant,
}

fn plans() -> impl Strategy<Value = Plan> {
    let shape = prop::collection::vec(prop::sample::select(vec![1_usize, 2, 3, 5]), 0..4);
    let kind = prop::sample::select(vec![Leaf::Variable, Leaf::Variable, Leaf::Constant]);
    let leaves = prop::collection::vec((shape, kind), 1..5);
    let steps = prop::collection::vec((0_usize..18, 0_usize..1000, 0_usize..1000), 5..16);
    (leaves, steps).prop_map(|(leaves, steps)| Plan { leaves, steps })
}

/// A value on both tapes.
#[derive(Clone)]
struct Twin {
    var: Var,
    naive: naive::Value,
}

/// A graph on both tapes.
struct Graph {
    tape: Tape,
    naive: naive::Tape,
    leaves: Vec<Twin>,
    values: Vec<Twin>,
}

impl Graph {
    fn new(plan: &Plan, tape: &Tape) -> Self {
        let (tape, naive) = (tape.clone(), naive::Tape::default());
        let (leaves, values) = (Vec::new(), Vec::new());
        let mut graph = Self {
            tape,
            naive,
            leaves,
            values,
        };
        for (seed, (shape, kind)) in (1..).zip(&plan.leaves) {
            graph.leaf(noise(shape, seed), *kind);
        }
        // At least one leaf is a variable.
        graph.leaf(noise(&[2, 3], 99), Leaf::Variable);
        for &(op, a, b) in &plan.steps {
            let grown = graph.step(op, a, b);
            let tame = graph.tamed(grown);
            graph.values.push(tame);
        }
        graph
    }

    fn leaf(&mut self, x: Tensor, kind: Leaf) {
        let naive = self.naive.leaf(array(&x));
        let var = match kind {
            Leaf::Variable => self.tape.variable(x),
            Leaf::Constant => self.tape.constant(x),
        };
        self.values.push(Twin { var, naive });
        if kind == Leaf::Variable {
            self.leaves.extend(self.values.last().cloned());
        }
    }

    fn largest(&self, x: naive::Value) -> f64 {
        self.naive
            .value(x)
            .data
            .iter()
            .fold(0.0, |most, x| x.abs().max(most))
    }

    fn tamed(&mut self, x: Twin) -> Twin {
        if self.largest(x.naive) <= TAME {
            return x;
        }
        self.unary(&x, |x| x.scale(0.25), |t, x| t.scale(x, 0.25))
    }

    fn unary(
        &mut self,
        x: &Twin,
        f: impl Fn(&Var) -> elision::Result<Var>,
        g: impl Fn(&mut naive::Tape, naive::Value) -> naive::Value,
    ) -> Twin {
        let var = f(&x.var).unwrap();
        Twin {
            var,
            naive: g(&mut self.naive, x.naive),
        }
    }

    fn step(&mut self, op: usize, a: usize, b: usize) -> Twin {
        let x = self.values[a % self.values.len()].clone();
        let rank = x.var.rank();
        match op {
            0..=4 => self.pair(op, &x, b),
            5 => self.unary(&x, Var::exp, naive::Tape::exp),
            6 => self.activation(&x, b),
            7 => self.logarithm(&x),
            8 if rank > 0 => self.unary(&x, |x| x.softmax(rank - 1), naive::Tape::softmax),
            9 if rank > 0 => self.unary(&x, |x| x.log_softmax(rank - 1), naive::Tape::log_softmax),
            10 if rank > 0 => {
                let axis = b % rank;
                self.unary(&x, |x| x.mean_axes(&[axis]), |t, x| t.mean(x, Some(axis)))
            }
            11 if rank > 1 => {
                let (i, j) = (b % rank, (b / rank) % rank);
                self.unary(&x, |x| x.transpose(i, j), |t, x| t.transpose(x, i, j))
            }
            12 => self.dropout(&x, b),
            13 if rank > 0 => self.row_norm(&x, b),
            14 if rank > 1 => self.batch_norm(&x),
            15 => self.loss_of(&x, b),
            16 if rank == 3 => self.images(&x, b),
            // x times itself, turned.
            _ if rank == 2 => self.unary(
                &x,
                |x| x.matmul(&x.transpose(0, 1)?),
                |t, x| {
                    let turned = t.transpose(x, 0, 1);
                    t.matmul(x, turned)
                },
            ),
            _ => self.unary(
                &x,
                |x| x.sum()?.scale(0.5),
                |t, x| {
                    let sum = t.sum(x, None);
                    t.scale(sum, 0.5)
                },
            ),
        }
    }

    /// An operation with the first value from `b` on that broadcasts to not too much.
    fn pair(&mut self, op: usize, x: &Twin, b: usize) -> Twin {
        let n = self.values.len();
        let fits = |y: &&Twin| {
            let shape = broadcast_shapes(x.var.shape(), y.var.shape());
            shape.is_ok_and(|shape| shape.iter().product::<usize>() <= MOST_ELEMENTS)
        };
        let y = (0..n).map(|i| &self.values[(b + i) % n]).find(fits);
        let (a, b) = (x.clone(), y.unwrap_or(x).clone());
        let (var, naive) = match op {
            0 => (a.var.add(&b.var), self.naive.add(a.naive, b.naive)),
            1 => (a.var.sub(&b.var), self.naive.sub(a.naive, b.naive)),
            2 | 3 => (a.var.mul(&b.var), self.naive.mul(a.naive, b.naive)),
            // A divisor away from zero.
            _ => {
                let b = self.unary(
                    &b,
                    |b| b.activate(Activation::Sigmoid),
                    |t, b| t.activate(b, Activation::Sigmoid),
                );
                (a.var.div(&b.var), self.naive.div(a.naive, b.naive))
            }
        };
        Twin {
            var: var.unwrap(),
            naive,
        }
    }

    fn activation(&mut self, x: &Twin, b: usize) -> Twin {
        let corner = self
            .naive
            .value(x.naive)
            .data
            .iter()
            .any(|x| x.abs() < 1e-3);
        let activation = match Activation::ALL[b % Activation::ALL.len()] {
            // Where f32 and f64 may lie on two sides of the corner.
            Activation::Relu if corner => Activation::Tanh,
            other => other,
        };
        self.unary(
            x,
            |x| x.activate(activation),
            |t, x| t.activate(x, activation),
        )
    }

    fn logarithm(&mut self, x: &Twin) -> Twin {
        let x = self.unary(x, Var::exp, naive::Tape::exp);
        let above = self.unary(
            &x,
            |x| x.add(&x.tape().constant(Tensor::full(&[], 0.5)?)),
            |t, x| {
                let half = t.leaf(naive::Array::new(vec![0.5], &[]));
                t.add(x, half)
            },
        );
        self.unary(&above, Var::ln, naive::Tape::ln)
    }

    fn dropout(&mut self, x: &Twin, b: usize) -> Twin {
        let dropout = Dropout::new(Key::new(b as u64), 0.4).unwrap();
        let kept = Mask::draw(&dropout, x.var.value().len())
            .unwrap()
            .to_bools();
        let scale = f64::from(dropout.scale());
        self.unary(x, |x| x.dropout(&dropout), |t, x| t.mask(x, &kept, scale))
    }

    /// A gain for each feature of the last axis: a leaf.
    fn gain(&mut self, x: &Twin, seed: u64) -> Twin {
        let features = x.var.shape()[x.var.rank() - 1];
        self.leaf(noise(&[features], seed), Leaf::Variable);
        self.values.last().cloned().expect("the leaf")
    }

    fn row_norm(&mut self, x: &Twin, b: usize) -> Twin {
        let (gain, bias) = (self.gain(x, 21), self.gain(x, 22));
        let (a, eps) = (x.naive, f64::from(EPS));
        let (var, naive) = match b % 2 {
            0 => (
                x.var.layer_norm(&gain.var, &bias.var, EPS),
                self.naive.layer_norm(a, gain.naive, bias.naive, eps),
            ),
            _ => (
                x.var.rms_norm(&gain.var, EPS),
                self.naive.rms_norm(a, gain.naive, eps),
            ),
        };
        let var = var.unwrap();
        Twin { var, naive }
    }

    /// Of a batch, or of itself if there is one sample alone.
    fn batch_norm(&mut self, x: &Twin) -> Twin {
        let shape = x.var.shape();
        if shape[..shape.len() - 1].iter().product::<usize>() < 2 {
            return x.clone();
        }
        let (gain, bias) = (self.gain(x, 23), self.gain(x, 24));
        let (var, _) = x.var.batch_norm(&gain.var, &bias.var, EPS).unwrap();
        let eps = f64::from(EPS);
        let naive = self.naive.batch_norm(x.naive, gain.naive, bias.naive, eps);
        Twin { var, naive }
    }

    fn loss_of(&mut self, x: &Twin, b: usize) -> Twin {
        let target = noise(x.var.shape(), 25);
        match (b % 4, x.var.shape()) {
            (0, &[rows, classes]) => {
                let labels: Vec<u32> = (0..rows).map(|i| ((b + i) % classes) as u32).collect();
                self.unary(
                    x,
                    |x| x.cross_entropy(&labels, 0.1),
                    |t, x| t.cross_entropy(x, &labels, 0.1),
                )
            }
            (1, _) => self.unary(
                x,
                |x| x.mean_squared_error(&x.scale(-0.5)?),
                |t, x| {
                    let other = t.scale(x, -0.5);
                    t.mse(x, other)
                },
            ),
            (2, _) => self.unary(
                x,
                |x| x.gaussian_nll(x, &x.tape().constant(target.clone())),
                |t, x| {
                    let target = t.leaf(array(&target));
                    t.gaussian_nll(x, x, target)
                },
            ),
            _ => {
                let target = target.as_slice().iter().map(|x| x.abs()).collect();
                let target = Tensor::from_vec(target, x.var.shape()).unwrap();
                self.unary(
                    x,
                    |x| x.binary_cross_entropy_with_logits(&x.tape().constant(target.clone())),
                    |t, x| {
                        let target = t.leaf(array(&target));
                        t.bce_with_logits(x, target)
                    },
                )
            }
        }
    }

    /// Height, width and channels of one image: filters that are a leaf, or means of windows.
    fn images(&mut self, x: &Twin, b: usize) -> Twin {
        let &[h, w, channels] = x.var.shape() else {
            return x.clone();
        };
        let image = self.unary(
            x,
            |x| x.reshape(&[1, h, w, channels]),
            |t, x| t.reshape(x, &[1, h, w, channels]),
        );
        let window = Window::new([h.min(2), w.min(3)]).padding([0, 1]);
        if b.is_multiple_of(2) {
            let pool = naive::Pool2d {
                kernel: window.kernel,
                stride: window.stride,
                padding: window.padding,
            };
            return self.unary(
                &image,
                |x| x.avg_pool2d(&window),
                |t, x| t.avg_pool2d(x, pool),
            );
        }
        let filters = noise(&[2, h.min(2), w.min(3), channels], 26);
        self.leaf(filters, Leaf::Variable);
        let filters = self.values.last().cloned().expect("the leaf");
        let conv = naive::Conv2d {
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
            groups: 1,
        };
        let fused = Fused {
            activation: Activation::Tanh,
            dropout: None,
        };
        let var = image
            .var
            .conv2d(&filters.var, None, &Conv2d::new(window), &fused);
        let naive = self.naive.conv2d(image.naive, filters.naive, conv);
        let naive = self.naive.activate(naive, Activation::Tanh);
        let var = var.unwrap();
        Twin { var, naive }
    }

    /// The sum of the means of the last values; a leaf that no path reaches has no gradient.
    fn loss(&mut self) -> Twin {
        let last: Vec<Twin> = self.values.iter().rev().take(4).cloned().collect();
        let root = self.leaves.last().cloned().expect("a variable");
        let mean = |graph: &mut Self, x: &Twin| graph.unary(x, Var::mean, |t, x| t.mean(x, None));
        let mut sum = mean(self, &root);
        for x in &last {
            let x = mean(self, x);
            sum = Twin {
                var: sum.var.add(&x.var).unwrap(),
                naive: self.naive.add(sum.naive, x.naive),
            };
        }
        sum
    }
}

/// The gradients of one graph as bits, once they are near those of the naive tape.
fn gradients(plan: &Plan, tape: &Tape) -> Vec<Option<Vec<u32>>> {
    let mut graph = Graph::new(plan, tape);
    let loss = graph.loss();
    let found = loss.var.backward().unwrap();
    let expected = graph.naive.backward(loss.naive);
    // A large gradient that cancels further down leaves its rounding error.
    let sizes = expected.iter().flatten().flat_map(|g| &g.data);
    let largest = sizes.fold(1.0, |most: f64, g| g.abs().max(most));
    let mut all = Vec::new();
    for (i, leaf) in graph.leaves.iter().enumerate() {
        let (found, expected) = (found.of(&leaf.var), &expected[leaf.naive.index()]);
        let found = found.map(|g| g.to_tensor().unwrap());
        match (&found, expected) {
            (Some(found), Some(expected)) => {
                assert_near(&format!("gradient of leaf {i}"), found, expected, largest);
            }
            (None, None) => {}
            pair => panic!("gradient of leaf {i}: {pair:?}"),
        }
        all.push(found.map(|g| support::bits(g.as_slice())));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn random_graphs_have_the_naive_gradients(plan in plans()) {
        let tape = Tape::new();
        let first = gradients(&plan, &tape);
        prop_assert_eq!(tape.live_bytes(), 0);
        prop_assert_eq!(&gradients(&plan, &tape), &first, "on used memory");
        tape.set_recomputing(true);
        prop_assert_eq!(&gradients(&plan, &tape), &first, "recomputing");
    }

    #[test]
    fn random_graphs_on_every_isa(plan in plans()) {
        for isa in Isa::available() {
            isa.install(|| gradients(&plan, &Tape::new()));
        }
    }
}
