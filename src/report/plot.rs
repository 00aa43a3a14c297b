//! Plots as SVG, written by hand: two axes, and lines, bars, dots and rules between them. They follow the reader's
//! light or dark theme; on paper they are light.

use std::fmt::Write;

const LEFT: f64 = 74.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 52.0;

/// Colours of lines (a to g) and of classes (c0 to c9). Explicit rules for both themes, because many viewers know no
/// CSS variables.
const STYLE: &str = "\
.nw text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;fill:#55626f}\
.nw .title{font-size:14px;font-weight:600;fill:#1b2530}.nw .paper{fill:#fff}.nw .grid{stroke:#e7eaee;fill:none}.nw .frame{stroke:#aab4be;fill:none}\
.nw .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.nw .rule{stroke:#55626f;stroke-dasharray:4 3;fill:none}\
.nw .a{stroke:#1f66a8;fill:#1f66a8}.nw .b{stroke:#cf6a12;fill:#cf6a12}.nw .c{stroke:#3b8a4e;fill:#3b8a4e}.nw .d{stroke:#8a5aa8;fill:#8a5aa8}.nw .e{stroke:#b5487f;fill:#b5487f}.nw .f{stroke:#2b8c92;fill:#2b8c92}\
.nw .g{stroke:#8a7419;fill:#8a7419}.nw .line{fill:none}.nw .bar{stroke:none}\
.nw .dot{stroke:none;fill-opacity:.62}.nw .name{font-size:15px;font-weight:700;fill:#1b2530;stroke:#fff;stroke-width:4;paint-order:stroke;stroke-linejoin:round}\
.nw .c0{fill:#4e79a7}.nw .c1{fill:#f28e2b}.nw .c2{fill:#e15759}.nw .c3{fill:#5fb0aa}.nw .c4{fill:#59a14f}\
.nw .c5{fill:#d9ad1f}.nw .c6{fill:#b07aa1}.nw .c7{fill:#ff8896}.nw .c8{fill:#9c755f}.nw .c9{fill:#8a8f96}\
@media screen and (prefers-color-scheme:dark){.nw text{fill:#a3afbb}.nw .title{fill:#e9edf2}.nw .paper{fill:#161b21}.nw .grid{stroke:#29323c}\
.nw .frame{stroke:#5a6672}.nw .rule{stroke:#a3afbb}.nw .a{stroke:#6fb3f2;fill:#6fb3f2}.nw .b{stroke:#f3a556;fill:#f3a556}.nw .c{stroke:#79c48a;fill:#79c48a}.nw .bar{stroke:none}\
.nw .d{stroke:#c39be0;fill:#c39be0}.nw .e{stroke:#ea8fbb;fill:#ea8fbb}.nw .f{stroke:#6cc5ca;fill:#6cc5ca}.nw .g{stroke:#d3bd62;fill:#d3bd62}\
.nw .line{fill:none}.nw .name{fill:#f2f5f8;stroke:#161b21}}";

/// One of the two axes.
pub(super) struct Axis {
    label: String,
    lo: f64,
    hi: f64,
    log: bool,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From `lo` to `hi`, with ticks at round numbers.
    pub(super) fn linear(label: &str, lo: f64, hi: f64) -> Axis {
        let hi = if hi > lo { hi } else { lo + lo.abs().max(1e-12) };
        let rough = (hi - lo) / 5.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|&s| s >= rough * 0.999).unwrap_or(10.0 * power);
        let from = (lo / step - 1e-9).ceil() as i64;
        let to = (hi / step + 1e-9).floor() as i64;
        let ticks = (from..=to.min(from + 20)).map(|i| i as f64 * step).map(|v| (v, number(v, step))).collect();
        Axis { label: label.into(), lo, hi, log: false, ticks }
    }

    /// From below `lo` to above `hi`, both above 0, logarithmic.
    pub(super) fn log(label: &str, lo: f64, hi: f64) -> Axis {
        let (lo, hi) = (lo / 1.12, hi * 1.12);
        let decades = (hi / lo).log10();
        let parts: &[f64] = if decades > 3.0 {
            &[1.0]
        } else if decades > 0.9 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]
        };
        let powers = lo.log10().floor() as i32..=hi.log10().ceil() as i32;
        let all = powers.flat_map(|p| parts.iter().map(move |m| (m * 10f64.powi(p), 0.5 * 10f64.powi(p))));
        let ticks = all.filter(|(v, _)| (lo..=hi).contains(v)).map(|(v, step)| (v, number(v, step))).collect();
        Axis { label: label.into(), lo, hi, log: true, ticks }
    }

    /// Replaces its ticks with these.
    pub(super) fn ticks(mut self, at: &[usize]) -> Axis {
        self.ticks = at.iter().map(|&v| (v as f64, v.to_string())).collect();
        self
    }

    /// Where a value lies, 0 to 1.
    fn place(&self, v: f64) -> f64 {
        let t = if self.log { (v / self.lo).ln() / (self.hi / self.lo).ln() } else { (v - self.lo) / (self.hi - self.lo) };
        if t.is_finite() { t.clamp(-0.02, 1.02) } else { 0.0 }
    }
}

/// As many digits as the step between ticks needs.
fn number(v: f64, step: f64) -> String {
    let digits = (-(step.log10()) + 0.3).ceil().max(0.0) as usize;
    if digits > 5 {
        return format!("{v:.0e}");
    }
    let text = format!("{v:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".into() } else { text.into() }
}

/// A plot under construction.
pub(super) struct Plot {
    width: f64,
    height: f64,
    x: Axis,
    y: Axis,
    marks: String,
    legend: Vec<(String, String)>,
    title: String,
}

impl Plot {
    pub(super) fn new(title: &str, (width, height): (f64, f64), x: Axis, y: Axis) -> Plot {
        Plot { width, height, x, y, marks: String::new(), legend: Vec::new(), title: title.into() }
    }

    fn x(&self, v: f64) -> f64 {
        LEFT + self.x.place(v) * (self.width - LEFT - RIGHT)
    }

    fn y(&self, v: f64) -> f64 {
        self.height - BOTTOM - self.y.place(v) * (self.height - TOP - BOTTOM)
    }

    fn mark(&mut self, text: std::fmt::Arguments) {
        // Writing into a String can't fail.
        let _ = self.marks.write_fmt(text);
    }

    /// A line through the points, in the colours `class`; dots where `dotted`. A `name` goes into the legend.
    pub(super) fn line(&mut self, class: &str, name: &str, points: &[(f64, f64)], dotted: bool) {
        let place = |plot: &Plot, p: &(f64, f64)| (plot.x(p.0), plot.y(p.1));
        if points.len() > 1 {
            let path: Vec<String> = points.iter().map(|p| place(self, p)).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            self.mark(format_args!("<polyline class=\"line {class}\" points=\"{}\"/>", path.join(" ")));
        }
        if dotted || points.len() == 1 {
            for (x, y) in points.iter().map(|p| place(self, p)).collect::<Vec<_>>() {
                self.mark(format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.6\"/>"));
            }
        }
        if !name.is_empty() {
            self.legend.push((class.into(), name.into()));
        }
    }

    /// A bar from `from` to `to`, from the lower edge up to `top`.
    pub(super) fn bar(&mut self, class: &str, from: f64, to: f64, top: f64) {
        let (left, right, upper, lower) = (self.x(from), self.x(to), self.y(top), self.y(self.y.lo));
        if lower - upper > 0.0 {
            let (w, h) = ((right - left - 1.0).max(0.5), lower - upper);
            self.mark(format_args!("<rect class=\"bar {class}\" x=\"{left:.1}\" y=\"{upper:.1}\" width=\"{w:.1}\" height=\"{h:.1}\"/>"));
        }
    }

    /// A dashed upright line with a text beside it, `row` lines below the top.
    pub(super) fn rule(&mut self, at: f64, text: &str, row: usize) {
        let (x, top, bottom) = (self.x(at), TOP, self.height - BOTTOM);
        let right = x > self.width * 0.7;
        let (shift, anchor) = if right { (-6.0, "end") } else { (6.0, "start") };
        self.mark(format_args!("<path class=\"rule\" d=\"M{x:.1} {top}V{bottom}\"/>"));
        let (tx, ty) = (x + shift, top + 13.0 + 16.0 * row as f64);
        self.mark(format_args!("<text x=\"{tx:.1}\" y=\"{ty:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(text)));
    }

    /// A dot of class number `class`.
    pub(super) fn dot(&mut self, class: usize, (x, y): (f64, f64)) {
        let (x, y, class) = (self.x(x), self.y(y), class % 10);
        self.mark(format_args!("<circle class=\"dot c{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.3\"/>"));
    }

    /// A name in the middle of its dots.
    pub(super) fn name(&mut self, (x, y): (f64, f64), text: &str) {
        let (x, y) = (self.x(x), self.y(y) + 5.0);
        self.mark(format_args!("<text class=\"name\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>", escape(text)));
    }

    /// A line of the legend without a line of the plot.
    pub(super) fn key(&mut self, class: usize, name: &str) {
        self.legend.push((format!("c{}", class % 10), name.into()));
    }

    /// The whole SVG document.
    pub(super) fn svg(mut self) -> String {
        // A letter of the title is about 7.6 wide; a name that is a long path loses its middle and not the legend.
        let legend: f64 = self.legend.iter().map(|(class, name)| 6.6 * name.chars().count() as f64 + gap(class)).sum();
        let room = ((self.width - LEFT - RIGHT - legend) / 7.6).max(16.0) as usize;
        let title: Vec<char> = self.title.chars().collect();
        if title.len() > room {
            let part = |of: &[char]| of.iter().collect::<String>();
            self.title = format!("{}…{}", part(&title[..room / 2]), part(&title[title.len() - room / 2 + 1..]));
        }
        let (w, h) = (self.width, self.height);
        let (right, bottom) = (w - RIGHT, h - BOTTOM);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"nw\" viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{title}\">\
             <style>{STYLE}</style><rect class=\"paper\" width=\"{w}\" height=\"{h}\"/><text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>",
            title = escape(&self.title)
        );
        for (v, text) in &self.y.ticks {
            let y = self.y(*v);
            let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>");
            let _ = write!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0, y + 4.0);
        }
        for (v, text) in &self.x.ticks {
            let x = self.x(*v);
            let _ = write!(out, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
            let _ = write!(out, "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>", bottom + 18.0);
        }
        let middle = (LEFT + right) / 2.0;
        let _ = write!(out, "<path class=\"frame\" d=\"M{LEFT} {bottom}H{right}\"/>");
        let _ = write!(out, "<text x=\"{middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>", h - 12.0, escape(&self.x.label));
        let up = (TOP + bottom) / 2.0;
        let _ = write!(out, "<text transform=\"translate(16 {up}) rotate(-90)\" text-anchor=\"middle\">{}</text>", escape(&self.y.label));
        out += &self.marks;
        // From the right; a letter is about 6.6 wide.
        let mut x = right;
        for (class, name) in self.legend.iter().rev() {
            x -= 6.6 * name.chars().count() as f64;
            let _ = write!(out, "<text x=\"{x:.1}\" y=\"24\">{}</text>", escape(name));
            let _ = match class.starts_with('c') {
                true => write!(out, "<circle class=\"{class}\" cx=\"{:.1}\" cy=\"20\" r=\"4\"/>", x - 8.0),
                false => write!(out, "<path class=\"line {class}\" d=\"M{:.1} 20h18\"/>", x - 24.0),
            };
            x -= gap(class);
        }
        out + "</svg>\n"
    }
}

/// The width of a legend entry besides its letters: a dot or a piece of line, and the gap to the next.
fn gap(class: &str) -> f64 {
    if class.starts_with('c') { 20.0 } else { 40.0 }
}

/// Text escaped for XML and HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, t)| t.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(texts(&Axis::linear("", 0.0, 10.0)), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(texts(&Axis::linear("", 0.0, 0.043)), ["0", "0.01", "0.02", "0.03", "0.04"]);
        assert_eq!(texts(&Axis::linear("", -1.0, 1.0)), ["-1", "-0.5", "0", "0.5", "1"]);
        assert_eq!(texts(&Axis::log("", 0.012, 0.2)), ["0.02", "0.05", "0.1", "0.2"]);
        assert_eq!(texts(&Axis::log("", 1e-4, 10.0)), ["0.0001", "0.001", "0.01", "0.1", "1", "10"]);
        for (lo, hi) in [(0.0, 0.0), (5.0, 5.0), (-3.0, -3.0), (1e-30, 2e-30), (1e30, 3e30)] {
            let axis = Axis::linear("", lo, hi);
            assert!(axis.hi > axis.lo && !axis.ticks.is_empty(), "{lo} to {hi}");
        }
    }

    #[test]
    fn a_title_that_is_too_long_loses_its_middle() {
        let axis = || Axis::linear("", 0.0, 1.0);
        let svg = |title: &str| Plot::new(title, (520.0, 330.0), axis(), axis()).svg();
        assert!(svg("Codes of /data/mnist (test)").contains(">Codes of /data/mnist (test)<"));
        let long = svg(&format!("Codes of {} (test)", "/ä".repeat(200)));
        let title = long.split("y=\"24\">").nth(1).unwrap().split('<').next().unwrap();
        assert!(
            title.starts_with("Codes of /ä") && title.contains('…') && title.ends_with("/ä (test)") && title.chars().count() < 60,
            "{title}"
        );
    }

    #[test]
    fn a_plot_is_well_formed_whatever_its_texts_and_numbers_are() {
        let mut plot = Plot::new("a < b & \"c\"", (640.0, 360.0), Axis::linear("x", 0.0, 1.0), Axis::log("y", 0.1, 1.0));
        plot.line("a", "<one>", &[(0.0, 0.1), (1.0, f64::NAN), (f64::INFINITY, -1.0)], true);
        plot.bar("b", 0.0, 0.5, 0.4);
        plot.rule(0.9, "99 % & more", 1);
        plot.dot(13, (0.5, 0.5));
        plot.name((0.5, 0.5), "7");
        plot.key(3, "3");
        let svg = plot.svg();
        assert!(svg.contains("a &lt; b &amp; &quot;c&quot;") && svg.contains("&lt;one&gt;") && svg.contains("class=\"dot c3\""));
        let numbers = svg.split("</style>").nth(1).unwrap();
        assert!(!numbers.contains("NaN") && !numbers.contains("inf"), "{numbers}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
