//! From an op or a group of ops to its launches, as plain data: the GPU and the stand-in execute the very same ones.

use crate::device::View;
use crate::fuse::{Gradient, Group, Groups, Layer, groups};
use crate::op::{AdamHyper, BLOCK, FOUR, Kernel, Map, Op, Reach, Term, Word, chunks};
use crate::order::Touched;
use crate::{Dtype, Shape};

/// What the plans need to know of a GPU.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) multiprocessors: usize,
}

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
    /// No address.
    Null,
    U32(u32),
    F32(f32),
    /// A struct of this many slots: the number itself, these arguments, and zeros up to it.
    Table(Vec<Arg>, usize),
}

/// The most arguments that a kernel takes.
pub(super) const MAX_ARGS: usize = 12;

impl Launch {
    /// The arguments as the stand-in's kernels spell their parameters.
    #[cfg(feature = "standin")]
    pub(super) fn letters(&self) -> Vec<u8> {
        let letter = |arg: &Arg| match arg {
            Arg::Ptr(_) | Arg::Null => b'p',
            Arg::U32(_) => b'u',
            Arg::F32(_) => b'f',
            Arg::Table(..) => b't',
        };
        self.args.iter().map(letter).collect()
    }

    /// The arguments in slots of 8 bytes, of which a kernel reads the first, and for each argument its first slot.
    pub(super) fn slots(&self, address: &dyn Fn(&View) -> u64) -> (Vec<u64>, Vec<usize>) {
        let (mut slots, mut starts) = (Vec::new(), Vec::new());
        for arg in &self.args {
            starts.push(slots.len());
            arg.append(&mut slots, address);
        }
        assert!(starts.len() <= MAX_ARGS, "{} has more than {MAX_ARGS} arguments", self.entry);
        (slots, starts)
    }
}

impl Arg {
    fn append(&self, slots: &mut Vec<u64>, address: &dyn Fn(&View) -> u64) {
        let mut slot = [0; 8];
        match self {
            Arg::Ptr(view) => slot = address(view).to_ne_bytes(),
            Arg::Null => {}
            Arg::U32(value) => slot[..4].copy_from_slice(&value.to_ne_bytes()),
            Arg::F32(value) => slot[..4].copy_from_slice(&value.to_ne_bytes()),
            Arg::Table(args, length) => {
                let end = slots.len() + length;
                Arg::U32(*length as u32).append(slots, address);
                args.iter().for_each(|arg| arg.append(slots, address));
                assert!(slots.len() <= end, "a table of {length} slots is too short");
                slots.resize(end, 0);
                return;
            }
        }
        slots.push(u64::from_ne_bytes(slot));
    }
}

/// A kind of tile of a large product, as the kernels have it: the end of their names, rows and columns of the result
/// that one block computes, its threads, and blocks that a multiprocessor should have at once.
type Kind = (&'static str, [usize; 2], usize, usize);
const MANY: Kind = ("many", [64, 128], 64, 4);
const SOME: Kind = ("some", [64, 64], 128, 1);
const PAIRS: Kind = ("pairs", [64, 64], 128, 1);
const HALVES: Kind = ("halves", [32, 64], 128, 1);
/// Rows and columns of the result that one block computes, of a product of few tiles.
const LARGE: [usize; 2] = [16, 32];
const SMALL: [usize; 2] = [8, 32];
const LONG: [usize; 2] = [4, 32];
const WEIGHTS: [usize; 2] = [32, 32];
/// As the kernels have them: stages of a tail, gradients and layers of one launch, numbers that are stored at a step's
/// end.
const STAGES: usize = 3;
const LAYERS: usize = 8;
const LINKS: usize = 8;
const STORES: usize = 8;
/// Slots of their tables.
const TAIL: usize = 2 + 5 * STAGES;
const GRADIENTS: usize = 2 + 14 * LAYERS;
const CHAIN: usize = 2 + 9 * LINKS;
const STORED: usize = 2 + 3 * STORES;
/// Rows that a block of a chain takes, the most terms or results of its layers, and floats of a layer's weights.
const CHAIN_ROWS: usize = 2;
const WIDE: usize = 256;
const ROOM: usize = 9216;
/// Tiles of a product for each multiprocessor up to which it counts as one of few tiles.
const FEW: usize = 4;
/// Threads of a block where nothing else is said; and the lanes of a reduction.
const THREADS: usize = 256;
/// Threads of a block that does a row longer than this.
const WIDE_THREADS: usize = 1024;
const WIDE_ROW: usize = 4096;
/// Threads of a block of a chain.
const CHAIN_THREADS: usize = 512;
/// As the kernel has them: columns that a block sums, a thread for each, and the most blocks of terms at once.
const COLUMNS: usize = 32;
const COLUMN_PARTS: usize = 8;

/// A list of ops as launches.
pub(super) struct Planned {
    /// Before the first step of a run.
    pub(super) once: Vec<Launch>,
    /// In each step.
    pub(super) step: Vec<Launch>,
    /// What each of these touches.
    pub(super) touched: Vec<Touched>,
}

impl Planned {
    pub(super) fn new(ops: &[Op], facts: &Facts) -> Planned {
        let Groups { once, step } = groups(ops, &|group| takes(group, facts));
        let launches =
            step.iter().flat_map(|group| plan_group(group, facts).into_iter().map(move |launch| (launch, Touched::by(group.ops()))));
        let (step, touched) = launches.unzip();
        Planned { once: once.iter().flat_map(|op| plan(op, facts)).collect(), step, touched }
    }
}

/// The launches of a step in one line.
pub(super) fn line<'a>(step: impl Iterator<Item = &'a Launch>) -> String {
    let names: Vec<&str> = step.map(|launch| launch.entry.as_str()).collect();
    format!("{} launches a step: {}\n", names.len(), names.join(" "))
}

/// The launches of a checked op, in order. An op without results has none.
///
/// The kernels of an op are named after it and its stage: `relu_each`, `mse_chunks`. Their parameters are the op's
/// operands in the order of its form, the number of elements, and its words.
pub(super) fn plan(op: &Op, facts: &Facts) -> Vec<Launch> {
    let form = op.form();
    let operands = form.operands().map(|o| Arg::Ptr(o.of.clone()));
    let words = numbers(op);
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
        Kernel::Tiles => match op {
            Op::DenseDb { dz, .. } => {
                let threads = COLUMNS * dz.shape.rows().div_ceil(BLOCK).clamp(1, COLUMN_PARTS);
                launch(form.name.into(), n.div_ceil(COLUMNS) * threads, threads, operands.chain(words).collect())
            }
            _ => product(op, &[], facts),
        },
        Kernel::Rows => {
            // A sum has as many lanes as the contract says.
            let wide = matches!(op, Op::Cut { .. } | Op::MergeTopk { .. }) && op.along().shape.columns() > WIDE_ROW;
            let threads = if wide { WIDE_THREADS } else { THREADS };
            launch(format!("{}_rows", form.name), op.along().shape.rows() * threads, threads, operands.chain(words).collect())
        }
        Kernel::One => launch(form.name.into(), 1, 1, operands.chain(words).collect()),
    }
}

/// Whether one launch does a group.
pub(super) fn takes(group: &Group, facts: &Facts) -> bool {
    match group {
        Group::One(_) => false,
        Group::Layer(layer) => layer.tail.len() <= STAGES,
        Group::Chain(layers) => layers.len() <= LINKS && layers.iter().all(|layer| is_link(layer, facts)),
        Group::Gradients(all) => all.len() <= LAYERS && all.iter().all(|g| is_small(&g.dw, facts)),
        Group::End { sums, stores, .. } => sums.is_empty() && stores.len() <= STORES,
    }
}

/// The launches of a group, in order.
pub(super) fn plan_group(group: &Group, facts: &Facts) -> Vec<Launch> {
    match group {
        Group::One(op @ (Op::Dense { .. } | Op::DenseDx { .. })) => layer(op, &[], facts),
        Group::One(op) => plan(op, facts),
        Group::Layer(Layer { product, tail }) => layer(product, tail, facts),
        Group::Chain(layers) => chain(layers),
        Group::Gradients(all) => gradients(all),
        Group::End { stores, advance, .. } => end(stores, advance),
    }
}

/// Blocks that compute a product's result, tile by tile.
fn tiles(c: &View, [rows, columns]: [usize; 2]) -> usize {
    c.shape.rows().div_ceil(rows) * c.shape.columns().div_ceil(columns)
}

/// Which small tiles suit a product of rows: the kernel's name, and a tile. `None` where there are so many that large
/// tiles are faster.
fn kind(product: &Op, facts: &Facts) -> Option<(&'static str, [usize; 2])> {
    let c = product.result();
    let kind = match () {
        _ if terms(product) > BLOCK => ("long", LONG),
        _ if tiles(c, LARGE) >= facts.multiprocessors => ("large", LARGE),
        _ => ("small", SMALL),
    };
    (tiles(c, kind.1) <= FEW * facts.multiprocessors).then_some(kind)
}

/// Whether small tiles suit the gradient of weights: there are few, and they have few terms.
fn is_small(dw: &Op, facts: &Facts) -> bool {
    let Op::DenseDw { dz, dw, .. } = dw else { return false };
    tiles(dw, WEIGHTS) * dz.shape.rows().div_ceil(BLOCK) <= FEW * facts.multiprocessors
}

/// A product of rows and its tail: in small tiles where there are few.
fn layer(of: &Op, tail: &[Op], facts: &Facts) -> Vec<Launch> {
    let Some((kind, tile)) = kind(of, facts) else { return product(of, tail, facts) };
    let stem = if matches!(of, Op::Dense { .. }) { "layer" } else { "layer_dx" };
    let args = factors(of).into_iter().chain(numbers(of)).chain([stages(of, tail)]).collect();
    launch(format!("{stem}_{kind}"), tiles(of.result(), tile) * THREADS, THREADS, args)
}

/// A product in large tiles, and its tail if it is one of rows.
fn product(of: &Op, tail: &[Op], facts: &Facts) -> Vec<Launch> {
    let (kind, tile, threads, _) = large(of, facts);
    let stages = (!matches!(of, Op::DenseDw { .. })).then(|| stages(of, tail));
    let args = factors(of).into_iter().chain(numbers(of)).chain(stages).collect();
    launch(format!("{}_{kind}", of.name()), tiles(of.result(), tile) * threads, threads, args)
}

/// What follows a product in the same launch.
fn stages(product: &Op, tail: &[Op]) -> Arg {
    let c = product.result();
    let mut stages = vec![Arg::U32(tail.len() as u32)];
    for op in tail {
        let at = |view: &View| if view.identical(c) { Arg::Null } else { Arg::Ptr(view.clone()) };
        let (scale, x, dy) = match op {
            Op::MapGrad { x, .. } => (0.0, at(x), Arg::Null),
            Op::ReduceGrad { other, dy, scale, .. } => {
                (*scale, other.as_ref().map_or(Arg::Null, |o| Arg::Ptr(o.clone())), Arg::Ptr(dy.clone()))
            }
            _ => (0.0, Arg::Null, Arg::Null),
        };
        stages.extend([Arg::U32(function(op)), Arg::F32(scale), x, dy, Arg::Ptr(op.result().clone())]);
    }
    Arg::Table(stages, TAIL)
}

/// The views of a product, with a place for the bias that it may have.
fn factors(product: &Op) -> Vec<Arg> {
    let views = match product {
        Op::Dense { x, w, b, y } => vec![Some(x), Some(w), b.as_ref(), Some(y)],
        Op::DenseDx { dz, w, dx } => [dz, w, dx].map(Some).into(),
        Op::DenseDw { dz, x, dw } => [dz, x, dw].map(Some).into(),
        _ => unreachable!("a product"),
    };
    views.into_iter().map(|view| view.map_or(Arg::Null, |view| Arg::Ptr(view.clone()))).collect()
}

/// Which tiles suit a large product: the largest kind whose last round leaves at most a quarter of the places empty.
/// Kinds that split K into parts are for products with at least as many blocks of terms.
fn large(product: &Op, facts: &Facts) -> Kind {
    let count = |(_, tile, ..): Kind| tiles(product.result(), tile);
    let fills = |kind: Kind| 4 * count(kind) >= 3 * count(kind).next_multiple_of(kind.3 * facts.multiprocessors);
    let blocks = terms(product).div_ceil(BLOCK);
    match () {
        _ if fills(MANY) => MANY,
        _ if blocks > 2 && fills(SOME) && count(SOME) <= 2 * facts.multiprocessors => SOME,
        _ if blocks > 1 && fills(PAIRS) => PAIRS,
        _ => HALVES,
    }
}

/// Whether a layer can be one of a chain.
fn is_link(layer: &Layer, facts: &Facts) -> bool {
    let c = &layer.product.result().shape;
    let (width, terms, rows) = (c.columns(), terms(&layer.product), c.rows());
    let plain = |op: &Op| match op {
        Op::Map { .. } => true,
        Op::MapGrad { x, .. } => !x.overlaps(layer.product.result()),
        _ => false,
    };
    let (w, lines) = match &layer.product {
        Op::Dense { w, .. } => (w, terms),
        Op::DenseDx { w, .. } => (w, width),
        _ => return false,
    };
    let aligned = lines % FOUR == 0 && w.offset % FOUR == 0;
    let fits = width <= WIDE && terms <= WIDE && width * (terms + FOUR) <= ROOM && width * terms > 0 && aligned;
    fits && rows.div_ceil(CHAIN_ROWS) <= 2 * facts.multiprocessors && layer.tail.len() <= 1 && layer.tail.iter().all(plain)
}

/// Terms of each sum of a product.
fn terms(product: &Op) -> usize {
    match product {
        Op::Dense { x, .. } => x.shape.columns(),
        Op::DenseDx { dz, .. } => dz.shape.columns(),
        Op::DenseDw { dz, .. } => dz.shape.rows(),
        _ => unreachable!("a product"),
    }
}

/// Layers, one behind the other.
fn chain(layers: &[Layer]) -> Vec<Launch> {
    let ptr = |view: &View| Arg::Ptr(view.clone());
    let mut links = vec![Arg::U32(layers.len() as u32)];
    for Layer { product, tail } in layers {
        let (backward, w, b) = match product {
            Op::Dense { w, b, .. } => (0, w, b.as_ref().map_or(Arg::Null, ptr)),
            Op::DenseDx { w, .. } => (1, w, Arg::Null),
            _ => unreachable!("a layer begins with a product of rows"),
        };
        let width = product.result().shape.columns();
        let (function, at, result) = match tail.first() {
            Some(op @ Op::MapGrad { x, .. }) => (1 + function(op), ptr(x), ptr(op.result())),
            Some(op) => (1 + function(op), Arg::Null, ptr(op.result())),
            None => (0, Arg::Null, Arg::Null),
        };
        links.extend([
            Arg::U32(backward),
            size(terms(product)),
            size(width),
            Arg::U32(function),
            ptr(w),
            b,
            ptr(product.result()),
            at,
            result,
        ]);
    }
    let (Op::Dense { x, .. } | Op::DenseDx { dz: x, .. }) = &layers[0].product else {
        unreachable!("a chain begins with a product of rows")
    };
    let rows = x.shape.rows();
    launch("chain".into(), rows.div_ceil(CHAIN_ROWS) * CHAIN_THREADS, CHAIN_THREADS, vec![ptr(x), size(rows), Arg::Table(links, CHAIN)])
}

/// The number of a function in `kernels/tail.cuh`.
fn function(op: &Op) -> u32 {
    let map = |f: Map| match f {
        Map::Relu => 0,
        Map::Leaky => 1,
        Map::Sigmoid => 2,
        Map::Tanh => 3,
        Map::Softplus => 4,
        Map::Silu => 5,
        Map::Exp => 6,
        Map::Abs => 7,
    };
    match op {
        Op::Map { f, .. } => map(*f),
        Op::MapGrad { f, .. } => 8 + map(*f),
        Op::ReduceGrad { f: Term::SquareSum, .. } => 16,
        Op::ReduceGrad { f: Term::Mse, .. } => 17,
        Op::ReduceGrad { f: Term::Bce, .. } => 18,
        _ => unreachable!("no function of single numbers"),
    }
}

/// The gradients of several layers, with the updates that follow at once.
fn gradients(all: &[Gradient]) -> Vec<Launch> {
    let ptr = |view: &View| Arg::Ptr(view.clone());
    let mut blocks = 0;
    let (mut first, mut layers) = (vec![Arg::U32(0); LAYERS], Vec::new());
    for (first, gradient) in first.iter_mut().zip(all) {
        let Op::DenseDw { dz, x, dw } = &gradient.dw else { unreachable!("a gradient of weights") };
        let db = gradient.db.as_ref().map_or(Arg::Null, |op| ptr(op.result()));
        let moments = |op: &Option<Op>| match op {
            Some(Op::Adam { p, m, v, .. }) => [p, m, v].map(ptr),
            _ => [Arg::Null, Arg::Null, Arg::Null],
        };
        *first = size(blocks);
        layers.extend([size(dz.shape.rows()), size(x.shape.columns()), size(dz.shape.columns()), ptr(dz), ptr(x), ptr(dw), db]);
        layers.extend(moments(&gradient.adam_w));
        layers.extend(moments(&gradient.adam_b));
        blocks += tiles(dw, WEIGHTS);
    }
    // Without updates, nothing is read of the table and the clock.
    let adam = all.iter().flat_map(|g| [&g.adam_w, &g.adam_b]).flatten().next();
    let (table, clock, steps, AdamHyper { w1, beta2, w2, eps }) = match adam {
        Some(Op::Adam { table, clock, hyper, .. }) => (ptr(table), ptr(clock), table.shape.rows(), *hyper),
        _ => (Arg::Null, Arg::Null, 0, AdamHyper { w1: 0.0, beta2: 0.0, w2: 0.0, eps: 0.0 }),
    };
    let args = [table, clock, size(steps)]
        .into_iter()
        .chain([w1, beta2, w2, eps].map(Arg::F32))
        .chain([Arg::Table([vec![size(all.len())], first, layers].concat(), GRADIENTS)]);
    launch("weights".into(), blocks * THREADS, THREADS, args.collect())
}

fn end(stores: &[Op], advance: &Op) -> Vec<Launch> {
    let mut stored = vec![Arg::U32(stores.len() as u32)];
    for store in stores {
        let Op::Store { x, ring, .. } = store else { unreachable!("a number that is stored") };
        stored.extend([Arg::Ptr(x.clone()), Arg::Ptr(ring.clone()), size(ring.len())]);
    }
    let args = [Arg::Ptr(advance.result().clone())].into_iter().chain(numbers(advance)).chain([Arg::Table(stored, STORED)]);
    launch("end".into(), 1, 1, args.collect())
}

fn numbers(op: &Op) -> impl Iterator<Item = Arg> {
    op.words().into_iter().map(|word| match word {
        Word::U32(value) => Arg::U32(value),
        Word::F32(value) => Arg::F32(value),
    })
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
