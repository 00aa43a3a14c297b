//! The end of a step in one launch: what is left of sums, numbers that are stored in their rings, and the clock. Its
//! text is made, since each sum and each ring has its own bindings.

use super::plan::{Bind, Launch, bits};
use super::shader::{self, Shader};
use super::writer::Writer;
use crate::op::Op;
use std::sync::Arc;

/// The launch that sums up parts, then stores, then advances the clock.
pub(super) fn launch(sums: &[Op], stores: &[Op], advance: &Op) -> Launch {
    let (mut operands, mut words, mut to) = (Vec::new(), Vec::new(), Writer::default());
    let mut bind = |name, view: &crate::device::View| operands.push(Bind { name, index: operands.len(), view: view.clone() });
    to.code += "@compute @workgroup_size(256)\nfn main(@builtin(local_invocation_index) lane: u32) {\n";
    for (i, sum) in sums.iter().enumerate() {
        let Op::Reduce { parts, y, scale, .. } = sum else { unreachable!("a sum") };
        bind("parts", parts);
        bind("y", y);
        words.extend([parts.len() as u32, scale.to_bits()]);
        to.reads(&format!("parts{i}"));
        to.writes(&format!("y{i}"));
        to.number(&format!("count{i}"), "u32");
        to.number(&format!("scale{i}"), "f32");
        to.line(&format!("var partial{i} = 0.0;"));
        to.line(&format!("for (var i = lane; i < u.count{i}; i += 256u) {{"));
        to.line(&format!("    partial{i} = partial{i} + parts{i}[u.parts{i}_at + i];"));
        to.line("}");
        to.line(&format!("let total{i} = tree(lane, partial{i});"));
        // The next one writes where other lanes may still read.
        to.line("workgroupBarrier();");
    }
    to.line("if (lane != 0u) {");
    to.line("    return;");
    to.line("}");
    for i in 0..sums.len() {
        to.line(&format!("y{i}[u.y{i}_at] = total{i} * u.scale{i};"));
    }
    to.line("let step = clock[u.clock_at + 1u];");
    for (i, store) in stores.iter().enumerate() {
        let Op::Store { x, ring, .. } = store else { unreachable!("a number that is stored") };
        bind("x", x);
        bind("ring", ring);
        words.push(ring.len() as u32);
        to.reads(&format!("x{i}"));
        to.writes(&format!("ring{i}"));
        to.number(&format!("entries{i}"), "u32");
        to.line(&format!("ring{i}[u.ring{i}_at + step % u.entries{i}] = x{i}[u.x{i}_at];"));
    }
    bind("clock", advance.result());
    to.buffer("clock", true, "u32");
    for (name, word) in ["rows", "period"].into_iter().zip(advance.words()) {
        to.number(name, "u32");
        words.push(bits(word));
    }
    to.line("clock[u.clock_at] = moved(clock[u.clock_at]);");
    to.line("clock[u.clock_at + 1u] = step + 1u;");
    to.code += "}\n";
    let name = format!("end of {} sums and {} stores", sums.len(), stores.len());
    let text = [to.head(), shader::TREE.1.into(), shader::CURSOR.1.into(), to.code].join("\n");
    Launch { op: advance.name(), shader: Arc::new(Shader::made(&name, END, text)), operands, words, grid: [1, 1] }
}

/// The stem of its texts.
pub(super) const END: &str = "end";
