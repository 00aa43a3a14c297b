//! The command line: verbs, flags, exit codes. Data goes to stdout, everything else to stderr.

mod apply;
mod augment;
mod bench;
mod common;
mod data;
mod defaults;
mod devices;
mod eval;
mod first;
mod flags;
mod gallery;
mod hits;
mod input;
mod made;
mod map;
mod model;
mod outside;
mod plot;
mod probe;
mod progress;
mod report;
mod sample;
mod scoring;
mod search;
mod settings;
mod signals;
mod source;
mod train;
mod verify;
mod widths;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};
use common::{Failure, print, say};
use narrows::Error;
use signals::Signals;
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
    /// Draws the weights of a trained autoencoder, what its code stands for, or its error against the size of the code.
    Plot(plot::Plot),
    /// Places the codes of rows in the plane, and says how true that is to the rows.
    Map(map::Map),
    /// Writes the pictures and the page of a run again.
    Report(report::Report),
    /// Writes the codes of rows.
    Encode(apply::Apply),
    /// Writes the reconstruction error of each row: the mean over its columns of the squared difference, as the network
    /// sees them. Of images as a picture, if the output is a .png.
    #[command(mut_arg("out", |arg| arg.help(
        "A .csv or .npy file, or a .png that shows the 20 images with the largest scores, over their reconstructions and the error of each pixel. [default: CSV to stdout]"
    )))]
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
    Reconstruct(apply::Reconstruct),
    /// Writes rows that the network makes of drawn codes.
    Sample(sample::Sample),
    /// Writes new rows near given ones, with their labels.
    Augment(augment::Augment),
    /// Trains a linear classifier on the codes of labelled rows, beside one on principal components and on the rows.
    Probe(probe::Probe),
    /// Writes the rows of a gallery whose codes are nearest to those of others.
    Search(search::Find),
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

/// Parses the arguments, does what they say, and gives the exit code.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|e| hinted(e).exit());
    let verb = cli.verb.unwrap_or(Verb::Train(Box::new(cli.train)));
    let done = Signals::listen().map_err(Failure::from).and_then(|signals| match verb {
        Verb::Train(train) => train.run(&signals),
        Verb::Eval(eval) => eval.run().map_err(Failure::from),
        Verb::Plot(plot) => plot.run(),
        Verb::Map(map) => map.run().map_err(Failure::from),
        Verb::Report(report) => report.run().map_err(Failure::from),
        Verb::Encode(apply) => apply.encode(),
        Verb::Score(score) => score.run(),
        Verb::Decode(apply) => apply.decode(),
        Verb::Reconstruct(apply) => apply.run(),
        Verb::Sample(sample) => sample.run().map_err(Failure::from),
        Verb::Augment(augment) => augment.run().map_err(Failure::from),
        Verb::Probe(probe) => probe.run().map_err(Failure::from),
        Verb::Search(search) => search.run().map_err(Failure::from),
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
