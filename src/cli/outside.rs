//! Rows of another scale than the training's are noticed.

use super::common::Common;
use narrows::Autoencoder;
use narrows::data::Chunks;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many values of the rows lie outside what training saw, of how many.
#[derive(Clone, Default)]
pub(super) struct Outside(Arc<[AtomicUsize; 2]>);

impl Outside {
    /// The same rows, whose values are counted as they are read. A model that knows no bounds counts none.
    pub(super) fn watch(&self, ae: &Autoencoder, rows: Chunks) -> Chunks {
        let Some(bounds) = ae.bounds().cloned() else { return rows };
        let counts = self.clone();
        rows.watch(move |chunk| counts.add(bounds.outside(&chunk.values), chunk.values.len()))
    }

    pub(super) fn add(&self, outside: usize, all: usize) {
        self.0[0].fetch_add(outside, Ordering::Relaxed);
        self.0[1].fetch_add(all, Ordering::Relaxed);
    }

    /// How many there are. None where nothing was counted.
    pub(super) fn count(&self) -> Option<usize> {
        let [outside, all] = [0, 1].map(|at| self.0[at].load(Ordering::Relaxed));
        (all > 0).then_some(outside)
    }

    /// Says how many there are, if there are any.
    pub(super) fn say(&self, common: &Common) {
        let [outside, all] = [0, 1].map(|at| self.0[at].load(Ordering::Relaxed));
        if outside > 0 {
            common.say(format_args!("{outside} of {all} values lie outside what training saw"));
        }
    }
}
