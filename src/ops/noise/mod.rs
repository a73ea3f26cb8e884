//! Random numbers, and noise made of them.

mod alpha;
mod numbers;
mod perturb;
mod rates;

pub use alpha::{alpha_dropout, alpha_dropout_backward_into, alpha_dropout_into};
pub use numbers::{normal, normal_into, uniform, uniform_into};
pub(crate) use perturb::noise_numbers;
pub use perturb::{noise, noise_backward_into, noise_in_place, noise_into, noise_shared};
pub use rates::{dropout_rates, dropout_rates_backward_into};

use crate::exec::for_each_chunk;
use crate::kernels::elementwise::Binary;
use crate::kernels::noise::Noisy;
use crate::key::Key;
use crate::rng::{BLOCK, Law};
use crate::simd::{Isa, dispatch};

/// Cost of a random number against an element of a scaled copy.
const NUMBER_WEIGHT: usize = 3;

/// Combines an input, or what is in `out`, with the numbers of a key, on as many threads as the work is worth.
fn combine<L: Law, O: Binary>(
    isa: Isa,
    (key, law, op): (Key, L, O),
    x: Option<&[f32]>,
    out: &mut [f32],
) {
    for_each_chunk(out, NUMBER_WEIGHT, |start, out| {
        let x = x.map(|x| &x[start..start + out.len()]);
        // Chunks begin with a block.
        let block = (start / BLOCK) as u64;
        dispatch(
            isa,
            Noisy {
                key,
                block,
                law,
                op,
                x,
                out,
            },
        );
    });
}
