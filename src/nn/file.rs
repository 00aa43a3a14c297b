//! Model files: safetensors under PyTorch's names, with our own metadata beside the tensors.

use super::bottleneck::{HEADS, IDLE};
use super::{Autoencoder, Builder, Quantiles, Spec};
use crate::data::Scaler;
use crate::params::Layout;
use crate::{Device, Error, Result, files};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Our only metadata entry: a JSON text.
const KEY: &str = "narrows";
/// Increases when the meaning of the metadata changes; the next one is that of several networks in one file.
const FORMAT: u64 = 2;
const ENSEMBLE: u64 = 3;
/// A tensor that every checkpoint has and no model has.
const CHECKPOINT: &str = "narrows.m";

/// Writes a model: the weights as in an untied PyTorch network, and the model as data.
pub(super) fn save(ae: &Autoencoder, path: &Path) -> Result<()> {
    write(path, &[(String::new(), ae)], serde_json::json!({ "format": FORMAT, "spec": ae.spec() }))
}

/// Writes networks of one shape, each with its number before the names of its tensors, and what is known of their
/// scores.
pub(super) fn save_all(members: &[Autoencoder], scores: Option<&Quantiles>, path: &Path) -> Result<()> {
    let first = members.first().map(|ae| ae.spec().clone().untrained());
    let known: Vec<_> = members.iter().map(Autoencoder::quantiles).collect();
    let about = serde_json::json!({ "format": ENSEMBLE, "spec": first, "members": known, "scores": scores });
    let members: Vec<_> = members.iter().enumerate().map(|(at, ae)| (prefix(at), ae)).collect();
    write(path, &members, about)
}

/// What stands before the names of a member's tensors.
fn prefix(member: usize) -> String {
    format!("{member}.")
}

/// Writes the tensors of networks, with a text before the names of each.
fn write(path: &Path, networks: &[(String, &Autoencoder)], about: Value) -> Result<()> {
    for (_, ae) in networks {
        if let Some(what) = ae.params().not_finite()? {
            let problem = format!("some of {what} are infinite or NaN, so nothing was written");
            return Err(Error::data(path, problem, "Train again with a lower learning rate."));
        }
    }
    let failed = |e: &dyn std::fmt::Display| Error::data(path, format!("the tensors can't be written: {e}"), "Report this as a defect.");
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = Vec::new();
    for (prefix, ae) in networks {
        for (name, shape) in whole_layout(ae.spec()) {
            let values = value(ae, &name, &shape)?;
            tensors.push((prefix.clone() + &name, shape, values));
        }
    }
    let views = tensors.iter().map(|(name, shape, values)| {
        TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map(|view| (name.as_str(), view))
    });
    let bytes = views
        .collect::<std::result::Result<Vec<_>, _>>()
        .and_then(|views| serialize(views, Some(HashMap::from([(KEY.to_string(), about.to_string())]))))
        .map_err(|e| failed(&e))?;
    files::write_atomic(path, |file| file.write_all(&bytes))
}

/// Reads a model that [`save`] wrote, in this format or the first one; of several networks the first.
pub(super) fn load(device: &Device, path: &Path) -> Result<Autoencoder> {
    let bytes = read_file(path)?;
    first(device, path, &bytes, ours(path, &bytes)?)
}

/// Reads the same, and all networks with what is known of their scores together where [`save_all`] wrote it.
#[allow(clippy::type_complexity)]
pub(super) fn load_all(device: &Device, path: &Path) -> Result<(Autoencoder, Option<(Vec<Autoencoder>, Option<Quantiles>)>)> {
    let bytes = read_file(path)?;
    let about = ours(path, &bytes)?;
    let Some(members) = about.members else { return Ok((first(device, path, &bytes, about)?, None)) };
    let each = members.into_iter().enumerate().map(|(at, quantiles)| {
        let spec = Spec { quantiles: Some(quantiles), ..about.spec.clone() };
        network(device, path, &bytes, spec, &prefix(at))
    });
    let members: Vec<Autoencoder> = each.collect::<Result<_>>()?;
    Ok((members[0].clone(), Some((members, about.scores))))
}

/// Our metadata, without which a file is not read.
fn ours(path: &Path, bytes: &[u8]) -> Result<About> {
    about(path, bytes)?.ok_or_else(|| {
        let widths = parse(path, bytes).ok().and_then(|file| widths(&file)).unwrap_or_else(|| "N,N,..".into());
        let remedy = format!("Name its widths: --layers {widths}, or `Autoencoder::builder(..).weights(device, file)`.");
        Error::data(path, "it has no metadata of narrows", remedy)
    })
}

/// The network of a file, or the first of several.
fn first(device: &Device, path: &Path, bytes: &[u8], About { spec, members, .. }: About) -> Result<Autoencoder> {
    match members.and_then(|members| members.into_iter().next()) {
        Some(quantiles) => network(device, path, bytes, Spec { quantiles: Some(quantiles), ..spec }, &prefix(0)),
        None => network(device, path, bytes, spec, ""),
    }
}

/// A network with the weights whose names have a text before them.
fn network(device: &Device, path: &Path, bytes: &[u8], spec: Spec, prefix: &str) -> Result<Autoencoder> {
    // The metadata may be wrong; the size of the file is not.
    let pairs = |widths: Vec<usize>| widths.windows(2).map(|w| w[0] as u128 * w[1] as u128).sum::<u128>();
    let numbers = pairs(spec.widths()) + pairs(spec.decoder.widths());
    if 4 * numbers > bytes.len() as u128 {
        let widths = spec.widths();
        return Err(not_ours(path, format!("widths of {widths:?} need {} bytes of weights but it has {}", 4 * numbers, bytes.len())));
    }
    let ae = Autoencoder::blank(spec, device).map_err(|e| not_ours(path, reason(e)))?;
    take_weights(&ae, path, bytes, prefix)?;
    Ok(ae)
}

/// Names and shapes of a model file's tensors, including a tied decoder's weights and what is kept but not trained.
/// What counts in training alone is in checkpoints: a file has no tensor that PyTorch's layers do not have without
/// need.
fn whole_layout(spec: &Spec) -> Layout {
    let mut all = Spec { tied: false, ..spec.clone() }.layout();
    all.extend(spec.state().into_iter().filter(|(name, _)| name != IDLE));
    all
}

/// A tensor of the file: a parameter, the transpose of the parameter that it is tied to, or state.
fn value(ae: &Autoencoder, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    if ae.params().state_names().any(|state| state == name) {
        return ae.params().state(name)?.read();
    }
    match tied_to(ae.spec(), name) {
        Some(own) => Ok(transposed(&ae.params().read(&own)?, shape[1])),
        None => ae.params().read(name),
    }
}

/// The encoder's weight that a decoder's weight is tied to.
fn tied_to(spec: &Spec, name: &str) -> Option<String> {
    let at = name.strip_prefix("decoder.")?.strip_suffix(".weight")?;
    spec.tied.then(|| at.parse().ok().map(|at| spec.tied_to(at)))?
}

/// The transpose of a matrix of this many rows.
fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows.max(1);
    (0..columns).flat_map(|column| (0..rows).map(move |row| values[row * columns + column])).collect()
}

/// Rejects a file with other tensors than the network's, before anything is allocated for them.
fn check_tensors(path: &Path, file: &SafeTensors, layout: &Layout, prefix: &str) -> Result<()> {
    let bad = |problem: String| Error::data(path, problem, "Build the network with the widths that the file was written with.");
    let own = file.names().into_iter().filter_map(|name| name.strip_prefix(prefix));
    if let Some(name) = own.into_iter().find(|&name| layout.iter().all(|(known, _)| known != name)) {
        return Err(bad(format!("it holds a tensor `{name}` that this network does not have")));
    }
    for (name, shape) in layout {
        let tensor =
            file.tensor(&format!("{prefix}{name}")).map_err(|_| bad(format!("the tensor `{prefix}{name}` ({shape:?}) is missing")))?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            return Err(bad(format!("`{name}` is {:?} of {:?} where F32 of {shape:?} is needed", tensor.shape(), tensor.dtype())));
        }
    }
    Ok(())
}

fn take_weights(ae: &Autoencoder, path: &Path, bytes: &[u8], prefix: &str) -> Result<()> {
    let file = parse(path, bytes)?;
    let layout = whole_layout(ae.spec());
    check_tensors(path, &file, &layout, prefix)?;
    let mut all: Layers = Vec::new();
    for (name, shape) in &layout {
        let tensor = file.tensor(&format!("{prefix}{name}")).map_err(|e| not_ours(path, e.to_string()))?;
        let values: Vec<f32> = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let problem = format!("element {at} of `{name}` is {}", values[at]);
            return Err(Error::data(path, problem, "Use the weights of a training that did not diverge."));
        }
        let Some(own) = tied_to(ae.spec(), name) else {
            all.push((name, values));
            continue;
        };
        // The encoder's weights come before the decoder's.
        let encoder = all.iter().find(|(name, _)| **name == own).map(|(_, values)| transposed(values, shape[1]));
        if encoder.is_none_or(|encoder| encoder != values) {
            let problem = format!("`{name}` is not the transpose of `{own}`, and the network is tied");
            return Err(Error::data(path, problem, "Use the file of a tied network, or build one that is not tied."));
        }
    }
    // Nothing is written before everything has been checked.
    all.iter().try_for_each(|(name, values)| match ae.params().state(name) {
        Ok(state) => state.write(values),
        Err(_) => ae.params().write(name, values),
    })
}

/// Names and values.
type Layers<'a> = Vec<(&'a String, Vec<f32>)>;

impl Builder {
    /// Builds the network with the weights of a safetensors file that has PyTorch's names but none of our metadata.
    ///
    /// # Errors
    /// As [`Autoencoder::load`], except that no metadata is needed.
    pub fn weights(&self, device: &Device, path: impl AsRef<Path>) -> Result<Autoencoder> {
        let (path, spec) = (path.as_ref(), self.spec()?);
        let bytes = read_file(path)?;
        check_tensors(path, &parse(path, &bytes)?, &whole_layout(&spec), "")?;
        let ae = Autoencoder::blank(spec, device)?;
        take_weights(&ae, path, &bytes, "")?;
        Ok(ae)
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    files::read(path, "reading the model")
}

fn parse<'a>(path: &Path, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| not_ours(path, format!("it is not a whole safetensors file ({e}, {} bytes)", bytes.len())))?;
    if file.tensor(CHECKPOINT).is_ok() {
        return Err(Error::data(
            path,
            "it is a checkpoint of a training, not a model",
            "Use the model.safetensors of that run; one that was killed has it when it ends: narrows train --resume.",
        ));
    }
    Ok(file)
}

fn not_ours(path: &Path, problem: String) -> Error {
    Error::data(path, problem, "Use a model.safetensors that narrows wrote.")
}

/// What is wrong with a model, without the way out: that is not to build it otherwise, since it comes from a file.
fn reason(error: Error) -> String {
    match error {
        Error::Argument { name, problem, .. } => format!("{name}: {problem}"),
        Error::Device { device, problem, .. } => format!("{device}: {problem}"),
        other => said(other),
    }
}

/// A text without its full stop, to go on after it.
fn said(error: impl std::fmt::Display) -> String {
    error.to_string().trim_end_matches('.').to_string()
}

impl Spec {
    /// The model that a model file describes; none where it holds no more than tensors, as PyTorch writes it.
    ///
    /// # Errors
    /// When the file is absent, is not a safetensors file, or describes no model that can be built.
    pub fn read(path: impl AsRef<Path>) -> Result<Option<Spec>> {
        Ok(about(path.as_ref(), &read_file(path.as_ref())?)?.map(|about| about.spec))
    }
}

/// The widths from a row to the code, by the shapes of the encoder's weights.
fn widths(file: &SafeTensors) -> Option<String> {
    let place = |name: &str| name.strip_prefix("encoder.")?.strip_suffix(".weight")?.parse().ok();
    let all: BTreeMap<usize, Vec<usize>> = file.iter().filter_map(|(name, view)| Some((place(name)?, view.shape().to_vec()))).collect();
    // The first tensor's inputs, and everybody's outputs; a variational code is as wide as its mean.
    let mu = file.tensor(&format!("{}.weight", HEADS[0])).ok().map(|mu| mu.shape().to_vec());
    let shapes: Vec<&Vec<usize>> = all.values().chain(&mu).collect();
    let inputs = shapes.first()?.get(1)?;
    let outputs = shapes.iter().map(|shape| shape.first());
    let widths: Option<Vec<String>> = std::iter::once(Some(inputs)).chain(outputs).map(|width| Some(width?.to_string())).collect();
    Some(widths?.join(",") + if mu.is_some() { " --variational" } else { "" })
}

/// What our metadata describe.
struct About {
    spec: Spec,
    /// Of several networks in one file: what each knows of its scores.
    members: Option<Vec<Quantiles>>,
    /// What is known of their scores together.
    scores: Option<Quantiles>,
}

/// What our metadata describe, if there are any.
fn about(path: &Path, bytes: &[u8]) -> Result<Option<About>> {
    parse(path, bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| not_ours(path, e.to_string()))?;
    let Some(about) = header.metadata().as_ref().and_then(|entries| entries.get(KEY)) else {
        return Ok(None);
    };
    let about: Value = serde_json::from_str(about).map_err(|e| not_ours(path, format!("its metadata is not JSON ({e})")))?;
    let unreadable = |e: serde_json::Error| not_ours(path, format!("its model can't be read ({})", said(e)));
    let spec = match about["format"].as_u64() {
        Some(1) => first_format(path, &about)?,
        Some(FORMAT | ENSEMBLE) => Spec::deserialize(&about["spec"]).map_err(unreadable)?,
        _ => {
            let problem = format!("its format is {}; this version knows 1 to {ENSEMBLE}", about["format"]);
            return Err(Error::data(path, problem, "Use the version of narrows that wrote it, or a newer one."));
        }
    };
    spec.check().map_err(|e| not_ours(path, reason(e)))?;
    let [members, scores] = match about["format"].as_u64() {
        Some(ENSEMBLE) => [&about["members"], &about["scores"]],
        _ => [&Value::Null; 2],
    };
    let members = Option::<Vec<Quantiles>>::deserialize(members).map_err(unreadable)?;
    if members.as_ref().is_some_and(Vec::is_empty) {
        return Err(not_ours(path, "it has no members".into()));
    }
    Ok(Some(About { spec, members, scores: Option::deserialize(scores).map_err(unreadable)? }))
}

/// The first format knew one kind of model: its widths, relu between them, and a linear code.
fn first_format(path: &Path, about: &Value) -> Result<Spec> {
    for (what, known) in [("hidden", "relu"), ("code", "linear")] {
        if about[what].as_str() != Some(known) {
            return Err(not_ours(path, format!("its {what} activation is {} where {known} is known", about[what])));
        }
    }
    let output = about["output"].as_str().and_then(|output| output.parse().ok());
    let output = output.ok_or_else(|| not_ours(path, format!("its output is {} where sigmoid and linear are known", about["output"])))?;
    let widths: Option<Vec<usize>> = about["widths"].as_array().map(|w| w.iter().map(|w| w.as_u64().unwrap_or(0) as usize).collect());
    let wrong = || not_ours(path, format!("its widths are {}", about["widths"]));
    let widths = widths.filter(|w| w.len() >= 2).ok_or_else(wrong)?;
    let mut spec = Builder::default().inputs(widths[0]).layers(&widths[1..]).output(output).spec().map_err(|_| wrong())?;
    if !about["scaler"].is_null() {
        let scaler =
            Scaler::deserialize(&about["scaler"]).map_err(|e| not_ours(path, format!("its scaler can't be read ({})", said(e))))?;
        spec.scaler = Some(scaler);
    }
    Ok(spec)
}
