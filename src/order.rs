//! Whether the order of ops matters. The CPU's plan, the edges of a CUDA graph and the grouping of ops all ask here.

use crate::Shape;
use crate::device::View;
use crate::op::Op;
#[cfg(feature = "cuda")]
use crate::op::Role;

/// What some ops touch, as one.
#[cfg(feature = "cuda")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    reads: Vec<View>,
    writes: Vec<View>,
}

#[cfg(feature = "cuda")]
impl Touched {
    pub(crate) fn by<'a>(ops: impl IntoIterator<Item = &'a Op>) -> Touched {
        let mut touched = Touched::default();
        for operand in ops.into_iter().flat_map(|op| op.form().operands()) {
            let to = if operand.role == Role::Read { &mut touched.reads } else { &mut touched.writes };
            to.push(operand.of.clone());
        }
        touched
    }

    /// Whether one writes what the other touches.
    pub(crate) fn conflicts(&self, other: &Touched) -> bool {
        let meets = |a: &[View], b: &[View]| a.iter().any(|a| b.iter().any(|b| a.overlaps(b)));
        meets(&self.writes, &other.writes) || meets(&self.writes, &other.reads) || meets(&self.reads, &other.writes)
    }
}

/// Whether the order of two ops matters: one writes what the other touches.
#[cfg(feature = "cuda")]
pub(crate) fn conflicts(a: &Op, b: &Op) -> bool {
    let writes = |a: &Op, b: &Op| a.writes().any(|written| b.form().operands().any(|o| o.of.overlaps(written)));
    writes(a, b) || writes(b, a)
}

/// Whether the fill `ops[at]` need be done only once: nothing else writes there, and nothing before it reads there.
pub(crate) fn is_constant(ops: &[Op], at: usize) -> bool {
    let y = ops[at].result();
    let touched = |op: &Op| op.reads().any(|view| view.overlaps(y));
    let written = |op: &Op| op.writes().any(|view| view.overlaps(y));
    !ops[..at].iter().any(|op| touched(op) || written(op)) && !ops[at + 1..].iter().any(written)
}

/// Adam divided at the gradients of dense layers, if only dense layers and fills write its gradients.
pub(crate) fn adams(ops: &[Op], adam: &Op) -> Vec<Op> {
    let Op::Adam { p, g, m, v, table, clock, hyper } = adam else { return vec![adam.clone()] };
    let writers: Vec<&Op> = ops.iter().filter(|op| op.writes().any(|view| view.overlaps(g))).collect();
    let plain = writers.iter().all(|op| matches!(op, Op::DenseDw { .. } | Op::DenseDb { .. } | Op::Fill { .. }));
    let inside = |view: &View| view.offset >= g.offset && view.offset + view.len() <= g.offset + g.len();
    let mut cuts: Vec<&View> = writers.iter().map(|op| op.result()).filter(|view| inside(view)).collect();
    cuts.sort_by_key(|view| view.offset);
    if !plain || cuts.is_empty() || cuts.windows(2).any(|w| w[0].overlaps(w[1])) {
        return vec![adam.clone()];
    }
    let mut parts = Vec::new();
    let mut part = |start: usize, shape: Shape| {
        let of = |view: &View| view.part(start, shape);
        if let (Some(p), Some(g), Some(m), Some(v)) = (of(p), of(g), of(m), of(v)) {
            parts.push(Op::Adam { p, g, m, v, table: table.clone(), clock: clock.clone(), hyper: *hyper });
        }
    };
    let mut done = 0;
    let gap = |from: usize, to: usize| (from < to).then(|| Shape::new(&[to - from]).expect("shorter than the whole"));
    for cut in cuts {
        let start = cut.offset - g.offset;
        if let Some(shape) = gap(done, start) {
            part(done, shape);
        }
        part(start, cut.shape);
        done = start + cut.len();
    }
    if let Some(shape) = gap(done, g.len()) {
        part(done, shape);
    }
    parts
}

/// Which of a list's units must wait for which, so that any order that keeps to it gives the list's results.
#[cfg(feature = "cuda")]
pub(crate) struct Edges {
    /// Whether two units touch what one of them writes.
    conflict: Vec<Vec<bool>>,
}

#[cfg(feature = "cuda")]
impl Edges {
    pub(crate) fn new(units: &[Touched]) -> Edges {
        Edges { conflict: units.iter().map(|a| units.iter().map(|b| a.conflicts(b)).collect()).collect() }
    }

    /// For each unit of so many runs of the list, one after the other, those before it that it must wait for, but for
    /// those that these themselves wait for. A unit writes something and so waits for itself of the run before: what
    /// lies further back needs no look.
    pub(crate) fn over(&self, times: usize) -> Vec<Vec<usize>> {
        let n = self.conflict.len();
        // For each unit, the distances back to the ones that come before it in any order: up to two runs.
        let mut waits: Vec<Vec<usize>> = Vec::with_capacity(times * n);
        let mut reached: Vec<Vec<bool>> = Vec::with_capacity(times * n);
        for at in 0..times * n {
            let (mut direct, mut all) = (Vec::new(), vec![false; 2 * n + 1]);
            for back in 1..=at.min(n) {
                let before = at - back;
                if all[back] || !self.conflict[at % n][before % n] {
                    continue;
                }
                direct.push(before);
                all[back] = true;
                reached[before]
                    .iter()
                    .enumerate()
                    .filter(|(further, there)| **there && back + further <= 2 * n)
                    .for_each(|(further, _)| all[back + further] = true);
            }
            waits.push(direct);
            reached.push(all);
        }
        waits
    }
}
