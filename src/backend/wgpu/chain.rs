//! Dense layers one behind the other, or their derivatives, in one launch: a workgroup takes two rows through all of
//! them. The rows stay in workgroup memory, and so do the weights of the layer that is being computed, in panels of as
//! many terms as there is room for. The first panel of every layer is fetched before anything is added up, the next one
//! of a layer while one is.
//!
//! The text is made for these sizes: dividing by a constant takes no division. Bound by latency.

use super::plan::{Bind, Launch, fold};
use super::product::{self, After, Stage};
use super::shader;
use super::writer::Writer;
use crate::device::View;
use crate::fuse::Layer;
use crate::op::Op;

/// Rows of a workgroup, and its threads.
const ROWS: usize = 2;
const LANES: usize = 256;
/// The most terms and results of a layer: one block of terms, so that its sum is a total.
const WIDE: usize = 256;
/// Numbers of a panel. With two times two rows of the widest layer they are the 16 KiB that WebGPU promises.
const ROOM: usize = 3072;
/// The most layers: the first panel of each is in registers from the beginning.
const LINKS: usize = 8;
/// Workgroups up to which rows count as few. Each reads all weights, so that many rows are better off layer by layer.
const FEW: usize = 128;

/// A layer, as its text depends on it.
struct Link<'a> {
    x: &'a View,
    w: &'a View,
    bias: Option<&'a View>,
    c: &'a View,
    tail: &'a [Op],
    /// In the order of the tail.
    stages: Vec<Stage>,
    /// Whether the terms of a result lie side by side in the weights.
    along: bool,
}

impl Link<'_> {
    fn of(layer: &Layer) -> Link<'_> {
        let Layer { product, tail } = layer;
        let (x, w, bias, along) = match product {
            Op::Dense { x, w, b, .. } => (x, w, b.as_ref(), true),
            Op::DenseDx { dz, w, .. } => (dz, w, None, false),
            op => unreachable!("{} is no product of rows", op.name()),
        };
        let stages = tail.iter().filter_map(|op| product::stage(op, product)).collect();
        Link { x, w, bias, c: product.result(), tail, stages, along }
    }

    fn terms(&self) -> usize {
        self.x.shape.columns()
    }

    fn width(&self) -> usize {
        self.c.shape.columns()
    }

    /// Numbers from one term of a panel to the next: one more than the width where threads that store neighbouring
    /// terms would meet in a bank.
    fn pitch(&self) -> usize {
        self.width() + usize::from(self.along)
    }

    /// Terms of a panel.
    fn panel(&self) -> usize {
        (ROOM / self.pitch()).min(self.terms())
    }

    /// Numbers of a panel that a thread fetches.
    fn fetches(&self) -> std::ops::Range<usize> {
        0..(self.panel() * self.width()).div_ceil(LANES)
    }

    /// Results of a thread.
    fn results(&self) -> std::ops::Range<usize> {
        0..(ROWS * self.width()).div_ceil(LANES)
    }

    /// All that its text depends on.
    fn name(&self) -> String {
        let after = After::Layer { bias: self.bias.is_some(), stages: self.stages.clone() };
        format!("{} of {}x{}{}", after.name(), self.width(), self.terms(), if self.along { "" } else { " down" })
    }
}

/// Whether one launch takes rows through these layers.
pub(super) fn takes(layers: &[Layer]) -> bool {
    let fits = |n: usize| (1..=WIDE).contains(&n);
    let all = layers.iter().map(Link::of).all(|link| {
        let known = link.tail.len() <= 1 && link.tail.iter().all(|op| matches!(op, Op::Map { .. } | Op::MapGrad { .. }));
        known && fits(link.width()) && fits(link.terms()) && (1..=FEW).contains(&link.c.shape.rows().div_ceil(ROWS))
    });
    all && layers.len() <= LINKS
}

/// The launch of layers that [`takes`] knows.
pub(super) fn launch(layers: &[Layer]) -> Launch {
    let links: Vec<Link> = layers.iter().map(Link::of).collect();
    let mut operands = Vec::new();
    let mut bind = |name, view: &View| operands.push(Bind { name, index: operands.len(), view: view.clone() });
    bind("x", links[0].x);
    for link in &links {
        bind("w", link.w);
        link.bias.iter().for_each(|bias| bind("b", bias));
        bind("y", link.c);
        for (op, stage) in link.tail.iter().zip(&link.stages) {
            if let (Op::MapGrad { x, .. }, Stage::MapGrad { own: false, .. }) = (op, stage) {
                bind("x", x);
            }
            bind("y", op.result());
        }
    }
    let name = format!("chain of {}", links.iter().map(Link::name).collect::<Vec<_>>().join("; "));
    let rows = links[0].c.shape.rows();
    let shader = shader::made(name, "chain", || text(&links));
    Launch { op: layers[0].product.name(), shader, operands, words: vec![rows as u32], grid: fold(rows.div_ceil(ROWS)) }
}

fn text(links: &[Link]) -> String {
    let mut to = Writer::default();
    to.reads("x");
    to.number("rows", "u32");
    for (l, link) in links.iter().enumerate() {
        let (terms, width, panel) = (link.terms(), link.width(), link.panel());
        to.reads(&format!("w{l}"));
        // Number `slot` of the panel that begins with term `k0`: neighbours read neighbouring addresses.
        let (term, column, at) = match link.along {
            true => (format!("slot % {panel}u"), format!("slot / {panel}u"), format!("column * {terms}u + term")),
            false => (format!("slot / {width}u"), format!("slot % {width}u"), format!("term * {width}u + column")),
        };
        to.code += &format!("fn weight{l}(k0: u32, slot: u32) -> f32 {{\n");
        to.line(&format!("let term = min(k0 + {term}, {}u);", terms - 1));
        to.line(&format!("let column = min({column}, {}u);", width - 1));
        to.line(&format!("return w{l}[u.w{l}_at + {at}];"));
        to.code += &format!("}}\n\nfn put{l}(slot: u32, number: f32) {{\n");
        to.line(&format!("if (slot < {}u) {{", panel * width));
        to.line(&format!("    panel[({term}) * {}u + {column}] = number;", link.pitch()));
        to.line("}");
        to.code += &format!("}}\n\nfn after{l}(row: u32, column: u32, sum: f32) -> f32 {{\n");
        to.line(&format!("let e = row * {width}u + column;"));
        to.product(&l.to_string(), link.bias.is_some());
        to.line("var last = product;");
        link.stages.iter().for_each(|stage| to.stage(l, *stage));
        to.line("return last;");
        to.code += "}\n\n";
    }
    to.code += &body(links);
    let memory = format!("var<workgroup> held: array<f32, {}>;\nvar<workgroup> panel: array<f32, {ROOM}>;\n", 2 * ROWS * WIDE);
    [to.head(), memory, shader::GRID.1.into(), to.functions(), to.code].join("\n")
}

/// The way of two rows through all layers.
fn body(links: &[Link]) -> String {
    let mut to = Writer::default();
    to.main(&LANES.to_string());
    to.line(&format!("let first = {ROWS}u * group_number(group, groups);"));
    let slot = |n: usize| format!("lane + {}u", n * LANES);
    for (l, link) in links.iter().enumerate() {
        link.fetches().for_each(|s| to.line(&format!("var next{l}_{s} = weight{l}(0u, {});", slot(s))));
    }
    // What lies outside is the last row once more, and is not stored.
    let terms = links[0].terms();
    to.line(&format!("for (var i = lane; i < {}u; i += {LANES}u) {{", ROWS * terms));
    to.line(&format!("    let row = min(first + i / {terms}u, u.rows - 1u);"));
    to.line(&format!("    held[i / {terms}u * {WIDE}u + i % {terms}u] = x[u.x_at + row * {terms}u + i % {terms}u];"));
    to.line("}");
    for (l, link) in links.iter().enumerate() {
        let (terms, width, panel) = (link.terms(), link.width(), link.panel());
        // What a layer takes and what it gives change places.
        let half = |n: usize| n % 2 * ROWS * WIDE;
        for r in link.results() {
            to.line(&format!("let slot{l}_{r} = min({}, {}u);", slot(r), ROWS * width - 1));
            to.line(&format!("let from{l}_{r} = {}u + slot{l}_{r} / {width}u * {WIDE}u;", half(l)));
            to.line(&format!("var sum{l}_{r} = 0.0;"));
        }
        to.line(&format!("for (var k0 = 0u; k0 < {terms}u; k0 += {panel}u) {{"));
        to.line("    workgroupBarrier();");
        link.fetches().for_each(|s| to.line(&format!("    put{l}({}, next{l}_{s});", slot(s))));
        to.line("    workgroupBarrier();");
        if panel < terms {
            link.fetches().for_each(|s| to.line(&format!("    next{l}_{s} = weight{l}(k0 + {panel}u, {});", slot(s))));
        }
        to.line(&format!("    for (var t = 0u; t < min({panel}u, {terms}u - k0); t++) {{"));
        for r in link.results() {
            let weight = format!("panel[t * {}u + slot{l}_{r} % {width}u]", link.pitch());
            to.line(&format!("        sum{l}_{r} = fma(held[from{l}_{r} + k0 + t], {weight}, sum{l}_{r});"));
        }
        to.line("    }");
        to.line("}");
        for r in link.results() {
            let row = format!("slot{l}_{r} / {width}u");
            to.line(&format!("if ({} < {}u && first + {row} < u.rows) {{", slot(r), ROWS * width));
            let at = format!("{}u + {row} * {WIDE}u + slot{l}_{r} % {width}u", half(l + 1));
            to.line(&format!("    held[{at}] = after{l}(first + {row}, slot{l}_{r} % {width}u, sum{l}_{r});"));
            to.line("}");
        }
    }
    to.code += "}\n";
    to.code
}
