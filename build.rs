//! Rebuilds the committed PTX, and only when NARROWS_REBUILD_PTX=1: a newer compiler's PTX would be refused by older drivers, so what ships is what was tested.

fn main() {
    println!("cargo::rerun-if-env-changed=NARROWS_REBUILD_PTX");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("NARROWS_REBUILD_PTX").as_deref() != Ok("1") {
        return;
    }
    println!("cargo::rerun-if-changed=kernels");
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let built = std::process::Command::new(&python).arg("kernels/build_ptx.py").status();
    match built {
        Ok(status) if status.success() => {}
        Ok(status) => println!("cargo::error=NARROWS_REBUILD_PTX: {python} kernels/build_ptx.py ended with {status}"),
        Err(e) => println!("cargo::error=NARROWS_REBUILD_PTX: {python} did not start: {e}. Name a Python in the variable PYTHON."),
    }
}
