//! How far a training is, on stderr.

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use narrows::train::Epoch;
use std::fmt::{self, Display, Write};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at the steps.
const TICK: Duration = Duration::from_millis(100);
/// The least time between two lines of evaluations, and the time after which a line comes within an epoch.
const PAUSE: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(10);

/// On a terminal a bar; elsewhere lines.
pub(super) struct Progress<'a> {
    say: &'a (dyn Fn(&dyn Display) + Sync),
    bar: Option<ProgressBar>,
    epochs: usize,
    /// The steps of all epochs.
    steps: usize,
    done: Arc<AtomicUsize>,
    lines: Mutex<Lines>,
}

struct Lines {
    /// When this part of the training began, and at which step.
    begin: (Instant, usize),
    last: Option<Instant>,
    /// A line that came too early to be printed.
    held: Option<String>,
}

impl<'a> Progress<'a> {
    /// For `epochs` epochs of `steps` steps each. `done` counts the steps that are done.
    pub(super) fn new(
        say: &'a (dyn Fn(&dyn Display) + Sync),
        quiet: bool,
        epochs: usize,
        steps: usize,
        done: Arc<AtomicUsize>,
    ) -> Progress<'a> {
        let (steps, before) = (epochs.saturating_mul(steps), done.load(Ordering::Relaxed));
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb") && cfg!(unix);
        let bar = (!quiet && !dumb && std::io::stderr().is_terminal()).then(|| bar(steps, before));
        let lines = Mutex::new(Lines { begin: (Instant::now(), before), last: None, held: None });
        Progress { say, bar, epochs, steps, done, lines }
    }

    /// Shows the steps while they are done.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        thread::scope(|scope| {
            let (working, ended) = mpsc::channel::<()>();
            let watch = move || {
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    self.tick();
                }
            };
            // Without another thread there are only the epochs to show.
            let _ = thread::Builder::new().spawn_scoped(scope, watch);
            let done = work();
            drop(working);
            done
        })
    }

    fn tick(&self) {
        let done = self.done.load(Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            return bar.set_position(done as u64);
        }
        let Ok(mut lines) = self.lines.lock() else { return };
        let (begin, before) = lines.begin;
        if lines.last.unwrap_or(begin).elapsed() >= LONG && done > before {
            let left = begin.elapsed().mul_f64((self.steps.saturating_sub(done)) as f64 / (done - before) as f64);
            (self.say)(&format_args!("step {done} of {}, at most {} left", self.steps, HumanDuration(left)));
            lines.last = Some(Instant::now());
        }
    }

    /// Shows an evaluation.
    pub(super) fn epoch(&self, e: &Epoch) {
        let text = format!("epoch {:>3}/{}: {}", e.epoch, self.epochs, Line(e));
        if let Some(bar) = &self.bar {
            return bar.set_message(text);
        }
        let Ok(mut lines) = self.lines.lock() else { return };
        lines.held = Some(text);
        if lines.last.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.flush(&mut lines);
        }
    }

    /// Shows the last evaluation.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
        if let Ok(mut lines) = self.lines.lock() {
            self.flush(&mut lines);
        }
    }

    fn flush(&self, lines: &mut Lines) {
        if let Some(text) = lines.held.take() {
            (self.say)(&text);
            lines.last = Some(Instant::now());
        }
    }
}

fn bar(steps: usize, done: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_position(done as u64);
    bar.reset_eta();
    let left = move |state: &ProgressState, out: &mut dyn Write| {
        // Before the first steps nobody knows.
        let _ = if state.pos() > done as u64 { write!(out, "at most {:#} left", HumanDuration(state.eta())) } else { Ok(()) };
    };
    if let Ok(style) = ProgressStyle::with_template("step {pos}/{len} {bar:30} {msg} {left}") {
        bar.set_style(style.with_key("left", left));
    }
    bar.tick();
    bar
}

/// An evaluation in words.
struct Line<'a>(&'a Epoch);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let e = self.0;
        write!(f, "loss {:.5}", e.train_loss)?;
        for (name, loss) in [("validation", e.validation_loss), ("test", e.test_loss)] {
            if let Some(loss) = loss {
                write!(f, ", {name} {loss:.5}")?;
            }
        }
        write!(f, ", {:.2} s", e.seconds)
    }
}
