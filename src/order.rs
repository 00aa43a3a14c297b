//! What of a list's order matters. The grouping of ops and the edges of a CUDA graph ask here; so does the CPU's plan,
//! which then looks closer, at the rows that each thread touches.

use crate::Shape;
use crate::device::View;
use crate::op::Op;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
use crate::op::Role;

/// What some ops touch, as one.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    reads: Vec<View>,
    writes: Vec<View>,
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
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

/// For each pair of units, whether their order matters.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) fn conflicts(units: &[Touched]) -> Vec<Vec<bool>> {
    units.iter().map(|a| units.iter().map(|b| a.conflicts(b)).collect()).collect()
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

/// For each unit of a list that is run `times` times over, the units before it that it must wait for; any order that
/// keeps to that gives the list's results. Units for which another one already waits are left out. Every unit writes
/// something, and so waits for itself of the run before: no look goes further back than one run.
#[cfg(feature = "cuda")]
pub(crate) fn edges(conflict: &[Vec<bool>], times: usize) -> Vec<Vec<usize>> {
    let n = conflict.len();
    let mut waits: Vec<Vec<usize>> = Vec::with_capacity(times * n);
    // For each unit and each distance back, up to two runs, whether the unit there comes before it in any order.
    let mut reached: Vec<Vec<bool>> = Vec::with_capacity(times * n);
    for at in 0..times * n {
        let (mut direct, mut all) = (Vec::new(), vec![false; 2 * n + 1]);
        for back in 1..=at.min(n) {
            let before = at - back;
            if all[back] || !conflict[at % n][before % n] {
                continue;
            }
            direct.push(before);
            all[back] = true;
            let further = (1..=2 * n - back).filter(|&further| reached[before][further]);
            further.for_each(|further| all[back + further] = true);
        }
        waits.push(direct);
        reached.push(all);
    }
    waits
}

#[cfg(all(test, feature = "cuda"))]
mod tests {
    use super::edges;

    /// All pairs whose order matters are ordered by the edges, directly or not, and no edge could be left out.
    #[test]
    fn edges_order_what_has_an_order_and_nothing_twice() {
        let mut dice = 1u64;
        for n in [1, 2, 3, 8, 13] {
            for sparse in [2, 5, 20] {
                let mut draw = || {
                    dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (dice >> 33).is_multiple_of(sparse)
                };
                let pairs: Vec<bool> = (0..n * n).map(|_| draw()).collect();
                let meets = |a: usize, b: usize| a == b || pairs[a.max(b) * n + a.min(b)];
                let conflict: Vec<Vec<bool>> = (0..n).map(|a| (0..n).map(|b| meets(a, b)).collect()).collect();
                let waits = edges(&conflict, 4);
                let comes_before = |waits: &[Vec<usize>]| {
                    let mut before = vec![vec![false; 4 * n]; 4 * n];
                    for at in 0..4 * n {
                        for &direct in &waits[at] {
                            before[at][direct] = true;
                            (0..direct).filter(|&b| before[direct][b]).collect::<Vec<_>>().into_iter().for_each(|b| before[at][b] = true);
                        }
                    }
                    before
                };
                let before = comes_before(&waits);
                for at in 0..4 * n {
                    assert!((0..at).all(|b| !conflict[at % n][b % n] || before[at][b]), "{n} units, {at}: {waits:?}");
                    for left_out in 0..waits[at].len() {
                        let mut fewer = waits.clone();
                        let edge = fewer[at].remove(left_out);
                        assert!(!comes_before(&fewer)[at][edge], "{n} units: {at} need not wait for {edge}");
                    }
                }
            }
        }
    }
}
