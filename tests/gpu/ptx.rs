//! The PTX that ships was made from the kernels that are here. `kernels/build_ptx.py` regenerates it.

use crate::standin;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn hex(parts: &[Vec<u8>]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|p| hash.update(p));
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// The headers that a file includes, directly or not, in order of their names.
fn headers(file: &Path) -> BTreeSet<PathBuf> {
    let text = fs::read_to_string(file).unwrap();
    let direct = text.lines().filter_map(|l| l.strip_prefix("#include \"")?.strip_suffix('"').map(|h| file.with_file_name(h)));
    direct.flat_map(|h| headers(&h).into_iter().chain([h])).collect()
}

#[test]
fn the_ptx_was_made_from_these_kernels() {
    let folder = standin::root().join("kernels/ptx");
    let manifest = fs::read_to_string(folder.join("manifest.txt")).unwrap();
    let written: BTreeMap<_, _> = manifest.lines().filter(|l| !l.starts_with('#')).map(|l| l.split_once(' ').unwrap()).collect();
    let remedy = "Run kernels/build_ptx.py (its first lines say how).";
    for source in standin::kernels() {
        let stem = source.file_stem().unwrap().to_str().unwrap();
        let Some((of_source, of_ptx)) = written.get(stem).and_then(|h| h.split_once(' ')) else { panic!("{stem}.cu has no PTX. {remedy}") };
        let parts: Vec<_> = [source.clone()].into_iter().chain(headers(&source)).map(|f| fs::read(f).unwrap()).collect();
        assert_eq!(hex(&parts), of_source, "{stem}.cu or one of its headers changed and its PTX did not. {remedy}");
        let ptx = fs::read(folder.join(format!("{stem}.ptx"))).unwrap();
        assert_eq!(hex(std::slice::from_ref(&ptx)), of_ptx, "{stem}.ptx is not what the script wrote. {remedy}");
        let ptx = String::from_utf8(ptx).unwrap();
        let in_ptx: BTreeSet<_> = ptx.split(".visible .entry ").skip(1).map(|e| e.split('(').next().unwrap().to_string()).collect();
        let in_source: BTreeSet<_> = standin::entries(&fs::read_to_string(&source).unwrap()).into_iter().collect();
        assert_eq!(in_ptx, in_source, "the kernels of {stem}");
    }
    assert_eq!(written.len(), standin::kernels().len(), "PTX without a source. {remedy}");
}

#[test]
fn the_ptx_runs_on_driver_525_and_on_turing() {
    for source in standin::kernels() {
        let stem = source.file_stem().unwrap().to_str().unwrap();
        let ptx = fs::read_to_string(standin::root().join(format!("kernels/ptx/{stem}.ptx"))).unwrap();
        assert!(ptx.contains("\n.version 8.0\n") && ptx.contains("\n.target sm_75\n"), "{stem}.ptx has another version or target");
    }
}

/// Subnormals count as 0, which each instruction says for itself. The driver's assembler may join a multiplication and an addition that have no rounding of their own into one fma.
#[test]
fn every_rounding_in_the_ptx_is_written_down() {
    for source in standin::kernels() {
        let stem = source.file_stem().unwrap().to_str().unwrap();
        let ptx = fs::read_to_string(standin::root().join(format!("kernels/ptx/{stem}.ptx"))).unwrap();
        for line in ptx.lines() {
            let word = line.split_whitespace().find(|w| !w.starts_with('@')).unwrap_or("");
            let arithmetic = ["add.", "sub.", "mul.", "fma.", "mad.", "div.", "sqrt.", "rcp.", "ex2."].iter().any(|a| word.starts_with(a));
            if arithmetic && word.ends_with("f32") {
                assert!(word.ends_with(".rn.ftz.f32"), "{stem}.ptx: {line}");
            }
        }
    }
}
