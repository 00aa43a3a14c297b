//! How much memory is taken: no more with every epoch, no more with every row that streams through, and little in all.

use crate::{ALONE, HELD, common};
use narrows::train::Epoch;
use narrows::{Autoencoder, Device, Fit, Loss, Schedule, data};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

fn narrows(folder: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narrows"));
    command.current_dir(folder).env_remove("NARROWS_CPU_LEVEL").args(args.split_whitespace()).stdout(Stdio::null());
    command
}

/// A line of /proc/PID/status in KiB. None once the process has ended.
fn kib(child: &Child, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.parse().ok())
}

/// The most that a process held until it ended well.
fn peak(mut child: Child) -> u64 {
    let mut most = 0;
    while child.try_wait().unwrap().is_none() {
        most = kib(&child, "VmHWM").unwrap_or(most).max(most);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    most
}

/// Counted by the allocator, to the byte: what the system shows of a process moves by megabytes with what the allocator
/// keeps for itself.
#[test]
fn twenty_epochs_hold_what_two_held_and_a_line_of_history_for_each() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().unwrap();
    let digits = data::open("builtin").unwrap();
    let (train, test) = (digits.train.head(2_000), digits.test.head(500));
    let ae = Autoencoder::builder(784).hidden([64]).code(8).build(&Device::cpu().unwrap()).unwrap();
    let fit = Fit::default().epochs(20).batch_size(100).schedule(Schedule::Cosine { to: 1e-5 }).clip_norm(1.0).loss(Loss::Bce);
    let fit = fit.test(&test).validate(&test).patience(20).checkpoints(folder.path());
    let mut held = Vec::with_capacity(20);
    ae.fit_with(&train, &fit, |_| held.push(HELD.load(Ordering::Relaxed))).unwrap();
    eprintln!("bytes held after each epoch: {held:?}");
    // 20 losses of 4 bytes and the epoch itself, twice that where a list has doubled.
    let history = 2 * (20 * 4 + size_of::<Epoch>() as isize);
    assert!(held[19] - held[1] <= 18 * history, "{held:?}");
    assert!(held[19] > 2_000 * 784, "what is held is counted: {held:?}");
}

#[test]
fn a_data_set_is_not_copied_to_the_cpu() {
    let _alone = ALONE.lock();
    let rows = data::digits(0, 0..10_000);
    let ae = Autoencoder::builder(784).hidden([8]).code(2).build(&Device::cpu().unwrap()).unwrap();
    let before = HELD.load(Ordering::Relaxed);
    let mut more = 0;
    ae.fit_with(&rows, &Fit::default().epochs(1), |_| more = HELD.load(Ordering::Relaxed) - before).unwrap();
    let all = rows.values().len() as isize;
    eprintln!("{more} bytes more while {all} are trained on");
    // A batch and what comes of it, the order of the rows.
    assert!((1..all / 2).contains(&more), "{more} of {all}");
}

#[test]
fn rows_that_stream_through_take_the_memory_of_a_chunk() {
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..2000).map(|i| (0..30).map(|j| format!("{},", i * j % 101)).collect::<String>() + "1\n").collect();
    fs::write(folder.path().join("t.csv"), &rows).unwrap();
    assert!(narrows(folder.path(), "train -q --device cpu --data t.csv --layers 8,2 --epochs 1 --out m").status().unwrap().success());
    for verb in ["score", "encode", "reconstruct"] {
        let mut child =
            narrows(folder.path(), &format!("{verb} -q --device cpu --model m --data - -o out.npy")).stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let writer = std::thread::spawn({
            let rows = rows.clone();
            move || (0..64_000_000 / rows.len()).for_each(|_| input.write_all(rows.as_bytes()).unwrap())
        });
        let most = peak(child);
        writer.join().unwrap();
        eprintln!("{verb}: {most} KiB for 64 MB of CSV");
        assert!((1..40 << 10).contains(&most), "{verb}: {most} KiB");
    }
}

#[test]
fn a_training_on_mnist_takes_less_than_250_megabytes() {
    let Some(mnist) = common::folder("NARROWS_MNIST") else { return };
    let _alone = ALONE.lock();
    let folder = tempfile::tempdir().unwrap();
    let most =
        peak(narrows(folder.path(), &format!("train -q --device cpu --data {} --epochs 1 --out m", mnist.display())).spawn().unwrap());
    eprintln!("{most} KiB");
    assert!((1..250_000_000 / 1024).contains(&most), "{most} KiB");
}
