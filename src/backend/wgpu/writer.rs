//! How the texts of shaders are made that depend on a group.

use super::product::{After, Stage};
use super::shader;

/// A text that grows: bindings, parameters, and what is done.
#[derive(Default)]
pub(super) struct Writer {
    /// Names of buffers, whether they are written, and what they hold.
    buffers: Vec<(String, bool, &'static str)>,
    numbers: Vec<(String, &'static str)>,
    functions: Vec<shader::File>,
    pub(super) code: String,
}

impl Writer {
    pub(super) fn buffer(&mut self, name: &str, writes: bool, of: &'static str) {
        self.buffers.push((name.into(), writes, of));
    }

    pub(super) fn reads(&mut self, name: &str) {
        self.buffer(name, false, "f32");
    }

    pub(super) fn writes(&mut self, name: &str) {
        self.buffer(name, true, "f32");
    }

    pub(super) fn number(&mut self, name: &str, of: &'static str) {
        self.numbers.push((name.into(), of));
    }

    pub(super) fn need(&mut self, files: impl IntoIterator<Item = shader::File>) {
        for file in files {
            if !self.functions.iter().any(|(stem, _)| *stem == file.0) {
                self.functions.push(file);
            }
        }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.code += &format!("    {line}\n");
    }

    /// Begins the main function, with this many threads in a workgroup.
    pub(super) fn main(&mut self, lanes: &str) {
        let group = "@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>";
        self.code += &format!("@compute @workgroup_size({lanes})\nfn main({group}, @builtin(local_invocation_index) lane: u32) {{\n");
    }

    /// Parameters and bindings: an offset for each buffer, and the numbers.
    pub(super) fn head(&self) -> String {
        let offsets = self.buffers.iter().map(|(name, ..)| format!("    {name}_at: u32,\n"));
        let numbers = self.numbers.iter().map(|(name, of)| format!("    {name}: {of},\n"));
        let params: String = offsets.chain(numbers).collect();
        let mut text = format!("struct Params {{\n{params}}}\n\n@group(0) @binding(0) var<uniform> u: Params;\n");
        for (i, (name, writes, of)) in self.buffers.iter().enumerate() {
            let access = if *writes { "read_write" } else { "read" };
            text += &format!("@group(0) @binding({}) var<storage, {access}> {name}: array<{of}>;\n", i + 1);
        }
        text
    }

    /// The functions that the code needs.
    pub(super) fn functions(&self) -> String {
        self.functions.iter().map(|(stem, text)| shader::named_after(stem, text)).collect::<Vec<_>>().join("\n")
    }

    /// `product` becomes a sum with its bias, and is stored.
    pub(super) fn product(&mut self, ending: &str, bias: bool) {
        let (c, b) = (format!("c{ending}"), format!("bias{ending}"));
        if bias {
            self.reads(&b);
        }
        let plus = if bias { format!(" + {b}[u.{b}_at + column]") } else { String::new() };
        self.line(&format!("let product = sum{plus};"));
        self.writes(&c);
        self.line(&format!("{c}[u.{c}_at + e] = product;"));
    }

    /// A stage: `last` becomes the function of it, and is stored.
    pub(super) fn stage(&mut self, n: usize, stage: Stage) {
        let y = format!("y{n}");
        match stage {
            Stage::Map(f) => {
                self.need(shader::of_map(f));
                self.line(&format!("last = {}_value(last);", shader::stem_of_map(f)));
            }
            Stage::MapGrad { f, own } => {
                self.need(shader::of_map(f));
                let at = if own {
                    "product".to_string()
                } else {
                    self.reads(&format!("x{n}"));
                    format!("x{n}[u.x{n}_at + e]")
                };
                self.line(&format!("last = {}_grad({at}, last);", shader::stem_of_map(f)));
            }
            Stage::ReduceGrad(f) => {
                self.need(shader::of_term(f));
                let mut target = "0.0".to_string();
                if f.other().is_some() {
                    self.reads(&format!("target{n}"));
                    target = format!("target{n}[u.target{n}_at + e]");
                }
                self.reads(&format!("dy{n}"));
                self.number(&format!("scale{n}"), "f32");
                self.line(&format!("last = {}_grad(last, {target}, u.scale{n} * dy{n}[u.dy{n}_at]);", shader::stem_of_term(f)));
            }
        }
        self.writes(&y);
        self.line(&format!("{y}[u.{y}_at + e] = last;"));
    }

    /// Adam's step with `gradient` for element `e` of the buffers p, m and v with this ending.
    fn adam(&mut self, ending: &str, e: &str, gradient: &str) {
        let [p, m, v] = ["p", "m", "v"].map(|name| format!("{name}{ending}"));
        [&p, &m, &v].into_iter().for_each(|name| self.writes(name));
        let at = |name: &str| format!("{name}[u.{name}_at + {e}]");
        let all = [&p, &m, &v].map(|name| at(name));
        self.line(&format!("let next = adam_step({}, {gradient}, {}, {}, table_row());", all[0], all[1], all[2]));
        for (to, component) in all.iter().zip(["x", "y", "z"]) {
            self.line(&format!("{to} = next.{component};"));
        }
    }

    /// `after` and `after_bias`, of a product: what becomes of a sum, and of a bias's gradient.
    pub(super) fn after(&mut self, after: &After) {
        self.reads("a");
        self.reads("b");
        ["rows", "columns", "terms", "a_row", "a_term", "b_column", "b_term"].into_iter().for_each(|name| self.number(name, "u32"));
        self.code += "fn after(row: u32, column: u32, sum: f32) {\n";
        self.line("let e = row * u.columns + column;");
        match after {
            After::Layer { bias, stages } => {
                self.product("", *bias);
                if !stages.is_empty() {
                    self.line("var last = product;");
                }
                stages.iter().enumerate().for_each(|(n, stage)| self.stage(n, *stage));
                self.code += "}\n\nfn after_bias(row: u32, sum: f32) {}\n";
            }
            After::Gradient { db, adam_w, adam_b } => {
                self.writes("c");
                self.line("c[u.c_at + e] = sum;");
                if *db {
                    self.writes("db");
                }
                if *adam_w {
                    self.adam("", "e", "sum");
                }
                self.code += "}\n\nfn after_bias(row: u32, sum: f32) {\n";
                if *db {
                    self.line("db[u.db_at + row] = sum;");
                }
                if *adam_b {
                    self.adam("_bias", "row", "sum");
                }
                self.code += "}\n";
            }
        }
    }

    /// What Adam's updates share: the table, the clock, and its numbers.
    pub(super) fn steps(&mut self) {
        self.reads("table");
        self.buffer("clock", false, "u32");
        self.number("steps", "u32");
        ["w1", "beta2", "w2", "eps"].into_iter().for_each(|name| self.number(name, "f32"));
        self.need([shader::ADAM_STEP]);
    }

    /// Takes over what another has, each name with a number at its end, and gives the code with these names.
    pub(super) fn take(&mut self, other: Writer, code: &str, functions: &[&str], number: usize) -> String {
        let numbered = |name: &str| format!("{name}{number}");
        let renamed = |word: &str, before: &str, after: &str| {
            let buffer = |word: &str| other.buffers.iter().any(|(name, ..)| name == word);
            let own = match before.ends_with("u.") {
                true => match word.strip_suffix("_at") {
                    Some(name) if buffer(name) => return Some(numbered(name) + "_at"),
                    _ => other.numbers.iter().any(|(name, _)| name == word),
                },
                false => functions.contains(&word) || (buffer(word) && after.starts_with('[')),
            };
            own.then(|| numbered(word))
        };
        let code = code.lines().map(|line| shader::words_replaced(line, renamed) + "\n").collect();
        self.buffers.extend(other.buffers.into_iter().map(|(name, writes, of)| (numbered(&name), writes, of)));
        self.numbers.extend(other.numbers.into_iter().map(|(name, of)| (numbered(&name), of)));
        self.need(other.functions);
        code
    }
}
