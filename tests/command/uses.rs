//! What a code is for, on the command line: maps, new rows, features.

use super::family::{digits, json, ok, size};
use super::verbs::run;
use std::fs;
use std::path::Path;

/// A plain network of small digits.
fn trained(root: &Path, layers: &str) {
    digits(root);
    ok(root, &format!("train -q --device cpu --data digits.csv --label label --layers {layers} --epochs 20 --out m"));
}

#[test]
fn codes_are_placed_in_the_plane_and_the_map_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    trained(root, "16,5");
    let (out, err) = ok(root, "map --device cpu --model m");
    assert_eq!(out, "map.svg\n");
    assert!(
        err.contains("trustworthiness 0.") && err.contains("(12 neighbours, 40 rows)") && err.contains("5 nearest in the plane"),
        "{err}"
    );
    let svg = fs::read_to_string(root.join("map.svg")).unwrap();
    assert!(svg.contains("t-SNE, x") && svg.matches("class=\"dot").count() == 40, "{svg}");
    ok(root, "map -q --device cpu --model m --by pca --part train -o p.png");
    assert!(fs::read(root.join("p.png")).unwrap().starts_with(b"\x89PNG"));
    // Another file is one part; its labels are written by their names.
    let found = json(root, "map -q --device cpu --model m --data digits.csv --label label --by pca -o m.csv --json");
    assert!(found["rows"] == 40 && found["by"] == "pca" && found["accuracy"].is_f64(), "the test rows of the run: {found}");
    let table = fs::read_to_string(root.join("m.csv")).unwrap();
    assert!(table.starts_with("x,y,label\n") && table.lines().count() == 41, "{table}");
    assert!(table.lines().skip(1).all(|line| line.ends_with(",0") || line.ends_with(",1")), "{table}");
    let half: String = fs::read_to_string(root.join("digits.csv")).unwrap().lines().take(101).map(|line| format!("{line}\n")).collect();
    fs::write(root.join("half.csv"), half).unwrap();
    assert_eq!(json(root, "map -q --device cpu --model m --data half.csv --label label --by pca --json")["rows"], 100);
    for (args, said) in [
        ("--by code", "codes of 5 numbers are no points of a plane"),
        ("--by umap", "code|pca|tsne"),
        ("-o m.jpg", "m.jpg does not end in .svg or .png or .csv"),
        ("-o m/model.safetensors", "does not end in"),
    ] {
        let (code, _, err) = run(root, &format!("map --device cpu --model m {args}"));
        assert!(code == 2 && err.contains(said), "{args}: {err}");
    }
    let page = fs::read_to_string(root.join("m/report.html")).unwrap();
    assert!(page.contains("class=\"map\"") && page.contains("data-tile=\"8 8\""), "the page has a map");
}

#[test]
fn a_plain_network_draws_rows_from_a_mixture_that_its_file_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    trained(root, "16,4");
    let (first, err) = ok(root, "sample --device cpu --model m -n 6 --from gmm:3");
    assert!(
        err.contains("a mixture of 3 normal distributions is fitted") && err.contains("digits.csv; m/model.safetensors keeps it"),
        "{err}"
    );
    assert_eq!(first.lines().count(), 7);
    // The file alone is enough now, and gives the same rows.
    fs::rename(root.join("digits.csv"), root.join("away.csv")).unwrap();
    let (again, err) = ok(root, "sample --device cpu --model m/model.safetensors -n 6 --from gmm:3");
    assert!(again == first && !err.contains("fitted"), "{err}");
    ok(root, "sample -q --device cpu --model m -n 5 --from gmm:3 -o s.png --image-size 8x8");
    assert_eq!(size(&root.join("s.png")), (4 + 3 * 36, 4 + 2 * 36));
    let (code, _, err) = run(root, "sample --device cpu --model m -n 6");
    assert!(code == 3 && err.contains("digits.csv"), "ten parts have to be fitted: {err}");
    let (named, err) = ok(root, "sample --device cpu --model m -n 6 --data away.csv --label label");
    assert!(err.contains("a mixture of 10 normal distributions") && !err.contains("keeps it") && named != first, "{err}");
    for (args, exit, said) in [
        ("--from prior", 2, "it is not variational"),
        ("--from gmm:0", 2, "it is not like gmm:10"),
        ("--from gmm:900 --data away.csv --label label", 2, "900 parts of 200 codes"),
    ] {
        let (code, _, err) = run(root, &format!("sample --device cpu --model m {args}"));
        assert!(code == exit && err.contains(said), "{args}: {err}");
    }
    // Weights that change have other codes.
    fs::rename(root.join("away.csv"), root.join("digits.csv")).unwrap();
    ok(root, "train -q --device cpu --resume m --epochs 21");
    assert!(ok(root, "sample --device cpu --model m -n 1 --from gmm:3").1.contains("fitted"));
}

#[test]
fn new_rows_come_near_given_ones_with_their_labels() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    trained(root, "16,4");
    let few: String = fs::read_to_string(root.join("digits.csv")).unwrap().lines().take(9).map(|line| format!("{line}\n")).collect();
    fs::write(root.join("few.csv"), few).unwrap();
    let said = json(root, "augment -q --device cpu --model m --data few.csv --label label -n 3 -o new.csv --json");
    assert_eq!(said, serde_json::json!({ "file": "new.csv", "rows": 24, "given": 8, "seed": 0 }));
    let table = fs::read_to_string(root.join("new.csv")).unwrap();
    assert!(table.lines().next().unwrap().ends_with("pixel63,label"), "{table}");
    let labels: Vec<&str> = table.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(labels, (0..24).map(|at| if at / 3 % 2 == 0 { "0" } else { "1" }).collect::<Vec<_>>());
    ok(root, "augment -q --device cpu --model m --data few.csv --label label -n 3 -o new.png");
    assert_eq!(size(&root.join("new.png")), (4 + 4 * 36, 4 + 8 * 36));
    // What was written is read as rows again.
    ok(root, "score -q --device cpu --model m --data new.csv --label label -o scores.csv");
    assert_eq!(fs::read_to_string(root.join("scores.csv")).unwrap().lines().count(), 25);
    let (code, _, err) = run(root, "augment --device cpu --model m --data few.csv --label label -n 0");
    assert!(code == 2 && err.contains("n: it is 0"), "{err}");
}

#[test]
fn styles_dreams_and_features_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    trained(root, "16,4");
    ok(root, "plot -q --device cpu --model m --style class:0,class:1,row:3 -o s.png");
    assert_eq!(size(&root.join("s.png")), (4 + 4 * 36, 4 + 36));
    let (_, err) = ok(root, "plot --device cpu --model m --dream 2 -o d.png");
    let said = err.lines().find_map(|line| line.strip_prefix("unit 2 goes from ")).unwrap().split_once(" to ").unwrap();
    assert!(said.0.parse::<f32>().unwrap() < said.1.parse::<f32>().unwrap(), "{said:?}");
    assert_eq!(size(&root.join("d.png")), (4 + 11 * 36, 4 + 36));
    ok(root, "plot -q --device cpu --model m --features -o f.png");
    assert_eq!(size(&root.join("f.png")), (4 + 2 * 36, 4 + 36));
    assert_eq!(ok(root, "plot -q --device cpu --model m --features").0, "features.svg\n");
    ok(root, "plot -q --device cpu --model m --features -o f.csv");
    let table = fs::read_to_string(root.join("f.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("norm,loss,own,column"));
    let losses: Vec<f64> = lines.map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    assert!(losses.len() == 64 && losses.is_sorted_by(|a, b| a >= b) && losses[0] > 0.0, "{losses:?}");
    for (args, said) in [
        ("--dream 4", "no unit 4"),
        ("--style class:0,class:1", "it is not like class:3,class:5,class:8"),
        ("--style class:0,class:1,class:9", "no test row has the class 9"),
        ("--features -o f.jpg", "f.jpg does not end in .svg or .png or .csv"),
    ] {
        let (code, _, err) = run(root, &format!("plot --device cpu --model m {args}"));
        assert!(code == 2 && err.contains(said), "{args}: {err}");
    }
}
