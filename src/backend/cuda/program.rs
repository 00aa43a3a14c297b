//! A list of launches, replayed as a CUDA graph or, failing that, launch by launch.

use super::launch::{Call, Graph, Queue};
use crate::device::{Counts, Executable};
use std::sync::Arc;

/// The graph, if the driver can make one of the list; otherwise the list.
pub(super) fn compile(queue: Arc<Queue>, launches: Vec<Call>) -> Box<dyn Executable> {
    let launches = Arc::new(launches);
    let graph = match launches.is_empty() {
        true => Err("an empty list makes no graph".to_string()),
        false => Graph::new(queue.clone(), launches.clone()).map_err(|e| e.to_string()),
    };
    Box::new(Replay { queue, launches, graph, counts: Counts::default() })
}

struct Replay {
    queue: Arc<Queue>,
    launches: Arc<Vec<Call>>,
    /// Why there is no graph, if so.
    graph: Result<Graph, String>,
    counts: Counts,
}

impl Executable for Replay {
    fn run(&mut self, steps: usize) -> crate::Result<()> {
        let submits = match &self.graph {
            Ok(graph) => graph.launch(steps).map(|()| steps)?,
            Err(_) => self.queue.launch(&self.launches, steps).map(|()| steps * self.launches.len())?,
        };
        self.counts.add(steps, self.launches.len(), submits);
        Ok(())
    }

    fn rung(&self) -> &'static str {
        if self.graph.is_ok() { "graph" } else { "list" }
    }

    fn counts(&self) -> Counts {
        self.counts
    }

    fn plan(&self) -> String {
        self.graph.as_ref().err().map(|why| format!("no graph: {why}\n")).unwrap_or_default()
    }
}
