//! Anomalies: marks by the scores of the training and by those of the rows that are read.

use super::verbs::run;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

fn ok(folder: &Path, args: &str) -> (String, String) {
    let (code, out, err) = run(folder, args);
    assert_eq!(code, 0, "{args}: {err}");
    (out, err)
}

/// Rows on a line, with a name and a kind: `lines` from the number `from` on. Every tenth is far from it, where asked.
fn table(from: usize, lines: usize, broken: bool) -> String {
    let mut text = String::from("name,a,b,kind,c,bad\n");
    for i in from..from + lines {
        let x = (i * 37 % 101) as f32 + 0.25;
        let bad = broken && i % 10 == 3;
        let b = if bad { 3.0 * x - 300.0 } else { 3.0 * x + 5.0 };
        let kind = ["owl", "cat"][usize::from(x > 50.0)];
        let _ = writeln!(text, "r{i},{x},{b},{kind},{},{}", 0.5 * x - 7.0, u8::from(bad));
    }
    text
}

/// A folder with `t.csv`, all of it usual, `new.csv`, of which a tenth is not, and the network `m` for the former.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("t.csv"), table(0, 600, false)).unwrap();
    fs::write(root.join("new.csv"), table(1000, 200, true)).unwrap();
    let train = "train -q --device cpu --data t.csv --id name --drop bad --layers 8,1 --epochs 60 --batch-size 16 --lr 1e-2";
    ok(root, &format!("{train} --output sigmoid --validation 0.2 --out m"));
    folder
}

const SCORE: &str = "score --device cpu --model m --data";

#[test]
fn the_most_anomalous_rows_come_first_with_their_ids_or_numbers() {
    let folder = trained();
    let root = folder.path();
    let (all, _) = ok(root, &format!("{SCORE} new.csv --contamination 0.02 --why"));
    let score = |line: &str| line.split(',').next().unwrap().parse::<f32>().unwrap();
    let mut wanted: Vec<&str> = all.lines().skip(1).collect();
    wanted.sort_by(|a, b| score(b).total_cmp(&score(a)));
    for flags in ["", " -o most.csv"] {
        let (out, _) = ok(root, &format!("{SCORE} new.csv --contamination 0.02 --why --most 7{flags}"));
        let out = if flags.is_empty() { out } else { fs::read_to_string(root.join("most.csv")).unwrap() };
        let found: Vec<&str> = out.lines().collect();
        assert_eq!((found[0], &found[1..]), (all.lines().next().unwrap(), &wanted[..7]));
    }
    // More than there are is all of them; a share of the rows that are read is of all of them.
    let (out, _) = ok(root, &format!("{SCORE} new.csv --contamination 0.5 --among-these --most 1000"));
    assert_eq!(out.lines().skip(1).filter(|line| line.split(',').nth(1) == Some("1")).count(), 100, "{out}");
    // Rows without names have their numbers.
    let (out, _) = ok(root, &format!("{SCORE} new.csv --id none --most 3"));
    let (bare, _) = ok(root, &format!("{SCORE} new.csv --id none"));
    assert_eq!(out.lines().next(), Some("score,row"), "{out}");
    let bare: Vec<&str> = bare.lines().skip(1).collect();
    for (line, with_name) in out.lines().skip(1).zip(&wanted) {
        let (score, row) = line.split_once(',').unwrap();
        assert_eq!((bare[row.parse::<usize>().unwrap()], with_name.starts_with(score)), (score, true), "{out}");
    }
    for (flags, problem) in [("--most 0", "--most"), ("--most 3 -o s.npy", "no place for which rows they are")] {
        let (code, _, err) = run(root, &format!("{SCORE} new.csv {flags}"));
        assert!(code == 2 && err.contains(problem), "{code}: {err}");
    }
}

#[test]
fn a_row_is_marked_by_the_scores_of_the_training_also_alone() {
    let folder = trained();
    let root = folder.path();
    let (all, err) = ok(root, &format!("{SCORE} new.csv --contamination 0.02"));
    // Of 500 rows to train on 100 are held out.
    assert!(
        err.contains("anomalies are rows with a score of at least") && err.contains("as 2 of 100 rows that the model was judged by have"),
        "{err}"
    );
    assert_eq!(all.lines().next(), Some("score,anomaly,name"));
    let marks = |text: &str| text.lines().skip(1).map(|line| line.split(',').nth(1) == Some("1")).collect::<Vec<_>>();
    let (bad, usual): (Vec<_>, Vec<_>) = marks(&all).into_iter().enumerate().partition(|(i, _)| i % 10 == 3);
    assert!(bad.iter().all(|(_, mark)| *mark) && usual.iter().filter(|(_, mark)| *mark).count() < 10, "{all}");

    // One row in a pipe that stays open gets the same line.
    let mut child = Command::new(env!("CARGO_BIN_EXE_narrows"))
        .args(format!("{SCORE} - --contamination 0.02 -q").split(' '))
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let (send, lines) = channel();
    let reader = std::thread::spawn(move || output.lines().for_each(|line| send.send(line.unwrap()).unwrap()));
    let next = || lines.recv_timeout(Duration::from_secs(60)).expect("a line");
    for i in [1003, 1004] {
        let one = table(i, 1, true);
        let line = one.lines().nth(1).unwrap().rsplit_once(',').unwrap().0;
        if i == 1003 {
            writeln!(input, "name,a,b,kind,c").unwrap();
        }
        writeln!(input, "{line}").unwrap();
        input.flush().unwrap();
        if i == 1003 {
            assert_eq!(next(), "score,anomaly,name");
        }
        assert_eq!(Some(next().as_str()), all.lines().nth(1 + i - 1000));
    }
    drop(input);
    reader.join().unwrap();
    assert!(child.wait().unwrap().success());

    // A share that is less than one row of the training.
    let (none, err) = ok(root, &format!("{SCORE} new.csv --contamination 0.001"));
    assert!(err.contains("a score above those of all 100 rows that the model was judged by: 0.001 of 100 is less than one row"), "{err}");
    assert!((20..30).contains(&marks(&none).iter().filter(|mark| **mark).count()), "{none}");
    let (usual, _) = ok(root, &format!("{SCORE} t.csv --contamination 0"));
    assert!(marks(&usual).iter().filter(|mark| **mark).count() < 30, "rows like those of the training");

    // Among these rows the share is always marked.
    for (share, count) in [("0.05", 10), ("0.1", 20)] {
        let (these, err) = ok(root, &format!("{SCORE} new.csv --contamination {share} --among-these"));
        assert_eq!(marks(&these).iter().filter(|mark| **mark).count(), count, "{share}");
        assert!(err.contains("anomalies are rows with a score of at least") && !err.contains("of the training"), "{err}");
    }
}

#[test]
fn a_model_that_does_not_know_its_scores_names_the_other_way() {
    let folder = trained();
    let root = folder.path();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format_1/run");
    let score = format!("score -q --device cpu --model {} --contamination 0.1 --data", old.display());
    // It does not wait for rows before it says so.
    let mut child = Command::new(env!("CARGO_BIN_EXE_narrows"))
        .args(format!("{score} -").split(' '))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("--contamination: this model does not know the scores of its training") && said.contains("--among-these"),
        "{said}"
    );
    let points = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format_1/points.csv");
    let (marked, _) = ok(root, &format!("{score} {} --among-these", points.display()));
    assert!(marked.starts_with("score,anomaly\n"), "{marked}");
    for (flags, code, said) in [
        ("--among-these", 2, "--contamination <SHARE>"),
        ("--contamination 1.5", 2, "it is 1.5"),
        ("--contamination 0.1 --threshold 1", 2, "cannot be used with"),
    ] {
        let (found, out, err) = run(root, &format!("{SCORE} new.csv {flags}"));
        assert!((found, out.as_str()) == (code, "") && err.contains(said), "{flags}: {err}");
    }
}

#[test]
fn a_score_comes_with_the_columns_that_make_it() {
    let folder = trained();
    let root = folder.path();
    // A number that is far off; a kind that does not go with the numbers, and one that training did not have.
    fs::write(root.join("odd.csv"), "name,a,b,kind,c\nr1,20,365,owl,3\n\"r,2\",80,245,owl,33\nr3,20,65,emu,3\n").unwrap();
    let (why, _) = ok(root, &format!("{SCORE} odd.csv --contamination 0.01 --why"));
    let lines: Vec<&str> = why.lines().collect();
    let head = "score,anomaly,name,why_1,value_1,reconstruction_1,why_2,value_2,reconstruction_2,why_3,value_3,reconstruction_3";
    assert_eq!((lines.len(), lines[0]), (4, head));
    let mut table = csv::ReaderBuilder::new().has_headers(true).from_reader(why.as_bytes());
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.iter().map(|row| &row[2]).collect::<Vec<_>>(), ["r1", "r,2", "r3"]);
    let causes = |row: usize| -> Vec<[&str; 3]> { (0..3).map(|at| [0, 1, 2].map(|i| &rows[row][3 + 3 * at + i])).collect() };
    let cause = |row: usize, name: &str| causes(row).into_iter().find(|cause| cause[0] == name).unwrap_or_else(|| panic!("{why}"));
    let kind = |row: usize| cause(row, "kind");
    assert_eq!(cause(0, "b")[1], "365", "{why}");
    assert_eq!((kind(1)[1], kind(2)), ("owl", ["kind", "", "owl"]), "{why}");
    // The reconstructions are those of `reconstruct`.
    let (back, _) = ok(root, "reconstruct -q --device cpu --model m --data odd.csv --id none");
    assert_eq!(back.lines().nth(1).unwrap().split(',').nth(1), Some(cause(0, "b")[2]), "{back}");
    // The scores are those without the causes, and a table of two columns has two.
    let (plain, _) = ok(root, &format!("{SCORE} odd.csv --contamination 0.01"));
    assert!(lines.iter().zip(plain.lines()).all(|(why, plain)| why.starts_with(&format!("{plain},"))), "{why}{plain}");
    fs::write(root.join("two.csv"), "a,b\n1,2\n2,4\n3,6\n4,8\n5,10\n6,12\n").unwrap();
    ok(root, "train -q --device cpu --data two.csv --layers 1 --epochs 1 --out two");
    let (two, _) = ok(root, "score -q --device cpu --model two --data two.csv --why");
    assert!(two.starts_with("score,why_1,") && two.lines().skip(1).all(|line| line.ends_with(",,,")), "{two}");
    let (code, _, err) = run(root, &format!("{SCORE} odd.csv --why -o scores.npy"));
    assert!(code == 2 && err.contains("--why: scores.npy has no place for the names of columns"), "{err}");
    assert!(!root.join("scores.npy").exists());
    let (said, _) = ok(root, &format!("{SCORE} odd.csv --why -q -o scores.csv --json"));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&said).unwrap()["columns"].as_array().unwrap().len(), 10);
}

#[test]
fn eval_measures_how_well_scores_find_anomalies() {
    let folder = trained();
    let root = folder.path();
    let json = |args: &str| serde_json::from_str::<serde_json::Value>(&ok(root, args).0).unwrap()["anomalies"].clone();
    let eval = "eval --device cpu --model m";
    let found = json(&format!("{eval} --data new.csv --anomaly bad --json"));
    assert_eq!((found["rows"].as_u64(), found["anomalies"].as_u64()), (Some(200), Some(20)), "all rows of the file");
    for name in ["auroc", "average_precision", "precision_at_n"] {
        assert_eq!(found[name].as_f64(), Some(1.0), "{name}: {found}");
    }
    let (text, err) = ok(root, &format!("{eval} --data new.csv --anomaly bad -o curves.svg"));
    assert!(
        text.contains("20 anomalies among 200 rows, by their scores\n  AUROC                      1.0000   by chance 0.5000"),
        "{text}"
    );
    assert!(text.contains("precision at 20            1.0000   by chance 0.1000") && err.contains("curves.svg"), "{text}{err}");
    let svg = fs::read_to_string(root.join("curves.svg")).unwrap();
    for said in ["ROC, AUROC 1.0000", "Precision and recall, AP 1.0000", "false positive rate", ">recall<"] {
        assert!(svg.contains(said), "{said}: {svg}");
    }
    ok(root, &format!("{eval} -q --data new.csv --anomaly bad -o curves.png"));
    // Two plots of 440 x 400, each unit two pixels.
    assert_eq!(image::image_dimensions(root.join("curves.png")).unwrap(), (1760, 800));

    // By classes: of a column, or of the labels of the run.
    let cats = json(&format!("{eval} --data new.csv --anomaly kind --normal owl --json"));
    assert_eq!(cats["rows"], 200);
    let same = json(&format!("{eval} --data new.csv --label kind --normal owl --json"));
    assert_eq!((same, cats["anomalies"].as_u64().unwrap() > 80), (cats, true));
    // The run's own rows: those that it was not trained on.
    let own = json(&format!("{eval} --anomaly kind --normal owl --json"));
    assert_eq!((own["rows"].as_u64(), &own), (Some(100), &json(&format!("{eval} --data t.csv --anomaly kind --normal owl --json"))));

    for (flags, code, said) in [
        ("--data new.csv --anomaly kind", 2, "it has the class cat, which is neither 0 nor 1. Say which classes are usual"),
        ("--data new.csv --anomaly kind --normal owl,bat", 2, "no row has the class bat. Name some of cat, owl."),
        ("--data new.csv --anomaly what", 3, "no column is called `what`"),
        ("--data new.csv --normal 0", 3, "its rows have no labels"),
        ("--data t.csv --anomaly bad", 3, "0 of 100 rows are anomalies"),
        ("--data new.csv -o c.svg", 2, "there are no curves to draw"),
        ("--data new.csv --anomaly bad -o c.csv", 2, "c.csv does not end in .svg or .png"),
        ("--data new.csv --anomaly bad --label bad", 2, "cannot be used with"),
    ] {
        let (found, out, err) = run(root, &format!("{eval} {flags}"));
        assert!((found, out.as_str()) == (code, "") && err.contains(said), "{flags}: {err}");
    }
    assert!(!root.join("c.svg").exists());
}

#[test]
fn images_with_the_largest_scores_are_drawn_with_their_errors() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    // 8 x 8 pixels, a lit column each; in row 30 one corner is lit as well.
    let mut pixels = vec![0u8; 60 * 64];
    (0..60).for_each(|row| (0..8).for_each(|y| pixels[row * 64 + y * 8 + row % 6 + 1] = 255));
    pixels[30 * 64 + 63] = 255;
    let mut file =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': (60, 8, 8), }}{:width$}\n", "", width = 117 - 69).into_bytes();
    file.splice(0..0, [&b"\x93NUMPY\x01\x00"[..], &(file.len() as u16).to_le_bytes()].concat());
    file.extend(&pixels);
    fs::write(root.join("lit.npy"), file).unwrap();
    ok(root, "train -q --device cpu --data lit.npy --layers 32,6 --epochs 60 --batch-size 10 --lr 1e-2 --out m");
    let (out, err) = ok(root, "score --device cpu --model m --data lit.npy -o heat.png --json");
    assert!(err.contains("heat.png shows the 20 rows of 60 with the largest scores, the largest first"), "{err}");
    let said: serde_json::Value = serde_json::from_str(&out).unwrap();
    let shown = said["shown"].as_array().unwrap();
    assert_eq!((shown.len(), shown[0]["row"].as_u64(), said["rows"].as_u64()), (20, Some(30), Some(60)), "{said}");
    assert!(shown.is_sorted_by(|a, b| a["score"].as_f64() >= b["score"].as_f64()), "{said}");
    let picture = image::open(root.join("heat.png")).unwrap().into_rgb8();
    assert_eq!(picture.dimensions(), (4 + 10 * 36, 8 + 2 * (3 * 32 + 2 * 12) + 28));
    // The corner that no other row has is the brightest of all errors, and black where the row is as it should be.
    let heat = |x: u32, y: u32| picture.get_pixel(4 + x * 4, 4 + 2 * (32 + 12) + y * 4).0;
    assert_eq!((heat(7, 7), heat(7, 0)[2]), ([255; 3], 0));
    for flag in ["--why", "--contamination 0.1", "--threshold 1"] {
        let (code, _, err) = run(root, &format!("score --device cpu --model m --data lit.npy -o none.png {flag}"));
        assert!(code == 2 && err.contains("none.png is a picture and has no place for it"), "{flag}: {err}");
    }
    fs::write(root.join("t.csv"), table(0, 40, false)).unwrap();
    ok(root, "train -q --device cpu --data t.csv --id name --layers 2 --epochs 1 --out t");
    let (code, _, err) = run(root, "score --device cpu --model t --data t.csv -o none.png");
    assert!(code == 2 && err.contains("none.png is a picture, but the rows are not images"), "{err}");
    assert!(!root.join("none.png").exists() && ok(root, "score --help").0.contains("the 20 images with the largest scores"));
}

#[test]
fn an_ensemble_scores_together_and_its_training_goes_on_after_a_stop() {
    let folder = trained();
    let root = folder.path();
    let train = "train --device cpu --data t.csv --id name --drop bad --layers 8,1 --epochs 20 --batch-size 16 --lr 1e-2 --validation 0.2";
    let (_, err) = ok(root, &format!("{train} --ensemble 3 --out e"));
    assert!(err.contains("network 2 of 3 is trained") && err.contains("network 3 of 3 is trained"), "{err}");
    for file in ["metrics.csv", "metrics.1.csv", "metrics.2.csv", "checkpoints/2/last.safetensors"] {
        assert!(root.join("e").join(file).exists(), "{file}");
    }
    let score = |args: &str| ok(root, &format!("score --device cpu --model e --data new.csv {args}"));
    let (out, err) = score("--contamination 0.05");
    assert!(err.contains("as 5 of 100 rows that the model was judged by have"), "{err}");
    let scores: Vec<f32> = out.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(scores.len() == 200 && scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    assert!(scores.iter().skip(3).step_by(10).all(|score| *score == 1.0), "anomalies are beyond all of the training");
    let (why, _) = score("--contamination 0.05 --why");
    assert!(why.lines().zip(out.lines()).all(|(why, plain)| why.starts_with(&format!("{plain},"))), "{why}");
    assert_eq!(why.lines().skip(4).step_by(10).filter(|line| line.split(',').nth(3) == Some("b")).count(), 20, "{why}");
    // The first network is the one that a run without the others has, and what has no ensemble uses it.
    ok(root, &format!("{train} --out one"));
    let codes = |model: &str| ok(root, &format!("encode --device cpu --model {model} --data new.csv"));
    let (both, err) = codes("e");
    assert!(both == codes("one").0 && err.contains("e holds 3 networks; this is of the first"), "{err}");
    assert!(ok(root, "eval --device cpu --model e --data new.csv --anomaly bad").0.contains("AUROC"));
    assert!(ok(root, "report --device cpu --run e").1.contains("e holds 3 networks; this is of the first"));
    for (args, said) in [
        ("score --device cpu --model e --data new.csv --score-by noise", "an ensemble compares errors"),
        ("train --device cpu --resume e --ensemble 4", "this run has 3 networks"),
        ("train --device cpu --data t.csv --ensemble 0", "it has no networks"),
    ] {
        let (code, _, err) = run(root, args);
        assert!(code == 2 && err.contains(said), "{args}: {err}");
    }
    // As after a stop in the third network: it is trained again, and the file has the same bits.
    let model = fs::read(root.join("e/model.safetensors")).unwrap();
    fs::remove_dir_all(root.join("e/checkpoints/2")).unwrap();
    fs::remove_file(root.join("e/model.safetensors")).unwrap();
    ok(root, "train -q --device cpu --resume e");
    assert_eq!(fs::read(root.join("e/model.safetensors")).unwrap(), model);
    ok(root, "train -q --device cpu --config e --out again");
    assert_eq!(fs::read(root.join("again/model.safetensors")).unwrap(), model, "config.toml knows of them");
}

#[test]
fn rows_are_scored_by_the_distance_of_their_code_and_by_noise() {
    let folder = trained();
    let root = folder.path();
    let scores = |args: &str| {
        let (out, err) = ok(root, format!("{SCORE} new.csv {args}").trim_end());
        (out.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect::<Vec<f64>>(), err)
    };
    let (distance, err) = scores("--score-by distance --contamination 0.02");
    assert!(err.contains("as 2 of 100 rows that the model was judged by have"), "{err}");
    let error = scores("").0;
    assert!(distance.len() == 200 && distance.iter().zip(&error).all(|(distance, error)| distance != error), "{distance:?}");
    // The columns are those of the error, the scores are not.
    let table = |args: &str| ok(root, format!("{SCORE} new.csv {args}").trim_end()).0;
    let [why, plain, of_error] = ["--score-by distance --why", "--score-by distance", "--why"].map(table);
    assert!(why.lines().zip(plain.lines()).all(|(why, plain)| why.starts_with(&format!("{plain},"))), "{why}");
    let causes = |table: &str| table.lines().map(|line| line.split_once(',').unwrap().1.to_string()).collect::<Vec<_>>();
    assert_eq!(causes(&why), causes(&of_error));
    let (noise, err) = scores("--score-by noise");
    assert!(err.contains("the noise has a standard deviation of 0.1") && noise.iter().all(|score| *score > 0.0), "{err}");
    assert_eq!(noise, scores("--score-by noise").0);
    let found = ok(root, "eval --device cpu --model m --data new.csv --anomaly bad --score-by distance --json").0;
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert!(found["anomalies"]["auroc"].as_f64().unwrap() > 0.9, "{found}");
    for (args, said) in [
        ("--score-by noise --contamination 0.1", "a model knows no such scores"),
        ("--score-by noise --why", "the score by noise is no error, and has no columns"),
        ("--score-by odd", "error, distance, noise"),
    ] {
        let (code, _, err) = run(root, &format!("{SCORE} new.csv {args}"));
        assert!(code == 2 && err.contains(said), "{args}: {err}");
    }
}

#[test]
fn rows_that_a_network_makes_are_tables_like_those_that_it_read() {
    let folder = trained();
    let root = folder.path();
    for (args, head, rows) in [
        ("sample -q --device cpu --model m -n 7 --from gmm:2", "a,b,c,kind", 7),
        ("augment -q --device cpu --model m --data t.csv --label bad -n 1", "a,b,c,kind,label", 600),
    ] {
        let (out, _) = ok(root, args);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!((lines[0], lines.len()), (head, rows + 1), "{args}");
        assert!(lines[1..].iter().all(|line| ["owl", "cat"].contains(&line.split(',').nth(3).unwrap())), "{out}");
        fs::write(root.join("made.csv"), &out).unwrap();
        let label = if head.ends_with("label") { " --label label" } else { "" };
        let (codes, _) = ok(root, &format!("encode -q --device cpu --model m --data made.csv{label}"));
        assert_eq!(codes.lines().count(), rows + 1);
        // An array has numbers alone.
        ok(root, &format!("{args} -o made.npy"));
        assert_eq!(narrows::data::Options::default().read(root.join("made.npy")).unwrap().columns(), 5, "{args}");
    }
}
