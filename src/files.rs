//! Files that are either whole or absent.

use crate::{Error, Result};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::NamedTempFile;

/// All bytes of a regular file: a device or a pipe may have no end.
pub(crate) fn read(path: &Path, action: &'static str) -> Result<Vec<u8>> {
    let mut file = File::open(path).map_err(|e| Error::io(path, action, e))?;
    if !file.metadata().map_err(|e| Error::io(path, action, e))?.is_file() {
        return Err(Error::data(path, "this is not a regular file", "Name a file."));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| Error::io(path, action, e))?;
    Ok(bytes)
}

/// How the names of temporary files start and end.
const PREFIX: &str = ".narrows-";
const SUFFIX: &str = ".part";

/// Removes the temporary files that killed processes left in a folder. Only for a folder that no other process writes
/// into.
pub(crate) fn sweep(folder: &Path) {
    let ours = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(ours) {
            // A file that stays does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The temporary files that are being written.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes the temporary files that this process is writing: for one that ends at once. Whether there were any. Who
/// would begin another waits for that end.
pub(crate) fn abandon() -> bool {
    let mut files = unfinished();
    let removed = files.drain(..).filter(|path| fs::remove_file(path).is_ok()).count();
    std::mem::forget(files);
    removed > 0
}

/// One of the unfinished files, until it is dropped.
struct Listed(PathBuf);

impl Drop for Listed {
    fn drop(&mut self) {
        unfinished().retain(|path| *path != self.0);
    }
}

/// A file that takes its name when it is finished, so that a reader finds all of the old file or all of the new one, at
/// any moment and after any crash: a temporary file in the same folder is written, synced to disk and renamed, and then
/// the folder is synced to disk. Dropped unfinished, it leaves nothing.
pub(crate) struct AtomicFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    _listed: Listed,
}

impl AtomicFile {
    /// Creates the temporary file.
    pub(crate) fn create(path: &Path) -> Result<AtomicFile> {
        if path.file_name().is_none() {
            return Err(Error::io(path, "writing", io::Error::new(io::ErrorKind::InvalidInput, "the path does not name a file")));
        }
        check_folder(path)?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).suffix(SUFFIX);
        // Temporary files are private; the finished file is as readable as any other under this umask.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut unfinished = unfinished();
        // The system's words would name the temporary file.
        let file = builder.tempfile_in(folder(path)).map_err(|e| Error::io(path, "writing into its folder", e.kind().into()))?;
        unfinished.push(file.path().into());
        Ok(AtomicFile { path: path.to_path_buf(), _listed: Listed(file.path().into()), file: BufWriter::new(file) })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<()> {
        let path = &self.path;
        let failed = |action| move |source| Error::io(path, action, source);
        let file = self.file.into_inner().map_err(|e| failed("writing")(e.into_error()))?;
        file.as_file().sync_all().map_err(failed("syncing it to disk"))?;
        file.persist(path).map_err(|e| failed("renaming the finished file")(e.error))?;
        // Only Unix allows a folder to be opened and synced.
        if cfg!(unix) {
            File::open(folder(path)).and_then(|folder| folder.sync_all()).map_err(failed("syncing its folder to disk"))?;
        }
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// The folder that the path is in.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Whether there is a folder for the file, which is asked before long work is done for it.
///
/// # Errors
/// When the folder does not exist, or is a file.
pub(crate) fn check_folder(path: &Path) -> Result<()> {
    let folder = folder(path);
    let (kind, problem) = match folder.exists() {
        true if folder.is_dir() => return Ok(()),
        true => (io::ErrorKind::NotADirectory, "is a file"),
        false => (io::ErrorKind::NotFound, "does not exist"),
    };
    Err(Error::io(path, "writing", io::Error::new(kind, format!("the folder `{}` {problem}", folder.display()))))
}

/// Writes a whole [`AtomicFile`].
///
/// # Errors
/// Any error of `write` or of the system; then `path` is as it was and the temporary file is gone.
pub(crate) fn write_atomic(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut file = AtomicFile::create(path)?;
    write(&mut file.file).map_err(|e| Error::io(path, "writing", e))?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        write_atomic(&path, |w| w.write_all(b"first")).unwrap();
        write_atomic(&path, |w| {
            w.write_all(b"sec")?;
            // While the new file is written, readers still see the old one.
            assert_eq!(fs::read(&path).unwrap(), b"first");
            w.write_all(b"ond")
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let error = write_atomic(&path, |w| {
            w.write_all(&[b'x'; 100_000])?;
            Err(io::Error::other("the encoder gave up"))
        })
        .unwrap_err();
        assert!(error.to_string().contains("a.txt: writing: the encoder gave up"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".narrows-x1y2z3.part", ".narrows-", "a.part", ".hidden", "b.txt"] {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        sweep(folder.path());
        sweep(&folder.path().join("absent"));
        assert_eq!(names(folder.path()), [".hidden", ".narrows-", "a.part", "b.txt"]);
    }

    #[test]
    fn a_missing_folder_a_folder_in_the_way_and_no_name_are_errors() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("absent/a.txt"), folder.path().to_path_buf(), "/".into(), "".into()] {
            let error = write_atomic(&path, |w| w.write_all(b"x")).unwrap_err();
            assert!(matches!(error, Error::Io { .. }), "{path:?}: {error}");
            let said = error.to_string();
            assert!(!said.contains(PREFIX) && !said.contains("disk"), "{said}");
            assert_eq!(said.contains("absent` does not exist. Make the folder first"), path.ends_with("absent/a.txt"), "{said}");
        }
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_it_as_the_umask_says() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomic(&ours, |w| w.write_all(b"x")).unwrap();
        fs::write(&plain, "x").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
