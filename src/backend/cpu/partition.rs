//! How work is divided: into units, of which each part is a range. No result depends on the number of parts.

use std::ops::Range;

/// Parts begin at multiples of this many rows if there are enough: the height of the largest register tile.
const ROWS: usize = 8;
/// Parts begin at multiples of this many elements: four cache lines.
const ELEMENTS: usize = 64;

/// Units of work, and the grain: parts begin at multiples of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partition {
    pub(super) units: usize,
    pub(super) grain: usize,
}

impl Partition {
    /// Work for one thread, always the first.
    pub(super) const ONE: Partition = Partition { units: 1, grain: 1 };

    /// Any unit may begin a part.
    pub(super) fn each(units: usize) -> Partition {
        Partition { units, grain: 1 }
    }

    /// The rows of a matrix, for this many parts. Ops on the same rows are divided in the same way, so that a thread
    /// keeps its rows from op to op.
    pub(super) fn rows(rows: usize, parts: usize) -> Partition {
        Partition { units: rows, grain: if rows >= ROWS * parts { ROWS } else { 1 } }
    }

    /// Elements without rows.
    pub(super) fn elements(elements: usize) -> Partition {
        Partition { units: elements, grain: ELEMENTS }
    }

    /// The largest number of parts that are not empty.
    pub(super) fn most_parts(self) -> usize {
        self.units.div_ceil(self.grain)
    }

    /// The units of one of `parts` parts. The parts are disjoint and ascending and cover all units; if there are too
    /// few units, the first parts get them.
    pub(super) fn part(self, part: usize, parts: usize) -> Range<usize> {
        let grains = self.most_parts();
        let start = |part: usize| ((part * grains).div_ceil(parts) * self.grain).min(self.units);
        start(part)..start(part + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_all_units_once_and_even() {
        for (units, grain) in [(0, 1), (1, 1), (1, 64), (7, 1), (128, 8), (129, 8), (100_000, 64)] {
            let partition = Partition { units, grain };
            for parts in 1..20 {
                let ranges: Vec<_> = (0..parts).map(|p| partition.part(p, parts)).collect();
                assert_eq!((ranges[0].start, ranges[parts - 1].end), (0, units));
                assert!(ranges.windows(2).all(|w| w[0].end == w[1].start && w[0].end.is_multiple_of(grain) || w[0].end == units));
                let grains = ranges.iter().map(|r| r.len().div_ceil(grain));
                let (least, most) = (grains.clone().min().unwrap(), grains.max().unwrap());
                assert!(most - least <= 1, "{partition:?} in {parts} parts: {ranges:?}");
                assert!(units == 0 || !ranges[0].is_empty(), "the first thread does what only one does");
            }
        }
    }
}
