//! The table of a training run.

use crate::spelling::shorten;
use crate::train::{COLUMNS, Epoch};
use crate::{Error, Result, files};
use std::path::Path;

/// Writes `metrics.csv`: a header and a line per epoch. Losses are means over all elements, the training one over the
/// epoch's rows; `seconds` is training alone, evaluation excluded; `test_loss` and `validation_loss` are empty where
/// there are no such rows. The other losses that the training keeps are columns of their own behind these.
///
/// # Errors
/// When the folder can't be written or the disk is full; then the old file is as it was.
pub fn metrics(path: &Path, epochs: &[Epoch]) -> Result<()> {
    files::write_atomic(path, |file| {
        let named: Vec<&str> = epochs.first().into_iter().flat_map(|e| &e.losses).map(|(name, _)| name.as_str()).collect();
        writeln!(file, "{}", [&COLUMNS[..], &named].concat().join(","))?;
        for e in epochs {
            let loss = |loss: Option<f64>| loss.map(|l| l.to_string()).unwrap_or_default();
            let (test, validation) = (loss(e.test_loss), loss(e.validation_loss));
            let rate = e.steps as f64 / e.seconds.max(1e-9);
            write!(file, "{},{},{test},{:.6},{rate:.1},{},{validation}", e.epoch, e.train_loss, e.seconds, e.learning_rate)?;
            e.losses.iter().try_for_each(|(_, loss)| write!(file, ",{loss}"))?;
            writeln!(file)?;
        }
        Ok(())
    })
}

/// What a report draws for an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point {
    /// Counted from 1.
    pub epoch: usize,
    /// The loss as training saw it.
    pub train_loss: f64,
    /// The error on the test rows after the epoch, where there are any.
    pub test_loss: Option<f64>,
    /// The error on the validation rows, where there are any.
    pub validation_loss: Option<f64>,
    /// The other losses of the training, by their names.
    pub losses: Vec<(String, f64)>,
}

/// Reads the epochs of a `metrics.csv`. Columns behind those that are always there are losses by their names.
///
/// # Errors
/// When the file is absent, or has no epoch, no `epoch` or `train_loss`, anything but a finite number there or under a
/// loss's name, or epochs that do not ascend from 1 or more.
pub fn read_metrics(path: &Path) -> Result<Vec<Point>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "reading the epochs", e))?;
    let bad = |problem: String| Error::data(path, problem, "Use a metrics.csv that narrows wrote.");
    let mut lines = text.lines().enumerate();
    let header: Vec<&str> = lines.next().map(|(_, l)| l.split(',').collect()).unwrap_or_default();
    let column = |name: &str| header.iter().position(|&h| h == name);
    let needed = |name: &str| column(name).ok_or_else(|| bad(format!("there is no column `{name}`")));
    let (epoch, train, test) = (needed("epoch")?, needed("train_loss")?, column("test_loss"));
    let validation = column("validation_loss");
    let named: Vec<usize> = (0..header.len()).filter(|&i| i >= COLUMNS.len() && header[..COLUMNS.len()] == COLUMNS).collect();
    let mut points: Vec<Point> = Vec::new();
    for (at, line) in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |i: usize| cells.get(i).copied().unwrap_or_default();
        let wrong = |i: usize, what: &str| bad(format!("line {}: `{}` is {what}", at + 1, shorten(cell(i))));
        let number = |i: usize| cell(i).parse().ok().filter(|n: &f64| n.is_finite()).ok_or_else(|| wrong(i, "not a finite number"));
        let optional = |column: Option<usize>| column.filter(|&i| !cell(i).is_empty()).map(number).transpose();
        let before = points.last().map_or(0, |p| p.epoch);
        let Some(at) = cell(epoch).parse().ok().filter(|&at: &usize| at > before) else {
            return Err(wrong(epoch, &format!("not an epoch after {before}")));
        };
        let losses = named.iter().map(|&i| Ok((header[i].to_string(), number(i)?))).collect::<Result<_>>()?;
        let (test_loss, validation_loss) = (optional(test)?, optional(validation)?);
        points.push(Point { epoch: at, train_loss: number(train)?, test_loss, validation_loss, losses });
    }
    if points.is_empty() {
        return Err(bad("it holds no epoch".into()));
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_is_no_table_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        let epoch = |epoch, test_loss, validation_loss| Epoch {
            epoch,
            train_loss: 0.1 / epoch as f64,
            test_loss,
            validation_loss,
            seconds: 1.0,
            steps: 10,
            learning_rate: 1e-3,
            losses: vec![("kl".to_string(), epoch as f64), ("penalty".to_string(), 1e-9)],
            step_losses: Vec::new(),
        };
        metrics(&path, &[epoch(1, Some(0.25), None), epoch(2, None, Some(0.5))]).unwrap();
        let losses = |epoch| vec![("kl".to_string(), epoch as f64), ("penalty".to_string(), 1e-9)];
        let point = |epoch, test_loss, validation_loss| Point {
            epoch,
            train_loss: 0.1 / epoch as f64,
            test_loss,
            validation_loss,
            losses: losses(epoch),
        };
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("epoch,train_loss,test_loss,seconds,steps_per_second,learning_rate,validation_loss,kl,penalty\n"),
            "{text}"
        );
        assert_eq!(read_metrics(&path).unwrap(), [point(1, Some(0.25), None), point(2, None, Some(0.5))]);
        for (text, said) in [
            ("", "no column `epoch`"),
            ("epoch,loss\n1,2\n", "no column `train_loss`"),
            ("epoch,train_loss\n", "no epoch"),
            ("epoch,train_loss\n1,x\n", "line 2: `x` is not a finite number"),
            ("epoch,train_loss\n1,1e999\n", "line 2: `1e999` is not a finite number"),
            ("epoch,train_loss\n1\n", "line 2: `` is not a finite number"),
            ("epoch,train_loss\n1e300,1\n", "line 2: `1e300` is not an epoch after 0"),
            ("epoch,train_loss\n3,1\n3,1\n", "line 3: `3` is not an epoch after 3"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read_metrics(&path).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
