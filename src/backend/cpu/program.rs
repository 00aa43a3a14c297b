//! A list of ops on the CPU: one entry into the thread pool per run.

use super::Core;
use crate::Result;
use crate::backend::Executable;
use crate::op::Op;
use crate::program::Counts;
use std::sync::Arc;

pub(super) struct List {
    core: Arc<Core>,
    ops: Vec<Op>,
    counts: Counts,
}

impl List {
    pub(super) fn new(core: Arc<Core>, ops: &[Op]) -> List {
        List { core, ops: ops.to_vec(), counts: Counts::default() }
    }
}

impl Executable for List {
    fn run(&mut self, steps: usize) -> Result<()> {
        self.core.with_slices(|slices| {
            self.core.on_pool(|| {
                for _ in 0..steps {
                    for op in &self.ops {
                        self.core.execute(slices, op);
                    }
                }
            });
        })?;
        self.counts.add(steps, self.ops.len(), 1);
        Ok(())
    }

    fn rung(&self) -> &'static str {
        "list"
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
