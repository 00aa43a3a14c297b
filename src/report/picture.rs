//! Originals over reconstructions, as one PNG.

use super::weights;
use crate::{Error, Result, files};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use std::io;
use std::path::Path;

/// Each pixel becomes a square with sides of this many pixels.
const SCALE: usize = 4;
/// Pairs side by side in a band.
const COLUMNS: usize = 10;
/// Between columns and around everything.
const MARGIN: usize = 4;
/// Between an original and its reconstruction.
const GAP: usize = 12;
/// Between two bands.
const BAND_GAP: usize = 28;
/// The paper around the images: not black, so that their edges show.
const PAPER: u8 = 48;
/// NaN is neither dark nor light.
const NOT_A_NUMBER: u8 = 128;
/// The most pixels that a picture may have.
const MOST: usize = 1 << 28;

/// Writes a PNG to `path`: `originals` in a row and each one's reconstruction below it, ten pairs to a band, four times
/// enlarged.
///
/// `originals` and `reconstructions` hold as many images of `dims` = [channels, height, width] each: grey in 1 channel,
/// or red, green and blue in 3. 0 is dark and 1 white; if an original has a value outside, their smallest is dark and
/// their largest white. Values still outside are clamped, and NaN is drawn grey. The file is written whole or not at
/// all.
///
/// # Errors
/// No images, lengths that differ or are not whole images, a picture over 268 million pixels, or a file that cannot be
/// written.
pub fn comparison(path: &Path, originals: &[f32], reconstructions: &[f32], dims: [usize; 3]) -> Result<()> {
    write(path, paint(&[originals, reconstructions], dims)?, dims)
}

/// Writes a PNG to `path` as [`comparison`] does, with the noisy images between the clean and the denoised ones.
///
/// # Errors
/// As [`comparison`].
pub fn triples(path: &Path, clean: &[f32], noisy: &[f32], denoised: &[f32], dims: [usize; 3]) -> Result<()> {
    write(path, paint(&[clean, noisy, denoised], dims)?, dims)
}

/// Writes a PNG to `path` as [`comparison`] does, with a third image below each pair: how much each pixel adds to the
/// error, from black over red and yellow to white, which is the largest error of all. `errors` has a number at least 0
/// for each value of the images; the channels of a pixel are added up.
///
/// # Errors
/// As [`comparison`].
pub fn heat(path: &Path, originals: &[f32], reconstructions: &[f32], errors: &[f32], dims: [usize; 3]) -> Result<()> {
    let [channels, h, w] = dims;
    let image = size("heat", originals.len(), dims)?;
    if [reconstructions, errors].iter().any(|other| other.len() != originals.len()) {
        let problem = format!(
            "there are {} values of originals, {} of reconstructions and {} errors",
            originals.len(),
            reconstructions.len(),
            errors.len()
        );
        return Err(Error::argument("heat", problem, "Pass one reconstruction and one error for each value."));
    }
    let tones = Tones::of(originals);
    let coloured = |values: &[f32]| -> Vec<f32> {
        let whole = tones.map(values);
        whole.chunks_exact(image).flat_map(|image| image.repeat(3 / channels)).collect()
    };
    let pixel = |errors: &[f32], at: usize| (0..channels).map(|channel| errors[channel * h * w + at]).sum::<f32>();
    let heats: Vec<f32> = errors.chunks_exact(image).flat_map(|errors| (0..h * w).map(move |at| pixel(errors, at))).collect();
    let most = heats.iter().copied().filter(|heat| heat.is_finite()).fold(f32::MIN_POSITIVE, f32::max);
    // Red comes first, then green, then blue.
    let third = |heat: f32, place: f32| (3.0 * heat / most - place).clamp(0.0, 1.0);
    let hot =
        |image: &[f32]| [0.0, 1.0, 2.0].iter().flat_map(|&place| image.iter().map(move |&heat| third(heat, place))).collect::<Vec<_>>();
    let heats: Vec<f32> = heats.chunks_exact(h * w).flat_map(hot).collect();
    let dims = [3, h, w];
    write(path, paint(&[&coloured(originals), &coloured(reconstructions), &heats], dims)?, dims)
}

fn write(path: &Path, (width, height, pixels): (u32, u32, Vec<u8>), dims: [usize; 3]) -> Result<()> {
    let colour = colour_type(dims[0]);
    files::write_atomic(path, |w| PngEncoder::new(w).write_image(&pixels, width, height, colour).map_err(io::Error::other))
}

/// A PNG of images in a grid, this many to a line, each four times enlarged.
///
/// `images` holds whole images of `dims`; values and their tones are as in [`comparison`].
///
/// # Errors
/// No images, values that are not whole images, or a picture over 268 million pixels.
pub fn grid(images: &[f32], dims: [usize; 3], columns: usize) -> Result<Vec<u8>> {
    let [channels, h, w] = dims;
    let image = size("grid", images.len(), dims)?;
    let (count, columns) = (images.len() / image, columns.clamp(1, images.len() / image));
    let (width, height) = (MARGIN + columns * (SCALE * w + MARGIN), MARGIN + count.div_ceil(columns) * (SCALE * h + MARGIN));
    if width.checked_mul(height).is_none_or(|n| n > MOST) {
        let problem = format!("{count} images of {h}x{w} make a picture of {width}x{height} pixels");
        return Err(Error::argument("grid", problem, "Pass fewer or smaller images."));
    }
    let tones = Tones::of(images);
    let mut canvas = Canvas { width, channels, pixels: vec![PAPER; width * height * channels] };
    for (i, image) in images.chunks_exact(image).enumerate() {
        let place = |at: usize, side: usize| MARGIN + at * (SCALE * side + MARGIN);
        canvas.draw(image, [h, w], (place(i % columns, w), place(i / columns, h)), &tones);
    }
    weights::png(width, height, &canvas.pixels, colour_type(channels))
}

/// The values of an image, of which there are some and no parts.
fn size(of: &str, values: usize, dims: [usize; 3]) -> Result<usize> {
    let [channels, h, w] = dims;
    let image = h.checked_mul(w).and_then(|size| size.checked_mul(channels)).filter(|_| matches!(channels, 1 | 3)).unwrap_or(0);
    if image == 0 || values == 0 || !values.is_multiple_of(image) {
        let problem = format!("{values} values are not one or more images of {channels}x{h}x{w}");
        return Err(Error::argument(of, problem, "Pass whole images of 1 or 3 channels, and their dimensions."));
    }
    Ok(image)
}

/// Pixels on which images are drawn.
struct Canvas {
    width: usize,
    channels: usize,
    pixels: Vec<u8>,
}

impl Canvas {
    /// Draws an image, enlarged, with its corner at this place.
    fn draw(&mut self, image: &[f32], [h, w]: [usize; 2], (left, top): (usize, usize), tones: &Tones) {
        let Canvas { width, channels, pixels } = self;
        for y in 0..SCALE * h {
            let line = &mut pixels[((top + y) * *width + left) * *channels..][..SCALE * w * *channels];
            for (x, pixel) in line.chunks_exact_mut(*channels).enumerate() {
                let values = image.iter().skip(y / SCALE * w + x / SCALE).step_by(h * w);
                pixel.iter_mut().zip(values).for_each(|(pixel, &value)| *pixel = byte(tones.of_one(value)));
            }
        }
    }
}

/// The width, the height and the pixels of a picture of images that stand below the first ones. Those give the tones.
fn paint(rows: &[&[f32]], dims: [usize; 3]) -> Result<(u32, u32, Vec<u8>)> {
    let [channels, h, w] = dims;
    let refuse = |problem, remedy| Err(Error::argument("comparison", problem, remedy));
    let originals = rows[0];
    if let Some(other) = rows.iter().find(|other| other.len() != originals.len()) {
        let problem = format!("there are {} values of originals and {} of reconstructions", originals.len(), other.len());
        return refuse(problem, "Pass one reconstruction for each original.");
    }
    let image = size("comparison", originals.len(), dims)?;
    let pairs = originals.len() / image;
    let columns = pairs.min(COLUMNS);
    let bands = pairs.div_ceil(COLUMNS);
    let band = rows.len() * (SCALE * h + GAP) - GAP;
    let width = MARGIN + columns * (SCALE * w + MARGIN);
    let height = 2 * MARGIN + bands * band + (bands - 1) * BAND_GAP;
    if width.checked_mul(height).is_none_or(|n| n > MOST) {
        return refuse(format!("{pairs} pairs of {h}x{w} make a picture of {width}x{height} pixels"), "Pass fewer or smaller images.");
    }
    let tones = Tones::of(originals);
    let mut canvas = Canvas { width, channels, pixels: vec![PAPER; width * height * channels] };
    for (row, images) in rows.iter().enumerate() {
        for (i, image) in images.chunks_exact(image).enumerate() {
            let left = MARGIN + i % COLUMNS * (SCALE * w + MARGIN);
            let top = MARGIN + i / COLUMNS * (band + BAND_GAP) + row * (SCALE * h + GAP);
            canvas.draw(image, [h, w], (left, top), &tones);
        }
    }
    Ok((width as u32, height as u32, canvas.pixels))
}

/// Which value is dark and which is white.
pub(super) struct Tones {
    dark: f32,
    white: f32,
}

impl Tones {
    /// 0 and 1, unless a value lies outside: then the smallest and the largest.
    pub(super) fn of(values: &[f32]) -> Tones {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        if finite().all(|v| (0.0..=1.0).contains(&v)) {
            return Tones { dark: 0.0, white: 1.0 };
        }
        Tones { dark: finite().fold(f32::INFINITY, f32::min), white: finite().fold(f32::NEG_INFINITY, f32::max) }
    }

    fn of_one(&self, value: f32) -> f32 {
        // In f64, where the difference of two f32 does not overflow; images of one value are dark.
        let (value, dark, white) = (f64::from(value), f64::from(self.dark), f64::from(self.white));
        let range = if white > dark { white - dark } else { 1.0 };
        ((value - dark) / range) as f32
    }

    /// Each value with 0 for dark and 1 for white.
    pub(super) fn map(&self, values: &[f32]) -> Vec<f32> {
        values.iter().map(|&v| self.of_one(v)).collect()
    }
}

/// How a PNG stores pixels of 1 or 3 channels.
pub(super) fn colour_type(channels: usize) -> ExtendedColorType {
    if channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 }
}

pub(super) fn byte(value: f32) -> u8 {
    if value.is_nan() { NOT_A_NUMBER } else { (value.clamp(0.0, 1.0) * 255.0).round() as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reconstruction_stands_below_its_original() {
        // Twelve pairs of 1x2 pixels: ten in the first band, two in the second.
        let originals: Vec<f32> = (0..24).map(|i| i as f32 / 255.0).collect();
        let reconstructions: Vec<f32> = (0..24).map(|i| (100 + i) as f32 / 255.0).collect();
        let (width, height, pixels) = paint(&[&originals, &reconstructions], [1, 1, 2]).unwrap();
        assert_eq!((width, height), (4 + 10 * 12, 2 * 4 + 2 * (8 + 12) + 28));
        let at = |x: usize, y: usize| pixels[y * width as usize + x];
        for i in 0..12 {
            let (left, top) = (4 + i % 10 * 12, 4 + i / 10 * 48);
            for (row, base) in [(0, 0), (16, 100)] {
                for y in 0..4 {
                    for x in 0..8 {
                        assert_eq!(usize::from(at(left + x, top + row + y)), base + 2 * i + x / 4, "pair {i}, row {row}, ({x}, {y})");
                    }
                }
            }
            assert_eq!((at(left - 1, top), at(left + 8, top), at(left, top + 4), at(left, top + 15)), (PAPER, PAPER, PAPER, PAPER));
        }
    }

    #[test]
    fn values_are_clamped_and_nan_is_grey() {
        let values = [f32::NEG_INFINITY, -1.0, -0.0, 0.5, 1.0, 1.5, f32::INFINITY, f32::NAN, -f32::NAN];
        assert_eq!(values.map(byte), [0, 0, 0, 128, 255, 255, 255, 128, 128]);
    }

    #[test]
    fn the_file_is_a_grey_png_of_these_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.png");
        let (originals, reconstructions) = ([0.0, 0.25, 0.5, 1.0, f32::NAN, 0.1], [1.0, 0.75, 2.0, -1.0, 0.0, 0.9]);
        comparison(&path, &originals, &reconstructions, [1, 3, 1]).unwrap();
        let picture = image::open(&path).unwrap();
        assert_eq!(picture.color(), image::ColorType::L8);
        let (width, height, pixels) = paint(&[&originals, &reconstructions], [1, 3, 1]).unwrap();
        assert_eq!((picture.width(), picture.height()), (width, height));
        assert_eq!(picture.into_luma8().into_raw(), pixels);
    }

    #[test]
    fn three_channels_are_red_green_and_blue() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.png");
        // Two pixels: red and white; their reconstructions are blue and black.
        let (originals, reconstructions) = ([1.0, 1.0, 0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        comparison(&path, &originals, &reconstructions, [3, 1, 2]).unwrap();
        let picture = image::open(&path).unwrap();
        assert_eq!(picture.color(), image::ColorType::Rgb8);
        let picture = picture.into_rgb8();
        let at = |x: u32, y: u32| picture.get_pixel(4 + x, 4 + y).0;
        assert_eq!([at(3, 3), at(4, 0), at(0, 16), at(7, 19)], [[255, 0, 0], [255, 255, 255], [0, 0, 255], [0, 0, 0]]);
        assert_eq!(at(0, 4), [PAPER; 3]);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_numbers() {
        let huge = usize::MAX;
        for (originals, reconstructions, size, said) in [
            (4, 3, [1, 2, 2], "there are 4 values of originals and 3 of reconstructions"),
            (0, 0, [1, 2, 2], "0 values are not one or more images of 1x2x2"),
            (6, 6, [1, 2, 2], "6 values are not one or more images of 1x2x2"),
            (4, 4, [1, 0, 4], "4 values are not one or more images of 1x0x4"),
            (8, 8, [2, 2, 2], "8 values are not one or more images of 2x2x2"),
            (4, 4, [3, huge, huge], "4 values are not one or more images of"),
            (9_000_000, 9_000_000, [1, 3000, 3000], "1 pairs of 3000x3000 make a picture of 12008x24020 pixels"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("p.png");
            let error = comparison(&path, &vec![0.0; originals], &vec![0.0; reconstructions], size).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert!(!path.exists());
        }
        assert!(matches!(comparison(Path::new("/absent/p.png"), &[0.0], &[0.0], [1, 1, 1]), Err(Error::Io { .. })));
    }
}
