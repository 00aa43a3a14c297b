//! The four IDX files of a data set, and where they lie.

use super::read;
use crate::data::dataset::{Dataset, Split};
use crate::data::values::Values;
use crate::{Error, Result};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(in crate::data) const REMEDY: &str = "Give a folder of images (PNG, JPEG, WebP, BMP, TIFF or GIF), a folder of .txt files, \
     a folder with MNIST's four files (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and \
     t10k-labels-idx1-ubyte, each may end in .gz), a .csv, .npy or .npz file, or use builtin or mnist.";

const IMAGES: &str = "images-idx3-ubyte";
const LABELS: &str = "labels-idx1-ubyte";

/// Opens the data set that one of its four files, its folder, or a folder of torchvision's stands for.
pub(in crate::data) fn open(path: &Path) -> Result<Split> {
    let set = Set::only(path)?;
    let [train, test] = [set.half(&["train"]), set.half(&["t10k", "test"])];
    let named = |data: Dataset, half: &str| data.named(&format!("{} ({half})", path.display()));
    let (train_rows, test_rows) = (named(set.read(&train)?, "train"), named(set.read(&test)?, "test"));
    if train_rows.row_dims() != test_rows.row_dims() {
        let [of_train, of_test] = [&train_rows, &test_rows].map(|rows| &rows.row_dims()[1..]);
        let problem = format!("the training images are {of_train:?} and the test images {of_test:?}");
        return Err(Error::data(path, problem, "Use the images and the test images of one data set."));
    }
    if train_rows.labels().is_some() != test_rows.labels().is_some() {
        let [with, without] = if train_rows.labels().is_some() { [train, test] } else { [test, train] };
        let problem = format!("{with}-{LABELS} is there, but {without}-{LABELS} is not");
        return Err(Error::data(path, problem, "Add the missing labels, or remove the others to go without."));
    }
    Ok(Split::new(train_rows, test_rows))
}

/// Whether the folder holds the file that is published as `name`, in any of its spellings.
pub(in crate::data) fn has(folder: &Path, name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    name.split_once('-').is_some_and(|(half, stem)| find(folder, half, stem).is_some())
}

/// Whether the path is that of such files: of one of them, or of a folder that holds any.
pub(in crate::data) fn is_one(path: &Path) -> bool {
    !Set::all(path).is_empty()
}

/// A data set: its folder, and what its files' names begin with before `train`, such as `emnist-letters-`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Set {
    folder: PathBuf,
    prefix: String,
}

impl Set {
    /// The data set that a file belongs to, by its name.
    fn of(file: &Path) -> Option<Set> {
        let name = file.file_name()?.to_str()?;
        let name = name.strip_suffix(".gz").unwrap_or(name).replacen(".idx", "-idx", 1);
        let name = name.strip_suffix(IMAGES).or_else(|| name.strip_suffix(LABELS))?;
        let prefix = ["train-", "t10k-", "test-"].into_iter().find_map(|half| name.strip_suffix(half))?;
        let is_word = prefix.is_empty() || prefix.ends_with('-');
        (is_word && !file.is_dir()).then(|| Set { folder: file.parent().unwrap_or(file).into(), prefix: prefix.into() })
    }

    /// The data sets in a folder; if there are none, those in `raw` and `NAME/raw`, where torchvision puts them.
    fn all(path: &Path) -> BTreeSet<Set> {
        let inside = |folder: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.flatten().map(|entry| entry.path()).collect()
        };
        let within = |folders: &[PathBuf]| -> BTreeSet<Set> {
            folders.iter().flat_map(|folder| inside(folder)).filter_map(|file| Set::of(&file)).collect()
        };
        if !path.is_dir() {
            return Set::of(path).into_iter().collect();
        }
        let here = within(&[path.into()]);
        if !here.is_empty() {
            return here;
        }
        let deeper: Vec<PathBuf> = inside(path).into_iter().chain([path.into()]).map(|folder| folder.join("raw")).collect();
        within(&deeper)
    }

    /// The one data set that a path stands for.
    fn only(path: &Path) -> Result<Set> {
        let mut sets = Set::all(path).into_iter();
        match (sets.next(), sets.next()) {
            (Some(set), None) => Ok(set),
            (Some(first), Some(second)) => {
                let names: Vec<String> = [first, second].into_iter().chain(sets).map(|set| set.name(path)).collect();
                let problem = format!("it holds {} data sets: {}", names.len(), names.join(", "));
                Err(Error::data(path, problem, "Name one of them by its own folder, or by one of its four files."))
            }
            (None, _) if path.is_dir() => Err(Error::data(path, format!("train-{IMAGES} is not in this folder"), REMEDY)),
            (None, _) if path.exists() => Err(Error::data(
                path,
                "this is a file, not a folder; it is no image, and its name ends in none of .csv, .tsv, .txt, .dat, .npy and .npz",
                REMEDY,
            )),
            (None, _) => Err(Error::data(
                path,
                "there is no such file or folder",
                "Check the path: it is seen from the folder you are in. builtin and mnist need no file.",
            )),
        }
    }

    /// Its training files, as seen from a folder.
    fn name(&self, from: &Path) -> String {
        let folder = self.folder.strip_prefix(from).unwrap_or(&self.folder);
        folder.join(format!("{}train-*", self.prefix)).display().to_string()
    }

    /// What the files of a half begin with: that of its names which there are images of, or the first.
    fn half(&self, names: &[&str]) -> String {
        let called = |name: &&str| format!("{}{name}", self.prefix);
        let found = names.iter().map(called).find(|half| find(&self.folder, half, IMAGES).is_some());
        found.unwrap_or_else(|| called(&names[0]))
    }

    /// The images of one half of the split, with their labels if there is a label file.
    fn read(&self, half: &str) -> Result<Dataset> {
        let images = find(&self.folder, half, IMAGES)
            .ok_or_else(|| Error::data(&self.folder, format!("{half}-{IMAGES} is not in this folder"), REMEDY))?;
        let (dims, mut values) = read(&images, 3)?;
        let labels = find(&self.folder, half, LABELS).map(|file| labels(&file, &images, dims[0])).transpose()?;
        let (mut size, mut notes) = ([dims[1], dims[2]], Vec::new());
        if self.prefix.starts_with("emnist-") {
            values.par_chunks_exact_mut(dims[1] * dims[2]).for_each(|image| transpose(image, size));
            size.reverse();
            notes.push(format!("{}: EMNIST's files hold each image transposed, and here it stands upright", self.folder.display()));
        }
        Ok(Dataset::trusted(half, Values::Bytes(values), &[1, size[0], size[1]], labels).with_notes(notes))
    }
}

/// The file `HALF-STEM` in one of its spellings: with a dot in place of the last dash but one, and with .gz.
fn find(folder: &Path, half: &str, stem: &str) -> Option<PathBuf> {
    let dotted = stem.replacen("-idx", ".idx", 1);
    [stem, &dotted]
        .into_iter()
        .flat_map(|stem| [format!("{half}-{stem}"), format!("{half}-{stem}.gz")])
        .map(|name| folder.join(name))
        .find(|path| path.exists() && !path.is_dir())
}

/// One label for each image.
fn labels(file: &Path, images: &Path, count: usize) -> Result<Vec<u8>> {
    let (_, labels) = read(file, 1)?;
    if labels.len() != count {
        let problem = format!("offset 4: there are {} labels for the {count} images of {}", labels.len(), images.display());
        return Err(Error::data(file, problem, "Use the labels that came with the images."));
    }
    Ok(labels)
}

fn transpose(image: &mut [u8], [height, width]: [usize; 2]) {
    let original = image.to_vec();
    for (at, value) in original.into_iter().enumerate() {
        image[at % width * height + at / width] = value;
    }
}
