//! A list of ops on the CPU: one entry into the thread pool per run, in which a team walks the plan for all steps.

use super::plan::{Phase, Plan};
use super::{Core, team};
use crate::Result;
use crate::backend::Executable;
use crate::program::Counts;
use std::sync::Arc;

pub(super) struct Team {
    core: Arc<Core>,
    /// Ops of the list.
    ops: usize,
    plan: Plan,
    counts: Counts,
}

impl Team {
    /// For a list of so many ops.
    pub(super) fn new(core: Arc<Core>, ops: usize, plan: Plan) -> Team {
        Team { core, ops, plan, counts: Counts::default() }
    }
}

impl Executable for Team {
    fn run(&mut self, steps: usize) -> Result<()> {
        let (core, plan) = (&self.core, &self.plan);
        core.with_slices(|slices| {
            if steps == 0 {
                return;
            }
            team::run(&core.pool, plan.threads, |member| {
                let mut scratch = core.scratch(member.thread);
                let phase = |phase: &Phase| {
                    for chain in phase {
                        chain.walk(member.thread, member.threads, |_, work, units| {
                            work.execute(core.level, slices, scratch.floats(), units);
                        });
                    }
                };
                let steps = (0..steps).flat_map(|_| &plan.step);
                walk(plan.prologue.iter().chain(steps), phase, || member.wait());
            });
        })?;
        self.counts.add(steps, self.ops, 1);
        self.counts.barriers = self.counts.barriers.saturating_add(if steps == 0 { 0 } else { self.plan.barriers(steps) as u64 });
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

/// Does phase after phase, with a barrier between two; ends early when `wait` says so.
fn walk<'a>(phases: impl Iterator<Item = &'a Phase>, mut phase: impl FnMut(&Phase), wait: impl Fn() -> bool) {
    for (at, next) in phases.enumerate() {
        if at > 0 && !wait() {
            return;
        }
        phase(next);
    }
}
