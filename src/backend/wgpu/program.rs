//! A list of ops, prepared: pipelines, bind groups and one buffer of parameters. A run of many steps is one pass and
//! one submit.

use super::bind::bind;
use super::core::{Core, Ready, count_write, traffic};
use super::plan::plan;
use crate::Result;
use crate::device::{Counts, Executable};
use crate::op::Op;
use std::sync::Arc;

/// A pass of more dispatches than this is cut between two steps, so that the memory for recording it stays bounded and
/// no driver mistakes a long submit for a hang. An epoch of MNIST with the article's network is 469 steps of some 40.
const LAUNCHES: usize = 1 << 16;

pub(super) struct Program {
    core: Arc<Core>,
    launches: Vec<Ready>,
    counts: Counts,
}

impl Program {
    pub(super) fn new(core: Arc<Core>, ops: &[Op]) -> Result<Program> {
        let mut planned = Vec::new();
        for op in ops {
            planned.extend(plan(op)?);
        }
        let bound = planned.iter().map(|l| bind(l, core.reach, &core.id)).collect::<Result<Vec<_>>>()?;
        let state = &mut *core.state();
        let launches = core.guarded("compile", || {
            let params = core.slots(&bound)?;
            let buffer = core.buffer(params.len().max(4) as u64, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
            count_write();
            core.queue.write_buffer(&buffer, 0, &params);
            let pairs = planned.iter().zip(&bound).enumerate();
            pairs.map(|(i, (l, bound))| core.ready(state, l.entry, l.side, l.grid, bound, &buffer, i as u64)).collect::<Result<Vec<_>>>()
        })?;
        Ok(Program { core: core.clone(), launches, counts: Counts::default() })
    }

    fn submit(&self, steps: usize) -> Result<()> {
        self.core.guarded("run", || {
            let mut encoder = self.core.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..steps {
                for launch in &self.launches {
                    pass.set_pipeline(&launch.pipeline);
                    pass.set_bind_group(0, &launch.group, &[]);
                    pass.dispatch_workgroups(launch.grid[0], launch.grid[1], 1);
                }
            }
            drop(pass);
            self.core.queue.submit([encoder.finish()]);
            Ok(())
        })
    }
}

impl Executable for Program {
    fn run(&mut self, steps: usize) -> Result<()> {
        let before = traffic();
        let most = (LAUNCHES / self.launches.len().max(1)).max(1);
        let mut submits = 0;
        let mut left = if self.launches.is_empty() { 0 } else { steps };
        while left > 0 {
            let now = left.min(most);
            self.submit(now)?;
            submits += 1;
            left -= now;
        }
        self.counts.add(steps, self.launches.len(), submits);
        let after = traffic();
        self.counts.writes += after.0 - before.0;
        self.counts.maps += after.1 - before.1;
        Ok(())
    }

    fn rung(&self) -> &'static str {
        "one pass, one submit"
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
