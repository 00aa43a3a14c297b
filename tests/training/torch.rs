//! The same numbers as PyTorch: a small fixture in the repository on every device, and an epoch of MNIST where the
//! environment says where it is. `tests/torch/README.md` tells how the fixture was made.

use crate::common;
use crate::common::assert_close;
use narrows::data::{self, Dataset};
use narrows::{Adam, AdamConfig, Autoencoder, Device, Fit, Tape, Tensor};
use safetensors::SafeTensors;
use std::path::Path;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/torch_fixture.safetensors");

struct Fixture(Vec<u8>);

impl Fixture {
    fn open() -> Fixture {
        Fixture(std::fs::read(FIXTURE).expect("the fixture is in the repository"))
    }

    fn get(&self, name: &str) -> Vec<f32> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    }

    /// The network with PyTorch's initial weights.
    fn network(&self, device: &Device) -> Autoencoder {
        let ae = Autoencoder::builder(20).hidden([12, 7]).code(3).build(device).unwrap();
        for name in ae.params().names() {
            ae.params().write(name, &self.get(&format!("init.{name}"))).unwrap();
        }
        ae
    }
}

#[test]
fn output_loss_and_every_gradient_are_pytorchs() {
    let fixture = Fixture::open();
    for device in common::devices() {
        let ae = fixture.network(device);
        let mut tape = Tape::new(device);
        let x = tape.input(&Tensor::new(device, &fixture.get("batch"), &[16, 20]).unwrap()).unwrap();
        let y = ae.forward(&mut tape, x).unwrap();
        let loss = tape.mse(y, x).unwrap();
        tape.backward(loss).unwrap();
        let on = device.id();
        assert_close(&format!("{on}: output"), &tape.read(y).unwrap(), &fixture.get("output"), 1e-6);
        assert_close(&format!("{on}: loss"), &tape.read(loss).unwrap(), &fixture.get("loss"), 1e-6);
        for name in ae.params().names() {
            let what = format!("{on}: gradient of {name}");
            // Gradients are sums with cancellation, so the bound is relative to the largest of each tensor; PyTorch's
            // own f32 is 2.5e-7 from f64.
            assert_close(&what, &ae.params().read_grad(name).unwrap(), &fixture.get(&format!("grad64.{name}")), 1e-6);
        }
    }
}

#[test]
fn ten_adam_steps_are_pytorchs_eager_and_compiled() {
    let fixture = Fixture::open();
    let (losses, batch) = (fixture.get("losses"), fixture.get("batch"));
    for device in common::devices() {
        let on = device.id();
        let x = Tensor::new(device, &batch, &[16, 20]).unwrap();
        let step = |ae: &Autoencoder, adam: &Adam, tape: &mut Tape| {
            let x = tape.input(&x).unwrap();
            let y = ae.forward(tape, x).unwrap();
            let loss = tape.mse(y, x).unwrap();
            tape.backward(loss).unwrap();
            adam.step(tape).unwrap();
            loss
        };

        let eager = fixture.network(device);
        let adam = Adam::new(eager.params(), AdamConfig::default()).unwrap();
        for &want in &losses {
            let mut tape = Tape::new(device);
            let loss = step(&eager, &adam, &mut tape);
            assert_close(&format!("{on}: a loss"), &tape.read(loss).unwrap(), &[want], 1e-6);
        }

        let compiled = fixture.network(device);
        let adam = Adam::new(compiled.params(), AdamConfig::default()).unwrap();
        let mut tape = Tape::plan(device);
        step(&compiled, &adam, &mut tape);
        tape.compile().unwrap().run(losses.len()).unwrap();

        for name in eager.params().names() {
            let ours = eager.params().read(name).unwrap();
            // Ten steps move a weight by up to 0.01; PyTorch's own f32 is 7e-8 from f64.
            assert_close(&format!("{on}: {name} after ten steps"), &ours, &fixture.get(&format!("after.{name}")), 2e-6);
            assert_eq!(ours, compiled.params().read(name).unwrap(), "{on}: {name}, eager and compiled");
        }
    }
}

/// The article's network on MNIST, from PyTorch's weights, in PyTorch's order.
struct Golden {
    train: Dataset,
    test: Dataset,
    order: Vec<u32>,
    losses: Vec<f64>,
    test_mse: f64,
    weights: std::path::PathBuf,
}

fn golden() -> Option<Golden> {
    let (folder, mnist) = (common::folder("NARROWS_GOLDEN")?, common::folder("NARROWS_MNIST")?);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("seed_ae_epoch0.json")).unwrap()).unwrap();
    // An npy file of version 1: a header of 10 bytes and a length, then 60,000 numbers.
    let order = std::fs::read(folder.join("order_epoch0.npy")).unwrap();
    assert!(order.starts_with(b"\x93NUMPY\x01") && order.windows(5).any(|w| w == b"'<u4'"));
    let header = 10 + usize::from(u16::from_le_bytes([order[8], order[9]]));
    let order = order[header..].chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect();
    let data::Split { train, test, .. } = data::open(mnist.to_str().unwrap()).unwrap();
    Some(Golden {
        train,
        test,
        order,
        losses: json["loss_per_step"].as_array().unwrap().iter().map(|l| l.as_f64().unwrap()).collect(),
        test_mse: json["test_mse_after"].as_f64().unwrap(),
        weights: folder.join("seed_ae_init.safetensors"),
    })
}

impl Golden {
    fn network(&self, device: &Device) -> Autoencoder {
        Autoencoder::builder(784).hidden([128, 64]).code(32).weights(device, &self.weights).unwrap()
    }

    fn assert_losses(&self, device: &Device, ours: &[f32]) {
        let worst = ours.iter().zip(&self.losses).map(|(&o, &l)| (f64::from(o) / l - 1.0).abs()).fold(0.0, f64::max);
        eprintln!("{}: the first {} losses of the epoch are within {worst:.1e} of PyTorch's", device.id(), ours.len());
        assert!(worst <= 1e-5, "{}: {worst:.1e}", device.id());
    }

    /// The losses of the first steps alone.
    fn first_steps(&self, device: &Device, steps: usize) -> Vec<f32> {
        let rows: Vec<f32> = self.order[..128 * steps].iter().flat_map(|&i| self.train.rows_f32(i as usize..i as usize + 1)).collect();
        let few = Dataset::from_rows("the first batches", rows, &[784]).unwrap();
        let fit = Fit::default().epochs(1).first_order((0..few.len() as u32).collect());
        self.network(device).fit(&few, &fit).unwrap().epochs.remove(0).step_losses
    }
}

#[test]
fn the_first_losses_on_mnist_are_pytorchs() {
    let Some(golden) = golden() else { return };
    for device in common::devices() {
        let steps = if device.id() == "cuda-standin" { 3 } else { 50 };
        let losses = golden.first_steps(device, steps);
        assert_eq!(losses.len(), steps);
        golden.assert_losses(device, &losses);
    }
}

#[test]
fn an_epoch_of_mnist_ends_where_pytorchs_does() {
    let Some(golden) = golden() else { return };
    let device = common::cpu();
    let ae = golden.network(&device);
    let fit = Fit::default().epochs(1).first_order(golden.order.clone()).test(&golden.test);
    let epoch = ae.fit(&golden.train, &fit).unwrap().epochs.remove(0);
    assert_eq!(epoch.step_losses.len(), golden.losses.len());
    golden.assert_losses(&device, &epoch.step_losses[..50]);
    let ours = epoch.test_loss.unwrap();
    eprintln!("test error after the epoch: {ours:.6}, PyTorch's {:.6}", golden.test_mse);
    assert!((ours / golden.test_mse - 1.0).abs() < 0.05);
}

#[test]
fn a_saved_model_loads_again_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for device in common::devices() {
        let ae = Fixture::open().network(device);
        ae.save(&path).unwrap();
        let again = Autoencoder::load(device, &path).unwrap();
        assert_eq!(again.widths(), [20, 12, 7, 3]);
        for name in ae.params().names() {
            assert_eq!(ae.params().read(name).unwrap(), again.params().read(name).unwrap(), "{name}");
        }
        assert!(Path::new(&path).exists());
    }
}

/// With NARROWS_PYTHON naming a Python that has torch and safetensors: PyTorch's `load_state_dict(strict=True)` takes
/// our file, and reconstructs the same.
#[test]
fn pytorch_reads_our_file_and_reconstructs_the_same() {
    let Some(python) = common::folder("NARROWS_PYTHON") else { return };
    let digits = data::open("builtin").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (model, recon) = (folder.path().join("model.safetensors"), folder.path().join("recon.safetensors"));
    let ae = Autoencoder::builder(784).build(&common::cpu()).unwrap();
    ae.fit(&digits.train.head(2_048), &Fit::default().epochs(3)).unwrap();
    ae.save(&model).unwrap();
    let rows = digits.test.head(100);
    let (x, y) = (rows.rows_f32(0..100), ae.reconstruct(&rows).unwrap().values);
    let view = |v| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![100, 784], v).unwrap();
    let bytes = |v: &[f32]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let (x, y) = (bytes(&x), bytes(&y));
    std::fs::write(&recon, safetensors::serialize([("x", view(&x)), ("y", view(&y))], None).unwrap()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/torch/load_strict.py");
    let output = std::process::Command::new(python).arg(script).arg(&model).arg(&recon).output().expect("Python starts");
    eprintln!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
