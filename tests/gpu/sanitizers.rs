//! The CUDA kernels under ThreadSanitizer and AddressSanitizer, a host thread for each of the GPU's. The stand-in's
//! results are compared by the unit tests of `backend/cuda` and by the table of all ops.

use crate::standin;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn race(sanitizer: &str, instead: &[&Path]) -> Option<PathBuf> {
    let flag = format!("-fsanitize={sanitizer}");
    let flags = ["-O1", "-g", "-DNARROWS_STANDIN_THREADS", &flag];
    standin::compile(&format!("race-{}", &sanitizer[..6]), "exe", &flags, "#include \"race.cpp\"\n", instead)
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
    let Some(program) = race("thread", &[]) else { return };
    let (output, text) = run(&program, &[]);
    assert!(output.status.success(), "{text}");
}

#[test]
fn no_kernel_reaches_outside_its_buffers() {
    let Some(program) = race("address,undefined", &[]) else { return };
    let (output, text) = run(&program, &[]);
    assert!(output.status.success() && text.is_empty(), "{text}");
}

#[test]
fn a_deleted_barrier_is_found() {
    let original = fs::read_to_string(standin::root().join("kernels/dense.cu")).unwrap();
    let barriers = original.lines().filter(|l| l.contains("__syncthreads()")).count();
    assert_eq!(barriers, 2);
    for deleted in 0..barriers {
        let folder = standin::scratch().join(format!("without-barrier-{deleted}-{}", standin::unique()));
        fs::create_dir_all(&folder).unwrap();
        let mut seen = 0;
        let keep = |line: &&str| {
            seen += usize::from(line.contains("__syncthreads()"));
            !line.contains("__syncthreads()") || seen != deleted + 1
        };
        fs::write(folder.join("dense.cu"), original.lines().filter(keep).collect::<Vec<_>>().join("\n")).unwrap();
        let program = race("thread", &[&folder]);
        fs::remove_dir_all(&folder).unwrap();
        let Some(program) = program else { return };
        let (output, text) = run(&program, &["dense"]);
        assert!(
            !output.status.success() && text.contains("ThreadSanitizer: data race"),
            "barrier {deleted} was deleted and nobody noticed: {text}"
        );
    }
}

#[test]
fn an_index_off_by_one_is_found() {
    let original = fs::read_to_string(standin::root().join("kernels/dense.cu")).unwrap();
    let planted = original.replace("line < lines && k < depth", "line <= lines && k < depth");
    assert_ne!(planted, original);
    let folder = standin::scratch().join(format!("off-by-one-{}", standin::unique()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("dense.cu"), planted).unwrap();
    let program = race("address,undefined", &[&folder]);
    fs::remove_dir_all(&folder).unwrap();
    let Some(program) = program else { return };
    let (output, text) = run(&program, &["dense"]);
    assert!(!output.status.success() && text.contains("heap-buffer-overflow"), "{text}");
}
