//! The trained network that a verb uses.

use super::common::{Common, is_same};
use super::flags::named;
use super::settings::{Settings, run_of};
use super::widths::Widths;
use clap::Args;
use clap::builder::TypedValueParser;
use narrows::nn::{Activation, Builder, CodeActivation, Ensemble, Layer, Output, Spec};
use narrows::{Autoencoder, Error, Result};
use std::convert::Infallible;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct Model {
    /// A model.safetensors, or the folder of a run.
    #[arg(long = "model", value_name = "FILE|DIR")]
    path: PathBuf,
    /// For a file that says nothing but its tensors, as PyTorch writes it: the widths from a row to the code. The
    /// decoder has them in reverse.
    #[arg(long, value_name = "ROW,N,N,..")]
    layers: Option<Widths>,
    /// With --layers: what follows each hidden layer. [default: relu]
    #[arg(long, value_parser = named::<Activation>(Activation::NAMES), value_name = Activation::USAGE, requires = "layers")]
    activation: Option<Activation>,
    /// With --layers: what follows the encoder's last layer. [default: linear]
    #[arg(long, value_parser = named::<CodeActivation>(CodeActivation::NAMES), value_name = CodeActivation::USAGE, requires = "layers")]
    code: Option<CodeActivation>,
    /// With --layers: the code is drawn from a normal distribution, by the heads `encoder.mu` and `encoder.logvar`.
    #[arg(long, requires = "layers")]
    variational: bool,
    /// With --layers: the decoder's weights are the encoder's, transposed.
    #[arg(long, requires = "layers")]
    tied: bool,
    /// With --layers: what follows the last layer. [default: sigmoid]
    #[arg(long, value_parser = named::<Output>(Output::NAMES).map(Last::Output), value_name = Output::USAGE)]
    #[arg(requires_ifs = Output::NAMES.iter().map(|name| (*name, "layers")))]
    output: Option<Last>,
}

/// What `--output` means.
#[derive(Clone, Debug)]
pub(super) enum Last {
    /// What follows the last layer.
    Output(Output),
    /// A file to write, as the verbs that write rows once called it.
    File(PathBuf),
}

/// `--output` of the verbs that write rows.
pub(super) fn output_or_file(text: &str) -> std::result::Result<Last, Infallible> {
    Ok(text.parse().map_or_else(|_| Last::File(text.into()), Last::Output))
}

impl Model {
    /// The file, or the folder of a run.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file describes its network, so that no flag does.
    pub(super) fn says_itself(&self) -> bool {
        self.layers.is_none()
    }

    /// The file of the network.
    pub(super) fn file(&self) -> PathBuf {
        file(&self.path)
    }

    /// Whether a file that is to be written would take the place of the model.
    pub(super) fn is_at(&self, out: &Path) -> bool {
        is_same(out, &file(&self.path))
    }

    /// Opens the device and loads the network; of several the first, which a line says.
    pub(super) fn load(&self, common: &Common) -> Result<Autoencoder> {
        let (ae, ensemble) = self.load_all(common)?;
        self.say_first(ensemble.as_ref(), common);
        Ok(ae)
    }

    /// Says that a verb uses the first of several networks.
    pub(super) fn say_first(&self, ensemble: Option<&Ensemble>, common: &Common) {
        say_first(&self.path, ensemble, common);
    }

    /// Opens the device and loads the network, and all of them where the file holds several.
    pub(super) fn load_all(&self, common: &Common) -> Result<(Autoencoder, Option<Ensemble>)> {
        let Some(widths) = &self.layers else { return of_run(&self.path, common) };
        let (builder, path) = (self.builder(widths)?, file(&self.path));
        let Some(theirs) = Spec::read(&path)? else { return Ok((builder.weights(&common.open()?, path)?, None)) };
        if theirs.network() == builder.spec()?.network() {
            return of_run(&self.path, common);
        }
        Err(Error::Argument {
            name: "--layers".into(),
            problem: format!("{} describes its network itself, which is {}", path.display(), flags(&theirs)),
            remedy: "Leave the flag out, and those that go with it.".into(),
        })
    }

    fn builder(&self, widths: &Widths) -> Result<Builder> {
        let Some((inputs, layers)) = widths.of_file() else {
            let problem = "it names one width".into();
            let remedy = "Name those from the numbers in a row to those in a code, such as 784,128,64,32.".into();
            return Err(Error::Argument { name: "--layers".into(), problem, remedy });
        };
        let builder = Autoencoder::builder(inputs)
            .layers(layers)
            .activation(self.activation.unwrap_or_default())
            .code_activation(self.code.unwrap_or_default());
        let builder = if self.tied { builder.tied() } else { builder };
        let builder = if self.variational { builder.variational() } else { builder };
        Ok(match self.output {
            Some(Last::Output(output)) => builder.output(output),
            _ => builder,
        })
    }

    /// The file that `--output` names.
    pub(super) fn output_file(&self) -> Option<&Path> {
        match &self.output {
            Some(Last::File(path)) => Some(path),
            _ => None,
        }
    }
}

/// The flags that describe a network.
fn flags(spec: &Spec) -> String {
    let widths = spec.widths().iter().map(usize::to_string).collect::<Vec<_>>().join(",");
    let activation = spec.encoder.layers.iter().find_map(|layer| match layer {
        Layer::Act(activation) => Some(format!(" --activation {activation}")),
        _ => None,
    });
    let tied = if spec.tied { " --tied" } else { "" };
    let variational = if spec.variational { " --variational" } else { "" };
    format!("--layers {widths}{} --code {}{variational}{tied} --output {}", activation.unwrap_or_default(), spec.code, spec.output)
}

/// The network of a run, or of a file of narrows, and all of several; a line says when its training did not come to its
/// end.
pub(super) fn of_run(path: &Path, common: &Common) -> Result<(Autoencoder, Option<Ensemble>)> {
    let model = file(path);
    if let (Ok(false), Some(folder)) = (model.try_exists(), run_of(path).filter(|_| path.is_dir())) {
        return Err(Error::Data {
            path: model,
            problem: "this run has no model yet: its training was killed, or goes on".into(),
            remedy: format!("Let it come to its end: narrows train --resume {}.", folder.display()),
        });
    }
    let loaded = Ensemble::load(&common.open()?, model)?;
    let settings = run_of(path).map(Settings::read).transpose()?;
    if let Some(Settings { run, fit, .. }) = settings
        && let Some(epochs) = run.stopped
    {
        common.say(format_args!("{}: a signal stopped this training; the model is of epoch {epochs} of {}", path.display(), fit.epochs));
    }
    Ok(loaded)
}

/// Says that the first of several networks is used.
pub(super) fn say_first(path: &Path, ensemble: Option<&Ensemble>, common: &Common) {
    if let Some(ensemble) = ensemble {
        common.say(format_args!("{} holds {} networks; this is of the first", path.display(), ensemble.members().len()));
    }
}

/// The model that a path means: the file itself, or the one in the folder of a run.
fn file(path: &Path) -> PathBuf {
    if path.is_dir() { path.join("model.safetensors") } else { path.to_path_buf() }
}
