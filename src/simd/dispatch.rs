//! Detection, trampolines and dispatch.
#![allow(
    unsafe_code,
    reason = "calling a #[target_feature] function after detection"
)]

use super::{Isa, Level, Portable, Scalar, Simd};

/// Work that is generic over the instruction set; `run` must be `#[inline(always)]`.
pub trait Kernel {
    /// What [`run`](Kernel::run) returns.
    type Output;
    /// Does the work with the given token's instructions.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// Writes one feature list twice: as the detection and as the trampoline's attribute.
#[cfg(target_arch = "x86_64")]
macro_rules! instruction_set {
    ($detect:ident, $trampoline:ident, $token:ty, [$($feature:tt),+]) => {
        fn $detect() -> bool {
            $(std::arch::is_x86_feature_detected!($feature))&&+
        }

        /// # Safety
        /// - the processor has every feature of the list, as the detection beside it finds out
        #[target_feature($(enable = $feature),+)]
        unsafe fn $trampoline<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: the caller vouches for the features, of which the token is the proof.
            kernel.run(unsafe { <$token>::new_unchecked() })
        }
    };
}

#[cfg(target_arch = "x86_64")]
instruction_set!(has_avx2, under_avx2, super::Avx2, ["avx2", "fma"]);
#[cfg(target_arch = "x86_64")]
instruction_set!(
    has_avx512,
    under_avx512,
    super::Avx512,
    ["avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"]
);

/// Whether this processor has that level.
pub(super) fn has(level: Level) -> bool {
    match level {
        Level::Scalar | Level::Portable => true,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => has_avx2(),
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => has_avx512(),
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2 | Level::Avx512 => false,
    }
}

/// Runs a kernel with the instructions of `isa`. Call it once for each chunk of work, never in a loop
/// over elements.
pub fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    match isa.level() {
        Level::Scalar => kernel.run(Scalar),
        Level::Portable => kernel.run(Portable),
        // SAFETY: an `Isa` of this level exists only if detection found the features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { under_avx2(kernel) },
        // SAFETY: an `Isa` of this level exists only if detection found the features.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { under_avx512(kernel) },
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2 | Level::Avx512 => unreachable!("no `Isa` of this level exists here"),
    }
}
