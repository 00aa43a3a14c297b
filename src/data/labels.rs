//! The labels of a table, as numbers.

use super::values::pick;
use std::collections::HashMap;

pub(super) const EMPTY_LABEL: &str = "the label is empty";

/// The classes found so far, by their texts, and the class of each row.
#[derive(Default)]
pub(super) struct Labels {
    classes: HashMap<String, u8>,
    rows: Vec<u8>,
}

impl Labels {
    /// Those of these classes, sorted and at most 256, whether rows have them all or not.
    pub(super) fn of_classes(classes: &[String]) -> Labels {
        Labels { classes: classes.iter().cloned().zip(0..).collect(), rows: Vec::new() }
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), String> {
        if text.is_empty() {
            return Err(EMPTY_LABEL.into());
        }
        let class = match self.classes.get(text) {
            Some(class) => *class,
            None => {
                let next = u8::try_from(self.classes.len()).map_err(|_| "this is the 257th label, and 256 is the limit".to_string())?;
                self.classes.insert(text.to_string(), next);
                next
            }
        };
        self.rows.push(class);
        Ok(())
    }

    /// Only these rows from now on; a class without rows stays one.
    pub(super) fn keep(&mut self, rows: &[u32]) {
        if !self.rows.is_empty() {
            self.rows = pick(&self.rows, 1, rows);
        }
    }

    /// The labels of these rows, if there are any: the number itself where all are whole numbers from 0 to 255, else
    /// the place of its text in the sorted list, which is returned too.
    pub(super) fn of(&self, rows: &[u32]) -> (Option<Vec<u8>>, Option<Vec<String>>) {
        if self.classes.is_empty() {
            return (None, None);
        }
        let mut texts: Vec<(&String, u8)> = self.classes.iter().map(|(text, class)| (text, *class)).collect();
        texts.sort();
        let numbers = texts.iter().all(|(text, _)| text.parse::<u8>().is_ok());
        let mut places = [0u8; 256];
        for (place, (text, class)) in texts.iter().enumerate() {
            places[usize::from(*class)] = text.parse().ok().filter(|_| numbers).unwrap_or(place as u8);
        }
        let labels = rows.iter().map(|&row| places[usize::from(self.rows[row as usize])]).collect();
        (Some(labels), (!numbers).then(|| texts.into_iter().map(|(text, _)| text.clone()).collect()))
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}
