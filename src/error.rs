//! The one error type of the crate. Every text says what is wrong, with the numbers, and then the way out.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What can go wrong. `Display` gives one sentence with the numbers and one with the way out.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An op was given operands that do not fit together.
    #[error("{op}: {problem}. {remedy}")]
    Op {
        /// The op, as its tape method is called.
        op: &'static str,
        /// What does not fit, with both sizes.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// An argument is out of its range.
    #[error("{name}: {problem}. {remedy}")]
    Argument {
        /// The argument's name.
        name: String,
        /// The value it had, and what it has to be.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A device is absent, lost, out of memory or unable to do something.
    #[error("{device}: {problem}. {remedy}")]
    Device {
        /// The device, as `Device::open` takes it.
        device: String,
        /// What happened.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A file or a data set is not what it should be.
    #[error("{}: {problem}. {remedy}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the offset in bytes where there is one.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// The operating system refused to read or write.
    #[error("{}: {action}: {}", path.display(), refusal(action, source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The training loss, the weights or the state after the last step stopped being finite.
    #[error(
        "training: {what} stopped being finite at step {step}. Lower the learning rate ({learning_rate:e}), or scale the data to [0, 1]."
    )]
    Diverged {
        /// The first step where that was seen, counted from 0 over the whole training.
        step: u64,
        /// `the loss`, `the weights`, or `the state`.
        what: &'static str,
        /// The learning rate of that step.
        learning_rate: f32,
    },
}

/// `Result` with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn op(op: &'static str, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Op { op, problem: problem.into(), remedy: remedy.into() }
    }

    pub(crate) fn argument(name: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Argument { name: name.into(), problem: problem.into(), remedy: remedy.into() }
    }

    pub(crate) fn device(device: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Device { device: device.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A file or data set that is not what it should be.
    pub(crate) fn data(path: impl AsRef<Path>, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Data { path: path.as_ref().to_path_buf(), problem: problem.into(), remedy: remedy.into() }
    }

    #[cfg(feature = "files")]
    pub(crate) fn io(path: impl AsRef<Path>, action: &'static str, source: io::Error) -> Error {
        Error::Io { path: path.as_ref().to_path_buf(), action, source }
    }
}

/// What the operating system said, and the way out of it.
fn refusal(action: &str, source: &io::Error) -> String {
    // An error with words of its own says more than its kind.
    let is_plain = source.get_ref().is_none();
    let what = if action.contains("folder") { "folder" } else { "file" };
    let (problem, remedy) = match source.kind() {
        ErrorKind::NotFound if is_plain => (format!("there is no such {what}"), "Check the path: it is seen from the folder you are in."),
        ErrorKind::NotFound | ErrorKind::NotADirectory if !is_plain => (source.to_string(), "Make the folder first, or name another."),
        ErrorKind::PermissionDenied => (source.to_string(), "Check who may read and write it, or name another."),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge | ErrorKind::WriteZero => {
            (source.to_string(), "Make room on the disk, or name a place on another.")
        }
        ErrorKind::IsADirectory => (source.to_string(), "Name a file, not a folder."),
        ErrorKind::OutOfMemory => (source.to_string(), "Use fewer rows or smaller ones, or a machine with more memory."),
        ErrorKind::InvalidData => (source.to_string(), "Check that the file is of the right kind and whole."),
        _ => (source.to_string(), "Check the path, and that you may access it."),
    };
    format!("{problem}. {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refused_is_said_with_the_way_out_that_suits_it() {
        let said = |action, source: io::Error| Error::Io { path: "a/b".into(), action, source }.to_string();
        let absent = said("reading the model", ErrorKind::NotFound.into());
        assert_eq!(absent, "a/b: reading the model: there is no such file. Check the path: it is seen from the folder you are in.");
        assert!(said("listing the folder", ErrorKind::NotFound.into()).contains("there is no such folder. "));
        assert!(said("writing", ErrorKind::StorageFull.into()).ends_with("Make room on the disk, or name a place on another."));
        for kind in [ErrorKind::NotFound, ErrorKind::PermissionDenied, ErrorKind::InvalidData, ErrorKind::OutOfMemory] {
            assert!(!said("reading", kind.into()).contains("disk"), "{kind}");
        }
    }
}
