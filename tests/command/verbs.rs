//! The verbs that put rows through a trained network, as a user meets them: what they write, and that they write
//! nothing when they fail.

use narrows::data::Options;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Exit code, stdout, stderr.
fn run_with(folder: &Path, args: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_narrows"))
        .current_dir(folder)
        .env("NARROWS_CACHE", folder.join("cache"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Who refuses its arguments reads nothing.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub fn run(folder: &Path, args: &str) -> (i32, String, String) {
    run_with(folder, &args.split(' ').collect::<Vec<_>>(), b"")
}

fn ok(folder: &Path, args: &str) -> String {
    let (code, out, err) = run(folder, args);
    assert_eq!(code, 0, "{args}: {err}");
    out
}

const ROWS: usize = 300;

/// A folder with `t.csv` (a line in three columns and a class, and one row far off) and the network `m` trained on it.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("a,b,kind,c\n");
    for i in 0..ROWS {
        let x = (i * 37 % 100) as f32;
        let kind = if i % 2 == 0 { "owl" } else { "cat" };
        text += &match i {
            123 => format!("{x},{},{kind},900\n", 500.0 - 3.0 * x),
            _ => format!("{x},{},{kind},{}\n", 3.0 * x + 5.0, 0.5 * x - 7.0),
        };
    }
    fs::write(folder.path().join("t.csv"), text).unwrap();
    ok(folder.path(), "train -q --device cpu --data t.csv --label kind --layers 8,1 --epochs 40 --batch-size 16 --lr 1e-2 --out m");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn rows_go_through_the_verbs_from_files_and_pipes_to_files_and_pipes() {
    let folder = trained();
    let root = folder.path();
    let model = "--device cpu --model m/model.safetensors -q";
    let codes = ok(root, &format!("encode {model} --data t.csv --label kind"));
    assert_eq!((codes.lines().count(), codes.lines().next()), (1 + ROWS, Some("code_0")));
    assert_eq!(ok(root, &format!("encode {model} --data t.csv --label kind -o codes.npy")), "");
    assert_eq!(ok(root, &format!("encode {model} --data t.csv --label 2 -o codes.csv")), "");
    assert_eq!(fs::read_to_string(root.join("codes.csv")).unwrap(), codes, "a file and a pipe get the same");
    let read = |name: &str| Options::default().read(root.join(name)).unwrap();
    let floats = |name: &str| read(name).rows_f32(0..ROWS);
    assert_eq!(floats("codes.csv"), floats("codes.npy"), "CSV and npy hold the same numbers");

    let rows = ok(root, &format!("reconstruct {model} --data t.csv --label kind"));
    let decoded = ok(root, &format!("decode {model} --data codes.npy"));
    assert_eq!((rows.lines().next(), decoded.lines().next()), (Some("a,b,c"), Some("a,b,c")));
    assert!(rows.lines().skip(1).eq(decoded.lines().skip(1)), "decoding codes is reconstructing");
    let piped = run_with(root, &["decode", "-q", "--device", "cpu", "--model", "m/model.safetensors", "--data", "-"], codes.as_bytes());
    assert_eq!((piped.0, piped.1), (0, decoded));

    let scores = ok(root, &format!("score {model} --data t.csv --label kind"));
    assert_eq!((scores.lines().count(), scores.lines().next()), (1 + ROWS, Some("score")));
    let marked = |text: &str| -> Vec<usize> { (0..ROWS).filter(|i| text.lines().nth(1 + i).unwrap().ends_with(",1")).collect() };
    let share = ok(root, &format!("score {model} --data t.csv --label kind --contamination 0.004"));
    assert_eq!((share.lines().next(), marked(&share)), (Some("score,anomaly"), vec![123]), "the row far off");
    let all = ok(root, &format!("score {model} --data t.csv --label kind --threshold 0"));
    assert_eq!(marked(&all).len(), ROWS);
    assert!(scores.lines().zip(share.lines()).skip(1).all(|(score, marked)| marked.starts_with(score)));
    assert_eq!(names(root), ["codes.csv", "codes.npy", "m", "t.csv"]);
}

#[test]
fn images_come_back_as_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    ok(root, "train -q --device cpu --data builtin --layers 8 --epochs 1 --batch-size 1000 --out m");
    let out = ok(root, "reconstruct -q --device cpu --model m/model.safetensors --data builtin -o p.png");
    assert_eq!(out, "p.png\n");
    assert!(fs::read(root.join("p.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn what_can_not_be_done_ends_with_its_exit_code_says_why_and_writes_nothing() {
    let folder = trained();
    let root = folder.path();
    fs::write(root.join("ragged.csv"), "1,2,3\n4,5\n").unwrap();
    fs::write(root.join("late.csv"), "1,2,3\n".repeat(5000) + "1,2,x\n").unwrap();
    fs::write(root.join("two.csv"), "1,2\n3,4\n").unwrap();
    fs::write(root.join("one.csv"), "1,2,3\n").unwrap();
    fs::write(root.join("flat.csv"), "a,b\n").unwrap();
    fs::write(root.join("bad.npy"), "no array").unwrap();
    fs::write(root.join("bad.safetensors"), "no model").unwrap();
    fs::write(root.join("old.csv"), "old").unwrap();
    let before = names(root);
    let model = "--device cpu --model m/model.safetensors";
    for (args, code, said) in [
        (format!("encode {model} --data ragged.csv -o old.csv"), 3, "ragged.csv: line 2: 2 fields"),
        (format!("encode {model} --data late.csv -o old.csv"), 3, "late.csv: line 5001, column 3: `x` is not a number"),
        (format!("encode {model} --data late.csv -o new.npy"), 3, "line 5001"),
        (format!("score {model} --data late.csv --contamination 0.1 -o new.csv"), 3, "line 5001"),
        (
            format!("encode {model} --data two.csv -o new.csv"),
            3,
            "its lines have 2 fields, and the model knows 4 columns, of which 3 make a row",
        ),
        (format!("decode {model} --data two.csv -o new.csv"), 3, "its lines have 2 fields, and the model knows 1 columns"),
        (format!("encode {model} --data t.csv --label what"), 3, "no column is called `what`"),
        (format!("encode {model} --data bad.npy"), 3, "not an npy file"),
        (format!("encode {model} --data absent.csv"), 3, "absent.csv: opening"),
        (format!("encode {model} --data absent"), 3, "there is no such folder"),
        (format!("encode {model} --data -"), 3, "stdin: the table is empty"),
        (format!("encode {model} --data t.csv --header no --label 2"), 3, "line 1, column 1: `a` is not a number"),
        (format!("encode {model} --data t.csv --label kind -o new.txt"), 2, "ends neither in .csv nor in .npy"),
        (format!("encode {model} --data t.csv --label kind -o no/where.csv"), 3, "no/where.csv"),
        (format!("encode {model} --data builtin --label 1"), 2, "builtin is not a CSV or npz file"),
        (format!("encode {model} --data builtin --image-size 28x28"), 2, "is not a folder of images or a CSV file"),
        (format!("encode {model} --data t.csv --image-size 28"), 2, "not like 28x28"),
        (format!("encode {model} --data t.csv --header maybe"), 2, "neither yes nor no"),
        (format!("reconstruct {model} --data t.csv --label kind -o p.png"), 2, "the rows are not images"),
        (format!("score {model} --data t.csv --contamination 2"), 2, "contamination: it is 2"),
        (format!("score {model} --data t.csv --contamination -1"), 2, "contamination: it is -1"),
        (format!("score {model} --data t.csv --threshold NaN"), 2, "--threshold: it is NaN"),
        (format!("score {model} --data t.csv --threshold 1 --contamination 0.1"), 2, "cannot be used with"),
        ("encode --device cpu --model absent --data t.csv".into(), 3, "absent: reading the model"),
        ("encode --device cpu --model bad.safetensors --data t.csv".into(), 3, "not a whole safetensors file"),
        ("encode --device cpu --data t.csv".into(), 2, "--model"),
        ("train --device cpu --data one.csv --layers 2".into(), 3, "1 rows can't be split"),
        ("train --device cpu --data flat.csv --layers 2".into(), 3, "0 rows can't be split"),
        ("data imagenet".into(), 2, "unrecognized subcommand"),
    ] {
        let (got, out, err) = run(root, &args);
        assert_eq!(got, code, "{args}: {err}");
        assert!(err.contains(said), "{args}: {err}\nshould say: {said}");
        assert!(out.is_empty() && !err.contains("panicked"), "{args}: {out} {err}");
    }
    assert_eq!(names(root), before);
    assert_eq!(fs::read_to_string(root.join("old.csv")).unwrap(), "old");
}

#[test]
fn mnist_is_taken_from_its_cache_by_name_and_by_default() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mnist = root.join("cache/mnist");
    fs::create_dir_all(&mnist).unwrap();
    for (prefix, rows) in [("train", 20u32), ("t10k", 5)] {
        let header = |dims: &[u32]| [vec![0, 0, 8, dims.len() as u8], dims.iter().flat_map(|d| d.to_be_bytes()).collect()].concat();
        let images = [header(&[rows, 4, 4]), (0..16 * rows).map(|i| i as u8).collect()].concat();
        fs::write(mnist.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
        fs::write(mnist.join(format!("{prefix}-labels-idx1-ubyte")), [header(&[rows]), vec![1; rows as usize]].concat()).unwrap();
    }
    assert_eq!(ok(root, "data mnist -q").trim_end(), mnist.display().to_string());
    assert_eq!(ok(root, "--device cpu --layers 4 --epochs 1 -q"), "runs/mnist-001/reconstruction.png\n");
    assert_eq!(ok(root, "train --data mnist --device cpu --layers 4 --epochs 1 -q"), "runs/mnist-002/reconstruction.png\n");
    let codes = ok(root, "encode -q --device cpu --model runs/mnist-001/model.safetensors --data mnist --part train");
    assert_eq!(codes.lines().count(), 21);
}

#[test]
fn classes_go_by_their_names_in_eval_and_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    // Labels that are no numbers from 0 to 255 have places of their own: the class `-1` is not to be called 0, nor
    // `0` 1.
    let text: String = (0..60).map(|i| format!("{i},{},{}\n", i % 7, ["-1", "0", "<b>&"][i % 3])).collect();
    fs::write(root.join("t.csv"), format!("x,y,kind\n{text}")).unwrap();
    ok(root, "train -q --device cpu --data t.csv --label kind --layers 2 --epochs 1 --out m");
    let out = ok(root, "eval -q --device cpu --model m");
    let classes: Vec<&str> = out.lines().filter(|l| l.starts_with("   ")).map(|l| l.split_whitespace().next().unwrap()).collect();
    assert_eq!(classes, ["-1", "0", "<b>&", "-1", "0", "<b>&"], "{out}");
    let json: serde_json::Value = serde_json::from_str(&ok(root, "eval -q --device cpu --model m --json")).unwrap();
    assert_eq!((&json["test"]["classes"][0]["class"], &json["test"]["classes"][0]["name"]), (&0.into(), &"-1".into()));
    let page = fs::read_to_string(root.join("m/report.html")).unwrap();
    assert!(page.contains("<th>-1</th>") && page.contains("<th>&lt;b&gt;&amp;</th>") && !page.contains("<b>&"), "{page}");
}

#[test]
fn numbers_that_a_sigmoid_can_not_give_are_pointed_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("t.csv"), (0..30).map(|i| format!("{i},{}\n", i % 7)).collect::<String>()).unwrap();
    for (more, hint) in [("--scale none", true), ("--scale standard", true), ("", false), ("--output linear", false)] {
        let args = format!("train --device cpu --data t.csv --layers 2 --epochs 1 {more} --out m{}", more.len());
        let (code, _, err) = run_with(root, &args.split_whitespace().collect::<Vec<_>>(), b"");
        assert_eq!((code, err.contains("gives numbers from 0 to 1, but the data contains")), (0, hint), "{args}: {err}");
    }
}
