//! Plots as PNG, for what does not take SVG. Text is set in DejaVu Sans, which comes along, so that a picture looks the
//! same on every machine; letters that it lacks are looked for in the system's fonts.

use crate::{Error, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::fontdb::{Database, Family, Query, Weight};
use resvg::usvg::{FontResolver, Options, Tree};
use std::sync::{Arc, Mutex, Once, PoisonError};

const SANS: &[u8] = include_bytes!("font/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("font/DejaVuSans-Bold.ttf");
/// Pixels for each unit of the drawing.
const SCALE: f32 = 2.0;

/// The picture that an SVG draws in the light theme, two pixels for each of its units.
///
/// # Errors
/// Something that is no SVG, or a letter that no font here has.
pub fn png(svg: &str) -> Result<Vec<u8>> {
    let wanted = Missing::default();
    let options = Options { fontdb: Arc::new(fonts()), font_resolver: wanted.resolver(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|e| refuse(e.to_string()))?;
    if let Some(letter) = wanted.letter() {
        return Err(refuse(format!("no font here has the letter {letter:?}")));
    }
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(|| refuse("it has no size".into()))?;
    let mut picture = Pixmap::new(size.width(), size.height()).ok_or_else(|| refuse("it is too large".into()))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    picture.encode_png().map_err(|e| refuse(e.to_string()))
}

fn refuse(problem: String) -> Error {
    Error::argument("plot", problem, "Write it as SVG.")
}

fn fonts() -> Database {
    let mut fonts = Database::new();
    [SANS, BOLD].into_iter().for_each(|font| fonts.load_font_data(font.to_vec()));
    fonts
}

/// A letter that no font had.
#[derive(Clone, Default)]
struct Missing(Arc<Mutex<Option<char>>>);

impl Missing {
    fn letter(&self) -> Option<char> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes our font, whatever the style sheet names; for a letter that it lacks, one of the system's.
    fn resolver(&self) -> FontResolver<'static> {
        let (missing, system) = (self.clone(), Once::new());
        let usual = FontResolver::default_fallback_selector();
        FontResolver {
            select_font: Box::new(|font, fonts| {
                let query = Query { families: &[Family::Name("DejaVu Sans")], weight: Weight(font.weight()), ..Query::default() };
                fonts.query(&query)
            }),
            select_fallback: Box::new(move |letter, used, fonts| {
                system.call_once(|| Arc::make_mut(fonts).load_system_fonts());
                let found = usual(letter, used, fonts);
                if found.is_none() {
                    *missing.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(letter);
                }
                found
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::png;
    use crate::data::Dataset;
    use crate::data::Rows;
    use crate::report::map;
    use crate::tasks::{Plane, Projection};
    use image::GenericImageView;

    #[test]
    fn a_plot_becomes_a_picture_with_its_text_in_the_light_theme() {
        let rows = Dataset::from_rows("rows", vec![0.5; 20], &[1]).unwrap().with_labels((0..20).map(|i| i % 3).collect()).unwrap();
        let codes = Rows::new(2, (0..40).map(|i| (i * i % 17) as f32).collect());
        let plane = Plane { by: Projection::Code, points: codes, axes: ["x".into(), "y".into()] };
        let svg = map("Grüße, εδώ и там", &plane, &rows).unwrap();
        let picture = image::load_from_memory(&png(&svg).unwrap()).unwrap();
        assert_eq!(picture.get_pixel(1, 1).0, [255; 4], "the paper is white");
        let ink = |svg: &str| image::load_from_memory(&png(svg).unwrap()).unwrap().to_luma8().pixels().filter(|p| p.0[0] < 90).count();
        let blank = map(" ", &plane, &rows).unwrap();
        assert!(ink(&svg) > ink(&blank) + 400, "{} {}", ink(&svg), ink(&blank));
        // No font has a letter for a private use.
        let error = png(&map("\u{10fff0}", &plane, &rows).unwrap()).unwrap_err().to_string();
        assert!(error.contains("no font here has the letter"), "{error}");
        assert!(png("<p>").is_err());
    }
}
