//! Products of any small shape and strides against f64.

use elision::reference::gemm::{matmul, tolerance};
use elision::{Isa, View, ViewMut, ops};

use super::bytes::Bytes;

/// Longest side of a matrix: more than two tiles of every instruction set.
const MOST: usize = 70;
/// What lies between the elements of a result, and must stay.
const GAP: f32 = 123.25;

/// Multiplies two matrices on one instruction set.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let [m, k, n] = [(); 3].map(|()| bytes.below(MOST + 1));
    let isas = Isa::available();
    let isa = isas[bytes.below(isas.len())];
    let (a, b) = (
        Operand::new(&mut bytes, m, k),
        Operand::new(&mut bytes, k, n),
    );
    let (out_strides, len) = strides(&mut bytes, m, n);
    let mut out = vec![GAP; len];
    let view = ViewMut::new(&mut out, &[m, n], &out_strides).expect("no two elements meet");
    isa.install(|| ops::matmul_into(a.view(), b.view(), view))
        .expect("the shapes agree");
    compare(
        &a,
        &b,
        &View::new(&out, &[m, n], &out_strides).expect("as above"),
    );
    let written = out
        .iter()
        .filter(|&&x| x.to_bits() != GAP.to_bits())
        .count();
    assert!(written <= m * n, "a gap was written");
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

fn compare(a: &Operand, b: &Operand, out: &View<'_>) {
    let ([m, k], n) = (a.shape, b.shape[1]);
    let expected = matmul(&a.elements(), &b.elements(), (m, k, n));
    for (i, (found, (sum, magnitude))) in out.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - sum).abs();
        assert!(
            error <= tolerance(k, magnitude),
            "element {i}: {found}, expected {sum}"
        );
    }
}
