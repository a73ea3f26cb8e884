//! The operations on variables: forward and backward side by side.

mod activation;
mod arithmetic;
mod conv;
mod drop_connect;
mod dropout;
mod embedding;
mod grads;
mod linear;
mod loss;
mod matrix;
mod mixout;
mod noise;
mod norm;
mod pool;
mod reduce;
mod rows;
mod select;
mod shape;
mod shared_dropout;
mod sign;
mod softmax;
mod unit_linear;
mod zoneout;

pub use linear::Fused;

use super::backward::InputGradients;
use super::value::Value;
use super::var::Var;
use crate::error::{Error, Result};
use crate::ops::sum_into;

/// For operands whose gradient no backward pass computes.
fn check_constant(fault: &'static str, operand: &Var) -> Result<()> {
    match operand.requires_grad() {
        true => Err(Error::Unsupported(fault)),
        false => Ok(()),
    }
}

/// The gradient of something that was broadcast: summed over the axes that broadcasting added or stretched.
fn unbroadcast(dy: &Value, shape: &[usize], gradients: &InputGradients<'_>) -> Result<Value> {
    if dy.shape() == shape {
        return Ok(dy.clone());
    }
    let added = dy.shape().len() - shape.len();
    let stretched =
        |axis: &usize| *axis < added || shape[axis - added] == 1 && dy.shape()[*axis] != 1;
    let axes: Vec<usize> = (0..dy.shape().len()).filter(stretched).collect();
    let kept: Vec<usize> = (0..dy.shape().len())
        .filter(|axis| !stretched(axis))
        .map(|axis| dy.shape()[axis])
        .collect();
    let mut sum = gradients.buffer(&kept)?;
    sum_into(dy, &axes, &mut *sum)?;
    Value::from(sum).reshape(shape)
}
