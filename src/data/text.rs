//! What comes before the fields of a table: how its text is packed, and how it is written.
//!
//! ```text
//! bytes -> gzip is unpacked -> UTF-16 becomes UTF-8 -> the first 64 KiB tell the dialect
//!       -> blanks and line ends are tidied
//! ```
//!
//! Delimiter and decimal sign are found only where one reading fits; what is ambiguous is an error that names the
//! flags. A pipe may stay open: no more is awaited than two whole lines, or one where the user says both.

use super::source::{Source, Unpacking, failed, fault, peek};
use crate::{Error, Result};
use csv::{ByteRecord, ReaderBuilder};
use flate2::read::MultiGzDecoder;
use std::cmp::Reverse;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The most bytes, and the most lines, by which the dialect is found.
const BYTES: usize = 1 << 16;
const LINES: usize = 100;
/// The delimiter that stands for any number of blanks and tabs.
const BLANKS: u8 = b' ';

/// What the user says of a table's text. The rest is found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Wanted {
    /// The byte between two fields; a blank stands for any number of blanks and tabs.
    pub(super) delimiter: Option<u8>,
    /// The byte before the decimals: a point or a comma.
    pub(super) decimal: Option<u8>,
}

impl Wanted {
    fn check(self) -> Result<()> {
        match (self.delimiter, self.decimal) {
            (Some(delimiter), _) if !may_delimit(delimiter) => {
                let problem = format!("fields are not separated by {}", name(delimiter));
                Err(Error::argument("--delimiter", problem, "Use a comma, a semicolon, a tab, a blank or the like."))
            }
            (_, Some(decimal)) if !matches!(decimal, b'.' | b',') => {
                Err(Error::argument("--decimal", format!("it is {}", name(decimal)), "Use a point or a comma."))
            }
            (Some(delimiter), Some(decimal)) if delimiter == decimal => {
                let problem = format!("both are {}", name(delimiter));
                Err(Error::argument("--delimiter, --decimal", problem, "Say what stands between fields, and what before decimals."))
            }
            _ => Ok(()),
        }
    }
}

fn may_delimit(byte: u8) -> bool {
    byte == b'\t' || byte == BLANKS || byte.is_ascii_punctuation() && !matches!(byte, b'"' | b'.' | b'+' | b'-' | b'_')
}

/// How a table is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dialect {
    /// The byte between two fields.
    pub(super) delimiter: u8,
    /// The byte before the decimals: a point or a comma.
    pub(super) decimal: u8,
    /// What was found or left out, a sentence each without a full stop.
    pub(super) notes: Vec<String>,
}

/// The text of a table as UTF-8 without marks, and how it is written.
///
/// Lines end in `\n` and keep their numbers: one that is left out at the beginning is there, empty. No field begins
/// with a blank, so that a quote after blanks is a quote; blanks at its end are left. Its errors are for
/// [`failed`](super::source::failed).
pub(super) fn open(path: &Path, source: Source, wanted: Wanted) -> Result<(Source, Dialect)> {
    wanted.check()?;
    let source = decoded(path, unpacked(path, source)?)?;
    let lines = if wanted.delimiter.is_some() && wanted.decimal.is_some() { 1 } else { 2 };
    let (mut start, source) = begun(path, source, lines)?;
    if start.starts_with(b"\xef\xbb\xbf") {
        start.drain(..3);
    }
    refuse_others(path, &start)?;
    let preamble = Preamble::of(&start);
    if preamble.bytes >= BYTES - 3 {
        return Err(Error::data(path, format!("its first {} KiB are comments", BYTES >> 10), "Remove them."));
    }
    let wanted = Wanted { delimiter: wanted.delimiter.or(preamble.delimiter), ..wanted };
    wanted.check()?;
    let (mut dialect, records) = dialect(path, &start[preamble.bytes..], start.len() >= BYTES - 3, wanted)?;
    let header = preamble.header(&start, dialect.delimiter, records.first());
    if let comments @ 1.. = preamble.comments - usize::from(header.is_some()) {
        let lines = if comments == 1 { "a comment line".into() } else { format!("{comments} comment lines") };
        dialect.notes.push(format!("{}: {lines} at the beginning left out", path.display()));
    }
    let (before, table) = start.split_at(header.unwrap_or(preamble.bytes));
    let twos = before.windows(2).filter(|two| two == b"\r\n").count();
    let lines = before.iter().filter(|byte| is_end(byte)).count() - twos;
    let begin = [&vec![b'\n'; lines], table].concat();
    Ok((Box::new(Tidy::new(path, Cursor::new(begin).chain(source), dialect.delimiter)), dialect))
}

fn unpacked(path: &Path, source: Source) -> Result<Source> {
    let (two, source) = peek(path, source, 2)?;
    Ok(match two[..] {
        [0x1f, 0x8b] => Box::new(Unpacking { path: path.into(), what: "gzip stream", reader: MultiGzDecoder::new(source) }),
        _ => source,
    })
}

fn decoded(path: &Path, source: Source) -> Result<Source> {
    let (two, mut source) = peek(path, source, 2)?;
    let unit = match two[..] {
        [0xff, 0xfe] => u16::from_le_bytes,
        [0xfe, 0xff] => u16::from_be_bytes,
        _ => return Ok(source),
    };
    source.read_exact(&mut [0; 2]).map_err(|e| failed(path, e))?;
    Ok(Box::new(Utf16 { path: path.into(), source, unit, piece: [0; 1 << 13], held: 0, text: Cursor::default() }))
}

/// UTF-16 as UTF-8.
struct Utf16 {
    path: PathBuf,
    source: Source,
    unit: fn([u8; 2]) -> u16,
    /// What was read; its first `held` bytes wait for the rest of their character.
    piece: [u8; 1 << 13],
    held: usize,
    text: Cursor<Vec<u8>>,
}

impl Read for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.text.position() == self.text.get_ref().len() as u64 {
            let came = self.source.read(&mut self.piece[self.held..])?;
            if came == 0 && self.held == 0 {
                return Ok(0);
            }
            let bytes = self.held + came;
            let mut units: Vec<u16> = self.piece[..bytes].as_chunks().0.iter().map(|&pair| (self.unit)(pair)).collect();
            // The first half of a character waits for the second, unless the text is at its end.
            if came > 0 && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
                units.pop();
            }
            let text = String::from_utf16(&units).ok().filter(|_| came > 0);
            let text = text.ok_or_else(|| fault(&self.path, "its UTF-16 is damaged", "Save it again as UTF-8."))?;
            self.piece.copy_within(2 * units.len()..bytes, 0);
            self.held = bytes - 2 * units.len();
            self.text = Cursor::new(text.into_bytes());
        }
        self.text.read(buffer)
    }
}

/// The beginning of the text: [`BYTES`], or what there is once that is `lines` whole lines; and the source after it.
fn begun(path: &Path, mut source: Source, lines: usize) -> Result<(Vec<u8>, Source)> {
    let (mut start, mut held) = (vec![0; BYTES], 0);
    loop {
        match source.read(&mut start[held..]) {
            Ok(0) => break,
            Ok(count) => held += count,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(failed(path, e)),
        }
        let text = &start[..held];
        if held < BYTES && text.last().is_some_and(is_end) && lines_of(&text[Preamble::of(text).bytes..]).count() >= lines {
            break;
        }
    }
    start.truncate(held);
    Ok((start, source))
}

fn is_end(byte: &u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// The filled lines of a text, each with one byte of its end.
fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(is_end).filter(|line| !line.trim_ascii().is_empty())
}

/// What other files begin with, what they are, and what to do.
const OTHERS: [(&[u8], &str, &str); 20] = [
    (b"PK\x03\x04", "a zip archive, as Excel's .xlsx and numpy's .npz are", "Save it as CSV, or name the .npz file."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", SAVE),
    (b"PAR1", "Parquet", "Write it as CSV: pandas.read_parquet(file).to_csv(table, index=False)."),
    (b"ARROW1", "Feather", "Write it as CSV: pandas.read_feather(file).to_csv(table, index=False)."),
    (b"\x89HDF", "HDF5", SAVE),
    (b"\x93NUMPY", "a numpy array", "Let its name end in .npy."),
    (b"SQLite format 3", "an SQLite database", SAVE),
    (b"\x89PNG", "a PNG image", "Name the folder of the images."),
    (b"\xff\xd8\xff", "a JPEG image", "Name the folder of the images."),
    (b"%PDF", "a PDF", SAVE),
    (b"BZh", "packed with bzip2", UNPACK),
    (b"\xfd7zXZ", "packed with xz", UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed with zstd", UNPACK),
    (b"<!doctype", "an HTML page", "Get the file itself: its address may lead to a page about it."),
    (b"<html", "an HTML page", "Get the file itself: its address may lead to a page about it."),
    (b"<?xml", "XML", SAVE),
    (b"{", "JSON", SAVE),
    (b"[{", "JSON", SAVE),
    (b"@relation", "ARFF", SAVE),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file itself", "Get the file with git lfs pull."),
];
const SAVE: &str = "Save it as CSV.";
const UNPACK: &str = "Unpack it first; only gzip is unpacked here.";

/// Refuses what is no text, or another format.
fn refuse_others(path: &Path, start: &[u8]) -> Result<()> {
    let text = start.trim_ascii_start();
    let begins = |mark: &[u8]| text.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark));
    if let Some((_, what, remedy)) = OTHERS.iter().find(|(mark, ..)| begins(mark)) {
        return Err(Error::data(path, format!("this is no table but {what}"), *remedy));
    }
    let [even, odd] = [0, 1].map(|from| start.iter().skip(from).step_by(2).filter(|&&byte| byte == 0).count());
    if even.min(odd) == 0 && even.max(odd) * 4 > start.len() {
        let problem = "this is UTF-16 without the mark at its beginning that would say so";
        return Err(Error::data(path, problem, "Save it as UTF-8, or as UTF-16 with a byte order mark."));
    }
    Ok(())
}

/// The lines before a table: blank ones, comments, and Excel's `sep=;`.
#[derive(Default)]
struct Preamble {
    bytes: usize,
    comments: usize,
    /// Where the comment on the line before the table begins.
    last: Option<usize>,
    delimiter: Option<u8>,
}

impl Preamble {
    fn of(text: &[u8]) -> Preamble {
        let mut preamble = Preamble::default();
        for line in text.split_inclusive(is_end) {
            match line.split(is_end).next().unwrap_or_default() {
                [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', byte] if preamble.delimiter.is_none() && may_delimit(*byte) => {
                    preamble.delimiter = Some(*byte);
                }
                text if text.trim_ascii().is_empty() => {}
                [b'#' | b'%', ..] => {
                    preamble.comments += 1;
                    preamble.last = Some(preamble.bytes);
                }
                _ => break,
            }
            preamble.bytes += line.len();
        }
        preamble
    }

    /// Where the names of the columns begin, if that comment has a name for each number of the `first` row. In
    /// `# time,value` the mark is not a name; in `#,name` it is one.
    fn header(&self, text: &[u8], delimiter: u8, first: Option<&ByteRecord>) -> Option<usize> {
        let (at, first) = (self.last?, first?);
        let names = split(text[at..self.bytes].trim_ascii().get(1..)?, delimiter).into_iter().next()?;
        let named = names.len() == first.len() && !names.iter().any(is_number) && first.iter().any(is_number);
        named.then(|| at + usize::from(!names[0].is_empty()))
    }
}

/// The first records of a text, as this delimiter splits them.
fn split(text: &[u8], delimiter: u8) -> Vec<ByteRecord> {
    let tidy = Tidy::new(Path::new(""), text, delimiter);
    let reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(tidy);
    reader.into_byte_records().take(LINES).map_while(std::result::Result::ok).collect()
}

fn is_number(field: &[u8]) -> bool {
    str::from_utf8(field.trim_ascii()).is_ok_and(|text| text.parse::<f64>().is_ok())
}

/// The number with a decimal comma in a field, with a point in its place.
fn pointed(field: &[u8]) -> Option<String> {
    let text = str::from_utf8(field.trim_ascii()).ok()?;
    let pointed = text.replacen(',', ".", 1);
    (!text.contains('.') && text.contains(',') && is_number(pointed.as_bytes())).then_some(pointed)
}

/// The beginning of a table, as one delimiter splits it.
struct Reading {
    delimiter: u8,
    records: Vec<ByteRecord>,
}

impl Reading {
    fn new(text: &[u8], cut: bool, delimiter: u8) -> Reading {
        let mut records = split(text, delimiter);
        if cut && records.len() > 1 {
            records.pop();
        }
        Reading { delimiter, records }
    }

    /// How many lines have more than one field.
    fn split_lines(&self) -> usize {
        self.records.iter().filter(|record| record.len() > 1).count()
    }

    /// The better, the smaller: all lines have the same number of fields; few of these are texts, the first line
    /// aside; there are many fields. Where lines differ, many of them are split.
    fn rank(&self) -> (bool, usize, Reverse<usize>) {
        let fields = self.records.first().map_or(0, ByteRecord::len);
        if fields < 2 || self.records.iter().any(|record| record.len() != fields) {
            return (true, 0, Reverse(self.split_lines()));
        }
        let is_text = |field: &&[u8]| !field.trim_ascii().is_empty() && !is_number(field) && pointed(field).is_none();
        let header = usize::from(self.records.len() > 1);
        (false, self.records.iter().skip(header).flatten().filter(is_text).count(), Reverse(fields))
    }

    /// The byte before the decimals, or the fields between which it can't be told.
    fn decimal(&self) -> std::result::Result<u8, String> {
        if self.delimiter == b',' {
            return Ok(b'.');
        }
        let fields = || self.records.iter().flatten();
        let commas: Vec<String> = fields().filter_map(pointed).collect();
        let Some(comma) = commas.first() else { return Ok(b'.') };
        let comma = comma.replace('.', ",");
        if let Some(point) = fields().find(|field| field.contains(&b'.') && is_number(field)) {
            return Err(format!("there are numbers such as `{comma}` and such as `{}`", String::from_utf8_lossy(point)));
        }
        if commas.iter().all(|text| is_grouped(text)) {
            return Err(format!("`{comma}` may be {} or {}", comma.replace(',', "."), comma.replace(',', "")));
        }
        Ok(b',')
    }
}

/// Whether a point in this number, which has one, may stand before thousands.
fn is_grouped(number: &str) -> bool {
    let digits = number.trim_start_matches(['+', '-']);
    digits.split_once('.').is_some_and(|(before, after)| matches!(before.len(), 1..=3) && !before.starts_with('0') && after.len() == 3)
}

/// How the text is written, and its first records.
fn dialect(path: &Path, text: &[u8], cut: bool, wanted: Wanted) -> Result<(Dialect, Vec<ByteRecord>)> {
    let may_be_blanks = Path::new(path.file_name().unwrap_or_default().to_string_lossy().trim_end_matches(".gz"))
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("txt") || e.eq_ignore_ascii_case("dat"));
    let candidates = match wanted.delimiter {
        Some(delimiter) => vec![delimiter],
        None => [b',', b';', b'\t', b'|', BLANKS]
            .into_iter()
            .filter(|&delimiter| Some(delimiter) != wanted.decimal && (delimiter != BLANKS || may_be_blanks))
            .collect(),
    };
    let mut readings: Vec<Reading> = candidates.into_iter().map(|delimiter| Reading::new(text, cut, delimiter)).collect();
    readings.sort_by_key(Reading::rank);
    let best = readings.remove(0);
    // Blanks beside another delimiter are blanks.
    let rival = readings.iter().find(|other| other.rank() == best.rank() && other.delimiter != BLANKS);
    if let Some(rival) = rival.filter(|_| best.split_lines() > 0) {
        let problem = format!("its fields may be separated by {} or {}", name(best.delimiter), name(rival.delimiter));
        return Err(Error::data(path, problem, "Say which with --delimiter."));
    }
    let mut notes = Vec::new();
    if wanted.delimiter.is_none() && best.delimiter != b',' {
        notes.push(format!("{}: fields are separated by {}", path.display(), name(best.delimiter)));
    }
    let decimal = match wanted.decimal {
        Some(decimal) => decimal,
        None => best.decimal().map_err(|problem| Error::data(path, problem, "Say which with --decimal."))?,
    };
    if wanted.decimal.is_none() && decimal == b',' {
        notes.push(format!("{}: numbers have a decimal comma", path.display()));
    }
    Ok((Dialect { delimiter: best.delimiter, decimal, notes }, best.records))
}

/// What people call a delimiter.
pub(super) fn name(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tabs".into(),
        BLANKS => "blanks".into(),
        other => format!("`{}`", other.escape_ascii()),
    }
}

/// Text whose lines end in `\n` and whose fields begin with no blank; where blanks are the delimiter, one stands
/// between two fields. What is within quotes stays as it is.
struct Tidy<R> {
    source: BufReader<R>,
    state: State,
}

/// What is known of the text so far.
struct State {
    path: PathBuf,
    delimiter: u8,
    place: Place,
    /// Blanks came that are a delimiter if one more field does.
    gap: bool,
    after_return: bool,
    line: u64,
}

/// Where the next byte stands.
#[derive(Clone, Copy)]
enum Place {
    /// At the beginning of a field.
    Start,
    Inside,
    Quoted,
    /// After a quote within quotes, which is their end or the first of two.
    Closed,
}

impl<R: Read> Tidy<R> {
    fn new(path: &Path, source: R, delimiter: u8) -> Tidy<R> {
        let state = State { path: path.into(), delimiter, place: Place::Start, gap: false, after_return: false, line: 1 };
        Tidy { source: BufReader::with_capacity(BYTES, source), state }
    }
}

impl<R: Read> Read for Tidy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written == 0 && !buffer.is_empty() {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            let mut taken = 0;
            while taken < bytes.len() && written < buffer.len() {
                let byte = bytes[taken];
                let given = if self.state.closes_gap(byte) {
                    Some(BLANKS)
                } else {
                    taken += 1;
                    self.state.tidy(byte)?
                };
                if let Some(byte) = given {
                    buffer[written] = byte;
                    written += 1;
                }
            }
            self.source.consume(taken);
        }
        Ok(written)
    }
}

impl State {
    fn is_blank(&self, byte: u8) -> bool {
        matches!(byte, b' ' | b'\t') && (byte != self.delimiter || self.delimiter == BLANKS)
    }

    /// Whether a field begins here, after blanks that are a delimiter.
    fn closes_gap(&mut self, byte: u8) -> bool {
        let closes = self.gap && !self.is_blank(byte) && !is_end(&byte);
        if closes {
            (self.gap, self.place) = (false, Place::Start);
        }
        closes
    }

    /// What becomes of a byte.
    fn tidy(&mut self, byte: u8) -> io::Result<Option<u8>> {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        let mut kept = Some(byte);
        self.place = match (self.place, byte) {
            (_, 0) => {
                let problem = format!("line {}: there is a NUL byte, which no text has", self.line);
                return Err(fault(&self.path, problem, "Save it again as UTF-8."));
            }
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Quoted, _) => Place::Quoted,
            (place, b'\n') if after_return => {
                kept = None;
                place
            }
            (_, b'\r' | b'\n') => {
                self.gap = false;
                kept = Some(b'\n');
                Place::Start
            }
            (Place::Start | Place::Closed, b'"') => Place::Quoted,
            (place, blank) if self.is_blank(blank) => {
                let starts = matches!(place, Place::Start);
                self.gap = self.delimiter == BLANKS && !starts;
                kept = kept.filter(|_| !starts && !self.gap);
                if starts { place } else { Place::Inside }
            }
            (_, delimiter) if delimiter == self.delimiter => Place::Start,
            _ => Place::Inside,
        };
        self.line += u64::from(kept == Some(b'\n'));
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    /// The fields of a table, and its dialect.
    fn read(name: &str, bytes: &[u8], wanted: Wanted) -> Result<(Vec<Vec<String>>, Dialect)> {
        let path = Path::new(name);
        let (mut text, dialect) = open(path, Box::new(Cursor::new(bytes.to_vec())), wanted)?;
        let mut bytes = Vec::new();
        text.read_to_end(&mut bytes).map_err(|e| failed(path, e))?;
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(dialect.delimiter).from_reader(&bytes[..]);
        let fields = |record: ByteRecord| record.iter().map(|field| String::from_utf8_lossy(field).trim().to_string()).collect();
        Ok((reader.byte_records().map(|record| fields(record.unwrap())).collect(), dialect))
    }

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn the_text_of_a_table_is_read_however_it_is_written() {
        let long = format!("x;y\n{}", "1,5;2\n".repeat(40_000));
        let cases: &[(&str, &[u8], &str, &[&str])] = &[
            // Delimiters.
            ("t.csv", b"a,b\n1.5,2\n", ",.", &["a|b", "1.5|2"]),
            ("t.csv", b"a;b\n1.5;2\n", ";.", &["a|b", "1.5|2"]),
            ("t.tsv", b"a\tb\n1.5\t2\n", "\t.", &["a|b", "1.5|2"]),
            ("t.csv", b"a|b\n1.5|2\n", "|.", &["a;b", "1.5;2"]),
            ("t.csv", b"x\n1\n2\n", ",.", &["x", "1", "2"]),
            ("t.txt", b"  1.5   2\n3 \t 4  \n", " .", &["1.5|2", "3|4"]),
            ("t.dat.gz", &gz(b"a b\n1 \"2 3\"\n"), " .", &["a|b", "1|2 3"]),
            ("t.txt", b"1\t2\n3\t4\n", "\t.", &["1|2", "3|4"]),
            ("t.txt", b"red apple,1\ngreen pear,2\n", ",.", &["red apple|1", "green pear|2"]),
            ("t.csv", b"name;x\n\"Smith, J\";1\n\"a;b\";2\n", ";.", &["name|x", "Smith, J|1", "a;b|2"]),
            ("t.csv", b"1,x;y,2\n2,z;w,3\n", ",.", &["1|x;y|2", "2|z;w|3"]),
            ("t.csv", b"1,2\n3\n", ",.", &["1|2", "3"]),
            ("t.csv", b"a report\n\na;b\n1;2\n", ";.", &["a report", "a|b", "1|2"]),
            ("t.csv", b"sep=|\na|b;c\n", "|.", &["a;b;c"]),
            ("t.csv", b"sep=\t\r\na\tb\r\n", "\t.", &["a|b"]),
            // Decimal commas.
            ("t.csv", b"a;b\n1,5;2\n-0,25;1e3\n", ";,", &["a|b", "1,5|2", "-0,25|1e3"]),
            ("t.csv", b"1,5;2,5\n3,5;4,5\n", ";,", &["1,5|2,5", "3,5|4,5"]),
            ("t.csv", b"1,5\t2\n", "\t,", &["1,5|2"]),
            ("t.txt", b"1,5 2,5\n3,5 4,5\n", " ,", &["1,5|2,5", "3,5|4,5"]),
            ("t.csv", b"a;b\n0,125;1,500\n", ";,", &["a|b", "0,125|1,500"]),
            ("t.csv", b"a;b\n01.02.2024;1,5\n", ";,", &["a|b", "01.02.2024|1,5"]),
            ("t.csv", long.as_bytes(), ";,", &["x|y", "1,5|2"]),
            // Comments, which may hold the header.
            ("t.csv", b"# one\n%two, more\n\na,b\n1,2\n#3,4\n", ",.", &["a|b", "1|2", "#3|4"]),
            ("t.csv", b"# made by hand\n# time, value\n1,2\n", ",.", &["time|value", "1|2"]),
            ("t.csv", b"#,name\n1,x\n", ",.", &["#|name", "1|x"]),
            ("t.dat", b"# time  value\n1 2\n", " .", &["time|value", "1|2"]),
            ("t.csv", b"#1,2\n3,4\n", ",.", &["3|4"]),
            // Marks, line ends and blanks.
            ("t.csv", b"\xef\xbb\xbfa,b\n1,2", ",.", &["a|b", "1|2"]),
            ("t.csv", &utf16("gr\u{f6}\u{df}e;\u{1f600}\n1,5;2", u16::to_le_bytes), ";,", &["gr\u{f6}\u{df}e|\u{1f600}", "1,5|2"]),
            ("t.csv", &gz(&utf16("sep=;\na;b\n", u16::to_be_bytes)), ";.", &["a|b"]),
            ("t.csv", b"a,b\r1,2\r3,4", ",.", &["a|b", "1|2", "3|4"]),
            ("t.csv", b"a,b\r\n\r\n1, \"2, \"\"3\"\" \" ,\t\"4\"\n", ",.", &["a|b", "1|2, \"3\"|4"]),
            ("t.csv", b"a,\" b\nc\"\n 5\" , 2\n", ",.", &["a|b\nc", "5\"|2"]),
            ("t.tsv", b"\t1\t 2\n\t3\t4\n", "\t.", &["|1|2", "|3|4"]),
            ("t.csv", b"", ",.", &[]),
        ];
        for (name, bytes, marks, rows) in cases {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
            let (read, dialect) = read(name, bytes, Wanted::default()).unwrap_or_else(|e| panic!("{shown:?}: {e}"));
            assert_eq!([dialect.delimiter, dialect.decimal], marks.as_bytes(), "{shown:?}");
            let between = if dialect.delimiter == b'|' { ";" } else { "|" };
            let read: Vec<String> = read.iter().map(|row| row.join(between)).collect();
            assert_eq!(read[..read.len().min(rows.len().max(1))], rows[..], "{shown:?}");
            assert_eq!(read.len(), if bytes.len() > BYTES { 40_001 } else { rows.len() }, "{shown:?}");
        }
    }

    #[test]
    fn lines_keep_their_numbers_and_what_was_found_is_said() {
        let (mut text, dialect) = open(Path::new("t.csv"), Box::new(&b"# one\r\n\rsep=;\n#x;y\r\n1,5;2"[..]), Wanted::default()).unwrap();
        let mut read = String::new();
        text.read_to_string(&mut read).unwrap();
        assert_eq!(read, "\n\n\nx;y\n1,5;2");
        let said = ["numbers have a decimal comma", "a comment line at the beginning left out"];
        let said = said.map(|said| format!("t.csv: {said}"));
        assert_eq!(dialect.notes, said);
    }

    #[test]
    fn what_the_user_says_goes_before_what_is_found() {
        let said = |delimiter: &[u8], decimal: &[u8]| Wanted { delimiter: delimiter.first().copied(), decimal: decimal.first().copied() };
        for (bytes, wanted, marks, row) in [
            (&b"1,5;2,5\n"[..], said(b",", b""), ",.", "1|5;2|5"),
            (b"sep=;\n1,5;2,5\n", said(b",", b""), ",.", "1|5;2|5"),
            (b"1,5\n", said(b"", b","), ";,", "1,5"),
            (b"1,234;2\n", said(b"", b","), ";,", "1,234|2"),
            (b"1.5;2,5\n", said(b"", b"."), ";.", "1.5|2,5"),
            (b"1 2\n", said(b" ", b""), " .", "1|2"),
        ] {
            let (rows, dialect) = read("t.csv", bytes, wanted).unwrap();
            assert_eq!(([dialect.delimiter, dialect.decimal].as_slice(), rows[0].join("|")), (marks.as_bytes(), row.to_string()));
        }
        for (wanted, text) in
            [(said(b",", b","), "both are `,`"), (said(b"1", b""), "not separated by `1`"), (said(b"", b"_"), "it is `_`")]
        {
            let error = read("t.csv", b"1\n", wanted).unwrap_err();
            assert!(matches!(&error, Error::Argument { .. }) && error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn what_is_no_table_or_ambiguous_is_named_with_the_way_out() {
        let mut damaged = gz(&b"1,2\n".repeat(2_000));
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0xff;
        let cases: &[(&[u8], &str)] = &[
            (b"1,a;2\n3,b;4\n", "may be separated by `,` or `;`. Say which with --delimiter."),
            (b"a;b\n1,5;2.5\n", "numbers such as `1,5` and such as `2.5`. Say which with --decimal."),
            (b"a;b\n1,500;2\n", "`1,500` may be 1.500 or 1500. Say which with --decimal."),
            (b"1,2\n3,\0\n", "line 2: there is a NUL byte"),
            (b"1\0,\x002\0\n\0", "UTF-16 without the mark"),
            (b"\x001\x00,\x002\x00\n", "UTF-16 without the mark"),
            (&utf16("1,2\n", u16::to_le_bytes)[..7], "UTF-16 is damaged"),
            (b"\xff\xfe\x00\xd8\n\0", "UTF-16 is damaged"),
            (&damaged, "the gzip stream is damaged"),
            (&gz(b"1,2\n")[..20], "the gzip stream is damaged"),
            (b"PK\x03\x04\x14\0", "a zip archive, as Excel's .xlsx"),
            (b"PAR1\x15", "Parquet"),
            (b"\x89PNG\r\n\x1a\n", "a PNG image"),
            (b"%PDF-1.7\n", "a PDF"),
            (b"\xef\xbb\xbf \n<!DOCTYPE html>\n", "an HTML page"),
            (b"[{\"a\": 1}]", "JSON"),
            (&gz(b"{\"a\": 1}"), "JSON"),
            (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
            (&b"# nothing\n".repeat(10_000), "its first 64 KiB are comments"),
        ];
        for (bytes, said) in cases {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
            let error = read("t.csv", bytes, Wanted::default()).map(|read| read.0).unwrap_err();
            assert!(matches!(error, Error::Data { .. }) && error.to_string().contains(said), "{shown:?}: {error}\nshould say: {said}");
        }
    }

    #[test]
    fn no_text_panics_or_reads_otherwise_in_small_pieces() {
        /// One byte at a time, as a slow pipe gives them.
        struct Slow(Cursor<Vec<u8>>);
        impl Read for Slow {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let end = buffer.len().min(1);
                self.0.read(&mut buffer[..end])
            }
        }
        let letters = b"1,; \t\"\r\n.#a\0\xff%=";
        let mut state = 1u32;
        for round in 0..3_000 {
            let mut bytes = Vec::new();
            for _ in 0..round % 40 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes.push(letters[(state >> 16) as usize % letters.len()]);
            }
            // With both said, the beginning decides nothing.
            let wanted = Wanted { delimiter: Some(b" ;"[round % 2]), decimal: Some(b'.') };
            let all = |source: Source| -> Result<Vec<u8>> {
                let (mut text, _) = open(Path::new("t.txt"), source, wanted)?;
                let mut bytes = Vec::new();
                text.read_to_end(&mut bytes).map_err(|e| failed(Path::new("t.txt"), e))?;
                Ok(bytes)
            };
            let whole = all(Box::new(Cursor::new(bytes.clone()))).ok();
            let pieces = all(Box::new(Slow(Cursor::new(bytes.clone())))).ok();
            assert_eq!(whole, pieces, "{:?}", String::from_utf8_lossy(&bytes));
            let _ = read("t.txt", &bytes, Wanted::default());
        }
    }
}
