//! The autoencoder: a strait between two wide waters.

use crate::data::{Dataset, Scaler};
use crate::op::{Op, Stream};
use crate::rng::purpose;
use crate::{Clock, Device, Error, Loss, Params, Result, Tape, Val};
use std::sync::Arc;

/// An autoencoder of dense layers: relu after each but the code, which is linear, and the output, which is a [sigmoid](Output). Weights are `(out, in)` and
/// named as in PyTorch: `encoder.0.weight`, `encoder.0.bias`, `encoder.2.weight`, ..., `decoder.0.weight`, ...
///
/// ```
/// use narrows::{Autoencoder, Device, Fit, data};
/// let digits = data::open("builtin")?;
/// let few = digits.train.head(512);
/// let ae = Autoencoder::builder(784).hidden([128, 64]).code(32).build(&Device::cpu()?)?;
/// let history = ae.fit(&few, &Fit::default().epochs(2))?;
/// assert!(history.epochs[1].train_loss < history.epochs[0].train_loss);
/// let codes = ae.encode(&digits.test.head(10))?;
/// assert_eq!((codes.rows, codes.columns), (10, 32));
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Autoencoder {
    widths: Vec<usize>,
    output: Output,
    params: Params,
    scaler: Option<Arc<Scaler>>,
}

/// What follows the last layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// A sigmoid: for values in [0, 1].
    #[default]
    Sigmoid,
    /// Nothing: for values of any size.
    Linear,
}

/// Rows of floats on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// How many rows.
    pub rows: usize,
    /// How many numbers in each.
    pub columns: usize,
    /// All numbers, row by row.
    pub values: Vec<f32>,
}

/// The shape of an [`Autoencoder`], to be built on a device.
#[derive(Clone, Debug)]
pub struct Builder {
    inputs: usize,
    hidden: Vec<usize>,
    code: usize,
    output: Output,
    seed: u64,
}

impl Builder {
    /// The widths between the input and the code; the decoder has the same in reverse. Default 128, 64.
    pub fn hidden(mut self, widths: impl Into<Vec<usize>>) -> Builder {
        self.hidden = widths.into();
        self
    }

    /// The numbers in a code. Default 32.
    pub fn code(mut self, width: usize) -> Builder {
        self.code = width;
        self
    }

    /// What follows the last layer. Default: a sigmoid.
    pub fn output(mut self, output: Output) -> Builder {
        self.output = output;
        self
    }

    /// A linear autoencoder: no hidden layers and no sigmoid. Trained to the end, it is principal component analysis (Baldi and Hornik 1989).
    pub fn linear(self) -> Builder {
        self.hidden([]).output(Output::Linear)
    }

    /// The seed of the initial weights. Default 0.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.seed = seed;
        self
    }

    /// Builds it with PyTorch's initial distribution: weights and biases uniform in +-1/sqrt(inputs of the layer).
    ///
    /// # Errors
    /// When a width is 0, or the device has no memory for the parameters.
    pub fn build(&self, device: &Device) -> Result<Autoencoder> {
        let ae = self.blank(device)?;
        let clock = Clock::new(device)?;
        let mut tape = Tape::new(device);
        for (at, name) in ae.layout().iter().map(|(name, _)| name).enumerate() {
            let inputs = ae.params.shape(&name.replace("bias", "weight"))?[1];
            let bound = (1.0 / (inputs as f64).sqrt()) as f32;
            let y = ae.params.value(at).clone();
            let stream = Stream { seed: self.seed, purpose: purpose::INITIAL + at as u32 };
            tape.push_update(Op::Uniform { clock: clock.tensor.view.clone(), y, lo: -bound, range: 2.0 * bound, stream })?;
        }
        Ok(ae)
    }

    /// Builds it with zeros.
    pub(super) fn blank(&self, device: &Device) -> Result<Autoencoder> {
        let mut widths = vec![self.inputs];
        widths.extend(&self.hidden);
        widths.push(self.code);
        Autoencoder::zeros(device, widths, self.output)
    }
}

impl Autoencoder {
    /// Begins an autoencoder of rows with `inputs` numbers each.
    pub fn builder(inputs: usize) -> Builder {
        Builder { inputs, hidden: vec![128, 64], code: 32, output: Output::default(), seed: 0 }
    }

    /// One with those widths, from the input to the code, and all weights 0.
    pub(super) fn zeros(device: &Device, widths: Vec<usize>, output: Output) -> Result<Autoencoder> {
        if let Some(at) = widths.iter().position(|&w| w == 0) {
            return Err(Error::argument("widths", format!("layer {at} has width 0 (the widths are {widths:?})"), "Use at least 1."));
        }
        let params = Params::new(device, &layout(&widths))?;
        Ok(Autoencoder { widths, output, params, scaler: None })
    }

    /// The widths from the input to the code.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The numbers in a row of data.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// The numbers in a code.
    pub fn code_width(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// What follows the last layer.
    pub fn output(&self) -> Output {
        self.output
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The device that holds them.
    pub fn device(&self) -> &Device {
        self.params.device()
    }

    /// The same network, weights shared, for rows as they are outside: `fit`, `encode`, `score`, `evaluate` and `reconstruct` scale rows before the network
    /// sees them, `decode` and `reconstruct` take the scaling of what it gives back. Errors are those of scaled rows. What runs on a tape is not scaled.
    /// The scaler travels in the model file.
    ///
    /// # Errors
    /// When the scaler has another number of columns than the rows.
    pub fn with_scaler(mut self, scaler: Scaler) -> Result<Autoencoder> {
        if scaler.columns() != self.inputs() {
            return Err(Error::argument(
                "scaler",
                format!("it has {} columns but the network takes {}", scaler.columns(), self.inputs()),
                "Learn it on the rows that the network was built for.",
            ));
        }
        self.scaler = Some(Arc::new(scaler));
        Ok(self)
    }

    /// The scaling of rows, where there is one.
    pub fn scaler(&self) -> Option<&Scaler> {
        self.scaler.as_deref()
    }

    /// The rows as the network sees them: a scaled copy where there is a scaler.
    ///
    /// # Errors
    /// When the rows have another number of columns than the scaler.
    pub fn scaled(&self, data: &Dataset) -> Result<Dataset> {
        match &self.scaler {
            Some(scaler) => data.scaled_by(scaler),
            None => Ok(data.clone()),
        }
    }

    pub(super) fn layout(&self) -> Vec<(String, Vec<usize>)> {
        layout(&self.widths)
    }

    /// The layers of one half on a tape: relu after each but the last.
    fn half(&self, tape: &mut Tape, half: &str, mut h: Val) -> Result<Val> {
        let layers = self.widths.len() - 1;
        for layer in 0..layers {
            let w = tape.param(&self.params, &format!("{half}.{}.weight", 2 * layer))?;
            let b = tape.param(&self.params, &format!("{half}.{}.bias", 2 * layer))?;
            h = tape.dense(h, w, b)?;
            if layer + 1 < layers {
                h = tape.relu(h)?;
            }
        }
        Ok(h)
    }

    /// The codes of rows, on a tape: x [B, inputs] gives [B, code].
    ///
    /// # Errors
    /// When x has another number of columns.
    pub fn encode_on(&self, tape: &mut Tape, x: Val) -> Result<Val> {
        self.half(tape, "encoder", x)
    }

    /// The rows of codes, on a tape: [B, code] gives [B, inputs].
    ///
    /// # Errors
    /// When the codes have another number of columns.
    pub fn decode_on(&self, tape: &mut Tape, code: Val) -> Result<Val> {
        let z = self.decode_logits_on(tape, code)?;
        match self.output {
            Output::Sigmoid => tape.sigmoid(z),
            Output::Linear => Ok(z),
        }
    }

    /// What the sigmoid at the end of [`Autoencoder::decode_on`] is taken of: for [`Tape::bce_with_logits`].
    ///
    /// # Errors
    /// When the codes have another number of columns.
    pub fn decode_logits_on(&self, tape: &mut Tape, code: Val) -> Result<Val> {
        self.half(tape, "decoder", code)
    }

    /// A loss of reconstructing rows, on a tape: x [B, inputs] gives one number, the mean over all elements.
    ///
    /// # Errors
    /// When x has another number of columns, or no rows.
    pub fn loss_on(&self, tape: &mut Tape, x: Val, loss: Loss) -> Result<Val> {
        let code = self.encode_on(tape, x)?;
        match loss {
            Loss::Mse => {
                let y = self.decode_on(tape, code)?;
                tape.mse(y, x)
            }
            Loss::Bce => {
                let z = self.decode_logits_on(tape, code)?;
                tape.bce_with_logits(z, x)
            }
        }
    }

    /// The reconstructions of rows, on a tape: [B, inputs] gives [B, inputs].
    ///
    /// # Errors
    /// When x has another number of columns.
    pub fn forward(&self, tape: &mut Tape, x: Val) -> Result<Val> {
        let code = self.encode_on(tape, x)?;
        self.decode_on(tape, code)
    }
}

/// Names and shapes of the parameters, the encoder's first.
fn layout(widths: &[usize]) -> Vec<(String, Vec<usize>)> {
    let back: Vec<usize> = widths.iter().rev().copied().collect();
    let half = |half: &str, widths: &[usize]| {
        let pairs = widths.windows(2).enumerate();
        pairs
            .flat_map(|(i, pair)| {
                let name = |part: &str| format!("{half}.{}.{part}", 2 * i);
                [(name("weight"), vec![pair[1], pair[0]]), (name("bias"), vec![pair[1]])]
            })
            .collect::<Vec<_>>()
    };
    let mut all = half("encoder", widths);
    all.extend(half("decoder", &back));
    all
}
