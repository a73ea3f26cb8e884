//! Weights with a mean and a variance each, their ratio, and their divergence from the prior.

use super::{number, zip_with};
use crate::autograd::{Buffer, InputGradients, Step, Tape, Value, Var};
use crate::error::Result;
use crate::ops::{exp_into, ln_into, mul_into, sigmoid_into, sum};
use crate::tensor::{Tensor, View};

/// ln alpha stays within plus and minus this.
const CLIP: f32 = 8.0;

/// The constants of the divergence's approximation (Molchanov et al. 2017).
const K1: f32 = 0.63576;
const K2: f32 = 1.87320;
const K3: f32 = 1.48695;

/// ln alpha = ln sigma^2 - ln theta^2 of each weight, clipped; a weight of 0 has the largest. `square` is room.
pub(super) fn log_alpha_into(
    theta: View<'_>,
    log_sigma2: &[f32],
    square: &mut Tensor,
    out: &mut Tensor,
) -> Result<()> {
    mul_into(theta, theta, &mut *square)?;
    ln_into(&*square, &mut *out)?;
    for (log, log_sigma2) in out.as_mut_slice().iter_mut().zip(log_sigma2) {
        *log = (log_sigma2 - *log).clamp(-CLIP, CLIP);
    }
    Ok(())
}

/// Whether the clip let a number through. Where it did not, ln alpha is a constant.
fn inside(log_alpha: f32) -> bool {
    log_alpha.abs() < CLIP
}

/// Normal weights on a tape: their means theta and logarithms of variances, and ln alpha.
pub(super) struct Weights<'a> {
    theta: &'a Var,
    log_sigma2: &'a Var,
    log_alpha: Value,
}

impl<'a> Weights<'a> {
    pub(super) fn new(theta: &'a Var, log_sigma2: &'a Var) -> Result<Self> {
        let tape = Tape::of(&[theta, log_sigma2])?;
        let shape = theta.shape();
        let (mut square, mut out) = (tape.buffer(shape)?, tape.buffer(shape)?);
        let spread = log_sigma2.value().as_slice();
        log_alpha_into(theta.view(), spread, &mut square, &mut out)?;
        Ok(Self {
            theta,
            log_sigma2,
            log_alpha: out.into(),
        })
    }

    /// alpha theta^2 of each weight: sigma^2, but for the clip. Keeps two numbers a weight.
    pub(super) fn variance(&self) -> Result<Var> {
        let tape = Tape::of(&[self.theta, self.log_sigma2])?;
        let shape = self.theta.shape();
        let (mut alpha, mut variance) = (tape.buffer(shape)?, tape.buffer(shape)?);
        exp_into(&self.log_alpha, &mut *alpha)?;
        let theta = self.theta.value();
        let inputs = [alpha.as_slice(), theta.as_slice()];
        zip_with(variance.as_mut_slice(), inputs, |[alpha, theta]| {
            alpha * (theta * theta)
        });
        let variance = Value::from(variance);
        let step = Step {
            op: "variance",
            inputs: &[self.theta, self.log_sigma2],
            output: variance.clone(),
        };
        let kept = [theta.clone(), self.log_alpha.clone(), variance];
        step.record(kept, variance_backward)
    }

    /// The divergence of all weights from the log-uniform prior, over `rows`. Keeps one number a weight.
    pub(super) fn divergence(&self, rows: f64) -> Result<Var> {
        let tape = Tape::of(&[self.theta, self.log_sigma2])?;
        let terms = divergences(&|shape| tape.buffer(shape), &self.log_alpha)?;
        let total = f64::from(sum(&*terms, &axes(&terms))?.as_slice()[0]);
        let step = Step {
            op: "divergence",
            inputs: &[self.theta, self.log_sigma2],
            output: number(&tape, total / rows)?,
        };
        let kept = [self.theta.value().clone(), self.log_alpha.clone()];
        step.record(kept, move |kept, dy, gradients| {
            let factor = (f64::from(dy.as_slice()[0]) / rows) as f32;
            divergence_backward(&kept, factor, gradients)
        })
    }
}

fn axes(x: &Tensor) -> Vec<usize> {
    (0..x.rank()).collect()
}

/// Where ln alpha passes the clip, the variance is e^(ln sigma^2); elsewhere it is a constant times theta^2.
fn variance_backward(
    [theta, log_alpha, variance]: [Value; 3],
    dy: Value,
    gradients: &mut InputGradients<'_>,
) -> Result<()> {
    let shape = theta.shape();
    let (theta, log_alpha) = (theta.as_slice(), log_alpha.as_slice());
    if let Some(mut dtheta) = gradients.wanted(0, shape)? {
        let (low, high) = ((-CLIP).exp(), CLIP.exp());
        let inputs = [dy.as_slice(), theta, log_alpha];
        zip_with(
            dtheta.as_mut_slice(),
            inputs,
            |[dy, theta, log_alpha]| match log_alpha {
                log if inside(log) => 0.0,
                log if log > 0.0 => 2.0 * high * theta * dy,
                _ => 2.0 * low * theta * dy,
            },
        );
        gradients.add(0, dtheta)?;
    }
    if let Some(mut dlog) = gradients.wanted(1, shape)? {
        let inputs = [dy.as_slice(), variance.as_slice(), log_alpha];
        zip_with(dlog.as_mut_slice(), inputs, |[dy, variance, log_alpha]| {
            if inside(log_alpha) {
                dy * variance
            } else {
                0.0
            }
        });
        gradients.add(1, dlog)?;
    }
    Ok(())
}

/// Where memory of a shape comes from.
type Room<'a> = &'a dyn Fn(&[usize]) -> Result<Buffer>;

/// `1 / (1 + e^-(scale x + shift))` of each element.
fn sigmoid_of(room: Room<'_>, x: &Value, [scale, shift]: [f32; 2]) -> Result<Buffer> {
    let (mut argument, mut out) = (room(x.shape())?, room(x.shape())?);
    zip_with(argument.as_mut_slice(), [x.as_slice()], |[x]| {
        scale * x + shift
    });
    sigmoid_into(&*argument, &mut *out)?;
    Ok(out)
}

/// The complement of the logistic function in the divergence: it does not cancel where alpha is large.
fn tail(room: Room<'_>, log_alpha: &Value) -> Result<Buffer> {
    sigmoid_of(room, log_alpha, [-K3, -K2])
}

/// The divergence of each weight, k1 (1 - sigmoid(k2 + k3 ln alpha)) + ln(1 + 1 / alpha) / 2.
fn divergences(room: Room<'_>, log_alpha: &Value) -> Result<Buffer> {
    let tail = tail(room, log_alpha)?;
    let share = sigmoid_of(room, log_alpha, [1.0, 0.0])?;
    let (mut log, mut out) = (room(share.shape())?, room(share.shape())?);
    ln_into(&*share, &mut *log)?;
    let inputs = [tail.as_slice(), log.as_slice()];
    zip_with(out.as_mut_slice(), inputs, |[tail, log]| {
        K1 * tail - 0.5 * log
    });
    Ok(out)
}

/// `factor` times the slope of the divergence, towards the logarithm of the variance (times 1) and the mean (times
/// -2 / theta).
fn divergence_backward(
    [theta, log_alpha]: &[Value; 2],
    factor: f32,
    gradients: &mut InputGradients<'_>,
) -> Result<()> {
    let room = |shape: &[usize]| gradients.buffer(shape);
    let tail = tail(&room, log_alpha)?;
    let share = sigmoid_of(&room, log_alpha, [-1.0, 0.0])?;
    let mut slope = gradients.buffer(theta.shape())?;
    let inputs = [tail.as_slice(), share.as_slice(), log_alpha.as_slice()];
    zip_with(
        slope.as_mut_slice(),
        inputs,
        |[tail, share, log_alpha]| match inside(log_alpha) {
            true => -factor * (K1 * K3 * tail * (1.0 - tail) + 0.5 * share),
            false => 0.0,
        },
    );
    if let Some(mut dtheta) = gradients.wanted(0, theta.shape())? {
        let inputs = [slope.as_slice(), theta.as_slice()];
        zip_with(dtheta.as_mut_slice(), inputs, |[slope, theta]| {
            // Outside of the clip a weight may be 0.
            if slope == 0.0 {
                0.0
            } else {
                -2.0 * slope / theta
            }
        });
        gradients.add(0, dtheta)?;
    }
    gradients.add(1, slope)
}
