//! The CPU: a standing team of rayon's threads; SIMD by compiling one scalar body for several instruction sets.

mod adam;
mod advance;
mod barrier;
mod clip;
mod copy;
mod cut;
mod dead;
mod dense;
mod exp;
mod fill;
mod fma;
mod gather;
mod gemm;
mod idle;
mod key;
mod level;
mod map;
mod memory;
mod merge_topk;
mod pack;
mod partition;
mod place;
mod plan;
mod program;
mod random;
mod reduce;
mod scale;
mod select;
mod store;
mod subnormal;
mod team;
#[cfg(test)]
mod tests;
mod tile;
mod touch;
mod transpose;
mod vector;
mod work;
mod xent;
mod zip;

pub use level::Level;

use crate::device::{Absent, Backend, DeviceInfo, DeviceKind, DeviceList, Executable, HostMemory, LIST, Storage, View};
use crate::op::Op;
use crate::{Dtype, Error, Result};
use fma::{Fma, Portable};
use memory::{Memory, Slices};
use plan::Plan;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use work::Work;

/// The CPU as a device.
pub(crate) struct Cpu {
    info: DeviceInfo,
    core: Arc<Core>,
}

/// What the device and its programs share.
struct Core {
    level: Level,
    pool: rayon::ThreadPool,
    /// The memory into which each thread packs.
    scratch: Vec<Mutex<Memory>>,
    /// Held while the device's memory is touched.
    queue: Mutex<()>,
}

/// Adds the CPU to a list of devices, or why it can't be opened.
pub(crate) fn list(list: &mut DeviceList) {
    match Level::from_environment() {
        Ok(level) => list.found.push(describe(cores(), level)),
        Err(e) => list.absent.push(Absent { kind: DeviceKind::Cpu, reason: e.to_string() }),
    }
}

/// The most threads that a device may have.
const MOST_THREADS: usize = 1024;

/// Floating-point operations and bytes from which on a single op is worth a team.
const WORTH_A_TEAM: u64 = 1 << 17;

/// The threads that the operating system grants.
pub(crate) fn cores() -> usize {
    // Asked once: the answer takes reading some files.
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, |n| n.get()).min(MOST_THREADS))
}

fn describe(threads: usize, level: Level) -> DeviceInfo {
    let plural = if threads == 1 { "" } else { "s" };
    let slow = if level == Level::Portable && !Portable::FUSED { " (no fused multiply-add: the same bits, slowly)" } else { "" };
    let name = format!("{} with {level}{slow}, {threads} thread{plural}", std::env::consts::ARCH);
    DeviceInfo { id: "cpu".into(), kind: DeviceKind::Cpu, name, software: false, rungs: &["team", LIST] }
}

impl Cpu {
    pub(crate) fn new(threads: usize, level: Level) -> Result<Cpu> {
        level.require()?;
        if !(1..=MOST_THREADS).contains(&threads) {
            return Err(Error::argument("threads", format!("{threads} threads"), "Use 1 to 1024."));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("narrows-{i}"))
            .start_handler(|_| subnormal::count_as_zero())
            .build()
            .map_err(|e| Error::device("cpu", format!("{threads} threads could not be started: {e}"), "Use fewer threads."))?;
        let scratch = || Memory::zeroed(gemm::PACK * size_of::<f32>()).map(Mutex::new);
        let scratch: Option<Vec<_>> = (0..threads).map(|_| scratch()).collect();
        let scratch = scratch.ok_or_else(|| Error::device("cpu", format!("no memory for {threads} threads"), "Use fewer threads."))?;
        Ok(Cpu { info: describe(threads, level), core: Arc::new(Core { level, pool, scratch, queue: Mutex::new(()) }) })
    }
}

impl Backend for Cpu {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn alloc(&self, bytes: usize) -> Result<Storage> {
        match Memory::zeroed(bytes) {
            Some(memory) => Ok(Box::new(memory)),
            None => Err(Error::device("cpu", format!("no memory for {bytes} bytes"), "Use a smaller batch or less data.")),
        }
    }

    fn share(&self, memory: Arc<dyn HostMemory>) -> Option<Storage> {
        Some(Box::new(Memory::shared(memory)))
    }

    fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        self.core.with_slices(|slices| {
            let all = 0..to.len();
            let bytes = match to.dtype() {
                Dtype::F32 => bytemuck::cast_slice_mut(slices.write::<f32>(to, all)),
                Dtype::U32 => bytemuck::cast_slice_mut(slices.write::<u32>(to, all)),
                Dtype::U8 => slices.write::<u8>(to, all),
            };
            bytes.copy_from_slice(from);
            Memory::of(to).changed();
        })
    }

    fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        self.core.with_slices(|slices| {
            to.copy_from_slice(match from.dtype() {
                Dtype::F32 => bytemuck::cast_slice(slices.all::<f32>(from)),
                Dtype::U32 => bytemuck::cast_slice(slices.all::<u32>(from)),
                Dtype::U8 => slices.all::<u8>(from),
            });
        })
    }

    fn run(&self, op: &Op) -> Result<()> {
        self.core.with_slices(|slices| {
            self.core.run(slices, op);
            op.writes().for_each(|view| Memory::of(view).changed());
        })
    }

    fn compile(&self, ops: &[Op], _: Option<&'static str>) -> Result<Box<dyn Executable>> {
        let plan = Plan::new(ops, self.core.threads(), self.core.level)?;
        Ok(Box::new(program::Team::new(self.core.clone(), ops.len(), plan)))
    }

    /// At least two turns of the article's encoder for each thread (`plan.rs`), so that a thread on a free core has
    /// turns to take over.
    fn rows(&self) -> usize {
        512 * self.core.threads()
    }
}

impl Core {
    /// Takes the queue lock, and with it the right to form slices.
    #[allow(unsafe_code)]
    fn with_slices<R>(&self, f: impl FnOnce(&Slices) -> R) -> Result<R> {
        let _queue: MutexGuard<()> = self.queue.lock().map_err(|_| {
            Error::device(
                "cpu",
                "an op panicked on this device, so its memory can't be trusted",
                "Open the device again, and load the weights from a saved model.",
            )
        })?;
        // SAFETY: the queue lock is held until after `f` has returned, and slices can't outlive the `Slices` that `f`
        // borrows.
        let slices = unsafe { Slices::new() };
        Ok(f(&slices))
    }

    fn threads(&self) -> usize {
        self.scratch.len()
    }

    /// The memory that a thread packs into.
    fn scratch(&self, thread: usize) -> MutexGuard<'_, Memory> {
        // A panic may have left anything there: it is scratch.
        self.scratch[thread].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one op, by a team if it is worth one.
    fn run(&self, slices: &Slices, op: &Op) {
        let work = Work::new(op, self.threads());
        // A second thread would cost more than it saves.
        let cost = op.cost();
        let threads = if cost.flops + cost.bytes < WORTH_A_TEAM { 1 } else { self.threads().min(work.partition.most_parts()) };
        let stages = [Some(work), Work::total(op)];
        team::run(&self.pool, threads, |member| {
            let mut scratch = self.scratch(member.thread);
            for (stage, work) in stages.iter().flatten().enumerate() {
                if stage > 0 && !member.wait() {
                    return;
                }
                work.execute(self.level, slices, scratch.floats(), work.partition.part(member.thread, member.threads));
            }
        });
    }
}
