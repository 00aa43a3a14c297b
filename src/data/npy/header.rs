//! The header of an npy file.

use super::element::Element;
use crate::data::source::{Source, failed};
use crate::spelling::shorten;
use crate::{Error, Result};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// What an npy file begins with.
pub(in crate::data) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The longest header that is read; numpy's own limit is 10,000.
const BYTES: usize = 1 << 16;

/// What an array is.
pub(in crate::data) struct Header {
    pub(in crate::data) element: Element,
    /// Whether the first index goes fastest, and not the last.
    pub(super) fortran: bool,
    pub(in crate::data) shape: Vec<u64>,
    /// The bytes of header and elements, if they are fewer than 2^64.
    pub(super) bytes: Option<u64>,
}

impl Header {
    /// Reads the header of an array; the elements follow.
    pub(in crate::data) fn read(path: &Path, source: &mut Source) -> Result<Header> {
        let bad = |problem: String| Error::data(path, problem, super::REMEDY);
        let mut begin = 0;
        let mut take = |count: usize, what: &str| -> Result<Vec<u8>> {
            let mut bytes = vec![0; count];
            source.read_exact(&mut bytes).map_err(|e| match e.kind() {
                ErrorKind::UnexpectedEof => bad(format!("it ends inside {what}")),
                _ => failed(path, e),
            })?;
            begin += count as u64;
            Ok(bytes)
        };
        let start = take(8, "its first eight bytes")?;
        if start[..6] != *MAGIC {
            return Err(bad("offset 0: it does not begin with \\x93NUMPY, so it is not an npy file".into()));
        }
        let length = match (start[6], start[7]) {
            (1, 0) => take(2, "the length of its header")?,
            (2 | 3, 0) => take(4, "the length of its header")?,
            (major, minor) => return Err(bad(format!("offset 6: the version is {major}.{minor}, and 1.0, 2.0 and 3.0 are supported"))),
        };
        let length = length.iter().rev().fold(0usize, |n, &byte| n << 8 | usize::from(byte));
        if length > BYTES {
            return Err(bad(format!("offset 8: the header declares {length} bytes of itself, and at most {BYTES} are read")));
        }
        let text = take(length, "its header")?;
        let in_header = |problem: String| bad(format!("its header: {problem}"));
        let Literal { descr, fortran, shape } = Literal::parse(&text).map_err(in_header)?;
        let element = Element::parse(&descr).map_err(&bad)?;
        let elements = shape.iter().try_fold(element.bytes() as u64, |n, &d| n.checked_mul(d));
        Ok(Header { element, fortran, shape, bytes: elements.and_then(|n| n.checked_add(begin)) })
    }
}

/// What the Python literal says.
#[derive(Debug, PartialEq)]
struct Literal {
    descr: String,
    fortran: bool,
    shape: Vec<u64>,
}

impl Literal {
    fn parse(text: &[u8]) -> std::result::Result<Literal, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is not text".to_string())?;
        let mut rest = Text(text);
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        rest.expect("{")?;
        while !rest.accept("}") {
            let key = rest.quoted()?;
            rest.expect(":")?;
            let again = match key {
                "descr" if rest.begins("[") || rest.begins("(") => return Err("its elements are records, not single numbers".into()),
                "descr" => descr.replace(rest.quoted()?.to_string()).is_some(),
                "fortran_order" => fortran.replace(rest.truth()?).is_some(),
                "shape" => shape.replace(rest.tuple()?).is_some(),
                other => return Err(format!("`{}` is not a key of an npy header", shorten(other))),
            };
            if again {
                return Err(format!("`{key}` appears twice"));
            }
            if !rest.accept(",") && !rest.begins("}") {
                return Err(rest.unexpected(", or }"));
            }
        }
        if !rest.0.trim().is_empty() {
            return Err(rest.unexpected("its end"));
        }
        match (descr, fortran, shape) {
            (Some(descr), Some(fortran), Some(shape)) => Ok(Literal { descr, fortran, shape }),
            _ => Err("descr, fortran_order or shape is missing".into()),
        }
    }
}

/// The rest of a header.
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn begins(&self, mark: &str) -> bool {
        self.0.trim_start().starts_with(mark)
    }

    fn accept(&mut self, mark: &str) -> bool {
        let rest = self.0.trim_start().strip_prefix(mark);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, mark: &str) -> std::result::Result<(), String> {
        if self.accept(mark) { Ok(()) } else { Err(self.unexpected(mark)) }
    }

    fn unexpected(&self, wanted: &str) -> String {
        format!("`{}` stands where {wanted} should", shorten(self.0.trim_start()))
    }

    fn quoted(&mut self) -> std::result::Result<&'a str, String> {
        let rest = self.0.trim_start();
        let mark = rest.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let Some((text, rest)) = mark.and_then(|mark| rest[1..].split_once(mark)) else {
            return Err(self.unexpected("a quoted text"));
        };
        self.0 = rest;
        Ok(text)
    }

    fn truth(&mut self) -> std::result::Result<bool, String> {
        if self.accept("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn tuple(&mut self) -> std::result::Result<Vec<u64>, String> {
        self.expect("(")?;
        let mut numbers = Vec::new();
        while !self.accept(")") {
            let rest = self.0.trim_start();
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number = rest[..digits].parse().map_err(|_| self.unexpected("a dimension"))?;
            self.0 = &rest[digits..];
            numbers.push(number);
            if !self.accept(",") && !self.begins(")") {
                return Err(self.unexpected(", or )"));
            }
        }
        Ok(numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_and_others_write_them() {
        let wanted = Literal { descr: "<f4".into(), fortran: false, shape: vec![3, 784] };
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 784), }      \n",
            "{\"shape\":(3,784),\"descr\":\"<f4\",\"fortran_order\":False}",
            " { 'fortran_order' :False , 'shape' : ( 3 , 784 , ) , 'descr' : '<f4' } ",
        ] {
            assert_eq!(Literal::parse(text.as_bytes()).as_ref(), Ok(&wanted), "{text}");
        }
        let whole = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 784)}";
        for end in 0..whole.len() {
            assert!(Literal::parse(&whole.as_bytes()[..end]).is_err(), "{}", &whole[..end]);
        }
    }
}
