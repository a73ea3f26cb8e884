//! Dropout of blocks of a map and of attention heads.

use crate::autograd::Var;
use crate::dropout::{self, check_probability};
use crate::error::Result;
use crate::mask::{Mask, SharedMask};
use crate::nn::layer::Layer;
use crate::nn::pass::Pass;
use crate::ops::check_head_rate;

/// `DropBlock` (Ghiasi et al. 2018) in training and Monte-Carlo mode; the identity, bit for bit, in evaluation.
///
/// The geometry is [`crate::DropBlock`], which has the formulas and the paper's values.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{DropBlock, Layer, Pass};
/// use elision::{Key, Tensor};
/// let layer = DropBlock::new(0.1, elision::DropBlock::new(7)?)?;
/// let x = Tape::new().constant(Tensor::full(&[2, 14, 14, 8], 1.0)?);
/// let y = layer.forward(&x, &Pass::train(Key::new(1), 0))?.to_tensor()?;
/// assert!(y.as_slice().iter().any(|&y| y == 0.0));
/// assert_eq!(layer.forward(&x, &Pass::eval())?.to_tensor()?, x.to_tensor()?);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DropBlock {
    p: f64,
    block: dropout::DropBlock,
}

impl DropBlock {
    /// Drops about the share `p` of each map in such blocks.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none.
    pub fn new(p: f64, block: dropout::DropBlock) -> Result<Self> {
        let p = check_probability(p)?;
        Ok(Self { p, block })
    }
}

impl Layer for DropBlock {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        match pass.dropout(self.p)? {
            Some(dropout) => {
                let y = x.drop_block(&self.block, &dropout)?;
                let noise_shape = self.block.noise_shape(x.shape())?;
                pass.note_mask(self.p, noise_shape[noise_shape.len() - 1], || {
                    let mask = SharedMask::draw_blocks(&self.block, &dropout, x.shape())?;
                    Ok(mask.mask().clone())
                })?;
                Ok(y)
            }
            None => Ok(x.clone()),
        }
    }

    fn kind(&self) -> String {
        let common = if self.block.is_coupled() {
            ", all channels"
        } else {
            ""
        };
        format!("DropBlock {}{common}", self.block.block())
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        self.p = check_probability(p)?;
        Ok(())
    }
}

/// Dropout of whole attention heads (Zhou et al. 2020), axis 1 of `[samples, heads, …]`, in training and Monte-Carlo mode;
/// the identity, bit for bit, in evaluation. Each sample keeps one head at least, and its kept heads are multiplied by
/// the number of heads over that of the kept ones.
///
/// As we recall it, the paper lowers the rate to 0 in the first part of training and raises it again.
///
/// ```
/// use elision::nn::{DropHead, Layer};
/// assert_eq!(DropHead::new(0.2)?.rate(), Some(0.2));
/// assert!(DropHead::new(1.0).is_err());
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct DropHead {
    p: f64,
}

impl DropHead {
    /// Drops each head with probability `p`.
    ///
    /// # Errors
    /// [`Error::Probability`](crate::Error::Probability) if `p` is none, [`Error::Number`](crate::Error::Number) if it is
    /// 1: no head could be kept.
    pub fn new(p: f64) -> Result<Self> {
        let mut layer = Self { p: 0.0 };
        layer.set_rate(p)?;
        Ok(layer)
    }
}

impl Layer for DropHead {
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        match pass.dropout(self.p)? {
            Some(dropout) => {
                let y = x.drop_heads(&dropout)?;
                let (samples, heads) = (x.shape()[0], x.shape()[1]);
                pass.note_mask(self.p, heads, || Mask::draw_heads(&dropout, samples, heads))?;
                Ok(y)
            }
            None => Ok(x.clone()),
        }
    }

    fn kind(&self) -> String {
        "DropHead".to_owned()
    }

    fn rate(&self) -> Option<f64> {
        Some(self.p)
    }

    fn set_rate(&mut self, p: f64) -> Result<()> {
        let p = check_probability(p)?;
        check_head_rate(p)?;
        self.p = p;
        Ok(())
    }
}
