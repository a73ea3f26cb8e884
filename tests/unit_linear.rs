//! Linear layers with unit masks against the dense masked layer in f64.

mod support;

use elision::reference::gemm::tolerance;
use elision::reference::unit::{UnitLinear, forward};
use elision::{
    Activation, Dropout, Error, Isa, Key, Mask, Tensor, UnitEpilogue, UnitMask, View, ViewMut, ops,
};
use proptest::prelude::*;
use support::{bits, on_every_isa, on_threads};

/// Numbers in (-1, 1) that a seed decides.
fn noise(shape: &[usize], seed: u64) -> Tensor {
    let key = Key::new(seed);
    let number = |i| ((key.fold_in(i).to_u128() >> 104) as f32 / 8_388_608.0) - 1.0;
    let len = shape.iter().product::<usize>() as u64;
    Tensor::from_vec((0..len).map(number).collect(), shape).unwrap()
}

fn wide(x: &Tensor) -> Vec<f64> {
    x.as_slice().iter().map(|&x| f64::from(x)).collect()
}

fn drawn(units: usize, p: f64, seed: u64) -> UnitMask {
    UnitMask::draw(&Dropout::new(Key::new(seed), p).unwrap(), units).unwrap()
}

fn bools(mask: Option<&UnitMask>, units: usize) -> Vec<bool> {
    mask.map_or(vec![true; units], |mask| mask.mask().to_bools())
}

/// A layer's arguments.
struct Case {
    shape: (usize, usize, usize),
    x: Tensor,
    w: Tensor,
    bias: Tensor,
    g: Tensor,
    activation: Activation,
    input: Option<UnitMask>,
    output: Option<UnitMask>,
}

impl Case {
    /// Random operands, and masks with these drop probabilities.
    fn new(shape: (usize, usize, usize), p: [Option<f64>; 2], activation: Activation) -> Self {
        let (m, k, n) = shape;
        Self {
            shape,
            x: noise(&[m, k], 1),
            w: noise(&[n, k], 2),
            bias: noise(&[n], 3),
            g: noise(&[m, n], 4),
            activation,
            input: p[0].map(|p| drawn(k, p, 5)),
            output: p[1].map(|p| drawn(n, p, 6)),
        }
    }

    fn epilogue(&self) -> UnitEpilogue<'_> {
        UnitEpilogue {
            bias: Some(self.bias.view()),
            activation: self.activation,
            input: self.input.as_ref(),
            output: self.output.as_ref(),
        }
    }

    fn forward(&self) -> (Tensor, ops::UnitSaved) {
        ops::unit_linear(&self.x, &self.w, &self.epilogue()).unwrap()
    }

    fn backward(&self, saved: &ops::UnitSaved) -> ops::LinearGrads {
        ops::unit_linear_backward(&self.g, &self.x, &self.w, &self.epilogue(), saved).unwrap()
    }

    fn check_forward(&self) {
        let (_, k, n) = self.shape;
        let [x, w, bias] = [&self.x, &self.w, &self.bias].map(wide);
        let (input, output) = (
            bools(self.input.as_ref(), k),
            bools(self.output.as_ref(), n),
        );
        let scale = f64::from(self.output.as_ref().map_or(1.0, UnitMask::scale));
        let expected = forward(&UnitLinear {
            shape: self.shape,
            x: &x,
            w: &w,
            bias: &bias,
            activation: self.activation,
            input: &input,
            output: &output,
            scale,
        });
        let (y, _) = self.forward();
        assert_eq!(y.len(), expected.len());
        for (i, (&y, (want, size))) in y.as_slice().iter().zip(expected).enumerate() {
            if !output[i % n] {
                assert_eq!(y.to_bits(), 0, "a dropped unit is +0.0");
            }
            // No derivative exceeds 1.13, and the activations are good to a few units in the last place.
            let allowed = scale * 1.2 * tolerance(k + 1, size) + 1e-6 * want.abs();
            let error = (f64::from(y) - want).abs();
            assert!(
                error <= allowed,
                "{:?} {} element {i}: {y} for {want}",
                self.shape,
                self.activation
            );
        }
    }
}

/// Which masks there are, and how much they drop.
const MASKS: [[Option<f64>; 2]; 9] = [
    [None, None],
    [Some(0.5), None],
    [None, Some(0.5)],
    [Some(0.5), Some(0.5)],
    [Some(0.2), Some(0.7)],
    [Some(0.0), Some(0.0)],
    [Some(1.0), None],
    [None, Some(1.0)],
    [Some(1.0), Some(1.0)],
];

const SHAPES: [(usize, usize, usize); 9] = [
    (0, 5, 3),
    (3, 0, 5),
    (3, 5, 0),
    (1, 1, 1),
    (1, 70, 45),
    (5, 1, 7),
    (13, 37, 29),
    (17, 64, 96),
    (33, 131, 65),
];

#[test]
fn equals_the_dense_masked_layer() {
    on_every_isa("unit_linear", |_| {
        for (shape, p) in SHAPES
            .into_iter()
            .flat_map(|shape| MASKS.map(|p| (shape, p)))
        {
            Case::new(shape, p, Activation::Relu).check_forward();
            Case::new(shape, p, Activation::Identity).check_forward();
        }
        for activation in Activation::ALL {
            Case::new((9, 40, 33), [Some(0.4), Some(0.6)], activation).check_forward();
        }
    });
}

/// Every gradient that a mask drops is +0.0.
fn check_selected(case: &Case, grads: &ops::LinearGrads) {
    let (_, k, n) = case.shape;
    let (input, output) = (
        bools(case.input.as_ref(), k),
        bools(case.output.as_ref(), n),
    );
    for (i, x) in grads.x.as_slice().iter().enumerate() {
        assert!(input[i % k] || x.to_bits() == 0, "dx is +0.0 where dropped");
    }
    for (i, w) in grads.w.as_slice().iter().enumerate() {
        assert!(
            input[i % k] && output[i / k] || w.to_bits() == 0,
            "dw is +0.0 where dropped"
        );
    }
    for (bias, kept) in grads.bias.as_slice().iter().zip(output) {
        assert!(kept || bias.to_bits() == 0, "dbias is +0.0 where dropped");
    }
}

#[test]
fn gradients_match_central_differences() {
    for &isa in Isa::available() {
        for (activation, p) in Activation::ALL
            .into_iter()
            .flat_map(|a| MASKS.map(|p| (a, p)))
        {
            let case = Case::new((4, 7, 6), p, activation);
            isa.install(|| check_gradients(&case));
        }
        // Both ways of merging ReLU's decisions: rows of whole cells of 16, and others.
        for n in [16, 40] {
            let case = Case::new((3, 5, n), [Some(0.3), Some(0.0)], Activation::Relu);
            isa.install(|| check_gradients(&case));
        }
    }
}

fn check_gradients(case: &Case) {
    let (_, k, n) = case.shape;
    let grads = case.backward(&case.forward().1);
    check_selected(case, &grads);
    let inputs = [&case.x, &case.w, &case.bias].map(wide);
    let g = wide(&case.g);
    let (input, output) = (
        bools(case.input.as_ref(), k),
        bools(case.output.as_ref(), n),
    );
    let value = |[x, w, bias]: &[Vec<f64>; 3]| {
        let y = forward(&UnitLinear {
            shape: case.shape,
            x,
            w,
            bias,
            activation: case.activation,
            input: &input,
            output: &output,
            scale: f64::from(case.output.as_ref().map_or(1.0, UnitMask::scale)),
        });
        y.iter().zip(&g).map(|((y, _), g)| y * g).sum::<f64>()
    };
    for (which, found) in [&grads.x, &grads.w, &grads.bias].into_iter().enumerate() {
        for (i, &found) in found.as_slice().iter().enumerate() {
            let at = |step: f64| {
                let mut moved = inputs.clone();
                moved[which][i] += step;
                value(&moved)
            };
            let want = (at(1e-6) - at(-1e-6)) / 2e-6;
            let error = (f64::from(found) - want).abs();
            assert!(
                error < 2e-5,
                "{} input {which} at {i}: {found} for {want}",
                case.activation
            );
        }
    }
}

#[test]
fn threads_change_no_bits() {
    for (activation, n) in [(Activation::Relu, 352), (Activation::GeluTanh, 347)] {
        let case = Case::new((150, 500, n), [Some(0.5), Some(0.4)], activation);
        for &isa in Isa::available() {
            let runs = [1, 2, 3, 8].map(|threads| {
                on_threads(threads, || {
                    isa.install(|| {
                        let (y, saved) = case.forward();
                        let grads = case.backward(&saved);
                        [y, grads.x, grads.w, grads.bias].map(|t| bits(t.as_slice()))
                    })
                })
            });
            assert!(runs.windows(2).all(|pair| pair[0] == pair[1]), "{isa}");
        }
    }
}

#[test]
fn nothing_that_is_dropped_is_read() {
    for activation in [Activation::Relu, Activation::Tanh] {
        let mut case = Case::new((11, 30, 23), [Some(0.5), Some(0.5)], activation);
        let (y, saved) = case.forward();
        let grads = case.backward(&saved);
        let (input, output) = (
            bools(case.input.as_ref(), 30),
            bools(case.output.as_ref(), 23),
        );
        let spoil = |x: &mut Tensor, kept: &dyn Fn(usize) -> bool| {
            for (i, x) in x.as_mut_slice().iter_mut().enumerate() {
                if !kept(i) {
                    *x = f32::NAN;
                }
            }
        };
        spoil(&mut case.x, &|i| input[i % 30]);
        spoil(&mut case.w, &|i| input[i % 30] && output[i / 30]);
        spoil(&mut case.bias, &|i| output[i]);
        spoil(&mut case.g, &|i| output[i % 23]);
        let (spoilt, saved) = case.forward();
        assert_eq!(bits(spoilt.as_slice()), bits(y.as_slice()));
        assert_eq!(case.backward(&saved), grads);
    }
}

#[test]
fn a_used_state_is_as_good_as_a_new_one() {
    let mut reused = ops::UnitSaved::default();
    for (shape, p) in SHAPES
        .into_iter()
        .rev()
        .flat_map(|shape| MASKS.map(|p| (shape, p)))
    {
        for activation in [Activation::Relu, Activation::GeluErf, Activation::Identity] {
            let case = Case::new(shape, p, activation);
            let (y, saved) = case.forward();
            let mut out = Tensor::full(y.shape(), f32::NAN).unwrap();
            let state = Some(&mut reused);
            ops::unit_linear_into(&case.x, &case.w, &case.epilogue(), &mut out, state).unwrap();
            assert_eq!((&out, &reused), (&y, &saved));
            assert_eq!(case.backward(&reused), case.backward(&saved));
            out.as_mut_slice().fill(f32::NAN);
            ops::unit_linear_into(&case.x, &case.w, &case.epilogue(), &mut out, None).unwrap();
            assert_eq!(out, y);
        }
    }
}

/// The same matrix with columns in memory where rows were.
fn turned(x: &Tensor) -> Tensor {
    let turned = x.view().transpose(0, 1).unwrap();
    turned.to_tensor().unwrap()
}

#[test]
fn any_strides_will_do() {
    for p in MASKS {
        let case = Case::new((12, 19, 21), p, Activation::Tanh);
        let (y, saved) = case.forward();
        let grads = case.backward(&saved);
        let [x, w, g] = [&case.x, &case.w, &case.g].map(turned);
        let [x, w, g] = [&x, &w, &g].map(|x| x.view().transpose(0, 1).unwrap());
        let epilogue = case.epilogue();
        let mut out = Tensor::zeros(&[21, 12]).unwrap();
        let mut state = ops::UnitSaved::default();
        let into = out.view_mut().transpose(0, 1).unwrap();
        ops::unit_linear_into(x, w, &epilogue, into, Some(&mut state)).unwrap();
        assert_eq!(turned(&out), y);
        let mut into = [[19, 12], [19, 21]].map(|shape| Tensor::zeros(&shape).unwrap());
        let mut bias = vec![7.0; 42];
        let [dx, dw] = &mut into;
        let strided = ops::LinearGradsInto {
            x: Some(dx.view_mut().transpose(0, 1).unwrap()),
            w: Some(dw.view_mut().transpose(0, 1).unwrap()),
            bias: Some(ViewMut::new(&mut bias, &[21], &[2]).unwrap()),
        };
        ops::unit_linear_backward_into(g, x, w, &epilogue, &state, strided).unwrap();
        assert_eq!((turned(dx), turned(dw)), (grads.x.clone(), grads.w.clone()));
        for (bias, want) in bias.chunks(2).zip(grads.bias.as_slice()) {
            assert_eq!(bias, [*want, 7.0]);
        }
        // One gradient alone, and a gradient that is the same in every row.
        let mut dw = Tensor::zeros(&[21, 19]).unwrap();
        let alone = ops::LinearGradsInto {
            w: Some(dw.view_mut()),
            ..ops::LinearGradsInto::default()
        };
        ops::unit_linear_backward_into(g, x, w, &epilogue, &state, alone).unwrap();
        assert_eq!(dw, grads.w);
        let row = View::new(case.g.as_slice(), &[12, 21], &[0, 1]).unwrap();
        let copied = row.to_tensor().unwrap();
        assert_eq!(
            ops::unit_linear_backward(row, x, w, &epilogue, &state).unwrap(),
            ops::unit_linear_backward(&copied, x, w, &epilogue, &state).unwrap()
        );
    }
}

#[test]
fn without_masks_it_is_the_linear_layer() {
    let case = Case::new((20, 31, 48), [None, None], Activation::Relu);
    let plain = elision::Epilogue {
        bias: Some(case.bias.view()),
        activation: Activation::Relu,
        dropout: None,
    };
    let (y, saved) = case.forward();
    let (want, state) = ops::linear(&case.x, &case.w, &plain).unwrap();
    assert_eq!(y, want);
    let want = ops::linear_backward(&case.g, &case.x, &case.w, &plain, &state).unwrap();
    assert_eq!(case.backward(&saved), want);
}

#[test]
fn unit_masks_hold_the_drawn_bits() {
    let dropout = Dropout::new(Key::new(3), 0.3).unwrap().with_offset(99);
    for units in [0, 1, 63, 64, 65, 1000] {
        let mut units_mask = UnitMask::draw(&dropout, units).unwrap();
        let mask = Mask::draw(&dropout, units).unwrap();
        assert_eq!(units_mask.mask(), &mask);
        assert!(
            mask.kept()
                .eq(units_mask.kept().iter().map(|&i| i as usize))
        );
        assert_eq!(units_mask.scale(), dropout.scale());
        assert_eq!(
            (units_mask.len(), units_mask.is_empty()),
            (units, units == 0)
        );
        assert_eq!(
            UnitMask::from_mask(&mask, dropout.scale()).unwrap(),
            units_mask
        );
        let other = Dropout::new(Key::new(4), 0.6).unwrap();
        units_mask.redraw(&other).unwrap();
        assert_eq!(units_mask, UnitMask::draw(&other, units).unwrap());
    }
    #[cfg(target_pointer_width = "64")]
    assert!(matches!(
        UnitMask::draw(&dropout, 1 << 32),
        Err(Error::Overflow(_))
    ));
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let mask = UnitMask::from_mask(&Mask::all(3), scale);
        assert!(matches!(mask, Err(Error::Number { .. })));
    }
    let end = dropout.with_offset(u64::MAX - 5);
    assert!(UnitMask::draw(&end, 10).is_err());
}

#[test]
fn bad_arguments_are_errors_and_write_nothing() {
    let case = Case::new((4, 5, 3), [Some(0.5), Some(0.5)], Activation::Relu);
    let good = case.epilogue();
    let (short, other) = (drawn(2, 0.5, 1), drawn(3, 0.0, 1));
    let bias = noise(&[4], 1);
    let bad = [
        UnitEpilogue {
            input: Some(&short),
            ..good
        },
        UnitEpilogue {
            output: Some(&short),
            ..good
        },
        UnitEpilogue {
            bias: Some(bias.view()),
            ..good
        },
    ];
    let (y, saved) = case.forward();
    let mut out = Tensor::full(&[4, 3], 7.0).unwrap();
    let mut wrong = Tensor::full(&[3, 4], 7.0).unwrap();
    let (x, w) = (&case.x, &case.w);
    let mut state = saved.clone();
    for epilogue in &bad {
        assert!(ops::unit_linear(x, w, epilogue).is_err());
        assert!(ops::unit_linear_into(x, w, epilogue, &mut out, Some(&mut state)).is_err());
        assert!(ops::unit_linear_backward(&y, x, w, epilogue, &saved).is_err());
    }
    assert!(ops::unit_linear_into(x, w, &good, &mut wrong, Some(&mut state)).is_err());
    assert!(ops::unit_linear_into(&out.clone(), w, &good, &mut out, Some(&mut state)).is_err());
    assert!(ops::unit_linear(x.view().reshape(&[20]).unwrap(), w, &good).is_err());
    assert_eq!(state, saved);
    // Gradients: a wrong gradient of the output, another state, other masks, another activation.
    let swapped = UnitEpilogue {
        output: Some(&other),
        ..good
    };
    let without = UnitEpilogue {
        output: None,
        ..good
    };
    let smooth = UnitEpilogue {
        activation: Activation::Tanh,
        ..good
    };
    let mut grads = [[4, 5], [3, 5]].map(|shape| Tensor::full(&shape, 7.0).unwrap());
    let taller = Case::new((9, 5, 3), [Some(0.5), Some(0.5)], Activation::Relu);
    let states = [ops::UnitSaved::default(), taller.forward().1, saved.clone()];
    let calls = [
        (&y, &good, &states[0]),
        (&y, &good, &states[1]),
        (&wrong, &good, &states[2]),
        (&y, &swapped, &states[2]),
        (&y, &without, &states[2]),
        (&y, &smooth, &states[2]),
    ];
    for (g, epilogue, state) in calls {
        let [dx, dw] = &mut grads;
        let into = ops::LinearGradsInto {
            x: Some(dx.view_mut()),
            w: Some(dw.view_mut()),
            bias: None,
        };
        assert!(ops::unit_linear_backward_into(g, x, w, epilogue, state, into).is_err());
    }
    let [dx, dw] = &mut grads;
    let into = ops::LinearGradsInto {
        x: Some(dw.view_mut()),
        w: Some(dx.view_mut()),
        bias: None,
    };
    assert!(ops::unit_linear_backward_into(&y, x, w, &good, &saved, into).is_err());
    for tensor in [&out, &wrong].into_iter().chain(&grads) {
        assert!(tensor.as_slice().iter().all(|&y| y == 7.0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_shape_and_mask(
        m in 0usize..40, k in 0usize..70, n in 0usize..70,
        input in prop::option::of(0.0..=1.0), output in prop::option::of(0.0..0.9),
        activation in prop::sample::select(&Activation::ALL[..]),
    ) {
        Case::new((m, k, n), [input, output], activation).check_forward();
    }
}
