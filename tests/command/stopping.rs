//! Stopping the command line, gently and not, and going on.

use narrows::train::Checkpoint;
use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program with SIGHUP at its default: under nohup the tests would hand on that it is ignored.
fn heeding(program: &str) -> Command {
    if cfg!(not(target_os = "linux")) {
        return Command::new(program);
    }
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", program]);
    command
}

fn narrows(folder: &Path) -> Command {
    let mut command = heeding(env!("CARGO_BIN_EXE_narrows"));
    command.current_dir(folder).env_remove("NARROWS_CPU_LEVEL").stdin(Stdio::null());
    command
}

/// Exit code and stderr.
fn run(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = narrows(folder).args(args).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const SMALL: [&str; 10] = ["--device", "cpu", "--threads", "2", "--layers", "32,8", "--batch-size", "64", "--epochs", "4"];

fn start(folder: &Path, out: &str, more: &[&str]) -> Child {
    narrows(folder).args(SMALL).args(["--out", out]).args(more).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Until the first checkpoint is there.
fn wait_for(path: &Path) {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "{} does not come", path.display());
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn last(folder: &Path, out: &str) -> PathBuf {
    folder.join(out).join("checkpoints/last.safetensors")
}

fn weights(folder: &Path, out: &str) -> Vec<u8> {
    fs::read(folder.join(out).join("model.safetensors")).unwrap()
}

/// All columns but the times.
fn losses(folder: &Path, out: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(out).join("metrics.csv")).unwrap();
    text.lines().map(|l| l.split(',').take(3).collect::<Vec<_>>().join(",")).collect()
}

#[test]
fn a_signal_saves_and_resuming_gives_the_bits_of_an_unbroken_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let more = ["--schedule", "cosine", "--warmup", "20", "--weight-decay", "0.01", "--clip", "1", "--loss", "bce", "--validation", "0.1"];
    let whole: Vec<&str> = SMALL.iter().copied().chain(["--out", "whole"]).chain(more).collect();
    let (code, err) = run(at, &whole);
    assert_eq!(code, Some(0), "{err}");
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let out = name.trim_start_matches('-');
        let child = start(at, out, &more);
        wait_for(&last(at, out));
        std::thread::sleep(Duration::from_millis(60));
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{err}");
        assert!(err.contains(&format!("narrows train --resume {out}")), "{err}");
        let stopped = Checkpoint::read(last(at, out)).unwrap();
        eprintln!("{name}: stopped after {} steps, {} epochs", stopped.step(), stopped.epochs());
        let (code, err) = run(at, &["plot", "--weights", "--device", "cpu", "--model", out]);
        let epoch = format!("{out}: a signal stopped this training; the model is of epoch {} of 4", stopped.epochs());
        assert!(code == Some(0) && err.contains(&epoch), "{err}");
        let (code, err) = run(at, &["train", "--device", "cpu", "--resume", out]);
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("resuming from"), "{err}");
        assert_eq!(weights(at, out), weights(at, "whole"), "{name}");
        assert_eq!(losses(at, out), losses(at, "whole"), "{name}");
        let (code, err) = run(at, &["plot", "--weights", "--device", "cpu", "--model", out]);
        assert!(code == Some(0) && !err.contains("a signal"), "{err}");
    }
}

#[test]
fn a_run_goes_on_for_more_epochs_and_keeps_what_its_steps_were_made_with() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    images(at, 60, 20);
    let train = |more: &str| {
        let args = format!("train -q --device cpu {more}");
        run(at, &args.split(' ').collect::<Vec<_>>())
    };
    let begin = "--data . --layers 4 --batch-size 16 --validation 0.2";
    assert_eq!(train(&format!("{begin} --epochs 5 --out whole")), (Some(0), String::new()));
    assert_eq!(train(&format!("{begin} --epochs 2 --out m")), (Some(0), String::new()));
    // What is as it was may be said again.
    assert_eq!(train("--resume m --epochs 5 --patience 9 --threads 1 --lr 0.001 --layers 4 --data ."), (Some(0), String::new()));
    assert_eq!((weights(at, "m"), losses(at, "m")), (weights(at, "whole"), losses(at, "whole")));
    let config = || fs::read_to_string(at.join("m/config.toml")).unwrap();
    let now = config();
    assert!(["epochs = 5", "patience = 9", "threads = 1"].iter().all(|line| now.contains(line)), "{now}");
    for (flags, code, said) in [
        ("--lr 0.01", 2, "--lr: it is 0.001 in this run and can't become 0.01: the steps so far were made with it"),
        ("--clip 1", 2, "--clip: it is none in this run and can't become 1"),
        ("--layers 5", 2, "--layers: it is 4 in this run and can't become 5: the checkpoint is of that network"),
        ("--validation none", 2, "--validation: it is 0.2 in this run and can't become none: the rows would be others"),
        ("--epochs 4", 2, "epochs: it is 4, and 5 are done"),
        ("--data builtin", 3, "these are not the rows that it began with"),
    ] {
        let (got, err) = train(&format!("--resume m {flags}"));
        assert!(got == Some(code) && err.contains(said), "{flags}: {err}");
        assert_eq!(config(), now, "{flags}");
    }
    assert_eq!(train(&format!("{begin} --epochs 2 --schedule cosine --out c")), (Some(0), String::new()));
    let (code, err) = train("--resume c --epochs 3");
    assert!(code == Some(2) && err.contains("--epochs: it is 2 in this run and can't become 3: its cosine ends with"), "{err}");
}

#[test]
fn kill_9_at_any_moment_leaves_a_checkpoint_that_loads_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // Epochs of a millisecond, so that most of the time is spent writing checkpoints.
    let pixels = |n: u32| [&[0, 0, 8, 3], &n.to_be_bytes()[..], &[0, 0, 0, 5, 0, 0, 0, 5], &vec![100; 25 * n as usize]].concat();
    let labels = |n: u32| [&[0, 0, 8, 1], &n.to_be_bytes()[..], &vec![7; n as usize]].concat();
    for (set, n) in [("train", 64), ("t10k", 16)] {
        fs::write(at.join(format!("{set}-images-idx3-ubyte")), pixels(n)).unwrap();
        fs::write(at.join(format!("{set}-labels-idx1-ubyte")), labels(n)).unwrap();
    }
    let mut steps = Vec::new();
    for turn in 0..12 {
        let out = format!("run{turn}");
        let mut child = narrows(at)
            .args([
                "--device",
                "cpu",
                "--threads",
                "1",
                "--data",
                ".",
                "--layers",
                "4",
                "--batch-size",
                "64",
                "--epochs",
                "100000",
                "--out",
                &out,
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_for(&last(at, &out));
        std::thread::sleep(Duration::from_millis(3 + 13 * turn));
        child.kill().unwrap();
        child.wait().unwrap();
        let checkpoint = Checkpoint::read(last(at, &out)).unwrap();
        steps.push(checkpoint.step());
        if let Ok(previous) = Checkpoint::read(at.join(&out).join("checkpoints/last.previous.safetensors")) {
            assert!(checkpoint.step() - previous.step() <= 50);
        }
    }
    eprintln!("steps at the kills: {steps:?}");
    assert!(steps.iter().any(|&s| s > 0));
    // What was killed goes on.
    let config = at.join("run11/config.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("epochs = 100000", &format!("epochs = {}", steps[11] + 2))).unwrap();
    let (code, err) = run(at, &["train", "--device", "cpu", "--resume", "run11"]);
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(Checkpoint::read(last(at, "run11")).unwrap().step(), steps[11] + 2);
}

/// The four IDX files of images of 5 x 5, no two alike.
fn images(folder: &Path, train: u32, test: u32) {
    for (set, n) in [("train", train), ("t10k", test)] {
        let pixels = (0..25 * n).map(|i| (i.wrapping_mul(i).wrapping_mul(31).wrapping_add(i / 7) % 251) as u8).collect::<Vec<_>>();
        let dims = [n.to_be_bytes(), 5u32.to_be_bytes(), 5u32.to_be_bytes()].concat();
        fs::write(folder.join(format!("{set}-images-idx3-ubyte")), [&[0, 0, 8, 3], &dims[..], &pixels].concat()).unwrap();
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// All columns but the times.
fn measured(folder: &Path, out: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(out).join("metrics.csv")).unwrap();
    let timeless =
        |line: &str| line.split(',').enumerate().filter(|(at, _)| !(3..5).contains(at)).map(|(_, c)| c.to_string() + ",").collect();
    text.lines().map(timeless).collect()
}

/// At moments that nobody chose: 40 times, at a share of the whole run that is drawn evenly, from the start of the
/// process to its last file.
#[test]
fn killed_at_40_random_moments_a_run_resumes_to_the_bits_of_an_unbroken_one() {
    const KILLS: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    images(at, 3000, 40);
    let args = "--device cpu --threads 1 --data . --layers 8,3 --batch-size 16 --epochs 30 --schedule cosine --warmup 5 \
                --weight-decay 0.01 --validation 0.2 --patience 100 -q --out";
    let begin = |out: &str| {
        let mut command = narrows(at);
        command.args(args.split_whitespace()).arg(out).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    // The fastest of three, so that a kill seldom comes too late.
    let mut whole = Duration::MAX;
    for out in ["whole", "again", "once more"] {
        let start = Instant::now();
        assert!(begin(out).status().unwrap().success());
        whole = whole.min(start.elapsed());
        assert_eq!((weights(at, out), measured(at, out)), (weights(at, "whole"), measured(at, "whole")));
    }
    let mut state = 20_261_123u64;
    let mut share = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let (mut late, mut epochs, mut anew) = (0, Vec::new(), 0);
    while epochs.len() < KILLS {
        let out = format!("run{}", epochs.len() + late);
        let moment = whole.mul_f64(share());
        let mut child = begin(&out).spawn().unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        // Whoever had ended by himself was not killed, and does not count.
        if child.wait().unwrap().signal() != Some(9) {
            late += 1;
            assert!(late < KILLS, "the runs end before they are killed");
            continue;
        }
        epochs.push(Checkpoint::newest(at.join(&out).join("checkpoints")).map_or(-1, |(_, c)| c.epochs() as i32));
        let settled = at.join(&out).join("config.toml").exists();
        anew += usize::from(!settled);
        let (code, err) = match settled {
            true => run(at, &["train", "--device", "cpu", "--resume", &out]),
            // Nothing of it is left that would be in the way of beginning again.
            false => (begin(&out).status().unwrap().code(), String::new()),
        };
        assert_eq!(code, Some(0), "killed after {moment:?}: {err}");
        assert!(weights(at, &out) == weights(at, "whole"), "killed after {moment:?}, it has other weights");
        assert_eq!(measured(at, &out), measured(at, "whole"), "killed after {moment:?}");
        let half = files(&at.join(&out)).into_iter().find(|path| path.extension().is_some_and(|e| e == "part"));
        assert!(half.is_none() || !settled, "killed after {moment:?}: {half:?} is left");
    }
    eprintln!("a run of {whole:?}; epochs at the kills (-1: no checkpoint yet): {epochs:?}; {anew} begun anew, {late} too late");
    let within = epochs.iter().filter(|e| (1..30).contains(*e)).count();
    assert!(within > KILLS / 2, "{epochs:?}");
}

#[test]
fn killed_before_its_first_checkpoint_a_run_begins_anew_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    images(at, 60, 20);
    let args = "--device cpu --data . --layers 4 --batch-size 16 --epochs 3 --out whole -q";
    assert_eq!(run(at, &args.split(' ').collect::<Vec<_>>()).0, Some(0));
    // Such a folder holds its settings, perhaps an empty folder for checkpoints, and what was being written.
    for (out, folder) in [("a", ""), ("b", "checkpoints")] {
        fs::create_dir_all(at.join(out).join(folder)).unwrap();
        fs::copy(at.join("whole/config.toml"), at.join(out).join("config.toml")).unwrap();
        fs::write(at.join(out).join(folder).join(".narrows-a1b2c3.part"), "half").unwrap();
        let (code, err) = run(at, &["train", "--resume", out]);
        assert_eq!(code, Some(0), "{err}");
        assert!(err.contains("no checkpoint in") && err.contains("beginning again"), "{err}");
        assert_eq!((weights(at, out), losses(at, out)), (weights(at, "whole"), losses(at, "whole")));
        assert!(files(&at.join(out)).iter().all(|path| path.extension().is_none_or(|e| e != "part")));
    }
    // A run that has been trained is never begun anew.
    fs::remove_dir_all(at.join("whole/checkpoints")).unwrap();
    let before = weights(at, "whole");
    let (code, err) = run(at, &["train", "--resume", "whole"]);
    assert!(code == Some(3) && err.contains("last.safetensors: reading the checkpoint"), "{err}");
    assert_eq!(weights(at, "whole"), before);
}

/// A training ends by itself though its terminal is closed, if it was begun to outlive that.
#[cfg(target_os = "linux")]
#[test]
fn a_hangup_stops_a_training_gently_unless_it_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (out, begin, code) in [("heeded", "", 129), ("ignored", "trap '' HUP; ", 0)] {
        let script = format!("{begin}exec \"$0\" \"$@\"");
        let mut command = heeding("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_narrows")]).args(SMALL).args(["--out", out]).current_dir(at);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_for(&last(at, out));
        signal(&child, "-HUP");
        assert_eq!(child.wait().unwrap().code(), Some(code), "{out}");
        assert!(at.join(out).join("model.safetensors").exists());
    }
}

#[test]
fn a_signal_while_rows_stream_leaves_neither_the_file_nor_half_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let rows: String = (0..3000).map(|i| format!("{},{}\n", i % 7, i % 11)).collect();
    fs::write(at.join("t.csv"), &rows).unwrap();
    let train = "--device cpu --data t.csv --layers 1 --epochs 1 --out m -q";
    assert_eq!(run(at, &train.split(' ').collect::<Vec<_>>()).0, Some(0));
    let before = files(at);
    let hangup = cfg!(target_os = "linux").then_some(("-HUP", 129));
    for (name, code) in [("-INT", 130), ("-TERM", 143)].into_iter().chain(hangup) {
        for out in ["new.csv", "new.npy"] {
            let args = format!("encode --device cpu --model m --data - -o {out}");
            let mut child = narrows(at).args(args.split(' ')).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(rows.as_bytes()).unwrap();
            // Until the file is begun.
            let start = Instant::now();
            while files(at) == before {
                assert!(start.elapsed() < Duration::from_secs(60), "nothing is written");
                std::thread::sleep(Duration::from_millis(2));
            }
            signal(&child, name);
            // It waits for more, which does not come.
            let output = child.wait_with_output().unwrap();
            drop(input);
            let err = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{err}");
            assert!(err.contains("stopped by a signal; nothing was written"), "{err}");
            assert_eq!(files(at), before);
        }
    }
}

#[test]
fn what_can_not_be_resumed_is_an_error_with_its_own_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let cases: [(&[&str], i32, &str); 9] = [
        (&["--resume", "none"], 3, "none/config.toml: reading the settings"),
        (&["--resume", "none", "--config", "none"], 2, "cannot be used with"),
        (&["--resume", "none", "--out", "other"], 2, "cannot be used with"),
        (&["--schedule", "linear"], 2, "schedule: `linear` is not a schedule. Use one of constant"),
        (&["--schedule", "cosine:1"], 2, "a cosine from 0.001 to 1"),
        (&["--validation", "1"], 2, "--validation: 1 of 20000 rows is 20000"),
        (&["--clip", "-1"], 2, "clip norm: it is -1"),
        (&["--weight-decay", "-1"], 2, "weight decay: it is -1"),
        (&["--loss", "mae"], 2, "invalid value"),
    ];
    for (args, want, text) in cases {
        let args: Vec<&str> = ["train", "--device", "cpu"].iter().chain(args).copied().collect();
        let (code, err) = run(at, &args);
        assert_eq!(code, Some(want), "{args:?}: {err}");
        assert!(err.contains(text) && !err.contains("panicked"), "{args:?}: {err}");
    }
    assert_eq!(fs::read_dir(at).unwrap().count(), 0, "what is refused leaves nothing");

    let args = ["--device", "cpu", "--layers", "8", "--batch-size", "1000", "--epochs", "1", "--out", "mine"];
    let (code, err) = run(at, &args);
    assert_eq!(code, Some(0), "{err}");
    let checkpoint = last(at, "mine");
    for path in [checkpoint.clone(), checkpoint.with_file_name("last.previous.safetensors")] {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(&path, bytes).unwrap();
    }
    let (code, err) = run(at, &["train", "--device", "cpu", "--resume", "mine"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("last.safetensors: it is a checkpoint, but not as it was written"), "{err}");
    fs::write(at.join("mine/config.toml"), "epochs = \"many\"").unwrap();
    let (code, err) = run(at, &["train", "--device", "cpu", "--resume", "mine"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("config.toml"), "{err}");
}
