//! What can't be read is left out where that is asked for, and said; else it is an error with its place.

use crate::tables::{streamed, with};
use image::{GrayImage, Luma};
use narrows::data::{Dataset, Missing, Options};
use std::fs;

const TABLE: &str = "id,kind,a,b\nr1,owl,1,2\nr2,cat,3\nr3,owl,5,6,7\nr4,cat,7,8\nr5,owl,9,10\n";

fn skipping() -> Options {
    Options::default().skip_broken(true)
}

fn numbers(data: &Dataset) -> Vec<f32> {
    data.rows_f32(0..data.len())
}

#[test]
fn lines_with_another_number_of_fields_are_left_out_of_a_table_that_is_learnt_from() {
    let (_folder, path) = with("t.csv", TABLE);
    let options = Options::default().id("id").drop(["kind"]);
    let error = options.clone().read(&path).unwrap_err().to_string();
    assert!(error.contains("line 3: 3 fields where the first line has 4"), "{error}");
    let data = options.skip_broken(true).read(&path).unwrap();
    assert_eq!((numbers(&data), data.ids().unwrap().join(" ")), (vec![1.0, 2.0, 7.0, 8.0, 9.0, 10.0], "r1 r4 r5".into()));
    let said = "2 broken lines are left out: line 3: 3 fields where the first line has 4; line 4: 5 fields where the first line has 4";
    assert!(data.notes().iter().any(|note| note.ends_with(said)), "{:?}", data.notes());
    // A whole table has nothing to say.
    let (_folder, path) = with("t.csv", "a,b\n1,2\n3,4\n");
    assert!(!skipping().read(&path).unwrap().notes().iter().any(|note| note.contains("broken")));
}

#[test]
fn a_word_among_many_numbers_is_a_broken_line_and_among_few_another_kind_of_column() {
    let line = |i: usize| match i {
        3 => format!("{i},oops,owl\n"),
        7 => format!("{i},NA,owl\n"),
        9 => format!("{i},inf,owl\n"),
        _ => format!("{i},{i}.5,{}\n", ["owl", "cat"][i % 2]),
    };
    let (_folder, path) = with("t.csv", "a,b,kind\n".to_string() + &(0..200).map(line).collect::<String>());
    let read = |path| skipping().missing(Missing::Mean).read(path);
    let data = read(&path).unwrap();
    assert_eq!((data.len(), data.columns()), (198, 4));
    let note = data.notes().iter().find(|note| note.contains("broken")).unwrap();
    assert!(note.contains("2 broken lines are left out: line 5, column 2 (`b`): `oops` is not a number; line 11"), "{note}");
    assert!(data.notes().iter().any(|note| note.contains("gaps filled with the mean: b 1")), "{:?}", data.notes());
    // Of 99 numbers one is too many.
    let (_folder, few) = with("t.csv", "a\n".to_string() + &"1\n".repeat(99) + "oops\n");
    assert!(read(&few).unwrap_err().to_string().contains("`oops` is not a number"));
    let (_folder, enough) = with("t.csv", "a\n".to_string() + &"1\n".repeat(100) + "oops\n");
    assert_eq!(read(&enough).unwrap().len(), 100);
    assert!(Options::default().read(&enough).is_err());
}

#[test]
fn rows_that_a_schema_cannot_take_leave_nothing_behind() {
    let (_folder, path) = with("t.csv", "kind,a,b\nowl,1,2\ncat,,4\nowl,5,6\n");
    let table = Options::default().missing(Missing::Median).read(&path).unwrap();
    let schema = table.schema().unwrap();
    // The second has a gap and an unknown category before the fault; the third is right, and has both as well.
    let (_folder, new) = with("new.csv", "kind,a,b\nowl,1,2\nfox,,odd\nfox,,8\nowl,inf,2\ncat,7,8\nowl\n");
    let options = Options::default().schema(schema);
    for error in [options.read(&new).unwrap_err(), streamed(options.stream(&new).unwrap()).unwrap_err()] {
        assert!(error.to_string().contains("line 3, column 3 (`b`): `odd`"), "{error}");
    }
    let options = options.skip_broken(true);
    let want = [0.0, 1.0, 1.0, 2.0, 0.0, 0.0, 3.0, 8.0, 1.0, 0.0, 7.0, 8.0];
    let data = options.read(&new).unwrap();
    assert_eq!(numbers(&data), want);
    let notes = data.notes().join("\n");
    assert!(
        notes.contains("3 broken lines are left out: line 3, column 3 (`b`): `odd` is not a number; line 5, column 2 (`a`)"),
        "{notes}"
    );
    assert!(notes.contains("1 row has a category that training did not have, as `fox`"), "{notes}");
    assert!(notes.contains("gaps filled with the median: a 1\n"), "{notes}");
    let rows = options.stream(&new).unwrap();
    let remarks = rows.remarks();
    assert_eq!(streamed(rows).unwrap(), want.map(f64::from));
    assert!(remarks.list().iter().any(|note| note.contains("3 broken lines are left out")), "{:?}", remarks.list());
}

#[test]
fn many_broken_lines_are_counted_and_the_first_are_named() {
    let text: String = (0..100).map(|i| if i % 10 == 9 { format!("{i}\n") } else { format!("{i},{i}\n") }).collect();
    let (_folder, path) = with("t.csv", "a,b\n".to_string() + &text);
    let data = skipping().read(&path).unwrap();
    assert_eq!(data.len(), 90);
    let note = data.notes().iter().find(|note| note.contains("broken")).unwrap();
    assert!(note.contains("10 broken lines are left out: line 11: ") && note.ends_with("; and 7 more"), "{note}");
}

#[test]
fn images_and_texts_that_cannot_be_decoded_are_left_out_with_their_classes() {
    let folder = tempfile::tempdir().unwrap();
    for (class, shades) in [("cat", [10u8, 20, 30]), ("owl", [40, 50, 60])] {
        fs::create_dir(folder.path().join(class)).unwrap();
        for shade in shades {
            let path = folder.path().join(format!("{class}/{shade}.png"));
            GrayImage::from_pixel(2, 2, Luma([shade])).save(&path).unwrap();
            if shade == 10 || shade == 50 {
                let whole = fs::read(&path).unwrap();
                fs::write(&path, &whole[..40]).unwrap();
            }
        }
    }
    let error = Options::default().read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("2 of its 6 images can't be read"), "{error}");
    let data = skipping().read(folder.path()).unwrap();
    let first: Vec<f32> = numbers(&data).into_iter().step_by(4).map(|shade| (255.0 * shade).round()).collect();
    assert_eq!((first, data.labels().unwrap().to_vec()), (vec![20.0, 30.0, 40.0, 60.0], vec![0, 0, 1, 1]));
    assert_eq!(data.ids().unwrap().join(" "), "cat/20.png cat/30.png owl/40.png owl/60.png");
    let note = data.notes().iter().find(|note| note.contains("broken")).unwrap();
    assert!(note.contains("2 broken images are left out: cat/10.png: ") && note.contains("owl/50.png: "), "{note}");
    for shade in [20, 30, 40, 60] {
        let class = if shade < 40 { "cat" } else { "owl" };
        fs::write(folder.path().join(format!("{class}/{shade}.png")), "no image").unwrap();
    }
    assert!(skipping().read(folder.path()).is_err(), "nothing is left");

    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("a.txt", &b"one two"[..]), ("b.txt", &b"\xff\xfe\x00"[..]), ("c.txt", &b"two \xc3"[..]), ("d.txt", &b"two three"[..])]
    {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let error = Options::default().read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("c.txt: it is not text in UTF-8") || error.contains("b.txt"), "{error}");
    let data = skipping().read(folder.path()).unwrap();
    let note = data.notes().iter().find(|note| note.contains("broken")).unwrap();
    assert!(note.contains("c.txt: it is not text in UTF-8"), "{note}");
    // `b.txt` is an empty text in UTF-16 with half a character.
    assert_eq!(data.ids().unwrap().join(" "), "a.txt b.txt d.txt");
    // The numbers of rows are those of what is left.
    let options = skipping().schema(data.schema().unwrap());
    assert_eq!(options.excerpts(folder.path(), &[2, 0], 20).unwrap(), ["two three", "one two"]);
    fs::remove_file(folder.path().join("a.txt")).unwrap();
    ["b.txt", "d.txt"].into_iter().for_each(|name| fs::write(folder.path().join(name), b"\xc3").unwrap());
    let error = skipping().read(folder.path()).unwrap_err().to_string();
    assert!(error.contains("none of its texts is in UTF-8"), "{error}");
    let (_folder, table) = with("t.csv", b"body\none two\ntwo \xc3\ntwo three\n");
    let data = skipping().text("body").read(&table).unwrap();
    assert_eq!(data.len(), 2);
    let options = skipping().schema(data.schema().unwrap());
    assert_eq!(options.excerpts(&table, &[1], 20).unwrap(), ["two three"]);
    assert_eq!(options.read(&table).unwrap().len(), 2);
}

#[test]
fn what_has_no_broken_rows_takes_no_such_option() {
    let error = skipping().open("builtin").unwrap_err().to_string();
    assert!(error.contains("skip broken: builtin is not a CSV file, or a folder of images or texts"), "{error}");
}
