//! elision is a SIMD CPU tensor engine in which dropout costs nothing.
//!
//! Dropout masks are bits, drawn at many to the nanosecond from keyed xoshiro256++ streams, and fused into
//! whatever they follow: a dropout pass takes the time of a scaled copy, and a linear layer with bias, ReLU
//! and dropout the time of the matrix product. The probability is honoured exactly, and a mask is a function
//! of its key alone: the same on every machine, with any number of threads.
//!
//! # Dropout of anything that lies in memory
//!
//! ```
//! use elision::{Dropout, Key, Mask, View, ViewMut, ops};
//!
//! let x = vec![1.0_f32; 600];
//! let mut y = vec![0.0_f32; 600];
//! let dropout = Dropout::new(Key::new(42).fold_in(7), 0.1)?; // seed 42, layer 7
//! let mut mask = Mask::none(600);
//! let shape = [20, 30];
//! ops::dropout_into(
//!     View::contiguous(&x, &shape)?,
//!     &dropout,
//!     ViewMut::contiguous(&mut y, &shape)?,
//!     Some(&mut mask),
//! )?;
//! assert_eq!(y[0] == 0.0, mask.get(0) == Some(false));
//! # Ok::<(), elision::Error>(())
//! ```
//!
//! # A fused layer and its gradients
//!
//! ```
//! use elision::{Activation, Dropout, Epilogue, Key, Tensor, ops};
//!
//! let (x, w) = (Tensor::full(&[64, 100], 0.1)?, Tensor::full(&[50, 100], 0.02)?);
//! let bias = Tensor::zeros(&[50])?;
//! let layer = Epilogue {
//!     bias: Some(bias.view()),
//!     activation: Activation::Relu,
//!     dropout: Some(Dropout::new(Key::new(42), 0.5)?),
//! };
//! let (y, saved) = ops::linear(&x, &w, &layer)?;
//! let grads = ops::linear_backward(&y, &x, &w, &layer, &saved)?;
//! assert_eq!(grads.x.shape(), [64, 100]);
//! # Ok::<(), elision::Error>(())
//! ```
//!
//! # Training
//!
//! ```
//! use elision::nn::{Dropout, Linear, Sequential};
//! use elision::train::{Loss, Optimizer, OptimizerConfig, Rule, Target, Trainer};
//! use elision::{Activation, Key, Tensor};
//!
//! let key = Key::new(1);
//! let hidden = Linear::new(3, 64, key.named("hidden"))?.activation(Activation::Relu).dropout(0.5)?;
//! let model = Sequential::new()
//!     .with("input", Dropout::new(0.2)?)?
//!     .with("hidden", hidden)?
//!     .with("output", Linear::new(64, 2, key.named("output"))?)?;
//! let optimizer = Optimizer::new(OptimizerConfig::new(Rule::adam(), 1e-3))?;
//! let mut trainer = Trainer::new(model, optimizer, Loss::CrossEntropy { smoothing: 0.0 }, key);
//! let x = Tensor::from_slice(&[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], &[2, 3])?;
//! let batch = trainer.step(&x, &Target::Labels(&[0, 1]))?;
//! assert!(batch.loss.is_finite());
//! # Ok::<(), elision::Error>(())
//! ```
//!
//! # Instruction sets
//!
//! The best of AVX-512, AVX2 and the portable backend is chosen when the program runs; no compiler flag is
//! needed. `ELISION_MAX_ISA=scalar|portable|avx2|avx512` caps the choice, [`Isa::install`] makes it for a
//! closure. Everything but matrix products gives the same bits on all of them.
//!
//! # Threads
//!
//! Work that is large enough is shared on the ambient rayon pool: the global one, or the one whose `install`
//! you are in. The library never builds or resizes a pool, and the number of threads never changes a result.
//!
//! # Errors
//!
//! Operations return a [`Result`] and never panic on their arguments; a call that fails has written nothing
//! to your memory.
//!
//! # Minimum Rust version
//!
//! 1.89, which `wide` and the AVX-512 intrinsics need.
//!
//! # Features
//!
//! `safetensors`, on by default: a [`train::Checkpoint`] as bytes and as a file. Without it checkpoints stay in
//! memory, and the crates `safetensors`, `serde` and `serde_json` are not built.

mod activation;
pub mod autograd;
mod dropout;
mod epilogue;
pub mod error;
mod exec;
mod kernels;
mod key;
mod mask;
pub mod nn;
mod noise;
pub mod ops;
pub mod reference;
mod rng;
pub mod simd;
mod tensor;
pub mod train;

pub use activation::Activation;
pub use dropout::{Channels, DropBlock, Dropout, Form, Where};
pub use epilogue::{Epilogue, UnitEpilogue};
pub use error::{CheckpointFault, Error, Result};
pub use kernels::gemm::Blocking;
pub use key::Key;
pub use mask::{BlockMask, Kept, Mask, SharedMask, UnitMask};
pub use noise::{AlphaDropout, Noise};
pub use simd::{Isa, Level};
pub use tensor::{Dims, Iter, MAX_RANK, Tensor, View, ViewMut, broadcast_shapes};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
