//! Inference with weights that were packed once.

use super::forward::Forward;
use crate::epilogue::Epilogue;
use crate::error::{Error, Result};
use crate::exec::current_isa;
use crate::kernels::gemm::{PackPanels, Panels, Right, panels_len};
use crate::ops::check::{Contiguous, check_rank, check_shape};
use crate::ops::elementwise::copy_into;
use crate::ops::linear::check_epilogue;
use crate::ops::matmul::{Factors, operand};
use crate::simd::{Isa, dispatch};
use crate::tensor::{Tensor, View, ViewMut};

/// The weights of a linear layer in the order in which products read them, for weights that serve many
/// batches. They keep the instruction set that they were packed for.
///
/// ```
/// use elision::{Epilogue, Tensor, ops};
/// let (x, w) = (Tensor::full(&[3, 20], 0.5)?, Tensor::full(&[10, 20], 0.1)?);
/// let packed = ops::PackedWeights::new(&w)?;
/// let y = ops::linear_packed(&x, &packed, &Epilogue::default())?;
/// assert_eq!(y, ops::linear(&x, &w, &Epilogue::default())?.0);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct PackedWeights {
    panels: Tensor,
    outputs: usize,
    inputs: usize,
    isa: Isa,
}

impl PackedWeights {
    /// Packs weights of shape `[n, k]`, of any strides. The copy has room for n rounded up to whole tiles.
    ///
    /// # Errors
    /// [`Error::Rank`] if they are not a matrix, [`Error::Overflow`] if the copy does not fit in memory.
    pub fn new<'a>(w: impl Into<View<'a>>) -> Result<Self> {
        let w = w.into();
        check_rank("weights of linear", w, 2)?;
        let (outputs, inputs) = (w.shape()[0], w.shape()[1]);
        let isa = current_isa()?;
        let len = panels_len(isa.level(), outputs, inputs);
        let mut panels = Tensor::zeros(&[len.ok_or(Error::Overflow("packed weights"))?])?;
        let kernel = PackPanels {
            b: operand(w).transposed(),
            cols: outputs,
            depth: inputs,
            out: panels.as_mut_slice(),
        };
        dispatch(isa, kernel);
        Ok(Self {
            panels,
            outputs,
            inputs,
            isa,
        })
    }

    /// The shape of the weights, `[n, k]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.outputs, self.inputs]
    }

    /// The instruction set that they are packed for, and that products with them use.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }
}

/// [`linear`](crate::ops::linear) with packed weights, for inference (with dropout, for Monte-Carlo
/// inference): the same bits, and nothing is kept for a backward pass.
///
/// # Errors
/// As [`linear`](crate::ops::linear).
pub fn linear_packed<'a>(
    x: impl Into<View<'a>>,
    w: &PackedWeights,
    epilogue: &Epilogue<'_>,
) -> Result<Tensor> {
    let x = x.into();
    let shape = check_packed(x, w, epilogue)?;
    let mut out = Tensor::zeros(&shape)?;
    linear_packed_into(x, w, epilogue, &mut out)?;
    Ok(out)
}

/// [`linear_packed`] into given memory.
///
/// # Errors
/// As [`linear_packed`], and [`Error::Shape`] if `out` is not `[m, n]`.
pub fn linear_packed_into<'a, 'b>(
    x: impl Into<View<'a>>,
    w: &PackedWeights,
    epilogue: &Epilogue<'_>,
    out: impl Into<ViewMut<'b>>,
) -> Result<()> {
    let (x, mut out) = (x.into(), out.into());
    let shape = check_packed(x, w, epilogue)?;
    check_shape("output of linear", &shape, out.shape())?;
    let bias = epilogue.bias.map(Contiguous::new).transpose()?;
    let Some(y) = out.as_mut_slice() else {
        let mut copy = Tensor::zeros(&shape)?;
        linear_packed_into(x, w, epilogue, &mut copy)?;
        return copy_into(&copy, out);
    };
    let panels = Panels {
        data: w.panels.as_slice(),
        cols: w.outputs,
    };
    let layer = Forward {
        isa: w.isa,
        factors: Factors {
            a: operand(x),
            b: Right::Packed(panels),
            depth: w.inputs,
            skip: None,
        },
        epilogue,
        bias: bias.as_ref().map(Contiguous::as_slice),
        shape,
    };
    layer.run(y, None)
}

/// The shape of the output.
fn check_packed(x: View<'_>, w: &PackedWeights, epilogue: &Epilogue<'_>) -> Result<[usize; 2]> {
    check_rank("left operand of a product", x, 2)?;
    let rows = x.shape()[0];
    check_shape("left operand of a product", &[rows, w.inputs], x.shape())?;
    check_epilogue(epilogue, rows, w.outputs)?;
    Ok([rows, w.outputs])
}
