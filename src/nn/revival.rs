//! Revival: units of a sparse code that never fire learn what the others leave over.

use super::bottleneck::{Code, IDLE};
use super::{Autoencoder, Layer, Objective, Recording, Spec, net};
use crate::{Result, Val};

/// The weight where none is named (Gao et al. 2024).
pub(crate) const USUAL: f32 = 1.0 / 32.0;
/// Rows after which a unit that has not been on counts as dead. Gao et al. wait for ten million tokens of a text; a
/// data set of images has some ten thousand rows.
const LEAST: u32 = 10_000;

/// How many dead units a row takes: the power of 2 that is nearest to half the inputs (Gao et al. 2024), or all.
fn units(inputs: usize, code: usize) -> usize {
    let half = (inputs / 2).max(1);
    let below = 1 << half.ilog2();
    // The middle of two powers of 2 is their geometric mean.
    let nearest = if half * half >= 2 * below * below { 2 * below } else { below };
    nearest.min(code)
}

impl Spec {
    /// Whether units of this network can be revived: a code of its largest units, and a decoder of one layer.
    pub(crate) fn can_revive(&self) -> bool {
        self.sparse.is_some() && matches!(self.decoder.layers[..], [Layer::Dense(_)])
    }
}

impl Objective {
    /// The weight of the auxiliary loss in the training of this network.
    fn revival_of(&self, ae: &Autoencoder) -> f32 {
        self.revival.unwrap_or(if ae.spec().can_revive() { USUAL } else { 0.0 })
    }

    /// The auxiliary loss of Gao et al. (2024), appendix A.2, with its weight: the error of the outputs, to which the
    /// decoder adds what it makes of the largest dead units. z is the decoder's outputs and x the rows. Where the error
    /// is a mean of squares and the output linear, that is how well the dead units predict the residual. No gradient
    /// reaches what is not dead. `None` in use.
    pub(super) fn revive(&self, ae: &Autoencoder, on: &mut Recording, code: &Code, z: Val, x: Val) -> Result<Option<(f32, Val)>> {
        let weight = self.revival_of(ae);
        if weight == 0.0 || !on.trains() {
            return Ok(None);
        }
        let idle = ae.params().state(IDLE)?;
        // Before they are read: what is on in this batch is not dead.
        on.tape().idle(code.z, &idle)?;
        let taken = units(ae.inputs(), ae.code_width());
        let spare = on.tape().topk_dead(code.all, taken, &idle, LEAST)?;
        let more = net::dense(on, spare, &ae.decoder_weight(0), None)?;
        let was = on.tape().detach(z)?;
        let with = on.tape().add(was, more)?;
        Ok(Some((weight, self.compare(ae, on, with, x)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::units;

    #[test]
    fn a_row_takes_the_power_of_two_nearest_to_half_the_inputs() {
        for (inputs, code, want) in [(784, 1000, 512), (256, 512, 128), (784, 100, 100), (768, 32_768, 512), (1, 5, 1), (700, 999, 256)] {
            assert_eq!(units(inputs, code), want, "{inputs} inputs, {code} units");
        }
    }
}
