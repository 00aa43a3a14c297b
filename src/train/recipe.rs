//! What a training depends on: a checkpoint keeps it, and a resumed training must have the same.

use super::checkpoint::text;
use super::fit::Fit;
use super::seal::digits;
use super::training::{Model, Training};
use crate::Schedule;
use crate::data::{Dataset, Scaler};
use crate::nn::{Builder, Layer, Spec};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

impl Training<'_> {
    /// What must be the same for a resumed training to reach the same bits: the model, the numbers of the training, and
    /// the rows.
    pub(super) fn recipe(&self) -> Map<String, Value> {
        let fit = self.fit;
        let mut hyper = json!(fit.hyper);
        // Where the rate depends on how long the training is, the number of epochs can't change. What ends it may.
        let free: &[&str] = match fit.hyper.schedule {
            Schedule::Cosine { .. } => &["patience", "min_delta"],
            _ => &["patience", "min_delta", "epochs"],
        };
        free.iter().for_each(|name| drop(hyper.as_object_mut().and_then(|all| all.remove(*name))));
        // The fingerprint of the data is that of scaled rows. The validation rows are scaled later, by the scaler's
        // bits.
        let (model, scaler) = match self.task.model {
            Model::Spec(spec) => (json!(spec.network()), spec.scaler.as_ref()),
            Model::Named(name) => (json!({ "name": name }), None),
        };
        let bits = |scaler: &Scaler| digits(&[bytemuck::cast_slice(scaler.shift()), bytemuck::cast_slice(scaler.scale())]);
        let recipe = json!({
            "model": model,
            "scaler": scaler.map(bits),
            "fit": hyper,
            "losses": self.step().names(),
            "data": self.fingerprints.data,
            "validation data": self.fingerprints.validation,
            "first order": fit.first_order.as_ref().map(|order| digits(&[bytemuck::cast_slice(order)])),
        });
        recipe.as_object().cloned().unwrap_or_default()
    }

    /// The recipe in the first format; `None` for a model that it did not support.
    pub(super) fn first_recipe(&self) -> Option<Map<String, Value>> {
        let (fit, hyper) = (self.fit, &self.fit.hyper);
        let Model::Spec(spec) = self.task.model else { return None };
        let widths = spec.widths();
        let known = Builder::default().inputs(widths[0]).layers(&widths[1..]).output(spec.output).spec().ok()?;
        if spec.network() != known {
            return None;
        }
        let epochs = matches!(hyper.schedule, Schedule::Cosine { .. }).then_some(hyper.epochs);
        let recipe = json!({
            "widths": widths,
            "output": format!("{:?}", spec.output),
            "data": self.fingerprints.data,
            "validation data": fit.validation.as_ref().map(|rows| rows.as_floats().fingerprint()),
            "batch size": hyper.batch_size,
            "learning rate": text(hyper.lr),
            "betas and eps": [text(hyper.beta1), text(hyper.beta2), text(hyper.eps)],
            "weight decay": text(hyper.weight_decay),
            "schedule": format!("{:?}", hyper.schedule),
            "warm-up": hyper.warmup,
            "epochs": epochs,
            "loss": format!("{:?}", hyper.loss),
            "clip norm": hyper.clip.map(|x| text(x.into())),
            "seed": hyper.seed,
            "first order": fit.first_order.as_ref().map(|order| digits(&[bytemuck::cast_slice(order)])),
        });
        recipe.as_object().cloned()
    }
}

/// The first difference between two recipes, in words.
pub(super) fn difference(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Option<String> {
    let both: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    both.into_iter().find_map(|what| {
        let [theirs, ours] = [theirs, ours].map(|all| all.get(what).unwrap_or(&Value::Null));
        match (theirs, ours) {
            _ if theirs == ours => None,
            (Value::Object(theirs), Value::Object(ours)) => of_models(theirs, ours).or_else(|| difference(theirs, ours)),
            _ => Some(is_not(&what.replace('_', " "), theirs, ours)),
        }
    })
}

/// The first difference between two models, by the settings that they were built with.
fn of_models(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Option<String> {
    let spec = |model: &Map<String, Value>| Spec::deserialize(Value::Object(model.clone())).ok();
    let (theirs, ours) = (spec(theirs)?, spec(ours)?);
    let settings = |spec: &Spec| {
        let (down, up) = (spec.widths(), spec.decoder.widths());
        let all = || spec.encoder.layers.iter().chain(&spec.decoder.layers);
        let dropout: BTreeSet<String> = all().filter(|l| matches!(l, Layer::Dropout(_))).map(|l| l.to_string()[8..].to_string()).collect();
        let acts: BTreeSet<String> = all().filter(|l| matches!(l, Layer::Act(_))).map(Layer::to_string).collect();
        let one = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(" and ");
        [("widths", json!(down)), ("decoder's widths", json!(up)), ("activation", json!(one(acts))), ("dropout", json!(one(dropout)))]
    };
    settings(&theirs)
        .into_iter()
        .zip(settings(&ours))
        .find(|(theirs, ours)| theirs != ours)
        .map(|((what, theirs), (_, ours))| is_not(what, &theirs, &ours))
}

fn is_not(what: &str, theirs: &Value, ours: &Value) -> String {
    let is = if what.ends_with('s') && theirs.is_array() { "are" } else { "is" };
    let plain = |value: &Value| match value {
        Value::Null => "none".to_string(),
        Value::String(text) if text.is_empty() => "none".to_string(),
        value => value.to_string(),
    };
    format!("{what} {is} {}, not {}", plain(theirs), plain(ours))
}

/// The fingerprints of the data in checkpoints, if there are checkpoints.
#[derive(Default)]
pub(super) struct Fingerprints {
    data: Option<String>,
    validation: Option<String>,
}

impl Fingerprints {
    /// Reads all the data, and runs `f` meanwhile.
    pub(super) fn take<R>(data: &Dataset, fit: &Fit, f: impl FnOnce() -> R) -> (Fingerprints, R) {
        if fit.checkpoints.is_none() {
            return (Fingerprints::default(), f());
        }
        let fingerprints =
            || Fingerprints { data: Some(data.fingerprint()), validation: fit.validation.as_ref().map(Dataset::fingerprint) };
        std::thread::scope(|scope| match std::thread::Builder::new().spawn_scoped(scope, fingerprints) {
            Ok(thread) => {
                let done = f();
                (thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), done)
            }
            // No more threads can be started.
            Err(_) => (fingerprints(), f()),
        })
    }
}
