//! The objective of a training, as plain data.

use super::{Autoencoder, GROUP, Recording};
use crate::spelling::spelled;
use crate::{Result, Val};

/// How a reconstruction is compared with its row.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// The mean over all elements of `(y - x)^2`.
    #[default]
    Mse,
    /// The mean over all elements of the binary cross-entropy `-x log y - (1 - x) log(1 - y)`, for data in [0, 1].
    Bce,
}

spelled!(Loss, "loss": Mse "mse", Bce "bce");

/// The objective of an autoencoder's training. Corruption, penalties and critics will be added beside the loss.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// How a reconstruction is compared with its row.
    pub loss: Loss,
}

impl Objective {
    /// Only a loss.
    pub fn new(loss: Loss) -> Objective {
        Objective { loss }
    }

    /// One pass over rows x [B, inputs]: encode, narrow, decode, compare. Training, validation and use record the same
    /// pass; only training has noise and steps of the optimiser.
    ///
    /// # Errors
    /// When x has another number of columns, or no rows.
    pub fn record(&self, ae: &Autoencoder, on: &mut Recording, x: Val) -> Result<()> {
        let seen = x; // A corruption will change this: the network sees it, and its output is compared with x.
        let h = ae.encode_in(on, seen)?;
        let code = ae.narrow_in(on, h)?;
        let z = ae.decode_in(on, code)?;
        let loss = self.compare(ae, on, z, x)?;
        on.descend(loss, GROUP)
    }

    /// The loss of the decoder's outputs z, before the final sigmoid, on the rows x.
    fn compare(&self, ae: &Autoencoder, on: &mut Recording, z: Val, x: Val) -> Result<Val> {
        match self.loss {
            Loss::Mse => {
                let y = ae.output_in(on, z)?;
                on.tape().mse(y, x)
            }
            Loss::Bce => on.tape().bce_with_logits(z, x),
        }
    }
}
