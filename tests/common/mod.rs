//! The devices that tests run on.
#![allow(dead_code)]

#[path = "../standin/mod.rs"]
pub mod standin;

use narrows::{Device, DeviceKind};
use std::env;
use std::path::PathBuf;
use std::sync::OnceLock;

/// Every device of this machine, and the stand-in for CUDA. What is absent is said by name; what NARROWS_REQUIRE names
/// (`wgpu`, `cuda`, `standin`) may not be.
pub fn devices() -> &'static [Device] {
    static DEVICES: OnceLock<Vec<Device>> = OnceLock::new();
    DEVICES.get_or_init(|| {
        let list = Device::list();
        for absent in &list.absent {
            let required = env::var("NARROWS_REQUIRE").is_ok_and(|r| r.split(',').any(|r| r == absent.kind.to_string()));
            assert!(!required, "{} is absent, but NARROWS_REQUIRE wants it: {}", absent.kind, absent.reason);
            eprintln!("absent: {} ({})", absent.kind, absent.reason);
        }
        let found = list.found.iter().map(|info| Device::open(&info.id).expect("a listed device opens"));
        #[cfg(all(feature = "cuda", feature = "standin"))]
        let found = found.chain(standin());
        #[cfg(not(feature = "standin"))]
        standin::absent("standin", "the feature `standin` is off");
        found.collect()
    })
}

/// The stand-in for CUDA, where there is a C++ compiler.
#[cfg(all(feature = "cuda", feature = "standin"))]
pub fn standin() -> Option<Device> {
    standin::build().map(|library| Device::cuda_standin(&library).expect("the stand-in opens"))
}

/// The GPU interfaces and the CPU: every device but the stand-in, which is slow.
pub fn fast_devices() -> impl Iterator<Item = &'static Device> {
    devices().iter().filter(|d| d.id() != "cuda-standin")
}

pub fn cpu() -> Device {
    Device::cpu().expect("there is a CPU")
}

/// Whether a device keeps the numeric contract to the bit.
pub fn exact(device: &Device) -> bool {
    device.info().kind != DeviceKind::Wgpu
}

/// The folder that an environment variable names, or `None`, said by name.
pub fn folder(variable: &str) -> Option<PathBuf> {
    let folder = env::var_os(variable).map(PathBuf::from);
    if folder.is_none() {
        eprintln!("absent: {variable} is not set, so what needs it is left out");
    }
    folder
}

/// Asserts that two lists of numbers agree within `bound` of the largest of them.
pub fn assert_close(what: &str, got: &[f32], want: &[f32], bound: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(0f64, |m, &w| m.max(f64::from(w).abs()));
    assert!(largest > 0.0, "{what}: there is nothing to compare with");
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        let error = (f64::from(g) - f64::from(w)).abs();
        assert!(
            error <= bound * largest,
            "{what}: element {i} is {g} where {w} is wanted, {error:.1e} apart, and {:.1e} is allowed",
            bound * largest
        );
    }
}
