//! The shaders of products, and of what follows them in the same launch. Their texts are made: how large a thread's
//! tile is and what becomes of its results differ, and each has its own bindings.

use super::shader::{self, Shader};
use crate::op::{Map, Op, Term};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

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

    fn name(&self) -> String {
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

static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Shader>>>> = LazyLock::new(Mutex::default);

/// The shader of a product with a tile, made at first use. It binds a, b, the bias if there is one, the product, and
/// for each stage where a derivative is taken or its target, dy, and the result; or the bias's gradient, p, m and v of
/// the weights and of the bias, the table and the clock, as far as there are such.
pub(super) fn shader(after: &After, tile: Tile) -> Arc<Shader> {
    let Tile { across, down, rows, quads, parts, .. } = tile;
    let name = format!("{} in {rows}x{} by {down}x{across}x{parts}", after.name(), 4 * quads);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.entry(name.clone()).or_insert_with(|| Arc::new(Shader::made(&name, shader::DENSE.0, text(after, tile)))).clone()
}

/// A text that grows: bindings, parameters, and what is done.
#[derive(Default)]
pub(super) struct Writer {
    /// Names of buffers, whether they are written, and what they hold.
    buffers: Vec<(String, bool, &'static str)>,
    numbers: Vec<(String, &'static str)>,
    functions: Vec<shader::File>,
    pub(super) code: String,
}

impl Writer {
    pub(super) fn buffer(&mut self, name: &str, writes: bool, of: &'static str) {
        self.buffers.push((name.into(), writes, of));
    }

    pub(super) fn reads(&mut self, name: &str) {
        self.buffer(name, false, "f32");
    }

    pub(super) fn writes(&mut self, name: &str) {
        self.buffer(name, true, "f32");
    }

    pub(super) fn number(&mut self, name: &str, of: &'static str) {
        self.numbers.push((name.into(), of));
    }

    fn need(&mut self, files: impl IntoIterator<Item = shader::File>) {
        for file in files {
            if !self.functions.iter().any(|(stem, _)| *stem == file.0) {
                self.functions.push(file);
            }
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.code += &format!("    {line}\n");
    }

    /// Parameters and bindings: an offset for each buffer, and the numbers.
    pub(super) fn head(&self) -> String {
        let offsets = self.buffers.iter().map(|(name, ..)| format!("    {name}_at: u32,\n"));
        let numbers = self.numbers.iter().map(|(name, of)| format!("    {name}: {of},\n"));
        let params: String = offsets.chain(numbers).collect();
        let mut text = format!("struct Params {{\n{params}}}\n\n@group(0) @binding(0) var<uniform> u: Params;\n");
        for (i, (name, writes, of)) in self.buffers.iter().enumerate() {
            let access = if *writes { "read_write" } else { "read" };
            text += &format!("@group(0) @binding({}) var<storage, {access}> {name}: array<{of}>;\n", i + 1);
        }
        text
    }

    /// A stage: `last` becomes the function of it, and is stored.
    fn stage(&mut self, n: usize, stage: Stage) {
        let y = format!("y{n}");
        match stage {
            Stage::Map(f) => {
                self.need(shader::of_map(f));
                self.line(&format!("last = {}_value(last);", shader::stem_of_map(f)));
            }
            Stage::MapGrad { f, own } => {
                self.need(shader::of_map(f));
                let at = if own {
                    "product".to_string()
                } else {
                    self.reads(&format!("x{n}"));
                    format!("x{n}[u.x{n}_at + e]")
                };
                self.line(&format!("last = {}_grad({at}, last);", shader::stem_of_map(f)));
            }
            Stage::ReduceGrad(f) => {
                self.need(shader::of_term(f));
                let mut target = "0.0".to_string();
                if f.other().is_some() {
                    self.reads(&format!("target{n}"));
                    target = format!("target{n}[u.target{n}_at + e]");
                }
                self.reads(&format!("dy{n}"));
                self.number(&format!("scale{n}"), "f32");
                self.line(&format!("last = {}_grad(last, {target}, u.scale{n} * dy{n}[u.dy{n}_at]);", shader::stem_of_term(f)));
            }
        }
        self.writes(&y);
        self.line(&format!("{y}[u.{y}_at + e] = last;"));
    }

    /// Adam's step with `gradient` for element `e` of the buffers p, m and v with this ending.
    fn adam(&mut self, ending: &str, e: &str, gradient: &str) {
        let [p, m, v] = ["p", "m", "v"].map(|name| format!("{name}{ending}"));
        [&p, &m, &v].into_iter().for_each(|name| self.writes(name));
        let at = |name: &str| format!("{name}[u.{name}_at + {e}]");
        let all = [&p, &m, &v].map(|name| at(name));
        self.line(&format!("let next = adam_step({}, {gradient}, {}, {}, table_row());", all[0], all[1], all[2]));
        for (to, component) in all.iter().zip(["x", "y", "z"]) {
            self.line(&format!("{to} = next.{component};"));
        }
    }
}

fn text(after: &After, tile: Tile) -> String {
    let mut to = Writer::default();
    to.reads("a");
    to.reads("b");
    ["rows", "columns", "terms", "a_row", "a_term", "b_column", "b_term"].into_iter().for_each(|name| to.number(name, "u32"));
    to.code += "fn after(row: u32, column: u32, sum: f32) {\n";
    to.line("let e = row * u.columns + column;");
    let mut bias_gradient = false;
    match after {
        After::Layer { bias, stages } => {
            match bias {
                true => {
                    to.reads("bias");
                    to.line("let product = sum + bias[u.bias_at + column];");
                }
                false => to.line("let product = sum;"),
            }
            to.writes("c");
            to.line("c[u.c_at + e] = product;");
            if !stages.is_empty() {
                to.line("var last = product;");
            }
            stages.iter().enumerate().for_each(|(n, stage)| to.stage(n, *stage));
            to.code += "}\n\nfn after_bias(row: u32, sum: f32) {}\n";
        }
        After::Gradient { db, adam_w, adam_b } => {
            bias_gradient = *db;
            to.writes("c");
            to.line("c[u.c_at + e] = sum;");
            if *db {
                to.writes("db");
            }
            if *adam_w {
                to.adam("", "e", "sum");
            }
            to.code += "}\n\nfn after_bias(row: u32, sum: f32) {\n";
            if *db {
                to.line("db[u.db_at + row] = sum;");
            }
            if *adam_b {
                to.adam("_bias", "row", "sum");
            }
            to.code += "}\n";
            if *adam_w || *adam_b {
                to.reads("table");
                to.buffer("clock", false, "u32");
                to.number("steps", "u32");
                ["w1", "beta2", "w2", "eps"].into_iter().for_each(|name| to.number(name, "f32"));
                to.need([shader::ADAM_STEP]);
            }
        }
    }
    let Tile { across, down, rows, quads, parts, shared } = tile;
    let sizes = [("ACROSS", across), ("DOWN", down), ("ROWS", rows), ("QUADS", quads), ("PARTS", parts), ("TERMS", tile.terms())];
    let sizes: String = sizes.iter().map(|(name, size)| format!("const {name}: u32 = {size}u;\n")).collect();
    let way = if shared { shader::DENSE_TILES } else { shader::DENSE_DIRECT };
    let functions: Vec<String> = to.functions.iter().map(|(stem, text)| shader::named_after(stem, text)).collect();
    [to.head(), sizes, shader::GRID.1.into()]
        .into_iter()
        .chain(functions)
        .chain([to.code, repeated(way.1, tile, bias_gradient), shader::DENSE.1.into()])
        .collect::<Vec<_>>()
        .join("\n")
}

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
