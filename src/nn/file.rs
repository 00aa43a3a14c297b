//! Model files: safetensors under PyTorch's names, with our own metadata beside the tensors.

use super::autoencoder::{Autoencoder, Builder, Output};
use crate::data::Scaler;
use crate::{Device, Error, Result, files};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use std::collections::HashMap;
use std::path::Path;

/// The one metadata entry of ours: a JSON text.
const KEY: &str = "narrows";
/// Counts up when the metadata change their meaning.
const FORMAT: u64 = 1;
/// A tensor that every checkpoint has and no model.
const CHECKPOINT: &str = "narrows.m";
/// More layers than this are a file's lie.
const MOST_WIDTHS: usize = 1000;

impl Autoencoder {
    /// Saves the weights, and what is needed to build the network again, into one safetensors file. The file is replaced whole or not at all.
    /// PyTorch loads it with `load_state_dict(safetensors.torch.load_file(path))`.
    ///
    /// # Errors
    /// When the folder can't be written, the disk is full, or the device fails.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if !self.params().are_finite()? {
            return Err(Error::data(
                path,
                "some weights are infinite or NaN, so nothing was written",
                "Train again with a lower learning rate.",
            ));
        }
        let layout = self.layout();
        let values = layout.iter().map(|(name, _)| self.params().read(name)).collect::<Result<Vec<_>>>()?;
        let views = layout.iter().zip(&values).map(|((name, shape), values)| {
            TensorView::new(Dtype::F32, shape.clone(), bytemuck::cast_slice(values)).map(|view| (name.as_str(), view))
        });
        let mut about = serde_json::json!({
            "format": FORMAT, "widths": self.widths(), "hidden": "relu", "code": "linear", "output": output_name(self.output()),
        });
        if let Some(scaler) = self.scaler() {
            about["scaler"] = serde_json::json!({ "shift": scaler.shift(), "scale": scaler.scale() });
        }
        let bytes = views
            .collect::<std::result::Result<Vec<_>, _>>()
            .and_then(|views| serialize(views, Some(HashMap::from([(KEY.to_string(), about.to_string())]))))
            .map_err(|e| Error::data(path, format!("the tensors can't be written: {e}"), "Report this as a defect."))?;
        files::write_atomic(path, |file| file.write_all(&bytes))
    }

    /// Loads a network that [`Autoencoder::save`] wrote.
    ///
    /// # Errors
    /// When the file is absent, is no safetensors file, was not written by `save` (then see [`Builder::weights`]), or a tensor is missing, unexpected, of
    /// another shape or type, or holds a number that is not finite.
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<Autoencoder> {
        let path = path.as_ref();
        let bytes = read_file(path)?;
        let (widths, output, scaler) = about(path, &bytes)?;
        // The metadata may lie; the size of the file does not.
        let numbers: u128 = widths.windows(2).map(|w| 2 * w[0] as u128 * w[1] as u128).sum();
        if 4 * numbers > bytes.len() as u128 {
            return Err(not_ours(path, format!("widths of {widths:?} need {} bytes of weights but it has {}", 4 * numbers, bytes.len())));
        }
        let ae = Autoencoder::zeros(device, widths, output)?;
        ae.take_weights(path, &bytes)?;
        match scaler {
            Some(scaler) => ae.with_scaler(scaler).map_err(|e| not_ours(path, e.to_string())),
            None => Ok(ae),
        }
    }

    fn take_weights(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let bad = |problem: String| Error::data(path, problem, "Build the network with the widths that the file was written with.");
        let file = parse(path, bytes)?;
        let layout = self.layout();
        if let Some(name) = file.names().into_iter().find(|&name| layout.iter().all(|(known, _)| known != name)) {
            return Err(bad(format!("it holds a tensor `{name}` that this network has not")));
        }
        let mut all = Vec::new();
        for (name, shape) in &layout {
            let tensor = file.tensor(name).map_err(|_| bad(format!("the tensor `{name}` ({shape:?}) is missing")))?;
            if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
                return Err(bad(format!("`{name}` is {:?} of {:?} where F32 of {shape:?} is needed", tensor.shape(), tensor.dtype())));
            }
            let values: Vec<f32> = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                return Err(Error::data(
                    path,
                    format!("element {at} of `{name}` is {}", values[at]),
                    "Use the weights of a training that did not diverge.",
                ));
            }
            all.push(values);
        }
        // Nothing is written before everything has been checked.
        layout.iter().zip(&all).try_for_each(|((name, _), values)| self.params().write(name, values))
    }
}

impl Builder {
    /// Builds the network with the weights of a safetensors file that has PyTorch's names but none of our metadata.
    ///
    /// # Errors
    /// As [`Autoencoder::load`], except that no metadata are needed.
    pub fn weights(&self, device: &Device, path: impl AsRef<Path>) -> Result<Autoencoder> {
        let ae = self.blank(device)?;
        ae.take_weights(path.as_ref(), &read_file(path.as_ref())?)?;
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
            "Use the model.safetensors of that run; a training that was stopped writes it at its end: narrows train --resume.",
        ));
    }
    Ok(file)
}

fn not_ours(path: &Path, problem: String) -> Error {
    Error::data(path, problem, "Use a model.safetensors that narrows wrote.")
}

fn output_name(output: Output) -> &'static str {
    match output {
        Output::Sigmoid => "sigmoid",
        Output::Linear => "linear",
    }
}

/// The widths in our metadata, what follows the last layer, and the scaler if there is one.
fn about(path: &Path, bytes: &[u8]) -> Result<(Vec<usize>, Output, Option<Scaler>)> {
    parse(path, bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| not_ours(path, e.to_string()))?;
    let Some(about) = header.metadata().as_ref().and_then(|entries| entries.get(KEY)) else {
        return Err(Error::data(
            path,
            "it has no metadata of narrows",
            "Name its widths: `Autoencoder::builder(..).weights(device, file)`.",
        ));
    };
    let about: serde_json::Value = serde_json::from_str(about).map_err(|e| not_ours(path, format!("its metadata are no JSON ({e})")))?;
    let format = about["format"].as_u64();
    if format != Some(FORMAT) {
        return Err(Error::data(
            path,
            format!("its format is {format:?} where {FORMAT} is known"),
            "Use the version of narrows that wrote it, or a newer one.",
        ));
    }
    for (what, known) in [("hidden", "relu"), ("code", "linear")] {
        if about[what].as_str() != Some(known) {
            return Err(not_ours(path, format!("its {what} activation is {} where {known} is known", about[what])));
        }
    }
    let output = [Output::Sigmoid, Output::Linear].into_iter().find(|&o| about["output"].as_str() == Some(output_name(o)));
    let output = output.ok_or_else(|| not_ours(path, format!("its output is {} where sigmoid and linear are known", about["output"])))?;
    let widths: Option<Vec<usize>> = about["widths"].as_array().map(|w| w.iter().map(|w| w.as_u64().unwrap_or(0) as usize).collect());
    match widths {
        Some(widths) if (2..=MOST_WIDTHS).contains(&widths.len()) && widths.iter().all(|w| (1..=1 << 24).contains(w)) => {
            Ok((widths, output, scaler(path, &about["scaler"])?))
        }
        _ => Err(not_ours(path, format!("its widths are {}", about["widths"]))),
    }
}

fn scaler(path: &Path, about: &serde_json::Value) -> Result<Option<Scaler>> {
    if about.is_null() {
        return Ok(None);
    }
    let numbers = |key: &str| -> Result<Vec<f32>> {
        let numbers: Option<Vec<f32>> = about[key].as_array().and_then(|list| list.iter().map(|n| n.as_f64().map(|n| n as f32)).collect());
        numbers.ok_or_else(|| not_ours(path, format!("the {key} of its scaler is no list of numbers")))
    };
    Scaler::new(numbers("shift")?, numbers("scale")?).map(Some).map_err(|e| not_ours(path, e.to_string()))
}
