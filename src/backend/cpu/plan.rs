//! How a team runs a list of ops: the works that make up the list, in an order that needs few barriers. A plan computes
//! every value of the list, bit for bit. It changes the following:
//! 1. The right sides of products are packed once a step, not once per product and thread: weights before the first
//!    step, and again by the threads that have just written them; large activations by the threads that have just
//!    computed them.
//! 2. Adam over the flat buffer becomes one Adam for each gradient, so that a thread updates the rows it has just
//!    summed.
//! 3. A fill that nothing else overwrites is done once, before the first step.
//! 4. A work may go before another if neither touches what the other writes. Works that need no barrier between them
//!    are put together. A work on the rows that a thread has just written follows at once: where there are many rows,
//!    a few at a time, before they leave the cache.

use super::gemm;
use super::team::Member;
use super::touch::Touching;
use super::work::{self, Order, Work};
use crate::device::View;
use crate::op::Op;
use crate::order::{adams, is_constant};
use crate::{Dtype, Level, Result, Shape};
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What happens between two barriers.
pub(super) type Phase = Vec<Chain>;

/// Works on the same rows, one after the other.
pub(super) struct Chain {
    pub(super) works: Vec<Work>,
    turns: Option<Turns>,
}

/// A chain done some units at a time: all works on these units before the next units. A thread takes turns in its own
/// part, whose rows are in its core's cache, and then in the parts of others. So a thread that shares its core with
/// another process leaves some turns to the rest of the team.
struct Turns {
    units: usize,
    /// For each part, how many turns have been taken.
    parts: Vec<Taken>,
}

/// One count for even steps and one for odd steps: the thread that takes the first turn of a step resets the other
/// count.
#[derive(Default)]
#[repr(align(64))]
struct Taken([AtomicUsize; 2]);

impl Chain {
    /// The units of a turn, if the chain is done in turns.
    #[cfg(test)]
    pub(super) fn turn(&self) -> Option<usize> {
        self.turns.as_ref().map(|turns| turns.units)
    }

    /// Calls `f` with the index of each work in the chain, the work, and units, until nothing is left for this thread
    /// to do. Every thread of the team calls it once per step, and all wait for each other before the next step.
    pub(super) fn walk(&self, member: &Member, step: usize, mut f: impl FnMut(usize, &Work, Range<usize>)) {
        let mut all = |units: Range<usize>| self.works.iter().enumerate().for_each(|(at, work)| f(at, work, units.clone()));
        let partition = self.works[0].partition;
        let Some(turns) = &self.turns else { return all(partition.part(member.thread, member.threads)) };
        for part in (member.thread..member.threads).chain(0..member.thread) {
            let (units, taken) = (partition.part(part, member.threads), &turns.parts[part].0);
            loop {
                // Relaxed: the count says only which turns are taken. The barriers order all other memory.
                let turn = taken[step % 2].fetch_add(1, Ordering::Relaxed);
                if turn == 0 {
                    taken[(step + 1) % 2].store(0, Ordering::Relaxed);
                }
                let start = units.start + turn * turns.units;
                if start >= units.end {
                    break;
                }
                all(start..units.end.min(start + turns.units));
            }
        }
    }
}

/// Sizes from which the plan uses more memory, or more turns, to move fewer bytes from distant memory. A test makes
/// them small.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// Elements from which weights are packed for `dz w`, and x for `dz^T x`: 1 MB. Smaller ones are read where they
    /// lie, but see `many`.
    pub(super) pack: usize,
    /// Rows of a batch from which weights are packed for `dz w`.
    pub(super) rows: usize,
    /// Rows of a batch from which weights of any size are packed for `dz w`.
    pub(super) many: usize,
    /// Elements that works on the same rows write before the next rows begin: 1 MB stays in L2.
    pub(super) near: usize,
    /// The smallest number of rows per turn: in each turn a product reads all of its right side again.
    pub(super) least: usize,
}

pub(super) const SIZES: Sizes = Sizes { pack: 256 * 1024, rows: 64, many: 512, near: 256 * 1024, least: 64 };

/// A list of ops, prepared for a team.
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
    /// A plan for at most this many threads, and no more than there is work for.
    pub(super) fn new(ops: &[Op], threads: usize, level: Level) -> Result<Plan> {
        let cost = ops.iter().map(|op| op.cost().flops + op.cost().bytes).sum::<u64>();
        Plan::for_threads(ops, threads.min(1 + (cost / WORTH) as usize), level)
    }

    /// A plan for at most this many threads, however little work there is.
    pub(super) fn for_threads(ops: &[Op], threads: usize, level: Level) -> Result<Plan> {
        Plan::with_sizes(ops, threads, level, SIZES)
    }

    pub(super) fn with_sizes(ops: &[Op], threads: usize, level: Level, sizes: Sizes) -> Result<Plan> {
        let most = ops.iter().map(|op| Work::new(op, threads).partition.most_parts()).max().unwrap_or(1);
        let threads = threads.min(most.max(1));
        let (prologue, step) = lower(ops, threads, level, sizes)?;
        Ok(Plan { threads, prologue: schedule(prologue, threads, sizes), step: schedule(step, threads, sizes) })
    }

    /// Resets all turns: a run begins with step 0.
    pub(super) fn begin(&self) {
        let turns = self.prologue.iter().chain(&self.step).flatten().filter_map(|chain| chain.turns.as_ref());
        turns.flat_map(|turns| &turns.parts).flat_map(|taken| &taken.0).for_each(|taken| taken.store(0, Ordering::Relaxed));
    }

    /// The number of barriers in a run of this many steps.
    pub(super) fn barriers(&self, steps: usize) -> usize {
        (self.prologue.len() + steps * self.step.len()).saturating_sub(1)
    }
}

/// The works of a list: those before the first step, and those of each step, in a valid order.
fn lower(ops: &[Op], threads: usize, level: Level, sizes: Sizes) -> Result<(Vec<Work>, Vec<Work>)> {
    let (mut prologue, mut step) = (Vec::new(), Vec::new());
    let mut packed = packed(ops, threads, level, sizes)?;
    prologue.extend(packed.iter().filter(|p| p.carried).map(|p| p.work.clone()));
    for (at, op) in ops.iter().enumerate() {
        let mut work = Work::new(op, threads);
        if let Some(packed) = packed.iter_mut().find(|p| p.readers.contains(&at)) {
            if !std::mem::replace(&mut packed.fresh, true) {
                step.push(packed.work.clone());
            }
            work = work.with_packed(&packed.to);
        }
        match op {
            Op::Fill { .. } if is_constant(ops, at) => prologue.push(work),
            Op::Adam { .. } => step.extend(adams(ops, op).iter().map(|op| Work::new(op, threads))),
            _ => step.push(work),
        }
        step.extend(Work::total(op));
        for packed in packed.iter_mut().filter(|p| p.is_written_by(op)) {
            packed.fresh = false;
            // The threads that have just computed all of it pack it, if it is read before it changes again.
            let again = ops[at + 1..].iter().position(|op| packed.is_written_by(op)).map_or(ops.len(), |n| at + 1 + n);
            let all_written = op.writes().any(|view| view.identical(&packed.of));
            if all_written && packed.readers.iter().any(|reader| (at + 1..=again).contains(reader)) {
                step.push(packed.work.clone());
                packed.fresh = true;
            }
        }
    }
    step.extend(packed.into_iter().filter(|p| p.carried && !p.fresh).map(|p| p.work));
    Ok((prologue, step))
}

/// A right side of products, in panels.
struct Packed {
    of: View,
    to: View,
    work: Work,
    /// The products that read it.
    readers: Vec<usize>,
    /// Whether `to` holds what `of` holds, at this point of the list.
    fresh: bool,
    /// Whether a step begins with what the previous one has packed.
    carried: bool,
}

impl Packed {
    fn is_written_by(&self, op: &Op) -> bool {
        op.writes().any(|view| view.overlaps(&self.of))
    }
}

/// The right sides that are worth packing, each once for all products that read it in the same order.
fn packed(ops: &[Op], threads: usize, level: Level, sizes: Sizes) -> Result<Vec<Packed>> {
    let mut all: Vec<(Packed, Order)> = Vec::new();
    let panel = gemm::panel(level);
    for (at, op) in ops.iter().enumerate() {
        let Some((of, order)) = work::right(op) else { continue };
        let pays = match op {
            Op::DenseDx { dz, w, .. } => {
                let rows = dz.shape.rows();
                rows >= sizes.many || w.len() >= sizes.pack && rows >= sizes.rows
            }
            Op::DenseDw { dw, .. } => dw.len() >= sizes.pack,
            _ => true,
        };
        if !pays {
            continue;
        }
        if let Some((known, _)) = all.iter_mut().find(|(p, o)| *o == order && p.of.identical(of) && p.of.shape == of.shape) {
            known.readers.push(at);
            continue;
        }
        let (rows, columns) = (of.shape.rows(), of.shape.columns());
        let (wide, deep) = if order == Order::Turned { (rows, columns) } else { (columns, rows) };
        let to = of.device().alloc(Dtype::F32, Shape::new(&[wide.div_ceil(panel), deep, panel])?)?;
        let work = Work::pack(of, &to, order, threads);
        let mut packed = Packed { of: of.clone(), to, work, readers: vec![at], fresh: false, carried: false };
        packed.carried = !ops[..at].iter().any(|op| packed.is_written_by(op));
        packed.fresh = packed.carried;
        all.push((packed, order));
    }
    Ok(all.into_iter().map(|(packed, _)| packed).collect())
}

/// Puts works into phases, each as early as the works before it allow.
fn schedule(works: Vec<Work>, threads: usize, sizes: Sizes) -> Vec<Phase> {
    let touching: Vec<Touching> = works.iter().map(Touching::new).collect();
    let n = works.len();
    // For each work, how many that must come before it are not yet in a phase.
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
    let take = |phase: Vec<usize>| chains(&phase, &works, &touching, threads, sizes);
    let mut phases = Vec::new();
    let mut phase: Vec<usize> = Vec::new();
    let mut clashes = vec![false; n];
    let mut left = n;
    while left > 0 {
        let ready = |i: &usize| before[*i] == 0 && !clashes[*i];
        // First comes a work that uses what the last ones have just written and is divided in the same way.
        let last = phase.iter().rev().take_while(|&&j| phase.last().is_some_and(|&last| touching[j].partition == touching[last].partition));
        let follows =
            last.filter_map(|&j| after[j].iter().copied().find(|i| ready(i) && touching[*i].partition == touching[j].partition)).next();
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
            // Only works whose order matters can clash.
            clashes[i] = clashes[i] || touching[next].clashes(&touching[i], threads);
        }
    }
    if !phase.is_empty() {
        phases.push(take(phase));
    }
    phases
}

/// Joins works of a phase on the same rows, if there are so many rows that they would leave the cache in between.
fn chains(phase: &[usize], works: &[Work], touching: &[Touching], threads: usize, sizes: Sizes) -> Phase {
    let mut chains = Vec::new();
    let mut rest = phase;
    while let Some((first, others)) = rest.split_first() {
        let goes_on = |n: usize| rest[..n].iter().all(|&i| touching[others[n - 1]].goes_on_with(&touching[i]));
        let length = 1 + (1..rest.len()).take_while(|&n| goes_on(n)).count();
        let (chain, after) = rest.split_at(length);
        rest = after;
        let partition = touching[*first].partition;
        let each: usize = chain.iter().map(|&i| touching[i].written_by_unit()).sum();
        let at_once = (sizes.near / each.max(1)).max(sizes.least).next_multiple_of(partition.grain);
        let mine = || chain.iter().map(|&i| works[i].clone());
        // Any thread may take any turn, so nothing else in the phase may depend on which thread did these rows.
        let apart = |i: usize| chain.contains(&i) || chain.iter().all(|&j| !touching[i].ordered(&touching[j]));
        let alone = threads == 1 || phase.iter().all(|&i| apart(i));
        match length > 1 && alone && partition.units.div_ceil(threads) >= 2 * at_once {
            true => chains.push(Chain {
                works: mine().collect(),
                turns: Some(Turns { units: at_once, parts: (0..threads).map(|_| Taken::default()).collect() }),
            }),
            false => chains.extend(mine().map(|work| Chain { works: vec![work], turns: None })),
        }
    }
    chains
}

/// A line per phase with its works; a plus joins works that are done in turns.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        let (threads, barriers) = (self.threads, self.barriers(2) - self.barriers(1));
        writeln!(f, "a team of {threads} thread{}, {barriers} barrier{} a step", plural(threads), plural(barriers))?;
        for (when, phases) in [("before", &self.prologue), ("step", &self.step)] {
            for phase in phases {
                let names = |chain: &Chain| chain.works.iter().map(Work::name).collect::<Vec<_>>().join("+");
                writeln!(f, "{when:<7}{}", phase.iter().map(names).collect::<Vec<_>>().join(" "))?;
            }
        }
        Ok(())
    }
}
