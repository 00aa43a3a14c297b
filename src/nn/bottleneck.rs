//! The bottleneck: what is made of the encoder's output.

use super::net::Weight;
use super::{Autoencoder, Recording};
use crate::op::{Map, Op};
use crate::params::Layout;
use crate::spelling::{as_text, none};
use crate::{Error, Result, Val};
use std::fmt;
use std::str::FromStr;

/// The two heads of a variational bottleneck.
pub(super) const HEADS: [&str; 2] = ["encoder.mu", "encoder.logvar"];

/// The state of a network whose units can be revived: for how many rows of such a training each unit has been off.
pub(super) const IDLE: &str = "encoder.idle";
/// The state of a network whose code is sparse over the batch: the value that a unit must exceed in use.
pub(super) const THRESHOLD: &str = "encoder.threshold";
/// How far a step of training moves it towards the smallest value that was kept.
const MOVES: f32 = 0.1;

/// Which units of a code stay: the largest by signed value, as its activation leaves them. The others are 0. As text:
/// `topk:25`, `batchtopk:25`.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopK {
    /// This many of each row (Makhzani and Frey 2014, Gao et al. 2024).
    Row(usize),
    /// In training this many times the rows of the batch, wherever in it they are; in use those above a threshold that
    /// is kept with the network, the running mean of the smallest value that was kept (Bussmann et al. 2024).
    Batch(usize),
}

impl TopK {
    /// What a usage line says.
    pub const USAGE: &'static str = "topk:K, batchtopk:K";

    /// Units of a row, in the mean.
    pub fn units(self) -> usize {
        let (TopK::Row(units) | TopK::Batch(units)) = self;
        units
    }
}

impl fmt::Display for TopK {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            TopK::Row(units) => write!(f, "topk:{units}"),
            TopK::Batch(units) => write!(f, "batchtopk:{units}"),
        }
    }
}

impl FromStr for TopK {
    type Err = Error;

    fn from_str(text: &str) -> Result<TopK> {
        let parsed = match text.split_once(':') {
            Some(("topk", units)) => units.parse().ok().map(TopK::Row),
            Some(("batchtopk", units)) => units.parse().ok().map(TopK::Batch),
            _ => None,
        };
        parsed.ok_or_else(|| none("sparsity", text, TopK::USAGE))
    }
}

as_text!(TopK);

/// A code, and what an objective asks of it.
#[derive(Clone, Copy)]
pub(super) struct Code {
    /// What the decoder gets: [B, code].
    pub(super) z: Val,
    /// The same before units were chosen.
    pub(super) all: Val,
    /// Mean and log variance of its distribution, where it is drawn from one: [B, code] each.
    pub(super) gaussian: Option<[Val; 2]>,
}

/// Names and shapes of the heads' parameters.
pub(super) fn layout(inputs: usize, code: usize) -> Layout {
    let head = |name: &str| [(format!("{name}.weight"), vec![code, inputs]), (format!("{name}.bias"), vec![code])];
    HEADS.into_iter().flat_map(head).collect()
}

impl Autoencoder {
    /// The code of the encoder's outputs h. A variational one is drawn in training, `z = mu + exp(logvar / 2) eps`, eps
    /// normal (Kingma and Welling 2014), and is mu in use.
    pub(super) fn narrow_in(&self, on: &mut Recording, h: Val) -> Result<Code> {
        if !self.spec().variational {
            let all = self.spec().code.act().map_or(Ok(h), |act| act.record(on.tape(), h))?;
            let z = match self.spec().sparse {
                None => all,
                Some(TopK::Row(units)) => on.tape().topk(all, units)?,
                Some(TopK::Batch(units)) => self.largest_of_batch(on, all, units)?,
            };
            return Ok(Code { z, all, gaussian: None });
        }
        let gaussian @ [mu, logvar] = self.heads_in(on, h)?;
        let shape = on.tape().shape(mu)?.to_vec();
        let drawn = on.noise(|tape, s| {
            let half = tape.scale(logvar, 0.5)?;
            let deviation = tape.exp(half)?;
            let eps = tape.normal(&shape, 0.0, 1.0, s.seed, s.purpose, s.clock)?;
            let away = tape.mul(deviation, eps)?;
            tape.add(mu, away)
        })?;
        let z = drawn.unwrap_or(mu);
        Ok(Code { z, all: z, gaussian: Some(gaussian) })
    }

    /// In training the largest of the whole batch, and a step of the threshold; in use what exceeds it.
    fn largest_of_batch(&self, on: &mut Recording, all: Val, units: usize) -> Result<Val> {
        let threshold = self.params().state(THRESHOLD)?;
        let (trains, tape) = (on.trains(), on.tape());
        let [rows, width] = [0, 1].map(|at| tape.shape(all).map(|shape| shape[at]));
        let (rows, width) = (rows?, width?);
        if !trains {
            let least = tape.input(&threshold)?;
            let least = tape.rows(least, rows * width)?;
            let above = tape.axpy(all, least, -1.0)?;
            // The derivative of relu passes what it is given where the number is above 0.
            return tape.map_grad(Map::Relu, above, all);
        }
        let kept = tape.batch_topk(all, units)?;
        // Without the smallest, only the smallest is left of the difference.
        let smallest = match units * rows {
            1 => tape.sum(kept)?,
            most => {
                let flat = tape.reshape(all, &[1, rows * width])?;
                let others = tape.topk(flat, most - 1)?;
                let one = tape.axpy(kept, others, -1.0)?;
                tape.sum(one)?
            }
        };
        let was = tape.input(&threshold)?;
        let away = tape.axpy(smallest, was, -1.0)?;
        let (a, b) = (threshold.view.clone(), tape.view(away)?.clone());
        tape.push_update(Op::Axpy { y: a.clone(), a, b, factor: MOVES })?;
        Ok(kept)
    }

    /// Mean and log variance of the codes of the encoder's outputs h.
    pub(super) fn heads_in(&self, on: &mut Recording, h: Val) -> Result<[Val; 2]> {
        let mut head = |name: &str| super::net::dense(on, h, &Weight::Own(format!("{name}.weight")), Some(&format!("{name}.bias")));
        Ok([head(HEADS[0])?, head(HEADS[1])?])
    }
}
