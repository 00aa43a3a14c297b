//! `config.toml` in the first format: all names on one level.

use super::input::Reading;
use super::settings::{self, Run, Scale, Source};
use narrows::nn::{Builder, Output};
use narrows::train::Hyperparameters;
use narrows::{Loss, Schedule};
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    device: Option<String>,
    threads: Option<usize>,
    data: Option<String>,
    scale: Option<Scale>,
    output: Output,
    layers: Vec<usize>,
    epochs: usize,
    batch_size: usize,
    lr: f64,
    schedule: Schedule,
    warmup: usize,
    weight_decay: f64,
    clip: Option<f32>,
    loss: Loss,
    patience: Option<usize>,
    validation: Option<f64>,
    #[serde(deserialize_with = "from_text")]
    seed: u64,
    #[serde(default)]
    reading: Reading,
}

impl Settings {
    pub(super) fn in_tables(self) -> settings::Settings {
        let Settings { epochs, batch_size, lr, schedule, warmup, weight_decay, clip, loss, patience, seed, .. } = self;
        let rest = Hyperparameters::default();
        settings::Settings {
            model: Builder::default().layers(self.layers).output(self.output),
            fit: Hyperparameters { epochs, batch_size, lr, schedule, warmup, weight_decay, clip, loss, patience, seed, ..rest },
            data: Source { name: self.data, scale: self.scale, validation: self.validation, reading: self.reading },
            run: Run { device: self.device, threads: self.threads },
        }
    }
}

fn from_text<'a, D: Deserializer<'a>>(from: D) -> Result<u64, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}
