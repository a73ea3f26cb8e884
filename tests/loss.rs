//! Losses: near naive f64 code, gradients that are slopes, the same bits everywhere.

mod support;

use elision::reference::softmax::log_softmax;
use elision::{Error, Result, Tensor, View, ViewMut, ops};
use support::{bits, on_every_isa, on_threads};

const LENGTHS: [usize; 12] = [1, 2, 15, 16, 17, 33, 255, 4095, 4096, 4097, 12_289, 100_003];

/// Numbers from -spread to spread, another sequence for each seed.
fn numbers(n: usize, spread: f32, seed: usize) -> Vec<f32> {
    (0..n)
        .map(|i| (((i * 7919 + seed * 5003) % 16_001) as f32 / 8000.5 - 1.0) * spread)
        .collect()
}

/// A loss of one element, with as many operands as it takes, in f64.
type Naive = fn(&[f64]) -> f64;
/// The operation on operands of one shape; the gradients are of the first one or two operands.
type Operation = fn(&[View<'_>], Option<Vec<ViewMut<'_>>>) -> Result<f64>;

struct Case {
    name: &'static str,
    naive: Naive,
    operation: Operation,
    /// The spread of each operand; a target that is a probability has none.
    spreads: &'static [Option<f32>],
    gradients: usize,
}

fn cases() -> [Case; 3] {
    [
        Case {
            name: "mean_squared_error",
            naive: |x| (x[0] - x[1]).powi(2),
            operation: |x, grads| ops::mean_squared_error(x[0], x[1], grads.and_then(one)),
            spreads: &[Some(3.0), Some(2.0)],
            gradients: 1,
        },
        Case {
            name: "binary_cross_entropy_with_logits",
            naive: |x| x[0].max(0.0) - x[0] * x[1] + (-x[0].abs()).exp().ln_1p(),
            operation: |x, grads| {
                ops::binary_cross_entropy_with_logits(x[0], x[1], grads.and_then(one))
            },
            spreads: &[Some(9.0), None],
            gradients: 1,
        },
        Case {
            name: "gaussian_nll",
            naive: |x| 0.5 * (x[1] + (x[2] - x[0]).powi(2) * (-x[1]).exp()),
            operation: |x, grads| {
                let grads = grads.map(|grads| match <[_; 2]>::try_from(grads) {
                    Ok(grads) => grads,
                    Err(grads) => panic!("{} gradients", grads.len()),
                });
                ops::gaussian_nll(x[0], x[1], x[2], grads)
            },
            spreads: &[Some(2.0), Some(3.0), Some(2.0)],
            gradients: 2,
        },
    ]
}

fn one(grads: Vec<ViewMut<'_>>) -> Option<ViewMut<'_>> {
    grads.into_iter().next()
}

impl Case {
    fn operands(&self, n: usize) -> Vec<Vec<f32>> {
        let operand = |(i, spread): (usize, &Option<f32>)| match spread {
            Some(spread) => numbers(n, *spread, i),
            None => numbers(n, 0.6, i)
                .into_iter()
                .map(|x| (0.5 + x).clamp(0.0, 1.0))
                .collect(),
        };
        self.spreads.iter().enumerate().map(operand).collect()
    }

    /// The loss and its gradients for operands of a shape.
    fn run(&self, operands: &[Vec<f32>], shape: &[usize]) -> (f64, Vec<Tensor>) {
        let views: Vec<View<'_>> = operands
            .iter()
            .map(|x| View::contiguous(x, shape).unwrap())
            .collect();
        let mut grads = vec![Tensor::full(shape, 7.0).unwrap(); self.gradients];
        let outs = grads.iter_mut().map(Tensor::view_mut).collect();
        let loss = (self.operation)(&views, Some(outs)).unwrap();
        let alone = (self.operation)(&views, None).unwrap();
        assert_eq!(loss.to_bits(), alone.to_bits(), "{}", self.name);
        (loss, grads)
    }

    fn element(&self, operands: &[Vec<f32>], i: usize) -> Vec<f64> {
        operands.iter().map(|x| f64::from(x[i])).collect()
    }

    /// The slope of the naive loss of element `i` in operand `g`.
    fn slope(&self, operands: &[Vec<f32>], i: usize, g: usize) -> f64 {
        let at = |step: f64| {
            let mut x = self.element(operands, i);
            x[g] += step;
            (self.naive)(&x)
        };
        (at(1e-5) - at(-1e-5)) / 2e-5
    }
}

#[test]
fn means_are_near_the_naive_ones_and_gradients_are_their_slopes() {
    for case in cases() {
        for n in LENGTHS {
            let operands = case.operands(n);
            let (loss, grads) = case.run(&operands, &[n]);
            let sum: f64 = (0..n)
                .map(|i| (case.naive)(&case.element(&operands, i)))
                .sum();
            let exact = sum / n as f64;
            let error = (loss - exact).abs();
            assert!(
                error <= 4e-7 * exact.abs() + 1e-7,
                "{} {n}: {loss} {exact}",
                case.name
            );
            for (g, grad) in grads.iter().enumerate() {
                for i in (0..n).step_by(1 + n / 500) {
                    let slope = case.slope(&operands, i, g) / n as f64;
                    let error = (f64::from(grad.as_slice()[i]) - slope).abs();
                    let bound = 1e-6 * slope.abs() + 1e-6 / n as f64;
                    assert!(error <= bound, "{} {g} at {i} of {n}: {slope}", case.name);
                }
            }
        }
    }
}

#[test]
fn every_instruction_set_and_number_of_threads_gives_the_same_bits() {
    for case in cases() {
        let mut first = None;
        on_every_isa(case.name, |isa| {
            let all = LENGTHS.map(|n| {
                let (loss, grads) = case.run(&case.operands(n), &[n]);
                let grads = grads.iter().map(|grad| bits(grad.as_slice()));
                (loss.to_bits(), grads.collect::<Vec<_>>())
            });
            let first = first.get_or_insert_with(|| all.clone());
            assert!(first == &all, "{} {isa}", case.name);
        });
        let operands = case.operands(300_001);
        let runs = [1, 2, 3, 8].map(|threads| {
            let (loss, grads) = on_threads(threads, || case.run(&operands, &[300_001]));
            (loss.to_bits(), grads)
        });
        assert!(
            runs.windows(2).all(|pair| pair[0] == pair[1]),
            "{}",
            case.name
        );
    }
}

#[test]
fn strides_do_not_matter() {
    let (rows, cols) = (67, 129);
    for case in cases() {
        let operands = case.operands(rows * cols);
        let (loss, grads) = case.run(&operands, &[rows, cols]);
        let turned: Vec<Tensor> = operands
            .iter()
            .map(|x| {
                let view = View::contiguous(x, &[rows, cols]).unwrap();
                view.transpose(0, 1).unwrap().to_tensor().unwrap()
            })
            .collect();
        let views: Vec<View<'_>> = turned
            .iter()
            .map(|x| x.view().transpose(0, 1).unwrap())
            .collect();
        let mut wide = vec![Tensor::full(&[cols, rows], 7.0).unwrap(); case.gradients];
        let outs = wide.iter_mut();
        let outs = outs
            .map(|x| x.view_mut().transpose(0, 1).unwrap())
            .collect();
        let found = (case.operation)(&views, Some(outs)).unwrap();
        assert_eq!(found.to_bits(), loss.to_bits(), "{}", case.name);
        for (wide, grad) in wide.iter().zip(&grads) {
            let wide = wide.view().transpose(0, 1).unwrap().to_tensor().unwrap();
            assert_eq!(&wide, grad, "{}", case.name);
        }
    }
}

#[test]
fn bad_arguments_of_elementwise_losses_change_nothing() {
    for case in cases() {
        let good = Tensor::full(&[2, 3], 0.5).unwrap();
        let other = Tensor::full(&[3, 2], 0.5).unwrap();
        let empty = Tensor::zeros(&[0, 3]).unwrap();
        let count = case.spreads.len();
        for bad in 1..count {
            let mut views = vec![good.view(); count];
            views[bad] = other.view();
            let mut grads = vec![good.clone(); case.gradients];
            let outs = grads.iter_mut().map(Tensor::view_mut).collect();
            let result = (case.operation)(&views, Some(outs));
            assert!(matches!(result, Err(Error::Shape { .. })), "{}", case.name);
            assert!(grads.iter().all(|grad| *grad == good));
        }
        for bad in 0..case.gradients {
            let mut grads = vec![good.clone(); case.gradients];
            grads[bad] = other.clone();
            let before = grads.clone();
            let outs = grads.iter_mut().map(Tensor::view_mut).collect();
            let result = (case.operation)(&vec![good.view(); count], Some(outs));
            assert!(matches!(result, Err(Error::Shape { .. })), "{}", case.name);
            assert_eq!(grads, before);
        }
        let result = (case.operation)(&vec![empty.view(); count], None);
        assert!(matches!(result, Err(Error::Empty(_))), "{}", case.name);
    }
}

#[test]
fn a_nan_makes_the_loss_nan() {
    on_every_isa("a_nan_makes_the_loss_nan", |_| {
        for (case, n) in cases()
            .iter()
            .flat_map(|case| [1, 16, 40].map(|n| (case, n)))
        {
            // A NaN is no probability.
            for bad in (0..case.spreads.len()).filter(|&i| case.spreads[i].is_some()) {
                let mut operands = vec![vec![0.5; n]; case.spreads.len()];
                operands[bad][n - 1] = f32::NAN;
                let (loss, grads) = case.run(&operands, &[n]);
                assert!(loss.is_nan(), "{} {bad} {n}", case.name);
                for grad in &grads {
                    let (last, others) = grad.as_slice().split_last().unwrap();
                    assert!(last.is_nan() && others.iter().all(|g| !g.is_nan()));
                }
            }
        }
    });
}

/// A loss of single elements and its gradients.
fn single(case: usize, x: &[f32]) -> (f64, Vec<f32>) {
    let case = &cases()[case];
    let operands: Vec<Vec<f32>> = x.iter().map(|&x| vec![x]).collect();
    let (loss, grads) = case.run(&operands, &[1]);
    (loss, grads.iter().map(|grad| grad.as_slice()[0]).collect())
}

#[test]
fn extreme_elements() {
    let inf = f32::INFINITY;
    // Squares beyond the range of f32.
    assert_eq!(single(0, &[2e30, 0.0]).0, f64::from(2e30f32).powi(2));
    // The loss of a logit that is right keeps its digits where 1 + e^-x is 1.
    for x in [12.0, 17.5, 30.0, 80.0] {
        let exact = (-f64::from(x)).exp().ln_1p();
        for (loss, _) in [single(1, &[x, 1.0]), single(1, &[-x, 0.0])] {
            assert!((loss / exact - 1.0).abs() < 1e-6, "{x}: {loss} {exact}");
        }
    }
    assert_eq!(single(1, &[f32::MAX, 1.0]), (0.0, vec![0.0]));
    assert_eq!(single(1, &[inf, 1.0]), (0.0, vec![0.0]));
    assert_eq!(single(1, &[-inf, 0.0]), (0.0, vec![0.0]));
    assert_eq!(single(1, &[inf, 0.5]), (f64::INFINITY, vec![0.5]));
    assert_eq!(single(1, &[-inf, 0.5]), (f64::INFINITY, vec![-0.5]));
    // No error is none, however narrow the distribution.
    assert_eq!(single(2, &[3.0, -1000.0, 3.0]), (-500.0, vec![0.0, 0.5]));
    assert_eq!(single(2, &[0.0, 1000.0, 1.0]), (500.0, vec![0.0, 0.5]));
    let (loss, _) = single(2, &[1e-30, -130.0, 0.0]);
    let exact = 0.5 * (-130.0 + f64::from(1e-30f32).powi(2) * 130f64.exp());
    assert!((loss / exact - 1.0).abs() < 1e-6, "{loss} {exact}");
}

#[test]
fn targets_are_probabilities() {
    let x = Tensor::zeros(&[20]).unwrap();
    for bad in [-1e-7, 1.0001, f32::NAN, f32::INFINITY] {
        let mut target = Tensor::zeros(&[20]).unwrap();
        target.as_mut_slice()[19] = bad;
        let mut grad = Tensor::full(&[20], 7.0).unwrap();
        let result = ops::binary_cross_entropy_with_logits(&x, &target, Some(grad.view_mut()));
        assert!(matches!(result, Err(Error::Number { .. })), "{bad}");
        assert_eq!(grad, Tensor::full(&[20], 7.0).unwrap());
    }
}

/// The mean smoothed cross-entropy in f64, class by class.
fn naive_smoothed(x: &[f32], n: usize, labels: &[u32], smoothing: f64) -> f64 {
    let loss = |(row, &label): (&[f32], &u32)| -> f64 {
        let terms = log_softmax(row).into_iter().enumerate().map(|(c, ln)| {
            let onehot = f64::from(u8::from(c == label as usize));
            -ln * ((1.0 - smoothing) * onehot + smoothing / n as f64)
        });
        terms.sum()
    };
    x.chunks(n).zip(labels).map(loss).sum::<f64>() / labels.len() as f64
}

/// Some logits, a label for each row, and the smoothings that are tried on them.
fn smoothed_cases() -> Vec<(Tensor, Vec<u32>, f64)> {
    let case = |n: usize, smoothing| {
        let logits = Tensor::from_vec(numbers(13 * n, 6.0, 0), &[13, n]).unwrap();
        let labels = (0..13).map(|i| (i * 5 % n) as u32).collect();
        (logits, labels, smoothing)
    };
    let sizes = [1, 2, 10, 16, 17, 1000].into_iter();
    sizes
        .flat_map(|n| [0.0, 0.1, 0.9].map(|smoothing| case(n, smoothing)))
        .collect()
}

fn smoothed(logits: &Tensor, labels: &[u32], smoothing: f64) -> (f64, Tensor) {
    let mut grad = Tensor::full(logits.shape(), 9.0).unwrap();
    let out = Some(grad.view_mut());
    let loss = ops::softmax_cross_entropy_smoothed(logits, labels, smoothing, out).unwrap();
    (loss, grad)
}

#[test]
fn smoothed_losses_are_near_the_naive_ones_and_gradients_are_their_slopes() {
    for (logits, labels, smoothing) in smoothed_cases() {
        let n = logits.shape()[1];
        let exact = naive_smoothed(logits.as_slice(), n, &labels, smoothing);
        let (loss, grad) = smoothed(&logits, &labels, smoothing);
        let error = (loss - exact).abs();
        assert!(error <= 1e-6 * (1.0 + exact), "{n} {smoothing}: {exact}");
        for i in (0..13 * n).step_by(1 + n / 4) {
            let at = |step: f32| {
                let mut x = logits.as_slice().to_vec();
                x[i] += step;
                (naive_smoothed(&x, n, &labels, smoothing), f64::from(x[i]))
            };
            let ((up, right), (down, left)) = (at(0.004), at(-0.004));
            let slope = (up - down) / (right - left);
            let found = f64::from(grad.as_slice()[i]);
            assert!((found - slope).abs() < 1e-6, "{n} {i}: {found} {slope}");
        }
    }
}

#[test]
fn smoothed_losses_have_the_same_bits_everywhere() {
    let mut first = None;
    on_every_isa("smoothed_losses", |isa| {
        let cases = smoothed_cases().into_iter();
        let all: Vec<_> = cases
            .map(|(logits, labels, smoothing)| {
                let (loss, grad) = smoothed(&logits, &labels, smoothing);
                (loss.to_bits(), bits(grad.as_slice()))
            })
            .collect();
        assert!(first.get_or_insert_with(|| all.clone()) == &all, "{isa}");
    });
    let (rows, n) = (700, 301);
    let logits = Tensor::from_vec(numbers(rows * n, 5.0, 1), &[rows, n]).unwrap();
    let labels: Vec<u32> = (0..rows).map(|i| (i % n) as u32).collect();
    let runs = [1, 2, 3].map(|threads| on_threads(threads, || smoothed(&logits, &labels, 0.1)));
    assert!(runs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn no_smoothing_is_the_plain_loss_to_the_bit() {
    for (logits, labels, _) in smoothed_cases() {
        let mut grad = Tensor::zeros(logits.shape()).unwrap();
        let plain = ops::softmax_cross_entropy(&logits, &labels, Some(grad.view_mut())).unwrap();
        let (loss, smoothed_grad) = smoothed(&logits, &labels, 0.0);
        assert_eq!(plain.to_bits(), loss.to_bits());
        assert_eq!(bits(grad.as_slice()), bits(smoothed_grad.as_slice()));
    }
}

#[test]
fn smoothing_of_impossible_logits() {
    let inf = f32::INFINITY;
    let loss = |x: &[f32], smoothing| {
        let x = Tensor::from_slice(x, &[1, x.len()]).unwrap();
        ops::softmax_cross_entropy_smoothed(&x, &[0], smoothing, None).unwrap()
    };
    assert_eq!(loss(&[0.0, -inf], 0.0), 0.0);
    assert_eq!(loss(&[0.0, -inf], 0.1), f64::INFINITY);
    assert!(loss(&[f32::NAN, 0.0], 0.1).is_nan());
    assert!(loss(&[inf, 0.0], 0.1).is_nan());
    let x = Tensor::zeros(&[1, 2]).unwrap();
    for bad in [-0.1, 1.0, f64::NAN] {
        let mut grad = Tensor::full(&[1, 2], 7.0).unwrap();
        let result = ops::softmax_cross_entropy_smoothed(&x, &[0], bad, Some(grad.view_mut()));
        assert!(matches!(result, Err(Error::Number { .. })), "{bad}");
        assert_eq!(grad, Tensor::full(&[1, 2], 7.0).unwrap());
    }
}
