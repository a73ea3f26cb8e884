//! Elements: their types, and their bytes as numbers.

/// How an element is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    kind: Kind,
    /// Bytes of an element: 1, 2, 4 or 8.
    pub(super) size: usize,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
}

impl Element {
    /// The type that NumPy writes as `<f4`, `|b1`, `>i8`: order of bytes, kind, bytes.
    pub(super) fn parse(descr: &[u8]) -> Option<Self> {
        let &[order, kind, size] = descr else {
            return None;
        };
        let (kind, sizes): (_, &[u8]) = match kind {
            b'b' => (Kind::Bool, b"1"),
            b'i' => (Kind::Signed, b"1248"),
            b'u' => (Kind::Unsigned, b"1248"),
            b'f' => (Kind::Float, b"48"),
            _ => return None,
        };
        if !sizes.contains(&size) {
            return None;
        }
        let big_endian = match order {
            b'<' => false,
            b'>' => true,
            // Only single bytes have no order.
            b'|' if size == b'1' => false,
            _ => return None,
        };
        Some(Self {
            kind,
            size: usize::from(size - b'0'),
            big_endian,
        })
    }

    /// The bits of an element, extended by zeros.
    fn bits(self, bytes: &[u8]) -> u64 {
        let shifted = |bits: u64, &byte: &u8| (bits << 8) | u64::from(byte);
        if self.big_endian {
            bytes.iter().fold(0, shifted)
        } else {
            bytes.iter().rev().fold(0, shifted)
        }
    }

    /// The bits of an element of a signed type as a number.
    fn signed(self, bytes: &[u8]) -> i64 {
        let unused = 64 - 8 * self.size as u32;
        ((self.bits(bytes) << unused) as i64) >> unused
    }

    /// The number nearest to an element.
    pub(super) fn number(self, bytes: &[u8]) -> f64 {
        match self.kind {
            Kind::Bool => f64::from(u8::from(self.bits(bytes) != 0)),
            Kind::Unsigned => self.bits(bytes) as f64,
            Kind::Signed => self.signed(bytes) as f64,
            Kind::Float if self.size == 4 => f64::from(f32::from_bits(self.bits(bytes) as u32)),
            Kind::Float => f64::from_bits(self.bits(bytes)),
        }
    }

    /// The element as an integer, if it is one.
    pub(super) fn integer(self, bytes: &[u8]) -> Option<i64> {
        /// From here on the integers that a double holds have gaps.
        const GAPS: f64 = 9_007_199_254_740_992.0;
        match self.kind {
            Kind::Bool => Some(i64::from(self.bits(bytes) != 0)),
            Kind::Unsigned => i64::try_from(self.bits(bytes)).ok(),
            Kind::Signed => Some(self.signed(bytes)),
            Kind::Float => {
                let value = self.number(bytes);
                (value.fract() == 0.0 && value.abs() < GAPS).then_some(value as i64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_reads_its_bytes() {
        for (descr, bytes, want) in [
            ("|b1", &[1][..], 1.0),
            ("|u1", &[200], 200.0),
            ("|i1", &[200], -56.0),
            ("<u2", &[1, 2], 513.0),
            (">i2", &[255, 254], -2.0),
            ("<i4", &[254, 255, 255, 255], -2.0),
            (">u4", &[1, 0, 0, 0], 16_777_216.0),
            ("<i8", &[255; 8], -1.0),
            (">u8", &[0, 0, 0, 0, 0, 0, 1, 0], 256.0),
            ("<f4", &1.5f32.to_le_bytes(), 1.5),
            (">f4", &(-1.5f32).to_be_bytes(), -1.5),
            ("<f8", &0.1f64.to_le_bytes(), 0.1),
            (">f8", &0.1f64.to_be_bytes(), 0.1),
        ] {
            let element = Element::parse(descr.as_bytes()).expect(descr);
            assert_eq!(element.size, bytes.len(), "{descr}");
            assert_eq!(element.number(bytes), want, "{descr}");
            let integer = (want.fract() == 0.0).then_some(want as i64);
            assert_eq!(element.integer(bytes), integer, "{descr}");
        }
    }

    #[test]
    fn other_types_are_none() {
        for descr in [
            "|O", "<f2", "<c8", "<U4", "|f4", "=f4", "f4", "<f16", "<b2", "<m8",
        ] {
            assert_eq!(Element::parse(descr.as_bytes()), None, "{descr}");
        }
        let integer = |value: f64| {
            let element = Element::parse(b"<f8").expect("a type");
            element.integer(&value.to_le_bytes())
        };
        assert_eq!(integer(f64::NAN), None);
        assert_eq!(integer(f64::INFINITY), None);
        assert_eq!(integer(1e300), None);
        let element = Element::parse(b"<u8").expect("a type");
        assert_eq!(element.integer(&[255; 8]), None);
    }
}
