//! Bad files and bad arguments, as a user meets them: each ends with its exit code and says why, writes nothing, and makes nobody allocate what it declares.
#![cfg(all(target_os = "linux", feature = "cli"))]

use flate2::{Compression, write::GzEncoder};
use image::{GrayImage, ImageFormat, Luma};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The address space of a process here, in KiB. What these files declare is more, what they hold is next to nothing.
const MEMORY: u32 = 1 << 20;

fn narrows(folder: &Path, args: &[&str]) -> Output {
    let script = format!("ulimit -v {MEMORY} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_narrows")]).args(args).current_dir(folder).stdin(Stdio::null());
    // One heap: on a machine of many cores the address space of one for each thread would be all there is.
    command.env("MALLOC_ARENA_MAX", "1").env_remove("NARROWS_CPU_LEVEL").env("NARROWS_CACHE", "/nowhere").output().unwrap()
}

/// Files that are bad, or the arguments that are; the exit code; what is said.
struct Case {
    files: Vec<(String, Vec<u8>)>,
    args: String,
    code: i32,
    said: &'static str,
}

#[derive(Default)]
struct Table {
    cases: Vec<Case>,
}

/// A training on what stands behind it. `{}` in a case is this.
const TRAIN: &str = "train --device cpu -q --layers 2 --epochs 1 --out new --data";
/// A pass through the network `m` of three columns.
const ENCODE: &str = "encode --device cpu -q --model m -o new.csv --data";

impl Table {
    fn add(&mut self, files: &[(&str, &[u8])], args: &str, code: i32, said: &'static str) {
        let files = files.iter().map(|(name, bytes)| (name.to_string(), bytes.to_vec())).collect();
        self.cases.push(Case { files, args: args.into(), code, said });
    }

    /// A file alone, wrong data.
    fn file(&mut self, name: &str, bytes: impl AsRef<[u8]>, args: &str, said: &'static str) {
        self.add(&[(name, bytes.as_ref())], args, 3, said);
    }

    fn args(&mut self, args: &str, code: i32, said: &'static str) {
        self.add(&[], args, code, said);
    }
}

const NAMES: [&str; 4] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| file.extend(d.to_be_bytes()));
    file.extend(values);
    file
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three training and two test images of 2 x 3, with labels.
fn small() -> [Vec<u8>; 4] {
    let pixels: Vec<u8> = (0..18).map(|i| i * 15).collect();
    [idx(&[3, 2, 3], &pixels), idx(&[3], &[7, 0, 9]), idx(&[2, 2, 3], &pixels[6..]), idx(&[2], &[1, 2])]
}

fn idx_cases(table: &mut Table) {
    let pixels = [0u8; 18];
    let good = small();
    let kind = |kind: u8| [&[0, 0, kind, 3], &good[0][4..]].concat();
    let gzip = gz(&good[0]);
    let changed = |at: usize| {
        let mut bytes = gzip.clone();
        let at = if at < 100 { bytes.len() - at } else { at - 100 };
        bytes[at] ^= 0x10;
        bytes
    };
    let bomb = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&idx(&[10, 28, 28], &[0; 7840])).unwrap();
        (0..1500).for_each(|_| encoder.write_all(&[0; 1 << 20]).unwrap());
        encoder.finish().unwrap()
    };
    for (which, bytes, said) in [
        (0, vec![], "offset 0: the file ends here, 16 bytes early"),
        (0, good[0][..3].to_vec(), "offset 3: the file ends here, 13 bytes early"),
        (0, good[0][..10].to_vec(), "offset 10: the file ends here, 6 bytes early"),
        (1, good[1][..7].to_vec(), "offset 7: the file ends here, 1 bytes early"),
        (0, b"\x89PNG\r\n\x1a\n0123456789".to_vec(), "magic number is 0x89504e47"),
        (0, [&[3, 8, 0, 0], &good[0][4..]].concat(), "magic number is 0x03080000"),
        (0, good[1].clone(), "there are 1 dimensions, and images have 3"),
        (1, good[0].clone(), "there are 3 dimensions, and labels have 1"),
        (0, kind(0x09), "0x09 (signed bytes)"),
        (0, kind(0x0b), "0x0b (16-bit integers)"),
        (0, kind(0x0c), "0x0c (32-bit integers)"),
        (0, kind(0x0d), "0x0d (32-bit floats)"),
        (0, kind(0x0e), "0x0e (64-bit floats)"),
        (0, kind(0x07), "0x07 (unknown)"),
        (0, idx(&[3, 0, 3], &[]), "images of 0x3 pixels have no pixels"),
        (2, idx(&[2, 2, 0], &[]), "images of 2x0 pixels have no pixels"),
        (0, idx(&[u32::MAX, 28, 28], &pixels), "the header declares 4294967295x28x28 bytes"),
        (0, idx(&[u32::MAX; 3], &pixels), "the header declares 4294967295x4294967295x4294967295 bytes"),
        (0, idx(&[2_500_000, 28, 28], &pixels), "declares 1960000016 bytes, but the file has 34"),
        (1, idx(&[2_000_000_000], &[1, 2, 3]), "declares 2000000008 bytes, but the file has 11"),
        (0, good[0][..good[0].len() - 1].to_vec(), "it is cut off"),
        (0, [&good[0][..], &[0]].concat(), "followed by something else"),
        (1, [&good[1][..], &[0]].concat(), "followed by something else"),
        (1, idx(&[4], &[1, 2, 3, 4]), "there are 4 labels for the 3 images"),
        (3, idx(&[1], &[1]), "there are 1 labels for the 2 images"),
        (2, idx(&[2, 3, 2], &pixels[..12]), "the training images are [2, 3] and the test images [3, 2]"),
        (0, b"\x1f\x8b".to_vec(), "the gzip stream is damaged"),
        (0, gzip[..gzip.len() / 2].to_vec(), "the gzip stream is damaged"),
        (0, gzip[..gzip.len() - 1].to_vec(), "the gzip stream is damaged"),
        (0, changed(5), "the gzip stream is damaged"),
        (0, changed(1), "the gzip stream is damaged"),
        (0, changed(110), "this is no IDX file"),
        (0, [&gzip[..], b"rubbish"].concat(), "the gzip stream is damaged"),
        (0, [&gzip[..], &gzip].concat(), "there are more bytes than the header declares"),
        (0, gz(&good[0][..20]), "the file ends here, 14 bytes early"),
        (0, gz(b"no IDX file at all"), "this is no IDX file"),
        (0, gz(&idx(&[2_500_000, 28, 28], &pixels)), "bytes of gzip cannot hold as many"),
        (0, gz(&idx(&[u32::MAX, 28, 28], &pixels)), "4294967295x28x28"),
        (0, bomb, "there are more bytes than the header declares"),
    ] {
        let mut files = small();
        files[which] = bytes;
        let files: Vec<(String, &[u8])> = NAMES.iter().zip(&files).map(|(name, bytes)| (format!("bad/{name}"), &bytes[..])).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        table.add(&files, &format!("{TRAIN} bad"), 3, said);
    }
    let [a, b, c, d] = NAMES.map(|name| format!("bad/{name}"));
    let none = [idx(&[0, 2, 3], &[]), idx(&[0], &[])];
    let folder = |which: &[(&str, &[u8])], table: &mut Table, said| table.add(which, &format!("{TRAIN} bad"), 3, said);
    folder(&[(&a, &good[0]), (&b, &good[1]), (&c, &good[2])], table, "train-labels-idx1-ubyte is there, but t10k-labels");
    folder(&[(&a, &good[0]), (&b, &good[1]), (&d, &good[3])], table, "t10k-images-idx3-ubyte is not in this folder");
    folder(&[("bad/readme.txt", b"nothing here")], table, "train-images-idx3-ubyte is not in this folder");
    folder(&[(&a, &none[0]), (&b, &none[1]), (&c, &none[0]), (&d, &none[1])], table, "there are no rows to train on");
    folder(&[("bad/train-images-idx3-ubyte/x", b"a folder in its place")], table, "reading");
}

fn csv_cases(table: &mut Table) {
    let many: String = "kind,x\n".to_string() + &(0..257).map(|i| format!("k{i},1\n")).collect::<String>();
    let wide = "1,".repeat(9_000_000) + "1\n";
    let text = |text: &str| text.as_bytes().to_vec();
    for (more, bytes, said) in [
        ("", text(""), "the table is empty"),
        ("", text("\n\n\r\n"), "the table is empty"),
        ("", text("a,b\n"), "0 rows can't be split"),
        ("", text("a,b\n1,2\n"), "1 rows can't be split"),
        ("", text("1,2\n3\n"), "line 2: 1 fields where the first line has 2"),
        ("", text("1,2\n3,4,5\n"), "line 2: 3 fields"),
        ("", text("1,2\n3,4,\n"), "line 2: 3 fields"),
        ("", text("a,b\n1,2\n\n3,x\n"), "line 4, column 2 (`b`): `x` is no number"),
        ("", text("a,b\n1,NaN\n"), "`NaN` is not finite"),
        ("", text("1,2\n1,-inf\n"), "`-inf` is not finite"),
        ("", text("1,2\n1,1e400\n"), "`1e400` is not finite as a 32-bit float"),
        ("", text("1,\n"), "line 1, column 2: the field is empty"),
        ("", text("a,b\n , 2\n"), "the field is empty"),
        ("", text("x;y\n1;2\n"), "`1;2` is no number"),
        ("", text("x\ty\n1\t2\n"), "is no number"),
        ("", text("1,0x10\n"), "`0x10` is no number"),
        ("", text("1,1_000\n"), "`1_000` is no number"),
        ("", text("1,\"2,3\"\n"), "`2,3` is no number"),
        ("", text("1,\"2\n3,4\n"), "is no number"),
        ("", b"1,\xff\xfe\n".to_vec(), "is no number"),
        ("", b"\xff\xfe1\0,\x002\0\n\0".to_vec(), "line 2: 1 fields"),
        ("", b"1,2\0\n".to_vec(), "is no number"),
        ("", b"\x1b[31m,1\n2,3\n".to_vec(), "`\u{fffd}[31m` is no number"),
        ("", wide.into_bytes(), "the row takes more than 16 MiB"),
        ("--header no", text("a,b\n1,2\n"), "line 1, column 1: `a` is no number"),
        ("--header yes", text("1,2\n3,4\n"), "1 rows can't be split"),
        ("--label c", text("a,b\n1,2\n"), "no column is called `c`"),
        ("--label a", text("a,b,a\n1,2,3\n4,5,6\n"), "2 columns are called `a`. Give the number of the one"),
        ("--label 2", text("a,b\n1,2\n"), "column 2 (counted from 0), but there are 2 columns"),
        ("--label 18446744073709551615", text("a,b\n1,2\n"), "but there are 2 columns"),
        ("--label 0", text("a\n1\n"), "no column but that of the labels"),
        ("--label 1", text("1,\n2,3\n"), "the label is empty"),
        ("--label kind", many.into_bytes(), "this is the 257th label, and 256 are the most"),
        ("--loss bce --scale none", text("1,2\n3,4\n5,6\n"), "binary cross-entropy is for numbers in [0, 1]"),
        ("", text("3e38,1\n-3e38,1\n3e38,1\n-3e38,1\n"), "further than a 32-bit float reaches"),
    ] {
        table.file("t.csv", bytes, &format!("{TRAIN} t.csv {more}"), said);
    }
    for (bytes, said) in [
        ("1,2\n3,4\n", "its rows have 2 columns where 3 are needed"),
        ("1,2,3\n4,5\n", "line 2: 2 fields where the first line has 3"),
        ("a,b,c\n1,2,x\n", "line 2, column 3 (`c`): `x` is no number"),
        ("", "the table is empty"),
    ] {
        table.file("t.csv", bytes, &format!("{ENCODE} t.csv"), said);
    }
    table.file("late.csv", "1,2,3\n".repeat(50_000) + "1,2,x\n", &format!("{ENCODE} late.csv"), "line 50001, column 3");
}

fn npy_header(text: &str) -> Vec<u8> {
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
}

fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    [npy_header(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n")), elements.to_vec()].concat()
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn npy_cases(table: &mut Table) {
    let ok = f32s(&[1.0, 2.0, 3.0, 4.0]);
    let good = npy("<f4", "(2, 2)", &ok);
    let header = |text: &str| [npy_header(text), ok.clone()].concat();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let wide = [&b"\x93NUMPY\x02\x00\xff\xff\xff\xff"[..], &[b' '; 100]].concat();
    for (bytes, said) in [
        (vec![], "the file ends inside its first eight bytes"),
        (good[..9].to_vec(), "the file ends inside the length of its header"),
        (good[..40].to_vec(), "the file ends inside its header"),
        (good[..good.len() - 1].to_vec(), "but the file has"),
        ([&good[..], &[0]].concat(), "but the file has"),
        (b"PK\x03\x04 an npz".to_vec(), "no npy file"),
        (b"\x80\x04\x95 a pickle".to_vec(), "no npy file"),
        (with(6, 9), "the version is 9.0"),
        (with(7, 1), "the version is 1.1"),
        (wide, "the header declares 4294967295 bytes of itself"),
        (npy("<f4", "(4294967295, 784)", &ok), "needs 13469"),
        (npy("<f4", "(18446744073709551615, 18446744073709551615)", &ok), "needs more than 2^64 bytes"),
        (npy("<f4", "(99999999999999999999, 2)", &ok), "stands where a dimension should"),
        (npy("<f4", "(-1, 2)", &ok), "stands where a dimension should"),
        (npy("<f4", "(0, 99999999999)", &[]), "more than 2147483647 elements"),
        (npy("<f4", "(2, 0)", &[]), "has no elements"),
        (npy("<f4", "(0, 2)", &[]), "0 rows can't be split"),
        (npy("<f4", "(1, 4)", &ok), "1 rows can't be split"),
        (npy("<f4", "(4,)", &ok), "it has 1 dimensions"),
        (npy("<f4", "()", &ok[..4]), "it has 0 dimensions"),
        (npy("<f4", "(1, 1, 1, 1, 4)", &ok), "it has 5 dimensions"),
        (npy(">f4", "(2, 2)", &ok), "big-endian (>f4)"),
        (npy("|O", "(2, 2)", &ok), "Python objects (a pickle)"),
        (npy("<i4", "(2, 2)", &ok), "its elements are <i4"),
        (npy("<c8", "(1, 2)", &ok), "its elements are <c8"),
        (npy("<f2", "(2, 4)", &ok), "its elements are <f2"),
        (npy("|b1", "(4, 4)", &ok), "its elements are |b1"),
        (npy("|i1", "(4, 4)", &ok), "its elements are |i1"),
        (npy("<U4", "(1, 1)", &ok), "its elements are <U4"),
        (npy("<f4", "(2, 2)", &f32s(&[1.0, 2.0, f32::NAN, 4.0])), "row 1, column 0 (both counted from 0) is NaN"),
        (npy("<f4", "(2, 2)", &f32s(&[1.0, f32::INFINITY, 3.0, 4.0])), "row 0, column 1 (both counted from 0) is inf"),
        (npy("<f8", "(1, 2)", &[1.0f64.to_le_bytes(), 1e39f64.to_le_bytes()].concat()), "is inf as a 32-bit float"),
        (header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }"), "Fortran order"),
        (header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }"), "records, not single numbers"),
        (header("{'descr': '<f4', 'fortran_order': False, }"), "is missing"),
        (header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}"), "stands there twice"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'x': 1}"), "is no key"),
        (header("{'descr': '<f4"), "stands where a quoted text should"),
        (header(&format!("{{'shape': {}", "(".repeat(60_000))), "stands where a dimension should"),
        ([&b"\x93NUMPY\x01\x00\x02\x00\xff\xff"[..], &ok].concat(), "it is no text"),
    ] {
        table.file("a.npy", bytes, &format!("{TRAIN} a.npy"), said);
    }
    table.file("a.npy", npy("<f4", "(2, 2)", &ok), &format!("{ENCODE} a.npy"), "its rows have 2 columns where 3 are needed");
    table.file("a.npy", npy("<f4", "(1431655765, 3)", &ok), &format!("{ENCODE} a.npy"), "needs 17179869");
}

fn image_cases(table: &mut Table) {
    let image = |format: ImageFormat| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        GrayImage::from_pixel(16, 16, Luma([9])).write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    let (png, jpeg) = (image(ImageFormat::Png), image(ImageFormat::Jpeg));
    let with = |from: &[u8], at: usize, new: &[u8]| [&from[..at], new, &from[at + new.len()..]].concat();
    // Where a JPEG says its height and width.
    let size = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap() + 5;
    for (name, bytes) in [
        ("a.png", b"no image".to_vec()),
        ("a.png", vec![]),
        ("a.png", png[..8].to_vec()),
        ("a.png", png[..png.len() - 20].to_vec()),
        ("a.png", b"GIF89a\x01\0\x01\0".to_vec()),
        ("a.png", b"BM an old friend, but not read".to_vec()),
        ("a.png", with(&png, 16, &[0, 1, 0, 0])),
        ("a.png", with(&png, 16, &[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff])),
        ("a.png", with(&png, 16, &[0, 0, 0, 0])),
        ("a.png", with(&png, 29, &[1, 2, 3, 4])),
        ("a.png", with(&png, 24, &[77])),
        ("a.jpg", jpeg[..40].to_vec()),
        ("a.jpg", jpeg[..4].to_vec()),
        ("a.jpg", b"\xff\xd8\xff".to_vec()),
        ("a.jpg", with(&jpeg, size, &[0xff; 4])),
    ] {
        table.file(&format!("bad/{name}"), bytes, &format!("{TRAIN} bad"), "it can't be read as an image");
    }
    let dark = |name: &str, table: &mut Table, more: &[(&str, &[u8])], said| {
        table.add(&[&[(name, &png[..])], more].concat(), &format!("{TRAIN} bad"), 3, said);
    };
    dark("bad/a.png", table, &[("bad/class/a.png", &png)], "there are images beside sub-folders");
    dark("bad/class/a.png", table, &[("bad/none/readme.txt", b"x")], "there is no PNG or JPEG file in this class");
    dark("bad/a.png", table, &[], "1 rows can't be split");
    let many: Vec<(String, &[u8])> = (0..257).map(|i| (format!("bad/{i}/a.png"), &png[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    table.add(&many, &format!("{TRAIN} bad"), 3, "there are 257 sub-folders, and 256 classes are the most");
    for (size, said) in [("2000000000x2000000000", "shape"), ("40000x40000", "have more than 2147483647 pixels")] {
        table.add(&[("bad/a.png", &png), ("bad/b.png", &png)], &format!("{TRAIN} bad --image-size {size}"), 0, said);
    }
    // Two dimensions too large are an argument, too many pixels are data.
    let at = table.cases.len();
    (table.cases[at - 2].code, table.cases[at - 1].code) = (2, 3);
    dark("bad/a.png", table, &[("bad/b.png", &png[..60])], "it can't be read as an image");
}

const ABOUT: &str = r#"{"format":1,"widths":[3,1],"hidden":"relu","code":"linear","output":"sigmoid"}"#;

/// A safetensors file: the text of `about` as our metadata, the tensors of a network of 3 inputs and a code of 1, of which one may be another.
fn model(about: Option<&str>, change: impl Fn(&mut Vec<(&str, &str, Vec<usize>, Vec<u8>)>)) -> Vec<u8> {
    let tensor = |name: &'static str, shape: &[usize]| (name, "F32", shape.to_vec(), f32s(&vec![0.5; shape.iter().product()]));
    let mut tensors = vec![
        tensor("encoder.0.weight", &[1, 3]),
        tensor("encoder.0.bias", &[1]),
        tensor("decoder.0.weight", &[3, 1]),
        tensor("decoder.0.bias", &[3]),
    ];
    change(&mut tensors);
    let mut header = serde_json::Map::new();
    if let Some(about) = about {
        header.insert("__metadata__".into(), serde_json::json!({ "narrows": about }));
    }
    let mut data = Vec::new();
    for (name, kind, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert(name.into(), serde_json::json!({ "dtype": kind, "shape": shape, "data_offsets": offsets }));
        data.extend(bytes);
    }
    safetensors(&serde_json::Value::from(header).to_string(), &data)
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn model_cases(table: &mut Table) {
    let good = model(Some(ABOUT), |_| {});
    let about = |from: &str, to: &str| {
        assert!(ABOUT.contains(from));
        model(Some(&ABOUT.replace(from, to)), |_| {})
    };
    let scaler = |text: &str| about("}", &format!(",\"scaler\":{text}}}"));
    let length = |n: u64| [&n.to_le_bytes()[..], &good[8..]].concat();
    let offsets = |text: &str| safetensors(&format!("{{\"x\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{text}}}}}"), &[0; 4]);
    for (bytes, said) in [
        (vec![], "it is not a whole safetensors file"),
        (good[..7].to_vec(), "it is not a whole safetensors file"),
        (good[..100].to_vec(), "it is not a whole safetensors file"),
        (good[..good.len() - 1].to_vec(), "it is not a whole safetensors file"),
        ([&good[..], &[0]].concat(), "it is not a whole safetensors file"),
        (b"PK\x03\x04 a PyTorch archive".to_vec(), "it is not a whole safetensors file"),
        (b"\x80\x04\x95 a pickle, which is never read".to_vec(), "it is not a whole safetensors file"),
        (length(u64::MAX), "it is not a whole safetensors file"),
        (length(90_000_000), "it is not a whole safetensors file"),
        (length(0), "it is not a whole safetensors file"),
        (safetensors("[1, 2]", &[]), "it is not a whole safetensors file"),
        (safetensors("{\"x\"", &[]), "it is not a whole safetensors file"),
        (safetensors(&"[".repeat(100_000), &[]), "it is not a whole safetensors file"),
        (offsets("[0,8]"), "it is not a whole safetensors file"),
        (offsets("[4,0]"), "it is not a whole safetensors file"),
        (offsets("[0,18446744073709551615]"), "it is not a whole safetensors file"),
        (model(None, |_| {}), "it has no metadata of narrows"),
        (model(Some("no JSON"), |_| {}), "its metadata are no JSON"),
        (model(Some("{}"), |_| {}), "its format is None where 1 is known"),
        (about("\"format\":1", "\"format\":2"), "its format is Some(2) where 1 is known"),
        (about("relu", "tanh"), "its hidden activation is \"tanh\""),
        (about("\"code\":\"linear\"", "\"code\":7"), "its code activation is 7"),
        (about("sigmoid", "softmax"), "its output is \"softmax\""),
        (about("[3,1]", "[]"), "its widths are []"),
        (about("[3,1]", "[3]"), "its widths are [3]"),
        (about("[3,1]", "[3,0]"), "its widths are [3,0]"),
        (about("[3,1]", "[3,-1]"), "its widths are [3,-1]"),
        (about("[3,1]", "\"3,1\""), "its widths are \"3,1\""),
        (about("[3,1]", "[1099511627776,1]"), "its widths are [1099511627776,1]"),
        (about("[3,1]", "[16777216,16777216]"), "bytes of weights but it has"),
        (about("[3,1]", "[3,2]"), "where F32 of"),
        (scaler("{\"shift\":[0,0],\"scale\":[1,1]}"), "it has 2 columns but the network takes 3"),
        (scaler("{\"shift\":[0,0,0],\"scale\":[1,1,0]}"), "column 2 has the shift 0 and the scale 0"),
        (scaler("{\"shift\":[0,0,0],\"scale\":[1,1,1e99]}"), "column 2 has the shift 0 and the scale inf"),
        (scaler("{\"shift\":[0,0,0],\"scale\":[1,1,\"x\"]}"), "the scale of its scaler is no list of numbers"),
        (scaler("{\"scale\":[1,1,1]}"), "the shift of its scaler is no list of numbers"),
        (scaler("[]"), "of its scaler is no list of numbers"),
        (model(Some(ABOUT), |t| drop(t.remove(3))), "the tensor `decoder.0.bias` ([3]) is missing"),
        (model(Some(ABOUT), |t| t.push(("extra", "F32", vec![1], vec![0; 4]))), "it holds a tensor `extra`"),
        (model(Some(ABOUT), |t| t[0].2 = vec![3, 1]), "where F32 of [1, 3] is needed"),
        (model(Some(ABOUT), |t| t[1] = ("encoder.0.bias", "F16", vec![2], vec![0; 4])), "where F32 of [1] is needed"),
        (model(Some(ABOUT), |t| t[1].1 = "I32"), "where F32 of [1] is needed"),
        (model(Some(ABOUT), |t| t[3].3 = f32s(&[0.0, f32::NAN, 0.0])), "element 1 of `decoder.0.bias` is NaN"),
        (model(Some(ABOUT), |t| t[0].3 = f32s(&[0.0, 0.0, f32::NEG_INFINITY])), "element 2 of `encoder.0.weight` is -inf"),
    ] {
        table.file("x.safetensors", bytes, "score --device cpu -q --model x.safetensors --data t3.csv -o new.csv", said);
    }
    table.args(
        "score --device cpu -q --model m/checkpoints/last.safetensors --data t3.csv",
        3,
        "it is a checkpoint of a training, not a model",
    );
    table.args("score --device cpu -q --model m/checkpoints --data t3.csv", 3, "reading the model");
    table.args("score --device cpu -q --model absent.safetensors --data t3.csv", 3, "reading the model");
    table.args("score --device cpu -q --model t3.csv --data t3.csv", 3, "it is not a whole safetensors file");
    table.args("eval --device cpu -q --model m --data builtin", 3, "its rows have 784 columns where 3 are needed");
    table.add(&[("x.safetensors", &good)], "eval --device cpu -q --model x.safetensors", 2, "is in no folder of a run");
}

/// A run that is as `m` but for one file.
fn run_cases(table: &mut Table, root: &Path) {
    let read = |name: &str| fs::read(root.join("m").join(name)).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let whole = [
        "config.toml",
        "metrics.csv",
        "run.json",
        "model.safetensors",
        "checkpoints/last.safetensors",
        "checkpoints/last.previous.safetensors",
    ];
    let mut add = |changed: &[(&str, Option<Vec<u8>>)], args: &str, code: i32, said: &'static str| {
        let files = whole.iter().filter_map(|name| {
            let bytes = match changed.iter().find(|(other, _)| other == name) {
                Some((_, bytes)) => bytes.clone()?,
                None => read(name),
            };
            Some((format!("r/{name}"), bytes))
        });
        table.cases.push(Case { files: files.collect(), args: args.into(), code, said });
    };
    const RESUME: &str = "train --device cpu -q --resume r";
    const REPORT: &str = "report --device cpu -q --run r";
    let [last, previous] = ["checkpoints/last.safetensors", "checkpoints/last.previous.safetensors"];
    let both = |bytes: Vec<u8>| [(last, Some(bytes.clone())), (previous, Some(bytes))];
    let sealed = read(last);
    let flipped = |at: usize| {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1;
        bytes
    };
    add(&both(flipped(sealed.len() / 2)), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(flipped(sealed.len() - 1)), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(flipped(0)), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(sealed[..sealed.len() - 4].to_vec()), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both([&sealed[..], &[0]].concat()), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(vec![]), RESUME, 3, "it is not a checkpoint of narrows");
    add(&both(b"no checkpoint".to_vec()), RESUME, 3, "it is not a checkpoint of narrows");
    add(&both(read("model.safetensors")), RESUME, 3, "it is not a checkpoint of narrows");
    add(&[(last, None), (previous, None)], RESUME, 3, "reading the checkpoint");
    let config = |from: &str, to: &str| {
        let old = text("config.toml");
        assert!(old.contains(from), "{old}");
        [("config.toml", Some(old.replace(from, to).into_bytes()))]
    };
    add(&config("layers = [2]", "layers = [1]"), RESUME, 3, "its widths is [3,2], not [3,1]");
    add(&config("layers = [2]", "layers = []"), RESUME, 2, "layers: there are none");
    add(&config("layers = [2]", "layers = [18446744073709551615]"), RESUME, 2, "more than 2147483647 elements");
    add(&config("output = \"sigmoid\"", "output = \"linear\""), RESUME, 3, "its output is \"Sigmoid\", not \"Linear\"");
    add(&config("batch_size = 128", "batch_size = 64"), RESUME, 3, "its batch size is 128, not 64");
    add(&config("batch_size = 128", "batch_size = -1"), RESUME, 3, "config.toml: TOML parse error");
    add(&config("batch_size = 128", "batch_size = \"many\""), RESUME, 3, "config.toml: TOML parse error");
    add(&config("lr = ", "lr = nan # "), RESUME, 2, "learning rate: it is NaN");
    add(&config("lr = 0.001", "lr = 0.002"), RESUME, 3, "its learning rate is \"0.001\", not \"0.002\"");
    add(&config("seed = \"0\"", "seed = \"x\""), RESUME, 3, "config.toml: TOML parse error");
    add(&config("seed = \"0\"", "seed = \"1\""), RESUME, 3, "its seed is 0, not 1");
    add(&config("data = \"t3.csv\"", "data = \"absent.csv\""), RESUME, 3, "absent.csv: opening");
    add(&config("data = \"t3.csv\"", "data = \"builtin\""), RESUME, 3, "it is of another training");
    add(&config("data = \"t3.csv\"", "data = \"-\""), RESUME, 2, "- is stdin");
    add(&config("device = \"cpu\"", "devise = \"cpu\""), RESUME, 3, "unknown field `devise`");
    add(&config("loss = \"mse\"", "loss = \"mae\""), RESUME, 3, "config.toml: TOML parse error");
    add(&[("config.toml", Some(vec![]))], RESUME, 3, "config.toml: TOML parse error");
    add(&[("config.toml", Some(b"\xff\xfe\0".to_vec()))], RESUME, 3, "config.toml: reading the settings");
    add(&[("config.toml", None)], RESUME, 3, "config.toml: reading the settings");
    add(&[("config.toml", None)], "eval --device cpu -q --model r", 2, "is in no folder of a run");
    for (name, bytes, said) in [
        ("run.json", Some("{"), "run.json: it is no JSON"),
        ("run.json", Some("{}"), "its format is null where 1 is known"),
        ("run.json", Some("{\"format\":1}"), "run.json: its `"),
        ("run.json", Some("[[[["), "run.json: it is no JSON"),
        ("run.json", None, "run.json: reading what is known of the run"),
        ("metrics.csv", Some(""), "metrics.csv: there is no column `epoch`"),
        ("metrics.csv", Some("epoch,loss\n1,2\n"), "there is no column `train_loss`"),
        ("metrics.csv", Some("epoch,train_loss\n"), "there is no epoch in it"),
        ("metrics.csv", Some("epoch,train_loss\n1,x\n"), "line 2: `x` is no finite number"),
        ("metrics.csv", Some("epoch,train_loss\n1,1e999\n"), "line 2: `1e999` is no finite number"),
        ("metrics.csv", Some("epoch,train_loss\n1e300,1\n"), "line 2: `1e300` is not the epoch of this line"),
        ("metrics.csv", None, "metrics.csv: reading the epochs"),
        ("model.safetensors", Some("x"), "it is not a whole safetensors file"),
    ] {
        add(&[(name, bytes.map(|b| b.as_bytes().to_vec()))], REPORT, 3, said);
    }
    add(
        &[("run.json", Some(text("run.json").replace("\"sha256\": \"", "\"sha256\": \"0").into_bytes()))],
        REPORT,
        3,
        "these are other data",
    );
}

fn argument_cases(table: &mut Table) {
    for (args, code, said) in [
        ("--device tpu", 2, "`tpu` is not the name of a device"),
        ("--device cuda:x", 2, "is not the name of a device"),
        ("--threads 0", 2, "threads: 0 threads"),
        ("--threads 1000000", 2, "threads: 1000000 threads"),
        ("--layers 64,0", 2, "width 0"),
        ("--layers a,b", 2, "invalid value"),
        ("--layers 4000000000", 2, "more than 2147483647 elements"),
        ("--layers 18446744073709551615", 2, "more than 2147483647 elements"),
        ("--layers 90000000,2", 4, "no memory for"),
        ("--epochs 0", 2, "epochs: it is 0"),
        ("--epochs -1", 2, "unexpected argument"),
        ("--epochs 99999999999999999999", 2, "invalid value"),
        ("--epochs 100000000 --schedule cosine", 2, "Use at most 33554432 steps"),
        ("--batch-size 0", 2, "batch size: it is 0"),
        ("--lr 0", 2, "learning rate: it is 0"),
        ("--lr -1", 2, "learning rate: it is -1"),
        ("--lr inf", 2, "learning rate: it is inf"),
        ("--lr x", 2, "invalid value"),
        ("--weight-decay -1", 2, "weight decay: it is -1"),
        ("--weight-decay 1000", 2, "weight decay: it is 1000"),
        ("--clip 0", 2, "clip norm: it is 0"),
        ("--clip nan", 2, "clip norm: it is NaN"),
        ("--schedule linear", 2, "`linear` is none"),
        ("--schedule step:0:0.5", 2, "a change every 0 epochs"),
        ("--schedule step:1:inf", 2, "a factor of inf"),
        ("--schedule cosine:1", 2, "a cosine from 0.001 to 1"),
        ("--warmup 18446744073709551615", 2, "warm-up: 18446744073709551615 steps"),
        ("--validation 1", 2, "--validation: 1 of"),
        ("--validation nan", 2, "--validation: NaN of"),
        ("--validation 0.001", 2, "--validation: 0.001 of"),
        ("--patience 0", 2, "patience: it is 0"),
        ("--loss mae", 2, "invalid value"),
        ("--loss bce --output linear", 2, "this network's output is linear"),
        ("--output tanh", 2, "invalid value"),
        ("--scale log", 2, "invalid value"),
        ("--image-size 0x3", 2, "it is not like 28x28"),
        ("--image-size 4x4", 2, "is not a folder of images"),
        ("--header maybe", 2, "neither yes nor no"),
        ("--seed 18446744073709551616", 2, "invalid value"),
        ("--out t3.csv", 3, "making the folder for the results"),
        ("--out m", 2, "already holds a config.toml"),
        ("--resume m", 2, "cannot be used with"),
        ("--data t3.csv", 2, "cannot be used multiple times"),
    ] {
        let out = if args.starts_with("--out") { "" } else { "--out new" };
        let epochs = if args.contains("--epochs") { "" } else { "--epochs 1" };
        let layers = if args.contains("--layers") { "" } else { "--layers 2" };
        let device = if args.contains("--device") { "" } else { "--device cpu" };
        table.args(&format!("train -q {device} --data t3.csv {args} {out} {epochs} {layers}"), code, said);
    }
    for (args, code, said) in [
        ("train --device cpu -q --data - --layers 2", 2, "- is stdin"),
        ("train --device cpu -q --data absent --layers 2", 3, "there is no such folder"),
        ("train --device cpu -q --data t3.txt --layers 2", 3, "there is no such folder"),
        ("train --device cpu -q --data m/model.safetensors --layers 2", 3, "this is a file, not a folder"),
        ("train --device cpu -q --resume absent", 3, "reading the settings"),
        ("train --device cpu -q --resume t3.csv", 3, "reading the settings"),
        ("eval --device cpu --model m --label x", 2, "it is told how to read it, but not what"),
        ("encode --device cpu --model m --data t3.csv -o new.txt", 2, "ends neither in .csv nor in .npy"),
        ("encode --device cpu --model m --data t3.csv -o new", 2, "ends neither in .csv nor in .npy"),
        ("encode --device cpu --model m --data t3.csv -o m/no/new.csv", 3, "making a temporary file beside it"),
        ("encode --device cpu --model m --data - -o new.csv", 3, "stdin: the table is empty"),
        ("encode --device cpu --model m --data t3.csv --part all", 2, "invalid value"),
        ("encode --device cpu --data t3.csv", 2, "--model"),
        ("decode --device cpu --model m --data t3.csv -o new.csv", 3, "its rows have 3 columns where 2 are needed"),
        ("reconstruct --device cpu --model m --data t3.csv -o new.png", 2, "the rows are no images"),
        ("score --device cpu --model m --data t3.csv --contamination 2", 2, "contamination: it is 2"),
        ("score --device cpu --model m --data t3.csv --contamination -0.5", 2, "contamination: it is -0.5"),
        ("score --device cpu --model m --data t3.csv --contamination nan", 2, "contamination: it is NaN"),
        ("score --device cpu --model m --data t3.csv --threshold NaN", 2, "--threshold: it is NaN"),
        ("score --device cpu --model m --data t3.csv --threshold x", 2, "invalid value"),
        ("score --device cpu --model m --data t3.csv --threshold 1 --contamination 0.1", 2, "cannot be used with"),
        ("bench --device cpu --op nope", 2, "`nope` is no op that can be timed"),
        ("bench --device cpu --shape 3", 2, "--op"),
        ("bench --device cpu --op relu --shape 0", 2, "has no elements"),
        ("bench --device cpu --op relu --shape 1x1x1x1x1", 2, "has 5 dimensions"),
        ("bench --device cpu --op relu --shape 2147483647", 2, "they would take gigabytes"),
        ("bench --device cpu --op relu --shape 2147483648", 2, "more than 2147483647 elements"),
        ("bench --device cpu --op adam --shape 1000000000", 2, "they would take gigabytes"),
        ("bench --device cpu --op gather --shape 1000000x2000x1", 2, "they would take gigabytes"),
        ("bench --device cpu --op dense --shape 1", 2, "Name batch, inputs and outputs"),
        ("bench --device cpu --op dense --shape 4096x4096x4096", 2, "the f64 reference would take minutes"),
        ("bench --device cpu --op dense --shape 18446744073709551615x2x2", 2, "the f64 reference would take minutes"),
        ("bench --device cpu --op step --shape 0x784x3", 2, "a batch of 0 rows"),
        ("bench --device cpu --op step --shape 128", 2, "are not the widths of a network"),
        ("bench --device cpu --op step --shape 1x1000000x1", 2, "have to stay below 2^27"),
        ("bench --device cpu --op step --shape 18446744073709551615x784x2", 2, "have to stay below 2^27"),
        ("bench --device cpu -o xml", 2, "invalid value"),
        ("verify --device cpu --op dens", 2, "no op `dens`"),
        ("verify --quick --all", 2, "cannot be used with"),
        ("completions tcsh", 2, "invalid value"),
        ("data imagenet", 2, "unrecognized subcommand"),
        ("report --device cpu --run absent", 3, "run.json: reading"),
        ("fly", 2, "unrecognized subcommand"),
    ] {
        table.args(args, code, said);
    }
}

/// Every path below a folder, with the size of each file.
fn listed(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        all.push((entry.path(), if entry.path().is_dir() { 0 } else { entry.metadata().unwrap().len() }));
        if entry.path().is_dir() {
            all.extend(listed(&entry.path()));
        }
    }
    all.sort();
    all
}

#[test]
fn every_bad_file_and_argument_ends_with_its_code_says_why_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let rows: String = (0..30).map(|i| format!("{},{},{}\n", i, i * 7 % 10, 30 - i)).collect();
    fs::write(root.join("t3.csv"), rows).unwrap();
    let trained = narrows(root, &"train --device cpu -q --data t3.csv --layers 2 --epochs 2 --out m".split(' ').collect::<Vec<_>>());
    assert!(trained.status.success(), "{}", String::from_utf8_lossy(&trained.stderr));

    let mut table = Table::default();
    let mut counts = Vec::new();
    let mut count = |name: &'static str, table: &Table| counts.push((name, table.cases.len()));
    idx_cases(&mut table);
    count("IDX and gzip", &table);
    csv_cases(&mut table);
    count("CSV", &table);
    npy_cases(&mut table);
    count("npy", &table);
    image_cases(&mut table);
    count("images", &table);
    model_cases(&mut table);
    count("models", &table);
    run_cases(&mut table, root);
    count("runs", &table);
    argument_cases(&mut table);
    count("arguments", &table);
    let mut before = 0;
    for (name, upto) in &counts {
        eprintln!("{:>4} {name}", upto - before);
        before = *upto;
    }
    let mut distinct: Vec<_> = table.cases.iter().map(|c| (&c.files, &c.args)).collect();
    distinct.sort();
    distinct.dedup();
    eprintln!("{:>4} in all", distinct.len());
    assert!(distinct.len() == table.cases.len() && distinct.len() >= 120, "{} of {}", distinct.len(), table.cases.len());

    let (mut wrong, plain) = (Vec::new(), listed(root));
    for (at, case) in table.cases.iter().enumerate() {
        for (name, bytes) in &case.files {
            fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
            fs::write(root.join(name), bytes).unwrap();
        }
        let before = listed(root);
        let output = narrows(root, &case.args.split_whitespace().collect::<Vec<_>>());
        let err = String::from_utf8_lossy(&output.stderr);
        let good =
            output.status.code() == Some(case.code) && err.contains(case.said) && !err.contains("panicked") && output.stdout.is_empty();
        if !good {
            let names: Vec<&String> = case.files.iter().map(|(name, _)| name).take(4).collect();
            let (code, said) = (case.code, case.said);
            wrong.push(format!("{at}: {} {names:?}: {}, not {code}: {err}should say: {said}", case.args, output.status));
        }
        if listed(root) != before {
            wrong.push(format!("{at}: {}: something was written or is gone", case.args));
        }
        for (path, _) in listed(root).into_iter().rev().filter(|entry| !plain.contains(entry)) {
            if path.is_dir() { fs::remove_dir(&path) } else { fs::remove_file(&path) }.unwrap();
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.cases.len(), wrong.join("\n"));
}

#[test]
fn the_limit_on_memory_that_these_cases_run_under_is_one() {
    let output = narrows(Path::new("."), &["bench", "--device", "cpu", "--op", "sum", "--shape", "130000000"]);
    assert!(!output.status.success(), "130 million numbers and their f64 reference found room in {MEMORY} KiB");
}
