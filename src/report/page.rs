//! The report: one page that needs no other file, for the screen, light or dark, and for paper.

use super::Verdict;
use super::about::About;
use super::charts::{compared, counted, grouped, short, times};
use super::components::Components;
use super::plot::escape;
use super::weights::Tiles;
use crate::Autoencoder;
use crate::data::Split;
use crate::nn::{Layer, Spec};
use crate::train::{ClassMetrics, Evaluation, Metrics};
use base64::prelude::{BASE64_STANDARD, Engine};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");
/// Classes whose errors are shown.
const MOST_CLASSES: usize = 30;

/// What the page shows.
pub(super) struct Page<'a> {
    pub(super) about: &'a About,
    pub(super) ae: &'a Autoencoder,
    pub(super) split: &'a Split,
    pub(super) evaluation: &'a Evaluation,
    pub(super) verdict: &'a Verdict,
    pub(super) components: Option<Components>,
    /// How many of the training rows were held out to validate on.
    pub(super) held_out: usize,
    pub(super) loss: &'a str,
    pub(super) errors: &'a str,
    /// Some of the rows, as images or as lines of a table.
    pub(super) rows: &'a str,
    /// The sections of its parts.
    pub(super) parts: &'a str,
    /// The section of the codes.
    pub(super) map: &'a str,
    pub(super) tiles: Option<&'a Tiles>,
    /// What could not be drawn, and why.
    pub(super) absent: &'a [String],
}

/// The whole page.
pub(super) fn html(page: &Page) -> String {
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
    out += &page.verdict();
    out += &page.absent();
    let images = page.split.test.image_dims().is_some();
    out += if images { page.rows } else { "" };
    out += page.parts;
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
    out += if images { "" } else { page.rows };
    out += page.map;
    if let Some(tiles) = page.tiles {
        let more = if tiles.shown < tiles.units { format!(" The first {} of {} units.", tiles.shown, tiles.units) } else { String::new() };
        let _ = writeln!(
            out,
            "<section class=\"keep\"><h2>What the first layer looks for</h2><figure class=\"tiles\"><img alt=\"weights of the first layer\" src=\"{}\">\
             <figcaption>The weights of each unit over the image: {}; the ends of the scale stand for {:.2} and beyond.{more}</figcaption></figure></section>",
            data_uri(&tiles.png),
            match page.split.test.image_dims() {
                Some([3, ..]) => "each colour is bright above 0, dark below, and half at 0",
                _ => "<b class=\"neg\">blue</b> below 0, <b class=\"pos\">red</b> above, white 0",
            },
            tiles.limit
        );
    }
    out += &page.details();
    out + "</main></body></html>\n"
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
        if self.split.test.image_dims().is_some() { "image" } else { "row" }
    }

    fn is_of_images(&self) -> bool {
        self.split.test.image_dims().is_some()
    }

    fn element(&self) -> &'static str {
        if self.split.test.image_dims().is_some() { "pixel" } else { "element" }
    }

    fn lede(&self) -> String {
        let (test, row) = (&self.evaluation.test, self.row());
        let synthetic = if self.split.train.is_synthetic() { "<strong class=\"badge\">synthetic data</strong>" } else { "" };
        format!(
            "<p class=\"lede\">{synthetic}It keeps <b>{}</b> of each {row} of {}. On {} of <b>{}</b> that training never saw, the \
             squared error is <b>{}</b> per {row}{}</p>",
            counted(self.ae.code_width(), "number"),
            grouped(self.ae.inputs()),
            counted(test.rows, row),
            escape(&self.about.data),
            short(test.sum),
            self.components.map_or(".".into(), |pca| beside(test.sum, &pca)),
        ) + &self.members()
    }

    /// Of an ensemble, that this is its first network.
    fn members(&self) -> String {
        let count = self.about.get("ensemble").and_then(|count| count.parse::<usize>().ok()).filter(|&count| count > 1);
        count.map_or_else(String::new, |count| {
            format!(
                "<p class=\"note\">This page shows the first of the {count} networks of an ensemble. <code>narrows score</code> and \
                 <code>narrows eval --anomaly</code> use all of them.</p>"
            )
        })
    }

    fn absent(&self) -> String {
        let item = |absent: &String| format!("<li>{}</li>", escape(absent));
        match self.absent.iter().map(item).collect::<String>() {
            items if items.is_empty() => items,
            items => format!("<section><h2>What this page lacks</h2><ul class=\"note\">{items}</ul></section>\n"),
        }
    }

    fn headline(&self) -> String {
        let test = &self.evaluation.test;
        let mut out = String::from("<section class=\"cards\">");
        let mut card = |value: String, name: String| {
            let _ = write!(out, "<div><b>{value}</b><span>{name}</span></div>");
        };
        card(short(test.mse), format!("test MSE per {}", self.element()));
        card(short(test.sum), format!("squared error per test {}", self.row()));
        if let Some(unit) = test.unit.as_ref().filter(|_| self.is_of_images()) {
            card(decibel(unit.psnr_of_rows), format!("PSNR, mean over {}s", self.row()));
        }
        card(over(self.evaluation.gap()), "test error over training error".into());
        card(seconds(self.about.seconds), "of training".into());
        out + "</section>\n"
    }

    /// What is wrong with the network, and what to try next.
    fn verdict(&self) -> String {
        let Verdict { collapsed, untrained, advice, .. } = self.verdict;
        let why = match untrained {
            Some(steps) => Some(format!("it was trained for {} only", counted(*steps, "step"))),
            None => collapsed.then(|| "it has collapsed".into()),
        };
        let collapsed = why.map(|why| format!("It is no better than the mean of each column ({}): {why}.", short(self.verdict.mean)));
        let dead = self.verdict.dead().map(|dead| format!("Units that no training row makes fire: {}.", escape(&dead)));
        let commands: Vec<_> = advice.iter().map(|command| format!("<code>{}</code>", flags_whole(command))).collect();
        let next = (!commands.is_empty()).then(|| format!("Try next: {}.", commands.join(", or ")));
        let lines = [collapsed, dead, next].into_iter().flatten();
        lines.map(|line| format!("<p class=\"note\">{line}</p>\n")).collect()
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
        line(&format!("MSE per {element}"), "strong", both(&|m| short(m.mse)));
        line(&format!("squared error, sum per {row}"), "strong", both(&|m| short(m.sum)));
        if let Some(Components { count, train, test, exact }) = self.components {
            let error = |e: f64| if exact { "exact".into() } else { short(e) };
            let (inputs, s) = (self.ae.inputs() as f64, if count == 1 { "" } else { "s" });
            line(&format!("PCA with {count} component{s}: MSE per {element}"), "", [train, test].map(|e| error(e / inputs)));
            line(&format!("PCA with {count} component{s}: sum per {row}"), "", [train, test].map(error));
        }
        if train.unit.is_some() && test.unit.is_some() {
            let unit = |m: &Metrics, f: fn(&crate::train::UnitMetrics) -> f64| m.unit.as_ref().map_or(f64::NAN, f);
            if self.is_of_images() {
                line(&format!("PSNR, mean over {row}s"), "", both(&|m| decibel(unit(m, |u| u.psnr_of_rows))));
                line("PSNR of the mean MSE", "", both(&|m| decibel(unit(m, |u| u.psnr_of_mean))));
            }
            line(&format!("cross-entropy, sum per {row} (nats)"), "", both(&|m| short(unit(m, |u| u.bce))));
            line("cross-entropy above the entropy of the data", "", both(&|m| short(unit(m, |u| u.bce - u.bce_floor))));
        }
        let pca = match self.components {
            Some(_) => " PCA is the best linear code of the same size, fitted to the training rows.",
            None => "",
        };
        let held = if self.held_out > 0 { " Those that were held out to validate on are among the training rows here." } else { "" };
        let _ =
            writeln!(out, "</tbody></table><p class=\"note\">Both columns are measured with the final weights.{pca}{held}</p></section>");
        out
    }

    fn classes(&self) -> String {
        let mut classes: Vec<&ClassMetrics> = self.evaluation.test.classes.iter().collect();
        let most = classes.iter().map(|c| c.mse).fold(0.0, f64::max);
        if classes.len() < 2 || most == 0.0 {
            return String::new();
        }
        let mut out = String::from("<section class=\"keep\"><h2>Test error by class</h2><table class=\"bars\">");
        let mut note = String::new();
        if classes.len() > MOST_CLASSES {
            note = format!("<p class=\"note\">The {MOST_CLASSES} of {} classes with the largest errors.</p>", classes.len());
            classes.sort_by(|a, b| b.mse.total_cmp(&a.mse));
            classes.truncate(MOST_CLASSES);
        }
        for c in classes {
            let _ = write!(
                out,
                "<tr><th>{}</th><td><i style=\"width:{:.1}%\"></i></td><td>{}</td><td>{}</td></tr>",
                breakable(&c.name),
                100.0 * c.mse / most,
                short(c.mse),
                counted(c.rows, "row")
            );
        }
        out + "</table>" + &note + "</section>\n"
    }

    fn details(&self) -> String {
        let about = self.about;
        let list = |title: &str, pairs: &[(String, String)]| {
            let pairs: String = pairs.iter().map(|(k, v)| format!("<dt>{}</dt><dd>{}</dd>", escape(k), escape(v))).collect();
            format!("<div><h3>{title}</h3><dl>{pairs}</dl></div>")
        };
        let pair = |k: &str, v: String| (k.to_string(), v);
        let dims: Vec<String> = self.split.train.row_dims().iter().map(usize::to_string).collect();
        let validation = match (self.held_out, &self.split.validation) {
            (0, None) => "not said".into(),
            (0, Some(rows)) => counted(rows.len(), "row"),
            (held, _) => format!("{}, held out of those to train on", counted(held, "row")),
        };
        let mut data = vec![
            pair("name", about.data.clone()),
            pair("made by", if self.split.train.is_synthetic() { "a program: synthetic".into() } else { "not said".into() }),
            pair("training", counted(self.split.train.len() - self.held_out, "row")),
            pair("validation", validation),
            pair("test", counted(self.split.test.len(), "row")),
            pair("a row", dims.join(" x ")),
            pair("SHA-256", about.sha256.clone().unwrap_or_default()),
        ];
        data.retain(|(_, v)| v != "not said");
        let machine = [
            pair("device", about.device.clone()),
            pair("machine", about.machine.clone()),
            pair("training", format!("{}, ended {}", seconds(about.seconds), about.date())),
            pair("parameters", grouped(self.ae.params().len())),
            pair("narrows", about.version.clone()),
        ];
        format!(
            "<section class=\"three\">{}{}{}</section>\n<section><h2>To repeat it</h2><pre>{}</pre>{}<p class=\"note\">With narrows {} on the \
             data with the hash above. On the same kind of device the same command gives the same weights. <code>narrows report --run DIR</code> writes \
             this page again from the files of the run.</p></section>\n",
            list("Configuration", &about.settings),
            list("Data", &data),
            list("Machine", &machine),
            escape(&about.command),
            about.config.as_deref().map(config).unwrap_or_default(),
            escape(&about.version)
        )
    }
}

/// The file of settings, from which the run can be repeated where its folder is gone.
fn config(file: &str) -> String {
    format!("<p class=\"note\">Its <code>config.toml</code>, with every setting as it was used:</p><pre>{}</pre>", escape(file.trim_end()))
}

/// How the squared error of a row compares with that of principal components.
fn beside(error: f64, pca: &Components) -> String {
    let [components, leave, are] = match pca.count {
        1 => ["component", "leaves", "is"],
        _ => ["components", "leave", "are"],
    };
    let components = format!("{} principal {components}", pca.count);
    if pca.exact {
        return format!("; {components} {are} exact here.");
    }
    let compared = compared(error, pca.test).replace(" %", "&nbsp;%");
    format!(", {compared} {components} {leave} ({}).", short(pca.test))
}

/// The test error over the training error, less 1: in per cent, or, from ten times on, as how many times.
fn over(gap: f64) -> String {
    match gap {
        ..9.0 => format!("{:+.1} %", (1e3 * gap).round() / 10.0 + 0.0),
        gap if gap.is_nan() => "–".into(),
        gap => format!("{} times", times(gap + 1.0)),
    }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        ..10.0 => format!("{seconds:.2} s"),
        ..1000.0 => format!("{seconds:.1} s"),
        _ => format!("{} s", grouped(seconds.round() as usize)),
    }
}

fn decibel(psnr: f64) -> String {
    if psnr.is_finite() { format!("{psnr:.2} dB") } else { "∞ dB".into() }
}

/// A name that may go on in the next line after a sign that joins words, and not within these.
pub(super) fn breakable(name: &str) -> String {
    let mut text = String::new();
    for part in name.split_inclusive(['=', '_', '/']) {
        text += &escape(part);
        text += "<wbr>";
    }
    text.truncate(text.len() - if text.is_empty() { 0 } else { "<wbr>".len() });
    text
}

/// A command whose flags stay in one line each.
fn flags_whole(command: &str) -> String {
    let word = |word: &str| match word.starts_with("--") {
        true => format!("<span class=\"whole\">{}</span>", escape(word)),
        false => escape(word),
    };
    command.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// The widths to the code, and on to the row where the way back is another.
fn shape(spec: &Spec) -> String {
    let (mut widths, up) = (spec.widths(), spec.decoder.widths());
    if !widths.iter().eq(up.iter().rev()) {
        widths.extend(&up[1..]);
    }
    widths.iter().map(usize::to_string).collect::<Vec<_>>().join("–")
}

pub(super) fn data_uri(png: &[u8]) -> String {
    format!("data:image/png;base64,{}", BASE64_STANDARD.encode(png))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_names_the_way_back_where_it_is_another() {
        let mut spec = Autoencoder::builder(9).hidden([5]).code(2).spec().unwrap();
        assert_eq!(shape(&spec), "9–5–2");
        spec.decoder.layers[0] = crate::nn::Layer::Dense(4);
        assert_eq!(shape(&spec), "9–5–2–4–9");
    }

    #[test]
    fn an_error_stands_beside_that_of_principal_components_and_nothing_is_a_share_of_rounding() {
        let pca = |test, exact| Components { count: 2, train: 1.0, test, exact };
        let one = |exact| Components { count: 1, train: 1.0, test: 1.0, exact };
        for (error, pca, said) in [
            (0.75, pca(1.0, false), ", 25&nbsp;% less than 2 principal components leave (1.000)."),
            (1.5, pca(1.0, false), ", 50&nbsp;% more than 2 principal components leave (1.000)."),
            (1.5, pca(1.5, false), ", as much as 2 principal components leave (1.500)."),
            (1_234.0, pca(0.5, false), ", 2,468 times what 2 principal components leave (0.5000)."),
            (0.05, pca(4e-16, true), "; 2 principal components are exact here."),
            (0.0, pca(0.0, true), "; 2 principal components are exact here."),
            (0.5, one(false), ", 50&nbsp;% less than 1 principal component leaves (1.000)."),
            (0.5, one(true), "; 1 principal component is exact here."),
        ] {
            assert_eq!(beside(error, &pca), said);
        }
    }

    #[test]
    fn a_gap_is_a_percentage_or_so_many_times() {
        for (gap, said) in [(0.0, "+0.0 %"), (-0.000_01, "+0.0 %"), (-0.25, "-25.0 %"), (1.5, "+150.0 %"), (9.0, "10.0 times")] {
            assert_eq!(over(gap), said);
        }
        assert_eq!([1_002.4, f64::INFINITY, f64::NAN].map(over), ["1,003 times", "∞ times", "–"]);
        assert_eq!([0.012, 9.87, 12.34, 1_234.5].map(seconds), ["0.01 s", "9.87 s", "12.3 s", "1,235 s"]);
    }

    #[test]
    fn names_break_where_words_end_and_flags_do_not() {
        assert_eq!(breakable("city=San <b>_x"), "city=<wbr>San &lt;b&gt;_<wbr>x");
        assert_eq!([breakable(""), breakable("a_"), breakable("flower")], ["", "a_", "flower"]);
        assert_eq!(flags_whole("narrows train --epochs 3"), "narrows train <span class=\"whole\">--epochs</span> 3");
    }
}
