//! Cutting elementwise work into chunks and sharing them.

use rayon::prelude::*;

/// Elements of a scaled copy that are worth a task of their own: some 4 microseconds of work, against
/// about one for handing it over.
const GRAIN: usize = 32_768;
/// Chunks begin at multiples of this, so that each owns whole words of a mask and whole blocks.
const ALIGN: usize = 4096;
/// Chunks for each thread, so that a thread that is late can be helped.
const CHUNKS_PER_THREAD: usize = 4;

/// How many elements of `len` one task takes with `threads` threads, if an element costs as much as
/// `weight` elements of a scaled copy: a multiple of 4,096, or `len` where sharing does not pay.
#[must_use]
pub(crate) fn chunk_len(len: usize, weight: usize, threads: usize) -> usize {
    let grain = (GRAIN / weight.max(1)).max(ALIGN);
    if threads < 2 || len < 2 * grain {
        return len.max(1);
    }
    let fair = len.div_ceil(threads.saturating_mul(CHUNKS_PER_THREAD));
    fair.max(grain).next_multiple_of(ALIGN)
}

/// Calls `f(start, chunk)` for chunks of `out`, on as many threads as the work is worth.
pub(crate) fn for_each_chunk<T: Send>(
    out: &mut [T],
    weight: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    let chunk = chunk_len(out.len(), weight, rayon::current_num_threads());
    if chunk >= out.len() {
        return f(0, out);
    }
    out.par_chunks_mut(chunk)
        .enumerate()
        .for_each(|(i, out)| f(i * chunk, out));
}

/// The same for few elements that each cost as much as `weight` elements of a scaled copy: chunks begin at
/// multiples of `tile`, which may be 1.
pub(crate) fn for_each_heavy_chunk<T: Send>(
    out: &mut [T],
    weight: usize,
    tile: usize,
    f: impl Fn(usize, &mut [T]) + Sync,
) {
    let work = out.len().saturating_mul(weight);
    let chunk = chunk_len(work, 1, rayon::current_num_threads()).div_ceil(weight.max(1));
    let chunk = chunk.next_multiple_of(tile);
    if chunk >= out.len() {
        return f(0, out);
    }
    let chunks = out.par_chunks_mut(chunk).enumerate();
    chunks.for_each(|(i, out)| f(i * chunk, out));
}

/// The same for elements and the words that hold a bit for each.
pub(crate) fn for_each_chunk_pair(
    out: &mut [f32],
    words: &mut [u64],
    weight: usize,
    f: impl Fn(usize, &mut [f32], &mut [u64]) + Sync,
) {
    let chunk = chunk_len(out.len(), weight, rayon::current_num_threads());
    if chunk >= out.len() {
        return f(0, out, words);
    }
    let pieces = out
        .par_chunks_mut(chunk)
        .zip(words.par_chunks_mut(chunk / 64));
    pieces
        .enumerate()
        .for_each(|(i, (out, words))| f(i * chunk, out, words));
}

/// The same for `N` arrays that change, read beside one that does not; all have the same length.
pub(crate) fn for_each_zip<const N: usize>(
    changed: [&mut [f32]; N],
    read: &[f32],
    f: impl Fn([&mut [f32]; N], &[f32]) + Sync,
) {
    let chunk = chunk_len(read.len(), N, rayon::current_num_threads());
    zip_halves(changed, read, chunk, &f);
}

fn zip_halves<const N: usize>(
    changed: [&mut [f32]; N],
    read: &[f32],
    chunk: usize,
    f: &(impl Fn([&mut [f32]; N], &[f32]) + Sync),
) {
    if read.len() <= chunk {
        return f(changed, read);
    }
    let at = (read.len().div_ceil(chunk) / 2) * chunk;
    let (left, right) = read.split_at(at);
    let (first, rest) = split_each(changed, at);
    rayon::join(
        || zip_halves(first, left, chunk, f),
        || zip_halves(rest, right, chunk, f),
    );
}

/// Each slice up to `at`, and each from there on.
pub(super) fn split_each<const N: usize>(
    slices: [&mut [f32]; N],
    at: usize,
) -> ([&mut [f32]; N], [&mut [f32]; N]) {
    let mut halves = slices.map(|slice| {
        let (left, right) = slice.split_at_mut(at);
        (left, Some(right))
    });
    let rest = halves
        .each_mut()
        .map(|(_, right)| right.take().unwrap_or_default());
    (halves.map(|(left, _)| left), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_work_stays_whole() {
        for threads in [1, 2, 64] {
            for len in [0, 1, 4096, 2 * GRAIN - 1] {
                assert!(chunk_len(len, 1, threads) >= len);
            }
        }
        assert!(chunk_len(1 << 24, 1, 1) >= 1 << 24);
    }

    #[test]
    fn large_work_is_cut_fairly() {
        assert_eq!(chunk_len(2 * GRAIN, 1, 2), GRAIN);
        assert_eq!(chunk_len(1 << 24, 1, 2), 1 << 21);
        assert_eq!(chunk_len(1 << 24, 1, 1 << 20), GRAIN);
        assert_eq!(chunk_len(1 << 16, 100, 64), ALIGN);
        for len in [100_003, 1 << 20, usize::MAX / 2] {
            assert_eq!(chunk_len(len, 1, 3) % ALIGN, 0);
        }
    }
}
