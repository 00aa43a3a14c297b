//! The command line: verbs, flags, exit codes. Data goes to stdout, everything else to stderr.

mod apply;
mod bench;
mod data;
mod defaults;
mod devices;
mod eval;
mod first;
mod flags;
mod input;
mod model;
mod outside;
mod plot;
mod progress;
mod report;
mod settings;
mod signals;
mod train;
mod verify;

use clap::error::{ContextKind, ContextValue};
use clap::{Args, CommandFactory, Parser, Subcommand};
use narrows::{Device, DeviceKind, Error};
use signals::Signals;
use std::fmt::Display;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

/// Trains and uses autoencoders. Without a verb: `train`.
#[derive(Parser)]
#[command(name = "narrows", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    train: train::Train,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 wrong data or files, 4 no such device, 5 the loss stopped being finite, 6 a check failed, 129, 130 and 143 stopped by SIGHUP, Ctrl-C and SIGTERM: what a training has reached is saved, and of rows nothing is.";

#[derive(Subcommand)]
enum Verb {
    /// Trains an autoencoder and draws originals over reconstructions.
    Train(Box<train::Train>),
    /// Measures a trained autoencoder: squared error, PSNR and cross-entropy, on training and test rows.
    Eval(eval::Eval),
    /// Draws the codes of a trained autoencoder, its weights, or its error against the size of the code.
    Plot(plot::Plot),
    /// Writes the pictures and the page of a run again.
    Report(report::Report),
    /// Writes the codes of rows.
    Encode(apply::Apply),
    /// Writes the reconstruction error of each row: the mean over its columns of the squared difference, as the network
    /// sees them.
    Score(apply::Score),
    /// Writes the rows that codes stand for.
    #[command(mut_args(|arg| {
        let is_unused = ["part", "image_size", "color", "label"].iter().any(|id| arg.get_id() == id);
        if is_unused { arg.hide(true) } else { arg }
    }))]
    Decode(apply::Apply),
    /// Writes the reconstructions of rows; of images as a picture, if the output is a .png.
    #[command(mut_arg("out", |arg| arg.help(
        "A .csv or .npy file, or a .png that shows 20 images over their reconstructions. [default: CSV to stdout]"
    )))]
    Reconstruct(apply::Apply),
    /// Times a training step and ops, each with its error against an f64 reference in the same line.
    Bench(bench::Bench),
    /// Fetches data sets.
    Data(data::Data),
    /// Runs every op on the available devices, against a naive f64 reference.
    Verify(verify::Verify),
    /// Lists the available devices, and why others are absent.
    Devices(devices::Devices),
    /// Prints the completions of a shell: narrows completions bash > ~/.local/share/bash-completion/completions/narrows
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Which device to use, and how much to print.
#[derive(Args)]
struct Common {
    /// auto, cpu, cuda[:N] or wgpu[:N]. [default: auto]
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Threads of the CPU device. [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Prints only errors.
    #[arg(short, long)]
    quiet: bool,
}

/// Why a verb failed.
enum Failure {
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

/// Parses the arguments, does what they say, and gives the exit code.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|e| hinted(e).exit());
    let verb = cli.verb.unwrap_or(Verb::Train(Box::new(cli.train)));
    let done = Signals::listen().map_err(Failure::from).and_then(|signals| match verb {
        Verb::Train(train) => train.run(&signals),
        Verb::Eval(eval) => eval.run().map_err(Failure::from),
        Verb::Plot(plot) => plot.run(),
        Verb::Report(report) => report.run().map_err(Failure::from),
        Verb::Encode(apply) => apply.encode(),
        Verb::Score(score) => score.run(),
        Verb::Decode(apply) => apply.decode(),
        Verb::Reconstruct(apply) => apply.reconstruct(),
        Verb::Bench(bench) => bench.run(),
        Verb::Data(data) => data.run().map_err(Failure::from),
        Verb::Verify(verify) => verify.run(),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "narrows", &mut text);
            print(String::from_utf8_lossy(&text).trim_end()).map_err(Failure::from)
        }
        Verb::Devices(args) => devices::run(&args).map_err(Failure::from),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Check) => ExitCode::from(6),
        Err(Failure::Signal(code)) => ExitCode::from(code),
        Err(Failure::Error(e)) => {
            say(format_args!("narrows: {e}"));
            ExitCode::from(code(&e))
        }
    }
}

/// Names the flag for data that were given without it.
fn hinted(mut e: clap::Error) -> clap::Error {
    let given = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter().find_map(|kind| e.get(kind));
    if let Some(ContextValue::String(given)) = given
        && !given.starts_with('-')
        && Path::new(given).exists()
    {
        let hint = format!("rows are named by a flag: --data {given}");
        e.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    e
}

fn code(e: &Error) -> u8 {
    match e {
        Error::Argument { .. } => 2,
        Error::Data { .. } | Error::Io { .. } => 3,
        Error::Device { .. } => 4,
        Error::Diverged { .. } => 5,
        _ => 1,
    }
}

impl Common {
    /// Opens the device, and prints which one unless it is to be quiet. `devices` says why others are absent.
    fn open(&self) -> narrows::Result<Device> {
        self.open_as(self.device.as_deref(), self.threads)
    }

    /// As [`Common::open`], with another device and other threads.
    fn open_as(&self, device: Option<&str>, threads: Option<usize>) -> narrows::Result<Device> {
        let device = Device::open_with(device.unwrap_or("auto"), threads)?;
        if threads.is_some() && device.info().kind != DeviceKind::Cpu {
            self.say("--threads is for the CPU and changes nothing here");
        }
        self.say(format_args!("device {}: {}", device.id(), device.info().name));
        Ok(device)
    }

    /// Prints what was left out or changed where rows were read.
    fn note(&self, notes: &[impl Display]) {
        notes.iter().for_each(|note| self.say(note));
    }

    fn say(&self, text: impl Display) {
        if !self.quiet {
            say(text);
        }
    }
}

/// `1 row`, `2 rows`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// Prints a line on stderr. A closed stderr is not an error.
fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a line on stdout. A closed stdout is not an error.
fn print(text: impl Display) -> narrows::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(Error::Io { path: "standard output".into(), action: "writing", source: e }),
        _ => Ok(()),
    }
}

/// The folder of the run that a model belongs to: the path itself, or the folder of the file.
fn run_of(model: &Path) -> Option<&Path> {
    let folder = if model.is_dir() { Some(model) } else { model.parent() };
    folder.filter(|folder| settings::Settings::is_in(folder))
}

/// Whether two paths lead to one file that is there.
fn is_same(a: &Path, b: &Path) -> bool {
    same_file::is_same_file(a, b).unwrap_or(false)
}

/// Rejects a file to write if it would take the place of what it is made from.
fn check_place(out: &Path, of: &str, taken: bool) -> narrows::Result<()> {
    match taken {
        false => Ok(()),
        true => Err(Error::Argument {
            name: "-o".into(),
            problem: format!("{} would take the place of {of} that it is made from", out.display()),
            remedy: "Name another file.".into(),
        }),
    }
}

/// Whether a path has this ending.
fn ends_in(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending))
}
