//! Compiles the CUDA kernels for the CPU, with `cuda.h` of this folder in front of them, so that they run without a
//! GPU. `build` gives the library that `Device::cuda_standin` opens.
#![allow(dead_code)]

use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Flags that the results' bits depend on: nothing may be contracted, and fma must be one rounding.
const EXACT: &[&str] = &["-std=c++17", "-ffp-contract=off", "-Wall", "-Wextra", "-Wno-unknown-pragmas", "-Wno-unused-function", "-Werror"];

/// The stand-in library, or `None` where there is no C++ compiler. It is compiled once and kept by the hash of its
/// sources.
///
/// # Panics
/// When the sources do not compile, or when NARROWS_REQUIRE names `standin` and there is no compiler.
pub fn build() -> Option<PathBuf> {
    compile("standin", "so", &library_flags("-O2"), "", &[])
}

/// A folder with a `libcuda.so.1` that runs the kernels on the CPU: a program that finds it first takes it for the
/// driver.
pub fn build_driver(flags: &[&'static str]) -> Option<PathBuf> {
    let library = compile("driver", "so", &[&library_flags("-O2"), flags].concat(), "#include \"driver.cpp\"\n", &[])?;
    let folder = library.with_extension("");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let part = folder.join(unique());
    fs::copy(&library, &part).expect("the target folder can be written");
    // All names under which the driver is looked for, so that a real one is not found before it.
    for name in ["libcuda.so", "libcuda.so.1"] {
        let link = folder.join(unique());
        fs::hard_link(&part, &link).and_then(|()| fs::rename(&link, folder.join(name))).expect("the target folder can be written");
    }
    fs::remove_file(part).expect("the target folder can be written");
    Some(folder)
}

/// What makes a library of the kernels.
pub fn library_flags(level: &'static str) -> Vec<&'static str> {
    let mut flags = vec![level, "-shared", "-fPIC", "-fvisibility=hidden", "-U_FORTIFY_SOURCE"];
    if has_fma() {
        flags.push("-mfma"); // else fmaf is a function of the C library: the same bits, and slower
    }
    flags
}

/// Compiles all kernels, and a C++ text after them. A folder in `instead` comes before `kernels/`. `None`, with a line
/// on stderr, where there is no compiler.
pub fn compile(name: &str, extension: &str, flags: &[&str], after: &str, instead: &[&Path]) -> Option<PathBuf> {
    compile_some(&kernels(), name, extension, flags, after, instead)
}

/// The same of some kernels.
pub fn compile_some(kernels: &[PathBuf], name: &str, extension: &str, flags: &[&str], after: &str, instead: &[&Path]) -> Option<PathBuf> {
    let compiler = env::var("CXX").unwrap_or("g++".into());
    let Ok(version) = Command::new(&compiler).arg("--version").output() else {
        absent("standin", &format!("{compiler} was not found"));
        return None;
    };
    let here = root().join("tests/standin");
    let text = sources(kernels) + after;
    let mut hash = Sha256::new();
    let parts = [text.as_bytes(), &version.stdout, flags.join(" ").as_bytes(), compiler.as_bytes()].map(<[u8]>::to_vec);
    for part in parts.into_iter().chain(files(&root().join("kernels"))).chain(files(&here)).chain(instead.iter().flat_map(|d| files(d))) {
        hash.update(part);
    }
    let hash: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let made = scratch().join(format!("{name}-{hash}.{extension}"));
    if made.exists() {
        return Some(made);
    }
    let part = scratch().join(format!("{name}-{hash}-{}.{extension}", unique()));
    let source = part.with_extension("cpp");
    fs::write(&source, text).expect("the target folder can be written");
    let mut command = Command::new(&compiler);
    command.args(EXACT).args(flags).arg("-I").arg(&here);
    for folder in instead.iter().copied().chain([root().join("kernels").as_path()]) {
        command.arg("-I").arg(folder);
    }
    let output = command.arg(&source).arg("-o").arg(&part).arg("-pthread").output().expect("the compiler starts");
    assert!(output.status.success(), "{name} does not compile:\n{}", String::from_utf8_lossy(&output.stderr));
    // Renamed when it is whole: other test processes may be doing the same.
    fs::rename(&part, &made).expect("the target folder can be written");
    let _ = fs::remove_file(source);
    Some(made)
}

/// Says that a device is absent, and fails where NARROWS_REQUIRE names it.
pub fn absent(device: &str, reason: &str) {
    let text = format!("absent: {device} ({reason})");
    assert!(!env::var("NARROWS_REQUIRE").is_ok_and(|r| r.split(',').any(|n| n.trim() == device)), "{text}, but NARROWS_REQUIRE wants it");
    eprintln!("{text}");
}

/// The kernels' files, in order of their names.
pub fn kernels() -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(root().join("kernels")).expect("there is a folder `kernels`").map(|f| f.unwrap().path()).collect();
    found.retain(|f| f.extension().is_some_and(|e| e == "cu"));
    found.sort();
    found
}

/// The names of a kernel file's kernels.
pub fn entries(source: &str) -> Vec<String> {
    let after = |text: &str| {
        let text = text.trim_start().strip_prefix("__launch_bounds__").map_or(text, |rest| rest.split_once(')').unwrap().1);
        text.split('(').next().unwrap().trim().to_string()
    };
    source.split("extern \"C\" __global__ void").skip(1).map(after).collect()
}

/// One C++ text of all kernels, with the table that finds them by name.
fn sources(kernels: &[PathBuf]) -> String {
    let mut text = "#include \"cuda.h\"\n".to_string();
    let mut table = String::new();
    for file in kernels {
        text += &format!("#include \"{}\"\n", file.file_name().unwrap().to_str().unwrap());
        for entry in entries(&fs::read_to_string(file).unwrap()) {
            table += &format!("    STANDIN_ENTRY({entry}),\n");
        }
    }
    text + "static const standin::Entry entries[] = {\n"
        + &table
        + "};\nextern \"C\" __attribute__((visibility(\"default\"))) const char* launch(const char* entry, const unsigned* grid, const unsigned* block, void** args, "
        + "const char* letters) {\n    return standin::launch(entries, sizeof entries / sizeof entries[0], entry, grid, block, args, letters);\n}\n"
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()).collect();
    found.sort();
    found.iter().map(|f| fs::read(f).unwrap()).collect()
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A folder under `target/` that only tests use.
pub fn scratch() -> PathBuf {
    let folder = option_env!("CARGO_TARGET_TMPDIR").map(PathBuf::from).unwrap_or_else(|| {
        // Unit tests are not told: target/PROFILE/deps/TEST.
        let test = env::current_exe().expect("a test knows its own path");
        test.ancestors().nth(3).expect("tests run from target/PROFILE/deps").join("tmp")
    });
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// A name that no other test process or thread uses.
pub fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(target_arch = "x86_64")]
fn has_fma() -> bool {
    is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_fma() -> bool {
    false
}
