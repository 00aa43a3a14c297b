//! The barrier of the standing team: the only synchronisation that this crate implements itself.
//!
//! **What it promises.** `wait` returns in no thread of the team before all of them have called it, and what a thread
//! wrote before its call is visible to all after theirs.
//!
//! **Why nothing is lost.** `arrived` counts the calls of a round. Each call is a read-modify-write with acquire and
//! release, so the last of them, which counts to the team's size, has seen all writes of all the others (they form one
//! release sequence). It sets the count back, then opens the next round with a release store. A thread that reads the
//! new round with acquire has thereby seen everything, the reset count included, so that the first to arrive in the new
//! round counts from 0.
//!
//! **Why no thread is a round behind.** A round can't open without the call of every thread, so the number that a
//! thread reads as it arrives is that of the round it arrives in, however relaxed the load.
//! **Why no thread sleeps forever.** A thread that wants to sleep first counts itself in `sleeping`, then reads the
//! round under the lock. The thread that opens first stores the round, then reads `sleeping`. All four are sequentially
//! consistent: in their one order either the count comes before the opener reads it, and the bell is rung, or the store
//! comes before the sleeper reads the round, and no thread goes to sleep. The bell is rung after the lock was taken
//! once, and the sleeper gives the lock back only by waiting for the bell, so the ring can't fall between its look and
//! its sleep.
//!
//! **Why a panic ends the team.** The thread that panics calls `break_up` and never `wait` again. It has not arrived in
//! the current round, so no other thread stores to `round`: it stays broken, and every `wait` returns false.
//!
//! A waiting thread spins while that is cheap, then yields its core, perhaps to the thread it waits for, then sleeps.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A cache line of its own, so that threads spinning on the round don't slow down those that arrive. Processors fetch
/// lines in pairs.
#[repr(align(128))]
struct Line(AtomicUsize);

/// How often the round is read before the core is yielded, if there is a core for every thread: some 50 microseconds.
const SPINS: usize = 1000;
/// The same with more threads than cores: less time than a context switch takes.
const SPINS_CROWDED: usize = 10;
/// How often the core is yielded before sleeping.
const YIELDS: usize = 20;

/// The round of a team that has lost a thread.
const BROKEN: usize = usize::MAX;

pub(super) struct Barrier {
    team: usize,
    spins: usize,
    arrived: Line,
    round: Line,
    sleeping: AtomicUsize,
    door: Mutex<()>,
    bell: Condvar,
}

impl Barrier {
    /// For a team of this many threads, at least one, on this many cores.
    pub(super) fn new(team: usize, cores: usize) -> Barrier {
        let line = || Line(AtomicUsize::new(0));
        let spins = if team <= cores { SPINS } else { SPINS_CROWDED };
        Barrier { team, spins, arrived: line(), round: line(), sleeping: AtomicUsize::new(0), door: Mutex::new(()), bell: Condvar::new() }
    }

    /// Waits for all threads of the team; false if one of them is gone. Calls `woken` if it slept.
    pub(super) fn wait(&self, woken: impl FnOnce()) -> bool {
        let round = self.round.0.load(Ordering::Relaxed);
        if round == BROKEN {
            return false;
        }
        if self.arrived.0.fetch_add(1, Ordering::AcqRel) + 1 == self.team {
            self.arrived.0.store(0, Ordering::Relaxed);
            self.open((round + 1) % BROKEN);
            return true;
        }
        for look in 0..self.spins + YIELDS {
            let now = self.round.0.load(Ordering::Acquire);
            if now != round {
                return now != BROKEN;
            }
            if look < self.spins { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        let now = self.sleep(round);
        woken();
        now != BROKEN
    }

    /// Ends the waiting of all others: one thread will not arrive any more.
    pub(super) fn break_up(&self) {
        self.open(BROKEN);
    }

    fn open(&self, next: usize) {
        self.round.0.store(next, Ordering::SeqCst);
        if self.sleeping.load(Ordering::SeqCst) > 0 {
            drop(self.lock());
            self.bell.notify_all();
        }
    }

    /// Sleeps until the round is over; returns the new round.
    fn sleep(&self, round: usize) -> usize {
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        let mut door = self.lock();
        let now = loop {
            match self.round.0.load(Ordering::SeqCst) {
                now if now != round => break now,
                _ => door = self.bell.wait(door).unwrap_or_else(PoisonError::into_inner),
            }
        };
        self.sleeping.fetch_sub(1, Ordering::Relaxed);
        now
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
