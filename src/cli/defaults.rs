//! Defaults that depend on the rows: what neither a flag nor a file settles.

use super::settings::Settings;
use narrows::data::{Dataset, Scale, Schema, Split};
use narrows::nn::{Activation, Output};
use narrows::{Error, Loss, Result};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// The least steps of a training of unsaid length.
const STEPS: usize = 3_000;
/// The same for the built-in digits: they are trained within seconds, and then leave principal components far behind.
const BUILTIN_STEPS: usize = 4_000;
/// The least steps from one evaluation to the next, as long as there are this many evaluations.
const STEPS_BETWEEN: usize = 50;
const EVALUATIONS: usize = 20;
/// From this many training rows on, a training of unsaid length holds some of them out and may end early by them.
const ENOUGH_ROWS: usize = 1_000;
const HELD_OUT: f64 = 0.1;
const PATIENCE: usize = 10;
/// The hidden layers for a table, and the widest code.
const HIDDEN: [usize; 2] = [128, 64];
const WIDEST_CODE: usize = 32;
/// The hidden layers for texts, and the widest code: Hinton and Salakhutdinov (2006) had 500, 250, 125 and 10.
const HIDDEN_OF_TEXTS: [usize; 2] = [500, 250];
const CODE_OF_TEXTS: usize = 32;
/// The activation for a table: its units can't die.
const ACTIVATION: Activation = Activation::Leaky;

/// What flags and files have settled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// The width of a row, where widths begin with it.
    pub(super) row: Option<usize>,
    pub(super) layers: bool,
    pub(super) activation: bool,
    pub(super) output: bool,
    pub(super) epochs: bool,
    pub(super) evaluate_every: bool,
    pub(super) patience: bool,
    pub(super) validation: bool,
}

impl Said {
    /// What a file in tables names.
    pub(super) fn in_file(text: &str) -> Said {
        let tables: BTreeMap<String, BTreeMap<String, IgnoredAny>> = toml::from_str(text).unwrap_or_default();
        let said = |table: &str, name: &str| tables.get(table).is_some_and(|table| table.contains_key(name));
        Said {
            row: None,
            layers: said("model", "layers"),
            activation: said("model", "activation"),
            output: said("model", "output"),
            epochs: said("fit", "epochs"),
            evaluate_every: said("fit", "evaluate_every"),
            patience: said("fit", "patience"),
            validation: said("data", "validation"),
        }
    }

    /// Everything: a file of the first format means what it meant.
    pub(super) fn all() -> Said {
        Said {
            row: None,
            layers: true,
            activation: true,
            output: true,
            epochs: true,
            evaluate_every: true,
            patience: true,
            validation: true,
        }
    }
}

impl Settings {
    /// Settles by the rows what is not settled yet.
    ///
    /// # Errors
    /// When the widths begin with another width than the rows have.
    pub(super) fn complete(&mut self, split: &Split) -> Result<()> {
        self.complete_model(&split.train)?;
        self.complete_fit(split);
        Ok(())
    }

    fn complete_model(&mut self, train: &Dataset) -> Result<()> {
        let columns = train.columns();
        if let Some(row) = self.said.row.filter(|row| *row != columns) {
            return Err(Error::Argument {
                name: "--layers".into(),
                problem: format!("the widths begin with rows of {row} numbers, and these have {columns}"),
                remedy: format!("Begin with {columns}-, or name only what follows the rows, with commas."),
            });
        }
        if train.row_dims().len() > 1 {
            return Ok(());
        }
        if train.schema().is_some_and(Schema::is_of_texts) {
            self.complete_texts(columns);
            return Ok(());
        }
        if !self.said.layers {
            self.model = self.model.clone().hidden(HIDDEN).code((columns / 3).clamp(1, WIDEST_CODE));
        }
        if !self.said.activation && self.model.is_deep() {
            self.model = self.model.clone().activation(ACTIVATION);
        }
        if train.schema().is_some_and(Schema::has_categories) {
            self.complete_output(Scale::MinMax);
        }
        Ok(())
    }

    /// A linear output, for rows with many numbers that are nearly always 0: a sigmoid hardly leaves their mean.
    /// Cross-entropy needs a sigmoid.
    fn complete_output(&mut self, scale: Scale) {
        if !self.said.output && self.fit.loss != Loss::Bce {
            self.model = self.model.clone().output(Output::Linear);
            self.data.scale.get_or_insert(scale);
        }
    }

    /// A network for texts: rows as they are, and a linear output.
    fn complete_texts(&mut self, words: usize) {
        if !self.said.layers {
            self.model = self.model.clone().hidden(HIDDEN_OF_TEXTS).code((words / 3).clamp(1, CODE_OF_TEXTS));
        }
        if !self.said.activation && self.model.is_deep() {
            self.model = self.model.clone().activation(ACTIVATION);
        }
        self.complete_output(Scale::None);
        self.data.scale.get_or_insert(Scale::None);
    }

    fn complete_fit(&mut self, split: &Split) {
        let least = if self.data() == "builtin" { BUILTIN_STEPS } else { STEPS };
        let batch = self.fit.batch_size.max(1);
        let steps = |rows: usize| rows.div_ceil(batch).max(1);
        let short = !self.said.epochs && self.fit.epochs * steps(split.train.len()) < least;
        self.complete_validation(split, short);
        if short {
            self.fit.epochs = least.div_ceil(steps(self.rows_to_train(&split.train)));
        }
        if !self.said.evaluate_every {
            let between = STEPS_BETWEEN.div_ceil(steps(self.rows_to_train(&split.train)));
            self.fit.evaluate_every = between.min(self.fit.epochs / EVALUATIONS).max(1);
        }
        if !self.said.epochs {
            self.fit.epochs = self.fit.epochs.next_multiple_of(self.fit.evaluate_every);
        }
    }

    /// Patience has rows to look at. A training that is made longer has patience, where there are rows for it.
    fn complete_validation(&mut self, split: &Split, longer: bool) {
        let enough = longer && !self.said.patience && split.train.len() >= ENOUGH_ROWS;
        if !self.said.validation && split.validation.is_none() && (self.fit.patience.is_some() || enough) {
            self.data.validation = Some(HELD_OUT);
        }
        if longer && !self.said.patience && (self.data.validation.is_some() || split.validation.is_some()) {
            self.fit.patience = Some(PATIENCE);
        }
    }

    /// How many rows are left to train on.
    fn rows_to_train(&self, train: &Dataset) -> usize {
        let held = self.data.validation.map_or(0, |fraction| (train.len() as f64 * fraction).round() as usize);
        train.len().saturating_sub(held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the settings in this text become for training rows of these dimensions.
    fn completed(text: &str, rows: usize, dims: &[usize]) -> Settings {
        let part = |rows: usize| Dataset::from_bytes("rows", vec![0; rows * dims.iter().product::<usize>()], dims).unwrap();
        let mut settings = Settings { said: Said::in_file(text), ..toml::from_str(text).unwrap() };
        settings.data.name.get_or_insert_with(|| "rows.npy".into());
        settings.complete(&Split::new(part(rows), part(1))).unwrap();
        settings
    }

    #[test]
    fn the_rows_say_how_long_a_training_of_unsaid_length_is() {
        let of = |text: &str, rows: usize| {
            let Settings { fit, data, .. } = completed(text, rows, &[1, 1, 2]);
            (fit.epochs, fit.evaluate_every, fit.patience, data.validation)
        };
        // The article's training is as it was, and so is one whose length is said.
        assert_eq!(of("", 60_000), (10, 1, None, None));
        assert_eq!(of("fit.epochs = 7", 100), (7, 1, None, None));
        // One step; eight, when a tenth is held out; and 141.
        assert_eq!(of("", 100), (3_000, 50, None, None));
        assert_eq!(of("", 1_000), (378, 7, Some(10), Some(0.1)));
        assert_eq!(of("", 20_000), (22, 1, Some(10), Some(0.1)));
        assert_eq!(of("data.name = \"builtin\"", 20_000), (29, 1, Some(10), Some(0.1)));
        // Evaluations are seldom where epochs are short, but there are twenty.
        assert_eq!(of("fit.epochs = 200", 100), (200, 10, None, None));
        assert_eq!(of("fit.patience = 3", 60_000), (10, 1, Some(3), Some(0.1)));
        assert_eq!(of("data.validation = 0.5", 100), (3_000, 50, Some(10), Some(0.5)));
        // Data that come with rows to validate on lose none.
        let rows = |rows: usize| Dataset::from_bytes("rows", vec![0; 2 * rows], &[1, 1, 2]).unwrap();
        let mut settings = Settings::default();
        settings.data.name = Some("rows.npy".into());
        let mut split = Split::new(rows(100), rows(1));
        split.validation = Some(rows(50));
        settings.complete(&split).unwrap();
        assert_eq!((settings.fit.patience, settings.data.validation), (Some(10), None));
    }

    #[test]
    fn a_table_gets_a_narrower_code_and_units_that_can_not_die_unless_it_is_said_otherwise() {
        let of = |text: &str, dims: &[usize]| completed(text, 10, dims).model;
        let table = |columns: usize| of("", &[columns]);
        for (columns, code) in [(1, 1), (2, 1), (6, 2), (23, 7), (784, 32)] {
            assert_eq!(table(columns), table(columns).layers([128, 64, code]).activation(Activation::Leaky));
        }
        assert_eq!(of("", &[1, 28, 28]), Settings::default().model);
        assert_eq!(of("model.layers = [3]", &[6]), Settings::default().model.layers([3]));
        let said = of("model = { layers = [4, 3], activation = \"relu\" }", &[6]);
        assert_eq!(said, Settings::default().model.layers([4, 3]));
    }
}
