//! Several products of one size. Where there are as many as threads, each stays whole and they are shared;
//! fewer run one after another, and each is shared.

use rayon::prelude::*;

use super::product::{GRAIN, Job, product, product_alone};
use crate::kernels::gemm::{Operand, Output, Right, TileEpilogue};
use crate::simd::Isa;
use crate::tensor::matrix::MatrixMut;

/// The operands of products of one size.
pub(crate) struct Batch<F> {
    /// Rows of each C.
    pub(crate) m: usize,
    /// Columns of each C.
    pub(crate) n: usize,
    /// Columns of each A and rows of each B.
    pub(crate) depth: usize,
    /// A and B of the product with that number.
    pub(crate) operands: F,
}

/// Computes products whose results lie one after another in `out`, as many as fit.
pub(crate) fn products<'a, F>(isa: Isa, batch: &Batch<F>, out: &mut [f32])
where
    F: Fn(usize) -> (Operand<'a>, Operand<'a>) + Sync,
{
    let Batch { m, n, depth, .. } = *batch;
    let len = m * n;
    if len == 0 {
        return;
    }
    let count = out.len() / len;
    let least = GRAIN.div_ceil(len.saturating_mul(depth).max(1));
    if whole_tasks(count, least, rayon::current_num_threads()) {
        let results = out.par_chunks_mut(len).enumerate().with_min_len(least);
        results.for_each(|(i, c)| product_alone(isa, batch.job(i, c)));
    } else {
        let results = out.chunks_mut(len).enumerate();
        results.for_each(|(i, c)| product(isa, batch.job(i, c)));
    }
}

/// Whether `count` products are shared as wholes, if `least` of them are worth a task.
fn whole_tasks(count: usize, least: usize, threads: usize) -> bool {
    threads > 1 && count >= threads && count / 2 >= least
}

impl<'a, F: Fn(usize) -> (Operand<'a>, Operand<'a>)> Batch<F> {
    /// The product with number `i`, whose result is `c`.
    fn job<'m>(&self, i: usize, c: &'m mut [f32]) -> Job<'a, 'm> {
        let Some(c) = MatrixMut::new(c, self.m, self.n, self.n) else {
            unreachable!("a chunk holds a product")
        };
        let (a, b) = (self.operands)(i);
        Job {
            a,
            b: Right::Loose(b),
            depth: self.depth,
            output: Output::only(c),
            epilogue: TileEpilogue::default(),
            skip: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_shared_where_it_has_a_product_for_each_thread() {
        assert!(whole_tasks(8, 1, 8));
        assert!(!whole_tasks(7, 1, 8));
        assert!(!whole_tasks(8, 1, 1));
        assert!(!whole_tasks(8, 5, 2), "too little work for two tasks");
    }
}
