//! Distances in units in the last place of f32.

/// The distance of `got` from `exact`, in units in the last place of the f32 numbers around `exact`; at
/// most a half where `got` is `exact` rounded, overflow included.
pub(crate) fn ulps(got: f32, exact: f64) -> f64 {
    if got.is_nan() && exact.is_nan() {
        return 0.0;
    }
    let distance = (f64::from(got) - exact).abs() / ulp(exact);
    if got == exact as f32 {
        distance.min(0.5)
    } else {
        distance
    }
}

/// The distance between the two f32 numbers around `x`.
pub(crate) fn ulp(x: f64) -> f64 {
    let exponent = (x.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.clamp(-126, 127) - 23)
}
