//! Networks of one shape and different seeds, that score rows together.

use super::causes::Blame;
use super::rows::{Pass, Way};
use super::{Autoencoder, Explained, Quantiles, mean_square};
#[cfg(feature = "files")]
use crate::Device;
use crate::data::{Chunk, Chunks, Dataset, Rows};
use crate::{Error, Result};
#[cfg(feature = "files")]
use std::path::Path;

/// Some autoencoders that were trained on the same rows from different seeds. A row's score is the mean over the
/// members of the share of that member's training scores that are below the row's: a number from 0 to 1, and for a
/// single row too. Members err in different places, and shares are comparable where errors are not.
///
/// ```
/// use narrows::nn::{Ensemble, Quantiles};
/// use narrows::{Autoencoder, Device, data};
/// let (digits, device) = (data::digits(0, 0..50), Device::cpu()?);
/// let member = |seed| -> narrows::Result<Autoencoder> {
///     let ae = Autoencoder::builder(784).layers([8]).seed(seed).build(&device)?;
///     let scores = Quantiles::of(&ae.score(&digits)?)?;
///     Ok(ae.with_quantiles(scores))
/// };
/// let both = Ensemble::of(vec![member(0)?, member(1)?])?;
/// assert!(both.score(&digits)?.iter().all(|score| (0.0..1.0).contains(score)));
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble {
    members: Vec<Autoencoder>,
    scores: Option<Quantiles>,
}

impl Ensemble {
    /// Of members that know the scores of their training ([`Autoencoder::with_quantiles`]).
    ///
    /// # Errors
    /// When there are none, they are not of one shape and scaling, or one does not know its scores.
    pub fn of(members: Vec<Autoencoder>) -> Result<Ensemble> {
        let refuse = |problem: String, remedy: &str| Err(Error::argument("ensemble", problem, remedy));
        let Some(first) = members.first() else { return refuse("it has no members".into(), "Pass at least one.") };
        if let Some(at) = members.iter().position(|member| member.spec().clone().untrained() != first.spec().clone().untrained()) {
            return refuse(format!("member {at} is another network than the first"), "Change nothing but the seed.");
        }
        if let Some(at) = members.iter().position(|member| member.quantiles().is_none()) {
            return refuse(format!("member {at} does not know the scores of its training"), "Use `with_quantiles`.");
        }
        Ok(Ensemble { members, scores: None })
    }

    /// The members.
    pub fn members(&self) -> &[Autoencoder] {
        &self.members
    }

    /// The same, which knows how its own scores are distributed.
    #[must_use]
    pub fn with_quantiles(self, scores: Quantiles) -> Ensemble {
        Ensemble { scores: Some(scores), ..self }
    }

    /// How the scores of the rows of training are distributed, if that is known.
    pub fn quantiles(&self) -> Option<&Quantiles> {
        self.scores.as_ref()
    }

    /// The score of each row, from 0 to 1: see [`Ensemble`].
    ///
    /// # Errors
    /// When the rows have another number of columns, or the device fails.
    pub fn score(&self, data: &Dataset) -> Result<Vec<f32>> {
        let chunks = self.score_stream(data.chunks())?.collect::<Result<Vec<_>>>()?;
        Ok(chunks.into_iter().flat_map(|chunk| chunk.values).collect())
    }

    /// The scores of a stream of rows: an item for each chunk of it, with one column.
    ///
    /// # Errors
    /// As [`Autoencoder::encode_stream`].
    pub fn score_stream(&self, rows: Chunks) -> Result<impl Iterator<Item = Result<Rows>>> {
        Ok(self.explain_stream(rows, 0)?.map(|chunk| Ok(chunk?.scores)))
    }

    /// The same, and for each row at most `most` columns that make most of its squared error, mean over the members.
    /// Their reconstruction is the mean of the members' reconstructions.
    ///
    /// # Errors
    /// As [`Ensemble::score_stream`].
    pub fn explain_stream(&self, rows: Chunks, most: usize) -> Result<impl Iterator<Item = Result<Explained>>> {
        let mut passes = self.members.iter().map(|ae| Pass::new(ae, Way::Compare, &rows)).collect::<Result<Vec<_>>>()?;
        let (blame, columns) = (Blame::new(&self.members[0], most), self.members[0].inputs());
        Ok(rows.map(move |chunk| {
            let Chunk { values, ids, .. } = chunk?;
            // Members are of one scaling, so they see the same.
            let x = passes[0].seen(&values)?;
            let all = passes.iter_mut().map(|pass| pass.run(&x)).collect::<Result<Vec<_>>>()?;
            let share = |member: &Autoencoder, error: f32| member.quantiles().map_or(0.0, |scores| scores.share_below(error));
            let score = |(at, x): (usize, &[f32])| {
                let back = all.iter().map(|y| &y[at * columns..(at + 1) * columns]);
                let shares = self.members.iter().zip(back).map(|(member, y)| share(member, mean_square(x, y) as f32));
                (shares.sum::<f64>() / self.members.len() as f64) as f32
            };
            let scores = x.chunks(columns).enumerate().map(score).collect();
            Ok(Explained { causes: blame.causes(&values, &x, &all), scores: Rows::new(1, scores).with_ids(ids) })
        }))
    }

    /// Saves all members into one safetensors file: the tensors of member i, counted from 0, have `i.` before their
    /// names. The file is replaced in full or not at all. [`Autoencoder::load`] loads the first member of it.
    ///
    /// # Errors
    /// As [`Autoencoder::save`].
    #[cfg(feature = "files")]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        super::file::save_all(&self.members, self.scores.as_ref(), path.as_ref())
    }

    /// Loads what [`Ensemble::save`] or [`Autoencoder::save`] wrote: the network, or the first of several, and all of
    /// them where there are several.
    ///
    /// # Errors
    /// As [`Autoencoder::load`].
    #[cfg(feature = "files")]
    pub fn load(device: &Device, path: impl AsRef<Path>) -> Result<(Autoencoder, Option<Ensemble>)> {
        let (first, all) = super::file::load_all(device, path.as_ref())?;
        let all = all.map(|(members, scores)| Ok(Ensemble { scores, ..Ensemble::of(members)? }));
        Ok((first, all.transpose()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Entry;
    use crate::{Device, data};

    fn member(seed: u64, rows: &Dataset) -> Autoencoder {
        let ae = Autoencoder::builder(784).layers([6]).seed(seed).build(&Device::cpu().unwrap()).unwrap();
        let scores = Quantiles::of(&ae.score(rows).unwrap()).unwrap();
        ae.with_quantiles(scores)
    }

    #[test]
    fn a_score_is_the_mean_share_of_training_scores_below_it() {
        let rows = data::digits(0, 0..60);
        let members = vec![member(0, &rows), member(1, &rows), member(2, &rows)];
        let all: Vec<Vec<f32>> = members.iter().map(|ae| ae.score(&rows).unwrap()).collect();
        let ensemble = Ensemble::of(members).unwrap();
        let found = ensemble.score(&rows).unwrap();
        for row in 0..60 {
            let share = |scores: &Vec<f32>| scores.iter().filter(|score| **score < scores[row]).count() as f64 / 60.0;
            let want = all.iter().map(share).sum::<f64>() / 3.0;
            assert!((f64::from(found[row]) - want).abs() < 1e-6, "{row}: {} and not {want}", found[row]);
        }
        assert_eq!(ensemble.score(&rows.rows(7..8)).unwrap(), found[7..8], "a row alone has its score");
    }

    #[test]
    fn what_makes_a_score_is_by_the_mean_of_the_members() {
        let rows = data::digits(0, 0..30);
        let ensemble = Ensemble::of(vec![member(0, &rows), member(1, &rows)]).unwrap();
        let found: Vec<Explained> = ensemble.explain_stream(rows.chunks(), 784).unwrap().collect::<Result<_>>().unwrap();
        assert_eq!(found[0].scores.values, ensemble.score(&rows).unwrap());
        let [a, b] = [0, 1].map(|at| ensemble.members()[at].reconstruct(&rows).unwrap().values);
        for (row, causes) in found[0].causes.iter().enumerate() {
            let square = |at: usize| {
                let x = f64::from(rows.rows_f32(row..row + 1)[at]);
                [&a, &b].map(|y| (x - f64::from(y[row * 784 + at])).powi(2)).iter().sum::<f64>() / 2.0
            };
            let whole: f64 = (0..784).map(square).sum();
            assert_eq!(causes.len(), 784);
            for cause in causes.iter().take(5) {
                let at = cause.columns.start;
                assert!((cause.share - square(at) / whole).abs() < 1e-6, "{cause:?}");
                let Entry::Number(y) = cause.reconstruction else { panic!("{cause:?}") };
                assert!((y - f64::from(a[row * 784 + at] + b[row * 784 + at]) / 2.0).abs() < 1e-6, "{cause:?}");
            }
            assert!(causes.is_sorted_by(|one, next| one.share >= next.share));
        }
    }

    #[test]
    fn members_that_do_not_belong_together_are_refused() {
        let rows = data::digits(0, 0..20);
        let other = Autoencoder::builder(784).layers([7]).build(&Device::cpu().unwrap()).unwrap();
        let bare = Autoencoder::builder(784).layers([6]).build(&Device::cpu().unwrap()).unwrap();
        for (members, said) in [
            (vec![], "no members"),
            (vec![member(0, &rows), other], "member 1 is another network"),
            (vec![member(0, &rows), bare], "member 1 does not know the scores"),
        ] {
            let error = Ensemble::of(members).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[cfg(feature = "files")]
    #[test]
    fn a_file_holds_all_members_and_gives_the_same_scores() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let (rows, device) = (data::digits(0, 0..40), Device::cpu().unwrap());
        let ensemble = Ensemble::of(vec![member(3, &rows), member(4, &rows)]).unwrap();
        let scores = ensemble.score(&rows).unwrap();
        let ensemble = ensemble.with_quantiles(Quantiles::of(&scores).unwrap());
        ensemble.save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut names = tensors.names();
        names.sort();
        let one = ["decoder.0.bias", "decoder.0.weight", "encoder.0.bias", "encoder.0.weight"];
        assert_eq!(names, [0, 1].iter().flat_map(|at| one.map(|name| format!("{at}.{name}"))).collect::<Vec<_>>());
        let back = Ensemble::load(&device, &path).unwrap().1.unwrap();
        assert_eq!((back.score(&rows).unwrap(), back.quantiles()), (scores, ensemble.quantiles()));
        let first = Autoencoder::load(&device, &path).unwrap();
        assert_eq!(first.params().read("encoder.0.weight").unwrap(), ensemble.members()[0].params().read("encoder.0.weight").unwrap());
        assert_eq!(first.quantiles(), ensemble.members()[0].quantiles());
        let single = folder.path().join("s.safetensors");
        first.save(&single).unwrap();
        assert!(Ensemble::load(&device, &single).unwrap().1.is_none());
        // A member that is missing is noticed.
        let views = tensors.tensors().into_iter().filter(|(name, _)| name != "1.decoder.0.bias");
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let less = safetensors::serialize(views, header.metadata().clone()).unwrap();
        std::fs::write(&path, less).unwrap();
        let error = Ensemble::load(&device, &path).unwrap_err().to_string();
        assert!(error.contains("1.decoder.0.bias") && error.contains("missing"), "{error}");
    }
}
