//! Ctrl-C and SIGTERM: a training ends after its current steps and writes a checkpoint; verbs that write rows end
//! without a file. The second signal ends the process at once.

use narrows::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(super) struct Signals {
    pub(super) flag: Arc<AtomicBool>,
    which: Arc<AtomicUsize>,
}

impl Signals {
    pub(super) fn listen() -> Result<Signals> {
        let signals = Signals { flag: Arc::default(), which: Arc::default() };
        for signal in [SIGINT, SIGTERM] {
            // The order matters: the handler that kills reads the flag before the other one sets it.
            let done = flag::register_conditional_default(signal, signals.flag.clone())
                .and_then(|_| flag::register_usize(signal, signals.which.clone(), signal as usize))
                .and_then(|_| flag::register(signal, signals.flag.clone()));
            done.map_err(|source| Error::Io { path: PathBuf::from("signals"), action: "listening to them", source })?;
        }
        Ok(signals)
    }

    /// The exit code that belongs to the signal: 130 or 143.
    pub(super) fn code(&self) -> u8 {
        128 + self.which.load(Ordering::Relaxed) as u8
    }
}
