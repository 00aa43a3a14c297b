//! Tables, arrays and folders of images: what is right is read, what is wrong is an error with its place, through the
//! library and through the command line.

use crate::bytes::{f32s, npy, npy_header};
use image::{GrayImage, ImageFormat, Luma};
use narrows::data::Rows;
use narrows::data::{Chunks, Dataset, Missing, Options, RowWriter, Scaler, Values};
use narrows::{Autoencoder, Device, Error, Fit};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder with one file.
pub fn with(name: &str, bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn f64s(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn floats(data: &Dataset) -> Vec<f32> {
    data.rows_f32(0..data.len())
}

/// All numbers of a stream.
pub fn streamed(rows: Chunks) -> narrows::Result<Vec<f64>> {
    let mut all = Vec::new();
    for chunk in rows {
        let values = chunk?.values;
        let columns = values.len();
        all.extend(Dataset::from_values("chunk", values, &[columns])?.rows_f64(0..1));
    }
    Ok(all)
}

#[test]
fn a_table_is_read_with_and_without_header_quotes_blanks_and_line_ends() {
    let rows = [1.0, -2.5, 3e-4, 4.0];
    for text in [
        "1,-2.5\n3e-4,4\n",
        "a,b\n1,-2.5\n3e-4,4",
        "\u{feff}a,b\r\n 1 ,\"-2.5\"\r\n\r\n3e-4,+4\r\n",
        "a,\n1,-2.5\n3e-4,4.0\n",
        "\"a\n,\",b\n1,-2.5\n3e-4,4\n",
    ] {
        let (_folder, path) = with("t.csv", text);
        let data = Options::default().read(&path).unwrap();
        assert_eq!((data.row_dims(), data.labels(), floats(&data).as_slice()), ([2].as_slice(), None, rows.as_slice()), "{text:?}");
    }
    // Said to be no header, numbers as names are a row; said to be one, they are none.
    let (_folder, path) = with("t.csv", "0,1\n5,6\n");
    assert_eq!(Options::default().header(false).read(&path).unwrap().len(), 2);
    assert_eq!(Options::default().header(true).read(&path).unwrap().len(), 1);
}

#[test]
fn labels_are_numbers_as_they_are_or_the_places_of_sorted_names() {
    let numbers = with("t.csv", "1,7,2\n3,0,4\n5,7,6\n");
    let data = Options::default().label(1).read(&numbers.1).unwrap();
    assert_eq!((data.columns(), data.labels(), data.classes()), (2, Some([7, 0, 7].as_slice()), None));
    assert_eq!(floats(&data), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let names = with("t.csv", "kind,x\nowl,1\ncat,2\nowl,3\n");
    for options in [Options::default().label("kind"), Options::default().label(0)] {
        let data = options.read(&names.1).unwrap();
        assert_eq!((data.labels(), floats(&data)), (Some([1, 0, 1].as_slice()), vec![1.0, 2.0, 3.0]));
        assert_eq!(data.classes().unwrap(), ["cat", "owl"]);
    }
    let numbered = with("t.csv", "kind,0,1\n3,1,2\n");
    assert_eq!(Options::default().label("kind").read(&numbered.1).unwrap().len(), 1, "a label by name means a header");
}

#[test]
fn arrays_of_three_types_and_up_to_four_dimensions_are_read() {
    let (_a, path) = with("a.npy", npy("<f4", "(2, 3)", &f32s(&[0.0, 1.0, 2.0, -3.0, 4e8, 5.5])));
    let data = Options::default().read(&path).unwrap();
    assert_eq!((data.row_dims(), floats(&data).as_slice()), ([3].as_slice(), [0.0, 1.0, 2.0, -3.0, 4e8, 5.5].as_slice()));
    let (_b, path) = with("a.NPY", npy("<f8", "(2, 1, 2)", &f64s(&[0.1, 0.2, 0.3, 0.4])));
    let data = Options::default().read(&path).unwrap();
    assert_eq!((data.image_dims(), floats(&data).as_slice()), (Some([1, 1, 2]), [0.1, 0.2, 0.3, 0.4].as_slice()));
    let (_c, path) = with("a.npy", npy("|u1", "(2, 1, 1, 3)", &[0, 1, 2, 3, 4, 255]));
    let data = Options::default().read(&path).unwrap();
    assert_eq!((data.row_dims(), data.values()), ([1, 1, 3].as_slice(), &Values::Bytes(vec![0, 1, 2, 3, 4, 255])));
    assert_eq!(streamed(Options::default().stream(&path).unwrap()).unwrap(), data.rows_f64(0..data.len()));
    let (_d, path) = with("a.npy", npy("<f4", "(0, 3)", &[]));
    assert!(Options::default().read(&path).unwrap().is_empty());
}

fn grey(path: &Path, height: u32, width: u32, value: u8, format: ImageFormat) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(width, height, Luma([value])).save_with_format(path, format).unwrap();
}

#[test]
fn a_folder_of_images_is_grey_of_one_size_and_its_sub_folders_are_classes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    grey(&root.join("owl/b.png"), 4, 6, 10, ImageFormat::Png);
    grey(&root.join("cat/z.JPG"), 8, 12, 200, ImageFormat::Jpeg);
    grey(&root.join("cat/a.png"), 2, 3, 77, ImageFormat::Png);
    image::RgbImage::from_pixel(3, 2, image::Rgb([90, 90, 90])).save(root.join("owl/a.png")).unwrap();
    fs::write(root.join("owl/notes.txt"), "no image").unwrap();
    fs::write(root.join("owl/.hidden.png"), "no image").unwrap();
    let data = Options::default().read(root).unwrap();
    assert_eq!((data.image_dims(), data.labels()), (Some([1, 2, 3]), Some([0, 0, 1, 1].as_slice())));
    assert_eq!(data.classes().unwrap(), ["cat", "owl"]);
    let Values::Bytes(pixels) = data.values() else { panic!() };
    let shades: Vec<u8> = pixels.chunks(6).map(|image| image[0]).collect();
    assert!(pixels.chunks(6).all(|image| image.iter().all(|p| *p == image[0])), "one shade stays one shade: {pixels:?}");
    assert_eq!((shades[0], shades[2], shades[3]), (77, 90, 10));
    assert!(shades[1].abs_diff(200) <= 1, "JPEG: {}", shades[1]);
    assert_eq!(Options::default().image_size(5, 7).read(root).unwrap().row_dims(), [1, 5, 7]);
    let split = Options::default().open(root.to_str().unwrap()).unwrap();
    assert_eq!((split.train.len(), split.test.len()), (3, 1));
    let flat = Options::default().read(root.join("owl")).unwrap();
    assert_eq!((flat.len(), flat.labels(), flat.classes()), (2, None, None));
}

#[test]
fn a_split_is_the_same_every_time_holds_each_row_once_and_keeps_labels() {
    let data = Dataset::from_rows("t", (0..100).map(|i| i as f32).collect(), &[1]).unwrap().with_labels((0..100).collect()).unwrap();
    let (train, test) = data.split(1.0 / 6.0, 0).unwrap();
    assert_eq!((train.len(), test.len()), (83, 17));
    let mut all: Vec<u8> = [train.labels().unwrap(), test.labels().unwrap()].concat();
    assert!(train.labels().unwrap().is_sorted() && test.labels().unwrap().is_sorted());
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<u8>>());
    for part in [&train, &test] {
        assert!(floats(part).iter().zip(part.labels().unwrap()).all(|(x, l)| *x == f32::from(*l)));
    }
    assert_eq!(data.split(1.0 / 6.0, 0).unwrap().1.labels(), test.labels());
    assert_ne!(data.split(1.0 / 6.0, 1).unwrap().1.labels(), test.labels());
    assert_eq!(data.head(2).split(0.001, 0).unwrap().1.len(), 1);
    for fraction in [0.0, 1.0, -1.0, f64::NAN] {
        assert!(matches!(data.split(fraction, 0), Err(Error::Argument { .. })));
    }
    assert!(matches!(data.head(1).split(0.5, 0), Err(Error::Data { .. })));
}

#[test]
fn a_scaler_fills_0_to_1_and_comes_back_and_extremes_stay_finite() {
    let tiny = |n: u64| f64::from_bits(n);
    let rows = vec![-10.0, 7.0, tiny(1), 10.0, 7.0, tiny(5), 0.0, 7.0, tiny(3)];
    let data = Dataset::from_doubles("t", rows.clone(), &[3]).unwrap();
    let scaler = Scaler::min_max(&data).unwrap();
    let scaled = scaler.apply(&rows);
    assert_eq!(scaled, [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.5]);
    assert_eq!(scaler.undo(&scaled), rows);
    let far = scaler.apply(&[f64::MAX, f64::MAX, f64::MAX, f64::MIN, f64::MIN, f64::MIN]);
    assert!(far.iter().all(|v| v.is_finite()), "{far:?}");
    assert!(Scaler::min_max(&Dataset::from_doubles("t", vec![f64::MAX, f64::MIN], &[1]).unwrap()).is_err());
    assert!(Scaler::min_max(&data.head(0)).is_err());
    for (min, range) in [(vec![], vec![]), (vec![0.0], vec![1.0, 1.0]), (vec![f64::NAN], vec![1.0]), (vec![0.0], vec![0.0])] {
        assert!(matches!(Scaler::new(min, range), Err(Error::Argument { .. })));
    }
}

/// A small network trained on a table whose columns have different ranges.
fn trained() -> (Autoencoder, Dataset) {
    let values = (0..3000).map(|i| if i % 3 == 0 { 1000.0 + (i % 7) as f32 } else { -(i % 5) as f32 }).collect();
    let data = Dataset::from_rows("t", values, &[3]).unwrap();
    let ae = Autoencoder::builder(3).hidden([8]).code(2).build(&Device::cpu().unwrap()).unwrap();
    let ae = ae.with_scaler(Scaler::min_max(&data).unwrap()).unwrap();
    ae.fit(&data, &Fit::default().epochs(30).learning_rate(1e-2)).unwrap();
    (ae, data)
}

#[test]
fn a_scaled_network_trains_on_raw_rows_gives_raw_rows_and_keeps_its_scaler_in_the_file() {
    let (ae, data) = trained();
    assert!(ae.evaluate(&data).unwrap() < 0.05, "{}", ae.evaluate(&data).unwrap());
    let back = ae.reconstruct(&data).unwrap();
    assert!(back.values.chunks(3).all(|row| (999.0..=1007.0).contains(&row[0]) && (-4.1..=0.1).contains(&row[1])));
    // Decoding the codes is reconstructing.
    assert_eq!(ae.decode(&ae.encode(&data).unwrap()).unwrap(), back);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    ae.save(&path).unwrap();
    let again = Autoencoder::load(&Device::cpu().unwrap(), &path).unwrap();
    assert_eq!((again.scaler(), again.reconstruct(&data).unwrap()), (ae.scaler(), back));
    assert!(again.with_scaler(Scaler::new(vec![0.0], vec![1.0]).unwrap()).is_err());
}

#[test]
fn a_stream_gives_the_same_bits_as_the_whole_whatever_its_chunks() {
    let (ae, data) = trained();
    let (codes, scores) = (ae.encode(&data).unwrap(), ae.score(&data).unwrap());
    for rows in [1, 7, 1000] {
        let of = |data: &Dataset| {
            let all = data.rows_f32(0..data.len());
            let chunks: Vec<_> = all.chunks(3 * rows).map(|c| Ok(c.to_vec())).collect();
            Chunks::of("mine", 3, chunks.into_iter())
        };
        let streamed: Vec<f32> = ae.encode_stream(of(&data)).unwrap().flat_map(|c| c.unwrap().values).collect();
        assert_eq!(streamed, codes.values, "{rows} rows at a time");
        let streamed: Vec<f32> = ae.score_stream(of(&data)).unwrap().flat_map(|c| c.unwrap().values).collect();
        assert_eq!(streamed, scores, "{rows} rows at a time");
    }
    for bad in [vec![1.0, 2.0], vec![1.0, f32::NAN, 3.0]] {
        let mut stream = ae.encode_stream(Chunks::of("mine", 3, [Ok(vec![]), Ok(bad)].into_iter())).unwrap();
        assert!(matches!(stream.next(), Some(Err(Error::Data { .. }))) && stream.next().is_none());
    }
    assert!(matches!(
        ae.encode_stream(Chunks::of("mine", 2, std::iter::empty::<narrows::Result<Vec<f32>>>())).map(drop),
        Err(Error::Data { .. })
    ));
}

#[test]
fn what_is_written_is_read_again_bit_for_bit_and_an_unfinished_file_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let values: [f32; 12] = [0.1, -0.0, 1.0, f32::MIN_POSITIVE, f32::MAX, -1e-45, 123456.79, 1e9, 3.4e-5, 99.0, 0.3, 1.0 / 3.0];
    for name in ["a.csv", "a.npy"] {
        let path = folder.path().join(name);
        let mut rows = RowWriter::create(&path, &["x", "y,\"z\"", "w"]).unwrap();
        rows.write(&Rows::new(3, values[..6].to_vec())).unwrap();
        assert!(!path.exists());
        rows.write(&Rows::new(3, values[6..].to_vec())).unwrap();
        assert!(matches!(rows.write(&Rows::new(1, vec![1.0])), Err(Error::Argument { .. })));
        assert!(matches!(rows.write(&Rows::new(3, vec![1.0; 3])), Err(Error::Argument { .. })), "f64 among f32");
        assert_eq!(rows.finish().unwrap(), 4);
        let read = floats(&Options::default().read(&path).unwrap());
        assert_eq!(read.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), values.map(f32::to_bits), "{name}");
    }
    assert_eq!(Options::default().stream(folder.path().join("a.csv")).unwrap().names().unwrap(), ["x", "y,\"z\"", "w"]);
    RowWriter::create(folder.path().join("b.npy"), &["x"]).unwrap().write(&Rows::new(1, vec![1.0f32])).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

/// What is wrong with tables: the option, the text, what the error says.
fn bad_tables() -> Vec<(Options, Vec<u8>, &'static str)> {
    let plain = Options::default;
    let mut many: String = (0..257).map(|i| format!("k{i},1\n")).collect();
    many.insert_str(0, "kind,x\n");
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (plain(), text(""), "the table is empty"),
        (plain(), text("\n\n"), "the table is empty"),
        (plain(), text("1,2\n3\n"), "line 2: 1 field where the first line has 2"),
        (plain(), text("1,2\n3,4,5\n"), "line 2: 3 fields where the first line has 2"),
        (plain(), text("1,2\n3,4,\n"), "line 2: 3 fields"),
        (plain(), text("a,b\n1,2\n\n3,x\n"), "line 4, column 2 (`b`): `x` is not a number"),
        (plain(), text("a,b\n1,NaN\n"), "line 2, column 2 (`b`): `NaN` stands for a gap"),
        (plain(), text("1,inf\n"), "line 1, column 2: `inf` is not finite"),
        (plain(), text("1,-Infinity\n"), "`-Infinity` is not finite"),
        (plain(), text("1,1e400\n"), "`1e400` is not finite"),
        (plain(), text("1,\n"), "line 1, column 2: the field is empty"),
        (plain(), text("a,b\n , 2\n"), "line 2, column 1 (`a`): the field is empty"),
        (plain(), text("1,2\n1,0x10\n"), "`0x10` is not a number"),
        (plain(), text("1,2\n1,\"2,3\"\n"), "`2,3` is not a number"),
        (plain(), text("a,b\n1,2\n1,?\n"), "line 3, column 2 (`b`): `?` stands for a gap"),
        (plain(), text("a,b\n1,2\n1,\"1,386.32\"\n"), "`1,386.32` is not a number (`,` seems to stand between thousands: leave it out)"),
        (plain(), text("a,b\n1,2\n1,$9.49\n"), "`$9.49` is not a number (a sign stands beside a number: leave it out)"),
        (plain(), text("a,b\n1,2\n1,2024-01-31\n"), "`2024-01-31` is not a number (a date or a time: write it as one number"),
        (plain(), b"1,\xff\xfe\n".to_vec(), "is not text in UTF-8"),
        (plain(), b"\x1b[31m,1\n2,3\n".to_vec(), "`\u{fffd}[31m` is not a number"),
        (plain().header(false), text("a,b\n1,2\n"), "line 1, column 1: `a` is not a number"),
        (plain().label("c"), text("a,b\n1,2\n"), "no column is called `c`: the first line is a,b"),
        (plain().label("a"), text("a,b,a\n1,2,3\n"), "2 columns are called `a`"),
        (plain().label(2), text("a,b\n1,2\n"), "column 2 (counted from 0) is asked for, but there are 2 columns"),
        (plain().label(0), text("a\n1\n"), "no column besides labels, ids and dropped ones"),
        (plain().label(1), text("1,\n"), "line 1, column 2: the label is empty"),
        (plain().label("a"), text("a,b,c\n1,2,x\n3,4,5\n"), "line 2, column 3 (`c`): `x` is not a number"),
        (plain().label("kind"), many.into_bytes(), "line 258, column 1 (`kind`): this is the 257th label"),
    ]
}

/// What is wrong with arrays.
fn bad_arrays() -> Vec<(Vec<u8>, &'static str)> {
    let ok = f32s(&[1.0, 2.0, 3.0, 4.0]);
    let good = npy("<f4", "(2, 2)", &ok);
    let header = |text: &str| [npy_header(text), ok.clone()].concat();
    let mut long = good.clone();
    long.push(0);
    let mut version = good.clone();
    version[6] = 9;
    let mut lying = good.clone();
    lying[8] = 0xff;
    lying[9] = 0xff;
    let mut wide = b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec();
    wide.extend([b' '; 100]);
    let nested = format!("{{'shape': {}", "(".repeat(60_000));
    vec![
        (vec![], "it ends inside its first eight bytes"),
        (b"PK\x03\x04 an npz".to_vec(), "not an npy file"),
        (b"\x93NUMPY\x01\x00\x10".to_vec(), "it ends inside the length of its header"),
        (version, "offset 6: the version is 9.0"),
        (lying, "it ends inside its header"),
        (wide, "offset 8: the header declares 4294967295 bytes of itself"),
        (npy("<f4", "(2, 2)", &ok[..15]), "needs"),
        (long, "but the file has"),
        (npy("<f4", "(4294967295, 784)", &ok), "needs 13469"),
        (npy("<f4", "(18446744073709551615, 18446744073709551615)", &ok), "needs more than 2^64 bytes"),
        (npy("<f4", "(99999999999999999999, 2)", &ok), "stands where a dimension should"),
        (npy("<f4", "(-1, 2)", &ok), "stands where a dimension should"),
        (npy("<f4", "(0, 99999999999)", &[]), "more than 2147483647 elements"),
        (npy("<f4", "(2, 0)", &[]), "has no elements"),
        (npy("<f4", "(4,)", &ok), "it has 1 dimension, and rows of columns have 2"),
        (npy("<f4", "()", &ok[..4]), "it has 0 dimensions"),
        (npy("<f4", "(1, 1, 1, 1, 4)", &ok), "it has 5 dimensions"),
        (npy(">f3", "(2, 2)", &ok), "its elements are >f3"),
        (npy("|O", "(2, 2)", &ok), "Python objects (a pickle)"),
        (npy("<c8", "(1, 2)", &ok), "its elements are <c8"),
        (npy("<f16", "(1, 1)", &ok), "its elements are <f16, and only integers, floats of 2, 4 or 8 bytes, and bool are read"),
        (npy("<M8[s]", "(1, 2)", &ok), "dates or times (<M8[s])"),
        (npy("|S4", "(2, 2)", &ok), "texts (|S4), not numbers"),
        (npy("|f4", "(2, 2)", &ok), "|f4, which names no byte order"),
        (npy("<f4", "(2, 2)", &f32s(&[1.0, 2.0, f32::NAN, 4.0])), "row 1, column 0 (both counted from 0) is NaN"),
        (npy("<f8", "(1, 2)", &f64s(&[1.0, f64::INFINITY])), "row 0, column 1 (both counted from 0) is inf"),
        (header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }"), "needs"),
        (header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }"), "records, not single numbers"),
        (header("{'descr': '<f4', 'fortran_order': False, }"), "descr, fortran_order or shape is missing"),
        (header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}"), "`descr` appears twice"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'x': 1}"), "`x` is not a key"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)} 1"), "`1` stands where its end should"),
        (header("{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 2)}"), "stands where False should"),
        (header("{'descr': '<f4"), "stands where a quoted text should"),
        (header("\u{e9}"), "stands where { should"),
        (header(""), "`` stands where { should"),
        (header(&nested), "stands where a dimension should"),
        ([&b"\x93NUMPY\x01\x00\x02\x00\xff\xff"[..], &ok].concat(), "it is not text"),
    ]
}

#[test]
fn every_wrong_table_and_array_is_a_typed_error_that_says_what_and_where() {
    let (tables, arrays) = (bad_tables(), bad_arrays());
    assert!(tables.len() + arrays.len() >= 60, "{} + {}", tables.len(), arrays.len());
    let tables = tables.into_iter().map(|(options, bytes, said)| (options, "t.csv", bytes, said));
    for (options, name, bytes, said) in tables.chain(arrays.into_iter().map(|(bytes, said)| (Options::default(), "a.npy", bytes, said))) {
        let (_folder, path) = with(name, &bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let error = match options.read(&path) {
            Err(error) => error,
            Ok(data) => panic!("{shown:?} was read as {data:?}, and should say: {said}"),
        };
        assert!(matches!(error, Error::Data { .. }), "{shown:?}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(said) && text.starts_with(path.to_str().unwrap()), "{text}\nshould say: {said}");
        // A stream says the same, or more early nothing: labels are not looked at there.
        let streamed = options.stream(&path).and_then(|rows| rows.collect::<narrows::Result<Vec<_>>>().map(drop));
        match streamed {
            Err(e) => assert!(e.to_string().contains(said), "{e}\nshould say: {said}"),
            Ok(()) => assert!(text.contains("label"), "{shown:?} was streamed, and should say: {said}"),
        }
    }
}

#[test]
fn an_array_through_a_pipe_gives_the_rows_of_the_file_and_a_lying_header_no_memory() {
    let values: Vec<f64> = (0..7_000).map(f64::from).collect();
    let array = npy("<f8", "(3500, 2)", &f64s(&values));
    let piped = |bytes: &[u8]| streamed(Options::default().stream_from("stdin", std::io::Cursor::new(bytes.to_vec()))?);
    assert_eq!(piped(&array).unwrap(), values);
    let said = |bytes: &[u8], text: &str| {
        let error = piped(bytes).unwrap_err().to_string();
        assert!(error.starts_with("stdin: ") && error.contains(text), "{error}");
    };
    said(&array[..array.len() - 1], "it ends after 6999 of 7000 elements");
    said(&array[..20], "it ends inside its header");
    said(&[&array[..], &[0]].concat(), "there are more bytes than its 3500 rows have");
    said(&npy("<f4", "(4294967295, 784)", &[0; 40]), "it ends after 10 of 3367254359280 elements");
    said(&npy("<f4", "(2, 2000000000)", &[0; 40]), "it ends after 10 of 4000000000 elements");
    let error = Options::default().label(0).stream_from("stdin", std::io::Cursor::new(array)).unwrap_err();
    assert!(error.to_string().contains("stdin is npy"), "{error}");
}

#[test]
fn a_row_without_end_is_refused_before_it_fills_the_memory() {
    struct Endless(&'static [u8]);
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            buffer.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
            Ok(buffer.len())
        }
    }
    for (start, bytes) in [("", "1,"), ("", "7"), ("\"", "a\n"), ("1,2\n\"", ",")] {
        let source = std::io::Read::chain(start.as_bytes(), Endless(bytes.as_bytes()));
        let error = Options::default().header(true).stream_from("stdin", source).and_then(|rows| rows.collect::<Result<Vec<_>, _>>());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("stdin: line") && error.contains("more than 16 MiB"), "{error}");
    }
}

#[test]
fn an_error_names_the_line_on_which_its_row_begins_whatever_the_line_ends() {
    for (text, line) in [
        ("1,2\n3,x\n", 2),
        ("1,2\n3,x", 2),
        ("1,2\r\n3,x\r\n", 2),
        ("1,2\r\n\r\n\r\n3,x", 4),
        ("\n\n1,2\n\n3,x\n4,5\n", 5),
        ("\u{feff}1,2\n3,x\n", 2),
        ("a,\"b\nc\"\n1,2\n3,x\n", 4),
        ("a,b\n1,2\n\"3\n\n\",\"x\"\n", 3),
        ("1,x\n2,3\n", 1),
    ] {
        let (_folder, path) = with("t.csv", text);
        let error = Options::default().read(&path).unwrap_err().to_string();
        assert!(error.contains(&format!(": line {line}, column")), "{text:?}: {error}");
    }
    // Also far from the beginning, where the reader has filled its buffer many times.
    for end in ["\n", "\r\n"] {
        let text = format!("12345,67890{end}").repeat(40_000) + &format!("1,y{end}");
        let (_folder, path) = with("t.csv", text);
        let error = Options::default().read(&path).unwrap_err().to_string();
        assert!(error.contains(": line 40001, column 2: `y`"), "{error}");
    }
}

#[test]
fn truncation_of_an_array_at_any_byte_is_an_error() {
    let whole = npy("<f4", "(2, 2)", &f32s(&[1.0, 2.0, 3.0, 4.0]));
    for end in 0..whole.len() {
        let (_folder, path) = with("a.npy", &whole[..end]);
        assert!(matches!(Options::default().read(&path), Err(Error::Data { .. })), "{end} bytes");
    }
}

#[test]
fn wrong_folders_images_and_options_are_typed_errors() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let at = |name: &str| root.join(name);
    grey(&at("mixed/a.png"), 2, 2, 9, ImageFormat::Png);
    grey(&at("mixed/class/a.png"), 2, 2, 9, ImageFormat::Png);
    grey(&at("hollow/full/a.png"), 2, 2, 9, ImageFormat::Png);
    fs::create_dir_all(at("hollow/none")).unwrap();
    fs::create_dir_all(at("nothing")).unwrap();
    let whole = fs::read(at("mixed/a.png")).unwrap();
    let jpeg = {
        grey(&at("j.jpg"), 16, 16, 9, ImageFormat::Jpeg);
        fs::read(at("j.jpg")).unwrap()
    };
    let mut large = whole.clone();
    large[16..20].copy_from_slice(&[0, 1, 0, 0]);
    for (name, bytes) in [
        ("text", b"no image".as_slice()),
        ("cut", &whole[..whole.len() - 20]),
        ("empty", b""),
        ("gif", b"GIF89a\x01\0\x01\0"),
        ("large", &large),
    ] {
        fs::create_dir_all(at(name)).unwrap();
        fs::write(at(name).join("a.png"), bytes).unwrap();
    }
    fs::create_dir_all(at("cutjpeg")).unwrap();
    fs::write(at("cutjpeg/a.jpg"), &jpeg[..40]).unwrap();
    fs::write(at("one.csv"), "1,2\n").unwrap();
    // All that can't be read are named at once, of every part.
    for part in ["train", "test"] {
        grey(&at("parts").join(part).join("a.png"), 2, 2, 9, ImageFormat::Png);
        (0..7).for_each(|i| fs::write(at("parts").join(part).join(format!("b{i}.png")), b"no image").unwrap());
    }
    for first in ["a.png", "z.png"] {
        grey(&at(&first[..1]).join(first), 2, 2, 9, ImageFormat::Png);
        ["m.png", "n.png"].iter().for_each(|name| fs::write(at(&first[..1]).join(name), &whole[..30]).unwrap());
    }
    let error = Options::default().open(at("parts").to_str().unwrap()).unwrap_err().to_string();
    assert!(error.contains("14 of its 16 images can't be read: train/b0.png: it can't be read") && error.contains("and 4 more"), "{error}");
    for name in ["a", "z"] {
        let error = Options::default().read(at(name)).unwrap_err().to_string();
        assert!(error.contains("2 of its 3 images can't be read: m.png: ") && error.contains("; n.png: "), "{error}");
    }
    for (name, said) in [
        ("mixed", "there are images beside sub-folders"),
        ("hollow", "there is no image in this class"),
        ("nothing", "there is nothing in this folder"),
        ("text", "it can't be read as an image"),
        ("cut", "it can't be read as an image"),
        ("empty", "it can't be read as an image"),
        ("gif", "it can't be read as an image"),
        ("large", "it can't be read as an image"),
        ("cutjpeg", "it can't be read as an image"),
        ("one.csv", "1 row can't be split"),
    ] {
        let error = Options::default().open(at(name).to_str().unwrap()).unwrap_err();
        assert!(matches!(error, Error::Data { .. }) && error.to_string().contains(said), "{name}: {error}");
    }
    let error = Options::default().open(at("absent.npy").to_str().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    for (options, name) in [
        (Options::default().label(0), "builtin".into()),
        (Options::default().header(true), "hollow".into()),
        (Options::default().image_size(2, 2), at("a.npy").display().to_string()),
        (Options::default().id("x"), "builtin".into()),
        (Options::default().missing(Missing::Drop), "builtin".into()),
        (Options::default().label("x"), at("a.npy").display().to_string()),
    ] {
        let error = options.open(&name).unwrap_err();
        assert!(matches!(error, Error::Argument { .. }), "{name}: {error}");
    }
    assert!(Options::default().image_size(usize::MAX, 2).open(at("hollow/full").to_str().unwrap()).is_err());
}
