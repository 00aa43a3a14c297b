//! Codes of 20,000 built-in digits, from the host to the host: `cargo bench --bench encode`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
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

criterion_group!(benches, encode);
criterion_main!(benches);
