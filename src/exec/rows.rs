//! Cutting work into whole rows and sharing them.

use rayon::prelude::*;

use super::share::{chunk_len, split_each};

/// Calls `f(x, out)` for pieces of whole rows of `n > 0` elements, on as many threads as the work is
/// worth, if an element costs as much as `weight` elements of a scaled copy.
pub(crate) fn for_each_rows(
    x: &[f32],
    out: &mut [f32],
    n: usize,
    weight: usize,
    f: impl Fn(&[f32], &mut [f32]) + Sync,
) {
    for_each_piece_of_rows(out, n, weight, |first, out| {
        f(&x[first * n..first * n + out.len()], out);
    });
}

/// Calls `f(first_row, out)` for pieces of whole rows in the same way.
pub(crate) fn for_each_piece_of_rows(
    out: &mut [f32],
    n: usize,
    weight: usize,
    f: impl Fn(usize, &mut [f32]) + Sync,
) {
    let step = rows_per_task(out.len(), n, weight);
    if step * n >= out.len() {
        return f(0, out);
    }
    let pieces = out.par_chunks_mut(step * n).enumerate();
    pieces.for_each(|(i, out)| f(i * step, out));
}

/// Calls `f(first_row, rows, items)` for pieces of whole rows of `G` arrays of one length, if there are any to
/// write, and the item that belongs to each row. The last row may be short.
pub(crate) fn for_each_rows_and_item<T: Send, const G: usize>(
    rows: Option<[&mut [f32]; G]>,
    items: &mut [T],
    n: usize,
    weight: usize,
    f: impl Fn(usize, Option<[&mut [f32]; G]>, &mut [T]) + Sync,
) {
    let step = rows_per_task(items.len() * n, n, weight);
    item_halves(rows, items, 0, [n, step], &f);
}

fn item_halves<T: Send, const G: usize>(
    rows: Option<[&mut [f32]; G]>,
    items: &mut [T],
    first: usize,
    [n, step]: [usize; 2],
    f: &(impl Fn(usize, Option<[&mut [f32]; G]>, &mut [T]) + Sync),
) {
    if items.len() <= step {
        return f(first, rows, items);
    }
    let at = (items.len().div_ceil(step) / 2) * step;
    let (low, high) = items.split_at_mut(at);
    let (upper, lower) = match rows.map(|rows| split_each(rows, at * n)) {
        Some((upper, lower)) => (Some(upper), Some(lower)),
        None => (None, None),
    };
    rayon::join(
        || item_halves(upper, low, first, [n, step], f),
        || item_halves(lower, high, first + at, [n, step], f),
    );
}

/// Calls `f(first_row, a, b)` for pieces of whole rows of `n > 0` elements of two arrays of one length.
pub(crate) fn for_each_rows_of_two<A: Send, B: Send>(
    a: &mut [A],
    b: &mut [B],
    n: usize,
    weight: usize,
    f: impl Fn(usize, &mut [A], &mut [B]) + Sync,
) {
    let step = rows_per_task(a.len(), n, weight);
    if step * n >= a.len() {
        return f(0, a, b);
    }
    let pieces = a.par_chunks_mut(step * n).zip(b.par_chunks_mut(step * n));
    let pieces = pieces.enumerate();
    pieces.for_each(|(i, (a, b))| f(i * step, a, b));
}

/// How many of the rows that make up `len` elements one task takes: at least one.
fn rows_per_task(len: usize, n: usize, weight: usize) -> usize {
    (chunk_len(len, weight, rayon::current_num_threads()) / n).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_visited_once_and_whole() {
        for (n, rows) in [(1, 70_000), (1000, 301), (200_000, 3), (7, 0)] {
            let x: Vec<f32> = (0..n * rows).map(|i| i as f32).collect();
            let (mut out, mut firsts) = (vec![0.0; x.len()], vec![usize::MAX; rows]);
            for_each_rows(&x, &mut out, n, 8, |x, out| {
                assert_eq!((x.len() % n, x.len()), (0, out.len()));
                out.copy_from_slice(x);
            });
            assert_eq!(out, x);
            for_each_rows_and_item(Some([&mut out]), &mut firsts, n, 8, |first, rows, items| {
                assert_eq!(rows.map(|[rows]| rows.len()), Some(items.len() * n));
                for (i, item) in items.iter_mut().enumerate() {
                    *item = first + i;
                }
            });
            assert!(firsts.iter().copied().eq(0..rows));
            let mut numbers = vec![0; x.len()];
            for_each_rows_of_two(&mut out, &mut numbers, n, 8, |first, out, numbers| {
                assert_eq!((out.len() % n, out.len()), (0, numbers.len()));
                for (i, number) in numbers.iter_mut().enumerate() {
                    *number = first * n + i;
                }
            });
            assert!(numbers.iter().copied().eq(0..x.len()));
        }
    }
}
