//! Running rows through a trained network: all of a data set in few runs of the device, or a stream of which only a
//! chunk is in memory.

use super::quantiles::counted;
use super::{Autoencoder, DeadUnits, Recording};
use crate::data::Rows;
use crate::data::{Chunk, Chunks, Dataset, Values, to_f32};
use crate::device::View;
use crate::{Clock, Error, Loss, Program, Result, Shape, Tape, Tensor, Val, tensor};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// The numbers in the widest layer of one run of a program, unless a single row has more: this bounds the memory.
/// Within this bound, the device determines the number of rows.
const CHUNK_NUMBERS: usize = 1 << 22;
/// The most numbers that one run over a whole data set gives, unless one step gives more: 2 MB.
const NUMBERS: usize = 1 << 19;
/// The most bytes that go into one such run if the device has its own memory, unless one step takes more.
const BYTES: usize = 1 << 26;

/// The results of all rows.
pub(super) fn all(ae: &Autoencoder, data: &Dataset, way: Way) -> Result<Rows> {
    let mut pass = Pass::new(ae, way, &data.chunks())?;
    let (columns, ids) = (way.columns(ae).1, data.ids().map(<[String]>::to_vec));
    if ae.scaler().is_none() {
        let values = in_steps(ae, data, way, pass.most)?;
        return Ok(Rows::new(columns, values).with_ids(ids));
    }
    let mut values = Vec::with_capacity(data.len() * columns);
    for chunk in data.chunks() {
        let y = pass.run(&pass.seen(&chunk?.values)?)?;
        match pass.in_units(&y) {
            Some(back) => values.extend(back.into_iter().map(to_f32)),
            None => values.extend(y),
        }
    }
    Ok(Rows::new(columns, values).with_ids(ids))
}

/// The codes of a stream: an item for each chunk.
pub(super) fn codes(ae: &Autoencoder, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
    let mut pass = Pass::new(ae, Way::Encode, &rows)?;
    Ok(rows.map(move |chunk| {
        let Chunk { values, ids, .. } = chunk?;
        let y = pass.run(&pass.seen(&values)?)?;
        Ok(Rows::new(ae.code_width(), y).with_ids(ids))
    }))
}

/// The results of a stream in the units of the rows, with all digits: an item for each chunk.
pub(super) fn in_units(ae: &Autoencoder, rows: Chunks, way: Way) -> Result<impl Iterator<Item = Result<Rows<f64>>>> {
    let mut pass = Pass::new(ae, way, &rows)?;
    Ok(rows.map(move |chunk| {
        let Chunk { values, ids, .. } = chunk?;
        let y = pass.run(&pass.seen(&values)?)?;
        let back = pass.in_units(&y).unwrap_or_else(|| y.into_iter().map(f64::from).collect());
        Ok(Rows::new(ae.inputs(), back).with_ids(ids))
    }))
}

/// The mean of (x - y)^2 over each row of a stream: an item for each chunk, with one column.
pub(super) fn errors(ae: &Autoencoder, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
    let mut pass = Pass::new(ae, Way::Compare, &rows)?;
    Ok(rows.map(move |chunk| {
        let Chunk { values, ids, .. } = chunk?;
        let x = pass.seen(&values)?;
        let y = pass.run(&x)?;
        let columns = ae.inputs();
        let errors = x.chunks(columns).zip(y.chunks(columns)).map(|(x, y)| mean_square(x, y) as f32).collect();
        Ok(Rows::new(1, errors).with_ids(ids))
    }))
}

/// The layers with relu, and how many of their outputs are 0 for every row.
pub(super) fn dead_units(ae: &Autoencoder, data: &Dataset) -> Result<Vec<DeadUnits>> {
    let columns = ae.inputs();
    let pass = Pass::new(ae, Way::Compare, &data.chunks())?;
    let mut fires: Vec<(String, Vec<bool>)> = Vec::new();
    for chunk in data.chunks() {
        let values = chunk?.values;
        for rows in pass.seen(&values)?.chunks(pass.most * columns) {
            let mut tape = Tape::new(ae.device());
            let x = tape.input(&Tensor::new(ae.device(), rows, &[rows.len() / columns, columns])?)?;
            let relus = ae.relus_in(&mut Recording::in_use(&mut tape, ae.params()), x)?;
            if fires.is_empty() {
                fires = relus.iter().map(|(name, h)| Ok((name.clone(), vec![false; tape.shape(*h)?[1]]))).collect::<Result<_>>()?;
            }
            for ((_, fires), (_, h)) in fires.iter_mut().zip(relus) {
                let units = fires.len();
                tape.read(h)?.chunks(units).for_each(|row| fires.iter_mut().zip(row).for_each(|(fires, h)| *fires |= *h > 0.0));
            }
        }
    }
    let dead = |fires: &[bool]| fires.iter().filter(|fires| !**fires).count();
    Ok(fires.into_iter().map(|(layer, fires)| DeadUnits { layer, dead: dead(&fires), units: fires.len() }).collect())
}

/// The mean over all elements of a loss.
pub(super) fn evaluate(ae: &Autoencoder, data: &Dataset, loss: Loss) -> Result<f64> {
    let means = match loss {
        Loss::Mse => compare(ae, data, Way::Compare, mean_square)?,
        Loss::Bce => compare(ae, data, Way::Logits, mean_cross_entropy)?,
    };
    Ok(means.iter().sum::<f64>() / data.len() as f64)
}

/// `f` of each row, as the network sees it, and of its result: in the order of the rows, computed on all threads.
pub(crate) fn compare<T: Send>(ae: &Autoencoder, data: &Dataset, way: Way, f: impl Fn(&[f32], &[f32]) -> T + Sync) -> Result<Vec<T>> {
    if data.is_empty() {
        return Err(Error::data(data.name(), "a mean over no rows", "Pass at least one row."));
    }
    let mut pass = Pass::new(ae, way, &data.chunks())?;
    let (from, to) = way.columns(ae);
    let mut all = Vec::with_capacity(data.len());
    for chunk in data.chunks() {
        let chunk = chunk?;
        let x = pass.seen(&chunk.values)?;
        let y = pass.run(&x)?;
        all.par_extend(x.par_chunks(from).zip(y.par_chunks(to)).map(|(x, y)| f(x, y)));
    }
    Ok(all)
}

/// A decoder that is run many times: from codes to what comes before the output's activation, as the network sees it.
pub(crate) struct Decoder<'a>(Pass<'a>);

impl<'a> Decoder<'a> {
    pub(crate) fn new(ae: &'a Autoencoder) -> Decoder<'a> {
        Decoder(Pass { ae, way: Way::DecodeLogits, name: "codes".into(), most: most(ae), compiled: None })
    }

    /// Whole codes, one after the other.
    pub(crate) fn logits(&mut self, codes: &[f32]) -> Result<Vec<f32>> {
        self.0.run(codes)
    }
}

/// The score from which a row counts as an anomaly, if the share `contamination` of the rows are anomalies: the k-th
/// largest score, where k is `contamination` times the number of rows, rounded; infinity if k is 0. Equal scores all
/// count. NaN counts as the largest.
///
/// # Errors
/// When the share is not in [0, 1].
///
/// ```
/// let threshold = narrows::nn::contamination(&[0.1, 0.9, 0.2, 0.3], 0.25)?;
/// assert_eq!(threshold, 0.9);
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn contamination(scores: &[f32], contamination: f64) -> Result<f32> {
    let count = counted(scores.len(), contamination)?;
    if count == 0 {
        return Ok(f32::INFINITY);
    }
    let mut scores: Vec<f32> = scores.iter().map(|s| if s.is_nan() { f32::INFINITY } else { *s }).collect();
    let (_, threshold, _) = scores.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    Ok(*threshold)
}

/// What is computed from rows.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Encode,
    /// The log variances of variational codes.
    LogVariance,
    Decode,
    /// Back to the units of the rows.
    Reconstruct,
    /// In the units of the network.
    Compare,
    /// The input of the final sigmoid.
    Logits,
    /// The same, of codes.
    DecodeLogits,
}

impl Way {
    /// The columns of the input and of the output.
    fn columns(self, ae: &Autoencoder) -> (usize, usize) {
        match self {
            Way::Encode | Way::LogVariance => (ae.inputs(), ae.code_width()),
            Way::Decode | Way::DecodeLogits => (ae.code_width(), ae.inputs()),
            Way::Reconstruct | Way::Compare | Way::Logits => (ae.inputs(), ae.inputs()),
        }
    }

    pub(super) fn on(self, ae: &Autoencoder, tape: &mut Tape, x: Val) -> Result<Val> {
        let on = &mut Recording::in_use(tape, ae.params());
        let code = match self {
            Way::Decode | Way::DecodeLogits => x,
            _ => {
                let h = ae.encode_in(on, x)?;
                if self == Way::LogVariance {
                    return Ok(ae.heads_in(on, h)?[1]);
                }
                ae.narrow_in(on, h)?.z
            }
        };
        if self == Way::Encode {
            return Ok(code);
        }
        let z = ae.decode_in(on, code)?;
        if matches!(self, Way::Logits | Way::DecodeLogits) { Ok(z) } else { ae.output_in(on, z) }
    }
}

/// The most rows in one run of a program: the widest layer of both halves determines them.
fn most(ae: &Autoencoder) -> usize {
    let widths = [&ae.spec().encoder, &ae.spec().decoder].map(|half| half.widths());
    let widest = widths.into_iter().flatten().max().unwrap_or(1).max(1);
    (CHUNK_NUMBERS / widest).clamp(1, ae.device().backend().rows())
}

/// A network compiled for chunks of rows.
pub(super) struct Pass<'a> {
    ae: &'a Autoencoder,
    way: Way,
    /// What errors call the rows.
    name: String,
    most: usize,
    compiled: Option<Compiled>,
}

/// The program for this many rows.
struct Compiled {
    rows: usize,
    program: Program,
    input: Val,
    output: Val,
}

impl<'a> Pass<'a> {
    pub(super) fn new(ae: &'a Autoencoder, way: Way, rows: &Chunks) -> Result<Pass<'a>> {
        let columns = way.columns(ae).0;
        if rows.columns() != columns {
            return Err(Error::data(
                rows.name(),
                format!("its rows have {} columns where {columns} are needed", rows.columns()),
                "Use a network that was built for these rows, or rows that fit it.",
            ));
        }
        Ok(Pass { ae, way, name: rows.name(), most: most(ae), compiled: None })
    }

    /// The rows as the network sees them.
    pub(super) fn seen<'v>(&self, values: &'v Values) -> Result<Cow<'v, [f32]>> {
        match self.ae.scaler() {
            Some(scaler) if self.way != Way::Decode => Ok(Cow::Owned(scaler.scale_values(values))),
            _ => values.unscaled(&self.name, self.way.columns(self.ae).0),
        }
    }

    /// The results of rows as the network sees them, in its units.
    pub(super) fn run(&mut self, rows: &[f32]) -> Result<Vec<f32>> {
        let (from, to) = self.way.columns(self.ae);
        let mut out = Vec::with_capacity(rows.len() / from * to);
        for chunk in rows.chunks(self.most * from) {
            out.extend(self.once(chunk, from)?);
        }
        Ok(out)
    }

    /// Results in the units of the rows, where these are others than the network's.
    fn in_units(&self, out: &[f32]) -> Option<Vec<f64>> {
        match (self.ae.scaler(), self.way) {
            (Some(scaler), Way::Decode | Way::Reconstruct) => Some(scaler.undo(out)),
            _ => None,
        }
    }

    /// At most [`Pass::most`] rows, by the program for this number of rows.
    fn once(&mut self, values: &[f32], columns: usize) -> Result<Vec<f32>> {
        let rows = values.len() / columns;
        let compiled = match self.compiled.take().filter(|compiled| compiled.rows == rows) {
            Some(compiled) => self.compiled.insert(compiled),
            None => self.compiled.insert(Compiled::new(self.ae, self.way, [rows, columns])?),
        };
        compiled.program.write(compiled.input, values)?;
        compiled.program.run(1)?;
        compiled.program.read(compiled.output)
    }
}

impl Compiled {
    fn new(ae: &Autoencoder, way: Way, shape: [usize; 2]) -> Result<Compiled> {
        let mut tape = Tape::plan(ae.device());
        let input = tape.input(&Tensor::zeros(ae.device(), &shape)?)?;
        let output = way.on(ae, &mut tape, input)?;
        Ok(Compiled { rows: shape[0], program: tape.compile()?, input, output })
    }
}

pub(crate) fn mean_square(x: &[f32], y: &[f32]) -> f64 {
    let square = |(&x, &y): (&f32, &f32)| (f64::from(x) - f64::from(y)).powi(2);
    x.iter().zip(y).map(square).sum::<f64>() / x.len() as f64
}

/// Of probabilities x and logits z. Outside of [0, 1] there is no lower bound, so the nearest probability counts.
fn mean_cross_entropy(x: &[f32], z: &[f32]) -> f64 {
    let entropy = |(&x, &z): (&f32, &f32)| {
        let (x, z) = (f64::from(x).clamp(0.0, 1.0), f64::from(z));
        z.max(0.0) - z * x + libm::log1p(libm::exp(-z.abs()))
    };
    x.iter().zip(z).map(entropy).sum::<f64>() / x.len() as f64
}

/// The results of all rows, at most `batch` of them in a step.
fn in_steps(ae: &Autoencoder, data: &Dataset, way: Way, batch: usize) -> Result<Vec<f32>> {
    let (count, to) = (data.len(), way.columns(ae).1);
    let mut all = vec![0.0; count * to];
    if count == 0 {
        return Ok(all);
    }
    // Steps of even size. If they cover more rows than there are, the results of the last ones are not read.
    let batch = count.div_ceil(count.div_ceil(batch));
    let window = Window::new(ae, data, batch, to)?;
    let mut program = window.program(ae, way, batch)?;
    for start in (0..count).step_by(window.most) {
        window.run(&mut program, batch, start..count.min(start + window.most), &mut all)?;
    }
    Ok(all)
}

/// The rows of one run, and their results.
struct Window<'a> {
    data: &'a Dataset,
    /// The most rows in a run: whole steps.
    most: usize,
    /// The numbers that a row gives.
    to: usize,
    /// All rows if the device reads the host's memory, else a copy of the run's rows.
    rows: Tensor,
    shared: bool,
    /// `rows` one after the other; the clock goes on from run to run.
    order: Tensor,
    clock: Clock,
    /// An entry for each step.
    ring: Tensor,
}

impl<'a> Window<'a> {
    fn new(ae: &Autoencoder, data: &'a Dataset, batch: usize, to: usize) -> Result<Window<'a>> {
        let (device, columns, dtype) = (ae.device(), data.columns(), data.values().dtype());
        let shared = data.shared(device);
        let bytes = if shared.is_some() { 0 } else { batch * columns * dtype.size() };
        let steps = (NUMBERS / (batch * to)).min(BYTES.checked_div(bytes).unwrap_or(usize::MAX)).clamp(1, data.len().div_ceil(batch));
        let most = steps * batch;
        let (rows, shared) = match shared {
            Some(rows) => (rows, true),
            None => (Tensor { view: device.alloc(dtype, Shape::new(&[most, columns])?)?, below: None }, false),
        };
        let count = rows.shape()[0];
        let order = Tensor::indices(device, &(0..count as u32).collect::<Vec<_>>(), count)?;
        let ring = Tensor::zeros(device, &[most, to])?;
        Ok(Window { data, most, to, rows, shared, order, clock: Clock::new(device)?, ring })
    }

    /// The first elements of a tensor, as this many rows.
    fn part(&self, of: &Tensor, rows: usize, columns: usize) -> Result<View> {
        Ok(of.view.part(0, Shape::new(&[rows, columns])?).expect("a window is as large as its steps"))
    }

    /// A program whose steps take `batch` rows. Past its end, the order begins again.
    fn program(&self, ae: &Autoencoder, way: Way, batch: usize) -> Result<Program> {
        let mut tape = Tape::plan(ae.device());
        let x = tape.gather(&self.rows, &self.order, &self.clock, batch)?;
        let y = way.on(ae, &mut tape, x)?;
        tape.store(y, &self.ring, &self.clock)?;
        tape.advance(&self.clock, batch, &self.order)?;
        tape.compile()
    }

    /// Runs some rows, and writes their results to `all`.
    fn run(&self, program: &mut Program, batch: usize, rows: Range<usize>, all: &mut [f32]) -> Result<()> {
        let columns = self.data.columns();
        let elements = rows.start * columns..rows.end * columns;
        match self.data.values() {
            _ if self.shared => {}
            Values::Bytes(bytes) => tensor::write(&self.part(&self.rows, rows.len(), columns)?, &bytes[elements])?,
            Values::Floats(floats) => tensor::write(&self.part(&self.rows, rows.len(), columns)?, &floats[elements])?,
            doubles => {
                let floats = doubles.part(elements);
                tensor::write(&self.part(&self.rows, rows.len(), columns)?, &floats.unscaled(self.data.name(), columns)?)?;
            }
        }
        // All runs before this one were full: the ring begins again, and so does the order if the rows are a copy.
        program.run(rows.len().div_ceil(batch))?;
        tensor::read_to(&self.part(&self.ring, rows.len(), self.to)?, &mut all[rows.start * self.to..rows.end * self.to])
    }
}

#[cfg(test)]
mod tests {
    use super::{CHUNK_NUMBERS, contamination, most};
    use crate::nn::{Layer, Net, Spec};
    use crate::{Autoencoder, Device, data};

    #[test]
    fn the_widest_layer_bounds_the_rows_of_a_run_whichever_half_has_it() {
        let device = Device::cpu().unwrap();
        let wide = |half: &[usize]| half.iter().map(|&width| Layer::Dense(width)).collect::<Vec<_>>();
        let most = |down: &[usize], up: &[usize]| {
            let (encoder, decoder) = (Net { inputs: 3, layers: wide(down) }, Net { inputs: 2, layers: wide(up) });
            let plain = Autoencoder::builder(3).layers([2]).spec().unwrap();
            most(&Autoencoder::new(Spec { encoder, decoder, ..plain }, 0, &device).unwrap())
        };
        let widest = CHUNK_NUMBERS / 8;
        assert_eq!((most(&[widest, 2], &[3]), most(&[2], &[widest, 3])), (8, 8));
        assert_eq!(most(&[2], &[3]), device.backend().rows());
    }

    #[test]
    fn bytes_that_the_device_divides_give_the_bits_of_floats() {
        let device = Device::cpu().unwrap();
        let ae = Autoencoder::builder(784).hidden([9]).code(3).build(&device).unwrap();
        // More than a chunk and not a whole number of them.
        let bytes = data::digits(0, 0..device.backend().rows() as u32 + 5);
        let floats = data::Dataset::from_rows("floats", bytes.rows_f32(0..bytes.len()), &[784]).unwrap();
        assert_eq!(ae.encode(&bytes).unwrap(), ae.encode(&floats).unwrap());
        assert_eq!(ae.reconstruct(&bytes.head(7)).unwrap(), ae.reconstruct(&floats.head(7)).unwrap());
    }

    #[test]
    fn threads_that_encode_at_once_get_the_bits_of_one_that_encodes_alone() {
        let ae = Autoencoder::builder(784).hidden([40]).code(7).build(&Device::cpu().unwrap()).unwrap();
        let rows = |i: u32| data::digits(0, 300 * i..300 * (i + 1));
        let all = ae.encode(&data::digits(0, 0..1_200)).unwrap().values;
        std::thread::scope(|scope| {
            let encode = |i| {
                scope.spawn({
                    let ae = &ae;
                    move || ae.encode(&rows(i)).unwrap().values
                })
            };
            let running: Vec<_> = (0..4).map(encode).collect();
            let parts: Vec<f32> = running.into_iter().flat_map(|t| t.join().unwrap()).collect();
            assert!(parts.iter().zip(&all).all(|(a, b)| a.to_bits() == b.to_bits()) && parts.len() == all.len());
        });
    }

    #[test]
    fn the_share_is_rounded_ties_count_all_and_nan_is_the_largest() {
        let scores = [3.0, 1.0, f32::NAN, 2.0, 3.0];
        for (share, threshold) in
            [(0.0, f32::INFINITY), (0.09, f32::INFINITY), (0.2, f32::INFINITY), (0.4, 3.0), (0.6, 3.0), (0.8, 2.0), (1.0, 1.0)]
        {
            assert_eq!(contamination(&scores, share).unwrap(), threshold, "{share}");
        }
        assert_eq!(contamination(&[], 0.5).unwrap(), f32::INFINITY);
        for share in [-0.1, 1.1, f64::NAN] {
            assert!(contamination(&scores, share).is_err(), "{share}");
        }
    }
}
