//! What the columns of a table are: learnt once from training rows, and right for every later table.

use crate::tables::{streamed, with};
use narrows::data::{self, Chunks, Dataset, Missing, Options, Scaler, Schema, Split, Values};
use narrows::{Autoencoder, Device, Error, Fit};
use std::path::Path;

fn numbers(data: &Dataset) -> Vec<f64> {
    data.rows_f64(0..data.len())
}

fn read(text: &str, options: &Options) -> narrows::Result<Dataset> {
    let (_folder, path) = with("t.csv", text);
    options.read(&path)
}

/// All rows of a text by a known schema: at once, and in a stream.
fn read_by(schema: &Schema, text: &str) -> narrows::Result<Vec<f64>> {
    let (_folder, path) = with("t.csv", text);
    let options = Options::default().schema(schema);
    let all = options.read(&path).map(|data| numbers(&data));
    let piped = options.stream(&path).and_then(streamed);
    match (&all, &piped) {
        (Ok(all), Ok(piped)) => assert_eq!(all, piped),
        (Err(all), Err(piped)) => assert_eq!(all.to_string(), piped.to_string()),
        _ => panic!("{all:?} at once, {piped:?} in a stream"),
    }
    all
}

#[test]
fn columns_are_matched_by_name_in_any_order_or_by_place() {
    let schema = read("a,b,c\n1,20,300\n2,30,400\n", &Options::default()).unwrap().schema().unwrap().clone();
    assert_eq!(schema.names().unwrap(), ["a", "b", "c"]);
    let row = vec![1.0, 20.0, 300.0];
    for text in ["a,b,c\n1,20,300\n", "c,b,a\n300,20,1\n", "1,20,300\n", "b,what,c,a\n20,9,300,1\n", "a;c;b\n1;300;20\n"] {
        assert_eq!(read_by(&schema, text).unwrap(), row, "{text}");
    }
    let error = read_by(&schema, "a,what\n1,2\n").unwrap_err().to_string();
    assert!(error.contains("the columns `b`, `c` are missing: the first line has `a`, `what`"), "{error}");
    let error = read_by(&schema, "1,2\n").unwrap_err().to_string();
    assert!(error.contains("its lines have 2 fields, and the model knows 3 columns"), "{error}");
    let (_folder, path) = with("t.csv", "a,b,x,c,y\n1,2,3,4,5\n");
    let notes = Options::default().schema(&schema).stream(&path).unwrap().notes().to_vec();
    assert!(notes[0].contains("the columns `x`, `y` are left out: the model does not know them"), "{notes:?}");
}

#[test]
fn label_id_and_dropped_columns_are_no_part_of_a_row_and_the_schema_knows_them() {
    let text = "id,x,kind,when,y\nn1,1,owl,2024-01-01,2\nn2,3,cat,2024-01-02,4\n";
    let options = Options::default().label("kind").id("id").drop(["when"]);
    let data = read(text, &options).unwrap();
    assert_eq!((numbers(&data), data.ids().unwrap()), (vec![1.0, 2.0, 3.0, 4.0], ["n1".to_string(), "n2".into()].as_slice()));
    assert_eq!((data.labels().unwrap(), data.classes().unwrap()), ([1, 0].as_slice(), ["cat".to_string(), "owl".into()].as_slice()));
    let (_folder, path) = with("t.csv", "y,x,id\n2,1,n1\n");
    let known = Options::default().schema(data.schema().unwrap());
    let chunk = known.stream(&path).unwrap().next().unwrap().unwrap();
    assert_eq!((chunk.values, chunk.ids), (Values::Doubles(vec![1.0, 2.0]), Some(vec!["n1".to_string()])));
    // Classes by their names, from a file and from memory, where they are asked for.
    let (_folder, path) = with("all.csv", text);
    let classes = |rows: Chunks| rows.flat_map(|chunk| chunk.unwrap().classes.unwrap_or_default()).collect::<Vec<_>>();
    for rows in [known.stream(&path).unwrap(), data.chunks()] {
        assert_eq!(classes(rows.with_classes()), ["owl", "cat"]);
    }
    assert!(classes(known.stream(&path).unwrap()).is_empty() && classes(data.chunks()).is_empty());
    let (_folder, path) = with("empty.csv", "id,x,kind,when,y\nn1,1,,2024-01-01,2\n");
    let error = known.stream(&path).unwrap().with_classes().find_map(|chunk| chunk.err()).map(|e| e.to_string());
    assert!(error.as_deref().is_some_and(|e| e.contains("the label is empty")), "{error:?}");
    // Files without a header: all columns in their places, or only those of the rows.
    assert_eq!(read_by(data.schema().unwrap(), "n1,1,owl,2024-01-01,2\n").unwrap(), [1.0, 2.0]);
    assert_eq!(read_by(data.schema().unwrap(), "1,2\n").unwrap(), [1.0, 2.0]);
    // The index that pandas writes.
    let data = read(",x,y\n0,5,6\n1,7,8\n2,9,10\n", &Options::default()).unwrap();
    assert_eq!((numbers(&data), data.ids().unwrap()[2].as_str()), (vec![5.0, 6.0, 7.0, 8.0, 9.0, 10.0], "2"));
    assert!(data.notes().iter().any(|note| note.contains("has no name and counts up")), "{:?}", data.notes());
    assert_eq!(read(",x\n5,6\n7,8\n", &Options::default()).unwrap().columns(), 2, "this one does not count");
}

#[test]
fn gaps_are_errors_or_left_out_or_filled_with_what_training_rows_have() {
    // Rows of the second part are in no mean: the split of these nine rows is the same always.
    let text = |gap: &str| format!("x,y\n1,10\n2,{gap}\n3,30\n4,40\n5,50\n6,60\n7,70\n8,80\n9,90\n");
    let error = read(&text("NaN"), &Options::default()).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("line 3, column 2 (`y`): `NaN` stands for a gap. Correct the fields, or leave columns out (--drop y), or say")
    );
    let dropped = read(&text(""), &Options::default().missing(Missing::Drop)).unwrap();
    assert_eq!((dropped.len(), dropped.rows_f64(1..2)), (8, vec![3.0, 30.0]));
    assert!(dropped.notes().iter().any(|note| note.contains("1 of 9 rows has a gap and is left out")), "{:?}", dropped.notes());
    for (missing, of) in [(Missing::Mean, mean as fn(&[f64]) -> f64), (Missing::Median, median)] {
        let (_folder, path) = with("t.csv", text(""));
        let options = Options::default().missing(missing);
        let Split { train, test, .. } = options.open(path.to_str().unwrap()).unwrap();
        assert_eq!((train.len(), test.len()), (7, 2));
        // y is ten times x, and where x is 2 there is the gap.
        let known = |data: &Dataset| numbers(data).chunks(2).map(|row| 10.0 * row[0]).filter(|y| *y != 20.0).collect::<Vec<f64>>();
        let fill = |data: &Dataset| read_by(data.schema().unwrap(), "x,y\n2,\n").unwrap()[1];
        assert!(known(&train).len() < 8);
        assert_eq!(fill(&train), of(&known(&train)), "{missing}");
    }
}

#[test]
fn words_are_gaps_among_numbers_and_categories_among_texts_and_what_is_filled_is_said() {
    let text = "id,x,kind,y\n1,1,owl,10\n2,NA,,20\n3,3,NA,?\n4,,NA,40\n5,n/a,owl,null\n6,6,nan,None\n";
    let options = Options::default().id("id").missing(Missing::Median);
    let data = read(text, &options).unwrap();
    let schema = data.schema().unwrap();
    assert_eq!(schema.names().unwrap(), ["x", "kind=NA", "kind=owl", "y"]);
    let rows =
        [1.0, 0.0, 1.0, 10.0, 3.0, 0.0, 0.0, 20.0, 3.0, 1.0, 0.0, 20.0, 3.0, 1.0, 0.0, 40.0, 3.0, 0.0, 1.0, 20.0, 6.0, 0.0, 0.0, 20.0];
    assert_eq!(numbers(&data), rows);
    let said = "t.csv: gaps filled with the median: x 3, y 3; gaps in text, all zeros: kind 2";
    assert!(data.notes().iter().any(|note| note.ends_with(said)), "{:?}", data.notes());
    assert_eq!(read_by(schema, text).unwrap(), rows);
    // Both parts of a split together, once.
    let (_folder, path) = with("t.csv", text);
    let split = options.open(path.to_str().unwrap()).unwrap();
    assert_eq!(split.notes().iter().filter(|note| note.ends_with(said)).count(), 1, "{:?}", split.notes());
    // Of later rows, at their end.
    let (_folder, path) = with("t.csv", "x,kind,y\n?,NA,1\n2,owl,\n3,owl,NULL\n");
    let rows = Options::default().schema(schema).stream(&path).unwrap();
    let remarks = rows.remarks();
    streamed(rows).unwrap();
    assert!(remarks.list()[0].ends_with("t.csv: gaps filled with the median: x 1, y 2"), "{:?}", remarks.list());
    // What is said to be names, and a column that has nothing else.
    let named = read("zip,x,none\n?,1,NA\n3000,2,na\n", &Options::default().categorical(["zip"])).unwrap();
    assert_eq!(named.schema().unwrap().names().unwrap(), ["zip=3000", "zip=?", "x", "none=NA", "none=na"]);
    let dropped = read(text, &Options::default().drop(["id"]).missing(Missing::Drop)).unwrap();
    assert!(dropped.len() == 1 && dropped.notes().iter().any(|note| note.ends_with("5 of 6 rows have a gap and are left out")));
}

#[test]
fn a_column_of_dates_says_what_to_do_with_it() {
    let few = read("when,x\n2024-01-01,1\n2024-01-02,2\n", &Options::default()).unwrap();
    let said = "column `when` is text: a column for each of its 2 categories (a date or a time: write it as one number";
    assert!(few.notes().iter().any(|note| note.contains(said)), "{:?}", few.notes());
    let many: String = (0..80).map(|i| format!("2024-{:02}-{:02},{i}\n", 1 + i / 28, 1 + i % 28)).collect();
    let error = read(&format!("when,x\n{many}"), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("more than 64 different ones (`2024-01-01`: a date or a time") && error.contains("--drop when"), "{error}");
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

#[test]
fn text_is_a_column_for_each_category_and_what_training_did_not_have_is_none() {
    let text = "city,x\nZug,1\nBern,2\nZug,3\n";
    let data = read(text, &Options::default()).unwrap();
    let schema = data.schema().unwrap().clone();
    assert_eq!(schema.names().unwrap(), ["city=Bern", "city=Zug", "x"]);
    assert_eq!(numbers(&data), [0.0, 1.0, 1.0, 1.0, 0.0, 2.0, 0.0, 1.0, 3.0]);
    assert_eq!(read_by(&schema, "x,city\n5,Genf\n6,Bern\n").unwrap(), [0.0, 0.0, 5.0, 1.0, 0.0, 6.0]);
    let (_folder, path) = with("t.csv", "x,city\n5,Genf\n6,Basel\n");
    let rows = Options::default().schema(&schema).stream(&path).unwrap();
    let remarks = rows.remarks();
    assert!(remarks.list().is_empty());
    streamed(rows).unwrap();
    assert!(remarks.list()[0].contains("column `city`: 2 rows have a category that training did not have, as `Genf`: all zeros"));
    let named = read("zip,x\n8001,1\n3000,2\n", &Options::default().categorical(["zip"])).unwrap();
    assert_eq!(named.schema().unwrap().names().unwrap(), ["zip=3000", "zip=8001", "x"]);
    let many: String = (0..65).map(|i| format!("{i},t{i}\n")).collect();
    let error = read(&format!("x,name\n{many}"), &Options::default()).unwrap_err().to_string();
    assert!(
        error.contains("its texts are more than 64 different ones") && error.contains("--drop name") && error.contains("--id"),
        "{error}"
    );
}

#[test]
fn a_column_of_long_texts_is_told_how_its_words_become_rows() {
    let line = |i: usize| format!("{i},title {i} of this text,a body of more words {i} than its title has\n");
    let rows: String = (0..70).map(line).collect();
    let error = read(&format!("x,title,body\n{rows}"), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("or make the rows of the words of a column (--text body), "), "{error}");
    let names: String = (0..70).map(|i| format!("{i},name {i}\n")).collect();
    assert!(!read(&format!("x,name\n{names}"), &Options::default()).unwrap_err().to_string().contains("--text"));
}

#[test]
fn all_columns_that_can_not_be_used_are_named_at_once() {
    let error = read("a,b,c,d\n1,2,3,4\n1,x,,4\n1,2,3,y\n", &Options::default()).unwrap_err().to_string();
    for said in [
        "line 3, column 2 (`b`): `x` is not a number",
        "line 3, column 3 (`c`): the field is empty",
        "line 4, column 4 (`d`): `y`",
        "--drop b,c,d",
    ] {
        assert!(error.contains(said), "{error}\nshould say: {said}");
    }
}

#[test]
fn seconds_since_1970_keep_their_differences_from_a_file_to_the_network_and_back() {
    let text: String = (0..600).map(|i| format!("{},{}\n", 1_700_000_000 + i, f64::from(i) / 50.0)).collect();
    let data = read(&format!("time,value\n{text}"), &Options::default()).unwrap();
    let scaler = Scaler::min_max(&data).unwrap();
    let scaled = data.scaled_by(&scaler).unwrap().rows_f32(0..600);
    let times: Vec<u32> = scaled.iter().step_by(2).map(|x| (x * 599.0).round() as u32).collect();
    assert_eq!(times, (0..600).collect::<Vec<_>>());
    assert_eq!(
        scaler.undo(&scaled).iter().step_by(2).map(|t| *t as i64).collect::<Vec<_>>(),
        (0..600).map(|i| 1_700_000_000 + i).collect::<Vec<_>>()
    );
}

#[test]
fn a_wide_table_of_pixels_is_pictures_and_gives_the_error_of_the_same_pictures() {
    let digits = data::digits(0, 0..60);
    let Values::Bytes(bytes) = digits.values() else { panic!() };
    let header = format!("label,{}\n", (0..784).map(|i| format!("pixel{i}")).collect::<Vec<_>>().join(","));
    let line = |(row, label): (&[u8], &u8)| format!("{label},{}\n", row.iter().map(u8::to_string).collect::<Vec<_>>().join(","));
    let text = header + &bytes.chunks(784).zip(digits.labels().unwrap()).map(line).collect::<String>();
    let table = read(&text, &Options::default().label("label")).unwrap();
    assert_eq!((table.values(), table.image_dims(), table.labels()), (digits.values(), Some([1, 28, 28]), digits.labels()));
    let plain = read(&text, &Options::default().label("label").no_pictures()).unwrap();
    assert_eq!((plain.image_dims(), plain.row_dims()), (None, [784].as_slice()));
    // A label that nobody named is one column too many for a square.
    let forgotten = read(&text, &Options::default()).unwrap();
    assert_eq!((forgotten.image_dims(), forgotten.columns()), (None, 785));
    let note = "785 columns are 28x28 pixels and one more, so they are taken for a table: if `label` is the label, say --label label";
    assert!(forgotten.notes().iter().any(|said| said.ends_with(note)), "{:?}", forgotten.notes());
    for plain in [&table, &plain, &read("a,b\n1,200\n3,4\n", &Options::default()).unwrap()] {
        assert!(!plain.notes().iter().any(|said| said.contains("and one more")), "{:?}", plain.notes());
    }
    // Through the schema, a byte is the same number.
    assert_eq!(read_by(table.schema().unwrap(), &text).unwrap(), digits.rows_f64(0..60));
    let grades = "1,".repeat(63) + "16\n";
    assert_eq!(read(&grades, &Options::default()).unwrap().image_dims(), None, "too dark for pixels");
    assert_eq!(read(&grades, &Options::default().image_size(8, 8)).unwrap().image_dims(), Some([1, 8, 8]));
}

#[test]
fn a_model_keeps_its_schema() {
    let data = read("city,x,fraud\nZug,1,no\nBern,2,yes\nZug,3,no\n", &Options::default().label("fraud")).unwrap();
    let ae = Autoencoder::builder(3).layers([2]).build(&Device::cpu().unwrap()).unwrap();
    let ae = ae.with_schema(data.schema().unwrap().clone()).unwrap().with_scaler(Scaler::min_max(&data).unwrap()).unwrap();
    ae.fit(&data, &Fit::default().epochs(2)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    ae.save(&path).unwrap();
    let again = Autoencoder::load(&Device::cpu().unwrap(), &path).unwrap();
    assert_eq!((again.schema(), again.scaler()), (data.schema(), ae.scaler()));
    let other = Autoencoder::builder(4).layers([2]).build(&Device::cpu().unwrap()).unwrap();
    assert!(matches!(other.with_schema(data.schema().unwrap().clone()), Err(Error::Argument { .. })));
    assert!(Options::default().schema(data.schema().unwrap()).stream(Path::new("absent.csv")).is_err());
}
