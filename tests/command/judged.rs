//! Which rows a network is judged by: those that are held out, those of another file, those before a line that is
//! wrong.

use super::verbs::{run, run_with};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

fn ok(folder: &Path, args: &str) -> (String, String) {
    let (code, out, err) = run(folder, args);
    assert_eq!(code, 0, "{args}: {err}");
    (out, err)
}

/// Rows of two classes, one behind the other: small numbers, and large ones.
fn sorted(each: usize) -> String {
    let mut text = String::from("id,a,b,kind\n");
    for i in 0..2 * each {
        let (x, kind) = if i < each { (0.4, "low") } else { (0.9, "high") };
        let _ = writeln!(text, "r{i},{},{},{kind}", x + (i % 7) as f32 / 100.0, x - (i % 5) as f32 / 100.0);
    }
    text
}

#[test]
fn rows_to_validate_on_are_of_all_classes_where_these_lie_together() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("t.csv"), sorted(300)).unwrap();
    // A network that learns nothing: its error is that of the rows alone.
    let train = "train --device cpu --data t.csv --id id --label kind --scale none --lr 1e-9 --layers 2 --epochs 1";
    ok(folder.path(), &format!("{train} --validation 0.2 --out m"));
    let metrics = fs::read_to_string(folder.path().join("m/metrics.csv")).unwrap();
    let mut table = csv::Reader::from_reader(metrics.as_bytes());
    let headers = table.headers().unwrap().clone();
    let row = table.records().next().unwrap().unwrap();
    let loss = |name: &str| row[headers.iter().position(|h| h == name).unwrap()].parse::<f64>().unwrap();
    let (train, held) = (loss("train_loss"), loss("validation_loss"));
    assert!((held / train - 1.0).abs() < 0.2, "{metrics}");
}

#[test]
fn other_rows_without_parts_are_judged_as_a_whole() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("t.csv"), sorted(60)).unwrap();
    fs::write(root.join("new.csv"), sorted(20)).unwrap();
    ok(root, "train -q --device cpu --data t.csv --id id --label kind --layers 2 --epochs 3 --out m");
    for data in ["", "--data t.csv --id id --label kind "] {
        let (own, _) = ok(root, format!("eval --device cpu --model m {data}").trim_end());
        assert!(own.contains("100 rows of 2") && own.contains("20 rows of 2") && own.contains("test over training"), "{own}");
    }
    let (new, _) = ok(root, "eval --device cpu --model m --data new.csv");
    assert!(new.contains("new.csv: 40 rows of 2") && !new.contains("test over training") && !new.contains("train)"), "{new}");
    let (json, _) = ok(root, "eval --device cpu --model m --data new.csv --json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["test"]["rows"], json["train"].is_null(), json["gap"].is_null()), (&40.into(), true, true), "{json}");
}

#[test]
fn rows_in_a_pipe_before_a_line_that_is_wrong_are_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("t.csv"), sorted(60)).unwrap();
    ok(root, "train -q --device cpu --data t.csv --id id --label kind --layers 2 --epochs 3 --out m");
    let lines = "id,a,b\nx1,0.5,0.5\nx2,0.6,0.5\nx3,oops,0.5\nx4,0.5,0.5\n";
    let (code, out, err) = run_with(root, &"score --device cpu --model m --data -".split(' ').collect::<Vec<_>>(), lines.as_bytes());
    assert!(code == 3 && err.contains("line 4, column 2") && err.contains("oops"), "{err}");
    let ids: Vec<&str> = out.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(ids, ["id", "x1", "x2"], "{out}");
    // A file is read before anything is written of it.
    fs::write(root.join("wrong.csv"), lines).unwrap();
    let (code, out, _) = run(root, "score --device cpu --model m --data wrong.csv");
    assert_eq!((code, out.as_str()), (3, ""));
    // Rows that lost their ids are scored, and that is said.
    fs::write(root.join("plain.csv"), "a,b\n0.5,0.5\n").unwrap();
    let (out, err) = ok(root, "score --device cpu --model m --data plain.csv");
    assert!(out.starts_with("score\n") && err.contains("there is no column `id`, which had the ids in training"), "{out}{err}");
}

#[test]
fn a_table_with_text_has_a_linear_output_and_says_how_sure_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("t.csv"), sorted(60)).unwrap();
    ok(root, "train -q --device cpu --data t.csv --id id --layers 2 --epochs 30 --out m");
    let config = fs::read_to_string(root.join("m/config.toml")).unwrap();
    assert!(config.contains("output = \"linear\"") && config.contains("scale = \"minmax\""), "{config}");
    for (flags, output) in [("--loss bce", "sigmoid"), ("--output sigmoid", "sigmoid"), ("--label kind", "sigmoid")] {
        ok(root, &format!("train -q --device cpu --data t.csv --id id --layers 2 --epochs 1 {flags} --out o"));
        let config = fs::read_to_string(root.join("o/config.toml")).unwrap();
        assert!(!config.contains("output = \"linear\"") && output == "sigmoid", "{flags}: {config}");
        fs::remove_dir_all(root.join("o")).unwrap();
    }
    let (why, _) = ok(root, "score -q --device cpu --model m --data t.csv --why");
    let mut table = csv::Reader::from_reader(why.as_bytes());
    let causes: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let kinds = causes
        .iter()
        .flat_map(|row| (2..11).step_by(3).map(|at| [&row[at], &row[at + 1], &row[at + 2]]))
        .filter(|cause| cause[0] == "kind");
    let mut doubted = 0;
    for [_, value, back] in kinds {
        match back.strip_prefix(value).and_then(|rest| rest.strip_prefix(" (")).and_then(|rest| rest.strip_suffix(')')) {
            Some(number) => doubted += usize::from(number.parse::<f64>().unwrap() < 1.0),
            None => assert!(back != value && ["low", "high"].contains(&back), "{value} {back}"),
        }
    }
    assert!(doubted > 50, "{why}");
}

#[test]
fn a_rung_is_forced_by_name() {
    let bench = |rung: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
        let args = "bench -q --device cpu --op relu --shape 8x8 --format csv";
        let output = command.args(args.split(' ')).env("NARROWS_RUNG", rung).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for rung in ["team", "list"] {
        let (code, out, err) = bench(rung);
        assert!(code == Some(0) && out.trim_end().ends_with(&format!(",{rung}")), "{out}{err}");
    }
    let (code, _, err) = bench("graph");
    assert!(code == Some(2) && err.contains("cpu has no rung `graph`. Use one of team, list."), "{err}");
}
