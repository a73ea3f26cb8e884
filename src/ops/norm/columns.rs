//! What is done to a matrix column by column: sums over its rows, and a pass with numbers for each column.

use std::ops::Range;

use super::{Contiguous, WEIGHT};
use crate::error::Result;
use crate::exec::{for_each_piece_of_rows, sum_over_rows, with_scratch};
use crate::kernels::norm::columns::{Backward, ColumnSums, Forward, Terms};
use crate::simd::{Isa, dispatch};

/// Calls `finish` with the sums over all rows of the terms of each column: one each, or two for gradients.
pub(super) fn sum_columns<R>(
    isa: Isa,
    (x, rows, n): (&[f32], usize, usize),
    terms: Terms<'_>,
    finish: impl FnOnce(&[f64]) -> R,
) -> Result<R> {
    if n == 0 {
        return Ok(finish(&[]));
    }
    let add = |rows: Range<usize>, sums: &mut [f64]| {
        let at = rows.start * n..rows.end * n;
        let x = &x[at.clone()];
        let terms = match terms {
            Terms::Gradients { dy, mean, inv_std } => {
                let dy = &dy[at];
                Terms::Gradients { dy, mean, inv_std }
            }
            Terms::RowGradients { dy, moments } => {
                let (dy, moments) = (&dy[at], &moments[rows]);
                Terms::RowGradients { dy, moments }
            }
            Terms::Values | Terms::Squares { .. } => terms,
        };
        dispatch(isa, ColumnSums { x, n, terms, sums });
    };
    let pair = matches!(terms, Terms::Gradients { .. } | Terms::RowGradients { .. });
    let width = n.saturating_mul(1 + usize::from(pair));
    sum_over_rows((rows, n), width, add, finish)
}

/// Element `i` of a parameter, or what stands for an absent one.
pub(super) fn element_or(parameter: Option<&Contiguous<'_>>, i: usize, absent: f32) -> f32 {
    parameter.map_or(absent, |parameter| parameter.as_slice()[i])
}

/// Calls `f` with `K` rows of scratch that hold the numbers of each of `n` columns.
fn with_columns<const K: usize>(
    n: usize,
    column: impl Fn(usize) -> [f32; K],
    f: impl FnOnce([&[f32]; K]),
) {
    with_scratch(K * n, |scratch| {
        for i in 0..n {
            for (k, value) in column(i).into_iter().enumerate() {
                scratch[k * n + i] = value;
            }
        }
        f(std::array::from_fn(|k| &scratch[k * n..(k + 1) * n]));
    });
}

/// `(x - mean - rest) * scale + bias`, the four being what `column` gives.
pub(super) fn normalise_columns(
    isa: Isa,
    x: &[f32],
    n: usize,
    column: impl Fn(usize) -> [f32; 4],
    out: &mut [f32],
) {
    if out.is_empty() {
        return;
    }
    with_columns(n, column, |[mean, rest, scale, bias]| {
        for_each_piece_of_rows(out, n, WEIGHT, |first, out| {
            let x = &x[first * n..first * n + out.len()];
            dispatch(
                isa,
                Forward {
                    x,
                    out,
                    n,
                    mean,
                    rest,
                    scale,
                    bias,
                },
            );
        });
    });
}

/// `(dy - offset - (x - mean - rest) * slope) * scale`, `column` giving mean, rest, scale, offset and slope.
pub(super) fn pull_columns(
    isa: Isa,
    [dy, x]: [&[f32]; 2],
    n: usize,
    column: impl Fn(usize) -> [f32; 5],
    out: &mut [f32],
) {
    if out.is_empty() {
        return;
    }
    with_columns(n, column, |[mean, rest, scale, offset, slope]| {
        for_each_piece_of_rows(out, n, WEIGHT, |first, out| {
            let at = first * n..first * n + out.len();
            let (dy, x) = (&dy[at.clone()], &x[at]);
            dispatch(
                isa,
                Backward {
                    dy,
                    x,
                    out,
                    n,
                    mean,
                    rest,
                    scale,
                    offset,
                    slope,
                },
            );
        });
    });
}
