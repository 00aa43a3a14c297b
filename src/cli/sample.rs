//! `narrows sample`

use super::common::{Common, check_place, ends_in, print};
use super::input::{Halves, Size};
use super::made::Made;
use super::model::Model;
use clap::Args;
use narrows::data::{Dataset, RowWriter, Rows};
use narrows::nn::Mixture;
use narrows::{Autoencoder, Error, Result, report, tasks};
use std::path::{Path, PathBuf};

/// Parts of a mixture, if no number is named.
const USUAL_PARTS: usize = 10;

/// What codes are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum From {
    Prior,
    /// A mixture with this many parts.
    Mixture(usize),
}

fn from(text: &str) -> std::result::Result<From, &'static str> {
    match text.split_once(':') {
        None if text == "prior" => Ok(From::Prior),
        None if text == "gmm" => Ok(From::Mixture(USUAL_PARTS)),
        Some(("gmm", parts)) => parts.parse().ok().filter(|&parts| parts > 0).map(From::Mixture).ok_or("it is not like gmm:10"),
        _ => Err("it is neither prior nor like gmm:10"),
    }
}

#[derive(Args)]
pub(super) struct Sample {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    /// How many rows.
    #[arg(short, value_name = "N", default_value_t = 64)]
    n: usize,
    /// What codes are drawn from: prior, a standard normal distribution, for variational networks; or gmm:N, a mixture
    /// of N normal distributions that is fitted to the codes of the training rows. The model file keeps it. [default:
    /// prior for variational networks, else gmm:10]
    #[arg(long, value_name = "prior|gmm:N", value_parser = from)]
    from: Option<From>,
    /// Seed of the codes, and of the mixture where it is fitted.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    halves: Halves,
    /// A .png, where rows are images, a .csv, with categories by their names, or an .npy file. [default: CSV to stdout]
    #[arg(short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one JSON document on the file.
    #[arg(long, requires = "out")]
    json: bool,
}

impl Sample {
    /// Writes rows that the network makes of drawn codes.
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
        let (ae, ensemble) = self.model.load_all(&self.common)?;
        self.model.say_first(ensemble.as_ref(), &self.common);
        let (ae, codes) = self.codes(ae, ensemble.is_none() && self.model.says_itself())?;
        match picture {
            Some(path) => {
                let rows = ae.decode(&codes)?;
                report::write(path, &report::grid(&rows.values, self.dims(&ae, path)?, side(self.n))?)?;
            }
            None => {
                let made = Made::new(&ae, self.out.as_deref());
                let mut writer = made.table(self.out.as_deref(), None)?;
                let codes = Dataset::from_rows("codes", codes.values, &[codes.columns])?.chunks();
                ae.decode_stream(codes)?.try_for_each(|rows| writer.write(&made.rows(rows?)?))?;
                writer.finish()?;
            }
        }
        let Some(path) = &self.out else { return Ok(()) };
        match self.json {
            true => print(serde_json::json!({ "file": path.display().to_string(), "rows": self.n, "seed": self.seed })),
            false => print(path.display()),
        }
    }

    /// The codes, and the network that knows from where they are. A file of several networks, or one that narrows did
    /// not write, keeps nothing.
    fn codes(&self, ae: Autoencoder, can_keep: bool) -> Result<(Autoencoder, Rows)> {
        let usual = if ae.spec().variational { From::Prior } else { From::Mixture(USUAL_PARTS) };
        let From::Mixture(parts) = self.from.unwrap_or(usual) else {
            let codes = tasks::codes(&ae, self.n, self.seed)?;
            return Ok((ae, codes));
        };
        // Named rows are other codes than those that the model knows.
        let known = ae.mixture().is_some_and(|mixture| mixture.parts() == parts) && !self.halves.is_named();
        let ae = if known { ae } else { self.fitted(ae, parts, can_keep)? };
        let codes = tasks::mixture_codes(&ae, self.n, self.seed)?;
        Ok((ae, codes))
    }

    /// The network with a mixture of the codes of training rows; its file keeps the one of its own rows.
    fn fitted(&self, ae: Autoencoder, parts: usize, can_keep: bool) -> Result<Autoencoder> {
        let named = self.halves.is_named();
        let rows = if named { &self.halves } else { &self.halves.without_image_size() };
        let (split, data) = rows.open(self.model.path(), &ae, &self.common)?;
        let mixture = Mixture::fit(&ae.encode(&split.train)?, parts, self.seed)?;
        let ae = ae.with_mixture(mixture)?;
        let fitted = format!("a mixture of {parts} normal distributions is fitted to the codes of {}", data.display());
        if named || !can_keep {
            self.common.say(&fitted);
            return Ok(ae);
        }
        // The rows can be drawn, whether the file can be written or not.
        match ae.save(self.model.file()) {
            Ok(()) => self.common.say(format_args!("{fitted}; {} keeps it", self.model.file().display())),
            Err(e) => self.common.say(format_args!("{fitted}; it is not kept: {e}")),
        }
        Ok(ae)
    }

    /// The dimensions of an image.
    fn dims(&self, ae: &Autoencoder, path: &Path) -> Result<[usize; 3]> {
        let inputs = ae.inputs();
        let square = || Some(inputs.isqrt()).filter(|side| side * side == inputs).map(|side| [1, side, side]);
        let dims = match self.halves.image_size() {
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
