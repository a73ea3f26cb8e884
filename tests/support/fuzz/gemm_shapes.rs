//! Products of any small shape, strides and epilogue against f64.

use elision::reference::gemm::{matmul, tolerance};
use elision::{Activation, Dropout, Epilogue, Isa, Key, Mask, View, ViewMut, ops};

use super::bytes::Bytes;

/// Longest side of a matrix: more than two tiles of every instruction set.
const MOST: usize = 70;
/// What lies between the elements of a result, and must stay.
const GAP: f32 = 123.25;

/// Multiplies two matrices on one instruction set, and runs them through a fused layer.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let [m, k, n] = [(); 3].map(|()| bytes.below(MOST + 1));
    let isas = Isa::available();
    let isa = isas[bytes.below(isas.len())];
    let (a, b) = (
        Operand::new(&mut bytes, m, k),
        Operand::new(&mut bytes, k, n),
    );
    let (strides, len) = strides(&mut bytes, m, n);
    let mut out = Out {
        data: vec![GAP; len],
        shape: [m, n],
        strides,
    };
    isa.install(|| ops::matmul_into(a.view(), b.view(), out.view_mut()))
        .expect("the shapes agree");
    out.compare(&a, &b, &Layer::default());
    let layer = Layer::new(&mut bytes, n);
    out.data.fill(GAP);
    let weights = b.view().transpose(0, 1).expect("there are two axes");
    isa.install(|| ops::linear_into(a.view(), weights, &layer.epilogue(), out.view_mut(), None))
        .expect("the shapes agree");
    out.compare(&a, &b, &layer);
}

/// What follows the product.
#[derive(Default)]
struct Layer {
    bias: Option<Vec<f32>>,
    relu: bool,
    dropout: Option<Dropout>,
}

impl Layer {
    fn new(bytes: &mut Bytes, n: usize) -> Self {
        let (choice, p) = (bytes.byte(), f64::from(bytes.byte()) / 255.0);
        let dropout = Dropout::new(Key::new(choice.into()), p).expect("p is from 0 to 1");
        let bias = (0..n as u32).map(|i| value(7, i, 0)).collect();
        Self {
            bias: (choice & 1 == 1).then_some(bias),
            relu: choice & 2 == 2,
            dropout: (choice & 4 == 4).then(|| dropout.with_offset(u64::from(choice) << 9)),
        }
    }

    fn epilogue(&self) -> Epilogue<'_> {
        let bias = self.bias.as_ref();
        Epilogue {
            bias: bias
                .map(|bias| View::contiguous(bias, &[bias.len()]).expect("the length agrees")),
            activation: if self.relu {
                Activation::Relu
            } else {
                Activation::Identity
            },
            dropout: self.dropout,
        }
    }

    /// The value of an element, and the size that its error is a multiple of.
    fn apply(&self, (sum, magnitude): (f64, f64), col: usize) -> (f64, f64) {
        let bias = self.bias.as_ref().map_or(0.0, |bias| f64::from(bias[col]));
        let scale = self
            .dropout
            .map_or(1.0, |dropout| f64::from(dropout.scale()));
        let x = sum + bias;
        let x = if self.relu { x.max(0.0) } else { x };
        (x * scale, (magnitude + bias.abs()) * scale)
    }
}

/// Memory for a result.
struct Out {
    data: Vec<f32>,
    shape: [usize; 2],
    strides: [usize; 2],
}

impl Out {
    fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::new(&mut self.data, &self.shape, &self.strides).expect("no two elements meet")
    }

    fn compare(&self, a: &Operand, b: &Operand, layer: &Layer) {
        let ([m, k], n) = (a.shape, b.shape[1]);
        let sums = matmul(&a.elements(), &b.elements(), (m, k, n));
        let mask = layer
            .dropout
            .map(|dropout| Mask::draw(&dropout, m * n).expect("the indices fit"));
        let view = View::new(&self.data, &self.shape, &self.strides).expect("it was written so");
        for (i, (found, sum)) in view.iter().zip(sums).enumerate() {
            if mask.as_ref().is_some_and(|mask| mask.get(i) == Some(false)) {
                assert_eq!(found.to_bits(), 0, "element {i} is dropped");
                continue;
            }
            let (expected, magnitude) = layer.apply(sum, i % n);
            let error = (f64::from(found) - expected).abs();
            assert!(
                error <= tolerance(k, magnitude),
                "element {i}: {found}, expected {expected}"
            );
        }
        let written = self
            .data
            .iter()
            .filter(|x| x.to_bits() != GAP.to_bits())
            .count();
        assert!(written <= m * n, "a gap was written");
    }
}

/// A matrix with strides of its own.
struct Operand {
    data: Vec<f32>,
    shape: [usize; 2],
    strides: [usize; 2],
}

impl Operand {
    fn new(bytes: &mut Bytes, rows: usize, cols: usize) -> Self {
        let (strides, len) = match bytes.below(5) {
            // One row, or one element, for all.
            0 => ([0, 1], cols),
            1 => ([0, 0], 1),
            _ => strides(bytes, rows, cols),
        };
        // The seed decides for the values: bytes are better spent on shapes.
        let (seed, spread) = (u32::from(bytes.byte()), bytes.below(8) as i32);
        let data = (0..len as u32).map(|i| value(seed, i, spread)).collect();
        Self {
            data,
            shape: [rows, cols],
            strides,
        }
    }

    fn view(&self) -> View<'_> {
        View::new(&self.data, &self.shape, &self.strides).expect("the data reach the last index")
    }

    fn elements(&self) -> Vec<f32> {
        self.view().iter().collect()
    }
}

/// Row-major or column-major strides, sometimes with gaps, and the length that they span.
fn strides(bytes: &mut Bytes, rows: usize, cols: usize) -> ([usize; 2], usize) {
    let (order, step, gap) = (
        bytes.below(2),
        1 + bytes.below(8) / 6,
        bytes.below(8) / 6 * 3,
    );
    let strides = match order {
        0 => [cols.max(1) * step + gap, step],
        _ => [step, rows.max(1) * step + gap],
    };
    let empty = rows == 0 || cols == 0;
    let last = rows.saturating_sub(1) * strides[0] + cols.saturating_sub(1) * strides[1];
    (strides, if empty { 0 } else { last + 1 })
}

/// Both signs, and magnitudes within `spread` binary orders.
fn value(seed: u32, i: u32, spread: i32) -> f32 {
    let hash = (i + seed.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    let fraction = (hash >> 8) as f32 / 8_388_608.0 - 1.0;
    fraction * 2f32.powi((hash & 15) as i32 * spread / 4)
}
