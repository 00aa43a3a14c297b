//! Bad files and bad arguments, as a user meets them: each ends with its exit code and says why, writes nothing, and
//! makes nobody allocate what it declares.

mod data;
mod runs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The address space of a process here, in KiB. What these files declare is more, what they hold is next to nothing.
const MEMORY: u32 = 1 << 20;

fn narrows(folder: &Path, args: &[&str]) -> Output {
    let script = format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_narrows")]).args(args).current_dir(folder).stdin(Stdio::null());
    // One heap: on a machine of many cores the address space of one for each thread would be all there is.
    command.env("MALLOC_ARENA_MAX", "1").env_remove("NARROWS_CPU_LEVEL").env("NARROWS_CACHE", "/nowhere").output().unwrap()
}

/// Files that are bad, or the arguments that are; the exit code; what is said.
struct Case {
    files: Vec<(String, Vec<u8>)>,
    args: String,
    code: i32,
    said: &'static str,
}

#[derive(Default)]
struct Table {
    cases: Vec<Case>,
}

/// A training on what stands behind it. `{}` in a case is this.
const TRAIN: &str = "train --device cpu -q --layers 2 --epochs 1 --out new --data";
/// A pass through the network `m` of three columns.
const ENCODE: &str = "encode --device cpu -q --model m -o new.csv --data";

impl Table {
    fn add(&mut self, files: &[(&str, &[u8])], args: &str, code: i32, said: &'static str) {
        let files = files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
        self.cases.push(Case { files, args: args.into(), code, said });
    }

    /// A file alone, wrong data.
    fn file(&mut self, name: &str, bytes: impl AsRef<[u8]>, args: &str, said: &'static str) {
        self.add(&[(name, bytes.as_ref())], args, 3, said);
    }

    fn args(&mut self, args: &str, code: i32, said: &'static str) {
        self.add(&[], args, code, said);
    }
}

/// Every path below a folder, with the size of each file.
fn listed(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        all.push((entry.path(), if entry.path().is_dir() { 0 } else { entry.metadata().unwrap().len() }));
        if entry.path().is_dir() {
            all.extend(listed(&entry.path()));
        }
    }
    all.sort();
    all
}

#[test]
fn every_bad_file_and_argument_ends_with_its_code_says_why_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let rows: String = (0..30).map(|i| format!("{},{},{}\n", i, i * 7 % 10, 30 - i)).collect();
    fs::write(root.join("t3.csv"), rows).unwrap();
    let trained = narrows(root, &"train --device cpu -q --data t3.csv --layers 2 --epochs 2 --out m".split(' ').collect::<Vec<_>>());
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));

    let mut table = Table::default();
    let mut counts = Vec::new();
    let mut count = |name: &'static str, table: &Table| counts.push((name, table.cases.len()));
    data::idx_cases(&mut table);
    count("IDX and gzip", &table);
    data::csv_cases(&mut table);
    count("CSV", &table);
    data::npy_cases(&mut table);
    count("npy", &table);
    data::image_cases(&mut table);
    count("images", &table);
    runs::model_cases(&mut table);
    count("models", &table);
    runs::run_cases(&mut table, root);
    count("runs", &table);
    runs::argument_cases(&mut table);
    count("arguments", &table);
    let mut before = 0;
    for (name, upto) in &counts {
        eprintln!("{:>4} {name}", upto - before);
        before = *upto;
    }
    let mut distinct: Vec<_> = table.cases.iter().map(|c| (&c.files, &c.args)).collect();
    distinct.sort();
    distinct.dedup();
    eprintln!("{:>4} in all", distinct.len());
    assert!(distinct.len() == table.cases.len() && distinct.len() >= 120, "{} of {}", distinct.len(), table.cases.len());

    let (mut wrong, plain) = (Vec::new(), listed(root));
    for (at, case) in table.cases.iter().enumerate() {
        for (name, bytes) in &case.files {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), bytes).unwrap();
        }
        let before = listed(root);
        let output = narrows(root, &case.args.split_whitespace().collect::<Vec<_>>());
        let err = String::from_utf8_lossy(&output.stderr);
        let good =
            output.status.code() == Some(case.code) && err.contains(case.said) && !err.contains("panicked") && output.stdout.is_empty();
        if !good {
            let names: Vec<&String> = case.files.iter().map(|(name, _)| name).take(4).collect();
            let (code, said) = (case.code, case.said);
            wrong.push(format!("{at}: {} {names:?}: {}, not {code}: {err}should say: {said}", case.args, output.status));
        }
        if listed(root) != before {
            wrong.push(format!("{at}: {}: something was written or is gone", case.args));
        }
        for (path, _) in listed(root).into_iter().rev().filter(|entry| !plain.contains(entry)) {
            if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) }.unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.cases.len(), wrong.join("\n"));
}

#[test]
fn the_limit_on_memory_that_these_cases_run_under_is_one() {
    let output = narrows(Path::new("."), &["bench", "--device", "cpu", "--op", "sum", "--shape", "130000000"]);
    assert!(!output.status.success(), "130 million numbers and their f64 reference found room in {MEMORY} KiB");
}
