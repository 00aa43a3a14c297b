//! The checks before a GPU is opened: whether there is a driver, whether it is new enough, and which GPUs it sees.
//!
//! cudarc panics when the driver's library is absent, and when it lacks a function. So both are checked here, before
//! anything else is called.
#![allow(unsafe_code)]

use super::program;
use crate::device::{DeviceInfo, DeviceKind};
use crate::{Error, Result};
use cudarc::driver::{DriverError, result, sys};
use std::ffi::{CStr, CString, c_void};
use std::ptr;

/// Every function of the driver that this backend reaches, through cudarc or directly.
const SYMBOLS: [&str; 36] = [
    "cuCtxGetCurrent",
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetDefaultMemPool",
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
    "cuMemPoolSetAttribute",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuModuleLoadDataEx",
    "cuModuleUnload",
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
    /// The CUDA version of the driver, as it counts.
    driver: i32,
}

impl Gpu {
    pub(super) fn info(&self) -> DeviceInfo {
        let (major, minor) = self.capability;
        let name = format!("{}, compute capability {major}.{minor}, driver of CUDA {}", self.name, dotted(self.driver));
        DeviceInfo { id: format!("cuda:{}", self.index), kind: DeviceKind::Cuda, name, software: false, rungs: &program::RUNGS }
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
    let driver = driver()?;
    let count = result::device::get_count().map_err(|e| failed("cuda", "counting the GPUs", e))?;
    if count < 1 {
        return Err(no_gpu());
    }
    (0..count).map(|index| gpu(index, driver)).collect()
}

fn gpu(index: i32, driver: i32) -> Result<Gpu> {
    let asked = || {
        let device = result::device::get(index)?;
        // SAFETY: the driver has just returned `device`.
        let attribute = |a| unsafe { result::device::get_attribute(device, a) };
        let major = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok(Gpu { index: index as usize, name: result::device::get_name(device)?, capability: (major, minor), driver })
    };
    asked().map_err(|e| failed(&format!("cuda:{index}"), "asking for the GPU's name", e))
}

/// A version as the driver counts it, for people.
fn dotted(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// Proves that the driver is there, is new enough and has a GPU; gives its version.
fn driver() -> Result<i32> {
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
        return Err(Error::device(
            "cuda",
            format!("the driver supports CUDA {}, and the PTX needs {}", dotted(version), dotted(PTX_CUDA)),
            update,
        ));
    }
    match result::init() {
        Err(DriverError(sys::CUresult::CUDA_ERROR_NO_DEVICE)) => Err(no_gpu()),
        Err(e) => Err(failed("cuda", "starting the driver", e)),
        Ok(()) => Ok(version),
    }
}

fn no_gpu() -> Error {
    Error::device("cuda", "the driver sees no GPU", "Check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or use --device auto.")
}

/// What the driver's compiler says of a PTX that it refuses: one line, or nothing. The context must be current.
pub(super) fn compiler_log(ptx: &str) -> Option<String> {
    let ptx = CString::new(ptx).ok()?;
    let mut log = vec![0u8; 8192];
    let mut options = [sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER, sys::CUjit_option::CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES];
    let mut values = [log.as_mut_ptr().cast::<c_void>(), ptr::without_provenance_mut(log.len())];
    let mut module = ptr::null_mut();
    // SAFETY: the text ends with a zero. Each option has its value: a live buffer, and its size in the place of a
    // pointer. The driver writes no further.
    let code = unsafe {
        sys::cuModuleLoadDataEx(&mut module, ptx.as_ptr().cast(), options.len() as u32, options.as_mut_ptr(), values.as_mut_ptr())
    };
    if code.result().is_ok() {
        // SAFETY: it was just loaded, and nothing uses it. An error has nowhere to go and loses only memory.
        let _ = unsafe { result::module::unload(module) };
    }
    let text = CStr::from_bytes_until_nul(&log).ok()?.to_string_lossy();
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(3).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// Memory that is freed stays with the process, instead of going back to the system whenever the GPU is waited for.
pub(super) fn keep_freed_memory(index: usize) {
    let Ok(device) = result::device::get(index as i32) else { return };
    let mut pool = ptr::null_mut();
    let mut most = u64::MAX;
    let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pointers are to live variables of the types that the driver wants. Some GPUs have no pools, which
    // costs time and nothing else: so an error is no error.
    unsafe {
        if sys::cuDeviceGetDefaultMemPool(&mut pool, device).result().is_ok() {
            let _ = sys::cuMemPoolSetAttribute(pool, threshold, ptr::from_mut(&mut most).cast()).result();
        }
    }
}

/// Whether the context is of no more use: every later call to it fails.
pub(super) fn is_fatal(e: DriverError) -> bool {
    use sys::CUresult as R;
    matches!(
        e.0,
        R::CUDA_ERROR_ECC_UNCORRECTABLE
            | R::CUDA_ERROR_ILLEGAL_ADDRESS
            | R::CUDA_ERROR_LAUNCH_TIMEOUT
            | R::CUDA_ERROR_ASSERT
            | R::CUDA_ERROR_HARDWARE_STACK_ERROR
            | R::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | R::CUDA_ERROR_MISALIGNED_ADDRESS
            | R::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | R::CUDA_ERROR_INVALID_PC
            | R::CUDA_ERROR_LAUNCH_FAILED
    )
}

/// An error of the driver: its name and its text.
fn said(e: DriverError) -> String {
    let name = e.error_name().map_or_else(|_| format!("{:?}", e.0), |s| s.to_string_lossy().into_owned());
    e.error_string().map_or_else(|_| name.clone(), |s| format!("{name}: {}", s.to_string_lossy()))
}

/// The error of every call after the GPU faulted.
pub(super) fn faulted(device: &str, first: &str, e: DriverError) -> Error {
    Error::device(
        device,
        format!("the GPU faulted, which was seen while {first} ({})", said(e)),
        "This process can't use it any more: start the program again. If it faults again, see `nvidia-smi` and the kernel's log.",
    )
}

/// An error of the driver, with a remedy where one is known.
pub(super) fn failed(device: &str, doing: &str, e: DriverError) -> Error {
    use sys::CUresult as R;
    let remedy = match e.0 {
        R::CUDA_ERROR_OUT_OF_MEMORY => "Use a smaller batch or less data, or end other programs on the GPU.",
        R::CUDA_ERROR_UNSUPPORTED_PTX_VERSION | R::CUDA_ERROR_INVALID_PTX | R::CUDA_ERROR_NO_BINARY_FOR_GPU => {
            "The driver is too old for the PTX (it needs CUDA 12.0). Update the NVIDIA driver to 525 or newer."
        }
        R::CUDA_ERROR_JIT_COMPILER_NOT_FOUND => {
            "The driver's compiler of PTX, libnvidia-ptxjitcompiler, is missing. Install it with the driver; a container needs it as well."
        }
        R::CUDA_ERROR_JIT_COMPILATION_DISABLED => "Unset CUDA_DISABLE_PTX_JIT: the kernels are PTX, which the driver compiles.",
        R::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH | R::CUDA_ERROR_STUB_LIBRARY => {
            "Install one NVIDIA driver whose library and kernel module agree, and restart."
        }
        R::CUDA_ERROR_DEVICE_UNAVAILABLE => "Another program has the GPU to itself. End it, or use --device auto.",
        _ => "Run the program again; if it fails again, check `nvidia-smi` and the kernel's log.",
    };
    Error::device(device, format!("{doing} failed with {}", said(e)), remedy)
}
