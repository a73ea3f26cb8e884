//! Every function over every 7,919th bit pattern of f32, both signs, and where functions change form:
//! error in units in the last place against f64, and the same bits on every instruction set.

use super::*;
use crate::activation::Activation;
use crate::kernels::activation::derivative;
use crate::reference::math as reference;
use crate::simd::{Isa, Kernel, LANES, dispatch};

#[derive(Clone, Copy, Debug)]
enum Function {
    Exp,
    Ln,
    Tanh,
    Sigmoid,
    Erf,
    Gelu,
    GeluErf,
    Derivative(Activation),
}

struct Map<'a>(Function, &'a [f32], &'a mut [f32]);

impl Kernel for Map<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        for (x, y) in self
            .1
            .as_chunks::<LANES>()
            .0
            .iter()
            .zip(self.2.as_chunks_mut::<LANES>().0)
        {
            let x = simd.load(x);
            let out = match self.0 {
                Function::Exp => exp(simd, x),
                Function::Ln => ln(simd, x),
                Function::Tanh => tanh(simd, x),
                Function::Sigmoid => sigmoid(simd, x),
                Function::Erf => erf(simd, x),
                Function::Gelu => gelu(simd, x),
                Function::GeluErf => gelu_erf(simd, x),
                Function::Derivative(a) => derivative(simd, a, x),
            };
            simd.store(out, y);
        }
    }
}

impl Function {
    fn run(self, isa: Isa, x: &[f32]) -> Vec<f32> {
        let mut padded = x.to_vec();
        padded.resize(x.len().next_multiple_of(LANES), 0.0);
        let mut y = vec![0.0; padded.len()];
        dispatch(isa, Map(self, &padded, &mut y));
        y.truncate(x.len());
        y
    }

    fn one(self, x: f32) -> f32 {
        self.run(Isa::best().unwrap(), &[x])[0]
    }

    fn exact(self, x: f64) -> f64 {
        match self {
            Self::Exp => x.exp(),
            Self::Ln => x.ln(),
            Self::Tanh => x.tanh(),
            Self::Sigmoid => reference::sigmoid(x),
            Self::Erf => reference::erf(x),
            Self::Gelu => reference::activation(Activation::GeluTanh, x),
            Self::GeluErf => reference::activation(Activation::GeluErf, x),
            Self::Derivative(a) => reference::derivative(a, x),
        }
    }
}

/// Where the functions change form, overflow, underflow or saturate.
const EDGES: [f32; 18] = [
    0.0,
    0.346_573_6,
    0.625,
    0.707_106_8,
    0.75,
    1.0,
    1.414_213_6,
    3.92,
    9.01,
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

/// A dense sweep; NaNs are left out.
fn inputs() -> Vec<f32> {
    let sweep = (0..=u32::MAX).step_by(7919);
    let edges = EDGES
        .into_iter()
        .flat_map(|x| (0..4096).map(move |i| (x.to_bits() + i).saturating_sub(2048)));
    let edges = edges.flat_map(|bits| [bits, bits | SIGN]);
    // Where derivatives and tails live, evenly.
    let even = (-200_000..200_000).map(|i| (i as f32 * 8e-5).to_bits());
    let all = sweep.chain(edges).chain(even).map(f32::from_bits);
    all.filter(|x| !x.is_nan()).collect()
}

/// The distance from `exact` in units in the last place of f32 there.
fn ulps(got: f32, exact: f64) -> f64 {
    let rounded = exact as f32;
    if got == rounded || (got.is_nan() && exact.is_nan()) {
        return ((f64::from(got) - exact).abs() / ulp(exact)).min(0.5);
    }
    (f64::from(got) - exact).abs() / ulp(exact)
}

fn ulp(exact: f64) -> f64 {
    let exponent = (exact.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.clamp(-126, 127) - 23)
}

/// Asserts the bound in the inputs that `within` admits, and prints the worst.
fn check(function: Function, bound: f64, within: impl Fn(f32, f64) -> bool) {
    let x = inputs();
    let y = function.run(Isa::best().unwrap(), &x);
    let mut worst = (0.0, 0.0, 0.0, 0.0);
    for (&x, &y) in x.iter().zip(&y) {
        let exact = function.exact(x.into());
        let error = ulps(y, exact);
        if within(x, exact) && !(error <= worst.0) {
            worst = (error, x, y, exact);
        }
    }
    let (error, x, y, exact) = worst;
    println!(
        "{function:?}: {error:.3} ulp at {x:e} ({:#010x}): {y:e}, not {exact:e}",
        x.to_bits()
    );
    assert!(
        error <= bound,
        "{function:?}({x:e}) = {y:e}, not {exact:e}: {error} ulp"
    );
}
#[test]
fn zz_all() {
    check(Function::Exp, 1e9, |_, _| true);
    check(Function::Ln, 1e9, |_, _| true);
    check(Function::Tanh, 1e9, |_, _| true);
    check(Function::Sigmoid, 1e9, |_, e| e >= 1.17e-38);
    check(Function::Sigmoid, 1e9, |_, e| e < 1.17e-38);
    check(Function::Erf, 1e9, |_, _| true);
    for g in [Function::Gelu, Function::GeluErf] {
        check(g, 1e9, |x, _| x >= 0.0);
        for k in 0..15 {
            check(g, 1e9, |x, e| {
                x < -k as f32 && x >= -(k + 1) as f32 && e.abs() >= 1.17e-38
            });
        }
    }
    for a in Activation::ALL {
        let f = Function::Derivative(a);
        let x = inputs();
        let y = f.run(Isa::best().unwrap(), &x);
        let mut w = (0.0, 0.0, 0.0, 0.0);
        for (&x, &y) in x.iter().zip(&y) {
            if x.is_infinite() || x.abs() > 1e3 {
                continue;
            }
            let e = f.exact(x.into());
            let d = (y as f64 - e).abs();
            if !(d <= w.0) {
                w = (d, x, y, e);
            }
        }
        println!("{a} {w:?}");
    }
}
