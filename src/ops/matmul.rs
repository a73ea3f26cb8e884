//! Matrix products.

use crate::error::{Error, Result};
use crate::exec::{Job, current_isa, product};
use crate::kernels::gemm::{Operand, Output, Right, Skip, TileEpilogue};
use crate::ops::check::{check_rank, check_shape};
use crate::ops::elementwise::copy_into;
use crate::simd::Isa;
use crate::tensor::matrix::{Matrix, MatrixMut};
use crate::tensor::{Tensor, View, ViewMut};

/// `a * b` for `a` of shape `[m, k]` and `b` of shape `[k, n]`: shape `[m, n]`. A transposed operand is
/// a transposed view, which costs nothing.
///
/// Each element is a sum of k products with an error of at most `2 * k * 2^-24` times the sum of their
/// magnitudes. The bits of the result do not depend on the number of threads; between instruction sets
/// they may differ.
///
/// ```
/// use elision::{Tensor, ops};
/// let a = Tensor::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
/// let square = ops::matmul(&a, a.view().transpose(0, 1)?)?;
/// assert_eq!(square.as_slice(), [14.0, 32.0, 32.0, 77.0]);
/// # Ok::<(), elision::Error>(())
/// ```
///
/// # Errors
/// [`Error::Rank`] if an operand is not a matrix, [`Error::Shape`] if the inner dimensions differ,
/// [`Error::Overflow`] if the result does not fit in memory.
pub fn matmul<'a, 'b>(a: impl Into<View<'a>>, b: impl Into<View<'b>>) -> Result<Tensor> {
    let (a, b) = (a.into(), b.into());
    let (m, n, _) = check_product(a, b)?;
    let mut out = Tensor::zeros(&[m, n])?;
    matmul_into(a, b, &mut out)?;
    Ok(out)
}

/// [`matmul`] into given memory.
///
/// # Errors
/// As [`matmul`], and [`Error::Shape`] if `out` is not `[m, n]`.
pub fn matmul_into<'a, 'b, 'c>(
    a: impl Into<View<'a>>,
    b: impl Into<View<'b>>,
    out: impl Into<ViewMut<'c>>,
) -> Result<()> {
    let (a, b, out) = (a.into(), b.into(), out.into());
    let (m, n, depth) = check_product(a, b)?;
    check_shape("output of matmul", &[m, n], out.shape())?;
    let factors = Factors {
        a: operand(a),
        b: Right::Loose(operand(b)),
        depth,
        skip: None,
    };
    product_into(current_isa()?, factors, TileEpilogue::default(), out)
}

/// The operands of a product: `m x depth` and `depth x n`.
#[derive(Clone, Copy)]
pub(super) struct Factors<'a> {
    pub(super) a: Operand<'a>,
    pub(super) b: Right<'a>,
    pub(super) depth: usize,
    /// Blocks that may be left out.
    pub(super) skip: Option<Skip<'a>>,
}

/// Computes a product into memory of any strides.
pub(super) fn product_into(
    isa: Isa,
    factors: Factors<'_>,
    epilogue: TileEpilogue<'_>,
    mut out: ViewMut<'_>,
) -> Result<()> {
    let (rows, cols) = (out.shape()[0], out.shape()[1]);
    if let Some(c) = matrix_mut(&mut out) {
        finish_product(isa, factors, epilogue, Output::only(c));
        return Ok(());
    }
    let mut copy = Tensor::zeros(&[rows, cols])?;
    let c = MatrixMut::new(copy.as_mut_slice(), rows, cols, cols);
    let c = c.ok_or(Error::Overflow("output of a product"))?;
    finish_product(isa, factors, epilogue, Output::only(c));
    copy_into(&copy, out)
}

/// Computes a product and what follows it.
pub(super) fn finish_product(
    isa: Isa,
    factors: Factors<'_>,
    epilogue: TileEpilogue<'_>,
    output: Output<'_>,
) {
    let Factors { a, b, depth, skip } = factors;
    product(
        isa,
        Job {
            a,
            b,
            depth,
            output,
            epilogue,
            skip,
        },
    );
}

/// A rank-2 view as the kernels see it.
pub(super) fn operand(view: View<'_>) -> Operand<'_> {
    let (shape, strides) = (view.shape(), view.strides());
    // The stride of an axis of length 1 is never used; call it contiguous.
    let col_stride = if shape[1] == 1 { 1 } else { strides[1] };
    let row_stride = if shape[0] == 1 && col_stride != 1 {
        1
    } else {
        strides[0]
    };
    Operand::whole(Matrix {
        data: view.data(),
        row_stride,
        col_stride,
    })
}

/// A rank-2 view with contiguous rows as the kernels see it; `None` for other strides.
pub(super) fn matrix_mut<'a>(view: &'a mut ViewMut<'_>) -> Option<MatrixMut<'a>> {
    let (rows, cols) = (view.shape()[0], view.shape()[1]);
    let (row_stride, col_stride) = (view.strides()[0], view.strides()[1]);
    if rows == 0 || cols == 0 {
        return MatrixMut::new(&mut [], rows, cols, cols);
    }
    if col_stride != 1 && cols > 1 {
        return None;
    }
    MatrixMut::new(view.data_mut(), rows, cols, row_stride)
}

/// Rows, columns and depth of a product.
pub(super) fn check_product(a: View<'_>, b: View<'_>) -> Result<(usize, usize, usize)> {
    check_rank("left operand of a product", a, 2)?;
    check_rank("right operand of a product", b, 2)?;
    let (m, k, n) = (a.shape()[0], a.shape()[1], b.shape()[1]);
    check_shape("right operand of a product", &[k, n], b.shape())?;
    Ok((m, n, k))
}
