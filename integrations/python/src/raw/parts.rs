//! A product in parts, one for each thread of another library.

/// Some rows of a matrix that is written.
pub(super) struct Rows<'a> {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) elements: &'a mut [f32],
}

impl<'a> Rows<'a> {
    /// All of a matrix.
    pub(super) fn all(elements: &'a mut [f32], count: usize) -> Self {
        Self {
            first: 0,
            count,
            elements,
        }
    }

    /// `m` rows of `n` elements in so many parts, or fewer. Of nothing there is no part.
    pub(super) fn cut(
        elements: &'a mut [f32],
        [m, n]: [usize; 2],
        parts: usize,
    ) -> impl Iterator<Item = Self> + Send {
        let (rows, width) = (m.div_ceil(parts.max(1)).max(1), n.max(1));
        let parts = elements.chunks_mut(rows.saturating_mul(width)).enumerate();
        parts.map(move |(i, elements)| Self {
            first: i * rows,
            count: elements.len() / width,
            elements,
        })
    }

    /// The same rows of another matrix, whose rows have `n` elements.
    pub(super) fn of<'b>(&self, other: &'b [f32], n: usize) -> &'b [f32] {
        &other[self.first * n..][..self.count * n]
    }
}
