//! The CPU: rayon for threads, SIMD by compiling one scalar body for several instruction sets.

mod adam;
mod add;
mod advance;
mod bce;
mod clip;
mod copy;
mod dense;
mod exp;
mod fill;
mod gather;
mod gemm;
mod level;
mod matmul;
mod memory;
mod mse;
mod program;
mod relu;
mod scale;
mod sigmoid;
mod split;
mod store_loss;
mod subnormal;
mod sum;
mod tanh;
mod tile;
mod uniform;

pub use level::Level;

use crate::backend::{Backend, Executable, Storage};
use crate::device::{Absent, DeviceInfo, DeviceKind, DeviceList, View};
use crate::op::Op;
use crate::{Dtype, Error, Result};
use gemm::{Gemm, Pack};
use memory::{Memory, Slices};
use std::sync::{Arc, Mutex, MutexGuard};

/// The CPU as a device.
pub(crate) struct Cpu {
    info: DeviceInfo,
    core: Arc<Core>,
}

/// What the device and its programs share.
struct Core {
    level: Level,
    pool: rayon::ThreadPool,
    packs: Vec<Mutex<Pack>>,
    /// Held by whoever touches the device's memory.
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

/// The threads that the operating system grants.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get()).min(MOST_THREADS)
}

fn describe(threads: usize, level: Level) -> DeviceInfo {
    let plural = if threads == 1 { "" } else { "s" };
    let name = format!("{} with {level}, {threads} thread{plural}", std::env::consts::ARCH);
    DeviceInfo { id: "cpu".into(), kind: DeviceKind::Cpu, name, software: false }
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
        let packs = (0..threads).map(|_| Mutex::new(Pack::new())).collect();
        Ok(Cpu { info: describe(threads, level), core: Arc::new(Core { level, pool, packs, queue: Mutex::new(()) }) })
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

    fn write(&self, to: &View, from: &[u8]) -> Result<()> {
        self.core.with_slices(|slices| bytes_of(slices, to).copy_from_slice(from))
    }

    fn read(&self, from: &View, to: &mut [u8]) -> Result<()> {
        self.core.with_slices(|slices| to.copy_from_slice(bytes_of(slices, from)))
    }

    fn run(&self, op: &Op) -> Result<()> {
        self.core.with_slices(|slices| self.core.on_pool(|| self.core.execute(slices, op)))
    }

    fn compile(&self, ops: &[Op]) -> Result<Box<dyn Executable>> {
        Ok(Box::new(program::List::new(self.core.clone(), ops)))
    }
}

fn bytes_of<'a>(slices: &'a Slices, view: &'a View) -> &'a mut [u8] {
    match view.dtype() {
        Dtype::F32 => bytemuck::cast_slice_mut(slices.write::<f32>(view)),
        Dtype::U32 => bytemuck::cast_slice_mut(slices.write::<u32>(view)),
        Dtype::U8 => slices.write::<u8>(view),
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
                "Open the device anew, and take the weights from a saved model.",
            )
        })?;
        // SAFETY: the queue lock is held until after `f` has returned, and slices can't outlive the `Slices` that `f` borrows.
        let slices = unsafe { Slices::new() };
        Ok(f(&slices))
    }

    /// Runs `f` on the device's own threads. A worker of somebody else's pool must not wait here by itself: while it waits, rayon gives it the
    /// next task of its own pool, which may ask for the lock that it holds. So a fresh thread waits in its place.
    fn on_pool(&self, f: impl FnOnce() + Send) {
        if rayon::current_thread_index().is_none() {
            return self.pool.install(f);
        }
        std::thread::scope(|scope| {
            scope.spawn(|| self.pool.install(f));
        });
    }

    /// Runs one op. `Op::check` has proved shapes, types, bounds, and that what is written overlaps nothing else.
    fn execute(&self, s: &Slices, op: &Op) {
        let level = self.level;
        let gemm = Gemm { level, packs: &self.packs };
        match op {
            Op::Dense { x, w, b, y } => dense::dense(&gemm, s.read(x), s.read(w), s.read(b), s.write(y), x.shape.columns()),
            Op::DenseDx { dz, w, dx } => dense::dense_dx(&gemm, s.read(dz), s.read(w), s.write(dx), w.shape.rows(), w.shape.columns()),
            Op::DenseDw { dz, x, dw } => {
                dense::dense_dw(&gemm, s.read(dz), s.read(x), s.write(dw), dz.shape.rows(), dz.shape.columns(), x.shape.columns())
            }
            Op::DenseDb { dz, db } => dense::dense_db(level, s.read(dz), s.write(db)),
            Op::Relu { x, y } => relu::relu(level, s.read(x), s.write(y)),
            Op::ReluGrad { x, dy, dx } => relu::relu_grad(level, s.read(x), s.read(dy), s.write(dx)),
            Op::Sigmoid { x, y } => sigmoid::sigmoid(level, s.read(x), s.write(y)),
            Op::SigmoidGrad { x, dy, dx } => sigmoid::sigmoid_grad(level, s.read(x), s.read(dy), s.write(dx)),
            Op::Tanh { x, y } => tanh::tanh(level, s.read(x), s.write(y)),
            Op::TanhGrad { x, dy, dx } => tanh::tanh_grad(level, s.read(x), s.read(dy), s.write(dx)),
            Op::Mse { y, target, work, loss, scale } => mse::mse(level, s.read(y), s.read(target), s.write(work), s.write(loss), *scale),
            Op::MseGrad { y, target, dloss, dy, scale } => {
                mse::mse_grad(level, s.read(y), s.read(target), s.read(dloss), s.write(dy), *scale)
            }
            Op::Bce { z, target, work, loss, scale } => bce::bce(level, s.read(z), s.read(target), s.write(work), s.write(loss), *scale),
            Op::BceGrad { z, target, dloss, dz, scale } => {
                bce::bce_grad(level, s.read(z), s.read(target), s.read(dloss), s.write(dz), *scale)
            }
            Op::SquareSum { x, work, y } => clip::square_sum(level, s.read(x), s.write(work), s.write(y)),
            Op::Clip { x, square, y, most } => {
                let factor = clip::factor(s.read::<f32>(square)[0], *most);
                match x.identical(y) {
                    true => scale::scale_self(level, s.write(y), factor),
                    false => scale::scale(level, s.read(x), s.write(y), factor),
                }
            }
            Op::Sum { x, work, y } => sum::sum(level, s.read(x), s.write(work), s.write(y)),
            Op::Broadcast { x, y } => sum::broadcast(s.read(x), s.write(y)),
            Op::Add { a, b, y } => match (a.identical(y), b.identical(y)) {
                (false, false) => add::add(level, s.read(a), s.read(b), s.write(y)),
                (true, false) => add::add_to(level, s.read(b), s.write(y)),
                (false, true) => add::add_to(level, s.read(a), s.write(y)),
                (true, true) => add::double(s.write(y)),
            },
            Op::Scale { x, y, factor } if x.identical(y) => scale::scale_self(level, s.write(y), *factor),
            Op::Scale { x, y, factor } => scale::scale(level, s.read(x), s.write(y), *factor),
            Op::Fill { y, value } => fill::fill(s.write(y), *value),
            Op::Copy { x, y } => copy::copy(s.read(x), s.write(y)),
            Op::Gather { data, order, clock, y } => {
                let rows = gather::Rows { order: s.read(order), cursor: s.read(clock)[0], count: data.shape.rows() };
                match data.dtype() {
                    Dtype::U8 => gather::gather_bytes(level, s.read(data), rows, y.shape.columns(), s.write(y)),
                    _ => gather::gather_floats(s.read(data), rows, y.shape.columns(), s.write(y)),
                }
            }
            Op::Advance { clock, rows, period } => advance::advance(s.write(clock), *rows, *period),
            Op::StoreLoss { loss, clock, losses } => store_loss::store_loss(s.read(loss), s.read(clock), s.write(losses)),
            Op::Uniform { clock, y, lo, range, seed, purpose } => {
                uniform::uniform(s.write(y), s.read::<u32>(clock)[1], *lo, *range, *seed, *purpose);
            }
            Op::Adam { p, g, m, v, table, clock, hyper } => {
                let step = s.read::<u32>(clock)[1] as usize;
                let at = 4 * step.min(table.shape.rows() - 1);
                let table: &[f32] = s.read(table);
                adam::adam(
                    level,
                    s.write(p),
                    s.read(g),
                    s.write(m),
                    s.write(v),
                    [table[at], table[at + 1], table[at + 2], table[at + 3]],
                    *hyper,
                );
            }
        }
    }
}
