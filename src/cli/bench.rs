//! `narrows bench`

use super::common::{Common, Failure, print, say};
use clap::{Args, ValueEnum};
use csv::WriterBuilder;
use narrows::report::machine;
use narrows::verify::{self, Timing};
use narrows::{Device, Error, Result};
use serde::Serialize;
use serde_json::json;

#[derive(Args)]
#[command(mut_arg("device", |arg| {
    arg.value_name("all|DEVICE,..").help("The devices to compare, such as cpu,wgpu:1; all takes every one that is there. [default: auto]")
}))]
pub(super) struct Bench {
    #[command(flatten)]
    common: Common,
    /// `step`, a training step, or an op. [default: step and every op, at the sizes of 784-128-64-32]
    #[arg(long, value_name = "NAME")]
    op: Option<String>,
    /// Sizes: batch, inputs and outputs for the products of a dense layer, batch and widths for a step, any dimensions
    /// for most others.
    #[arg(long, value_name = "NxNx..", requires = "op", value_parser = sizes)]
    shape: Option<Sizes>,
    /// How the table is written.
    #[arg(long, alias = "output", short_alias = 'o', default_value = "md", value_name = "md|csv|json")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    /// Markdown.
    Md,
    /// Comma-separated values.
    Csv,
    /// One document.
    Json,
}

#[derive(Clone)]
struct Sizes(Vec<usize>);

fn sizes(text: &str) -> std::result::Result<Sizes, String> {
    let sizes: std::result::Result<Vec<usize>, _> = text.split('x').map(str::parse).collect();
    sizes.map(Sizes).map_err(|_| "it is not like 128x784x128".into())
}

/// Batch and widths of the article's network.
const STEP: [usize; 5] = [128, 784, 128, 64, 32];

/// A line of the table.
#[derive(Serialize)]
struct Row<'a> {
    op: &'a str,
    shape: String,
    device: &'a str,
    device_name: &'a str,
    ms_median: f64,
    ms_min: f64,
    ms_max: f64,
    time_over_first: f64,
    gflops: f64,
    gigabytes_per_second: f64,
    error_over_bound: f64,
    machine: &'a str,
    version: &'a str,
    rung: &'a str,
}

impl Bench {
    /// Prints a line for each thing timed on each device, as soon as it is; fails where a result is wrong.
    pub(super) fn run(&self) -> std::result::Result<(), Failure> {
        let (devices, machine) = (self.devices()?, machine());
        let (mut rows, mut is_wrong) = (Vec::new(), false);
        for (op, shape) in self.wanted() {
            let mut first = None;
            for device in &devices {
                let timing = one(device, op, &shape)?;
                let is_first = rows.is_empty();
                let row = row(&timing, device, *first.get_or_insert(timing.ms.median), &machine);
                match self.format {
                    Format::Md => markdown(&row, &devices, is_first)?,
                    Format::Csv => print(csv(&row, is_first))?,
                    Format::Json => {}
                }
                rows.push(json!(row));
                if let Some(wrong) = &timing.wrong {
                    say(format_args!("narrows: {} on {}: {wrong}", timing.what, timing.device));
                    is_wrong = true;
                }
            }
        }
        if self.format == Format::Json {
            print(json!(rows))?;
        }
        if is_wrong { Err(Failure::Check) } else { Ok(()) }
    }

    /// The devices that are named, opened.
    fn devices(&self) -> Result<Vec<Device>> {
        let name = self.common.device.as_deref().unwrap_or("auto");
        let names: Vec<String> = match name {
            "all" => {
                let list = Device::list();
                list.absent.iter().for_each(|absent| self.common.say(format_args!("absent: {}", absent.reason)));
                list.found.into_iter().map(|info| info.id).collect()
            }
            _ => name.split(',').map(String::from).collect(),
        };
        names.iter().map(|name| self.common.open_as(Some(name), self.common.threads)).collect()
    }

    /// What is timed, each with its sizes.
    fn wanted(&self) -> Vec<(&str, Vec<usize>)> {
        let usual = || std::iter::once(("step", STEP.to_vec())).chain(verify::benched());
        match (&self.op, &self.shape) {
            (None, _) => usual().collect(),
            (Some(op), Some(Sizes(shape))) => vec![(op, shape.clone())],
            // A name that is unknown is refused where it is timed.
            (Some(op), None) => vec![(op, usual().find(|(name, _)| name == op).map_or(vec![1], |(_, shape)| shape))],
        }
    }
}

/// Prints a row in Markdown; above the first, where the figures come from, and the columns.
fn markdown(row: &Row, devices: &[Device], is_first: bool) -> Result<()> {
    if is_first {
        head(devices, row.machine)?;
    }
    print(line(row, devices.len() > 1))
}

fn head(devices: &[Device], machine: &str) -> Result<()> {
    print(format_args!("narrows {} on {machine}\n", env!("CARGO_PKG_VERSION")))?;
    for device in devices {
        print(format_args!("- {}: {}", device.id(), device.info().name))?;
    }
    let (ratio, rule) = match devices {
        [first, _, ..] => (format!(" time / {} |", first.id()), "---|"),
        _ => (String::new(), ""),
    };
    print(format_args!("\n| op | shape | device | rung | ms, median | ms, min to max |{ratio} GFLOP/s | GB/s | error / bound |"))?;
    print(format_args!("|---|---|---|---|---|---|{rule}---|---|---|"))
}

fn one(device: &Device, op: &str, shape: &[usize]) -> Result<Timing> {
    match (op, shape) {
        ("step", [batch, widths @ ..]) => verify::bench_step(device, *batch, widths),
        ("step", []) => Err(Error::Argument { name: "shape".into(), problem: "it is empty".into(), remedy: "Use 128x784x32.".into() }),
        _ => verify::bench(device, op, shape),
    }
}

/// What was timed, beside the median of the first device.
fn row<'a>(t: &'a Timing, device: &'a Device, first: f64, machine: &'a str) -> Row<'a> {
    Row {
        op: &t.what,
        shape: t.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
        device: &t.device,
        device_name: &device.info().name,
        ms_median: t.ms.median,
        ms_min: t.ms.least,
        ms_max: t.ms.most,
        time_over_first: t.ms.median / first,
        gflops: t.gflops(),
        gigabytes_per_second: t.gigabytes(),
        error_over_bound: t.worst,
        machine,
        version: env!("CARGO_PKG_VERSION"),
        rung: t.rung,
    }
}

/// A row in Markdown.
fn line(r: &Row, compares: bool) -> String {
    let time = format!("{:.4} | {:.4} to {:.4}", r.ms_median, r.ms_min, r.ms_max);
    let ratio = if compares { format!(" {:.2} |", r.time_over_first) } else { String::new() };
    let rates = format!("{:.1} | {:.1} | {:.3}", r.gflops, r.gigabytes_per_second, r.error_over_bound);
    format!("| {} | {} | {} | {} | {time} |{ratio} {rates} |", r.op, r.shape, r.device, r.rung)
}

/// A row in CSV, below the names of the columns if it is the first.
fn csv(row: &Row, is_first: bool) -> String {
    let mut writer = WriterBuilder::new().has_headers(is_first).from_writer(Vec::new());
    writer.serialize(row).expect("memory takes a row");
    let bytes = writer.into_inner().expect("memory takes a row");
    String::from_utf8_lossy(&bytes).trim_end().into()
}
