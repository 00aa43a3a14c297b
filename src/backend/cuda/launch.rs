//! The GPU's queue: memory, copies, and the one unsafe launch.
#![allow(unsafe_code)]

use super::driver::{compiler_log, failed, faulted, is_fatal, keep_freed_memory};
use super::plan::{Facts, Launch, MAX_ARGS};
use super::ptx::module;
use crate::device::View;
use crate::{Error, Result};
use cudarc::driver::{CudaContext, CudaFunction, CudaSlice, CudaStream, DevicePtr, DriverError, result, sys};
use cudarc::nvrtc::Ptx;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

/// The kernel that is loaded when a GPU is opened, so that a driver which compiles none is noticed there.
const FIRST: &str = "fill_each";

/// One stream of one GPU, and the kernels that were used so far.
pub(super) struct Queue {
    id: String,
    stream: Arc<CudaStream>,
    functions: Mutex<HashMap<String, CudaFunction>>,
    facts: Facts,
    /// What was being done when the GPU was first seen to have faulted.
    fault: OnceLock<String>,
    /// Held while a run of launches is enqueued, so that two threads' ops don't interleave within one.
    order: Mutex<()>,
}

/// A launch whose function and addresses are known. It holds the views, and with them the memory.
pub(super) struct Call {
    function: CudaFunction,
    slots: Vec<u64>,
    /// For each argument, its first slot.
    starts: Vec<usize>,
    launch: Launch,
}

impl Queue {
    /// The caller has checked that the driver is present and sees this GPU.
    pub(super) fn open(index: usize) -> Result<Queue> {
        let id = format!("cuda:{index}");
        let context = CudaContext::new(index).map_err(|e| failed(&id, "opening the GPU", e))?;
        // SAFETY: every access to this context's memory goes through the one stream below, so its order needs no
        // events.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(|e| failed(&id, "making a stream", e))?;
        keep_freed_memory(index);
        let count = context.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
        let multiprocessors = count.map_err(|e| failed(&id, "asking for the number of multiprocessors", e))?.max(1) as usize;
        let queue = Queue {
            id,
            stream,
            functions: Mutex::default(),
            facts: Facts { multiprocessors },
            fault: OnceLock::new(),
            order: Mutex::new(()),
        };
        queue.function(FIRST)?;
        Ok(queue)
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Takes the queue and makes the GPU's context current for this thread.
    fn take(&self) -> Result<MutexGuard<'_, ()>> {
        // Nothing under this lock can leave the host's state half-changed, so a panic elsewhere does not matter here.
        let order = self.order.lock().unwrap_or_else(|e| e.into_inner());
        self.stream.context().bind_to_thread().map_err(|e| self.failed("using the GPU", e))?;
        Ok(order)
    }

    pub(super) fn failed(&self, doing: &str, e: DriverError) -> Error {
        match is_fatal(e) {
            true => faulted(&self.id, self.fault.get_or_init(|| doing.into()), e),
            false => failed(&self.id, doing, e),
        }
    }

    pub(super) fn alloc(&self, bytes: usize) -> Result<CudaSlice<u8>> {
        let _order = self.take()?;
        self.stream.alloc_zeros(bytes.max(1)).map_err(|e| self.failed(&format!("allocating {bytes} bytes"), e))
    }

    /// Returns when the GPU has the bytes, so that `from` may be changed again: a driver that reads pageable memory in
    /// place need not copy it first.
    pub(super) fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        let _order = self.take()?;
        assert_eq!(from.len(), to.len() * to.dtype().size(), "as many bytes as the view has");
        if from.is_empty() {
            return Ok(());
        }
        // SAFETY: the view lies inside its buffer and has that many bytes; `from` is borrowed until the stream has been
        // waited for.
        let copied = unsafe { result::memcpy_htod_async(self.address(to), from, self.stream.cu_stream()) };
        copied.and(self.stream.synchronize()).map_err(|e| self.failed("writing to the GPU", e))
    }

    pub(super) fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        let _order = self.take()?;
        assert_eq!(to.len(), from.len() * from.dtype().size(), "as many bytes as the view has");
        if to.is_empty() {
            return Ok(());
        }
        // SAFETY: as in `write`; `to` is borrowed until the stream has been waited for.
        let copied = unsafe { result::memcpy_dtoh_async(to, self.address(from), self.stream.cu_stream()) };
        copied.and(self.stream.synchronize()).map_err(|e| self.failed("reading from the GPU", e))
    }

    fn address(&self, view: &View) -> u64 {
        let memory: &CudaSlice<u8> = view.buffer.storage.downcast_ref().expect("a buffer of this device holds a `CudaSlice`");
        memory.device_ptr(&self.stream).0 + (view.offset * view.dtype().size()) as u64
    }

    /// A kernel, which the driver compiles when it is first asked for. Two threads that ask at once wait for one
    /// another.
    fn function(&self, entry: &str) -> Result<CudaFunction> {
        // A kernel is there as a whole or not at all, so a panic elsewhere does not matter here.
        let mut functions = self.functions.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(function) = functions.get(entry) {
            return Ok(function.clone());
        }
        let Some(ptx) = module(entry) else {
            let problem = format!("there is no kernel {entry}");
            return Err(Error::device(&self.id, problem, "This is a bug: run kernels/build_ptx.py and build again."));
        };
        let context = self.stream.context();
        let loaded = context.load_module(Ptx::from_src(&ptx)).map_err(|e| {
            let log = compiler_log(&ptx).map_or_else(String::new, |log| format!(" ({log})"));
            self.failed(&format!("loading the kernel {entry}{log}"), e)
        })?;
        let function = loaded.load_function(entry).map_err(|e| self.failed(&format!("looking up {entry}"), e))?;
        functions.insert(entry.into(), function.clone());
        Ok(function)
    }

    pub(super) fn ready(&self, launch: Launch) -> Result<Call> {
        let (slots, starts) = launch.slots(&|view| self.address(view));
        Ok(Call { function: self.function(&launch.entry)?, slots, starts, launch })
    }

    /// Enqueues the launches in order, `times` times over, and waits for nothing.
    pub(super) fn launch(&self, launches: &[Call], times: usize) -> Result<()> {
        let _order = self.take()?;
        for _ in 0..times {
            for ready in launches {
                let (grid, block) = ((ready.launch.grid, 1, 1), (ready.launch.block, 1, 1));
                let (mut pointers, stream) = (ready.pointers(), self.stream.cu_stream());
                // SAFETY: the function's module is loaded as long as `ready` lives. The arguments are those of the
                // kernel's signature (the stand-in compares every plan with the sources), each slot as wide as the
                // widest argument, a table as long as the kernel's struct. Addresses come from views that `ready` keeps
                // alive, and `Op::check` proved their bounds; memory is freed in the order of this same stream, and so
                // after the kernel.
                unsafe { result::launch_kernel(ready.function.cu_function(), grid, block, 0, stream, &mut pointers) }
                    .map_err(|e| self.failed(&ready.launch.entry, e))?;
            }
        }
        Ok(())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // No module may be unloaded while its kernel still runs. An error has nowhere to go here: the next read reports
        // it.
        let _ = self.stream.synchronize();
    }
}

impl Call {
    pub(super) fn launch(&self) -> &Launch {
        &self.launch
    }

    fn pointers(&self) -> [*mut c_void; MAX_ARGS] {
        // The driver reads the arguments through these pointers, and copies them, before a launch returns. It reads as
        // many as the kernel has.
        let mut pointers = [ptr::null_mut(); MAX_ARGS];
        for (pointer, &start) in pointers.iter_mut().zip(&self.starts) {
            *pointer = ptr::from_ref(&self.slots[start]).cast_mut().cast();
        }
        pointers
    }
}

/// Launches as a CUDA graph, some times over: one call to the driver.
pub(super) struct Graph {
    queue: Arc<Queue>,
    graph: sys::CUgraph,
    executable: sys::CUgraphExec,
    /// The functions and the memory that the nodes name.
    _launches: Arc<Vec<Call>>,
}

impl Graph {
    /// The launches as often as `edges` has them, each behind the nodes that it must wait for. The graph is built node
    /// by node, not captured from the stream, so that other threads may use the stream meanwhile.
    pub(super) fn new(queue: Arc<Queue>, launches: Arc<Vec<Call>>, edges: &[Vec<usize>]) -> Result<Graph> {
        let order = queue.take()?;
        let fail = |e| queue.failed("making a graph", e);
        let mut graph = ptr::null_mut();
        // SAFETY: the pointer is to a live handle.
        unsafe { sys::cuGraphCreate(&mut graph, 0) }.result().map_err(fail)?;
        let mut made = Graph { queue: queue.clone(), graph, executable: ptr::null_mut(), _launches: launches.clone() };
        let mut nodes: Vec<sys::CUgraphNode> = Vec::with_capacity(edges.len());
        for (ready, before) in launches.iter().cycle().zip(edges) {
            let mut pointers = ready.pointers();
            let node = sys::CUDA_KERNEL_NODE_PARAMS {
                func: ready.function.cu_function(),
                gridDimX: ready.launch.grid,
                gridDimY: 1,
                gridDimZ: 1,
                blockDimX: ready.launch.block,
                blockDimY: 1,
                blockDimZ: 1,
                sharedMemBytes: 0,
                kernelParams: pointers.as_mut_ptr(),
                extra: ptr::null_mut(),
                kern: ptr::null_mut(),
                ctx: ptr::null_mut(),
            };
            let before: Vec<_> = before.iter().map(|&n| nodes[n]).collect();
            let mut added = ptr::null_mut();
            // SAFETY: as for a launch; the driver copies the arguments before it returns, and reads as many
            // dependencies as it is told.
            unsafe { sys::cuGraphAddKernelNode_v2(&mut added, graph, before.as_ptr(), before.len(), &node) }.result().map_err(fail)?;
            nodes.push(added);
        }
        // SAFETY: the graph was made above.
        made.executable = unsafe { result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0)) }.map_err(fail)?;
        // SAFETY: both handles are live.
        unsafe { result::graph::upload(made.executable, queue.stream.cu_stream()) }.map_err(fail)?;
        drop(order);
        Ok(made)
    }

    pub(super) fn launch(&self, times: usize) -> Result<()> {
        let _order = self.queue.take()?;
        for _ in 0..times {
            // SAFETY: both handles are live; `Graph` is neither `Send` nor `Sync`, and the order lock is held.
            unsafe { result::graph::launch(self.executable, self.queue.stream.cu_stream()) }
                .map_err(|e| self.queue.failed("running a graph", e))?;
        }
        Ok(())
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // The driver frees a graph that still runs when it has ended.
        if !self.executable.is_null() {
            // SAFETY: made in `new`, and destroyed once. An error has nowhere to go and loses only memory.
            let _ = unsafe { result::graph::exec_destroy(self.executable) };
        }
        // SAFETY: as above.
        let _ = unsafe { result::graph::destroy(self.graph) };
    }
}
