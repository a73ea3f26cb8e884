//! Activations and their gradients as operations: lengths, offsets, layouts, instruction sets, threads.

use elision::reference::math as reference;
use elision::{Activation, Error, Isa, Tensor, View, ViewMut, ops};

const LENGTHS: [usize; 21] = [
    0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 511, 512, 513, 4095, 4096, 4097,
    100_003,
];
const OFFSETS: [usize; 3] = [0, 1, 3];
const NAN: f32 = f32::NAN;

/// Numbers of every kind, mostly from -8 to 8.
fn numbers(n: usize) -> Vec<f32> {
    let number = |i: usize| match i % 97 {
        13 => 0.0,
        14 => -0.0,
        15 => f32::INFINITY,
        16 => f32::NEG_INFINITY,
        17 => 1e-40,
        18 => f32::MAX,
        19 => f32::MIN,
        _ => ((i * 7919) % 16_001) as f32 / 1000.0 - 8.0,
    };
    (0..n).map(number).collect()
}

fn tensor(x: &[f32]) -> Tensor {
    Tensor::from_slice(x, &[x.len()]).unwrap()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn activations_are_near_the_reference_whatever_the_length_offset_and_instruction_set() {
    let all = numbers(100_003 + 3);
    for a in Activation::ALL {
        let whole = ops::activate(&tensor(&all), a).unwrap();
        for (&x, &y) in all.iter().zip(whole.as_slice()) {
            let exact = reference::activation(a, x.into());
            let bound = 4.0 * f64::from(f32::EPSILON) * exact.abs() + 6e-8;
            let near =
                (f64::from(y) - exact).abs() <= bound || f64::from(y) == exact || y == exact as f32;
            assert!(near, "{a}({x}) = {y}, not {exact}");
        }
        for (&n, offset) in LENGTHS
            .iter()
            .flat_map(|n| OFFSETS.map(|offset| (n, offset)))
        {
            let x = View::contiguous(&all[offset..offset + n], &[n]).unwrap();
            let expected = bits(&whole.as_slice()[offset..offset + n]);
            for isa in Isa::available() {
                let mut padded = vec![7.0; n + offset + 1];
                let out = ViewMut::contiguous(&mut padded[offset..offset + n], &[n]).unwrap();
                isa.install(|| ops::activate_into(x, a, out)).unwrap();
                assert_eq!(
                    bits(&padded[offset..offset + n]),
                    expected,
                    "{a} {n} {offset} {isa}"
                );
                assert!(
                    padded[..offset]
                        .iter()
                        .chain(&padded[offset + n..])
                        .all(|&x| x == 7.0)
                );
                let mut in_place = tensor(x.as_slice().unwrap());
                isa.install(|| ops::activate_in_place(&mut in_place, a))
                    .unwrap();
                assert_eq!(
                    bits(in_place.as_slice()),
                    expected,
                    "{a} {n} {offset} {isa} in place"
                );
            }
        }
    }
}

#[test]
fn gradients_do_not_depend_on_length_offset_or_instruction_set() {
    let (g, z) = (numbers(100_010)[7..].to_vec(), numbers(100_003));
    for a in Activation::ALL {
        let whole = ops::activate_backward(&tensor(&g), &tensor(&z), a).unwrap();
        for (&n, offset) in LENGTHS
            .iter()
            .flat_map(|n| OFFSETS.map(|offset| (n, offset)))
        {
            let range = offset.min(z.len() - n)..offset.min(z.len() - n) + n;
            let g = View::contiguous(&g[range.clone()], &[n]).unwrap();
            let z = View::contiguous(&z[range.clone()], &[n]).unwrap();
            for isa in Isa::available() {
                let mut out = tensor(g.as_slice().unwrap());
                isa.install(|| ops::activate_backward_in_place(&mut out, z, a))
                    .unwrap();
                for (a, b) in out.as_slice().iter().zip(&whole.as_slice()[range.clone()]) {
                    assert!(
                        a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
                        "{a} {n} {isa}"
                    );
                }
            }
        }
    }
}

/// Bounds on the absolute error of the derivatives, none of which exceeds 1.13.
fn derivative_bound(a: Activation) -> f64 {
    match a {
        Activation::Identity | Activation::Relu => 0.0,
        Activation::GeluTanh => 2.5e-7,
        Activation::GeluErf | Activation::Tanh => 2e-7,
        Activation::Sigmoid => 6e-8,
    }
}

#[test]
fn derivatives_match_central_differences() {
    let z: Vec<f32> = (-200_000..200_000).map(|i| i as f32 * 1e-4).collect();
    let ones = Tensor::full(&[z.len()], 1.0).unwrap();
    for a in Activation::ALL {
        let d = ops::activate_backward(&ones, &tensor(&z), a).unwrap();
        let mut worst = (0.0, 0.0);
        for (&z, &d) in z.iter().zip(d.as_slice()) {
            let error = (f64::from(d) - reference::derivative(a, z.into())).abs();
            if error > worst.0 {
                worst = (error, z);
            }
        }
        println!(
            "{a:8} derivative: absolute error {:e} at {:e}",
            worst.0, worst.1
        );
        assert!(worst.0 <= derivative_bound(a), "{a}: {worst:?}");
    }
}

#[test]
fn derivatives_at_special_values() {
    let inf = f32::INFINITY;
    let z = tensor(&[inf, -inf, f32::MAX, f32::MIN, 0.0, -0.0, NAN]);
    let ones = Tensor::full(&[7], 1.0).unwrap();
    for (a, expected) in [
        (Activation::Identity, [1.0; 7]),
        (Activation::Relu, [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        (Activation::GeluTanh, [1.0, 0.0, 1.0, 0.0, 0.5, 0.5, NAN]),
        (Activation::GeluErf, [1.0, 0.0, 1.0, 0.0, 0.5, 0.5, NAN]),
        (Activation::Tanh, [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, NAN]),
        (Activation::Sigmoid, [0.0, 0.0, 0.0, 0.0, 0.25, 0.25, NAN]),
    ] {
        let d = ops::activate_backward(&ones, &z, a).unwrap();
        for (i, (&got, expected)) in d.as_slice().iter().zip(expected).enumerate() {
            assert!(
                got == expected || (got.is_nan() && expected.is_nan()),
                "{a} {i}: {got}"
            );
        }
    }
}

#[test]
fn relu_of_special_values() {
    let y = ops::relu(&tensor(&[
        -1.0,
        -0.0,
        0.0,
        1e-40,
        -1e-40,
        2.0,
        f32::NEG_INFINITY,
        f32::INFINITY,
    ]))
    .unwrap();
    assert_eq!(
        bits(y.as_slice()),
        bits(&[0.0, 0.0, 0.0, 1e-40, 0.0, 2.0, 0.0, f32::INFINITY])
    );
    let nan = f32::from_bits(0xFFC1_2345);
    assert_eq!(
        bits(ops::relu(&tensor(&[nan])).unwrap().as_slice()),
        [nan.to_bits()]
    );
}

#[test]
fn the_identity_copies_every_bit() {
    let x = [NAN, -0.0, f32::from_bits(0x7F80_0001), 1e-45];
    assert_eq!(
        bits(
            ops::activate(&tensor(&x), Activation::Identity)
                .unwrap()
                .as_slice()
        ),
        bits(&x)
    );
    let g = ops::activate_backward(&tensor(&x), &tensor(&[NAN; 4]), Activation::Identity).unwrap();
    assert_eq!(bits(g.as_slice()), bits(&x));
}

#[test]
fn views_of_any_strides() {
    let x = Tensor::from_vec(numbers(60), &[6, 10]).unwrap();
    let strided = x.view().transpose(0, 1).unwrap().slice(0, 1..8).unwrap();
    let packed = strided.to_tensor().unwrap();
    for a in Activation::ALL {
        let expected = ops::activate(&packed, a).unwrap();
        assert_eq!(
            bits(ops::activate(strided, a).unwrap().as_slice()),
            bits(expected.as_slice())
        );
        let mut wide = Tensor::full(&[7, 12], 5.0).unwrap();
        ops::activate_into(strided, a, wide.view_mut().slice(1, 2..8).unwrap()).unwrap();
        let inner = wide.view().slice(1, 2..8).unwrap().to_tensor().unwrap();
        assert_eq!(bits(inner.as_slice()), bits(expected.as_slice()));
        assert_eq!(wide.as_slice().iter().filter(|&&x| x == 5.0).count(), 7 * 6);

        let mut copy = x.view().to_tensor().unwrap();
        ops::activate_in_place(
            copy.view_mut()
                .transpose(0, 1)
                .unwrap()
                .slice(0, 1..8)
                .unwrap(),
            a,
        )
        .unwrap();
        let inner = copy
            .view()
            .transpose(0, 1)
            .unwrap()
            .slice(0, 1..8)
            .unwrap()
            .to_tensor()
            .unwrap();
        assert_eq!(bits(inner.as_slice()), bits(expected.as_slice()));

        let z = Tensor::from_vec((0..42).map(|i| i as f32 / 8.0 - 2.0).collect(), &[7, 6]).unwrap();
        let expected = ops::activate_backward(&z, &z, a).unwrap();
        let mut wide = Tensor::zeros(&[6, 7]).unwrap();
        ops::activate_backward_into(&z, &z, a, wide.view_mut().transpose(0, 1).unwrap()).unwrap();
        assert_eq!(
            wide.view().transpose(0, 1).unwrap().to_tensor().unwrap(),
            expected
        );
        let mut g = z.view().transpose(0, 1).unwrap().to_tensor().unwrap();
        ops::activate_backward_in_place(g.view_mut().transpose(0, 1).unwrap(), &z, a).unwrap();
        assert_eq!(
            g.view().transpose(0, 1).unwrap().to_tensor().unwrap(),
            expected
        );
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let n = 300_001;
    let (x, g) = (tensor(&numbers(n)), Tensor::full(&[n], 3.0).unwrap());
    for a in Activation::ALL {
        let mut first: Option<(Vec<u32>, Vec<u32>)> = None;
        for threads in [1, 2, 3, 8] {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let pair = pool.install(|| {
                let y = ops::activate(&x, a).unwrap();
                let d = ops::activate_backward(&g, &x, a).unwrap();
                (bits(y.as_slice()), bits(d.as_slice()))
            });
            assert!(
                first.get_or_insert_with(|| pair.clone()) == &pair,
                "{a} on {threads} threads"
            );
        }
    }
}

#[test]
fn named_functions_are_the_activations() {
    let x = tensor(&numbers(100));
    for (a, y) in [
        (Activation::Relu, ops::relu(&x)),
        (Activation::GeluTanh, ops::gelu(&x)),
        (Activation::GeluErf, ops::gelu_erf(&x)),
        (Activation::Tanh, ops::tanh(&x)),
        (Activation::Sigmoid, ops::sigmoid(&x)),
    ] {
        assert_eq!(
            bits(y.unwrap().as_slice()),
            bits(ops::activate(&x, a).unwrap().as_slice())
        );
    }
    let mut out = Tensor::zeros(&[100]).unwrap();
    ops::exp_into(&x, &mut out).unwrap();
    assert_eq!(out, ops::exp(&x).unwrap());
}

#[test]
fn names_are_parsed_and_printed() {
    for a in Activation::ALL {
        assert_eq!(a.to_string().parse(), Ok(a));
    }
    assert_eq!(format!("{:>5}", Activation::Relu), " relu");
    assert!(matches!(
        "swish".parse::<Activation>(),
        Err(Error::Unsupported(_))
    ));
    assert!(matches!(
        "ReLU".parse::<Activation>(),
        Err(Error::Unsupported(_))
    ));
}

#[test]
fn wrong_shapes_change_nothing() {
    let x = Tensor::full(&[2, 3], 1.0).unwrap();
    let mut out = Tensor::full(&[3, 2], 9.0).unwrap();
    let wrong = |result| assert!(matches!(result, Err(Error::Shape { .. })), "{result:?}");
    wrong(ops::activate_into(&x, Activation::Tanh, &mut out));
    wrong(ops::exp_into(&x, &mut out));
    wrong(ops::activate_backward_into(
        &x,
        &x,
        Activation::Tanh,
        &mut out,
    ));
    wrong(ops::activate_backward_in_place(
        &mut out,
        &x,
        Activation::Tanh,
    ));
    wrong(ops::activate_backward(&x, &out, Activation::Tanh).map(drop));
    assert_eq!(out, Tensor::full(&[3, 2], 9.0).unwrap());
}
