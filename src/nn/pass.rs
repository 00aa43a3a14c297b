//! Rows through a trained network: all of a data set, or a stream of which only a chunk is in memory.

use super::whole::whole;
use super::{Autoencoder, Rows};
use crate::data::{Chunks, Dataset};
use crate::{Error, Loss, Program, Result, Tape, Tensor, Val};
use rayon::prelude::*;

/// The numbers in the widest layer of one run of a program, unless a single row has more: that bounds the memory. How many rows it takes within this is
/// up to the device.
const CHUNK_NUMBERS: usize = 1 << 22;

impl Autoencoder {
    /// The codes of all rows. The bits of a row's code do not depend on the other rows.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn encode(&self, data: &Dataset) -> Result<Rows> {
        self.all(data, Way::Encode)
    }

    /// The rows of all codes.
    ///
    /// # Errors
    /// When the codes have another number of columns, or the device fails.
    pub fn decode(&self, codes: &Rows) -> Result<Rows> {
        self.all(&Dataset::from_rows("codes", codes.values.clone(), &[codes.columns])?, Way::Decode)
    }

    /// The reconstructions of all rows.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn reconstruct(&self, data: &Dataset) -> Result<Rows> {
        self.all(data, Way::Reconstruct)
    }

    /// The reconstruction error of each row: the mean over its columns of (x - y)^2, as the network sees them: scaled, if it has a scaler.
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn score(&self, data: &Dataset) -> Result<Vec<f32>> {
        self.score_stream(data.chunks())?.collect::<Result<Vec<_>>>().map(|chunks| chunks.concat())
    }

    /// The mean over all elements of (x - y)^2: the test error of the literature "per pixel".
    ///
    /// # Errors
    /// When the rows have another number of columns, there are none, or the device fails.
    pub fn evaluate(&self, data: &Dataset) -> Result<f64> {
        self.evaluate_by(data, Loss::Mse)
    }

    /// The mean over all elements of a loss, of rows as the network sees them.
    ///
    /// # Errors
    /// As [`Autoencoder::evaluate`].
    pub fn evaluate_by(&self, data: &Dataset, loss: Loss) -> Result<f64> {
        let means = match loss {
            Loss::Mse => self.compare(data, Way::Compare, mean_square)?,
            Loss::Bce => self.compare(data, Way::Logits, mean_cross_entropy)?,
        };
        Ok(means.iter().sum::<f64>() / data.len() as f64)
    }

    /// What `f` makes of each row, as the network sees it, and of what comes of it: in the order of the rows, computed on all threads.
    ///
    /// # Errors
    /// As [`Autoencoder::evaluate`].
    pub(crate) fn compare<T: Send>(&self, data: &Dataset, way: Way, f: impl Fn(&[f32], &[f32]) -> T + Sync) -> Result<Vec<T>> {
        if data.is_empty() {
            return Err(Error::data(data.name(), "a mean over no rows", "Pass at least one row."));
        }
        let mut pass = Pass::new(self, way, &data.chunks())?;
        let (from, to) = way.columns(self);
        let mut all = Vec::with_capacity(data.len());
        for chunk in data.chunks() {
            let mut x = chunk?;
            let y = pass.run(&mut x)?;
            all.par_extend(x.par_chunks(from).zip(y.par_chunks(to)).map(|(x, y)| f(x, y)));
        }
        Ok(all)
    }

    /// The codes of a stream of rows: an item for each chunk of it.
    ///
    /// # Errors
    /// When the rows have another number of columns; while it runs, what the stream says, or when the device fails.
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
        self.map(rows, Way::Encode)
    }

    /// The rows of a stream of codes.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    pub fn decode_stream(&self, codes: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
        self.map(codes, Way::Decode)
    }

    /// The reconstructions of a stream of rows.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    pub fn reconstruct_stream(&self, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
        self.map(rows, Way::Reconstruct)
    }

    /// The reconstruction errors of a stream of rows, as [`Autoencoder::score`] gives them: an item for each chunk of it.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    pub fn score_stream(&self, rows: Chunks) -> Result<impl Iterator<Item = Result<Vec<f32>>>> {
        let mut pass = Pass::new(self, Way::Compare, &rows)?;
        Ok(rows.map(move |chunk| Ok(pass.errors(chunk?)?.into_iter().map(|e| e as f32).collect())))
    }

    fn map(&self, rows: Chunks, way: Way) -> Result<impl Iterator<Item = Result<Rows>>> {
        let mut pass = Pass::new(self, way, &rows)?;
        Ok(rows.map(move |chunk| {
            let values = pass.run(&mut chunk?)?;
            let columns = way.columns(pass.ae).1;
            Ok(Rows { rows: values.len() / columns, columns, values })
        }))
    }

    fn all(&self, data: &Dataset, way: Way) -> Result<Rows> {
        let mut pass = Pass::new(self, way, &data.chunks())?;
        let columns = way.columns(self).1;
        let values = match self.scaler() {
            None => whole(self, data, way, pass.most)?,
            Some(_) => {
                let mut values = Vec::with_capacity(data.len() * columns);
                for chunk in data.chunks() {
                    values.extend(pass.run(&mut chunk?)?);
                }
                values
            }
        };
        Ok(Rows { rows: data.len(), columns, values })
    }
}

/// The score from which on a row counts as an anomaly, if the share `contamination` of the rows are to be such: the k-th largest score, where k is
/// `contamination` times the number of rows, rounded; infinity where k is 0. Of equal scores all count. NaN counts as the largest.
///
/// # Errors
/// A share that is not in 0 to 1.
///
/// ```
/// let threshold = narrows::nn::contamination(&[0.1, 0.9, 0.2, 0.3], 0.25)?;
/// assert_eq!(threshold, 0.9);
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn contamination(scores: &[f32], contamination: f64) -> Result<f32> {
    if !(0.0..=1.0).contains(&contamination) {
        return Err(Error::argument("contamination", format!("it is {contamination}"), "Use a share from 0 to 1, such as 0.01."));
    }
    let count = (scores.len() as f64 * contamination).round() as usize;
    if count == 0 {
        return Ok(f32::INFINITY);
    }
    let mut scores: Vec<f32> = scores.iter().map(|s| if s.is_nan() { f32::INFINITY } else { *s }).collect();
    let (_, threshold, _) = scores.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    Ok(*threshold)
}

/// What becomes of rows.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Way {
    Encode,
    Decode,
    /// Back to the units of the rows.
    Reconstruct,
    /// In the units of the network.
    Compare,
    /// What the sigmoid at the end is taken of.
    Logits,
}

impl Way {
    /// The columns of what goes in and of what comes out.
    pub(super) fn columns(self, ae: &Autoencoder) -> (usize, usize) {
        match self {
            Way::Encode => (ae.inputs(), ae.code_width()),
            Way::Decode => (ae.code_width(), ae.inputs()),
            Way::Reconstruct | Way::Compare | Way::Logits => (ae.inputs(), ae.inputs()),
        }
    }

    pub(super) fn on(self, ae: &Autoencoder, tape: &mut Tape, x: Val) -> Result<Val> {
        match self {
            Way::Encode => ae.encode_on(tape, x),
            Way::Decode => ae.decode_on(tape, x),
            Way::Reconstruct | Way::Compare => ae.forward(tape, x),
            Way::Logits => {
                let code = ae.encode_on(tape, x)?;
                ae.decode_logits_on(tape, code)
            }
        }
    }
}

/// A network compiled for chunks of rows.
struct Pass<'a> {
    ae: &'a Autoencoder,
    way: Way,
    most: usize,
    ready: Option<Ready>,
}

/// A program for so many rows.
struct Ready {
    rows: usize,
    program: Program,
    input: Val,
    output: Val,
}

impl<'a> Pass<'a> {
    fn new(ae: &'a Autoencoder, way: Way, rows: &Chunks) -> Result<Pass<'a>> {
        let columns = way.columns(ae).0;
        if rows.columns() != columns {
            return Err(Error::data(
                rows.name(),
                format!("its rows have {} columns where {columns} are needed", rows.columns()),
                "Use a network that was built for these rows, or rows that fit it.",
            ));
        }
        let widest = ae.widths().iter().max().map_or(1, |&w| w.max(1));
        Ok(Pass { ae, way, most: (CHUNK_NUMBERS / widest).clamp(1, ae.device().backend().rows()), ready: None })
    }

    /// What comes of the rows, which are scaled in place if the network wants that.
    fn run(&mut self, rows: &mut [f32]) -> Result<Vec<f32>> {
        let (from, to) = self.way.columns(self.ae);
        if let (Some(scaler), true) = (self.ae.scaler(), self.way != Way::Decode) {
            scaler.apply(rows);
        }
        let mut out = Vec::with_capacity(rows.len() / from * to);
        for chunk in rows.chunks(self.most * from) {
            out.extend(self.once(chunk, from)?);
        }
        if let (Some(scaler), Way::Decode | Way::Reconstruct) = (self.ae.scaler(), self.way) {
            scaler.undo(&mut out);
        }
        Ok(out)
    }

    /// At most [`Pass::most`] rows, by the program for as many.
    fn once(&mut self, values: &[f32], columns: usize) -> Result<Vec<f32>> {
        let rows = values.len() / columns;
        let ready = match self.ready.take().filter(|ready| ready.rows == rows) {
            Some(ready) => self.ready.insert(ready),
            None => self.ready.insert(Ready::new(self.ae, self.way, [rows, columns])?),
        };
        ready.program.write(ready.input, values)?;
        ready.program.run(1)?;
        ready.program.read(ready.output)
    }

    /// The mean of (x - y)^2 over each row.
    fn errors(&mut self, mut rows: Vec<f32>) -> Result<Vec<f64>> {
        let y = self.run(&mut rows)?;
        let columns = self.ae.inputs();
        Ok(rows.chunks(columns).zip(y.chunks(columns)).map(|(x, y)| mean_square(x, y)).collect())
    }
}

impl Ready {
    fn new(ae: &Autoencoder, way: Way, shape: [usize; 2]) -> Result<Ready> {
        let mut tape = Tape::plan(ae.device());
        let input = tape.input(&Tensor::zeros(ae.device(), &shape)?)?;
        let output = way.on(ae, &mut tape, input)?;
        Ok(Ready { rows: shape[0], program: tape.compile()?, input, output })
    }
}

pub(crate) fn mean_square(x: &[f32], y: &[f32]) -> f64 {
    let square = |(&x, &y): (&f32, &f32)| (f64::from(x) - f64::from(y)).powi(2);
    x.iter().zip(y).map(square).sum::<f64>() / x.len() as f64
}

/// Of probabilities x and logits z.
fn mean_cross_entropy(x: &[f32], z: &[f32]) -> f64 {
    let entropy = |(&x, &z): (&f32, &f32)| {
        let (x, z) = (f64::from(x), f64::from(z));
        z.max(0.0) - z * x + libm::log1p(libm::exp(-z.abs()))
    };
    x.iter().zip(z).map(entropy).sum::<f64>() / x.len() as f64
}

#[cfg(test)]
mod tests {
    use super::contamination;
    use crate::{Autoencoder, Device, data};

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
