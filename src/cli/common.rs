//! What all verbs share: the flags for the device and for how much is printed, what they print with, and why they fail.

use clap::Args;
use narrows::data::{Dataset, RowWriter};
use narrows::tasks::Pca;
use narrows::{Device, DeviceKind, Error, Result, report};
use std::fmt::Display;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

/// Which device to use, and how much to print.
#[derive(Args)]
pub(super) struct Common {
    /// auto, cpu, cuda[:N] or wgpu[:N]. [default: auto]
    #[arg(long, value_name = "DEVICE")]
    pub(super) device: Option<String>,
    /// Threads of the CPU device. [default: one per core]
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Prints only errors.
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// Why a verb failed.
pub(super) enum Failure {
    /// An error.
    Error(Error),
    /// The verb is a check, and the check failed.
    Check,
    /// A signal stopped a training, and its state is saved: the exit code.
    Signal(u8),
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        Failure::Error(e)
    }
}

impl Common {
    /// Opens the device, and prints which one unless it is to be quiet. `devices` says why others are absent.
    pub(super) fn open(&self) -> narrows::Result<Device> {
        self.open_as(self.device.as_deref(), self.threads)
    }

    /// As [`Common::open`], with another device and other threads.
    pub(super) fn open_as(&self, device: Option<&str>, threads: Option<usize>) -> narrows::Result<Device> {
        let device = Device::open_with(device.unwrap_or("auto"), threads)?;
        if threads.is_some() && device.info().kind != DeviceKind::Cpu {
            self.say("--threads is for the CPU and changes nothing here");
        }
        self.say(format_args!("device {}: {}", device.id(), device.info().name));
        Ok(device)
    }

    /// Prints what was left out or changed where rows were read.
    pub(super) fn note(&self, notes: &[impl Display]) {
        notes.iter().for_each(|note| self.say(note));
    }

    pub(super) fn say(&self, text: impl Display) {
        if !self.quiet {
            say(text);
        }
    }
}

/// `1 row`, `2 rows`.
pub(super) fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Prints a line on stderr. A closed stderr is not an error.
pub(super) fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a line on stdout. A closed stdout is not an error.
pub(super) fn print(text: impl Display) -> narrows::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::Io { path: "standard output".into(), action: "writing", source: e }),
        _ => Ok(()),
    }
}

/// Whether two paths lead to one file that is there.
pub(super) fn is_same(a: &Path, b: &Path) -> bool {
    same_file::is_same_file(a, b).unwrap_or(false)
}

/// Rejects a file to write if there is no folder for it, or it would take the place of what it is made from.
pub(super) fn check_place(out: &Path, of: &str, taken: bool) -> narrows::Result<()> {
    match taken {
        false => report::check_folder(out),
        true => Err(Error::Argument {
            name: "-o".into(),
            problem: format!("{} would take the place of {of} that it is made from", out.display()),
            remedy: "Name another file.".into(),
        }),
    }
}

/// A table to write: the file, or CSV to stdout.
pub(super) fn table(out: Option<&Path>, names: &[impl AsRef<str>]) -> Result<RowWriter> {
    match out {
        Some(path) => RowWriter::create(path, names),
        None => RowWriter::csv("stdout", BufWriter::new(std::io::stdout()), names),
    }
}

/// Whether a path has this ending.
pub(super) fn ends_in(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending))
}

/// The formats of a plot.
pub(super) const PLOT: &[&str] = &["svg", "png"];

/// Rejects a file whose name says none of the formats that there are.
pub(super) fn check_ending(out: &Path, endings: &[&str]) -> Result<()> {
    match endings.iter().any(|ending| ends_in(out, ending)) {
        true => Ok(()),
        false => Err(Error::Argument {
            name: "-o".into(),
            problem: format!("{} does not end in .{}", out.display(), endings.join(" or .")),
            remedy: "Name a file that does.".into(),
        }),
    }
}

/// What a file of a plot holds.
pub(super) fn plotted(svg: String, is_png: bool) -> Result<Vec<u8>> {
    if is_png { report::png(&svg) } else { Ok(svg.into_bytes()) }
}

/// Says that rows are too many or too wide for principal components.
pub(super) fn without_components(rows: &Dataset) -> String {
    let (n, columns, most) = (rows.len(), rows.columns(), Pca::MOST_SECONDS);
    format!("no principal components: {n} rows of {columns} columns would take longer to fit than {most} s")
}
