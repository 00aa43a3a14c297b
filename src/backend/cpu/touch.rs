//! Which elements a work touches, and when two works may run between the same two barriers: when no thread touches what
//! another one writes.

use super::partition::Partition;
use super::work::Work;
use crate::device::View;
use std::ops::Range;

/// How much of a view a range of units touches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cover {
    Whole,
    /// This many elements for each unit, at a place that the view does not tell: in an entry of a ring, which the clock
    /// selects.
    Anywhere(usize),
    /// This many elements for each unit; the last unit may have fewer.
    Along(usize),
}

/// A view that a work touches.
#[derive(Clone, Debug)]
pub(super) struct Touch {
    pub(super) view: View,
    pub(super) cover: Cover,
    pub(super) written: bool,
}

impl Touch {
    /// The elements of the buffer that some units touch.
    pub(super) fn elements(&self, units: Range<usize>) -> Range<usize> {
        let n = self.view.len();
        let within = match self.cover {
            _ if units.is_empty() => 0..0,
            Cover::Whole | Cover::Anywhere(_) => 0..n,
            Cover::Along(width) => (units.start * width).min(n)..(units.end * width).min(n),
        };
        self.view.offset + within.start..self.view.offset + within.end
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end && !a.is_empty() && !b.is_empty()
}

/// A work and what it touches.
pub(super) struct Touching {
    pub(super) partition: Partition,
    touches: Vec<Touch>,
}

impl Touching {
    pub(super) fn new(work: &Work) -> Touching {
        Touching { partition: work.partition, touches: work.touches() }
    }

    /// The pairs of touches that share elements, where at least one of the two writes.
    fn pairs<'a>(&'a self, other: &'a Touching) -> impl Iterator<Item = (&'a Touch, &'a Touch)> {
        let pairs = self.touches.iter().flat_map(|a| other.touches.iter().map(move |b| (a, b)));
        pairs.filter(|(a, b)| (a.written || b.written) && a.view.overlaps(&b.view))
    }

    /// Whether their order matters.
    pub(super) fn ordered(&self, other: &Touching) -> bool {
        self.pairs(other).next().is_some()
    }

    /// Whether some units of both may be done before other units of either: they touch what they share unit by unit.
    pub(super) fn goes_on_with(&self, other: &Touching) -> bool {
        self.partition == other.partition && self.pairs(other).all(|(a, b)| aligned(a, b))
    }

    /// Elements that a unit writes, on average.
    pub(super) fn written_by_unit(&self) -> usize {
        let all = |t: &Touch| match t.cover {
            Cover::Anywhere(each) => each * self.partition.units,
            _ => t.view.len(),
        };
        self.touches.iter().filter(|t| t.written).map(all).sum::<usize>() / self.partition.units.max(1)
    }

    /// Whether a part of one and a different part of the other touch an element that one of them writes.
    pub(super) fn clashes(&self, other: &Touching, parts: usize) -> bool {
        self.pairs(other).any(|(a, b)| {
            let part = |touch: &Touch, partition: Partition, p: usize| touch.elements(partition.part(p, parts));
            let apart = self.partition == other.partition && aligned(a, b);
            !apart
                && (0..parts).any(|p| {
                    let mine = part(a, self.partition, p);
                    (0..parts).any(|q| p != q && overlap(&mine, &part(b, other.partition, q)))
                })
        })
    }
}

/// Whether the same unit of both touches the same elements, and different units touch different ones.
fn aligned(a: &Touch, b: &Touch) -> bool {
    match (a.cover, b.cover) {
        (Cover::Along(m), Cover::Along(n)) => m == n && a.view.offset == b.view.offset,
        _ => false,
    }
}
