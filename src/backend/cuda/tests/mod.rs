//! Plans as data; a compiled list against single ops; the driver. Every kernel on the stand-in is proved by the table
//! of all ops.

use super::plan::{Facts, Launch, plan, plan_group};
use super::ptx::entries;
use super::standin::StandIn;
use crate::device::View;
use crate::fuse::Group;
use crate::op::{Kernel, Op, Stream, Term, chunks};
use crate::verify::{Select, ops, row, run};
use crate::{Device, Dtype, Level, Shape};
use std::sync::Arc;

#[path = "../../../../tests/standin/mod.rs"]
mod build;
mod costs;
mod driver;
mod groups;

/// An H100's, and those of a GPU for which most products are large.
const FACTS: Facts = Facts { multiprocessors: 132 };
const TINY: Facts = Facts { multiprocessors: 1 };

fn cpu() -> Device {
    Device::cpu_with(1, Level::best()).unwrap()
}

fn empty(device: &Device, dims: &[usize]) -> View {
    device.alloc(Dtype::F32, Shape::new(dims).unwrap()).unwrap()
}

fn read(view: &View) -> Vec<f32> {
    let mut data = vec![0.0f32; view.len()];
    view.device().backend().read(view, bytemuck::cast_slice_mut(&mut data)).unwrap();
    data
}

/// Some rows of every op have the contract's bits.
fn table(gpu: &Device) {
    let report = run(gpu, &Select::quick()).unwrap();
    assert!(report.failed() == 0 && report.rows.iter().all(|r| r.bit_for_bit == r.cases), "{report}");
}

/// Four ops that carry state from step to step: a compiled list against single ops. Gives the rung, the submits of 3
/// steps, and what the plan says.
fn compare_compiled(d: &Device) -> (&'static str, u64, String) {
    let (x, sum, parts, losses) = (empty(d, &[300]), empty(d, &[1]), empty(d, &[1]), empty(d, &[4]));
    let clock = d.alloc(Dtype::U32, Shape::new(&[2]).unwrap()).unwrap();
    let write = |view: &View, words: &[u32]| d.backend().write(view, bytemuck::cast_slice(words)).unwrap();
    let nothing = [f32::NAN.to_bits(); 4];
    write(&losses, &nothing);
    let ops = [
        Op::Uniform { clock: clock.clone(), y: x.clone(), lo: 0.0, range: 1.0, stream: Stream { seed: 1, purpose: 2 } },
        Op::Reduce { f: Term::Sum, x, other: None, parts, y: sum.clone(), scale: 1.0 },
        Op::Store { x: sum, clock: clock.clone(), ring: losses.clone() },
        Op::Advance { clock: clock.clone(), rows: 2, period: 5 },
    ];
    ops.iter().for_each(|op| op.check().unwrap());
    ops.iter().cycle().take(3 * ops.len()).for_each(|op| d.backend().run(op).unwrap());
    let eager = read(&losses);
    write(&clock, &[0, 0]);
    write(&losses, &nothing);
    let mut program = d.compile(&ops).unwrap();
    program.run(2).unwrap();
    program.run(1).unwrap();
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&read(&losses)), bits(&eager));
    assert!(eager[..3].iter().all(|l| *l > 0.0) && eager[0] != eager[1] && eager[3].is_nan());
    let counts = program.counts();
    assert_eq!((counts.runs, counts.steps, counts.launches), (2, 3, 12));
    (program.rung(), counts.submits, program.plan())
}

/// All kinds of tiles of a large product are taken, on a GPU that small numbers of tiles fill.
#[test]
fn large_tiles_have_the_bits_of_the_contract() {
    let Some(library) = build::build() else { return };
    let gpu = Device::new(Arc::new(StandIn::of(&library, TINY).unwrap()), "a small GPU");
    for op in ["dense", "dense_dx", "dense_dw"] {
        let report = run(&gpu, &Select { op: Some(op.into()), ..Select::default() }).unwrap();
        assert!(report.failed() == 0 && report.rows.iter().all(|r| r.bit_for_bit == r.cases), "{report}");
    }
}

/// A block sums eight blocks of 256 rows at once: here it does so twice.
#[test]
fn sums_of_many_rows_are_added_in_order() {
    let Some(library) = build::build() else { return };
    let sums = |d: &Device| {
        let (dz, db) = (empty(d, &[2500, 33]), empty(d, &[33]));
        let numbers: Vec<f32> = (0..dz.len()).map(|i| ((i * 7919) % 10_007) as f32 / 977.0 - 4.0).collect();
        d.backend().write(&dz, bytemuck::cast_slice(&numbers)).unwrap();
        d.backend().run(&Op::DenseDb { dz, db: db.clone() }).unwrap();
        read(&db).into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    assert_eq!(sums(&Device::cuda_standin(&library).unwrap()), sums(&cpu()));
}

#[test]
fn a_compiled_list_has_the_bits_of_single_ops() {
    let Some(library) = build::build() else { return };
    assert_eq!(
        compare_compiled(&Device::cuda_standin(&library).unwrap()),
        ("groups", 12, "4 launches a step: uniform_fours sum_chunks total end\n".into())
    );
}

#[test]
fn plans_cover_the_result_and_nothing_is_launched_for_nothing() {
    let d = cpu();
    let dense = |b, i, o| {
        let (x, w, y) = (empty(&d, &[b, i]), empty(&d, &[o, i]), empty(&d, &[b, o]));
        Op::Dense { x, w, b: Some(empty(&d, &[o])), y }
    };
    let shape = |launches: &[Launch]| launches.iter().map(|l| (l.entry.clone(), l.grid, l.block)).collect::<Vec<_>>();
    let alone = |b, i, o| shape(&plan(&dense(b, i, o), &FACTS));
    assert_eq!(alone(128, 784, 128), [("dense_halves".into(), 8, 128)]);
    assert_eq!(alone(129, 784, 65), [("dense_halves".into(), 10, 128)]);
    assert_eq!(alone(3, 0, 2), [("dense_halves".into(), 1, 128)], "K = 0 still adds the bias");
    assert_eq!(alone(2048, 3, 2048), [("dense_many".into(), 512, 64)]);
    assert_eq!(alone(1000, 513, 1000), [("dense_some".into(), 256, 128)]);
    assert_eq!(alone(1000, 512, 1000), [("dense_pairs".into(), 256, 128)]);
    assert_eq!(alone(1000, 256, 1000), [("dense_halves".into(), 512, 128)]);
    // A tile more than there are multiprocessors would leave them idle in a second round.
    assert_eq!(alone(64, 513, 132 * 64), [("dense_some".into(), 132, 128)]);
    assert_eq!(alone(64, 513, 133 * 64), [("dense_halves".into(), 266, 128)]);
    assert!(alone(0, 784, 128).is_empty() && alone(128, 784, 0).is_empty());
    // In a program, a product of few tiles is done in small ones.
    let grouped = |b, i, o| shape(&plan_group(&Group::One(dense(b, i, o)), &FACTS));
    assert_eq!(grouped(128, 784, 128), [("layer_long".into(), 128, 256)]);
    assert_eq!(grouped(129, 256, 65), [("layer_small".into(), 51, 256)]);
    assert_eq!(grouped(128, 128, 784), [("layer_large".into(), 200, 256)]);
    assert_eq!(grouped(1024, 784, 1000), [("dense_some".into(), 256, 128)]);
    assert_eq!(grouped(3, 0, 2), [("layer_small".into(), 1, 256)]);
    assert!(grouped(0, 784, 128).is_empty() && grouped(128, 784, 0).is_empty());
    let fill = |n| plan(&Op::Fill { y: empty(&d, &[n]), value: 1.0 }, &FACTS);
    assert!(fill(0).is_empty());
    assert_eq!(shape(&fill(257)), [("fill_each".into(), 2, 256)]);
    assert_eq!(fill(20_000_000)[0].grid, 78_125, "more than 65,535 blocks in the first dimension");
    let sum = |n| {
        let (x, parts, y) = (empty(&d, &[n]), empty(&d, &[chunks(n)]), empty(&d, &[1]));
        plan(&Op::Reduce { f: Term::Sum, x, other: None, parts, y, scale: 1.0 }, &FACTS)
    };
    assert_eq!(shape(&sum(0)), [("sum_chunks".into(), 1, 256), ("total".into(), 1, 256)], "the sum of nothing is 0");
    assert_eq!(sum(4097)[0].grid, 2);
}

/// The launches of all ops of the table are kernels of the PTX, and the PTX has no others.
#[test]
fn every_launch_names_a_kernel_of_the_ptx() {
    let d = cpu();
    let mut left: Vec<_> = entries().collect();
    let known = left.clone();
    let mut launched = |op: &Op, facts: &Facts| {
        for launch in plan(op, facts) {
            assert!(known.contains(&launch.entry.as_str()), "{} has no kernel", launch.entry);
            left.retain(|kernel| *kernel != launch.entry);
        }
    };
    for row in row::quick(row::all()) {
        let mut first = true;
        let op = row.op.map(|shape| {
            let gathered = std::mem::take(&mut first) && row.name() == "gather";
            d.alloc(if gathered { row.given.data } else { Dtype::F32 }, *shape).unwrap()
        });
        launched(&op, &FACTS);
        assert!(row.op.form().kernel != Kernel::One || row.name() == "advance");
    }
    // Rows, terms and columns of the kinds of large tiles.
    for [m, k, n] in [[192, 1, 128], [64, 513, 64], [64, 257, 64]] {
        for (name, sizes) in [("dense", [m, k, n]), ("dense_dx", [m, n, k]), ("dense_dw", [k, n, m])] {
            let (op, _) = ops::sized(name, &sizes).unwrap().unwrap();
            launched(&op.map(|shape| d.alloc(Dtype::F32, *shape).unwrap()), &TINY);
        }
    }
    // The others are launched for groups: tests/groups.rs.
    let of_groups = |kernel: &&str| kernel.starts_with("layer") || ["chain", "weights", "end"].contains(kernel);
    assert!(left.iter().all(of_groups) && left.len() == 9, "no op launches {left:?}");
}

#[test]
fn a_missing_library_is_a_typed_error() {
    let e = Device::cuda_standin(std::path::Path::new("/nowhere/standin.so")).unwrap_err();
    assert!(e.to_string().starts_with("cuda-standin: /nowhere/standin.so cannot be loaded"), "{e}");
}
