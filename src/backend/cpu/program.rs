//! A list of ops on the CPU: one entry into the thread pool per run, in which a team walks the plan for all steps.

use super::memory::Memory;
use super::plan::{Phase, Plan};
use super::work::Work;
use super::{Core, team};
use crate::Result;
use crate::device::{Counts, Executable, View};
use std::sync::Arc;

pub(super) struct Team {
    core: Arc<Core>,
    /// Ops of the list.
    ops: usize,
    plan: Plan,
    counts: Counts,
    /// One view of each buffer that a run writes.
    written: Vec<View>,
    /// One view of each buffer that the works before the first step touch, and its version when a run last ended: as
    /// long as nothing else writes there, their results stay valid.
    prepared: Vec<(View, Option<u64>)>,
}

impl Team {
    /// For a list of this many ops.
    pub(super) fn new(core: Arc<Core>, ops: usize, plan: Plan) -> Team {
        let touches = |phases: &[Phase]| phases.iter().flatten().flat_map(|c| &c.works).flat_map(Work::touches).collect::<Vec<_>>();
        let prologue = touches(&plan.prologue);
        let written = touches(&plan.step).into_iter().chain(prologue.clone()).filter(|touch| touch.written);
        let written = buffers(written.map(|touch| touch.view));
        let prepared = buffers(prologue.into_iter().map(|touch| touch.view)).into_iter().map(|view| (view, None)).collect();
        Team { core, ops, plan, counts: Counts::default(), written, prepared }
    }
}

/// One view of each buffer.
fn buffers(views: impl Iterator<Item = View>) -> Vec<View> {
    let mut all: Vec<View> = Vec::new();
    for view in views {
        if !all.iter().any(|known| known.same_buffer(&view)) {
            all.push(view);
        }
    }
    all
}

impl Executable for Team {
    fn run(&mut self, steps: usize) -> Result<()> {
        if steps == 0 {
            return Ok(());
        }
        let (core, plan) = (&self.core, &self.plan);
        let (written, prepared) = (&self.written, &mut self.prepared);
        let prologue = core.with_slices(|slices| {
            let holds = prepared.iter().all(|(view, version)| *version == Some(Memory::of(view).version()));
            plan.begin();
            let prologue = if holds { &[][..] } else { &plan.prologue[..] };
            team::run(&core.pool, plan.threads, |member| {
                let mut scratch = core.scratch(member.thread);
                let phase = |step: usize, phase: &Phase| {
                    for chain in phase {
                        chain.walk(member, step, |_, work, units| work.execute(core.level, slices, scratch.floats(), units));
                    }
                };
                let steps = (0..steps).flat_map(|step| plan.step.iter().map(move |phase| (step, phase)));
                walk(prologue.iter().map(|phase| (0, phase)).chain(steps), phase, || member.wait());
            });
            written.iter().for_each(|view| Memory::of(view).changed());
            prepared.iter_mut().for_each(|(view, version)| *version = Some(Memory::of(view).version()));
            prologue.len()
        })?;
        self.counts.add(steps, self.ops, 1);
        let phases = prologue + steps * self.plan.step.len();
        self.counts.barriers = self.counts.barriers.saturating_add(phases.saturating_sub(1) as u64);
        Ok(())
    }

    fn rung(&self) -> &'static str {
        "team"
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn plan(&self) -> String {
        self.plan.to_string()
    }
}

/// Does phase after phase, each with its step, with a barrier between two; ends early when `wait` says so.
fn walk<'a>(phases: impl Iterator<Item = (usize, &'a Phase)>, mut phase: impl FnMut(usize, &Phase), wait: impl Fn() -> bool) {
    for (at, (step, next)) in phases.enumerate() {
        if at > 0 && !wait() {
            return;
        }
        phase(step, next);
    }
}
