//! Layers as data: a network is a list, and a layer's index in it is its number in PyTorch's `nn.Sequential`.

use super::Recording;
use crate::op::Map;
use crate::params::Layout;
use crate::spelling::{as_text, none, spelled};
use crate::{Error, Result, Tape, Val};
use std::fmt;
use std::str::FromStr;

/// What follows a layer.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x` above 0, else `0.01 x`.
    Leaky,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x sigmoid(x)`.
    Silu,
}

spelled!(Activation, "activation": Relu "relu", Leaky "leaky", Tanh "tanh", Sigmoid "sigmoid", Silu "silu");

/// One entry of a [`Net`]. As text: `dense:128`, `dropout:0.2`, or an activation's name.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layer {
    /// A dense layer with that many outputs: `y = x w^T + b`.
    Dense(usize),
    /// In training, each number becomes 0 with this probability, and the others are multiplied by `1 / (1 - p)`. Does
    /// nothing in use.
    Dropout(f32),
    /// An activation, elementwise.
    Act(Activation),
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Layer::Dense(width) => write!(f, "dense:{width}"),
            Layer::Dropout(p) => write!(f, "dropout:{p}"),
            Layer::Act(act) => act.fmt(f),
        }
    }
}

impl FromStr for Layer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Layer> {
        let parsed = match text.split_once(':') {
            Some(("dense", width)) => width.parse().ok().map(Layer::Dense),
            Some(("dropout", p)) => p.parse().ok().map(Layer::Dropout),
            Some(_) => None,
            None => text.parse().ok().map(Layer::Act),
        };
        parsed.ok_or_else(|| none("layer", text, &format!("dense:WIDTH, dropout:P, {}", Activation::NAMES.join(", "))))
    }
}

as_text!(Layer);

/// A network as data: rows of `inputs` numbers through layers, one after the other.
///
/// ```
/// use narrows::nn::{Activation, Layer, Net};
/// let net = Net { inputs: 6, layers: vec![Layer::Dense(4), Layer::Act(Activation::Relu), Layer::Dense(1)] };
/// let names: Vec<String> = net.layout("critic").into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["critic.0.weight", "critic.0.bias", "critic.2.weight", "critic.2.bias"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Net {
    /// The numbers in an input row.
    pub inputs: usize,
    /// The layers, in order. A layer's index, from 0, is its number in PyTorch.
    pub layers: Vec<Layer>,
}

/// Where a dense layer's weight comes from.
pub(super) enum Weight {
    /// A parameter of its own, `[O, I]`.
    Own(String),
    /// Another layer's, transposed: a parameter `[I, O]`.
    Transposed(String),
}

impl Net {
    /// The widths: that of the input, and that of each dense layer's output.
    pub fn widths(&self) -> Vec<usize> {
        let dense = self.layers.iter().filter_map(|layer| if let Layer::Dense(width) = layer { Some(*width) } else { None });
        std::iter::once(self.inputs).chain(dense).collect()
    }

    /// The numbers in an output row.
    pub fn outputs(&self) -> usize {
        self.widths().last().copied().unwrap_or(self.inputs)
    }

    /// Names and shapes of the parameters, as in a PyTorch `nn.Sequential` of that name.
    pub fn layout(&self, name: &str) -> Layout {
        let dense = self.dense().into_iter().zip(self.widths().windows(2).map(|pair| [pair[1], pair[0]]).collect::<Vec<_>>());
        let two = |(at, shape): (usize, [usize; 2])| {
            [(format!("{name}.{at}.weight"), shape.to_vec()), (format!("{name}.{at}.bias"), vec![shape[0]])]
        };
        dense.flat_map(two).collect()
    }

    /// The indices of the dense layers.
    pub(crate) fn dense(&self) -> Vec<usize> {
        (0..self.layers.len()).filter(|&at| matches!(self.layers[at], Layer::Dense(_))).collect()
    }

    /// Rejects a network that can't be built.
    ///
    /// # Errors
    /// When a width is 0, or the probability of a dropout is not in [0, 1).
    pub fn check(&self) -> Result<()> {
        let widths = self.widths();
        if let Some(at) = widths.iter().position(|&w| w == 0) {
            return Err(Error::argument("widths", format!("layer {at} has width 0 (the widths are {widths:?})"), "Use at least 1."));
        }
        self.layers.iter().try_for_each(|layer| if let Layer::Dropout(p) = layer { check_share(*p) } else { Ok(()) })
    }

    /// Records the layers on a tape, with the parameters of [`Net::layout`]: x [B, inputs] gives [B, outputs].
    ///
    /// # Errors
    /// When x has another number of columns, or a parameter is missing.
    pub fn record(&self, on: &mut Recording, name: &str, x: Val) -> Result<Val> {
        self.record_with(on, name, x, |at| Weight::Own(format!("{name}.{at}.weight")))
    }

    /// Records the layers on a tape, with the weight that `weight` gives for the index of each dense layer.
    pub(super) fn record_with(&self, on: &mut Recording, name: &str, x: Val, weight: impl Fn(usize) -> Weight) -> Result<Val> {
        Ok(self.record_each(on, name, x, weight)?.last().copied().unwrap_or(x))
    }

    /// As [`Net::record_with`]: the outputs of each layer.
    pub(super) fn record_each(&self, on: &mut Recording, name: &str, x: Val, weight: impl Fn(usize) -> Weight) -> Result<Vec<Val>> {
        let mut outputs = Vec::with_capacity(self.layers.len());
        for (at, layer) in self.layers.iter().enumerate() {
            let h = outputs.last().copied().unwrap_or(x);
            outputs.push(match layer {
                Layer::Dense(_) => {
                    let weight = weight(at);
                    let bias = format!("{name}.{at}.bias");
                    dense(on, h, &weight, Some(&bias))?
                }
                Layer::Dropout(p) => on.dropout(h, *p)?,
                Layer::Act(act) => act.record(on.tape(), h)?,
            });
        }
        Ok(outputs)
    }
}

/// Rejects a share of outputs that can't become 0.
pub(super) fn check_share(p: f32) -> Result<()> {
    match (0.0..1.0).contains(&p) {
        true => Ok(()),
        false => Err(Error::argument("dropout", format!("it is {p}"), "Use a share from 0 to below 1, such as 0.2.")),
    }
}

/// A dense layer, with a bias or without.
pub(super) fn dense(on: &mut Recording, x: Val, weight: &Weight, bias: Option<&str>) -> Result<Val> {
    let (Weight::Own(name) | Weight::Transposed(name)) = weight;
    let (w, b) = (on.param(name)?, bias.map(|bias| on.param(bias)).transpose()?);
    match weight {
        Weight::Own(_) => on.tape().dense(x, w, b),
        Weight::Transposed(_) => {
            let y = on.tape().dense_dx(x, w)?;
            let Some(b) = b else { return Ok(y) };
            let rows = on.tape().shape(y)?[0];
            let b = on.tape().rows(b, rows)?;
            on.tape().add(y, b)
        }
    }
}

impl Activation {
    /// Records the activation on a tape.
    ///
    /// # Errors
    /// When the device fails.
    pub fn record(self, tape: &mut Tape, x: Val) -> Result<Val> {
        match self {
            Activation::Relu => tape.relu(x),
            Activation::Leaky => tape.leaky(x),
            Activation::Tanh => tape.tanh(x),
            Activation::Sigmoid => tape.sigmoid(x),
            Activation::Silu => tape.silu(x),
        }
    }

    /// The derivative at x, where the activation is y, as a value that has derivatives of its own.
    pub(super) fn slope(self, tape: &mut Tape, x: Val, y: Val) -> Result<Val> {
        let shape = tape.shape(x)?.to_vec();
        // A step: its own derivative is 0 wherever it has one.
        let step = |tape: &mut Tape, f: Map| {
            let (at, ones) = (tape.detach(x)?, tape.fill(&shape, 1.0)?);
            tape.map_grad(f, at, ones)
        };
        match self {
            Activation::Relu => step(tape, Map::Relu),
            Activation::Leaky => step(tape, Map::Leaky),
            Activation::Sigmoid => {
                let square = tape.mul(y, y)?;
                tape.axpy(y, square, -1.0)
            }
            Activation::Tanh => {
                let (square, ones) = (tape.mul(y, y)?, tape.fill(&shape, 1.0)?);
                tape.axpy(ones, square, -1.0)
            }
            // s + x s (1 - s)
            Activation::Silu => {
                let s = tape.sigmoid(x)?;
                let square = tape.mul(s, s)?;
                let slope = tape.axpy(s, square, -1.0)?;
                let rise = tape.mul(x, slope)?;
                tape.add(s, rise)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropout_takes_a_place_in_the_numbering() {
        let (relu, dropout) = (Layer::Act(Activation::Relu), Layer::Dropout(0.5));
        let names = |layers: &[Layer]| -> Vec<String> {
            let net = Net { inputs: 7, layers: layers.to_vec() };
            net.layout("encoder").into_iter().map(|(name, shape)| format!("{name} {shape:?}")).collect()
        };
        assert_eq!(
            names(&[Layer::Dense(5), relu, Layer::Dense(2)]),
            ["encoder.0.weight [5, 7]", "encoder.0.bias [5]", "encoder.2.weight [2, 5]", "encoder.2.bias [2]"]
        );
        assert_eq!(names(&[Layer::Dense(5), relu, dropout, Layer::Dense(2)])[2], "encoder.3.weight [2, 5]");
    }

    #[test]
    fn what_can_not_be_built_is_refused() {
        let refused = |layers: &[Layer]| Net { inputs: 3, layers: layers.to_vec() }.check().unwrap_err().to_string();
        assert!(refused(&[Layer::Dense(0)]).contains("layer 1 has width 0 (the widths are [3, 0])"));
        for p in [-0.1, 1.0, f32::NAN] {
            // Whichever of them it is.
            assert!(refused(&[Layer::Dense(2), Layer::Dropout(0.5), Layer::Dropout(p)]).contains("Use a share from 0 to below 1"), "{p}");
        }
    }
}
