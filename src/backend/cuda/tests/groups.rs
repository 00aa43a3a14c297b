//! Groups against the list: a compiled list leaves the bits that its ops leave one by one.

use super::super::plan::{Planned, line, takes};
use super::{FACTS, build, cpu};
use crate::backend::lists::{Dice, World, bits, step, training};
use crate::device::View;
use crate::fuse::{Group, groups};
use crate::nn::{Activation, Builder, Loss};
use crate::op::{AdamHyper, Map, Op, Term, Zip};
use crate::{Autoencoder, Device, Dtype, Shape};
use std::fs;

/// Builds a list on a device; the same one for the same seed.
type Make = dyn Fn(&Device, u64) -> Vec<Op>;

/// A training step of a small network. The sizes lie on both sides of tiles, blocks of terms and groups of four.
fn network(device: &Device, seed: u64) -> Vec<Op> {
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
struct Maker<'a> {
    device: &'a Device,
    dice: Dice,
}

impl Maker<'_> {
    fn view(&mut self, dims: &[usize]) -> View {
        let view = self.device.alloc(Dtype::F32, Shape::new(dims).unwrap()).unwrap();
        let numbers: Vec<f32> = (0..view.len()).map(|_| self.dice.below(4001) as f32 / 1000.0 - 2.0).collect();
        self.device.backend().write(&view, bytemuck::cast_slice(&numbers)).unwrap();
        view
    }

    fn clock(&mut self) -> View {
        let clock = self.device.alloc(Dtype::U32, Shape::new(&[2]).unwrap()).unwrap();
        self.device.backend().write(&clock, bytemuck::cast_slice(&[3u32, 1])).unwrap();
        clock
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.dice.below(all.len())]
    }
}

fn maker(device: &Device, seed: u64) -> Maker<'_> {
    Maker { device, dice: Dice(seed) }
}

/// A product with every tail that a layer can have.
fn layers(device: &Device, seed: u64) -> Vec<Op> {
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
    match make.of(&[0, 1, 2, 3]) {
        0 => ops.push(Op::Map { f, x: y, y: first }),
        1 => ops.push(Op::MapGrad { f, x: at, dy: y, dx: first }),
        2 => {
            let term = make.of(&[Term::Mse, Term::Bce]);
            ops.push(Op::ReduceGrad { f: term, x: Some(y), other: Some(target), dy, dx: first, scale: 0.25 });
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
fn chains(device: &Device, seed: u64) -> Vec<Op> {
    let mut make = maker(device, seed);
    let b = make.of(&[1, 3, 64, 128]);
    let backward = make.of(&[false, true]);
    // The lines of the weights are multiples of 4: rows of terms forward, of results backward.
    let mut width = make.of(&[if backward { 13 } else { 12 }, 64, 128, 256]);
    let mut x = make.view(&[b, width]);
    let mut ops = Vec::new();
    for n in 0..make.of(&[2, 3, 5]) {
        let (before, f) = (width, Map::ALL[(seed as usize + n) % Map::ALL.len()]);
        width = make.of(&[4, 8, 32, 36]);
        let (y, z, at) = (make.view(&[b, width]), make.view(&[b, width]), make.view(&[b, width]));
        if backward {
            let w = make.view(&[before, width]);
            ops.push(Op::DenseDx { dz: x, w, dx: y.clone() });
            ops.push(Op::MapGrad { f, x: at, dy: y, dx: z.clone() });
        } else {
            let (w, bias) = (make.view(&[width, before]), make.view(&[width]));
            ops.push(Op::Dense { x, w, b: Some(bias), y: y.clone() });
            ops.push(Op::Map { f, x: y, y: z.clone() });
        }
        x = z;
    }
    ops
}

/// Gradients of several layers with their updates.
fn gradients(device: &Device, seed: u64) -> Vec<Op> {
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

/// Numbers that are stored before the clock advances.
fn ends(device: &Device, seed: u64) -> Vec<Op> {
    let mut make = maker(device, seed);
    let clock = make.clock();
    let mut ops: Vec<Op> =
        (0..1 + seed as usize % 3).map(|_| Op::Store { x: make.view(&[1]), clock: clock.clone(), ring: make.view(&[5]) }).collect();
    ops.push(Op::Advance { clock, rows: 2, period: 4 });
    ops
}

fn random(device: &Device, seed: u64) -> Vec<Op> {
    World::new(device, seed, 30).ops
}

/// A list runs as often as one list: what differs then from its ops one by one, if something does.
fn difference(gpu: &Device, make: &Make, seed: u64, steps: usize) -> (Option<String>, String) {
    let eager = make(gpu, seed);
    (0..steps).flat_map(|_| &eager).for_each(|op| gpu.backend().run(op).unwrap());
    let ops = make(gpu, seed);
    let mut program = gpu.backend().compile(&ops).unwrap();
    program.run(steps).unwrap();
    let (got, want) = (bits(&ops), bits(&eager));
    let differs = |view: usize| (0..want[view].len()).find(|&i| got[view][i] != want[view][i]);
    let first = (0..want.len()).find_map(|view| differs(view).map(|i| (view, i)));
    let text = first.map(|(view, i)| format!("seed {seed}, view {view}, element {i}: {:x} and not {:x}", got[view][i], want[view][i]));
    (text, program.plan())
}

/// Compares lists on this device, each run as often as one of `steps` says, and gives the launches that were seen.
pub(super) fn lists_leave_the_bits_of_single_ops(gpu: &Device, steps: [usize; 3]) -> Vec<String> {
    let mut seen = Vec::new();
    let lists: [(&Make, u64); 6] = [(&layers, 60), (&chains, 12), (&gradients, 12), (&ends, 3), (&network, 40), (&random, 150)];
    for (make, count) in lists {
        for seed in 0..count {
            let (differs, plan) = difference(gpu, make, seed, steps[seed as usize % 3]);
            assert_eq!(differs, None, "{plan}\n{:#?}", make(gpu, seed));
            seen.extend(plan.split_whitespace().map(str::to_string));
        }
    }
    seen.sort();
    seen.dedup();
    seen
}

#[test]
fn groups_leave_the_bits_of_single_ops() {
    let Some(library) = build::build() else { return };
    let seen = lists_leave_the_bits_of_single_ops(&Device::cuda_standin(&library).unwrap(), [1, 2, 3]);
    let of_groups = ["layer", "layer_dx"].iter().flat_map(|stem| ["small", "long", "large"].map(|kind| format!("{stem}_{kind}")));
    for name in of_groups.chain(["chain", "weights", "end", "adam_each"].map(str::to_string)) {
        assert!(seen.contains(&name), "no list launched {name}: {seen:?}");
    }
}

/// Faults in the kernels of groups, by the lists that must show them: one of each kind in a set.
const FAULTS: [[(&str, &str, &str); 4]; 4] = [
    [
        ("tile.cuh", "total[0] = k + p * FOLD == 0 ? sum : total[0] + sum;", "total[0] = sum + total[0] * 0.5f;"),
        ("chain.cu", "h[(l + 1) % 2][row][n] = last[0];", "h[(l + 1) % 2][row][n] = sum;"),
        ("weights.cu", "block = (((block + dz.x) + dz.y) + dz.z) + dz.w;", "block = block + ((dz.x + dz.y) + (dz.z + dz.w));"),
        ("end.cu", "now.step % stores.of[n].T", "now.cursor % stores.of[n].T"),
    ],
    [
        ("tail.cuh", "stage.x == nullptr ? product[i]", "stage.x == nullptr ? product[i] + last[i]"),
        ("chain.cu", "const float* a = h[l % 2][row];", "const float* a = h[l % 2][0];"),
        ("weights.cu", "adam.update(of.of_w.p[at], dw[j], m[j], v[j]);", "adam.update(of.of_w.p[at], dw[0], m[j], v[j]);"),
        ("end.cu", "stores.of[n].x[0]", "stores.of[0].x[0]"),
    ],
    [
        (
            "layer.cu",
            "if (bias != nullptr) total[i] = total[i] + added[i];",
            "if (bias != nullptr) total[i] = total[i] + (added[i] + added[i]);",
        ),
        ("chain.cu", "for (; k < K; ++k, w += width)", "for (; k + 1 < K; ++k, w += width)"),
        ("weights.cu", "bias = done <= FOLD ? block : bias + block;", "bias = bias + block * (done <= FOLD ? 1.0f : 2.0f);"),
        ("end.cu", "now.move(clock, rows, period)", "now.move(clock, rows + 1, period)"),
    ],
    [
        ("tail.cuh", "n == 0 ? given[0][i] : n == 1 ? given[1][i]", "n <= 1 ? given[0][i]"),
        ("chain.cu", "line * (length + 1) + four", "line * (length + 1) + four % 2"),
        ("weights.cu", "blockIdx.x >= all.first[next].block", "blockIdx.x > all.first[next].block"),
        ("end.cu", "if (n < stores.count)", "if (n + 1 < stores.count)"),
    ],
];

#[test]
fn faults_in_groups_are_caught_by_their_own_lists() {
    let kernels = || fs::read_dir(build::root().join("kernels")).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file());
    let faulty = |set: &[(&str, &str, &str)]| {
        let folder = build::scratch().join(format!("groups-{}", build::unique()));
        fs::create_dir_all(&folder).unwrap();
        for file in kernels() {
            let name = file.file_name().unwrap().to_str().unwrap();
            let mut text = fs::read_to_string(&file).unwrap();
            for (_, from, to) in set.iter().filter(|(at, ..)| *at == name) {
                assert_eq!(text.matches(from).count(), 1, "{name}: {from}");
                text = text.replace(from, to);
            }
            fs::write(folder.join(name), text).unwrap();
        }
        let library = build::compile("groups", "so", &build::library_flags("-O1"), "", &[&folder]);
        fs::remove_dir_all(&folder).unwrap();
        library.map(|library| Device::cuda_standin(&library).unwrap())
    };
    let devices: Option<Vec<Device>> = std::thread::scope(|scope| {
        let compiled: Vec<_> = FAULTS.iter().map(|set| scope.spawn(|| faulty(set))).collect();
        compiled.into_iter().map(|c| c.join().unwrap()).collect()
    });
    let Some(devices) = devices else { return };
    let lists: [&Make; 4] = [&layers, &chains, &gradients, &ends];
    for (device, set) in devices.iter().zip(&FAULTS) {
        for (make, (file, from, _)) in lists.iter().zip(set) {
            let caught = (0..40).any(|seed| difference(device, make, seed, 2).0.is_some());
            assert!(caught, "{file}: `{from}` was changed, and no list shows it");
        }
    }
}

/// Blocks of one launch run side by side, so that none may read what another writes.
#[test]
fn ops_that_feed_one_another_are_not_one_launch() {
    let d = cpu();
    let mut make = maker(&d, 1);
    let (dz, x, w) = (make.view(&[2, 4]), make.view(&[2, 8]), make.view(&[4, 8]));
    let of_each = |ops: &[Op]| groups(ops, &|group| takes(group, &FACTS)).step.iter().map(|g| g.ops().len()).collect::<Vec<_>>();
    // The second gradient's rows are the first one's weights.
    let first = Op::DenseDw { dz: dz.clone(), x: x.clone(), dw: w.clone() };
    let apart = Op::DenseDw { dz: make.view(&[4, 3]), x: make.view(&[4, 8]), dw: make.view(&[3, 8]) };
    let feeds = Op::DenseDw { dz: make.view(&[4, 3]), x: w.clone(), dw: make.view(&[3, 8]) };
    assert_eq!(of_each(&[first.clone(), apart]), [2]);
    assert_eq!(of_each(&[first, feeds]), [1, 1]);
    // The second layer's weights are the first one's result.
    let (h, y) = (make.view(&[2, 4]), make.view(&[2, 2]));
    let below = Op::Dense { x, w: make.view(&[4, 8]), b: None, y: h.clone() };
    let above = |w: View| Op::Dense { x: h.clone(), w, b: None, y: y.clone() };
    assert_eq!(of_each(&[below.clone(), above(make.view(&[2, 4]))]), [2]);
    assert_eq!(of_each(&[below.clone(), above(h.clone())]), [1, 1]);
    // A loss whose target is the product itself, which is not in memory yet.
    let (other, dy) = (make.view(&[2, 4]), make.view(&[1]));
    let target = |of: &View| Op::ReduceGrad {
        f: Term::Mse,
        x: Some(h.clone()),
        other: Some(of.clone()),
        dy: dy.clone(),
        dx: dz.clone(),
        scale: 1.0,
    };
    assert_eq!(of_each(&[below.clone(), target(&other)]), [2]);
    assert_eq!(of_each(&[below, target(&h)]), [1, 1]);
}

#[test]
fn the_articles_step_is_eleven_launches() {
    let planned = Planned::new(&step(&cpu(), &[784, 128, 64, 32], 128, 4096).unwrap(), &FACTS);
    assert_eq!(planned.once.iter().map(|l| l.entry.as_str()).collect::<Vec<_>>(), ["fill_each"], "the seed of the gradients");
    let forward = "gather_bytes_each layer_long chain layer_large mse_chunks total";
    assert_eq!(line(planned.step.iter()), format!("11 launches a step: {forward} layer_dx_long chain weights weights end\n"));
}

#[test]
fn what_no_device_takes_stays_a_list() {
    let ops = step(&cpu(), &[784, 128, 64, 32], 128, 4096).unwrap();
    let alone = groups(&ops, &|_| false);
    assert!(alone.step.iter().all(|group| matches!(group, Group::One(_))));
    // Adam is divided at the gradients, and the fill with 1 is done once.
    assert_eq!(alone.step.len() + 1, ops.len() + 11);
}
