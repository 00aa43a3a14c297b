//! Checkpoints: all that a training needs to continue to the same bits as without an interruption, in one sealed
//! safetensors file.
//!
//! A folder holds `last`, at every moment since the first step; `last.previous`, the one before; and `best`, where
//! there are validation rows.

use super::fit::{Best, Epoch, Progress};
use super::recipe::difference;
use super::seal::{BLANK, intact, seal};
use super::training::{Model, Training};
use crate::{Error, Result, Tensor, files, tensor};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Our only metadata entry: a JSON text.
const KEY: &str = "narrows";
/// Increases when the meaning of the contents changes.
const FORMAT: u64 = 2;
/// Tensors besides the weights. Their names are a second mark: they identify a file of ours whose metadata is damaged.
const MORE: [&str; 4] = ["narrows.m", "narrows.v", "narrows.losses", "narrows.best"];

const LAST: &str = "last.safetensors";
const PREVIOUS: &str = "last.previous.safetensors";
const BEST: &str = "best.safetensors";

type Named = (String, Vec<usize>, Vec<f32>);

/// The state of a training: weights, moments, clock, losses, and its recipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The format of the file that it was read from.
    format: u64,
    pub(super) recipe: Map<String, Value>,
    weights: Vec<Named>,
    m: Vec<f32>,
    v: Vec<f32>,
    losses: Vec<f32>,
    clock: [u32; 2],
    pub(super) progress: Progress,
}

impl Checkpoint {
    /// Reads a checkpoint and verifies its sha256.
    ///
    /// # Errors
    /// When the file is absent, is not a checkpoint, has another format, or is damaged.
    pub fn read(path: impl AsRef<Path>) -> Result<Checkpoint> {
        let path = path.as_ref();
        let bytes = files::read(path, "reading the checkpoint")?;
        if intact(&bytes) != Some(true) {
            let ours = |mark: &str| bytes.windows(mark.len()).any(|w| w == mark.as_bytes());
            let damaged = ours("\\\"sha256\\\"") || MORE.iter().any(|name| ours(name));
            return Err(match damaged {
                true => {
                    let problem =
                        format!("it is a checkpoint, but not as it was written: its sha256 does not fit its {} bytes", bytes.len());
                    Error::data(path, problem, "Use last.previous.safetensors beside it.")
                }
                false => Error::data(path, "it is not a checkpoint of narrows", "Name a file that a training with checkpoints wrote."),
            });
        }
        parse(&bytes).map_err(|problem| Error::data(path, problem, "Use the version of narrows that wrote it, or a newer one."))
    }

    /// The newest checkpoint of a folder that can be read, and its path.
    ///
    /// # Errors
    /// When neither the last nor the previous one can be read; the error is that of the last.
    pub fn newest(folder: impl AsRef<Path>) -> Result<(PathBuf, Checkpoint)> {
        let path = |name: &str| folder.as_ref().join(name);
        let last = Checkpoint::read(path(LAST));
        match last {
            Ok(checkpoint) => Ok((path(LAST), checkpoint)),
            Err(e) => Checkpoint::read(path(PREVIOUS)).map(|c| (path(PREVIOUS), c)).map_err(|_| e),
        }
    }

    /// Epochs that were done at the last evaluation.
    pub fn epochs(&self) -> usize {
        self.progress.epoch()
    }

    /// Steps that were done, over all epochs.
    pub fn step(&self) -> u32 {
        self.clock[1]
    }

    fn write(&self, path: &Path) -> Result<()> {
        let failed =
            |e: &dyn std::fmt::Display| Error::data(path, format!("the checkpoint can't be written: {e}"), "Report this as a defect.");
        let best = self.progress.best.as_ref().map(|b| b.weights.as_slice()).unwrap_or_default();
        let flat = [(MORE[0], &self.m[..]), (MORE[1], &self.v), (MORE[2], &self.losses), (MORE[3], best)];
        let weights = self.weights.iter().map(|(name, shape, values)| (name.as_str(), shape.clone(), values.as_slice()));
        let all = weights.chain(flat.map(|(name, values)| (name, vec![values.len()], values)));
        let views =
            all.map(|(name, shape, values)| TensorView::new(Dtype::F32, shape, bytemuck::cast_slice(values)).map(|view| (name, view)));
        let about = self.about().to_string();
        let mut bytes = views
            .collect::<std::result::Result<Vec<_>, _>>()
            .and_then(|views| serialize(views, Some(HashMap::from([(KEY.to_string(), about)]))))
            .map_err(|e| failed(&e))?;
        if !seal(&mut bytes) {
            return Err(failed(&"it has no place for its sha256"));
        }
        files::write_atomic(path, |file| file.write_all(&bytes))
    }

    fn about(&self) -> Value {
        let Progress { epochs, step, seconds, best, waited } = &self.progress;
        let maybe = |x: Option<f64>| x.map(text).unwrap_or_default();
        let epoch = |e: &Epoch| {
            let numbers = [text(e.train_loss), maybe(e.test_loss), maybe(e.validation_loss), text(e.seconds), text(e.learning_rate)];
            let losses: Vec<_> = e.losses.iter().map(|(name, loss)| json!([name, text(*loss)])).collect();
            json!([e.steps, numbers, losses, e.epoch])
        };
        json!({
            "kind": "checkpoint",
            "format": FORMAT,
            "sha256": BLANK,
            "recipe": self.recipe,
            "clock": self.clock,
            "step": step,
            "seconds": text(*seconds),
            "best": best.as_ref().map(|b| json!([b.epoch, text(b.loss)])),
            "waited": waited,
            "epochs": epochs.iter().map(epoch).collect::<Vec<_>>(),
        })
    }
}

/// A float as a text that keeps its bits.
pub(super) fn text(x: f64) -> String {
    format!("{x:?}")
}

/// Losses by their names; empty in the first format, which has no list of them.
fn named(list: &Value) -> Option<Vec<(String, f64)>> {
    let pair = |pair: &Value| Some((pair[0].as_str()?.to_string(), pair[1].as_str()?.parse().ok()?));
    if list.is_null() { Some(Vec::new()) } else { list.as_array()?.iter().map(pair).collect() }
}

/// Parses a sealed file. The seal has proved that we wrote it, so anything unexpected comes from another version.
fn parse(bytes: &[u8]) -> std::result::Result<Checkpoint, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let about = header.metadata().as_ref().and_then(|entries| entries.get(KEY)).ok_or("it has no metadata of narrows")?;
    let about: Value = serde_json::from_str(about).map_err(|e| e.to_string())?;
    let format = about["format"].as_u64().filter(|format| (1..=FORMAT).contains(format));
    let format = format.ok_or_else(|| format!("its format is {}; this version knows 1 to {FORMAT}", about["format"]))?;
    let floats = |name: &str| -> std::result::Result<Vec<f32>, String> {
        let tensor = file.tensor(name).map_err(|_| format!("the tensor `{name}` is missing"))?;
        Ok(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    };
    let missing = |what: &str| format!("its {what} is missing");
    let number = |value: &Value, what: &str| value.as_u64().map(|n| n as usize).ok_or_else(|| missing(what));
    let float = |value: &Value, what: &str| value.as_str().and_then(|t| t.parse::<f64>().ok()).ok_or_else(|| missing(what));
    let mut weights = Vec::new();
    for (name, view) in file.iter().filter(|(name, _)| !MORE.contains(name)) {
        weights.push((name.to_string(), view.shape().to_vec(), floats(name)?));
    }
    weights.sort_by(|a, b| a.0.cmp(&b.0));
    let mut epochs = Vec::new();
    for (i, e) in about["epochs"].as_array().ok_or_else(|| missing("epochs"))?.iter().enumerate() {
        let part = |at: usize| float(&e[1][at], "epochs");
        epochs.push(Epoch {
            // Earlier versions evaluated after every epoch.
            epoch: e[3].as_u64().map_or(i + 1, |epoch| epoch as usize),
            train_loss: part(0)?,
            test_loss: part(1).ok(),
            validation_loss: part(2).ok(),
            seconds: part(3)?,
            steps: number(&e[0], "steps")?,
            learning_rate: part(4)?,
            losses: named(&e[2]).ok_or_else(|| missing("losses"))?,
            step_losses: Vec::new(),
        });
    }
    let best = match &about["best"] {
        Value::Null => None,
        best => Some(Best { epoch: number(&best[0], "best epoch")?, loss: float(&best[1], "best loss")?, weights: floats(MORE[3])? }),
    };
    Ok(Checkpoint {
        format,
        recipe: about["recipe"].as_object().cloned().ok_or_else(|| missing("recipe"))?,
        weights,
        m: floats(MORE[0])?,
        v: floats(MORE[1])?,
        losses: floats(MORE[2])?,
        clock: [number(&about["clock"][0], "clock")? as u32, number(&about["clock"][1], "clock")? as u32],
        progress: Progress {
            epochs,
            step: number(&about["step"], "step")?,
            seconds: float(&about["seconds"], "time")?,
            best,
            waited: number(&about["waited"], "patience")?,
        },
    })
}

impl Training<'_> {
    /// Continues the training from its last checkpoint, or writes the first one.
    pub(super) fn begin(&mut self) -> Result<()> {
        let Some(folder) = &self.fit.checkpoints else {
            return match self.fit.resume {
                true => Err(Error::argument("resume", "there is no folder of checkpoints", "Name it with `Fit::checkpoints`.")),
                false => Ok(()),
            };
        };
        if self.fit.resume {
            let (path, checkpoint) = Checkpoint::newest(folder)?;
            files::sweep(folder);
            return self.restore(&path, checkpoint);
        }
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, "making the folder of checkpoints", e))?;
        if folder.join(LAST).exists() {
            return Err(Error::argument(
                "checkpoints",
                format!("{} already holds the checkpoints of a training", folder.display()),
                "Resume that training, or name another folder.",
            ));
        }
        files::sweep(folder);
        self.save(false)
    }

    /// Writes a checkpoint, unless the training has diverged, and the best one if it is `better` than all before.
    pub(super) fn save(&self, better: bool) -> Result<()> {
        let Some(folder) = &self.fit.checkpoints else { return Ok(()) };
        // The last checkpoint remains a good one.
        self.finite()?;
        let checkpoint = self.checkpoint()?;
        if better {
            checkpoint.write(&folder.join(BEST))?;
        }
        keep(folder)?;
        checkpoint.write(&folder.join(LAST))
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        let params = self.task.params;
        let weight = |name: &str| Ok((name.to_string(), params.shape(name)?.to_vec(), params.read(name)?));
        let mut weights = params.names().map(weight).collect::<Result<Vec<Named>>>()?;
        for name in params.state_names() {
            let state = params.state(name)?;
            weights.push((name.to_string(), state.shape().to_vec(), state.read()?));
        }
        weights.sort_by(|a, b| a.0.cmp(&b.0));
        let (m, v) = self.moments();
        let clock = self.step().clock();
        Ok(Checkpoint {
            format: FORMAT,
            recipe: self.recipe(),
            weights,
            m: m.read()?,
            v: v.read()?,
            losses: self.step().ring()?.read()?,
            clock: [clock.cursor()?, clock.step()?],
            progress: self.progress.clone(),
        })
    }

    fn moments(&self) -> (&Tensor, &Tensor) {
        self.step().adam().expect("steps of training have an optimiser").moments()
    }

    fn restore(&mut self, path: &Path, checkpoint: Checkpoint) -> Result<()> {
        let other = |problem: String| Error::data(path, problem, "Resume with the data and settings that the training began with.");
        let [theirs, ours] = match checkpoint.format {
            1 => {
                let of_its_kind = "it is of another training: its model is an untied relu network with a linear code and no dropout, and the \
                                   one that is to be trained (by config.toml or by the program) is not";
                [checkpoint.recipe.clone(), self.first_recipe().ok_or_else(|| other(of_its_kind.into()))?]
            }
            _ => [checkpoint.recipe.clone(), self.recipe()],
        };
        if let Some(what) = difference(&theirs, &ours) {
            if checkpoint.format == 1 && matches!(self.task.model, Model::Spec(spec) if spec.scaler.is_some()) {
                let problem = "it can't go on: its rows were scaled in 32 bits, and are now scaled in 64";
                return Err(Error::data(path, problem, "Use its model as it is, or begin another training."));
            }
            return Err(other(format!("it is of another training: its {what}")));
        }
        let fresh = self.checkpoint()?;
        let shapes = |c: &Checkpoint| c.weights.iter().map(|(name, shape, _)| (name.clone(), shape.clone())).collect::<Vec<_>>();
        let Progress { step, best, .. } = &checkpoint.progress;
        let params = self.task.params;
        let fits = shapes(&checkpoint) == shapes(&fresh)
            && [checkpoint.m.len(), checkpoint.v.len(), checkpoint.losses.len()] == [fresh.m.len(), fresh.v.len(), fresh.losses.len()]
            && best.as_ref().is_none_or(|b| params.snapshot().is_ok_and(|all| b.weights.len() == all.len()))
            && *step <= self.fit.hyper.evaluate_every * self.steps()
            && checkpoint.epochs() * self.steps() + step == checkpoint.clock[1] as usize
            && (checkpoint.clock[0] as usize) < self.rows;
        if !fits {
            return Err(other("its tensors and counters are not those of this network".into()));
        }
        for (name, _, values) in &checkpoint.weights {
            if params.names().any(|known| known == name) {
                params.write(name, values)?;
            } else {
                params.state(name)?.write(values)?;
            }
        }
        let (m, v) = self.moments();
        tensor::write(&m.view, &checkpoint.m)?;
        tensor::write(&v.view, &checkpoint.v)?;
        self.step().ring()?.write(&checkpoint.losses)?;
        self.step().clock().set(checkpoint.clock[0], checkpoint.clock[1])?;
        self.progress = checkpoint.progress;
        Ok(())
    }
}

/// Keeps the last checkpoint as the previous one. There is always a last checkpoint.
fn keep(folder: &Path) -> Result<()> {
    let (last, previous, part) = (folder.join(LAST), folder.join(PREVIOUS), folder.join(".narrows-previous.part"));
    if !last.exists() {
        return Ok(());
    }
    let _ = fs::remove_file(&part);
    let copied = fs::hard_link(&last, &part).or_else(|_| fs::copy(&last, &part).map(drop));
    let kept = copied.and_then(|()| fs::rename(&part, &previous));
    // It is still there if renaming failed, and also if both names were of one file already: then renaming does
    // nothing.
    let _ = fs::remove_file(&part);
    kept.map_err(|e| Error::io(&previous, "keeping the last checkpoint", e))
}
