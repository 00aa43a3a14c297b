//! The widths of a network as people write them.

use std::num::ParseIntError;
use std::str::FromStr;

/// Widths with commas, or with hyphens between all of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Widths {
    all: Vec<usize>,
    hyphens: bool,
}

impl FromStr for Widths {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Widths, ParseIntError> {
        let hyphens = text.contains('-');
        let all = text.split(if hyphens { '-' } else { ',' }).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Widths { all, hyphens })
    }
}

impl Widths {
    /// The width of a row, where they begin with it, as 784-128-64-32 does, and those from the first layer to the code.
    pub(super) fn of_layers(&self) -> (Option<usize>, &[usize]) {
        match self.all.split_first() {
            Some((row, layers)) if self.hyphens => (Some(*row), layers),
            _ => (None, &self.all),
        }
    }

    /// The width of a row and those from the first layer to the code: the widths of a file begin with the row, with
    /// commas as well. None where only one is named.
    pub(super) fn of_file(&self) -> Option<(usize, &[usize])> {
        self.all.split_first().filter(|(_, layers)| !layers.is_empty()).map(|(row, layers)| (*row, layers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyphens_begin_with_the_row_and_commas_behind_it() {
        let widths = |text: &str| text.parse::<Widths>().unwrap();
        assert_eq!(widths("128,64").of_layers(), (None, &[128, 64][..]));
        assert_eq!(widths("784-128-64").of_layers(), (Some(784), &[128, 64][..]));
        assert_eq!(widths("784,128").of_file(), widths("784-128").of_file());
        assert_eq!(widths("784").of_file(), None);
        for text in ["", "128,", "784-128,64", "x", "-3"] {
            assert!(text.parse::<Widths>().is_err(), "{text}");
        }
    }
}
