//! Every operation on variables against the naive tape, on every instruction set.

mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Fused, Tape, Var};
use elision::reference::tape as naive;
use elision::{Activation, Dropout, Error, Form, Key, Mask, Result, Tensor};
use support::{noise, on_every_isa};
use twins::{check, positive, run};

/// Pairs of shapes that broadcast; some have no elements, some no axes.
const PAIRS: [(&[usize], &[usize]); 12] = [
    (&[2, 3], &[2, 3]),
    (&[2, 3], &[3]),
    (&[3], &[2, 3]),
    (&[2, 1, 3], &[4, 1]),
    (&[], &[2]),
    (&[], &[]),
    (&[5, 17], &[5, 1]),
    (&[1, 1], &[3, 2, 33]),
    (&[1], &[]),
    (&[0, 3], &[3]),
    (&[1, 3], &[0, 1]),
    (&[0], &[0]),
];

const SHAPES: [&[usize]; 7] = [&[], &[1], &[7], &[0], &[3, 0, 2], &[4, 33], &[2, 3, 1, 5]];

type Binary = (
    &'static str,
    fn(&Var, &Var) -> Result<Var>,
    fn(&mut naive::Tape, naive::Value, naive::Value) -> naive::Value,
);

const ARITHMETIC: [Binary; 4] = [
    ("add", Var::add, naive::Tape::add),
    ("sub", Var::sub, naive::Tape::sub),
    ("mul", Var::mul, naive::Tape::mul),
    ("div", Var::div, naive::Tape::div),
];

fn check_pair((op, f, g): Binary, what: &str, x: &Tensor, y: &Tensor) {
    let pair = [x.clone(), y.clone()];
    let what = format!("{op} {what} {:?} {:?}", x.shape(), y.shape());
    check(&what, &pair, |v| f(&v[0], &v[1]), |t, v| g(t, v[0], v[1]));
}

fn check_twice((op, f, g): Binary, x: &Tensor) {
    let what = format!("{op} of x {:?} and x", x.shape());
    let x = [x.clone()];
    check(&what, &x, |v| f(&v[0], &v[0]), |t, v| g(t, v[0], v[0]));
}

#[test]
fn arithmetic() {
    on_every_isa("gradients of arithmetic", |isa| {
        for (a, b) in PAIRS {
            for operation in ARITHMETIC {
                check_pair(operation, isa.level().name(), &noise(a, 1), &positive(b, 2));
            }
        }
    });
}

#[test]
fn one_variable_in_both_places() {
    for operation in ARITHMETIC {
        SHAPES
            .iter()
            .for_each(|shape| check_twice(operation, &positive(shape, 1)));
    }
    let square = noise(&[5, 5], 1);
    check_twice(("matmul", Var::matmul, naive::Tape::matmul), &square);
    let thrice: Binary = (
        "fused layer",
        |x, w| x.linear_residual(w, None, &Fused::default(), x),
        |t, x, w| {
            let y = t.linear(x, w, None);
            t.add(y, x)
        },
    );
    check_twice(thrice, &square);
}

type Unary = (
    &'static str,
    fn(&Var) -> Result<Var>,
    fn(&mut naive::Tape, naive::Value) -> naive::Value,
);

const FUNCTIONS: [Unary; 4] = [
    ("scale", |x| x.scale(-1.75), |t, x| t.scale(x, -1.75)),
    ("exp", Var::exp, naive::Tape::exp),
    ("ln", Var::ln, naive::Tape::ln),
    ("sum", Var::sum, |t, x| t.sum(x, None)),
];

#[test]
fn one_number_at_a_time() {
    on_every_isa("gradients of elementwise functions", |isa| {
        for shape in SHAPES {
            for (op, f, g) in FUNCTIONS {
                let (what, x) = (format!("{isa} {op} {shape:?}"), [positive(shape, 4)]);
                check(&what, &x, |v| f(&v[0]), |t, v| g(t, v[0]));
            }
            for a in Activation::ALL {
                let (what, x) = (format!("{isa} {a} {shape:?}"), [noise(shape, 3)]);
                check(&what, &x, |v| v[0].activate(a), |t, v| t.activate(v[0], a));
            }
        }
    });
}

#[test]
fn relu_at_its_corner_and_at_nan() {
    let x = Tensor::from_slice(&support::SPECIAL, &[12]).unwrap();
    let found = run(&Tape::new(), &[x], |_| true, |v| v[0].relu()).unwrap();
    let slopes = found.gradients[0]
        .as_ref()
        .unwrap()
        .as_slice()
        .iter()
        .map(|&g| g != 0.0);
    let open = support::SPECIAL.map(|x| x > 0.0 || x.is_nan());
    assert_eq!(slopes.collect::<Vec<_>>(), open);
}

#[test]
fn shapes() {
    let dims: [&[usize]; 4] = [&[2, 3, 4], &[1, 5, 1], &[0, 3, 2], &[6, 1, 17]];
    on_every_isa("gradients of other shapes", |isa| {
        for shape in dims {
            let x = [noise(shape, 5)];
            let what = |op: &str| format!("{isa} {op} {shape:?}");
            let joined = [shape[0], shape[1] * shape[2]];
            let turned = [shape[2], 1, shape[0] * shape[1]];
            check(
                &what("flatten"),
                &x,
                |v| v[0].flatten(),
                |t, v| t.reshape(v[0], &joined),
            );
            check(
                &what("reshape"),
                &x,
                |v| v[0].reshape(&turned),
                |t, v| t.reshape(v[0], &turned),
            );
            for (a, b) in [(0, 1), (0, 2), (2, 1), (1, 1)] {
                let what = what(&format!("transpose {a} {b}"));
                check(
                    &what,
                    &x,
                    |v| v[0].transpose(a, b),
                    |t, v| t.transpose(v[0], a, b),
                );
            }
        }
    });
    let scalar = [noise(&[], 5)];
    check(
        "reshape of ()",
        &scalar,
        |v| v[0].reshape(&[1, 1]),
        |t, v| t.reshape(v[0], &[1, 1]),
    );
}

/// Sums over several axes, the last first.
fn naive_sum(tape: &mut naive::Tape, x: naive::Value, axes: &[usize]) -> naive::Value {
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    axes.iter()
        .rev()
        .fold(x, |x, &axis| tape.sum(x, Some(axis)))
}

#[test]
fn sums_and_means() {
    let cases: [(&[usize], &[usize]); 12] = [
        (&[2, 3, 4], &[0]),
        (&[2, 3, 4], &[1]),
        (&[2, 3, 4], &[2]),
        (&[2, 3, 4], &[2, 0]),
        (&[2, 3, 4], &[0, 1, 2]),
        (&[2, 3, 4], &[]),
        (&[5, 1, 33], &[1]),
        (&[], &[]),
        (&[3, 0], &[0]),
        (&[0, 3], &[1]),
        (&[7], &[0]),
        (&[1, 1], &[0, 1]),
    ];
    on_every_isa("gradients of sums", |isa| {
        for (shape, axes) in cases {
            let x = [noise(shape, 6)];
            let what = |op| format!("{isa} {op} {shape:?} over {axes:?}");
            check(
                &what("sum"),
                &x,
                |v| v[0].sum_axes(axes),
                |t, v| naive_sum(t, v[0], axes),
            );
            let count: usize = axes.iter().map(|&axis| shape[axis]).product();
            check(
                &what("mean"),
                &x,
                |v| v[0].mean_axes(axes),
                |t, v| {
                    let sum = naive_sum(t, v[0], axes);
                    t.scale(sum, 1.0 / count as f64)
                },
            );
        }
        for shape in SHAPES.into_iter().filter(|shape| !shape.contains(&0)) {
            let (what, x) = (format!("{isa} mean {shape:?}"), [noise(shape, 6)]);
            check(&what, &x, |v| v[0].mean(), |t, v| t.mean(v[0], None));
        }
        // The sum of nothing is 0, the mean of nothing is none.
        let empty = [noise(&[0, 3], 6)];
        check(
            &format!("{isa} empty"),
            &empty,
            |v| v[0].sum_axes(&[0]),
            |t, v| t.sum(v[0], Some(0)),
        );
        let tape = Tape::new();
        assert!(matches!(
            tape.variable(empty[0].clone()).mean(),
            Err(Error::Empty(_))
        ));
    });
}

/// A product over the last two axes, as a broadcast product of elements and a sum.
fn naive_matmul(tape: &mut naive::Tape, a: naive::Value, b: naive::Value) -> naive::Value {
    let (mut left, mut right) = (tape.value(a).shape.clone(), tape.value(b).shape.clone());
    left.push(1);
    right.insert(right.len() - 2, 1);
    let (a, b) = (tape.reshape(a, &left), tape.reshape(b, &right));
    let products = tape.mul(a, b);
    let depth = tape.value(products).shape.len() - 2;
    tape.sum(products, Some(depth))
}

#[test]
fn matrix_products() {
    let cases: [(&[usize], &[usize]); 12] = [
        (&[3, 4], &[4, 2]),
        (&[1, 1], &[1, 1]),
        (&[17, 5], &[5, 33]),
        (&[2, 3, 4], &[2, 4, 5]),
        (&[2, 3, 4], &[4, 5]),
        (&[3, 4], &[2, 4, 5]),
        (&[2, 1, 3, 4], &[5, 4, 2]),
        (&[1, 3, 4], &[2, 4, 1]),
        (&[0, 4], &[4, 2]),
        (&[3, 0], &[0, 2]),
        (&[0, 3, 4], &[1, 4, 2]),
        (&[2, 3, 0], &[0, 5]),
    ];
    on_every_isa("gradients of matrix products", |isa| {
        for (a, b) in cases {
            let inputs = [noise(a, 7), noise(b, 8)];
            let what = format!("{isa} matmul {a:?} {b:?}");
            check(
                &what,
                &inputs,
                |v| v[0].matmul(&v[1]),
                |t, v| naive_matmul(t, v[0], v[1]),
            );
        }
    });
}

/// `f` along another axis than the last.
fn along(
    tape: &mut naive::Tape,
    x: naive::Value,
    axis: usize,
    f: fn(&mut naive::Tape, naive::Value) -> naive::Value,
) -> naive::Value {
    let last = tape.value(x).shape.len() - 1;
    let turned = tape.transpose(x, axis, last);
    let y = f(tape, turned);
    tape.transpose(y, axis, last)
}

#[test]
fn softmax_and_its_logarithm() {
    let shapes: [&[usize]; 6] = [&[5], &[2, 3], &[4, 1, 17], &[0, 3], &[3, 0], &[2, 3, 2, 2]];
    on_every_isa("gradients of softmax", |isa| {
        for shape in shapes {
            for axis in 0..shape.len() {
                let x = [noise(shape, 9)];
                let what = |op| format!("{isa} {op} {shape:?} along {axis}");
                check(
                    &what("softmax"),
                    &x,
                    |v| v[0].softmax(axis),
                    |t, v| along(t, v[0], axis, naive::Tape::softmax),
                );
                check(
                    &what("log softmax"),
                    &x,
                    |v| v[0].log_softmax(axis),
                    |t, v| along(t, v[0], axis, naive::Tape::log_softmax),
                );
            }
        }
    });
}

fn dropouts() -> [Dropout; 6] {
    let dropout = |p| Dropout::new(Key::new(11), p).unwrap();
    [
        dropout(0.0),
        dropout(0.3),
        dropout(0.5).with_offset(1000),
        dropout(0.9),
        dropout(0.4).with_form(Form::Original),
        dropout(1.0),
    ]
}

fn naive_dropout(tape: &mut naive::Tape, x: naive::Value, dropout: &Dropout) -> naive::Value {
    let kept = Mask::draw(dropout, tape.value(x).data.len())
        .unwrap()
        .to_bools();
    tape.mask(x, &kept, f64::from(dropout.scale()))
}

#[test]
fn dropout() {
    on_every_isa("gradients of dropout", |isa| {
        for shape in SHAPES.into_iter().chain([&[1000][..]]) {
            for d in dropouts() {
                let (what, x) = (format!("{isa} {shape:?} {d:?}"), [noise(shape, 10)]);
                check(
                    &what,
                    &x,
                    |v| v[0].dropout(&d),
                    |t, v| naive_dropout(t, v[0], &d),
                );
                let scale = f64::from(d.inference_scale());
                check(
                    &what,
                    &x,
                    |v| v[0].dropout_inference(&d),
                    |t, v| t.scale(v[0], scale),
                );
            }
        }
    });
}

/// A fused layer: its shapes and what is fused.
#[derive(Clone, Copy, Debug)]
struct Layer<'a> {
    x: &'a [usize],
    units: usize,
    fused: Fused,
    bias: bool,
    residual: bool,
}

impl Layer<'_> {
    fn inputs(&self) -> Vec<Tensor> {
        let (&inputs, leading) = self.x.split_last().unwrap();
        let mut all = vec![noise(self.x, 1), noise(&[self.units, inputs], 2)];
        all.extend(self.bias.then(|| noise(&[self.units], 3)));
        all.extend(
            self.residual
                .then(|| noise(&[leading, &[self.units]].concat(), 4)),
        );
        all
    }

    fn forward(&self, v: &[Var]) -> Result<Var> {
        let bias = self.bias.then(|| &v[2]);
        match self.residual {
            true => v[0].linear_residual(&v[1], bias, &self.fused, &v[v.len() - 1]),
            false => v[0].linear(&v[1], bias, &self.fused),
        }
    }

    fn naive(&self, tape: &mut naive::Tape, v: &[naive::Value]) -> naive::Value {
        let (&inputs, leading) = self.x.split_last().unwrap();
        let rows = tape.reshape(v[0], &[leading.iter().product(), inputs]);
        let y = tape.linear(rows, v[1], self.bias.then(|| v[2]));
        let mut y = tape.activate(y, self.fused.activation);
        if let Some(dropout) = &self.fused.dropout {
            y = naive_dropout(tape, y, dropout);
        }
        let y = tape.reshape(y, &[leading, &[self.units]].concat());
        match self.residual {
            true => tape.add(y, v[v.len() - 1]),
            false => y,
        }
    }
}

#[test]
fn fused_layers() {
    let shapes: [(&[usize], usize); 8] = [
        (&[5, 3], 4),
        (&[3], 2),
        (&[2, 3, 7], 33),
        (&[2, 1, 2, 5], 1),
        (&[17, 20], 16),
        (&[0, 3], 4),
        (&[3, 0], 2),
        (&[3, 2], 0),
    ];
    let dropouts = [
        None,
        Some(dropouts()[1]),
        Some(dropouts()[4]),
        Some(dropouts()[5]),
    ];
    on_every_isa("gradients of fused layers", |isa| {
        for (x, units) in shapes {
            for (activation, dropout) in Activation::ALL
                .into_iter()
                .flat_map(|a| dropouts.map(|d| (a, d)))
            {
                for (bias, residual) in [(false, false), (true, false), (false, true), (true, true)]
                {
                    let fused = Fused {
                        activation,
                        dropout,
                    };
                    let layer = Layer {
                        x,
                        units,
                        fused,
                        bias,
                        residual,
                    };
                    let what = format!("{isa} {layer:?}");
                    check(
                        &what,
                        &layer.inputs(),
                        |v| layer.forward(v),
                        |t, v| layer.naive(t, v),
                    );
                }
            }
        }
    });
}

/// Two fused layers, a smooth one and one of bits, with everything that has a state to keep.
fn block(x: &Var, v: &[Var], seed: u64) -> Result<Var> {
    let dropout = |n| Dropout::new(Key::new(seed).fold_in(n), 0.4).map(Some);
    let smooth = Fused {
        activation: Activation::Tanh,
        dropout: dropout(1)?,
    };
    let bits = Fused {
        activation: Activation::Relu,
        dropout: dropout(2)?,
    };
    let h = x
        .linear(&v[0], Some(&v[1]), &smooth)?
        .linear(&v[0], None, &bits)?;
    h.relu()?
        .dropout(&Dropout::new(Key::new(seed), 0.2)?)?
        .add(x)
}

#[test]
fn checkpointed_segments_have_the_same_bits() {
    use elision::autograd::Parameter;
    let parameters = [noise(&[9, 9], 1), noise(&[9], 2)].map(Parameter::new);
    // The parameters are read on the tape of the variable: the segment's.
    let segment = {
        let parameters = parameters.clone();
        move |x: &Var| {
            let v = [
                x.tape().parameter(&parameters[0])?,
                x.tape().parameter(&parameters[1])?,
            ];
            block(x, &v, 5)
        }
    };
    let nested = {
        let segment = segment.clone();
        move |x: &Var| segment(&x.checkpoint(segment.clone())?.scale(0.5)?)
    };
    let unnested = {
        let segment = segment.clone();
        move |x: &Var| segment(&segment(x)?.scale(0.5)?)
    };
    on_every_isa("checkpointed segments", |isa| {
        for (recomputing, trained) in [(false, true), (true, true), (false, false), (true, false)] {
            let bits = |f: &dyn Fn(&Var) -> Result<Var>| {
                let tape = Tape::new();
                tape.set_recomputing(recomputing);
                let mut all = Vec::new();
                for _ in 0..2 {
                    let x = noise(&[4, 9], 3);
                    let x = if trained {
                        tape.variable(x)
                    } else {
                        tape.constant(x)
                    };
                    let y = f(&x).unwrap();
                    let gradients = y.backward_from(noise(&[4, 9], 4)).unwrap();
                    let leaves = parameters.iter().map(|p| gradients.get(p));
                    let leaves = leaves.map(|g| g.expect("a gradient").to_tensor().unwrap());
                    let x = gradients.of(&x).map(|g| g.to_tensor().unwrap());
                    assert_eq!(x.is_some(), trained);
                    let tensors = leaves.chain(x).chain([y.to_tensor().unwrap()]);
                    all.extend(tensors.map(|t| support::bits(t.as_slice())));
                }
                all
            };
            let what = format!("{isa}, recomputing {recomputing}, input trained {trained}");
            let checkpointed = segment.clone();
            let found = bits(&move |x: &Var| x.checkpoint(checkpointed.clone()));
            assert_eq!(found, bits(&segment), "{what}");
            let checkpointed = nested.clone();
            let found = bits(&move |x: &Var| x.checkpoint(checkpointed.clone()));
            let plain = bits(&unnested);
            let close = |a: &[u32], b: &[u32]| {
                a.iter()
                    .zip(b)
                    .all(|(&a, &b)| (f32::from_bits(a) - f32::from_bits(b)).abs() <= 1e-5)
            };
            assert!(
                found.iter().zip(&plain).all(|(a, b)| close(a, b)),
                "{what}, nested"
            );
        }
    });
}
