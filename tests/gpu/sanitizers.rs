//! The CUDA kernels under ThreadSanitizer and AddressSanitizer, a host thread for each of the GPU's. The stand-in's
//! results are compared by the unit tests of `backend/cuda` and by the table of all ops.

use crate::standin;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn race(sanitizer: &str, kernels: &[PathBuf], instead: &[&Path]) -> Option<PathBuf> {
    let flag = format!("-fsanitize={sanitizer}");
    let flags = ["-O1", "-g", "-DNARROWS_STANDIN_THREADS", &flag];
    standin::compile_some(kernels, &format!("race-{}", &sanitizer[..6]), "exe", &flags, "#include \"race.cpp\"\n", instead)
}

fn run(program: &Path, args: &[&str]) -> (Output, String) {
    let mut output = Command::new(program).args(args).output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("unexpected memory mapping") {
        // An older ThreadSanitizer on a kernel that spreads addresses wider than it knows.
        output = Command::new("setarch").arg("-R").arg(program).args(args).output().unwrap();
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

#[test]
fn no_kernel_races() {
    let Some(program) = race("thread", &standin::kernels(), &[]) else { return };
    let (output, text) = run(&program, &[]);
    assert!(output.status.success(), "{text}");
}

#[test]
fn no_kernel_reaches_outside_its_buffers() {
    let Some(program) = race("address,undefined", &standin::kernels(), &[]) else { return };
    let (output, text) = run(&program, &[]);
    assert!(output.status.success() && text.is_empty(), "{text}");
}

/// A kernel with another text in one of its files, under a sanitizer. A header is included from the folder that a
/// kernel lies in, so all come along.
fn changed(sanitizer: &str, file: &str, text: &str, kernel: &str) -> Option<PathBuf> {
    let folder = standin::scratch().join(format!("changed-{}", standin::unique()));
    fs::create_dir_all(&folder).unwrap();
    for original in fs::read_dir(standin::root().join("kernels")).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()) {
        fs::copy(&original, folder.join(original.file_name().unwrap())).unwrap();
    }
    fs::write(folder.join(file), text).unwrap();
    // race.cpp takes its tables from three of them.
    let needed = |path: &PathBuf| ["chain", "layer", "weights", kernel].iter().any(|stem| path.file_stem().is_some_and(|s| s == *stem));
    let kernels: Vec<PathBuf> = standin::kernels().into_iter().filter(needed).collect();
    let program = race(sanitizer, &kernels, &[&folder]);
    fs::remove_dir_all(&folder).unwrap();
    program
}

#[test]
fn a_deleted_barrier_is_found() {
    // The file, how many barriers it has, and the kernel that shows that one is missing.
    for (file, barriers, kernel) in [
        ("block.cuh", 3, "dense"),
        ("dense.cu", 2, "dense"),
        ("tile.cuh", 4, "layer"),
        ("chain.cu", 2, "chain"),
        ("kth.cuh", 4, "cut"),
        ("merge_topk.cu", 6, "merge_topk"),
    ] {
        let original = fs::read_to_string(standin::root().join("kernels").join(file)).unwrap();
        assert_eq!(original.lines().filter(|l| l.contains("__syncthreads()")).count(), barriers, "{file}");
        for deleted in 0..barriers {
            let mut seen = 0;
            let keep = |line: &&str| {
                seen += usize::from(line.contains("__syncthreads()"));
                !line.contains("__syncthreads()") || seen != deleted + 1
            };
            let text = original.lines().filter(keep).collect::<Vec<_>>().join("\n");
            let Some(program) = changed("thread", file, &text, kernel) else { return };
            // A thread that goes another way for want of it is seen at the next one; or else the result is wrong. What
            // is seen of a race depends on which thread is first, and on a busy machine that hardly changes: it may
            // take more runs.
            let signs = ["ThreadSanitizer: data race", "a barrier that not all threads reach", " is right"];
            let seen = (0..12).any(|_| {
                let (output, text) = run(&program, &[kernel]);
                !output.status.success() && signs.iter().any(|sign| text.contains(sign))
            });
            assert!(seen, "barrier {deleted} of {file} was deleted and nobody noticed");
        }
    }
}

#[test]
fn an_index_off_by_one_is_found() {
    for (file, from, to, kernel) in [
        ("block.cuh", "at[j] : at[j] + e, lines - 1)", "at[j] : at[j] + e, lines)", "dense"),
        ("tile.cuh", "line = line < lines ? line : lines - 1;", "line = line < lines ? line : lines;", "layer"),
        ("chain.cu", "threadIdx.x + CHAIN_THREADS * j < count) to[j]", "threadIdx.x + CHAIN_THREADS * j <= count) to[j]", "chain"),
        ("weights.cu", "if (o >= O || i >= I) continue;", "if (o > O || i >= I) continue;", "weights"),
    ] {
        let original = fs::read_to_string(standin::root().join("kernels").join(file)).unwrap();
        assert_eq!(original.matches(from).count(), 1, "{file}: {from}");
        let Some(program) = changed("address,undefined", file, &original.replace(from, to), kernel) else { return };
        let (output, text) = run(&program, &[kernel]);
        assert!(!output.status.success() && text.contains("heap-buffer-overflow"), "{file}: {text}");
    }
}
