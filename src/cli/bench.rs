//! `narrows bench`

use super::{Common, Failure, print, say};
use clap::{Args, ValueEnum};
use narrows::verify::{self, Timing};
use narrows::{Device, Error, Result};

#[derive(Args)]
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
    #[arg(short, long, default_value = "md", value_name = "md|csv|json")]
    output: Format,
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

impl Bench {
    /// Prints a line for each thing timed, as soon as it is; fails where a result is wrong.
    pub(super) fn run(&self) -> std::result::Result<(), Failure> {
        let device = self.common.open()?;
        let wanted: Vec<(&str, Vec<usize>)> = match (&self.op, &self.shape) {
            (None, _) => std::iter::once(("step", STEP.to_vec())).chain(verify::benched()).collect(),
            (Some(op), Some(Sizes(shape))) => vec![(op, shape.clone())],
            (Some(op), None) if op == "step" => vec![(op, STEP.to_vec())],
            (Some(op), None) => match verify::benched().into_iter().find(|(name, _)| name == op) {
                Some((name, shape)) => vec![(name, shape.to_vec())],
                // Rejected below.
                None => vec![(op, vec![1])],
            },
        };
        let mut timings = Vec::new();
        for (op, shape) in wanted {
            let timing = one(&device, op, &shape)?;
            if self.output != Format::Json {
                if timings.is_empty() {
                    print(match self.output {
                        Format::Csv => "device,op,shape,ms_min,ms_median,ms_max,gflops,gigabytes_per_second,error_over_bound",
                        _ => {
                            "| device | op | shape | ms, median | ms, min to max | GFLOP/s | GB/s | error / bound |\n\
                             |---|---|---|---|---|---|---|---|"
                        }
                    })?;
                }
                print(self.line(&timing))?;
            }
            timings.push(timing);
        }
        if self.output == Format::Json {
            print(serde_json::Value::from_iter(timings.iter().map(json)))?;
        }
        let wrong = timings.iter().filter_map(|t| Some(format!("{} on {}: {}", t.what, t.device, t.wrong.as_ref()?)));
        let wrong: Vec<String> = wrong.inspect(|text| say(format_args!("narrows: {text}"))).collect();
        if wrong.is_empty() { Ok(()) } else { Err(Failure::Check) }
    }

    fn line(&self, t: &Timing) -> String {
        let shape = shape(t);
        match self.output {
            Format::Csv => format!(
                "{},{},{shape},{},{},{},{},{},{}",
                t.device,
                t.what,
                t.ms.least,
                t.ms.median,
                t.ms.most,
                t.gflops(),
                t.gigabytes(),
                t.worst
            ),
            _ => format!(
                "| {} | {} | {shape} | {:.4} | {:.4} to {:.4} | {:.1} | {:.1} | {:.3} |",
                t.device,
                t.what,
                t.ms.median,
                t.ms.least,
                t.ms.most,
                t.gflops(),
                t.gigabytes(),
                t.worst
            ),
        }
    }
}

fn one(device: &Device, op: &str, shape: &[usize]) -> Result<Timing> {
    match (op, shape) {
        ("step", [batch, widths @ ..]) => verify::bench_step(device, *batch, widths),
        ("step", []) => Err(Error::Argument { name: "shape".into(), problem: "it is empty".into(), remedy: "Use 128x784x32.".into() }),
        _ => verify::bench(device, op, shape),
    }
}

fn shape(t: &Timing) -> String {
    t.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

fn json(t: &Timing) -> serde_json::Value {
    serde_json::json!({
        "device": t.device, "op": t.what, "shape": t.shape, "ms": { "min": t.ms.least, "median": t.ms.median, "max": t.ms.most },
        "gflops": t.gflops(), "gigabytes_per_second": t.gigabytes(), "error_over_bound": t.worst, "wrong": t.wrong,
    })
}
