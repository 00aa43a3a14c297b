//! A table that is read for the first time: what its columns are is learnt from the training rows.
//!
//! ```text
//! lines -> cells: a number each, of a text its place in the column's list -> a schema -> rows of numbers
//! ```

use super::csv::{Lines, place};
use super::dataset::Dataset;
use super::labels::Labels;
use super::likely::likely;
use super::open::Options;
use super::schema::{Beside, Cell, Field, MOST_CATEGORIES, Maker, Missing, Role, Schema};
use super::schema::{dropped, filled, gap, is_word_for_a_gap, not_a_number};
use super::values::pick;
use crate::spelling::shorten;
use crate::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of pixels have at least this side and, somewhere, at least this byte: smaller ones may be counts or grades.
const SIDE: usize = 8;
const BRIGHT: f64 = 128.0;
/// A text has at least this many words, on average in its column; names have fewer.
const TEXT_WORDS: usize = 4;
/// In a column of numbers, one text for this many of them is a broken line, where such lines are left out; with more it
/// is a column of two kinds.
const NUMBERS: usize = 100;
/// The most faults that one error names.
const FAULTS: usize = 10;

/// All lines of a file, before it is decided what its columns are.
pub(super) struct Table {
    path: PathBuf,
    names: Option<Vec<String>>,
    roles: Vec<Asked>,
    columns: Vec<Column>,
    /// Row after row, a number for each of the columns: NaN is a gap, and of a text it is the place in the column's
    /// list.
    cells: Vec<f64>,
    labels: Labels,
    ids: Vec<String>,
    notes: Vec<String>,
}

/// What the options say of a field.
#[derive(Clone, Copy, PartialEq)]
enum Asked {
    Row,
    Names,
    Label,
    Id,
    Dropped,
}

/// What was found in a column of the rows.
struct Column {
    field: usize,
    /// Whether its fields are names, even where they look like numbers.
    names: bool,
    texts: HashMap<String, usize>,
    /// Where the first number, the first other text and the first gap stand: their lines, and their texts.
    number: Option<u64>,
    text: Option<(u64, String)>,
    gap: Option<(u64, String)>,
    gaps: usize,
    /// A text that is one too many.
    many: bool,
    /// Words that stand for gaps if this is a column of numbers: the first, and of each its cell and its text.
    word: Option<(u64, String)>,
    words: Vec<(usize, usize)>,
}

/// Why a column can't be used.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// There are a number and a text in it.
    Text,
    Gap,
    /// It has too many categories.
    Many,
    /// No training row has a number in it.
    Empty,
}

impl Table {
    /// Reads a file whole.
    pub(super) fn read(path: &Path, options: &Options) -> Result<Table> {
        let mut lines = Lines::open(path, None, options)?;
        let roles = asked(&lines, options)?;
        let fields = (0..lines.fields()).filter(|&at| matches!(roles[at], Asked::Row | Asked::Names));
        let columns: Vec<Column> = fields.map(|at| Column::new(at, roles[at] == Asked::Names)).collect();
        if columns.is_empty() {
            return Err(nothing_left(path));
        }
        let mut table = Table {
            path: path.into(),
            names: lines.names().map(<[String]>::to_vec),
            roles,
            columns,
            cells: Vec::new(),
            labels: Labels::default(),
            ids: Vec::new(),
            notes: lines.notes().to_vec(),
        };
        let numbers = if options.skip_broken { mostly_numbers(path, &table.roles, options)? } else { Vec::new() };
        while lines.next()? {
            // Without that option nothing is known of the columns, and no line is broken here.
            let is_left_out = broken(&lines, &table.roles, &numbers).is_some_and(|problem| lines.leave_out(problem).is_ok());
            if !is_left_out {
                table.take(&lines)?;
            }
        }
        table.notes.extend(lines.left_out());
        table.settle_words();
        table.index_is_id();
        table.drop_gaps(options.missing);
        table.note_gaps(options.missing);
        Ok(table)
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.columns.len()
    }

    fn take(&mut self, lines: &Lines) -> Result<()> {
        let failed = |at: usize, problem: String| Error::data(lines.path(), format!("{}: {problem}", lines.at(at)), "Correct the field.");
        for column in &mut self.columns {
            let cell = if column.names { lines.name(column.field) } else { lines.cell(column.field) };
            let cell = cell.map_err(|problem| failed(column.field, problem))?;
            self.cells.push(column.take(cell, self.cells.len(), || lines.line()));
        }
        for (at, role) in self.roles.iter().enumerate() {
            match role {
                Asked::Label => {
                    let text = lines.text(at).map_err(|problem| failed(at, problem))?;
                    self.labels
                        .push(text)
                        .map_err(|problem| Error::data(lines.path(), format!("{}: {problem}", lines.at(at)), "Name another column."))?;
                }
                Asked::Id => self.ids.push(lines.text(at).map_err(|problem| failed(at, problem))?.to_string()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Decides whether words such as `NA` are gaps or categories: what else stands in their column says it.
    fn settle_words(&mut self) {
        for column in &mut self.columns {
            let words = std::mem::take(&mut column.words);
            let Some(word) = column.word.take() else { continue };
            if column.text.is_none() && column.number.is_some() {
                column.texts.clear();
                column.gaps += words.len();
                column.gap = column.gap.take().into_iter().chain([word]).min();
            } else {
                column.text.get_or_insert(word);
                words.into_iter().for_each(|(cell, place)| self.cells[cell] = place as f64);
            }
        }
    }

    /// A first column without a name that counts up, as pandas writes its index, is taken for an id.
    fn index_is_id(&mut self) {
        let unnamed = self.names.as_ref().is_some_and(|names| names[0].is_empty() || names[0] == "Unnamed: 0");
        let width = self.columns.len();
        let first = || self.cells.iter().step_by(width);
        let counts = first().zip(first().skip(1)).all(|(a, b)| *b == a + 1.0) && first().all(|x| x.fract() == 0.0);
        if !(unnamed && counts && width > 1 && self.columns[0].field == 0 && self.ids.is_empty() && self.columns[0].text.is_none()) {
            return;
        }
        self.ids = first().map(|x| x.to_string()).collect();
        self.cells = self.cells.chunks_exact(width).flat_map(|row| &row[1..]).copied().collect();
        self.columns.remove(0);
        self.roles[0] = Asked::Id;
        self.notes.push(format!("{}: the first column has no name and counts up: it is taken for an id", self.path.display()));
    }

    fn drop_gaps(&mut self, missing: Missing) {
        if missing != Missing::Drop {
            return;
        }
        let width = self.columns.len();
        let whole: Vec<u32> =
            (0u32..).zip(self.cells.chunks_exact(width)).filter(|(_, row)| !row.iter().any(|x| x.is_nan())).map(|(at, _)| at).collect();
        let before = self.len();
        if whole.len() == before {
            return;
        }
        self.cells = pick(&self.cells, width, &whole);
        self.labels.keep(&whole);
        if !self.ids.is_empty() {
            self.ids = whole.iter().map(|&row| std::mem::take(&mut self.ids[row as usize])).collect();
        }
        self.notes.push(dropped(&self.path, before - whole.len(), before));
    }

    /// Says what is filled.
    fn note_gaps(&mut self, missing: Missing) {
        if !matches!(missing, Missing::Mean | Missing::Median) {
            return;
        }
        let name = |at: usize| self.names.as_ref().map_or_else(|| at.to_string(), |names| names[at].clone());
        let of = |text: bool| -> Vec<(String, usize)> {
            let some = self.columns.iter().filter(|column| column.gaps > 0 && column.is_text() == text);
            some.map(|column| (name(column.field), column.gaps)).collect()
        };
        self.notes.extend(filled(&self.path, missing, &of(false), &of(true)));
    }

    /// What the columns are, by these rows.
    pub(super) fn learn(&mut self, rows: &[u32], options: &Options) -> Result<Schema> {
        let mut faults = BTreeMap::new();
        let mut roles: HashMap<usize, Role> = HashMap::new();
        for (at, column) in self.columns.iter().enumerate() {
            match self.learn_column(at, column, rows, options.missing) {
                Ok(role) => drop(roles.insert(column.field, role)),
                Err((line, fault, problem)) => drop(faults.insert((line, column.field), (fault, problem))),
            }
        }
        if !faults.is_empty() {
            return Err(self.refused(&faults));
        }
        let role = |at: usize| match self.roles[at] {
            Asked::Label => Role::Label,
            Asked::Id => Role::Id,
            Asked::Dropped => Role::Dropped,
            Asked::Row | Asked::Names => roles[&at].clone(),
        };
        let fields = (0..self.roles.len()).map(|at| Field { name: self.names.as_ref().map(|names| names[at].clone()), role: role(at) });
        let mut schema = Schema { fields: fields.collect(), missing: options.missing, ..Schema::default() };
        schema.said(options);
        self.pictures(&mut schema, options)?;
        if options.image_size.is_none() && options.label.is_none() {
            self.notes.extend(self.one_too_many(&schema));
        }
        Ok(schema)
    }

    /// The role of a column, or what is wrong with it, and on which line.
    fn learn_column(&self, at: usize, column: &Column, rows: &[u32], missing: Missing) -> std::result::Result<Role, (u64, Fault, String)> {
        let width = self.columns.len();
        let cells = || rows.iter().map(|&row| self.cells[row as usize * width + at]).filter(|x| !x.is_nan());
        match (&column.text, column.number, &column.gap) {
            (Some((line, text)), Some(_), _) if !column.names => return Err((*line, Fault::Text, not_a_number(text))),
            (_, _, Some((line, text))) if missing == Missing::Error => {
                let count = if column.gaps > 1 { format!(" (and {} more in this column)", column.gaps - 1) } else { String::new() };
                return Err((*line, Fault::Gap, gap(text) + &count));
            }
            _ => {}
        }
        if column.is_text() {
            if column.many {
                let (line, text) = column.text.as_ref().map_or((1, ""), |(line, text)| (*line, text));
                let hint = likely(text).map(|hint| format!(" (`{}`: {hint})", shorten(text))).unwrap_or_default();
                return Err((line, Fault::Many, format!("its texts are more than {MOST_CATEGORIES} different ones{hint}")));
            }
            let mut used = vec![false; column.texts.len()];
            cells().for_each(|place| used[place as usize] = true);
            let mut categories: Vec<String> =
                column.texts.iter().filter(|(_, place)| used[**place]).map(|(text, _)| text.clone()).collect();
            categories.sort_unstable();
            return Ok(Role::Category(categories));
        }
        let mut numbers: Vec<f64> = cells().collect();
        let fill = match missing {
            Missing::Error | Missing::Drop => None,
            _ if numbers.is_empty() => {
                let line = column.gap.as_ref().map_or(1, |(line, _)| *line);
                return Err((line, Fault::Empty, "no training row has a number here".into()));
            }
            Missing::Mean => Some(numbers.iter().sum::<f64>() / numbers.len() as f64),
            Missing::Median => {
                numbers.sort_unstable_by(f64::total_cmp);
                let middle = numbers.len() / 2;
                Some(if numbers.len().is_multiple_of(2) { (numbers[middle - 1] + numbers[middle]) / 2.0 } else { numbers[middle] })
            }
        };
        Ok(Role::Number(fill))
    }

    /// One error for all columns that can't be used.
    fn refused(&self, faults: &BTreeMap<(u64, usize), (Fault, String)>) -> Error {
        let named = |at: usize| self.names.as_ref().map_or_else(|| at.to_string(), |names| names[at].clone());
        let mut said: Vec<String> = faults
            .iter()
            .take(FAULTS)
            .map(|((line, at), (_, problem))| format!("{}: {problem}", place(*line, *at, self.names.as_deref())))
            .collect();
        if faults.len() > FAULTS {
            said.push(format!("and {} more columns", faults.len() - FAULTS));
        }
        let columns = faults.keys().take(FAULTS).map(|(_, at)| named(*at)).collect::<Vec<_>>().join(",");
        let any = |fault: Fault| faults.values().any(|(is, _)| *is == fault);
        let mut ways = vec![format!("leave columns out (--drop {columns})")];
        // The column with the longest texts.
        let long = self.columns.iter().filter(|column| column.many).map(|column| (column.words_of_a_text(), column.field));
        if let Some((_, field)) = long.filter(|(words, _)| *words >= TEXT_WORDS).max_by_key(|(words, _)| *words) {
            ways.insert(0, format!("make the rows of the words of a column (--text {})", named(field)));
        }
        if any(Fault::Text) || any(Fault::Many) {
            ways.push("keep a column beside the rows (--id, --label)".into());
        }
        if any(Fault::Text) {
            ways.push("take it for names (--categorical)".into());
        }
        if any(Fault::Gap) {
            ways.push("say what becomes of gaps (--missing drop, mean or median)".into());
        }
        let first = faults.keys().next().is_some_and(|(line, _)| *line == 1);
        let header = if first { " If the first line is a header, say so (--header yes)." } else { "" };
        let last = ways.pop().unwrap_or_default();
        let ways = if ways.is_empty() { last } else { format!("{}, or {last}", ways.join(", ")) };
        Error::data(&self.path, said.join("; "), format!("Correct the fields, or {ways}.{header}"))
    }

    /// Whether the columns are the pixels of pictures.
    fn pictures(&self, schema: &mut Schema, options: &Options) -> Result<()> {
        let columns = schema.columns();
        let numbers = schema.fields.iter().all(|field| !matches!(field.role, Role::Category(_)));
        let bytes = numbers && self.cells.iter().all(|x| (0.0..=255.0).contains(x) && x.fract() == 0.0);
        let side = columns.isqrt();
        let size = match options.image_size {
            Some(Some((height, width))) if height.checked_mul(width) == Some(columns) && numbers => Some((height, width)),
            Some(Some((height, width))) => {
                let problem = format!("{height}x{width} pixels are asked for, and its rows have {columns} columns");
                return Err(Error::data(&self.path, problem, "Give the size of one picture, or leave --image-size out."));
            }
            Some(None) => None,
            None => {
                Some((side, side)).filter(|_| bytes && side >= SIDE && side * side == columns && self.cells.iter().any(|&x| x >= BRIGHT))
            }
        };
        schema.pictures = size.map(|(height, width)| [1, height, width]);
        schema.bytes = bytes && size.is_some();
        Ok(())
    }

    /// What to say of columns that are the pixels of a square and one more: it is the label, as a rule, and someone
    /// forgot to say so.
    fn one_too_many(&self, schema: &Schema) -> Option<String> {
        const LABELS: [&str; 6] = ["label", "labels", "class", "target", "digit", "y"];
        let columns = schema.columns();
        let side = columns.checked_sub(1)?.isqrt();
        let bytes = || self.cells.iter().all(|x| (0.0..=255.0).contains(x) && x.fract() == 0.0) && self.cells.iter().any(|&x| x >= BRIGHT);
        if side < SIDE || side * side + 1 != columns || schema.pictures.is_some() || !bytes() {
            return None;
        }
        let of_row = |field: &usize| matches!(schema.fields[*field].role, Role::Number(_));
        let fields: Vec<usize> = (0..schema.fields.len()).filter(of_row).collect();
        let named =
            |field: &&usize| schema.fields[**field].name.as_ref().is_some_and(|name| LABELS.contains(&name.to_lowercase().as_str()));
        let field = *fields.iter().find(named).or(fields.first())?;
        let name = schema.fields[field].name.clone().unwrap_or_else(|| field.to_string());
        Some(format!(
            "{}: {columns} columns are {side}x{side} pixels and one more, so they are taken for a table: if `{name}` is the label, say --label {name}",
            self.path.display()
        ))
    }

    /// The rows with these numbers.
    pub(super) fn rows(&self, schema: &Arc<Schema>, rows: &[u32]) -> Result<Dataset> {
        let width = self.columns.len();
        let places: HashMap<usize, usize> = self.columns.iter().enumerate().map(|(at, column)| (column.field, at)).collect();
        let texts: Vec<Vec<&str>> = self.columns.iter().map(Column::sorted).collect();
        let (mut maker, mut values) = (Maker::new(schema).keeping(), Vec::with_capacity(rows.len() * schema.columns()));
        for &row in rows {
            let cells = &self.cells[row as usize * width..][..width];
            let cell = |at: usize| {
                let place = places[&at];
                Ok(match cells[place] {
                    x if x.is_nan() => Cell::Gap(""),
                    x if texts[place].is_empty() => Cell::Number(x),
                    x => Cell::Text(texts[place][x as usize]),
                })
            };
            // Learning has refused what can't be made into a row.
            maker.push(cell, &mut values).map_err(|(_, problem)| Error::data(&self.path, problem, "Report this as a defect."))?;
        }
        let ids = (!self.ids.is_empty()).then(|| rows.iter().map(|&row| self.ids[row as usize].clone()).collect());
        let (labels, classes) = self.labels.of(rows);
        let mut notes = self.notes.clone();
        notes.extend(schema.notes(&self.path));
        notes.extend(maker.unseen(&self.path));
        Ok(Dataset::of_table(&self.path, schema, schema.values(values), Beside { labels, classes, ids, filled: maker.places() }, notes))
    }
}

impl Column {
    fn new(field: usize, names: bool) -> Column {
        let (texts, words) = (HashMap::new(), Vec::new());
        Column { field, names, texts, number: None, text: None, gap: None, gaps: 0, many: false, word: None, words }
    }

    fn is_text(&self) -> bool {
        self.names || self.text.is_some()
    }

    /// The number that stands for a cell, which is the cell `at` of the table.
    fn take(&mut self, cell: Cell, at: usize, line: impl Fn() -> u64) -> f64 {
        match cell {
            Cell::Gap(text) => {
                self.gap.get_or_insert_with(|| (line(), text.to_string()));
                self.gaps += 1;
                f64::NAN
            }
            Cell::Text(text) if !self.names && is_word_for_a_gap(text) => {
                self.word.get_or_insert_with(|| (line(), text.to_string()));
                let place = self.place(text);
                self.words.push((at, place));
                f64::NAN
            }
            Cell::Number(x) => {
                self.number.get_or_insert_with(line);
                x
            }
            Cell::Text(text) => {
                if self.text.is_none() {
                    self.text = Some((line(), text.to_string()));
                }
                self.place(text) as f64
            }
        }
    }

    /// The place of a text in the list.
    fn place(&mut self, text: &str) -> usize {
        if let Some(place) = self.texts.get(text) {
            return *place;
        }
        let place = self.texts.len();
        self.many |= place == MOST_CATEGORIES;
        if !self.many {
            self.texts.insert(text.to_string(), place);
        }
        place
    }

    /// How many words a text of it has on average.
    fn words_of_a_text(&self) -> usize {
        self.texts.keys().map(|text| text.split_whitespace().count()).sum::<usize>() / self.texts.len().max(1)
    }

    /// Its texts, by their places.
    fn sorted(&self) -> Vec<&str> {
        let mut texts = vec![""; self.texts.len()];
        self.texts.iter().for_each(|(text, place)| texts[*place] = text);
        texts
    }
}

/// What the options say of each field of the lines.
fn asked(lines: &Lines, options: &Options) -> Result<Vec<Asked>> {
    let mut roles = vec![Asked::Row; lines.fields()];
    let named = options.categorical.iter().map(|column| (column, Asked::Names));
    let dropped = options.drop.iter().map(|column| (column, Asked::Dropped));
    let single = options.label.iter().map(|column| (column, Asked::Label)).chain(options.id.iter().map(|column| (column, Asked::Id)));
    for (column, role) in named.chain(dropped).chain(single) {
        let at = lines.find(column)?;
        if roles[at] != Asked::Row {
            let problem = format!(
                "{} is said to be two things",
                lines.names().map_or_else(|| at.to_string(), |names| format!("`{}`", shorten(&names[at])))
            );
            return Err(Error::argument("label, id, drop, categorical", problem, "Name each column once."));
        }
        roles[at] = role;
    }
    Ok(roles)
}

/// Which fields hold numbers, but for a few.
fn mostly_numbers(path: &Path, roles: &[Asked], options: &Options) -> Result<Vec<bool>> {
    let mut lines = Lines::open(path, None, options)?;
    let mut counts = vec![[0; 2]; roles.len()];
    while lines.next()? {
        for (at, [numbers, texts]) in counts.iter_mut().enumerate().filter(|(at, _)| roles[*at] == Asked::Row) {
            match lines.cell(at) {
                Ok(Cell::Number(_)) => *numbers += 1,
                Ok(Cell::Text(text)) if !is_word_for_a_gap(text) => *texts += 1,
                _ => {}
            }
        }
    }
    Ok(counts.into_iter().map(|[numbers, texts]| texts * NUMBERS <= numbers).collect())
}

/// What can't be read in a line, where `numbers` says which fields are to be numbers; nothing where it says nothing.
fn broken(lines: &Lines, roles: &[Asked], numbers: &[bool]) -> Option<String> {
    let mut fields = roles.iter().zip(numbers).enumerate();
    fields.find_map(|(at, (role, is_number))| {
        let problem = match role {
            Asked::Row => match lines.cell(at) {
                Ok(Cell::Text(text)) if *is_number && !is_word_for_a_gap(text) => not_a_number(text),
                cell => cell.err()?,
            },
            Asked::Names => lines.name(at).err()?,
            _ => return None,
        };
        Some(format!("{}: {problem}", lines.at(at)))
    })
}

pub(super) fn nothing_left(path: &Path) -> Error {
    Error::data(path, "there is no column besides labels, ids and dropped ones", "Give at least one column for the rows.")
}
