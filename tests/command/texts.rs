//! Texts on the command line: from a file to what is found.

use crate::family::{json, ok};
use crate::verbs::{run, run_with};
use std::fs;
use std::path::Path;

/// 90 texts of three topics, in German, Chinese and pictures.
fn texts(root: &Path) {
    let topics = [["Öl", "Brötchen", "Käse", "süß"], ["猫", "狗", "鸟", "鱼"], ["😀", "👍🏽", "❤️", "🚀"]];
    let mut all = "name,topic,body\n".to_string();
    for at in 0..90 {
        let word = |i: usize| topics[at % 3][(at / 3 + i * (1 + at / 12 % 3)) % 4];
        all += &format!("n{at},{},\"{}, {} und {}!\"\n", ["essen", "动物", "emoji"][at % 3], word(0), word(1), word(2));
    }
    fs::write(root.join("texts.csv"), all).unwrap();
}

#[test]
fn texts_are_trained_on_and_found_by_words_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    texts(root);
    let (_, err) =
        ok(root, "train --device cpu --data texts.csv --text body --label topic --id name --layers 8,3 --epochs 150 --lr 0.01 --out m");
    assert!(err.contains("texts are read by 13 words (tfidf), 100.0 % of their different words"), "{err}");
    let config = fs::read_to_string(root.join("m/config.toml")).unwrap();
    assert!(
        config.contains("text = \"body\"") && config.contains("output = \"linear\"") && config.contains("scale = \"none\""),
        "{config}"
    );
    for (question, topic) in [("SÜSS und süß", "essen"), ("🚀", "emoji"), ("鸟 鱼", "动物")] {
        let args = ["search", "--device", "cpu", "--model", "m", "--data", "texts.csv", "--query", question, "-k", "5", "--by", "cosine"];
        let (code, table, err) = run_with(root, &args, b"");
        assert_eq!(code, 0, "{err}");
        let lines: Vec<Vec<f64>> = table.lines().skip(1).map(|line| line.split(',').map(|x| x.parse().unwrap()).collect()).collect();
        assert_eq!((table.lines().next(), lines.len()), (Some("query,rank,row,distance"), 5), "{table}");
        let at = ["essen", "动物", "emoji"].iter().position(|known| *known == topic).unwrap();
        assert!(lines.iter().all(|line| line[0] == 0.0 && line[2] as usize % 3 == at), "{question}: {table}");
        let first = fs::read_to_string(root.join("texts.csv")).unwrap().lines().nth(lines[0][2] as usize + 1).unwrap().to_string();
        let said = err.lines().find(|line| line.starts_with(&format!("1. n{}, {topic}: ", lines[0][2]))).unwrap_or_default();
        assert!(first.contains(said.split_once("  ").unwrap().1), "{first}: {err}");
    }
    let (code, _, err) = run(root, "search --device cpu --model m --data texts.csv --query unbekannt");
    assert!(code == 2 && err.contains("the model knows none of its words"), "{code}: {err}");
    // Rows of a file are found as those of any table are, and the other verbs read them by the model.
    let found = json(root, "search --device cpu --model m --data texts.csv --query texts.csv -k 10 -o near.csv --json");
    assert!(found["precision"].as_f64().unwrap() > 0.9, "{found}");
    fs::write(root.join("one.csv"), "body\n\"Käse, Öl\"\nnichts davon\n").unwrap();
    let (codes, err) = ok(root, "encode --device cpu --model m --data one.csv");
    assert!(codes.lines().count() == 3 && err.contains("1 of 2 texts has none of the model's words"), "{codes}{err}");
    let (scores, _) = ok(root, "score --device cpu --model m --data one.csv --why");
    assert!(scores.lines().nth(1).unwrap().contains("käse") || scores.lines().nth(1).unwrap().contains("öl"), "{scores}");
    ok(root, "eval --device cpu --model m");
    // The run repeats itself from its file.
    ok(root, "train --device cpu --config m --out again");
    let model = |name: &str| fs::read(root.join(name).join("model.safetensors")).unwrap();
    assert!(model("m") == model("again"), "another model");
}

#[test]
fn a_folder_of_texts_is_trained_on_and_its_files_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for at in 0..24 {
        let (class, words) = [("a", ["Öl", "Käse", "süß"]), ("b", ["猫", "狗", "鸟"])][at % 2];
        let path = root.join("notes").join(class);
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join(format!("{at:02}.txt")), format!("{} {}", words[at % 3], words[at / 2 % 3])).unwrap();
    }
    ok(root, "train --device cpu --data notes --layers 4,2 --epochs 200 --lr 0.02 --out m");
    let (table, err) = ok(root, "search --device cpu --model m --data notes --query Käse -k 3");
    assert!(table.lines().count() == 4 && err.contains("1. a/"), "{table}{err}");
    let (code, _, err) = run(root, "train --device cpu --data notes --text body --out no");
    assert!(code == 2 && err.contains("notes is not a CSV file"), "{code}: {err}");
}
