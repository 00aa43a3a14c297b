//! The flags of `train`. A flag that is not given is left to a file or a default.

use super::defaults::Said;
use super::input::{Columns, Reading};
use super::settings::{self, Source};
use clap::Args;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};
use narrows::data::Scale;
use narrows::nn::{Activation, Builder, CodeActivation, Output};
use narrows::train::Hyperparameters;
use narrows::{Loss, Schedule};
use std::ffi::OsString;
use std::num::ParseIntError;
use std::str::FromStr;

/// What is built.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct ModelFlags {
    /// Widths from the first layer to the code, 128,64,32, or with that of the rows before them, 784-128-64-32; the
    /// decoder has them in reverse. [default: 128,64,32; for a table its code is a third of the columns, at most 32]
    #[arg(long, value_parser = widths, value_name = "N,N,..|ROW-N-N..")]
    layers: Option<Widths>,
    /// What follows each hidden layer. [default: relu; for a table leaky]
    #[arg(long, value_parser = named::<Activation>(Activation::NAMES), value_name = Activation::USAGE)]
    activation: Option<Activation>,
    /// What follows the encoder's last layer. [default: linear]
    #[arg(long, value_parser = named::<CodeActivation>(CodeActivation::NAMES), value_name = CodeActivation::USAGE)]
    code: Option<CodeActivation>,
    /// The decoder's weights are the encoder's, transposed. Its biases are its own. --tied=false overrides --config.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "true|false")]
    tied: Option<bool>,
    /// The share of each hidden layer's outputs that become 0 in a step of training. [default: 0]
    #[arg(long, value_name = "P", allow_negative_numbers = true)]
    dropout: Option<f32>,
    /// What follows the last layer: sigmoid for rows in [0, 1], linear for rows of any size. [default: sigmoid]
    #[arg(long, value_parser = named::<Output>(Output::NAMES), value_name = Output::USAGE)]
    output: Option<Output>,
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
    /// builtin, mnist, a folder with the four IDX files of MNIST, a folder of images, a table (.csv, .tsv, .txt or
    /// .dat, also .gz), an .npy or .npz file. Data without a test part is split 5 to 1; of images, sub-folders called
    /// train, valid and test are the parts. [default: mnist if it was downloaded before, else builtin]
    #[arg(long = "data", value_name = "builtin|mnist|PATH", value_parser = OsStringValueParser::new().try_map(text))]
    name: Option<String>,
    /// Scaling of each column, learnt on the training rows and kept in the model: to [0, 1], to mean 0 and variance 1,
    /// or none. [default: for numbers minmax, or standard with a linear output; for bytes none]
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

/// A path that a file of settings can hold.
fn text(path: OsString) -> Result<String, &'static str> {
    path.into_string().map_err(|_| "it is not UTF-8, so config.toml can't name it; give it another name, or a link that has one")
}

/// The widths of a network as people write them.
#[derive(Clone, Debug)]
struct Widths {
    /// The width of a row, where they begin with it.
    row: Option<usize>,
    layers: Vec<usize>,
}

fn widths(text: &str) -> Result<Widths, ParseIntError> {
    let list = |by: char| text.split(by).map(str::parse).collect::<Result<Vec<usize>, _>>();
    match text.contains('-') {
        true => list('-').map(|mut layers| Widths { row: Some(layers.remove(0)), layers }),
        false => list(',').map(|layers| Widths { row: None, layers }),
    }
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
            model = model.layers(layers.layers.clone());
        }
        if let Some(activation) = self.activation {
            model = model.activation(activation);
        }
        if let Some(code) = self.code {
            model = model.code_activation(code);
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

    pub(super) fn say(&self, said: &mut Said) {
        said.row = self.layers.as_ref().and_then(|widths| widths.row);
        said.layers |= self.layers.is_some();
        said.activation |= self.activation.is_some();
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
            if data.name.as_deref().map(settings::whole) != Some(settings::whole(name)) {
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
