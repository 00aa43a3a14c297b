//! What a row's score is.

use super::settings::{Settings, run_of};
use clap::ValueEnum;
use narrows::data::{Chunks, Dataset, Rows};
use narrows::nn::{Corruption, Ensemble, Quantiles, Typical};
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

    /// The scores of rows in memory.
    pub(super) fn scores(&self, rows: &Dataset) -> Result<Vec<f32>> {
        let chunks = self.stream(rows.chunks())?.collect::<Result<Vec<_>>>()?;
        Ok(chunks.into_iter().flat_map(|chunk| chunk.values).collect())
    }
}

/// The `most` rows with the largest numbers in the first column, the largest first; of equal ones the earlier. NaN
/// counts as the largest. No more than a chunk of the others is in memory. Rows without ids get their numbers in the
/// stream as ids.
pub(super) fn largest(chunks: impl Iterator<Item = Result<Rows>>, most: usize) -> Result<Rows> {
    struct Row {
        values: Vec<f32>,
        id: String,
        texts: Vec<String>,
    }
    let rank = |row: &Row| if row.values[0].is_nan() { f32::INFINITY } else { row.values[0] };
    let (mut kept, mut seen, mut columns) = (Vec::<Row>::new(), 0, 1);
    for chunk in chunks {
        let chunk = chunk?;
        columns = chunk.columns;
        let per_row = chunk.texts.len().checked_div(chunk.rows).unwrap_or(0);
        let rows = chunk.values.chunks(columns).enumerate().map(|(at, values)| Row {
            values: values.to_vec(),
            id: chunk.ids.as_ref().map_or_else(|| (seen + at).to_string(), |ids| ids[at].clone()),
            texts: chunk.texts[at * per_row..(at + 1) * per_row].to_vec(),
        });
        kept.extend(rows);
        // Stable, so that of equal scores the earlier row comes first.
        kept.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        kept.truncate(most);
        seen += chunk.rows;
    }
    let (mut values, mut ids, mut texts) = (Vec::new(), Vec::new(), Vec::new());
    for row in kept {
        values.extend(row.values);
        ids.push(row.id);
        texts.extend(row.texts);
    }
    Ok(Rows::new(columns, values).with_ids(Some(ids)).with_texts(texts))
}
