//! Penalties on the code, added to the error that a training minimises.

use super::Recording;
use crate::spelling::{as_text, none};
use crate::{Error, Result, Val};
use std::fmt;
use std::str::FromStr;

/// What keeps a code sparse. The loss is the mean over all elements of the error, plus the weight times the penalty. As
/// text: `l1:0.001`, `kl:0.05:0.1`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sparsity {
    /// The mean over the rows of the sum over the units of `|code|`, times this weight.
    L1(f32),
    /// The sum over the units of `rho ln(rho / q) + (1 - rho) ln((1 - rho) / (1 - q))`, q a unit's mean over the batch,
    /// times the weight: the divergence of activities from rho (Ng 2011). For codes in (0, 1).
    Kl {
        /// The activity that units are to have, between 0 and 1.
        rho: f32,
        /// The weight.
        weight: f32,
    },
}

impl fmt::Display for Sparsity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Sparsity::L1(weight) => write!(f, "l1:{weight}"),
            Sparsity::Kl { rho, weight } => write!(f, "kl:{rho}:{weight}"),
        }
    }
}

impl FromStr for Sparsity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Sparsity> {
        let parsed = match text.split(':').collect::<Vec<_>>()[..] {
            ["l1", weight] => weight.parse().ok().map(Sparsity::L1),
            ["kl", rho, weight] => rho.parse().ok().zip(weight.parse().ok()).map(|(rho, weight)| Sparsity::Kl { rho, weight }),
            _ => None,
        };
        let sparsity = parsed.ok_or_else(|| none("sparsity", text, Sparsity::USAGE))?;
        sparsity.check().map(|()| sparsity)
    }
}

as_text!(Sparsity);

impl Sparsity {
    /// What a usage line says.
    pub const USAGE: &'static str = "l1:W, kl:RHO:W";

    /// Rejects a weight that is not a finite number above 0, and an activity that is not between 0 and 1.
    ///
    /// # Errors
    /// As it says.
    pub fn check(self) -> Result<()> {
        let refuse = |value: f32, remedy: &str| Err(Error::argument("sparse", format!("it is {value}"), remedy));
        let (Sparsity::L1(weight) | Sparsity::Kl { weight, .. }) = self;
        match self {
            _ if !(weight > 0.0 && weight.is_finite()) => refuse(weight, "Use a finite weight above 0, such as l1:0.001."),
            Sparsity::Kl { rho, .. } if !(rho > 0.0 && rho < 1.0) => refuse(rho, "Use an activity between 0 and 1, such as kl:0.05:0.1."),
            _ => Ok(()),
        }
    }

    /// The weight, and the penalty of codes [B, code], without it.
    pub(super) fn record(self, on: &mut Recording, code: Val) -> Result<(f32, Val)> {
        let rows = on.tape().shape(code)?[0];
        let each = (1.0 / rows as f64) as f32;
        match self {
            Sparsity::L1(weight) => Ok((weight, on.tape().abs_sum(code, each)?)),
            Sparsity::Kl { rho, weight } => {
                let sums = on.tape().dense_db(code)?;
                let means = on.tape().scale(sums, each)?;
                Ok((weight, on.tape().rho_kl(means, rho)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{CodeActivation, Objective, Output, Recording};
    use crate::{Autoencoder, Device, Tape, Tensor};

    /// With orthonormal columns D in the decoder, the best code under an L1 penalty is `relu(D'x - t)`, t = W n / 2,
    /// which an encoder with the weights D' and the biases -t gives: there no weight of it can gain.
    #[test]
    fn at_the_known_optimum_of_l1_the_encoder_has_no_gradient() {
        let device = Device::cpu().unwrap();
        let (n, units, weight) = (8, 4, 0.05f32);
        let build = Autoencoder::builder(n).layers([units]).code_activation(CodeActivation::Relu).output(Output::Linear);
        let ae = build.build(&device).unwrap();
        // Columns of a Hadamard matrix, of norm 1.
        let column = |unit: usize, row: usize| if (unit & row).count_ones() % 2 == 1 { -1.0 } else { 1.0 } / (n as f32).sqrt();
        let down: Vec<f32> = (0..units).flat_map(|unit| (0..n).map(move |row| column(unit + 1, row))).collect();
        let up: Vec<f32> = (0..n).flat_map(|row| (0..units).map(move |unit| column(unit + 1, row))).collect();
        let threshold = weight * n as f32 / 2.0;
        ae.params().write("encoder.0.weight", &down).unwrap();
        ae.params().write("encoder.0.bias", &vec![-threshold; units]).unwrap();
        ae.params().write("decoder.0.weight", &up).unwrap();
        ae.params().write("decoder.0.bias", &vec![0.0; n]).unwrap();
        // Every unit is on in some rows and off in others.
        let rows: Vec<f32> = (0..64 * n).map(|i| (i * i % 23) as f32 / 11.0 - 1.0).collect();
        let gradients = |weight: f32| {
            let objective = Objective { sparsity: Some(Sparsity::L1(weight)), ..Objective::default() };
            let mut tape = Tape::new(&device);
            let x = tape.input(&Tensor::new(&device, &rows, &[64, n]).unwrap()).unwrap();
            let mut on = Recording::in_use(&mut tape, ae.params());
            objective.record(&ae, &mut on, x).unwrap();
            let loss = on.losses().unwrap()[0].1;
            tape.backward(loss).unwrap();
            let all = ["encoder.0.weight", "encoder.0.bias"].map(|name| ae.params().read_grad(name).unwrap());
            all.concat().into_iter().fold(0f32, |most, g| most.max(g.abs()))
        };
        let codes = {
            let data = crate::data::Dataset::from_rows("rows", rows.clone(), &[n]).unwrap();
            ae.encode(&data).unwrap().values
        };
        let on = codes.iter().filter(|&&code| code > 0.0).count();
        assert!(on > 32 && on < codes.len() - 32, "{on} of {} are on", codes.len());
        assert!(gradients(weight) < 1e-6, "{}", gradients(weight));
        assert!(gradients(1.1 * weight) > 1e-4, "another weight has another optimum");
    }

    #[test]
    fn what_is_out_of_range_is_refused() {
        for (text, said) in [
            ("l1", "is not a sparsity. Use one of l1:W"),
            ("l1:-1", "it is -1"),
            ("l1:nan", "it is NaN"),
            ("kl:0.1", "is not a sparsity"),
            ("kl:0:1", "it is 0. Use an activity between 0 and 1"),
            ("kl:0.5:inf", "it is inf"),
        ] {
            let error = text.parse::<Sparsity>().unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
