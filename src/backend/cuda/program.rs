//! A list of ops in groups, replayed as a CUDA graph or, failing that, launch by launch.

use super::launch::{Call, Graph, Queue};
use super::plan::{Planned, line};
use crate::Result;
use crate::device::{Counts, Executable, LIST};
use crate::op::Op;
use crate::order::{conflicts, edges};
use std::sync::Arc;

/// Steps of the long graph: the driver is called once for all of them.
const STEPS: usize = 32;
/// Nodes of a graph, at the most: a list of many launches needs no long graph.
const NODES: usize = 1024;

/// Groups of ops in a graph, or launched one after another.
pub(super) const GRAPH: &str = "graph";
pub(super) const GROUPS: &str = "groups";
/// What a GPU can do.
pub(super) const RUNGS: [&str; 3] = [GRAPH, GROUPS, LIST];

/// A graph of one step, if the driver can make it of the list; otherwise, where no graph is demanded, its launches.
pub(super) fn compile(queue: Arc<Queue>, ops: &[Op], rung: Option<&'static str>) -> Result<Box<dyn Executable>> {
    let Planned { once, step, touched } = Planned::new(ops, queue.facts());
    let ready = |launches: Vec<_>| launches.into_iter().map(|launch| queue.ready(launch)).collect::<Result<Vec<_>>>();
    let (once, launches) = (ready(once)?, Arc::new(ready(step)?));
    let conflict = conflicts(&touched);
    let one = match (launches.is_empty(), rung) {
        (true, _) => Err("an empty list makes no graph".to_string()),
        (_, Some(GROUPS)) => Err("it was asked for without".to_string()),
        (_, Some(_)) => Ok(Graph::new(queue.clone(), launches.clone(), &edges(&conflict, 1))?),
        (_, None) => Graph::new(queue.clone(), launches.clone(), &edges(&conflict, 1)).map_err(|e| e.to_string()),
    };
    Ok(Box::new(Replay { queue, once, launches, conflict, one, many: None, counts: Counts::default() }))
}

struct Replay {
    queue: Arc<Queue>,
    /// Before the first step of a run.
    once: Vec<Call>,
    launches: Arc<Vec<Call>>,
    /// For each pair of launches, whether their order matters.
    conflict: Vec<Vec<bool>>,
    /// One step, or why there is no graph of it.
    one: std::result::Result<Graph, String>,
    /// Many steps, once a run has so many.
    many: Option<Graph>,
    counts: Counts,
}

impl Replay {
    /// Enqueues the steps, and gives the number of calls to the driver.
    fn enqueue(&mut self, steps: usize) -> Result<usize> {
        let Ok(one) = &self.one else {
            return self.queue.launch(&self.launches, steps).map(|()| steps * self.launches.len());
        };
        let length = STEPS.min(NODES / self.launches.len()).max(1);
        let (long, rest) = (steps / length, steps % length);
        if long > 0 {
            let many = match self.many.take() {
                Some(many) => many,
                None => Graph::new(self.queue.clone(), self.launches.clone(), &edges(&self.conflict, length))?,
            };
            self.many.insert(many).launch(long)?;
        }
        one.launch(rest)?;
        Ok(long + rest)
    }
}

impl Executable for Replay {
    fn run(&mut self, steps: usize) -> Result<()> {
        let once = if steps > 0 { self.once.len() } else { 0 };
        self.queue.launch(&self.once, once.min(1))?;
        let submits = self.enqueue(steps)?;
        self.counts.add(steps, self.launches.len(), submits + once);
        self.counts.launches = self.counts.launches.saturating_add(once as u64);
        Ok(())
    }

    fn rung(&self) -> &'static str {
        if self.one.is_ok() { GRAPH } else { GROUPS }
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn plan(&self) -> String {
        let why = self.one.as_ref().err().map(|why| format!("no graph: {why}\n")).unwrap_or_default();
        why + &line(self.launches.iter().map(Call::launch))
    }
}
