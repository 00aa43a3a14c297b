//! Folders of images: PNG and JPEG, converted to grey and to one size; each sub-folder is a class.

use super::{Dataset, Options, Values, check_rows};
use crate::{Error, Result, Shape};
use image::imageops::FilterType;
use image::{ImageReader, Limits};
use rayon::prelude::*;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The limits of a single image: its longest side, and the memory of its pixels.
const SIDE: u32 = 1 << 14;
const BYTES: u64 = 256 << 20;

const REMEDY: &str = "Give a folder with PNG or JPEG files, or with a sub-folder of them for each class.";

/// Whether the folder holds an image, or a sub-folder that does.
pub(super) fn is_one(folder: &Path) -> bool {
    let holds = |folder: &Path| list(folder).is_ok_and(|paths| paths.iter().any(|path| is_image(path)));
    holds(folder) || list(folder).is_ok_and(|paths| paths.iter().any(|path| path.is_dir() && holds(path)))
}

/// Reads all images of the folder, in the order of their names.
pub(super) fn read(folder: &Path, options: &Options) -> Result<Dataset> {
    let (files, classes) = files(folder)?;
    let name = folder.display().to_string();
    let (height, width) = match options.image_size {
        Some(size) => size,
        None => {
            let first = decode(&files[0].0)?;
            (first.height() as usize, first.width() as usize)
        }
    };
    let one = check_rows(&name, 0, &[1, height, width])?;
    let Some(total) = files.len().checked_mul(one).filter(|&n| n <= Shape::MAX_LEN) else {
        let problem = format!("{} images of {height}x{width} have more than {} pixels", files.len(), Shape::MAX_LEN);
        return Err(Error::data(folder, problem, "Name a smaller size for the images."));
    };
    let mut pixels = Vec::new();
    pixels.try_reserve_exact(total).map_err(|_| Error::io(folder, "keeping it in memory", std::io::ErrorKind::OutOfMemory.into()))?;
    pixels.resize(total, 0u8);
    let draw = |(place, (path, _)): (&mut [u8], &Labelled)| -> Result<()> {
        let image = decode(path)?;
        let same = (image.height() as usize, image.width() as usize) == (height, width);
        let image = if same { image } else { image::imageops::resize(&image, width as u32, height as u32, FilterType::Triangle) };
        place.copy_from_slice(&image);
        Ok(())
    };
    let done: Vec<Result<()>> = pixels.par_chunks_mut(one).zip(&files).map(draw).collect();
    // The first bad file in the order of the names, whichever thread finished first.
    done.into_iter().collect::<Result<()>>()?;
    let labels = classes.as_ref().map(|_| files.iter().map(|(_, class)| *class).collect());
    let data = Dataset::trusted(&name, Values::Bytes(pixels), &[1, height, width], labels);
    Ok(match classes {
        Some(classes) => data.with_classes(classes),
        None => data,
    })
}

/// An image and the number of its class.
type Labelled = (PathBuf, u8);

/// The images, and the classes' names where there are sub-folders.
fn files(folder: &Path) -> Result<(Vec<Labelled>, Option<Vec<String>>)> {
    let paths = list(folder)?;
    let here: Vec<Labelled> = paths.iter().filter(|path| is_image(path)).map(|path| (path.clone(), 0)).collect();
    let folders: Vec<&PathBuf> = paths.iter().filter(|path| path.is_dir()).collect();
    if folders.is_empty() && !here.is_empty() {
        return Ok((here, None));
    }
    if !here.is_empty() {
        let problem = format!("there are images beside sub-folders (the first is {})", here[0].0.display());
        return Err(Error::data(folder, problem, "Move every image into the sub-folder of its class."));
    }
    if folders.len() > 256 {
        return Err(Error::data(folder, format!("there are {} sub-folders, and 256 classes are the limit", folders.len()), REMEDY));
    }
    let (mut all, mut classes) = (Vec::new(), Vec::new());
    for (class, inner) in folders.into_iter().enumerate() {
        let before = all.len();
        all.extend(list(inner)?.into_iter().filter(|path| is_image(path)).map(|path| (path, class as u8)));
        if all.len() == before {
            return Err(Error::data(inner, "there is no PNG or JPEG file in this class", "Add one, or remove the folder."));
        }
        classes.push(inner.file_name().unwrap_or_default().to_string_lossy().into_owned());
    }
    if all.is_empty() {
        return Err(Error::data(folder, "there is no PNG or JPEG file", REMEDY));
    }
    Ok((all, Some(classes)))
}

/// The entries of a folder, sorted, without hidden files.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io(folder, "listing the folder", e);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    ["png", "jpg", "jpeg"].iter().any(|known| ending.eq_ignore_ascii_case(known)) && path.is_file()
}

/// The image on white paper, which shows through where the image is transparent.
fn on_white(image: &image::GrayAlphaImage) -> image::GrayImage {
    let blend = |&[grey, alpha]: &[u8; 2]| {
        let (grey, alpha) = (u32::from(grey), u32::from(alpha));
        ((grey * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    image::GrayImage::from_fn(image.width(), image.height(), |x, y| image::Luma([blend(&image.get_pixel(x, y).0)]))
}

/// The grey values of one file; its first bytes tell its format.
fn decode(path: &Path) -> Result<image::GrayImage> {
    let failed = |e| Error::io(path, "reading", e);
    let mut reader = ImageReader::open(path).map_err(failed)?.with_guessed_format().map_err(failed)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(BYTES);
    reader.limits(limits);
    match reader.decode() {
        Ok(image) if image.color().has_alpha() => Ok(on_white(&image.into_luma_alpha8())),
        Ok(image) => Ok(image.into_luma8()),
        Err(e) => Err(Error::data(path, format!("it can't be read as an image ({e})"), "Save it again as PNG or JPEG, or remove it.")),
    }
}

#[cfg(test)]
mod tests {
    use super::on_white;

    #[test]
    fn what_is_transparent_is_white() {
        let image = image::GrayAlphaImage::from_raw(4, 1, vec![0, 255, 0, 0, 0, 51, 200, 255]).unwrap();
        assert_eq!(on_white(&image).into_raw(), [0, 255, 204, 200]);
    }
}
