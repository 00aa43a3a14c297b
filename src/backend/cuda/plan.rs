//! From an op to its launches, as plain data: the GPU and the stand-in execute the very same ones.

use crate::device::View;
use crate::op::{FOUR, Kernel, Op, Reach, Word, chunks};
use crate::{Dtype, Shape};

/// One kernel to run: what `cuLaunchKernel` needs, but for addresses.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The name of the kernel, as it stands in `kernels/*.cu`.
    pub(super) entry: String,
    /// Blocks. Only the first dimension is used: it reaches to 2^31 - 1, the others to 65,535.
    pub(super) grid: u32,
    /// Threads of a block.
    pub(super) block: u32,
    /// In the order of the kernel's parameters.
    pub(super) args: Vec<Arg>,
}

/// An argument of a kernel.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    /// The address of a view's first element. The clone keeps the buffer alive.
    Ptr(View),
    U32(u32),
    F32(f32),
}

/// The most arguments that a kernel takes.
pub(super) const MAX_ARGS: usize = 12;

impl Arg {
    /// As the stand-in's kernels spell their parameters.
    #[cfg(feature = "standin")]
    pub(super) fn letter(&self) -> u8 {
        match self {
            Arg::Ptr(_) => b'p',
            Arg::U32(_) => b'u',
            Arg::F32(_) => b'f',
        }
    }

    /// The argument in a slot of 8 bytes, whose first bytes the kernel reads.
    pub(super) fn slot(&self, address: impl Fn(&View) -> u64) -> u64 {
        let mut slot = [0; 8];
        match self {
            Arg::Ptr(view) => slot = address(view).to_ne_bytes(),
            Arg::U32(value) => slot[..4].copy_from_slice(&value.to_ne_bytes()),
            Arg::F32(value) => slot[..4].copy_from_slice(&value.to_ne_bytes()),
        }
        u64::from_ne_bytes(slot)
    }
}

/// Rows and columns of the result that one block of a product's kernel computes.
const TILE: usize = 64;
/// Threads of a block where nothing else is said; and the lanes of a reduction.
const THREADS: usize = 256;
/// Threads of a block that sums columns: small, so that few columns still reach many multiprocessors.
const COLUMN_THREADS: usize = 64;

/// The launches of a checked op, in order. An op without results has none.
///
/// The kernels of an op are named after it and its stage: `relu_each`, `mse_chunks`. Their parameters are the op's
/// operands in the order of its form, the number of elements, and its words.
pub(super) fn plan(op: &Op) -> Vec<Launch> {
    let form = op.form();
    let operands = form.operands().map(|o| Arg::Ptr(o.of.clone()));
    let words = op.words().into_iter().map(|word| match word {
        Word::U32(value) => Arg::U32(value),
        Word::F32(value) => Arg::F32(value),
    });
    let n = op.elements();
    match form.kernel {
        Kernel::Each | Kernel::Fours => {
            let (threads, stage) = if form.kernel == Kernel::Each { (n, "each") } else { (n.div_ceil(FOUR), "fours") };
            // What is gathered may be of two types.
            let bytes = if matches!(op, Op::Gather { data, .. } if data.dtype() == Dtype::U8) { "_bytes" } else { "" };
            let args = operands.chain([size(n)]).chain(words).collect();
            launch(format!("{}{bytes}_{stage}", form.name), threads, THREADS, args)
        }
        Kernel::Chunks => {
            let of = |reaches: &[Reach]| -> Vec<Arg> {
                form.operands().filter(|o| reaches.contains(&o.reach)).map(|o| Arg::Ptr(o.of.clone())).collect()
            };
            let first = [of(&[Reach::Each, Reach::Parts]), vec![size(n)]].concat();
            let second = of(&[Reach::Parts, Reach::One]).into_iter().chain([size(chunks(n))]).chain(words).collect();
            let blocks = |entry: String, blocks: usize, args| launch(entry, blocks * THREADS, THREADS, args);
            [blocks(format!("{}_chunks", form.name), chunks(n), first), blocks("total".into(), 1, second)].concat()
        }
        Kernel::Tiles => {
            let args = operands.chain(words).collect();
            let (threads, block, entry) = match op {
                Op::DenseDb { .. } => (n, COLUMN_THREADS, form.name),
                _ => {
                    let c = op.result().shape;
                    let tiles = c.rows().div_ceil(TILE) * c.columns().div_ceil(TILE);
                    let plain = matches!(op, Op::Dense { b: None, .. });
                    (tiles * THREADS, THREADS, if plain { "dense_plain" } else { form.name })
                }
            };
            launch(entry.into(), threads, block, args)
        }
        Kernel::One => launch(form.name.into(), 1, 1, operands.chain(words).collect()),
    }
}

/// A length or a dimension: a `Shape` proves that it is below 2^31.
fn size(n: usize) -> Arg {
    debug_assert!(n <= Shape::MAX_LEN);
    Arg::U32(n as u32)
}

fn launch(entry: String, threads: usize, block: usize, args: Vec<Arg>) -> Vec<Launch> {
    if threads == 0 {
        return vec![];
    }
    vec![Launch { entry, grid: threads.div_ceil(block) as u32, block: block as u32, args }]
}
