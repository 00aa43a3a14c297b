//! What could not be read and was left out, since that was asked for.

use std::path::Path;

/// How many of them a note names.
const NAMED: usize = 3;

/// Lines or files that were left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Broken {
    count: usize,
    /// What is wrong with the first ones, and where.
    first: Vec<String>,
}

impl Broken {
    pub(super) fn add(&mut self, problem: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(problem);
        }
    }

    /// A sentence for users, unless nothing was left out. `what` is what they are, such as `line`.
    pub(super) fn note(&self, path: &Path, what: &str) -> Option<String> {
        let (are, more) = (if self.count == 1 { " is" } else { "s are" }, self.count.saturating_sub(NAMED));
        let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
        (self.count > 0).then(|| format!("{}: {} broken {what}{are} left out: {}{rest}", path.display(), self.count, self.first.join("; ")))
    }
}
