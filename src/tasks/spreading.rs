//! Labels of a few rows, spread to all others over the graph of nearest rows.

use super::{Metric, Neighbours};
use crate::data::Rows;
use crate::{Device, Error, Result};
use rayon::prelude::*;

/// Neighbours of a row in the graph, and those that vote for a row outside of it.
const NEIGHBOURS: usize = 10;
/// How much of a row's shares comes from its neighbours, and how often it is taken from them.
const FROM_OTHERS: f64 = 0.99;
const ROUNDS: usize = 60;
/// Rows whose shares a thread computes at a time.
const BLOCK: usize = 1024;

/// The graph of some rows: each is tied to its ten nearest, and to those whose nearest it is. Labels of a few rows
/// spread over it to all (label spreading: Zhou, Bousquet, Lal, Weston and Schölkopf 2004): rows without a label help,
/// since they show along which ways rows of one class lie.
///
/// ```
/// use narrows::{Device, data::Rows, tasks::{Metric, Spreading}};
/// let codes = Rows::new(1, (0..40).map(|i| if i < 20 { i as f32 } else { i as f32 + 50.0 }).collect());
/// let mut labels = vec![None; 40];
/// (labels[0], labels[39]) = (Some(3), Some(1));
/// let classes = Spreading::of(&Device::cpu()?, &codes, Metric::L2)?.spread(&labels)?.predict();
/// assert_eq!((&classes[..20], &classes[20..]), (&[3; 20][..], &[1; 20][..]));
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Spreading {
    device: Device,
    rows: Rows,
    by: Metric,
    /// Where the neighbours of each row begin, and at last where they end.
    starts: Vec<usize>,
    others: Vec<u32>,
    /// How near each is, over the roots of what both rows have of it in all.
    weights: Vec<f64>,
}

/// How much of each class has come to each row.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    classes: usize,
    values: Vec<f64>,
    by: Metric,
    /// The class of most labels, for rows that none has reached.
    usual: u8,
}

impl Spreading {
    /// The graph of some rows, by exact neighbours, which the device finds.
    ///
    /// # Errors
    /// When there are fewer than two rows, a number is not finite or above 1e15, or the device fails.
    pub fn of(device: &Device, rows: &Rows, by: Metric) -> Result<Spreading> {
        if rows.rows < 2 {
            return Err(Error::argument("rows", format!("a graph of {} rows", rows.rows), "Pass at least two."));
        }
        let found = Neighbours::of(device, rows, rows, NEIGHBOURS.min(rows.rows - 1) + 1, by)?;
        let mut ties: Vec<Vec<(u32, f64)>> = vec![Vec::new(); rows.rows];
        for (row, others) in found.others() {
            let others: Vec<(u32, f64)> = others.collect();
            for (other, near) in nearness(&others, by) {
                ties[row].push((other, near));
                ties[other as usize].push((row as u32, near));
            }
        }
        // Two rows that are each other's neighbours are tied once, by the larger weight.
        ties.par_iter_mut().for_each(|ties| {
            ties.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
            ties.dedup_by_key(|tie| tie.0);
        });
        let roots: Vec<f64> = ties.iter().map(|ties| ties.iter().map(|tie| tie.1).sum::<f64>().sqrt()).collect();
        let weight = |(row, ties): (usize, &Vec<(u32, f64)>)| -> Vec<f64> {
            ties.iter().map(|&(other, near)| near / (roots[row] * roots[other as usize])).collect()
        };
        let weights = ties.iter().enumerate().flat_map(weight).collect();
        let starts = std::iter::once(0).chain(ties.iter().scan(0, |end, ties| {
            *end += ties.len();
            Some(*end)
        }));
        let (device, rows, starts) = (device.clone(), rows.clone(), starts.collect());
        Ok(Spreading { device, rows, by, starts, others: ties.iter().flatten().map(|tie| tie.0).collect(), weights })
    }

    /// The nearest rows of the graph for each of some others, for [`Shares::vote`].
    ///
    /// # Errors
    /// When the rows have another number of columns, a number is not finite or above 1e15, or the device fails.
    pub fn neighbours(&self, others: &Rows) -> Result<Neighbours> {
        Neighbours::of(&self.device, &self.rows, others, NEIGHBOURS, self.by)
    }

    /// Spreads labels: one for each row that has one.
    ///
    /// # Errors
    /// When there are not as many entries as rows, or none is a label.
    pub fn spread(&self, labels: &[Option<u8>]) -> Result<Shares> {
        let rows = self.rows.rows;
        if labels.len() != rows {
            let problem = format!("{} entries, and the graph has {rows} rows", labels.len());
            return Err(Error::argument("labels", problem, "Pass an entry for each row."));
        }
        let mut counts = [0usize; 256];
        labels.iter().flatten().for_each(|&label| counts[usize::from(label)] += 1);
        let Some(classes) = counts.iter().rposition(|&count| count > 0).map(|last| last + 1) else {
            return Err(Error::argument("labels", "no row has one", "Pass at least one."));
        };
        let known: Vec<(usize, usize)> =
            labels.iter().enumerate().filter_map(|(row, label)| Some((row * classes + usize::from((*label)?), row))).collect();
        let mut shares = vec![0.0; rows * classes];
        known.iter().for_each(|&(at, _)| shares[at] = 1.0);
        for _ in 0..ROUNDS {
            let mut next = vec![0.0; rows * classes];
            next.par_chunks_mut(BLOCK * classes).enumerate().for_each(|(block, part)| {
                for (at, sums) in part.chunks_mut(classes).enumerate() {
                    let row = block * BLOCK + at;
                    for tie in self.starts[row]..self.starts[row + 1] {
                        let from = self.others[tie] as usize * classes;
                        let weight = FROM_OTHERS * self.weights[tie];
                        sums.iter_mut().zip(&shares[from..from + classes]).for_each(|(sum, share)| *sum += weight * share);
                    }
                }
            });
            known.iter().for_each(|&(at, _)| next[at] += 1.0 - FROM_OTHERS);
            shares = next;
        }
        let usual = (0..classes).fold(0, |most, class| if counts[class] > counts[most] { class } else { most }) as u8;
        Ok(Shares { classes, values: shares, by: self.by, usual })
    }
}

impl Shares {
    /// The class of which most has come to each row; of equals the lowest. A row that no label has reached has the
    /// class of most labels.
    pub fn predict(&self) -> Vec<u8> {
        self.values.chunks(self.classes).map(|shares| self.most(shares)).collect()
    }

    /// The classes of rows outside of the graph: what has come to the neighbours of each, which are rows of the graph,
    /// counts by how near they are.
    ///
    /// # Errors
    /// When a neighbour is not in the graph.
    pub fn vote(&self, near: &Neighbours) -> Result<Vec<u8>> {
        let rows = self.values.len() / self.classes;
        if near.rows.iter().any(|&row| row as usize >= rows) {
            return Err(Error::argument(
                "neighbours",
                format!("some are not among the {rows} rows"),
                "Search among the rows of the graph.",
            ));
        }
        let class = |(rows, distances): (&[u32], &[f64])| {
            let all: Vec<(u32, f64)> = rows.iter().copied().zip(distances.iter().copied()).collect();
            let mut sums = vec![0.0; self.classes];
            for (row, near) in nearness(&all, self.by) {
                let shares = &self.values[row as usize * self.classes..][..self.classes];
                // A row far from all labels has small shares, and as much of a vote.
                let whole = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
                sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += near * share / whole);
            }
            self.most(&sums)
        };
        Ok(near.rows.par_chunks(near.k).zip(near.distances.par_chunks(near.k)).map(class).collect())
    }

    fn most(&self, shares: &[f64]) -> u8 {
        let most = (0..shares.len()).fold(0, |most, class| if shares[class] > shares[most] { class } else { most });
        if shares[most] > 0.0 { most as u8 } else { self.usual }
    }
}

/// How near neighbours are, from 1 to 1/e: exp(-x), x being a squared distance over the largest of them. That of two
/// directions is in proportion to 1 less their cosine.
fn nearness(others: &[(u32, f64)], by: Metric) -> impl Iterator<Item = (u32, f64)> {
    let square = move |distance: f64| if by == Metric::L2 { distance * distance } else { distance };
    let last = others.iter().map(|other| square(other.1)).fold(0.0, f64::max);
    others.iter().map(move |&(other, distance)| (other, if last > 0.0 { libm::exp(-square(distance) / last) } else { 1.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Device {
        Device::cpu().unwrap()
    }

    /// The graph of rows as a matrix, worked out row by row, and 60 rounds by the formula.
    fn shares_of(rows: &[Vec<f64>], labels: &[Option<u8>], classes: usize) -> Vec<f64> {
        let n = rows.len();
        let square = |a: usize, b: usize| rows[a].iter().zip(&rows[b]).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
        let mut w = vec![0.0f64; n * n];
        for a in 0..n {
            let mut near: Vec<usize> = (0..n).filter(|&b| b != a).collect();
            near.sort_by(|&b, &c| square(a, b).total_cmp(&square(a, c)).then(b.cmp(&c)));
            near.truncate(10);
            let last = square(a, near[near.len() - 1]);
            for b in near {
                let weight = (-square(a, b) / last).exp();
                for at in [a * n + b, b * n + a] {
                    w[at] = w[at].max(weight);
                }
            }
        }
        let degree: Vec<f64> = w.chunks(n).map(|row| row.iter().sum()).collect();
        let y = |row: usize, class: usize| f64::from(u8::from(labels[row].map(usize::from) == Some(class)));
        let mut f: Vec<f64> = (0..n * classes).map(|at| y(at / classes, at % classes)).collect();
        for _ in 0..60 {
            let next = |at: usize| {
                let (row, class) = (at / classes, at % classes);
                let sum: f64 =
                    (0..n).map(|other| w[row * n + other] / (degree[row] * degree[other]).sqrt() * f[other * classes + class]).sum();
                0.99 * sum + 0.01 * y(row, class)
            };
            f = (0..n * classes).map(next).collect();
        }
        f
    }

    /// Two rings, one in the other: by distances alone a label in each says little.
    fn rings(rows: usize) -> Vec<Vec<f64>> {
        let point = |i: usize| {
            let (turn, radius) = (i as f64 * 2.399_963 % std::f64::consts::TAU, [1.0, 2.0][i % 2]);
            vec![f64::from((radius * turn.cos()) as f32), f64::from((radius * turn.sin()) as f32)]
        };
        (0..rows).map(point).collect()
    }

    fn as_rows(rows: &[Vec<f64>]) -> Rows {
        Rows::new(rows[0].len(), rows.iter().flatten().map(|&x| x as f32).collect())
    }

    #[test]
    fn shares_are_those_of_the_formula() {
        let rings = rings(90);
        let mut labels = vec![None; 90];
        (labels[0], labels[1], labels[7]) = (Some(0), Some(2), Some(2));
        let shares = Spreading::of(&device(), &as_rows(&rings), Metric::L2).unwrap().spread(&labels).unwrap();
        let want = shares_of(&rings, &labels, 3);
        let worst = shares.values.iter().zip(&want).map(|(got, want)| (got - want).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-6 && want.iter().any(|&share| share > 1e-2), "{worst}");
    }

    #[test]
    fn one_label_in_each_ring_names_all_of_it_and_new_rows_too() {
        let rings = rings(400);
        let mut labels = vec![None; 400];
        (labels[0], labels[1]) = (Some(5), Some(2));
        let graph = Spreading::of(&device(), &as_rows(&rings), Metric::L2).unwrap();
        let shares = graph.spread(&labels).unwrap();
        let right = |row: usize| [5, 2][row % 2];
        assert!(shares.predict().iter().enumerate().all(|(row, &class)| class == right(row)));
        let new = Rows::new(2, vec![0.0, 1.02, 0.0, -1.97]);
        assert_eq!(shares.vote(&graph.neighbours(&new).unwrap()).unwrap(), [5, 2]);
        // Threads change no bit.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        assert_eq!(pool.install(|| graph.spread(&labels)).unwrap(), shares);
    }

    #[test]
    fn rows_that_no_label_reaches_have_the_usual_class_and_lengths_do_not_count_by_cosine() {
        // Two groups without a tie; labels in the first alone.
        let codes = Rows::new(1, (0..24).map(|i| if i < 12 { i as f32 } else { 1000.0 + i as f32 }).collect());
        let mut labels = vec![None; 24];
        (labels[0], labels[1], labels[11]) = (Some(4), Some(4), Some(1));
        let classes = Spreading::of(&device(), &codes, Metric::L2).unwrap().spread(&labels).unwrap().predict();
        assert_eq!(classes[12..], [4; 12]);
        let arms: Vec<Vec<f64>> = (1..=30).map(|i| if i % 2 == 0 { vec![f64::from(i), 0.0] } else { vec![0.0, f64::from(i)] }).collect();
        let mut labels = vec![None; 30];
        (labels[0], labels[1]) = (Some(0), Some(1));
        let graph = Spreading::of(&device(), &as_rows(&arms), Metric::Cosine).unwrap();
        let classes = graph.spread(&labels).unwrap().predict();
        assert!(classes.iter().enumerate().all(|(row, &class)| usize::from(class) == row % 2), "{classes:?}");
    }

    #[test]
    fn what_is_no_graph_and_no_labels_is_refused() {
        let rows = Rows::new(1, vec![1.0, 2.0, 3.0]);
        let refused = |error: Result<Shares>| error.unwrap_err().to_string();
        assert!(Spreading::of(&device(), &Rows::new(1, vec![1.0]), Metric::L2).unwrap_err().to_string().contains("a graph of 1 rows"));
        let graph = Spreading::of(&device(), &rows, Metric::L2).unwrap();
        assert!(refused(graph.spread(&[None; 2])).contains("2 entries, and the graph has 3 rows"));
        assert!(refused(graph.spread(&[None; 3])).contains("no row has one"));
        let near = Neighbours { k: 1, rows: vec![3], distances: vec![0.0] };
        assert!(graph.spread(&[Some(0), None, None]).unwrap().vote(&near).is_err());
        // Equal rows are all alike.
        let equal = Spreading::of(&device(), &Rows::new(2, vec![1.0; 40]), Metric::L2).unwrap();
        let mut labels = vec![None; 20];
        labels[3] = Some(9);
        assert_eq!(equal.spread(&labels).unwrap().predict(), [9; 20]);
    }
}
