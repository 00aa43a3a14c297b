//! The report: one page that needs no other file, for the screen, light or dark, and for paper.

use super::about::About;
use super::charts::grouped;
use super::plot::escape;
use super::weights::{self, Tiles};
use crate::data::Split;
use crate::nn::{Layer, Spec};
use crate::train::{Evaluation, Metrics};
use crate::{Autoencoder, Result};
use image::ExtendedColorType;
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");

/// What the page shows.
pub(super) struct Page<'a> {
    pub(super) about: &'a About,
    pub(super) ae: &'a Autoencoder,
    pub(super) split: &'a Split,
    pub(super) evaluation: &'a Evaluation,
    /// The errors of as many principal components as the code has numbers, summed per row: training, test.
    pub(super) components: Option<[f64; 2]>,
    pub(super) loss: &'a str,
    pub(super) errors: &'a str,
    pub(super) tiles: Option<&'a Tiles>,
    pub(super) samples: Vec<Sample>,
    pub(super) worst: Vec<Sample>,
}

/// A row and its reconstruction.
pub(super) struct Sample {
    pub(super) row: usize,
    pub(super) class: Option<String>,
    pub(super) error: f64,
    pub(super) original: Vec<f32>,
    pub(super) reconstruction: Vec<f32>,
}

/// The whole page.
pub(super) fn html(page: &Page) -> Result<String> {
    let about = page.about;
    let shape = page.shape();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{shape} autoencoder on {data}</title><style>{STYLE}</style></head>\n<body><main>\n\
         <header><p class=\"kicker\">narrows training report <span>{date}</span></p><h1>{shape} autoencoder</h1>{lede}</header>\n",
        data = escape(&about.data),
        date = about.date(),
        lede = page.lede()
    );
    out += &page.headline();
    out += &page.gallery()?;
    let [mask, whole] = match page.drops() {
        true => [" and with part of each hidden layer dropped", ", with nothing dropped"],
        false => ["", ""],
    };
    let _ = writeln!(
        out,
        "<section class=\"two\"><figure>{}<figcaption>The training error is the mean over an epoch, measured while the weights still change{mask}; the \
         test error is measured after it{whole}.</figcaption></figure><figure>{}<figcaption>Each of the test rows has its own error. Rows far to the right are \
         unlike the others.</figcaption></figure></section>",
        page.loss.trim_end(),
        page.errors.trim_end()
    );
    out += &page.numbers();
    out += &page.classes();
    if let Some(tiles) = page.tiles {
        let more = if tiles.shown < tiles.units { format!(" The first {} of {} units.", tiles.shown, tiles.units) } else { String::new() };
        let _ = writeln!(
            out,
            "<section class=\"keep\"><h2>What the first layer looks for</h2><figure class=\"tiles\"><img alt=\"weights of the first layer\" src=\"{}\">\
             <figcaption>The weights of each unit over the image: <b class=\"neg\">blue</b> below 0, <b class=\"pos\">red</b> above, white 0; the \
             darkest colours stand for {:.2} and beyond.{more}</figcaption></figure></section>",
            data_uri(&tiles.png),
            tiles.limit
        );
    }
    out += &page.details();
    out += "</main></body></html>\n";
    Ok(out)
}

impl Page<'_> {
    fn shape(&self) -> String {
        shape(self.ae.spec())
    }

    /// Whether training drops outputs of the hidden layers.
    fn drops(&self) -> bool {
        let spec = self.ae.spec();
        [&spec.encoder, &spec.decoder].iter().any(|half| half.layers.iter().any(|layer| matches!(layer, Layer::Dropout(_))))
    }

    /// What a row is called.
    fn row(&self) -> &'static str {
        if self.split.test.image_size().is_some() { "image" } else { "row" }
    }

    fn element(&self) -> &'static str {
        if self.split.test.image_size().is_some() { "pixel" } else { "element" }
    }

    fn lede(&self) -> String {
        let (test, row) = (&self.evaluation.test, self.row());
        let synthetic = if self.split.train.is_synthetic() { "<strong class=\"badge\">synthetic data</strong>" } else { "" };
        let k = self.ae.code_width();
        let beside = match self.components {
            Some([_, pca]) if pca > 0.0 => {
                let change = 100.0 * (test.sum / pca - 1.0);
                let than = if change < 0.0 { "less" } else { "more" };
                format!(", {:.0} % {than} than with {k} principal components", change.abs())
            }
            _ => String::new(),
        };
        format!(
            "<p class=\"lede\">{synthetic}It keeps <b>{k} numbers</b> of each {row} of {}. On {} {row}s of <b>{}</b> that training never saw, the \
             squared error is <b>{}</b> per {row}{beside}.</p>",
            self.ae.inputs(),
            grouped(test.rows),
            escape(&self.about.data),
            fixed(test.sum, 2)
        )
    }

    fn headline(&self) -> String {
        let test = &self.evaluation.test;
        let mut out = String::from("<section class=\"cards\">");
        let mut card = |value: String, name: String| {
            let _ = write!(out, "<div><b>{value}</b><span>{name}</span></div>");
        };
        card(short(test.mse), format!("test MSE per {}", self.element()));
        card(fixed(test.sum, 2), format!("squared error per test {}", self.row()));
        if let Some(unit) = &test.unit {
            card(format!("{} dB", short(unit.psnr_of_rows)), format!("PSNR, mean over {}s", self.row()));
        }
        card(format!("{:+.1} %", 100.0 * self.evaluation.gap()), "test error over training error".into());
        card(format!("{:.1} s", self.about.seconds), "of training".into());
        out + "</section>\n"
    }

    fn gallery(&self) -> Result<String> {
        let Some((h, w)) = self.split.test.image_size() else { return Ok(String::new()) };
        let table = |title: &str, note: &str, samples: &[Sample]| -> Result<String> {
            let mut lines = [const { String::new() }; 5];
            for s in samples {
                let class = s.class.as_deref().map_or(format!("#{}", s.row), escape);
                let _ = write!(lines[0], "<th scope=\"col\" title=\"test row {}\">{class}</th>", s.row);
                let grey = |values: &[f32]| -> Result<String> {
                    let pixels: Vec<u8> = values.iter().map(|&v| super::picture::grey(v)).collect();
                    Ok(data_uri(&weights::png(w, h, &pixels, ExtendedColorType::L8)?))
                };
                let difference: Vec<u8> =
                    s.original.iter().zip(&s.reconstruction).flat_map(|(x, y)| weights::diverging((y - x) * 1.25)).collect();
                let difference = data_uri(&weights::png(w, h, &difference, ExtendedColorType::Rgb8)?);
                for (line, (uri, alt)) in lines[1..4].iter_mut().zip([
                    (grey(&s.original)?, "original"),
                    (grey(&s.reconstruction)?, "reconstruction"),
                    (difference, "difference"),
                ]) {
                    let _ = write!(line, "<td><img alt=\"{alt}\" src=\"{uri}\"></td>");
                }
                let _ = write!(lines[4], "<td>{}</td>", short(s.error));
            }
            let head = if samples.iter().any(|s| s.class.is_some()) { "class" } else { "row" };
            let [classes, originals, back, difference, errors] = lines;
            Ok(format!(
                "<section class=\"keep\"><h2>{title}</h2><table class=\"gallery\"><tr><th>{head}</th>{classes}</tr>\
                 <tr><th scope=\"row\">original</th>{originals}</tr><tr><th scope=\"row\">reconstruction</th>{back}</tr>\
                 <tr><th scope=\"row\">difference</th>{difference}</tr><tr><th scope=\"row\">MSE</th>{errors}</tr></table><p class=\"note\">{note}</p></section>\n"
            ))
        };
        let of = if self.split.test.labels().is_some() { "One of each class" } else { "The first test rows" };
        let note = "The first of each class among the test rows, none chosen by its looks. Difference: <b class=\"pos\">red</b> where ink was added, \
                    <b class=\"neg\">blue</b> where it was lost.";
        let mut out = table(of, if self.split.test.labels().is_some() { note } else { "The first of the test rows." }, &self.samples)?;
        out += &table("The worst", &format!("The {} test rows with the largest errors.", self.worst.len()), &self.worst)?;
        Ok(out)
    }

    fn numbers(&self) -> String {
        let Evaluation { train, test } = self.evaluation;
        let (row, element) = (self.row(), self.element());
        let mut out = format!(
            "<section class=\"keep\"><h2>Numbers</h2><table class=\"numbers\"><thead><tr><th></th><th>training</th><th>test</th></tr></thead><tbody>\
             <tr><th>{row}s</th><td>{}</td><td>{}</td></tr>",
            grouped(train.rows),
            grouped(test.rows)
        );
        let mut line = |name: &str, class: &str, values: [String; 2]| {
            let _ = write!(out, "<tr class=\"{class}\"><th>{name}</th><td>{}</td><td>{}</td></tr>", values[0], values[1]);
        };
        let both = |f: &dyn Fn(&Metrics) -> String| [f(train), f(test)];
        line(&format!("MSE per {element}"), "strong", both(&|m| fixed(m.mse, 5)));
        line(&format!("squared error, sum per {row}"), "strong", both(&|m| fixed(m.sum, 3)));
        if let Some(pca) = self.components {
            let k = self.ae.code_width();
            line(&format!("PCA with {k} components: MSE per {element}"), "", pca.map(|e| fixed(e / self.ae.inputs() as f64, 5)));
            line(&format!("PCA with {k} components: sum per {row}"), "", pca.map(|e| fixed(e, 3)));
        }
        if train.unit.is_some() && test.unit.is_some() {
            let unit = |m: &Metrics, f: fn(&crate::train::UnitMetrics) -> f64| m.unit.as_ref().map_or(f64::NAN, f);
            line(&format!("PSNR, mean over {row}s"), "", both(&|m| format!("{:.2} dB", unit(m, |u| u.psnr_of_rows))));
            line("PSNR of the mean MSE", "", both(&|m| format!("{:.2} dB", unit(m, |u| u.psnr_of_mean))));
            line(&format!("cross-entropy, sum per {row} (nats)"), "", both(&|m| format!("{:.2}", unit(m, |u| u.bce))));
            line("cross-entropy above the entropy of the data", "", both(&|m| format!("{:.2}", unit(m, |u| u.bce - u.bce_floor))));
        }
        out += "</tbody></table><p class=\"note\">Both columns are measured with the final weights. PCA is the best linear code of the same size, fitted to \
                the training rows.</p></section>\n";
        out
    }

    fn classes(&self) -> String {
        let classes = &self.evaluation.test.classes;
        let most = classes.iter().map(|c| c.mse).fold(0.0, f64::max);
        if classes.len() < 2 || most == 0.0 {
            return String::new();
        }
        let mut out = String::from("<section class=\"keep\"><h2>Test error by class</h2><table class=\"bars\">");
        for c in classes {
            let _ = write!(
                out,
                "<tr><th>{}</th><td><i style=\"width:{:.1}%\"></i></td><td>{}</td><td>{} rows</td></tr>",
                escape(&c.name),
                100.0 * c.mse / most,
                fixed(c.mse, 5),
                grouped(c.rows)
            );
        }
        out + "</table></section>\n"
    }

    fn details(&self) -> String {
        let about = self.about;
        let list = |title: &str, pairs: &[(String, String)]| {
            let pairs: String = pairs.iter().map(|(k, v)| format!("<dt>{}</dt><dd>{}</dd>", escape(k), escape(v))).collect();
            format!("<div><h3>{title}</h3><dl>{pairs}</dl></div>")
        };
        let pair = |k: &str, v: String| (k.to_string(), v);
        let dims: Vec<String> = self.split.train.row_dims().iter().map(usize::to_string).collect();
        let mut data = vec![
            pair("name", about.data.clone()),
            pair("made by", if self.split.train.is_synthetic() { "a program: synthetic".into() } else { "not said".into() }),
            pair("training", format!("{} rows", grouped(self.split.train.len()))),
            pair("test", format!("{} rows", grouped(self.split.test.len()))),
            pair("a row", dims.join(" x ")),
            pair("SHA-256", about.sha256.clone().unwrap_or_default()),
        ];
        data.retain(|(_, v)| v != "not said");
        let machine = [
            pair("device", about.device.clone()),
            pair("machine", about.machine.clone()),
            pair("training", format!("{:.2} s, ended {}", about.seconds, about.date())),
            pair("parameters", grouped(self.ae.params().len())),
            pair("narrows", about.version.clone()),
        ];
        format!(
            "<section class=\"three\">{}{}{}</section>\n<section class=\"keep\"><h2>To repeat it</h2><pre>{}</pre><p class=\"note\">With narrows {} on the \
             data with the hash above. On the same kind of device the same command gives the same weights. <code>narrows report --run DIR</code> writes \
             this page again from the files of the run.</p></section>\n",
            list("Configuration", &about.settings),
            list("Data", &data),
            list("Machine", &machine),
            escape(&about.command),
            escape(&about.version)
        )
    }
}

/// The widths to the code, and on to the row where the way back is another.
fn shape(spec: &Spec) -> String {
    let (mut widths, up) = (spec.encoder.widths(), spec.decoder.widths());
    if !widths.iter().eq(up.iter().rev()) {
        widths.extend(&up[1..]);
    }
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join("–")
}

/// Four significant digits.
fn short(v: f64) -> String {
    if !v.is_finite() {
        return "∞".into();
    }
    let digits = if v == 0.0 { 0 } else { (3 - v.abs().log10().floor() as i32).clamp(0, 8) as usize };
    format!("{v:.digits$}")
}

/// This number of decimals, or four significant digits where that would leave one or none.
fn fixed(v: f64, decimals: i32) -> String {
    if v != 0.0 && v.abs() < 10f64.powi(1 - decimals) { short(v) } else { format!("{v:.*}", decimals as usize) }
}

fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", base64(png))
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, code) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), code);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
    }

    #[test]
    fn a_shape_names_the_way_back_where_it_is_another() {
        let mut spec = Autoencoder::builder(9).hidden([5]).code(2).spec().unwrap();
        assert_eq!(shape(&spec), "9–5–2");
        spec.decoder.layers[0] = crate::nn::Layer::Dense(4);
        assert_eq!(shape(&spec), "9–5–2–4–9");
    }

    #[test]
    fn four_digits_are_kept() {
        assert_eq!([0.012345, 19.876, 0.5, 12345.6, 0.0].map(short), ["0.01235", "19.88", "0.5000", "12346", "0"]);
        assert_eq!(short(f64::INFINITY), "∞");
    }
}
