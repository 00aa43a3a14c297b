//! Cross-entropy of a softmax and labels, and its gradient. Bound by arithmetic: an exp an element each.

use super::exp::{exp, exp_negative, ln};
use super::fma::Fma;
use super::level::leveled;
use super::reduce::tree;
use crate::op::LANES;

/// Some rows, one label and two results each.
#[inline(always)]
fn xent_body<F: Fma>(z: &[f32], columns: usize, label: &[u32], lse: &mut [f32], loss: &mut [f32]) {
    // The lanes that no column reaches hold 0, and sums of exponentials have no -0 that adding it could change.
    let used = columns.next_power_of_two().min(LANES);
    for (((z, &label), lse), loss) in z.chunks_exact(columns).zip(label).zip(lse).zip(loss) {
        let mut lanes = [z[0]; LANES];
        for z in z.chunks(LANES) {
            for (most, &z) in lanes.iter_mut().zip(z) {
                // Not `max`: where a NaN is, the sum is NaN whatever the largest is, and this is one instruction.
                *most = if z > *most { z } else { *most };
            }
        }
        let most = lanes[..used].iter().fold(z[0], |most, &z| if z > most { z } else { most });
        let mut lanes = [0f32; LANES];
        for z in z.chunks(LANES) {
            for (lane, &z) in lanes.iter_mut().zip(z) {
                *lane += exp_negative::<F>(z - most);
            }
        }
        *lse = most + ln::<F>(tree(&mut lanes[..used]));
        *loss = *lse - z[(label as usize).min(columns - 1)];
    }
}

#[inline(always)]
fn grad_body<F: Fma>(z: &[f32], columns: usize, label: &[u32], lse: &[f32], dy: &[f32], dz: &mut [f32]) {
    let rows = z.chunks_exact(columns).zip(label).zip(lse).zip(dy).zip(dz.chunks_exact_mut(columns));
    for ((((z, &label), &lse), &dy), dz) in rows {
        for (dz, &z) in dz.iter_mut().zip(z) {
            *dz = dy * exp::<F>(z - lse);
        }
        let at = (label as usize).min(columns - 1);
        dz[at] = dy * (exp::<F>(z[at] - lse) - 1.0);
    }
}

leveled!(pub(super) fn xent(z: &[f32], columns: usize, label: &[u32], lse: &mut [f32], loss: &mut [f32]) = xent_body::<F>);
leveled!(pub(super) fn grad(z: &[f32], columns: usize, label: &[u32], lse: &[f32], dy: &[f32], dz: &mut [f32]) = grad_body::<F>);
