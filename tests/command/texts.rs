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
        let numbers = |line: &str| line.split(',').take(4).map(|x| x.parse().unwrap()).collect();
        let lines: Vec<Vec<f64>> = table.lines().skip(1).map(numbers).collect();
        assert_eq!((table.lines().next(), lines.len()), (Some("query,rank,row,distance,query_id,row_id"), 5), "{table}");
        assert!(table.lines().nth(1).unwrap().ends_with(&format!(",,n{}", lines[0][2])), "{table}");
        let at = ["essen", "动物", "emoji"].iter().position(|known| *known == topic).unwrap();
        assert!(lines.iter().all(|line| line[0] == 0.0 && line[2] as usize % 3 == at), "{question}: {table}");
        let first = fs::read_to_string(root.join("texts.csv")).unwrap().lines().nth(lines[0][2] as usize + 1).unwrap().to_string();
        let said = err.lines().find(|line| line.starts_with(&format!("1. n{}, {topic}: ", lines[0][2]))).unwrap_or_default();
        assert!(first.contains(said.split_once("  ").unwrap().1), "{first}: {err}");
    }
    let (code, _, err) = run(root, "search --device cpu --model m --data texts.csv --query unbekannt");
    assert!(code == 2 && err.contains("the model knows none of its words"), "{code}: {err}");
    let (code, _, err) = run_with(root, &["search", "--model", "m", "--data", "texts.csv", "--query", "Käse unbekannt"], b"");
    assert!(code == 0 && err.contains("the model knows 1 of the 2 words of the question"), "{code}: {err}");
    // What looks like a path is one, and the queries are read before the gallery.
    for args in ["--data texts.csv --query absent.txt", "--data texts.csv --query ./no/such", "--data absent.csv --query a.jpg"] {
        let (code, _, err) = run(root, &format!("search --device cpu --model m {args}"));
        let query = args.split(' ').next_back().unwrap();
        assert!(code == 3 && err.contains(&format!("{query}: there is no such file or folder")), "{code}: {err}");
    }
    // Words with a slash are words, unless they begin with a folder that is there.
    let (_, err) = ok(root, "search --device cpu --model m --data texts.csv --query Käse/Öl");
    assert!(err.contains("the model knows 2 of the 2 words of the question"), "{err}");
    let (code, _, err) = run(root, "search --device cpu --model m --data texts.csv --query m/Käse");
    assert!(code == 3 && err.contains("there is no such file or folder"), "{code}: {err}");
    // Bits that the codes do not have are refused before anything is read.
    let (code, _, err) = run(root, "search --device cpu --model m --data absent.csv --query absent.csv --bits 999");
    assert!(code == 2 && err.contains("bits: 999 of codes of"), "{code}: {err}");
    let (code, _, err) = run(root, "search --device cpu --model m --data absent.csv --query Käse -o no/near.csv");
    assert!(code == 3 && err.contains("the folder `no` does not exist"), "{code}: {err}");
    // Rows of a file are found as those of any table are, and the other verbs read them by the model.
    let found = json(root, "search --device cpu --model m --data texts.csv --query texts.csv -k 10 -o near.csv --json");
    assert!(found["precision"].as_f64().unwrap() > 0.9 && found["neighbours"].is_null(), "{found}");
    assert_eq!(found["without_itself"].as_bool(), Some(true), "{found}");
    fs::write(root.join("one.csv"), "body\n\"Käse, Öl\"\nnichts davon\n").unwrap();
    let (codes, err) = ok(root, "encode --device cpu --model m --data one.csv");
    assert!(codes.lines().count() == 3 && err.contains("1 of 2 texts has none of the model's words"), "{codes}{err}");
    let (scores, _) = ok(root, "score --device cpu --model m --data one.csv --why");
    assert!(scores.lines().nth(1).unwrap().contains("käse") || scores.lines().nth(1).unwrap().contains("öl"), "{scores}");
    ok(root, "eval --device cpu --model m");
    // A text without any known word is found for nothing, and finds nothing.
    fs::write(root.join("few.csv"), "name,body\ne1,\ne2,nichts davon\nc,Käse\ne3,\nb,Brötchen\n").unwrap();
    let found = json(root, "search --device cpu --model m --data few.csv --query one.csv -k 5 -o near.csv --json");
    let rows: Vec<_> = found["neighbours"].as_array().unwrap().iter().map(|hit| (hit["query"].as_u64(), hit["row"].as_u64())).collect();
    assert!(rows.contains(&(Some(0), Some(2))) && rows.contains(&(Some(0), Some(4))) && rows.len() == 2, "{found}");
    assert_eq!(found["neighbours"][0]["row_id"].as_str().map(str::len), Some(1), "{found}");
    let (_, err) = ok(root, "search --device cpu --model m --data few.csv --query one.csv -k 5");
    assert!(err.contains("left out of the search: 3 texts") && err.contains("1 of 2 queries have no word that the model knows"), "{err}");
    fs::write(root.join("none.csv"), "body\nnichts\n\"\"\n").unwrap();
    for args in ["--data none.csv --query one.csv", "--data few.csv --query none.csv"] {
        let (code, _, err) = run(root, &format!("search --device cpu --model m {args}"));
        assert!(code == 3 && err.contains("none.csv: no text of it has a word that the model knows"), "{code}: {err}");
    }
    // A file of one text is a question too, and a row of any verb; a table that calls itself so is still one.
    fs::write(root.join("question.txt"), "Käse,\nund Öl!\n").unwrap();
    let (table, err) = ok(root, "search --device cpu --model m --data texts.csv --text body --query question.txt -k 2");
    assert!(table.lines().count() == 3 && table.lines().nth(1).unwrap().contains(",question.txt,n"), "{table}{err}");
    assert!(err.contains("query 0 (question.txt): Käse, und Öl!") && err.contains(", essen: "), "{err}");
    let (scores, _) = ok(root, "score --device cpu --model m --data question.txt");
    assert!(scores.lines().count() == 2 && scores.ends_with(",question.txt\n"), "{scores}");
    for (text, rows) in [("no;body\n1;Käse\n2;nichts davon\n", 2), ("so a body says\nKäse\n", 1)] {
        fs::write(root.join("table.txt"), text).unwrap();
        assert_eq!(ok(root, "encode --device cpu --model m --data table.txt").0.lines().count(), 1 + rows, "{text}");
    }
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
    // What is said of tables is for the one of the two that is one.
    fs::write(root.join("ask.csv"), "no;body\n1;Öl\n2;Käse\n").unwrap();
    let (table, err) = ok(root, "search --device cpu --model m --data notes --query ask.csv --text body --delimiter ; -k 2");
    assert!(table.lines().count() == 5 && err.contains("query 1: Käse") && err.contains("1. a/"), "{table}{err}");
    let (table, _) = ok(root, "search --device cpu --model m --data ask.csv --query notes --text body -k 1");
    assert!(table.lines().count() == 25 && table.lines().nth(1).unwrap().ends_with(",a/00.txt,"), "{table}");
    let (code, _, err) = run(root, "search --device cpu --model m --data notes --query notes --text body");
    assert!(code == 2 && err.contains("notes is not a CSV file"), "{code}: {err}");
    let (code, _, err) = run(root, "train --device cpu --data notes --text body --out no");
    assert!(code == 2 && err.contains("notes is not a CSV file"), "{code}: {err}");
}
