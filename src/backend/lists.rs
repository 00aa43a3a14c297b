//! Lists of ops for the tests of all backends: a compiled list must leave what its ops leave one by one.

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod makers;

use crate::device::View;
use crate::nn::{Builder, Objective};
use crate::op::{Op, Reach};
use crate::train::Step;
use crate::verify::{ops, row};
use crate::{AdamConfig, Autoencoder, Device, Dtype, Loss, Shape, Tape, Tensor};
use std::sync::LazyLock;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(super) use makers::{Make, chains, difference, ends, gradients, layers, maker, network, random};

/// A small generator: what is random here has to be the same on every device.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// The names of all ops of the table.
pub(super) static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| row::names(&row::all()));
/// Those of which the sizes are three, and those of which they are two.
const THREE: [&str; 4] = ["dense", "dense_dx", "dense_dw", "gather"];
const TWO: [&str; 9] = ["dense_db", "rows", "cut", "merge_topk", "select", "idle", "dead", "xent", "xent_grad"];

/// Buffers of a device, and a random list of ops on them.
pub(super) struct World {
    buffers: Vec<View>,
    /// Cuts and counters.
    integers: View,
    clock: View,
    pub(super) ops: Vec<Op>,
}

pub(super) const ELEMENTS: usize = 12_000;
const INTEGERS: usize = 256;

impl World {
    pub(super) fn new(device: &Device, seed: u64, count: usize) -> World {
        let mut dice = Dice(seed);
        let alloc = |dtype, n: usize| device.alloc(dtype, Shape::new(&[n]).unwrap()).unwrap();
        let buffers: Vec<View> = (0..5).map(|_| alloc(Dtype::F32, ELEMENTS)).collect();
        for buffer in &buffers {
            let numbers: Vec<f32> = (0..ELEMENTS).map(|_| dice.below(2001) as f32 / 1000.0 - 1.0).collect();
            device.backend().write(buffer, bytemuck::cast_slice(&numbers)).unwrap();
        }
        let (clock, order, bytes) = (alloc(Dtype::U32, 2), alloc(Dtype::U32, 64), alloc(Dtype::U8, 4096));
        let numbers: Vec<u32> = (0..64).map(|_| dice.below(70) as u32).collect();
        device.backend().write(&order, bytemuck::cast_slice(&numbers)).unwrap();
        // Neither the first row of the order nor the first entry of a ring.
        device.backend().write(&clock, bytemuck::cast_slice(&[4u32, 1])).unwrap();
        device.backend().write(&bytes, &(0..4096).map(|_| dice.below(256) as u8).collect::<Vec<_>>()).unwrap();
        let integers = alloc(Dtype::U32, INTEGERS);
        let numbers: Vec<u32> = (0..INTEGERS).map(|_| dice.below(2000) as u32).collect();
        device.backend().write(&integers, bytemuck::cast_slice(&numbers)).unwrap();
        let mut world = World { buffers, integers, clock, ops: Vec::new() };
        while world.ops.len() < count {
            let op = world.random(&mut dice, &order, &bytes);
            if op.check().is_ok() {
                world.ops.push(op);
            }
        }
        world
    }

    /// A view of some buffer, at an offset where others are likely to begin as well.
    fn view(&self, dice: &mut Dice, shape: &[usize]) -> View {
        let shape = Shape::new(shape).unwrap();
        let starts = [0, 0, 0, 5, 64, 1000, 4096, ELEMENTS - shape.len()];
        loop {
            let buffer = &self.buffers[dice.below(self.buffers.len())];
            if let Some(view) = buffer.part(starts[dice.below(starts.len())], shape) {
                return view;
            }
        }
    }

    /// Some op of the table, which `Op::check` may refuse.
    fn random(&self, dice: &mut Dice, order: &View, bytes: &View) -> Op {
        let sizes = [1, 2, 3, 8, 17, 32, 33, 64];
        let [b, i, o] = [0; 3].map(|_| sizes[dice.below(sizes.len())]);
        let name = NAMES[dice.below(NAMES.len())];
        let dims: &[usize] = match name {
            _ if THREE.contains(&name) => &[b, i, o],
            _ if TWO.contains(&name) => &[b, i],
            // With rows, which threads keep, or without.
            _ if dice.below(3) == 0 => &[b * i],
            _ => &[b, i],
        };
        let (mut op, _) = ops::sized(name, dims).unwrap().unwrap();
        if let Op::Dense { b, .. } = &mut op
            && dice.below(2) == 0
        {
            *b = None;
        }
        let form = op.form();
        let about: Vec<_> = form.operands().map(|operand| (operand.name, operand.reach, operand.types[0])).collect();
        // In place: the result is the first or the second operand.
        let first = dice.below(4);
        let same = form.in_place && first + 1 < about.len() && about[first].1 == Reach::Each;
        let mut views: Vec<View> = Vec::new();
        op.map(|shape| {
            let (name, reach, dtype) = about[views.len()];
            let view = match (name, reach) {
                ("order", _) => order.part(0, *shape).unwrap(),
                ("data", _) if dice.below(2) == 0 => bytes.part(0, *shape).unwrap(),
                (_, Reach::Clock) => self.clock.clone(),
                _ if dtype == Dtype::U32 => self.integers.part(dice.below(2) * (INTEGERS - shape.len()), *shape).unwrap(),
                _ if same && views.len() == about.len() - 1 => views[first].clone(),
                _ => self.view(dice, shape.dims()),
            };
            views.push(view.clone());
            view
        })
    }

    /// All numbers; a NaN is a NaN, whichever.
    pub(super) fn state(&self, device: &Device) -> Vec<u32> {
        let read = |view: &View| {
            let mut bits = vec![0u32; view.len()];
            device.backend().read(view, bytemuck::cast_slice_mut(&mut bits)).unwrap();
            bits
        };
        let same = |bits: u32| if f32::from_bits(bits).is_nan() { u32::MAX } else { bits };
        self.buffers.iter().flat_map(read).map(same).chain(read(&self.integers)).chain(read(&self.clock)).collect()
    }
}

/// A training step of the article's network, with these widths.
pub(super) fn step(device: &Device, layers: &[usize], batch: usize, rows: usize) -> crate::Result<Vec<Op>> {
    let (code, hidden) = layers[1..].split_last().expect("a code");
    let builder = Autoencoder::builder(layers[0]).hidden(hidden).code(*code);
    Ok(training(device, builder, Loss::Mse, None, batch, rows)?.0)
}

/// A training step, and what it changes from step to step.
pub(super) fn training(
    device: &Device,
    ae: Builder,
    loss: Loss,
    clip_norm: Option<f32>,
    batch: usize,
    rows: usize,
) -> crate::Result<(Vec<Op>, Step)> {
    let ae = ae.build(device)?;
    let columns = ae.inputs();
    let bytes: Vec<u8> = (0..rows * columns).map(|i| if i / 7 % 3 == 0 { ((i * 2_654_435_761) >> 13) as u8 } else { 0 }).collect();
    let images = Tensor::bytes(device, &bytes, &[rows, columns])?;
    let order: Vec<u32> = (0..rows).map(|i| (i * 7919 % rows) as u32).collect();
    let mut step = Step::training(ae.params(), &images, AdamConfig::default(), &[], 4)?.clip_norm(clip_norm);
    step.set_order(&order)?;
    let mut tape = Tape::plan(device);
    step.record(&mut tape, batch, |on, x| Objective::new(loss).record(&ae, on, x))?;
    Ok((tape.ops().to_vec(), step))
}
