//! Checkpoints: what a training run needs to go on elsewhere, or later.

#[cfg(feature = "safetensors")]
mod file;
#[cfg(feature = "safetensors")]
mod format;

use std::collections::{BTreeMap, BTreeSet};
#[cfg(feature = "safetensors")]
use std::path::Path;

use crate::error::{CheckpointFault, Error, Result};
use crate::nn::Layer;
use crate::tensor::Tensor;

/// What the names of a model's tensors start with.
const MODEL: &str = "model.";

/// Tensors and words by name. The parameters and state of a model go by `model.` and their path.
///
/// ```
/// use elision::nn::Linear;
/// use elision::{Key, train::Checkpoint};
/// let trained = Linear::new(3, 2, Key::new(1))?;
/// let mut fresh = Linear::new(3, 2, Key::new(2))?;
/// let checkpoint = Checkpoint::of_model(&trained);
/// assert_eq!(checkpoint.tensors["model.weight"].shape(), [2, 3]);
/// checkpoint.apply(&mut fresh)?;
/// assert_eq!(Checkpoint::of_model(&fresh), checkpoint);
/// # Ok::<(), elision::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The tensors.
    pub tensors: BTreeMap<String, Tensor>,
    /// The words.
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// A copy of all parameters and state of a model.
    #[must_use]
    pub fn of_model(model: &dyn Layer) -> Self {
        let all = model.named_parameters().into_iter();
        let tensors = all.map(|(path, own)| (format!("{MODEL}{path}"), own.value().clone()));
        Self {
            tensors: tensors.collect(),
            metadata: BTreeMap::new(),
        }
    }

    /// Puts the tensors `model.<path>` in the place of the model's parameters and state. Other tensors may be there
    /// and are left out.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] with [`CheckpointFault::Missing`], [`CheckpointFault::Shape`]
    /// or [`CheckpointFault::Unknown`] unless the checkpoint has all parameters of the model, in their shapes, and no
    /// other; the model is then unchanged.
    pub fn apply(&self, model: &mut dyn Layer) -> Result<()> {
        let names = self.tensors.keys().filter(|name| name.starts_with(MODEL));
        let mut unknown: BTreeSet<&str> = names.map(String::as_str).collect();
        // The same walk as below: a layer whose two lists differ cannot be changed in part.
        model.for_each_parameter_mut(&mut |path, own| {
            let name = format!("{MODEL}{path}");
            self.parameter(&name, own.value().shape())?;
            unknown.remove(name.as_str());
            Ok(())
        })?;
        if let Some(name) = unknown.first() {
            let fault = CheckpointFault::Unknown((*name).to_owned());
            return Err(Error::Checkpoint(fault));
        }
        model.for_each_parameter_mut(&mut |path, own| {
            let value = self.parameter(&format!("{MODEL}{path}"), own.value().shape())?;
            own.set(value.clone())
        })
    }

    /// The tensor of this name, if it has this shape.
    fn parameter(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        let missing = || Error::Checkpoint(CheckpointFault::Missing(name.to_owned()));
        let value = self.tensors.get(name).ok_or_else(missing)?;
        if value.shape() == shape {
            return Ok(value);
        }
        Err(Error::Checkpoint(CheckpointFault::Shape {
            tensor: name.to_owned(),
            expected: shape.into(),
            found: value.shape().into(),
        }))
    }
}

/// With the feature `safetensors`.
#[cfg(feature = "safetensors")]
impl Checkpoint {
    /// The content of a file in the [safetensors](https://github.com/huggingface/safetensors) format. Equal
    /// checkpoints give equal bytes.
    ///
    /// # Errors
    /// [`CheckpointFault::Format`] if a tensor has the name `__metadata__`, which the format keeps for itself, or if
    /// the names take more than the 100 MB that the format allows; [`Error::Overflow`] if
    /// there is no memory for the bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        format::write(self)
    }

    /// The checkpoint in the bytes of a safetensors file, whoever wrote it. The memory used is bounded by the number
    /// of bytes given, never by a number in them.
    ///
    /// # Errors
    /// [`CheckpointFault::Format`] if they are not exactly one whole file with distinct names, or a tensor has more
    /// axes than [`MAX_RANK`](crate::MAX_RANK); [`CheckpointFault::Dtype`] if a tensor is not of 32-bit
    /// floating-point numbers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        format::read(bytes)
    }

    /// Writes [`to_bytes`](Self::to_bytes) to a file, such that the path names the old file or the new one, whole,
    /// whatever stops the program or the machine: they are written to `<path>.tmp`, flushed to the disk and renamed.
    /// What an earlier save left at `<path>.tmp` because it was killed is replaced. Saves to one path are to be made
    /// one after the other.
    ///
    /// ```
    /// use elision::{nn::Linear, Key, train::Checkpoint};
    /// let path = std::env::temp_dir().join(format!("elision-{}.safetensors", std::process::id()));
    /// let checkpoint = Checkpoint::of_model(&Linear::new(3, 2, Key::new(1))?);
    /// checkpoint.save(&path)?;
    /// assert_eq!(Checkpoint::load(&path)?, checkpoint);
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok::<(), elision::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `to_bytes`, and [`Error::Io`]. The old file is then as it was, and nothing is left
    /// beside it, with one exception: if only the flush of the folder fails, the last step, the new file is in place,
    /// but may not survive the machine's power.
    pub fn save(&self, path: &Path) -> Result<()> {
        file::replace(path, &self.to_bytes()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// Those of [`from_bytes`](Self::from_bytes), and [`Error::Io`].
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(&file::read(path)?)
    }
}
