//! How people lay images or texts out in folders. Hidden files count for nothing.
//!
//! ```text
//! photo.jpg                       a single file, as a folder with nothing else
//! photos/*                        files without classes
//! photos/CLASS/**                 each sub-folder is a class, with all files below it
//! photos/{train,valid,test}/..    parts, each of which is one of the two above
//! ```

use super::idx::REMEDY;
use crate::spelling::shorten;
use crate::{Error, Result};
use image::ImageFormat;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The names of each part, in any case.
const TRAIN: &[&str] = &["train", "training"];
const VALIDATION: &[&str] = &["valid", "val", "validation"];
const TEST: &[&str] = &["test", "testing"];
/// The most folders below a class, one in the other: a link may lead back into its own folder.
const DEPTH: usize = 8;
/// The most paths that a note names.
const NAMED: usize = 5;

/// The sub-folders that are parts.
pub(super) struct Parts {
    pub(super) train: PathBuf,
    pub(super) validation: Option<PathBuf>,
    /// The validation part if there is no test part.
    pub(super) test: Option<PathBuf>,
    pub(super) notes: Vec<String>,
}

impl Parts {
    /// The parts of a folder. None if its sub-folders are classes: there is no training part, or it lies beside folders
    /// that are no parts.
    pub(super) fn of(folder: &Path) -> Result<Option<Parts>> {
        if folder.is_file() {
            return Ok(None);
        }
        let (mut folders, files) = list(folder)?;
        let is_only = folders.len() == 1;
        let Some(train) = take(&mut folders, TRAIN)? else { return Ok(None) };
        let (mut validation, mut test) = (take(&mut folders, VALIDATION)?, take(&mut folders, TEST)?);
        let mut notes = Vec::new();
        match (&validation, &test) {
            (None, None) if !is_only => return Ok(None),
            (Some(stand_in), None) => {
                notes.push(format!("{}: there is no test part, so {} is the one to judge by", folder.display(), name(stand_in)));
                test = validation.take();
            }
            _ => {}
        }
        let beside = [folders, files].concat();
        if !beside.is_empty() {
            notes.push(format!("{}: what lies beside the parts is left out {}", folder.display(), listed(folder, &beside)));
        }
        Ok(Some(Parts { train, validation, test, notes }))
    }
}

/// Whether the folder has training and test parts.
pub(super) fn has_parts(folder: &Path) -> Result<bool> {
    Ok(Parts::of(folder)?.is_some())
}

/// Takes out the folder that has one of these names.
fn take(folders: &mut Vec<PathBuf>, names: &[&str]) -> Result<Option<PathBuf>> {
    let is_named = |path: &Path| names.iter().any(|known| name(path).eq_ignore_ascii_case(known));
    let mut found = folders.extract_if(.., |path| is_named(path));
    match (found.next(), found.next()) {
        (Some(first), Some(second)) => {
            let problem = format!("{} is the same part as {}", name(&second), name(&first));
            Err(Error::data(second, problem, "Put the files of both into one folder."))
        }
        (found, _) => Ok(found),
    }
}

/// What the files of a folder are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Images,
    /// Files whose names end in `.txt`.
    Texts,
}

impl What {
    /// What most of the files are: texts where there are some and no image.
    pub(super) fn of(folder: &Path) -> Result<What> {
        let mut texts = false;
        Ok(if !has_image(folder, DEPTH, &mut texts)? && texts { What::Texts } else { What::Images })
    }

    fn is(self, path: &Path) -> Result<bool> {
        match self {
            What::Images => is_image(path),
            What::Texts => Ok(is_text(path)),
        }
    }

    /// One of them in words.
    fn one(self) -> &'static str {
        match self {
            What::Images => "image",
            What::Texts => "text",
        }
    }
}

/// Whether there is an image at any depth; and whether a text came before it.
fn has_image(folder: &Path, depth: usize, texts: &mut bool) -> Result<bool> {
    let (folders, files) = list(folder)?;
    for file in files {
        match is_text(&file) {
            true => *texts = true,
            false if is_image(&file)? => return Ok(true),
            false => {}
        }
    }
    for inner in folders {
        if depth > 0 && has_image(&inner, depth - 1, texts)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// An image or a text, and the class that its folder stands for.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) class: Option<String>,
}

/// The files of a folder without parts, or a single one.
pub(super) struct Files {
    /// The folder, or the file itself.
    pub(super) folder: PathBuf,
    what: What,
    /// At least one.
    pub(super) found: Vec<Found>,
    /// The files that are not of that kind.
    pub(super) others: Vec<PathBuf>,
}

impl Files {
    /// All files, in the order of their names.
    pub(super) fn of(folder: &Path, what: What) -> Result<Files> {
        if folder.is_file() {
            let found = vec![Found { path: folder.into(), class: None }];
            return Ok(Files { folder: folder.into(), what, found, others: Vec::new() });
        }
        let (folders, here) = list(folder)?;
        let one = what.one();
        let mut files = Files { folder: folder.into(), what, found: Vec::new(), others: Vec::new() };
        files.add(here, None)?;
        if let Some(first) = files.found.first()
            && !folders.is_empty()
        {
            let problem = format!("there are {one}s beside sub-folders (the first is {})", first.path.display());
            return Err(Error::data(folder, problem, format!("Move every {one} into the sub-folder of its class.")));
        }
        for class in folders {
            let before = files.found.len();
            files.add_below(&class, &name(&class), DEPTH)?;
            if files.found.len() == before {
                return Err(Error::data(class, format!("there is no {one} in this class"), "Add one, or remove the folder."));
            }
        }
        if files.found.is_empty() {
            let problem = match files.others.is_empty() {
                true => "there is nothing in this folder".to_string(),
                false => {
                    format!("no file in this folder is {} {one} {}", if one == "image" { "an" } else { "a" }, listed(folder, &files.others))
                }
            };
            return Err(Error::data(folder, problem, REMEDY));
        }
        Ok(files)
    }

    /// What each is called: its path below the folder. A single file has its own name.
    pub(super) fn names(&self) -> Vec<String> {
        let called = |path: &Path| if path == self.folder { name(path) } else { below(&self.folder, path) };
        self.found.iter().map(|found| called(&found.path)).collect()
    }

    fn add(&mut self, paths: Vec<PathBuf>, class: Option<&str>) -> Result<()> {
        for path in paths {
            match self.what.is(&path)? {
                true => self.found.push(Found { path, class: class.map(str::to_string) }),
                false => self.others.push(path),
            }
        }
        Ok(())
    }

    fn add_below(&mut self, folder: &Path, class: &str, depth: usize) -> Result<()> {
        let Some(depth) = depth.checked_sub(1) else {
            let problem = format!("it lies more than {DEPTH} folders deep, or a link leads back into its own folder");
            return Err(Error::data(folder, problem, "Move the files up, or remove the link."));
        };
        let (folders, files) = list(folder)?;
        self.add(files, Some(class))?;
        folders.iter().try_for_each(|inner| self.add_below(inner, class, depth))
    }
}

/// The sub-folders of a folder and its files, each in the order of their names, without hidden ones.
fn list(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let failed = |e| Error::io(folder, "listing the folder", e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths.into_iter().partition(|path| path.is_dir()))
}

/// Whether the file is called a text.
pub(super) fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("txt")) && path.is_file()
}

/// Whether the file begins like an image, or is called one: a damaged image is still to be an error.
pub(super) fn is_image(path: &Path) -> Result<bool> {
    let is_read = |format: ImageFormat| format.reading_enabled();
    // A pipe would be waited for.
    if !path.is_file() || ImageFormat::from_path(path).is_ok_and(is_read) {
        return Ok(path.is_file());
    }
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(16).read_to_end(&mut start)).map_err(|e| Error::io(path, "reading", e))?;
    Ok(image::guess_format(&start).is_ok_and(is_read))
}

/// How many paths there are, and the first of them, as seen from the folder.
pub(super) fn listed(folder: &Path, paths: &[PathBuf]) -> String {
    let shown = |path: &PathBuf| shorten(&below(folder, path));
    let mut names: Vec<String> = paths.iter().take(NAMED).map(shown).collect();
    if paths.len() > NAMED {
        names.push("..".into());
    }
    format!("({}): {}", paths.len(), names.join(", "))
}

/// A path as seen from the folder.
fn below(folder: &Path, path: &Path) -> String {
    path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned()
}

/// The last part of a path.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
