//! `config.toml` in the first format: all names on one level.

use super::defaults::Said;
use super::input::Reading;
use super::settings::{self, Run};
use super::source::{HeldOut, Source};
use narrows::data::Scale;
use narrows::nn::{Builder, Output};
use narrows::train::Hyperparameters;
use narrows::{Loss, Schedule};
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

/// The names that no table has in this format. `data` is a text in it.
const NAMES: [&str; 17] = [
    "device",
    "threads",
    "scale",
    "output",
    "layers",
    "epochs",
    "batch_size",
    "lr",
    "schedule",
    "warmup",
    "weight_decay",
    "clip",
    "loss",
    "patience",
    "validation",
    "seed",
    "reading",
];

/// Whether a file has this format.
pub(super) fn is_one(file: &Table) -> bool {
    let in_tables = ["model", "fit", "data", "run"].iter().any(|name| file.get(*name).is_some_and(Value::is_table));
    !in_tables && (file.contains_key("data") || NAMES.iter().any(|name| file.contains_key(*name)))
}

/// What a file may hold; the defaults are as ever.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    device: Option<String>,
    threads: Option<usize>,
    data: Option<String>,
    scale: Option<Scale>,
    #[serde(default)]
    output: Output,
    layers: Option<Vec<usize>>,
    epochs: Option<usize>,
    batch_size: Option<usize>,
    lr: Option<f64>,
    #[serde(default)]
    schedule: Schedule,
    #[serde(default)]
    warmup: usize,
    weight_decay: Option<f64>,
    clip: Option<f32>,
    #[serde(default)]
    loss: Loss,
    patience: Option<usize>,
    validation: Option<f64>,
    // As the other format reads it.
    #[serde(default, deserialize_with = "seed")]
    seed: u64,
    #[serde(default)]
    reading: Reading,
}

impl Settings {
    pub(super) fn in_tables(self) -> settings::Settings {
        let mut fit = Hyperparameters::default();
        fit.epochs = self.epochs.unwrap_or(fit.epochs);
        fit.batch_size = self.batch_size.unwrap_or(fit.batch_size);
        fit.lr = self.lr.unwrap_or(fit.lr);
        fit.weight_decay = self.weight_decay.unwrap_or(fit.weight_decay);
        fit.schedule = self.schedule;
        fit.warmup = self.warmup;
        fit.clip = self.clip;
        fit.loss = self.loss;
        fit.patience = self.patience;
        fit.seed = self.seed;
        let model = Builder::default().output(self.output);
        settings::Settings {
            model: match self.layers {
                Some(layers) => model.layers(layers),
                None => model,
            },
            fit,
            data: Source {
                name: self.data,
                scale: self.scale,
                validation: self.validation,
                held_out: HeldOut::Last,
                reading: self.reading,
                ..Source::default()
            },
            run: Run { device: self.device, threads: self.threads, ensemble: None, stopped: None },
            said: Said::all(),
        }
    }
}

fn seed<'a, D: Deserializer<'a>>(from: D) -> Result<u64, D::Error> {
    let table = Table::from_iter([("seed".to_string(), Value::deserialize(from)?)]);
    let fit: Hyperparameters = table.try_into().map_err(|e: toml::de::Error| serde::de::Error::custom(e.message()))?;
    Ok(fit.seed)
}
