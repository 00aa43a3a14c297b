//! Texts that are read for the first time: a column of a table, or the files of a folder. Which words make their rows
//! is learnt from the training texts.
//!
//! ```text
//! texts -> each word by its number, and how often -> a vocabulary in a schema -> rows of numbers
//! ```

use super::broken::Broken;
use super::csv::Lines;
use super::dataset::{Dataset, Split, split_rows};
use super::folder::{Files, Parts, What, is_text, listed};
use super::labels::Labels;
use super::open::{Column, Options, TEST};
use super::schema::{Beside, Field, Missing, Role, Schema, columns_are, dropped, wordless};
use super::values::{Values, to_f32};
use super::words::{MOST_WORDS, Vocabulary, words};
use crate::spelling::shorten;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The words of a vocabulary, where the options do not say how many: as many as Hinton and Salakhutdinov took in 2006.
const WORDS: usize = 2000;
/// The most bytes of a file with one text.
const BYTES: u64 = 16 << 20;
/// The bytes that the first line of a table is looked for in.
const HEADER: u64 = 1 << 16;

/// The words of all texts, before it is decided which make rows.
pub(super) struct Texts {
    path: PathBuf,
    /// The fields of a line by their names, and what the options say of them; the place of the text is `at`.
    fields: Vec<Field>,
    at: usize,
    /// All words in the order in which they came, and their places there.
    words: Vec<String>,
    known: HashMap<String, u32>,
    /// Text after text, its words and how often it has each; and where each text ends.
    counts: Vec<(u32, u32)>,
    ends: Vec<usize>,
    labels: Labels,
    ids: Vec<String>,
    notes: Vec<String>,
}

impl Texts {
    fn new(path: &Path, fields: Vec<Field>, at: usize, notes: Vec<String>) -> Texts {
        let (words, known, counts, ends) = (Vec::new(), HashMap::new(), Vec::new(), Vec::new());
        Texts { path: path.into(), fields, at, words, known, counts, ends, labels: Labels::default(), ids: Vec::new(), notes }
    }

    /// Reads the column `text` of a table whole.
    pub(super) fn read(path: &Path, text: &Column, options: &Options) -> Result<Texts> {
        check(options)?;
        let mut lines = Lines::open(path, None, options)?;
        let (fields, at) = fields(&lines, text, options)?;
        let place = |role: Role| fields.iter().position(|field| field.role == role);
        let (label, id) = (place(Role::Label), place(Role::Id));
        let mut texts = Texts::new(path, fields, at, lines.notes().to_vec());
        texts.notes.extend(texts.unread(&lines, options)?);
        let mut left_out = 0;
        while lines.next()? {
            let failed = |at: usize, problem: String| Error::data(path, format!("{}: {problem}", lines.at(at)), "Correct the field.");
            let field = |at: usize| lines.text(at).map_err(|problem| failed(at, problem));
            let text = match lines.text(at) {
                Ok(text) => text,
                Err(problem) => {
                    let problem = format!("{}: {problem}", lines.at(at));
                    lines.leave_out(problem).map_err(|problem| Error::data(path, problem, "Correct the field."))?;
                    continue;
                }
            };
            if text.is_empty() && options.missing == Missing::Drop {
                left_out += 1;
                continue;
            }
            texts.count(text);
            if let Some(at) = label {
                texts.labels.push(field(at)?).map_err(|problem| failed(at, problem))?;
            }
            if let Some(at) = id {
                texts.ids.push(field(at)?.to_string());
            }
        }
        texts.notes.extend(lines.left_out());
        if left_out > 0 {
            texts.notes.push(dropped(path, left_out, left_out + texts.len()));
        }
        Ok(texts)
    }

    /// Reads the files of a folder, each of which is a text.
    pub(super) fn of_files(files: &Files, classes: &[String], options: &Options) -> Result<Texts> {
        check(options)?;
        let mut texts = Texts::new(&files.folder, vec![Field { name: None, role: Role::Dropped }], 0, Vec::new());
        if !files.others.is_empty() {
            let left_out = listed(&files.folder, &files.others);
            texts.notes.push(format!("{}: files that are no texts are left out {left_out}", files.folder.display()));
        }
        texts.labels = Labels::of_classes(classes);
        let mut broken = Broken::default();
        let mut kept = Vec::with_capacity(files.found.len());
        for (file, name) in files.found.iter().zip(files.names()) {
            let text = match text_of(&file.path) {
                Err(Error::Data { problem, .. }) if options.skip_broken => {
                    broken.add(format!("{name}: {problem}"));
                    continue;
                }
                text => text?,
            };
            texts.count(&text);
            kept.push(name);
            if let Some(class) = &file.class {
                texts.labels.push(class).map_err(|problem| Error::data(&file.path, problem, "Give a folder with fewer classes."))?;
            }
        }
        if kept.is_empty() {
            let problem = "none of its texts is in UTF-8, or in UTF-16 with its mark";
            return Err(Error::data(&files.folder, problem, "Save them again as UTF-8."));
        }
        texts.ids = kept;
        texts.notes.extend(broken.note(&files.folder, "text"));
        Ok(texts)
    }

    /// The columns that are no part of the rows although nobody said that they are left out.
    fn unread(&self, lines: &Lines, options: &Options) -> Result<Option<String>> {
        let said: Vec<usize> = options.drop.iter().map(|column| lines.find(column)).collect::<Result<_>>()?;
        let is_unread = |at: &usize| *at != self.at && self.fields[*at].role == Role::Dropped && !said.contains(at);
        let places: Vec<usize> = (0..self.fields.len()).filter(is_unread).collect();
        let numbers: Vec<String> = places.iter().map(usize::to_string).collect();
        let names: Vec<&str> = places.iter().zip(&numbers).map(|(&at, number)| self.fields[at].name.as_deref().unwrap_or(number)).collect();
        let of = || format!("{}: the {} left out: rows are made of words", self.path.display(), columns_are(&names));
        Ok((!names.is_empty()).then(of))
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn count(&mut self, text: &str) {
        let mut counts = BTreeMap::new();
        for word in words(text) {
            let next = self.words.len() as u32;
            let place = *self.known.entry(word).or_insert_with_key(|word| {
                self.words.push(word.clone());
                next
            });
            *counts.entry(place).or_insert(0) += 1;
        }
        self.counts.extend(counts);
        self.ends.push(self.counts.len());
    }

    /// The words of a text.
    fn text(&self, row: u32) -> &[(u32, u32)] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.counts[start..self.ends[row]]
    }

    /// The most frequent words of these texts.
    fn learn(&self, rows: &[u32], options: &Options) -> Result<Schema> {
        let most = options.words.unwrap_or(WORDS);
        let texts = rows.iter().map(|&row| self.text(row));
        let Some(vocabulary) = Vocabulary::learn(&self.words, texts, most, options.weighting) else {
            let what = match &self.fields[self.at].name {
                Some(name) => format!("the column `{}` has no words in the {} texts to train on", shorten(name), rows.len()),
                None => format!("there are no words in the {} texts to train on", rows.len()),
            };
            return Err(Error::data(&self.path, what, "Name a column of texts: --text COLUMN."));
        };
        let mut fields = self.fields.clone();
        fields[self.at].role = Role::Words(Box::new(vocabulary));
        let mut schema = Schema { fields, missing: options.missing, ..Schema::default() };
        schema.said(options);
        Ok(schema)
    }

    /// What the options know, or what is learnt from these texts.
    pub(super) fn schema(&self, rows: &[u32], options: &Options) -> Result<Arc<Schema>> {
        match &options.schema {
            Some(schema) => Ok(schema.clone()),
            None => self.learn(rows, options).map(Arc::new),
        }
    }

    /// 5/6 to train on, 1/6 to test.
    pub(super) fn split(&self, options: &Options) -> Result<Split> {
        let name = self.path.display();
        let (train, test) = split_rows(&name.to_string(), self.len(), TEST, 0)?;
        let schema = self.schema(&train, options)?;
        let rows = |rows: &[u32], part: &str| Ok::<_, Error>(self.rows(&schema, rows)?.named(&format!("{name} ({part})")));
        Ok(Split::new(rows(&train, "train")?, rows(&test, "test")?))
    }

    /// The rows of these texts.
    pub(super) fn rows(&self, schema: &Arc<Schema>, rows: &[u32]) -> Result<Dataset> {
        let Some(vocabulary) = schema.vocabulary() else { return Err(not_of_texts(&self.path)) };
        let places: Vec<Option<u32>> = self.words.iter().map(|word| vocabulary.place(word)).collect();
        let mut values: Vec<f32> = Vec::new();
        let (mut row, mut none) = (Vec::with_capacity(schema.columns()), 0);
        let room = rows.len().checked_mul(schema.columns()).filter(|&numbers| values.try_reserve_exact(numbers).is_ok());
        if room.is_none() {
            let problem = format!("{} rows of {} words do not fit into memory", rows.len(), schema.columns());
            return Err(Error::data(&self.path, problem, "Use fewer words: --words."));
        }
        for &at in rows {
            let text = self.text(at);
            let mut counts: Vec<(u32, u32)> =
                text.iter().filter_map(|&(word, count)| places[word as usize].map(|place| (place, count))).collect();
            counts.sort_unstable();
            none += usize::from(counts.is_empty());
            row.clear();
            vocabulary.weigh(&counts, &mut row);
            values.extend(row.iter().map(|&x| to_f32(x)));
        }
        let ids = (!self.ids.is_empty()).then(|| rows.iter().map(|&row| self.ids[row as usize].clone()).collect());
        let (labels, classes) = self.labels.of(rows);
        // Of all texts, so that the parts of a file say the same.
        let known = self.counts.iter().filter(|(word, _)| places[*word as usize].is_some()).count();
        let mut notes = self.notes.clone();
        notes.push(format!(
            "{}: texts are read by {} words ({}), {:.1} % of their different words",
            self.path.display(),
            vocabulary.words().len(),
            vocabulary.weighting(),
            100.0 * known as f64 / self.counts.len().max(1) as f64
        ));
        notes.extend(wordless(&self.path, none, rows.len()));
        Ok(Dataset::of_table(&self.path, schema, Values::Floats(values), Beside { labels, classes, ids, filled: Vec::new() }, notes))
    }
}

/// Reads all texts of a folder without parts.
pub(super) fn read(folder: &Path, options: &Options) -> Result<Dataset> {
    let files = Files::of(folder, What::Texts)?;
    let texts = Texts::of_files(&files, &classes(folder, &[&files])?, options)?;
    let all: Vec<u32> = (0..texts.len() as u32).collect();
    texts.rows(&texts.schema(&all, options)?, &all)
}

/// Reads the parts of a folder; what has no test part is split at random.
pub(super) fn open(folder: &Path, options: &Options) -> Result<Split> {
    let parts = Parts::of(folder)?;
    let part = |path: Option<&Path>| path.map(|path| Files::of(path, What::Texts)).transpose();
    let Some(parts) = parts else {
        let files = Files::of(folder, What::Texts)?;
        let texts = Texts::of_files(&files, &classes(folder, &[&files])?, options)?;
        return texts.split(options);
    };
    let (train, validation, test) =
        (Files::of(&parts.train, What::Texts)?, part(parts.validation.as_deref())?, part(parts.test.as_deref())?);
    let all: Vec<&Files> = [Some(&train), validation.as_ref(), test.as_ref()].into_iter().flatten().collect();
    let classes = classes(folder, &all)?;
    let texts = Texts::of_files(&train, &classes, options)?;
    let Some(test) = test else { return texts.split(options) };
    let rows: Vec<u32> = (0..texts.len() as u32).collect();
    let schema = texts.schema(&rows, options)?;
    let of = |files: &Files| -> Result<Dataset> {
        let texts = Texts::of_files(files, &classes, options)?;
        texts.rows(&schema, &(0..texts.len() as u32).collect::<Vec<_>>())
    };
    let train = texts.rows(&schema, &rows)?.with_notes(parts.notes.clone());
    Ok(Split { validation: validation.as_ref().map(of).transpose()?, ..Split::new(train, of(&test)?) })
}

/// The classes of all files, sorted.
fn classes(folder: &Path, all: &[&Files]) -> Result<Vec<String>> {
    let classes: BTreeSet<&String> = all.iter().flat_map(|files| &files.found).filter_map(|found| found.class.as_ref()).collect();
    match classes.len() {
        0..=256 => Ok(classes.into_iter().cloned().collect()),
        count => {
            let problem = format!("there are {count} sub-folders, and 256 classes are the limit");
            Err(Error::data(folder, problem, "Give a folder with fewer."))
        }
    }
}

impl Options {
    /// Rows of texts in memory: their most frequent words are learnt from all of them, unless there is a schema.
    ///
    /// # Errors
    /// When there is no word in them, a number of words that is not 1 to 65,536, or a schema of other rows.
    ///
    /// ```
    /// use narrows::data::{Options, Weighting};
    /// let options = Options::default().words(3).weighting(Weighting::Binary);
    /// let texts = options.texts(&["Eis und Öl", "öl 😀", "Öl, Eis; 😀"])?;
    /// assert_eq!(texts.names().unwrap(), ["öl", "eis", "😀"]);
    /// assert_eq!(texts.rows_f32(1..2), [1.0, 0.0, 1.0]);
    /// # Ok::<(), narrows::Error>(())
    /// ```
    pub fn texts<T: AsRef<str>>(&self, texts: &[T]) -> Result<Dataset> {
        check(self)?;
        let mut all = Texts::new(Path::new("texts"), vec![Field { name: None, role: Role::Dropped }], 0, Vec::new());
        texts.iter().for_each(|text| all.count(text.as_ref()));
        let rows: Vec<u32> = (0..texts.len() as u32).collect();
        all.rows(&all.schema(&rows, self)?, &rows)
    }
}

impl Options {
    /// The beginnings of texts, `characters` of each, with blanks for line ends: those of the rows with these numbers,
    /// as [`Options::read`] counts them, in a table or a folder without parts. The options need the schema of a model
    /// of texts.
    ///
    /// # Errors
    /// As [`Options::read`]; or the schema is that of other rows.
    pub fn excerpts(&self, path: impl AsRef<Path>, rows: &[usize], characters: usize) -> Result<Vec<String>> {
        let path = path.as_ref();
        let schema = self.schema.as_ref().filter(|schema| schema.is_of_texts()).ok_or_else(|| not_of_texts(path))?;
        let mut found = HashMap::new();
        let short = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(characters).collect::<String>();
        if path.is_dir() || is_one(path, self) {
            let mut row = 0;
            for file in Files::of(path, What::Texts)?.found {
                // What is left out has no number, and only reading it tells.
                if rows.contains(&row) || self.skip_broken {
                    let text = match text_of(&file.path) {
                        Err(Error::Data { .. }) if self.skip_broken => continue,
                        text => text?,
                    };
                    if rows.contains(&row) {
                        found.insert(row, short(&text));
                    }
                }
                row += 1;
            }
        } else {
            let mut lines = Lines::open(path, None, self)?;
            let places = places(&lines, schema, self)?;
            let Some(at) = schema.fields.iter().position(|field| matches!(field.role, Role::Words(_))) else { return Ok(Vec::new()) };
            let mut row = 0;
            while lines.next()? {
                let text = match lines.text(places[at]) {
                    Err(_) if self.skip_broken => continue,
                    text => text.unwrap_or_default(),
                };
                if text.is_empty() && schema.missing == Missing::Drop {
                    continue;
                }
                if rows.contains(&row) {
                    found.insert(row, short(text));
                }
                row += 1;
            }
        }
        Ok(rows.iter().map(|row| found.get(row).cloned().unwrap_or_default()).collect())
    }
}

impl Schema {
    /// The rows of texts, as a network that knows this schema reads them. A text without any known word is all zeros.
    ///
    /// ```no_run
    /// use narrows::data::Options;
    /// let news = Options::default().text("body").label("topic").open("news.csv")?;
    /// let question = news.train.schema().map(|schema| schema.texts(&["shares fall in London"])).transpose()?;
    /// # Ok::<(), narrows::Error>(())
    /// ```
    ///
    /// # Errors
    /// When rows are not the words of texts, or there is no text.
    pub fn texts<T: AsRef<str>>(&self, texts: &[T]) -> Result<Dataset> {
        let path = Path::new("texts");
        let Some(vocabulary) = self.vocabulary() else { return Err(not_of_texts(path)) };
        let (mut values, mut none) = (Vec::new(), 0);
        for text in texts {
            let counts = vocabulary.count(text.as_ref());
            none += usize::from(counts.is_empty());
            vocabulary.weigh(&counts, &mut values);
        }
        let values = self.values(values);
        let notes = wordless(path, none, texts.len()).into_iter().collect();
        Ok(Dataset::of_table(path, &Arc::new(self.clone()), values, Beside::default(), notes))
    }
}

impl Schema {
    /// How many different words of a text the model knows, and how many there are; none where rows are not the words
    /// of texts.
    pub fn known_words(&self, text: &str) -> Option<[usize; 2]> {
        let all: BTreeSet<String> = words(text).collect();
        let vocabulary = self.vocabulary()?;
        Some([all.iter().filter(|word| vocabulary.place(word).is_some()).count(), all.len()])
    }
}

/// Whether a file is one text for a model of texts, and no table of them: it is called one, nothing is said of columns,
/// and its first line does not name the column that the model was trained on, alone or beside a comma, a semicolon, a
/// tab or a bar: blanks are in every text.
pub(super) fn is_one(path: &Path, options: &Options) -> bool {
    let Some(schema) = options.schema.as_ref().filter(|schema| schema.is_of_texts() && is_text(path)) else { return false };
    let said = options.columns().next().is_some() || options.header.is_some() || options.delimiter.or(options.decimal).is_some();
    let name = schema.fields.iter().find(|field| matches!(field.role, Role::Words(_))).and_then(|field| field.name.as_ref());
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEADER).read_to_end(&mut start));
    let start = String::from_utf8_lossy(&start);
    let mut fields = start.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().split([',', ';', '\t', '|']);
    let is_table = read.is_ok() && name.is_some_and(|name| fields.any(|field| field.trim().trim_matches('"') == name));
    !said && !is_table
}

pub(super) fn not_of_texts(path: &Path) -> Error {
    Error::data(path, "these are texts, and the model was not trained on texts", "Use a model that was trained with --text.")
}

/// Refuses options that texts have no use for.
fn check(options: &Options) -> Result<()> {
    match options.words {
        Some(words) if words == 0 || words > MOST_WORDS => {
            Err(Error::argument("words", format!("{words} are asked for"), format!("Use 1 to {MOST_WORDS}; 2000 is usual.")))
        }
        _ if !options.categorical.is_empty() || options.image_size.is_some() => {
            let problem = "rows are the words of a text, and no other column is part of them";
            Err(Error::argument("categorical, image size", problem, "Leave these options out, or the text."))
        }
        _ => Ok(()),
    }
}

/// What the options say of each field, and the place of the text. What nobody names is no part of the rows.
fn fields(lines: &Lines, text: &Column, options: &Options) -> Result<(Vec<Field>, usize)> {
    let name = |at: usize| lines.names().map(|names| names[at].clone());
    let mut fields: Vec<Field> = (0..lines.fields()).map(|at| Field { name: name(at), role: Role::Dropped }).collect();
    let at = lines.find(text)?;
    let mut taken = vec![at];
    for (column, role) in [(&options.label, Role::Label), (&options.id, Role::Id)] {
        let Some(column) = column else { continue };
        let place = lines.find(column)?;
        if taken.contains(&place) {
            let problem = format!(
                "{} is said to be two things",
                name(place).map_or_else(|| place.to_string(), |name| format!("`{}`", shorten(&name)))
            );
            return Err(Error::argument("text, label, id", problem, "Name each column once."));
        }
        taken.push(place);
        fields[place].role = role;
    }
    for column in &options.drop {
        if lines.find(column)? == at {
            return Err(Error::argument("text, drop", "the text is to be left out", "Name each column once."));
        }
    }
    Ok((fields, at))
}

/// The place in a line of each field of a schema of texts: by the options, else by name, else by place. What is not
/// there has a place behind the last.
pub(super) fn places(lines: &Lines, schema: &Schema, options: &Options) -> Result<Vec<usize>> {
    let names = lines.names();
    let same = names.is_none() && lines.fields() == schema.fields.len();
    let find = |field: &Field| names.and_then(|names| names.iter().position(|name| Some(name) == field.name.as_ref()));
    let absent = lines.fields();
    let mut places = Vec::new();
    for (at, field) in schema.fields.iter().enumerate() {
        let found = find(field).or(same.then_some(at));
        places.push(match (&field.role, &options.text) {
            (Role::Words(_), Some(column)) => lines.find(column)?,
            (Role::Words(_), None) => match found.or((absent == 1).then_some(0)) {
                Some(place) => place,
                None => {
                    let name = field.name.as_ref().map(|name| format!(" `{}`", shorten(name))).unwrap_or_default();
                    let problem = format!("no column is known to be the text{name} that the model was trained on");
                    return Err(Error::data(lines.path(), problem, "Say which it is: --text COLUMN."));
                }
            },
            _ => found.unwrap_or(absent),
        });
    }
    Ok(places)
}

/// The text in a file.
fn text_of(path: &Path) -> Result<String> {
    let length = fs::metadata(path).map_err(|e| Error::io(path, "reading", e))?.len();
    if length > BYTES {
        let problem = format!("it has {length} bytes, and a text at most {BYTES}");
        return Err(Error::data(path, problem, "Cut it into several, or remove it."));
    }
    let bytes = fs::read(path).map_err(|e| Error::io(path, "reading", e))?;
    let unit = |big: bool| {
        let pair = |pair: &[u8; 2]| if big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
        String::from_utf16(&bytes[2..].as_chunks().0.iter().map(pair).collect::<Vec<_>>()).ok()
    };
    let text = match &bytes[..] {
        [0xff, 0xfe, ..] => unit(false),
        [0xfe, 0xff, ..] => unit(true),
        bytes => std::str::from_utf8(bytes).ok().map(|text| text.trim_start_matches('\u{feff}').to_string()),
    };
    text.ok_or_else(|| Error::data(path, "it is not text in UTF-8", "Save it again as UTF-8, remove it, or leave it out: --skip-broken."))
}
