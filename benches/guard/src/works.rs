//! One function for each family of kernels.

use elision::{Activation, Dropout, Epilogue, Key, Mask, Result, Tensor, ops};

/// One call of a piece of work.
pub(crate) type Call = Box<dyn FnMut() -> Result<()>>;

/// All works, in the order of the table.
pub(crate) const NAMES: [&str; 16] = [
    "mask-half",
    "mask-any",
    "dropout-forward",
    "dropout-backward",
    "gelu",
    "softmax",
    "sum",
    "linear-forward-1x256x256",
    "linear-forward-16x512x512",
    "linear-forward-64x256x256",
    "fused-forward-1x256x256",
    "fused-forward-16x512x512",
    "fused-forward-64x256x256",
    "fused-backward-1x256x256",
    "fused-backward-16x512x512",
    "fused-backward-64x256x256",
];

/// Elements of an elementwise operation: what fits the second-level cache.
const LEN: usize = 1 << 16;
/// A rate with one binary digit, and one with many.
const HALF: f64 = 0.5;
const ANY: f64 = 0.3;

/// The work of that name, ready to run.
pub(crate) fn prepare(name: &str) -> Result<Option<Call>> {
    let call = match name {
        "mask-half" => mask(HALF)?,
        "mask-any" => mask(ANY)?,
        "dropout-forward" => dropout_forward()?,
        "dropout-backward" => dropout_backward()?,
        "gelu" => gelu()?,
        "softmax" => softmax()?,
        "sum" => sum()?,
        _ => return layer(name),
    };
    Ok(Some(call))
}

fn mask(p: f64) -> Result<Call> {
    let dropout = Dropout::new(Key::new(1), p)?;
    let mut mask = Mask::none(LEN);
    Ok(Box::new(move || mask.redraw(&dropout)))
}

fn dropout_forward() -> Result<Call> {
    let dropout = Dropout::new(Key::new(1), HALF)?;
    let (x, mut y) = (ramp(&[LEN])?, Tensor::zeros(&[LEN])?);
    let mut mask = Mask::none(LEN);
    Ok(Box::new(move || {
        ops::dropout_into(&x, &dropout, &mut y, Some(&mut mask))
    }))
}

fn dropout_backward() -> Result<Call> {
    let dropout = Dropout::new(Key::new(1), HALF)?;
    let (g, mut dx) = (ramp(&[LEN])?, Tensor::zeros(&[LEN])?);
    let mask = Mask::draw(&dropout, LEN)?;
    Ok(Box::new(move || {
        ops::dropout_backward_into(&g, &dropout, Some(&mask), &mut dx)
    }))
}

fn gelu() -> Result<Call> {
    let (x, mut y) = (ramp(&[LEN])?, Tensor::zeros(&[LEN])?);
    Ok(Box::new(move || ops::gelu_into(&x, &mut y)))
}

fn softmax() -> Result<Call> {
    let shape = [LEN / 256, 256];
    let (x, mut y) = (ramp(&shape)?, Tensor::zeros(&shape)?);
    Ok(Box::new(move || ops::softmax_into(&x, 1, &mut y)))
}

fn sum() -> Result<Call> {
    let shape = [LEN / 256, 256];
    let (x, mut y) = (ramp(&shape)?, Tensor::zeros(&[LEN / 256])?);
    Ok(Box::new(move || ops::sum_into(&x, &[1], &mut y)))
}

/// A linear layer named `KIND-MxKxN`.
fn layer(name: &str) -> Result<Option<Call>> {
    let Some((kind, size)) = name.rsplit_once('-') else {
        return Ok(None);
    };
    let size: Vec<usize> = size.split('x').filter_map(|n| n.parse().ok()).collect();
    let &[m, k, n] = size.as_slice() else {
        return Ok(None);
    };
    Ok(match kind {
        "linear-forward" => Some(linear_forward(m, k, n)?),
        "fused-forward" => Some(fused_forward(m, k, n)?),
        "fused-backward" => Some(fused_backward(m, k, n)?),
        _ => None,
    })
}

fn linear_forward(m: usize, k: usize, n: usize) -> Result<Call> {
    let (x, w) = (ramp(&[m, k])?, ramp(&[n, k])?);
    let mut y = Tensor::zeros(&[m, n])?;
    Ok(Box::new(move || {
        ops::linear_into(&x, &w, &Epilogue::default(), &mut y, None)
    }))
}

fn fused_forward(m: usize, k: usize, n: usize) -> Result<Call> {
    let (x, w, bias) = (ramp(&[m, k])?, ramp(&[n, k])?, ramp(&[n])?);
    let dropout = Dropout::new(Key::new(1), HALF)?;
    let mut y = Tensor::zeros(&[m, n])?;
    let mut saved = ops::Saved::default();
    Ok(Box::new(move || {
        ops::linear_into(&x, &w, &fused(&bias, dropout), &mut y, Some(&mut saved))
    }))
}

fn fused_backward(m: usize, k: usize, n: usize) -> Result<Call> {
    let (x, w, bias) = (ramp(&[m, k])?, ramp(&[n, k])?, ramp(&[n])?);
    let dropout = Dropout::new(Key::new(1), HALF)?;
    let (_, saved) = ops::linear(&x, &w, &fused(&bias, dropout))?;
    let g = ramp(&[m, n])?;
    let mut grads = ops::LinearGrads {
        x: Tensor::zeros(&[m, k])?,
        w: Tensor::zeros(&[n, k])?,
        bias: Tensor::zeros(&[n])?,
    };
    Ok(Box::new(move || {
        let into = ops::LinearGradsInto {
            x: Some(grads.x.view_mut()),
            w: Some(grads.w.view_mut()),
            bias: Some(grads.bias.view_mut()),
        };
        ops::linear_backward_into(&g, &x, &w, &fused(&bias, dropout), &saved, into)
    }))
}

/// Bias, ReLU and dropout.
fn fused(bias: &Tensor, dropout: Dropout) -> Epilogue<'_> {
    Epilogue {
        bias: Some(bias.view()),
        activation: Activation::Relu,
        dropout: Some(dropout),
    }
}

/// Numbers in -0.5..0.5 without a pattern of rows or columns.
fn ramp(shape: &[usize]) -> Result<Tensor> {
    let mut tensor = Tensor::zeros(shape)?;
    for (i, x) in tensor.as_mut_slice().iter_mut().enumerate() {
        *x = ((i * 7919) % 1009) as f32 / 1009.0 - 0.5;
    }
    Ok(tensor)
}
