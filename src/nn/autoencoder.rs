//! The autoencoder: a strait between two wide waters.

use super::causes::{self, Explained};
use super::net::Weight;
use super::rows::{self, Way};
use super::{Activation, Builder, GROUP, Layer, Loss, Mixture, Objective, Output, Quantiles, Recording, Spec, Typical};
#[cfg(feature = "files")]
use crate::data::Schema;
use crate::data::{Bounds, Chunks, Dataset, Rows, Scaler};
use crate::op::{Op, Stream};
use crate::rng::purpose;
use crate::train::{Epoch, Fit, Flow, History, Metrics};
use crate::{Clock, Device, Error, Params, Result, Tape, Val};
#[cfg(feature = "files")]
use std::path::Path;
use std::sync::Arc;

/// One [`Spec`] on a device. By default its layers are dense; relu follows each except the code, which is linear, and
/// the output, which is a [sigmoid](super::Output). Weights are `(out, in)` and named as in PyTorch:
/// `encoder.0.weight`, `encoder.0.bias`, `encoder.2.weight`, ..., `decoder.0.weight`, ...
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
    spec: Arc<Spec>,
    widths: Vec<usize>,
    params: Params,
}

/// A hidden layer with relu, and how many of its units are 0 for every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadUnits {
    /// The layer, as PyTorch numbers it: `encoder.1`.
    pub layer: String,
    /// How many are dead.
    pub dead: usize,
    /// How many there are.
    pub units: usize,
}

impl Autoencoder {
    /// Begins the description of an autoencoder for rows of `inputs` numbers.
    pub fn builder(inputs: usize) -> Builder {
        Builder::default().inputs(inputs)
    }

    /// Builds a model with PyTorch's initial distribution: weights and biases uniform in +-1/sqrt(inputs of the layer).
    ///
    /// # Errors
    /// When the model can't be built ([`Spec::check`]), or the device has no memory for the parameters.
    pub fn new(spec: Spec, seed: u64, device: &Device) -> Result<Autoencoder> {
        // Of scores and codes nothing is known before a training.
        let ae = Autoencoder::blank(spec.untrained(), device)?;
        let clock = Clock::new(device)?;
        let mut tape = Tape::new(device);
        for (at, (name, inputs)) in ae.spec.fan_in().iter().enumerate() {
            let bound = (1.0 / (*inputs as f64).sqrt()) as f32;
            let y = ae.params.value(ae.params.position(name)?).clone();
            let stream = Stream { seed, purpose: purpose::INITIAL + at as u32 };
            tape.push_update(Op::Uniform { clock: clock.tensor.view.clone(), y, lo: -bound, range: 2.0 * bound, stream })?;
        }
        Ok(ae)
    }

    /// An autoencoder with all weights 0.
    pub(super) fn blank(spec: Spec, device: &Device) -> Result<Autoencoder> {
        spec.check()?;
        let params = Params::in_groups(device, &[(GROUP, spec.layout())], &spec.state())?;
        Ok(Autoencoder { widths: spec.widths(), spec: Arc::new(spec), params })
    }

    /// Another network with the same weights, to be trained: what is known of scores and codes is forgotten, since they
    /// become others. A clone is the same network.
    ///
    /// # Errors
    /// When the device fails.
    pub fn copied(&self) -> Result<Autoencoder> {
        let copy = Autoencoder::blank(self.spec().clone().untrained(), self.device())?;
        for name in self.params.names() {
            copy.params.write(name, &self.params.read(name)?)?;
        }
        for name in self.params.state_names() {
            copy.params.state(name)?.write(&self.params.state(name)?.read()?)?;
        }
        Ok(copy)
    }

    /// The model that was built.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The widths from a row to the code. A [`Builder`]'s decoder has them in reverse; another's has its
    /// own, `spec().decoder.widths()`.
    pub fn widths(&self) -> &[usize] {
        &self.widths
    }

    /// The numbers in a row of data.
    pub fn inputs(&self) -> usize {
        self.spec.encoder.inputs
    }

    /// The numbers in a code.
    pub fn code_width(&self) -> usize {
        self.spec.decoder.inputs
    }

    /// What follows the last layer.
    pub fn output(&self) -> Output {
        self.spec.output
    }

    /// The parameters.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The device that holds them.
    pub fn device(&self) -> &Device {
        self.params.device()
    }

    /// The same network, with shared weights, for unscaled rows: `fit`, `encode`, `score`, `evaluate` and `reconstruct`
    /// scale rows before the network sees them, `decode` and `reconstruct` undo the scaling of its output. Errors are
    /// those of scaled rows. Rows on a tape are not scaled. The model file includes the scaler. What is known of scores
    /// and codes is forgotten, since they become others.
    ///
    /// # Errors
    /// When the scaler has another number of columns than the rows.
    pub fn with_scaler(self, scaler: Scaler) -> Result<Autoencoder> {
        self.with(|spec| *spec = Spec { scaler: Some(scaler), ..spec.clone().untrained() })
    }

    /// The same network, with shared weights, for rows as it sees them: scaled already.
    pub(crate) fn without_scaler(self) -> Result<Autoencoder> {
        self.with(|spec| spec.scaler = None)
    }

    /// The same network, with shared weights, whose spec says something else beside its layers.
    fn with(self, change: impl FnOnce(&mut Spec)) -> Result<Autoencoder> {
        let mut spec = Spec::clone(&self.spec);
        change(&mut spec);
        spec.check()?;
        Ok(Autoencoder { spec: Arc::new(spec), ..self })
    }

    /// The scaling of rows, if there is one.
    pub fn scaler(&self) -> Option<&Scaler> {
        self.spec.scaler.as_ref()
    }

    /// The same network, with shared weights, that knows the bounds of the rows of its training. The model file
    /// includes them.
    ///
    /// # Errors
    /// When they are for another number of columns than the rows.
    pub fn with_bounds(self, bounds: Bounds) -> Result<Autoencoder> {
        self.with(|spec| spec.bounds = Some(bounds))
    }

    /// The bounds of the rows of training, if they are known: rows far outside of them are of another scale.
    pub fn bounds(&self) -> Option<&Bounds> {
        self.spec.bounds.as_ref()
    }

    /// The same network, with shared weights, that knows how its scores are distributed, so that it can say of a single
    /// row whether it is rare. The model file includes them. They hold for the weights that gave them: learn them after
    /// a training, on rows like those of the training and best on others, `Quantiles::of(&ae.score(&rows)?)`.
    #[must_use]
    pub fn with_quantiles(self, scores: Quantiles) -> Autoencoder {
        Autoencoder { spec: Arc::new(Spec { quantiles: Some(scores), ..Spec::clone(&self.spec) }), ..self }
    }

    /// How the scores of the rows of training are distributed, if that is known.
    pub fn quantiles(&self) -> Option<&Quantiles> {
        self.spec.quantiles.as_ref()
    }

    /// The same network, with shared weights, that knows how the codes of its training are distributed. The model file
    /// includes it. It holds for the weights that gave the codes.
    ///
    /// # Errors
    /// When it is of codes of another width.
    pub fn with_mixture(self, mixture: Mixture) -> Result<Autoencoder> {
        self.with(|spec| spec.mixture = Some(mixture))
    }

    /// The same network, with shared weights, that knows what is typical of its training rows, for
    /// [`Autoencoder::distance_score`]. The model file includes it. It holds for the weights that it was learnt with.
    ///
    /// # Errors
    /// When it is of codes of another width.
    pub fn with_typical(self, typical: Typical) -> Result<Autoencoder> {
        self.with(|spec| spec.typical = Some(typical))
    }

    /// What is typical of its training rows, if that is known.
    pub fn typical(&self) -> Option<&Typical> {
        self.spec.typical.as_ref()
    }

    /// How the codes of training are distributed, if that was fitted.
    pub fn mixture(&self) -> Option<&Mixture> {
        self.spec.mixture.as_ref()
    }

    /// The same network, with shared weights, that knows the dimensions of the images that its rows are: channels,
    /// height and width. The model file includes them.
    ///
    /// # Errors
    /// When images of that size have another number of values than the rows.
    pub fn with_image_dims(self, dims: [usize; 3]) -> Result<Autoencoder> {
        self.with(|spec| spec.image = Some(dims))
    }

    /// The dimensions of the images that its rows are, if it knows them.
    pub fn image_dims(&self) -> Option<[usize; 3]> {
        self.spec.image
    }

    /// The same network, with shared weights, that knows what the columns of its tables are. The model file includes
    /// this: [`Options::schema`](crate::data::Options::schema) reads other tables by it.
    ///
    /// # Errors
    /// When the schema makes rows of another width.
    #[cfg(feature = "files")]
    pub fn with_schema(self, schema: Schema) -> Result<Autoencoder> {
        self.with(|spec| spec.schema = Some(schema))
    }

    /// What the columns of its tables are, if it was trained on one.
    #[cfg(feature = "files")]
    pub fn schema(&self) -> Option<&Schema> {
        self.spec.schema.as_ref()
    }

    /// The rows as the network sees them: a scaled copy if there is a scaler.
    ///
    /// # Errors
    /// When the number of columns is not that of the scaler, or, without a scaler, a number is beyond f32.
    pub fn scaled(&self, data: &Dataset) -> Result<Dataset> {
        match &self.spec.scaler {
            Some(scaler) => data.scaled_by(scaler),
            None => data.unscaled(),
        }
    }

    /// Trains on all rows of `data`.
    ///
    /// # Errors
    /// When the rows do not fit the network, there are none, a number of `fit` is out of its range, the device fails, a
    /// checkpoint can't be written or continued, or the loss stops being finite
    /// ([`Error::Diverged`](crate::Error::Diverged)).
    pub fn fit(&self, data: &Dataset, fit: &Fit) -> Result<History> {
        self.fit_with(data, fit, |_| {})
    }

    /// Trains, and calls `report` after each epoch. It returns nothing, or a [`ControlFlow`](std::ops::ControlFlow)
    /// that can end the training.
    ///
    /// ```
    /// use narrows::{Autoencoder, Device, Fit, data, train::Ended};
    /// use std::ops::ControlFlow;
    /// let few = data::open("builtin")?.train.head(256);
    /// let ae = Autoencoder::builder(784).hidden([16]).code(4).build(&Device::cpu()?)?;
    /// let history = ae.fit_with(&few, &Fit::default().epochs(50), |epoch| match epoch.train_loss < 0.2 {
    ///     true => ControlFlow::Break(()),
    ///     false => ControlFlow::Continue(()),
    /// })?;
    /// assert_eq!(history.ended, Ended::Stopped);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Autoencoder::fit`].
    pub fn fit_with<F: Flow>(&self, data: &Dataset, fit: &Fit, report: impl FnMut(&Epoch) -> F) -> Result<History> {
        crate::train::autoencoder(self, data, fit, report)
    }

    /// Measures the reconstructions of all rows, in the units that the network sees: scaled, if it has a scaler.
    ///
    /// # Errors
    /// When the rows have another number of columns, there are none, or the device fails.
    pub fn measure(&self, data: &Dataset) -> Result<Metrics> {
        Metrics::of(self, data)
    }

    /// The codes of all rows. The bits of a row's code do not depend on the other rows.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn encode(&self, data: &Dataset) -> Result<Rows> {
        rows::all(self, data, Way::Encode)
    }

    /// The distributions that a variational encoder gives for all rows: the means, which are what
    /// [`encode`](Autoencoder::encode) gives, and the log variances.
    ///
    /// # Errors
    /// When the network is not variational, the rows have another number of columns, or the device fails.
    pub fn distributions(&self, data: &Dataset) -> Result<[Rows; 2]> {
        self.check_variational()?;
        Ok([rows::all(self, data, Way::Encode)?, rows::all(self, data, Way::LogVariance)?])
    }

    /// Rejects a network whose codes follow no known distribution.
    pub(crate) fn check_variational(&self) -> Result<()> {
        match self.spec.variational {
            true => Ok(()),
            false => Err(Error::argument(
                "network",
                "it is not variational: its codes follow no known distribution",
                "Train a variational one (--variational).",
            )),
        }
    }

    /// The rows of all codes.
    ///
    /// # Errors
    /// When the codes have another number of columns, or the device fails.
    pub fn decode(&self, codes: &Rows) -> Result<Rows> {
        rows::all(self, &Dataset::from_rows("codes", codes.values.clone(), &[codes.columns])?, Way::Decode)
    }

    /// The reconstructions of all rows.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn reconstruct(&self, data: &Dataset) -> Result<Rows> {
        rows::all(self, data, Way::Reconstruct)
    }

    /// The reconstruction error of each row: the mean over its columns of (x - y)^2, as the network sees them: scaled,
    /// if it has a scaler.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn score(&self, data: &Dataset) -> Result<Vec<f32>> {
        let chunks = self.score_stream(data.chunks())?.collect::<Result<Vec<_>>>()?;
        Ok(chunks.into_iter().flat_map(|chunk| chunk.values).collect())
    }

    /// The parts of the score: of each row and column (x - y)^2, as the network sees them. A row's score is their mean.
    ///
    /// # Errors
    /// When the rows have another number of columns, there are none, or the device fails.
    pub fn squared_errors(&self, data: &Dataset) -> Result<Rows> {
        let square = |(&x, &y): (&f32, &f32)| (f64::from(x) - f64::from(y)).powi(2) as f32;
        let rows = rows::compare(self, data, Way::Compare, |x, y| x.iter().zip(y).map(square).collect::<Vec<f32>>())?;
        Ok(Rows::new(self.inputs(), rows.concat()))
    }

    /// The mean over all elements of (x - y)^2: the test error of the literature "per pixel".
    ///
    /// # Errors
    /// When the rows have another number of columns, there are none, or the device fails.
    pub fn evaluate(&self, data: &Dataset) -> Result<f64> {
        self.evaluate_by(data, Loss::Mse)
    }

    /// The mean over all elements of a loss, of rows as the network sees them. Cross-entropy compares with the nearest
    /// number in [0, 1]: outside of it, it has no lower bound.
    ///
    /// # Errors
    /// As [`Autoencoder::evaluate`].
    pub fn evaluate_by(&self, data: &Dataset, loss: Loss) -> Result<f64> {
        rows::evaluate(self, data, loss)
    }

    /// The hidden layers with relu, in their order, and how many of their units are 0 for every row: those are dead,
    /// and no training on these rows revives them.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn dead_units(&self, data: &Dataset) -> Result<Vec<DeadUnits>> {
        rows::dead_units(self, data)
    }

    /// The codes of a stream of rows: an item for each chunk of it.
    ///
    /// # Errors
    /// When the rows have another number of columns. Items are errors when the stream or the device fails.
    ///
    /// ```
    /// use narrows::{Autoencoder, Device, data};
    /// let ae = Autoencoder::builder(784).build(&Device::cpu()?)?;
    /// let rows = data::digits(0, 0..3_000).chunks();          // or data::Options::default().stream("large.csv")?
    /// let mut codes = 0;
    /// for chunk in ae.encode_stream(rows)? {
    ///     codes += chunk?.rows;
    /// }
    /// assert_eq!(codes, 3_000);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    pub fn encode_stream(&self, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
        rows::codes(self, rows)
    }

    /// The rows of a stream of codes, with all digits of their units.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    pub fn decode_stream(&self, codes: Chunks) -> Result<impl Iterator<Item = Result<Rows<f64>>>> {
        rows::in_units(self, codes, Way::Decode)
    }

    /// The reconstructions of a stream of rows, with all digits of their units.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    pub fn reconstruct_stream(&self, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows<f64>>>> {
        rows::in_units(self, rows, Way::Reconstruct)
    }

    /// The reconstruction errors of a stream of rows, as [`Autoencoder::score`] gives them: an item for each chunk of
    /// it, with one column.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    pub fn score_stream(&self, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
        rows::errors(self, rows)
    }

    /// The scores of a stream of rows, and of each row the columns that make most of its score, at most `most`: an item
    /// for each chunk of it.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    ///
    /// ```
    /// use narrows::{Autoencoder, Device, data::Dataset};
    /// let ae = Autoencoder::builder(3).layers([1]).build(&Device::cpu()?)?;
    /// let row = Dataset::from_rows("row", vec![0.5, 900.0, 0.5], &[3])?;
    /// for chunk in ae.explain_stream(row.chunks(), 2)? {
    ///     let causes = &chunk?.causes[0];
    ///     assert_eq!((causes.len(), causes[0].name.as_str(), causes[0].value.to_string()), (2, "x_1", "900".into()));
    /// }
    /// # Ok::<(), narrows::Error>(())
    /// ```
    pub fn explain_stream(&self, rows: Chunks, most: usize) -> Result<impl Iterator<Item = Result<Explained>>> {
        causes::explained(self, rows, most)
    }

    /// The encoder's layers: x [B, inputs] gives [B, code].
    pub(super) fn encode_in(&self, on: &mut Recording, x: Val) -> Result<Val> {
        self.spec.encoder.record(on, "encoder", x)
    }

    /// The decoder's layers: [B, code] gives [B, inputs], before the final sigmoid.
    pub(super) fn decode_in(&self, on: &mut Recording, code: Val) -> Result<Val> {
        self.spec.decoder.record_with(on, "decoder", code, |at| self.decoder_weight(at))
    }

    pub(super) fn decoder_weight(&self, at: usize) -> Weight {
        match self.spec.tied {
            true => Weight::Transposed(self.spec.tied_to(at)),
            false => Weight::Own(format!("decoder.{at}.weight")),
        }
    }

    /// The outputs of the layers with relu and the layers' names: x [B, inputs] gives [B, units] of each.
    pub(super) fn relus_in(&self, on: &mut Recording, x: Val) -> Result<Vec<(String, Val)>> {
        let Spec { encoder, decoder, .. } = self.spec();
        let down = encoder.record_each(on, "encoder", x, |at| Weight::Own(format!("encoder.{at}.weight")))?;
        let code = self.narrow_in(on, down.last().copied().unwrap_or(x))?.z;
        let up = decoder.record_each(on, "decoder", code, |at| self.decoder_weight(at))?;
        let halves = [("encoder", encoder, down), ("decoder", decoder, up)];
        let relus = halves.into_iter().flat_map(|(half, net, outputs)| {
            let all = net.layers.iter().zip(outputs).enumerate();
            let relus = all.filter(|(_, (layer, _))| **layer == Layer::Act(Activation::Relu));
            relus.map(move |(at, (_, output))| (format!("{half}.{at}"), output))
        });
        Ok(relus.collect())
    }

    /// What follows the decoder.
    pub(super) fn output_in(&self, on: &mut Recording, z: Val) -> Result<Val> {
        match self.spec.output {
            Output::Sigmoid => on.tape().sigmoid(z),
            Output::Linear => Ok(z),
        }
    }

    /// The codes of rows, on a tape, in use: x [B, inputs] gives [B, code].
    ///
    /// # Errors
    /// When x has another number of columns.
    pub fn encode_on(&self, tape: &mut Tape, x: Val) -> Result<Val> {
        Way::Encode.on(self, tape, x)
    }

    /// The rows of codes, on a tape, in use: [B, code] gives [B, inputs].
    ///
    /// # Errors
    /// When the codes have another number of columns.
    pub fn decode_on(&self, tape: &mut Tape, code: Val) -> Result<Val> {
        Way::Decode.on(self, tape, code)
    }

    /// The input of the final sigmoid of [`Autoencoder::decode_on`]: for [`Tape::bce_with_logits`].
    ///
    /// # Errors
    /// When the codes have another number of columns.
    pub fn decode_logits_on(&self, tape: &mut Tape, code: Val) -> Result<Val> {
        self.decode_in(&mut Recording::in_use(tape, &self.params), code)
    }

    /// The reconstructions of rows, on a tape, in use: [B, inputs] gives [B, inputs].
    ///
    /// # Errors
    /// When x has another number of columns.
    pub fn forward(&self, tape: &mut Tape, x: Val) -> Result<Val> {
        Way::Reconstruct.on(self, tape, x)
    }

    /// A loss of reconstructing rows, on a tape, in use: x [B, inputs] gives one number, the mean over all elements.
    ///
    /// # Errors
    /// When x has another number of columns, or no rows.
    pub fn loss_on(&self, tape: &mut Tape, x: Val, loss: Loss) -> Result<Val> {
        let mut on = Recording::in_use(tape, &self.params);
        Objective::new(loss).record(self, &mut on, x)?;
        Ok(on.losses()?[0].1)
    }

    /// Saves the weights and the model's description into one safetensors file. The file is replaced in full or not at
    /// all. PyTorch loads it with `load_state_dict(safetensors.torch.load_file(path))`.
    ///
    /// # Errors
    /// When the folder can't be written, the disk is full, or the device fails.
    #[cfg(feature = "files")]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        super::file::save(self, path.as_ref())
    }

    /// Loads a network that [`Autoencoder::save`] wrote.
    ///
    /// # Errors
    /// When the file is absent, is not a safetensors file, was not written by `save` (then see [`Builder::weights`]),
    /// or a tensor is missing, unexpected, of another shape or type, or holds a number that is not finite.
    #[cfg(feature = "files")]
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<Autoencoder> {
        super::file::load(device, path.as_ref())
    }
}
