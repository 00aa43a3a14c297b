//! The command line, as a user meets it.

use std::fs;
use std::path::Path;
use std::process::Command;

fn narrows(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
    command.current_dir(folder).env_remove("NARROWS_CPU_LEVEL").env("NARROWS_CACHE", folder.join("no-cache"));
    command
}

/// Exit code, stdout, stderr.
fn run(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = narrows(folder).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_training_leaves_model_metrics_and_picture_and_prints_the_pictures_path() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--device", "cpu", "--epochs", "2", "--layers", "32,8", "--batch-size", "512"];
    for expected in ["runs/builtin-001/", "runs/builtin-002/"] {
        let (code, out, err) = run(folder.path(), &args);
        assert_eq!((code, out.trim_end()), (0, format!("{expected}reconstruction.png").as_str()), "{err}");
        assert!(err.contains("synthetic") && err.contains("epoch   2/2"), "{err}");
        let run = folder.path().join(expected);
        for picture in ["reconstruction.png", "weights.png"] {
            assert!(fs::read(run.join(picture)).unwrap().starts_with(b"\x89PNG"));
        }
        for page in ["loss.svg", "errors.svg", "report.html", "run.json"] {
            assert!(run.join(page).exists(), "{page}");
        }
        let metrics = fs::read_to_string(run.join("metrics.csv")).unwrap();
        let lines: Vec<&str> = metrics.lines().collect();
        assert_eq!(lines[0], "epoch,train_loss,test_loss,seconds,steps_per_second,learning_rate,validation_loss");
        let losses: Vec<f64> = lines[1..].iter().map(|l| l.split(',').nth(1).unwrap().parse().unwrap()).collect();
        assert!(losses.len() == 2 && losses[1] < losses[0], "{metrics}");
    }
    let weights = |n: &str| fs::read(folder.path().join(format!("runs/builtin-{n}/model.safetensors"))).unwrap();
    assert_eq!(weights("001"), weights("002"), "the same seed gives the same bits");
}

#[test]
fn what_is_asked_for_and_absent_is_an_error_with_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], i32, &str); 11] = [
        (&["--device", "cuda:99"], 4, "cuda"),
        (&["--device", "wgpu:99"], 4, "wgpu:99"),
        (&["--device", "tpu"], 2, "`tpu` is not the name of a device"),
        (&["--data", "no/such/folder"], 3, "there is no such file or folder"),
        (&["--device", "cpu", "--layers", "64,0"], 2, "width 0"),
        (&["--device", "cpu", "--epochs", "0"], 2, "epochs"),
        (&["--device", "cpu", "--batch-size", "0"], 2, "batch size"),
        (&["--device", "cpu", "--lr", "-1"], 2, "learning rate"),
        (&["--device", "cpu", "--threads", "0"], 2, "threads"),
        (&["train", "--layers", "a,b"], 2, "invalid value"),
        (&["verify", "--device", "cpu", "--op", "dens"], 2, "no op `dens`"),
    ];
    for (args, code, text) in cases {
        let (got, out, err) = run(folder.path(), args);
        assert_eq!(got, code, "{args:?}: {err}");
        assert!(err.contains(text), "{args:?}: {err}");
        assert!(out.is_empty() && !err.contains("panicked"), "{args:?}: {out} {err}");
    }
    let left: Vec<_> = walk(folder.path());
    assert!(left.is_empty(), "a refused training leaves nothing, but here are {left:?}");
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect()
}

#[test]
fn a_diverging_training_ends_with_5_and_says_at_which_step() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(folder.path(), &["--device", "cpu", "--epochs", "3", "--layers", "16,4", "--lr", "1e30"]);
    assert_eq!(code, 5, "{err}");
    assert!(err.contains("the loss stopped being finite at step") && err.contains("Lower the learning rate"), "{err}");
}

#[test]
fn weights_that_diverge_in_the_last_step_are_no_result() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--device", "cpu", "--epochs", "1", "--batch-size", "20000", "--layers", "16,4", "--lr", "3e38", "--out", "a/b"];
    let (code, out, err) = run(folder.path(), &args);
    assert_eq!((code, out.as_str()), (5, ""), "{err}");
    assert!(err.contains("the weights stopped being finite at step 0"), "{err}");
    let made = folder.path().join("a/b");
    assert!(!made.join("model.safetensors").exists(), "no model that does not load");
    assert!(made.join("checkpoints/last.safetensors").exists(), "the last good checkpoint is kept");
    fs::create_dir(folder.path().join("mine")).unwrap();
    let (code, _, _) = run(folder.path(), &["--device", "cpu", "--lr", "nan", "--out", "mine"]);
    assert_eq!(code, 2);
    assert!(folder.path().join("mine").exists(), "what was there before stays");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    if Path::new("/dev/full").exists() {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let status = narrows(Path::new(".")).arg("devices").stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(3));
    }
}

#[test]
fn the_threads_of_the_device_are_those_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (code, _, err) = run(folder.path(), &["--threads", "1", "--epochs", "1", "--layers", "4", "--batch-size", "2000"]);
    assert_eq!(code, 0, "{err}");
    let line = err.lines().find(|l| l.starts_with("device ")).unwrap();
    assert!(line.ends_with(" 1 thread") || !line.contains("cpu"), "{line}");
}

#[test]
fn results_of_another_run_are_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--device", "cpu", "--epochs", "1", "--layers", "8", "--batch-size", "1000", "--out", "mine", "-q"];
    let (code, out, err) = run(folder.path(), &args);
    assert_eq!((code, out.trim_end(), err.as_str()), (0, "mine/reconstruction.png", ""));
    let before = fs::read(folder.path().join("mine/model.safetensors")).unwrap();
    let (code, _, err) = run(folder.path(), &args);
    assert_eq!(code, 2);
    assert!(err.contains("already holds"), "{err}");
    assert_eq!(fs::read(folder.path().join("mine/model.safetensors")).unwrap(), before);
}

#[test]
fn eval_measures_what_training_measured() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--device", "cpu", "--epochs", "1", "--layers", "8", "--batch-size", "1000", "--out", "mine", "-q"];
    assert_eq!(run(folder.path(), &args).0, 0);
    let metrics = fs::read_to_string(folder.path().join("mine/metrics.csv")).unwrap();
    let trained: f64 = metrics.lines().nth(1).unwrap().split(',').nth(2).unwrap().parse().unwrap();
    // The folder of a run, and the file in it.
    for model in ["mine", "mine/model.safetensors"] {
        let (code, out, err) = run(folder.path(), &["eval", "--device", "cpu", "--model", model, "--json", "-q"]);
        assert_eq!((code, err.as_str()), (0, ""));
        let json: serde_json::Value = serde_json::from_str(&out).unwrap();
        // The same rows are summed in chunks there.
        assert!((json["test"]["mse"].as_f64().unwrap() / trained - 1.0).abs() < 1e-12, "{out}");
        assert_eq!(json["test"]["synthetic"], true);
        assert_eq!(json["test"]["classes"].as_array().unwrap().len(), 10);
        let unit = |name: &str| json["test"][name].as_f64().unwrap();
        assert!(unit("psnr_of_rows") > unit("psnr_of_mean") && unit("bce_above_floor") > 0.0, "{out}");
    }
    let (code, out, _) = run(folder.path(), &["eval", "--device", "cpu", "--model", "mine"]);
    assert!(code == 0 && out.contains("builtin (test), synthetic: 4000 rows of 784") && out.contains("test over training"), "{out}");
    let (code, _, err) = run(folder.path(), &["eval", "--device", "cpu", "--model", "absent"]);
    assert!(code == 3 && err.contains("absent: reading the model"), "{code} {err}");
}

#[test]
fn a_run_finds_its_data_from_any_folder_and_eval_says_when_they_are_others() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |seed: usize| (0..60).map(|i| format!("{},{},{}\n", i * seed % 50, i % 7, 60 - i)).collect::<String>();
    let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
    for (at, seed) in [(&here, 37), (&there, 31)] {
        fs::create_dir(at).unwrap();
        fs::write(at.join("t.csv"), rows(seed)).unwrap();
    }
    let train = "train --device cpu --data t.csv --layers 3,2 --epochs 1 --dropout 0.3 --header no --out m";
    let (code, _, err) = run(&here, &train.split(' ').collect::<Vec<_>>());
    assert_eq!(code, 0, "{err}");
    // From the other folder, which has a file of the same name.
    let eval = |model: &str| run(&there, &["eval", "--device", "cpu", "--model", model, "--json"]);
    let (code, out, err) = eval("../here/m");
    assert!(code == 0 && !err.contains("not the data"), "{err}");
    assert_eq!(out, run(&here, &["eval", "--device", "cpu", "--model", "m", "--json"]).1);
    assert_eq!(run(&there, &["report", "--device", "cpu", "--run", "../here/m"]).0, 0);
    assert_eq!(run(&there, &["train", "--device", "cpu", "--resume", "../here/m"]).0, 0);
    // The page says how to repeat it, after --resume too, and that does.
    let page = fs::read_to_string(here.join("m/report.html")).unwrap();
    assert!(page.contains("<pre>narrows train --config ../here/m/config.toml</pre>"), "{page}");
    assert!(page.contains("<dd>0.3</dd>") && page.contains("<dt>header</dt><dd>no</dd>") && page.contains("<dt>device</dt><dd>cpu</dd>"));
    for (config, out) in [("../here/m/config.toml", "a"), ("../here/m", "b")] {
        let (code, _, err) = run(&there, &["train", "--config", config, "--out", out, "-q"]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert_eq!(fs::read(there.join(out).join("model.safetensors")).unwrap(), fs::read(here.join("m/model.safetensors")).unwrap());
    }
    // Other rows, under the same path or in the working folder where nothing is under that path.
    let others = |err: &str| err.lines().filter(|l| l.contains("t.csv: these are not the data that the run in")).count() == 1;
    for moved in [false, true] {
        if moved {
            fs::remove_file(here.join("t.csv")).unwrap();
        } else {
            fs::write(here.join("t.csv"), rows(31)).unwrap();
        }
        for args in ["eval --model ../here/m", "report --run ../here/m", "plot --codes --model ../here/m", "train --resume ../here/m"] {
            let (code, _, err) = run(&there, &args.split(' ').collect::<Vec<_>>());
            assert!(code == 3 && others(&err), "{args}: {err}");
        }
        let (code, _, err) = run(&there, &["eval", "--model", "../here/m", "--data", "t.csv", "--header", "no"]);
        assert!(code == 0 && others(&err), "named, they are used: {err}");
    }
    let (code, _, err) = run(&there, &["train", "--config", "../here/m", "--out", "c"]);
    assert!(code == 3 && others(&err), "{err}");
    // The rows of the run in the working folder.
    fs::write(there.join("t.csv"), rows(37)).unwrap();
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(json(&eval("../here/m").1)["test"]["mse"], json(&out)["test"]["mse"]);
    assert_eq!(run(&there, &["train", "--resume", "../here/m", "--epochs", "2"]).0, 0);
}

#[test]
fn help_says_of_each_verb_which_device_it_takes_by_default() {
    let help = |verb: &str| run(Path::new("."), &[verb, "--help"]).1.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help("train").contains("[default: auto; with --resume or --config that of the run]"));
    let eval = help("eval");
    assert!(eval.contains("[default: auto]") && !eval.contains("--resume"), "{eval}");
}

#[test]
fn a_report_is_written_anew_and_codes_and_weights_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["train", "--device", "cpu", "--epochs", "1", "--layers", "8,3", "--batch-size", "1000", "--out", "a run", "-q"];
    assert_eq!(run(folder.path(), &args).0, 0);
    let page = || fs::read_to_string(folder.path().join("a run/report.html")).unwrap();
    let first = page();
    assert!(first.contains("<pre>narrows train --config 'a run/config.toml'</pre>"), "the command");
    assert!(first.contains("synthetic data"));
    fs::remove_file(folder.path().join("a run/report.html")).unwrap();
    let (code, out, err) = run(folder.path(), &["report", "--run", "a run", "--device", "cpu", "-q"]);
    assert_eq!((code, out.trim_end(), err.as_str()), (0, "a run/report.html", ""));
    assert_eq!(page(), first);

    let plot = |what: &str, more: &[&str]| {
        let args = [&["plot", "--device", "cpu", "-q", "--model", "a run", what], more].concat();
        let (code, out, err) = run(folder.path(), &args);
        assert_eq!((code, err.as_str()), (0, ""));
        fs::read(folder.path().join(out.trim_end())).unwrap()
    };
    let codes = String::from_utf8(plot("--codes", &["-o", "here.svg"])).unwrap();
    assert!(folder.path().join("here.svg").exists() && codes.matches("class=\"dot").count() == 4000 && codes.contains("synthetic"));
    assert!(plot("--weights", &[]).starts_with(b"\x89PNG"));
    let rate = String::from_utf8(plot("--rate", &["--sizes", "2,4", "--epochs", "1"])).unwrap();
    assert!(rate.contains("synthetic, 1 epoch each") && rate.contains(">PCA<"), "{rate}");
    let (code, _, err) = run(folder.path(), &["report", "--run", "absent", "--device", "cpu"]);
    assert!(code == 3 && err.contains("run.json"), "{code} {err}");

    // The page has every setting, also after the run was resumed with others.
    let file = folder.path().join("a run/config.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let shown = |settings: &str| format!("<pre>{}</pre>", settings.trim_end().replace('"', "&quot;"));
    assert!(settings.contains("layers = [8, 3]") && first.contains(&shown(&settings)), "{settings}");
    let longer = settings.replace("epochs = 1\n", "epochs = 2\n");
    fs::write(&file, &longer).unwrap();
    let (code, _, err) = run(folder.path(), &["train", "--device", "cpu", "-q", "--resume", "a run"]);
    assert_eq!(code, 0, "{err}");
    assert!(longer != settings && page().contains(&shown(&longer)));
}

/// Twelve rows of 400 random bytes: their covariance has at most eleven components.
#[test]
fn few_rows_of_many_columns_are_trained_to_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let header = format!("{:<117}\n", "{'descr': '|u1', 'fortran_order': False, 'shape': (12, 400), }");
    let noise = (0..4800u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8);
    let npy = b"\x93NUMPY\x01\0\x76\0".iter().copied().chain(header.bytes()).chain(noise).collect::<Vec<u8>>();
    fs::write(folder.path().join("few.npy"), npy).unwrap();
    let (code, _, err) = run(folder.path(), &["train", "--device", "cpu", "--data", "few.npy", "--layers", "8", "--out", "few"]);
    assert!(code == 0 && !err.contains("no comparison"), "{code} {err}");
    let page = fs::read_to_string(folder.path().join("few/report.html")).unwrap();
    assert!(page.contains("PCA with 8 components") && folder.path().join("few/run.json").exists());
}

#[test]
fn devices_names_the_cpu_and_every_kind_and_drivers_say_nothing() {
    let output = narrows(Path::new(".")).arg("devices").env_remove("XDG_RUNTIME_DIR").output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""));
    for kind in ["cpu", "cuda", "wgpu"] {
        assert!(out.lines().any(|l| l.starts_with(kind)), "{out}");
    }
}

#[test]
fn verify_prints_the_table_of_a_device() {
    let (code, out, err) = run(Path::new("."), &["verify", "--device", "cpu", "--quick"]);
    assert_eq!(code, 0, "{err}");
    for op in ["dense", "relu", "sigmoid", "mse", "adam", "gather"] {
        let line = out.lines().find(|l| l.split_whitespace().next() == Some(op));
        assert!(line.is_some_and(|l| l.contains("bit for bit")), "{op}: {out}");
    }
}

#[test]
fn a_level_that_is_no_level_is_refused() {
    let output = narrows(Path::new(".")).args(["--device", "cpu"]).env("NARROWS_CPU_LEVEL", "mmx").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("`mmx` is not a level"));
}
