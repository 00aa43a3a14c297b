//! The contractive penalty: how far a code moves with its row.

use super::bottleneck::HEADS;
use super::{Activation, Autoencoder, Layer, Recording};
use crate::rng::purpose;
use crate::{Clock, Error, Result, Val};

impl Autoencoder {
    /// The squared Frobenius norm of the Jacobian of the code by the row, mean over the rows seen [B, inputs] (Rifai et
    /// al. 2011). Of one layer it is exact: the sum over the units of `h'^2` times the squares of their weights. Of
    /// more layers it is estimated without bias by one random direction a row and step, which is pushed through the
    /// layers: `E |J u|^2` for a normal u. Of a variational code it is that of the mean.
    pub(super) fn contraction_in(&self, on: &mut Recording, seen: Val) -> Result<Val> {
        let spec = self.spec();
        if spec.encoder.layers.iter().any(|layer| matches!(layer, Layer::Dropout(_))) {
            let problem = "the Jacobian is that of the network in use, and dropout trains another in each step";
            return Err(Error::argument("contractive", problem, "Leave one of the two out."));
        }
        let dense = spec.encoder.dense().len() + usize::from(spec.variational);
        let rows = on.tape().shape(seen)?[0];
        let last = spec.code.act();
        let norm = if dense == 1 { self.exact_in(on, seen, last)? } else { self.probed_in(on, seen, last)? };
        on.tape().scale(norm, (1.0 / rows as f64) as f32)
    }

    /// The sum over the rows of the norm of a single layer.
    fn exact_in(&self, on: &mut Recording, seen: Val, last: Option<Activation>) -> Result<Val> {
        let name = if self.spec().variational { HEADS[0].to_string() } else { format!("encoder.{}", self.spec().encoder.dense()[0]) };
        let (w, b) = (on.param(&format!("{name}.weight"))?, on.param(&format!("{name}.bias"))?);
        let tape = on.tape();
        let [units, inputs] = [0, 1].map(|at| tape.shape(w).map(|shape| shape[at]));
        let (units, inputs, rows) = (units?, inputs?, tape.shape(seen)?[0]);
        let squares = tape.mul(w, w)?;
        let ones = tape.fill(&[1, inputs], 1.0)?;
        let norms = tape.dense(squares, ones, None)?;
        let norms = tape.reshape(norms, &[1, units])?;
        let slopes = match last {
            Some(act) => {
                let z = tape.dense(seen, w, b)?;
                let y = act.record(tape, z)?;
                act.slope(tape, z, y)?
            }
            None => tape.fill(&[rows, units], 1.0)?,
        };
        let slopes = tape.mul(slopes, slopes)?;
        let each = tape.dense(slopes, norms, None)?;
        tape.sum(each)
    }

    /// The sum over the rows of the squares of what one direction becomes.
    fn probed_in(&self, on: &mut Recording, seen: Val, last: Option<Activation>) -> Result<Val> {
        let shape = on.tape().shape(seen)?.to_vec();
        let draw = |tape: &mut crate::Tape, seed, purpose, clock: &Clock| tape.normal(&shape, 0.0, 1.0, seed, purpose, clock);
        let drawn = on.noise(|tape, s| draw(tape, s.seed, s.purpose, s.clock))?;
        let mut tangent = match drawn {
            Some(drawn) => drawn,
            // In use the direction is always the same.
            None => {
                let clock = Clock::new(on.tape().device())?;
                draw(on.tape(), 0, purpose::IN_USE + 20, &clock)?
            }
        };
        let mut h = seen;
        let layers = self.spec().encoder.layers.clone();
        let push = |on: &mut Recording, tangent: Val, h: Val, name: &str| -> Result<(Val, Val)> {
            let (w, b) = (on.param(&format!("{name}.weight"))?, on.param(&format!("{name}.bias"))?);
            Ok((on.tape().dense(tangent, w, None)?, on.tape().dense(h, w, b)?))
        };
        let bend = |on: &mut Recording, tangent: Val, h: Val, act: Activation| -> Result<(Val, Val)> {
            let y = act.record(on.tape(), h)?;
            let slope = act.slope(on.tape(), h, y)?;
            Ok((on.tape().mul(tangent, slope)?, y))
        };
        for (at, layer) in layers.iter().enumerate() {
            (tangent, h) = match layer {
                Layer::Dense(_) => push(on, tangent, h, &format!("encoder.{at}"))?,
                Layer::Act(act) => bend(on, tangent, h, *act)?,
                Layer::Dropout(_) => (tangent, h),
            };
        }
        if self.spec().variational {
            (tangent, h) = push(on, tangent, h, HEADS[0])?;
        }
        if let Some(act) = last {
            (tangent, _) = bend(on, tangent, h, act)?;
        }
        let squares = on.tape().mul(tangent, tangent)?;
        on.tape().sum(squares)
    }
}

#[cfg(test)]
mod tests {
    use crate::data::Dataset;
    use crate::nn::{Activation, Builder, CodeActivation, Objective, Recording};
    use crate::{Autoencoder, Device, Tape, Tensor, tasks};

    fn rows(count: usize, columns: usize) -> Vec<f32> {
        (0..count * columns).map(|i| (i * i % 97) as f32 / 48.0 - 1.0).collect()
    }

    /// The Jacobian's norm by central differences of the code, in steps of 2^-7.
    fn differences(ae: &Autoencoder, rows: &[f32]) -> f64 {
        let (columns, step) = (ae.inputs(), 1.0 / 128.0);
        let codes = |rows: &[f32]| ae.encode(&Dataset::from_rows("rows", rows.to_vec(), &[columns]).unwrap()).unwrap().values;
        let along = |at: usize, by: f32| {
            codes(&rows.iter().enumerate().map(|(i, x)| if i % columns == at { x + by } else { *x }).collect::<Vec<_>>())
        };
        let square = |(a, b): (&f32, &f32)| ((f64::from(*a) - f64::from(*b)) / (2.0 * f64::from(step))).powi(2);
        let all: f64 = (0..columns).map(|at| along(at, step).iter().zip(&along(at, -step)).map(square).sum::<f64>()).sum();
        all / (rows.len() / columns) as f64
    }

    fn penalty(ae: &Autoencoder, rows: &[f32]) -> f64 {
        let mut tape = Tape::new(ae.device());
        let x = tape.input(&Tensor::new(ae.device(), rows, &[rows.len() / ae.inputs(), ae.inputs()]).unwrap()).unwrap();
        let norm = ae.contraction_in(&mut Recording::in_use(&mut tape, ae.params()), x).unwrap();
        tape.read(norm).unwrap()[0].into()
    }

    #[test]
    fn one_layer_is_exact_and_eval_measures_the_same() {
        for code in [CodeActivation::Linear, CodeActivation::Sigmoid, CodeActivation::Tanh] {
            let ae = Autoencoder::builder(6).layers([4]).code_activation(code).build(&Device::cpu().unwrap()).unwrap();
            let x = rows(50, 6);
            let got = penalty(&ae, &x);
            assert!((got / differences(&ae, &x) - 1.0).abs() < 1e-3, "{code}: {got} and {}", differences(&ae, &x));
            let exact = tasks::jacobian_norm(&ae, &Dataset::from_rows("rows", x, &[6]).unwrap()).unwrap();
            assert!((got / exact - 1.0).abs() < 1e-5, "{code}: {got} and {exact}");
        }
    }

    #[test]
    fn one_direction_estimates_a_deep_encoders_norm_without_bias() {
        let deep =
            |act: Activation| -> Builder { Autoencoder::builder(6).layers([9, 4]).activation(act).code_activation(CodeActivation::Tanh) };
        for act in [Activation::Relu, Activation::Leaky, Activation::Sigmoid, Activation::Tanh, Activation::Silu] {
            let ae = deep(act).build(&Device::cpu().unwrap()).unwrap();
            let few = rows(8, 6);
            let exact = tasks::jacobian_norm(&ae, &Dataset::from_rows("rows", few.clone(), &[6]).unwrap()).unwrap();
            // 4,096 draws for each row: a row each.
            let draws = 4_096;
            let got = penalty(&ae, &few.repeat(draws));
            // A draw varies about as much as its mean, and 8 rows share the error.
            let error = exact * (2.0 / (8.0 * draws as f64)).sqrt();
            assert!((got - exact).abs() < 4.0 * error, "{act}: {got} where {exact} is right, within {error}");
        }
    }

    #[test]
    fn a_step_along_the_gradient_makes_the_penalty_smaller() {
        for (layers, code) in [(vec![4], CodeActivation::Sigmoid), (vec![9, 4], CodeActivation::Linear)] {
            let act = if layers.len() > 1 { Activation::Silu } else { Activation::default() };
            let build = Autoencoder::builder(6).layers(layers).activation(act).code_activation(code);
            let ae = build.build(&Device::cpu().unwrap()).unwrap();
            let data = Dataset::from_rows("rows", rows(64, 6), &[6]).unwrap();
            let before = tasks::jacobian_norm(&ae, &data).unwrap();
            ae.fit(&data, &crate::Fit::default().epochs(60).batch_size(64).learning_rate(1e-2).contractive(10.0)).unwrap();
            let after = tasks::jacobian_norm(&ae, &data).unwrap();
            assert!(after < 0.05 * before, "{before} became {after}");
        }
        let dropout = Autoencoder::builder(6).layers([9, 4]).dropout(0.5).build(&Device::cpu().unwrap()).unwrap();
        let mut tape = Tape::new(dropout.device());
        let x = tape.input(&Tensor::new(dropout.device(), &rows(2, 6), &[2, 6]).unwrap()).unwrap();
        let objective = Objective { contraction: 1.0, ..Objective::default() };
        let error = objective.record(&dropout, &mut Recording::in_use(&mut tape, dropout.params()), x).unwrap_err();
        assert!(error.to_string().contains("dropout trains another in each step"), "{error}");
    }
}
