//! Reverse-mode differentiation, define-by-run.
//!
//! A [`Tape`] notes operations on [`Var`]s as they run; [`Var::backward`] walks the notes from the last to the first.
//! Each operation states its forward and its backward pass in one place, in `src/autograd/ops`, and keeps for
//! the second as little as it can: masks as bits, or their keys; after ReLU and dropout one bit an element;
//! values that are alive anyway by reference. `docs/autograd.md` explains the whole on a page.
//!
//! ```
//! use elision::autograd::{Fused, Parameter, Tape};
//! use elision::{Activation, Tensor};
//!
//! let mut w = Parameter::new(Tensor::from_slice(&[0.5, -0.5, 0.1, 0.2], &[2, 2])?);
//! let tape = Tape::new();
//! let x = tape.constant(Tensor::from_slice(&[1.0, 2.0], &[1, 2])?);
//! let fused = Fused { activation: Activation::Relu, dropout: None };
//! let logits = x.linear(&tape.parameter(&w)?, None, &fused)?;
//! let gradients = logits.cross_entropy(&[1], 0.0)?.backward()?;
//! let step = gradients.get(&w).unwrap().to_tensor()?;
//! for (w, g) in w.value_mut().as_mut_slice().iter_mut().zip(step.as_slice()) {
//!     *w -= 0.1 * g;
//! }
//! # Ok::<(), elision::Error>(())
//! ```

mod backward;
mod checkpoint;
mod gradients;
mod ops;
mod parameter;
mod pool;
mod saves;
mod tape;
mod value;
mod var;

pub use backward::{InputGradients, Step};
pub use gradients::Gradients;
pub use ops::Fused;
pub use parameter::{LeafId, Parameter};
pub use pool::Buffer;
pub use saves::{KeptBytes, Saves};
pub use tape::{Note, Tape};
pub use value::Value;
pub use var::Var;
