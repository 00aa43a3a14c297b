//! Trainings: early stopping, callbacks, checkpoints that go on to the bit and that betray every change.

use crate::bits::{bits, digits, full, losses, network};
use crate::common;
use narrows::data::{self, Dataset, Scaler};
use narrows::nn::{Activation, CodeActivation, DeadUnits, Layer, Output};
use narrows::train::{Checkpoint, Ended};
use narrows::{AdamConfig, Autoencoder, Device, Error, Fit, History, Loss, Schedule};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn resumed_after_an_epoch_is_unbroken_to_the_bit() {
    let train = digits(250);
    for device in common::devices() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let unbroken = network(device);
        let whole = unbroken.fit(&train, &full(4).checkpoints(other.path())).unwrap();

        let broken = network(device);
        broken.fit(&train, &full(2).checkpoints(folder.path())).unwrap();
        // Another process: nothing but the files remains.
        let resumed = Autoencoder::builder(784).hidden([24]).code(6).seed(99).build(device).unwrap();
        let history = resumed.fit(&train, &full(4).checkpoints(folder.path()).resume(true)).unwrap();
        assert_eq!(bits(&resumed), bits(&unbroken), "{}", device.id());
        assert_eq!(losses(&history), losses(&whole), "{}", device.id());
        assert_eq!((history.best, history.ended), (whole.best, Ended::Complete));

        // And the checkpoints of both trainings hold the same state.
        let [a, b] = [folder.path(), other.path()].map(|f| Checkpoint::read(f.join("last.safetensors")).unwrap());
        assert_eq!((a.step(), a.epochs()), (28, 4));
        assert_eq!((b.step(), b.epochs()), (28, 4));
    }
}

#[test]
fn interrupted_within_an_epoch_it_goes_on_to_the_bit() {
    let train = digits(2_000);
    let fit = |epochs| Fit::default().epochs(epochs).batch_size(10).schedule(Schedule::Cosine { to: 1e-5 });
    for device in common::fast_devices() {
        let folder = tempfile::tempdir().unwrap();
        let unbroken = network(device);
        let whole = unbroken.fit(&train, &fit(3)).unwrap();
        let resumed = network(device);
        let mut cuts = 0;
        let mut within = 0;
        let history = loop {
            let flag = Arc::new(AtomicBool::new(false));
            let (raise, pause) = (flag.clone(), std::time::Duration::from_millis(10 + 25 * cuts));
            std::thread::spawn(move || {
                std::thread::sleep(pause);
                raise.store(true, Ordering::Relaxed);
            });
            let history = resumed.fit(&train, &fit(3).checkpoints(folder.path()).resume(cuts > 0).interrupt(flag)).unwrap();
            if history.ended == Ended::Complete {
                break history;
            }
            assert_eq!(history.ended, Ended::Interrupted);
            let (_, checkpoint) = Checkpoint::newest(folder.path()).unwrap();
            within += usize::from(checkpoint.step() % 200 != 0);
            cuts += 1;
            assert!(cuts < 200);
        };
        eprintln!("{}: {cuts} interruptions, {within} of them within an epoch", device.id());
        assert!(cuts > 0);
        assert_eq!(bits(&resumed), bits(&unbroken), "{}", device.id());
        assert_eq!(losses(&history), losses(&whole), "{}", device.id());
    }
}

#[test]
fn patience_ends_a_training_and_puts_the_best_weights_back() {
    let device = common::cpu();
    let (train, rows) = (digits(64), data::open("builtin").unwrap().test.head(200));
    let fit = Fit::default().epochs(400).batch_size(16).learning_rate(1e-2).validate(&rows).patience(5).min_delta(0.0);
    let folder = tempfile::tempdir().unwrap();
    let ae = network(&device);
    let history = ae.fit(&train, &fit.clone().checkpoints(folder.path())).unwrap();
    assert_eq!(history.ended, Ended::Patience);
    let best = history.best.unwrap();
    assert_eq!(history.epochs.len(), best + 5);
    let smallest = history.epochs.iter().map(|e| e.validation_loss.unwrap()).fold(f64::INFINITY, f64::min);
    assert_eq!(history.epochs[best - 1].validation_loss, Some(smallest));
    assert_eq!(ae.evaluate(&rows).unwrap(), smallest, "the weights are those of the best epoch");
    assert_eq!(Checkpoint::read(folder.path().join("best.safetensors")).unwrap().epochs(), best);
    // Resumed, it ends at once, and gives the same.
    let again = network(&device);
    let resumed = again.fit(&train, &fit.clone().checkpoints(folder.path()).resume(true)).unwrap();
    assert_eq!((resumed.ended, resumed.best), (Ended::Patience, Some(best)));
    assert_eq!(bits(&again), bits(&ae));
    // An error that falls by less than a share of it is one of those that patience counts; the smallest still is.
    let hasty = network(&device);
    let history = hasty.fit(&train, &fit.min_delta(0.1)).unwrap();
    let errors: Vec<f64> = history.epochs.iter().map(|e| e.validation_loss.unwrap()).collect();
    let smallest = |upto: usize| errors[..upto].iter().copied().fold(f64::INFINITY, f64::min);
    let fell = |epoch: &usize| errors[*epoch - 1] <= 0.9 * smallest(*epoch - 1);
    assert_eq!((history.ended, (1..=errors.len()).rfind(fell)), (Ended::Patience, Some(errors.len() - 5)));
    assert!(errors.len() < best && hasty.evaluate(&rows).unwrap() == smallest(errors.len()), "{errors:?}");
}

/// Seven epochs, evaluated after the third, the sixth and the last.
#[test]
fn seldom_evaluated_a_training_has_the_bits_of_one_that_is_evaluated_after_every_epoch() {
    let (device, train) = (common::cpu(), digits(250));
    let fit = |every| full(7).evaluate_every(every);
    let (often, seldom) = (network(&device), network(&device));
    let [whole, history] = [(&often, 1), (&seldom, 3)].map(|(ae, every)| ae.fit(&train, &fit(every)).unwrap());
    let ends: Vec<usize> = history.epochs.iter().map(|e| e.epoch).collect();
    assert_eq!((ends, history.epochs[0].steps, history.epochs[2].steps), (vec![3, 6, 7], 21, 7));
    assert_eq!((bits(&seldom), history.epochs[1].test_loss), (bits(&often), whole.epochs[5].test_loss));
    let losses_of = |h: &History| h.epochs.iter().flat_map(|e| e.step_losses.clone()).collect::<Vec<_>>();
    assert_eq!(losses_of(&history), losses_of(&whole));
    let mean = whole.epochs[..3].iter().map(|e| e.train_loss).sum::<f64>() / 3.0;
    assert!((history.epochs[0].train_loss / mean - 1.0).abs() < 1e-12);

    // Stopped wherever it is, it goes on to the same bits, evaluations and all.
    let folder = tempfile::tempdir().unwrap();
    let resumed = network(&device);
    let fit = |resume| full(7).batch_size(1).evaluate_every(3).checkpoints(folder.path()).resume(resume);
    let unbroken = network(&device);
    let whole = unbroken.fit(&train, &full(7).batch_size(1).evaluate_every(3)).unwrap();
    let mut cuts = 0;
    let history = loop {
        let flag = Arc::new(AtomicBool::new(false));
        let raise = flag.clone();
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(20 + 20 * cuts));
            raise.store(true, Ordering::Relaxed);
        });
        let history = resumed.fit(&train, &fit(cuts > 0).interrupt(flag)).unwrap();
        if history.ended == Ended::Complete {
            break history;
        }
        cuts += 1;
    };
    assert!(cuts > 0);
    assert_eq!((bits(&resumed), losses(&history), history.best), (bits(&unbroken), losses(&whole), whole.best));
    // And beyond its last epoch, which was no third one.
    let longer = resumed.fit(&train, &full(9).batch_size(1).evaluate_every(3).checkpoints(folder.path()).resume(true)).unwrap();
    let whole = unbroken_for(9, &train);
    assert_eq!(longer.epochs.iter().map(|e| e.epoch).collect::<Vec<_>>(), [3, 6, 7, 9]);
    assert_eq!(bits(&resumed), bits(&whole));

    for (every, said) in [(0, "an evaluation every 0 epochs of 7 steps"), (usize::MAX, "Use at least 1 epoch and at most")] {
        let error = network(&device).fit(&train, &full(7).evaluate_every(every)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let error = network(&device).fit(&train, &full(1).min_delta(1.0)).unwrap_err().to_string();
    assert!(error.contains("min delta: it is 1"), "{error}");
}

fn unbroken_for(epochs: usize, train: &Dataset) -> Autoencoder {
    let ae = network(&common::cpu());
    ae.fit(train, &full(epochs).batch_size(1)).unwrap();
    ae
}

#[test]
fn units_that_no_row_makes_fire_are_counted_layer_by_layer() {
    for device in common::devices() {
        let ae = Autoencoder::builder(3).hidden([4]).code(2).build(device).unwrap();
        // More than a chunk, and one row that is unlike the others.
        let mut values: Vec<f32> = (0..3 * 1500).map(|i| (i % 11) as f32 / 11.0).collect();
        values[3 * 1499] = 9.0;
        let rows = Dataset::from_rows("rows", values, &[3]).unwrap();
        // Two never fire, one fires for that row, and one for all.
        ae.params().write("encoder.0.weight", &[-1.0, 0.0, 0.0, 0.0, -1.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]).unwrap();
        ae.params().write("encoder.0.bias", &[-0.5, 0.0, -8.0, 0.1]).unwrap();
        let found = ae.dead_units(&rows).unwrap();
        assert_eq!(found[0], DeadUnits { layer: "encoder.1".into(), dead: 2, units: 4 });
        assert_eq!((found.len(), found[1].layer.as_str(), found[1].units), (2, "decoder.1", 4));
        assert_eq!(ae.dead_units(&rows.head(1499)).unwrap()[0].dead, 3);
        let tanh = Autoencoder::builder(3).hidden([4]).code(2).activation(Activation::Tanh).build(device).unwrap();
        assert!(tanh.dead_units(&rows).unwrap().is_empty());
    }
}

#[test]
fn a_callback_may_return_nothing_or_end_the_training() {
    let (device, train) = (common::cpu(), digits(64));
    let fit = Fit::default().epochs(5);
    let mut seen = 0;
    let history = network(&device).fit_with(&train, &fit, |_| seen += 1).unwrap();
    assert_eq!((seen, history.epochs.len(), history.ended), (5, 5, Ended::Complete));
    let stop = |e: &narrows::train::Epoch| if e.epoch == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let history = network(&device).fit_with(&train, &fit, stop).unwrap();
    assert_eq!((history.epochs.len(), history.ended), (2, Ended::Stopped));
}

#[test]
fn clipping_bounds_the_norm_and_leaves_small_gradients_to_the_bit() {
    let (device, train) = (common::cpu(), digits(256));
    let plain = network(&device);
    plain.fit(&train, &Fit::default().epochs(2)).unwrap();
    let loose = network(&device);
    loose.fit(&train, &Fit::default().epochs(2).clip_norm(1e6)).unwrap();
    assert_eq!(bits(&plain), bits(&loose));
    let tight = network(&device);
    tight.fit(&train, &Fit::default().epochs(2).clip_norm(1e-3)).unwrap();
    assert_ne!(bits(&plain), bits(&tight));
    let norm = |ae: &Autoencoder| {
        let squares = ae.params().names().flat_map(|n| ae.params().read_grad(n).unwrap()).map(|g| f64::from(g).powi(2));
        squares.sum::<f64>().sqrt()
    };
    assert!((norm(&tight) - 1e-3).abs() < 2e-6 && norm(&plain) > 2e-3, "{} {}", norm(&tight), norm(&plain));
}

/// 2,000 single flips and truncations of a checkpoint: none loads, and none passes for somebody else's weights.
#[test]
fn every_change_of_a_checkpoint_is_noticed() {
    let device = common::cpu();
    let folder = tempfile::tempdir().unwrap();
    let points = Dataset::from_rows("points", (0..60).map(|i| i as f32 / 60.0).collect(), &[6]).unwrap();
    let builder = Autoencoder::builder(6).hidden([4]).code(2);
    builder.build(&device).unwrap().fit(&points, &Fit::default().epochs(2).validate(&points).checkpoints(folder.path())).unwrap();
    let whole = fs::read(folder.path().join("last.safetensors")).unwrap();
    let path = folder.path().join("changed.safetensors");
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut named = 0;
    for turn in 0..2_000 {
        let mut bytes = whole.clone();
        match turn % 4 {
            0 => bytes.truncate(random(whole.len())),
            1 => bytes.extend(std::iter::repeat_n(0, 1 + random(9))),
            _ => bytes[random(whole.len())] ^= 1 << random(8),
        }
        fs::write(&path, &bytes).unwrap();
        let error = Checkpoint::read(&path).expect_err("a changed checkpoint").to_string();
        named += usize::from(error.contains("its sha256 does not fit"));
        assert!(builder.weights(&device, &path).is_err() && Autoencoder::load(&device, &path).is_err(), "turn {turn}");
    }
    // Only what was cut down to nearly nothing can't be told for ours.
    assert!(named > 1_800, "{named}");
    fs::write(&path, &whole).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap().epochs(), 2);
}

#[test]
fn a_damaged_last_checkpoint_gives_way_to_the_one_before() {
    let (device, train) = (common::cpu(), digits(100));
    let folder = tempfile::tempdir().unwrap();
    let fit = |epochs| Fit::default().epochs(epochs).checkpoints(folder.path());
    network(&device).fit(&train, &fit(3)).unwrap();
    let last = folder.path().join("last.safetensors");
    let mut bytes = fs::read(&last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&last, bytes).unwrap();
    let (path, checkpoint) = Checkpoint::newest(folder.path()).unwrap();
    assert_eq!((path, checkpoint.epochs()), (folder.path().join("last.previous.safetensors"), 2));
    let (resumed, unbroken) = (network(&device), network(&device));
    resumed.fit(&train, &fit(4).resume(true)).unwrap();
    unbroken.fit(&train, &Fit::default().epochs(4)).unwrap();
    assert_eq!(bits(&resumed), bits(&unbroken));
}

#[test]
fn a_diverging_training_keeps_its_last_good_checkpoint() {
    let (device, train) = (common::cpu(), digits(64));
    let folder = tempfile::tempdir().unwrap();
    let fit = Fit::default().epochs(3).learning_rate(1e30).batch_size(16).checkpoints(folder.path());
    let error = network(&device).fit(&train, &fit).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error}");
    assert_eq!(Checkpoint::newest(folder.path()).unwrap().1.step(), 0);
}

/// Interrupted later and later, until it has diverged by then.
#[test]
fn a_training_that_is_interrupted_after_it_diverged_says_so() {
    let (device, train) = (common::cpu(), digits(20_000));
    for with_folder in [false, true] {
        let seen = (0..12).any(|doubled| {
            let (folder, flag) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
            // An epoch of 20,000 steps.
            let fit = Fit::default().epochs(1).batch_size(1).learning_rate(1e30).interrupt(flag.clone());
            let fit = if with_folder { fit.checkpoints(folder.path()) } else { fit };
            let raise = std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(1 << doubled));
                flag.store(true, Ordering::Relaxed);
            });
            let ae = network(&device);
            let ended = ae.fit(&train, &fit);
            raise.join().unwrap();
            let finite = ae.params().names().all(|name| ae.params().read(name).unwrap().iter().all(|w| w.is_finite()));
            assert_eq!(ended.is_ok(), finite);
            assert!(!with_folder || Checkpoint::newest(folder.path()).unwrap().1.step() == 0 || finite);
            matches!(ended, Err(Error::Diverged { what: "the weights", .. }))
        });
        assert!(seen);
    }
}

fn refused(path: &Path, text: &str, fit: &Fit, train: &Dataset, ae: &Autoencoder) {
    let before = bits(ae);
    let error = ae.fit(train, fit).expect_err(text).to_string();
    assert!(error.contains(text), "{error}");
    assert_eq!(bits(ae), before, "what is refused changes nothing");
    assert!(path.exists());
}

#[test]
fn what_can_not_be_resumed_says_why() {
    let (device, train) = (common::cpu(), digits(100));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let fit = || Fit::default().epochs(2).checkpoints(path);
    let ae = network(&device);
    ae.fit(&train, &fit()).unwrap();
    let again = || fit().resume(true);
    refused(path, "already holds the checkpoints of a training. Resume that training", &fit(), &train, &ae);
    refused(path, "its seed is \"0\", not \"7\"", &again().seed(7), &train, &ae);
    refused(path, "its lr is 0.001, not 0.002", &again().learning_rate(2e-3), &train, &ae);
    refused(path, "its loss is \"mse\", not \"bce\"", &again().loss(Loss::Bce), &train, &ae);
    refused(path, "its data is", &again(), &digits(101), &ae);
    let other = Autoencoder::builder(784).hidden([24]).code(7).build(&device).unwrap();
    refused(path, "its widths are [784,24,6], not [784,24,7]", &again(), &train, &other);
    refused(path, "resume: there is no folder of checkpoints", &Fit::default().resume(true), &train, &ae);
    refused(path, "reading the checkpoint", &Fit::default().checkpoints(path.join("none")).resume(true), &train, &ae);
    refused(path, "patience: there are no validation rows", &Fit::default().patience(2), &train, &ae);
    refused(path, "clip norm: it is 0", &Fit::default().clip_norm(0.0), &train, &ae);
    refused(path, "warm-up: 3 steps of 2 in all", &Fit::default().epochs(2).warmup(3), &train, &ae);
    let floats = Dataset::from_rows("far", vec![1.5; 784], &[784]).unwrap();
    refused(path, "row 0 has a 1.5, and binary cross-entropy is for numbers in [0, 1]", &Fit::default().loss(Loss::Bce), &floats, &ae);
}

/// Floats in files are texts, and a float that comes back with another last bit is another training.
#[test]
fn a_run_knows_its_own_checkpoint_whatever_its_floats_are() {
    let device = common::cpu();
    let mut state = 7u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 12
    };
    // Any 52 bits of a mantissa, from 2^-64 up to 1.
    let mut float = || f64::from_bits((0x3ff - 1 - random() % 64) << 52 | random());
    let mut cases = vec![(1.676_691_735_881_641_5e-7, 1e-12f32)];
    cases.extend((0..300).map(|_| (float(), float() as f32)));
    for (lr, size) in cases {
        let folder = tempfile::tempdir().unwrap();
        let rows = (0..24).map(|i| size * (1.0 + (i * i % 7) as f32 / 3.0)).collect();
        let rows = Dataset::from_rows("rows", rows, &[3]).unwrap();
        let scaler = Scaler::standard(&rows).unwrap();
        let new =
            || Autoencoder::builder(3).layers([1]).output(Output::Linear).build(&device).unwrap().with_scaler(scaler.clone()).unwrap();
        let adam = AdamConfig { learning_rate: lr, beta1: float(), beta2: float(), eps: float(), weight_decay: float() };
        let fit = Fit::default().epochs(1).adam(adam).clip_norm(float() as f32).validate(&rows).checkpoints(folder.path());
        new().fit(&rows, &fit).unwrap();
        let again = new().fit(&rows, &fit.clone().epochs(2).resume(true));
        assert!(again.is_ok(), "lr {lr:e}, rows of {size:e}: {}", again.unwrap_err());
        // Another scaler is another training, and so is the next float.
        let other = Scaler::new(scaler.shift().to_vec(), scaler.scale().iter().map(|x| x.next_up()).collect()).unwrap();
        assert!(new().with_scaler(other).unwrap().fit(&rows, &fit.clone().resume(true)).is_err());
        let error = new().fit(&rows, &fit.learning_rate(lr.next_up()).resume(true)).unwrap_err().to_string();
        assert!(error.contains(&format!("its lr is {}", serde_json::json!(lr))), "{error}");
    }
}

/// Of a model that differs in one setting, that setting is named.
#[test]
fn a_checkpoint_of_another_model_names_the_setting() {
    let (device, folder) = (common::cpu(), tempfile::tempdir().unwrap());
    let rows = Dataset::from_rows("rows", (0..60).map(|i| i as f32 / 60.0).collect(), &[6]).unwrap();
    let fit = Fit::default().epochs(1).checkpoints(folder.path());
    let builder = || Autoencoder::builder(6).hidden([5, 4]).code(2).dropout(0.25);
    builder().build(&device).unwrap().fit(&rows, &fit).unwrap();
    for (other, said) in [
        (builder().dropout(0.5), "its dropout is \"0.25\", not \"0.5\""),
        (builder().dropout(0.0), "its dropout is \"0.25\", not none"),
        (builder().activation(Activation::Tanh), "its activation is \"relu\", not \"tanh\""),
        (builder().hidden([5, 3]), "its widths are [6,5,4,2], not [6,5,3,2]"),
        (builder().code_activation(CodeActivation::Tanh), "its code is \"linear\", not \"tanh\""),
        (builder().output(Output::Linear), "its output is \"sigmoid\", not \"linear\""),
        (builder().tied(), "its tied is false, not true"),
    ] {
        let error = other.build(&device).unwrap().fit(&rows, &fit.clone().resume(true)).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let mut deep = builder().spec().unwrap();
    deep.decoder.layers[0] = Layer::Dense(3);
    let error = Autoencoder::new(deep, 0, &device).unwrap().fit(&rows, &fit.resume(true)).unwrap_err().to_string();
    assert!(error.contains("its decoder's widths are [2,4,5,6], not [2,3,5,6]"), "{error}");
}

#[test]
fn many_short_epochs_under_an_interrupt_flag_come_to_their_end() {
    let flag = Arc::new(AtomicBool::new(false));
    let rows = Dataset::from_rows("rows", (0..64).map(|i| i as f32 / 64.0).collect(), &[2]).unwrap();
    let ae = Autoencoder::builder(2).hidden([2]).code(1).build(&Device::cpu_with(1, narrows::Level::best()).unwrap()).unwrap();
    let history = ae.fit(&rows, &Fit::default().epochs(150).batch_size(8).interrupt(flag)).unwrap();
    assert_eq!((history.epochs.len(), history.ended), (150, Ended::Complete));
}
