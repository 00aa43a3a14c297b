//! A list of launches that is replayed: as a CUDA graph, or else one launch after the other.

use super::launch::{Graph, Queue, Ready};
use crate::Result;
use crate::backend::Executable;
use crate::program::Counts;
use std::sync::Arc;

/// The graph, where the driver makes one of the list; else the list.
pub(super) fn compile(queue: Arc<Queue>, launches: Vec<Ready>) -> Box<dyn Executable> {
    let launches = Arc::new(launches);
    let graph = if launches.is_empty() { None } else { Graph::new(queue.clone(), launches.clone()).ok() };
    Box::new(Replay { queue, launches, graph, counts: Counts::default() })
}

struct Replay {
    queue: Arc<Queue>,
    launches: Arc<Vec<Ready>>,
    graph: Option<Graph>,
    counts: Counts,
}

impl Executable for Replay {
    fn run(&mut self, steps: usize) -> Result<()> {
        let submits = match &self.graph {
            Some(graph) => graph.launch(steps).map(|()| steps)?,
            None => self.queue.launch(&self.launches, steps).map(|()| steps * self.launches.len())?,
        };
        self.counts.add(steps, self.launches.len(), submits);
        Ok(())
    }

    fn rung(&self) -> &'static str {
        if self.graph.is_some() { "graph" } else { "list" }
    }

    fn counts(&self) -> Counts {
        self.counts
    }
}
