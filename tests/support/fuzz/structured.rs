//! Layers under structured masks, and with packed weights, of any small shape against their dense forms.

use elision::reference::gemm::{matmul, tolerance, transpose};
use elision::{Activation, BlockMask, Epilogue, Isa, Mask, Tensor, UnitEpilogue, UnitMask, ops};

use super::bytes::Bytes;

/// Longest side of a matrix: more than two tiles of every instruction set.
const MOST: usize = 70;

/// Runs one layer under a mask of blocks, one between masks of units, and one with packed weights.
pub(crate) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let sizes = [(); 3].map(|()| bytes.below(MOST + 1));
    let isas = Isa::available();
    let isa = isas[bytes.below(isas.len())];
    let [m, k, n] = sizes;
    let layer = Layer {
        x: matrix(m, k, 1),
        w: matrix(n, k, 2),
        g: matrix(m, n, 3),
        sizes,
    };
    isa.install(|| {
        layer.under_blocks(&mut bytes);
        layer.between_units(&mut bytes);
        layer.with_packed_weights();
    });
}

struct Layer {
    x: Tensor,
    w: Tensor,
    g: Tensor,
    sizes: [usize; 3],
}

impl Layer {
    fn under_blocks(&self, bytes: &mut Bytes) {
        let [m, k, n] = self.sizes;
        let block = [1 + bytes.below(MOST), 1 + bytes.below(MOST)];
        let count = BlockMask::count([m, k], block).expect("blocks have elements");
        let blocks = Mask::from_bools(&bools(bytes, count));
        let mask = BlockMask::new(blocks, [m, k], block, 2.0).expect("a bit for each block");
        let x = mask.over(&self.x).expect("the shape agrees");
        let plain = Epilogue::default();
        let (y, saved) = ops::linear(x, &self.w, &plain).expect("the shapes agree");
        let grads = ops::linear_backward(&self.g, x, &self.w, &plain, &saved);
        let grads = grads.expect("the shapes agree");
        let kept = mask.elements().to_bools();
        let select = |(i, &x): (usize, &f32)| if kept[i] { 2.0 * x } else { 0.0 };
        let dense: Vec<f32> = self.x.as_slice().iter().enumerate().map(select).collect();
        compare(&y, &dense, &transpose(self.w.as_slice(), n, k), [m, k, n]);
        compare(
            &grads.w,
            &transpose(self.g.as_slice(), m, n),
            &dense,
            [n, m, k],
        );
        for (dx, kept) in grads.x.as_slice().iter().zip(kept) {
            assert!(
                kept || dx.to_bits() == 0,
                "a dropped element has a gradient"
            );
        }
    }

    fn between_units(&self, bytes: &mut Bytes) {
        let [m, k, n] = self.sizes;
        let [input, output] = [k, n].map(|units| {
            let mask = Mask::from_bools(&bools(bytes, units));
            UnitMask::from_mask(&mask, 2.0).expect("the scale is positive")
        });
        let epilogue = UnitEpilogue {
            bias: None,
            activation: Activation::Identity,
            input: Some(&input),
            output: Some(&output),
        };
        let (y, saved) = ops::unit_linear(&self.x, &self.w, &epilogue).expect("the shapes agree");
        let grads = ops::unit_linear_backward(&self.g, &self.x, &self.w, &epilogue, &saved);
        grads.expect("the shapes agree");
        let (rows, cols) = (output.mask().to_bools(), input.mask().to_bools());
        let narrow = |at: usize| rows[at / k] && cols[at % k];
        let weights = self.w.as_slice().iter().enumerate();
        let weights: Vec<f32> = weights
            .map(|(i, &w)| if narrow(i) { 2.0 * w } else { 0.0 })
            .collect();
        compare(&y, self.x.as_slice(), &transpose(&weights, n, k), [m, k, n]);
    }

    fn with_packed_weights(&self) {
        let plain = Epilogue::default();
        let packed = ops::PackedWeights::new(&self.w).expect("it is a matrix");
        let y = ops::linear_packed(&self.x, &packed, &plain).expect("the shapes agree");
        let (loose, _) = ops::linear(&self.x, &self.w, &plain).expect("the shapes agree");
        assert_eq!(y, loose);
    }
}

fn compare(found: &Tensor, a: &[f32], b: &[f32], [m, k, n]: [usize; 3]) {
    for (i, (found, (sum, size))) in found
        .as_slice()
        .iter()
        .zip(matmul(a, b, (m, k, n)))
        .enumerate()
    {
        let error = (f64::from(*found) - sum).abs();
        assert!(
            error <= tolerance(k, size),
            "element {i}: {found}, expected {sum}"
        );
    }
}

/// Numbers in (-1, 1).
fn matrix(rows: usize, cols: usize, seed: u32) -> Tensor {
    let value =
        |i: u32| (i + 1).wrapping_mul(0x9e37_79b9 ^ seed << 7) as i32 as f32 / 2f32.powi(31);
    let data: Vec<f32> = (0..(rows * cols) as u32).map(value).collect();
    Tensor::from_slice(&data, &[rows, cols]).expect("the length agrees")
}

/// A decision for each of `count`, eight to a byte.
fn bools(bytes: &mut Bytes, count: usize) -> Vec<bool> {
    let mut byte = 0;
    (0..count)
        .map(|i| {
            if i % 8 == 0 {
                byte = bytes.byte();
            }
            byte >> (i % 8) & 1 == 1
        })
        .collect()
}
