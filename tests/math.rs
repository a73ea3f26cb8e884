//! Accuracy of the elementary functions over a dense sweep of f32, and equality of their bits on every
//! instruction set. `docs/accuracy.md` holds the table that this test prints (`--nocapture`).

#[path = "support/ulp.rs"]
mod ulp;

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use elision::reference::math as reference;
use elision::{Activation, Isa, Result, Tensor, ops};
use ulp::{ulp, ulps};

/// A function, what it should be, and how far from that it may be in units in the last place.
struct Function {
    name: &'static str,
    run: fn(&Tensor) -> Result<Tensor>,
    exact: fn(f64) -> f64,
    bound: fn(f64, f64) -> f64,
}

const FUNCTIONS: [Function; 7] = [
    Function {
        name: "exp",
        run: |x| ops::exp(x),
        exact: f64::exp,
        bound: |_, _| 1.0,
    },
    Function {
        name: "ln",
        run: |x| ops::ln(x),
        exact: f64::ln,
        bound: |_, _| 1.0,
    },
    Function {
        name: "tanh",
        run: |x| ops::tanh(x),
        exact: f64::tanh,
        bound: |_, _| 1.5,
    },
    Function {
        name: "sigmoid",
        run: |x| ops::sigmoid(x),
        exact: reference::sigmoid,
        bound: |_, _| 2.5,
    },
    Function {
        name: "erf",
        run: |x| ops::erf(x),
        exact: reference::erf,
        bound: |_, _| 2.5,
    },
    Function {
        name: "gelu",
        run: |x| ops::gelu(x),
        exact: |x| reference::activation(Activation::GeluTanh, x),
        bound: gelu_bound,
    },
    Function {
        name: "gelu-erf",
        run: |x| ops::gelu_erf(x),
        exact: |x| reference::activation(Activation::GeluErf, x),
        bound: gelu_erf_bound,
    },
];

/// 4 ulp from -1 up. Below, the rounding of the logistic function's argument v grows with v and becomes a
/// relative error of e^v; and where e^v is subnormal, it has fewer bits than the product with x needs.
fn gelu_bound(x: f64, exact: f64) -> f64 {
    let v = 1.5957691216 * (x + 0.044715 * x.powi(3));
    let tail = if x < -1.0 { 3.0 * v.abs() } else { 0.0 };
    4.0 + tail + subnormal_share(x, exact)
}

/// 4 ulp from -1 up and 6 below, besides what a subnormal share costs.
fn gelu_erf_bound(x: f64, exact: f64) -> f64 {
    let relative = if x < -1.0 { 6.0 } else { 4.0 };
    relative + subnormal_share(x, exact)
}

/// 2^-145 absolute, in units in the last place of the result, for negative x.
fn subnormal_share(x: f64, exact: f64) -> f64 {
    if x < 0.0 {
        2f64.powi(-145) / ulp(exact)
    } else {
        0.0
    }
}

/// Where the functions change form, overflow, underflow or saturate.
const EDGES: [f32; 19] = [
    0.0,
    0.346_573_6,
    0.625,
    FRAC_1_SQRT_2,
    0.75,
    1.0,
    SQRT_2,
    3.92,
    9.01,
    10.05,
    10.7,
    13.2,
    14.5,
    16.0,
    20.0,
    87.336_54,
    88.722_84,
    103.972_08,
    104.0,
];

/// Every 7,919th bit pattern, all patterns around the edges, and evenly spaced numbers from -16 to 16.
fn inputs() -> Tensor {
    let sweep = (0..=u32::MAX).step_by(7919);
    let around = |x: f32| (0..4096).map(move |i| (x.to_bits() + i).saturating_sub(2048));
    let edges = EDGES
        .into_iter()
        .flat_map(around)
        .flat_map(|bits| [bits, bits | 1 << 31]);
    let even = (-200_000..200_000).map(|i| (i as f32 * 8e-5).to_bits());
    let x: Vec<f32> = sweep.chain(edges).chain(even).map(f32::from_bits).collect();
    let n = x.len();
    Tensor::from_vec(x, &[n]).unwrap()
}

#[test]
fn errors_stay_below_their_bounds() {
    let x = inputs();
    for f in &FUNCTIONS {
        let y = (f.run)(&x).unwrap();
        // From -1 up, and below -1; results below 1e-36 in size are held to the bound but not shown.
        let mut worst = [(0.0, 0.0, 0.0, 0.0); 2];
        for (&x, &y) in x.as_slice().iter().zip(y.as_slice()) {
            let exact = (f.exact)(x.into());
            let (error, bound) = (ulps(y, exact), (f.bound)(x.into(), exact));
            let name = f.name;
            assert!(
                error <= bound,
                "{name}({x:e}) = {y:e}, not {exact:e}: {error} > {bound} ulp"
            );
            let worst = &mut worst[usize::from(x < -1.0)];
            if error > worst.0 && exact.abs() >= 1e-36 {
                *worst = (error, x, y, exact);
            }
        }
        for (error, x, y, exact) in worst.into_iter().filter(|worst| worst.0 > 0.0) {
            let bits = x.to_bits();
            println!(
                "{:9} {error:.3} ulp at {x:e} ({bits:#010x}): {y:e}, not {exact:e}",
                f.name
            );
        }
    }
}

#[test]
fn gelu_is_accurate_in_absolute_terms_for_negative_numbers() {
    let x = inputs();
    for f in FUNCTIONS.iter().filter(|f| f.name.starts_with("gelu")) {
        let y = (f.run)(&x).unwrap();
        let mut worst = (0.0, 0.0);
        for (&x, &y) in x
            .as_slice()
            .iter()
            .zip(y.as_slice())
            .filter(|(x, _)| **x < 0.0)
        {
            let error = (f64::from(y) - (f.exact)(x.into())).abs();
            if error > worst.0 {
                worst = (error, x);
            }
        }
        println!("{:9} absolute error {:e} at {:e}", f.name, worst.0, worst.1);
        assert!(worst.0 <= 2f64.powi(-24), "{}: {worst:?}", f.name);
    }
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let x = inputs();
    for f in &FUNCTIONS {
        let mut first: Option<(Isa, Tensor)> = None;
        for &isa in Isa::available() {
            let y = isa.install(|| (f.run)(&x)).unwrap();
            let Some((first_isa, first)) = &first else {
                first = Some((isa, y));
                continue;
            };
            for ((x, a), b) in x.as_slice().iter().zip(first.as_slice()).zip(y.as_slice()) {
                assert_eq!(
                    a.to_bits(),
                    b.to_bits(),
                    "{}({x:e}) on {first_isa} and {isa}",
                    f.name
                );
            }
        }
    }
    println!("instruction sets: {:?}", Isa::available());
}

fn one(f: fn(&Tensor) -> Result<Tensor>, x: f32) -> f32 {
    f(&Tensor::full(&[1], x).unwrap()).unwrap().as_slice()[0]
}

/// Asserts equal bits, so that the signs of zeros count.
#[track_caller]
fn same(got: f32, expected: f32) {
    assert_eq!(
        got.to_bits(),
        expected.to_bits(),
        "{got:e} instead of {expected:e}"
    );
}

#[test]
fn special_values() {
    let inf = f32::INFINITY;
    for (name, cases) in [
        (
            "exp",
            &[(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0)][..],
        ),
        ("ln", &[(1.0, 0.0), (inf, inf), (0.0, -inf), (-0.0, -inf)]),
        (
            "tanh",
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (inf, 1.0),
                (-inf, -1.0),
                (1e-40, 1e-40),
                (f32::MIN, -1.0),
            ],
        ),
        (
            "sigmoid",
            &[
                (0.0, 0.5),
                (-0.0, 0.5),
                (inf, 1.0),
                (-inf, 0.0),
                (f32::MIN, 0.0),
            ],
        ),
        (
            "erf",
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (inf, 1.0),
                (-inf, -1.0),
                (f32::MAX, 1.0),
            ],
        ),
        (
            "gelu",
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (inf, inf),
                (-inf, -0.0),
                (f32::MAX, f32::MAX),
                (f32::MIN, -0.0),
            ],
        ),
        (
            "gelu-erf",
            &[
                (0.0, 0.0),
                (-0.0, -0.0),
                (inf, inf),
                (-inf, -0.0),
                (f32::MAX, f32::MAX),
                (f32::MIN, -0.0),
            ],
        ),
    ] {
        let f = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        println!("{name}");
        for &(x, y) in cases {
            same(one(f.run, x), y);
        }
        for nan in [f32::NAN, -f32::NAN, f32::from_bits(0x7FC1_2345)] {
            same(one(f.run, nan), nan);
        }
    }
    assert!(one(FUNCTIONS[1].run, -1.0).is_nan() && one(FUNCTIONS[1].run, -inf).is_nan());
}

#[test]
fn exp_overflows_and_underflows_where_it_should() {
    let exp = FUNCTIONS[0].run;
    // The largest f32 whose exponential is below 2^128, and the next.
    assert!(one(exp, f32::from_bits(0x42B1_7217)).is_finite());
    same(one(exp, f32::from_bits(0x42B1_7218)), f32::INFINITY);
    // The two neighbours of ln(2^-150).
    same(one(exp, f32::from_bits(0xC2CF_F1B4)), f32::from_bits(1));
    same(one(exp, f32::from_bits(0xC2CF_F1B5)), 0.0);
}

#[test]
fn odd_functions_are_odd_to_the_bit() {
    let x = inputs();
    let minus = Tensor::from_vec(x.as_slice().iter().map(|x| -x).collect(), x.shape()).unwrap();
    for name in ["tanh", "erf"] {
        let f = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        let (y, mirrored) = ((f.run)(&x).unwrap(), (f.run)(&minus).unwrap());
        for (a, b) in y.as_slice().iter().zip(mirrored.as_slice()) {
            same(*a, -b);
        }
    }
}
