//! `narrows sample`

use super::apply::columns;
use super::common::{Common, check_place, ends_in, print};
use super::input::Size;
use super::input::height_and_width;
use super::model::Model;
use clap::Args;
use narrows::data::{Dataset, RowWriter};
use narrows::{Autoencoder, Error, Result, report, tasks};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

#[derive(Args)]
pub(super) struct Sample {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    /// How many rows.
    #[arg(short, value_name = "N", default_value_t = 64)]
    n: usize,
    /// Seed of the codes.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// A .png, where rows are images, a .csv or an .npy file. [default: CSV to stdout]
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The size of the images of a .png. [default: that of the training's images, or a square]
    #[arg(long, value_name = "HxW", value_parser = height_and_width)]
    image_size: Option<Size>,
    /// Prints one JSON document on the file.
    #[arg(long, requires = "out")]
    json: bool,
}

impl Sample {
    /// Writes rows that the network makes of codes from a standard normal distribution.
    pub(super) fn run(&self) -> Result<()> {
        let picture = self.out.as_deref().filter(|out| ends_in(out, "png"));
        if let Some(out) = &self.out {
            if picture.is_none() {
                RowWriter::check(out)?;
            }
            check_place(out, "the model", self.model.is_at(out))?;
        }
        if self.n == 0 {
            return Err(Error::Argument { name: "-n".into(), problem: "it is 0".into(), remedy: "Ask for at least one row.".into() });
        }
        let ae = self.model.load(&self.common)?;
        let codes = tasks::codes(&ae, self.n, self.seed)?;
        match picture {
            Some(path) => {
                let rows = ae.decode(&codes)?;
                report::write(path, &report::grid(&rows.values, self.dims(&ae, path)?, side(self.n))?)?;
            }
            None => {
                let names = columns(&ae);
                let mut writer = match &self.out {
                    Some(path) => RowWriter::create(path, &names)?,
                    None => RowWriter::csv("stdout", BufWriter::new(std::io::stdout()), &names)?,
                };
                let codes = Dataset::from_rows("codes", codes.values, &[codes.columns])?.chunks();
                ae.decode_stream(codes)?.try_for_each(|rows| writer.write(&rows?))?;
                writer.finish()?;
            }
        }
        let Some(path) = &self.out else { return Ok(()) };
        match self.json {
            true => print(serde_json::json!({ "file": path.display().to_string(), "rows": self.n, "seed": self.seed })),
            false => print(path.display()),
        }
    }

    /// The dimensions of an image.
    fn dims(&self, ae: &Autoencoder, path: &Path) -> Result<[usize; 3]> {
        let inputs = ae.inputs();
        let square = || Some(inputs.isqrt()).filter(|side| side * side == inputs).map(|side| [1, side, side]);
        let dims = match self.image_size {
            Some(Size::Pixels(h, w)) => {
                [1, 3].into_iter().map(|channels| [channels, h, w]).find(|dims| dims.iter().product::<usize>() == inputs)
            }
            _ => ae.image_dims().or_else(square),
        };
        dims.ok_or_else(|| Error::Argument {
            name: "-o".into(),
            problem: format!("{} is a picture, and rows of {inputs} numbers are not images of a known size", path.display()),
            remedy: "Name a .csv or .npy file, or the size: --image-size HxW.".into(),
        })
    }
}

/// The columns of a grid of this many images: a square, or a little wider.
fn side(n: usize) -> usize {
    (n as f64).sqrt().ceil() as usize
}
