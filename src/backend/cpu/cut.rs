//! cut: the k largest numbers of each row, as a threshold. Bound by integer arithmetic: some six passes over a row in
//! cache, of two instructions a vector each, where k is small; at most 34.
//!
//! The threshold is bisected: each pass counts the keys from the middle on, and the search ends where that leaves k. A
//! radix selection takes ten times as long on the CPU, because its counts are not vectors (docs/experiments.md).

use super::key;
use super::level::leveled;

/// Lanes of a pass that looks for an extreme.
const LANES: usize = 64;
/// Rows up to this length are kept as keys.
const KEPT: usize = 4096;

#[inline(always)]
fn cut_body(x: &[f32], k: usize, columns: usize, cut: &mut [u32]) {
    let mut kept = [0; KEPT];
    for (row, cut) in x.chunks_exact(columns).zip(cut.chunks_exact_mut(2)) {
        let (key, last) = match kept.get_mut(..columns) {
            Some(kept) => {
                kept.iter_mut().zip(row).for_each(|(key, &x)| *key = key::signed(x));
                threshold([kept, &[]], |key| key, k)
            }
            None => threshold([row, &[]], key::signed, k),
        };
        cut.copy_from_slice(&[key::unsigned(key), last]);
    }
}

/// Calls `f` with each lane and each element of the lane. The loop over whole groups of lanes becomes vectors.
#[inline(always)]
fn lanes<T: Copy>(row: [&[T]; 2], first: i32, f: impl Fn(i32, T) -> i32) -> [i32; LANES] {
    let mut all = [first; LANES];
    for part in row {
        let (whole, rest) = part.as_chunks::<LANES>();
        for group in whole {
            for l in 0..LANES {
                all[l] = f(all[l], group[l]);
            }
        }
        all.iter_mut().zip(rest).for_each(|(lane, &x)| *lane = f(*lane, x));
    }
    all
}

/// A key which at least k of the row's reach, and the largest one. The maxima of k lanes are k elements, so the
/// smallest of them is such a key; there are as many lanes as the next power of two.
#[inline(always)]
fn bounds<T: Copy>(row: [&[T]; 2], key: impl Fn(T) -> i32, k: usize) -> (i32, i32) {
    let mut most = lanes(row, i32::MIN, |most, x| most.max(key(x)));
    let mut count = LANES;
    while count / 2 >= k {
        count /= 2;
        for l in 0..count {
            most[l] = most[l].max(most[l + count]);
        }
    }
    let largest = most[..count].iter().fold(i32::MIN, |a, &b| a.max(b));
    // Lanes without an element leave the smallest number, which is a bound too.
    let least = if k <= count { most[..count].iter().fold(i32::MAX, |a, &b| a.min(b)) } else { i32::MIN };
    (least, largest)
}

/// The k-th largest key of a row in two parts, and the index of the last one taken. k is neither 0 nor above the number
/// of elements.
#[inline(always)]
pub(super) fn threshold<T: Copy>(row: [&[T]; 2], key: impl Fn(T) -> i32 + Copy, k: usize) -> (i32, u32) {
    let each = |part: &[T], bound: i32| part.iter().fold(0, |count, &x| count + u32::from(key(x) >= bound));
    let from = |bound: i32| row.map(|part| each(part, bound)).into_iter().sum::<u32>() as usize;
    let all = || row[0].iter().chain(row[1]);
    let (mut least, mut most) = bounds(row, key, k);
    while least < most {
        // The upper one of the two in the middle, as the lower bound may stay.
        let middle = ((i64::from(least) + i64::from(most) + 1) >> 1) as i32;
        let count = from(middle);
        if count == k {
            let smallest = lanes(row, i32::MAX, |least, x| {
                let key = key(x);
                least.min(if key >= middle { key } else { i32::MAX })
            });
            let smallest = smallest.iter().fold(i32::MAX, |a, &b| a.min(b));
            let last = (0..).zip(all()).filter(|(_, x)| key(**x) == smallest).last().map_or(0, |(i, _)| i);
            return (smallest, last);
        }
        if count > k { least = middle } else { most = middle - 1 }
    }
    // More elements than are wanted may have this key.
    let above = if least == i32::MAX { 0 } else { from(least + 1) };
    let mut equal = (0..).zip(all()).filter(|(_, x)| key(**x) == least);
    (least, equal.nth(k - above - 1).map_or(0, |(i, _)| i))
}

leveled!(
    /// x has rows of `columns`, which is not below k; k is not 0. `cut` has a key and an index for each row.
    pub(super) fn cut(x: &[f32], k: usize, columns: usize, cut: &mut [u32]) = cut_body
);
