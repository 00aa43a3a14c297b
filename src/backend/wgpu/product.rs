//! The shaders of products, and of what follows them in the same launch. Their texts are made: how large a thread's
//! tile is and what becomes of its results differ, and each has its own bindings.

use super::shader::{self, Shader};
use super::writer::Writer;
use crate::op::{Map, Op, Term};
use std::sync::Arc;

/// How a product is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// Threads of a workgroup along the columns and the rows.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Of a thread: rows, and quads of columns.
    pub(super) rows: usize,
    pub(super) quads: usize,
    /// Groups of these threads that share the terms: each has blocks of its own.
    pub(super) parts: usize,
    /// Whether the terms go through workgroup memory.
    pub(super) shared: bool,
}

impl Tile {
    /// For GPUs. Larger ones were slower (docs/experiments.md).
    pub(super) const WHOLE: Tile = Tile { across: 8, down: 8, rows: 4, quads: 1, parts: 1, shared: true };
    /// For GPUs, where a product has many terms and few tiles.
    pub(super) const SPLIT: Tile = Tile { parts: 4, ..Tile::WHOLE };
    /// For adapters that are programs on a CPU.
    pub(super) const SOFTWARE: Tile = Tile { across: 4, down: 2, rows: 8, quads: 4, parts: 1, shared: false };

    #[cfg(test)]
    pub(super) const ALL: [Tile; 3] = [Tile::WHOLE, Tile::SPLIT, Tile::SOFTWARE];

    fn name(self) -> String {
        let Tile { across, down, rows, quads, parts, .. } = self;
        format!("{rows}x{} by {down}x{across}x{parts}", 4 * quads)
    }

    /// Terms of a panel, of each part: what fits in the 16 KiB that WebGPU promises.
    fn terms(self) -> usize {
        if self.parts > 1 { 8 } else { 16 }
    }

    /// Quads of a panel's rows that a thread fetches, and as many of its columns: tiles in workgroup memory are square.
    fn fetches(self) -> usize {
        self.rows / 4 * self.terms() / self.across
    }

    /// Workgroups for a result of this size.
    pub(super) fn groups(self, [rows, columns]: [usize; 2]) -> usize {
        rows.div_ceil(self.rows * self.down) * columns.div_ceil(4 * self.quads * self.across)
    }
}

/// A function of single numbers behind a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Map(Map),
    /// The derivative at a value, or, if `own`, at the product.
    MapGrad {
        f: Map,
        own: bool,
    },
    ReduceGrad(Term),
}

/// What follows a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// A bias, perhaps, and functions.
    Layer { bias: bool, stages: Vec<Stage> },
    /// The bias's gradient, perhaps, and Adam's updates of weights and bias.
    Gradient { db: bool, adam_w: bool, adam_b: bool },
}

impl After {
    #[cfg(test)]
    pub(super) const DENSE: After = After::Layer { bias: true, stages: vec![] };

    fn has_bias_gradient(&self) -> bool {
        matches!(self, After::Gradient { db: true, .. })
    }

    /// Whether Adam reads its table.
    fn updates(&self) -> bool {
        matches!(self, After::Gradient { adam_w: true, .. } | After::Gradient { adam_b: true, .. })
    }

    pub(super) fn name(&self) -> String {
        match self {
            After::Layer { bias, stages } => {
                let stage = |stage: &Stage| match stage {
                    Stage::Map(f) => f.names()[0].to_string(),
                    Stage::MapGrad { f, own } => format!("{}{}", if *own { "own " } else { "" }, f.names()[1]),
                    Stage::ReduceGrad(f) => f.names()[1].to_string(),
                };
                let first = if *bias { "dense" } else { "product" }.to_string();
                [first].into_iter().chain(stages.iter().map(stage)).collect::<Vec<_>>().join(", ")
            }
            After::Gradient { db, adam_w, adam_b } => {
                let parts = [(true, "dense_dw"), (*db, "dense_db"), (*adam_w, "adam of w"), (*adam_b, "adam of b")];
                parts.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// The shader of a product with a tile, made at first use. It binds a, b, the bias if there is one, the product, and
/// for each stage where a derivative is taken or its target, dy, and the result; or the bias's gradient, p, m and v of
/// the weights and of the bias, the table and the clock, as far as there are such.
pub(super) fn shader(after: &After, tile: Tile) -> Arc<Shader> {
    shader::made(format!("{} in {}", after.name(), tile.name()), shader::DENSE.0, || text(after, tile))
}

fn text(after: &After, tile: Tile) -> String {
    let mut to = Writer::default();
    to.after(after);
    if after.updates() {
        to.steps();
    }
    let way = if tile.shared { shader::DENSE_PANELS.1.to_string() + shader::DENSE_TILES.1 } else { shader::DENSE_DIRECT.1.into() };
    let way = repeated(&way, tile, after.has_bias_gradient());
    [to.head(), sizes(tile), shader::GRID.1.into(), to.functions(), to.code, way, shader::DENSE.1.into()].join("\n")
}

/// The sizes of a tile, as `shaders/dense.wgsl` names them.
fn sizes(tile: Tile) -> String {
    let Tile { across, down, rows, quads, parts, .. } = tile;
    let sizes = [("ACROSS", across), ("DOWN", down), ("ROWS", rows), ("QUADS", quads), ("PARTS", parts), ("TERMS", tile.terms())];
    sizes.iter().map(|(name, size)| format!("const {name}: u32 = {size}u;\n")).collect()
}

/// The shader of several gradients in one launch, in tiles of workgroup memory. Its workgroups are those of the first,
/// then those of the second, and so on. It binds what each binds, then the table and the clock if there are updates.
pub(super) fn together(all: &[After], tile: Tile) -> Arc<Shader> {
    let names: Vec<String> = all.iter().map(After::name).collect();
    shader::made(format!("gradients of {} in {}", names.join("; "), tile.name()), shader::DENSE.0, || text_together(all, tile))
}

fn text_together(all: &[After], tile: Tile) -> String {
    let (mut to, mut bodies) = (Writer::default(), String::new());
    let mut main = Writer::default();
    main.main("ACROSS * DOWN * PARTS");
    main.line("let tile0 = group_number(group, groups);");
    for (l, after) in all.iter().enumerate() {
        let mut own = Writer::default();
        own.after(after);
        own.number("tiles", "u32");
        let code = format!("{}\n{}", own.code, repeated(shader::DENSE_TILES.1, tile, after.has_bias_gradient()));
        bodies += &to.take(own, &code, &FUNCTIONS, l);
        let wide = 4 * tile.quads * tile.across;
        main.line(&format!("if (tile{l} < u.tiles{l}) {{"));
        main.line(&format!("    let across = (u.columns{l} + {}u) / {wide}u;", wide - 1));
        main.line(&format!("    let corner = vec2<u32>(tile{l} / across * (ROWS * DOWN), tile{l} % across * {wide}u);"));
        main.line(&format!("    results{l}(corner, lane);"));
        main.line("    return;");
        main.line("}");
        main.line(&format!("let tile{} = tile{l} - u.tiles{l};", l + 1));
    }
    if all.iter().any(After::updates) {
        to.steps();
    }
    let panels = repeated(shader::DENSE_PANELS.1, tile, all.iter().any(After::has_bias_gradient));
    main.code += "}\n";
    [to.head(), sizes(tile), shader::GRID.1.into(), to.functions(), panels, bodies, main.code].join("\n")
}

/// What each of several gradients has of its own besides buffers and numbers.
const FUNCTIONS: [&str; 7] = ["after", "after_bias", "a_quad", "b_quad", "inside", "quad", "results"];

/// The text with each line that has a # written for all rows, quads and columns of a thread; see `shaders/dense.wgsl`.
fn repeated(text: &str, tile: Tile, bias_gradient: bool) -> String {
    let mut out = String::new();
    let kinds = [(" //db", bias_gradient), (" //split", tile.parts > 1)];
    for mut line in text.lines() {
        let mut stands = true;
        while let Some((rest, here)) = kinds.iter().find_map(|(kind, here)| Some((line.strip_suffix(kind)?, *here))) {
            (line, stands) = (rest, stands && here);
        }
        if !stands {
            continue;
        }
        // Comments speak of the signs.
        let has = |sign: &str| line.contains(sign) && !line.trim_start().starts_with("//");
        let quads_of_rows = has("#A") && !has("#R");
        let rows = match () {
            _ if has("#R") => tile.rows,
            _ if quads_of_rows => tile.rows / 4,
            _ => 1,
        };
        let columns = match () {
            _ if has("#Q") => tile.quads,
            _ if has("#C") => 4 * tile.quads,
            _ if has("#S") => tile.fetches(),
            _ => 1,
        };
        for r in 0..rows {
            let quad = if quads_of_rows { r } else { r / 4 };
            for q in 0..columns {
                let mut line = line.to_string();
                if has("#") {
                    let column = |i: usize| (4 * q + i).to_string();
                    let signs = [("#A", quad.to_string()), ("#X", ["x", "y", "z", "w"][r % 4].into()), ("#R", r.to_string())];
                    let of_columns = ["#Q", "#C", "#S"].map(|sign| (sign, q.to_string()));
                    let of_quads = [("#0", column(0)), ("#1", column(1)), ("#2", column(2)), ("#3", column(3))];
                    for (sign, number) in signs.into_iter().chain(of_columns).chain(of_quads) {
                        line = line.replace(sign, &number);
                    }
                }
                out += &line;
                out.push('\n');
            }
        }
    }
    out
}

/// The stage that an op is behind this product.
pub(super) fn stage(op: &Op, product: &Op) -> Option<Stage> {
    match op {
        Op::Map { f, .. } => Some(Stage::Map(*f)),
        Op::MapGrad { f, x, .. } => Some(Stage::MapGrad { f: *f, own: x.identical(product.result()) }),
        Op::ReduceGrad { f: f @ (Term::Mse | Term::Bce | Term::SquareSum), x: Some(_), .. } => Some(Stage::ReduceGrad(*f)),
        _ => None,
    }
}
