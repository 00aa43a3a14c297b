//! The weights of the first layer as images, and the colours for values above and below 0.

use super::picture::byte;
use crate::data::Rows;
use crate::nn::Decoder;
use crate::{Autoencoder, Error, Result};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

/// Tiles side by side.
const COLUMNS: usize = 16;
/// The most tiles that are drawn.
const MOST: usize = 128;
/// The most pixels of the picture.
const MOST_PIXELS: usize = 1 << 26;
/// Between two tiles; there the picture is transparent.
const GAP: usize = 4;
/// The approximate width of a tile.
const WIDTH: usize = 56;
/// Blue below 0, near white at 0, red above: ColorBrewer's RdBu, which people with any colour vision can read.
const SCALE: [[f32; 3]; 9] = [
    [5.0, 48.0, 97.0],
    [33.0, 102.0, 172.0],
    [67.0, 147.0, 195.0],
    [146.0, 197.0, 222.0],
    [247.0, 247.0, 247.0],
    [244.0, 165.0, 130.0],
    [214.0, 96.0, 77.0],
    [178.0, 24.0, 43.0],
    [103.0, 0.0, 31.0],
];

/// A tile for each unit of a layer.
pub struct Tiles {
    /// The picture.
    pub png: Vec<u8>,
    /// Units that are drawn.
    pub shown: usize,
    /// All units.
    pub units: usize,
    /// The magnitude from which a weight has the darkest red or blue: 99.5 % of the weights are smaller.
    pub limit: f32,
}

/// Draws what each unit of the first layer looks for: a tile for each, blue below 0 and red above, all on one scale.
/// The network takes images of `dims` = [channels, height, width]. Of three channels each weight is a light of its
/// colour: half for 0, less below and more above.
///
/// # Errors
/// When the network does not take such images, the picture would have over 67 million pixels, or the device fails.
pub fn weights(ae: &Autoencoder, dims: [usize; 3]) -> Result<Tiles> {
    check("weights", ae, dims)?;
    // A variational encoder without hidden layers begins with the heads.
    let first = ae.spec().layout().into_iter().next().map_or_else(String::new, |(name, _)| name);
    tiles("weights", &ae.params().read(&first)?, dims)
}

/// Draws what each unit of the code adds to a row: a tile for each, blue where it takes light and red where it adds it,
/// all on one scale. It is the difference that the unit at its largest value over some rows makes to a code of zeros,
/// before the output's activation; with one layer, a column of the decoder's weights.
///
/// # Errors
/// As [`weights`], or when there are no codes.
pub fn atoms(ae: &Autoencoder, codes: &Rows, dims: [usize; 3]) -> Result<Tiles> {
    check("atoms", ae, dims)?;
    let units = ae.code_width();
    let largest = |unit: usize| codes.values.iter().skip(unit).step_by(units).fold(0.0f32, |most, v| most.max(v.abs()));
    let alone = |unit: usize| (0..units).map(move |at| if at == unit { largest(unit) } else { 0.0 });
    let mut decoder = Decoder::new(ae);
    let nothing = decoder.logits(&vec![0.0; units])?;
    let mut values = Vec::with_capacity(units.min(MOST) * ae.inputs());
    for unit in 0..units.min(MOST) {
        let with = decoder.logits(&alone(unit).collect::<Vec<_>>())?;
        values.extend(with.iter().zip(&nothing).map(|(with, without)| with - without));
    }
    Ok(Tiles { units, ..tiles("atoms", &values, dims)? })
}

/// Rejects dimensions of other images than the network takes.
fn check(of: &str, ae: &Autoencoder, [channels, h, w]: [usize; 3]) -> Result<()> {
    if !matches!(channels, 1 | 3) || h.checked_mul(w).and_then(|size| size.checked_mul(channels)) != Some(ae.inputs()) {
        let problem = format!("the network takes {} numbers, which is not an image of {channels}x{h}x{w}", ae.inputs());
        return Err(Error::argument(of, problem, "Pass the dimensions of the images that it was trained on."));
    }
    Ok(())
}

/// A tile for each image of values.
fn tiles(of: &str, values: &[f32], [channels, h, w]: [usize; 3]) -> Result<Tiles> {
    let image = channels * h * w;
    let units = values.len() / image;
    let shown = units.min(MOST);
    let mut sizes: Vec<f32> = values.iter().map(|v| v.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let limit = sizes[(sizes.len() - 1) * 995 / 1000].max(f32::MIN_POSITIVE);
    let scale = (WIDTH / w.max(1)).max(1);
    let (columns, rows) = (shown.min(COLUMNS), shown.div_ceil(COLUMNS));
    let (tile_w, tile_h) = (w * scale, h * scale);
    let (width, height) = (columns * (tile_w + GAP) - GAP, rows * (tile_h + GAP) - GAP);
    if width.checked_mul(height).is_none_or(|n| n > MOST_PIXELS) {
        let problem = format!("{shown} tiles of {tile_h}x{tile_w} make a picture of {width}x{height} pixels");
        return Err(Error::argument(of, problem, "Train on smaller images."));
    }
    let mut pixels = vec![0u8; width * height * 4];
    for (at, tile) in values.chunks_exact(image).take(shown).enumerate() {
        let (left, top) = (at % COLUMNS * (tile_w + GAP), at / COLUMNS * (tile_h + GAP));
        for y in 0..tile_h {
            let line = &mut pixels[((top + y) * width + left) * 4..][..tile_w * 4];
            for (x, pixel) in line.chunks_exact_mut(4).enumerate() {
                let of = |channel: usize| tile[(channel * h + y / scale) * w + x / scale] / limit;
                let [r, g, b] = if channels == 1 { diverging(of(0)) } else { [0, 1, 2].map(|c| byte(0.5 + of(c) / 2.0)) };
                pixel.copy_from_slice(&[r, g, b, 255]);
            }
        }
    }
    Ok(Tiles { png: png(width, height, &pixels, ExtendedColorType::Rgba8)?, shown, units, limit })
}

/// The colour of a value in [-1, 1]; values outside are clamped, and NaN is black.
pub(super) fn diverging(value: f32) -> [u8; 3] {
    if value.is_nan() {
        return [0; 3];
    }
    let place = (value.clamp(-1.0, 1.0) + 1.0) * 4.0;
    let at = (place as usize).min(SCALE.len() - 2);
    let part = place - at as f32;
    std::array::from_fn(|i| (SCALE[at][i] + part * (SCALE[at + 1][i] - SCALE[at][i])).round() as u8)
}

/// A PNG in memory.
pub(super) fn png(width: usize, height: usize, pixels: &[u8], colour: ExtendedColorType) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let done = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter).write_image(
        pixels,
        width as u32,
        height as u32,
        colour,
    );
    done.map_err(|e| Error::argument("picture", format!("{width}x{height} pixels can't be encoded ({e})"), "Use smaller images."))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;

    #[test]
    fn zero_is_near_white_and_the_sides_are_blue_and_red() {
        assert_eq!(diverging(0.0), [247, 247, 247]);
        assert_eq!((diverging(-1.0), diverging(-9.0)), ([5, 48, 97], [5, 48, 97]));
        assert_eq!((diverging(1.0), diverging(f32::INFINITY)), ([103, 0, 31], [103, 0, 31]));
        assert_eq!(diverging(f32::NAN), [0, 0, 0]);
        assert_eq!(diverging(0.125), [246, 206, 189]);
    }

    #[test]
    fn a_unit_is_a_tile_and_the_gap_is_transparent() {
        let ae = Autoencoder::builder(6).hidden([]).code(18).build(&Device::cpu().unwrap()).unwrap();
        let mut values = vec![0.0; 18 * 6];
        // Unit 17 stands second in the second row; its pixel (1, 2) is the only weight.
        values[17 * 6 + 5] = -2.0;
        values[0] = 3.0;
        ae.params().write("encoder.0.weight", &values).unwrap();
        let tiles = weights(&ae, [1, 2, 3]).unwrap();
        assert_eq!((tiles.shown, tiles.units), (18, 18));
        let picture = image::load_from_memory(&tiles.png).unwrap().into_rgba8();
        let (tile_w, tile_h) = (18 * 3, 18 * 2);
        assert_eq!(picture.dimensions(), (16 * (tile_w + 4) - 4, 2 * (tile_h + 4) - 4));
        let at = |x: u32, y: u32| picture.get_pixel(x, y).0;
        assert_eq!(at(tile_w + 4 + 2 * 18, tile_h + 4 + 18), [5, 48, 97, 255]);
        assert_eq!(at(tile_w + 4 + 2 * 18 - 1, tile_h + 4 + 18), [247, 247, 247, 255]);
        assert_eq!((at(0, 0), at(tile_w, 0)[3]), ([103, 0, 31, 255], 0));
        assert!(weights(&ae, [1, 3, 3]).is_err());
        // As two pixels in colour, the first is all red and half of the others.
        let tiles = weights(&ae, [3, 1, 2]).unwrap();
        let picture = image::load_from_memory(&tiles.png).unwrap().into_rgba8();
        assert_eq!([0, 28].map(|x| picture.get_pixel(x, 0).0), [[255, 128, 128, 255], [128, 128, 128, 255]]);
    }

    #[test]
    fn the_first_dense_layer_is_drawn_wherever_it_stands_and_what_is_too_large_is_not() {
        let device = Device::cpu().unwrap();
        let mut spec = Autoencoder::builder(6).hidden([5]).code(2).spec().unwrap();
        spec.encoder.layers.insert(0, crate::nn::Layer::Dropout(0.5));
        let tiles = weights(&Autoencoder::new(spec, 0, &device).unwrap(), [1, 2, 3]).unwrap();
        assert_eq!((tiles.shown, tiles.units), (5, 5));
        let tall = Autoencoder::builder(11_000).layers([2]).build(&device).unwrap();
        let error = weights(&tall, [1, 11_000, 1]).err().unwrap().to_string();
        assert!(error.contains("2 tiles of 616000x56 make a picture of 116x616000 pixels"), "{error}");
    }
}
