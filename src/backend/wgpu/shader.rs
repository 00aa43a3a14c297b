//! The WGSL texts, what each of them binds, and their variants.
//!
//! A shader file is the only place that says which buffers a kernel binds and which of them it writes: its declarations are read from the text.
//! wgpu refuses a buffer that one dispatch binds twice if either binding writes, even where the ranges are disjoint. So operands that live in
//! one buffer are bound once, and the shader is rewritten to reach them all through that one binding: see [`Shader::variant`].

use std::sync::LazyLock;

/// One buffer that a shader declares. Its binding number is its place in the list, plus 1: binding 0 holds the parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) name: &'static str,
    pub(super) writes: bool,
}

#[derive(Debug)]
pub(super) struct Shader {
    /// The file, without `.wgsl`.
    pub(super) stem: &'static str,
    pub(super) bindings: Vec<Binding>,
    shared: &'static [&'static str],
    text: &'static str,
}

/// How the operands of a launch are bound: `bound_as[i]` is the operand through whose binding operand i is reached, itself as a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    /// Places in the shader's list of bindings, in the launch's order.
    pub(super) operands: Vec<usize>,
    /// For each operand, the place of the binding that it is reached through.
    pub(super) through: Vec<usize>,
}

const GRID: &str = include_str!("../../../shaders/grid.wgsl");
const EXP: &str = include_str!("../../../shaders/exp.wgsl");
const TREE: &str = include_str!("../../../shaders/tree.wgsl");

macro_rules! shader {
    ($stem:literal, $($shared:expr),*) => {
        Shader::new($stem, &[$($shared),*], include_str!(concat!("../../../shaders/", $stem, ".wgsl")))
    };
}

static SHADERS: LazyLock<Vec<Shader>> = LazyLock::new(|| {
    vec![
        shader!("dense", GRID),
        shader!("relu", GRID),
        shader!("sigmoid", GRID, EXP),
        shader!("tanh", GRID, EXP),
        shader!("mse", GRID, TREE),
        shader!("bce", GRID, EXP, TREE),
        shader!("sum", GRID, TREE),
        shader!("clip", GRID, EXP, TREE),
        shader!("add", GRID),
        shader!("scale", GRID),
        shader!("fill", GRID),
        shader!("copy", GRID),
        shader!("gather", GRID),
        shader!("advance",),
        shader!("store", GRID),
        shader!("uniform", GRID),
        shader!("adam", GRID),
    ]
});

/// All shader files that hold entry points.
pub(super) fn all() -> &'static [Shader] {
    &SHADERS
}

/// The shader of a file; `None` when there is no such file.
pub(super) fn find(stem: &str) -> Option<&'static Shader> {
    all().iter().find(|s| s.stem == stem)
}

const DECLARATION: &str = "var<storage, ";

impl Shader {
    fn new(stem: &'static str, shared: &'static [&'static str], text: &'static str) -> Shader {
        let bindings = text.lines().filter_map(declared).collect();
        Shader { stem, bindings, shared, text }
    }

    /// The place of a binding.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.bindings.iter().position(|b| b.name == name)
    }

    /// The text to compile. `side` is the edge of a workgroup where the shader takes one.
    ///
    /// For every operand that is reached through another's binding its declaration is dropped and `name[` becomes `other[`;
    /// a binding that stands for several is read_write.
    pub(super) fn variant(&self, pattern: &Pattern, side: Option<u32>) -> String {
        let mut text = self.shared.concat();
        if let Some(side) = side {
            text.push_str(&format!("const SIDE: u32 = {side}u;\n\n"));
        }
        let moved: Vec<(&str, &str)> = (pattern.operands.iter().zip(&pattern.through))
            .filter(|(operand, through)| operand != through)
            .map(|(&operand, &through)| (self.bindings[operand].name, self.bindings[through].name))
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
fn declared(line: &'static str) -> Option<Binding> {
    let rest = line.strip_prefix("@group(0) @binding(")?.split_once(DECLARATION)?.1;
    let (access, rest) = rest.split_once("> ")?;
    Some(Binding { name: rest.split_once(':')?.0, writes: access == "read_write" })
}

/// The line with `name[` replaced by `other[` for every pair, where `name` is a whole identifier.
fn reach_through(line: &str, moved: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_alphanumeric() || c == '_') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // A member is never a buffer: `u.c[`.
        let other = moved.iter().find(|(name, _)| *name == word && after.starts_with('[') && !out.ends_with('.'));
        out.push_str(other.map_or(word, |(_, other)| other));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read_from_the_text() {
        let names: Vec<_> = find("sum").unwrap().bindings.iter().map(|b| (b.name, b.writes)).collect();
        assert_eq!(names, [("x", false), ("work", true), ("y", true)]);
        assert_eq!(find("nothing").map(|s| s.stem), None);
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
        let add = find("add").unwrap();
        let text = add.variant(&Pattern { operands: vec![0, 1, 2], through: vec![0, 1, 0] }, None);
        assert!(text.contains("@binding(1) var<storage, read_write> a: array<f32>;"), "{text}");
        assert!(text.contains("@binding(2) var<storage, read> b: array<f32>;"), "{text}");
        assert!(!text.contains("@binding(3)"), "{text}");
        assert!(text.contains("a[u.y_at + i] = a[u.a_at + i] + b[u.b_at + i];"), "{text}");
    }
}
