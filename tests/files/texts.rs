//! Texts become bags of words: learnt once from training texts, and right for every later text.

use crate::tables::{streamed, with};
use narrows::data::{Options, Schema, Weighting};
use narrows::{Autoencoder, Device, Error};
use std::fs;

const NEWS: &str = "id,topic,body\n\
    a,wetter,\"Schöne Grüße aus Köln, GRÜSSE!\"\n\
    b,wetter,Köln: grüße 😀\n\
    c,tiere,我喜欢猫 😀\n\
    d,tiere,\"猫和狗; 我和猫\"\n";

fn options() -> Options {
    Options::default().text("body").label("topic").id("id")
}

fn learnt(words: usize, weighting: Weighting) -> Schema {
    let (_folder, path) = with("news.csv", NEWS);
    options().words(words).weighting(weighting).read(path).unwrap().schema().unwrap().clone()
}

#[test]
fn umlauts_chinese_and_emoji_come_from_a_file_to_the_vocabulary_and_into_rows() {
    let (_folder, path) = with("news.csv", NEWS);
    let news = options().words(6).weighting(Weighting::Binary).read(&path).unwrap();
    assert_eq!(news.names().unwrap(), ["猫", "grüße", "köln", "和", "我", "😀"]);
    assert_eq!(news.rows_f32(1..2), [0.0, 1.0, 1.0, 0.0, 0.0, 1.0]);
    assert_eq!(news.rows_f32(3..4), [1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!((news.ids().unwrap()[3].as_str(), news.class_name(news.labels().unwrap()[3])), ("d", "tiere".into()));
    let said = "texts are read by 6 words (binary), 64.7 % of their different words";
    assert!(news.notes().iter().any(|note| note.contains(said)), "{:?}", news.notes());
    assert!(news.schema().unwrap().is_of_texts());
    // What is no part of the rows is said, unless the user says so.
    let said = |options: Options| options.read(&path).unwrap().notes().iter().find(|note| note.contains("left out")).cloned();
    let alone = said(Options::default().text("body")).unwrap();
    assert!(alone.ends_with("the columns `id`, `topic` are left out: rows are made of words"), "{alone}");
    assert!(said(Options::default().text("body").id("id")).unwrap().contains("the column `topic` is left out"));
    assert_eq!((said(options()), said(options().drop(["id"]))), (None, None));
    assert_eq!(said(Options::default().text("body").drop(["id", "topic"])), None);
    // The words are those of the training rows alone, in whatever order these are.
    let split = options().words(4).open(&path).unwrap();
    assert_eq!((split.train.len(), split.test.len(), split.train.schema()), (3, 1, split.test.schema()));
}

#[test]
fn the_same_texts_give_the_same_rows_at_once_in_a_stream_and_from_memory() {
    for weighting in [Weighting::TfIdf, Weighting::Counts, Weighting::Binary] {
        let schema = learnt(6, weighting);
        let (_folder, path) = with("news.csv", NEWS);
        let first = options().words(6).weighting(weighting).read(&path).unwrap();
        let of = Options::default().schema(&schema);
        let again = of.read(&path).unwrap();
        assert_eq!((again.values(), again.labels(), again.ids()), (first.values(), first.labels(), first.ids()));
        let bits = |values: Vec<f64>| values.into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let rows = bits(again.rows_f64(0..4));
        assert_eq!(bits(streamed(of.stream(&path).unwrap()).unwrap()), rows);
        let piped = of.stream_from("stdin", NEWS.as_bytes()).unwrap();
        assert_eq!(bits(streamed(piped).unwrap()), rows);
        // By the name of the column, by its number, and alone.
        for text in ["body,x\n猫和狗; 我和猫,1\n", "猫和狗。我和猫\n"] {
            let (_folder, path) = with("t.csv", text);
            let read = if text.starts_with("body") { of.clone() } else { of.clone().header(false) };
            assert_eq!(bits(read.read(&path).unwrap().rows_f64(0..1)), rows[18..], "{text}");
        }
        let (_folder, path) = with("t.csv", "n,said\n1,猫和狗; 我和猫\n");
        for column in ["said", "1"] {
            let read = column.parse().map_or_else(|_| of.clone().text(column), |at: usize| of.clone().text(at));
            assert_eq!(bits(read.read(&path).unwrap().rows_f64(0..1)), rows[18..]);
        }
        assert_eq!(bits(schema.texts(&["猫和狗; 我和猫"]).unwrap().rows_f64(0..1)), rows[18..]);
    }
}

#[test]
fn more_texts_than_are_held_as_f64_at_once_give_the_rows_of_their_parts() {
    let text = |at: usize| format!("wort{} wort{} immer\n", at % 1100, at % 7);
    let lines: String = (0..2500).map(text).collect();
    let (_folder, path) = with("t.csv", format!("body\n{lines}"));
    let all = Options::default().text("body").read(&path).unwrap();
    let again = Options::default().schema(all.schema().unwrap()).read(&path).unwrap();
    assert_eq!((again.len(), again.values()), (2500, all.values()));
}

#[test]
fn a_model_file_keeps_the_vocabulary_to_the_bit_and_finds_texts_by_it() {
    let (_folder, path) = with("news.csv", NEWS);
    let news = options().read(&path).unwrap();
    let schema = news.schema().unwrap();
    let device = Device::cpu().unwrap();
    let ae = Autoencoder::builder(news.columns()).hidden([4]).code(2).build(&device).unwrap().with_schema(schema.clone()).unwrap();
    let file = path.with_file_name("m.safetensors");
    ae.save(&file).unwrap();
    let loaded = Autoencoder::load(&device, &file).unwrap();
    assert_eq!(loaded.schema(), Some(schema));
    let asked = ["GRÜSSE aus Köln 😀", "猫"];
    let rows = |ae: &Autoencoder| ae.schema().unwrap().texts(&asked).unwrap();
    assert_eq!(rows(&loaded).values(), rows(&ae).values());
    assert_eq!(loaded.encode(&rows(&loaded)).unwrap(), ae.encode(&rows(&ae)).unwrap());
}

#[test]
fn a_text_without_known_words_is_all_zeros_and_is_counted_with_empty_ones() {
    let schema = learnt(4, Weighting::TfIdf);
    let (_folder, path) = with("t.csv", "body,x\nganz anderes,1\n,2\n\"Köln,\",3\nnan,4\n");
    let read = Options::default().schema(&schema).read(&path).unwrap();
    assert_eq!(read.rows_f32(0..4), [[0.0; 8], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]].concat());
    assert!(read.notes().iter().any(|note| note.contains("3 of 4 texts have none of the model's words: all zeros")), "{:?}", read.notes());
    let mut stream = Options::default().schema(&schema).stream(&path).unwrap();
    let remarks = stream.remarks();
    assert!(stream.all(|chunk| chunk.is_ok()) && remarks.list()[0].contains("3 of 4 texts"), "{:?}", remarks.list());
    let said = schema.texts(&["", "Köln"]).unwrap().notes().to_vec();
    assert!(said[0].contains("1 of 2 texts has none"), "{said:?}");
    // Where gaps are dropped, an empty field is one.
    let (_folder, path) = with("t.csv", "body\neins\n\nzwei\n\"\"\ndrei\n");
    let rows = Options::default().text("body").missing(narrows::data::Missing::Drop).read(&path).unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.notes().iter().any(|note| note.contains("1 of 4 rows has a gap")), "{:?}", rows.notes());
    assert_eq!(Options::default().schema(rows.schema().unwrap()).read(&path).unwrap().values(), rows.values());
}

#[test]
fn a_folder_of_texts_has_a_text_in_each_file_and_a_class_in_each_sub_folder() {
    let root = tempfile::tempdir().unwrap();
    let put = |path: &str, bytes: &[u8]| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let utf16: Vec<u8> = "\u{feff}Öl 猫".encode_utf16().flat_map(u16::to_le_bytes).collect();
    put("all/b/1.txt", "Öl, 😀\nund mehr Öl".as_bytes());
    put("all/b/2.TXT", &utf16);
    put("all/a/x/3.txt", b"\xef\xbb\xbfEis");
    put("all/a/4.md", b"no");
    put("parts/train/t.txt", "eins zwei".as_bytes());
    put("parts/train/u.txt", "eins".as_bytes());
    put("parts/test/v.txt", "zwei drei".as_bytes());
    let all = Options::default().weighting(Weighting::Counts).words(3).read(root.path().join("all")).unwrap();
    assert_eq!(all.names().unwrap(), ["öl", "eis", "mehr"]);
    assert_eq!(all.ids().unwrap(), ["a/x/3.txt", "b/1.txt", "b/2.TXT"]);
    assert_eq!((all.labels().unwrap(), all.classes().unwrap()), (&[0, 1, 1][..], &["a".to_string(), "b".to_string()][..]));
    assert_eq!(all.rows_f64(0..2)[..4], [0.0, 1.0, 0.0, (2.0f32 / 3.0).into()]);
    assert!(all.notes()[0].contains("files that are no texts are left out (1): a/4.md"), "{:?}", all.notes());
    assert!(Options::default().is_folder(root.path().join("all")) && !Options::default().is_folder(root.path().join("parts")));
    let parts = Options::default().open(root.path().join("parts")).unwrap();
    assert_eq!((parts.train.len(), parts.test.len(), parts.train.names().unwrap()), (2, 1, vec!["eins".into(), "zwei".into()]));
    // Other texts by the words of these: a folder, and a table.
    let schema = parts.train.schema().unwrap();
    let others = Options::default().schema(schema).read(root.path().join("all")).unwrap();
    assert_eq!((others.columns(), others.rows_f32(0..3)), (2, vec![0.0; 6]));
    let (_folder, path) = with("t.csv", "n,t\n1,zwei\n");
    assert_eq!(Options::default().schema(schema).text("t").read(&path).unwrap().rows_f32(0..1), [0.0, 1.0]);
    put("bad/a.txt", b"\xff\xfe\x00\xd8");
    let error = Options::default().read(root.path().join("bad")).unwrap_err().to_string();
    assert!(error.contains("a.txt") && error.contains("not text in UTF-8"), "{error}");
}

#[test]
fn what_is_no_text_is_refused_with_the_way_out() {
    let plain = || Options::default();
    for (text, options, said) in [
        (NEWS, plain().text("bodi"), "no column is called `bodi`: the first line is id,topic,body"),
        (NEWS, plain().text(7), "column 7 (counted from 0) is asked for"),
        (NEWS, plain().text("body").label("body"), "`body` is said to be two things"),
        (NEWS, plain().text("body").drop(["body"]), "the text is to be left out"),
        (NEWS, plain().text("body").categorical(["topic"]), "no other column is part of them"),
        (NEWS, plain().text("body").words(0), "0 are asked for"),
        (NEWS, plain().text("body").words(65_537), "Use 1 to 65536"),
        ("a,b\n--,1\n...,2\n", plain().text("a"), "the column `a` has no words in the 2 texts to train on"),
        ("a,b\nx,1\n", plain().text("b").words(3).schema(&Schema::of_numbers(["b".into()])), "the model was not trained on texts"),
        ("n,said\n1,x\n", plain().schema(&learnt(3, Weighting::Binary)), "the text `body` that the model was trained on"),
    ] {
        let (_folder, path) = with("t.csv", text);
        let error = options.read(&path).unwrap_err();
        assert!(
            matches!(error, Error::Argument { .. } | Error::Data { .. }) && error.to_string().contains(said),
            "{error}\nshould say: {said}"
        );
    }
    let (_folder, path) = with("t.csv", b"a\nx\n\xff\n");
    let error = plain().text("a").read(&path).unwrap_err().to_string();
    assert!(error.contains("line 3, column 1 (`a`)") && error.contains("not text in UTF-8"), "{error}");
    let (_folder, path) = with("t.npy", "x");
    assert!(plain().text("a").read(&path).unwrap_err().to_string().contains("is not a CSV file"));
    let error = Schema::of_numbers(["b".into()]).texts(&["x"]).unwrap_err().to_string();
    assert!(error.contains("the model was not trained on texts"), "{error}");
    assert!(plain().texts(&["", "--"]).unwrap_err().to_string().contains("there are no words in the 2 texts"));
}
