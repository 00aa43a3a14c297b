//! A full disk and folders that can't be written: an error of the run, with what was there before intact and nothing
//! half written left.

use narrows::train::Checkpoint;
use narrows::{Autoencoder, Device};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Exit code and stderr of a process whose files may not grow beyond `blocks` of 512 bytes: a write beyond that is an
/// error, as on a full disk. Root may write anywhere, so permissions would prove nothing where tests run as root.
fn limited(folder: &Path, blocks: Option<u64>, args: &str) -> (Option<i32>, String) {
    let limit = blocks.map_or_else(|| "unlimited".into(), |n| n.to_string());
    let script = format!("trap '' XFSZ; ulimit -f {limit} && exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_narrows")])
        .args(args.split_whitespace())
        .current_dir(folder)
        .env_remove("NARROWS_CPU_LEVEL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

fn ok(folder: &Path, args: &str) {
    let (code, err) = limited(folder, None, args);
    assert_eq!(code, Some(0), "{args}: {err}");
}

/// Every file below a folder with its bytes, hidden ones too.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for path in fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()) {
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => drop(all.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
    all
}

/// What the model and the last checkpoint of a run are good for, after something went wrong.
fn loads(run: &Path) -> usize {
    Autoencoder::load(&Device::cpu().unwrap(), run.join("model.safetensors")).unwrap();
    Checkpoint::read(run.join("checkpoints/last.safetensors")).unwrap().epochs()
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).unwrap().len()
}

const TRAIN: &str = "train --device cpu --threads 1 -q --data t.csv --layers 16,3 --batch-size 8";

/// A folder with a table, and `m`, a network trained on it for two epochs.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text: String = (0..60).map(|i| format!("{},{},{},{}\n", i * 37 % 50, i % 7, i * i % 11, 60 - i)).collect();
    fs::write(folder.path().join("t.csv"), text).unwrap();
    ok(folder.path(), &format!("{TRAIN} --epochs 2 --out m"));
    folder
}

/// Lets the run `m` go on to so many epochs.
fn longer(root: &Path, run: &str, epochs: usize) {
    let config = root.join(run).join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text: Vec<String> = text.lines().map(|l| if l.starts_with("epochs") { format!("epochs = {epochs}") } else { l.into() }).collect();
    fs::write(&config, text.join("\n")).unwrap();
}

#[test]
fn a_new_run_for_which_there_is_no_room_leaves_nothing() {
    let folder = trained();
    let root = folder.path();
    let before = contents(root);
    // No room for the settings, and none for the first checkpoint.
    for (blocks, said) in [(0, "a/b/config.toml: writing"), (1, "a/b/checkpoints/last.safetensors: writing")] {
        let (code, err) = limited(root, Some(blocks), &format!("{TRAIN} --epochs 2 --out a/b"));
        assert_eq!(code, Some(3), "{err}");
        assert!(err.contains(said) && err.contains("File too large"), "{err}");
        assert!(!root.join("a").exists(), "{blocks} blocks: {:?}", contents(root).keys());
    }
    assert_eq!(contents(root), before);
}

#[test]
fn a_disk_that_fills_up_during_a_training_leaves_a_checkpoint_that_goes_on_to_the_bit() {
    let folder = trained();
    let root = folder.path();
    let args = format!("{TRAIN} --epochs 40 --out");
    ok(root, &format!("{args} whole"));
    // A checkpoint grows by a line with every epoch: the first ones find room, a later one does not.
    let blocks = size(&root.join("m/checkpoints/last.safetensors")).div_ceil(512) + 2;
    assert!(size(&root.join("whole/checkpoints/last.safetensors")) > 512 * blocks);
    let (code, err) = limited(root, Some(blocks), &format!("{args} full"));
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("full/checkpoints/last.safetensors: writing"), "{err}");
    let last = Checkpoint::read(root.join("full/checkpoints/last.safetensors")).unwrap();
    assert!((2..40).contains(&last.epochs()), "{} epochs", last.epochs());
    let left = contents(&root.join("full"));
    assert!(left.keys().all(|path| path.extension().is_none_or(|e| e != "part")), "{:?}", left.keys());
    // With room again, it goes on.
    ok(root, "train --device cpu -q --resume full");
    let model = |run: &str| fs::read(root.join(run).join("model.safetensors")).unwrap();
    assert_eq!(model("full"), model("whole"));
}

#[test]
fn a_disk_that_is_full_at_any_file_of_a_finished_run_leaves_the_old_ones() {
    let folder = trained();
    let root = folder.path();
    let m = root.join("m");
    let before = contents(&m);
    let unchanged = |what: &str, may_change: &[&str]| {
        let after = contents(&m);
        assert!(after.keys().eq(before.keys()), "{what}: {:?}", after.keys());
        for (path, bytes) in &after {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(*bytes == before[path] || may_change.contains(&name), "{what}: {name} is another");
        }
    };
    let largest = ["run.json", "loss.svg", "errors.svg", "model.safetensors"].map(|name| size(&m.join(name))).into_iter().max().unwrap();
    // Resumed at its end, a run writes its table, its model and its report once more. The limits lie below the size of
    // one after the other.
    for (blocks, file) in
        [(0, "metrics.csv"), (size(&m.join("metrics.csv")).div_ceil(512), "model.safetensors"), (largest.div_ceil(512), "report.html")]
    {
        assert!(size(&m.join(file)) > 512 * blocks, "{file} has {} bytes, and {blocks} blocks would do", size(&m.join(file)));
        let (code, err) = limited(root, Some(blocks), "train --device cpu -q --resume m");
        assert_eq!(code, Some(3), "{err}");
        assert!(err.contains(&format!("m/{file}: writing: File too large")), "{err}");
        unchanged(file, &["metrics.csv", "run.json"]);
        assert_eq!(loads(&m), 2);
    }
    for (blocks, file) in [(0, "run.json"), (largest.div_ceil(512), "report.html")] {
        let (code, err) = limited(root, Some(blocks), "report --device cpu -q --run m");
        assert!(code == Some(3) && err.contains(&format!("m/{file}: writing")), "{err}");
        unchanged(file, &["metrics.csv", "run.json"]);
    }
    // The next checkpoint finds no room: both that are there still load.
    longer(root, "m", 5);
    let (code, err) = limited(root, Some(2), "train --device cpu -q --resume m");
    assert!(code == Some(3) && err.contains("m/checkpoints/last.safetensors: writing"), "{err}");
    unchanged("a checkpoint", &["metrics.csv", "run.json", "config.toml", "last.previous.safetensors"]);
    assert_eq!(loads(&m), 2);
    assert_eq!(Checkpoint::read(m.join("checkpoints/last.previous.safetensors")).unwrap().epochs(), 2);
    ok(root, "train --device cpu -q --resume m");
    assert_eq!(loads(&m), 5);
}

#[test]
fn what_is_written_of_rows_is_whole_or_as_it_was() {
    let folder = trained();
    let root = folder.path();
    let many: String = (0..20_000).map(|i| format!("{},{},{},{}\n", i % 50, i % 7, i % 11, i % 60)).collect();
    fs::write(root.join("many.csv"), many).unwrap();
    fs::write(root.join("old.csv"), "old").unwrap();
    let before = contents(root);
    for verb in ["encode", "score", "reconstruct", "score --contamination 0.1"] {
        for out in ["old.csv", "new.csv", "new.npy"] {
            let args = format!("{verb} --device cpu -q --model m --data many.csv -o {out}");
            let (code, err) = limited(root, Some(20), &args);
            assert!(code == Some(3) && err.contains(&format!("{out}: writing: File too large")), "{args}: {err}");
            assert_eq!(contents(root), before, "{args}");
        }
    }
}

#[test]
fn a_folder_in_the_way_of_a_file_is_an_error_and_nothing_is_lost() {
    let folder = trained();
    let root = folder.path();
    let codes = "encode --device cpu -q --model m --data t.csv -o";
    fs::create_dir_all(root.join("taken.csv/inside")).unwrap();
    fs::write(root.join("plain"), "a file").unwrap();
    let before = contents(root);
    for (args, said) in [
        (format!("{codes} taken.csv"), "taken.csv: renaming the finished file"),
        (format!("{codes} plain/x.csv"), "plain/x.csv: writing: the folder `plain` is a file. Make the folder first"),
        (format!("{codes} absent/x.npy"), "absent/x.npy: writing: the folder `absent` does not exist. Make the folder first"),
        (format!("{TRAIN} --epochs 1 --out plain"), "plain: making the folder for the results"),
        (format!("{TRAIN} --epochs 1 --out plain/x/y"), "plain/x/y: making the folder for the results"),
    ] {
        let (code, err) = limited(root, None, &args);
        assert!(code == Some(3) && err.contains(said), "{args}: {err}");
        assert_eq!(contents(root), before, "{args}");
    }
    // The same for every file of a run that goes on from its second epoch to its third.
    for (file, said) in [
        ("checkpoints/last.previous.safetensors", "keeping the last checkpoint"),
        ("metrics.csv", "renaming the finished file"),
        ("model.safetensors", "renaming the finished file"),
        ("loss.svg", "renaming the finished file"),
        ("run.json", "reading the record of the run"),
        ("report.html", "renaming the finished file"),
        ("config.toml", "reading the settings"),
    ] {
        let run = root.join("copy");
        let _ = fs::remove_dir_all(&run);
        for (path, bytes) in contents(&root.join("m")) {
            let to = run.join(path.strip_prefix(root.join("m")).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::write(to, bytes).unwrap();
        }
        longer(root, "copy", 3);
        fs::remove_file(run.join(file)).unwrap();
        fs::create_dir(run.join(file)).unwrap();
        let (code, err) = limited(root, None, "train --device cpu -q --resume copy");
        assert_eq!(code, Some(3), "{file}: {err}");
        assert!(err.contains(&format!("copy/{file}: {said}")), "{file}: {err}");
        let done = Checkpoint::newest(run.join("checkpoints")).unwrap().1.epochs();
        assert!((2..=3).contains(&done));
        if file != "model.safetensors" {
            assert_eq!(loads(&run), done);
        }
        assert!(contents(&run).keys().all(|path| path.extension().is_none_or(|e| e != "part")), "{file}");
    }
}

#[test]
fn a_folder_of_checkpoints_that_turns_into_a_file_ends_the_run() {
    let folder = trained();
    let root = folder.path();
    let mut child = Command::new(env!("CARGO_BIN_EXE_narrows"))
        .args(format!("{TRAIN} --epochs 1000000 --out long").split(' '))
        .current_dir(root)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let checkpoints = root.join("long/checkpoints");
    while !checkpoints.join("last.safetensors").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its first checkpoint");
    }
    fs::rename(&checkpoints, root.join("long/away")).unwrap();
    fs::write(&checkpoints, "a file").unwrap();
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{err}");
    assert!(err.contains("long/checkpoints/last.safetensors"), "{err}");
    assert!(Checkpoint::newest(root.join("long/away")).is_ok());
    assert_eq!(fs::read_to_string(&checkpoints).unwrap(), "a file");
}
