//! A kernel with a helper that is not inlined into its trampoline.

use elision::Isa;
use elision::simd::{Kernel, LANES, Simd, dispatch};

struct Plant<'a>(&'a mut [f32]);

impl Kernel for Plant<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let (blocks, _) = self.0.as_chunks_mut::<LANES>();
        blocks.iter_mut().for_each(|block| helper(simd, block));
    }
}

/// Compiled on its own, and so without the trampoline's instruction set.
#[inline(never)]
fn helper<S: Simd>(simd: S, block: &mut [f32; LANES]) {
    let x = simd.load(block);
    simd.store(simd.add(x, simd.sqrt(x)), block);
}

fn main() {
    let mut x = [2.0; 64];
    for &isa in Isa::available() {
        dispatch(isa, Plant(&mut x));
    }
    println!("{}", x[0]);
}
