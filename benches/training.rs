//! An epoch of the article's network on 4,000 built-in digits, as `fit` trains it, the upload included:
//! `cargo bench --bench training`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use narrows::{Autoencoder, Device, Fit, data};

fn training(c: &mut Criterion) {
    let digits = data::open("builtin").expect("the built-in data need nothing").train.head(4_000);
    let mut group = c.benchmark_group("training");
    for info in Device::list().found.into_iter().filter(|info| !info.software) {
        let device = Device::open(&info.id).expect("a listed device opens");
        let ae = Autoencoder::builder(784).build(&device).expect("the network is built");
        group.throughput(Throughput::Elements(digits.len() as u64)).sample_size(10);
        group.bench_function(device.id(), |b| b.iter(|| ae.fit(&digits, &Fit::default().epochs(1)).expect("the epoch is trained")));
    }
    group.finish();
}

criterion_group!(benches, training);
criterion_main!(benches);
