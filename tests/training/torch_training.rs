//! AdamW, clipping, binary cross-entropy and schedules as PyTorch has them: whole trainings against
//! `tests/torch/training.py`.

use crate::common;
use crate::common::assert_close;
use narrows::data::Dataset;
use narrows::{Autoencoder, Device, Fit, Loss, Schedule};
use safetensors::SafeTensors;

fn read(file: &str, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(format!("{}/tests/data/{file}.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Ten steps on the whole batch: ten epochs of one step.
fn compare(device: &Device, name: &str, change: impl Fn(Fit) -> Fit) {
    let ae = Autoencoder::builder(20).hidden([12, 7]).code(3).build(device).unwrap();
    for parameter in ae.params().names() {
        ae.params().write(parameter, &read("torch_fixture", &format!("init.{parameter}"))).unwrap();
    }
    let batch = Dataset::from_rows("batch", read("torch_fixture", "batch"), &[20]).unwrap();
    let fit = Fit::default().epochs(10).batch_size(16).learning_rate(1e-2);
    let history = ae.fit(&batch, &change(fit)).unwrap();
    let torch = |what: &str| read("torch_training", &format!("{name}.{what}"));
    let on = format!("{}: {name}", device.id());
    let rates: Vec<f32> = history.epochs.iter().map(|e| e.learning_rate as f32).collect();
    assert_close(&format!("{on}: rates"), &rates, &torch("rates"), 2e-7);
    let losses: Vec<f32> = history.epochs.iter().map(|e| e.step_losses[0]).collect();
    assert_close(&format!("{on}: losses"), &losses, &torch("losses"), 1e-6);
    let mut worst: f64 = 0.0;
    for parameter in ae.params().names() {
        let (got, want) = (ae.params().read(parameter).unwrap(), torch(&format!("after.{parameter}")));
        let largest = want.iter().fold(0f64, |m, &w| m.max(f64::from(w).abs()));
        let error = got.iter().zip(&want).fold(0f64, |m, (&g, &w)| m.max((f64::from(g) - f64::from(w)).abs()));
        worst = worst.max(error / largest);
    }
    eprintln!("{on}: {worst:.1e} from f64 after ten steps, PyTorch's f32 {:.1e}", torch("error")[0]);
    assert!(worst <= 1e-5, "{on}: {worst:.1e}");
}

#[test]
fn ten_steps_end_where_pytorchs_do() {
    for device in common::devices() {
        compare(device, "adamw", |fit| fit.weight_decay(0.1));
        compare(device, "clip", |fit| fit.clip_norm(0.005));
        compare(device, "bce", |fit| fit.loss(Loss::Bce));
        compare(device, "cosine", |fit| fit.schedule(Schedule::Cosine { to: 1e-4 }));
        let all = |fit: Fit| fit.weight_decay(0.1).clip_norm(0.015).loss(Loss::Bce).schedule(Schedule::Cosine { to: 1e-4 }).warmup(3);
        compare(device, "all", all);
    }
}
