//! Plans as data, and every kernel on the stand-in: against a few lines of scalar code, and against the CPU backend bit for bit.

use super::plan::{Launch, plan};
use super::{PTX, entries};
use crate::device::View;
use crate::op::{AdamHyper, Op, chunks};
use crate::{Device, Dtype, Level, Shape};

#[path = "../../../../tests/standin/mod.rs"]
mod build;
mod driver;

fn standin() -> Option<Device> {
    build::build().map(|library| Device::cuda_standin(&library).unwrap())
}

fn cpu() -> Device {
    Device::cpu_with(1, Level::best()).unwrap()
}

fn empty(device: &Device, dims: &[usize]) -> View {
    device.alloc(Dtype::F32, Shape::new(dims).unwrap()).unwrap()
}

fn view<T: bytemuck::Pod>(device: &Device, dtype: Dtype, dims: &[usize], data: &[T]) -> View {
    let view = device.alloc(dtype, Shape::new(dims).unwrap()).unwrap();
    assert_eq!(view.len(), data.len());
    device.backend().write(&view, bytemuck::cast_slice(data)).unwrap();
    view
}

fn f32s(device: &Device, dims: &[usize], data: &[f32]) -> View {
    view(device, Dtype::F32, dims, data)
}

fn u32s(device: &Device, data: &[u32]) -> View {
    view(device, Dtype::U32, &[data.len()], data)
}

/// A result that starts as NaN, so that an element that nobody writes is seen.
fn result(device: &Device, dims: &[usize]) -> View {
    let n = Shape::new(dims).unwrap().len();
    f32s(device, dims, &vec![f32::NAN; n])
}

fn read(view: &View) -> Vec<f32> {
    let mut data = vec![0.0f32; view.len()];
    view.device().backend().read(view, bytemuck::cast_slice_mut(&mut data)).unwrap();
    data
}

fn run(op: &Op) {
    op.check().unwrap();
    op.writes()[0].1.device().backend().run(op).unwrap();
}

/// Numbers of both signs and many sizes, a function of the seed.
fn numbers(seed: u32, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(12345);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..n).map(|_| (next() - 0.5) * 10f32.powi((next() * 8.0) as i32 - 4)).collect()
}

fn assert_bits(what: &str, got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        let same = g.to_bits() == w.to_bits() || (g.is_nan() && w.is_nan());
        assert!(same, "{what}: element {i} is {g:e} ({:08x}), want {w:e} ({:08x})", g.to_bits(), w.to_bits());
    }
}

const EDGES: [f32; 24] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    17.0,
    -17.0,
    30.0,
    -30.0,
    87.3,
    -87.3,
    88.8,
    -88.8,
    103.9,
    -103.9,
    104.1,
    -104.1,
    1e20,
    -1e20,
    1e-30,
    -1e-40,
    f32::MIN_POSITIVE,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

fn edges(n: usize) -> Vec<f32> {
    EDGES.into_iter().chain(numbers(7, n)).take(n).collect()
}

/// Every kind of op at a size, on a device; and what each wrote.
fn results(device: &Device, n: usize) -> Vec<(String, Vec<f32>)> {
    let d = device;
    let (x, dy) = (f32s(d, &[n], &edges(n)), f32s(d, &[n], &numbers(1, n)));
    let clock = u32s(d, &[5, 9]); // the batch goes over the end of the order, and the step over the end of the table
    let (bytes, data): (Vec<u8>, _) = ((0..5 * n).map(|i| (i * 37 % 256) as u8).collect(), numbers(2, 5 * n));
    let order = u32s(d, &[11, 0, 4, 2, 2, 1, 3]);
    let work = result(d, &[chunks(n)]);
    let y = || result(d, &[n]);
    let one = || result(d, &[1]);
    let batch = || result(d, &[3, n]);
    let scale = (1.0 / n.max(1) as f64) as f32;
    let loss = f32s(d, &[1], &[0.75]);
    let table = f32s(d, &[7, 4], &numbers(3, 28));
    let hyper = AdamHyper { w1: 0.1, beta2: 0.999, w2: (1.0 - 0.999f64) as f32, eps: 1e-8 };
    let moment: Vec<f32> = numbers(4, n).iter().map(|v| v.abs()).collect();
    let gather = |data: View| Op::Gather { data, order: order.clone(), clock: clock.clone(), y: batch() };
    let mut ops = vec![
        Op::Relu { x: x.clone(), y: y() },
        Op::ReluGrad { x: x.clone(), dy: dy.clone(), dx: y() },
        Op::Sigmoid { x: x.clone(), y: y() },
        Op::SigmoidGrad { x: x.clone(), dy: dy.clone(), dx: y() },
        Op::MseGrad { y: x.clone(), target: dy.clone(), dloss: loss.clone(), dy: y(), scale },
        Op::Sum { x: dy.clone(), work: work.clone(), y: one() },
        Op::Broadcast { x: loss.clone(), y: y() },
        Op::Add { a: x.clone(), b: dy.clone(), y: y() },
        Op::Scale { x: x.clone(), y: y(), factor: 0.3 },
        Op::Fill { y: y(), value: -2.5 },
        Op::Copy { x: x.clone(), y: y() },
        gather(f32s(d, &[5, n], &data)),
        gather(view(d, Dtype::U8, &[5, n], &bytes)),
        Op::Store { x: loss.clone(), clock: clock.clone(), ring: f32s(d, &[4], &[0.0; 4]) },
        Op::Uniform { clock: clock.clone(), y: y(), lo: -0.3, range: 0.7, seed: 0x0123_4567_89AB_CDEF, purpose: 5 },
        Op::Adam { p: y_of(d, 5, n), g: dy.clone(), m: y_of(d, 6, n), v: f32s(d, &[n], &moment), table, clock: clock.clone(), hyper },
    ];
    if n > 0 {
        ops.push(Op::Mse { y: dy.clone(), target: y_of(d, 8, n), work: work.clone(), loss: one(), scale });
    }
    // In place.
    let in_place = y_of(d, 9, n);
    ops.push(Op::Add { a: in_place.clone(), b: in_place.clone(), y: in_place.clone() });
    ops.push(Op::Scale { x: in_place.clone(), y: in_place, factor: 3.0 });
    let mut all = Vec::new();
    for op in &ops {
        run(op);
        for (operand, written) in op.writes() {
            all.push((format!("{} {operand} of {n}", op.name()), read(written)));
        }
    }
    run(&Op::Advance { clock: clock.clone(), rows: 5, period: 7 });
    let ticks: Vec<f32> = read(&clock).iter().map(|c| c.to_bits() as f32).collect();
    assert_eq!(ticks, [3.0, 10.0], "advance");
    all
}

fn y_of(d: &Device, seed: u32, n: usize) -> View {
    f32s(d, &[n], &numbers(seed, n))
}

/// Every op that is not a product, at many sizes.
pub(super) fn compare_ops(gpu: &Device) {
    let cpu = cpu();
    for n in [0, 1, 2, 3, 7, 63, 64, 65, 255, 256, 257, 1000, 4095, 4096, 4097, 70_001] {
        for ((what, got), (_, want)) in results(gpu, n).iter().zip(&results(&cpu, n)) {
            assert_bits(what, got, want);
        }
    }
}

/// The dense layer and its derivatives, at many sizes.
pub(super) fn compare_products(gpu: &Device) {
    let cpu = cpu();
    let sizes = [0, 1, 2, 3, 7, 16, 17, 31, 33, 64, 65, 127, 128, 129];
    for (case, &b) in sizes.iter().enumerate() {
        for (step, &i) in sizes.iter().chain(&[255, 256, 257, 784]).enumerate() {
            let o = sizes[(case * 5 + step * 3) % sizes.len()];
            let products = |d: &Device| {
                let (x, w) = (f32s(d, &[b, i], &numbers(1, b * i)), f32s(d, &[o, i], &numbers(2, o * i)));
                let (bias, dz) = (f32s(d, &[o], &numbers(3, o)), f32s(d, &[b, o], &numbers(4, b * o)));
                let (y, dx, dw, db) = (result(d, &[b, o]), result(d, &[b, i]), result(d, &[o, i]), result(d, &[o]));
                run(&Op::Dense { x: x.clone(), w: w.clone(), b: bias, y: y.clone() });
                run(&Op::DenseDx { dz: dz.clone(), w, dx: dx.clone() });
                run(&Op::DenseDw { dz: dz.clone(), x, dw: dw.clone() });
                run(&Op::DenseDb { dz, db: db.clone() });
                [y, dx, dw, db].map(|v| read(&v))
            };
            for ((got, want), op) in products(gpu).iter().zip(&products(&cpu)).zip(["dense", "dense_dx", "dense_dw", "dense_db"]) {
                assert_bits(&format!("{op} B {b} I {i} O {o}"), got, want);
            }
        }
    }
}

/// More partial sums than lanes.
#[test]
fn long_sums_have_the_bits_of_the_cpu() {
    let Some(standin) = standin() else { return };
    let n = 257 * 4096 + 5;
    let sums = |d: &Device| {
        let (x, target, work) = (y_of(d, 1, n), y_of(d, 2, n), result(d, &[chunks(n)]));
        let (sum, loss) = (result(d, &[1]), result(d, &[1]));
        run(&Op::Sum { x: x.clone(), work: work.clone(), y: sum.clone() });
        run(&Op::Mse { y: x, target, work, loss: loss.clone(), scale: 1e-6 });
        [read(&sum)[0], read(&loss)[0]]
    };
    assert_bits("sum, mse", &sums(&standin), &sums(&cpu()));
}

/// The contract's loop: blocks of 256, k ascending, one fma each.
fn ordered(terms: impl ExactSizeIterator<Item = (f32, f32)>) -> f32 {
    let (mut total, mut acc) = (0.0, 0.0f32);
    let last = terms.len();
    for (k, (a, b)) in terms.enumerate() {
        acc = a.mul_add(b, acc);
        if (k + 1) % 256 == 0 || k + 1 == last {
            total = if k < 256 { acc } else { total + acc };
            acc = 0.0;
        }
    }
    total
}

#[test]
fn dense_adds_in_the_order_of_the_contract() {
    let Some(d) = standin() else { return };
    for k in [0, 1, 255, 256, 257, 784, 1025] {
        let (b, o) = (5, 67);
        let (x, w, bias, dz) = (numbers(1, b * k), numbers(2, o * k), numbers(3, o), numbers(4, k * o));
        let y = result(&d, &[b, o]);
        run(&Op::Dense { x: f32s(&d, &[b, k], &x), w: f32s(&d, &[o, k], &w), b: f32s(&d, &[o], &bias), y: y.clone() });
        let row = |m: &[f32], r: usize| m[r * k..(r + 1) * k].to_vec();
        let want: Vec<f32> = (0..b * o)
            .map(|e| ordered(row(&x, e / o).into_iter().zip(row(&w, e % o)).collect::<Vec<_>>().into_iter()) + bias[e % o])
            .collect();
        assert_bits(&format!("dense, K = {k}"), &read(&y), &want);
        // dx with K outputs, dw with K rows.
        let (dx, dw) = (result(&d, &[b, o]), result(&d, &[o, b]));
        let (wt, xt) = (numbers(5, k * o), numbers(6, k * b));
        run(&Op::DenseDx { dz: f32s(&d, &[b, k], &x), w: f32s(&d, &[k, o], &wt), dx: dx.clone() });
        let want: Vec<f32> = (0..b * o).map(|e| ordered((0..k).map(|j| (x[e / o * k + j], wt[j * o + e % o])))).collect();
        assert_bits(&format!("dense_dx, K = {k}"), &read(&dx), &want);
        run(&Op::DenseDw { dz: f32s(&d, &[k, o], &dz), x: f32s(&d, &[k, b], &xt), dw: dw.clone() });
        let want: Vec<f32> = (0..o * b).map(|e| ordered((0..k).map(|j| (dz[j * o + e / b], xt[j * b + e % b])))).collect();
        assert_bits(&format!("dense_dw, K = {k}"), &read(&dw), &want);
        let db = result(&d, &[o]);
        run(&Op::DenseDb { dz: f32s(&d, &[k, o], &dz), db: db.clone() });
        let want: Vec<f32> = (0..o).map(|c| ordered((0..k).map(|j| (dz[j * o + c], 1.0)))).collect();
        assert_bits(&format!("dense_db, K = {k}"), &read(&db), &want);
    }
}

/// Zeros in place of the missing terms of the last tile would turn -0 into 0.
#[test]
fn a_sum_that_underflows_to_minus_zero_keeps_its_sign() {
    let Some(d) = standin() else { return };
    let y = result(&d, &[1, 1]);
    let (x, w) = (f32s(&d, &[1, 1], &[1e-30]), f32s(&d, &[1, 1], &[-1e-30]));
    run(&Op::DenseDx { dz: x, w, dx: y.clone() });
    assert_bits("dense_dx", &read(&y), &[-0.0]);
}

/// Four ops that carry state from step to step: a compiled list against single ops. Gives the rung, the submits of 3 steps, and what the plan says.
pub(super) fn compare_compiled(d: &Device) -> (&'static str, u64, String) {
    let (x, sum, work, clock) = (f32s(d, &[300], &numbers(1, 300)), result(d, &[1]), result(d, &[1]), u32s(d, &[0, 0]));
    let losses = result(d, &[4]);
    let ops = [
        Op::Uniform { clock: clock.clone(), y: x.clone(), lo: 0.0, range: 1.0, seed: 1, purpose: 2 },
        Op::Sum { x, work, y: sum.clone() },
        Op::Store { x: sum, clock: clock.clone(), ring: losses.clone() },
        Op::Advance { clock: clock.clone(), rows: 2, period: 5 },
    ];
    ops.iter().cycle().take(3 * ops.len()).for_each(run);
    let eager = read(&losses);
    d.backend().write(&clock, bytemuck::cast_slice(&[0u32, 0])).unwrap();
    d.backend().write(&losses, bytemuck::cast_slice(&[f32::NAN; 4])).unwrap();
    let mut program = d.backend().compile(&ops).unwrap();
    program.run(2).unwrap();
    program.run(1).unwrap();
    assert_bits("losses", &read(&losses), &eager);
    assert!(eager[..3].iter().all(|l| *l > 0.0) && eager[0] != eager[1] && eager[3].is_nan());
    let counts = program.counts();
    assert_eq!((counts.runs, counts.steps, counts.launches), (2, 3, 15));
    (program.rung(), counts.submits, program.plan())
}

#[test]
fn every_kernel_has_the_bits_of_the_cpu() {
    let Some(standin) = standin() else { return };
    compare_ops(&standin);
}

#[test]
fn dense_sums_have_the_bits_of_the_cpu() {
    let Some(standin) = standin() else { return };
    compare_products(&standin);
}

#[test]
fn a_compiled_list_has_the_bits_of_single_ops() {
    let Some(standin) = standin() else { return };
    assert_eq!(compare_compiled(&standin), ("list", 15, String::new()));
}

#[test]
fn plans_cover_the_result_and_nothing_is_launched_for_nothing() {
    let d = cpu();
    let dense = |b, i, o| {
        let y = empty(&d, &[b, o]);
        plan(&Op::Dense { x: empty(&d, &[b, i]), w: empty(&d, &[o, i]), b: empty(&d, &[o]), y })
    };
    let shape = |launches: &[Launch]| launches.iter().map(|l| (l.entry, l.grid, l.block)).collect::<Vec<_>>();
    assert_eq!(shape(&dense(128, 784, 128)), [("dense", 4, 256)]);
    assert_eq!(shape(&dense(129, 784, 65)), [("dense", 6, 256)]);
    assert_eq!(shape(&dense(3, 0, 2)), [("dense", 1, 256)], "K = 0 still adds the bias");
    assert!(dense(0, 784, 128).is_empty() && dense(128, 784, 0).is_empty());
    let fill = |n| plan(&Op::Fill { y: empty(&d, &[n]), value: 1.0 });
    assert!(fill(0).is_empty());
    assert_eq!(shape(&fill(257)), [("fill", 2, 256)]);
    assert_eq!(fill(20_000_000)[0].grid, 78_125, "more than 65,535 blocks in the first dimension");
    let sum = |n| plan(&Op::Sum { x: empty(&d, &[n]), work: empty(&d, &[chunks(n)]), y: empty(&d, &[1]) });
    assert_eq!(shape(&sum(0)), [("sum_chunks", 1, 256), ("sum_total", 1, 256)], "the sum of nothing is 0");
    assert_eq!(sum(4097)[0].grid, 2);
}

#[test]
fn every_launch_names_a_kernel_of_the_ptx() {
    let kernels: Vec<_> = PTX.iter().flat_map(|(_, ptx)| entries(ptx)).collect();
    for stem in ["dense", "dense_dx", "dense_dw", "dense_db", "gather_u8", "mse_total", "adam"] {
        assert!(kernels.contains(&stem), "{stem}");
    }
    let sources = build::kernels();
    assert_eq!(PTX.map(|(stem, _)| stem).to_vec(), sources.iter().map(|f| f.file_stem().unwrap().to_str().unwrap()).collect::<Vec<_>>());
}

#[test]
fn a_missing_library_is_a_typed_error() {
    let e = Device::cuda_standin(std::path::Path::new("/nowhere/standin.so")).unwrap_err();
    assert!(e.to_string().starts_with("cuda-standin: /nowhere/standin.so cannot be loaded"), "{e}");
}

#[test]
fn the_time_of_a_product_of_the_article() {
    let Some(d) = standin() else { return };
    let (b, i, o) = (128, 784, 128);
    let (x, w, bias, y) = (empty(&d, &[b, i]), empty(&d, &[o, i]), empty(&d, &[o]), empty(&d, &[b, o]));
    let op = Op::Dense { x, w, b: bias, y };
    let start = std::time::Instant::now();
    run(&op);
    let took = start.elapsed();
    eprintln!("dense {b}x{i}x{o} on the stand-in: {took:?}");
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
}
