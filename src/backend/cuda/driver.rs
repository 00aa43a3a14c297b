//! The checks before a GPU is opened: whether there is a driver, whether it is new enough, and which GPUs it sees.
//!
//! cudarc panics when the driver's library is absent, and when it lacks a function. So both are checked here, before
//! anything else is called.
#![allow(unsafe_code)]

use crate::device::{DeviceInfo, DeviceKind};
use crate::{Error, Result};
use cudarc::driver::{DriverError, result, sys};

/// Every function of the driver that this backend reaches, through cudarc or directly.
const SYMBOLS: [&str; 32] = [
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDevicePrimaryCtxRelease_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDriverGetVersion",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuGraphAddKernelNode_v2",
    "cuGraphCreate",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuGraphUpload",
    "cuInit",
    "cuLaunchKernel",
    "cuMemAllocAsync",
    "cuMemAlloc_v2",
    "cuMemFreeAsync",
    "cuMemFree_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamSynchronize",
];

/// The CUDA version of the PTX that ships (its `.version 8.0`), as the driver counts: 1000 major + 10 minor.
const PTX_CUDA: i32 = 12_000;
/// The compute capability that the PTX is compiled for.
const CAPABILITY: (i32, i32) = (7, 5);

/// A GPU that the driver sees.
pub(super) struct Gpu {
    index: usize,
    name: String,
    capability: (i32, i32),
}

impl Gpu {
    pub(super) fn info(&self) -> DeviceInfo {
        let (major, minor) = self.capability;
        let name = format!("{}, compute capability {major}.{minor}", self.name);
        DeviceInfo { id: format!("cuda:{}", self.index), kind: DeviceKind::Cuda, name, software: false }
    }

    pub(super) fn supported(&self) -> Result<()> {
        if self.capability >= CAPABILITY {
            return Ok(());
        }
        let ((major, minor), (least, least_minor)) = (self.capability, CAPABILITY);
        Err(Error::device(
            format!("cuda:{}", self.index),
            format!("{} has compute capability {major}.{minor} where {least}.{least_minor} is needed", self.name),
            "Use a GPU of the Turing generation (2018) or newer, or use --device auto.",
        ))
    }
}

/// All GPUs, at least one, without opening any.
pub(super) fn gpus() -> Result<Vec<Gpu>> {
    driver()?;
    let count = result::device::get_count().map_err(|e| failed("cuda", "counting the GPUs", e))?;
    if count < 1 {
        return Err(no_gpu());
    }
    (0..count).map(gpu).collect()
}

fn gpu(index: i32) -> Result<Gpu> {
    let asked = || {
        let device = result::device::get(index)?;
        // SAFETY: the driver has just returned `device`.
        let attribute = |a| unsafe { result::device::get_attribute(device, a) };
        let major = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok(Gpu { index: index as usize, name: result::device::get_name(device)?, capability: (major, minor) })
    };
    asked().map_err(|e| failed(&format!("cuda:{index}"), "asking for the GPU's name", e))
}

/// Proves that the driver is there, is new enough and has a GPU.
fn driver() -> Result<()> {
    let library = if cfg!(windows) { "nvcuda.dll" } else { "libcuda.so.1" };
    // SAFETY: this loads the driver's library and unloads it again; its initialisers are the vendor's.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::device("cuda", format!("{library} was not found"), "Install the NVIDIA driver, or use --device auto."));
    }
    let update = "Update the NVIDIA driver to 525 or newer, or use --device auto.";
    for symbol in SYMBOLS {
        // SAFETY: the library is present, and the symbol is only looked up, not called.
        if unsafe { sys::culib().get::<unsafe extern "C" fn()>(symbol.as_bytes()) }.is_err() {
            return Err(Error::device("cuda", format!("{library} has no function {symbol}"), update));
        }
    }
    let mut version = 0;
    // SAFETY: the pointer is to a live integer, and the function exists, as just checked.
    unsafe { sys::cuDriverGetVersion(&mut version) }.result().map_err(|e| failed("cuda", "asking for the driver's version", e))?;
    if version < PTX_CUDA {
        let digits = |v: i32| format!("{}.{}", v / 1000, v % 1000 / 10);
        return Err(Error::device(
            "cuda",
            format!("the driver supports CUDA {}, and the PTX needs {}", digits(version), digits(PTX_CUDA)),
            update,
        ));
    }
    match result::init() {
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Err(no_gpu()),
        other => other.map_err(|e| failed("cuda", "starting the driver", e)),
    }
}

fn no_gpu() -> Error {
    Error::device("cuda", "the driver sees no GPU", "Check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or use --device auto.")
}

/// An error of the driver, with a remedy where one is known.
pub(super) fn failed(device: &str, doing: &str, e: DriverError) -> Error {
    use sys::CUresult as R;
    let name = e.error_name().map_or_else(|_| format!("{:?}", e.0), |s| s.to_string_lossy().into_owned());
    let text = e.error_string().map_or_else(|_| String::new(), |s| format!(": {}", s.to_string_lossy()));
    let remedy = match e.0 {
        R::CUDA_ERROR_OUT_OF_MEMORY => "Use a smaller batch or less data, or end other programs on the GPU.",
        R::CUDA_ERROR_UNSUPPORTED_PTX_VERSION | R::CUDA_ERROR_INVALID_PTX | R::CUDA_ERROR_NO_BINARY_FOR_GPU => {
            "The driver is too old for the PTX (it needs CUDA 12.0). Update the NVIDIA driver to 525 or newer."
        }
        R::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH | R::CUDA_ERROR_STUB_LIBRARY => {
            "Install one NVIDIA driver whose library and kernel module agree, and restart."
        }
        R::CUDA_ERROR_DEVICE_UNAVAILABLE => "Another program has the GPU to itself. End it, or use --device auto.",
        _ => "Run the program again; if it fails again, check `nvidia-smi` and the kernel's log.",
    };
    Error::device(device, format!("{doing} failed with {name}{text}"), remedy)
}
