//! Models from parts: variants, files of this format and of the first, and two groups that are trained against each
//! other as PyTorch trains them.

use crate::common::{self, assert_close};
use narrows::data::Dataset;
use narrows::nn::{Activation, Builder, CodeActivation, Layer, Net, Recording, Spec};
use narrows::train::Step;
use narrows::{AdamConfig, Autoencoder, Device, Error, Fit, History, Loss, Params, Result, Tape, Tensor, Val, report};
use safetensors::SafeTensors;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn fixture(name: &str) -> Vec<f32> {
    let bytes = fs::read(data("torch_parts.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn numbers(params: &Params) -> Vec<(String, Vec<u32>)> {
    params.names().map(|name| (name.to_string(), params.read(name).unwrap().into_iter().map(f32::to_bits).collect())).collect()
}

/// A frozen encoder, and a decoder that is trained against a critic.
struct Seam {
    encoder: Net,
    decoder: Net,
    critic: Net,
    params: Params,
    noise: Tensor,
    order: Tensor,
}

const ROWS: usize = 80;
const BATCH: usize = 8;

impl Seam {
    fn new(device: &Device) -> Seam {
        let (tanh, relu) = (Layer::Act(Activation::Tanh), Layer::Act(Activation::Relu));
        let encoder = Net { inputs: 6, layers: vec![Layer::Dense(3), tanh] };
        let decoder = Net { inputs: 3, layers: vec![Layer::Dense(5), relu, Layer::Dense(6), Layer::Act(Activation::Sigmoid)] };
        let critic = Net { inputs: 6, layers: vec![Layer::Dense(4), tanh, Layer::Dense(1)] };
        let layouts = [("encoder", encoder.layout("encoder")), ("decoder", decoder.layout("decoder")), ("critic", critic.layout("critic"))];
        let params = Params::in_groups(device, &layouts, &[("seen".to_string(), vec![2])]).unwrap();
        params.names().for_each(|name| params.write(name, &fixture(&format!("seam.init.{name}"))).unwrap());
        params.state("seen").unwrap().write(&[0.5, 7.0]).unwrap();
        let noise = Tensor::new(device, &fixture("seam.noise"), &[ROWS, 6]).unwrap();
        let order = Tensor::indices(device, &(0..ROWS as u32).collect::<Vec<_>>(), ROWS).unwrap();
        Seam { encoder, decoder, critic, params, noise, order }
    }

    /// The objective, as PyTorch's in tests/torch/parts.py.
    fn record(&self, on: &mut Recording, x: Val) -> Result<()> {
        let rows = on.tape().shape(x)?[0];
        let noise = on.noise(|tape, stream| tape.gather(&self.noise, &self.order, stream.clock, rows))?;
        let seen = noise.map_or(Ok(x), |noise| on.tape().add(x, noise))?;
        let code = on.frozen("encoder", |on| self.encoder.record(on, "encoder", seen))?;
        let y = self.decoder.record(on, "decoder", code)?;
        let (one, zero) = (on.tape().fill(&[rows, 1], 1.0)?, on.tape().fill(&[rows, 1], 0.0)?);

        let reconstruction = on.tape().mse(y, x)?;
        let judged = on.frozen("critic", |on| self.critic.record(on, "critic", y))?;
        let adversarial = on.tape().bce_with_logits(judged, one)?;
        let tenth = on.tape().scale(adversarial, 0.1)?;
        let loss = on.tape().add(reconstruction, tenth)?;
        on.keep("reconstruction", reconstruction)?;
        on.keep("adversarial", adversarial)?;
        on.descend(loss, "decoder")?;

        let made = on.tape().detach(y)?;
        let (real, made) = (self.critic.record(on, "critic", x)?, self.critic.record(on, "critic", made)?);
        let (real, made) = (on.tape().bce_with_logits(real, one)?, on.tape().bce_with_logits(made, zero)?);
        let critic = on.tape().add(real, made)?;
        on.keep("critic", critic)?;
        on.descend(critic, "critic")
    }

    fn rows() -> Dataset {
        Dataset::from_rows("rows", fixture("seam.rows"), &[6]).unwrap()
    }

    fn fit(&self, change: impl Fn(Fit) -> Fit) -> History {
        let fit = Fit::default().epochs(1).batch_size(BATCH).learning_rate(1e-2).first_order((0..ROWS as u32).collect());
        change(fit).train(&self.params, &Seam::rows(), "seam", |on, x| self.record(on, x)).unwrap()
    }
}

#[test]
fn two_groups_against_each_other_go_pytorchs_way_for_ten_steps() {
    for device in common::devices() {
        let on = device.id();
        // The losses of each step, by the one place that records a step.
        let seam = Seam::new(device);
        let rows = Tensor::new(device, &fixture("seam.rows"), &[ROWS, 6]).unwrap();
        let config = AdamConfig { learning_rate: 1e-2, ..AdamConfig::default() };
        let mut step = Step::training(&seam.params, &rows, config, &[], ROWS / BATCH).unwrap();
        let mut tape = Tape::plan(device);
        step.record(&mut tape, BATCH, |on, x| seam.record(on, x)).unwrap();
        tape.compile().unwrap().run(ROWS / BATCH).unwrap();
        let losses = step.losses().unwrap();
        assert_eq!(losses.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["", "reconstruction", "adversarial", "critic"]);
        let torch = fixture("seam.losses");
        for (at, (name, losses)) in losses.iter().enumerate() {
            let want: Vec<f32> = torch.chunks(4).map(|step| step[at]).collect();
            assert_close(&format!("{on}: loss `{name}`"), losses, &want, 1e-5);
        }
        for name in seam.params.names() {
            let (init, after) = (fixture(&format!("seam.init.{name}")), fixture(&format!("seam.after.{name}")));
            let ours = seam.params.read(name).unwrap();
            assert_close(&format!("{on}: {name}"), &ours, &after, 1e-5);
            assert_eq!(ours == init, name.starts_with("encoder"), "{on}: {name} moves unless it is frozen");
        }

        // The same steps as an epoch of a training, with the error on the same rows in use: without noise.
        let whole = Seam::new(device);
        let epoch = whole.fit(|fit| fit.test(&Seam::rows())).epochs.remove(0);
        assert_eq!(numbers(&whole.params), numbers(&seam.params), "{on}");
        assert_eq!(epoch.step_losses, losses[0].1);
        assert_close(&format!("{on}: test"), &[epoch.test_loss.unwrap() as f32], &fixture("seam.test"), 1e-5);
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("metrics.csv");
        report::metrics(&csv, std::slice::from_ref(&epoch)).unwrap();
        let text = fs::read_to_string(&csv).unwrap();
        assert!(text.lines().next().unwrap().ends_with(",validation_loss,reconstruction,adversarial,critic"), "{text}");
        let critic = losses[3].1.iter().map(|&l| f64::from(l)).sum::<f64>() / losses[3].1.len() as f64;
        assert_eq!(report::read_metrics(&csv).unwrap()[0].losses[2], ("critic".to_string(), critic));
    }
}

#[test]
fn two_groups_resume_to_the_bit_and_not_under_another_name() {
    for device in common::devices() {
        let whole = Seam::new(device);
        let history = whole.fit(|fit| fit.epochs(2));
        let folder = tempfile::tempdir().unwrap();
        Seam::new(device).fit(|fit| fit.checkpoints(folder.path()));
        let again = Seam::new(device);
        again.params.names().for_each(|name| again.params.write(name, &vec![0.0; again.params.read(name).unwrap().len()]).unwrap());
        again.params.state("seen").unwrap().write(&[0.0, 0.0]).unwrap();
        let resumed = again.fit(|fit| fit.epochs(2).checkpoints(folder.path()).resume(true));
        assert_eq!(numbers(&again.params), numbers(&whole.params), "{}", device.id());
        assert_eq!(again.params.state("seen").unwrap().read().unwrap(), [0.5, 7.0]);
        for (ours, theirs) in resumed.epochs.iter().zip(&history.epochs) {
            assert_eq!((ours.train_loss, &ours.losses), (theirs.train_loss, &theirs.losses), "{}", device.id());
        }
        let fit = Fit::default().batch_size(BATCH).learning_rate(1e-2).first_order((0..ROWS as u32).collect());
        let fit = fit.checkpoints(folder.path()).resume(true);
        let error = fit.train(&again.params, &Seam::rows(), "other", |on, x| again.record(on, x)).unwrap_err().to_string();
        assert!(error.contains("its name is \"seam\", not \"other\""), "{error}");
    }
}

#[test]
fn losses_that_can_not_be_kept_are_refused() {
    let seam = Seam::new(&common::cpu());
    let refused = |pass: &dyn Fn(&mut Recording, Val) -> Result<()>| {
        Fit::default().train(&seam.params, &Seam::rows(), "seam", pass).unwrap_err().to_string()
    };
    let keep = |on: &mut Recording, x: Val, names: &[&'static str]| -> Result<()> {
        let sum = on.tape().sum(x)?;
        names.iter().try_for_each(|name| on.keep(name, sum))
    };
    for (names, said) in [
        (&["kl", "kl"][..], "loss: `kl` is kept twice. Give every loss its own name."),
        (&["seconds"], "loss: `seconds` is already a column of metrics.csv. Use small letters, digits and _, such as `reconstruction`."),
        (&["test"], "loss: `test` is already a line of the plot of losses. Use small letters, digits and _, such as `reconstruction`."),
        (&["a,b"], "loss: `a,b` is not a valid name. Use small letters, digits and _, such as `reconstruction`."),
    ] {
        assert_eq!(refused(&|on, x| keep(on, x, names)), said);
    }
    assert!(refused(&|on, x| on.keep("rows", x)).contains("`rows` is [80, 6] and not one number"));
    assert!(refused(&|on, x| keep(on, x, &["kl"])).contains("it has no loss. Call `descend`"));
}

/// A line through the origin whose only bias is one number.
fn line(device: &Device) -> (Net, Params, Dataset) {
    let net = Net { inputs: 1, layers: vec![Layer::Dense(1)] };
    let params = Params::in_groups(device, &[("model", net.layout("net"))], &[("seen".to_string(), vec![2])]).unwrap();
    params.write("net.0.bias", &[0.5]).unwrap();
    (net, params, Dataset::from_rows("line", vec![1.0, -1.0, 0.25], &[1]).unwrap())
}

#[test]
fn a_kept_parameter_is_what_it_was_where_it_was_kept() {
    for device in common::devices() {
        let (net, params, rows) = line(device);
        let fit = Fit::default().epochs(1).learning_rate(0.25);
        let history = fit.train(&params, &rows, "line", |on, x| {
            let bias = on.param("net.0.bias")?;
            on.keep("before", bias)?;
            let y = net.record(on, "net", x)?;
            let loss = on.tape().mse(y, x)?;
            on.descend(loss, "model")?;
            let bias = on.param("net.0.bias")?;
            on.keep("after", bias)
        });
        let after = f64::from(params.read("net.0.bias").unwrap()[0]);
        assert!(after != 0.5);
        assert_eq!(history.unwrap().epochs[0].losses, [("before".to_string(), 0.5), ("after".to_string(), after)], "{}", device.id());
    }
}

#[test]
fn a_training_goes_on_only_with_the_losses_that_it_began_with() {
    let (net, params, rows) = line(&common::cpu());
    let folder = tempfile::tempdir().unwrap();
    let train = |name: &'static str, fit: Fit| {
        fit.checkpoints(folder.path()).train(&params, &rows, "line", |on, x| {
            let y = net.record(on, "net", x)?;
            let loss = on.tape().mse(y, x)?;
            on.keep(name, loss)?;
            on.descend(loss, "model")
        })
    };
    train("reconstruction", Fit::default().epochs(1)).unwrap();
    let error = train("error", Fit::default().epochs(2).resume(true)).unwrap_err().to_string();
    assert!(error.contains("its losses are [\"reconstruction\"], not [\"error\"]"), "{error}");
    assert_eq!(train("reconstruction", Fit::default().epochs(2).resume(true)).unwrap().epochs[0].losses[0].0, "reconstruction");
}

#[test]
fn a_state_that_is_not_finite_ends_a_training() {
    let (net, params, rows) = line(&common::cpu());
    params.state("seen").unwrap().write(&[0.0, f32::INFINITY]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for fit in [Fit::default(), Fit::default().checkpoints(folder.path())] {
        let ended = fit.train(&params, &rows, "line", |on, x| {
            let y = net.record(on, "net", x)?;
            let loss = on.tape().mse(y, x)?;
            on.descend(loss, "model")
        });
        assert!(matches!(ended, Err(Error::Diverged { what: "the state", step: 0, .. })), "{ended:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_setting_that_no_layer_would_have_is_refused() {
    let said = |builder: Builder| builder.spec().unwrap_err().to_string();
    let flat = || Autoencoder::builder(6).layers([3]);
    let way_out = "and there is no hidden layer for it to follow. Add a hidden layer, or leave it out.";
    assert_eq!(said(flat().dropout(0.2)), format!("dropout: it is 0.2, {way_out}"));
    assert_eq!(said(flat().activation(Activation::Tanh)), format!("activation: it is tanh, {way_out}"));
    for p in [-0.5, 1.0, f32::NAN] {
        assert_eq!(said(flat().dropout(p)), format!("dropout: it is {p}. Use a share from 0 to below 1, such as 0.2."));
    }
    assert!(flat().dropout(0.0).activation(Activation::Relu).spec().is_ok());
}

#[test]
fn halves_that_no_model_has_are_refused_in_memory_and_from_a_file() {
    let (device, folder) = (common::cpu(), tempfile::tempdir().unwrap());
    let path = folder.path().join("model.safetensors");
    let plain = Autoencoder::builder(6).hidden([5]).code(3);
    plain.build(&device).unwrap().save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let relu = Layer::Act(Activation::Relu);
    let long: Vec<Layer> = std::iter::once(Layer::Dense(6)).chain(std::iter::repeat_n(relu, 4000)).collect();
    for (encoder, decoder, said) in [
        (vec![Layer::Dense(3)], long, "layers: the decoder has 4001 layers. Use at most 4000."),
        (vec![Layer::Dense(3)], vec![relu], "layers: the decoder has no dense layer. Give each half at least one."),
        (vec![], vec![Layer::Dense(6)], "layers: the encoder has no dense layer. Give each half at least one."),
        (vec![Layer::Dense(3)], vec![Layer::Dense(1 << 25)], "widths: the decoder has a layer of width 33554432. Use at most 16777216."),
    ] {
        let mut spec = plain.spec().unwrap();
        (spec.encoder.layers, spec.decoder.layers) = (encoder, decoder);
        assert_eq!(spec.check().unwrap_err().to_string(), said);
        let about = serde_json::json!({ "format": 2, "spec": spec }).to_string();
        let changed = safetensors::serialize(file.tensors(), Some([("narrows".to_string(), about)].into())).unwrap();
        let path = folder.path().join("changed.safetensors");
        fs::write(&path, changed).unwrap();
        let error = Autoencoder::load(&device, &path).unwrap_err().to_string();
        let problem = said.split_once(". ").unwrap().0;
        assert!(error.ends_with(&format!("{problem}. Use a model.safetensors that narrows wrote.")), "{error}");
    }
    let about = serde_json::json!({ "format": 4 }).to_string();
    fs::write(&path, safetensors::serialize(file.tensors(), Some([("narrows".to_string(), about)].into())).unwrap()).unwrap();
    let error = Autoencoder::load(&device, &path).unwrap_err().to_string();
    assert!(error.contains("its format is 4; this version knows 1 to 3. Use the version of narrows that wrote it"), "{error}");
}

#[test]
fn models_as_data_come_back_whole_and_without_what_they_need_not_say() {
    let builder = Autoencoder::builder(6).seed(u64::MAX).hidden([5]).code(3).tied().dropout(0.25);
    let text = serde_json::to_string(&builder).unwrap();
    assert_eq!(serde_json::from_str::<Builder>(&text).unwrap(), builder);
    let text = serde_json::to_string(&Builder::default()).unwrap();
    assert!(!text.contains("inputs") && !text.contains("seed"), "{text}");
    let text = "{\"encoder\":{\"inputs\":6,\"layers\":[\"dense:3\"]},\"decoder\":{\"inputs\":3,\"layers\":[\"dense:6\"]}}";
    assert_eq!(serde_json::from_str::<Spec>(text).unwrap(), Autoencoder::builder(6).layers([3]).spec().unwrap());
}

/// A network 6-5-3-5-6 with PyTorch's weights.
fn variant(device: &Device, change: impl Fn(narrows::nn::Builder) -> narrows::nn::Builder) -> Autoencoder {
    let ae = change(Autoencoder::builder(6).hidden([5]).code(3)).build(device).unwrap();
    ae.params().names().for_each(|name| ae.params().write(name, &fixture(&format!("variant.{name}"))).unwrap());
    ae
}

fn eight_rows() -> Dataset {
    Seam::rows().head(8)
}

#[test]
fn activations_and_codes_are_pytorchs() {
    for device in common::devices() {
        let compare = |name: &str, ae: Autoencoder| {
            let y = ae.reconstruct(&eight_rows()).unwrap().values;
            assert_close(&format!("{}: {name}", device.id()), &y, &fixture(&format!("variant.{name}.y")), 2e-6);
        };
        compare("tied", variant(device, |b| b.tied()));
        for name in Activation::NAMES {
            compare(name, variant(device, |b| b.activation(name.parse().unwrap())));
        }
        for name in ["relu", "sigmoid", "tanh"] {
            compare(&format!("code-{name}"), variant(device, |b| b.code_activation(name.parse().unwrap())));
        }
    }
}

#[test]
fn a_code_of_another_width_leaves_the_rest_of_a_model_as_it_is() {
    let builder = || Autoencoder::builder(6).hidden([5]).activation(Activation::Tanh).dropout(0.1).tied();
    assert_eq!(builder().code(3).spec().unwrap().with_code(2), builder().code(2).spec().unwrap());
}

#[test]
fn every_variant_comes_back_from_its_file() {
    let device = common::cpu();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let builder = || Autoencoder::builder(6).hidden([5, 4]).code(3).seed(8);
    for activation in Activation::NAMES {
        for code in CodeActivation::NAMES {
            let tied = if *code == "relu" { builder().tied() } else { builder() };
            let ae =
                tied.activation(activation.parse().unwrap()).code_activation(code.parse().unwrap()).dropout(0.25).build(&device).unwrap();
            ae.save(&path).unwrap();
            let again = Autoencoder::load(&device, &path).unwrap();
            assert_eq!((again.spec(), numbers(again.params())), (ae.spec(), numbers(ae.params())));
        }
    }
}

#[test]
fn a_tied_file_holds_both_matrices_under_pytorchs_names() {
    let device = common::cpu();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let ae = Autoencoder::builder(6).hidden([5]).code(3).tied().dropout(0.5).build(&device).unwrap();
    assert_eq!(ae.params().names().filter(|name| name.contains("decoder")).collect::<Vec<_>>(), ["decoder.0.bias", "decoder.3.bias"]);
    ae.save(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut names: Vec<_> = file.names().into_iter().map(str::to_string).collect();
    names.sort();
    let layers = ["decoder.0", "decoder.3", "encoder.0", "encoder.3"];
    assert_eq!(names, layers.iter().flat_map(|l| [format!("{l}.bias"), format!("{l}.weight")]).collect::<Vec<_>>());
    let read = |name: &str| -> Vec<f32> {
        file.tensor(name).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let (down, up) = (read("encoder.0.weight"), read("decoder.3.weight"));
    assert!((0..5).all(|o| (0..6).all(|i| down[o * 6 + i] == up[i * 5 + o])));
    // An untied network takes the file's weights as they are; a tied one does not take an untied file's.
    let untied = Autoencoder::builder(6).hidden([5]).code(3).dropout(0.5);
    assert_eq!(untied.weights(&device, &path).unwrap().params().read("decoder.3.weight").unwrap(), up);
    untied.build(&device).unwrap().save(&path).unwrap();
    let error = untied.clone().tied().weights(&device, &path).unwrap_err().to_string();
    assert!(error.contains("`decoder.0.weight` is not the transpose of `encoder.3.weight`, and the network is tied"), "{error}");
}

fn narrows(folder: &Path, args: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
    let output = command.current_dir(folder).args(args.split_whitespace()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{args}: {text}");
    text
}

/// The columns that do not depend on how fast the machine is.
fn measured(run: &Path) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.csv")).unwrap();
    let timeless = |line: &str| line.split(',').enumerate().filter(|(at, _)| !(3..5).contains(at)).map(|(_, c)| format!("{c},")).collect();
    text.lines().map(timeless).collect()
}

/// A folder with the points and a run of the first format.
fn first(run: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::copy(data("format_1/points.csv"), at.join("points.csv")).unwrap();
    fs::create_dir_all(at.join("run/checkpoints")).unwrap();
    for name in ["config.toml", "metrics.csv", "model.safetensors", "run.json", "checkpoints/last.safetensors"] {
        fs::copy(data("format_1").join(run).join(name), at.join("run").join(name)).unwrap();
    }
    folder
}

/// Trains on for as many epochs again, and says what was said.
fn go_on(folder: &Path) -> std::result::Result<(), String> {
    let path = folder.join("run/config.toml");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(path, config.replace("epochs = 2", "epochs = 4")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
    let output = command.current_dir(folder).args("train --device cpu -q --resume run".split(' ')).output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn a_run_of_the_first_format_goes_on() {
    let folder = first("unscaled");
    let at = folder.path();
    narrows(at, "eval --device cpu -q --model run");
    narrows(at, "report --device cpu -q --run run");
    go_on(at).unwrap();
    let flags = "--data points.csv --scale none --layers 4,2 --activation relu --epochs 4 --batch-size 16 --schedule step:3:0.5 --lr 0.01 \
                 --validation 0.2 --seed 3";
    // The rows that it held out were the last.
    fs::write(at.join("last.toml"), "[data]\nheld_out = \"last\"\n").unwrap();
    narrows(at, &format!("train --device cpu -q --config last.toml --out whole {flags}"));
    assert_eq!(measured(&at.join("run")), measured(&at.join("whole")));
    let model = |run: &str| fs::read(at.join(run).join("model.safetensors")).unwrap();
    assert_eq!(model("run"), model("whole"));
    // Another kind of model does not go on from it.
    let folder = first("unscaled");
    let at = folder.path();
    fs::remove_file(at.join("run/model.safetensors")).unwrap();
    let config = fs::read_to_string(data("format_1/unscaled/config.toml")).unwrap();
    fs::write(at.join("run/config.toml"), format!("[model]\nlayers = [4, 2]\nactivation = \"tanh\"\n{}", tables(&config))).unwrap();
    let text = go_on(at).unwrap_err();
    assert!(text.contains("its model is an untied relu network with a linear code and no dropout, and the one"), "{text}");
}

/// Its rows were scaled in 32 bits, and no training on others would end in its bits.
#[test]
fn a_scaled_run_of_the_first_format_is_used_and_does_not_go_on() {
    let folder = first("run");
    let at = folder.path();
    let ae = Autoencoder::load(&common::cpu(), at.join("run/model.safetensors")).unwrap();
    assert_eq!((ae.widths(), ae.scaler().unwrap().columns()), (&[6, 4, 2][..], 6));
    narrows(at, "eval --device cpu -q --model run");
    narrows(at, "report --device cpu -q --run run");
    let text = go_on(at).unwrap_err();
    assert!(text.contains("it can't go on: its rows were scaled in 32 bits, and are now scaled in 64"), "{text}");
}

/// The first format's lines of a training, in the tables of the second.
fn tables(flat: &str) -> String {
    let pick = |names: &[&str]| flat.lines().filter(|line| names.iter().any(|n| line.starts_with(n))).collect::<Vec<_>>().join("\n");
    let fit = pick(&["epochs", "batch_size", "lr", "schedule", "warmup", "weight_decay", "loss", "seed"]);
    format!("[fit]\n{fit}\n[data]\n{}\n", pick(&["data", "scale", "validation"]).replace("data = ", "name = "))
}

#[test]
fn a_run_is_repeated_from_its_file_and_flags_override_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::copy(data("format_1/points.csv"), at.join("points.csv")).unwrap();
    let flags = "--data points.csv --layers 5,2 --activation tanh --code sigmoid --epochs 3 --batch-size 16 --lr 0.02 --loss bce --patience 2 --seed 4";
    narrows(at, &format!("train --device cpu -q --out one {flags}"));
    narrows(at, "train --device cpu -q --config one/config.toml --out two");
    narrows(at, "train --device cpu -q --config one/config.toml --out three --activation relu");
    let model = |run: &str| fs::read(at.join(run).join("model.safetensors")).unwrap();
    assert_eq!((measured(&at.join("one")), model("one")), (measured(&at.join("two")), model("two")));
    assert_ne!(model("one"), model("three"));
    let spec = |run: &str| Autoencoder::load(&common::cpu(), at.join(run).join("model.safetensors")).unwrap().spec().clone();
    assert_eq!(spec("one").code, CodeActivation::Sigmoid);
    assert_eq!(spec("three").encoder.layers[1], Layer::Act(Activation::Relu));
    let page = fs::read_to_string(at.join("one/report.html")).unwrap();
    let shown = |name: &str, value: &str| page.contains(&format!("<dt>{name}</dt><dd>{value}</dd>"));
    assert!(shown("activation", "tanh") && shown("code", "sigmoid") && shown("layers", "5,2") && shown("loss", "bce"), "{page}");
    assert!(narrows(at, "eval --device cpu --model one").contains("device cpu"));
}

#[test]
fn codes_are_what_follows_the_encoder() {
    let ae = variant(&common::cpu(), |b| b.code_activation(CodeActivation::Sigmoid));
    let codes = ae.encode(&eight_rows()).unwrap();
    assert!(codes.values.iter().all(|c| (0.0..1.0).contains(c)));
    // They are what the decoder is given.
    assert_eq!(ae.decode(&codes).unwrap(), ae.reconstruct(&eight_rows()).unwrap());
    let history = ae.fit(&Seam::rows(), &Fit::default().epochs(20).loss(Loss::Bce)).unwrap();
    assert!(history.epochs[19].train_loss < history.epochs[0].train_loss);
}
