//! The soft mask of concrete dropout, and the regulariser of its drop probability.

use super::{number, zip_with};
use crate::autograd::{Buffer, InputGradients, Step, Tape, Value, Var};
use crate::error::Result;
use crate::key::Key;
use crate::ops::{ln_into, scale_into, sigmoid_into, squared_norm, sum, uniform_into};

/// Added within logarithms, whose arguments may be 0.
const EPSILON: f64 = 1e-7;

/// A drop probability p and 1 - p, from the logarithm of their quotient.
pub(super) fn probabilities(logit: f32) -> [f64; 2] {
    let logit = f64::from(logit);
    [1.0 / (1.0 + (-logit).exp()), 1.0 / (1.0 + logit.exp())]
}

/// The numbers of one draw.
#[derive(Clone, Copy)]
struct Soft {
    p: f32,
    /// 1 / (1 - p).
    scale: f32,
    /// The slope of the mask's argument towards the logit: 1 over the temperature, but for the epsilons.
    slope: f32,
}

/// `x (1 - z) / (1 - p)` with z = sigmoid((ln(p + e) - ln(1 - p + e) + ln(u + e) - ln(1 - u + e)) / temperature) and u
/// uniform for each element. Keeps 1 - z, and a reference to `x`.
pub(super) fn soften(x: &Var, logit: &Var, temperature: f64, key: Key) -> Result<Var> {
    let tape = Tape::of(&[x, logit])?;
    let [p, q] = probabilities(logit.item()?);
    let soft = Soft {
        p: p as f32,
        scale: (1.0 / q) as f32,
        slope: (p * q * (1.0 / (p + EPSILON) + 1.0 / (q + EPSILON)) / temperature) as f32,
    };
    let shift = (p + EPSILON).ln() - (q + EPSILON).ln();
    let keep = Value::from(keep(&tape, x.shape(), [shift, temperature], key)?);
    let mut y = tape.buffer(x.shape())?;
    let inputs = [x.value().as_slice(), keep.as_slice()];
    zip_with(y.as_mut_slice(), inputs, |[x, keep]| soft.apply(x, keep));
    let step = Step {
        op: "concrete_dropout",
        inputs: &[x, logit],
        output: y.into(),
    };
    step.record([x.value().clone(), keep], move |kept, dy, gradients| {
        soft.backward(&kept, &dy, gradients)
    })
}

/// 1 - z of each element, without cancellation.
fn keep(tape: &Tape, shape: &[usize], [shift, temperature]: [f64; 2], key: Key) -> Result<Buffer> {
    let (mut u, mut logs) = (tape.buffer(shape)?, tape.buffer(shape)?);
    uniform_into(key, &mut *u)?;
    let epsilon = EPSILON as f32;
    for u in u.as_mut_slice() {
        *u = (*u + epsilon) / (1.0 - *u + epsilon);
    }
    ln_into(&*u, &mut *logs)?;
    let (shift, steepness) = (shift as f32, (-1.0 / temperature) as f32);
    for log in logs.as_mut_slice() {
        *log = (*log + shift) * steepness;
    }
    sigmoid_into(&*logs, &mut *u)?;
    Ok(u)
}

impl Soft {
    /// What is dropped completely is 0, whatever it was.
    fn apply(self, x: f32, keep: f32) -> f32 {
        if keep == 0.0 {
            0.0
        } else {
            x * (keep * self.scale)
        }
    }

    fn backward(
        self,
        [x, keep]: &[Value; 2],
        dy: &Value,
        gradients: &mut InputGradients<'_>,
    ) -> Result<()> {
        let (dy, keep) = (dy.as_slice(), keep.as_slice());
        if let Some(mut dx) = gradients.wanted(0, x.shape())? {
            zip_with(dx.as_mut_slice(), [dy, keep], |[dy, keep]| {
                self.apply(dy, keep)
            });
            gradients.add(0, dx)?;
        }
        if gradients.wants(1) {
            // x / (1 - p) (p (1 - z) - z (1 - z) slope), and 1 - z is `keep`.
            let mut terms = gradients.buffer(x.shape())?;
            let inputs = [dy, x.as_slice(), keep];
            zip_with(terms.as_mut_slice(), inputs, |[dy, x, keep]| {
                dy * self.apply(x, keep) * (self.p - (1.0 - keep) * self.slope)
            });
            let axes: Vec<usize> = (0..terms.rank()).collect();
            gradients.add(1, sum(&*terms, &axes)?)?;
        }
        Ok(())
    }
}

/// `weight |w|^2 / (1 - p) + entropy (p ln p + (1 - p) ln(1 - p))`, where `entropy` has the number of inputs in it.
pub(super) fn regularize(w: &Var, logit: &Var, [weight, entropy]: [f64; 2]) -> Result<Var> {
    let tape = Tape::of(&[w, logit])?;
    let [p, q] = probabilities(logit.item()?);
    let norm = weight * squared_norm(w)?;
    // p ln p is 0 where p is.
    let term = |p: f64| if p > 0.0 { p * p.ln() } else { 0.0 };
    let step = Step {
        op: "concrete_regularizer",
        inputs: &[w, logit],
        output: number(&tape, norm / q + entropy * (term(p) + term(q)))?,
    };
    let kept = [w.value().clone(), logit.value().clone()];
    step.record(kept, move |[w, logit], dy, gradients| {
        let dy = f64::from(dy.as_slice()[0]);
        if let Some(mut dw) = gradients.wanted(0, w.shape())? {
            let factor = (dy * 2.0 * weight / q) as f32;
            scale_into(&w, factor, &mut *dw)?;
            gradients.add(0, dw)?;
        }
        if let Some(mut dlogit) = gradients.wanted(1, logit.shape())? {
            let slope = norm * p / q + entropy * p * q * f64::from(logit.as_slice()[0]);
            dlogit.as_mut_slice().fill((dy * slope) as f32);
            gradients.add(1, dlogit)?;
        }
        Ok(())
    })
}
