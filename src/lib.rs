//! elision
#![allow(missing_docs)]
mod dropout;
pub mod error;
mod kernels;
mod key;
mod mask;
pub mod reference;
mod rng;
pub mod simd;
pub use dropout::{Dropout, Form};
pub use error::{Error, Result};
pub use key::Key;
pub use mask::{Kept, Mask};
pub use simd::{Isa, Level};

#[doc(hidden)]
pub mod sketch {
    use crate::kernels::dropout::*;
    use crate::*;
    pub fn draw(isa: Isa, key: Key, p: f64, words: &mut [u64]) {
        let len = words.len() * 64;
        simd::dispatch(isa, Draw { stream: Stream { key, bernoulli: rng::Bernoulli::new(p), first: 0 }, words, len });
    }
    pub fn forward(isa: Isa, key: Key, p: f64, x: &[f32], out: &mut [f32], words: Option<&mut [u64]>) {
        simd::dispatch(isa, Forward { stream: Stream { key, bernoulli: rng::Bernoulli::new(p), first: 0 }, x: Some(x), out, words, scale: 2.0 });
    }
    pub fn apply(isa: Isa, x: &[f32], out: &mut [f32], words: &[u64]) {
        simd::dispatch(isa, Apply { x: Some(x), out, words, offset: 0, scale: 2.0 });
    }
    struct Copy<'a>(&'a [f32], &'a mut [f32]);
    impl simd::Kernel for Copy<'_> {
        type Output = ();
        #[inline(always)]
        fn run<S: simd::Simd>(self, s: S) {
            let c = s.splat(2.0);
            for (x, o) in self.0.as_chunks::<16>().0.iter().zip(self.1.as_chunks_mut::<16>().0) {
                s.store(s.mul(s.load(x), c), o);
            }
        }
    }
    pub fn copy(isa: Isa, x: &[f32], out: &mut [f32]) {
        simd::dispatch(isa, Copy(x, out));
    }
}
