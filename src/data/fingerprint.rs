//! What two data sets share when they train the same network: SHA-256 over their rows, in hexadecimal. Files hold these
//! digits, so what is hashed never changes.

use super::dataset::{Dataset, Split};
use super::values::Values;
use super::values::to_f32;
use crate::device::HostMemory;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// SHA-256 of the rows and labels of all parts with their shapes, in hexadecimal. Two data sets with the same one
/// train the same network.
pub fn fingerprint(split: &Split) -> String {
    let mut hash = Sha256::new();
    for part in [Some(&split.train), Some(&split.test), split.validation.as_ref()].into_iter().flatten() {
        hash.update(format!("{:?} {}", part.row_dims(), part.len()));
        elements(&mut hash, part);
        hash.update(part.labels().unwrap_or_default());
    }
    hex(hash)
}

/// Whether these are the data with this fingerprint. Earlier versions knew numbers as 32-bit floats only.
pub fn has_fingerprint(split: &Split, known: &str) -> bool {
    let part = |data: &Dataset| data.as_floats();
    let floats = || Split { train: part(&split.train), validation: split.validation.as_ref().map(part), test: part(&split.test) };
    fingerprint(split) == known || fingerprint(&floats()) == known
}

impl Dataset {
    /// SHA-256 over the shape, the type and all elements, as checkpoints hold it. Labels train nothing.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{}{}x{}", self.values().dtype(), self.len(), self.columns()));
        elements(&mut hash, self);
        hex(hash)
    }

    /// The rows as earlier versions knew them.
    pub(crate) fn as_floats(&self) -> Dataset {
        match self.values() {
            Values::Doubles(v) => Dataset { values: Arc::new(Values::Floats(v.iter().copied().map(to_f32).collect())), ..self.clone() },
            _ => self.clone(),
        }
    }
}

fn elements(hash: &mut Sha256, of: &Dataset) {
    match of.values() {
        values if cfg!(target_endian = "little") => hash.update(values.bytes()),
        Values::Bytes(v) => hash.update(v),
        Values::Floats(v) => v.iter().for_each(|x| hash.update(x.to_le_bytes())),
        Values::Doubles(v) => v.iter().for_each(|x| hash.update(x.to_le_bytes())),
    }
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits;

    /// By another program: `hashlib.sha256(b"f323x2" + struct.pack("<6f", *range(6)))` of Python, and the like.
    #[test]
    fn the_digits_in_files_are_those_of_always() {
        let floats = Dataset::from_rows("floats", vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], &[2]).unwrap();
        let bytes = Dataset::from_bytes("bytes", vec![7, 8, 9, 10], &[1, 2, 1]).unwrap().with_labels(vec![3, 1]).unwrap();
        assert_eq!(floats.fingerprint(), "cc27ade205c749e2c62ebde457fc32da03e6ee13fa33f3fcce28c7554f973845");
        assert_eq!(bytes.fingerprint(), "2d3951e1f197c346cc372e2fa520d1016629876d4e123871128730fe30fa0329");
        assert_eq!(fingerprint(&Split::new(floats, bytes)), "5a50494ffa828bcb747d2351a6681b1c3825397c0bc12e37a3be298521fc7c07");
    }

    #[test]
    fn a_record_of_an_earlier_version_knows_numbers_as_floats() {
        let of = |x: f64| Dataset::from_doubles("x", vec![x, 0.1], &[1]).unwrap();
        let split = |x: f64| Split::new(of(x), of(x));
        let floats = |x: f64| Split::new(of(x).as_floats(), of(x).as_floats());
        let [old, new] = [fingerprint(&floats(0.3)), fingerprint(&split(0.3))];
        assert!(old != new && has_fingerprint(&split(0.3), &old) && has_fingerprint(&split(0.3), &new));
        assert!(!has_fingerprint(&split(0.4), &old));
        let near = 0.3 + 1e-12;
        assert!(has_fingerprint(&split(near), &old) && !has_fingerprint(&split(near), &new));
    }

    #[test]
    fn one_pixel_or_one_label_more_is_another_fingerprint() {
        let (a, b) = (digits(0, 0..20), digits(0, 20..30));
        let first = fingerprint(&Split::new(a.clone(), b.clone()));
        assert_eq!((first.len(), &first), (64, &fingerprint(&Split::new(a.clone().named("other"), b.clone()))));
        let mut labels = b.labels().unwrap().to_vec();
        labels[3] ^= 1;
        assert_ne!(first, fingerprint(&Split::new(a.clone(), b.clone().with_labels(labels).unwrap())));
        assert_ne!(first, fingerprint(&Split::new(a.head(19), b.clone())));
        assert_ne!(first, fingerprint(&Split::new(b, a)));
    }
}
