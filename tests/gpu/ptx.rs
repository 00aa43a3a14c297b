//! The PTX that ships was made from the kernels that are here. `kernels/build_ptx.py` regenerates it.

use crate::standin;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn ptx() -> String {
    fs::read_to_string(standin::root().join("kernels/ptx/narrows.ptx")).unwrap()
}

#[test]
fn the_ptx_was_made_from_these_kernels() {
    let manifest = fs::read_to_string(standin::root().join("kernels/ptx/manifest.txt")).unwrap();
    let written: BTreeMap<_, _> = manifest.lines().filter(|l| !l.starts_with('#')).map(|l| l.split_once(' ').unwrap()).collect();
    let remedy = "Run kernels/build_ptx.py (its first lines say how).";
    let files = fs::read_dir(standin::root().join("kernels")).unwrap().map(|f| f.unwrap().path());
    let sources: Vec<_> = files.filter(|f| f.extension().is_some_and(|e| e == "cu" || e == "cuh")).collect();
    for source in &sources {
        let name = source.file_name().unwrap().to_str().unwrap();
        let of_source = sha256(&fs::read(source).unwrap());
        assert_eq!(written.get(name), Some(&of_source.as_str()), "{name} changed and the PTX did not. {remedy}");
    }
    assert_eq!(written.len(), sources.len() + 1, "PTX of a source that is not there. {remedy}");
    let ptx = ptx();
    assert_eq!(written.get("narrows.ptx"), Some(&sha256(ptx.as_bytes()).as_str()), "narrows.ptx is not what the script wrote. {remedy}");
    let in_ptx: BTreeSet<_> = ptx.split(".visible .entry ").skip(1).map(|e| e.split('(').next().unwrap().to_string()).collect();
    let in_sources: BTreeSet<_> = standin::kernels().iter().flat_map(|f| standin::entries(&fs::read_to_string(f).unwrap())).collect();
    assert_eq!(in_ptx, in_sources);
}

#[test]
fn the_ptx_runs_on_driver_525_and_on_turing() {
    assert!(ptx().contains("\n.version 8.0\n") && ptx().contains("\n.target sm_75\n"));
}

/// Subnormals count as 0, which each instruction says for itself. The driver's assembler may join a multiplication and
/// an addition that have no rounding of their own into one fma.
#[test]
fn every_rounding_in_the_ptx_is_written_down() {
    for line in ptx().lines() {
        let word = line.split_whitespace().find(|w| !w.starts_with('@')).unwrap_or("");
        let arithmetic = ["add.", "sub.", "mul.", "fma.", "mad.", "div.", "sqrt.", "rcp.", "ex2."].iter().any(|a| word.starts_with(a));
        if arithmetic && word.ends_with("f32") {
            assert!(word.ends_with(".rn.ftz.f32"), "{line}");
        }
    }
}

/// The driver's assembler may make one instruction of a comparison and a choice, which passes a subnormal on, as it did
/// on an H200. So what is chosen has been through an addition.
#[test]
fn relu_chooses_what_an_addition_has_flushed() {
    let ptx = ptx();
    let relu = ptx.split(".visible .entry relu_each(").nth(1).unwrap().split(".visible .entry").next().unwrap();
    let (before, _) = relu.split_once("selp.f32").expect("relu chooses");
    assert!(before.contains("add.rn.ftz.f32") || before.contains("add.ftz.f32"), "{relu}");
}
