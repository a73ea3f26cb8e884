//! Squares cut out of images.

use std::ops::Range;

use crate::autograd::Var;
use crate::error::{Error, Result, check_number};
use crate::key::Key;
use crate::mask::Mask;
use crate::nn::layer::Layer;
use crate::nn::mode::Mode;
use crate::nn::pass::Pass;

/// Cutout (DeVries and Taylor 2017, <https://arxiv.org/abs/1708.04552>): in training each image of a batch
/// `[N, H, W, channels]` loses so many square holes, in all channels, whose centres lie anywhere in the image with equal
/// probability. What of a hole lies outside of the image is lost, so fewer than `holes * length^2` pixels are cut out on
/// average. Cut values are `+0.0`, and the others stay as they are: nothing is rescaled.
///
/// It changes the data of training, so in evaluation and in Monte-Carlo mode it is the identity, bit for bit. A
/// hole of an even length reaches one pixel further up and left of its centre than down and right, as in the paper's
/// program; of an odd length it is `length` pixels wide, where that program cuts one less.
///
/// The holes of image i of a batch are a function of the layer's key folded with i.
///
/// The paper's settings, one hole each: 16 for CIFAR-10, 8 for CIFAR-100, of images of 32 by 32.
///
/// ```
/// use elision::autograd::Tape;
/// use elision::nn::{Cutout, Layer, Pass};
/// use elision::{Key, Tensor};
/// let (cutout, images) = (Cutout::new(1, 8)?, Tensor::full(&[4, 32, 32, 3], 1.0)?);
/// let x = Tape::new().constant(images);
/// let cut = cutout.forward(&x, &Pass::train(Key::new(1), 0))?;
/// let zeros = cut.view().iter().filter(|&x| x == 0.0).count();
/// assert!(zeros > 0 && zeros <= 4 * 8 * 8 * 3);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutout {
    holes: usize,
    length: usize,
}

impl Cutout {
    /// So many holes of so many pixels in height and in width.
    ///
    /// # Errors
    /// [`Error::Number`] if there are none, or they have no pixels.
    pub fn new(holes: usize, length: usize) -> Result<Self> {
        check_number("holes of Cutout", holes as f64, holes > 0)?;
        check_number("length of a hole of Cutout", length as f64, length > 0)?;
        Ok(Self { holes, length })
    }

    /// The elements that stay, image after image.
    fn mask(&self, [height, width, channels]: [usize; 3], elements: usize, key: Key) -> Mask {
        let row = width * channels;
        let mut kept = vec![true; elements];
        for (i, image) in kept.chunks_exact_mut((height * row).max(1)).enumerate() {
            let key = key.fold_in(i as u64);
            for hole in 0..self.holes as u64 {
                let rows = self.covered(key.fold_in(2 * hole), height);
                let columns = self.covered(key.fold_in(2 * hole + 1), width);
                let columns = columns.start * channels..columns.end * channels;
                for row in image.chunks_exact_mut(row).take(rows.end).skip(rows.start) {
                    row[columns.clone()].fill(false);
                }
            }
        }
        Mask::from_bools(&kept)
    }

    /// What a hole covers of an axis.
    fn covered(&self, key: Key, size: usize) -> Range<usize> {
        let centre = key.below(size as u64) as usize;
        let before = self.length / 2;
        let end = centre.saturating_add(self.length - before);
        centre.saturating_sub(before)..end.min(size)
    }
}

impl Layer for Cutout {
    /// [`Error::Rank`] if the input is no batch of images.
    fn forward(&self, x: &Var, pass: &Pass) -> Result<Var> {
        let &[_, height, width, channels] = x.shape() else {
            return Err(Error::Rank {
                what: "input of Cutout",
                expected: 4,
                found: x.rank(),
            });
        };
        if pass.mode() != Mode::Train {
            return Ok(x.clone());
        }
        let mask = self.mask([height, width, channels], x.view().len(), pass.key());
        x.select(&mask, 1.0)
    }

    fn kind(&self) -> String {
        let Self { holes, length } = self;
        format!("Cutout of {holes} x {length} x {length}")
    }
}
