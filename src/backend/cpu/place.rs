//! Where the threads of a team run: each on a core of its own, if there are enough.
//!
//! Schedulers tend to wake a thread on the core of its waker, and some, in virtual machines meant to keep few cores
//! busy, leave both there for many milliseconds while another core idles. A team that shares a core takes twice as
//! long, and more at each barrier. So a thread that finds itself on the core of another thread of its team moves away.
//! This is a nudge, not a binding: afterwards the same cores are allowed as before, and the scheduler may move the
//! thread again.
#![cfg_attr(target_os = "linux", allow(unsafe_code))]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// A set of cores: a bit for each, as many as the C library has.
#[cfg(target_os = "linux")]
type Set = [u64; 16];

/// The cores on which threads of a team have settled.
#[derive(Default)]
pub(super) struct Places([AtomicU64; 16]);

/// The core on which one thread has settled.
#[derive(Default)]
pub(super) struct Place(Cell<Option<usize>>);

impl Places {
    /// Takes the core that the calling thread runs on, or, if another thread of the team has it, moves to a free one.
    /// If all are taken, nothing happens.
    pub(super) fn settle(&self, place: &Place) {
        let Some(here) = system::core() else { return };
        if place.0.get() == Some(here) {
            return;
        }
        self.leave(place);
        place.0.set(match self.take(here) {
            true => Some(here),
            false => system::move_to(|core| self.take(core)),
        });
    }

    /// Gives the core back.
    pub(super) fn leave(&self, place: &Place) {
        if let Some(core) = place.0.take() {
            self.0[core / 64].fetch_and(!(1 << (core % 64)), Ordering::Relaxed);
        }
    }

    /// Of several threads that want a core, one gets it. Nothing else depends on these bits, so relaxed ordering is
    /// enough.
    fn take(&self, core: usize) -> bool {
        let bit = 1 << (core % 64);
        self.0.get(core / 64).is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit == 0)
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::Set;
    use std::ffi::c_int;

    unsafe extern "C" {
        fn sched_getcpu() -> c_int;
        fn sched_getaffinity(thread: c_int, bytes: usize, set: *mut Set) -> c_int;
        fn sched_setaffinity(thread: c_int, bytes: usize, set: *const Set) -> c_int;
    }

    /// The core that this thread runs on.
    pub(super) fn core() -> Option<usize> {
        // SAFETY: the call takes no arguments and touches no memory of ours.
        usize::try_from(unsafe { sched_getcpu() }).ok()
    }

    /// Moves this thread to the first allowed core that `take` grants, then allows the same cores as before.
    pub(super) fn move_to(take: impl Fn(usize) -> bool) -> Option<usize> {
        let mut allowed: Set = [0; 16];
        // SAFETY: the set has the size that is passed, and 0 is the calling thread.
        if unsafe { sched_getaffinity(0, size_of::<Set>(), &mut allowed) } < 0 {
            return None;
        }
        let is_allowed = |core: usize| allowed[core / 64] >> (core % 64) & 1 == 1;
        let core = (0..64 * allowed.len()).find(|&core| is_allowed(core) && take(core))?;
        let mut one: Set = [0; 16];
        one[core / 64] = 1 << (core % 64);
        // SAFETY: as above, twice. If the core has gone meanwhile, the call fails and changes nothing: this thread
        // stays where it is.
        unsafe {
            sched_setaffinity(0, size_of::<Set>(), &one);
            sched_setaffinity(0, size_of::<Set>(), &allowed);
        }
        Some(core)
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn core() -> Option<usize> {
        None
    }

    pub(super) fn move_to(_: impl Fn(usize) -> bool) -> Option<usize> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_taken_core_is_left_and_a_free_one_kept() {
        let places = Places::default();
        let (first, second) = (Place::default(), Place::default());
        places.settle(&first);
        let core = first.0.get().expect("the system names the core");
        assert!(!places.take(core));
        // The same thread, posing as a second one of the team: its core is taken.
        places.settle(&second);
        assert_ne!(second.0.get(), Some(core));
        // A thread finds no core only if all are taken.
        assert!(second.0.get().is_some() || system::move_to(|core| places.take(core)).is_none());
        places.leave(&first);
        assert!(places.take(core));
        places.leave(&second);
    }
}
