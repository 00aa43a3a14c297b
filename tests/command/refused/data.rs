//! Bad data: IDX, gzip, CSV, npy, images.

use super::{ENCODE, TRAIN, Table};
use crate::bytes::{NAMES, f32s, gz, idx, npy, npy_header, small};
use flate2::{Compression, write::GzEncoder};
use image::{GrayImage, ImageFormat, Luma};
use std::io::Write;

pub fn idx_cases(table: &mut Table) {
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
        (0, changed(110), "this is not an IDX file"),
        (0, [&gzip[..], b"rubbish"].concat(), "the gzip stream is damaged"),
        (0, [&gzip[..], &gzip].concat(), "there are more bytes than the header declares"),
        (0, gz(&good[0][..20]), "the file ends here, 14 bytes early"),
        (0, gz(b"no IDX file at all"), "this is not an IDX file"),
        (0, gz(&idx(&[2_500_000, 28, 28], &pixels)), "bytes of gzip cannot hold that many"),
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
    folder(&[("bad/readme.md", b"nothing here")], table, "no file in this folder is an image (1): readme.md");
    folder(&[("bad/readme.md", b"nothing")], table, "Give a folder of images (PNG, JPEG, WebP, BMP, TIFF or GIF), a folder of .txt files");
    folder(&[("bad/readme.txt", b"nothing here")], table, "1 row can't be split into two parts");
    folder(&[(&a, &none[0]), (&b, &none[1]), (&c, &none[0]), (&d, &none[1])], table, "there are no rows to train on");
    folder(&[("bad/train-images-idx3-ubyte/x", b"a folder in its place")], table, "there is no image in this class");
    let other = "bad/other-train-images-idx3-ubyte";
    folder(&[(&a, &good[0]), (other, &good[0])], table, "it holds 2 data sets: train-*, other-train-*. Name one of them by its own folder");
}

pub fn csv_cases(table: &mut Table) {
    let many: String = "kind,x\n".to_string() + &(0..257).map(|i| format!("k{i},1\n")).collect::<String>();
    let wide = "1,".repeat(9_000_000) + "1\n";
    let text = |text: &str| text.as_bytes().to_vec();
    for (more, bytes, said) in [
        ("", text(""), "the table is empty"),
        ("", text("\n\n\r\n"), "the table is empty"),
        ("", text("a,b\n"), "0 rows can't be split"),
        ("", text("a,b\n1,2\n"), "1 row can't be split"),
        ("", text("1,2\n3\n"), "line 2: 1 field where the first line has 2"),
        ("", text("1,2\n3,4,5\n"), "line 2: 3 fields"),
        ("", text("1,2\n3,4,\n"), "line 2: 3 fields"),
        ("", text("a,b\n1,2\n\n3,x\n"), "line 4, column 2 (`b`): `x` is not a number"),
        ("", text("a,b\n1,NaN\n1,2\n"), "`NaN` stands for a gap"),
        ("", text("1,2\n1,-inf\n"), "`-inf` is not finite"),
        ("", text("1,2\n1,1e400\n"), "`1e400` is not finite"),
        ("", text("1,\n1,2\n"), "line 1, column 2: the field is empty"),
        ("", text("a,b\n , 2\n1,2\n"), "the field is empty"),
        ("", text("1,2\n1,0x10\n"), "`0x10` is not a number"),
        ("", text("1,2\n1,1_000\n"), "`1_000` is not a number"),
        ("", text("1,2\n1,\"2,3\"\n"), "`2,3` is not a number"),
        ("", b"1,\xff\xfe\n".to_vec(), "is not text in UTF-8"),
        ("", b"\x1b[31m,1\n2,3\n".to_vec(), "`\u{fffd}[31m` is not a number"),
        ("", wide.into_bytes(), "the row takes more than 16 MiB"),
        ("--header no", text("a,b\n1,2\n"), "line 1, column 1: `a` is not a number"),
        ("--header yes", text("1,2\n3,4\n"), "1 row can't be split"),
        ("--label c", text("a,b\n1,2\n"), "no column is called `c`"),
        ("--label a", text("a,b,a\n1,2,3\n4,5,6\n"), "2 columns are called `a`. Give its number"),
        ("--label 2", text("a,b\n1,2\n"), "column 2 (counted from 0) is asked for, but there are 2 columns"),
        ("--label 18446744073709551615", text("a,b\n1,2\n"), "but there are 2 columns"),
        ("--label 0", text("a\n1\n"), "no column besides labels, ids and dropped ones"),
        ("--label 1", text("1,\n2,3\n"), "the label is empty"),
        ("--label kind", many.into_bytes(), "this is the 257th label, and 256 is the limit"),
        ("--loss bce --scale none", text("1,2\n3,4\n5,6\n"), "binary cross-entropy is for numbers in [0, 1]"),
        ("", text("1e308,1\n-1e308,1\n1e308,1\n-1e308,1\n"), "further apart than a 64-bit float reaches"),
    ] {
        table.file("t.csv", bytes, &format!("{TRAIN} t.csv {more}"), said);
    }
    for (bytes, said) in [
        ("1,2\n3,4\n", "its lines have 2 fields, and the model knows 3 columns"),
        ("1,2,3\n4,5\n", "line 2: 2 fields where the first line has 3"),
        ("a,b,c\n1,2,x\n", "line 2, column 3 (`c`): `x` is not a number"),
        ("", "the table is empty"),
    ] {
        table.file("t.csv", bytes, &format!("{ENCODE} t.csv"), said);
    }
    table.file("late.csv", "1,2,3\n".repeat(50_000) + "1,2,x\n", &format!("{ENCODE} late.csv"), "line 50001, column 3");
}

pub fn npy_cases(table: &mut Table) {
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
        (vec![], "it ends inside its first eight bytes"),
        (good[..9].to_vec(), "it ends inside the length of its header"),
        (good[..40].to_vec(), "it ends inside its header"),
        (good[..good.len() - 1].to_vec(), "but the file has"),
        ([&good[..], &[0]].concat(), "but the file has"),
        (b"PK\x03\x04 an npz".to_vec(), "not an npy file"),
        (b"\x80\x04\x95 a pickle".to_vec(), "not an npy file"),
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
        (npy("<f4", "(1, 4)", &ok), "1 row can't be split"),
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
        (npy("<U4", "(1, 1)", &ok), "texts (<U4), not numbers"),
        (npy("<f4", "(2, 2)", &f32s(&[1.0, 2.0, f32::NAN, 4.0])), "row 1, column 0 (both counted from 0) is NaN"),
        (npy("<f4", "(2, 2)", &f32s(&[1.0, f32::INFINITY, 3.0, 4.0])), "row 0, column 1 (both counted from 0) is inf"),
        (npy("<f8", "(1, 2)", &[1.0f64.to_le_bytes(), f64::INFINITY.to_le_bytes()].concat()), "column 1 (both counted from 0) is inf"),
        (header("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }"), "needs"),
        (header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }"), "records, not single numbers"),
        (header("{'descr': '<f4', 'fortran_order': False, }"), "is missing"),
        (header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}"), "appears twice"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'x': 1}"), "is not a key"),
        (header("{'descr': '<f4"), "stands where a quoted text should"),
        (header(&format!("{{'shape': {}", "(".repeat(60_000))), "stands where a dimension should"),
        ([&b"\x93NUMPY\x01\x00\x02\x00\xff\xff"[..], &ok].concat(), "it is not text"),
    ] {
        table.file("a.npy", bytes, &format!("{TRAIN} a.npy"), said);
    }
    table.file("a.npy", npy("<f4", "(2, 2)", &ok), &format!("{ENCODE} a.npy"), "its rows have 2 columns where 3 are needed");
    table.file("a.npy", npy("<f4", "(1431655765, 3)", &ok), &format!("{ENCODE} a.npy"), "needs 17179869");
}

pub fn image_cases(table: &mut Table) {
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
    let cut = &jpeg[..jpeg.len() - 20];
    table.file(
        "bad/a.jfif",
        cut,
        &format!("{TRAIN} bad"),
        "a.jfif: it can't be read as an image (it is cut off: its end marker is missing)",
    );
    table.add(&[("t.csv", b"1,2\n3,4\n")], &format!("{TRAIN} t.csv --color"), 2, "t.csv is not a folder of images");
    let dark = |name: &str, table: &mut Table, more: &[(&str, &[u8])], said| {
        table.add(&[&[(name, &png[..])], more].concat(), &format!("{TRAIN} bad"), 3, said);
    };
    dark("bad/a.png", table, &[("bad/class/a.png", &png)], "there are images beside sub-folders");
    dark("bad/class/a.png", table, &[("bad/none/readme.txt", b"x")], "there is no image in this class");
    dark("bad/train/a.png", table, &[("bad/Training/a.png", &png)], "train is the same part as Training");
    dark("bad/train/a.png", table, &[("bad/test/readme.txt", b"x")], "no file in this folder is an image (1): readme.txt");
    dark("bad/a.png", table, &[], "1 row can't be split");
    let many: Vec<(String, &[u8])> = (0..257).map(|i| (format!("bad/{i}/a.png"), &png[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    table.add(&many, &format!("{TRAIN} bad"), 3, "there are 257 sub-folders, and 256 classes are the limit");
    // A picture that no network takes is an argument, too many pictures are data.
    for size in ["2000000000x2000000000", "40000x40000"] {
        let said = "make rows of more than 16777216 numbers. Name a smaller size for them: --image-size HxW";
        table.add(&[("bad/a.png", &png), ("bad/b.png", &png)], &format!("{TRAIN} bad --image-size {size}"), 2, said);
    }
    let many: Vec<(String, &[u8])> = (0..128).map(|i| (format!("bad/{i}.png"), &png[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    table.add(&many, &format!("{TRAIN} bad --image-size 4096x4096"), 3, "have more than 2147483647 values. Name a smaller size");
    let wide = "train --device cpu -q --layers 128 --epochs 1 --out new --data bad --image-size 4096x4096";
    let said = "images of 1x4096x4096 make rows that are too wide for these layers (shape: ";
    table.add(&[("bad/a.png", &png), ("bad/b.png", &png)], wide, 3, said);
    dark("bad/a.png", table, &[("bad/b.png", &png[..60])], "it can't be read as an image");
}
