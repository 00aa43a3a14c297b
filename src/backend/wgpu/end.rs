//! The end of a step in one launch: what is left of sums, numbers that are stored in their rings, and the clock. Its
//! text is made, since each sum and each ring has its own bindings.

use super::plan::{Bind, Launch, bits};
use super::shader;
use super::writer::Writer;
use crate::device::View;
use crate::op::Op;

/// The launch that sums up parts, then stores, then advances the clock.
pub(super) fn launch(sums: &[Op], stores: &[Op], advance: &Op) -> Launch {
    let (mut operands, mut words) = (Vec::new(), Vec::new());
    let mut bind = |name, view: &View| operands.push(Bind { name, index: operands.len(), view: view.clone() });
    for sum in sums {
        let Op::Reduce { parts, y, scale, .. } = sum else { unreachable!("a sum") };
        bind("parts", parts);
        bind("y", y);
        words.extend([parts.len() as u32, scale.to_bits()]);
    }
    for store in stores {
        let Op::Store { x, ring, .. } = store else { unreachable!("a number that is stored") };
        bind("x", x);
        bind("ring", ring);
        words.push(ring.len() as u32);
    }
    bind("clock", advance.result());
    words.extend(advance.words().into_iter().map(bits));
    let name = format!("end of {} sums and {} stores", sums.len(), stores.len());
    let shader = shader::made(name, "end", || text(sums.len(), stores.len()));
    Launch { op: advance.name(), shader, operands, words, grid: [1, 1] }
}

fn text(sums: usize, stores: usize) -> String {
    let mut to = Writer::default();
    to.code += "@compute @workgroup_size(256)\nfn main(@builtin(local_invocation_index) lane: u32) {\n";
    for i in 0..sums {
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
    for i in 0..sums {
        to.line(&format!("y{i}[u.y{i}_at] = total{i} * u.scale{i};"));
    }
    to.line("let step = clock[u.clock_at + 1u];");
    for i in 0..stores {
        to.reads(&format!("x{i}"));
        to.writes(&format!("ring{i}"));
        to.number(&format!("entries{i}"), "u32");
        to.line(&format!("ring{i}[u.ring{i}_at + step % u.entries{i}] = x{i}[u.x{i}_at];"));
    }
    to.buffer("clock", true, "u32");
    ["rows", "period"].into_iter().for_each(|name| to.number(name, "u32"));
    to.line("clock[u.clock_at] = moved(clock[u.clock_at]);");
    to.line("clock[u.clock_at + 1u] = step + 1u;");
    to.code += "}\n";
    [to.head(), shader::TREE.1.into(), shader::CURSOR.1.into(), to.code].join("\n")
}
