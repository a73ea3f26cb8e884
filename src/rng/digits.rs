//! The binary digits of a probability.

/// The digits of p in (0, 1) after the binary point, most significant first, without trailing zeros:
/// p = 0.d1 d2 d3 …, all of them, since every f64 has finitely many (at most 1,074).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digits {
    /// Zeros before the first one.
    zeros: u32,
    /// The digits from the first one on, first digit in the highest bit.
    significant: u64,
    /// How many digits there are, zeros included.
    count: u32,
}

impl Digits {
    /// The digits of `p`, which must lie strictly between 0 and 1.
    pub(crate) fn new(p: f64) -> Self {
        debug_assert!(p > 0.0 && p < 1.0, "{p} has no digits to compare with");
        let bits = p.to_bits();
        let (exponent, fraction) = ((bits >> 52) as u32, bits & ((1 << 52) - 1));
        // p = mantissa * 2^-scale; subnormal numbers have no hidden one.
        let (mantissa, scale) = match exponent {
            0 => (fraction, 1074),
            _ => (fraction | 1 << 52, 1075 - exponent),
        };
        let zeros = scale - (64 - mantissa.leading_zeros());
        let significant = mantissa << mantissa.leading_zeros();
        Self {
            zeros,
            significant,
            count: zeros + 64 - significant.trailing_zeros(),
        }
    }

    /// The number of digits up to the last one that is 1.
    #[inline(always)]
    pub(crate) fn count(self) -> u32 {
        self.count
    }

    /// Digit `i` from 0 on: whether it is 1.
    #[inline(always)]
    pub(crate) fn get(self, i: u32) -> bool {
        match i.checked_sub(self.zeros) {
            Some(at @ 0..64) => self.significant >> (63 - at) & 1 == 1,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_add_up_to_p() {
        for p in [
            0.5,
            0.1,
            0.3,
            0.75,
            2f64.powi(-40),
            1.0 - 2f64.powi(-53),
            f64::MIN_POSITIVE,
            5e-324,
        ] {
            let digits = Digits::new(p);
            let sum: f64 = (0..digits.count())
                .filter(|&i| digits.get(i))
                .map(|i| 0.5f64.powi(i as i32 + 1))
                .sum();
            assert_eq!(sum, p);
            assert!(digits.get(digits.count() - 1), "the last digit of {p} is 1");
        }
        assert_eq!(Digits::new(5e-324).count(), 1074);
        assert_eq!(Digits::new(0.5).count(), 1);
    }
}
