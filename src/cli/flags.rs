//! The flags of `train`. A flag that is not given is left to a file or a default.

use super::defaults::Said;
use super::input::{Columns, Reading};
use super::source::{Source, whole};
use super::widths::Widths;
use clap::Args;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use narrows::data::Scale;
use narrows::nn::{Activation, Builder, CodeActivation, Corruption, Output, Sparsity, TopK};
use narrows::train::Hyperparameters;
use narrows::{Loss, Schedule};
use std::ffi::OsString;
use std::str::FromStr;

/// What is built.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ModelFlags {
    /// Widths from the first layer to the code, 128,64,32, or with that of the rows before them, 784-128-64-32; the
    /// decoder has them in reverse. [default: 128,64,32; for a table its code is a third of the columns, at most 32;
    /// 500,250,32 for texts]
    #[arg(long, value_name = "N,N,..|ROW-N-N..")]
    layers: Option<Widths>,
    /// What follows each hidden layer. [default: relu; for a table leaky]
    #[arg(long, value_parser = named::<Activation>(Activation::NAMES), value_name = Activation::USAGE)]
    activation: Option<Activation>,
    /// What follows the encoder's last layer. [default: linear]
    #[arg(long, value_parser = named::<CodeActivation>(CodeActivation::NAMES), value_name = CodeActivation::USAGE)]
    code: Option<CodeActivation>,
    /// Draws each code from a normal distribution whose mean and variance the encoder gives: a variational autoencoder.
    /// --variational=false overrides --config.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    variational: Option<bool>,
    /// Keeps the code sparse. l1: W times the mean over rows of the sum of |code| is added to the loss; kl: W times the
    /// divergence of each unit's mean activity from RHO, for --code sigmoid; topk: all units but the K largest of a row
    /// are 0; batchtopk: all but the K largest a row of the whole batch. [default: none]
    #[arg(long, value_name = "l1:W|kl:RHO:W|topk:K|batchtopk:K|none")]
    sparse: Option<Sparse>,
    /// The decoder's weights are the encoder's, transposed. Its biases are its own. --tied=false overrides --config.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    tied: Option<bool>,
    /// The share of each hidden layer's outputs that become 0 in a step of training. [default: 0]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    dropout: Option<f32>,
    /// What follows the last layer: sigmoid for rows in [0, 1], linear for rows of any size. [default: sigmoid;
    /// for texts linear, unless --loss is bce]
    #[arg(long, value_parser = named::<Output>(Output::NAMES), value_name = Output::USAGE)]
    output: Option<Output>,
}

/// What keeps a code sparse: a penalty of the training, or a part of the network.
#[derive(Clone, Copy, Debug)]
enum Sparse {
    Penalty(Sparsity),
    TopK(TopK),
    None,
}

impl FromStr for Sparse {
    type Err = narrows::Error;

    fn from_str(text: &str) -> narrows::Result<Sparse> {
        match text.split(':').next() {
            Some("none") if text == "none" => Ok(Sparse::None),
            Some("l1" | "kl") => text.parse().map(Sparse::Penalty),
            Some("topk" | "batchtopk") => text.parse().map(Sparse::TopK),
            _ => Err(narrows::Error::Argument {
                name: "sparsity".into(),
                problem: format!("`{text}` is not a sparsity"),
                remedy: format!("Use one of {}, {}, none.", Sparsity::USAGE, TopK::USAGE),
            }),
        }
    }
}

/// How it is trained.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct FitFlags {
    /// Passes over the training rows. [default: 10, or as many as make 3000 steps; 4000 of the built-in digits]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Rows in a step. [default: 128]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Adam's learning rate. [default: 0.001]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// How the learning rate changes: multiplied by FACTOR every N epochs, or down to END along half a cosine.
    /// [default: constant]
    #[arg(long, value_name = "constant|step:N:FACTOR|cosine[:END]")]
    schedule: Option<Schedule>,
    /// Steps at the beginning in which the learning rate rises to its value. [default: 0]
    #[arg(long, value_name = "STEPS")]
    warmup: Option<usize>,
    /// Decoupled weight decay: above 0, Adam is AdamW. [default: 0]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// The largest norm of all gradients together. [default: none]
    #[arg(long, value_name = "NORM|none", allow_negative_numbers = true, value_parser = or_none::<f32>)]
    clip: Option<OrNone<f32>>,
    /// Mean squared error, or binary cross-entropy. [default: mse]
    #[arg(long, value_parser = named::<Loss>(Loss::NAMES), value_name = Loss::USAGE)]
    loss: Option<Loss>,
    /// What is done to the rows that the network sees in training, in its units: normal numbers of this standard
    /// deviation are added, values become 0, or 0 or 1. Its output is compared with the clean rows. [default: none]
    #[arg(long, value_name = "gaussian:S|mask:P|salt-pepper:P|none", value_parser = or_none::<Corruption>)]
    noise: Option<OrNone<Corruption>>,
    /// With --variational: the weight of the codes' divergence from a normal distribution. [default: 1]
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    beta: Option<f32>,
    /// With --variational: epochs in which that weight rises from 0. [default: 0]
    #[arg(long, value_name = "EPOCHS")]
    kl_warmup: Option<usize>,
    /// With --variational: nats of divergence that each unit of the code has for free. [default: 0]
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    free_bits: Option<f32>,
    /// With --sparse topk or batchtopk: the weight of the loss by which units that have been off for 10,000 rows learn
    /// to predict what the others leave over. [default: 0.03125 where one layer follows the code, else 0]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    revive: Option<f32>,
    /// Adds this much of the squared norm of the code's Jacobian to the loss: exact for one layer, estimated by a
    /// random direction a row for deep encoders. [default: 0]
    #[arg(long, value_name = "W", allow_negative_numbers = true)]
    contractive: Option<f32>,
    /// Epochs from one evaluation to the next: each is a line, a row of metrics.csv and a checkpoint. [default: 1, or
    /// as many as make 50 steps, but at least 20 evaluations in all]
    #[arg(long, value_name = "EPOCHS")]
    evaluate_every: Option<usize>,
    /// Ends after this many evaluations in a row that do not lower the smallest error on the validation rows by
    /// --min-delta, and keeps the weights with the smallest. [default: none; 10 where --epochs is not given, ten epochs
    /// are fewer than 3000 steps, and there are validation rows]
    #[arg(long, value_name = "N|none", value_parser = or_none::<usize>)]
    patience: Option<OrNone<usize>>,
    /// The share of the smallest error by which an evaluation must lower it so that patience counts anew.
    /// [default: 0.005]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    min_delta: Option<f64>,
    /// Seed of the initial weights, of the order of the rows and of the noise. [default: 0]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// What it is trained on.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct DataFlags {
    /// builtin, mnist, a folder with the four IDX files of MNIST, a folder of images or of .txt files, a table (.csv,
    /// .tsv, .txt or .dat, also .gz), an .npy or .npz file. Data without a test part is split 5 to 1; of folders,
    /// sub-folders called train, valid and test are the parts. [default: mnist if it was downloaded before, else
    /// builtin]
    #[arg(long = "data", value_name = "builtin|mnist|PATH", value_parser = OsStringValueParser::new().try_map(text))]
    name: Option<String>,
    /// Scaling of each column, learnt on the training rows and kept in the model: to [0, 1], to mean 0 and variance 1,
    /// or none. [default: for numbers minmax, or standard with a linear output; for bytes and texts none]
    #[arg(long, value_parser = named::<Scale>(Scale::NAMES), value_name = Scale::USAGE)]
    scale: Option<Scale>,
    /// The share of the training rows, from their end, to validate on instead of training on. [default: none, or the
    /// validation part of the data; 0.1 with patience and without such a part]
    #[arg(long, value_name = "FRACTION|none", allow_negative_numbers = true, value_parser = or_none::<f64>)]
    validation: Option<OrNone<f64>>,
}

/// A value, or `none`, which undoes what a file says.
#[derive(Clone, Copy, Debug)]
struct OrNone<T>(Option<T>);

fn or_none<T: FromStr>(text: &str) -> Result<OrNone<T>, T::Err> {
    if text == "none" { Ok(OrNone(None)) } else { text.parse().map(|value| OrNone(Some(value))) }
}

/// What is done to rows.
pub(super) fn noise(text: &str) -> narrows::Result<Corruption> {
    text.parse()
}

/// A path that a file of settings can hold.
fn text(path: OsString) -> Result<String, &'static str> {
    path.into_string().map_err(|_| "it is not UTF-8, so config.toml can't name it; give it another name, or a link that has one")
}

/// One of these names.
pub(super) fn named<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = narrows::Error> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| name.parse::<T>())
}

/// Replaces the value if a new one is given.
fn put<T: Clone>(given: &Option<T>, stands: &mut T) {
    if let Some(given) = given {
        *stands = given.clone();
    }
}

/// As [`put`], for a value that may be absent.
fn put_or_none<T: Copy>(given: Option<OrNone<T>>, stands: &mut Option<T>) {
    if let Some(OrNone(given)) = given {
        *stands = given;
    }
}

impl ModelFlags {
    pub(super) fn over(&self, mut model: Builder) -> Builder {
        if let Some(layers) = &self.layers {
            model = model.layers(layers.of_layers().1);
        }
        if let Some(activation) = self.activation {
            model = model.activation(activation);
        }
        if let Some(code) = self.code {
            model = model.code_activation(code);
        }
        if let Some(variational) = self.variational {
            model = if variational { model.variational() } else { model.deterministic() };
        }
        match self.sparse {
            Some(Sparse::TopK(units)) => model = model.sparse(units),
            Some(_) => model = model.sparse(None),
            None => {}
        }
        if let Some(tied) = self.tied {
            model = if tied { model.tied() } else { model.untied() };
        }
        if let Some(dropout) = self.dropout {
            model = model.dropout(dropout);
        }
        match self.output {
            Some(output) => model.output(output),
            None => model,
        }
    }

    /// Replaces what a training's penalty is, if the flag says so.
    pub(super) fn over_fit(&self, fit: &mut Hyperparameters) {
        match self.sparse {
            Some(Sparse::Penalty(sparsity)) => fit.sparse = Some(sparsity),
            Some(_) => fit.sparse = None,
            None => {}
        }
    }

    pub(super) fn say(&self, said: &mut Said) {
        said.row = self.layers.as_ref().and_then(|widths| widths.of_layers().0);
        said.layers |= self.layers.is_some();
        said.activation |= self.activation.is_some();
        said.output |= self.output.is_some();
    }

    /// Whether there is an output, and another than the model has.
    pub(super) fn changes_output(&self, model: &Builder) -> bool {
        self.output.is_some_and(|output| model.clone().output(output) != *model)
    }
}

impl FitFlags {
    pub(super) fn over(&self, fit: &mut Hyperparameters) {
        put(&self.epochs, &mut fit.epochs);
        put(&self.batch_size, &mut fit.batch_size);
        put(&self.lr, &mut fit.lr);
        put(&self.schedule, &mut fit.schedule);
        put(&self.warmup, &mut fit.warmup);
        put(&self.weight_decay, &mut fit.weight_decay);
        put_or_none(self.clip, &mut fit.clip);
        put(&self.loss, &mut fit.loss);
        put_or_none(self.noise, &mut fit.noise);
        put(&self.beta, &mut fit.beta);
        put(&self.kl_warmup, &mut fit.kl_warmup);
        put(&self.free_bits, &mut fit.free_bits);
        if self.revive.is_some() {
            fit.revive = self.revive;
        }
        put(&self.contractive, &mut fit.contractive);
        put(&self.evaluate_every, &mut fit.evaluate_every);
        put_or_none(self.patience, &mut fit.patience);
        put(&self.min_delta, &mut fit.min_delta);
        put(&self.seed, &mut fit.seed);
    }

    pub(super) fn say(&self, said: &mut Said) {
        said.epochs |= self.epochs.is_some();
        said.evaluate_every |= self.evaluate_every.is_some();
        said.patience |= self.patience.is_some();
    }
}

impl DataFlags {
    /// Replaces the values that are given. How the old data were scaled and read says nothing of others.
    pub(super) fn over(&self, data: &mut Source) {
        if let Some(name) = &self.name {
            if data.name.as_deref().map(whole) != Some(whole(name)) {
                data.scale = None;
                data.reading = Reading::default();
                data.columns = Columns::default();
            }
            data.name = Some(name.clone());
            data.config = None;
        }
        data.scale = self.scale.or(data.scale);
        put_or_none(self.validation, &mut data.validation);
    }

    /// The name of the data, if it is given.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(super) fn say(&self, said: &mut Said) {
        said.validation |= self.validation.is_some();
    }
}
