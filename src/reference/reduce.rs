//! Reductions: what the tree is.
//!
//! The elements that meet in one result form a sequence, in row-major order of the reduced axes. The
//! result is a function of that sequence and of nothing else: not of strides, instruction sets, threads
//! or neighbouring results. It is computed by a tree, which also keeps the error small:
//!
//! 1. The sequence is cut into leaves of 4,096 elements; the last may be shorter.
//! 2. A leaf has 64 accumulators, which begin as the identity (+0.0, or -infinity). Element i joins
//!    accumulator i mod 64, in order.
//! 3. The accumulators are folded by halves: i with i + 32, then i + 16, 8, 4, 2, 1.
//! 4. Leaves are joined in pairs of neighbours, the pairs again, and so on; one that is left over waits
//!    for the next round.
//!
//! A sum of n elements differs from the exact sum by at most about `(70 + log2(n / 4096)) * 2^-24` times
//! the sum of magnitudes. A sum is never -0.0. A NaN gives NaN, whose payload a sum does not specify.

use crate::error::Result;
use crate::tensor::{Tensor, View};

const LEAF: usize = 4096;
const ACCUMULATORS: usize = 64;

fn leaf(x: &[f32], identity: f32, f: fn(f32, f32) -> f32) -> f32 {
    let mut acc = [identity; ACCUMULATORS];
    for (i, &x) in x.iter().enumerate() {
        acc[i % ACCUMULATORS] = f(acc[i % ACCUMULATORS], x);
    }
    let mut half = ACCUMULATORS / 2;
    while half > 0 {
        for i in 0..half {
            acc[i] = f(acc[i], acc[i + half]);
        }
        half /= 2;
    }
    acc[0]
}

fn tree(x: &[f32], identity: f32, f: fn(f32, f32) -> f32) -> f32 {
    let leaves = x.len().div_ceil(LEAF);
    if leaves <= 1 {
        return leaf(x, identity, f);
    }
    let (left, right) = x.split_at(leaves.next_power_of_two() / 2 * LEAF);
    f(tree(left, identity, f), tree(right, identity, f))
}

/// The kept shape, the length of a sequence, and the sequences one after another.
fn sequences(x: View<'_>, axes: &[usize]) -> Result<(Vec<usize>, usize, Vec<f32>)> {
    let mut reduced = axes.to_vec();
    reduced.sort_unstable();
    let kept: Vec<usize> = (0..x.rank()).filter(|axis| !axes.contains(axis)).collect();
    let sorted = x.permute(&[&kept[..], &reduced].concat())?;
    let (shape, inner) = sorted.shape().split_at(kept.len());
    Ok((
        shape.to_vec(),
        inner.iter().product(),
        sorted.iter().collect(),
    ))
}

fn reduce(x: View<'_>, axes: &[usize], identity: f32, f: fn(f32, f32) -> f32) -> Result<Tensor> {
    if axes.is_empty() {
        return x.to_tensor();
    }
    let (shape, n, elements) = sequences(x, axes)?;
    let results = 0..shape.iter().product();
    let results = results.map(|i| tree(&elements[i * n..(i + 1) * n], identity, f));
    Tensor::from_vec(results.collect(), &shape)
}

/// The sum over some axes, which the result no longer has; nothing sums to +0.0.
///
/// # Errors
/// Those of a permutation, if an axis is out of range or named twice.
pub fn sum(x: View<'_>, axes: &[usize]) -> Result<Tensor> {
    reduce(x, axes, 0.0, |a, b| a + b)
}

/// The sum divided by the number of elements that it has.
///
/// # Errors
/// As for [`sum`].
pub fn mean(x: View<'_>, axes: &[usize]) -> Result<Tensor> {
    let n: usize = axes
        .iter()
        .filter_map(|&axis| x.shape().get(axis))
        .product();
    super::map(sum(x, axes)?.view(), |sum| sum / n as f32)
}

/// The maximum over some axes: NaN where a NaN is, and -infinity for nothing.
///
/// # Errors
/// As for [`sum`].
pub fn max(x: View<'_>, axes: &[usize]) -> Result<Tensor> {
    reduce(x, axes, f32::NEG_INFINITY, |a, b| {
        if a > b || a.is_nan() { a } else { b }
    })
}

/// The sum and the sum of magnitudes in f64, by which the error of [`sum`] is judged.
///
/// # Errors
/// As for [`sum`].
pub fn sum_f64(x: View<'_>, axes: &[usize]) -> Result<Vec<(f64, f64)>> {
    let (shape, n, elements) = sequences(x, axes)?;
    let sums = (0..shape.iter().product()).map(|i| {
        let sequence = elements[i * n..(i + 1) * n].iter().map(|&x| f64::from(x));
        sequence.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()))
    });
    Ok(sums.collect())
}
