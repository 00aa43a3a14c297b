//! How fast an op is, together with its error against the oracle: a speed without it proves nothing.

use super::data::Kind;
use super::judge::Prepared;
use super::layout::Layout;
use super::reference;
use super::row::{Given, Row};
use crate::nn::Objective;
use crate::op::Op;
use crate::time::{Duration, Instant};
use crate::train::Step;
use crate::{AdamConfig, Autoencoder, Cost, Device, Error, Program, Result, Shape, Tape, Tensor, data};

/// How long one op, or one training step, takes on a device.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The device, as `Device::open` takes it.
    pub device: String,
    /// The op's name, or `step`.
    pub what: String,
    /// How the device ran it: [`Program::rung`].
    pub rung: &'static str,
    /// Its sizes: {batch, inputs, outputs} of a dense layer's products, {batch, widths..} of a step, the dimensions
    /// otherwise.
    pub shape: Vec<usize>,
    /// Milliseconds of one run.
    pub ms: Spread,
    /// The least that it costs.
    pub cost: Cost,
    /// The worst error against the f64 oracle, as a fraction of its bound. For a step it is the error of the loss,
    /// whose bound is 1e-5 of it.
    pub worst: f64,
    /// What is wrong with the result, if anything is.
    pub wrong: Option<String>,
}

/// The spread of several measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The median.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Timing {
    /// GFLOP/s of the median: 10^9 floating-point operations per second.
    pub fn gflops(&self) -> f64 {
        self.cost.flops as f64 / self.ms.median / 1e6
    }

    /// GB/s of the median: 10^9 bytes per second, each operand counted once.
    pub fn gigabytes(&self) -> f64 {
        self.cost.bytes as f64 / self.ms.median / 1e6
    }
}

/// The number of measurements.
const SAMPLES: usize = 15;
/// The shortest duration of a measurement, so that the clock's resolution and submissions do not matter.
const SAMPLE: Duration = Duration::from_millis(8);
/// Products with more multiply-adds would keep the naive oracle busy for minutes.
const MOST: u64 = 1 << 33;
/// From this number of elements, an op with its f64 reference is too large for the memory of a usual machine.
const MOST_HELD: usize = 1 << 27;
/// The allowed relative error of a step's loss.
const LOSS_BOUND: f64 = 1e-5;
/// The rows that steps draw their batches from.
const ROWS: usize = 4096;

/// The ops that [`bench()`] times, each with the sizes of the article's network.
pub fn benched() -> Vec<(&'static str, Vec<usize>)> {
    super::ops::sizes()
}

/// Times one of [`benched`] on random numbers and compares its first result with the oracle.
///
/// ```
/// use narrows::{Device, verify};
/// let timing = verify::bench(&Device::cpu()?, "dense", &[32, 64, 16])?;
/// assert!(timing.wrong.is_none() && timing.ms.least > 0.0);
/// # Ok::<(), narrows::Error>(())
/// ```
///
/// # Errors
/// When the op can't be timed, the sizes do not suit it, or the device fails.
pub fn bench(device: &Device, op: &str, shape: &[usize]) -> Result<Timing> {
    let (op, given) = sized(op, shape)?;
    let prepared = Prepared::new(Row { op, given, kind: Kind::Reals, seed: 1, layout: Layout::Start });
    let verdict = prepared.run(device);
    let op = prepared.on(device)?;
    let cost = op.cost();
    let (ms, rung) = time(device, op)?;
    let wrong = verdict.wrong.map(|wrong| wrong.problem);
    Ok(Timing {
        device: device.id().into(),
        what: prepared.row.name().into(),
        rung,
        shape: shape.into(),
        ms,
        cost,
        worst: verdict.worst,
        wrong,
    })
}

fn sized(op: &str, shape: &[usize]) -> Result<(Op<Shape>, Given)> {
    let known: Vec<&str> = benched().iter().map(|(op, _)| *op).collect();
    if !known.contains(&op) {
        let remedy = format!("Use step or one of {}.", known.join(", "));
        return Err(Error::argument("bench", format!("`{op}` is not an op that can be timed"), remedy));
    }
    let elements = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).unwrap_or(usize::MAX);
    let refuse = |why: String, remedy: &str| Err(Error::argument("shape", why, remedy));
    if elements == 0 {
        return refuse(format!("{shape:?} has no elements"), "Use sizes above 0.");
    }
    let product = matches!((op, shape.len()), ("dense" | "dense_dx" | "dense_dw", 3));
    if product && elements as u64 > MOST {
        let why = format!("{shape:?} are {elements} multiply-adds, and the f64 reference would take minutes");
        return refuse(why, "Use at most 2048 cubed.");
    }
    // A gather takes its batch from rows x columns.
    let held = if op == "gather" { shape.iter().take(2).fold(1usize, |n, &d| n.saturating_mul(d)) } else { elements };
    if !product && held >= MOST_HELD {
        let why = format!("{shape:?} has {held} elements, and with the f64 reference they would take gigabytes");
        return refuse(why, "Use fewer than 2^27.");
    }
    match super::ops::sized(op, shape)? {
        Some(sized) => Ok(sized),
        None => refuse(
            format!("{shape:?} for {op}"),
            match op {
                "gather" => "Name rows, columns and batch, such as 4096x784x128.",
                "xent" | "xent_grad" => "Name rows and classes, such as 128x10.",
                "dense_db" | "rows" => "Name batch and outputs, such as 128x784.",
                _ => "Name batch, inputs and outputs, such as 128x784x128.",
            },
        ),
    }
}

/// Times the training step that `fit` runs, on an autoencoder with these widths from the input to the code: rows drawn,
/// forward, mean squared error, backward, Adam. The first step's loss is compared with f64.
///
/// # Errors
/// When there are fewer than two widths, a width or the batch is 0, or the device fails.
pub fn bench_step(device: &Device, batch: usize, widths: &[usize]) -> Result<Timing> {
    let [inputs, hidden @ .., code] = widths else {
        return Err(Error::argument(
            "shape",
            format!("{widths:?} are not the widths of a network"),
            "Name those of the input and of the code at least.",
        ));
    };
    let held = batch.max(ROWS).saturating_mul(widths.iter().copied().max().unwrap_or(0));
    if batch == 0 || held >= MOST_HELD {
        let problem = format!("a batch of {batch} rows through widths of {widths:?}");
        let remedy = format!("Use a batch of at least 1; it and {ROWS}, times the largest width, have to stay below 2^27.");
        return Err(Error::argument("shape", problem, remedy));
    }
    let ae = Autoencoder::builder(*inputs).hidden(hidden).code(*code).build(device)?;
    let rows: Vec<f32> = match inputs {
        784 => data::digits(0, 0..ROWS as u32).rows_f32(0..ROWS),
        _ => super::data::numbers(Kind::Reals, ROWS * inputs, 1, 0, 8, &[]).into_iter().map(|x| x.abs().fract()).collect(),
    };
    let data = Tensor::new(device, &rows, &[ROWS, *inputs])?;
    let mut step = Step::training(ae.params(), &data, AdamConfig::default(), &[], 1)?;
    let mut tape = Tape::plan(device);
    step.record(&mut tape, batch, |on, x| Objective::default().record(&ae, on, x))?;
    let mut program = tape.compile()?;
    let first = rows.iter().cycle().take(batch * inputs).map(|&x| f64::from(x)).collect();
    let oracle = loss_in_f64(&ae, first)?;
    program.run(1)?;
    let worst = (f64::from(step.losses()?[0].1[0]) - oracle).abs() / (LOSS_BOUND * oracle);
    let cost = program.cost();
    let ms = spread(|runs| run(&mut program, &step, runs))?;
    let wrong = (worst.is_nan() || worst > 1.0).then(|| format!("the loss is {worst:.1} times its bound from that in f64, {oracle}"));
    let shape = std::iter::once(batch).chain(widths.iter().copied()).collect();
    Ok(Timing { device: device.id().into(), what: "step".into(), rung: program.rung(), shape, ms, cost, worst, wrong })
}

fn run(program: &mut Program, step: &Step, runs: usize) -> Result<()> {
    program.run(runs)?;
    step.losses().map(drop)
}

/// The mean squared error of rows by the oracle's formulas.
fn loss_in_f64(ae: &Autoencoder, x: Vec<f64>) -> Result<f64> {
    let batch = x.len() / ae.inputs();
    let mut h = x.clone();
    let layers = ae.widths().len() - 1;
    let back: Vec<usize> = ae.widths().iter().rev().copied().collect();
    for (half, widths) in [("encoder", ae.widths()), ("decoder", &back)] {
        for (layer, pair) in widths.windows(2).enumerate() {
            let read = |part: &str| -> Result<Vec<f64>> {
                let values = ae.params().read(&format!("{half}.{}.{part}", 2 * layer))?;
                Ok(values.into_iter().map(f64::from).collect())
            };
            h = reference::dense(&h, &read("weight")?, Some(&read("bias")?), [batch, pair[0], pair[1]]).value;
            if layer + 1 < layers {
                h.iter_mut().for_each(|h| *h = reference::relu(*h));
            }
        }
    }
    h.iter_mut().for_each(|h| *h = reference::sigmoid(*h));
    Ok(x.iter().zip(&h).fold(0.0, |sum, (x, y)| sum + (x - y).powi(2)) / x.len() as f64)
}

/// Times an op, and says at which rung. The first element of its result is read to know when the device is done.
fn time(device: &Device, op: Op) -> Result<(Spread, &'static str)> {
    let written = op.result().clone();
    let one = written.part(0, Shape::new(&[1])?).unwrap_or(written);
    let mut bytes = vec![0; one.len() * one.dtype().size()];
    // A program does a fill that nothing overwrites once, before its first step. Two overwrite each other in every
    // step.
    let again = match &op {
        Op::Fill { y, value } => Some(Op::Fill { y: y.clone(), value: value + 1.0 }),
        _ => None,
    };
    let ops: Vec<Op> = [Some(op), again].into_iter().flatten().collect();
    let mut list = device.compile(&ops)?;
    let ms = spread(|runs| {
        list.run(runs)?;
        device.backend().read(&one, &mut bytes)
    })?;
    let each = |ms: f64| ms / ops.len() as f64;
    Ok((Spread { least: each(ms.least), median: each(ms.median), most: each(ms.most) }, list.rung()))
}

/// Milliseconds of one of the runs of `f(runs)`.
fn spread(mut f: impl FnMut(usize) -> Result<()>) -> Result<Spread> {
    let mut timed = |runs: usize| -> Result<Duration> {
        let start = Instant::now();
        f(runs)?;
        Ok(start.elapsed().max(Duration::from_nanos(1)))
    };
    timed(1)?;
    let mut runs = 1;
    loop {
        let took = timed(runs)?;
        if took >= SAMPLE || runs >= 1 << 20 {
            break;
        }
        // At most eight times more, since the first runs are slower than later ones.
        runs = (runs as f64 * (1.2 * SAMPLE.as_secs_f64() / took.as_secs_f64()).clamp(1.5, 8.0)).ceil() as usize;
    }
    let mut ms = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        ms.push(timed(runs)?.as_secs_f64() * 1e3 / runs as f64);
    }
    ms.sort_by(f64::total_cmp);
    Ok(Spread { least: ms[0], median: ms[SAMPLES / 2], most: ms[SAMPLES - 1] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_op_that_can_be_timed_is_right_at_a_small_size() {
        let device = Device::cpu().unwrap();
        for (op, shape) in benched() {
            let small: Vec<usize> = shape.iter().map(|d| d / 16).collect();
            let timing = bench(&device, op, &small).unwrap();
            assert_eq!((timing.what.as_str(), &timing.wrong), (op, &None));
            assert!(timing.ms.least > 0.0 && timing.ms.least <= timing.ms.median && timing.ms.median <= timing.ms.most);
            assert!(timing.cost.bytes > 0 && timing.gigabytes() > 0.0 && timing.worst <= 1.0);
        }
        let step = bench_step(&device, 8, &[20, 12, 4]).unwrap();
        assert!(step.wrong.is_none() && step.worst > 0.0 && step.gflops() > 0.0, "{step:?}");
    }

    #[test]
    fn a_fill_is_timed_where_it_is_done() {
        let timing = bench(&Device::cpu().unwrap(), "fill", &[128, 784]).unwrap();
        assert!(timing.gigabytes() < 10_000.0, "{timing:?}");
    }

    #[test]
    fn sizes_that_do_not_suit_are_refused() {
        let device = Device::cpu().unwrap();
        for (op, shape) in [
            ("dens", &[1][..]),
            ("dense", &[8, 8]),
            ("gather", &[8]),
            ("relu", &[0]),
            ("dense", &[1 << 20, 1 << 20, 9]),
            ("relu", &[1, 1, 1, 1, 1]),
            ("dense_db", &[65_536, 65_536]),
            ("rows", &[65_536, 65_536]),
            ("gather", &[65_536, 65_536, 1]),
            ("gather", &[4096, 784, 100_000_000]),
            ("dense", &[65_536, 65_536, 1]),
            ("copy", &[usize::MAX, 3]),
        ] {
            assert!(matches!(bench(&device, op, shape), Err(Error::Argument { .. } | Error::Op { .. })), "{op} {shape:?}");
        }
        for (batch, widths) in [(8, &[784][..]), (8, &[784, 0]), (0, &[784, 3])] {
            assert!(bench_step(&device, batch, widths).is_err(), "{batch} {widths:?}");
        }
    }
}
