//! A model as data, and the builder that describes it.

use super::net::check_share;
use super::{Activation, Autoencoder, Layer, Mixture, Net, Quantiles, TopK, Typical, bottleneck};
#[cfg(feature = "files")]
use crate::data::Schema;
use crate::data::{Bounds, Scaler};
use crate::params::Layout;
use crate::spelling::spelled;
use crate::{Device, Error, Result};

/// The most layers of a half, and the widest layer: far more than any machine has memory for.
const MOST_LAYERS: usize = 4000;
const WIDEST: usize = 1 << 24;

/// The group of an autoencoder's parameters.
pub(crate) const GROUP: &str = "model";

/// What follows the encoder's last layer.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CodeActivation {
    /// Nothing: codes are numbers of any size.
    #[default]
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// A sigmoid: codes lie in [0, 1].
    Sigmoid,
    /// A hyperbolic tangent: codes lie in [-1, 1].
    Tanh,
}

spelled!(CodeActivation, "code": Linear "linear", Relu "relu", Sigmoid "sigmoid", Tanh "tanh");

impl CodeActivation {
    /// The same as a layer's activation, if there is one.
    pub(super) fn act(self) -> Option<Activation> {
        match self {
            CodeActivation::Linear => None,
            CodeActivation::Relu => Some(Activation::Relu),
            CodeActivation::Sigmoid => Some(Activation::Sigmoid),
            CodeActivation::Tanh => Some(Activation::Tanh),
        }
    }
}

/// What follows the last layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// A sigmoid: for values in [0, 1].
    #[default]
    Sigmoid,
    /// Nothing: for values of any size.
    Linear,
}

spelled!(Output, "output": Sigmoid "sigmoid", Linear "linear");

/// An autoencoder as plain data: everything in a model file besides the weights.
// Whatever is added must have a default here: files of today do not hold it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct Spec {
    /// From a row to the code.
    pub encoder: Net,
    /// From the code to a row.
    pub decoder: Net,
    /// What follows the encoder.
    #[cfg_attr(feature = "files", serde(default))]
    pub code: CodeActivation,
    /// What follows the decoder.
    #[cfg_attr(feature = "files", serde(default))]
    pub output: Output,
    /// Whether the decoder's weights are the encoder's, transposed. Its biases are its own.
    #[cfg_attr(feature = "files", serde(default))]
    pub tied: bool,
    /// Whether a code is drawn from a normal distribution: the encoder is followed by two dense layers, `encoder.mu`
    /// and `encoder.logvar`, which give its mean and its log variance.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "is_zero"))]
    pub variational: bool,
    /// How many units of a code are on, if not all.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub sparse: Option<TopK>,
    /// The scaling of rows, if there is one.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub scaler: Option<Scaler>,
    /// The bounds of the rows of training, if they are known.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub bounds: Option<Bounds>,
    /// The scores of the rows of training, or of those to validate on, if they are known.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub quantiles: Option<Quantiles>,
    /// What is typical of the rows of training, if that is known.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub typical: Option<Typical>,
    /// The distribution of the codes of training, if one was fitted.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub mixture: Option<Mixture>,
    /// The dimensions of the images that rows are, if they are: channels, height and width.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub image: Option<[usize; 3]>,
    /// What the columns of a table are, if rows come from one.
    #[cfg(feature = "files")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

impl Spec {
    /// Rejects a model that can't be built.
    ///
    /// # Errors
    /// When a half has no dense layer or more than 4,000 layers, a width is 0 or above 16,777,216, a dropout is not in
    /// [0, 1), encoder and decoder do not fit together, a tied decoder does not mirror its encoder, a variational code
    /// has an activation, a mixture is of other codes, or a scaler, bounds or the dimensions of images are for another
    /// number of columns.
    pub fn check(&self) -> Result<()> {
        for (half, net) in [("encoder", &self.encoder), ("decoder", &self.decoder)] {
            if net.layers.len() > MOST_LAYERS {
                let problem = format!("the {half} has {} layers", net.layers.len());
                return Err(Error::argument("layers", problem, format!("Use at most {MOST_LAYERS}.")));
            }
            if net.dense().is_empty() && !(self.variational && half == "encoder") {
                let problem = format!("the {half} has no dense layer");
                return Err(Error::argument("layers", problem, "Give each half at least one."));
            }
            net.check()?;
            if let Some(width) = net.widths().into_iter().find(|&width| width > WIDEST) {
                let problem = format!("the {half} has a layer of width {width}");
                return Err(Error::argument("widths", problem, format!("Use at most {WIDEST}.")));
            }
        }
        if self.variational && self.code != CodeActivation::Linear {
            let problem = format!("it is {}, and a variational code is drawn from a normal distribution", self.code);
            return Err(Error::argument("code", problem, "Leave it linear."));
        }
        self.check_sparse()?;
        let (down, up) = (self.widths(), self.decoder.widths());
        if down.last() != up.first() || down.first() != up.last() {
            let problem = format!("the encoder's widths are {down:?} and the decoder's {up:?}");
            return Err(Error::argument("widths", problem, "Let the decoder begin with the code and end with a row."));
        }
        if self.tied && !down.iter().eq(up.iter().rev()) {
            let problem = format!("the encoder's widths are {down:?} and the decoder's {up:?}");
            return Err(Error::argument("tied", problem, "Tie the weights of a decoder that mirrors its encoder."));
        }
        #[cfg(feature = "files")]
        if let Some(schema) = &self.schema
            && schema.columns() != self.encoder.inputs
        {
            let problem = format!("it makes rows of {} numbers but the network takes {}", schema.columns(), self.encoder.inputs);
            return Err(Error::argument("schema", problem, "Use the schema of the rows that the network was built for."));
        }
        if let Some(scaler) = &self.scaler
            && scaler.columns() != self.encoder.inputs
        {
            return Err(Error::argument(
                "scaler",
                format!("it has {} columns but the network takes {}", scaler.columns(), self.encoder.inputs),
                "Learn it on the rows that the network was built for.",
            ));
        }
        if let Some(dims) = &self.image
            && dims.iter().try_fold(1usize, |all, &size| all.checked_mul(size)) != Some(self.encoder.inputs)
        {
            let problem = format!("they are {dims:?} but the network takes {} numbers", self.encoder.inputs);
            return Err(Error::argument("image dimensions", problem, "Use those of the rows that the network was built for."));
        }
        let known = [("mixture", self.mixture.as_ref().map(Mixture::units)), ("typical rows", self.typical.as_ref().map(Typical::units))];
        if let Some((name, units)) =
            known.into_iter().find_map(|(name, units)| Some((name, units.filter(|&units| units != self.decoder.inputs)?)))
        {
            let problem = format!("it is of codes of {units} units but the network's have {}", self.decoder.inputs);
            return Err(Error::argument(name, problem, "Fit it to the network's own codes."));
        }
        if let Some(bounds) = &self.bounds
            && ![1, self.encoder.inputs].contains(&bounds.columns())
        {
            let problem = format!("they are for {} columns but the network takes {}", bounds.columns(), self.encoder.inputs);
            return Err(Error::argument("bounds", problem, "Learn them on the rows that the network was built for."));
        }
        Ok(())
    }

    fn check_sparse(&self) -> Result<()> {
        let (Some(sparse), width) = (self.sparse, self.decoder.inputs) else { return Ok(()) };
        if self.variational {
            let problem = format!("{sparse} takes units of a code, and a variational code is drawn as a whole");
            return Err(Error::argument("sparse", problem, "Leave one of the two out."));
        }
        match (1..=width).contains(&sparse.units()) {
            true => Ok(()),
            false => Err(Error::argument("sparse", format!("{sparse} of a code of {width}"), format!("Use 1 to {width}."))),
        }
    }

    /// Names and shapes of what is kept with the parameters but not trained.
    pub fn state(&self) -> Layout {
        let idle = self.can_revive().then(|| (bottleneck::IDLE.to_string(), vec![self.decoder.inputs]));
        let threshold = matches!(self.sparse, Some(TopK::Batch(_))).then(|| (bottleneck::THRESHOLD.to_string(), vec![1]));
        idle.into_iter().chain(threshold).collect()
    }

    /// Without what is known of the scores and codes of a training: with other weights these are others.
    pub(crate) fn untrained(self) -> Spec {
        Spec { quantiles: None, typical: None, mixture: None, ..self }
    }

    /// The network alone, without what is known of its rows.
    pub fn network(&self) -> Spec {
        Spec {
            scaler: None,
            bounds: None,
            image: None,
            #[cfg(feature = "files")]
            schema: None,
            ..self.clone().untrained()
        }
    }

    /// The widths from a row to the code.
    pub fn widths(&self) -> Vec<usize> {
        let code = self.variational.then_some(self.decoder.inputs);
        self.encoder.widths().into_iter().chain(code).collect()
    }

    /// The same model with a code of another width, of which nothing is known yet.
    pub fn with_code(mut self, width: usize) -> Spec {
        self = self.untrained();
        if self.variational {
            self.decoder.inputs = width;
        } else if let Some(Layer::Dense(last)) = self.encoder.layers.iter_mut().rfind(|layer| matches!(layer, Layer::Dense(_))) {
            *last = width;
            self.decoder.inputs = width;
        }
        self
    }

    /// Names and shapes of the trained parameters, the encoder's first. A tied decoder has only biases.
    pub fn layout(&self) -> Layout {
        let mut all = self.encoder.layout("encoder");
        if self.variational {
            all.extend(bottleneck::layout(self.encoder.outputs(), self.decoder.inputs));
        }
        all.extend(self.decoder.layout("decoder").into_iter().filter(|(name, _)| !self.tied || name.ends_with("bias")));
        all
    }

    /// The trained parameters, each with the number of inputs of its layer.
    pub(super) fn fan_in(&self) -> Vec<(String, usize)> {
        let half = |net: &Net, half: &str| {
            let inputs = net.widths();
            let each = move |(at, (name, _)): (usize, (String, Vec<usize>))| (name, inputs[at / 2]);
            net.layout(half).into_iter().enumerate().map(each).collect::<Vec<_>>()
        };
        let mut all = half(&self.encoder, "encoder");
        if self.variational {
            let inputs = self.encoder.outputs();
            all.extend(bottleneck::layout(inputs, self.decoder.inputs).into_iter().map(|(name, _)| (name, inputs)));
        }
        all.extend(half(&self.decoder, "decoder").into_iter().filter(|(name, _)| !self.tied || name.ends_with("bias")));
        all
    }

    /// The encoder's weight whose transpose is the weight of the decoder's layer at that index.
    pub(super) fn tied_to(&self, at: usize) -> String {
        let from_the_end = self.decoder.dense().into_iter().filter(|&place| place > at).count();
        match self.encoder.dense().get(from_the_end) {
            Some(place) => format!("encoder.{place}.weight"),
            None => format!("{}.weight", bottleneck::HEADS[0]),
        }
    }
}

/// The description of an [`Autoencoder`], to be built on a device. The decoder mirrors the encoder.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields, default))]
pub struct Builder {
    // A file of settings has neither: the rows determine the one, and the training's seed is the other.
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_zero"))]
    inputs: usize,
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_zero", with = "crate::spelling::seed"))]
    seed: u64,
    /// From the first layer to the code.
    layers: Vec<usize>,
    activation: Activation,
    code: CodeActivation,
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "is_zero"))]
    variational: bool,
    #[cfg_attr(feature = "files", serde(skip_serializing_if = "Option::is_none"))]
    sparse: Option<TopK>,
    tied: bool,
    dropout: f32,
    output: Output,
}

#[cfg(feature = "files")]
fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl Default for Builder {
    /// The article's network, for rows whose width is not yet known.
    fn default() -> Builder {
        Builder {
            inputs: 0,
            seed: 0,
            layers: vec![128, 64, 32],
            activation: Activation::default(),
            code: CodeActivation::default(),
            variational: false,
            sparse: None,
            tied: false,
            dropout: 0.0,
            output: Output::default(),
        }
    }
}

impl Builder {
    /// The numbers in a row.
    pub fn inputs(mut self, columns: usize) -> Builder {
        self.inputs = columns;
        self
    }

    /// The widths from the first layer to the code; the decoder has the same in reverse. Default 128, 64, 32.
    pub fn layers(mut self, widths: impl Into<Vec<usize>>) -> Builder {
        self.layers = widths.into();
        self
    }

    /// The widths between the input and the code. Default 128, 64.
    pub fn hidden(mut self, widths: impl Into<Vec<usize>>) -> Builder {
        let code = self.layers.pop();
        self.layers = widths.into();
        self.layers.extend(code);
        self
    }

    /// The numbers in a code. Default 32.
    pub fn code(mut self, width: usize) -> Builder {
        self.layers.pop();
        self.layers.push(width);
        self
    }

    /// Whether there is a hidden layer.
    pub fn is_deep(&self) -> bool {
        self.layers.len() > 1
    }

    /// What follows each hidden layer. Default relu.
    pub fn activation(mut self, activation: Activation) -> Builder {
        self.activation = activation;
        self
    }

    /// What follows the encoder's last layer. Default nothing: the code is linear.
    pub fn code_activation(mut self, code: CodeActivation) -> Builder {
        self.code = code;
        self
    }

    /// A code is drawn from a normal distribution whose mean and variance the encoder gives (Kingma and Welling 2014),
    /// and costs its divergence from a standard one: see [`Fit::beta`](crate::Fit::beta). In use the code is the mean.
    pub fn variational(mut self) -> Builder {
        self.variational = true;
        self
    }

    /// The code is what the encoder gives, which is the default.
    pub fn deterministic(mut self) -> Builder {
        self.variational = false;
        self
    }

    /// All units of the code but the largest are 0. Default: none are.
    pub fn sparse(mut self, units: impl Into<Option<TopK>>) -> Builder {
        self.sparse = units.into();
        self
    }

    /// The decoder's weights are the encoder's, transposed; its biases are its own.
    pub fn tied(mut self) -> Builder {
        self.tied = true;
        self
    }

    /// The decoder has weights of its own, which is the default.
    pub fn untied(mut self) -> Builder {
        self.tied = false;
        self
    }

    /// The share of each hidden layer's outputs that become 0 in a step of training, in [0, 1). Default 0: no dropout.
    pub fn dropout(mut self, p: f32) -> Builder {
        self.dropout = p;
        self
    }

    /// What follows the last layer. Default: a sigmoid.
    pub fn output(mut self, output: Output) -> Builder {
        self.output = output;
        self
    }

    /// A linear autoencoder: no hidden layers and no sigmoid. Trained to the end, it is principal component analysis
    /// (Baldi and Hornik 1989).
    pub fn linear(self) -> Builder {
        self.hidden([]).output(Output::Linear)
    }

    /// The seed of the initial weights. Default 0.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// The model that this builder describes.
    ///
    /// # Errors
    /// As [`Spec::check`]; or when a dropout, or an activation other than relu, has no hidden layer to follow.
    pub fn spec(&self) -> Result<Spec> {
        if self.layers.is_empty() {
            return Err(Error::argument("layers", "there are none", "Name at least the code's width."));
        }
        check_share(self.dropout)?;
        if self.layers.len() == 1 {
            // Nobody can tell whether relu was asked for or is the default.
            let ignored = match (self.dropout != 0.0, self.activation != Activation::default()) {
                (true, _) => Some(("dropout", self.dropout.to_string())),
                (_, true) => Some(("activation", self.activation.to_string())),
                _ => None,
            };
            if let Some((name, value)) = ignored {
                let problem = format!("it is {value}, and there is no hidden layer for it to follow");
                return Err(Error::argument(name, problem, "Add a hidden layer, or leave it out."));
            }
        }
        let down: Vec<usize> = std::iter::once(self.inputs).chain(self.layers.iter().copied()).collect();
        let up: Vec<usize> = down.iter().rev().copied().collect();
        let spec = Spec {
            encoder: self.half(&down, self.variational),
            decoder: self.half(&up, false),
            code: self.code,
            output: self.output,
            variational: self.variational,
            sparse: self.sparse,
            tied: self.tied,
            scaler: None,
            bounds: None,
            quantiles: None,
            typical: None,
            mixture: None,
            image: None,
            #[cfg(feature = "files")]
            schema: None,
        };
        spec.check()?;
        Ok(spec)
    }

    /// Dense layers from width to width, an activation and a dropout between any two of them. The last one is left to
    /// the heads of a variational bottleneck.
    fn half(&self, widths: &[usize], heads: bool) -> Net {
        let mut layers = Vec::new();
        for (at, &width) in widths.iter().enumerate().skip(1) {
            let last = at + 1 == widths.len();
            if !(last && heads) {
                layers.push(Layer::Dense(width));
            }
            if !last {
                layers.push(Layer::Act(self.activation));
                if self.dropout != 0.0 {
                    layers.push(Layer::Dropout(self.dropout));
                }
            }
        }
        Net { inputs: widths[0], layers }
    }

    /// Builds it with PyTorch's initial distribution: weights and biases uniform in +-1/sqrt(inputs of the layer).
    ///
    /// # Errors
    /// As [`Builder::spec`], or when the device has no memory for the parameters.
    pub fn build(&self, device: &Device) -> Result<Autoencoder> {
        Autoencoder::new(self.spec()?, self.seed, device)
    }
}
