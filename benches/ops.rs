//! Products and elementwise ops on the CPU, each as a program of its own: `cargo bench --bench ops`. The first line is
//! their yardstick, the rate of fused multiply-adds on registers alone, on one core. `dense` is a forward product,
//! `dense_and_gradients` all three.

mod peak;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use narrows::{Device, Level, Program, Tape, Tensor};
use std::time::Instant;

fn peak(c: &mut Criterion) {
    let level = Level::from_environment().expect("a level");
    let Some(flops) = peak::flops(level) else {
        return println!("absent: vectors at the portable level, so the peak is not measured");
    };
    let mut group = c.benchmark_group("peak");
    group.throughput(Throughput::Elements(1000 * flops as u64));
    group.bench_function(format!("fma/{level}"), |b| b.iter(|| peak::run(level, 1000)));
    group.finish();
}

fn random(device: &Device, shape: &[usize]) -> narrows::Result<Tensor> {
    let n = shape.iter().product::<usize>() as u32;
    let numbers: Vec<f32> = (0..n).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5).collect();
    Tensor::new(device, &numbers, shape)
}

fn dense(device: &Device, [b, i, o]: [usize; 3], gradients: bool) -> narrows::Result<Program> {
    let mut tape = Tape::plan(device);
    let (x, w, bias) = (random(device, &[b, i])?, random(device, &[o, i])?, random(device, &[o])?);
    let bias = tape.input(&bias)?;
    if gradients {
        let (x, w) = (tape.variable(&x)?, tape.variable(&w)?);
        let y = tape.dense(x, w, bias)?;
        let loss = tape.sum(y)?;
        tape.backward(loss)?;
    } else {
        let (x, w) = (tape.input(&x)?, tape.input(&w)?);
        tape.dense(x, w, bias)?;
    }
    tape.compile()
}

fn sigmoid(device: &Device, n: usize) -> narrows::Result<Program> {
    let mut tape = Tape::plan(device);
    let x = tape.input(&random(device, &[n])?)?;
    tape.sigmoid(x)?;
    tape.compile()
}

fn ops(c: &mut Criterion) {
    let device = Device::cpu().expect("there is a CPU");
    let mut group = c.benchmark_group("ops");
    let mut one = |id: BenchmarkId, mut program: Program| {
        group.throughput(Throughput::Elements(program.cost().flops)).sample_size(10);
        group.bench_function(id, |b| {
            b.iter_custom(|steps| {
                let start = Instant::now();
                program.run(steps as usize).expect("the steps run");
                start.elapsed()
            });
        });
    };
    let article = [[128, 784, 128], [128, 128, 64], [128, 64, 32], [128, 32, 64], [128, 64, 128], [128, 128, 784]];
    for shape in article.into_iter().chain([[512; 3], [1024; 3], [2048; 3]]) {
        for (name, gradients) in [("dense", false), ("dense_and_gradients", true)] {
            let program = dense(&device, shape, gradients).expect("the op compiles");
            one(BenchmarkId::new(name, shape.map(|n| n.to_string()).join("x")), program);
        }
    }
    one(BenchmarkId::new("sigmoid", "128x784"), sigmoid(&device, 128 * 784).expect("the op compiles"));
    group.finish();
}

criterion_group!(benches, peak, ops);
criterion_main!(benches);
