//! The standing team: one entry into the thread pool, in which all threads take the same path and wait for each other
//! at barriers.

use super::barrier::Barrier;
use super::cores;
use super::place::{Place, Places};
use rayon::ThreadPool;

/// A thread of a team.
pub(super) struct Member<'a> {
    pub(super) thread: usize,
    pub(super) threads: usize,
    barrier: &'a Barrier,
    places: &'a Places,
    place: Place,
}

impl Member<'_> {
    /// Waits for the whole team; false if a thread has panicked: then the caller returns.
    #[must_use]
    pub(super) fn wait(&self) -> bool {
        self.barrier.wait(|| self.settle())
    }

    /// Takes a core of its own, if there is one for every thread of the team.
    fn settle(&self) {
        if (2..=cores()).contains(&self.threads) {
            self.places.settle(&self.place);
        }
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        // The others would wait forever for a thread that leaves by a panic.
        if std::thread::panicking() {
            self.barrier.break_up();
        }
    }
}

/// Runs `f` in this many threads of the pool at once, in one entry. Returns when all are done, and then passes on a
/// panic of one of them.
pub(super) fn run(pool: &ThreadPool, threads: usize, f: impl Fn(&Member) + Sync) {
    let (barrier, places) = (Barrier::new(threads, cores()), Places::default());
    let work = |thread| {
        let member = Member { thread, threads, barrier: &barrier, places: &places, place: Place::default() };
        member.settle();
        f(&member);
    };
    outside(|| match threads {
        1 => pool.install(|| work(0)),
        _ => {
            pool.broadcast(|context| {
                if context.index() < threads {
                    work(context.index());
                }
            });
        }
    });
}

/// Calls `f` on a thread that is not a worker of another pool. Such a worker must not wait here itself: while it waits,
/// rayon gives it the next task of its own pool, which may need the lock that it holds. So a new thread waits in its
/// place.
fn outside(f: impl FnOnce() + Send) {
    if rayon::current_thread_index().is_none() {
        return f();
    }
    std::thread::scope(|scope| {
        scope.spawn(f);
    });
}
