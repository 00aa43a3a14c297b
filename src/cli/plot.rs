//! `narrows plot`

use super::apply::numbered;
use super::common::{Common, Failure, PLOT, check_ending, check_place, ends_in, is_same, plotted, print, without_components};
use super::input::Halves;
use super::map::{drawn, placed};
use super::model::Model;
use super::settings::Settings;
use clap::Args;
use narrows::data::{Dataset, RowWriter, Rows, Split};
use narrows::tasks::{self, Dream, Importance, Pca, Projection};
use narrows::train::Hyperparameters;
use narrows::{Autoencoder, Error, Fit, Result, report};
use std::path::{Path, PathBuf};

/// What --sizes and --epochs say nothing about.
const NOT_RATE: [&str; 9] = ["codes", "weights", "atoms", "traverse", "between", "manifold", "style", "dream", "features"];

#[derive(Args)]
pub(super) struct Plot {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    halves: Halves,
    #[command(flatten)]
    what: What,
    /// The picture: an .svg or .png of --rate and of --features, which is a .csv too, else a .png. [default: named
    /// after what it shows]
    #[arg(short, alias = "out", value_name = "FILE")]
    out: Option<PathBuf>,
    /// Prints one JSON document instead of the picture's path.
    #[arg(long)]
    json: bool,
    /// Code sizes of --rate. [default: of 2, 4, 8, 16, 30 and 64 those that are shorter than a row]
    #[arg(long, value_delimiter = ',', value_name = "N,N,..", conflicts_with_all = NOT_RATE)]
    sizes: Option<Vec<usize>>,
    /// Passes over the training rows for each network of --rate. [default: as many as the run made]
    #[arg(long, value_name = "N", conflicts_with_all = NOT_RATE)]
    epochs: Option<usize>,
}

/// What to draw: one of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The older name of `narrows map`.
    #[arg(long, hide = true)]
    codes: bool,
    /// The first layer's weights as tiles.
    #[arg(long)]
    weights: bool,
    /// What each unit of the code adds to an image, as tiles.
    #[arg(long)]
    atoms: bool,
    /// Of a variational network: for each unit of the code a line of images in which it goes from -3 to 3, from the
    /// mean code of the test rows.
    #[arg(long)]
    traverse: bool,
    /// The images between two codes: those of test rows, counted from 0, or the mean codes of two classes.
    #[arg(long, value_name = "row:N,row:N|class:C,class:C", value_parser = ends)]
    between: Option<[End; 2]>,
    /// The images of three codes, and of the first less the second plus the third: what tells the first class from the
    /// second, put on the third.
    #[arg(long, value_name = "class:A,class:B,class:C", value_parser = three)]
    style: Option<[End; 3]>,
    /// The image on its way from the mean of the test rows to what this unit of the code, counted from 0, answers most
    /// to.
    #[arg(long, value_name = "UNIT")]
    dream: Option<usize>,
    /// Which columns the code uses: the norm of the first layer's weights for each, and by how much the error of the
    /// other columns rises where it is shuffled among the test rows, of which at most 1,000 are taken. Of images both
    /// are pictures in a .png: the norms before the errors.
    #[arg(long)]
    features: bool,
    /// Of a network with a code of two units: the images of a grid over the plane that the test rows fill.
    #[arg(long)]
    manifold: bool,
    /// Test error against code size: trains networks with the model's hidden layers and the settings of its run, or the
    /// usual ones if it is in no folder of a run, and compares them with PCA.
    #[arg(long)]
    rate: bool,
}

impl Plot {
    /// Draws, and prints the picture's path.
    pub(super) fn run(&self) -> std::result::Result<(), Failure> {
        let path = self.path()?;
        check_place(&path, "the model", self.model.is_at(&path))?;
        let ae = self.model.load(&self.common)?;
        let (split, data) = self.halves.open(self.model.path(), &ae, &self.common)?;
        check_place(&path, "the rows", is_same(&path, &data))?;
        match self.what.features {
            true => self.features(&ae, &split.test, &path)?,
            false => report::write(&path, &self.draw(&ae, &split, &data, ends_in(&path, "png"))?)?,
        }
        match self.json {
            true => print(serde_json::json!({ "picture": path.display().to_string(), "data": data.display().to_string() }))?,
            false => print(path.display())?,
        }
        Ok(())
    }

    /// The file to write, in a format that the drawing has.
    fn path(&self) -> Result<PathBuf> {
        let (name, endings) = match &self.what {
            What { codes: true, .. } => ("codes.svg", PLOT),
            What { rate: true, .. } => ("rate.svg", PLOT),
            What { weights: true, .. } => ("weights.png", &["png"][..]),
            What { atoms: true, .. } => ("atoms.png", &["png"][..]),
            What { traverse: true, .. } => ("traverse.png", &["png"][..]),
            What { manifold: true, .. } => ("manifold.png", &["png"][..]),
            What { style: Some(_), .. } => ("style.png", &["png"][..]),
            What { dream: Some(_), .. } => ("dream.png", &["png"][..]),
            What { features: true, .. } => ("features.svg", &["svg", "png", "csv"][..]),
            _ => ("between.png", &["png"][..]),
        };
        let path = self.out.clone().unwrap_or_else(|| name.into());
        check_ending(&path, endings)?;
        Ok(path)
    }

    fn draw(&self, ae: &Autoencoder, split: &Split, data: &Path, is_png: bool) -> Result<Vec<u8>> {
        let test = &split.test;
        let synthetic = if test.is_synthetic() { ", synthetic" } else { "" };
        let svg = match &self.what {
            What { codes: true, .. } => {
                let plane = placed(ae, test, Projection::usual(ae.code_width()))?;
                return drawn(&plane, test, is_png);
            }
            What { rate: true, .. } => self.rate(ae, split, &format!("{}{synthetic}", data.display()))?,
            what => {
                let dims = test.image_dims().ok_or_else(|| Error::Data {
                    path: data.into(),
                    problem: "its rows are not images".into(),
                    remedy: "Draw a network that was trained on images.".into(),
                })?;
                return what.images(ae, test, dims, &self.common);
            }
        };
        plotted(svg, is_png)
    }

    /// Draws or writes what each column is worth.
    fn features(&self, ae: &Autoencoder, test: &Dataset, path: &Path) -> Result<()> {
        let found = Importance::of(ae, &test.head(MEASURED), 0)?;
        let names = test.names().unwrap_or_else(|| numbered("x", ae.inputs()));
        if !ends_in(path, "csv") {
            let title = format!("What columns of {} are worth", test.name());
            return match test.image_dims().filter(|_| ends_in(path, "png")) {
                Some(dims) => report::write(path, &report::importance_of_pixels(&found, dims)?),
                None => report::write(path, &plotted(report::importance(&title, &found, &names)?, ends_in(path, "png"))?),
            };
        }
        let mut writer = RowWriter::create(path, &["norm", "loss", "own"])?.with_texts(&["column"]);
        let order = found.order();
        let line = |&at: &usize| [found.norms[at], found.losses[at], found.own[at]];
        let rows = Rows::new(3, order.iter().flat_map(line).collect());
        writer.write(&rows.with_texts(order.iter().map(|&at| names[at].clone()).collect()))?;
        writer.finish().map(drop)
    }

    /// How the networks of --rate are trained: as the run was, and for as many epochs, unless the flag says another
    /// number.
    fn hyper(&self) -> Result<Hyperparameters> {
        let run = super::settings::run_of(self.model.path());
        let mut fit = run.map(Settings::read).transpose()?.map(|settings| settings.fit).unwrap_or_default();
        // There are no validation rows; where patience ended the run, its table says after which epoch.
        fit.patience = None;
        let table = run.map(|run| run.join("metrics.csv")).filter(|table| table.exists());
        let made = table.map(|table| report::read_metrics(&table)).transpose()?.and_then(|points| Some(points.last()?.epoch));
        fit.epochs = self.epochs.or(made).unwrap_or(fit.epochs);
        Ok(fit)
    }

    fn rate(&self, model: &Autoencoder, split: &Split, data: &str) -> Result<String> {
        let inputs = split.train.columns();
        let usual = || [1, 2, 4, 8, 16, 30, 64].into_iter().filter(|&size| size < inputs && (size > 1 || inputs <= 2)).collect();
        let sizes: Vec<usize> = self.sizes.clone().unwrap_or_else(usual);
        check_sizes(&sizes, inputs)?;
        let most = sizes.iter().copied().max().unwrap_or(1);
        let (train, test) = (model.scaled(&split.train)?, model.scaled(&split.test)?);
        let ks: Vec<usize> = (sizes.iter().copied().min().unwrap_or(1)..=most).collect();
        let components: Vec<(usize, f64)> = match Pca::seconds(train.len(), inputs) <= Pca::MOST_SECONDS {
            true => ks.iter().copied().zip(Pca::fit(&train)?.errors(&test, &ks)?).collect(),
            false => {
                self.common.say(without_components(&train));
                Vec::new()
            }
        };
        let mut networks = Vec::new();
        let hyper = self.hyper()?;
        for &code in &sizes {
            let mut spec = model.spec().clone().with_code(code);
            spec.scaler = None;
            let ae = Autoencoder::new(spec, hyper.seed, model.device())?;
            ae.fit(&train, &Fit::from(hyper.clone()))?;
            let error = ae.evaluate(&test)? * inputs as f64;
            let pca = components.iter().find(|c| c.0 == code).map_or_else(String::new, |c| format!(", PCA {:.3}", c.1));
            self.common.say(format_args!("code {code:>4}: squared error {error:.3} per row{pca}"));
            networks.push((code, error));
        }
        let epochs = format!("{} epoch{} each", hyper.epochs, if hyper.epochs == 1 { "" } else { "s" });
        report::rate(&format!("{data}, {epochs}"), &networks, &components)
    }
}

impl What {
    /// What is drawn as images of the rows' size.
    fn images(&self, ae: &Autoencoder, test: &Dataset, dims: [usize; 3], common: &Common) -> Result<Vec<u8>> {
        let grid = |rows: Rows, columns: usize| report::grid(&rows.values, dims, columns);
        match self {
            What { weights: true, .. } => Ok(report::weights(ae, dims)?.png),
            What { atoms: true, .. } => Ok(report::atoms(ae, &ae.encode(test)?, dims)?.png),
            What { traverse: true, .. } => grid(tasks::traverse(ae, &tasks::mean_code(ae, test)?, STEPS)?, STEPS),
            What { between: Some([from, to]), .. } => grid(tasks::between(ae, &from.code(ae, test)?, &to.code(ae, test)?, STEPS)?, STEPS),
            What { style: Some([a, b, c]), .. } => {
                let codes = [a.code(ae, test)?, b.code(ae, test)?, c.code(ae, test)?];
                let last = tasks::analogy([&codes[0], &codes[1], &codes[2]])?;
                grid(ae.decode(&Rows::new(ae.code_width(), [codes.concat(), last].concat()))?, 4)
            }
            What { dream: Some(unit), .. } => {
                let Dream { rows, values } = Dream::of(ae, test, *unit)?;
                common.say(format_args!("unit {unit} goes from {} to {}", values[0], values[values.len() - 1]));
                let steps = rows.rows;
                grid(rows, steps)
            }
            _ => grid(tasks::manifold(ae, &ae.encode(test)?, SIDE)?, SIDE),
        }
    }
}

/// Rows that columns are shuffled among.
const MEASURED: usize = 1000;
/// Images from one end of a line to the other, and along a side of a grid.
const STEPS: usize = 11;
const SIDE: usize = 20;

/// Where a line through the codes begins or ends.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Row(usize),
    /// By its name, or its number.
    Class(String),
}

/// Two ends.
fn ends(text: &str) -> std::result::Result<[End; 2], &'static str> {
    let both = text.split_once(',').and_then(|(from, to)| Some([end(from)?, end(to)?]));
    both.ok_or("it is not like row:3,row:5 or class:3,class:5")
}

/// Three of them.
fn three(text: &str) -> std::result::Result<[End; 3], &'static str> {
    let all: Option<Vec<End>> = text.split(',').map(end).collect();
    all.and_then(|all| all.try_into().ok()).ok_or("it is not like class:3,class:5,class:8 or row:0,row:1,row:2")
}

fn end(text: &str) -> Option<End> {
    match text.split_once(':') {
        Some(("row", number)) => number.parse().ok().map(End::Row),
        Some(("class", name)) if !name.is_empty() => Some(End::Class(name.into())),
        _ => None,
    }
}

impl End {
    fn code(&self, ae: &Autoencoder, test: &Dataset) -> Result<Vec<f32>> {
        let refuse = |problem: String, remedy: String| Err(Error::Argument { name: "a code".into(), problem, remedy });
        match self {
            End::Row(row) if *row < test.len() => tasks::mean_code(ae, &test.rows(*row..row + 1)),
            End::Row(row) => {
                let most = test.len().saturating_sub(1);
                refuse(format!("there is no test row {row}"), format!("Name rows from 0 to {most}."))
            }
            End::Class(name) => {
                let Some(labels) = test.labels() else {
                    return refuse("the test rows have no classes".into(), "Name rows: row:3,row:5.".into());
                };
                let rows: Vec<usize> = (0..test.len()).filter(|&row| test.class_name(labels[row]) == *name).collect();
                if rows.is_empty() {
                    return refuse(format!("no test row has the class {name}"), "Name one of the classes that `eval` lists.".into());
                }
                tasks::mean_code(ae, &test.selected(&rows))
            }
        }
    }
}

/// Whether PCA exists for codes of these sizes.
fn check_sizes(sizes: &[usize], columns: usize) -> Result<()> {
    match sizes.iter().find(|size| !(1..=columns).contains(*size)) {
        None => Ok(()),
        Some(size) => Err(Error::Argument {
            name: "--sizes".into(),
            problem: format!("a code of {size} numbers for rows of {columns}"),
            remedy: format!("Name sizes from 1 to {columns}."),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::{Plot, check_sizes};
    use clap::Parser;
    use std::fs;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        plot: Plot,
    }

    #[test]
    fn networks_of_other_code_sizes_are_trained_as_the_run_was() {
        let folder = tempfile::tempdir().unwrap();
        let hyper = |flags: &[&str]| {
            let model = folder.path().join("model.safetensors");
            let line = [&["x", "--rate", "--model", model.to_str().unwrap()], flags].concat();
            Line::try_parse_from(line).map(|line| line.plot.hyper().unwrap()).unwrap_or_else(|e| panic!("{e}"))
        };
        let seven = ["--epochs", "7"];
        assert_eq!((hyper(&seven).lr, hyper(&seven).epochs, hyper(&[]).epochs), (1e-3, 7, 10), "in no folder of a run");
        fs::write(folder.path().join("config.toml"), "[fit]\nlr = 0.05\nloss = \"bce\"\nseed = 3\nepochs = 90\npatience = 2\n").unwrap();
        let asked = hyper(&seven);
        assert_eq!((asked.lr, asked.loss.to_string().as_str(), asked.seed), (0.05, "bce", 3));
        assert_eq!((asked.epochs, asked.patience, hyper(&[]).epochs), (7, None, 90));
        // Patience ended it after epoch 31.
        fs::write(folder.path().join("metrics.csv"), "epoch,train_loss\n1,0.5\n31,0.1\n").unwrap();
        assert_eq!((hyper(&[]).epochs, hyper(&seven).epochs), (31, 7));
    }

    #[test]
    fn a_code_is_at_least_one_number_and_no_longer_than_a_row() {
        assert!(check_sizes(&[1, 2, 3], 3).is_ok());
        for size in [0, 4, usize::MAX] {
            let error = check_sizes(&[1, size], 3).unwrap_err().to_string();
            assert_eq!(error, format!("--sizes: a code of {size} numbers for rows of 3. Name sizes from 1 to 3."));
        }
    }
}
