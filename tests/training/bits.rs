//! The bits in which trainings end, on every processor.

use narrows::data::{self, Dataset};
use narrows::{Autoencoder, Device, Fit, History, Level, Loss, Schedule};

pub fn digits(rows: usize) -> Dataset {
    data::open("builtin").unwrap().train.head(rows)
}

pub fn network(device: &Device) -> Autoencoder {
    Autoencoder::builder(784).hidden([24]).code(6).seed(5).build(device).unwrap()
}

pub fn bits(ae: &Autoencoder) -> Vec<Vec<u32>> {
    ae.params().names().map(|n| ae.params().read(n).unwrap().into_iter().map(f32::to_bits).collect()).collect()
}

/// The bits of an epoch's training, test and validation loss.
pub type Losses = (u64, Option<u64>, Option<u64>);

pub fn losses(history: &History) -> Vec<Losses> {
    let bits = |e: &narrows::train::Epoch| (e.train_loss.to_bits(), e.test_loss.map(f64::to_bits), e.validation_loss.map(f64::to_bits));
    history.epochs.iter().map(bits).collect()
}

/// Everything at once: a schedule, decay, clipping, cross-entropy, a short last batch, validation and test rows.
pub fn full(epochs: usize) -> Fit {
    let rows = data::open("builtin").unwrap().test;
    Fit::default()
        .epochs(epochs)
        .batch_size(40)
        .seed(3)
        .schedule(Schedule::Step { every: 2, factor: 0.5 })
        .warmup(5)
        .weight_decay(0.01)
        .clip_norm(0.05)
        .loss(Loss::Bce)
        .validate(&rows.head(64))
        .patience(50)
        .test(&rows.head(32))
}

/// The same training on x86-64 and on aarch64, with every vector and with none, ends in these very bits. What they are
/// has no meaning; a C library or a processor that rounds in its own way would change them.
#[test]
fn trainings_end_in_the_bits_of_every_other_processor() {
    // An emulator is slow.
    let emulated = std::env::var_os("NARROWS_EMULATED").is_some();
    let threads: &[usize] = if emulated { &[2] } else { &[1, 2, 3] };
    for level in Level::ALL.into_iter().filter(|&level| if emulated { level == Level::best() } else { level.is_available() }) {
        for &threads in threads {
            let device = Device::cpu_with(threads, level).unwrap();
            let train = data::digits(0, 0..1000);
            let plain = Autoencoder::builder(784).hidden([40]).code(8).build(&device).unwrap();
            let history = plain.fit(&train, &Fit::default().epochs(2)).unwrap();
            let losses: Vec<f64> = history.epochs.iter().map(|epoch| epoch.train_loss).collect();
            assert_eq!(losses, [0.2281943018436432, 0.2111298567056656], "{level}, {threads} threads");
        }
        let device = Device::cpu_with(2, level).unwrap();
        let ae = network(&device);
        let history = ae.fit(&digits(300), &full(3).schedule(Schedule::Cosine { to: 1e-5 })).unwrap();
        assert_eq!((losses(&history), digest(&ae)), (BITS.0.to_vec(), BITS.1), "{level}");
    }
}

/// The losses of three epochs, and the digest of the parameters.
const BITS: ([Losses; 3], u64) = (
    [
        (4604415538841448175, Some(4604335848301709575), Some(4604335808062540305)),
        (4604257747970695714, Some(4604151067280381887), Some(4604154444761518671)),
        (4604114297780996233, Some(4604089932770763563), Some(4604094377353343828)),
    ],
    7709606059528591424,
);

/// Of the bits of all parameters (FNV-1a).
fn digest(ae: &Autoencoder) -> u64 {
    bits(ae).into_iter().flatten().fold(0xcbf2_9ce4_8422_2325, |hash, bits| (hash ^ u64::from(bits)).wrapping_mul(0x100_0000_01b3))
}
