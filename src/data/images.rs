//! Folders of images: PNG, JPEG, WebP, BMP, TIFF, and the first frame of a GIF. All take one size, and turn grey unless
//! they are to keep their colours.

use super::broken::Broken;
use super::dataset::{Dataset, Split, check_rows};
use super::folder::{Files, Found, Parts, What, listed};
use super::open::Options;
use super::open::at_random;
use super::schema::Schema;
use super::values::Values;
use crate::spelling::shorten;
use crate::{Error, Result, Shape};
use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, ImageResult, Limits, Luma, Rgb, RgbImage};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::path::Path;

/// The limits of a single image: its longest side, and the bytes of its file and of its pixels.
const SIDE: u32 = 1 << 14;
const BYTES: u64 = 256 << 20;
/// The most numbers in a row: no layer of a network is wider.
const WIDEST: usize = 1 << 24;
/// Rows that are wider are noticed: 128 units behind them have 100 million weights, on either side of the code.
const WIDE: usize = 1 << 20;
/// Sides whose ratios differ by less are scaled alike, and the rest is rounding.
const STRETCHED: f64 = 0.02;
/// The most unreadable files that an error names.
const NAMED: usize = 10;

/// Reads all images of a folder without parts.
pub(super) fn read(folder: &Path, options: &Options) -> Result<Dataset> {
    let files = Files::of(folder, What::Images)?;
    let all = [&files];
    Form::of(folder, &all, options)?.read(&files).map_err(|e| unreadable(folder, &all).unwrap_or(e))
}

/// Reads the parts of a folder; what has no test part is split at random.
pub(super) fn open(folder: &Path, options: &Options) -> Result<Split> {
    let Some(parts) = Parts::of(folder)? else { return at_random(read(folder, options)?) };
    let files = |part: Option<&Path>| part.map(|part| Files::of(part, What::Images)).transpose();
    let (train, validation) = (Files::of(&parts.train, What::Images)?, files(parts.validation.as_deref())?);
    let test = files(parts.test.as_deref())?;
    let all: Vec<&Files> = [Some(&train), validation.as_ref(), test.as_ref()].into_iter().flatten().collect();
    let form = Form::of(folder, &all, options)?;
    let read = |files: &Files| -> Result<Dataset> {
        let data = form.read(files).map_err(|e| unreadable(folder, &all).unwrap_or(e))?;
        Ok(data.with_notes(parts.notes.clone()))
    };
    let train = read(&train)?;
    match test.as_ref().map(read).transpose()? {
        None => at_random(train),
        Some(test) => Ok(Split { validation: validation.as_ref().map(read).transpose()?, ..Split::new(train, test) }),
    }
}

/// One error for all files that can't be read as images, where there are two or more.
fn unreadable(folder: &Path, all: &[&Files]) -> Option<Error> {
    let images: Vec<&Found> = all.iter().flat_map(|files| &files.found).collect();
    let bad: Vec<(&Path, Error)> = images.par_iter().filter_map(|image| Some((&*image.path, decode(&image.path, 1).err()?))).collect();
    if bad.len() < 2 {
        return None;
    }
    let name = |path: &Path| shorten(&path.strip_prefix(folder).unwrap_or(path).to_string_lossy());
    let mut said: Vec<String> = bad
        .iter()
        .take(NAMED)
        .map(|(path, e)| match e {
            Error::Data { problem, .. } => format!("{}: {problem}", name(path)),
            e => e.to_string(),
        })
        .collect();
    if bad.len() > NAMED {
        said.push(format!("and {} more", bad.len() - NAMED));
    }
    let problem = format!("{} of its {} images can't be read: {}", bad.len(), images.len(), said.join("; "));
    Some(Error::data(folder, problem, "Save them again, remove them, or leave them out: --skip-broken."))
}

/// What all images become.
struct Form {
    /// Channels, height, width.
    dims: [usize; 3],
    /// Whether the size is that of the options, or of their schema.
    is_sized: bool,
    /// The classes of all parts, in the order of their names.
    classes: Vec<String>,
    /// Whether what can't be decoded is left out.
    skips: bool,
}

/// Whether an image was scaled, whether that changed the ratio of its sides, and whether it lost its colours.
struct Changed {
    size: bool,
    ratio: bool,
    colour: bool,
}

impl Form {
    /// The size that the options name, or that of the first image; the classes of all files, which are not empty.
    fn of(folder: &Path, all: &[&Files], options: &Options) -> Result<Form> {
        let known = options.schema.as_ref().and_then(|schema| schema.pictures);
        let channels = if options.color { 3 } else { known.map_or(1, |[channels, ..]| channels) };
        let size = options.image_size.flatten().or(known.map(|[_, height, width]| (height, width)));
        let (height, width) = match size {
            Some(size) => size,
            None => {
                let mut tried = all[0].found.iter().map(|image| decode(&image.path, channels));
                let first = if options.skip_broken { tried.find(Result::is_ok) } else { tried.next() };
                let first = first.unwrap_or_else(|| decode(&all[0].found[0].path, channels));
                let (first, _) = first.map_err(|e| unreadable(folder, all).unwrap_or(e))?;
                (first.height() as usize, first.width() as usize)
            }
        };
        let row = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels));
        if row.is_none_or(|row| row > WIDEST) {
            let problem = format!("images of {channels}x{height}x{width} make rows of more than {WIDEST} numbers");
            let remedy = "Name a smaller size for them: --image-size HxW, such as 128x128.";
            return Err(match size {
                Some(_) => Error::argument("image size", problem, remedy),
                None => Error::data(folder, problem, remedy),
            });
        }
        let classes: BTreeSet<&String> = all.iter().flat_map(|files| &files.found).filter_map(|image| image.class.as_ref()).collect();
        if classes.len() > 256 {
            let problem = format!("there are {} sub-folders, and 256 classes are the limit", classes.len());
            return Err(Error::data(folder, problem, "Give a folder with fewer."));
        }
        let classes = classes.into_iter().cloned().collect();
        Ok(Form { dims: [channels, height, width], is_sized: size.is_some(), classes, skips: options.skip_broken })
    }

    /// The pixels of a folder, in the order of the names.
    fn read(&self, files: &Files) -> Result<Dataset> {
        let name = files.folder.display().to_string();
        let one = check_rows(&name, 0, &self.dims)?;
        let mut pixels = self.room(files, one)?;
        let draw = |(place, image): (&mut [u8], &Found)| self.draw(&image.path, place);
        let drawn: Vec<Result<Changed>> = pixels.par_chunks_mut(one).zip(&files.found).map(draw).collect();
        let (mut changed, mut kept, mut broken) = (Vec::with_capacity(drawn.len()), Vec::with_capacity(drawn.len()), Broken::default());
        let names = files.names();
        for (at, drawn) in drawn.into_iter().enumerate() {
            match drawn {
                Err(Error::Data { problem, .. }) if self.skips => broken.add(format!("{}: {problem}", shorten(&names[at]))),
                // The first bad file in the order of the names, whichever thread finished first.
                drawn => {
                    changed.push(drawn?);
                    kept.push(at);
                }
            }
        }
        if kept.is_empty() {
            return Err(Error::data(&files.folder, "none of its images can be read", "Save them again."));
        }
        // What comes before the first one that was left out stays where it is.
        for (to, &from) in kept.iter().enumerate().filter(|(to, from)| to != *from) {
            pixels.copy_within(from * one..(from + 1) * one, to * one);
        }
        pixels.truncate(kept.len() * one);
        let labels = self.labels(files).map(|labels| kept.iter().map(|&at| labels[at]).collect());
        let notes = self.notes(files, &changed).into_iter().chain(broken.note(&files.folder, "image")).collect();
        let ids = kept.into_iter().map(|at| names[at].clone()).collect();
        let data = Dataset::trusted(&name, Values::Bytes(pixels), &self.dims, labels);
        let data = data.with_notes(notes).with_ids(ids).with_schema(Schema::of_images(self.dims));
        Ok(if data.labels().is_some() { data.with_classes(self.classes.clone()) } else { data })
    }

    /// What is left out, and what the images lose.
    fn notes(&self, files: &Files, changed: &[Changed]) -> Vec<String> {
        let (name, [_, height, width]) = (files.folder.display(), self.dims);
        let others = format!("{name}: files that are no images are left out {}", listed(&files.folder, &files.others));
        let note = |is: fn(&Changed) -> bool, how: &str| match changed.iter().filter(|changed| is(changed)).count() {
            0 => None,
            count => Some(format!("{name}: {count} of {} images {how}", changed.len())),
        };
        let scaled = format!("have another size, and are scaled to {height}x{width} (--image-size names another)");
        let stretched = format!("are stretched: their sides have another ratio than {height}x{width} (--image-size HxW names another)");
        let row = self.dims.iter().product::<usize>();
        let wide = format!("{name}: images of {height}x{width} make rows of {row} numbers; --image-size HxW names a smaller size");
        [
            (row > WIDE && !self.is_sized).then_some(wide),
            (!files.others.is_empty()).then_some(others),
            note(|changed| changed.size, &scaled).filter(|_| !self.is_sized),
            note(|changed| changed.ratio, &stretched).filter(|_| !self.is_sized),
            note(|changed| changed.colour, "turn grey, 0.2126 R + 0.7152 G + 0.0722 B (--color keeps their colours)"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Memory for all pixels.
    fn room(&self, files: &Files, one: usize) -> Result<Vec<u8>> {
        let Some(total) = files.found.len().checked_mul(one).filter(|&n| n <= Shape::MAX_LEN) else {
            let [channels, height, width] = self.dims;
            let problem = format!("{} images of {channels}x{height}x{width} have more than {} values", files.found.len(), Shape::MAX_LEN);
            return Err(Error::data(&files.folder, problem, "Name a smaller size for them: --image-size HxW, such as 128x128."));
        };
        let mut pixels = Vec::new();
        let full = |_| Error::io(&files.folder, "keeping it in memory", ErrorKind::OutOfMemory.into());
        pixels.try_reserve_exact(total).map_err(full)?;
        pixels.resize(total, 0);
        Ok(pixels)
    }

    /// Writes the pixels of a file, one channel after the other.
    fn draw(&self, path: &Path, place: &mut [u8]) -> Result<Changed> {
        let [channels, height, width] = self.dims;
        let (image, colour) = decode(path, channels)?;
        let size = (image.height() as usize, image.width() as usize) != (height, width);
        let ratio = f64::from(image.width()) * height as f64 / (f64::from(image.height()) * width as f64);
        let image = if size { image.resize_exact(width as u32, height as u32, FilterType::Triangle) } else { image };
        for (at, &value) in image.as_bytes().iter().enumerate() {
            place[at % channels * height * width + at / channels] = value;
        }
        Ok(Changed { size, ratio: (ratio - 1.0).abs() > STRETCHED, colour })
    }

    /// The number of each image's class, if the folder has classes.
    fn labels(&self, files: &Files) -> Option<Vec<u8>> {
        let number = |image: &Found| self.classes.binary_search(image.class.as_ref()?).ok().map(|class| class as u8);
        files.found.iter().map(number).collect()
    }
}

/// The image in a file in 1 or 3 channels, upright and on white paper, and whether it had colours that are lost.
fn decode(path: &Path, channels: usize) -> Result<(DynamicImage, bool)> {
    let refuse = |why: String| {
        Error::data(path, format!("it can't be read as an image ({why})"), "Save it again, remove it, or leave it out: --skip-broken.")
    };
    let mut file = Vec::new();
    File::open(path).and_then(|from| from.take(BYTES + 1).read_to_end(&mut file)).map_err(|e| Error::io(path, "reading", e))?;
    if file.len() as u64 > BYTES {
        return Err(refuse(format!("its file has more than {BYTES} bytes")));
    }
    if image::guess_format(&file).is_ok_and(|format| format == ImageFormat::Jpeg) && is_cut_off(&file) {
        return Err(refuse("it is cut off: its end marker is missing".into()));
    }
    let image = upright(&file).map_err(|e| refuse(e.to_string()))?;
    let has_colours = || image.to_rgb8().pixels().any(|&Rgb([r, g, b])| r != g || g != b);
    let lost_colour = channels == 1 && image.color().has_color() && has_colours();
    Ok((plain(image, channels), lost_colour))
}

/// The image in 1 or 3 channels, on white paper, which shows through where it is transparent.
fn plain(image: DynamicImage, channels: usize) -> DynamicImage {
    let (width, height) = (image.width(), image.height());
    match (channels, image.color().has_alpha()) {
        (1, false) => image.into_luma8().into(),
        (_, false) => image.into_rgb8().into(),
        (1, true) => {
            let image = image.into_luma_alpha8();
            let pixel = |x, y| match image[(x, y)].0 {
                [grey, alpha] => Luma([on_white(grey, alpha)]),
            };
            GrayImage::from_fn(width, height, pixel).into()
        }
        (_, true) => {
            let image = image.into_rgba8();
            let pixel = |x, y| match image[(x, y)].0 {
                [r, g, b, alpha] => Rgb([r, g, b].map(|value| on_white(value, alpha))),
            };
            RgbImage::from_fn(width, height, pixel).into()
        }
    }
}

fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Decodes by the first bytes, and turns the image as its EXIF data say.
fn upright(file: &[u8]) -> ImageResult<DynamicImage> {
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height, limits.max_alloc) = (Some(SIDE), Some(SIDE), Some(BYTES));
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format()?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    limits.reserve(decoder.total_bytes())?;
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// Whether a JPEG ends before its end marker: the decoder would fill what is missing with grey.
fn is_cut_off(jpeg: &[u8]) -> bool {
    let mut rest = &jpeg[2..];
    loop {
        // Entropy-coded bytes hold no other markers than stuffed zeros and restarts.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff);
        let Some(at) = rest.windows(2).position(is_marker) else { return true };
        let (marker, segment) = (rest[at + 1], &rest[at + 2..]);
        let length = match (marker, segment) {
            (0xd9, _) => return false,
            (_, [high, low, ..]) => usize::from(u16::from_be_bytes([*high, *low])),
            _ => return true,
        };
        rest = segment.get(length..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::plain;
    use image::{GrayAlphaImage, RgbaImage};

    #[test]
    fn what_is_transparent_is_white() {
        let grey = GrayAlphaImage::from_raw(4, 1, vec![0, 255, 0, 0, 0, 51, 200, 255]).unwrap();
        assert_eq!(plain(grey.into(), 1).as_bytes(), [0, 255, 204, 200]);
        let colour = RgbaImage::from_raw(1, 1, vec![0, 100, 200, 51]).unwrap();
        assert_eq!(plain(colour.into(), 3).as_bytes(), [204, 224, 244]);
    }
}
