//! One thread's part of a pass of dropout.
//!
//! The bits of one group are drawn while another's elements are on their way from memory. With the 16 registers of AVX2,
//! the comparison's generator and the constants that spread bits over lanes throw each other out to the stack, and each
//! draw waits for the last one's stores: there, the bits of some blocks are drawn first, in a kernel of their own, and
//! applied then.

use crate::kernels::dropout::{Draw, Forward};
use crate::kernels::select::{Apply, Each};
use crate::rng::BLOCK;
use crate::simd::{Isa, Level, dispatch};

/// Elements whose bits are drawn at a time: 2 KiB of them stay in the first-level cache. Every start of a stream makes one
/// generator too many, which is a fortieth of four blocks' time.
const PIECE: usize = 4 * BLOCK;

/// Draws and applies the bits of a part; they are kept if it has words for them.
pub(super) fn forward(isa: Isa, part: Forward<'_>) {
    let crowded = isa.level() == Level::Avx2 && part.stream.bernoulli.compares();
    if !crowded || part.out.len() < BLOCK {
        return dispatch(isa, part);
    }
    in_two(isa, part);
}

/// Draws the bits of some blocks, applies them, and goes on.
fn in_two(isa: Isa, part: Forward<'_>) {
    let Forward {
        stream,
        x,
        out,
        mut words,
        scale,
    } = part;
    for (i, out) in out.chunks_mut(PIECE).enumerate() {
        let (start, len) = (i * PIECE, out.len());
        let mut own = [0; PIECE / 64];
        let words = match &mut words {
            Some(kept) => &mut kept[start / 64..],
            None => &mut own[..],
        };
        let words = &mut words[..len.div_ceil(64)];
        let stream = stream.skip(start);
        dispatch(isa, Draw { stream, words, len });
        let apply = Apply {
            x: x.map(|x| &x[start..start + len]),
            out,
            bits: Each { words, at: 0 },
            scale,
        };
        dispatch(isa, apply);
    }
}
