//! Denoising, variational and sparse networks on the command line: what a user trains, measures and draws.

use super::verbs::run;
use serde_json::Value;
use std::fs;
use std::path::Path;

pub(super) fn ok(folder: &Path, args: &str) -> (String, String) {
    let (code, out, err) = run(folder, args);
    assert_eq!(code, 0, "{args}: {err}");
    (out, err)
}

pub(super) fn json(folder: &Path, args: &str) -> Value {
    serde_json::from_str(&ok(folder, args).0).unwrap()
}

/// Small digits: 8 x 8 bytes with a label, as a table of pixels.
pub(super) fn digits(folder: &Path) {
    let mut table = String::from("label");
    (0..64).for_each(|i| table += &format!(",pixel{i}"));
    table.push('\n');
    for row in 0..240 {
        let class = row % 2;
        table += &format!("{class}");
        for i in 0..64 {
            let (y, x) = (i / 8, i % 8);
            let lit = if class == 0 { x == 1 + row / 2 % 6 } else { y == 1 + row / 2 % 6 };
            table += if lit { ",255" } else { ",0" };
        }
        table.push('\n');
    }
    fs::write(folder.join("digits.csv"), table).unwrap();
}

pub(super) fn size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap()
}

#[test]
fn a_denoising_network_is_trained_measured_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    digits(root);
    ok(root, "train --device cpu --data digits.csv --label label --layers 32,8 --noise mask:0.3 --epochs 30 --out m");
    assert!(fs::read_to_string(root.join("m/config.toml")).unwrap().contains("noise = \"mask:0.3\""));
    let tried = json(root, "eval --device cpu --model m --noise mask:0.3 --seed 4 --json");
    let of = |what: &str| tried["noise"][what]["psnr_of_mean"].as_f64().unwrap();
    assert!(of("denoised") > 0.0 && of("noisy") > 0.0, "{tried}");
    assert_eq!(json(root, "eval --device cpu --model m --noise mask:0.3 --seed 4 --json"), tried, "a seed has its noise");
    assert!(ok(root, "eval --device cpu --model m --noise mask:0.3").0.contains("with noise mask:0.3"));
    ok(root, "reconstruct --device cpu --model m --data digits.csv --noise mask:0.3 -o t.png");
    // Two bands of ten columns, three images high.
    assert_eq!(size(&root.join("t.png")), (4 + 10 * 36, 8 + 2 * (3 * 32 + 2 * 12) + 28));
    assert!(fs::read_to_string(root.join("m/report.html")).unwrap().contains("Noise taken away"));
}

#[test]
fn a_variational_network_is_trained_measured_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    digits(root);
    let train = "train --device cpu --data digits.csv --label label --variational --loss bce --batch-size 16";
    ok(root, &format!("{train} --layers 32,2 --epochs 40 --kl-warmup 5 --free-bits 0.05 --beta 1.5 --out m"));
    let table = fs::read_to_string(root.join("m/metrics.csv")).unwrap();
    assert!(table.lines().next().unwrap().ends_with("validation_loss,reconstruction,kl"), "{table}");
    let found = json(root, "eval --device cpu --model m --nll 20 --json");
    let latent = &found["latent"];
    let number = |value: &Value| value.as_f64().unwrap();
    let loss = number(&latent["reconstruction"]) + 1.5 * number(&latent["kl"]);
    assert!((number(&latent["loss"]) - loss).abs() < 1e-9 && latent["units"].as_array().unwrap().len() == 2, "{latent}");
    assert!(number(&found["log_likelihood"]["mean"]) < 0.0 && found["log_likelihood"]["model"] == "Bernoulli", "{found}");
    let (text, _) = ok(root, "eval --device cpu --model m");
    assert!(text.contains("active units") && text.contains("one drawn code a row"), "{text}");

    // A class of PyTorch with these layers loads the file.
    let file = fs::read(root.join("m/model.safetensors")).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&file).unwrap();
    let mut names = tensors.names();
    names.sort();
    let halves = ["decoder.0", "decoder.2", "encoder.0", "encoder.logvar", "encoder.mu"];
    assert_eq!(names, halves.iter().flat_map(|name| [format!("{name}.bias"), format!("{name}.weight")]).collect::<Vec<_>>());

    ok(root, "sample --device cpu --model m -n 5 -o s.png");
    assert_eq!(size(&root.join("s.png")), (4 + 3 * 36, 4 + 2 * 36));
    let csv = ok(root, "sample --device cpu --model m -n 5 --seed 1").0;
    assert_eq!(csv.lines().count(), 6, "{csv}");
    assert_eq!(ok(root, "sample --device cpu --model m -n 5 --seed 1").0, csv);
    assert_ne!(ok(root, "sample --device cpu --model m -n 5 --seed 2").0, csv);
    ok(root, "sample --device cpu --model m -n 3 -o s.npy");
    for (what, width, height) in
        [("--traverse", 11, 2), ("--between class:0,class:1", 11, 1), ("--between row:0,row:3", 11, 1), ("--manifold", 20, 20)]
    {
        ok(root, &format!("plot --device cpu --model m {what} -o p.png"));
        assert_eq!(size(&root.join("p.png")), (4 + width * 36, 4 + height * 36), "{what}");
    }
    let (code, _, err) = run(root, "plot --device cpu --model m --between class:0,class:7 -o p.png");
    assert!(code == 2 && err.contains("no test row has the class 7"), "{err}");
    let page = fs::read_to_string(root.join("m/report.html")).unwrap();
    for title in ["Drawn from the prior", "One unit at a time", "What the code holds"] {
        assert!(page.contains(title), "{title}");
    }

    // A network whose code says nothing is named.
    ok(root, &format!("{train} --layers 32,4 --epochs 5 --beta 1000 --out idle"));
    let (_, err) = ok(root, "eval --device cpu --model idle");
    assert!(err.contains("4 of 4 units say nothing about a row: their posterior has collapsed"), "{err}");
}

#[test]
fn a_contractive_network_has_a_smaller_jacobian() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    digits(root);
    let train = "train --device cpu --data digits.csv --label label --layers 10 --code sigmoid --epochs 30";
    ok(root, &format!("{train} --out plain"));
    ok(root, &format!("{train} --contractive 0.1 --out still"));
    let norm = |run: &str| json(root, &format!("eval --device cpu --model {run} --jacobian --json"))["jacobian"].as_f64().unwrap();
    assert!(norm("still") < 0.5 * norm("plain"), "{} and {}", norm("still"), norm("plain"));
    assert!(ok(root, "eval --device cpu --model still").0.contains("squared norm of the code's Jacobian, mean over rows: "));
    assert!(!ok(root, "eval --device cpu --model plain").0.contains("Jacobian"));
    let page = |run: &str| fs::read_to_string(root.join(run).join("report.html")).unwrap();
    assert!(page("still").contains("How far codes move") && !page("plain").contains("How far codes move"));
    assert!(fs::read_to_string(root.join("still/metrics.csv")).unwrap().lines().next().unwrap().ends_with(",reconstruction,penalty"));
}

#[test]
fn a_sparse_network_is_trained_measured_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    digits(root);
    ok(root, "train --device cpu --data digits.csv --label label --layers 40 --code relu --sparse l1:0.001 --epochs 20 --out m");
    let activity = &json(root, "eval --device cpu --model m --json")["activity"];
    assert!(activity["on"].as_f64().unwrap() < 40.0 && activity["units"] == 40, "{activity}");
    ok(root, "plot --device cpu --model m --atoms -o a.png");
    assert!(size(&root.join("a.png")).0 > 100);
    assert!(fs::read_to_string(root.join("m/report.html")).unwrap().contains("Units at work"));
    ok(root, "train --device cpu --data digits.csv --label label --layers 10 --code sigmoid --sparse kl:0.1:0.01 --epochs 2 --out k");
    assert!(fs::read_to_string(root.join("k/metrics.csv")).unwrap().lines().next().unwrap().ends_with(",reconstruction,penalty"));
    // --config repeats it, and `none` undoes the part.
    ok(root, "train --device cpu --config k --out again");
    assert_eq!(fs::read(root.join("k/model.safetensors")).unwrap(), fs::read(root.join("again/model.safetensors")).unwrap());
    ok(root, "train --device cpu --config k --sparse none --out plain");
    assert!(!fs::read_to_string(root.join("plain/config.toml")).unwrap().contains("sparse"));
}

#[test]
fn labels_are_read_in_codes_beside_components_and_rows() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    digits(root);
    ok(root, "train --device cpu --data digits.csv --label label --layers 16,4 --epochs 60 --out m");
    let found = json(root, "probe --device cpu --model m --labelled 100 --draws 3 --fine-tune --json -o c.svg");
    let of: Vec<_> =
        found["readouts"].as_array().unwrap().iter().map(|line| (line["features"].as_str().unwrap(), line["columns"].as_u64())).collect();
    assert_eq!(of, [("codes", Some(4)), ("fine-tuned codes", Some(4)), ("principal components", Some(4)), ("rows", Some(64))]);
    for line in found["readouts"].as_array().unwrap() {
        assert_eq!(line["errors"].as_array().unwrap().len(), 3);
        assert!((0.0..=1.0).contains(&line["error"].as_f64().unwrap()), "{found}");
    }
    assert!(found["readouts"][3]["error"].as_f64().unwrap() < 0.2, "lines lie along or across: {found}");
    assert_eq!(
        json(root, "probe --device cpu --model m --labelled 100 --draws 3 --fine-tune --json -o c.svg"),
        found,
        "a seed has its draws"
    );
    assert!(
        fs::read_to_string(root.join("c.svg"))
            .unwrap()
            .contains("fine-tuned codes, 100 labels; the cells count 40 test rows in each of 3 draws")
    );
    let (text, _) = ok(root, "probe --device cpu --model m -o c.png");
    assert!(text.contains("error of a linear classifier, 200 labels") && size(&root.join("c.png")).0 > 100, "{text}");
    let (code, _, err) = run(root, "probe --device cpu --model m --labelled 500");
    assert!(code == 2 && err.contains("500 of 200 training rows"), "{code}: {err}");
    let (code, _, err) = run(root, "probe --device cpu --model m -o c.txt");
    assert!(code == 2 && err.contains("does not end in .svg or .png"), "{code}: {err}");
    ok(root, "train --device cpu --data digits.csv --drop label --layers 4 --epochs 2 --out bare");
    let (code, _, err) = run(root, "probe --device cpu --model bare");
    assert!(code == 3 && err.contains("the rows have no labels"), "{code}: {err}");
}

#[test]
fn dead_units_are_revived_or_left_as_the_flag_says() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    digits(root);
    let train = "train --device cpu --data digits.csv --label label --layers 32 --sparse topk:3 --epochs 3";
    ok(root, &format!("{train} --out usual"));
    let table = fs::read_to_string(root.join("usual/metrics.csv")).unwrap();
    assert!(table.lines().next().unwrap().ends_with(",revival"), "{table}");
    ok(root, &format!("{train} --revive 0 --out off"));
    let table = fs::read_to_string(root.join("off/metrics.csv")).unwrap();
    assert!(!table.contains("revival") && fs::read_to_string(root.join("off/config.toml")).unwrap().contains("revive = 0"), "{table}");
    for (args, said) in [
        ("--layers 32,8 --sparse topk:3 --revive 0.1", "this decoder has more layers"),
        ("--layers 8 --revive 0.1", "this code has no such choice"),
    ] {
        let (code, _, err) = run(root, &format!("train --device cpu --data digits.csv --label label {args} --out no"));
        assert!(code == 2 && err.contains(said), "{code}: {err}");
    }
}

#[test]
fn the_nearest_rows_of_a_gallery_are_found_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    digits(root);
    ok(root, "train --device cpu --data digits.csv --label label --layers 16,6 --epochs 60 --out m");
    let search = "search --device cpu --model m --data digits.csv --query digits.csv --label label";
    let (table, err) = ok(root, &format!("{search} -k 3"));
    let lines: Vec<Vec<f64>> = table.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
    assert_eq!((table.lines().next(), lines.len()), (Some("query,rank,row,distance"), 720), "{table}");
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(line[..2], [(i / 3) as f64, (i % 3 + 1) as f64]);
        // Every picture is there twenty times: the nearest are itself, or its equals before it.
        assert!(line[3] == 0.0 && (line[2] - line[0]) % 12.0 == 0.0, "{line:?}");
    }
    assert!(err.contains("of the 2 neighbours besides the query itself 100.00 % have the label of their query"), "{err}");
    let found = json(root, &format!("{search} -k 5 --by cosine -o n.csv --json"));
    assert_eq!((found["k"].as_u64(), found["queries"].as_u64(), found["gallery"].as_u64()), (Some(5), Some(240), Some(240)), "{found}");
    assert!(found["precision"].as_f64().unwrap() > 0.9, "{found}");
    assert_eq!(fs::read_to_string(root.join("n.csv")).unwrap().lines().count(), 1 + 5 * 240);
    ok(root, &format!("{search} --bits 4 -k 2 -o n.png"));
    // Twenty lines of a query and two neighbours.
    let (width, height) = size(&root.join("n.png"));
    assert!(width < height, "{width} x {height}");
    for (args, said) in [
        ("-k 0", "k: it is 0"),
        ("--bits 7", "7 of codes of 6 numbers"),
        ("-o n.npy", "does not end in .csv or .png"),
        ("-o digits.csv", "the rows"),
    ] {
        let (code, _, err) = run(root, &format!("{search} {args}"));
        assert!(code == 2 && err.contains(said), "{code}: {err}");
    }
    // A gallery of more rows than a part has: the picture is that of the right one, far behind the first part.
    let digits = fs::read_to_string(root.join("digits.csv")).unwrap();
    let (header, rows) = digits.split_once('\n').unwrap();
    let odd = format!("7{}\n", ",255,0,0,0".repeat(16));
    fs::write(root.join("long.csv"), format!("{header}\n{}{odd}{rows}", rows.repeat(5))).unwrap();
    fs::write(root.join("odd.csv"), format!("{header}\n{odd}")).unwrap();
    let of = |gallery: &str, out: &str| {
        format!("search --device cpu --model m --data {gallery} --query odd.csv --label label -k 1 -o {out} --json")
    };
    let found = json(root, &of("long.csv", "far.csv"));
    assert_eq!((found["gallery"].as_u64(), found["precision"].as_f64()), (Some(1441), Some(1.0)), "{found}");
    assert_eq!(fs::read_to_string(root.join("far.csv")).unwrap(), "query,rank,row,distance\n0,1,1200,0\n");
    json(root, &of("long.csv", "far.png"));
    json(root, &of("odd.csv", "near.png"));
    assert!(fs::read(root.join("far.png")).unwrap() == fs::read(root.join("near.png")).unwrap(), "another picture");
    let found = json(root, "search --device cpu --model m --data digits.csv --query digits.csv --label label -k 1 -o one.csv --json");
    assert!(found["precision"].is_null() && found["without_itself"].as_bool() == Some(true), "{found}");
    let (code, _, err) = run(root, "search --device cpu --model m --data digits.csv --label label");
    assert!(code == 2 && err.contains("--query"), "{code}: {err}");
}
