//! The settings of a training, as in `config.toml`: flags override a file, which overrides the defaults.

use super::Common;
use super::flags::{DataFlags, FitFlags, ModelFlags};
use super::input::Reading;
use clap::ValueEnum;
use narrows::data::{self, Dataset, Scaler, Values};
use narrows::nn::{Builder, Output};
use narrows::train::Hyperparameters;
use narrows::{Device, Error, Result, report};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// The file in a run directory.
pub(super) const FILE: &str = "config.toml";

/// All settings, in the tables of the file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    #[serde(default)]
    pub(super) model: Builder,
    #[serde(default)]
    pub(super) fit: Hyperparameters,
    #[serde(default)]
    pub(super) data: Source,
    #[serde(default)]
    pub(super) run: Run,
}

/// The data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Source {
    pub(super) name: Option<String>,
    pub(super) scale: Option<Scale>,
    pub(super) validation: Option<f64>,
    // A table of its own: how files are read if they do not say so themselves.
    #[serde(skip_serializing_if = "Reading::is_default")]
    pub(super) reading: Reading,
}

/// Where it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Run {
    /// The device, once it is open.
    pub(super) device: Option<String>,
    /// Threads of the CPU device, if given.
    pub(super) threads: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Scale {
    Minmax,
    Standard,
    None,
}

impl Settings {
    /// The flags over the file, if there is one.
    pub(super) fn new(file: Option<&Path>, model: &ModelFlags, fit: &FitFlags, data: &DataFlags, reading: &Reading) -> Result<Settings> {
        let mut settings = file.map_or(Ok(Settings::default()), Settings::read_file)?;
        settings.model = model.over(settings.model);
        fit.over(&mut settings.fit);
        data.over(&mut settings.data);
        settings.data.reading = reading.over(&settings.data.reading);
        Ok(settings.resolved())
    }

    /// Fills in the values that are not given, so that the file repeats the run even if another version has other
    /// defaults.
    fn resolved(mut self) -> Settings {
        if self.fit.patience.is_some() && self.data.validation.is_none() {
            self.data.validation = Some(0.1);
        }
        if self.data.name.is_none() {
            self.data.name = Some(if data::mnist_is_cached() { "mnist" } else { "builtin" }.into());
        }
        self
    }

    /// The name of the data.
    pub(super) fn data(&self) -> &str {
        self.data.name.as_deref().unwrap_or("builtin")
    }

    /// Opens the device that the command line names, else that of the file.
    pub(super) fn open(&mut self, common: &Common) -> Result<Device> {
        let name = common.device.as_deref().or(self.run.device.as_deref());
        let device = common.open_as(name, common.threads.or(self.run.threads))?;
        self.run.device = Some(device.id().to_string());
        self.run.threads = common.threads.or(self.run.threads);
        Ok(device)
    }

    /// The scaling of the columns, if there is one; fills in the default.
    pub(super) fn scaler(&mut self, train: &Dataset, output: Output) -> Result<Option<Scaler>> {
        let usual = match (train.values(), output) {
            (Values::Bytes(_), _) => Scale::None,
            (Values::Floats(_), Output::Sigmoid) => Scale::Minmax,
            (Values::Floats(_), Output::Linear) => Scale::Standard,
        };
        match *self.data.scale.get_or_insert(usual) {
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
        Settings::read_file(&folder.join(FILE))
    }

    /// Reads a file of this format or of the first.
    fn read_file(path: &Path) -> Result<Settings> {
        let text = fs::read_to_string(path).map_err(|source| Error::Io { path: path.into(), action: "reading the settings", source })?;
        let tables = ["[model]", "[fit]", "[data]", "[run]"];
        let heading = |line: &str| line.split('#').next().unwrap_or_default().replace(' ', "");
        let parsed = match text.lines().any(|line| tables.contains(&heading(line).trim())) {
            true => toml::from_str(&text),
            false => toml::from_str(&text).map(|first: super::first::Settings| first.in_tables()),
        };
        parsed.map_err(|e| Error::Data {
            path: path.into(),
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

    /// The settings that the report shows, under the file's names.
    pub(super) fn shown(&self) -> Vec<(String, String)> {
        let table = |table: std::result::Result<Table, toml::ser::Error>| table.unwrap_or_default().into_iter();
        let all = table(Table::try_from(&self.model)).chain(table(Table::try_from(&self.fit))).chain(table(Table::try_from(&self.data)));
        let shown = all.filter(|(name, value)| name != "name" && !value.is_table() && *value != Value::Boolean(false));
        shown.map(|(name, value)| (name.replace('_', " "), plain(&value))).collect()
    }

    /// The rows to train on, and those to validate on.
    pub(super) fn hold_out(&self, train: &Dataset) -> Result<(Dataset, Option<Dataset>)> {
        let Some(fraction) = self.data.validation else { return Ok((train.clone(), None)) };
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

/// A value as written in a flag.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        Value::Boolean(true) => "yes".into(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        model: ModelFlags,
        #[command(flatten)]
        fit: FitFlags,
        #[command(flatten)]
        data: DataFlags,
        #[command(flatten)]
        reading: Reading,
    }

    fn settings(line: &str, file: Option<&Path>) -> Settings {
        let line = Line::parse_from(std::iter::once("x").chain(line.split_whitespace()));
        Settings::new(file, &line.model, &line.fit, &line.data, &line.reading).unwrap()
    }

    #[test]
    fn the_file_repeats_the_flags_and_flags_beside_it_override_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        for line in [
            "",
            "--layers 5,4 --lr 0.1 --seed 18446744073709551615 --clip 0.1 --loss bce --patience 3 --schedule step:2:0.5",
            "--activation sigmoid --code tanh --tied --dropout 0.3 --output linear --data x.csv --label 3 --header no --scale none",
        ] {
            let first = settings(line, None);
            first.write(folder.path()).unwrap();
            assert_eq!(Settings::read(folder.path()).unwrap(), first);
            assert_eq!(settings("", Some(&file)), first, "{}", fs::read_to_string(&file).unwrap());
        }
        let other = settings("--activation tanh --tied=false --epochs 3 --label name", Some(&file));
        let whole =
            "--activation tanh --code tanh --dropout 0.3 --output linear --data x.csv --label name --header no --scale none --epochs 3";
        assert_eq!(other, settings(whole, None));
    }

    #[test]
    fn a_file_of_the_first_format_means_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let flat = "device = \"cpu\"\nthreads = 2\ndata = \"x.csv\"\nscale = \"none\"\noutput = \"linear\"\nlayers = [5, 2]\nepochs = 7\n\
                    batch_size = 3\nlr = 0.5\nschedule = \"cosine\"\nwarmup = 1\nweight_decay = 0.0\nloss = \"bce\"\nseed = \"9\"\n\n\
                    [reading]\nlabel = \"y\"\n";
        fs::write(folder.path().join(FILE), flat).unwrap();
        let line = "--data x.csv --scale none --output linear --layers 5,2 --epochs 7 --batch-size 3 --lr 0.5 --schedule cosine --warmup 1 --loss bce \
                    --seed 9 --label y";
        let mut same = settings(line, None);
        same.run = Run { device: Some("cpu".into()), threads: Some(2) };
        assert_eq!(Settings::read(folder.path()).unwrap(), same);
        for (text, said) in [("layers = 3\n", "layers"), ("", "missing field"), ("[fit]\nepoch = 3\n", "epoch"), ("devise = 1", "devise")] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let error = Settings::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
