//! The settings of a training, as in `config.toml`: flags override a file, which overrides the defaults.

use super::common::Common;
use super::defaults::Said;
use super::flags::{DataFlags, FitFlags, ModelFlags};
use super::input::{Columns, Reading};
use super::source::{Source, whole};
use narrows::data::{self, Dataset, Scale, Scaler, Values};
use narrows::nn::{Builder, Output};
use narrows::train::Hyperparameters;
use narrows::{Device, Error, Result, Schedule, report};
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
    /// What of it flags or a file have named: the rest depends on the rows.
    #[serde(skip)]
    pub(super) said: Said,
}

/// Where it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Run {
    /// The device, once it is open.
    pub(super) device: Option<String>,
    /// Threads of the CPU device, if given.
    pub(super) threads: Option<usize>,
    /// The networks of an ensemble, if there are more than one.
    pub(super) ensemble: Option<usize>,
    /// The epoch that the model is of, where a signal stopped the training.
    pub(super) stopped: Option<usize>,
}

/// What a run that goes on may change: none of it changes the steps.
const FREE: [&str; 6] = ["epochs", "patience", "min_delta", "device", "threads", "stopped"];
/// Why it may change nothing else of its model, its training and its data.
const FIXED: [&str; 3] = ["the checkpoint is of that network", "the steps so far were made with it", "the rows would be others"];

/// The flags that settings come from.
#[derive(Clone, Copy)]
pub(super) struct Flags<'a> {
    pub(super) model: &'a ModelFlags,
    pub(super) fit: &'a FitFlags,
    pub(super) data: &'a DataFlags,
    pub(super) reading: &'a Reading,
    pub(super) columns: &'a Columns,
}

impl Flags<'_> {
    /// Replaces the values that are given.
    fn over(self, settings: &mut Settings) {
        settings.model = self.model.over(settings.model.clone());
        self.fit.over(&mut settings.fit);
        self.model.over_fit(&mut settings.fit);
        self.data.over(&mut settings.data);
        settings.data.reading = self.reading.over(&settings.data.reading);
        settings.data.columns = self.columns.over(&settings.data.columns);
    }
}

impl Settings {
    /// The flags over the file, or over that in the folder of a run, if there is one. What a file has settled for its
    /// own data or output does not hold for others.
    pub(super) fn new(file: Option<&Path>, flags: &Flags) -> Result<Settings> {
        let mut settings = match file {
            None => Settings::default(),
            Some(folder) if folder.is_dir() => Settings::read(folder)?,
            Some(file) => Settings::read_file(file)?,
        };
        if flags.model.changes_output(&settings.model) {
            settings.data.scale = None;
        }
        flags.over(&mut settings);
        flags.model.say(&mut settings.said);
        flags.fit.say(&mut settings.said);
        flags.data.say(&mut settings.said);
        if settings.data.name.is_none() {
            settings.data.name = Some(if data::mnist_is_cached() { "mnist" } else { "builtin" }.into());
        }
        settings.run.stopped = None;
        Ok(settings)
    }

    /// The settings of a run that goes on: those of its file, and what flags may change of them. Other data stand for
    /// the same rows at another place.
    pub(super) fn resumed(folder: &Path, flags: &Flags) -> Result<Settings> {
        let was = Settings::read(folder)?;
        let mut now = was.clone();
        now.data.name = flags.data.name().map(String::from).or(now.data.name);
        flags.over(&mut now);
        let cosine = matches!(now.fit.schedule, Schedule::Cosine { .. });
        for ((was, now), why) in was.tables().into_iter().zip(now.tables()).zip(FIXED) {
            let text = |table: &Table, name: &str| table.get(name).map(|value| spelled(name, value));
            let free = |name: &str| FREE.contains(&name) && !(name == "epochs" && cosine);
            let changed = |name: &&String| text(&was, name) != text(&now, name) && !free(name);
            if let Some(name) = was.keys().chain(now.keys()).find(changed) {
                let why = if name == "epochs" { "its cosine ends with the last epoch" } else { why };
                let [was, now] = [&was, &now].map(|table| text(table, name).unwrap_or_else(|| "none".into()));
                return Err(Error::Argument {
                    name: format!("--{}", name.replace('_', "-")),
                    problem: format!("it is {was} in this run and can't become {now}: {why}"),
                    remedy: format!("Leave it out, or begin another run with it: --config {} --out NEW.", folder.display()),
                });
            }
        }
        Ok(now)
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
            (_, Output::Sigmoid) => Scale::MinMax,
            (_, Output::Linear) => Scale::Standard,
        };
        match *self.data.scale.get_or_insert(usual) {
            Scale::MinMax => Scaler::min_max(train).map(Some),
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
        // Numbers above 2^63 are in no table of the parser's, but may be in a file of this format.
        let parsed = match toml::from_str(&text).is_ok_and(|table: Table| super::first::is_one(&table)) {
            true => toml::from_str(&text).map(|first: super::first::Settings| first.in_tables()),
            false => toml::from_str(&text).map(|settings| Settings { said: Said::in_file(&text), ..settings }),
        };
        let mut settings = parsed.map_err(|e| wrong(path, &text, &e))?;
        if settings.model != settings.model.clone().inputs(0).seed(0) {
            let remedy = "Leave both out: the rows say the one, and `seed` under [fit] is the other.".into();
            return Err(Error::Data { path: path.into(), problem: "[model] has `inputs` or a `seed`".into(), remedy });
        }
        settings.data.came_from(path);
        Ok(settings)
    }

    /// Writes the file.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        report::write(&folder.join(FILE), self.text()?.as_bytes())
    }

    /// What the file holds. Data have their whole path there, so that it means the same from any folder.
    pub(super) fn text(&self) -> Result<String> {
        let mut settings = self.clone();
        settings.data.name = settings.data.name.map(|name| whole(&name));
        toml::to_string(&settings).map_err(|e| {
            let remedy = "Report this as a defect.".into();
            Error::Data { path: FILE.into(), problem: e.to_string(), remedy }
        })
    }

    /// The settings that the report shows, with the file's names and spelling.
    pub(super) fn shown(&self) -> Vec<(String, String)> {
        let all = self.tables().into_iter().flatten();
        let shown = all.filter(|(name, value)| {
            !(["stopped", "held_out"].contains(&name.as_str()) || name == "tied" && *value == Value::Boolean(false))
        });
        shown.map(|(name, value)| (name.replace('_', " "), spelled(&name, &value))).collect()
    }

    /// The tables of the file: model, fit, data and how they are read and learnt, run. The name of the data is not
    /// among them.
    fn tables(&self) -> [Table; 4] {
        // As text: a table would show an f32 of 0.3 with the digits of an f64.
        let text = toml::to_string(self).unwrap_or_default();
        let mut file: Table = toml::from_str(&text).unwrap_or_default();
        let mut take = |name: &str| match file.remove(name) {
            Some(Value::Table(table)) => table,
            _ => Table::new(),
        };
        let [model, fit, mut data, run] = ["model", "fit", "data", "run"].map(&mut take);
        data.remove("name");
        for inner in ["reading", "columns"] {
            if let Some(Value::Table(inner)) = data.remove(inner) {
                data.extend(inner);
            }
        }
        [model, fit, data, run]
    }
}

/// The folder of the run that a model belongs to: the path itself, or the folder of the file.
pub(super) fn run_of(model: &Path) -> Option<&Path> {
    let folder = if model.is_dir() { Some(model) } else { model.parent() };
    folder.filter(|folder| Settings::is_in(folder))
}

/// What is wrong with a file of settings, and in which line.
fn wrong(path: &Path, text: &str, e: &toml::de::Error) -> Error {
    let line = e.span().and_then(|span| text.get(..span.start)).map(|before| 1 + before.matches('\n').count());
    let line = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    Error::Data {
        path: path.into(),
        problem: format!("{line}{}", e.message().trim_end().trim_end_matches('.').replace('\n', ", ")),
        remedy: "Correct it, or use the file that `train` wrote.".into(),
    }
}

/// The value of a setting as written in its flag.
fn spelled(name: &str, value: &Value) -> String {
    plain(value, if name == "image_size" { "x" } else { "," })
}

/// A value, with this between the numbers of a list.
fn plain(value: &Value, between: &str) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(|value| plain(value, between)).collect::<Vec<_>>().join(between),
        Value::Boolean(yes) => if *yes { "yes" } else { "no" }.into(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::source::HeldOut;
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
        #[command(flatten)]
        columns: Columns,
    }

    fn settings(line: &str, file: Option<&Path>) -> Settings {
        let line = Line::parse_from(std::iter::once("x").chain(line.split_whitespace()));
        let Line { model, fit, data, reading, columns } = &line;
        Settings::new(file, &Flags { model, fit, data, reading, columns }).unwrap()
    }

    /// The same settings as they are read from a file, from any folder.
    fn anywhere(mut settings: Settings) -> Settings {
        settings.data.name = settings.data.name.map(|name| whole(&name));
        settings.data.config = None;
        settings.said = Said::default();
        settings
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
            let first = anywhere(first);
            assert_eq!(anywhere(Settings::read(folder.path()).unwrap()), first);
            for given in [&file, folder.path()] {
                assert_eq!(anywhere(settings("", Some(given))), first, "{}", fs::read_to_string(&file).unwrap());
            }
        }
        let other = settings("--activation tanh --tied=false --epochs 3 --label name", Some(&file));
        let whole =
            "--activation tanh --code tanh --dropout 0.3 --output linear --data x.csv --label name --header no --scale none --epochs 3";
        assert_eq!(anywhere(other), anywhere(settings(whole, None)));
    }

    #[test]
    fn what_a_file_settled_for_its_data_and_its_output_does_not_hold_for_others() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        let first = settings("--data x.csv --label 3 --header no --scale minmax --clip 1 --patience 3 --validation 0.2", None);
        first.write(folder.path()).unwrap();
        let with = |line: &str| settings(line, Some(&file)).data;
        let other = with("--data y.csv --header yes");
        assert_eq!((other.scale, &other.reading, &other.config), (None, &settings("--header yes", None).data.reading, &None));
        assert_eq!(with("--data y.csv --scale standard").scale, Some(Scale::Standard));
        assert_eq!(with("--output linear").scale, None);
        assert_eq!(with("--output linear").reading, first.data.reading);
        // The same data and the same output change nothing.
        for line in ["--data x.csv", "--data ./x.csv", "--output sigmoid", ""] {
            assert_eq!((with(line).scale, with(line).reading), (Some(Scale::MinMax), first.data.reading.clone()), "{line}");
        }
        let none = settings("--clip none --patience none --validation none --label none", Some(&file));
        assert_eq!((none.fit.clip, none.fit.patience, none.data.validation), (None, None, None));
        assert_eq!(none.data.reading, settings("--header no", None).data.reading);
        assert_eq!(settings("--validation none", Some(&file)).data.validation, None, "patience has no rows then, which is an error");
    }

    #[test]
    fn data_have_their_whole_path_in_the_file_and_an_old_relative_one_is_looked_for_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        settings("--data a/x.csv", None).write(folder.path()).unwrap();
        let whole = std::env::current_dir().unwrap().join("a/x.csv");
        assert_eq!(Settings::read(folder.path()).unwrap().data(), whole.to_str().unwrap());
        let error = Settings::read(folder.path()).unwrap().data.open(None).unwrap_err().to_string();
        assert!(error.contains(file.to_str().unwrap()) && error.contains(whole.to_str().unwrap()), "{error}");
        for name in ["builtin", "mnist"] {
            settings(&format!("--data {name}"), None).write(folder.path()).unwrap();
            assert_eq!(Settings::read(folder.path()).unwrap().data(), name);
        }
        fs::write(&file, "[data]\nname = \"old.csv\"\n").unwrap();
        let error = Settings::read(folder.path()).unwrap().data.open(None).unwrap_err().to_string();
        let beside = folder.path().join("old.csv");
        let both = std::env::current_dir().unwrap().join("old.csv");
        assert!(error.contains(beside.to_str().unwrap()) && error.contains(both.to_str().unwrap()), "{error}");
        fs::write(&beside, "1\n2\n3\n").unwrap();
        assert_eq!(Settings::read(folder.path()).unwrap().data(), beside.to_str().unwrap());
        assert_eq!(Settings::read(folder.path()).unwrap().data.open(None).unwrap().train.columns(), 1);
    }

    #[test]
    fn the_report_shows_every_setting_as_the_file_spells_it() {
        let line = "--dropout 0.3 --clip 0.1 --layers 5,2 --data x.csv --label kind --header no --image-size 28x20";
        let mut all = settings(line, None);
        all.run = Run { device: Some("cpu".into()), threads: Some(2), ensemble: None, stopped: Some(1) };
        let shown = all.shown();
        for (name, value) in [
            ("dropout", "0.3"),
            ("clip", "0.1"),
            ("layers", "5,2"),
            ("label", "kind"),
            ("header", "no"),
            ("image size", "28x20"),
            ("seed", "0"),
            ("device", "cpu"),
            ("threads", "2"),
        ] {
            assert!(shown.contains(&(name.into(), value.into())), "{name} {value}: {shown:?}");
        }
        assert!(shown.iter().all(|(name, _)| !["name", "tied", "stopped"].contains(&name.as_str())), "{shown:?}");
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
        same.run = Run { device: Some("cpu".into()), threads: Some(2), ensemble: None, stopped: None };
        // The one thing that no flag says: such a run held out the last rows.
        same.data.held_out = HeldOut::Last;
        assert_eq!(anywhere(Settings::read(folder.path()).unwrap()), anywhere(same));
        fs::write(folder.path().join(FILE), "layers = [5, 2]\nseed = 9\n").unwrap();
        let short = settings("", Some(folder.path()));
        let mut same = settings("--layers 5,2 --seed 9", None);
        same.data.held_out = HeldOut::Last;
        assert_eq!(anywhere(short.clone()), anywhere(same));
        assert_eq!(short.said, Said::all(), "what it leaves out is as ever");
    }

    #[test]
    fn a_file_written_by_hand_may_be_short_and_errors_name_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        for (text, line) in [
            ("", ""),
            ("# nothing\n", ""),
            ("fit.epochs = 3\n", "--epochs 3"),
            ("data = { name = \"mnist\" }\n", "--data mnist"),
            ("[ model ] # it\nlayers = [3]\n[fit]\nseed = 7\n", "--layers 3 --seed 7"),
            ("[fit]\nseed = \"18446744073709551615\"\n", "--seed 18446744073709551615"),
            ("[fit]\nseed = 18446744073709551615\n", "--seed 18446744073709551615"),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(anywhere(settings("", Some(&file))), anywhere(settings(line, None)), "{text}");
        }
        for (text, said) in [
            ("layers = 3\n", "line 1: invalid type: integer `3`, expected a sequence"),
            ("\n[fit]\nepoch = 3\n", "line 3: unknown field `epoch`, expected one of `epochs`"),
            ("devise = 1", "line 1: unknown field `devise`, expected one of `model`, `fit`, `data`, `run`"),
            ("[fit]\nseed = -1\n", "line 2: a seed is a whole number"),
            ("[fit]\nseed = \"x\"\n", "line 2: "),
            ("[model]\nactivation = \"relo\"\n", "line 2: activation: `relo` is not an activation. Use one of relu"),
            ("[fit\n", "line 1: "),
        ] {
            fs::write(&file, text).unwrap();
            let error = Settings::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("{}: {said}", file.display())), "{error}");
            assert!(!error.contains("..") && !error.contains('^') && !error.contains('\n'), "{error}");
        }
    }
}
