//! The article's family: denoising, variational and sparse autoencoders, held to PyTorch's steps and to what is known
//! exactly.

use crate::common;
use crate::common::assert_close;
use narrows::data::{self, Dataset};
use narrows::nn::{Builder, CodeActivation, Corruption, Output, Sparsity, TopK};
use narrows::tasks::{Activity, Denoising, Latent, Likelihood};
use narrows::{Autoencoder, Device, Fit, Level, Loss, Schedule};
use safetensors::SafeTensors;
use std::f64::consts::PI;

fn read(file: &str, name: &str) -> Vec<f32> {
    let bytes = std::fs::read(format!("{}/tests/data/{file}.safetensors", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

/// Every variant of the family: its name, the network, and how it is trained.
fn variants() -> Vec<(&'static str, Builder, Fit)> {
    let plain = || Autoencoder::builder(20).hidden([12, 7]).code(3);
    let vae = || Autoencoder::builder(20).layers([12, 3]).variational();
    let fit = Fit::default;
    vec![
        ("gaussian", plain(), fit().noise(Corruption::Gaussian(0.4))),
        ("mask", plain(), fit().noise(Corruption::Mask(0.3))),
        ("salt", plain(), fit().noise(Corruption::SaltPepper(0.2))),
        ("vae", vae(), fit().loss(Loss::Bce)),
        ("beta", vae().output(Output::Linear), fit().beta(2.0).kl_warmup(1).free_bits(0.2)),
        ("l1", plain(), fit().sparse(Sparsity::L1(0.01))),
        ("deep", plain(), fit().contractive(0.05)),
        ("one", Autoencoder::builder(20).layers([7]).code_activation(CodeActivation::Sigmoid), fit().contractive(0.05)),
        ("topk", plain().sparse(TopK::Row(2)), fit()),
        ("revived", Autoencoder::builder(20).layers([7]).sparse(TopK::Row(2)), fit().revive(0.5)),
        ("batchtopk", plain().sparse(TopK::Batch(2)), fit()),
        ("kl", plain().code_activation(CodeActivation::Sigmoid), fit().sparse(Sparsity::Kl { rho: 0.05, weight: 0.1 })),
    ]
}

/// Ten times the batch of the fixture, one after the other.
fn batches() -> (Dataset, Vec<u32>) {
    let rows = read("torch_fixture", "batch").repeat(10);
    (Dataset::from_rows("batches", rows, &[20]).unwrap(), (0..160).collect())
}

/// A network of which every other unit has been off for long, if it counts that.
fn built(device: &Device, network: &Builder) -> Autoencoder {
    let ae = network.build(device).unwrap();
    if let Ok(idle) = ae.params().state("encoder.idle") {
        let rows: Vec<f32> = (0..ae.code_width()).map(|unit| [0.0, 20_000.0][unit % 2]).collect();
        idle.write(&rows).unwrap();
    }
    ae
}

/// One epoch of ten steps.
fn compare(device: &Device, name: &str, network: &Builder, fit: &Fit) {
    let ae = built(device, network);
    let (file, stem) = match name {
        "vae" | "beta" => ("torch_family", "vae.init"),
        "one" | "revived" => ("torch_family", "one.init"),
        _ => ("torch_fixture", "init"),
    };
    for parameter in ae.params().names() {
        ae.params().write(parameter, &read(file, &format!("{stem}.{parameter}"))).unwrap();
    }
    let (rows, order) = batches();
    let fit = fit.clone().epochs(1).batch_size(16).learning_rate(1e-2).seed(5).first_order(order);
    let history = ae.fit(&rows, &fit).unwrap();
    let torch = |what: &str| read("torch_family", &format!("{name}.{what}"));
    let on = format!("{}: {name}", device.id());
    assert_close(&format!("{on}: losses"), &history.epochs[0].step_losses, &torch("losses"), 2e-6);
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
fn ten_steps_of_each_variant_end_where_pytorchs_do() {
    for device in common::devices() {
        variants().iter().for_each(|(name, network, fit)| compare(device, name, network, fit));
    }
}

/// Weights after three epochs with a short last batch.
fn trained(device: &Device, network: &Builder, fit: &Fit) -> Vec<u32> {
    let ae = built(device, network);
    let rows = batches().0.head(150);
    ae.fit(&rows, &fit.clone().epochs(3).batch_size(16)).unwrap();
    bits(&ae)
}

fn bits(ae: &Autoencoder) -> Vec<u32> {
    ae.params().names().flat_map(|name| ae.params().read(name).unwrap()).map(f32::to_bits).collect()
}

#[test]
fn every_variant_has_the_same_bits_for_any_number_of_threads_at_every_level_and_on_the_stand_in() {
    for (name, network, fit) in variants() {
        let one = trained(&Device::open_with("cpu", Some(1)).unwrap(), &network, &fit);
        for (threads, level) in [2, 7].into_iter().flat_map(|threads| Level::ALL.map(|level| (threads, level))) {
            if level.is_available() && (level == Level::best() || threads == 2) {
                let got = trained(&Device::cpu_with(threads, level).unwrap(), &network, &fit);
                assert!(got == one, "{name}: {threads} threads, {level}");
            }
        }
        for device in common::devices().iter().filter(|device| common::exact(device)) {
            assert!(trained(device, &network, &fit) == one, "{name}: {}", device.id());
        }
    }
}

#[test]
fn every_variant_resumes_to_the_bit() {
    let device = common::cpu();
    for (name, network, fit) in variants() {
        let folder = tempfile::tempdir().unwrap();
        let rows = batches().0.head(150);
        let kept = fit.clone().batch_size(16).checkpoints(folder.path());
        let ae = built(&device, &network);
        ae.fit(&rows, &kept.clone().epochs(1)).unwrap();
        // Another process has other weights before it reads the checkpoint.
        let again = network.clone().seed(9).build(&device).unwrap();
        let history = again.fit(&rows, &kept.epochs(3).resume(true)).unwrap();
        assert_eq!(history.epochs.len(), 3, "{name}");
        assert!(bits(&again) == trained(&device, &network, &fit), "{name}");
    }
}

#[test]
fn every_variant_is_saved_and_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let rows = batches().0.head(16);
    for (name, network, _) in variants() {
        let ae = network.build(&common::cpu()).unwrap();
        ae.save(&path).unwrap();
        let again = Autoencoder::load(&common::cpu(), &path).unwrap();
        assert_eq!((again.spec(), bits(&again)), (ae.spec(), bits(&ae)), "{name}");
        let file = std::fs::read(&path).unwrap();
        let names: Vec<String> = SafeTensors::deserialize(&file).unwrap().names().into_iter().map(Into::into).collect();
        assert!(!names.contains(&"encoder.idle".into()), "{name}: it counts in training alone");
        assert_eq!(again.encode(&rows).unwrap(), ae.encode(&rows).unwrap(), "{name}");
        // The file alone, as PyTorch would write it.
        let bare = network.weights(&common::cpu(), &path).unwrap();
        assert_eq!(bits(&bare), bits(&ae), "{name}");
    }
}

#[test]
fn the_terms_of_a_loss_are_kept_and_add_up() {
    let (rows, _) = batches();
    for (name, network, fit) in variants() {
        let ae = network.build(&common::cpu()).unwrap();
        let history = ae.fit(&rows, &fit.clone().epochs(2).batch_size(16).test(&rows)).unwrap();
        let losses = |epoch: usize| history.epochs[epoch].losses.iter().map(|(name, loss)| (name.as_str(), *loss)).collect::<Vec<_>>();
        let train = history.epochs[1].train_loss;
        match losses(1)[..] {
            [] => assert!(["gaussian", "mask", "salt", "topk", "batchtopk"].contains(&name), "{name}"),
            [("reconstruction", error), ("kl", kl)] if name == "vae" => assert!((error + kl - train).abs() < 1e-4 * train),
            [("reconstruction", error), ("kl", kl)] => assert!(name == "beta" && error < train && kl > 0.0),
            // No part of the loss.
            [("revival", error)] => assert!(name == "revived" && error > 0.0 && train > 0.0),
            [("reconstruction", error), ("penalty", penalty)] => {
                let weight = match name {
                    "l1" => 0.01f32,
                    "kl" => 0.1,
                    _ => 0.05,
                };
                assert!((error + f64::from(weight) * penalty - train).abs() < 1e-6, "{name}");
            }
            ref other => panic!("{name} keeps {other:?}"),
        }
        // In use there is no noise: the second epoch's error is measured with the means.
        assert!(history.epochs[1].test_loss.unwrap().is_finite(), "{name}");
    }
}

/// Rows in a rotated box, one at each corner, `times` times: their covariance is exactly that of independent columns
/// with these variances, rotated. Also the axes of the box.
fn box_of(variances: &[f64], times: usize) -> (Dataset, Vec<Vec<f64>>) {
    let n = variances.len();
    // A reflection is its own inverse: the columns of I - 2 v v' / (v' v).
    let v: Vec<f64> = (0..n).map(|i| 1.0 + i as f64).collect();
    let square: f64 = v.iter().map(|v| v * v).sum();
    let axis = |i: usize| (0..n).map(|j| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / square).collect::<Vec<f64>>();
    let axes: Vec<Vec<f64>> = (0..n).map(axis).collect();
    let corner = |corner: usize| {
        let side = |i: usize| if corner >> i & 1 == 1 { variances[i].sqrt() } else { -variances[i].sqrt() };
        (0..n).map(|j| (0..n).map(|i| side(i) * axes[i][j]).sum::<f64>() as f32).collect::<Vec<f32>>()
    };
    let rows: Vec<f32> = (0..1 << n).flat_map(corner).collect();
    (Dataset::from_rows("box", rows.repeat(times), &[n]).unwrap(), axes)
}

#[test]
fn a_linear_denoiser_is_wieners() {
    let (variances, deviation) = ([4.0, 2.0, 1.0, 0.5, 0.2, 0.1], 0.7f32);
    let (rows, axes) = box_of(&variances, 8);
    let ae = Autoencoder::builder(6).layers([3]).output(Output::Linear).build(&common::cpu()).unwrap();
    let noise = Corruption::Gaussian(deviation);
    let fit = Fit::default().epochs(1_500).batch_size(512).learning_rate(2e-2).schedule(Schedule::Cosine { to: 1e-6 });
    ae.fit(&rows, &fit.noise(noise)).unwrap();
    // The best of rank 3 keeps lambda / (lambda + s^2) of each of the three largest components.
    let s = f64::from(deviation).powi(2);
    let best = variances.iter().enumerate().map(|(i, l)| if i < 3 { l * s / (l + s) } else { *l }).sum::<f64>() / 6.0;
    let many = box_of(&variances, 2_000).0;
    let got = Denoising::of(&ae, &many, noise, 3).unwrap();
    assert!((got.denoised.mse / best - 1.0).abs() < 0.01, "{} where {best} is the least", got.denoised.mse);
    assert!((got.noisy.mse / s - 1.0).abs() < 0.01, "{:?}", got.noisy);
    // Its subspace: what the network makes of an axis that it should keep stays within the kept axes.
    let weights = ae.params().read("encoder.0.weight").unwrap();
    let outside = |unit: &[f32]| {
        let along = |axis: &[f64]| unit.iter().zip(axis).map(|(&w, a)| f64::from(w) * a).sum::<f64>();
        let all: f64 = unit.iter().map(|&w| f64::from(w).powi(2)).sum();
        let lost: f64 = axes[3..].iter().map(|axis| along(axis).powi(2)).sum();
        (lost / all).sqrt()
    };
    let worst = weights.chunks(6).map(outside).fold(0.0, f64::max);
    assert!(worst < 1e-2, "{worst} rad");
}

#[test]
fn a_linear_variational_network_is_probabilistic_pca() {
    let variances = [4.0, 2.0, 1.0, 0.3, 0.1, 0.05];
    let rows = box_of(&variances, 8).0;
    let ae = Autoencoder::builder(6).layers([5]).variational().output(Output::Linear).build(&common::cpu()).unwrap();
    let beta = 1.0;
    let fit = Fit::default().epochs(1_500).batch_size(512).learning_rate(2e-2).schedule(Schedule::Cosine { to: 1e-6 });
    ae.fit(&rows, &fit.beta(beta)).unwrap();
    // With the squared error, beta is twice the variance of the output: three variances are above it.
    let sigma = f64::from(beta) / 2.0;
    let latent = Latent::of(&ae, &rows.head(64), Loss::Mse, beta, 0).unwrap();
    assert_eq!(latent.active(), variances.iter().filter(|&&l| l > sigma).count(), "{latent}");
    assert!(latent.is_collapsed());
    // The likelihood of the rows under the model of those components (Tipping and Bishop 1999).
    let kept = |l: f64| if l > sigma { l.ln() + 1.0 } else { sigma.ln() + l / sigma };
    let truth = -0.5 * variances.iter().map(|&l| (2.0 * PI).ln() + kept(l)).sum::<f64>();
    let estimate = |draws| Likelihood::of(&ae, &rows.head(64), (Loss::Mse, beta), draws, 0).unwrap().log_likelihood;
    let [few, many] = [1, 5_000].map(estimate);
    assert!((many - truth).abs() < 0.1, "{many} where {truth} is right");
    assert!(few < many, "one draw is a lower bound: {few} and {many}");
}

#[test]
fn exactly_k_units_are_on_and_a_threshold_takes_as_many_in_use() {
    let (rows, _) = batches();
    let network = || Autoencoder::builder(20).layers([12]).output(Output::Linear);
    let on = |codes: &[f32]| codes.chunks(12).map(|row| row.iter().filter(|&&code| code != 0.0).count()).collect::<Vec<_>>();
    let ae = network().sparse(TopK::Row(3)).build(&common::cpu()).unwrap();
    assert!(on(&ae.encode(&rows).unwrap().values).iter().all(|&on| on == 3));
    let ae = network().sparse(TopK::Batch(3)).build(&common::cpu()).unwrap();
    ae.fit(&rows, &Fit::default().epochs(40).batch_size(16).learning_rate(1e-2)).unwrap();
    let codes = ae.encode(&rows).unwrap().values;
    let mean = on(&codes).iter().sum::<usize>() as f64 / 160.0;
    assert!((mean - 3.0).abs() < 0.5, "{mean} units are on");
    let threshold = ae.params().state("encoder.threshold").unwrap().read().unwrap()[0];
    assert!(threshold > 0.0 && codes.iter().all(|&code| code == 0.0 || code > threshold), "{threshold}");
    // The file holds it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    ae.save(&path).unwrap();
    assert_eq!(Autoencoder::load(&common::cpu(), &path).unwrap().encode(&rows).unwrap().values, codes);
}

/// Of 256 units of which four are on, half are never on after 60,000 rows; the auxiliary loss brings them back.
#[test]
fn units_that_never_fire_are_revived() {
    let rows = data::digits(0, 0..4000);
    let dead = |weight: f32| {
        let ae = Autoencoder::builder(784).layers([256]).tied().sparse(TopK::Row(4)).build(&common::cpu()).unwrap();
        ae.fit(&rows, &Fit::default().batch_size(64).learning_rate(3e-3).revive(weight).epochs(15)).unwrap();
        let idle = ae.params().state("encoder.idle").unwrap().read().unwrap();
        (Activity::of(&ae, &rows).unwrap().dead(), idle.iter().filter(|&&rows| rows >= 10_000.0).count())
    };
    let (without, counted) = dead(0.0);
    assert!(without >= 64 && counted == 0, "{without} are dead, and {counted} counted where nobody asks");
    let (with, counted) = dead(1.0 / 32.0);
    assert!(with <= 8 && counted <= 8, "{with} and {counted} are dead, and {without} without the auxiliary loss");
}

/// Where no unit is dead, the auxiliary loss changes no bit.
#[test]
fn nothing_is_revived_where_nothing_is_dead() {
    let rows = batches().0;
    let trained = |fit: Fit| {
        let ae = Autoencoder::builder(20).layers([12]).tied().sparse(TopK::Row(3)).build(&common::cpu()).unwrap();
        ae.fit(&rows, &fit.epochs(2).batch_size(16)).unwrap();
        bits(&ae)
    };
    assert!(trained(Fit::default()) == trained(Fit::default().revive(0.0)));
}

#[test]
fn what_means_nothing_is_refused_with_its_reason() {
    let (rows, _) = batches();
    let plain = || Autoencoder::builder(20).layers([3]);
    let refused = |network: Builder, fit: Fit| {
        let trained = network.build(&common::cpu()).and_then(|ae| ae.fit(&rows, &fit.epochs(1)));
        trained.unwrap_err().to_string()
    };
    let fit = Fit::default;
    for (error, said) in [
        (refused(plain(), fit().beta(2.0)), "beta: it weighs the divergence of a variational code"),
        (refused(plain(), fit().kl_warmup(2)), "kl warmup: it weighs the divergence"),
        (refused(plain(), fit().free_bits(0.1)), "free bits: it weighs the divergence"),
        (refused(plain().variational(), fit().beta(-1.0)), "beta: it is -1"),
        (refused(plain().variational(), fit().free_bits(f32::NAN)), "free bits: it is NaN"),
        (
            refused(plain().variational().code_activation(CodeActivation::Relu), fit()),
            "a variational code is drawn from a normal distribution",
        ),
        (refused(plain(), fit().sparse(Sparsity::Kl { rho: 0.1, weight: 1.0 })), "this code is linear"),
        (refused(plain(), fit().sparse(Sparsity::L1(0.0))), "sparse: it is 0"),
        (refused(plain().sparse(TopK::Row(4)), fit()), "sparse: topk:4 of a code of 3. Use 1 to 3."),
        (refused(plain().sparse(TopK::Batch(0)), fit()), "sparse: batchtopk:0 of a code of 3"),
        (refused(plain().sparse(TopK::Row(1)).variational(), fit()), "a variational code is drawn as a whole"),
        (refused(plain(), fit().revive(0.1)), "revive: it revives units of a code of its largest units"),
        (refused(plain().hidden([9]).sparse(TopK::Row(1)), fit().revive(0.1)), "and this decoder has more layers"),
        (refused(plain().sparse(TopK::Row(1)), fit().revive(-1.0)), "revive: it is -1"),
        (refused(plain(), fit().noise(Corruption::Mask(1.0))), "noise: it is 1"),
        (refused(plain(), fit().noise(Corruption::Gaussian(-0.5))), "noise: it is -0.5"),
    ] {
        assert!(error.contains(said), "{error}");
    }
}
