//! Numbers with a shape.

/// Numbers in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The elements.
    pub data: Vec<f64>,
    /// The size of each axis.
    pub shape: Vec<usize>,
}

impl Array {
    /// Elements with a shape.
    ///
    /// # Panics
    /// If there are more or fewer elements than the shape has.
    #[must_use]
    pub fn new(data: Vec<f64>, shape: &[usize]) -> Self {
        let shape = shape.to_vec();
        assert_eq!(data.len(), shape.iter().product::<usize>(), "{shape:?}");
        Self { data, shape }
    }

    /// Zeros.
    #[must_use]
    pub fn zeros(shape: &[usize]) -> Self {
        Self::new(vec![0.0; shape.iter().product()], shape)
    }

    /// `f` of every element.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self::new(self.data.iter().copied().map(f).collect(), &self.shape)
    }

    /// `f` of every pair of elements of two arrays of one shape.
    ///
    /// # Panics
    /// If the shapes differ.
    #[must_use]
    pub fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Self {
        assert_eq!(self.shape, other.shape);
        let pairs = self.data.iter().zip(&other.data);
        Self::new(pairs.map(|(&a, &b)| f(a, b)).collect(), &self.shape)
    }

    pub(super) fn get(&self, index: &[usize]) -> f64 {
        self.data[position(&self.shape, index)]
    }

    pub(super) fn get_mut(&mut self, index: &[usize]) -> &mut f64 {
        &mut self.data[position(&self.shape, index)]
    }
}

/// The place of the element that is, or broadcasts to, the one at `index`: leading axes that the shape lacks
/// are ignored, and an axis of size 1 has one coordinate.
fn position(shape: &[usize], index: &[usize]) -> usize {
    let index = &index[index.len() - shape.len()..];
    shape.iter().zip(index).fold(0, |position, (&size, &i)| {
        let i = if size == 1 { 0 } else { i };
        assert!(i < size, "{index:?} is outside of {shape:?}");
        position * size + i
    })
}

/// Every index of a shape in row-major order.
pub(super) fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |prefixes, &size| {
        let longer = |prefix: &Vec<usize>| {
            let prefix = prefix.clone();
            (0..size).map(move |i| [&prefix[..], &[i]].concat())
        };
        prefixes.iter().flat_map(longer).collect()
    })
}
