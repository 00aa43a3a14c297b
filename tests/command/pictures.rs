//! Folders of images on the command line, and what `bench` compares.

use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Exit code, stdout, stderr.
fn run(folder: &Path, args: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
    let output = command.current_dir(folder).args(args.split(' ')).env("NARROWS_CACHE", "/nowhere").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_parts_of_a_folder_are_used_and_what_is_left_out_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 20), ("val", 7), ("test", 5)] {
        fs::create_dir_all(folder.path().join("photos").join(part)).unwrap();
        for i in 0..count {
            let image = RgbImage::from_pixel(4, 3, Rgb([i * 9, 200, 255 - i]));
            image.save(folder.path().join(format!("photos/{part}/{i}.png"))).unwrap();
        }
    }
    fs::write(folder.path().join("photos/notes.txt"), "x").unwrap();
    let train = "train --device cpu --data photos --layers 2 --epochs 2 --patience 1 --out";
    let (code, _, err) = run(folder.path(), &format!("{train} grey"));
    assert_eq!(code, 0, "{err}");
    assert!(err.contains("20 rows of 12 to train on, 7 to validate, 5 to test"), "{err}");
    for note in ["photos: what lies beside the parts is left out (1): notes.txt", "photos/train: 20 of 20 images turn grey"] {
        assert_eq!(err.matches(note).count(), 1, "{note}: {err}");
    }
    let (code, _, err) = run(folder.path(), &format!("{train} colour --color"));
    assert!(code == 0 && err.contains("20 rows of 36 to train on") && !err.contains("turn grey"), "{err}");
    let (code, out, err) = run(folder.path(), "eval --device cpu --model colour --json");
    assert!(code == 0 && out.contains("mse"), "{err}");
    // A single image is a row, scaled to the size that the model knows.
    RgbImage::from_pixel(8, 6, Rgb([18, 200, 253])).save(folder.path().join("one.jpeg")).unwrap();
    let (code, out, err) = run(folder.path(), "score --device cpu --model colour --data one.jpeg");
    assert!(code == 0 && out.lines().count() == 2 && out.ends_with(",one.jpeg\n"), "{out}{err}");
    let (code, out, err) = run(folder.path(), "search --device cpu --model colour --data photos/train --query one.jpeg -k 1");
    assert!(code == 0 && out.starts_with("query,rank,row,distance,query_id,row_id\n0,1,"), "{out}{err}");
    assert!(out.lines().count() == 2 && out.ends_with(",one.jpeg,2.png\n"), "{out}{err}");
    let (code, _, err) = run(folder.path(), "search --device cpu --model colour --data photos/train --query no.jpeg");
    assert!(code == 3 && err.contains("no.jpeg: there is no such file or folder"), "{code}: {err}");
    // A share of the training rows wins over the part.
    let (_, _, err) = run(folder.path(), &format!("{train} share --validation 0.25"));
    assert!(err.contains("15 rows of 12 to train on, 5 to validate, 5 to test"), "{err}");
}

#[test]
fn bench_compares_devices_in_one_table() {
    let bench = |more: &str| {
        let (code, out, err) = run(Path::new("."), &format!("bench -q --threads 1 --op relu --shape 8x8 {more}"));
        assert_eq!(code, 0, "{err}");
        out
    };
    let table = bench("--device cpu,cpu");
    assert!(table.starts_with(&format!("narrows {} on ", env!("CARGO_PKG_VERSION"))), "{table}");
    assert!(table.contains("1 thread") && table.contains("| time / cpu |"), "{table}");
    assert_eq!(table.lines().filter(|line| line.starts_with("| relu | 8x8 | cpu | team |")).count(), 2, "{table}");
    let csv = bench("--device cpu --format csv");
    assert!(csv.starts_with("op,shape,device,device_name,ms_median") && csv.lines().count() == 2, "{csv}");
    // The old spelling.
    let json: serde_json::Value = serde_json::from_str(&bench("--device cpu --output json")).unwrap();
    assert_eq!((&json[0]["time_over_first"], json.as_array().unwrap().len()), (&1.0.into(), 1));
    assert!(bench("--device all -o csv").lines().count() >= 2);
}
