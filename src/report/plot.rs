//! Plots as SVG, written by hand: two axes, and lines, bars, dots and rules between them. They follow the reader's
//! light or dark theme; on paper they are light.

use std::collections::BTreeMap;
use std::fmt::Write;

const LEFT: f64 = 74.0;
const RIGHT: f64 = 22.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 52.0;
/// The width of a letter, of one of the title, and of one of a name among the dots. Viewers have other fonts, so these
/// are generous.
pub(super) const LETTER: f64 = 6.6;
pub(super) const TITLE_LETTER: f64 = 7.6;
const NAME_LETTER: f64 = 8.0;
/// The height of a name among the dots, and of a line of the legend.
const NAME_HEIGHT: f64 = 15.0;
/// How many half lines a name is moved at most: further away it would seem to belong to other dots.
const NAME_SHIFTS: i32 = 6;
const LEGEND_LINE: f64 = 20.0;
/// The most letters of a name among the dots, and in the legend.
const NAME_LETTERS: usize = 16;
const KEY_LETTERS: usize = 30;
/// The side of a square of many points, and how many strengths they have.
const CELL: f64 = 3.0;
const STRENGTHS: usize = 5;
/// Classes of dots that differ: twenty colours in each of three shapes.
const COLOURS: usize = 20;
pub(super) const CLASSES: usize = 3 * COLOURS;
/// Where squares stand for points, a class that has less than this share of all of them is drawn as dots, and all such
/// classes as at most this many.
const RARE: f64 = 0.05;
const RARE_DOTS: usize = 2000;
const RARE_RADIUS: f64 = 2.8;

/// Colours of lines (a to g) and of classes (c0 to c19). Explicit rules for both themes, because many viewers know no
/// CSS variables.
const STYLE: &str = "\
.nw text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;fill:#55626f}\
.nw .title{font-size:14px;font-weight:600;fill:#1b2530}.nw .paper{fill:#fff}.nw .grid{stroke:#e7eaee;fill:none}.nw .frame{stroke:#aab4be;fill:none}\
.nw .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.nw .rule{stroke:#55626f;stroke-dasharray:4 3;fill:none}\
.nw .a{stroke:#1f66a8;fill:#1f66a8}.nw .b{stroke:#cf6a12;fill:#cf6a12}.nw .c{stroke:#3b8a4e;fill:#3b8a4e}.nw .d{stroke:#8a5aa8;fill:#8a5aa8}.nw .e{stroke:#b5487f;fill:#b5487f}.nw .f{stroke:#2b8c92;fill:#2b8c92}\
.nw .g{stroke:#8a7419;fill:#8a7419}.nw .line{fill:none}.nw .bar{stroke:none}\
.nw .dot{stroke:none;fill-opacity:.62}.nw .cell{stroke:none}.nw .name{font-size:13px;font-weight:700;fill:#1b2530;fill-opacity:.85;stroke:#fff;stroke-opacity:.6;stroke-width:3;paint-order:stroke;stroke-linejoin:round}\
.nw .c0{fill:#4e79a7}.nw .c1{fill:#f28e2b}.nw .c2{fill:#e15759}.nw .c3{fill:#5fb0aa}.nw .c4{fill:#59a14f}\
.nw .c5{fill:#d9ad1f}.nw .c6{fill:#b07aa1}.nw .c7{fill:#ff8896}.nw .c8{fill:#9c755f}.nw .c9{fill:#8a8f96}.nw .rest{fill:#b9c0c7}\
.nw .c10{fill:#24379b}.nw .c11{fill:#96112f}.nw .c12{fill:#0e6b45}.nw .c13{fill:#7a2bc4}.nw .c14{fill:#a3d22c}\
.nw .c15{fill:#2fc0ee}.nw .c16{fill:#dd22b6}.nw .c17{fill:#5c3d15}.nw .c18{fill:#b9a5ee}.nw .c19{fill:#1c242c}\
@media screen and (prefers-color-scheme:dark){.nw text{fill:#a3afbb}.nw .title{fill:#e9edf2}.nw .paper{fill:#161b21}.nw .grid{stroke:#29323c}\
.nw .frame{stroke:#5a6672}.nw .rule{stroke:#a3afbb}.nw .a{stroke:#6fb3f2;fill:#6fb3f2}.nw .b{stroke:#f3a556;fill:#f3a556}.nw .c{stroke:#79c48a;fill:#79c48a}.nw .bar{stroke:none}\
.nw .d{stroke:#c39be0;fill:#c39be0}.nw .e{stroke:#ea8fbb;fill:#ea8fbb}.nw .f{stroke:#6cc5ca;fill:#6cc5ca}.nw .g{stroke:#d3bd62;fill:#d3bd62}\
.nw .c10{fill:#6478e8}.nw .c11{fill:#c93a5b}.nw .c12{fill:#2fa577}.nw .c13{fill:#a569ea}.nw .c17{fill:#ad8145}.nw .c19{fill:#f2f5f8}\
.nw .line{fill:none}.nw .name{fill:#f2f5f8;stroke:#161b21}}";

/// The begin of a picture of this size, with its title from `left` on.
pub(super) fn sheet((w, h): (f64, f64), title: &str, left: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"nw\" viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{title}\">\
         <style>{STYLE}</style><rect class=\"paper\" width=\"{w}\" height=\"{h}\"/><text class=\"title\" x=\"{left}\" y=\"24\">{title}</text>",
        title = escape(title)
    )
}

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
    names: Vec<Name>,
    legend: Vec<Key>,
    title: String,
}

/// A name that wants to stand in the middle of its dots.
struct Name {
    text: String,
    x: f64,
    y: f64,
}

/// An entry of the legend.
struct Key {
    mark: Mark,
    name: String,
}

/// What stands before the name.
enum Mark {
    Line(&'static str),
    Dot(usize),
}

impl Key {
    fn new(mark: Mark, name: &str) -> Key {
        Key { mark, name: without_middle(name, KEY_LETTERS) }
    }

    /// The width of the mark, with the gap behind it.
    fn indent(&self) -> f64 {
        match self.mark {
            Mark::Line(_) => 24.0,
            Mark::Dot(_) => 10.0,
        }
    }

    /// The whole width, with the gap to the next entry.
    fn width(&self) -> f64 {
        self.indent() + LETTER * self.name.chars().count() as f64 + 14.0
    }

    fn at(&self, x: f64, y: f64) -> String {
        let mark = match self.mark {
            Mark::Line(class) => format!("<path class=\"line {class}\" d=\"M{x:.1} {:.1}h18\"/>", y - 4.0),
            Mark::Dot(class) => dot("", class, (x + 4.0, y - 4.0), 4.0),
        };
        format!("{mark}<text x=\"{:.1}\" y=\"{y:.1}\">{}</text>", x + self.indent(), escape(&self.name))
    }
}

impl Plot {
    pub(super) fn new(title: &str, (width, height): (f64, f64), x: Axis, y: Axis) -> Plot {
        Plot { width, height, x, y, marks: String::new(), names: Vec::new(), legend: Vec::new(), title: title.into() }
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
    pub(super) fn line(&mut self, class: &'static str, name: &str, points: &[(f64, f64)], dotted: bool) {
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
            self.legend.push(Key::new(Mark::Line(class), name));
        }
    }

    /// A dashed line through the points.
    pub(super) fn dashed(&mut self, points: &[(f64, f64)]) {
        let path: Vec<String> = points.iter().map(|p| format!("{:.1} {:.1}", self.x(p.0), self.y(p.1))).collect();
        self.mark(format_args!("<path class=\"rule\" d=\"M{}\"/>", path.join("L")));
    }

    /// Two plots of one size side by side, as one SVG document.
    pub(super) fn beside(plots: [Plot; 2]) -> String {
        let (width, height) = (plots[0].width, plots[0].height);
        let mut out = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {height}\">", 2.0 * width);
        for (at, plot) in plots.into_iter().enumerate() {
            let place = format!("<svg x=\"{}\" width=\"{width}\" height=\"{height}\" ", at as f64 * width);
            out += &plot.svg().trim_end().replacen("<svg ", &place, 1);
        }
        out + "</svg>\n"
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

    /// A dot of class number `class` with a radius. Those from [`CLASSES`] on look alike.
    pub(super) fn dot(&mut self, class: usize, (x, y): (f64, f64), radius: f64) {
        let dot = dot("dot ", class, (self.x(x), self.y(y)), radius);
        self.marks += &dot;
    }

    /// Points that are too many for dots, as squares: each has the colour of the class that most of its points have,
    /// and is the stronger, the more there are. Those of rare classes, which no square would show, are dots above them.
    pub(super) fn density(&mut self, points: &[(f64, f64)], class: impl Fn(usize) -> usize) {
        let mut sizes = [0; CLASSES + 1];
        (0..points.len()).for_each(|at| sizes[class(at).min(CLASSES)] += 1);
        let is_rare = |class: usize| (sizes[class.min(CLASSES)] as f64) < RARE * points.len() as f64;
        let cell = |v: f64| (v / CELL) as usize;
        let mut cells = BTreeMap::<(usize, usize), BTreeMap<usize, usize>>::new();
        for (at, &(x, y)) in points.iter().enumerate() {
            *cells.entry((cell(self.y(y)), cell(self.x(x)))).or_default().entry(class(at).min(CLASSES)).or_default() += 1;
        }
        let mut counts: Vec<usize> = cells.values().map(|classes| classes.values().sum()).collect();
        counts.sort_unstable();
        // A few cells that hold very many would make all others pale.
        let most = counts.get(counts.len() * 95 / 100).copied().unwrap_or(1).max(1) as f64;
        let mut paths = BTreeMap::<(usize, usize), String>::new();
        for ((row, column), classes) in cells {
            let all = classes.values().sum::<usize>() as f64;
            let level = ((all / most).sqrt() * STRENGTHS as f64).ceil().clamp(1.0, STRENGTHS as f64) as usize;
            // Of equally many the first class.
            let Some((class, _)) = classes.into_iter().rev().max_by_key(|(_, count)| *count) else { continue };
            let (x, y) = (column as f64 * CELL, row as f64 * CELL);
            let _ = write!(paths.entry((class, level)).or_default(), "M{x} {y}h{CELL}v{CELL}h-{CELL}z");
        }
        for ((class, level), path) in paths {
            let (colour, ink) = (colour(class), level as f64 / STRENGTHS as f64);
            self.mark(format_args!("<path class=\"cell {colour}\" fill-opacity=\"{ink:.2}\" d=\"{path}\"/>"));
        }
        let rare: Vec<usize> = (0..points.len()).filter(|&at| is_rare(class(at))).collect();
        // Where nearly every class is rare, squares show them as well.
        if rare.len() * 4 < points.len() {
            rare.iter().step_by(rare.len().div_ceil(RARE_DOTS).max(1)).for_each(|&at| self.dot(class(at), points[at], RARE_RADIUS));
        }
    }

    /// A name in the middle of its dots, or as near as another name lets it stand.
    pub(super) fn name(&mut self, (x, y): (f64, f64), text: &str) {
        self.names.push(Name { text: without_end(text, NAME_LETTERS), x: self.x(x), y: self.y(y) + 5.0 });
    }

    /// A line of the legend without a line of the plot.
    pub(super) fn key(&mut self, class: usize, name: &str) {
        self.legend.push(Key::new(Mark::Dot(class), name));
    }

    /// Left, top, right and bottom of the frame.
    pub(super) fn frame(&self) -> [f64; 4] {
        [LEFT, TOP, self.width - RIGHT, self.height - BOTTOM]
    }

    /// The whole SVG document. A legend of at most half the width stands beside the title. A wider one stands below the
    /// plot, in lines that make the picture higher.
    pub(super) fn svg(self) -> String {
        let (right, room) = (self.width - RIGHT, self.width - LEFT - RIGHT);
        let width = self.legend.iter().map(Key::width).sum::<f64>();
        let beside = width <= room / 2.0;
        let title = without_middle(&self.title, ((room - if beside { width } else { 0.0 }) / TITLE_LETTER) as usize);
        let lines = if beside { Vec::new() } else { lines(&self.legend, room) };
        let (w, h) = (self.width, self.height + LEGEND_LINE * lines.len() as f64);
        let mut out = sheet((w, h), &title, LEFT);
        out += &self.axes();
        out += &self.marks;
        out += &self.placed_names();
        if beside {
            out += &row(&self.legend, right - width + 14.0, 24.0);
        }
        for (i, line) in lines.into_iter().enumerate() {
            out += &row(line, LEFT, self.height + 6.0 + LEGEND_LINE * i as f64);
        }
        out + "</svg>\n"
    }

    fn axes(&self) -> String {
        let (right, bottom) = (self.width - RIGHT, self.height - BOTTOM);
        let mut out = String::new();
        for (v, text) in &self.y.ticks {
            let y = self.y(*v);
            let _ = write!(out, "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>");
            let _ = write!(out, "<text class=\"tick\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 8.0, y + 4.0);
        }
        let mut end = f64::NEG_INFINITY;
        for (v, text) in &self.x.ticks {
            let (x, half) = (self.x(*v), LETTER * text.len() as f64 / 2.0);
            let _ = write!(out, "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>");
            if x - half > end {
                let _ = write!(out, "<text class=\"tick\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>", bottom + 18.0);
                end = x + half + 4.0;
            }
        }
        let (across, up) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
        let (x_label, y_label) = (escape(&self.x.label), escape(&self.y.label));
        let _ = write!(out, "<path class=\"frame\" d=\"M{LEFT} {bottom}H{right}\"/>");
        let _ = write!(out, "<text x=\"{across}\" y=\"{:.1}\" text-anchor=\"middle\">{x_label}</text>", self.height - 12.0);
        let _ = write!(out, "<text transform=\"translate(16 {up}) rotate(-90)\" text-anchor=\"middle\">{y_label}</text>");
        out
    }

    /// Each name where it wants to stand, or above or below where it covers none before it. One that finds no place is
    /// in the legend alone.
    fn placed_names(&self) -> String {
        let (mut out, mut placed) = (String::new(), Vec::<(f64, f64, f64)>::new());
        for Name { text, x, y } in &self.names {
            let half = NAME_LETTER * text.chars().count() as f64 / 2.0;
            let x = x.clamp(LEFT + half, self.width - RIGHT - half);
            let shifts = (0..=2 * NAME_SHIFTS).map(|i| NAME_HEIGHT / 2.0 * f64::from((i + 1) / 2 * if i % 2 == 0 { 1 } else { -1 }));
            let free = |&y: &f64| {
                let covers = |&(other_x, other_y, other_half): &(f64, f64, f64)| {
                    (x - other_x).abs() < half + other_half && (y - other_y).abs() < NAME_HEIGHT
                };
                (TOP + NAME_HEIGHT..=self.height - BOTTOM).contains(&y) && !placed.iter().any(covers)
            };
            if let Some(y) = shifts.map(|shift| y + shift).find(free) {
                placed.push((x, y, half));
                let _ = write!(out, "<text class=\"name\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>", escape(text));
            }
        }
        out
    }
}

/// The entries of a legend in lines no wider than `room`.
fn lines(mut entries: &[Key], room: f64) -> Vec<&[Key]> {
    let mut lines = Vec::new();
    while !entries.is_empty() {
        let mut width = 0.0;
        let fit = entries.iter().take_while(|key| {
            width += key.width();
            width <= room
        });
        let (line, rest) = entries.split_at(fit.count().max(1));
        lines.push(line);
        entries = rest;
    }
    lines
}

/// Entries of a legend side by side.
fn row(entries: &[Key], mut x: f64, y: f64) -> String {
    let entry = |key: &Key| {
        let at = key.at(x, y);
        x += key.width();
        at
    };
    entries.iter().map(entry).collect()
}

/// The style of a class of dots.
fn colour(class: usize) -> String {
    if class < CLASSES { format!("c{}", class % COLOURS) } else { "rest".into() }
}

/// A circle, a square or a triangle of about the radius `r`.
fn dot(kind: &str, class: usize, (x, y): (f64, f64), r: f64) -> String {
    let colour = colour(class);
    match class / COLOURS {
        1 => {
            let (left, top, side) = (x - 0.9 * r, y - 0.9 * r, 1.8 * r);
            format!("<rect class=\"{kind}{colour}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{side:.1}\" height=\"{side:.1}\"/>")
        }
        2 => {
            let (left, foot, side, tall) = (x - 1.2 * r, y + r, 2.4 * r, 2.1 * r);
            format!("<path class=\"{kind}{colour}\" d=\"M{left:.1} {foot:.1}h{side:.1}l-{:.1} -{tall:.1}z\"/>", side / 2.0)
        }
        _ => format!("<circle class=\"{kind}{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>"),
    }
}

/// A text of at most this many letters: a longer one loses its middle.
pub(super) fn without_middle(text: &str, most: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    if letters.len() <= most {
        return text.into();
    }
    let part = |of: &[char]| of.iter().collect::<String>();
    let half = most / 2;
    format!("{}…{}", part(&letters[..half]), part(&letters[letters.len() - (most - half).saturating_sub(1)..]))
}

/// A text of at most this many letters: a longer one loses its end.
pub(super) fn without_end(text: &str, most: usize) -> String {
    match text.chars().count() <= most {
        true => text.into(),
        false => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
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

    /// The left and right edges and the base line of each text that has `class`, by [`LETTER`] and its like.
    fn boxes(svg: &str, class: &str, letter: f64) -> Vec<(f64, f64, f64)> {
        let number =
            |text: &str, name: &str| text.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap();
        let texts = svg.split("<text ").skip(1).filter(|text| text.starts_with(class));
        texts
            .map(|text| {
                let text = format!(" {text}");
                let (x, y, middle) = (number(&text, "x"), number(&text, "y"), text.contains("text-anchor=\"middle\""));
                let width = letter * text.split('>').nth(1).unwrap().split('<').next().unwrap().chars().count() as f64;
                let left = if middle { x - width / 2.0 } else { x };
                (left, left + width, y)
            })
            .collect()
    }

    #[test]
    fn no_name_covers_another_and_no_legend_the_title() {
        let mut plot = Plot::new("Codes of table", (760.0, 640.0), Axis::linear("x", 0.0, 1.0), Axis::linear("y", 0.0, 1.0));
        for class in 0..26 {
            let name = format!("a class with a rather long name, {class}");
            plot.name((0.4 + 0.01 * f64::from(class), 0.5), &name);
            plot.key(class as usize, &name);
        }
        let svg = plot.svg();
        let names = boxes(&svg, "class=\"name\"", NAME_LETTER);
        assert!(names.len() > 8, "{names:?}");
        for (i, a) in names.iter().enumerate() {
            assert!(a.0 >= LEFT - 0.1 && a.1 <= 760.0 - RIGHT + 0.1, "{a:?}");
            assert!(names[..i].iter().all(|b| a.1 <= b.0 + 0.2 || b.1 <= a.0 + 0.2 || (a.2 - b.2).abs() >= NAME_HEIGHT - 0.2), "{a:?}");
        }
        let legend = boxes(&svg, "x=", LETTER).into_iter().filter(|text| text.2 > 640.0).collect::<Vec<_>>();
        assert!(legend.len() == 26 && legend.iter().all(|text| text.1 <= 760.0 && text.2 <= 900.0), "{legend:?}");
        assert!(legend.windows(2).all(|two| two[0].2 < two[1].2 || two[0].1 < two[1].0), "{legend:?}");
        assert_eq!(svg.matches("<rect class=\"c").count(), 6);
        assert_eq!(svg.matches("<circle class=\"c").count(), 20);
    }

    #[test]
    fn labels_of_an_axis_do_not_cover_each_other() {
        let axis = Axis::linear("", 0.0, 200_000.0).ticks(&(0..=200_000).step_by(10_000).collect::<Vec<_>>());
        let svg = Plot::new("", (520.0, 330.0), axis, Axis::linear("", 0.0, 1.0)).svg();
        let labels: Vec<_> = boxes(&svg, "class=\"tick\"", LETTER).into_iter().filter(|text| text.2 == 330.0 - BOTTOM + 18.0).collect();
        assert!(labels.len() > 5 && labels.windows(2).all(|two| two[0].1 < two[1].0 + 0.2), "{labels:?}");
    }

    #[test]
    fn a_plot_is_well_formed_whatever_its_texts_and_numbers_are() {
        let mut plot = Plot::new("a < b & \"c\"", (640.0, 360.0), Axis::linear("x", 0.0, 1.0), Axis::log("y", 0.1, 1.0));
        plot.line("a", "<one>", &[(0.0, 0.1), (1.0, f64::NAN), (f64::INFINITY, -1.0)], true);
        plot.bar("b", 0.0, 0.5, 0.4);
        plot.rule(0.9, "99 % & more", 1);
        plot.dot(23, (0.5, 0.5), 2.0);
        plot.density(&[(0.5, 0.5), (f64::NAN, 0.2), (0.5, 0.5), (0.9, 0.9)], |at| at / 3);
        plot.name((0.5, 0.5), "7");
        plot.key(3, "3");
        let svg = plot.svg();
        assert_eq!(svg.matches("class=\"cell c0\"").count() + svg.matches("class=\"cell c1\"").count(), 3, "{svg}");
        assert!(svg.contains("a &lt; b &amp; &quot;c&quot;") && svg.contains("&lt;one&gt;") && svg.contains("class=\"dot c3\""));
        let numbers = svg.split("</style>").nth(1).unwrap();
        assert!(!numbers.contains("NaN") && !numbers.contains("inf"), "{numbers}");
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
