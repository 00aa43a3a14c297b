//! A list of ops in groups, replayed as a CUDA graph or, failing that, launch by launch.

use super::launch::{Call, Graph, Queue};
use super::plan::{plan, plan_group, takes};
use crate::Result;
use crate::device::{Counts, Executable};
use crate::fuse::{Groups, groups};
use crate::op::Op;
use crate::order::{Edges, Touched};
use std::sync::Arc;

/// Steps of the long graph: the driver is called once for all of them.
const STEPS: usize = 32;
/// Nodes of a graph, at the most: a list of many launches needs no long graph.
const NODES: usize = 1024;

/// The graphs, if the driver can make them of the list; otherwise the list.
pub(super) fn compile(queue: Arc<Queue>, ops: &[Op]) -> Result<Box<dyn Executable>> {
    let Groups { once, step } = groups(ops, &|group| takes(group, queue.facts()));
    let ready = |launch| queue.ready(launch);
    let once = once.iter().flat_map(plan).map(ready).collect::<Result<Vec<_>>>()?;
    let (mut launches, mut touched) = (Vec::new(), Vec::new());
    for group in &step {
        for launch in plan_group(group, queue.facts()) {
            launches.push(queue.ready(launch)?);
            touched.push(Touched::by(group.ops()));
        }
    }
    let (launches, edges) = (Arc::new(launches), Edges::new(&touched));
    let graph = |times| Graph::new(queue.clone(), launches.clone(), &edges, times).map_err(|e| e.to_string());
    let steps = STEPS.min(NODES / launches.len().max(1)).max(1);
    let graphs = match launches.is_empty() {
        true => Err("an empty list makes no graph".to_string()),
        false => graph(1).and_then(|one| Ok(Graphs { one, many: graph(steps)?, steps })),
    };
    Ok(Box::new(Replay { queue, once, launches, graphs, counts: Counts::default() }))
}

/// One step, and many.
struct Graphs {
    one: Graph,
    many: Graph,
    steps: usize,
}

struct Replay {
    queue: Arc<Queue>,
    /// Before the first step of a run.
    once: Vec<Call>,
    launches: Arc<Vec<Call>>,
    /// Why there are no graphs, if so.
    graphs: std::result::Result<Graphs, String>,
    counts: Counts,
}

impl Executable for Replay {
    fn run(&mut self, steps: usize) -> Result<()> {
        self.queue.launch(&self.once, usize::from(steps > 0))?;
        let submits = match &self.graphs {
            Ok(Graphs { one, many, steps: length }) => {
                many.launch(steps / length)?;
                one.launch(steps % length)?;
                steps / length + steps % length
            }
            Err(_) => self.queue.launch(&self.launches, steps).map(|()| steps * self.launches.len())?,
        };
        self.counts.add(steps, self.launches.len(), submits);
        Ok(())
    }

    fn rung(&self) -> &'static str {
        if self.graphs.is_ok() { "graph" } else { "list" }
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn plan(&self) -> String {
        let why = self.graphs.as_ref().err().map(|why| format!("no graph: {why}\n")).unwrap_or_default();
        let names: Vec<&str> = self.launches.iter().map(Call::entry).collect();
        format!("{why}{} launches a step: {}\n", names.len(), names.join(" "))
    }
}
