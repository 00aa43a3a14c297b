//! Lists in which there is something to put together: networks, layers with what follows them, gradients with their
//! updates, the ends of steps.

use super::{Dice, World, training};
use crate::device::View;
use crate::nn::{Activation, Builder, Loss};
use crate::op::{AdamHyper, Map, Op, Term, Zip};
use crate::verify::programs::bits;
use crate::{Autoencoder, Device, Dtype, Shape};

/// Builds a list on a device; the same one for the same seed.
pub(in crate::backend) type Make = dyn Fn(&Device, u64) -> Vec<Op>;

/// A training step of a small network. The sizes lie on both sides of tiles, blocks of terms and groups of four.
pub(in crate::backend) fn network(device: &Device, seed: u64) -> Vec<Op> {
    let mut dice = Dice(seed);
    let mut width = |of: &[usize]| of[dice.below(of.len())];
    let inputs = width(&[5, 16, 36, 300, 513]);
    let hidden: Vec<usize> = (0..width(&[0, 1, 2, 5])).map(|_| width(&[1, 7, 32, 33, 64, 130])).collect();
    let code = width(&[1, 2, 8, 31]);
    let batch = width(&[1, 3, 32, 65, 128, 300]);
    let acts = [Activation::Relu, Activation::Leaky, Activation::Tanh, Activation::Sigmoid, Activation::Silu];
    let act = acts[width(&[0, 0, 0, 1, 2, 3, 4])];
    let deep = !hidden.is_empty();
    let mut ae: Builder = Autoencoder::builder(inputs).hidden(hidden).code(code);
    if deep {
        ae = ae.activation(act);
    }
    if deep && width(&[0, 0, 1]) == 1 {
        ae = ae.dropout(0.25);
    }
    if width(&[0, 0, 0, 1]) == 1 {
        ae = ae.tied();
    }
    let loss = [Loss::Mse, Loss::Bce][width(&[0, 1])];
    let clip = [None, Some(0.5)][width(&[0, 0, 1])];
    let mut ops = training(device, ae, loss, clip, batch, 400).unwrap().0;
    // Ops that somebody else wrote in between, so that the order of what is grouped matters.
    for _ in 0..width(&[0, 0, 1, 3]) {
        let at = width(&(1..ops.len()).collect::<Vec<_>>());
        let all: Vec<_> = ops.iter().map(|op| op.result().clone()).filter(|view| view.dtype() == Dtype::F32).collect();
        let x = all[width(&(0..all.len()).collect::<Vec<_>>())].clone();
        ops.insert(
            at,
            match width(&[0, 1]) {
                0 => Op::Scale { x: x.clone(), y: x, factor: 0.75 },
                _ => Op::Zip { f: Zip::Add, a: x.clone(), b: x.clone(), y: x },
            },
        );
    }
    ops
}

/// Views with random numbers on a device.
pub(in crate::backend) struct Maker<'a> {
    device: &'a Device,
    dice: Dice,
}

impl Maker<'_> {
    pub(in crate::backend) fn view(&mut self, dims: &[usize]) -> View {
        let view = self.device.alloc(Dtype::F32, Shape::new(dims).unwrap()).unwrap();
        let numbers: Vec<f32> = (0..view.len()).map(|_| self.dice.below(4001) as f32 / 1000.0 - 2.0).collect();
        self.device.backend().write(&view, bytemuck::cast_slice(&numbers)).unwrap();
        view
    }

    pub(in crate::backend) fn clock(&mut self) -> View {
        let clock = self.device.alloc(Dtype::U32, Shape::new(&[2]).unwrap()).unwrap();
        self.device.backend().write(&clock, bytemuck::cast_slice(&[3u32, 1])).unwrap();
        clock
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.below(all.len())]
    }
}

pub(in crate::backend) fn maker(device: &Device, seed: u64) -> Maker<'_> {
    Maker { device, dice: Dice(seed) }
}

/// A product with every tail that a layer can have.
pub(in crate::backend) fn layers(device: &Device, seed: u64) -> Vec<Op> {
    let mut make = maker(device, seed);
    let (b, i, o) = (make.of(&[1, 33, 128, 128]), make.of(&[1, 30, 128, 256, 257, 784]), make.of(&[1, 17, 32, 784, 784]));
    let f = Map::ALL[seed as usize % Map::ALL.len()];
    let (x, w, y) = (make.view(&[b, i]), make.view(&[o, i]), make.view(&[b, o]));
    let with_bias = make.of(&[true, true, false]);
    let bias = with_bias.then(|| make.view(&[o]));
    let next = |make: &mut Maker| make.view(&[b, o]);
    let mut ops = match make.of(&[0, 1]) {
        0 => vec![Op::Dense { x, w, b: bias, y: y.clone() }],
        _ => {
            let w = make.view(&[i, o]);
            vec![Op::DenseDx { dz: x, w, dx: y.clone() }]
        }
    };
    let (first, second, third) = (next(&mut make), next(&mut make), next(&mut make));
    let (at, target, dy) = (next(&mut make), next(&mut make), make.view(&[1]));
    match make.of(&[0, 1, 2, 3, 4]) {
        0 => ops.push(Op::Map { f, x: y, y: first }),
        1 => ops.push(Op::MapGrad { f, x: at, dy: y, dx: first }),
        2 => {
            let term = make.of(&[Term::Mse, Term::Bce]);
            ops.push(Op::ReduceGrad { f: term, x: Some(y), other: Some(target), dy, dx: first, scale: 0.25 });
        }
        3 => {
            ops.push(Op::ReduceGrad { f: Term::Mse, x: Some(y), other: Some(target), dy, dx: second.clone(), scale: 0.25 });
            ops.push(Op::MapGrad { f, x: at, dy: second, dx: third });
        }
        _ => {
            ops.push(Op::Map { f, x: y.clone(), y: first.clone() });
            ops.push(Op::ReduceGrad { f: Term::Mse, x: Some(first), other: Some(target), dy, dx: second.clone(), scale: 0.25 });
            ops.push(Op::MapGrad { f, x: y, dy: second, dx: third });
        }
    }
    ops
}

/// Layers one behind the other, forward and backward.
pub(in crate::backend) fn chains(device: &Device, seed: u64) -> Vec<Op> {
    let mut make = maker(device, seed);
    let mut b = make.of(&[1, 3, 64, 128]);
    let backward = make.of(&[false, true]);
    // The lines of the weights are multiples of 4: rows of terms forward, of results backward.
    let mut width = make.of(&[if backward { 13 } else { 12 }, 64, 128, 256]);
    let mut x = make.view(&[b, width]);
    let mut ops = Vec::new();
    for n in 0..make.of(&[2, 3, 5]) {
        let (before, f) = (width, Map::ALL[(seed as usize + n) % Map::ALL.len()]);
        width = make.of(&[4, 8, 32, 36, 132]);
        let (y, mut z, at) = (make.view(&[b, width]), make.view(&[b, width]), make.view(&[b, width]));
        // Sometimes the function sees half as many rows of twice the width.
        if b.is_multiple_of(2) && width <= 32 && make.of(&[false, false, true]) {
            z = View { shape: Shape::new(&[b / 2, 2 * width]).unwrap(), ..z };
        }
        if backward {
            let w = make.view(&[before, width]);
            ops.push(Op::DenseDx { dz: x, w, dx: y.clone() });
            ops.push(Op::MapGrad { f, x: at, dy: y, dx: z.clone() });
        } else {
            let (w, bias) = (make.view(&[width, before]), make.view(&[width]));
            ops.push(Op::Dense { x, w, b: Some(bias), y: y.clone() });
            ops.push(Op::Map { f, x: y, y: z.clone() });
        }
        [b, width] = [z.shape.rows(), z.shape.columns()];
        x = z;
    }
    ops
}

/// Gradients of several layers with their updates.
pub(in crate::backend) fn gradients(device: &Device, seed: u64) -> Vec<Op> {
    let mut make = maker(device, seed);
    let b = make.of(&[1, 5, 64, 128, 300]);
    let sizes: Vec<[usize; 2]> = (0..make.of(&[1, 2, 4])).map(|_| [make.of(&[3, 32, 70]), make.of(&[1, 32, 65])]).collect();
    let all: usize = sizes.iter().map(|[i, o]| i * o + o).sum();
    let [p, g, m, v] = [0; 4].map(|_| make.view(&[all]));
    let mut ops = vec![Op::Fill { y: v.clone(), value: 0.5 }];
    let mut at = 0;
    for [i, o] in sizes {
        let (dz, x) = (make.view(&[b, o]), make.view(&[b, i]));
        let mut part = |shape: &[usize]| {
            let view = g.part(at, Shape::new(shape).unwrap()).unwrap();
            at += view.len();
            view
        };
        let (dw, db) = (part(&[o, i]), part(&[o]));
        ops.extend([Op::DenseDw { dz: dz.clone(), x, dw }, Op::DenseDb { dz, db }]);
    }
    let (table, clock) = (make.view(&[2, 4]), make.clock());
    ops.push(Op::Adam { p, g, m, v, table, clock, hyper: AdamHyper { w1: 0.1, beta2: 0.99, w2: 0.01, eps: 1e-8 } });
    ops
}

/// Sums and numbers that are stored before the clock advances.
pub(in crate::backend) fn ends(device: &Device, seed: u64) -> Vec<Op> {
    let mut make = maker(device, seed);
    let clock = make.clock();
    let mut ops = Vec::new();
    for n in 0..1 + seed as usize % 3 {
        let number = make.view(&[1]);
        if n < seed as usize / 3 {
            let (x, f) = (make.view(&[9000]), make.of(&[Term::Sum, Term::AbsSum]));
            ops.push(Op::Reduce { f, x, other: None, parts: make.view(&[3]), y: number.clone(), scale: 0.5 });
        }
        ops.push(Op::Store { x: number, clock: clock.clone(), ring: make.view(&[5]) });
    }
    ops.push(Op::Advance { clock, rows: 2, period: 4 });
    ops
}

pub(in crate::backend) fn random(device: &Device, seed: u64) -> Vec<Op> {
    World::new(device, seed, 30).ops
}

/// A list runs as often as one list: what differs then from its ops one by one, if something does.
pub(in crate::backend) fn difference(gpu: &Device, make: &Make, seed: u64, steps: usize) -> (Option<String>, String) {
    let eager = make(gpu, seed);
    (0..steps).flat_map(|_| &eager).for_each(|op| gpu.backend().run(op).unwrap());
    let ops = make(gpu, seed);
    let mut program = gpu.compile(&ops).unwrap();
    program.run(steps).unwrap();
    let (got, want) = (bits(&ops).unwrap(), bits(&eager).unwrap());
    let differs = |view: usize| (0..want[view].len()).find(|&i| got[view][i] != want[view][i]);
    let first = (0..want.len()).find_map(|view| differs(view).map(|i| (view, i)));
    let text = first.map(|(view, i)| format!("seed {seed}, view {view}, element {i}: {:x} and not {:x}", got[view][i], want[view][i]));
    (text, program.plan())
}
