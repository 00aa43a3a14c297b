//! Ctrl-C, SIGTERM and SIGHUP: they end the process, and of the files that are being written nothing is left. Only a
//! training goes on until its state is saved; the second signal ends that at once, too.

use super::common::say;
use narrows::{Error, Result, report};
#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How often a thread looks whether a signal has come: what is safe in a handler does not suffice, and waiting for a
/// signal is possible on Unix only.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Clone, Default)]
pub(super) struct Signals {
    /// The signal that came, until the thread has seen it.
    came: Arc<AtomicUsize>,
    /// Whether the first signal is left to a training.
    gentle: Arc<AtomicBool>,
    /// Set by the first signal.
    stop: Arc<AtomicBool>,
    code: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on, a signal ends the process.
    pub(super) fn listen() -> Result<Signals> {
        let signals = Signals::default();
        let failed = |source| Error::Io { path: PathBuf::from("signals"), action: "listening to them", source };
        for signal in heeded() {
            flag::register_usize(signal, signals.came.clone(), signal as usize).map_err(failed)?;
        }
        let watching = signals.clone();
        thread::Builder::new().spawn(move || watching.watch()).map_err(failed)?;
        Ok(signals)
    }

    /// The flag that the first signal sets, from now on until [`Signals::end_at_once`].
    pub(super) fn gently(&self) -> Arc<AtomicBool> {
        self.gentle.store(true, Ordering::SeqCst);
        self.stop.clone()
    }

    /// From now on, the first signal ends the process, as if there had been no [`Signals::gently`].
    pub(super) fn end_at_once(&self) {
        self.gentle.store(false, Ordering::SeqCst);
    }

    /// The exit code that belongs to the signal: 129, 130 or 143.
    pub(super) fn code(&self) -> u8 {
        self.code.load(Ordering::SeqCst) as u8
    }

    fn watch(&self) {
        loop {
            thread::sleep(LOOK);
            let signal = self.came.swap(0, Ordering::SeqCst);
            if signal == 0 {
                continue;
            }
            self.code.store(128 + signal, Ordering::SeqCst);
            let first = !self.stop.swap(true, Ordering::SeqCst);
            if !(first && self.gentle.load(Ordering::SeqCst)) {
                if report::abandon() {
                    say("narrows: stopped by a signal; nothing was written");
                }
                low_level::exit(128 + signal as i32);
            }
        }
    }
}

#[cfg(not(unix))]
fn heeded() -> [i32; 2] {
    [SIGINT, SIGTERM]
}

/// The signals to listen to: not SIGHUP where the process was started to outlive its terminal, as by `nohup`, nor where
/// that can't be known.
#[cfg(unix)]
fn heeded() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let outlives = ignored.is_none_or(|signals| signals >> (SIGHUP - 1) & 1 == 1);
    [SIGINT, SIGTERM].into_iter().chain((!outlives).then_some(SIGHUP)).collect()
}
