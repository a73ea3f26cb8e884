//! The loss of two passes that should agree.

use super::{softmax_cross_entropy_smoothed, write_to};
use crate::error::{Error, Result, check_number};
use crate::exec::{for_each_rows_and_item, with_f64_scratch};
use crate::ops::check::{Contiguous, check_length, check_rank, check_shape};
use crate::tensor::{View, ViewMut};

/// Six exponentials in f64, in elements of a scaled copy.
const WEIGHT: usize = 128;

/// The mean over a batch of `(KL(P, Q) + KL(Q, P)) / 2` where P and Q are the softmax of a row of `p` and of that row of
/// `q`, both of shape [batch, classes]; if `grads` are given, they receive the gradients of that mean.
///
/// It is computed in f64 from the logits, as the mean of sums of `(P - Q) (ln P - ln Q) / 2`: no term is below zero, equal
/// logits give exactly 0, and to change `p` and `q` over changes no bit but the order of the gradients. With
/// `K = KL(P, Q)` the gradient of a row of `p` is `(P (ln P - ln Q - K) + P - Q) / 2`, and likewise for `q`.
///
/// A class that one row alone excludes by a logit of minus infinity gives an infinite loss; one that both exclude counts
/// nothing. A row without a softmax has the loss NaN, and so does the batch.
///
/// ```
/// use elision::{Tensor, ops};
/// let p = Tensor::from_slice(&[0.0, 3f32.ln()], &[1, 2])?;
/// let q = Tensor::zeros(&[1, 2])?;
/// // P = (1/4, 3/4) and Q = (1/2, 1/2).
/// let divergence = ops::symmetric_kl(&p, &q, None)?;
/// assert!((divergence - 3f64.ln() / 8.0).abs() < 1e-7);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if `p` is no matrix, [`Error::Empty`] if it has no rows or no columns, [`Error::Shape`] if `q` or a
/// gradient has not its shape, [`Error::Overflow`] if memory cannot be allocated.
pub fn symmetric_kl<'a, 'b>(
    p: impl Into<View<'a>>,
    q: impl Into<View<'b>>,
    grads: Option<[ViewMut<'_>; 2]>,
) -> Result<f64> {
    let (p, q) = (p.into(), q.into());
    check_rank("logits", p, 2)?;
    check_shape("logits of the second pass", p.shape(), q.shape())?;
    for grad in grads.iter().flatten() {
        check_shape("gradient", p.shape(), grad.shape())?;
    }
    if p.is_empty() {
        return Err(Error::Empty("the mean divergence"));
    }
    let (batch, n) = (p.shape()[0], p.shape()[1]);
    let (p, q) = (Contiguous::new(p)?, Contiguous::new(q)?);
    let pairs = Pairs {
        rows: [p.as_slice(), q.as_slice()],
        n,
        factor: 1.0 / batch as f64,
    };
    let Some([of_p, of_q]) = grads else {
        return pairs.run(None);
    };
    write_to(of_p, |of_p| {
        write_to(of_q, |of_q| {
            of_p.fill(0.0);
            of_q.fill(0.0);
            pairs.run(Some([of_p, of_q]))
        })
    })
}

/// R-Drop's loss (Liang et al. 2021, <https://arxiv.org/abs/2106.14448>) for `logits` of shape [2 batch, classes], whose row
/// i and row batch + i are what two passes with masks of their own made of sample i:
/// `(CE(first) + CE(second)) / 2 + alpha KL`, where CE is [`softmax_cross_entropy_smoothed`] and KL is
/// [`symmetric_kl`], both means over the batch. If `grad` is given, it receives the gradient.
///
/// Their alpha is 5 for translation, 0.7 for summaries, 1 for language models, and, as we recall it, 0.1 to 1 for
/// classification. Two equal passes have the cross-entropy alone.
///
/// ```
/// use elision::{Tensor, ops};
/// let logits = Tensor::from_slice(&[1.0, 0.0, 1.0, 0.0], &[2, 2])?;
/// let one = ops::softmax_cross_entropy(&Tensor::from_slice(&[1.0, 0.0], &[1, 2])?, &[0], None)?;
/// assert_eq!(ops::r_drop(&logits, &[0], 0.0, 5.0, None)?, one);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// Those of [`softmax_cross_entropy_smoothed`], [`Error::Length`] if there are not two rows a label, [`Error::Number`] if
/// `alpha` is not finite and from 0 on.
pub fn r_drop<'a>(
    logits: impl Into<View<'a>>,
    labels: &[u32],
    smoothing: f64,
    alpha: f64,
    grad: Option<ViewMut<'_>>,
) -> Result<f64> {
    let logits = logits.into();
    check_number("alpha of R-Drop", alpha, alpha >= 0.0 && alpha.is_finite())?;
    check_rank("logits", logits, 2)?;
    let [rows, n] = [logits.shape()[0], logits.shape()[1]];
    check_length("logits of two passes", 2 * labels.len(), rows)?;
    let logits = Contiguous::new(logits)?;
    let x = View::contiguous(logits.as_slice(), &[rows, n])?;
    let twice = [labels, labels].concat();
    let both = |mut grad: Option<&mut [f32]>| -> Result<f64> {
        let of_entropy = match &mut grad {
            None => None,
            Some(grad) => Some(ViewMut::contiguous(grad, &[rows, n])?),
        };
        let entropy = softmax_cross_entropy_smoothed(x, &twice, smoothing, of_entropy)?;
        let (middle, batch) = (labels.len() * n, labels.len() as f64);
        let (first, second) = logits.as_slice().split_at(middle);
        let pairs = Pairs {
            rows: [first, second],
            n,
            factor: alpha / batch,
        };
        let grads = grad.map(|grad| grad.split_at_mut(middle).into());
        Ok(entropy + alpha * pairs.run(grads)?)
    };
    match grad {
        None => both(None),
        Some(grad) => {
            check_shape("gradient", &[rows, n], grad.shape())?;
            write_to(grad, |grad| both(Some(grad)))
        }
    }
}

/// Rows of `n > 0` logits of two passes, one after the other.
struct Pairs<'a> {
    rows: [&'a [f32]; 2],
    n: usize,
    /// Of the gradients.
    factor: f64,
}

impl Pairs<'_> {
    /// The mean divergence, summed in the order of the rows; adds its gradients, times the factor.
    fn run(&self, grads: Option<[&mut [f32]; 2]>) -> Result<f64> {
        let (n, batch) = (self.n, self.rows[0].len() / self.n);
        with_f64_scratch("divergences", batch, |losses| {
            for_each_rows_and_item(grads, losses, n, WEIGHT, |first, mut grads, losses| {
                for (i, loss) in losses.iter_mut().enumerate() {
                    let at = (first + i) * n;
                    let pair = Pair::new(self.rows.map(|rows| &rows[at..at + n]));
                    *loss = pair.divergence();
                    if let Some(grads) = &mut grads {
                        let grads = grads.each_mut().map(|grads| &mut grads[i * n..(i + 1) * n]);
                        pair.add_gradients(self.factor, grads);
                    }
                }
            });
            losses.iter().sum::<f64>() / batch as f64
        })
    }
}

/// A row of each pass.
struct Pair<'a> {
    x: [&'a [f32]; 2],
    /// ln(sum of e^x) of each.
    ln_sums: [f64; 2],
}

/// A class: its probabilities in the two passes, and ln(P / Q).
struct Class {
    p: f64,
    q: f64,
    ln_ratio: f64,
}

impl Class {
    /// P ln(P / Q), and Q ln(Q / P); nothing where the probability is 0.
    fn terms(&self) -> [f64; 2] {
        let term = |probability: f64, ln: f64| match probability == 0.0 {
            true => 0.0,
            false => probability * ln,
        };
        [term(self.p, self.ln_ratio), term(self.q, -self.ln_ratio)]
    }
}

impl<'a> Pair<'a> {
    fn new(x: [&'a [f32]; 2]) -> Self {
        let ln_sums = x.map(ln_sum);
        Self { x, ln_sums }
    }

    fn classes(&self) -> impl Iterator<Item = Class> {
        let [p, q] = self.x;
        p.iter().zip(q).map(|(&p, &q)| {
            let (ln_p, ln_q) = (
                f64::from(p) - self.ln_sums[0],
                f64::from(q) - self.ln_sums[1],
            );
            let (p, q) = (ln_p.exp(), ln_q.exp());
            // Excluded by both, for which the difference would be NaN.
            let ln_ratio = if p == 0.0 && q == 0.0 {
                0.0
            } else {
                ln_p - ln_q
            };
            Class { p, q, ln_ratio }
        })
    }

    fn divergence(&self) -> f64 {
        let terms = self
            .classes()
            .map(|class| (class.p - class.q) * class.ln_ratio);
        0.5 * terms.sum::<f64>()
    }

    fn add_gradients(&self, factor: f64, [of_p, of_q]: [&mut [f32]; 2]) {
        let (mut of_first, mut of_second) = (0.0, 0.0);
        for class in self.classes() {
            let [first, second] = class.terms();
            of_first += first;
            of_second += second;
        }
        for ((class, of_p), of_q) in self.classes().zip(of_p).zip(of_q) {
            let [first, second] = class.terms();
            let (p, q) = (class.p, class.q);
            add(of_p, 0.5 * factor * (first - p * of_first + p - q));
            add(of_q, 0.5 * factor * (second - q * of_second + q - p));
        }
    }
}

fn add(to: &mut f32, x: f64) {
    *to = (f64::from(*to) + x) as f32;
}

/// NaN if there is no softmax.
fn ln_sum(row: &[f32]) -> f64 {
    let max = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = row.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    max + sum.ln()
}
