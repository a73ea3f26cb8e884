//! The reference tape's gradients against central differences of its own values.

use std::slice::from_ref;

use elision::Activation;
use elision::reference::tape::{Array, Conv2d, Pool2d, Tape, Value};

const STEP: f64 = 1e-6;
const TOLERANCE: f64 = 1e-6;

/// Distinct numbers from -2 to 2 without a pattern, the same in every run.
fn numbers(shape: &[usize], seed: u64) -> Array {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1;
    let mut next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 51) as f64 - 2.0
    };
    let n = shape.iter().product::<usize>();
    Array::new((0..n + 8).map(&mut next).skip(8).collect(), shape)
}

fn positive(shape: &[usize], seed: u64) -> Array {
    numbers(shape, seed).map(|x| x.abs() + 0.5)
}

/// A weighted sum of what `f` makes of the inputs, and the gradients of it.
fn loss(inputs: &[Array], f: &impl Fn(&mut Tape, &[Value]) -> Value) -> (f64, Vec<Option<Array>>) {
    let mut tape = Tape::default();
    let leaves: Vec<Value> = inputs.iter().map(|x| tape.leaf(x.clone())).collect();
    let y = f(&mut tape, &leaves);
    let weights = numbers(&tape.value(y).shape.clone(), 99);
    let weights = tape.leaf(weights);
    let products = tape.mul(y, weights);
    let sum = tape.sum(products, None);
    let mut grads = tape.backward(sum);
    let of_inputs = leaves.iter().map(|leaf| grads[leaf.index()].take());
    (tape.value(sum).data[0], of_inputs.collect())
}

/// The first derivative by which gradient and central difference disagree.
fn fault(inputs: &[Array], f: impl Fn(&mut Tape, &[Value]) -> Value) -> Option<String> {
    let (_, grads) = loss(inputs, &f);
    for (input, grad) in grads.iter().enumerate() {
        let grad = grad.as_ref().expect("every input is used");
        assert_eq!(grad.shape, inputs[input].shape);
        for i in 0..grad.data.len() {
            let at = |offset: f64| {
                let mut moved = inputs.to_vec();
                moved[input].data[i] += offset;
                loss(&moved, &f).0
            };
            let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            // The difference has a rounding error that does not shrink with the derivative.
            let bound = TOLERANCE * expected.abs().max(0.1);
            let found = grad.data[i];
            let near = (found - expected).abs() <= bound;
            if !near {
                return Some(format!("{input}[{i}]: {found} instead of {expected}"));
            }
        }
    }
    None
}

fn check(inputs: &[Array], f: impl Fn(&mut Tape, &[Value]) -> Value) {
    assert_eq!(fault(inputs, f), None);
}

#[test]
fn a_wrong_gradient_is_found() {
    let half = |tape: &mut Tape, v: &[Value]| {
        let copy = tape.leaf(tape.value(v[0]).clone());
        tape.mul(v[0], copy)
    };
    assert!(fault(&[numbers(&[3], 1)], half).is_some());
}

#[test]
fn what_the_loss_does_not_depend_on_has_no_gradient() {
    let mut tape = Tape::default();
    let [x, unused] = [1, 2].map(|seed| tape.leaf(numbers(&[2], seed)));
    let loss = tape.mean(x, None);
    let later = tape.neg(x);
    let grads = tape.backward(loss);
    assert_eq!(grads[x.index()], Some(Array::new(vec![0.5; 2], &[2])));
    assert_eq!(
        (&grads[unused.index()], &grads[later.index()]),
        (&None, &None)
    );
}

#[test]
fn elementwise() {
    for (a, b) in [
        (&[2, 3][..], &[2, 3][..]),
        (&[2, 3], &[3]),
        (&[2, 1], &[4, 1, 3]),
        (&[], &[2]),
    ] {
        let inputs = [numbers(a, 1), positive(b, 2)];
        check(&inputs, |tape, v| tape.add(v[0], v[1]));
        check(&inputs, |tape, v| tape.sub(v[0], v[1]));
        check(&inputs, |tape, v| tape.mul(v[0], v[1]));
        check(&inputs, |tape, v| tape.div(v[0], v[1]));
    }
    let (any, above) = ([numbers(&[3, 5], 3)], [positive(&[3, 5], 4)]);
    check(&any, |tape, v| tape.neg(v[0]));
    check(&any, |tape, v| tape.scale(v[0], -1.7));
    check(&any, |tape, v| tape.exp(v[0]));
    check(&above, |tape, v| tape.ln(v[0]));
    check(&above, |tape, v| tape.sqrt(v[0]));
    for a in Activation::ALL {
        check(&any, |tape, v| tape.activate(v[0], a));
    }
    let kept: Vec<bool> = (0..15).map(|i| i % 3 > 0).collect();
    check(&any, |tape, v| tape.mask(v[0], &kept, 1.5));
}

#[test]
fn products_shapes_and_sums() {
    let (a, b) = (numbers(&[3, 4], 1), numbers(&[4, 2], 2));
    check(&[a.clone(), b], |tape, v| tape.matmul(v[0], v[1]));
    let (w, bias) = (numbers(&[2, 4], 3), numbers(&[2], 4));
    check(&[a.clone(), w.clone()], |tape, v| {
        tape.linear(v[0], v[1], None)
    });
    check(&[a.clone(), w, bias], |tape, v| {
        tape.linear(v[0], v[1], Some(v[2]))
    });
    let x = [numbers(&[2, 3, 4], 5)];
    check(&x, |tape, v| tape.transpose(v[0], 0, 2));
    check(&x, |tape, v| tape.reshape(v[0], &[4, 6]));
    for axis in [None, Some(0), Some(1), Some(2)] {
        check(&x, |tape, v| tape.sum(v[0], axis));
        check(&x, |tape, v| tape.mean(v[0], axis));
    }
    check(&[a], |tape, v| tape.embedding(v[0], &[2, 0, 2, 2]));
}

#[test]
fn normalisations() {
    for shape in [&[5][..], &[3, 5], &[2, 2, 2, 5]] {
        let x = numbers(shape, 1);
        let (gamma, beta) = (numbers(&[5], 2), numbers(&[5], 3));
        check(from_ref(&x), |tape, v| tape.softmax(v[0]));
        check(from_ref(&x), |tape, v| tape.log_softmax(v[0]));
        check(&[x.clone(), gamma.clone()], |tape, v| {
            tape.rms_norm(v[0], v[1], 1e-2)
        });
        let all = [x, gamma, beta];
        check(&all, |tape, v| tape.layer_norm(v[0], v[1], v[2], 1e-2));
        check(&all, |tape, v| tape.batch_norm(v[0], v[1], v[2], 1e-2));
    }
}

#[test]
fn convolutions() {
    let plain = Conv2d {
        stride: [1, 1],
        padding: [0, 0],
        dilation: [1, 1],
        groups: 1,
    };
    let (stride, padding) = ([2, 3], [1, 0]);
    let dilation = [2, 1];
    for (conv, outputs) in [
        (plain, 3),
        (Conv2d { stride, ..plain }, 2),
        (Conv2d { padding, ..plain }, 1),
        (Conv2d { dilation, ..plain }, 2),
        (Conv2d { groups: 2, ..plain }, 2),
        (
            Conv2d {
                stride,
                padding,
                dilation,
                groups: 4,
            },
            8,
        ),
    ] {
        let x = numbers(&[2, 5, 6, 4], 1);
        let w = numbers(&[outputs, 2, 3, 4 / conv.groups], 2);
        check(&[x, w], |tape, v| tape.conv2d(v[0], v[1], conv));
    }
}

#[test]
fn pools() {
    for (kernel, stride, padding) in [
        ([2, 2], [2, 2], [0, 0]),
        ([3, 2], [2, 1], [1, 1]),
        ([1, 3], [1, 3], [0, 1]),
    ] {
        let pool = Pool2d {
            kernel,
            stride,
            padding,
        };
        let x = [numbers(&[2, 5, 6, 3], 1)];
        check(&x, |tape, v| tape.max_pool2d(v[0], pool));
        check(&x, |tape, v| tape.avg_pool2d(v[0], pool));
    }
}

#[test]
fn losses() {
    let (x, y, z) = (
        numbers(&[3, 4], 1),
        numbers(&[3, 4], 2),
        numbers(&[3, 4], 3),
    );
    for smoothing in [0.0, 0.3] {
        check(from_ref(&x), |tape, v| {
            tape.cross_entropy(v[0], &[3, 0, 1], smoothing)
        });
    }
    let pair = [x.clone(), y.clone()];
    check(&pair, |tape, v| tape.mse(v[0], v[1]));
    check(&pair, |tape, v| tape.bce_with_logits(v[0], v[1]));
    check(&[x, y, z], |tape, v| tape.gaussian_nll(v[0], v[1], v[2]));
}

#[test]
fn a_value_used_twice_receives_both_gradients() {
    let inputs = [numbers(&[3, 3], 1), positive(&[3], 2)];
    check(&inputs, |tape, v| {
        let product = tape.linear(v[0], v[0], Some(v[1]));
        let y = tape.activate(product, Activation::Tanh);
        let ratio = tape.div(y, v[1]);
        tape.mul(ratio, v[0])
    });
}
