//! The first hour: defaults that fit the rows, and a program that says what a training has come to.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Exit code, stdout, stderr.
fn run(folder: &Path, args: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
    let output = command.current_dir(folder).env("NARROWS_CACHE", folder.join("no-cache")).args(args.split(' ')).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn ok(folder: &Path, args: &str) -> (String, String) {
    let (code, out, err) = run(folder, args);
    assert_eq!(code, 0, "{args}: {err}");
    (out, err)
}

/// A folder with a table of six columns in [0, 100] that two numbers determine.
fn table(rows: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let row = |i: usize| {
        let (x, y) = ((i * 37 % 101) as f64, (i * 53 % 97) as f64);
        let columns = [x, y, (x + y) / 2.0, 100.0 - x, 0.3 * x + 0.7 * (100.0 - y), y * y / 100.0];
        columns.map(|x| format!("{x:.2}")).join(",") + "\n"
    };
    fs::write(folder.path().join("t.csv"), "a,b,c,d,e,f\n".to_string() + &(0..rows).map(row).collect::<String>()).unwrap();
    folder
}

fn lines(folder: &Path, file: &str) -> usize {
    fs::read_to_string(folder.join(file)).unwrap().lines().count()
}

#[test]
fn a_small_table_gets_widths_an_activation_and_steps_that_fit_it() {
    let folder = table(240);
    let at = folder.path();
    // 200 rows to train on are two steps.
    let (out, err) = ok(at, "train --device cpu --data t.csv --out m --json");
    assert!(err.contains("training 6-128-64-2 and back for 3000 steps: 1500 epochs of 2, an evaluation every 25"), "{err}");
    assert_eq!(lines(at, "m/metrics.csv"), 1 + 1500 / 25);
    let config = fs::read_to_string(at.join("m/config.toml")).unwrap();
    for line in ["layers = [128, 64, 2]", "activation = \"leaky\"", "epochs = 1500", "evaluate_every = 25"] {
        assert!(config.lines().any(|l| l == line), "{line}: {config}");
    }
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    let number = |name: &str| json[name].as_f64().unwrap();
    assert!(number("test_mse") < number("pca_mse") && number("pca_mse") < number("mean_mse"), "{out}");
    assert_eq!((&json["collapsed"], json["dead_units"].as_array().unwrap().len()), (&false.into(), 0), "{out}");
    let last = err.lines().last().unwrap();
    assert!(last.starts_with("test error ") && last.contains(" % less than 2 principal components leave"), "{err}");
    // What is said stands, and what is repeated is the same.
    let (_, err) = ok(at, "train --device cpu --data t.csv --out short --epochs 2 --activation relu");
    assert!(err.contains("for 4 steps: 2 epochs of 2\n") && lines(at, "short/metrics.csv") == 3, "{err}");
    ok(at, "train --config m --out again -q");
    let model = |run: &str| fs::read(at.join(run).join("model.safetensors")).unwrap();
    assert_eq!(model("again"), model("m"));
}

#[test]
fn enough_rows_are_trained_on_until_the_validation_error_stops_falling() {
    let folder = table(1_800);
    let at = folder.path();
    let (_, err) = ok(at, "train --device cpu --data t.csv --out m --layers 6 --lr 0.05");
    assert!(err.contains("1350 rows of 6 to train on, 150 to validate") && err.contains("or until 10 evaluations in a row"), "{err}");
    assert!(err.contains("a code of 6 for rows of 6 narrows nothing"), "{err}");
    assert!(err.contains("patience ended it after epoch"), "{err}");
    let (_, err) = ok(at, "train --device cpu --data t.csv --out n --layers 2 --validation none");
    assert!(err.contains("1500 rows of 6 to train on, 300 to test") && !err.contains("until"), "{err}");
}

#[test]
fn widths_are_understood_as_people_write_them() {
    let folder = table(60);
    let at = folder.path();
    let train = |layers: &str, out: &str| run(at, &format!("train --device cpu --data t.csv --epochs 1 --layers {layers} --out {out}"));
    let (code, _, err) = train("6-5-2", "a");
    assert!(code == 0 && err.contains("training 6-5-2 and back") && !err.contains("two widths"), "{err}");
    let (code, _, err) = train("6,5,2", "b");
    assert!(code == 0 && err.contains("training 6-6-5-2 and back") && err.contains("two widths of 6; for one: --layers 6-5-2"), "{err}");
    let (code, _, err) = train("7-5-2", "c");
    assert!(code == 2 && err.contains("--layers: the widths begin with rows of 7 numbers, and these have 6. Begin with 6-"), "{err}");
    assert!(!at.join("c").exists());
}

#[test]
fn what_a_training_is_worth_is_said_and_what_to_try_next() {
    let folder = table(60);
    let at = folder.path();
    let train = |more: &str| ok(at, &format!("train --device cpu --data t.csv {more}")).1;
    let err = train("--out worse --epochs 40");
    let last: Vec<&str> = err.lines().rev().take(2).collect();
    let next =
        "try next: narrows train --config worse/config.toml --epochs 80, or narrows train --config worse/config.toml --layers 256,128,2";
    assert!(last[0] == next && last[1].contains(" times what 2 principal components leave (0.00"), "{err}");
    let err = train("--out few --epochs 1 --lr 1e-9 --activation relu");
    assert!(err.contains("1 step: 1 epoch of 1\n"), "{err}");
    assert!(err.contains("no better than the mean of each column") && err.contains("it was trained for 1 step only"), "{err}");
    assert!(err.ends_with("try next: narrows train --config few/config.toml --epochs 3000\n"), "{err}");
    let err = train("--out none --epochs 200 --lr 1e-9 --activation relu");
    assert!(err.contains("no better than the mean of each column") && err.contains("the network has collapsed"), "{err}");
    assert!(err.ends_with("try next: narrows train --config none/config.toml --activation leaky\n"), "{err}");
    // A rate that kills.
    let err = train("--out dead --epochs 20 --lr 0.5 --activation relu --layers 8,2");
    assert!(err.contains("units that no training row makes fire: ") && err.contains(" of 8 in encoder.1"), "{err}");
}

#[test]
fn rows_of_another_scale_are_noticed() {
    let folder = table(120);
    let at = folder.path();
    ok(at, "train --device cpu --data t.csv --epochs 1 --layers 2 --out m -q");
    fs::write(at.join("near.csv"), "50,50,50,50,50,50\n").unwrap();
    fs::write(at.join("far.csv"), "50,50,5000,50,-300,50\n".repeat(12)).unwrap();
    for verb in ["score", "encode", "reconstruct"] {
        let (_, err) = ok(at, &format!("{verb} --device cpu --model m --data near.csv"));
        assert!(!err.contains("outside"), "{err}");
        let (_, err) = ok(at, &format!("{verb} --device cpu --model m --data far.csv"));
        assert_eq!(err.lines().filter(|l| l.contains("24 of 72 values lie outside what training saw")).count(), 1, "{err}");
    }
    let (out, err) = ok(at, "eval --device cpu --model m --data far.csv --json");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((json["train"].is_null(), &json["test"]["outside"]), (true, &24.into()), "{out}");
    assert!(err.contains("24 of 72 values lie outside what training saw"), "{err}");
}

#[test]
fn cross_entropy_of_rows_outside_its_range_is_bounded_and_said() {
    let folder = table(1);
    let at = folder.path();
    // One row is far above all others: some row is held out.
    let held_out = (0..100).any(|far| {
        let rows: String = (0..100).map(|i| format!("{},{}\n", i % 7 + if i == far { 1000 } else { 0 }, i % 5)).collect();
        fs::write(at.join("t.csv"), rows).unwrap();
        let _ = fs::remove_dir_all(at.join("m"));
        let (_, err) = ok(at, "train --device cpu --data t.csv --loss bce --validation 0.2 --epochs 30 --layers 4,1 --out m");
        err.contains("1 of 34 values lie outside [0, 1]; cross-entropy takes the nearest inside")
    });
    assert!(held_out);
    let metrics = fs::read_to_string(at.join("m/metrics.csv")).unwrap();
    let validation = |line: &str| line.split(',').nth(6).unwrap().parse::<f64>().unwrap();
    assert!(metrics.lines().skip(1).all(|line| validation(line) > 0.0), "{metrics}");
}

#[test]
fn data_without_their_flag_are_told_the_flag_and_a_device_is_one_clause() {
    let folder = table(30);
    let at = folder.path();
    for args in ["train t.csv", "t.csv"] {
        let (code, _, err) = run(at, args);
        assert!(code == 2 && err.contains("--data t.csv"), "{err}");
    }
    let (_, err) = ok(at, "train --data t.csv --epochs 1 --out m");
    let device = err.lines().find(|line| line.starts_with("device ")).unwrap();
    assert!(!device.contains("absent") && !device.contains("not found") && !device.contains("built without"), "{device}");
    assert!(err.contains("measuring it and drawing its page"), "{err}");
}

#[test]
fn a_place_that_can_not_be_written_is_refused_before_the_rows_are_read() {
    let folder = table(60);
    let root = folder.path();
    ok(root, "train --device cpu --data t.csv --layers 2 --epochs 1 --out m");
    for (args, said) in [
        ("train --device cpu --data t.csv --layers 2 --epochs 1 --out m", "narrows: --out: m already holds a config.toml."),
        (
            "train --device cpu --data t.csv --layers 2 --out t.csv/m",
            "narrows: t.csv/m: making the folder for the results: `t.csv` is a file.",
        ),
        (
            "encode --device cpu --model m --data t.csv -o no/c.csv",
            "narrows: no/c.csv: writing: the folder `no` does not exist. Make the folder",
        ),
        ("plot --device cpu --model m --rate -o no/r.svg", "narrows: no/r.svg: writing: the folder `no` does not exist."),
    ] {
        let (code, _, err) = run(root, args);
        // Nothing is said before it.
        assert!(code != 0 && err.starts_with(said) && !err.contains(".part"), "{args}: {err}");
    }
    let (_, _, err) = run(root, "train --device cpu --data absent.csv --layers 2");
    assert!(err.contains("absent.csv: opening: there is no such file. Check the path") && !err.contains("disk"), "{err}");
}
