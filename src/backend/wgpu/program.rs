//! A list of ops, prepared: pipelines, bind groups and one buffer of parameters. A run of many steps is one pass and
//! one submit.

use super::bind::bind;
use super::opened::{Dispatch, Opened, count_write, traffic};
use super::plan::plan;
use crate::Result;
use crate::device::{Counts, Executable};
use crate::op::Op;
use std::sync::Arc;

/// A pass of more dispatches than this is cut between two steps, so that the memory for recording it stays bounded and
/// no driver mistakes a long submit for a hang. An epoch of MNIST with the article's network is 469 steps of some 40.
const LAUNCHES: usize = 1 << 16;

pub(super) struct Program {
    opened: Arc<Opened>,
    launches: Vec<Dispatch>,
    counts: Counts,
}

impl Program {
    pub(super) fn new(opened: Arc<Opened>, ops: &[Op]) -> Result<Program> {
        let mut planned = Vec::new();
        for op in ops {
            planned.extend(plan(op)?);
        }
        let bound = planned.iter().map(|l| bind(l, opened.reach, &opened.id)).collect::<Result<Vec<_>>>()?;
        let state = &mut *opened.state();
        let launches = opened.guarded("compile", || {
            let params = opened.slots(&bound)?;
            let buffer = opened.buffer(params.len().max(4) as u64, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
            count_write();
            opened.queue.write_buffer(&buffer, 0, &params);
            let pairs = planned.iter().zip(&bound).enumerate();
            pairs.map(|(i, (l, bound))| opened.ready(state, l.entry, l.side, l.grid, bound, &buffer, i as u64)).collect::<Result<Vec<_>>>()
        })?;
        Ok(Program { opened: opened.clone(), launches, counts: Counts::default() })
    }

    fn submit(&self, steps: usize) -> Result<()> {
        self.opened.guarded("run", || {
            let mut encoder = self.opened.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for _ in 0..steps {
                for launch in &self.launches {
                    pass.set_pipeline(&launch.pipeline);
                    pass.set_bind_group(0, &launch.group, &[]);
                    pass.dispatch_workgroups(launch.grid[0], launch.grid[1], 1);
                }
            }
            drop(pass);
            self.opened.queue.submit([encoder.finish()]);
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
