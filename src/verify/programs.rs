//! Programs: steps of training at each rung of a device, against the same list op by op. Where the device gives the
//! contract's bits, every operand must end with those of the list; in WGSL it must end near them.

use super::report::{Failure, KEPT, Mismatch, OpReport};
use crate::device::{Executable, LIST, View};
use crate::nn::{Activation, Builder, CodeActivation, Corruption, Objective, Sparsity, TopK};
use crate::op::{Op, Operand, Role};
use crate::train::Step;
use crate::{AdamConfig, Autoencoder, Device, DeviceKind, Dtype, Loss, Result, Tape, Tensor};

/// How far an operand may be off in WGSL, as a share of the largest of its numbers: a driver may round fewer times in a
/// launch of several ops.
const NEAR: f64 = 1e-3;
const STEPS: usize = 3;
/// Small, because Adam makes whole steps even of gradients that are mere roundings.
const RATE: f64 = 1e-5;

/// A training of which some steps are run.
struct Training {
    name: &'static str,
    ae: Builder,
    objective: Objective,
    clip_norm: Option<f32>,
    batch: usize,
}

/// The article's network, and every part of the family at sizes that fit no tile.
fn trainings() -> Vec<Training> {
    let plain = Objective::new(Loss::Mse);
    let of = |name, ae, objective| Training { name, ae, objective, clip_norm: None, batch: 33 };
    let net = |layers: &[usize]| Autoencoder::builder(37).layers(layers);
    vec![
        Training { batch: 128, ..of("784-128-64-32", Autoencoder::builder(784).hidden([128, 64]).code(32), plain) },
        Training { clip_norm: Some(0.5), ..of("clipped", net(&[65, 17, 3]).activation(Activation::Leaky), plain) },
        of("variational", net(&[24, 5]).variational(), Objective::new(Loss::Bce)),
        of("denoising, dropout, tied", net(&[40, 9]).tied().dropout(0.1), Objective { corruption: Some(Corruption::Mask(0.3)), ..plain }),
        of("top-k", net(&[64]).sparse(TopK::Row(4)), plain),
        of(
            "sparse by divergence",
            net(&[30]).code_activation(CodeActivation::Sigmoid),
            Objective { sparsity: Some(Sparsity::Kl { rho: 0.05, weight: 0.1 }), ..plain },
        ),
        of("contractive", net(&[20, 6]).activation(Activation::Tanh), Objective { contraction: 1e-3, ..plain }),
    ]
}

/// A training recorded on a device. What the ops read lives as long as the ops; what the host prepares for each step
/// comes with it.
fn recorded(device: &Device, training: &Training) -> Result<(Vec<Op>, Step)> {
    let ae = training.ae.clone().build(device)?;
    let (rows, columns) = (2 * training.batch + 1, ae.inputs());
    let numbers: Vec<f32> = (0..rows * columns).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect();
    let data = Tensor::new(device, &numbers, &[rows, columns])?;
    let config = AdamConfig { learning_rate: RATE, ..AdamConfig::default() };
    let mut step = Step::training(ae.params(), &data, config, &[], STEPS)?.clip_norm(training.clip_norm);
    let mut tape = Tape::plan(device);
    step.record(&mut tape, training.batch, |on, x| training.objective.record(&ae, on, x))?;
    Ok((tape.ops().to_vec(), step))
}

/// Every operand that is more than workspace, in the order of the list.
fn operands(ops: &[Op]) -> impl Iterator<Item = (&'static str, &'static str, View)> {
    let of = |op: &Op| {
        let named = |o: Operand<View>| (op.name(), o.name, o.of.clone());
        op.form().operands().filter(|o| o.role != Role::Scratch).map(named).collect::<Vec<_>>()
    };
    ops.iter().flat_map(of).collect::<Vec<_>>().into_iter()
}

/// The words of a view; bytes are words of their own.
fn words(view: &View) -> Result<Vec<u32>> {
    let mut bytes = vec![0u8; view.len() * view.dtype().size()];
    view.device().backend().read(view, &mut bytes)?;
    let word = |b: &[u8]| b.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
    Ok(bytes.chunks(view.dtype().size()).map(word).collect())
}

/// The bits of all operands of a list; a NaN is a NaN, whichever.
pub(crate) fn bits(ops: &[Op]) -> Result<Vec<Vec<u32>>> {
    let plain = |(_, _, view): (_, _, View)| {
        let nan = |bits: u32| view.dtype() == Dtype::F32 && f32::from_bits(bits).is_nan();
        Ok(words(&view)?.into_iter().map(|bits| if nan(bits) { u32::MAX } else { bits }).collect())
    };
    operands(ops).map(plain).collect()
}

/// Steps of each training at each rung of the device but the list.
pub(super) fn run(device: &Device) -> Vec<OpReport> {
    let new = |rung| OpReport { op: rung, cases: 0, bit_for_bit: 0, worst: 0.0, failed: 0, failures: Vec::new() };
    let mut reports: Vec<OpReport> = device.info().rungs.iter().filter(|rung| **rung != LIST).map(|&rung| new(rung)).collect();
    for training in trainings() {
        for report in &mut reports {
            if let Err(error) = compare(device, &training, report) {
                report.cases += 1;
                report.fail(device, training.name.into(), error.to_string(), None);
            }
        }
    }
    reports
}

/// Adds the operands of one training.
fn compare(device: &Device, training: &Training, report: &mut OpReport) -> Result<()> {
    let left = |rung: &str| -> Result<_> {
        let (ops, _step) = recorded(device, training)?;
        let mut list: Box<dyn Executable> = device.compile_at(&ops, rung)?;
        list.run(STEPS)?;
        Ok((bits(&ops)?, ops))
    };
    let (want, _) = left(crate::device::LIST)?;
    let (got, ops) = left(report.op)?;
    for ((got, want), (op, name, view)) in got.iter().zip(&want).zip(operands(&ops)) {
        report.cases += 1;
        report.bit_for_bit += usize::from(got == want);
        let exact = device.info().kind != DeviceKind::Wgpu || view.dtype() != Dtype::F32;
        let number = |bits: u32| if view.dtype() == Dtype::F32 { f64::from(f32::from_bits(bits)) } else { f64::from(bits) };
        let largest = want.iter().map(|&bits| number(bits).abs()).filter(|x| x.is_finite()).fold(0.0, f64::max);
        let bound = if exact { 0.0 } else { NEAR * largest };
        let over = |i: usize| match (number(got[i]) - number(want[i])).abs() {
            _ if got[i] == want[i] => 0.0,
            off if bound > 0.0 && off.is_finite() => off / bound,
            _ => f64::INFINITY,
        };
        let worst = (0..want.len()).map(over).fold(0.0, f64::max);
        report.worst = report.worst.max(worst);
        if let Some(index) = (0..want.len()).find(|&i| over(i) > 1.0) {
            let value = Mismatch { index, got: number(got[index]), expected: number(want[index]), bound };
            report.fail(device, format!("{}, {STEPS} steps", training.name), format!("{name} of {op} is not the list's"), Some(value));
        }
    }
    Ok(())
}

impl OpReport {
    fn fail(&mut self, device: &Device, case: String, problem: String, value: Option<Mismatch>) {
        self.failed += 1;
        if self.failures.len() < KEPT {
            self.failures.push(Failure { op: self.op, device: device.id().into(), case, problem, value });
        }
    }
}
