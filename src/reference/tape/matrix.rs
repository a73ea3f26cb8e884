//! Products, shapes and sums.

use super::array::indices;
use super::{Array, Tape, Value};

impl Tape {
    /// The product of `[m, k]` and `[k, n]`.
    pub fn matmul(&mut self, a: Value, b: Value) -> Value {
        let y = matmul(self.value(a), self.value(b));
        self.push(y, move |tape, dy| {
            let da = matmul(dy, &transpose(tape.value(b), 0, 1));
            let db = matmul(&transpose(tape.value(a), 0, 1), dy);
            vec![(a, da), (b, db)]
        })
    }

    /// x w^T + bias, for `x` of shape `[m, k]`, `w` of shape `[n, k]` and a bias of shape `[n]`.
    pub fn linear(&mut self, x: Value, w: Value, bias: Option<Value>) -> Value {
        let w = self.transpose(w, 0, 1);
        let y = self.matmul(x, w);
        match bias {
            Some(bias) => self.add(y, bias),
            None => y,
        }
    }

    /// Two axes in each other's place.
    pub fn transpose(&mut self, x: Value, a: usize, b: usize) -> Value {
        let y = transpose(self.value(x), a, b);
        self.push(y, move |_, dy| vec![(x, transpose(dy, a, b))])
    }

    /// The same elements with another shape.
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Value {
        let y = Array::new(self.value(x).data.clone(), shape);
        self.push(y, move |tape, dy| {
            vec![(x, Array::new(dy.data.clone(), &tape.value(x).shape))]
        })
    }

    /// The sum over an axis, which the result no longer has; or over all of them.
    pub fn sum(&mut self, x: Value, axis: Option<usize>) -> Value {
        let all = self.value(x);
        let mut y = Array::zeros(&without(&all.shape, axis));
        for index in indices(&all.shape) {
            *y.get_mut(&without(&index, axis)) += all.get(&index);
        }
        self.push(y, move |tape, dy| {
            let shape = &tape.value(x).shape;
            let elements = indices(shape).into_iter();
            let elements = elements.map(|index| dy.get(&without(&index, axis)));
            vec![(x, Array::new(elements.collect(), shape))]
        })
    }

    /// [`Tape::sum`] divided by the number of elements that it has.
    pub fn mean(&mut self, x: Value, axis: Option<usize>) -> Value {
        let x_is = self.value(x);
        let count = axis.map_or(x_is.data.len(), |axis| x_is.shape[axis]);
        let sum = self.sum(x, axis);
        self.scale(sum, 1.0 / count as f64)
    }

    /// Rows of a table of shape `[words, width]`, one an id: shape `[ids, width]`.
    pub fn embedding(&mut self, table: Value, ids: &[u32]) -> Value {
        let rows = self.value(table);
        let shape = [ids.len(), rows.shape[1]];
        let ids = ids.to_vec();
        let elements = indices(&shape).into_iter();
        let elements = elements.map(|at| rows.get(&[ids[at[0]] as usize, at[1]]));
        let y = Array::new(elements.collect(), &shape);
        self.push(y, move |tape, dy| {
            let mut d_table = Array::zeros(&tape.value(table).shape);
            for at in indices(&dy.shape) {
                *d_table.get_mut(&[ids[at[0]] as usize, at[1]]) += dy.get(&at);
            }
            vec![(table, d_table)]
        })
    }
}

fn matmul(a: &Array, b: &Array) -> Array {
    assert_eq!((a.shape.len(), b.shape.len()), (2, 2), "two matrices");
    assert_eq!(a.shape[1], b.shape[0], "one depth");
    let shape = [a.shape[0], b.shape[1]];
    let element = |at: Vec<usize>| {
        let products = (0..a.shape[1]).map(|p| a.get(&[at[0], p]) * b.get(&[p, at[1]]));
        products.sum()
    };
    Array::new(indices(&shape).into_iter().map(element).collect(), &shape)
}

fn transpose(x: &Array, a: usize, b: usize) -> Array {
    let swapped = |mut index: Vec<usize>| {
        index.swap(a, b);
        index
    };
    let shape = swapped(x.shape.clone());
    let elements = indices(&shape).into_iter();
    let elements = elements.map(|index| x.get(&swapped(index)));
    Array::new(elements.collect(), &shape)
}

/// A shape or an index without one axis, or without any.
fn without(index: &[usize], axis: Option<usize>) -> Vec<usize> {
    match axis {
        Some(axis) => [&index[..axis], &index[axis + 1..]].concat(),
        None => Vec::new(),
    }
}
