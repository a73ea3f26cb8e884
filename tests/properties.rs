//! Laws of masks and of dropout, for any input that proptest thinks of.

mod support;

use elision::{Dropout, Form, Key, Mask, Tensor, ops};
use proptest::prelude::*;
use support::bits;

fn bools() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(any::<bool>(), 0..400)
}

/// Three masks of one length, and that length.
fn three() -> impl Strategy<Value = [Vec<bool>; 3]> {
    (0usize..400).prop_flat_map(|n| prop::array::uniform3(prop::collection::vec(any::<bool>(), n)))
}

fn zip(a: &[bool], b: &[bool], f: fn(bool, bool) -> bool) -> Vec<bool> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

proptest! {
    #[test]
    fn a_mask_is_its_bools(kept in bools()) {
        let mask = Mask::from_bools(&kept);
        prop_assert_eq!(mask.len(), kept.len());
        prop_assert_eq!(mask.is_empty(), kept.is_empty());
        prop_assert_eq!(mask.to_bools(), kept.clone());
        prop_assert_eq!(mask.count_kept(), kept.iter().filter(|kept| **kept).count());
        for (i, kept) in kept.iter().enumerate() {
            prop_assert_eq!(mask.get(i), Some(*kept));
        }
        for past in [kept.len(), kept.len() + 1, kept.len() + 64, usize::MAX] {
            prop_assert_eq!(mask.get(past), None);
        }
    }

    #[test]
    fn bytes_and_words_bring_a_mask_back(kept in bools(), noise in any::<u8>()) {
        let (mask, len) = (Mask::from_bools(&kept), kept.len());
        let mut bytes = mask.to_bytes();
        prop_assert_eq!(bytes.len(), len.div_ceil(8));
        prop_assert_eq!(Mask::from_bytes(&bytes, len), Ok(mask.clone()));
        prop_assert_eq!(Mask::from_words(mask.as_words().to_vec(), len), Ok(mask.clone()));
        for (i, kept) in kept.iter().enumerate() {
            prop_assert_eq!(bytes[i / 8] >> (i % 8) & 1 == 1, *kept);
        }
        // What stands past the end is not part of the mask.
        if let (1.., Some(last)) = (len % 8, bytes.last_mut()) {
            *last |= noise << (len % 8);
        }
        prop_assert_eq!(Mask::from_bytes(&bytes, len), Ok(mask.clone()));
        let mut words = mask.as_words().to_vec();
        if let (1.., Some(last)) = (len % 64, words.last_mut()) {
            *last |= u64::from(noise) << (len % 64);
        }
        prop_assert_eq!(Mask::from_words(words, len), Ok(mask));
    }

    #[test]
    fn a_wrong_number_of_bytes_or_words_is_an_error(kept in bools(), extra in 1usize..4) {
        let (mask, len) = (Mask::from_bools(&kept), kept.len());
        let mut bytes = mask.to_bytes();
        let mut words = mask.as_words().to_vec();
        bytes.resize(bytes.len() + extra, 0);
        words.resize(words.len() + extra, 0);
        prop_assert!(Mask::from_bytes(&bytes, len).is_err());
        prop_assert!(Mask::from_words(words, len).is_err());
        if len > 0 {
            prop_assert!(Mask::from_bytes(&mask.to_bytes()[1..], len).is_err());
            prop_assert!(Mask::from_words(mask.as_words()[1..].to_vec(), len).is_err());
        }
    }

    #[test]
    fn a_slice_is_a_slice_of_the_bools(kept in bools(), a in 0usize..400, b in 0usize..400) {
        let (start, end) = (a.min(b).min(kept.len()), a.max(b).min(kept.len()));
        let mask = Mask::from_bools(&kept);
        let slice = mask.slice(start..end);
        prop_assert_eq!(slice, Ok(Mask::from_bools(&kept[start..end])));
        prop_assert!(mask.slice(start..kept.len() + 1).is_err());
        prop_assert!(mask.slice(usize::MAX - 1..usize::MAX).is_err());
        #[expect(clippy::reversed_empty_ranges, reason = "reversed ranges are the case")]
        let reversed = mask.slice(1..0);
        prop_assert!(reversed.is_err());
    }

    #[test]
    fn masks_are_a_boolean_algebra([a, b, c] in three()) {
        let [x, y, z] = [&a, &b, &c].map(|kept| Mask::from_bools(kept));
        let (all, none) = (Mask::all(x.len()), Mask::none(x.len()));
        let and = |a: &Mask, b: &Mask| a.and(b).expect("one length");
        let or = |a: &Mask, b: &Mask| a.or(b).expect("one length");
        let xor = |a: &Mask, b: &Mask| a.xor(b).expect("one length");
        prop_assert_eq!(and(&x, &y).to_bools(), zip(&a, &b, |a, b| a && b));
        prop_assert_eq!(or(&x, &y).to_bools(), zip(&a, &b, |a, b| a || b));
        prop_assert_eq!(xor(&x, &y).to_bools(), zip(&a, &b, |a, b| a != b));
        prop_assert_eq!(x.not().to_bools(), a.iter().map(|a| !a).collect::<Vec<_>>());
        prop_assert_eq!(x.not().not(), x.clone());
        prop_assert_eq!(and(&x, &y).not(), or(&x.not(), &y.not()));
        prop_assert_eq!(or(&x, &y).not(), and(&x.not(), &y.not()));
        prop_assert_eq!(and(&x, &or(&y, &z)), or(&and(&x, &y), &and(&x, &z)));
        prop_assert_eq!(xor(&xor(&x, &y), &y), x.clone());
        prop_assert_eq!(and(&x, &all), x.clone());
        prop_assert_eq!(or(&x, &none), x.clone());
        prop_assert_eq!(or(&x, &x.not()), all.clone());
        prop_assert_eq!(xor(&x, &all), x.not());
        prop_assert_eq!(all.not(), none);
        prop_assert_eq!(x.count_kept() + x.not().count_kept(), x.len());
    }

    #[test]
    fn masks_of_two_lengths_do_not_combine(kept in bools(), extra in 1usize..100) {
        let (short, long) = (Mask::from_bools(&kept), Mask::all(kept.len() + extra));
        for result in [short.and(&long), long.or(&short), short.xor(&long)] {
            prop_assert!(result.is_err());
        }
    }

    #[test]
    fn kept_lists_the_kept(kept in bools()) {
        let mask = Mask::from_bools(&kept);
        let mut indices = mask.kept();
        let mut left = mask.count_kept();
        for (i, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
            prop_assert_eq!(indices.len(), left);
            prop_assert_eq!(indices.next(), Some(i));
            left -= 1;
        }
        prop_assert_eq!(indices.len(), 0);
        prop_assert_eq!(indices.next(), None);
        prop_assert_eq!(indices.next(), None);
        prop_assert_eq!(indices.len(), 0);
    }

    #[test]
    fn debug_stays_on_a_line(n in prop_oneof![0usize..200, Just(10_000_000)], all in any::<bool>()) {
        let mask = if all { Mask::all(n) } else { Mask::none(n) };
        let text = format!("{mask:?}");
        prop_assert!(text.len() < 200 && !text.contains('\n'), "{}", text);
    }
}

/// Finite values whose products with any scale below 2^20 are finite.
fn value() -> impl Strategy<Value = f32> {
    prop_oneof![-1e3f32..1e3, -1e-30f32..1e-30, Just(0.0), Just(-0.0)]
}

/// A dropout of any key and offset, at a rate from 0 to 1 with both ends.
fn dropout() -> impl Strategy<Value = Dropout> {
    let p = prop_oneof![8 => 0.0f64..=1.0, 1 => Just(0.0), 1 => Just(0.5), 1 => Just(1.0)];
    (any::<u128>(), p, 0..u64::MAX / 2).prop_map(|(key, p, offset)| {
        let dropout = Dropout::new(Key::from_u128(key), p).expect("p is a probability");
        dropout.with_offset(offset)
    })
}

fn vector(data: &[f32]) -> Tensor {
    Tensor::from_slice(data, &[data.len()]).expect("the shape is right")
}

fn forward(x: &[f32], dropout: &Dropout) -> Vec<f32> {
    ops::dropout(&vector(x), dropout)
        .expect("the case is valid")
        .0
        .into_vec()
}

/// The distance of two floats in units of `b`'s last place; 0 if both are equal.
fn ulps(a: f32, b: f32) -> f32 {
    let spacing = (f32::from_bits(b.abs().to_bits() + 1) - b.abs()).max(f32::from_bits(1));
    (a - b).abs() / spacing
}

proptest! {
    #[test]
    fn dropout_scales_with_its_input(
        x in prop::collection::vec(value(), 0..300),
        dropout in dropout(),
        power in -8i32..8,
    ) {
        // A power of two commutes with every rounding while nothing is subnormal.
        let factor = 2f32.powi(power);
        let x: Vec<f32> = x.into_iter().map(|x| if x.abs() < 1e-20 { 0.0 } else { x }).collect();
        let scaled: Vec<f32> = x.iter().map(|x| x * factor).collect();
        let expected: Vec<f32> = forward(&x, &dropout).iter().map(|y| y * factor).collect();
        prop_assert_eq!(bits(&forward(&scaled, &dropout)), bits(&expected));
    }

    #[test]
    fn dropout_is_additive_within_rounding(
        pairs in prop::collection::vec((-1e3f32..1e3, -1e3f32..1e3), 0..300),
        dropout in dropout(),
    ) {
        let (a, b): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
        let sums: Vec<f32> = pairs.iter().map(|(a, b)| a + b).collect();
        let found = forward(&sums, &dropout);
        let (da, db) = (forward(&a, &dropout), forward(&b, &dropout));
        for i in 0..sums.len() {
            // Five roundings on two roads, each at most half an ulp of a magnitude below this one.
            let bound = 4.0 * f32::EPSILON * (da[i].abs() + db[i].abs());
            prop_assert!((found[i] - (da[i] + db[i])).abs() <= bound, "element {}", i);
        }
    }

    #[test]
    fn selecting_twice_is_selecting_once(
        x in prop::collection::vec(any::<f32>().prop_filter("a NaN may change its payload", |x| !x.is_nan()), 0..300),
        dropout in dropout(),
    ) {
        // The original form selects without scaling, so it is a projection.
        let select = dropout.with_form(Form::Original);
        let once = forward(&x, &select);
        prop_assert_eq!(bits(&forward(&once, &select)), bits(&once));
    }

    #[test]
    fn the_gradient_is_dropout_of_the_gradient(
        g in prop::collection::vec(value(), 0..300),
        dropout in dropout(),
        original in any::<bool>(),
    ) {
        let dropout = if original { dropout.with_form(Form::Original) } else { dropout };
        let g = vector(&g);
        let (y, mask) = ops::dropout(&g, &dropout).expect("the case is valid");
        for mask in [None, Some(&mask)] {
            let dx = ops::dropout_backward(&g, &dropout, mask).expect("the case is valid");
            prop_assert_eq!(bits(dx.as_slice()), bits(y.as_slice()));
        }
    }

    #[test]
    fn dropout_is_its_own_adjoint(
        pairs in prop::collection::vec((-10f32..10.0, -10f32..10.0), 0..300),
        dropout in dropout(),
    ) {
        // <D x, g> = <x, D' g> term by term: each term is x g s, rounded twice on either side.
        let (x, g): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
        let y = forward(&x, &dropout);
        let dx = ops::dropout_backward(&vector(&g), &dropout, None).expect("the case is valid");
        for i in 0..x.len() {
            let (left, right) = (y[i] * g[i], x[i] * dx.as_slice()[i]);
            prop_assert!((left - right).abs() <= 2.5 * f32::EPSILON * right.abs() + 1e-40);
        }
    }

    #[test]
    fn the_forms_differ_by_the_scale(
        x in prop::collection::vec(-1e3f32..1e3, 0..300),
        dropout in dropout(),
    ) {
        // inverted = original / q, up to the roundings of q, 1 / q and the two products.
        let q = (1.0 - dropout.p()) as f32;
        prop_assume!(q > 1e-6);
        let inverted = forward(&x, &dropout);
        let original = forward(&x, &dropout.with_form(Form::Original));
        for (inverted, original) in inverted.iter().zip(&original) {
            prop_assert!(ulps(*inverted, original * (1.0 / q)) <= 5.0);
        }
    }

    #[test]
    fn the_mask_is_what_was_kept(x in prop::collection::vec(1f32..2.0, 0..300), dropout in dropout()) {
        let (y, mask) = ops::dropout(&vector(&x), &dropout).expect("the case is valid");
        let nonzero: Vec<bool> = y.as_slice().iter().map(|y| *y != 0.0).collect();
        prop_assert_eq!(mask, Mask::from_bools(&nonzero));
    }

    #[test]
    fn any_piece_of_a_stream_is_a_slice_of_it(dropout in dropout(), n in 0usize..9000, a in 0usize..9000, b in 0usize..9000) {
        let (start, end) = (a.min(b).min(n), a.max(b).min(n));
        let whole = Mask::draw(&dropout, n).expect("the indices fit");
        let piece = dropout.with_offset(dropout.offset() + start as u64);
        let drawn = Mask::draw(&piece, end - start);
        prop_assert!(drawn == whole.slice(start..end));
    }

    #[test]
    fn the_mean_over_keys_is_the_input(seed in any::<u64>(), p in 0.05f64..0.95) {
        // 4,096 draws of one element: x m / q has mean x and variance x^2 p / q. Bernstein's inequality
        // bounds a deviation t of the mean of n terms, each at most b = max(p, q) / q from x = 1, by
        // 2 exp(-n t^2 / (2 (p / q + b t / 3))): 1e-9 for this t, 3e-7 for 256 cases.
        let n = 4096;
        let dropout = Dropout::new(Key::new(seed), p).expect("p is a probability");
        let mean = forward(&vec![1.0; n], &dropout).iter().map(|y| f64::from(*y)).sum::<f64>() / n as f64;
        let (variance, b, l) = (p / (1.0 - p), p.max(1.0 - p) / (1.0 - p), (2e9f64).ln());
        let half = l * b / (3.0 * n as f64);
        let t = half + (half * half + 2.0 * l * variance / n as f64).sqrt();
        prop_assert!((mean - 1.0).abs() < t, "mean {} is farther than {} from 1", mean, t);
    }
}
