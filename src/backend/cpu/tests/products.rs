//! The three products of a dense layer beside the processor's peak and beside matrixmultiply, by the same threads on
//! the same cores, in turn:
//!
//!     ROUNDS=20000 THREADS=2 SHAPES='512x512x512 128x784x128' cargo test --release --lib products_have -- --nocapture
//!
//! prints the share of the peak that each reaches. The peak is the rate of fused multiply-adds on registers alone.
//! Other processes on the machine slow all of them down, so there are two figures. The first is whole products at their
//! fastest over all rounds; the last line names those that matrixmultiply does in less. The second is whole products
//! again, but only in rounds before and after which a small product that stays in L1 is as fast as in the best.

#[allow(unsafe_code)]
#[path = "../../../../benches/peak/mod.rs"]
mod peak;

use crate::backend::cpu::gemm::{self, Product, Right, Strided};
use crate::backend::cpu::memory::{Memory, Rectangle};
use crate::backend::cpu::plan::Plan;
use crate::backend::cpu::work::Work;
use crate::backend::cpu::{self, Cpu, dense, team};
use crate::device::View;
use crate::op::{BLOCK, Op};
use crate::{Device, Dtype, Level, Shape};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Floating-point operations of the two gauges: fused multiply-adds on registers, and a product in L1.
const REGISTERS: usize = 2000 * 24 * 32;
const IN_L1: [usize; 4] = [20, 8 * 2, BLOCK, 32];

/// How much slower than at its fastest the product in L1 may be where a round counts.
const NOISE: f64 = 1.03;

/// The gauge of registers.
fn registers(level: Level) {
    if let Some(flops) = peak::flops(level) {
        peak::run(level, REGISTERS / flops);
    }
}

/// The product `c = a b` by matrixmultiply, for all rows that c has; it has n columns.
#[allow(unsafe_code)]
fn matrixmultiply(a: Strided, b: Strided, k: usize, c: &mut [f32], n: usize) {
    let m = c.len() / n;
    let last = |rows: usize, row: usize, columns: usize, column: usize| (rows - 1) * row + (columns - 1) * column;
    assert!(last(m, a.row, k, a.column) < a.data.len() && last(k, b.row, n, b.column) < b.data.len() && c.len() == m * n);
    let stride = |s: usize| s as isize;
    let [a_row, a_column, b_row, b_column] = [a.row, a.column, b.row, b.column].map(stride);
    // SAFETY: the largest index of a and of b was just asserted to lie inside, and c is m x n numbers that are borrowed
    // mutably.
    unsafe {
        let (a, b) = (a.data.as_ptr(), b.data.as_ptr());
        matrixmultiply::sgemm(m, k, n, 1.0, a, a_row, a_column, b, b_row, b_column, 0.0, c.as_mut_ptr(), stride(n), 1);
    }
}

/// A small product, many times.
fn in_l1(level: Level, memory: &mut Memory, scratch: &mut [f32]) {
    let [times, m, k, n] = IN_L1;
    let (a, rest) = memory.floats().split_at_mut(m * k);
    let (b, c) = rest.split_at_mut(k * n);
    let p = Product { a: Strided { data: a, row: k, column: 1 }, b: Right::Packed(b), k, bias: None };
    for _ in 0..times {
        gemm::product(level, &p, &mut Rectangle::whole(&mut c[..m * n], n), scratch);
    }
}

/// One product by both, and how long it took, in seconds.
struct Timed {
    name: &'static str,
    shape: [usize; 3],
    flops: f64,
    /// Thread by thread: the gauges before, ours, matrixmultiply's, the gauge after; of the rounds that began in quiet.
    rounds: Vec<Vec<[f64; 5]>>,
    /// Thread by thread, at their fastest over all rounds: the peak, ours and matrixmultiply's.
    fastest: Vec<[f64; 3]>,
}

fn random(device: &Device, shape: [usize; 2], seed: u32) -> View {
    let view = device.alloc(Dtype::F32, Shape::new(&shape).unwrap()).unwrap();
    let number = |i: u32| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5;
    let numbers: Vec<f32> = (0..view.len() as u32).map(number).collect();
    device.backend().write(&view, bytemuck::cast_slice(&numbers)).unwrap();
    view
}

fn time(cpu: &Arc<Cpu>, name: &'static str, [batch, inputs, outputs]: [usize; 3], rounds: usize) -> Timed {
    let device = Device::new(cpu.clone(), "");
    let core = &cpu.core;
    let (x, w, dz) = (random(&device, [batch, inputs], 1), random(&device, [outputs, inputs], 2), random(&device, [batch, outputs], 3));
    let b = device.alloc(Dtype::F32, Shape::new(&[outputs]).unwrap()).unwrap();
    let c = |shape: [usize; 2]| random(&device, shape, 4);
    let op = match name {
        "dense" => Op::Dense { x: x.clone(), w: w.clone(), b: Some(b), y: c([batch, outputs]) },
        "dense_dx" => Op::DenseDx { dz: dz.clone(), w: w.clone(), dx: c([batch, inputs]) },
        _ => Op::DenseDw { dz: dz.clone(), x: x.clone(), dw: c([outputs, inputs]) },
    };
    let ours = op.result().clone();
    let theirs = c([ours.shape.rows(), ours.shape.columns()]);
    let plan = Plan::for_threads(std::slice::from_ref(&op), core.threads(), core.level).unwrap();
    let (slowest, quietest) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let times: Vec<_> = (0..plan.threads).map(|_| Mutex::new(Vec::with_capacity(rounds))).collect();
    let fastest: Vec<_> = times.iter().map(|_| Mutex::new([0.0; 3])).collect();
    core.with_slices(|s| {
        team::run(&core.pool, plan.threads, |member| {
            let (mut scratch, mut times) = (core.scratch(member.thread), times[member.thread].lock().unwrap());
            let mut small = Memory::zeroed((IN_L1[1] + IN_L1[3]) * BLOCK * 8).unwrap();
            let [first, step] =
                [&plan.prologue, &plan.step].map(|phases| phases.iter().flatten().flat_map(|chain| &chain.works).collect::<Vec<_>>());
            let execute = |works: &[&Work], scratch: &mut [f32]| {
                works.iter().for_each(|work| work.execute(core.level, s, scratch, work.partition.part(member.thread, member.threads)));
            };
            execute(&first, scratch.floats());
            let rows = Work::new(&op, member.threads).partition.part(member.thread, member.threads);
            let n = theirs.shape.columns();
            let by_matrixmultiply = || {
                let c = s.write(&theirs, rows.start * n..rows.end * n);
                let part = |columns: usize| rows.start * columns..rows.end * columns;
                fn left(data: &[f32], columns: usize) -> Strided<'_> {
                    Strided { data, row: columns, column: 1 }
                }
                match name {
                    "dense" => matrixmultiply(left(s.read(&x, part(inputs)), inputs), dense::turned(s.all(&w), inputs), inputs, c, n),
                    "dense_dx" => {
                        matrixmultiply(left(s.read(&dz, part(outputs)), outputs), dense::straight(s.all(&w), inputs), outputs, c, n)
                    }
                    _ => {
                        let a = Strided { data: &s.all::<f32>(&dz)[rows.start..], row: 1, column: outputs };
                        matrixmultiply(a, dense::straight(s.all(&x), inputs), batch, c, n);
                    }
                }
            };
            let mut best = [f64::MAX; 3];
            for _ in 0..rounds {
                let mut round = [0.0; 5];
                let mut lap = |i: usize, f: &mut dyn FnMut()| {
                    let begin = Instant::now();
                    f();
                    // Ours and theirs end when the last thread has ended.
                    assert!(member.wait());
                    round[i] = begin.elapsed().as_secs_f64();
                    assert!(member.wait());
                    round[i]
                };
                best[0] = lap(0, &mut || registers(core.level)).min(best[0]);
                // All threads agree whether it is worth going on: bits of positive numbers are ordered as they are.
                let gauge = lap(1, &mut || in_l1(core.level, &mut small, scratch.floats()));
                slowest.fetch_max(gauge.to_bits(), Ordering::Relaxed);
                assert!(member.wait());
                let now = slowest.load(Ordering::Relaxed);
                let fast = quietest.fetch_min(now, Ordering::Relaxed).min(now);
                assert!(member.wait());
                slowest.store(0, Ordering::Relaxed);
                assert!(member.wait());
                best[1] = lap(2, &mut || execute(&step, scratch.floats())).min(best[1]);
                best[2] = lap(3, &mut || by_matrixmultiply()).min(best[2]);
                if f64::from_bits(now) > NOISE * f64::from_bits(fast) {
                    continue;
                }
                // Once to bring it back to L1.
                in_l1(core.level, &mut small, scratch.floats());
                lap(4, &mut || in_l1(core.level, &mut small, scratch.floats()));
                times.push(round);
            }
            *fastest[member.thread].lock().unwrap() = best;
        });
        // Without the processor's instruction matrixmultiply rounds each product.
        assert!(
            !fused() || s.all::<u32>(&ours) == s.all::<u32>(&theirs),
            "{name} of {batch} x {inputs} x {outputs} differs from matrixmultiply"
        );
    })
    .unwrap();
    let flops = 2.0 * (batch * inputs * outputs) as f64;
    let (rounds, fastest) = (times.into_iter().map(|t| t.into_inner().unwrap()), fastest.into_iter().map(|t| t.into_inner().unwrap()));
    Timed { name, shape: [batch, inputs, outputs], flops, rounds: rounds.collect(), fastest: fastest.collect() }
}

/// Whether the processor has fused multiply-add, so that matrixmultiply takes it.
fn fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// A quantile of some numbers.
fn quantile(mut of: Vec<f64>, part: f64) -> f64 {
    of.sort_by(f64::total_cmp);
    of[((of.len() - 1) as f64 * part) as usize]
}

/// The batches, inputs and outputs that `SHAPES` names.
fn shapes() -> Vec<[usize; 3]> {
    // Batch, inputs and outputs: those of the article's network, and two with edges at every block.
    let default = "128x784x128 128x128x64 128x64x32 128x32x64 128x64x128 128x128x784 257x300x1100 1100x300x259";
    let shapes = std::env::var("SHAPES").unwrap_or(default.into());
    let sizes = |shape: &str| <[usize; 3]>::try_from(shape.split('x').map(|n| n.parse().unwrap()).collect::<Vec<_>>()).unwrap();
    shapes.split(' ').map(sizes).collect()
}

/// Times all products at a level, and prints the part of the peak that each reaches.
fn report(level: Level, threads: usize, rounds: usize) {
    let cpu = Arc::new(Cpu::new(threads, level).unwrap());
    let all_three = |shape| ["dense", "dense_dx", "dense_dw"].map(|name| (name, shape));
    let timed: Vec<Timed> = shapes().into_iter().flat_map(all_three).map(|(name, shape)| time(&cpu, name, shape, rounds)).collect();
    let fast = timed.iter().flat_map(|t| t.rounds.iter().flatten()).map(|round| round[1].min(round[4])).fold(f64::MAX, f64::min);
    let fastest = timed.iter().flat_map(|t| &t.fastest).map(|[peak, ..]| *peak).fold(f64::MAX, f64::min);
    let peak = (threads * REGISTERS) as f64 / fastest / 1e9;
    let in_l1 = (threads * 2 * IN_L1.into_iter().product::<usize>()) as f64 / fast / 1e9;
    match level {
        Level::Portable => println!("{threads} threads at {level}; ABSENT: a gauge of its peak, so the parts of it below mean nothing"),
        _ => println!("{threads} threads at {level}; the peak is {peak:.0} GFLOP/s, of which a product in L1 has {:.2}", in_l1 / peak),
    }
    let mut below = Vec::new();
    for t in &timed {
        let slowest = |round: usize, i: usize| t.rounds.iter().map(|thread| thread[round][i]).fold(0.0, f64::max);
        let quiet: Vec<usize> = (0..t.rounds[0].len()).filter(|&r| slowest(r, 1).max(slowest(r, 4)) < NOISE * fast).collect();
        let [_, ours, theirs] = std::array::from_fn(|i| t.fastest.iter().map(|of| of[i]).fold(0.0, f64::max));
        let part = |seconds: f64| t.flops / seconds / 1e9 / peak;
        print!("{:<9} {:>4?} at the fastest: {:.2}", t.name, t.shape, part(ours));
        print!(", matrixmultiply {:.2}; {:>4} of {rounds} rounds were quiet", part(theirs), quiet.len());
        if !quiet.is_empty() {
            let part = |i: usize, q: f64| t.flops / quantile(quiet.iter().map(|&r| slowest(r, i)).collect(), q) / 1e9 / peak;
            let [ours, theirs] = [2, 3].map(|i| (part(i, 0.5), part(i, 0.1)));
            print!("; ours {:.2}, best {:.2}; matrixmultiply {:.2}, best {:.2}", ours.0, ours.1, theirs.0, theirs.1);
        }
        println!();
        if ours > theirs {
            below.push(format!("{} {:?} by {:.0} %", t.name, t.shape, 100.0 * (ours / theirs - 1.0)));
        }
    }
    println!("slower than matrixmultiply: {}", if below.is_empty() { "none".into() } else { below.join(", ") });
}

#[test]
fn products_have_the_bits_of_matrixmultiply_and_their_speed_beside_it_is_printed() {
    if !fused() {
        println!("ABSENT: fused multiply-add, so matrixmultiply has other bits, which are not compared");
    }
    match std::env::var("ROUNDS") {
        Ok(rounds) => {
            let threads = std::env::var("THREADS").map_or(cpu::cores(), |n| n.parse().unwrap());
            report(Level::from_environment().unwrap(), threads, rounds.parse().unwrap());
        }
        Err(_) => {
            for level in [Level::Portable, Level::Avx2, Level::Avx512].into_iter().filter(|level| level.require().is_ok()) {
                [1, 2].into_iter().for_each(|threads| report(level, threads, 1));
            }
        }
    }
}
