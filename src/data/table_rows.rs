//! The rows that a schema makes of the lines of a file or a pipe, a chunk at a time.

use super::chunks::Chunk;
use super::csv::Lines;
use super::dataset::Dataset;
use super::labels::{EMPTY_LABEL, Labels};
use super::open::Options;
use super::schema::{Beside, Cell, Field, Maker, Role, Schema, columns_are, quoted};
use super::source::Source;
use super::table::nothing_left;
use super::texts;
use super::values::Values;
use crate::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// The numbers of texts that are read before they become f32.
const PACKED: usize = 1 << 20;

/// Takes the label of a row, or says why not.
type TakeLabel<'a> = dyn FnMut(&str) -> std::result::Result<(), String> + 'a;

/// Rows being read.
pub(super) struct TableRows {
    lines: Lines,
    schema: Arc<Schema>,
    maker: Maker,
    /// The place in a line of each field of the schema.
    places: Vec<usize>,
    label: Option<usize>,
    id: Option<(usize, String)>,
    notes: Vec<String>,
}

impl TableRows {
    /// Opens a file, or takes `source` under the name `path`. Without a schema of columns in the options, all are
    /// numbers.
    pub(super) fn open(path: &Path, source: Option<Source>, options: &Options) -> Result<TableRows> {
        let lines = Lines::open(path, source, options)?;
        let mut notes = lines.notes().to_vec();
        let (schema, places) = match options.schema.as_ref().filter(|schema| !schema.is_of_images()) {
            Some(schema) if schema.is_of_texts() => (schema.clone(), texts::places(&lines, schema, options)?),
            _ if options.text.is_some() && options.schema.is_some() => return Err(texts::not_of_texts(path)),
            Some(schema) => (schema.clone(), places(&lines, schema, options, &mut notes)?),
            None => (Arc::new(plain(&lines, options)?), (0..lines.fields()).collect()),
        };
        let find = |asked: &Option<super::Column>, role: Role| -> Result<Option<usize>> {
            match asked {
                Some(column) => lines.find(column).map(Some),
                None => Ok(schema.place(&role).map(|at| places[at]).filter(|&at| at < lines.fields())),
            }
        };
        let label = find(&options.label, Role::Label)?;
        let called = |at: usize| lines.names().map_or_else(|| "id".to_string(), |names| names[at].clone());
        let id = find(&options.id, Role::Id)?.map(|at| (at, called(at)));
        let known = schema.place(&Role::Id).and_then(|at| schema.fields[at].name.as_deref());
        if let (None, Some(name)) = (&id, known) {
            notes.push(format!("there is no column {}, which had the ids in training: the rows have none", quoted(&[name])));
        }
        Ok(TableRows { maker: Maker::new(&schema), lines, schema, places, label, id, notes })
    }

    /// Reads all rows.
    pub(super) fn everything(path: &Path, options: &Options) -> Result<Dataset> {
        let mut rows = TableRows::open(path, None, options)?;
        rows.maker = rows.maker.keeping();
        let (mut values, mut labels, mut ids) = (Vec::new(), Labels::default(), Vec::new());
        // Rows of words are wide, and f32 holds them: not all are to be f64 at once.
        let mut packed: Option<Values> = None;
        while rows.push(&mut values, Some(&mut |text: &str| labels.push(text)), &mut ids)? {
            if values.len() >= PACKED && rows.schema.is_of_texts() {
                let next = rows.schema.values(std::mem::take(&mut values));
                match &mut packed {
                    Some(packed) => packed.append(next),
                    None => packed = Some(next),
                }
            }
        }
        let rest = rows.schema.values(values);
        let values = match packed {
            Some(mut packed) => {
                packed.append(rest);
                packed
            }
            None => rest,
        };
        let count = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        let (labels, classes) = labels.of(&(0..count).collect::<Vec<_>>());
        let beside = Beside { labels, classes, ids: rows.id.is_some().then_some(ids), filled: rows.maker.places() };
        let notes = [rows.notes(), &rows.remarks()].concat();
        Ok(Dataset::of_table(path, &rows.schema, values, beside, notes))
    }

    pub(super) fn path(&self) -> &Path {
        self.lines.path()
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What the rows' ids are called.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_ref().map(|(_, name)| name.as_str())
    }

    /// What is left out or changed, as far as the first line tells.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What was left out and filled so far.
    pub(super) fn remarks(&self) -> Vec<String> {
        self.maker.notes(self.path()).into_iter().chain(self.lines.left_out()).collect()
    }

    /// The next rows, at most `rows`, and what their classes are called if they have labels and these are wanted.
    pub(super) fn take(&mut self, rows: usize, classes: bool) -> Result<Chunk> {
        let (mut values, mut ids, mut names) = (Vec::with_capacity(rows * self.schema.columns()), Vec::new(), Vec::new());
        let wanted = classes && self.label.is_some();
        let mut name = |text: &str| match text {
            "" => Err(EMPTY_LABEL.to_string()),
            _ => {
                names.push(text.to_string());
                Ok(())
            }
        };
        let mut label: Option<&mut TakeLabel> = if wanted { Some(&mut name) } else { None };
        while values.len() < rows * self.schema.columns() && self.push(&mut values, label.as_deref_mut(), &mut ids)? {}
        Ok(Chunk { values: self.schema.values(values), ids: self.id.is_some().then_some(ids), classes: wanted.then_some(names) })
    }

    /// Appends the row of the next line, unless it is left out; false at the end. `label` takes its label, if there is
    /// one.
    fn push(&mut self, values: &mut Vec<f64>, label: Option<&mut TakeLabel>, ids: &mut Vec<String>) -> Result<bool> {
        if !self.lines.next()? {
            return Ok(false);
        }
        let (lines, schema, places, start) = (&self.lines, &self.schema, &self.places, values.len());
        let said = |at: usize, problem: String| format!("{}: {problem}", lines.at(at));
        let failed = |at: usize, problem: String| refused(lines.path(), said(at, problem));
        let cell = |at: usize| match schema.fields[at].role {
            Role::Category(_) => lines.name(places[at]),
            Role::Words(_) => lines.text(places[at]).map(|text| if text.is_empty() { Cell::Gap("") } else { Cell::Text(text) }),
            _ => lines.cell(places[at]),
        };
        let made = match self.maker.push(cell, values) {
            Ok(made) => made,
            Err((at, problem)) => {
                let problem = said(places[at], problem);
                self.lines.leave_out(problem).map_err(|problem| refused(self.lines.path(), problem))?;
                values.truncate(start);
                self.maker.forget(start);
                return Ok(true);
            }
        };
        if made {
            if let (Some(at), Some(label)) = (self.label, label) {
                lines.text(at).and_then(label).map_err(|problem| failed(at, problem))?;
            }
            if let Some((at, _)) = &self.id {
                ids.push(lines.text(*at).map_err(|problem| failed(*at, problem))?.to_string());
            }
        }
        Ok(true)
    }
}

fn refused(path: &Path, problem: String) -> Error {
    Error::data(path, problem, "Correct the field, or use a model that knows such a column.")
}

/// A schema that only tells numbers from what stands beside them.
fn plain(lines: &Lines, options: &Options) -> Result<Schema> {
    let mut roles = vec![Role::Number(None); lines.fields()];
    let single = options.label.iter().map(|column| (column, Role::Label)).chain(options.id.iter().map(|column| (column, Role::Id)));
    for (column, role) in options.drop.iter().map(|column| (column, Role::Dropped)).chain(single) {
        roles[lines.find(column)?] = role;
    }
    if roles.iter().all(|role| role.width() == 0) {
        return Err(nothing_left(lines.path()));
    }
    let name = |at: usize| lines.names().map(|names| names[at].clone());
    let fields = roles.into_iter().enumerate().map(|(at, role)| Field { name: name(at), role }).collect();
    Ok(Schema { fields, missing: options.missing, ..Schema::default() })
}

/// The place in a line of each field of the schema: by name where both have names, else by place. A label, an id or a
/// dropped column that is not there has a place behind the last.
fn places(lines: &Lines, schema: &Schema, options: &Options, notes: &mut Vec<String>) -> Result<Vec<usize>> {
    let absent = lines.fields();
    let wanted = |field: &Field| matches!(field.role, Role::Number(_) | Role::Category(_));
    let Some(names) = lines.names().filter(|_| schema.is_named()) else {
        // Lines may have all the columns that the model was trained with, or only those of the rows.
        let rows = schema.fields.iter().filter(|field| wanted(field)).count();
        let mut next = 0..;
        return match lines.fields() {
            count if count == schema.fields.len() => Ok((0..count).collect()),
            count if count == rows + usize::from(options.id.is_some()) + usize::from(options.label.is_some()) => {
                let beside: Vec<usize> =
                    [&options.id, &options.label].into_iter().flatten().map(|column| lines.find(column)).collect::<Result<_>>()?;
                let mut free = next.by_ref().filter(|at| !beside.contains(at));
                Ok(schema.fields.iter().map(|field| if wanted(field) { free.next().unwrap_or(absent) } else { absent }).collect())
            }
            count => {
                let problem = format!(
                    "its lines have {count} fields, and the model knows {} columns, of which {rows} make a row",
                    schema.fields.len()
                );
                Err(Error::data(
                    lines.path(),
                    problem,
                    "Give the columns of the training data in their order, or a header with their names.",
                ))
            }
        };
    };
    let find = |name: &str| names.iter().position(|known| known == name);
    let identical = names.iter().eq(schema.fields.iter().filter_map(|field| field.name.as_ref()));
    let place = |(at, field): (usize, &Field)| if identical { Some(at) } else { field.name.as_deref().and_then(find) };
    let places: Vec<Option<usize>> = schema.fields.iter().enumerate().map(place).collect();
    let missing: Vec<&str> = schema
        .fields
        .iter()
        .zip(&places)
        .filter(|(field, place)| wanted(field) && place.is_none())
        .filter_map(|(field, _)| field.name.as_deref())
        .collect();
    if !missing.is_empty() {
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let problem = format!("the {} missing: the first line has {}", columns_are(&missing), quoted(&all));
        return Err(Error::data(lines.path(), problem, "Give every column that the model was trained on; the order does not matter."));
    }
    let said: Vec<usize> = [&options.id, &options.label].into_iter().flatten().map(|column| lines.find(column)).collect::<Result<_>>()?;
    let extra: Vec<&str> =
        (0..absent).filter(|at| !places.contains(&Some(*at)) && !said.contains(at)).map(|at| names[at].as_str()).collect();
    if !extra.is_empty() {
        let them = if extra.len() > 1 { "them" } else { "it" };
        notes.push(format!("{}: the {} left out: the model does not know {them}", lines.path().display(), columns_are(&extra)));
    }
    Ok(places.into_iter().map(|place| place.unwrap_or(absent)).collect())
}
