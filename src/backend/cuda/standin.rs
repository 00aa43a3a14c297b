//! The CUDA kernels on the host: the library that `tests/standin/` builds from `kernels/*.cu` executes the launches of
//! [`plan`].
#![allow(unsafe_code)]

use super::plan::{Facts, Launch, MAX_ARGS, Planned, line, plan};
use crate::device::{Backend, Counts, DeviceInfo, DeviceKind, Executable, LIST, Storage, View};
use crate::op::Op;
use crate::{Error, Result};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::{Arc, Mutex, MutexGuard};

/// Plans are made for a GPU of this size, if nothing else is said: an H100's.
const FACTS: Facts = Facts { multiprocessors: 132 };
/// As the driver aligns what it allocates.
const ALIGN: usize = 256;

/// `launch(entry, grid, block, args, letters)` of `tests/standin/cuda.h`: null, or what went wrong.
type LaunchFn = unsafe extern "C" fn(*const c_char, *const [u32; 3], *const [u32; 3], *mut *mut c_void, *const c_char) -> *const c_char;

/// The stand-in as a device.
pub(crate) struct StandIn {
    info: DeviceInfo,
    loaded: Arc<Loaded>,
    facts: Facts,
}

/// What the device and its programs share.
struct Loaded {
    launch: LaunchFn,
    /// Keeps `launch` loaded.
    _library: libloading::Library,
    /// Held by whoever touches the device's memory.
    queue: Mutex<()>,
}

/// Host memory that stands for device memory: an address, never a slice, but while the queue lock is held.
struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: plain bytes without thread affinity, reached only while the device's queue lock is held.
unsafe impl Send for Memory {}
// SAFETY: as above; a shared `Memory` by itself gives no access to its bytes.
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `alloc` with this very layout, and freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

fn address(view: &View) -> *mut u8 {
    let memory: &Memory = view.buffer.storage.downcast_ref().expect("a buffer of this device holds its `Memory`");
    // `Op::check`, or whoever made the view, proved that it lies inside its buffer.
    memory.start.as_ptr().wrapping_add(view.offset * view.dtype().size())
}

impl StandIn {
    pub(crate) fn open(path: &Path) -> Result<StandIn> {
        StandIn::of(path, FACTS)
    }

    /// As a GPU of which this is known.
    pub(super) fn of(path: &Path, facts: Facts) -> Result<StandIn> {
        let cannot = |e: libloading::Error| {
            Error::device("cuda-standin", format!("{} cannot be loaded: {e}", path.display()), "Build it as tests/standin/mod.rs does.")
        };
        // SAFETY: the library is ours; its initialisers only fill tables.
        let library = unsafe { libloading::Library::new(path) }.map_err(cannot)?;
        // SAFETY: tests/standin/mod.rs gives `launch` this very signature.
        let launch = unsafe { *library.get::<LaunchFn>(b"launch\0").map_err(cannot)? };
        let name = "the CUDA kernels, compiled for the CPU".into();
        let info = DeviceInfo { id: "cuda-standin".into(), kind: DeviceKind::Cuda, name, software: true, rungs: &["groups", LIST] };
        Ok(StandIn { info, loaded: Arc::new(Loaded { launch, _library: library, queue: Mutex::new(()) }), facts })
    }
}

impl Loaded {
    fn lock(&self) -> Result<MutexGuard<'_, ()>> {
        self.queue.lock().map_err(|_| {
            Error::device("cuda-standin", "a call panicked on this device, so its memory can't be trusted", "Open the device anew.")
        })
    }

    fn launch(&self, _queue: &MutexGuard<()>, launch: &Launch) -> Result<()> {
        let entry = CString::new(launch.entry.as_str()).expect("names of kernels hold no 0");
        let letters: Vec<u8> = [launch.letters(), vec![0]].concat();
        let (mut slots, starts) = launch.slots(&|view| address(view) as u64);
        let mut pointers = [ptr::null_mut(); MAX_ARGS];
        for (pointer, &start) in pointers.iter_mut().zip(&starts) {
            *pointer = ptr::from_mut(&mut slots[start..]).cast::<c_void>();
        }
        let (grid, block) = ([launch.grid, 1, 1], [launch.block, 1, 1]);
        // SAFETY: the library compares the kernel's parameters with `letters` before it calls it, every slot is as wide
        // as the widest of them, `plan` made the pointers from views of a checked op, whose bounds and overlaps are
        // proved, and the queue lock is held.
        let wrong = unsafe { (self.launch)(entry.as_ptr(), &grid, &block, pointers.as_mut_ptr(), letters.as_ptr().cast()) };
        if wrong.is_null() {
            return Ok(());
        }
        // SAFETY: a text that is valid until this thread's next launch.
        let text = unsafe { CStr::from_ptr(wrong) }.to_string_lossy().into_owned();
        Err(Error::device("cuda-standin", text, "This is a defect of the kernel or of its launch."))
    }
}

impl Backend for StandIn {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: usize) -> Result<Storage> {
        let none = || Error::device("cuda-standin", format!("no memory for {bytes} bytes"), "Use a smaller batch or less data.");
        let layout = Layout::from_size_align(bytes.max(1), ALIGN).map_err(|_| none())?;
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(none)?;
        Ok(Box::new(Memory { start, layout }))
    }

    fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        let _queue = self.loaded.lock()?;
        assert_eq!(from.len(), to.len() * to.dtype().size(), "as many bytes as the view has");
        // SAFETY: the view lies inside its buffer and has that many bytes; the queue lock is held, so nobody else reads
        // or writes them.
        unsafe { address(to).copy_from_nonoverlapping(from.as_ptr(), from.len()) }
        Ok(())
    }

    fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        let _queue = self.loaded.lock()?;
        assert_eq!(to.len(), from.len() * from.dtype().size(), "as many bytes as the view has");
        // SAFETY: as in `write`.
        unsafe { address(from).copy_to_nonoverlapping(to.as_mut_ptr(), to.len()) }
        Ok(())
    }

    fn run(&self, op: &Op) -> Result<()> {
        let queue = self.loaded.lock()?;
        plan(op, &self.facts).iter().try_for_each(|launch| self.loaded.launch(&queue, launch))
    }

    fn compile(&self, ops: &[Op], _: Option<&'static str>) -> Result<Box<dyn Executable>> {
        let planned = Planned::new(ops, &self.facts);
        Ok(Box::new(Groups { loaded: self.loaded.clone(), planned, counts: Counts::default() }))
    }
}

struct Groups {
    loaded: Arc<Loaded>,
    planned: Planned,
    counts: Counts,
}

impl Executable for Groups {
    fn run(&mut self, steps: usize) -> Result<()> {
        let queue = self.loaded.lock()?;
        let Planned { once, step, .. } = &self.planned;
        let once = if steps > 0 { once.as_slice() } else { &[] };
        let all = once.iter().chain((0..steps).flat_map(|_| step));
        let done = all.map(|launch| self.loaded.launch(&queue, launch).map(|()| 1)).sum::<Result<usize>>()?;
        self.counts.add(steps, step.len(), done);
        self.counts.launches = self.counts.launches.saturating_add(once.len() as u64);
        Ok(())
    }

    fn rung(&self) -> &'static str {
        "groups"
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn plan(&self) -> String {
        line(self.planned.step.iter())
    }
}
