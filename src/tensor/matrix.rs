//! Matrices as the GEMM kernels see them: one to read, and one to write that can be cut in two
//! dimensions and handed to several threads.
#![allow(
    unsafe_code,
    reason = "a cut between columns cannot be written with slices"
)]

use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;

/// A matrix to read: element (i, j) is `data[i * row_stride + j * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row_stride: usize,
    pub(crate) col_stride: usize,
}

impl Matrix<'_> {
    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// A matrix to write, row by row: element (i, j) lies `i * stride + j` after the first.
///
/// It can be cut between rows and between columns, and the parts go to different threads: they are
/// disjoint, although the memory of one interleaves with that of the other.
#[derive(Debug)]
pub(crate) struct MatrixMut<'a, T = f32> {
    first: NonNull<T>,
    rows: usize,
    cols: usize,
    stride: usize,
    owner: PhantomData<&'a mut [T]>,
}

// SAFETY: a part is the only way to its elements, as `&mut [T]` is, which is `Send` if `T` is.
unsafe impl<T: Send> Send for MatrixMut<'_, T> {}

impl<'a, T> MatrixMut<'a, T> {
    /// The matrix over `data`; `None` if `data` is too short or rows would overlap.
    pub(crate) fn new(data: &'a mut [T], rows: usize, cols: usize, stride: usize) -> Option<Self> {
        let needed = match rows {
            0 => 0,
            _ => (rows - 1).checked_mul(stride)?.checked_add(cols)?,
        };
        if needed > data.len() || (rows > 1 && stride < cols) {
            return None;
        }
        let first = NonNull::from(data).cast();
        Some(Self {
            first,
            rows,
            cols,
            stride,
            owner: PhantomData,
        })
    }

    /// Rows.
    #[inline(always)]
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Columns.
    #[inline(always)]
    pub(crate) fn cols(&self) -> usize {
        self.cols
    }

    /// The elements `cols` of row `row`.
    ///
    /// # Panics
    /// If they are not all in the matrix.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, row: usize, cols: Range<usize>) -> &mut [T] {
        assert!(
            row < self.rows && cols.start <= cols.end && cols.end <= self.cols,
            "outside of the matrix"
        );
        // SAFETY: the elements lie in the matrix by the assertion, the matrix lies in the slice it was
        // made from, no other part has them, and the exclusive borrow of `self` covers them.
        unsafe {
            let first = self.first.add(row * self.stride + cols.start);
            std::slice::from_raw_parts_mut(first.as_ptr(), cols.len())
        }
    }

    /// Where an element lies, or would lie: for prefetching only.
    #[inline(always)]
    pub(crate) fn address(&self, row: usize, col: usize) -> *const T {
        let skipped = row.wrapping_mul(self.stride).wrapping_add(col);
        self.first.as_ptr().wrapping_add(skipped).cast_const()
    }

    /// The rows before `at`, and the others.
    pub(crate) fn split_rows(self, at: usize) -> (Self, Self) {
        let at = at.min(self.rows);
        let skipped = if at == self.rows { 0 } else { at * self.stride };
        // SAFETY: row `at` lies in the matrix, or nothing is skipped.
        let first = unsafe { self.first.add(skipped) };
        (
            Self { rows: at, ..self },
            Self {
                first,
                rows: self.rows - at,
                ..self
            },
        )
    }

    /// The columns before `at`, and the others.
    pub(crate) fn split_cols(self, at: usize) -> (Self, Self) {
        let at = at.min(self.cols);
        let skipped = if self.rows == 0 { 0 } else { at };
        // SAFETY: column `at` lies in the first row or one past its end, or nothing is skipped.
        let first = unsafe { self.first.add(skipped) };
        (
            Self { cols: at, ..self },
            Self {
                first,
                cols: self.cols - at,
                ..self
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_matrix_once() {
        let (rows, cols, stride) = (5, 7, 9);
        for (r, c) in (0..=rows + 1).flat_map(|r| (0..=cols + 1).map(move |c| (r, c))) {
            let mut data = vec![0.0; (rows - 1) * stride + cols];
            let whole = MatrixMut::new(&mut data, rows, cols, stride).unwrap();
            let (top, bottom) = whole.split_rows(r);
            let parts = [top.split_cols(c), bottom.split_cols(c)].map(|(a, b)| [a, b]);
            std::thread::scope(|scope| {
                for mut part in parts.into_iter().flatten() {
                    scope.spawn(move || {
                        for row in 0..part.rows() {
                            let all = 0..part.cols();
                            part.row_mut(row, all).iter_mut().for_each(|x| *x += 1.0);
                        }
                    });
                }
            });
            for (i, x) in data.iter().enumerate() {
                assert_eq!(
                    *x,
                    f32::from(u8::from(i % stride < cols)),
                    "element {i} cut at {r}, {c}"
                );
            }
        }
    }

    #[test]
    fn a_matrix_must_fit() {
        assert!(MatrixMut::new(&mut [0.0; 5], 2, 3, 3).is_none());
        assert!(MatrixMut::new(&mut [0.0; 6], 2, 3, 2).is_none());
        assert!(MatrixMut::<f32>::new(&mut [], usize::MAX, usize::MAX, usize::MAX).is_none());
        assert!(MatrixMut::<f32>::new(&mut [], 0, 3, 3).is_some());
    }
}
