//! A raw table as people have it: text, gaps, ids, a date, a label, and later files of another order.

use crate::verbs::run;
use std::fs;

/// 70 payments, one of them with a gap.
fn payments() -> String {
    let line = |i: usize| {
        let gap = if i == 7 { String::new() } else { format!("{}.5", 100 + i * i % 37) };
        format!(
            "p{i};{};{};{gap};2024-01-{:02};{}\n",
            ["Bern", "Zug", "Basel"][i % 3],
            i % 11,
            1 + i % 28,
            if i % 20 == 3 { "yes" } else { "no" }
        )
    };
    "id;city;count;amount;when;fraud\n".to_string() + &(0..70).map(line).collect::<String>()
}

#[test]
fn what_is_said_once_of_a_table_holds_for_every_verb() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(root.join("t.csv"), payments()).unwrap();
    let (code, _, err) = run(root, "train --device cpu --data t.csv --layers 4,2 --epochs 2 --out m");
    assert!(code == 3, "{err}");
    for said in [
        "column 1 (`id`): its texts are more than",
        "line 9, column 4 (`amount`): the field is empty",
        "--drop id,amount",
        "--missing drop",
    ] {
        assert!(err.contains(said), "{err}\nshould say: {said}");
    }
    assert!(!root.join("m").exists());
    let train = "train --device cpu --data t.csv --id id --label fraud --drop when --missing median --layers 4,2 --epochs 2 --out m";
    let (code, _, err) = run(root, train);
    assert!(code == 0 && err.contains("column `city` is text: a column for each of its 3 categories"), "{err}");
    assert_eq!(err.lines().filter(|line| line.ends_with("t.csv: gaps filled with the median: amount 1")).count(), 1, "{err}");
    let (_, _, err) = run(root, &(train.replace("median", "drop") + "2"));
    assert!(err.contains("1 of 70 rows has a gap and is left out"), "{err}");
    // In another order, with another delimiter, one column more and two less.
    fs::write(root.join("new.csv"), "amount,more,id,city,count\n130.5,1,q1,Zug,3\n,1,q2,Genf,4\n").unwrap();
    let (code, new, err) = run(root, "score --device cpu --model m --data new.csv");
    assert!(code == 0 && err.contains("column `more` is left out") && err.contains("as `Genf`: all zeros"), "{err}");
    assert!(err.contains("new.csv: gaps filled with the median: amount 1\n"), "{err}");
    let lines: Vec<&str> = new.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "score,id"));
    assert!(lines[1].ends_with(",q1") && lines[2].ends_with(",q2"), "{new}");
    fs::write(root.join("same.csv"), "id;city;count;amount;when;fraud\nq1;Zug;3;130.5;2024-01-01;no\n").unwrap();
    let (_, same, _) = run(root, "score --device cpu --model m --data same.csv");
    assert_eq!(same.lines().nth(1), Some(lines[1]));
    let (code, marked, _) = run(root, "score --device cpu --model m --data new.csv --threshold 0");
    assert!(code == 0 && marked.starts_with("score,anomaly,id\n") && marked.lines().nth(1).unwrap().ends_with(",1,q1"), "{marked}");
    let (code, codes, _) = run(root, "encode --device cpu --model m --data new.csv");
    assert!(code == 0 && codes.starts_with("code_0,code_1,id\n"), "{codes}");
    let (code, back, _) = run(root, "reconstruct --device cpu --model m --data new.csv");
    assert!(code == 0 && back.starts_with("city=Basel,city=Bern,city=Zug,count,amount,id\n"), "{back}");
    for (verb, header) in
        [("reconstruct", "city=Basel,city=Bern,city=Zug,count,amount\n"), ("score", "score\n"), ("encode", "code_0,code_1\n")]
    {
        let (code, out, err) = run(root, &format!("{verb} --device cpu --model m --data new.csv --id none"));
        assert!(code == 0 && out.starts_with(header) && !out.contains("q1"), "{verb}: {out} {err}");
    }
    // Codes with their ids are codes.
    let (code, _, err) = run(root, "encode --device cpu --model m --data new.csv -o codes.csv");
    assert_eq!(code, 0, "{err}");
    let (code, rows, err) = run(root, "decode --device cpu --model m --data codes.csv");
    assert!(code == 0 && rows.starts_with("city=Basel,") && err.contains("column `id` is left out"), "{rows} {err}");
    let (code, out, err) = run(root, "encode --device cpu --model m --data new.csv -o codes.npy");
    assert!(code == 0 && err.contains("codes.npy has no place for ids"), "{out} {err}");
    // The run's own rows, and its repetition.
    for verb in ["eval --device cpu --model m", "train --device cpu --config m --out again", "report --device cpu --run m"] {
        let (code, _, err) = run(root, verb);
        assert_eq!(code, 0, "{verb}: {err}");
    }
    let weights = |run: &str| fs::read(root.join(run).join("model.safetensors")).unwrap();
    assert_eq!(weights("m"), weights("again"));
    let (code, _, err) = run(root, "score --device cpu --model m --data t.csv --drop when");
    assert!(code == 2 && err.contains("--drop"), "{err}");
}
