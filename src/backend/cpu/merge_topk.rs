//! merge_topk: the K largest numbers of a row so far, and where they stood. Bound by a comparison for each number in
//! cache: nearly all are below the least that counts.

use super::cut::threshold;
use super::key;
use super::level::leveled;

/// Numbers that are compared at once with the least that counts.
const LANES: usize = 16;

/// x has rows of `columns[0]`, values and index of `columns[1]`; none of the two is 0. The first column has the index
/// `first`.
#[inline(always)]
fn merge_body(x: &[f32], columns: [usize; 2], first: u32, values: &mut [f32], index: &mut [u32]) {
    let kept = values.chunks_exact_mut(columns[1]).zip(index.chunks_exact_mut(columns[1]));
    for (row, (values, index)) in x.chunks_exact(columns[0]).zip(kept) {
        let (key, _) = least(values);
        if !row.chunks(LANES * LANES).any(|some| reaches(some, value(key))) {
            continue;
        }
        let new = row.iter().fold(0, |count, &x| count + u32::from(key::signed(x) > key)) as usize;
        // By the cost of each, in elements that are looked at: a threshold takes some 16 passes.
        if new * (values.len() + 64) < 16 * (values.len() + row.len()) {
            one_by_one(row, first, values, index);
        } else {
            at_once(row, first, values, index);
        }
    }
}

/// Whether a number may have at least this one's key: no comparison is true of a NaN, and -0 is not below 0.
#[inline(always)]
#[allow(clippy::neg_cmp_op_on_partial_ord)]
fn reaches(some: &[f32], least: f32) -> bool {
    some.iter().fold(false, |any, &x| any | !(x < least))
}

/// The number with this key.
#[inline(always)]
fn value(key: i32) -> f32 {
    if key == i32::MAX { f32::NAN } else { f32::from_bits((key ^ ((key >> 31) as u32 >> 1) as i32) as u32) }
}

/// The smallest key, and the last place that has it.
#[inline(always)]
fn least(values: &[f32]) -> (i32, usize) {
    let least = values.iter().fold(i32::MAX, |least, &x| least.min(key::signed(x)));
    (least, values.iter().rposition(|&x| key::signed(x) == least).unwrap_or(0))
}

/// Each number that is larger takes the place of the smallest: what came after that moves up.
#[inline(always)]
fn one_by_one(row: &[f32], first: u32, values: &mut [f32], index: &mut [u32]) {
    let last = values.len() - 1;
    let (mut key, mut place) = least(values);
    for (group, some) in row.chunks(LANES).enumerate() {
        if !reaches(some, value(key)) {
            continue;
        }
        for (i, &x) in some.iter().enumerate() {
            if key::signed(x) > key {
                values.copy_within(place + 1.., place);
                index.copy_within(place + 1.., place);
                values[last] = x;
                index[last] = first.wrapping_add((group * LANES + i) as u32);
                (key, place) = least(values);
            }
        }
    }
}

/// By the threshold of all: what reaches it moves up, old numbers first.
#[inline(always)]
fn at_once(row: &[f32], first: u32, values: &mut [f32], index: &mut [u32]) {
    let k = values.len();
    let (key, last) = threshold([values, row], key::signed, k);
    let takes = |x: f32, i: usize| key::signed(x) > key || (key::signed(x) == key && i <= last as usize);
    let mut to = 0;
    for i in 0..k {
        if takes(values[i], i) {
            (values[to], index[to]) = (values[i], index[i]);
            to += 1;
        }
    }
    for (c, &x) in row.iter().enumerate() {
        if takes(x, k + c) {
            (values[to], index[to]) = (x, first.wrapping_add(c as u32));
            to += 1;
        }
    }
}

leveled!(pub(super) fn merge(x: &[f32], columns: [usize; 2], first: u32, values: &mut [f32], index: &mut [u32]) = merge_body);
