//! How a team runs a list of ops: the works that the list is made of, in an order that needs few barriers.
//!
//! A plan does what the list does, bit for bit, and no value is left out. What it changes:
//! 1. Weights are packed once a step, not once a product and thread: before the first step, and again by the threads that have just written them.
//! 2. Adam over the flat buffer becomes one Adam for each gradient, so that a thread updates the rows it has just summed.
//! 3. A fill that nobody else overwrites is done once, before the first step.
//! 4. A work may go before another one if neither touches what the other writes. Those that need no barrier between them are put together, and what
//!    goes on with the rows that a thread has just written follows at once.

use super::gemm;
use super::touch::Touching;
use super::work::Work;
use crate::device::View;
use crate::op::Op;
use crate::{Dtype, Level, Result, Shape};
use std::fmt;

/// What happens between two barriers.
pub(super) type Phase = Vec<Work>;

/// A list of ops, ready for a team.
pub(super) struct Plan {
    pub(super) threads: usize,
    /// Before the first step.
    pub(super) prologue: Vec<Phase>,
    /// In each step.
    pub(super) step: Vec<Phase>,
}

/// Floating-point operations and bytes of a step for which it pays to wait for one more thread: some 10 microseconds.
const WORTH: u64 = 1_000_000;

impl Plan {
    /// For at most so many threads, and no more than there is work for.
    pub(super) fn new(ops: &[Op], threads: usize, level: Level) -> Result<Plan> {
        let cost = ops.iter().map(|op| op.cost().flops + op.cost().bytes).sum::<u64>();
        Plan::for_threads(ops, threads.min(1 + (cost / WORTH) as usize), level)
    }

    /// For at most so many threads, however little there is to do.
    pub(super) fn for_threads(ops: &[Op], threads: usize, level: Level) -> Result<Plan> {
        let most = ops.iter().map(|op| Work::new(op, threads).split.most_parts()).max().unwrap_or(1);
        let threads = threads.min(most.max(1));
        let (prologue, step) = lower(ops, threads, level)?;
        Ok(Plan { threads, prologue: schedule(prologue, threads), step: schedule(step, threads) })
    }

    /// Barriers that a run of so many steps meets.
    pub(super) fn barriers(&self, steps: usize) -> usize {
        (self.prologue.len() + steps * self.step.len()).saturating_sub(1)
    }
}

/// The works of a list: those before the first step, and those of each step, in an order that is right.
fn lower(ops: &[Op], threads: usize, level: Level) -> Result<(Vec<Work>, Vec<Work>)> {
    let (mut prologue, mut step) = (Vec::new(), Vec::new());
    let mut packed: Vec<Packed> = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        let mut work = Work::new(op, threads);
        if let (Op::Dense { w, .. }, Some(panel)) = (op, gemm::panel(level)) {
            let known = packed.iter().position(|p| p.w.identical(w) && p.w.shape == w.shape);
            let entry = match known {
                Some(known) => &mut packed[known],
                None => {
                    packed.push(Packed::new(w, panel, threads)?);
                    let entry = packed.last_mut().expect("just pushed");
                    match ops[..at].iter().any(|op| entry.is_written_by(op)) {
                        true => (entry.fresh, entry.carried) = (false, false),
                        false => prologue.push(entry.work.clone()),
                    }
                    entry
                }
            };
            if !entry.fresh {
                step.push(entry.work.clone());
                entry.fresh = true;
            }
            work = work.with_packed(&entry.to);
        }
        match op {
            Op::Fill { .. } if is_constant(ops, at) => prologue.push(work),
            Op::Adam { .. } => step.extend(adams(ops, op).iter().map(|op| Work::new(op, threads))),
            _ => step.push(work),
        }
        step.extend(Work::total(op));
        packed.iter_mut().for_each(|p| p.fresh &= !p.is_written_by(op));
    }
    step.extend(packed.into_iter().filter(|p| p.carried && !p.fresh).map(|p| p.work));
    Ok((prologue, step))
}

/// Weights in panels.
struct Packed {
    w: View,
    to: View,
    work: Work,
    /// Whether `to` holds what w holds, at this point of the list.
    fresh: bool,
    /// Whether a step begins with what the one before it has packed.
    carried: bool,
}

impl Packed {
    fn new(w: &View, panel: usize, threads: usize) -> Result<Packed> {
        let (n, k) = (w.shape.rows(), w.shape.columns());
        let to = w.device().alloc(Dtype::F32, Shape::new(&[n.div_ceil(panel), k, panel])?)?;
        Ok(Packed { w: w.clone(), work: Work::pack(w, &to, threads), to, fresh: true, carried: true })
    }

    fn is_written_by(&self, op: &Op) -> bool {
        op.writes().iter().any(|(_, view)| view.overlaps(&self.w))
    }
}

/// Whether the fill `ops[at]` leaves the same after every step, and nobody looks before the first.
fn is_constant(ops: &[Op], at: usize) -> bool {
    let y = ops[at].writes()[0].1;
    let touched = |op: &Op| op.reads().iter().any(|(_, view)| view.overlaps(y));
    let written = |op: &Op| op.writes().iter().any(|(_, view)| view.overlaps(y));
    !ops[..at].iter().any(|op| touched(op) || written(op)) && !ops[at + 1..].iter().any(written)
}

/// Adam cut at the gradients of dense layers, if nothing but these and fills writes its gradients.
fn adams(ops: &[Op], adam: &Op) -> Vec<Op> {
    let Op::Adam { p, g, m, v, table, clock, hyper } = adam else { return vec![adam.clone()] };
    let writers: Vec<&Op> = ops.iter().filter(|op| op.writes().iter().any(|(_, view)| view.overlaps(g))).collect();
    let plain = writers.iter().all(|op| matches!(op, Op::DenseDw { .. } | Op::DenseDb { .. } | Op::Fill { .. }));
    let inside = |view: &View| view.offset >= g.offset && view.offset + view.len() <= g.offset + g.len();
    let mut cuts: Vec<&View> = writers.iter().map(|op| op.writes()[0].1).filter(|view| inside(view)).collect();
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

/// Puts works into phases, as early as those before them allow.
fn schedule(works: Vec<Work>, threads: usize) -> Vec<Phase> {
    let touching: Vec<Touching> = works.iter().map(Touching::new).collect();
    let n = works.len();
    // How many that must come before each are still to be placed.
    let mut before = vec![0; n];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); n];
    for j in 0..n {
        for i in 0..j {
            if touching[i].ordered(&touching[j]) {
                before[j] += 1;
                after[i].push(j);
            }
        }
    }
    const PLACED: usize = usize::MAX;
    let take = |phase: Vec<usize>| phase.into_iter().map(|i| works[i].clone()).collect();
    let mut phases = Vec::new();
    let mut phase: Vec<usize> = Vec::new();
    let mut clashes = vec![false; n];
    let mut left = n;
    while left > 0 {
        let ready = |i: &usize| before[*i] == 0 && !clashes[*i];
        // What goes on with what the last one has just left, cut in the same way, comes first.
        let follows =
            phase.last().and_then(|&last| after[last].iter().copied().find(|i| ready(i) && touching[*i].split == touching[last].split));
        let Some(next) = follows.or_else(|| (0..n).find(ready)) else {
            phases.push(take(std::mem::take(&mut phase)));
            clashes.fill(false);
            continue;
        };
        phase.push(next);
        before[next] = PLACED;
        left -= 1;
        for &i in &after[next] {
            before[i] -= 1;
            // Only what must stay in order can clash.
            clashes[i] = clashes[i] || touching[next].clashes(&touching[i], threads);
        }
    }
    if !phase.is_empty() {
        phases.push(take(phase));
    }
    phases
}

/// A line per phase: its works.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (threads, barriers) = (self.threads, self.barriers(2) - self.barriers(1));
        writeln!(f, "a team of {threads} thread{}, {barriers} barrier{} a step", plural(threads), plural(barriers))?;
        for (when, phases) in [("before", &self.prologue), ("step", &self.step)] {
            for phase in phases {
                writeln!(f, "{when:<7}{}", phase.iter().map(Work::name).collect::<Vec<_>>().join(" "))?;
            }
        }
        Ok(())
    }
}
