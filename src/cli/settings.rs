//! What a training is made of: the flags of `train`, and the file `config.toml` that repeats them.

use super::Common;
use super::input::Reading;
use clap::{Args, ValueEnum};
use narrows::data::{self, Dataset, Scaler, Values};
use narrows::nn::Output;
use narrows::{Device, Error, Fit, Loss, Result, report};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The file in a run directory.
pub(super) const FILE: &str = "config.toml";

#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// The device that it runs on, once it is open.
    #[arg(skip)]
    pub(super) device: Option<String>,
    /// Threads of the CPU device, where they were named.
    #[arg(skip)]
    pub(super) threads: Option<usize>,
    /// builtin, mnist, a folder with the four IDX files of MNIST, a folder of images, a .csv or .npy file. What comes in one part is split 5 to 1.
    /// [default: mnist if it was downloaded before, else builtin]
    #[arg(long, value_name = "builtin|mnist|PATH")]
    pub(super) data: Option<String>,
    /// Scaling of each column, learnt on the training rows and kept in the model: to [0, 1], to mean 0 and variance 1, or none.
    /// [default: for numbers minmax, or standard with a linear output; for bytes none]
    #[arg(long, value_name = "minmax|standard|none")]
    pub(super) scale: Option<Scale>,
    /// What follows the last layer: sigmoid for rows in [0, 1], linear for rows of any size.
    #[arg(long, default_value = "sigmoid", value_name = "sigmoid|linear")]
    pub(super) output: Output,
    /// Widths from the first layer to the code; the decoder has them in reverse.
    #[arg(long, default_value = "128,64,32", value_delimiter = ',', value_name = "N,N,..")]
    pub(super) layers: Vec<usize>,
    /// Passes over the training rows.
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub(super) epochs: usize,
    /// Rows in a step.
    #[arg(long, default_value_t = 128, value_name = "N")]
    pub(super) batch_size: usize,
    /// Adam's learning rate.
    #[arg(long, default_value_t = 1e-3, value_name = "X", allow_negative_numbers = true)]
    pub(super) lr: f64,
    /// How the learning rate changes: multiplied by FACTOR every N epochs, or down to END along half a cosine.
    #[arg(long, default_value = "constant", value_name = "constant|step:N:FACTOR|cosine[:END]")]
    pub(super) schedule: String,
    /// Steps at the beginning in which the learning rate rises to its value.
    #[arg(long, default_value_t = 0, value_name = "STEPS")]
    pub(super) warmup: usize,
    /// Decoupled weight decay: above 0, Adam is AdamW.
    #[arg(long, default_value_t = 0.0, value_name = "X", allow_negative_numbers = true)]
    pub(super) weight_decay: f64,
    /// The largest norm of all gradients together. [default: none]
    #[arg(long, value_name = "NORM", allow_negative_numbers = true)]
    pub(super) clip: Option<f32>,
    /// Mean squared error, or binary cross-entropy.
    #[arg(long, default_value = "mse", value_name = "mse|bce")]
    pub(super) loss: Loss,
    /// Ends after so many epochs without a new smallest error on the validation rows, and keeps the best epoch's weights. [default: none]
    #[arg(long, value_name = "EPOCHS")]
    pub(super) patience: Option<usize>,
    /// The part of the training rows, from their end, to choose by instead of training on. [default: none; 0.1 with --patience]
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    pub(super) validation: Option<f64>,
    /// Seed of the initial weights and of the order of the rows.
    // As text in the file: TOML's integers end at 2^63.
    #[arg(long, default_value_t = 0, value_name = "S")]
    #[serde(serialize_with = "as_text", deserialize_with = "from_text")]
    pub(super) seed: u64,
    // A table, so the last in the file. Not flattened: clap gives a struct that has flattened parts no group, and --resume needs one.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub(super) reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scale {
    Minmax,
    Standard,
    None,
}

fn as_text<S: serde::Serializer>(seed: &u64, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(&seed.to_string())
}

fn from_text<'a, D: serde::Deserializer<'a>>(from: D) -> std::result::Result<u64, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

impl Settings {
    /// What is left open, closed: the file repeats the run also where another version has other defaults.
    pub(super) fn resolved(mut self, reading: &Reading) -> Settings {
        self.reading = reading.clone();
        if self.patience.is_some() && self.validation.is_none() {
            self.validation = Some(0.1);
        }
        if self.data.is_none() {
            self.data = Some(if data::mnist_is_cached() { "mnist" } else { "builtin" }.into());
        }
        self
    }

    /// The name of the data.
    pub(super) fn data(&self) -> &str {
        self.data.as_deref().unwrap_or("builtin")
    }

    /// Opens the device: the one that the command line names, else the one of the file.
    pub(super) fn open(&mut self, common: &Common) -> Result<Device> {
        let name = common.device.as_deref().or(self.device.as_deref());
        let device = common.open_as(name, common.threads.or(self.threads))?;
        self.device = Some(device.id().to_string());
        self.threads = common.threads.or(self.threads);
        Ok(device)
    }

    /// The scaling of the columns, if there is to be one; settles what was left open.
    pub(super) fn scaler(&mut self, train: &Dataset) -> Result<Option<Scaler>> {
        let usual = match (train.values(), self.output) {
            (Values::Bytes(_), _) => Scale::None,
            (Values::Floats(_), Output::Sigmoid) => Scale::Minmax,
            (Values::Floats(_), Output::Linear) => Scale::Standard,
        };
        match *self.scale.get_or_insert(usual) {
            Scale::Minmax => Scaler::min_max(train).map(Some),
            Scale::Standard => Scaler::standard(train).map(Some),
            Scale::None => Ok(None),
        }
    }

    /// Whether this is the folder of a run.
    pub(super) fn is_in(folder: &Path) -> bool {
        folder.join(FILE).is_file()
    }

    pub(super) fn read(folder: &Path) -> Result<Settings> {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).map_err(|source| Error::Io { path: path.clone(), action: "reading the settings", source })?;
        toml::from_str(&text).map_err(|e| Error::Data {
            path,
            problem: e.to_string().trim_end().replace('\n', "; "),
            remedy: "Use the file that `train` wrote.".into(),
        })
    }

    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(FILE);
        let text = toml::to_string(self).map_err(|e| Error::Data {
            path: path.clone(),
            problem: e.to_string(),
            remedy: "Report this as a defect.".into(),
        })?;
        report::write(&path, text.as_bytes())
    }

    /// The training that they mean; rows to validate on are added by the caller.
    pub(super) fn fit(&self) -> Result<Fit> {
        let mut fit = Fit::default()
            .epochs(self.epochs)
            .batch_size(self.batch_size)
            .learning_rate(self.lr)
            .schedule(self.schedule.parse()?)
            .warmup(self.warmup)
            .weight_decay(self.weight_decay)
            .loss(self.loss)
            .seed(self.seed);
        if let Some(norm) = self.clip {
            fit = fit.clip_norm(norm);
        }
        if let Some(patience) = self.patience {
            fit = fit.patience(patience);
        }
        Ok(fit)
    }

    /// What the report shows of them, by name.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let mut shown = vec![
            ("loss", if self.loss == Loss::Mse { "mean squared error" } else { "binary cross-entropy" }.to_string()),
            ("optimiser", if self.weight_decay > 0.0 { format!("AdamW, decay {}", self.weight_decay) } else { "Adam".to_string() }),
            ("learning rate", self.lr.to_string()),
            ("schedule", self.schedule.clone()),
            ("batch size", self.batch_size.to_string()),
            ("epochs", self.epochs.to_string()),
            ("seed", self.seed.to_string()),
            ("output", if self.output == Output::Sigmoid { "sigmoid" } else { "linear" }.to_string()),
        ];
        let scaled = |scale| match scale {
            Scale::Minmax => Some("each column to [0, 1]".to_string()),
            Scale::Standard => Some("each column to mean 0 and variance 1".to_string()),
            Scale::None => None,
        };
        let more = [
            ("scaling", self.scale.and_then(scaled)),
            ("warm-up steps", (self.warmup > 0).then(|| self.warmup.to_string())),
            ("gradient norm clipped at", self.clip.map(|c| c.to_string())),
            ("patience", self.patience.map(|p| p.to_string())),
            ("held out for validation", self.validation.map(|v| v.to_string())),
        ];
        shown.extend(more.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
        shown
    }

    /// The rows to train on, and those to validate on.
    pub(super) fn hold_out(&self, train: &Dataset) -> Result<(Dataset, Option<Dataset>)> {
        let Some(fraction) = self.validation else { return Ok((train.clone(), None)) };
        let rows = (train.len() as f64 * fraction).round();
        if !(rows >= 1.0 && rows < train.len() as f64) {
            return Err(Error::Argument {
                name: "--validation".into(),
                problem: format!("{fraction} of {} rows is {rows}", train.len()),
                remedy: "Use a fraction between 0 and 1 that leaves rows on both sides; 0.1 is usual.".into(),
            });
        }
        let kept = train.len() - rows as usize;
        let (name, from) = (format!("{}, held out", train.name()), kept * train.columns());
        let held = match train.values() {
            Values::Bytes(v) => Dataset::from_bytes(&name, v[from..].to_vec(), train.row_dims())?,
            Values::Floats(v) => Dataset::from_rows(&name, v[from..].to_vec(), train.row_dims())?,
        };
        Ok((train.head(kept), Some(held)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        settings: Settings,
    }

    #[test]
    fn the_file_repeats_the_flags() {
        let lines: [&[&str]; 2] = [
            &["x"],
            &["x", "--layers", "5,4", "--lr", "0.1", "--seed", "18446744073709551615", "--clip", "0.1", "--loss", "bce", "--patience", "3"],
        ];
        for line in lines {
            let settings = Line::parse_from(line).settings.resolved(&Reading::default());
            let folder = std::env::temp_dir().join(format!("narrows-settings-{}-{}", std::process::id(), line.len()));
            fs::create_dir_all(&folder).unwrap();
            settings.write(&folder).unwrap();
            assert_eq!(Settings::read(&folder).unwrap(), settings);
            fs::write(folder.join(FILE), "layers = 3\n").unwrap();
            assert!(Settings::read(&folder).unwrap_err().to_string().contains("layers"));
            fs::remove_dir_all(&folder).unwrap();
        }
    }
}
