//! From an op to its launches, as plain data.

use super::shader::{self, Shader};
use crate::device::View;
use crate::op::{CHUNK, FOUR, Kernel, Op, Operand, Reach, Word, chunks};
use crate::{Dtype, Result, Shape};

/// One dispatch: which entry point of which shader, on what.
#[derive(Clone, Debug)]
pub(super) struct Launch {
    /// The op that it belongs to.
    pub(super) op: &'static str,
    pub(super) shader: &'static Shader,
    pub(super) entry: &'static str,
    /// The edge of a workgroup, for the shader that takes one.
    pub(super) side: Option<u32>,
    pub(super) operands: Vec<Bind>,
    /// The parameters that follow the operands' offsets, in the order of the shader's `Params`; floats as bits.
    pub(super) words: Vec<u32>,
    /// Workgroups in x and y.
    pub(super) grid: [u32; 2],
}

/// A buffer of a launch.
#[derive(Clone, Debug)]
pub(super) struct Bind {
    /// The operand's name.
    pub(super) name: &'static str,
    /// Its index in the shader's list of bindings.
    pub(super) index: usize,
    pub(super) view: View,
}

/// Elements that one launch covers at the most: 64 MiB of f32, so that any window of them fits the smallest binding
/// that WebGPU promises, 128 MiB. A multiple of [`CHUNK`] and of the four elements of a random block.
const PIECE: usize = 1 << 24;

/// Workgroups that WebGPU promises per dimension.
const GROUPS: u64 = 65_535;

/// From this many tiles of 64 x 64 on, a product is cut into them, else into tiles of 32 x 32: a device must be full
/// before a large tile pays.
const LARGE_TILES: usize = 64;

/// `groups` workgroups over x and y, at most one row of x too many.
fn fold(groups: usize) -> [u32; 2] {
    let groups = (groups as u64).max(1);
    let y = groups.div_ceil(GROUPS);
    [groups.div_ceil(y) as u32, y as u32]
}

/// The elements of a view from `start` on, `len` of them.
fn part(view: &View, start: usize, len: usize) -> Result<View> {
    Ok(View { buffer: view.buffer.clone(), offset: view.offset + start, shape: Shape::new(&[len])? })
}

/// Starts and lengths that cover `n` elements.
fn pieces(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(PIECE).map(move |start| (start, PIECE.min(n - start)))
}

/// The launches of an op, in order. An op without elements has none, except that a sum over nothing still writes its 0.
///
/// A shader binds the op's operands in the order of its form. Its parameters are an offset for each, the number of
/// elements of this launch and the number of the first, and the op's words.
pub(super) fn plan(op: &Op) -> Result<Vec<Launch>> {
    let (form, n) = (op.form(), op.elements());
    let words: Vec<u32> = op.words().into_iter().map(bits).collect();
    // The operands that a stage binds, those that go along with the elements cut to a piece.
    let cut = |stage: &[Reach], (start, len): (usize, usize)| -> Result<Vec<Bind>> {
        let operands = form.operands().filter(|o| stage.contains(&o.reach)).enumerate();
        let bind = |(index, o): (usize, Operand<View>)| {
            let view = match o.reach {
                Reach::Each => part(o.of, start, len)?,
                Reach::Parts => part(o.of, start / CHUNK, chunks(len))?,
                _ => o.of.clone(),
            };
            Ok(Bind { name: o.name, index, view })
        };
        operands.map(bind).collect()
    };
    let launch = |shader: &str, operands, (start, len): (usize, usize), words: &[u32], groups| -> Launch {
        let words = [&[len as u32, start as u32], words].concat();
        Launch { op: form.name, shader: shader::find(shader), entry: "main", side: None, operands, words, grid: fold(groups) }
    };
    const ALL: &[Reach] = &[Reach::Each, Reach::One, Reach::Clock, Reach::Parts, Reach::Row, Reach::Whole, Reach::Entry, Reach::Matrix];
    match form.kernel {
        Kernel::Each | Kernel::Fours => {
            let each = if form.kernel == Kernel::Each { 1 } else { FOUR };
            // What is gathered may be of two types.
            let bytes = matches!(op, Op::Gather { data, .. } if data.dtype() == Dtype::U8);
            let shader = if bytes { "gather_bytes" } else { form.name };
            pieces(n).map(|piece| Ok(launch(shader, cut(ALL, piece)?, piece, &words, piece.1.div_ceil(each * 256)))).collect()
        }
        Kernel::Chunks => {
            let shader = format!("{}_chunks", form.name);
            let nothing = (n == 0).then_some((0, 0));
            let first = pieces(n)
                .chain(nothing)
                .map(|piece| Ok(launch(&shader, cut(&[Reach::Each, Reach::Parts], piece)?, piece, &[], chunks(piece.1))));
            let second = [(); 1].map(|()| {
                let operands = cut(&[Reach::Parts, Reach::One], (0, n))?;
                Ok(launch("total", operands, (0, chunks(n)), &words, 1))
            });
            first.chain(second).collect()
        }
        Kernel::Rows => {
            let (rows, columns) = (op.along().shape.rows(), op.along().shape.columns());
            let most = (PIECE / columns.max(1)).max(1);
            let piece = |start: usize| {
                let count = most.min(rows - start);
                let bind = |(index, o): (usize, Operand<View>)| {
                    let width = o.of.shape.columns();
                    Ok(Bind { name: o.name, index, view: part(o.of, start * width, count * width)? })
                };
                let operands = form.operands().enumerate().map(bind).collect::<Result<_>>()?;
                Ok(launch(form.name, operands, (start, count), &words, count))
            };
            (0..rows).step_by(most).map(piece).collect()
        }
        Kernel::One => Ok(vec![launch(form.name, cut(ALL, (0, n))?, (0, 1), &words, 1)]),
        Kernel::Tiles => product(op),
    }
}

fn bits(word: Word) -> u32 {
    match word {
        Word::U32(value) => value,
        Word::F32(value) => value.to_bits(),
    }
}

/// The launches of a product: `c[row, column] = sum_k a(row, k) b(column, k)`, with a stride of a per row and term, and
/// of b per column and term. The shader binds a, b, the bias and c. A product whose a and c are row-major is cut into
/// pieces of rows.
fn product(op: &Op) -> Result<Vec<Launch>> {
    const A: usize = 0;
    const B: usize = 1;
    const BIAS: usize = 2;
    const C: usize = 3;
    let name = op.name();
    let bind = |name, index, view: &View| Bind { name, index, view: view.clone() };
    let launch = |entry, side: u32, operands, words: Vec<u32>, groups| -> Launch {
        Launch { op: name, shader: shader::find("dense"), entry, side: Some(side), operands, words, grid: fold(groups) }
    };
    let tiles = |entry, operands, size: [usize; 3], stride: [usize; 4]| -> Option<Launch> {
        let [rows, columns, _] = size;
        let tiles = |edge: usize| rows.div_ceil(edge) * columns.div_ceil(edge);
        let side = if tiles(64) >= LARGE_TILES { 16 } else { 8 };
        let words = size.iter().chain(&stride).map(|&n| n as u32).collect();
        (rows * columns > 0).then(|| launch(entry, side, operands, words, tiles(4 * side as usize)))
    };
    // Pieces of rows.
    let by_rows = |(an, a): (_, &View), b: Bind, bias: Option<&View>, (cn, c): (_, &View), columns, terms: usize, stride| {
        let (entry, rows) = (if bias.is_some() { "dense" } else { "product_alone" }, a.shape.rows());
        let most = (PIECE / usize::max(columns, terms).max(1) / 64).max(1) * 64;
        let mut launches = Vec::new();
        for row in (0..rows).step_by(most) {
            let rows = most.min(rows - row);
            let (a, c) = (part(a, row * terms, rows * terms)?, part(c, row * columns, rows * columns)?);
            let bias = bias.map(|bias| bind("b", BIAS, bias));
            let operands = [bind(an, A, &a), b.clone()].into_iter().chain(bias).chain([bind(cn, C, &c)]).collect();
            launches.extend(tiles(entry, operands, [rows, columns, terms], stride));
        }
        Ok(launches)
    };
    match op {
        Op::Dense { x, w, b, y } => {
            let (inputs, outputs) = (w.shape.columns(), w.shape.rows());
            by_rows(("x", x), bind("w", B, w), b.as_ref(), ("y", y), outputs, inputs, [inputs, 1, inputs, 1])
        }
        Op::DenseDx { dz, w, dx } => {
            let (inputs, outputs) = (w.shape.columns(), w.shape.rows());
            by_rows(("dz", dz), bind("w", B, w), None, ("dx", dx), inputs, outputs, [outputs, 1, 1, inputs])
        }
        Op::DenseDw { dz, x, dw } => {
            let (inputs, outputs) = (x.shape.columns(), dz.shape.columns());
            let operands = vec![bind("dz", A, dz), bind("x", B, x), bind("dw", C, dw)];
            let launch = tiles("product_alone", operands, [outputs, inputs, dz.shape.rows()], [1, outputs, 1, inputs]);
            Ok(launch.into_iter().collect())
        }
        Op::DenseDb { dz, db } => {
            let (terms, columns) = (dz.shape.rows(), db.len());
            let words = vec![0, columns as u32, terms as u32, 0, 0, 0, 0];
            let operands = vec![bind("dz", A, dz), bind("db", C, db)];
            Ok(if columns == 0 { vec![] } else { vec![launch("dense_db", 8, operands, words, columns.div_ceil(64))] })
        }
        op => unreachable!("{} is no product", op.name()),
    }
}
