//! A list of ops in groups, prepared: pipelines, bind groups and one buffer of parameters. A run of many steps is a few
//! passes, each of some milliseconds and in a submit of its own.

use super::bind::bind;
use super::opened::{Dispatch, Opened, count_write, traffic};
use super::plan::{Launch, plan, plan_group, takes};
use crate::Result;
use crate::device::{Counts, Executable};
use crate::fuse::{Group, Groups, groups};
use crate::op::Op;
use crate::time::{Duration, Instant};
use std::collections::VecDeque;
use std::sync::Arc;

/// A submit holds no more dispatches than this, so that the memory for recording it stays bounded. An epoch of MNIST
/// with the article's network is 469 steps of 10, or of 20 on a CPU.
const LAUNCHES: usize = 1 << 16;
/// How long a submit should take: systems that draw on the same device take a submit of seconds for a hang, and lose
/// the device.
const SUBMIT: Duration = Duration::from_millis(50);
/// Submits in flight: the device works on one while the next waits behind it.
const IN_FLIGHT: usize = 2;

pub(super) struct Program {
    opened: Arc<Opened>,
    /// Before the first step of a run.
    once: Vec<Dispatch>,
    launches: Vec<Dispatch>,
    /// The shaders of the launches, for people to read.
    names: String,
    /// How long a step takes, once one was waited for.
    step: Option<Duration>,
    counts: Counts,
}

impl Program {
    pub(super) fn new(opened: Arc<Opened>, ops: &[Op]) -> Result<Program> {
        let fits = |launch: &Launch| bind(launch, opened.reach, &opened.id).is_ok_and(|bound| bound.fits(opened.facts.buffers));
        let Groups { once, step } = groups(ops, &|group: &Group| takes(group, opened.facts, fits));
        let mut planned = Vec::new();
        for op in &once {
            planned.extend(plan(op, opened.facts)?);
        }
        let first = planned.len();
        for group in &step {
            planned.extend(plan_group(group, opened.facts)?);
        }
        let bound = planned.iter().map(|l| bind(l, opened.reach, &opened.id)).collect::<Result<Vec<_>>>()?;
        let state = &mut *opened.state();
        let mut launches = opened.guarded("compile", || {
            let params = opened.slots(&bound)?;
            let buffer = opened.buffer(params.len().max(4) as u64, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
            count_write();
            opened.queue.write_buffer(&buffer, 0, &params);
            let pairs = planned.iter().zip(&bound).enumerate();
            pairs.map(|(i, (l, bound))| opened.ready(state, l.grid, bound, &buffer, i as u64)).collect::<Result<Vec<_>>>()
        })?;
        let step = launches.split_off(first);
        let names = planned[first..].iter().map(|launch| launch.shader.name.as_str()).collect::<Vec<_>>().join("\n");
        Ok(Program { opened: opened.clone(), once: launches, launches: step, names, step: None, counts: Counts::default() })
    }

    fn submit(&self, once: bool, steps: usize) -> Result<wgpu::SubmissionIndex> {
        self.opened.guarded("run", || {
            let mut encoder = self.opened.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            let before = if once { self.once.as_slice() } else { &[] };
            for launch in before.iter().chain((0..steps).flat_map(|_| &self.launches)) {
                pass.set_pipeline(&launch.pipeline);
                pass.set_bind_group(0, &launch.group, &[]);
                pass.dispatch_workgroups(launch.grid[0], launch.grid[1], 1);
            }
            drop(pass);
            Ok(self.opened.queue.submit([encoder.finish()]))
        })
    }

    /// Steps of the next submit.
    fn next(&self) -> usize {
        let most = (LAUNCHES / self.launches.len().max(1)).max(1);
        match self.step {
            Some(step) => ((SUBMIT.as_secs_f64() / step.as_secs_f64().max(1e-9)) as usize).clamp(1, most),
            // The first is waited for.
            None => 1,
        }
    }

    /// Submits the steps, and gives the number of submits. Those of a short run are not waited for.
    fn enqueue(&mut self, steps: usize) -> Result<usize> {
        let (mut left, mut submits) = (steps, 0);
        let mut flying = VecDeque::new();
        let mut since = Instant::now();
        while left > 0 {
            let now = self.next().min(left);
            flying.push_back((self.submit(left == steps, now)?, now));
            submits += 1;
            left -= now;
            let most = if self.step.is_none() { 0 } else { IN_FLIGHT };
            while flying.len() > most {
                let Some((index, steps)) = flying.pop_front() else { break };
                if self.opened.wait(index)? {
                    self.step = Some(since.elapsed() / steps as u32);
                }
                since = Instant::now();
            }
        }
        Ok(submits)
    }
}

impl Executable for Program {
    fn run(&mut self, steps: usize) -> Result<()> {
        let before = traffic();
        let nothing = self.launches.is_empty() && self.once.is_empty();
        let submits = self.enqueue(if nothing { 0 } else { steps })?;
        self.counts.add(steps, self.launches.len(), submits);
        let once = if steps > 0 { self.once.len() } else { 0 };
        self.counts.launches = self.counts.launches.saturating_add(once as u64);
        let after = traffic();
        self.counts.writes += after.0 - before.0;
        self.counts.maps += after.1 - before.1;
        Ok(())
    }

    fn rung(&self) -> &'static str {
        "groups"
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn plan(&self) -> String {
        self.names.clone()
    }
}
