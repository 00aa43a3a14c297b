//! A seal over a whole file: its sha256, taken with the digits of the seal itself as zeros, and written into them.

use sha2::{Digest, Sha256};

/// The text before the digits: the end of a JSON key within a JSON string.
const BEFORE: &[u8] = b"sha256\\\":\\\"";
/// The placeholder for the digits in a file that is not yet sealed.
pub(super) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The index of the first digit.
fn find(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(BEFORE.len()).position(|w| w == BEFORE)? + BEFORE.len();
    (bytes.len() >= at + BLANK.len()).then_some(at)
}

pub(super) fn digits(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digits_without(bytes: &[u8], at: usize) -> String {
    digits(&[&bytes[..at], BLANK.as_bytes(), &bytes[at + BLANK.len()..]])
}

/// Writes the seal into bytes that have a placeholder for it; false if they have none.
pub(super) fn seal(bytes: &mut [u8]) -> bool {
    let Some(at) = find(bytes) else { return false };
    let digits = digits_without(bytes, at);
    bytes[at..at + BLANK.len()].copy_from_slice(digits.as_bytes());
    true
}

/// Whether the seal matches the bytes; `None` when there is no seal.
pub(super) fn intact(bytes: &[u8]) -> Option<bool> {
    let at = find(bytes)?;
    Some(bytes[at..at + BLANK.len()] == *digits_without(bytes, at).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_whole_until_any_bit_of_the_file_changes() {
        let mut bytes = format!("before sha256\\\":\\\"{BLANK}\\\" after").into_bytes();
        assert_eq!(intact(&bytes), Some(false));
        assert!(seal(&mut bytes));
        assert_eq!(intact(&bytes), Some(true));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert_ne!(intact(&changed), Some(true), "byte {at}, bit {bit}");
            }
            assert_ne!(intact(&bytes[..at]), Some(true));
        }
        assert!(!seal(&mut [0; 500]));
        assert_eq!(digits(&[b"ab", b"c"]), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
