//! One number at a time.

use super::array::indices;
use super::{Array, Tape, Value};
use crate::activation::Activation;
use crate::reference::math;
use crate::tensor::broadcast_shapes;

impl Tape {
    /// a + b, broadcast.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        self.zip(a, b, |a, b| a + b, |_, _| [1.0, 1.0])
    }

    /// a - b, broadcast.
    pub fn sub(&mut self, a: Value, b: Value) -> Value {
        self.zip(a, b, |a, b| a - b, |_, _| [1.0, -1.0])
    }

    /// a b, broadcast.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        self.zip(a, b, |a, b| a * b, |a, b| [b, a])
    }

    /// a / b, broadcast.
    pub fn div(&mut self, a: Value, b: Value) -> Value {
        self.zip(a, b, |a, b| a / b, |a, b| [1.0 / b, -a / (b * b)])
    }

    /// -x.
    pub fn neg(&mut self, x: Value) -> Value {
        self.scale(x, -1.0)
    }

    /// x times a constant.
    pub fn scale(&mut self, x: Value, factor: f64) -> Value {
        self.map(x, |x| x * factor, move |_| factor)
    }

    /// e^x.
    pub fn exp(&mut self, x: Value) -> Value {
        self.map(x, f64::exp, f64::exp)
    }

    /// The natural logarithm.
    pub fn ln(&mut self, x: Value) -> Value {
        self.map(x, f64::ln, f64::recip)
    }

    /// The square root.
    pub fn sqrt(&mut self, x: Value) -> Value {
        self.map(x, f64::sqrt, |x| 0.5 / x.sqrt())
    }

    /// An activation, with the derivative of [`math::derivative`].
    pub fn activate(&mut self, x: Value, a: Activation) -> Value {
        let slope = move |x| math::derivative(a, x);
        self.map(x, |x| math::activation(a, x), slope)
    }

    /// Dropout of which the decisions are given: x times `scale` where kept, 0 elsewhere.
    ///
    /// # Panics
    /// If there is not one decision an element.
    pub fn mask(&mut self, x: Value, kept: &[bool], scale: f64) -> Value {
        assert_eq!(kept.len(), self.value(x).data.len());
        let kept = kept.to_vec();
        let apply = move |x: &Array| {
            let pairs = x.data.iter().zip(&kept);
            let data = pairs.map(|(x, &kept)| if kept { x * scale } else { 0.0 });
            Array::new(data.collect(), &x.shape)
        };
        let y = apply(self.value(x));
        self.push(y, move |_, dy| vec![(x, apply(dy))])
    }

    fn map(
        &mut self,
        x: Value,
        f: impl Fn(f64) -> f64,
        slope: impl Fn(f64) -> f64 + 'static,
    ) -> Value {
        let y = self.value(x).map(f);
        self.push(y, move |tape, dy| {
            vec![(x, dy.zip(tape.value(x), |dy, x| dy * slope(x)))]
        })
    }

    /// `f` of every pair, broadcast; `slopes` are its derivatives with respect to either.
    pub(super) fn zip(
        &mut self,
        a: Value,
        b: Value,
        f: impl Fn(f64, f64) -> f64,
        slopes: impl Fn(f64, f64) -> [f64; 2] + 'static,
    ) -> Value {
        let (left, right) = (self.value(a), self.value(b));
        let shape = broadcast_shapes(&left.shape, &right.shape).expect("shapes that broadcast");
        let elements = indices(&shape).into_iter();
        let elements = elements.map(|index| f(left.get(&index), right.get(&index)));
        let y = Array::new(elements.collect(), &shape);
        self.push(y, move |tape, dy| {
            let (left, right) = (tape.value(a), tape.value(b));
            let mut da = Array::zeros(&left.shape);
            let mut db = Array::zeros(&right.shape);
            for index in indices(&dy.shape) {
                let [to_a, to_b] = slopes(left.get(&index), right.get(&index));
                *da.get_mut(&index) += dy.get(&index) * to_a;
                *db.get_mut(&index) += dy.get(&index) * to_b;
            }
            vec![(a, da), (b, db)]
        })
    }
}
