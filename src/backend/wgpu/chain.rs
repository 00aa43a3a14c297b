//! Dense layers one behind the other, or their derivatives, in one launch: a workgroup takes two rows through all of
//! them. The rows stay in workgroup memory, and so do the weights of the layer that is being computed, in panels of as
//! many terms as there is room for. The first panel of every layer is fetched before anything is added up, the next one
//! of a layer while one is.
//!
//! The text is made for these sizes: a division by a constant is none. Bound by latency.

use super::plan::{Bind, Launch, fold};
use super::product::{self, After, Stage};
use super::shader::{self, Shader};
use super::writer::Writer;
use crate::device::View;
use crate::fuse::Layer;
use crate::op::Op;
use std::sync::Arc;

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

/// Whether one launch takes rows through these layers.
pub(super) fn takes(layers: &[Layer]) -> bool {
    let all = layers.iter().all(|layer| {
        let (size, rows) = (Size::of(layer), layer.product.result().shape.rows());
        let known = layer.tail.len() <= 1 && layer.tail.iter().all(|op| matches!(op, Op::Map { .. } | Op::MapGrad { .. }));
        let fits = |n: usize| (1..=WIDE).contains(&n);
        known && fits(size.width) && fits(size.terms) && (1..=FEW).contains(&rows.div_ceil(ROWS))
    });
    all && layers.len() <= LINKS
}

/// The size of a layer, and how its weights go through workgroup memory.
struct Size {
    terms: usize,
    width: usize,
    /// Whether the terms of a result lie side by side.
    along: bool,
}

impl Size {
    fn of(layer: &Layer) -> Size {
        let (x, along) = parts(layer).0;
        Size { terms: x.shape.columns(), width: layer.product.result().shape.columns(), along }
    }

    /// Numbers from one term of a panel to the next: one more than the width where threads that store neighbouring
    /// terms would meet in a bank.
    fn pitch(&self) -> usize {
        self.width + usize::from(self.along)
    }

    /// Terms of a panel.
    fn panel(&self) -> usize {
        (ROOM / self.pitch()).min(self.terms)
    }

    /// Numbers of a panel that a thread fetches.
    fn fetches(&self) -> std::ops::Range<usize> {
        0..(self.panel() * self.width).div_ceil(LANES)
    }

    /// Results of a thread.
    fn results(&self) -> std::ops::Range<usize> {
        0..(ROWS * self.width).div_ceil(LANES)
    }
}

/// What a layer is computed from, and whether its terms lie side by side in the weights; the weights; the bias.
fn parts(layer: &Layer) -> ((&View, bool), &View, Option<&View>) {
    match &layer.product {
        Op::Dense { x, w, b, .. } => ((x, true), w, b.as_ref()),
        Op::DenseDx { dz, w, .. } => ((dz, false), w, None),
        op => unreachable!("{} is no product of rows", op.name()),
    }
}

/// The launch of layers that [`takes`] knows.
pub(super) fn launch(layers: &[Layer]) -> Launch {
    let (mut operands, mut to) = (Vec::new(), Writer::default());
    let mut bind = |name, view: &View| operands.push(Bind { name, index: operands.len(), view: view.clone() });
    let rows = layers[0].product.result().shape.rows();
    let name = |layer: &Layer| {
        let (size, stages) = (Size::of(layer), layer.tail.iter().filter_map(|op| product::stage(op, &layer.product)).collect());
        let after = After::Layer { bias: parts(layer).2.is_some(), stages };
        format!("{} of {}x{}{}", after.name(), size.width, size.terms, if size.along { "" } else { " down" })
    };
    bind("x", parts(&layers[0]).0.0);
    to.reads("x");
    to.number("rows", "u32");
    for (l, layer) in layers.iter().enumerate() {
        let ((_, along), w, bias) = parts(layer);
        let size = Size::of(layer);
        let (terms, width, panel) = (size.terms, size.width, size.panel());
        bind("w", w);
        to.reads(&format!("w{l}"));
        // Number `slot` of the panel that begins with term `k0`: neighbours read neighbouring addresses.
        let (term, column) = match along {
            true => (format!("slot % {panel}u"), format!("slot / {panel}u")),
            false => (format!("slot / {width}u"), format!("slot % {width}u")),
        };
        let at = match along {
            true => format!("column * {terms}u + term"),
            false => format!("term * {width}u + column"),
        };
        to.code += &format!("fn weight{l}(k0: u32, slot: u32) -> f32 {{\n");
        to.line(&format!("let term = min(k0 + {term}, {}u);", terms - 1));
        to.line(&format!("let column = min({column}, {}u);", width - 1));
        to.line(&format!("return w{l}[u.w{l}_at + {at}];"));
        to.code += &format!("}}\n\nfn put{l}(slot: u32, number: f32) {{\n");
        to.line(&format!("if (slot < {}u) {{", panel * width));
        to.line(&format!("    panel[({term}) * {}u + {column}] = number;", size.pitch()));
        to.line("}");
        to.code += &format!("}}\n\nfn after{l}(row: u32, column: u32, sum: f32) -> f32 {{\n");
        to.line(&format!("let e = row * {width}u + column;"));
        if let Some(bias) = bias {
            bind("b", bias);
        }
        to.product(&l.to_string(), bias.is_some());
        bind("y", layer.product.result());
        to.line("var last = product;");
        for op in &layer.tail {
            let Some(stage) = product::stage(op, &layer.product) else { unreachable!("a function of single numbers") };
            if let (Stage::MapGrad { own: false, .. }, Op::MapGrad { x, .. }) = (stage, op) {
                bind("x", x);
            }
            bind("y", op.result());
            to.stage(l, stage);
        }
        to.line("return last;");
        to.code += "}\n\n";
    }
    to.code += &body(layers);
    let name = format!("chain of {}", layers.iter().map(name).collect::<Vec<_>>().join("; "));
    let memory = format!("var<workgroup> held: array<f32, {}>;\nvar<workgroup> panel: array<f32, {ROOM}>;\n", 2 * ROWS * WIDE);
    let text = [to.head(), memory, shader::GRID.1.into(), to.functions(), to.code].join("\n");
    let op = layers[0].product.name();
    Launch { op, shader: Arc::new(Shader::made(&name, CHAIN, text)), operands, words: vec![rows as u32], grid: fold(rows.div_ceil(ROWS)) }
}

/// The way of two rows through all layers.
fn body(layers: &[Layer]) -> String {
    let mut to = Writer::default();
    to.main(&LANES.to_string());
    to.line(&format!("let first = {ROWS}u * group_number(group, groups);"));
    let slot = |n: usize| format!("lane + {}u", n * LANES);
    for (l, layer) in layers.iter().enumerate() {
        Size::of(layer).fetches().for_each(|s| to.line(&format!("var next{l}_{s} = weight{l}(0u, {});", slot(s))));
    }
    // What lies outside is the last row once more, and is not stored.
    let terms = Size::of(&layers[0]).terms;
    to.line(&format!("for (var i = lane; i < {}u; i += {LANES}u) {{", ROWS * terms));
    to.line(&format!("    let row = min(first + i / {terms}u, u.rows - 1u);"));
    to.line(&format!("    held[i / {terms}u * {WIDE}u + i % {terms}u] = x[u.x_at + row * {terms}u + i % {terms}u];"));
    to.line("}");
    for (l, layer) in layers.iter().enumerate() {
        let size = Size::of(layer);
        let (terms, width, panel) = (size.terms, size.width, size.panel());
        // What a layer takes and what it gives change places.
        let half = |n: usize| n % 2 * ROWS * WIDE;
        for r in size.results() {
            to.line(&format!("let slot{l}_{r} = min({}, {}u);", slot(r), ROWS * width - 1));
            to.line(&format!("let from{l}_{r} = {}u + slot{l}_{r} / {width}u * {WIDE}u;", half(l)));
            to.line(&format!("var sum{l}_{r} = 0.0;"));
        }
        to.line(&format!("for (var k0 = 0u; k0 < {terms}u; k0 += {panel}u) {{"));
        to.line("    workgroupBarrier();");
        size.fetches().for_each(|s| to.line(&format!("    put{l}({}, next{l}_{s});", slot(s))));
        to.line("    workgroupBarrier();");
        if panel < terms {
            size.fetches().for_each(|s| to.line(&format!("    next{l}_{s} = weight{l}(k0 + {panel}u, {});", slot(s))));
        }
        to.line(&format!("    for (var t = 0u; t < min({panel}u, {terms}u - k0); t++) {{"));
        for r in size.results() {
            let weight = format!("panel[t * {}u + slot{l}_{r} % {width}u]", size.pitch());
            to.line(&format!("        sum{l}_{r} = fma(held[from{l}_{r} + k0 + t], {weight}, sum{l}_{r});"));
        }
        to.line("    }");
        to.line("}");
        for r in size.results() {
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

/// The stem of its texts.
pub(super) const CHAIN: &str = "chain";
