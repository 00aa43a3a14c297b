//! The rows of a part of a gallery that score highest with each query: products on the device, and a choice of theirs
//! that stays there.

use crate::{Clock, Device, Largest, Program, Result, Tape, Tensor, Val};

/// Queries and rows of the gallery of one product: its numbers stay in a CPU's caches.
pub(super) const QUERIES: usize = 512;
pub(super) const GALLERY: usize = 512;
/// Marks the index of a candidate that is not of this part, but of those that were known before.
const KNOWN: u32 = 1 << 31;

/// A row that is among the best of a query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Found {
    /// The candidate with this number of those that were passed.
    Before(usize),
    /// A row of the part.
    Row(usize),
}

/// Programs that compare queries with rows of the gallery.
pub(super) struct Scan<'a> {
    device: &'a Device,
    columns: usize,
    part: Option<Part>,
    programs: Vec<Compare>,
}

/// Rows of the gallery on the device, with what is added to each product. The clock's cursor is the next row.
struct Part {
    rows: Tensor,
    offsets: Tensor,
    order: Tensor,
    clock: Clock,
}

/// Compares the next rows of the part with some queries.
struct Compare {
    queries: usize,
    k: usize,
    asked: Val,
    top: Largest,
    program: Program,
}

impl<'a> Scan<'a> {
    pub(super) fn new(device: &'a Device, columns: usize) -> Scan<'a> {
        Scan { device, columns, part: None, programs: Vec::new() }
    }

    /// Of `q g' + offsets` the `k` largest of each query with their rows, of equal ones the first; and of the scores
    /// that are `known` of the query. `g` has fewer than 2^31 rows; of a query at most `k` are known. All products are
    /// finite.
    pub(super) fn run(&mut self, q: &[f32], g: &[f32], offsets: &[f32], k: usize, known: &[Vec<f32>]) -> Result<Vec<Vec<(f32, Found)>>> {
        let (columns, steps) = (self.columns, offsets.len().div_ceil(GALLERY));
        let part = match &mut self.part {
            Some(part) if part.offsets.shape()[0] >= steps * GALLERY => part,
            part => {
                self.programs.clear();
                part.insert(Part::new(self.device, steps * GALLERY, columns)?)
            }
        };
        // What stands behind the last row is below everything.
        let padded = |numbers: &[f32], width: usize, with: f32| {
            let mut all = numbers.to_vec();
            all.resize(steps * GALLERY * width, with);
            all
        };
        part.rows.part(0, steps * GALLERY * columns)?.write(&padded(g, columns, 0.0))?;
        part.offsets.part(0, steps * GALLERY)?.write(&padded(offsets, 1, f32::NEG_INFINITY))?;

        self.programs.retain(|compare| compare.k == k);
        let mut found = Vec::with_capacity(known.len());
        for (q, known) in q.chunks(QUERIES * columns).zip(known.chunks(QUERIES)) {
            let at = match self.programs.iter().position(|compare| compare.queries == known.len()) {
                Some(at) => at,
                None => {
                    self.programs.push(Compare::new(self.device, part, columns, known.len(), k)?);
                    self.programs.len() - 1
                }
            };
            let compare = &mut self.programs[at];
            let scores =
                |row: &Vec<f32>| row.iter().copied().chain(std::iter::repeat_n(f32::NEG_INFINITY, k - row.len())).collect::<Vec<_>>();
            let places: Vec<u32> = (0..k as u32).map(|at| KNOWN | at).collect();
            compare.top.write(&known.iter().flat_map(scores).collect::<Vec<_>>(), &places.repeat(known.len()))?;
            compare.program.write(compare.asked, q)?;
            part.clock.set(0, 0)?;
            compare.program.run(steps)?;
            let (scores, index) = compare.top.read()?;
            let each = scores.chunks(k).zip(index.chunks(k)).zip(known);
            found.extend(each.map(|((scores, index), known)| {
                let of = |at: u32| if at & KNOWN == 0 { Found::Row(at as usize) } else { Found::Before((at ^ KNOWN) as usize) };
                let all = scores.iter().zip(index).map(|(&score, &at)| (score, of(at)));
                all.filter(|(_, found)| !matches!(found, Found::Before(at) if *at >= known.len())).collect::<Vec<_>>()
            }));
        }
        Ok(found)
    }
}

impl Part {
    fn new(device: &Device, rows: usize, columns: usize) -> Result<Part> {
        let order: Vec<u32> = (0..rows as u32).collect();
        Ok(Part {
            rows: Tensor::zeros(device, &[rows, columns])?,
            offsets: Tensor::zeros(device, &[rows, 1])?,
            order: Tensor::indices(device, &order, rows)?,
            clock: Clock::new(device)?,
        })
    }
}

impl Compare {
    fn new(device: &Device, part: &Part, columns: usize, queries: usize, k: usize) -> Result<Compare> {
        let top = Largest::new(device, queries, k)?;
        let mut tape = Tape::plan(device);
        let asked = tape.input(&Tensor::zeros(device, &[queries, columns])?)?;
        let rows = tape.gather(&part.rows, &part.order, &part.clock, GALLERY)?;
        let offsets = tape.gather(&part.offsets, &part.order, &part.clock, GALLERY)?;
        let scores = tape.dense(asked, rows, offsets)?;
        tape.merge_topk(scores, &part.clock, &top)?;
        tape.advance(&part.clock, GALLERY, &part.order)?;
        Ok(Compare { queries, k, asked, top, program: tape.compile()? })
    }
}
