//! What the elements of an array are, and the numbers that they stand for.

use crate::data::values::Values;
use crate::spelling::shorten;

/// A type of numbers, in either byte order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::data) struct Element {
    kind: Kind,
    big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    F32,
    F64,
}

impl Element {
    /// The type that numpy calls `descr`, such as `<f4`.
    pub(super) fn parse(descr: &str) -> Result<Element, String> {
        let name = descr.trim_start_matches(['<', '>', '|']);
        let kind = match name {
            "b1" => Kind::Bool,
            "i1" => Kind::I8,
            "u1" => Kind::U8,
            "i2" => Kind::I16,
            "u2" => Kind::U16,
            "i4" => Kind::I32,
            "u4" => Kind::U32,
            "i8" => Kind::I64,
            "u8" => Kind::U64,
            "f2" => Kind::F16,
            "f4" => Kind::F32,
            "f8" => Kind::F64,
            _ => {
                let what = match name.chars().next() {
                    Some('O') => "Python objects (a pickle), and those are never read".into(),
                    Some('S' | 'U') => format!("texts ({}), not numbers", shorten(descr)),
                    Some('M' | 'm') => format!("dates or times ({}), not plain numbers", shorten(descr)),
                    _ => format!("{}, and only integers, floats of 2, 4 or 8 bytes, and bool are read", shorten(descr)),
                };
                return Err(format!("its elements are {what}"));
            }
        };
        let element = Element { kind, big_endian: descr.starts_with('>') };
        match (descr.len() - name.len(), element.bytes()) {
            (1, 1) => Ok(element),
            (1, _) if !descr.starts_with('|') => Ok(element),
            _ => Err(format!("its elements are {}, which names no byte order", shorten(descr))),
        }
    }

    /// How many bytes one takes.
    pub(in crate::data) fn bytes(self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I8 | Kind::U8 => 1,
            Kind::I16 | Kind::U16 | Kind::F16 => 2,
            Kind::I32 | Kind::U32 | Kind::F32 => 4,
            Kind::I64 | Kind::U64 | Kind::F64 => 8,
        }
    }

    pub(super) fn is_byte(self) -> bool {
        self.kind == Kind::U8
    }

    /// Where its numbers go: bytes as they are where they are `pixels`; else floats, or doubles where floats do not
    /// hold every number of the type. There is room for `count`.
    pub(in crate::data) fn store(self, pixels: bool, count: usize) -> Values {
        match self.kind {
            Kind::U8 if pixels => Values::Bytes(Vec::with_capacity(count)),
            Kind::Bool | Kind::I8 | Kind::U8 | Kind::I16 | Kind::U16 | Kind::F16 | Kind::F32 => Values::Floats(Vec::with_capacity(count)),
            Kind::I32 | Kind::U32 | Kind::I64 | Kind::U64 | Kind::F64 => Values::Doubles(Vec::with_capacity(count)),
        }
    }

    /// Appends the numbers of whole elements to their store.
    pub(in crate::data) fn append(self, bytes: Vec<u8>, to: &mut Values) {
        match to {
            Values::Bytes(store) => store.extend(bytes),
            Values::Floats(store) => self.each(bytes, |x| store.push(x as f32)),
            Values::Doubles(store) => self.each(bytes, |x| store.push(x)),
        }
    }

    /// Calls `f` with each number.
    pub(in crate::data) fn each(self, mut bytes: Vec<u8>, f: impl FnMut(f64)) {
        if self.big_endian {
            bytes.chunks_exact_mut(self.bytes()).for_each(<[u8]>::reverse);
        }
        match self.kind {
            Kind::Bool => numbers(&bytes, |[byte]| f64::from(byte != 0)).for_each(f),
            Kind::I8 => numbers(&bytes, |byte| i8::from_le_bytes(byte).into()).for_each(f),
            Kind::U8 => numbers(&bytes, |[byte]| byte.into()).for_each(f),
            Kind::I16 => numbers(&bytes, |pair| i16::from_le_bytes(pair).into()).for_each(f),
            Kind::U16 => numbers(&bytes, |pair| u16::from_le_bytes(pair).into()).for_each(f),
            Kind::I32 => numbers(&bytes, |word| i32::from_le_bytes(word).into()).for_each(f),
            Kind::U32 => numbers(&bytes, |word| u32::from_le_bytes(word).into()).for_each(f),
            Kind::I64 => numbers(&bytes, |word| i64::from_le_bytes(word) as f64).for_each(f),
            Kind::U64 => numbers(&bytes, |word| u64::from_le_bytes(word) as f64).for_each(f),
            Kind::F16 => numbers(&bytes, |pair| half(u16::from_le_bytes(pair))).for_each(f),
            Kind::F32 => numbers(&bytes, |word| f32::from_le_bytes(word).into()).for_each(f),
            Kind::F64 => numbers(&bytes, f64::from_le_bytes).for_each(f),
        }
    }
}

fn numbers<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f64) -> impl Iterator<Item = f64> {
    bytes.as_chunks().0.iter().map(move |&element| number(element))
}

/// The 16-bit float with these bits: a sign, 5 bits of exponent, 10 of fraction.
fn half(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3ff) / 1024.0;
    let size = match bits >> 10 & 0x1f {
        0 => fraction * 2f64.powi(-14),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1.0 + fraction) * 2f64.powi(i32::from(exponent) - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_number_is_read_in_either_byte_order() {
        let numbers: &[(&str, &[u8], f64)] = &[
            ("b1", &[1], 1.0),
            ("i1", &[0x80], -128.0),
            ("u1", &[0xff], 255.0),
            ("i2", &[0xff, 0x38], -200.0),
            ("u2", &[0xff, 0x38], 65_336.0),
            ("i4", &[0xff, 0xff, 0xff, 0xfe], -2.0),
            ("u4", &[0xff, 0xff, 0xff, 0xfe], 4_294_967_294.0),
            ("i8", &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd], -3.0),
            ("u8", &[0, 0, 0, 0, 0x65, 0x53, 0xf1, 1], 1_700_000_001.0),
            ("f2", &[0xc1, 0x40], -2.625),
            ("f2", &[0x00, 0x03], 3.0 / (1 << 24) as f64),
            ("f4", &[0x3d, 0xcc, 0xcc, 0xcd], f64::from(0.1f32)),
            ("f8", &[0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a], 0.1),
        ];
        for (name, bytes, number) in numbers {
            let little: Vec<u8> = bytes.iter().rev().copied().collect();
            let orders = if bytes.len() == 1 { ["|", "|"] } else { [">", "<"] };
            for (order, bytes) in orders.into_iter().zip([bytes.to_vec(), little]) {
                let element = Element::parse(&format!("{order}{name}")).unwrap();
                let mut values = element.store(false, 2);
                element.append(bytes.repeat(2), &mut values);
                let wide = matches!(*name, "i4" | "u4" | "i8" | "u8" | "f8");
                let wanted = if wide { Values::Doubles(vec![*number; 2]) } else { Values::Floats(vec![*number as f32; 2]) };
                assert_eq!(values, wanted, "{order}{name}");
            }
        }
        assert!(half(0x7c01).is_nan() && half(0xfc00) == f64::NEG_INFINITY && half(0x7bff) == 65_504.0);
        for (descr, said) in [("|f4", "no byte order"), ("f4", "no byte order"), ("<f16", "<f16, and only"), ("<<f4", "no byte order")] {
            assert!(Element::parse(descr).unwrap_err().contains(said), "{descr}");
        }
    }
}
