//! The verbs that put rows through a trained network, as a user meets them: what they write, and that they write
//! nothing when they fail.

use narrows::data::Options;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

/// Exit code, stdout, stderr.
pub fn run_with(folder: &Path, args: &[&str], input: &[u8]) -> (i32, String, String) {
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
fn rows_in_a_pipe_that_stays_open_are_answered_at_once() {
    let folder = trained();
    let mut child = Command::new(env!("CARGO_BIN_EXE_narrows"))
        .args("score -q --device cpu --model m --data -".split(' '))
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let (send, lines) = channel();
    let reader = std::thread::spawn(move || output.lines().for_each(|line| send.send(line.unwrap()).unwrap()));
    let next = || lines.recv_timeout(Duration::from_secs(60)).expect("a line");
    for turn in 0..3 {
        input.write_all("1,8,-6.5\n".repeat(10).as_bytes()).unwrap();
        if turn == 0 {
            assert_eq!(next(), "score");
        }
        assert!((0..10).all(|_| next().parse::<f32>().is_ok()));
    }
    drop(input);
    reader.join().unwrap();
    assert!(child.wait().unwrap().success() && lines.recv().is_err());
}

/// By its name, by a link of either kind, and as what stdin comes from.
#[cfg(unix)]
#[test]
fn an_output_does_not_take_the_place_of_what_it_is_made_from() {
    let folder = trained();
    let root = folder.path();
    let score = |data: &str, out: &str, input: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
        let args = ["score", "-q", "--device", "cpu", "--model", "m", "--label", "kind", "--data", data, "-o", out];
        let output = command.current_dir(root).args(args).stdin(input).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    std::os::unix::fs::symlink("t.csv", root.join("soft.csv")).unwrap();
    fs::hard_link(root.join("t.csv"), root.join("hard.csv")).unwrap();
    let before = fs::read(root.join("t.csv")).unwrap();
    for (data, out) in [("t.csv", "t.csv"), ("t.csv", "soft.csv"), ("soft.csv", "hard.csv"), ("-", "t.csv")] {
        let input = fs::File::open(root.join("t.csv")).unwrap();
        let (code, err) = score(data, out, input.into());
        assert!(code == Some(2) && err.contains("would take the place of the rows"), "{data} {out}: {err}");
    }
    assert_eq!(fs::read(root.join("t.csv")).unwrap(), before);
    assert_eq!(score("t.csv", "new.csv", Stdio::null()), (Some(0), String::new()));
    assert_eq!(score("t.csv", "new.csv", Stdio::null()), (Some(0), String::new()), "an older result is replaced");
}

#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_not_utf_8_are_read_and_written_except_where_a_file_names_them() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let folder = trained();
    let root = folder.path();
    let odd = |ending: &str| [OsStr::from_bytes(b"\xff"), OsStr::new(ending)].into_iter().collect::<OsString>();
    fs::copy(root.join("t.csv"), root.join(odd(".csv"))).unwrap();
    fs::rename(root.join("m"), root.join(odd(""))).unwrap();
    let run = |args: &str| {
        // `{.csv}` is the odd name with that ending.
        let odd = |arg: &str| arg.strip_prefix('{').and_then(|arg| arg.strip_suffix('}')).map_or(OsString::from(arg), odd);
        let output = Command::new(env!("CARGO_BIN_EXE_narrows")).current_dir(root).args(args.split(' ').map(odd)).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let ok = |args: &str| {
        let (code, err, out) = run(args);
        assert!(code == Some(0) && err.is_empty(), "{args}: {err}");
        out
    };
    ok("encode -q --device cpu --model {} --data {.csv} --label kind -o {.npy}");
    ok("decode -q --device cpu --model {} --data {.npy} --json -o new.csv");
    ok("eval -q --device cpu --model {} --data {.csv} --label kind");
    ok("eval -q --device cpu --model {}");
    ok("report -q --device cpu --run {} --json");
    ok("train -q --device cpu --data t.csv --label kind --layers 1 --epochs 1 --json --out {2}");
    let (code, err, _) = run("train -q --device cpu --data {.csv} --label kind --layers 1 --out new");
    assert!(code == Some(2) && err.contains("it is not UTF-8, so config.toml can't name it"), "{err}");
}

#[test]
fn a_file_of_tensors_alone_is_used_with_its_widths() {
    let folder = trained();
    let root = folder.path();
    // Without the scaler, the rows are as the network sees them.
    fs::write(root.join("rows.csv"), "0.1,0.2,0.3\n0.5,0.25,1\n").unwrap();
    let bytes = fs::read(root.join("m/model.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    fs::write(root.join("bare.safetensors"), safetensors::serialize(file.tensors(), None).unwrap()).unwrap();
    let score = |flags: &str| run(root, &format!("encode -q --device cpu --model bare.safetensors --data rows.csv{flags}"));
    let (code, out, err) = score(" --layers 3,8,1");
    assert_eq!((code, out.lines().count(), err.as_str()), (0, 3, ""));
    assert_eq!(score(" --layers 3-8-1 --output sigmoid").1, out);
    assert_ne!(score(" --layers 3,8,1 --activation tanh").1, out);
    for (flags, said) in [
        ("", "it has no metadata of narrows. Name its widths: --layers 3,8,1, or"),
        (" --layers 3,4,1", "`encoder.0.weight` is [8, 3] of F32 where F32 of [4, 3] is needed"),
        (" --layers 3,1", "it holds a tensor `"),
        (" --layers 3,8,1 --tied", "`decoder.0.weight` is not the transpose of `encoder.2.weight`"),
    ] {
        let (code, _, err) = score(flags);
        assert!(code == 3 && err.contains(said), "{flags}: {err}");
    }
    // What a file of narrows says of itself holds, its scaler too.
    let ours = |flags: &str| run(root, &format!("encode -q --device cpu --model m --data rows.csv{flags}"));
    assert_eq!(ours(" --layers 3,8,1 --activation leaky"), ours(""));
}

#[test]
fn every_verb_with_a_result_gives_it_as_one_document() {
    let folder = trained();
    let root = folder.path();
    let json = |args: &str| serde_json::from_str::<serde_json::Value>(&ok(root, &format!("{args} -q --device cpu --json"))).unwrap();
    let both = json("eval --model m");
    assert!(both["train"]["mse"].is_f64() && both["test"]["mse"].is_f64(), "{both}");
    for (verb, columns) in [("encode", vec!["code_0"]), ("score", vec!["score"]), ("reconstruct", vec!["a", "b", "c"])] {
        let said = json(&format!("{verb} --model m --data t.csv --label kind -o {verb}.csv"));
        assert_eq!(said, serde_json::json!({ "file": format!("{verb}.csv"), "rows": ROWS, "columns": columns, "outside": 0 }));
    }
    ok(root, "encode -q --device cpu --model m --data t.csv --label kind --output old.csv");
    assert_eq!(fs::read(root.join("old.csv")).unwrap(), fs::read(root.join("encode.csv")).unwrap(), "the older name of -o");
    assert_eq!(json("plot --codes --model m -o c.svg")["picture"], "c.svg");
    assert_eq!(json("plot --codes --model m --out d.svg")["picture"], "d.svg", "the older name of -o");
    ok(root, "plot -q --device cpu --codes --model m -o c.png");
    assert!(fs::read(root.join("c.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(json("report --run m")["report"], "m/report.html");
}

#[test]
fn images_come_back_as_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    ok(root, "train -q --device cpu --data builtin --layers 8 --epochs 1 --batch-size 1000 --out m");
    let out = ok(root, "reconstruct -q --device cpu --model m/model.safetensors --data builtin -o p.png");
    assert_eq!(out, "p.png\n");
    assert!(fs::read(root.join("p.png")).unwrap().starts_with(b"\x89PNG"));
    let (code, _, err) = run(root, "reconstruct --device cpu --model m --data builtin -o p.png");
    assert!(code == 0 && err.contains("p.png shows 20 of 4000 rows, taken evenly from their order"), "{err}");
    let help = ok(root, "reconstruct --help");
    assert!(help.contains("or a .png that shows 20 images"), "{help}");
    assert!(!ok(root, "encode --help").contains(".png"));
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
        (format!("encode {model} --data absent"), 3, "there is no such file or folder"),
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
        ("train --device cpu --data one.csv --layers 2".into(), 3, "1 row can't be split"),
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
