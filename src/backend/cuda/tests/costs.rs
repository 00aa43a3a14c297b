//! What a step should cost on an H100: the table of `docs/costs.md`. `NARROWS_UPDATE=1` writes it.

use super::super::plan::{Launch, plan, plan_group, takes};
use super::{FACTS, build, cpu};
use crate::backend::lists::step;
use crate::fuse::{Group, Groups, groups};
use crate::op::{Cost, Op};
use crate::order::{Touched, conflicts, edges};
use std::fmt::Write;
use std::fs;

/// Of an H100 at its highest clock: GHz, multiply-adds a cycle of a multiprocessor, bytes a microsecond from its L2.
const CLOCK: f64 = 1.98;
const LANES: f64 = 128.0;
const BYTES: f64 = 5.5e6;
/// Microseconds from the end of a node of a graph to the beginning of one that waits for it, and of a launch in a
/// stream: measured on an H200.
const NODE: f64 = 0.5;
const LAUNCH: f64 = 4.1;

/// A launch with what its ops cost at the least.
struct Cell {
    launch: Launch,
    cost: Cost,
    touched: Touched,
}

impl Cell {
    /// The launches of some ops; the first of several does the work.
    fn all(ops: &[&Op], launches: Vec<Launch>) -> Vec<Cell> {
        let sum = ops.iter().map(|op| op.cost()).fold(Cost::default(), |a, b| Cost { flops: a.flops + b.flops, bytes: a.bytes + b.bytes });
        let cost = |at: usize| if at == 0 { sum } else { Cost::default() };
        let touched = || Touched::by(ops.iter().copied());
        launches.into_iter().enumerate().map(|(at, launch)| Cell { launch, cost: cost(at), touched: touched() }).collect()
    }

    fn threads(&self) -> f64 {
        f64::from(self.launch.grid) * f64::from(self.launch.block)
    }

    /// Microseconds: the multiprocessors that have a block do its operations, or the bytes come from L2.
    fn time(&self) -> f64 {
        let busy = f64::from(self.launch.grid).min(FACTS.multiprocessors as f64) / FACTS.multiprocessors as f64;
        let rounds = (f64::from(self.launch.grid) / FACTS.multiprocessors as f64).ceil();
        let each = self.cost.flops as f64 / 2.0 / f64::from(self.launch.grid);
        (rounds * each / LANES / CLOCK / 1e3).max(self.cost.bytes as f64 / BYTES / busy)
    }
}

/// The step in groups, and op by op.
fn cells() -> [Vec<Cell>; 2] {
    let ops = step(&cpu(), &[784, 128, 64, 32], 128, 4096).unwrap();
    let Groups { step, .. } = groups(&ops, &|group: &Group| takes(group, &FACTS));
    let grouped = step.iter().flat_map(|group| Cell::all(&group.ops(), plan_group(group, &FACTS))).collect();
    [grouped, ops.iter().flat_map(|op| Cell::all(&[op], plan(op, &FACTS))).collect()]
}

/// For each cell, which ones it waits for, and when it ends if every node begins as soon as it may.
fn ends(cells: &[Cell]) -> (Vec<Vec<usize>>, Vec<f64>) {
    let touched: Vec<Touched> = cells.iter().map(|cell| cell.touched.clone()).collect();
    let waits = edges(&conflicts(&touched), 1);
    let mut ends: Vec<f64> = Vec::new();
    for (cell, waits) in cells.iter().zip(&waits) {
        let begin = waits.iter().map(|&before| ends[before]).fold(0.0, f64::max);
        ends.push(begin + NODE + cell.time());
    }
    (waits, ends)
}

fn table() -> String {
    let [grouped, single] = cells();
    let (waits, ends) = ends(&grouped);
    let mut text =
        String::from("| launch | waits for | blocks x threads | rounds | MFLOP | MB | terms a thread | us alone | ends at, us |\n");
    text += "|---|---|---|---|---|---|---|---|---|\n";
    for (at, cell) in grouped.iter().enumerate() {
        let before = waits[at].iter().map(|at| (at + 1).to_string()).collect::<Vec<_>>().join(", ");
        let (flops, bytes) = (cell.cost.flops as f64, cell.cost.bytes as f64 / 1e6);
        let rounds = cell.launch.grid.div_ceil(FACTS.multiprocessors as u32);
        let _ = writeln!(
            text,
            "| {} {} | {before} | {} x {} | {rounds} | {:.2} | {bytes:.2} | {:.0} | {:.1} | {:.1} |",
            at + 1,
            cell.launch.entry,
            cell.launch.grid,
            cell.launch.block,
            flops / 1e6,
            flops / 2.0 / cell.threads(),
            cell.time(),
            ends[at]
        );
    }
    let work = |cells: &[Cell]| cells.iter().map(Cell::time).sum::<f64>();
    let last = |cells: &[Cell], each: f64| cells.len() as f64 * each + work(cells);
    text += "\n| rung | launches | calls of the driver in 32 steps | us a step |\n|---|---|---|---|\n";
    let _ = writeln!(text, "| list | {} | {} | {:.0} |", single.len(), 32 * single.len(), last(&single, LAUNCH));
    let _ = writeln!(text, "| groups | {} | {} | {:.0} |", grouped.len(), 32 * grouped.len(), last(&grouped, LAUNCH));
    let _ = writeln!(text, "| graph | {} | 1 | {:.0} |", grouped.len(), ends.iter().copied().fold(0.0, f64::max));
    text
}

#[test]
fn the_page_of_costs_is_that_of_the_plan() {
    let path = build::root().join("docs/costs.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("<!-- costs begin -->\n").unwrap();
    let (found, tail) = rest.split_once("<!-- costs end -->").unwrap();
    let wanted = table();
    if std::env::var_os("NARROWS_UPDATE").is_some() {
        fs::write(&path, format!("{head}<!-- costs begin -->\n{wanted}<!-- costs end -->{tail}")).unwrap();
    } else {
        assert!(found == wanted, "docs/costs.md is not what the plan gives; NARROWS_UPDATE=1 writes it. It should be\n{wanted}");
    }
}
