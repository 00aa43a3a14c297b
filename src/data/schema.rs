//! What the columns of a table are, or how images become rows: learnt once, from the rows that a network is trained on,
//! and kept in its model.

use super::dataset::Dataset;
use super::likely::likely;
use super::open::Options;
use super::values::{Values, to_f32};
use super::words::Vocabulary;
use crate::spelling::shorten;
use crate::spelling::spelled;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The most categories of a column of text.
pub(super) const MOST_CATEGORIES: usize = 64;

/// The most columns that a sentence names.
const SHOWN: usize = 20;

/// What becomes of a row with a gap: an empty field or `nan`, and in a column of numbers also `NA`, `N/A`, `null`,
/// `none` and `?`, in any case. In a column of text these words are categories.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// It is an error that names the place.
    #[default]
    Error,
    /// The row is left out.
    Drop,
    /// The gap gets the mean of the training rows' column. In a column of text it is no category: all zeros.
    Mean,
    /// The gap gets the median of the training rows' column. In a column of text it is no category: all zeros.
    Median,
}

spelled!(Missing, "missing": Error "error", Drop "drop", Mean "mean", Median "median");

/// What the columns of a table are, in the order of the file that it was learnt from.
///
/// A number is a column of a row. A text with k categories is k columns, of which one is 1 and the others are 0; a
/// category that the training rows did not have is all zeros. Labels, ids and dropped columns are no part of a row.
/// Of texts a row has a number for each word of a vocabulary, and the other columns are no part of it. Rows that are
/// images have no columns; a schema then holds their size and the number of their channels.
///
/// ```no_run
/// use narrows::data::Options;
/// let table = Options::default().label("fraud").id("transaction").open("payments.csv")?;
/// println!("{:?}", table.train.schema().map(|schema| schema.names()));
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(try_from = "Parts", into = "Parts"))]
pub struct Schema {
    pub(super) fields: Vec<Field>,
    pub(super) missing: Missing,
    /// [channels, height, width] where a row is a picture.
    pub(super) pictures: Option<[usize; 3]>,
    /// Whether its numbers are bytes, each of which stands for b / 255.
    pub(super) bytes: bool,
    /// What stands between fields and before decimals, where the user says so.
    pub(super) delimiter: Option<char>,
    pub(super) decimal: Option<char>,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub(super) struct Field {
    /// Its name in the header, if the file has one.
    #[cfg_attr(feature = "files", serde(default, skip_serializing_if = "Option::is_none"))]
    pub(super) name: Option<String>,
    pub(super) role: Role,
}

/// What a column is for.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "files", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
pub(super) enum Role {
    /// A number, and what stands for a gap, if something does.
    Number(Option<f64>),
    /// The categories, sorted.
    Category(Vec<String>),
    /// A text, and the words that make its row.
    Words(Box<Vocabulary>),
    Label,
    Id,
    Dropped,
}

/// One field of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell<'a> {
    /// What stands for it: nothing, or a word.
    Gap(&'a str),
    Number(f64),
    Text(&'a str),
}

/// A schema as a file holds it, not yet checked.
#[cfg(feature = "files")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    columns: Vec<Field>,
    #[serde(default)]
    missing: Missing,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pictures: Option<[usize; 3]>,
    #[serde(default)]
    bytes: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delimiter: Option<char>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    decimal: Option<char>,
}

#[cfg(feature = "files")]
impl From<Schema> for Parts {
    fn from(schema: Schema) -> Parts {
        let Schema { fields: columns, missing, pictures, bytes, delimiter, decimal } = schema;
        Parts { columns, missing, pictures, bytes, delimiter, decimal }
    }
}

#[cfg(feature = "files")]
impl TryFrom<Parts> for Schema {
    type Error = Error;

    fn try_from(parts: Parts) -> Result<Schema> {
        let Parts { columns: fields, missing, pictures, bytes, delimiter, decimal } = parts;
        let schema = Schema { fields, missing, pictures, bytes, delimiter, decimal };
        let refuse = |problem: &str| Err(Error::argument("columns", problem, "Train the model again."));
        let unsorted =
            |role: &Role| matches!(role, Role::Category(names) if !names.is_sorted_by(|a, b| a < b) || names.len() > MOST_CATEGORIES);
        let named = schema.fields.iter().filter(|field| field.name.is_some()).count();
        match schema.pictures {
            _ if schema.columns() == 0 => refuse("there is no column besides labels and ids"),
            _ if named != 0 && named != schema.fields.len() => refuse("some have a name and some have none"),
            _ if schema.fields.iter().any(|field| unsorted(&field.role)) => refuse("categories are not sorted, or more than 64"),
            _ if schema.is_of_texts() && schema.fields.iter().filter(|field| field.role.is_in_rows()).count() > 1 => {
                refuse("there are columns besides a text")
            }
            Some(dims) if product(&dims) != Some(schema.columns()) => refuse("they are not the pixels of a picture"),
            _ => Ok(schema),
        }
    }
}

fn product(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |all, &dim| all.checked_mul(dim))
}

impl Schema {
    /// Images of [channels, height, width].
    pub(super) fn of_images(dims: [usize; 3]) -> Schema {
        Schema { pictures: Some(dims), bytes: true, ..Schema::default() }
    }

    /// Columns of numbers with these names.
    pub fn of_numbers(names: impl IntoIterator<Item = String>) -> Schema {
        let fields = names.into_iter().map(|name| Field { name: Some(name), role: Role::Number(None) }).collect();
        Schema { fields, ..Schema::default() }
    }

    /// The numbers in a row that this makes of a line.
    pub fn columns(&self) -> usize {
        match self.pictures {
            Some(dims) if self.is_of_images() => product(&dims).unwrap_or(0),
            _ => self.fields.iter().map(|field| field.role.width()).sum(),
        }
    }

    /// Whether rows are the words of texts.
    pub fn is_of_texts(&self) -> bool {
        self.vocabulary().is_some()
    }

    /// Whether some columns are text, of which each category has numbers of its own.
    pub fn has_categories(&self) -> bool {
        self.fields.iter().any(|field| matches!(field.role, Role::Category(_)))
    }

    /// The words that make rows of texts.
    pub(super) fn vocabulary(&self) -> Option<&Vocabulary> {
        self.fields.iter().find_map(|field| if let Role::Words(vocabulary) = &field.role { Some(&**vocabulary) } else { None })
    }

    /// Whether it is that of images, which have no columns.
    pub(super) fn is_of_images(&self) -> bool {
        self.fields.is_empty()
    }

    /// What the numbers of a row are called, where the file names its columns: a category is `column=category`. Those
    /// of texts are called by their words.
    pub fn names(&self) -> Option<Vec<String>> {
        if self.is_of_images() {
            return None;
        }
        let mut names = Vec::with_capacity(self.columns());
        if let Some(vocabulary) = self.vocabulary() {
            return Some(vocabulary.words().to_vec());
        }
        for Field { name, role } in &self.fields {
            let name = name.as_ref()?;
            match role {
                Role::Number(_) => names.push(name.clone()),
                Role::Category(categories) => names.extend(categories.iter().map(|category| format!("{name}={category}"))),
                Role::Words(_) | Role::Label | Role::Id | Role::Dropped => {}
            }
        }
        Some(names)
    }

    /// The columns of the file that have numbers in rows, in their order: the name of each, where its numbers stand in
    /// a row, and its categories, each of which is one of them; none where it is one number.
    pub(crate) fn in_rows(&self) -> Vec<(String, Range<usize>, Vec<String>)> {
        if let Some(vocabulary) = self.vocabulary() {
            return vocabulary.words().iter().enumerate().map(|(at, word)| (word.clone(), at..at + 1, Vec::new())).collect();
        }
        let mut next = 0;
        let mut fields = Vec::new();
        for Field { name, role } in self.fields.iter().filter(|field| field.role.width() > 0) {
            let categories = if let Role::Category(categories) = role { categories.clone() } else { Vec::new() };
            let name = name.clone().unwrap_or_else(|| format!("x_{next}"));
            fields.push((name, next..next + role.width(), categories));
            next += role.width();
        }
        fields
    }

    /// What the rows' ids are called, if there are any.
    pub fn id(&self) -> Option<&str> {
        self.place(&Role::Id).map(|at| self.fields[at].name.as_deref().unwrap_or("id"))
    }

    /// The only field with this role.
    pub(super) fn place(&self, role: &Role) -> Option<usize> {
        self.fields.iter().position(|field| field.role == *role)
    }

    /// Whether lines have names for their fields.
    pub(super) fn is_named(&self) -> bool {
        self.fields.first().is_some_and(|field| field.name.is_some())
    }

    /// What the user said of the file that holds for others too.
    pub(super) fn said(&mut self, options: &Options) {
        self.delimiter = options.delimiter;
        self.decimal = options.decimal;
    }

    /// The rows as a data set holds them: numbers, or the bytes of pictures.
    pub(super) fn values(&self, numbers: Vec<f64>) -> Values {
        // A number that is no byte stays one beside the bytes, so that it is seen to be out of their range.
        let byte = |x: &f64| (0.0..=255.0).contains(x) && x.fract() == 0.0;
        match self.bytes {
            _ if self.is_of_texts() => Values::Floats(numbers.into_iter().map(to_f32).collect()),
            true if numbers.iter().all(byte) => Values::Bytes(numbers.into_iter().map(|x| x as u8).collect()),
            true => Values::Floats(numbers.into_iter().map(|x| to_f32(x) / 255.0).collect()),
            false => Values::Doubles(numbers),
        }
    }

    /// The shape of a row.
    pub(super) fn row_dims(&self) -> Vec<usize> {
        match self.pictures {
            Some(dims) => dims.to_vec(),
            None => vec![self.columns()],
        }
    }

    /// What was made of the columns, for people to see.
    pub(super) fn notes(&self, path: &Path) -> Vec<String> {
        let mut notes = Vec::new();
        for (at, Field { name, role }) in self.fields.iter().enumerate() {
            if let Role::Category(categories) = role {
                let name = name.as_ref().map_or_else(|| at.to_string(), |name| shorten(name));
                let hint = match categories.first().and_then(|first| likely(first)) {
                    Some(hint) if categories.iter().all(|text| likely(text).is_some()) => format!(" ({hint})"),
                    _ => String::new(),
                };
                notes.push(format!(
                    "{}: column `{name}` is text: a column for each of its {} categories{hint}",
                    path.display(),
                    categories.len()
                ));
            }
        }
        if let (Some([_, height, width]), true) = (self.pictures, self.bytes) {
            notes.push(format!("{}: its columns are taken for the pixels of pictures of {height}x{width}, 0 to 255", path.display()));
        }
        notes
    }
}

/// Words for a gap in a column of numbers. In a column of text they are categories.
const WORDS: [&str; 5] = ["na", "n/a", "null", "none", "?"];

pub(super) fn is_word_for_a_gap(text: &str) -> bool {
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// A gap, by what stands for it.
pub(super) fn gap(text: &str) -> String {
    if text.is_empty() { "the field is empty".into() } else { format!("`{}` stands for a gap", shorten(text)) }
}

impl Role {
    fn is_in_rows(&self) -> bool {
        matches!(self, Role::Number(_) | Role::Category(_) | Role::Words(_))
    }

    /// The numbers that it has in a row.
    pub(super) fn width(&self) -> usize {
        match self {
            Role::Number(_) => 1,
            Role::Category(categories) => categories.len(),
            Role::Words(vocabulary) => vocabulary.words().len(),
            Role::Label | Role::Id | Role::Dropped => 0,
        }
    }
}

pub(super) fn not_a_number(text: &str) -> String {
    let hint = likely(text).map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("`{}` is not a number{hint}", shorten(text))
}

pub(super) fn dropped(path: &Path, rows: usize, of: usize) -> String {
    let s = if of == 1 { "" } else { "s" };
    let (have, are) = if rows == 1 { ("has", "is") } else { ("have", "are") };
    format!("{}: {rows} of {of} row{s} {have} a gap and {are} left out", path.display())
}

/// The first of these columns, for people to read.
pub(super) fn quoted(names: &[&str]) -> String {
    names.iter().take(SHOWN).map(|name| format!("`{}`", shorten(name))).collect::<Vec<_>>().join(", ")
}

/// These columns, as the subject of a sentence.
pub(super) fn columns_are(names: &[&str]) -> String {
    let (many, are) = if names.len() > 1 { ("columns", "are") } else { ("column", "is") };
    format!("{many} {} {are}", quoted(names))
}

/// What becomes of texts without any word of the vocabulary.
pub(super) fn wordless(path: &Path, texts: usize, of: usize) -> Option<String> {
    let s = if of == 1 { "" } else { "s" };
    let (have, alike) = if texts == 1 { ("has", "") } else { ("have", ", and so all the same code") };
    (texts > 0).then(|| format!("{}: {texts} of {of} text{s} {have} none of the model's words: all zeros{alike}", path.display()))
}

/// What was filled, by how many gaps each column has: those of numbers, and those of text.
pub(super) fn filled(path: &Path, missing: Missing, numbers: &[(String, usize)], texts: &[(String, usize)]) -> Option<String> {
    let list = |columns: &[(String, usize)]| {
        let mut all: Vec<String> = columns.iter().take(NAMED).map(|(name, gaps)| format!("{} {gaps}", shorten(name))).collect();
        if columns.len() > NAMED {
            all.push(format!("and {} more columns", columns.len() - NAMED));
        }
        all.join(", ")
    };
    let numbers = (!numbers.is_empty()).then(|| format!("gaps filled with the {missing}: {}", list(numbers)));
    let texts = (!texts.is_empty()).then(|| format!("gaps in text, all zeros: {}", list(texts)));
    let all: Vec<String> = numbers.into_iter().chain(texts).collect();
    (!all.is_empty()).then(|| format!("{}: {}", path.display(), all.join("; ")))
}

/// The most columns that a note names.
const NAMED: usize = 10;

/// Makes rows by a schema, and counts what it could not keep.
pub(super) struct Maker {
    schema: Arc<Schema>,
    /// For each column with categories that training did not have: how often, and the first.
    unseen: BTreeMap<usize, (usize, String)>,
    /// How many gaps of each column were filled.
    gaps: BTreeMap<usize, usize>,
    /// Which numbers stand for gaps, where that is kept.
    filled: Option<Vec<usize>>,
    rows: usize,
    dropped: usize,
    /// Texts without any word of the vocabulary.
    wordless: usize,
    /// Where the row that was begun last has a gap that was filled (true), or a category that training did not have.
    last: Vec<(usize, bool)>,
}

impl Maker {
    pub(super) fn new(schema: &Arc<Schema>) -> Maker {
        let (schema, unseen, gaps) = (schema.clone(), BTreeMap::new(), BTreeMap::new());
        Maker { schema, unseen, gaps, filled: None, rows: 0, dropped: 0, wordless: 0, last: Vec::new() }
    }

    /// The same, which keeps the places of what it fills. They are those in all rows that are pushed.
    pub(super) fn keeping(self) -> Maker {
        Maker { filled: Some(Vec::new()), ..self }
    }

    /// The places of what was filled, ascending.
    pub(super) fn places(&mut self) -> Vec<usize> {
        self.filled.take().unwrap_or_default()
    }

    /// Appends the numbers that stand for a gap.
    fn fill(&mut self, at: usize, row: &mut Vec<f64>, count: usize, number: f64) {
        *self.gaps.entry(at).or_default() += 1;
        self.last.push((at, true));
        if let Some(filled) = &mut self.filled {
            filled.extend(row.len()..row.len() + count);
        }
        row.resize(row.len() + count, number);
    }

    /// Appends the row that a line makes: `cells` gives the field at a place of [`Schema::fields`]. Returns false if
    /// the row is left out, or what is wrong, and at which place.
    pub(super) fn push<'a>(
        &mut self,
        cells: impl Fn(usize) -> std::result::Result<Cell<'a>, String>,
        row: &mut Vec<f64>,
    ) -> std::result::Result<bool, (usize, String)> {
        let start = row.len();
        self.rows += 1;
        self.last.clear();
        let schema = self.schema.clone();
        for (at, field) in schema.fields.iter().enumerate().filter(|(_, field)| field.role.is_in_rows()) {
            let cell = match (&field.role, cells(at).map_err(|problem| (at, problem))?) {
                (Role::Number(_), Cell::Text(text)) if is_word_for_a_gap(text) => Cell::Gap(text),
                (_, cell) => cell,
            };
            match (&field.role, cell, schema.missing) {
                (_, Cell::Gap(_), Missing::Drop) => {
                    self.dropped += 1;
                    row.truncate(start);
                    return Ok(false);
                }
                (Role::Words(vocabulary), cell, _) => {
                    let counts = vocabulary.count(if let Cell::Text(text) = cell { text } else { "" });
                    self.wordless += usize::from(counts.is_empty());
                    vocabulary.weigh(&counts, row);
                }
                (_, Cell::Gap(text), Missing::Error) => return Err((at, gap(text))),
                (Role::Category(categories), Cell::Text(text), _) => {
                    let found = categories.binary_search_by(|category| category.as_str().cmp(text));
                    if found.is_err() {
                        self.unseen.entry(at).or_insert_with(|| (0, text.to_string())).0 += 1;
                        self.last.push((at, false));
                    }
                    row.extend((0..categories.len()).map(|place| if found == Ok(place) { 1.0 } else { 0.0 }));
                }
                (Role::Category(categories), Cell::Gap(_), _) => self.fill(at, row, categories.len(), 0.0),
                (Role::Category(categories), Cell::Number(_), _) => row.resize(row.len() + categories.len(), 0.0),
                (_, Cell::Number(x), _) => row.push(x),
                (_, Cell::Text(text), _) => return Err((at, not_a_number(text))),
                (Role::Number(Some(number)), Cell::Gap(_), _) => self.fill(at, row, 1, *number),
                (_, Cell::Gap(text), _) => return Err((at, format!("{}, and nothing was learnt to fill it with", gap(text)))),
            }
        }
        Ok(true)
    }

    /// Forgets the row that was begun last, at this place of all numbers.
    pub(super) fn forget(&mut self, start: usize) {
        self.rows -= 1;
        for (at, is_gap) in self.last.drain(..) {
            match is_gap {
                true => *self.gaps.entry(at).or_default() -= 1,
                false => self.unseen.entry(at).or_default().0 -= 1,
            }
        }
        self.gaps.retain(|_, count| *count > 0);
        self.unseen.retain(|_, (count, _)| *count > 0);
        if let Some(filled) = &mut self.filled {
            filled.truncate(filled.partition_point(|&at| at < start));
        }
    }

    fn name(&self, at: usize) -> String {
        self.schema.fields[at].name.as_ref().map_or_else(|| at.to_string(), |name| shorten(name))
    }

    /// The categories that training did not have, so far.
    pub(super) fn unseen(&self, path: &Path) -> impl Iterator<Item = String> {
        self.unseen.iter().map(|(&at, (count, text))| {
            format!(
                "{}: column `{}`: {count} {} a category that training did not have, as `{}`: all zeros",
                path.display(),
                self.name(at),
                if *count == 1 { "row has" } else { "rows have" },
                shorten(text)
            )
        })
    }

    /// What was left out and filled so far.
    pub(super) fn notes(&self, path: &Path) -> Vec<String> {
        let dropped = (self.dropped > 0).then(|| dropped(path, self.dropped, self.rows));
        let is_text = |at: usize| matches!(self.schema.fields[at].role, Role::Category(_));
        let of = |text: bool| -> Vec<(String, usize)> {
            self.gaps.iter().filter(|(at, _)| is_text(**at) == text).map(|(&at, &gaps)| (self.name(at), gaps)).collect()
        };
        let filled = filled(path, self.schema.missing, &of(false), &of(true));
        let wordless = wordless(path, self.wordless, self.rows - self.dropped);
        self.unseen(path).chain(dropped).chain(filled).chain(wordless).collect()
    }
}

/// What stands beside the numbers of rows.
#[derive(Default)]
pub(super) struct Beside {
    pub(super) labels: Option<Vec<u8>>,
    pub(super) classes: Option<Vec<String>>,
    pub(super) ids: Option<Vec<String>>,
    /// Which numbers stand for gaps, ascending.
    pub(super) filled: Vec<usize>,
}

impl Dataset {
    /// The rows that a schema made.
    pub(super) fn of_table(path: &Path, schema: &Arc<Schema>, values: Values, beside: Beside, notes: Vec<String>) -> Dataset {
        let Beside { labels, classes, ids, filled } = beside;
        let data = Dataset::trusted(&path.display().to_string(), values, &schema.row_dims(), labels);
        let (classes, ids) = (classes.map(Into::into), ids.map(Into::into));
        Dataset { classes, ids, filled: filled.into(), schema: Some(schema.clone()), notes: notes.into(), ..data }
    }
}
