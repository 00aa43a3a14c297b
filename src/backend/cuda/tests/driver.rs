//! The whole way through the driver: on a GPU where there is one, and always on a `libcuda.so.1` that runs the kernels
//! on the CPU (`tests/standin/driver.cpp`), in a process of its own.

use super::{build, compare_compiled, groups, table};
use crate::{Device, DeviceKind, Dtype, Shape};
use std::process::Command;

/// The first GPU against the contract. This runs by itself on a machine with a GPU.
#[test]
fn a_gpu_has_the_bits_of_the_contract() {
    let gpu = match Device::cuda(0) {
        Ok(gpu) => gpu,
        Err(e) => return build::absent("cuda", &e.to_string()),
    };
    let (rung, submits, plan) = compare_compiled(&gpu);
    if std::env::var("NARROWS_FAKE_DRIVER").is_ok_and(|f| f == "graph") {
        assert!((rung, submits) == ("groups", 12) && plan.starts_with("no graph: cuda:0: making a graph"), "{rung} {submits} {plan}");
        return;
    }
    assert_eq!((rung, submits, plan.as_str()), ("graph", 3, "4 launches a step: uniform_fours sum_chunks total end\n"));
    table(&gpu);
    // On both sides of the steps that one graph holds.
    groups::lists_leave_the_bits_of_single_ops(&gpu, [1, 3, 35]);
    println!("compared: {}", gpu.info().name);
}

/// Prints what a user would see, for the tests below.
#[test]
fn what_opening_says() {
    let list = Device::list();
    list.found.iter().filter(|i| i.kind == DeviceKind::Cuda).for_each(|i| println!("found: {} {}", i.id, i.name));
    list.absent.iter().filter(|a| a.kind == DeviceKind::Cuda).for_each(|a| println!("absent: {}", a.reason));
    for index in [0, 7] {
        match Device::cuda(index) {
            Ok(gpu) => match gpu.alloc(Dtype::F32, Shape::new(&[100]).unwrap()) {
                Ok(view) => {
                    println!("opened: {}", gpu.id());
                    let backend = gpu.backend();
                    if backend.read(&view, &mut [0; 400]).is_err()
                        && let Err(e) = backend.write(&view, &[0; 400])
                    {
                        println!("after it: {e}");
                    }
                }
                Err(e) => println!("no memory: {e}"),
            },
            Err(e) => println!("error: {e}"),
        }
    }
}

/// Runs one test of this very program with the stand-in for the driver, and gives what it printed.
fn with_driver(test: &str, fault: &str) -> Option<String> {
    let folder = build::build_driver(if fault == "missing" { &["-DNARROWS_WITHOUT_UPLOAD"] } else { &[] })?;
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("backend::cuda::tests::driver::{test}"), "--nocapture"])
        .env("LD_LIBRARY_PATH", folder)
        .env("NARROWS_FAKE_DRIVER", fault)
        .env("NARROWS_REQUIRE", "cuda,standin")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{test} with {fault}: {text}");
    Some(text)
}

/// The kernels that were loaded, by what a test printed.
fn loaded(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| line.strip_prefix("loaded: ")).collect()
}

/// Each kernel is loaded once, when it is first used: a driver compiles it in tens of milliseconds, a large product in
/// more.
#[test]
#[cfg(target_os = "linux")]
fn the_way_through_the_driver_has_the_bits_of_the_contract() {
    let Some(text) = with_driver("a_gpu_has_the_bits_of_the_contract", "loads") else { return };
    assert!(text.contains("compared: Stand-in, compute capability 7.5, driver of CUDA 12.0"), "{text}");
    let used = loaded(&text);
    let once: std::collections::BTreeSet<_> = used.iter().collect();
    assert!(used.len() == once.len() && used.len() > 60, "{used:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn where_no_graph_can_be_made_the_list_runs() {
    with_driver("a_gpu_has_the_bits_of_the_contract", "graph");
}

#[test]
#[cfg(target_os = "linux")]
fn a_device_is_opened_with_one_kernel() {
    let Some(text) = with_driver("what_opening_says", "loads") else { return };
    assert_eq!(loaded(&text), ["fill_each"]);
}

#[test]
#[cfg(target_os = "linux")]
fn every_failure_of_the_driver_is_a_typed_error() {
    for (fault, want) in [
        ("", "found: cuda:0 Stand-in, compute capability 7.5, driver of CUDA 12.0"),
        ("", "opened: cuda:0"),
        ("", "error: cuda:7: there is no such GPU, the driver sees 1 GPU. Use a lower number."),
        (
            "old",
            "absent: cuda: the driver supports CUDA 11.8, and the PTX needs 12.0. Update the NVIDIA driver to 525 or newer, or use --device auto.",
        ),
        ("nodevice", "absent: cuda: the driver sees no GPU. Check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or use --device auto."),
        ("nocount", "absent: cuda: the driver sees no GPU. Check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or use --device auto."),
        (
            "turing",
            "absent: cuda:0: Stand-in has compute capability 7.0 where 7.5 is needed. Use a GPU of the Turing generation (2018) or newer, or use --device auto.",
        ),
        (
            "ptx",
            "error: cuda:0: loading the kernel fill_each (ptxas fatal :; planted; unknown version) failed with CUDA_ERROR_222: planted. The driver is too old for the PTX (it needs CUDA 12.0). Update the NVIDIA driver to 525 or newer.",
        ),
        (
            "jit",
            "error: cuda:0: loading the kernel fill_each failed with CUDA_ERROR_221: planted. The driver's compiler of PTX, libnvidia-ptxjitcompiler, is missing.",
        ),
        (
            "address",
            "after it: cuda:0: the GPU faulted, which was seen while reading from the GPU (CUDA_ERROR_700: planted). This process can't use it any more: start the program again.",
        ),
        (
            "memory",
            "no memory: cuda:0: allocating 400 bytes failed with CUDA_ERROR_2: planted. Use a smaller batch or less data, or end other programs on the GPU.",
        ),
        (
            "missing",
            "absent: cuda: libcuda.so.1 has no function cuGraphUpload. Update the NVIDIA driver to 525 or newer, or use --device auto.",
        ),
    ] {
        let Some(text) = with_driver("what_opening_says", fault) else { return };
        assert!(text.contains(want), "with {fault}, want {want}, got {text}");
    }
}

#[test]
fn without_a_driver_there_is_a_reason_and_no_panic() {
    if Device::cuda(0).is_ok() {
        return;
    }
    let list = Device::list();
    let absent = list.absent.iter().find(|a| a.kind == DeviceKind::Cuda).expect("cuda is absent, with a reason");
    assert!(absent.reason.starts_with("cuda"), "{}", absent.reason);
    let e = Device::cuda(0).unwrap_err().to_string();
    assert!(e.starts_with("cuda") && (e.contains("--device auto") || e.contains("nvidia-smi")), "{e}");
    assert!(Device::auto().is_ok());
}
