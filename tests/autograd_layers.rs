//! Convolution, pooling, norms, tables, losses and layers of kept units against the naive tape, on every instruction
//! set.

mod support;
#[path = "support/twins.rs"]
mod twins;

use elision::autograd::{Fused, Tape, Var};
use elision::ops::{Conv2d, Window};
use elision::reference::tape as naive;
use elision::{Activation, Dropout, Error, Form, Key, Mask, Result, Tensor, UnitMask};
use support::{noise, on_every_isa};
use twins::{array, check, positive, run};

fn dropout(p: f64) -> Dropout {
    Dropout::new(Key::new(11), p).unwrap()
}

fn naive_dropout(
    tape: &mut naive::Tape,
    x: naive::Value,
    dropout: Option<&Dropout>,
) -> naive::Value {
    let Some(dropout) = dropout else { return x };
    let kept = Mask::draw(dropout, tape.value(x).data.len()).unwrap();
    tape.mask(x, &kept.to_bools(), f64::from(dropout.scale()))
}

/// A convolution: its shapes, how the filters move, and what is fused.
#[derive(Clone, Debug)]
struct Convolution<'a> {
    x: &'a [usize],
    w: &'a [usize],
    conv: Conv2d,
    fused: Fused,
    bias: bool,
}

impl Convolution<'_> {
    fn inputs(&self) -> Vec<Tensor> {
        let bias = self.bias.then(|| noise(&self.w[..1], 3));
        let operands = [noise(self.x, 1), noise(self.w, 2)];
        operands.into_iter().chain(bias).collect()
    }

    fn forward(&self, v: &[Var]) -> Result<Var> {
        v[0].conv2d(&v[1], v.get(2), &self.conv, &self.fused)
    }

    fn naive(&self, tape: &mut naive::Tape, v: &[naive::Value]) -> naive::Value {
        let Conv2d { window, groups } = self.conv;
        let conv = naive::Conv2d {
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
            groups,
        };
        let mut y = tape.conv2d(v[0], v[1], conv);
        if self.bias {
            y = tape.add(y, v[2]);
        }
        let y = tape.activate(y, self.fused.activation);
        naive_dropout(tape, y, self.fused.dropout.as_ref())
    }
}

#[test]
fn convolutions() {
    let padded = |kernel| Window::new(kernel).padding([1, 1]);
    let cases: [(&[usize], &[usize], Conv2d); 9] = [
        (
            &[2, 5, 4, 3],
            &[4, 3, 3, 3],
            Conv2d::new(Window::new([3, 3])),
        ),
        (
            &[2, 5, 4, 2],
            &[3, 3, 3, 2],
            Conv2d::new(padded([3, 3]).stride([2, 1])),
        ),
        (
            &[1, 6, 5, 1],
            &[2, 3, 2, 1],
            Conv2d::new(padded([3, 2]).dilation([2, 1])),
        ),
        (
            &[2, 3, 3, 4],
            &[6, 2, 2, 2],
            Conv2d::new(Window::new([2, 2])).groups(2),
        ),
        (
            &[2, 3, 4, 5],
            &[5, 3, 3, 1],
            Conv2d::new(padded([3, 3])).groups(5),
        ),
        (
            &[2, 2, 3, 5],
            &[7, 1, 1, 5],
            Conv2d::new(Window::new([1, 1])),
        ),
        (
            &[2, 2, 3, 4],
            &[2, 1, 1, 2],
            Conv2d::new(Window::new([1, 1])).groups(2),
        ),
        (
            &[1, 3, 3, 2],
            &[17, 2, 2, 2],
            Conv2d::new(Window::new([2, 2])),
        ),
        (
            &[0, 3, 3, 2],
            &[3, 2, 2, 2],
            Conv2d::new(Window::new([2, 2])),
        ),
    ];
    let original = dropout(0.4).with_form(Form::Original).with_offset(1000);
    let ends = [
        (false, None),
        (true, None),
        (true, Some(dropout(0.3))),
        (false, Some(original)),
        (true, Some(dropout(1.0))),
    ];
    on_every_isa("gradients of convolutions", |isa| {
        for (x, w, conv) in cases {
            for activation in Activation::ALL {
                for (bias, dropout) in ends {
                    let fused = Fused {
                        activation,
                        dropout,
                    };
                    let it = Convolution {
                        x,
                        w,
                        conv,
                        fused,
                        bias,
                    };
                    let what = format!("{isa} {it:?}");
                    check(
                        &what,
                        &it.inputs(),
                        |v| it.forward(v),
                        |t, v| it.naive(t, v),
                    );
                }
            }
        }
    });
}

#[test]
fn pools() {
    let cases: [(&[usize], Window); 5] = [
        (&[2, 6, 5, 3], Window::new([2, 2]).stride([2, 2])),
        (
            &[1, 5, 7, 17],
            Window::new([3, 3]).stride([2, 2]).padding([1, 1]),
        ),
        (&[2, 4, 3, 1], Window::new([3, 2])),
        (&[1, 2, 2, 5], Window::new([1, 1])),
        (&[0, 4, 4, 2], Window::new([2, 2])),
    ];
    on_every_isa("gradients of pools", |isa| {
        for (shape, window) in cases {
            let pool = naive::Pool2d {
                kernel: window.kernel,
                stride: window.stride,
                padding: window.padding,
            };
            let (what, x) = (format!("{isa} {shape:?} {window:?}"), [noise(shape, 1)]);
            check(
                &what,
                &x,
                |v| v[0].max_pool2d(&window),
                |t, v| t.max_pool2d(v[0], pool),
            );
            check(
                &what,
                &x,
                |v| v[0].avg_pool2d(&window),
                |t, v| t.avg_pool2d(v[0], pool),
            );
        }
    });
}

/// Added to variances, here and in f64.
const EPS: f32 = 1e-3;

#[test]
fn norms() {
    let shapes: [&[usize]; 6] = [&[4, 9], &[9], &[2, 3, 17], &[2, 3, 2, 5], &[0, 6], &[33, 5]];
    let eps = f64::from(EPS);
    on_every_isa("gradients of norms", |isa| {
        for shape in shapes {
            let features = &shape[shape.len() - 1..];
            let inputs = [noise(shape, 1), noise(features, 2), noise(features, 3)];
            let what = |op: &str| format!("{isa} {op} {shape:?}");
            check(
                &what("layer norm"),
                &inputs,
                |v| v[0].layer_norm(&v[1], &v[2], EPS),
                |t, v| t.layer_norm(v[0], v[1], v[2], eps),
            );
            check(
                &what("root mean square norm"),
                &inputs[..2],
                |v| v[0].rms_norm(&v[1], EPS),
                |t, v| t.rms_norm(v[0], v[1], eps),
            );
            let rows: usize = shape[..shape.len() - 1].iter().product();
            if shape.len() > 1 && rows > 1 {
                check(
                    &what("batch norm"),
                    &inputs,
                    |v| Ok(v[0].batch_norm(&v[1], &v[2], EPS)?.0),
                    |t, v| t.batch_norm(v[0], v[1], v[2], eps),
                );
            }
            given_statistics(&what("given statistics"), &inputs);
        }
    });
}

fn given_statistics(what: &str, inputs: &[Tensor]) {
    if inputs[0].rank() < 2 {
        return;
    }
    let [mean, variance] = [noise(inputs[1].shape(), 4), positive(inputs[1].shape(), 5)];
    check(
        what,
        inputs,
        |v| {
            let [mean, variance] = [&mean, &variance].map(|x| v[0].tape().constant(x.clone()));
            v[0].batch_norm_given([&mean, &variance], &v[1], &v[2], EPS)
        },
        |t, v| {
            let mean = t.leaf(array(&mean));
            let root = array(&variance).map(|x| (x + f64::from(EPS)).sqrt());
            let root = t.leaf(root);
            let y = t.sub(v[0], mean);
            let y = t.div(y, root);
            let y = t.mul(y, v[1]);
            t.add(y, v[2])
        },
    );
}

#[test]
fn tables() {
    let cases: [(&[usize], &[u32]); 5] = [
        (&[6, 4], &[3, 0, 3, 5, 3]),
        (&[1, 17], &[0]),
        (&[5, 33], &[4, 4, 4, 4]),
        (&[3, 2], &[]),
        (&[3, 0], &[1, 2]),
    ];
    on_every_isa("gradients of tables", |isa| {
        for (shape, words) in cases {
            let (what, table) = (format!("{isa} {shape:?} {words:?}"), [noise(shape, 1)]);
            check(
                &what,
                &table,
                |v| v[0].embedding(words),
                |t, v| t.embedding(v[0], words),
            );
        }
    });
}

/// The tests send back a gradient that is not 1, by which those of the loss are multiplied.
#[test]
fn losses() {
    let shapes: [&[usize]; 5] = [&[4, 5], &[1, 1], &[7], &[2, 3, 17], &[]];
    on_every_isa("gradients of losses", |isa| {
        for smoothing in [0.0, 0.1, 0.9] {
            for (rows, classes) in [(6, 5), (1, 1), (3, 33)] {
                let labels: Vec<u32> = (0..rows).map(|i| (3 * i + 1) % classes).collect();
                let x = [noise(&[rows as usize, classes as usize], 1)];
                check(
                    &format!("{isa} cross-entropy {smoothing} {rows} {classes}"),
                    &x,
                    |v| v[0].cross_entropy(&labels, smoothing),
                    |t, v| t.cross_entropy(v[0], &labels, smoothing),
                );
            }
        }
        for shape in shapes {
            let [x, y] = [noise(shape, 1), noise(shape, 2)];
            let what = |op: &str| format!("{isa} {op} {shape:?}");
            let pair = [x.clone(), y.clone()];
            check(
                &what("mean squared error"),
                &pair,
                |v| v[0].mean_squared_error(&v[1]),
                |t, v| t.mse(v[0], v[1]),
            );
            let target = positive(shape, 3);
            check(
                &what("normal density"),
                &pair,
                |v| v[0].gaussian_nll(&v[1], &v[0].tape().constant(target.clone())),
                |t, v| {
                    let target = t.leaf(array(&target));
                    t.gaussian_nll(v[0], v[1], target)
                },
            );
            let share = target.as_slice().iter().map(|x| x - 0.5).collect();
            let share = Tensor::from_vec(share, shape).unwrap();
            check(
                &what("binary cross-entropy"),
                &[x],
                |v| v[0].binary_cross_entropy_with_logits(&v[0].tape().constant(share.clone())),
                |t, v| {
                    let share = t.leaf(array(&share));
                    t.bce_with_logits(v[0], share)
                },
            );
        }
    });
}

fn units(n: usize, p: f64, seed: u64) -> UnitMask {
    UnitMask::draw(&Dropout::new(Key::new(seed), p).unwrap(), n).unwrap()
}

/// A dense layer whose columns are masked.
fn naive_units(
    tape: &mut naive::Tape,
    [x, w, bias]: [naive::Value; 3],
    activation: Activation,
    units: Option<&UnitMask>,
) -> naive::Value {
    let y = tape.linear(x, w, Some(bias));
    let y = tape.activate(y, activation);
    let Some(units) = units else { return y };
    let rows = tape.value(y).shape[0];
    let kept = units.mask().to_bools().repeat(rows);
    tape.mask(y, &kept, f64::from(units.scale()))
}

/// Shapes of three layers: rows, inputs, units, units, units.
type Chain = [usize; 5];

fn chain_inputs([rows, a, b, c, d]: Chain) -> Vec<Tensor> {
    let shapes: [&[usize]; 7] = [&[rows, a], &[b, a], &[b], &[c, b], &[c], &[d, c], &[d]];
    (1..)
        .zip(shapes)
        .map(|(seed, shape)| noise(shape, seed))
        .collect()
}

/// Layers whose masks are of outputs alone, of both sides, and of inputs alone: what each drops the next does not read.
#[test]
fn layers_of_kept_units() {
    let chains: [Chain; 4] = [
        [5, 3, 8, 7, 4],
        [1, 1, 1, 1, 1],
        [3, 20, 33, 17, 2],
        [0, 3, 4, 5, 2],
    ];
    on_every_isa("gradients of layers of kept units", |isa| {
        for chain in chains {
            for activation in Activation::ALL {
                for p in [0.0, 0.5, 0.9, 1.0] {
                    let masks = [units(chain[2], p, 1), units(chain[3], p, 2)];
                    let what = format!("{isa} {chain:?} {activation} {p}");
                    let mask = |i: usize| masks.get(i).cloned();
                    check(
                        &what,
                        &chain_inputs(chain),
                        |v| {
                            let mut x = v[0].clone();
                            for (i, own) in v[1..].chunks(2).enumerate() {
                                x = x.linear_units(&own[0], Some(&own[1]), activation, mask(i))?;
                            }
                            Ok(x)
                        },
                        |t, v| {
                            let mut x = v[0];
                            for (i, own) in v[1..].chunks(2).enumerate() {
                                let operands = [x, own[0], own[1]];
                                x = naive_units(t, operands, activation, masks.get(i));
                            }
                            x
                        },
                    );
                }
            }
        }
    });
}

/// Samples of more axes than one, and a variable whose columns are masked that something else reads too.
#[test]
fn kept_units_of_samples_with_axes() {
    let mask = units(6, 0.5, 3);
    let inputs = [noise(&[2, 3, 6], 1), noise(&[6, 6], 2), noise(&[6], 3)];
    on_every_isa("kept units of samples with axes", |isa| {
        check(
            &format!("{isa}"),
            &inputs,
            |v| {
                let layer =
                    |x: &Var, mask| x.linear_units(&v[1], Some(&v[2]), Activation::Tanh, mask);
                let h = layer(&v[0], Some(mask.clone()))?;
                assert_eq!(h.units(), Some(&mask));
                layer(&h, None)?.add(&h)?.mul(&h)
            },
            |t, v| {
                let x = t.reshape(v[0], &[6, 6]);
                let h = naive_units(t, [x, v[1], v[2]], Activation::Tanh, Some(&mask));
                let y = naive_units(t, [h, v[1], v[2]], Activation::Tanh, None);
                let y = t.add(y, h);
                let y = t.mul(y, h);
                t.reshape(y, &[2, 3, 6])
            },
        );
    });
}

/// Rows of weights of dropped units, columns of weights that read them, and the gradients that come back to them.
#[test]
fn what_is_dropped_has_no_gradient() {
    let [first, second] = [units(40, 0.5, 1), units(30, 0.5, 2)];
    let inputs = chain_inputs([5, 7, 40, 30, 4]);
    let found = run(
        &Tape::new(),
        &inputs,
        |_| true,
        |v| {
            let relu = Activation::Relu;
            let h = v[0].linear_units(&v[1], Some(&v[2]), relu, Some(first.clone()))?;
            let h = h.linear_units(&v[3], Some(&v[4]), relu, Some(second.clone()))?;
            h.linear_units(&v[5], Some(&v[6]), Activation::Identity, None)
        },
    )
    .unwrap();
    let zero = |input: usize, at: usize| {
        let gradient = found.gradients[input].as_ref().unwrap();
        gradient.as_slice()[at].to_bits() == 0
    };
    let [first, second] = [first, second].map(|units| units.mask().to_bools());
    for (unit, &kept) in first.iter().enumerate().filter(|(_, kept)| !**kept) {
        assert!(
            !kept && zero(2, unit) && (0..7).all(|i| zero(1, 7 * unit + i)),
            "{unit}"
        );
        assert!((0..30).all(|row| zero(3, 40 * row + unit)), "{unit}");
    }
    for (unit, _) in second.iter().enumerate().filter(|(_, kept)| !**kept) {
        assert!(
            zero(4, unit) && (0..40).all(|i| zero(3, 40 * unit + i)),
            "{unit}"
        );
        assert!((0..4).all(|row| zero(5, 30 * row + unit)), "{unit}");
    }
    let some = found.gradients.iter().flatten();
    assert!(
        some.into_iter()
            .all(|g| g.as_slice().iter().any(|&g| g != 0.0))
    );
}

#[test]
fn what_does_not_fit_is_refused_and_not_noted() {
    let tape = Tape::new();
    let leaf = |shape: &[usize]| tape.variable(noise(shape, 1));
    let (image, filters, row) = (leaf(&[2, 4, 4, 3]), leaf(&[5, 3, 3, 3]), leaf(&[3]));
    let (x, w, scalar) = (leaf(&[4, 3]), leaf(&[2, 3]), leaf(&[]));
    let leaves = tape.notes().len();
    let conv = Conv2d::new(Window::new([3, 3]));
    let plain = Fused::default();
    let wide = Window::new([5, 5]);
    let attempts: Vec<(&str, Result<Var>)> = vec![
        ("conv2d", x.conv2d(&filters, None, &conv, &plain)),
        ("filters", image.conv2d(&scalar, None, &conv, &plain)),
        (
            "channels",
            image.conv2d(&filters, None, &conv.groups(2), &plain),
        ),
        (
            "kernel",
            image.conv2d(&filters, None, &Conv2d::new(wide), &plain),
        ),
        (
            "bias of conv2d",
            image.conv2d(&filters, Some(&row), &conv, &plain),
        ),
        ("max pool", image.max_pool2d(&wide)),
        ("average pool", x.avg_pool2d(&wide)),
        ("layer norm", scalar.layer_norm(&row, &row, EPS)),
        ("weight of a norm", x.rms_norm(&w, EPS)),
        ("epsilon", x.layer_norm(&row, &row, 0.0)),
        (
            "one row",
            leaf_row(&x).and_then(|x| Ok(x.batch_norm(&row, &row, EPS)?.0)),
        ),
        (
            "statistics",
            x.batch_norm_given([&w.detach(), &row.detach()], &row, &row, EPS),
        ),
        (
            "trained statistics",
            x.batch_norm_given([&row, &row.detach()], &row, &row, EPS),
        ),
        ("word", w.embedding(&[0, 2])),
        ("table", image.embedding(&[0])),
        ("label", x.cross_entropy(&[0, 1, 2, 3], 0.0)),
        ("labels", x.cross_entropy(&[0], 0.0)),
        ("smoothing", x.cross_entropy(&[0; 4], 1.0)),
        ("squares", x.mean_squared_error(&w)),
        ("trained target", x.gaussian_nll(&x, &x)),
        ("trained share", x.binary_cross_entropy_with_logits(&x)),
        (
            "share",
            x.binary_cross_entropy_with_logits(&x.scale(9.0).unwrap().detach()),
        ),
        (
            "units",
            x.linear_units(&w, None, Activation::Relu, Some(units(3, 0.5, 1))),
        ),
        (
            "weights of units",
            x.linear_units(&row, None, Activation::Relu, None),
        ),
        (
            "inputs of units",
            leaf(&[4, 2]).linear_units(&w, None, Activation::Relu, None),
        ),
        (
            "input of units",
            scalar.linear_units(&w, None, Activation::Relu, None),
        ),
    ];
    for (what, attempt) in attempts {
        let error = attempt.map(|_| ()).expect_err(what);
        assert!(!matches!(error, Error::Freed), "{what}: {error}");
    }
    // Besides two leaves, a row and a scaled copy.
    assert_eq!(tape.notes().len(), leaves + 3);
}

/// The first row.
fn leaf_row(x: &Var) -> Result<Var> {
    x.slice(0, 0..1)
}
