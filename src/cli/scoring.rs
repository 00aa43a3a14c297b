//! What a row's score is.

use super::settings::{Settings, run_of};
use clap::ValueEnum;
use narrows::data::{Chunks, Dataset, Rows};
use narrows::nn::{Corruption, Ensemble, Explained, Quantiles, Typical};
use narrows::{Autoencoder, Error, Result};
use std::path::Path;

/// The standard deviation of the noise, if the training had none.
const USUAL_NOISE: f32 = 0.1;

/// What a score measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ScoreBy {
    /// The error of the reconstruction.
    Error,
    /// The error plus the squared Mahalanobis distance of the code, each over its mean in training.
    Distance,
    /// How much the reconstruction changes where noise is added to the row: normal noise, of the standard deviation
    /// that the network was trained with, else 0.1, in the network's units.
    Noise,
}

/// How rows are scored.
pub(super) enum Scorer {
    Error(Autoencoder),
    Distance(Autoencoder),
    /// With noise of this standard deviation.
    Noise(Autoencoder, f32),
    /// By the errors of several networks.
    Ensemble(Ensemble),
}

impl Scorer {
    /// That of a model, which may be of several networks.
    pub(super) fn of(by: ScoreBy, model: &Path, ae: &Autoencoder, ensemble: Option<Ensemble>) -> Result<Scorer> {
        let refuse = |problem: &str, remedy: &str| {
            Err(Error::Argument { name: "--score-by".into(), problem: problem.into(), remedy: remedy.into() })
        };
        let ae = ae.clone();
        match (by, ensemble) {
            (ScoreBy::Error, Some(ensemble)) => Ok(Scorer::Ensemble(ensemble)),
            (_, Some(_)) => refuse("an ensemble compares errors with those of its training", "Score it by error."),
            (ScoreBy::Error, None) => Ok(Scorer::Error(ae)),
            (ScoreBy::Distance, None) if ae.typical().is_none() => {
                refuse("this model does not know where the codes of its training lie", "Train it again, with a code of at most 256.")
            }
            (ScoreBy::Distance, None) => Ok(Scorer::Distance(ae)),
            (ScoreBy::Noise, None) => {
                let trained = run_of(model).map(Settings::read).transpose()?.and_then(|settings| settings.fit.noise);
                Ok(Scorer::Noise(ae, if let Some(Corruption::Gaussian(deviation)) = trained { deviation } else { USUAL_NOISE }))
            }
        }
    }

    /// What the model knows of the scores of its training.
    pub(super) fn quantiles(&self) -> Option<&Quantiles> {
        match self {
            Scorer::Error(ae) => ae.quantiles(),
            Scorer::Distance(ae) => ae.typical().map(Typical::quantiles),
            Scorer::Noise(..) => None,
            Scorer::Ensemble(ensemble) => ensemble.quantiles(),
        }
    }

    /// The scores of rows, a chunk at a time.
    pub(super) fn stream(&self, rows: Chunks) -> Result<Box<dyn Iterator<Item = Result<Rows>> + '_>> {
        Ok(match self {
            Scorer::Error(ae) => Box::new(ae.score_stream(rows)?),
            Scorer::Distance(ae) => Box::new(ae.distance_score_stream(rows)?),
            Scorer::Noise(ae, deviation) => Box::new(ae.noise_score_stream(rows, *deviation)?),
            Scorer::Ensemble(ensemble) => Box::new(ensemble.score_stream(rows)?),
        })
    }

    /// The same, and for each row at most `most` columns that make most of its error.
    ///
    /// # Errors
    /// By noise: what a reconstruction does there is no error of a column.
    pub(super) fn explained(&self, rows: Chunks, most: usize) -> Result<Box<dyn Iterator<Item = Result<Explained>> + '_>> {
        Ok(match self {
            Scorer::Error(ae) => Box::new(ae.explain_stream(rows, most)?),
            Scorer::Distance(ae) => Box::new(ae.explain_distance_stream(rows, most)?),
            Scorer::Ensemble(ensemble) => Box::new(ensemble.explain_stream(rows, most)?),
            Scorer::Noise(..) => return Err(no_columns()),
        })
    }

    /// The scores of rows in memory.
    pub(super) fn scores(&self, rows: &Dataset) -> Result<Vec<f32>> {
        let chunks = self.stream(rows.chunks())?.collect::<Result<Vec<_>>>()?;
        Ok(chunks.into_iter().flat_map(|chunk| chunk.values).collect())
    }
}

/// Refuses to name columns of the score by noise.
pub(super) fn no_columns() -> Error {
    let problem = "the score by noise is no error, and has no columns".into();
    Error::Argument { name: "--why".into(), problem, remedy: "Leave it out, or score by error or distance.".into() }
}
