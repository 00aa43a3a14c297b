//! Codes of 20,000 built-in digits, from the host to the host, and the ten nearest of a million codes of 32 numbers for
//! each of 1,000 others: `cargo bench --bench encode`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use narrows::data::Rows;
use narrows::tasks::{Metric, Neighbours};
use narrows::{Autoencoder, Device, data};

fn encode(c: &mut Criterion) {
    let digits = data::open("builtin").expect("the built-in data need nothing").train;
    let mut group = c.benchmark_group("encode");
    for info in Device::list().found.into_iter().filter(|info| !info.software) {
        let device = Device::open(&info.id).expect("a listed device opens");
        let ae = Autoencoder::builder(784).build(&device).expect("the network is built");
        group.throughput(Throughput::Elements(digits.len() as u64)).sample_size(10);
        group.bench_function(device.id(), |b| b.iter(|| ae.encode(&digits).expect("the rows are encoded")));
    }
    group.finish();
}

/// Numbers from -1/2 to 1/2 that look drawn.
fn codes(rows: usize, salt: u32) -> Rows {
    let number = |i: usize| {
        let mixed = (i as u32 ^ salt).wrapping_mul(0x9E37_79B9);
        ((mixed ^ mixed >> 15).wrapping_mul(0x85EB_CA6B) >> 8) as f32 / 16_777_216.0 - 0.5
    };
    Rows::new(32, (0..rows * 32).map(number).collect())
}

fn search(c: &mut Criterion) {
    let (gallery, queries) = (codes(1_000_000, 0), codes(1_000, 1 << 31));
    let device = Device::cpu().expect("a CPU is always there");
    let mut group = c.benchmark_group("search");
    group.throughput(Throughput::Elements(1_000)).sample_size(10);
    group.bench_function("l2", |b| b.iter(|| Neighbours::of(&device, &gallery, &queries, 10, Metric::L2).expect("they fit")));
    group.bench_function("16 bits", |b| b.iter(|| Neighbours::by_bits(&gallery, &queries, 10, 16).expect("they fit")));
    group.finish();
}

criterion_group!(benches, encode, search);
criterion_main!(benches);
