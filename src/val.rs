//! What a tape's methods take and give: the numbers of its values.

use crate::{Error, Result};

/// A value on a [`Tape`](crate::Tape): an index that is good on that tape, and on the program compiled from it, and
/// nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Val {
    pub(crate) tape: u64,
    pub(crate) index: usize,
}

impl Val {
    /// The index on the tape with that number.
    pub(crate) fn on(self, tape: u64) -> Result<usize> {
        if self.tape == tape {
            return Ok(self.index);
        }
        Err(Error::argument("value", "it belongs to another tape", "Use values only on the tape that made them, or on its program."))
    }
}
