//! The WGSL texts, what each of them binds, and their variants. Those of groups are made in `product`, `chain` and
//! `end`.
//!
//! A shader file is the only place that says which buffers a kernel binds and which of them it writes: its declarations
//! are read from the text. wgpu refuses a buffer that one dispatch binds twice if either binding writes, even where the
//! ranges are disjoint. So operands that live in one buffer are bound once, and the shader is rewritten to reach them
//! all through that one binding: see [`Shader::variant`].

use crate::op::{Map, Term, Zip};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// One buffer that a shader declares. Its binding number is its index in the list, plus 1: binding 0 holds the
/// parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) name: String,
    pub(super) writes: bool,
}

/// A shader: the text of an op or of one of its stages, with all that it shares with others.
#[derive(Debug)]
pub(super) struct Shader {
    /// The op or the stage: `relu_grad`, `mse_chunks`.
    pub(super) name: String,
    /// The file that makes it what it is, without `.wgsl`.
    pub(super) stem: &'static str,
    pub(super) bindings: Vec<Binding>,
    text: String,
}

/// How the operands of a launch are bound: `bound_as[i]` is the operand through whose binding operand i is reached,
/// itself as a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    /// Places in the shader's list of bindings, in the launch's order.
    pub(super) operands: Vec<usize>,
    /// For each operand, the index of the binding that it is reached through.
    pub(super) through: Vec<usize>,
}

/// A file: its stem and its text.
pub(super) type File = (&'static str, &'static str);

macro_rules! file {
    ($stem:literal) => {
        ($stem, include_str!(concat!("../../../shaders/", $stem, ".wgsl")))
    };
}

pub(super) const GRID: File = file!("grid");
const EACH: File = file!("each");
const EXP: File = file!("exponential");
const LOGISTIC: File = file!("logistic");
const LOG1P: File = file!("log1p");
const LN: File = file!("ln");
const KL_TERM: File = file!("kl_term");
pub(super) const TREE: File = file!("tree");
const KEY: File = file!("key");
const PHILOX: File = file!("philox");
pub(super) const CURSOR: File = file!("cursor");
pub(super) const ADAM_STEP: File = file!("adam_step");
pub(super) const DENSE: File = file!("dense");
pub(super) const DENSE_PANELS: File = file!("dense_panels");
pub(super) const DENSE_TILES: File = file!("dense_tiles");
pub(super) const DENSE_DIRECT: File = file!("dense_direct");

/// The file of a function, and what it needs.
fn map(f: Map) -> (File, &'static [File]) {
    match f {
        Map::Relu => (file!("relu"), &[]),
        Map::Leaky => (file!("leaky"), &[EXP]),
        Map::Sigmoid => (file!("sigmoid"), &[EXP, LOGISTIC]),
        Map::Tanh => (file!("tanh"), &[EXP]),
        Map::Softplus => (file!("softplus"), &[EXP, LOGISTIC, LOG1P]),
        Map::Silu => (file!("silu"), &[EXP, LOGISTIC]),
        Map::Exp => (file!("exp"), &[EXP]),
        Map::Abs => (file!("abs"), &[]),
    }
}

fn zip(f: Zip) -> (File, &'static [File]) {
    match f {
        Zip::Add => (file!("add"), &[]),
        Zip::Mul => (file!("mul"), &[]),
        Zip::KlTerms => (file!("kl_terms"), &[EXP, KL_TERM]),
    }
}

fn term(f: Term) -> (File, &'static [File]) {
    match f {
        Term::Sum => (file!("sum"), &[]),
        Term::SquareSum => (file!("square_sum"), &[]),
        Term::AbsSum => (file!("abs_sum"), &[EXP]),
        Term::Mse => (file!("mse"), &[]),
        Term::Bce => (file!("bce"), &[EXP, LOGISTIC, LOG1P]),
        Term::Kl => (file!("kl"), &[EXP, KL_TERM]),
        Term::RhoKl => (file!("rho_kl"), &[EXP, LN]),
    }
}

/// What the file of a function needs, and the file itself.
pub(super) fn of_map(f: Map) -> Vec<File> {
    let (own, needs) = map(f);
    [needs, &[own]].concat()
}

pub(super) fn of_term(f: Term) -> Vec<File> {
    let (own, needs) = term(f);
    [needs, &[own]].concat()
}

pub(super) fn stem_of_map(f: Map) -> &'static str {
    map(f).0.0
}

pub(super) fn stem_of_term(f: Term) -> &'static str {
    term(f).0.0
}

/// The text of a function's file with names of its own for what all such files have, so that several can be in one
/// shader.
pub(super) fn named_after(stem: &str, text: &str) -> String {
    let own = |word: &str| matches!(word, "value" | "grad" | "with_one").then(|| format!("{stem}_{word}"));
    text.lines().map(|line| words_replaced(line, |word, _, _| own(word)) + "\n").collect()
}

static SHADERS: LazyLock<Vec<Arc<Shader>>> = LazyLock::new(|| {
    let mut all = Vec::new();
    let mut add = |name: &str, own: File, shared: &[File]| all.push(Arc::new(Shader::new(name, own, shared)));
    for f in Map::ALL {
        let ([value, grad], (own, needs)) = (f.names(), map(f));
        add(value, own, &[needs, &[GRID, file!("map"), EACH]].concat());
        add(grad, own, &[needs, &[GRID, file!("map_grad"), EACH]].concat());
    }
    for f in Zip::ALL {
        let (own, needs) = zip(f);
        add(f.name(), own, &[needs, &[GRID, file!("zip"), EACH]].concat());
    }
    for f in Term::ALL {
        let ([sum, grad], (own, needs)) = (f.names(), term(f));
        let two = f.other().is_some();
        let chunks = if two { file!("chunks_target") } else { file!("chunks") };
        add(&format!("{sum}_chunks"), own, &[needs, &[GRID, TREE, chunks, file!("chunk")]].concat());
        // What the derivative depends on: x and the other operand.
        match (f.grad_takes_x(), two) {
            (false, false) => add(grad, file!("sum_grad"), &[GRID, EACH]),
            (true, true) => add(grad, own, &[needs, &[GRID, file!("reduce_grad_target"), EACH]].concat()),
            _ => add(grad, own, &[needs, &[GRID, file!("reduce_grad"), EACH]].concat()),
        }
    }
    add("xent", file!("xent"), &[GRID, TREE, EXP, LN]);
    add("xent_grad", file!("xent_grad"), &[GRID, EXP, EACH]);
    add("total", file!("total"), &[TREE]);
    for own in [file!("clip"), file!("clamp"), file!("clamp_grad")] {
        add(own.0, own, &[GRID, EXP, EACH]);
    }
    for own in
        [file!("axpy"), file!("scale"), file!("fill"), file!("copy"), file!("rows"), file!("store"), file!("scale_by"), file!("dense_db")]
    {
        add(own.0, own, &[GRID, EACH]);
    }
    add("adam", file!("adam"), &[GRID, ADAM_STEP, EACH]);
    add("gather", file!("gather"), &[GRID, file!("words"), EACH]);
    add("gather_bytes", file!("gather"), &[GRID, file!("bytes"), EACH]);
    for own in [file!("uniform"), file!("mask")] {
        add(own.0, own, &[GRID, PHILOX]);
    }
    add("normal", file!("normal"), &[GRID, LN, PHILOX]);
    for own in [file!("cut"), file!("merge_topk")] {
        add(own.0, own, &[GRID, KEY, file!("kth")]);
    }
    add("select", file!("select"), &[GRID, KEY, EACH]);
    for own in [file!("idle"), file!("dead")] {
        add(own.0, own, &[GRID, EACH]);
    }
    add("advance", file!("advance"), &[CURSOR]);
    all
});

/// All shaders but those of products and groups, which are made at first use.
pub(super) fn all() -> &'static [Arc<Shader>] {
    &SHADERS
}

static MADE: LazyLock<Mutex<HashMap<String, Arc<Shader>>>> = LazyLock::new(Mutex::default);

/// The shader of a group. Its name says all that its text depends on: the text is made for the first of this name.
pub(super) fn made(name: String, stem: &'static str, text: impl FnOnce() -> String) -> Arc<Shader> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(name).or_insert_with_key(|name| Arc::new(Shader::of(name, stem, text()))).clone()
}

/// The shader of an op or of one of its stages. A test goes through the launches of all ops.
pub(super) fn find(name: &str) -> Arc<Shader> {
    all().iter().find(|s| s.name == name).cloned().unwrap_or_else(|| unreachable!("there is no shader {name}"))
}

const DECLARATION: &str = "var<storage, ";

impl Shader {
    fn new(name: &str, (stem, own): File, shared: &[File]) -> Shader {
        let text = shared.iter().map(|(_, text)| *text).chain([own]).collect::<Vec<_>>().join("\n");
        Shader::of(name, stem, text)
    }

    fn of(name: &str, stem: &'static str, text: String) -> Shader {
        let bindings = text.lines().filter_map(declared).collect();
        Shader { name: name.into(), stem, bindings, text }
    }

    /// The text to compile.
    ///
    /// For every operand that is reached through another's binding its declaration is dropped and `name[` becomes
    /// `other[`; a binding that stands for several is read_write.
    pub(super) fn variant(&self, pattern: &Pattern) -> String {
        let mut text = String::new();
        let moved: Vec<(&str, &str)> = (pattern.operands.iter().zip(&pattern.through))
            .filter(|(operand, through)| operand != through)
            .map(|(&operand, &through)| (self.bindings[operand].name.as_str(), self.bindings[through].name.as_str()))
            .collect();
        for line in self.text.lines() {
            match declared(line) {
                Some(binding) if moved.iter().any(|(name, _)| *name == binding.name) => continue,
                Some(binding) if moved.iter().any(|(_, through)| *through == binding.name) => {
                    text.push_str(&line.replace("<storage, read>", "<storage, read_write>"));
                }
                Some(_) => text.push_str(line),
                None => text.push_str(&reach_through(line, &moved)),
            }
            text.push('\n');
        }
        text
    }
}

/// The binding that a line declares: `@group(0) @binding(1) var<storage, read> x: array<f32>;`.
fn declared(line: &str) -> Option<Binding> {
    let rest = line.strip_prefix("@group(0) @binding(")?.split_once(DECLARATION)?.1;
    let (access, rest) = rest.split_once("> ")?;
    Some(Binding { name: rest.split_once(':')?.0.into(), writes: access == "read_write" })
}

/// The line with `name[` replaced by `other[` for every pair, where `name` is a whole identifier.
fn reach_through(line: &str, moved: &[(&str, &str)]) -> String {
    // A member is never a buffer: `u.c[`.
    let other = |word: &str, before: &str, after: &str| {
        let found = moved.iter().find(|(name, _)| *name == word && after.starts_with('[') && !before.ends_with('.'));
        found.map(|(_, other)| other.to_string())
    };
    words_replaced(line, other)
}

/// The line with another word for each of which `other` knows one, from what stands before and behind it.
pub(super) fn words_replaced(line: &str, other: impl Fn(&str, &str, &str) -> Option<String>) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_alphanumeric() || c == '_') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let new = other(word, &out, after);
        out.push_str(new.as_deref().unwrap_or(word));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_from_the_text() {
        let shader = find("mse_chunks");
        let names: Vec<_> = shader.bindings.iter().map(|b| (b.name.as_str(), b.writes)).collect();
        assert_eq!(names, [("x", false), ("target_", false), ("parts", true)]);
    }

    #[test]
    fn only_whole_identifiers_before_a_bracket_are_rewritten() {
        let line = "a[u.a_at + i] + aa[a] - u.a[0] * (a[1])";
        assert_eq!(reach_through(line, &[("a", "y")]), "y[u.a_at + i] + aa[a] - u.a[0] * (y[1])");
        assert_eq!(reach_through("b[a[i]]", &[("a", "y"), ("b", "y")]), "y[y[i]]");
        assert_eq!(reach_through("", &[("a", "y")]), "");
    }

    #[test]
    fn a_variant_drops_the_alias_and_writes_through_the_other() {
        let add = find("add");
        let text = add.variant(&Pattern { operands: vec![0, 1, 2], through: vec![0, 1, 0] });
        assert!(text.contains("@binding(1) var<storage, read_write> a: array<f32>;"), "{text}");
        assert!(text.contains("@binding(2) var<storage, read> b: array<f32>;"), "{text}");
        assert!(!text.contains("@binding(3)"), "{text}");
        assert!(text.contains("a[u.y_at + i] = value(a[u.a_at + i], b[u.b_at + i]);"), "{text}");
    }
}
