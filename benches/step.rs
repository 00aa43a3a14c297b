//! A training step of the article's network on every device: `cargo bench --bench step`. The id is `step/DEVICE/BATCH`,
//! the throughput in FLOP.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use narrows::nn::Objective;
use narrows::train::Step;
use narrows::{AdamConfig, Autoencoder, Device, Program, Tape, Tensor, data};
use std::time::{Duration, Instant};

/// Rows of the data set.
const ROWS: usize = 4096;

/// A step as `fit` records it.
fn program(device: &Device, batch: usize, images: &[f32]) -> narrows::Result<(Program, Step)> {
    let images = Tensor::new(device, images, &[ROWS, 784])?;
    let ae = Autoencoder::builder(784).build(device)?;
    let mut step = Step::training(ae.params(), &images, AdamConfig::default(), &[], 1)?;
    let mut tape = Tape::plan(device);
    step.record(&mut tape, batch, |on, x| Objective::default().record(&ae, on, x))?;
    Ok((tape.compile()?, step))
}

fn steps(c: &mut Criterion) {
    let images = data::open("builtin").expect("the built-in data need nothing").train.rows_f32(0..ROWS);
    let mut group = c.benchmark_group("step");
    for info in Device::list().found {
        let device = Device::open(&info.id).expect("a listed device opens");
        for batch in [32, 128, 1024] {
            let (mut program, step) = program(&device, batch, &images).expect("the step compiles");
            group.throughput(Throughput::Elements(program.cost().flops)).sample_size(10);
            group.bench_function(BenchmarkId::new(device.id(), batch), |b| {
                b.iter_custom(|steps| {
                    let start = Instant::now();
                    program.run(steps as usize).expect("the steps run");
                    step.losses().expect("the loss is read, so the device is done");
                    start.elapsed().max(Duration::from_nanos(1))
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
