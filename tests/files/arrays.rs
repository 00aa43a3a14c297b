//! Arrays of numpy, alone and in archives, as `numpy.save` and `numpy.savez` write them.

use crate::bytes::{f32s, npy, npy_fortran, npz};
use narrows::data::{Chunks, Dataset, Options, Values};
use narrows::{Error, Result};
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

/// A folder with one file.
fn with(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn read(name: &str, bytes: &[u8], options: &Options) -> Result<Dataset> {
    let (_folder, path) = with(name, bytes);
    options.read(&path)
}

fn plain(name: &str, bytes: &[u8]) -> Dataset {
    read(name, bytes, &Options::default()).unwrap()
}

/// The numbers of a stream.
fn numbers(chunks: Chunks) -> Vec<f64> {
    let of = |values| match values {
        Values::Bytes(v) => v.into_iter().map(|byte| f64::from(byte) / 255.0).collect(),
        Values::Floats(v) => v.into_iter().map(f64::from).collect(),
        Values::Doubles(v) => v,
    };
    chunks.flat_map(|chunk| -> Vec<f64> { of(chunk.unwrap().values) }).collect()
}

/// The bytes of whole numbers from 0 on, little-endian.
fn counted(count: usize) -> Vec<u8> {
    (0..count as i64).flat_map(i64::to_le_bytes).collect()
}

/// The elements of a row-major array of 8 bytes each, with the first index going fastest.
fn columns_first(elements: &[u8], shape: &[usize]) -> Vec<u8> {
    let count = shape.iter().product();
    let place = |mut at: usize| {
        let mut place = 0;
        for (dim, &size) in shape.iter().enumerate() {
            place += at % size * shape[dim + 1..].iter().product::<usize>();
            at /= size;
        }
        place
    };
    (0..count).flat_map(|at| elements[8 * place(at)..][..8].to_vec()).collect()
}

#[test]
fn an_array_in_fortran_order_has_the_rows_of_the_same_array_in_c_order() {
    for (shape, dims) in [
        (&[5, 4][..], &[4][..]),
        (&[1, 7], &[7]),
        (&[3, 4, 2], &[4, 2]),
        (&[3, 2, 4, 5], &[2, 4, 5]),
        (&[3, 4, 5, 1], &[1, 4, 5]),
        (&[2, 4, 5, 3], &[3, 4, 5]),
    ] {
        let elements = counted(shape.iter().product());
        let text = format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
        let rows = plain("a.npy", &npy("<i8", &text, &elements));
        let fortran = npy_fortran("<i8", &text, &columns_first(&elements, shape));
        let columns = plain("a.npy", &fortran);
        assert_eq!((rows.row_dims(), rows.len()), (dims, shape[0]));
        assert_eq!((columns.row_dims(), columns.values()), (dims, rows.values()), "{shape:?}");
        if dims[0] != 3 {
            let wanted = (0..rows.values().len()).map(|x| x as f64).collect();
            assert_eq!(rows.values(), &Values::Doubles(wanted), "{shape:?}");
        }
        // From a pipe, and a chunk at a time.
        let piped = Options::default().stream_from("stdin", Cursor::new(fortran.clone())).unwrap();
        assert_eq!(&Values::Doubles(numbers(piped)), rows.values(), "{shape:?}");
        for end in 0..fortran.len() {
            let cut = &fortran[..end];
            assert!(matches!(read("a.npy", cut, &Options::default()), Err(Error::Data { .. })), "{shape:?}: {end} bytes");
            let piped = Options::default().stream_from("stdin", Cursor::new(cut.to_vec())).map(drop);
            assert!(end < 6 || matches!(piped, Err(Error::Data { .. })), "{shape:?}: {end} bytes from a pipe");
        }
    }
}

#[test]
fn two_dimensions_are_a_table_unless_they_are_squares_of_bytes_and_more_are_pictures() {
    let bytes: Vec<u8> = (0..192).collect();
    let read = |shape: &str, count: usize| plain("a.npy", &npy("|u1", shape, &bytes[..count]));
    let pictures = read("(3, 64)", 192);
    assert_eq!((pictures.row_dims(), pictures.values()), (&[1, 8, 8][..], &Values::Bytes(bytes.clone())));
    for (shape, columns, count) in [("(2, 63)", 63, 126), ("(2, 9)", 9, 18)] {
        let table = read(shape, count);
        let wanted = bytes[..count].iter().map(|&byte| f32::from(byte)).collect();
        assert_eq!((table.row_dims(), table.values()), (&[columns][..], &Values::Floats(wanted)), "{shape}");
    }
    // Channels that come last come first, and one that is alone is no dimension to be drawn.
    let grey = read("(2, 4, 2, 1)", 16);
    assert_eq!((grey.row_dims(), grey.values(), grey.notes().len()), (&[1, 4, 2][..], &Values::Bytes(bytes[..16].to_vec()), 0));
    assert_eq!(grey.image_dims(), Some([1, 4, 2]));
    let colour = read("(2, 2, 1, 3)", 12);
    assert_eq!((colour.row_dims(), colour.values()), (&[3, 2, 1][..], &Values::Bytes(vec![0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11])));
    assert!(colour.notes()[0].contains("the channels of a picture come first, 3 times 2x1"), "{:?}", colour.notes());
}

/// An archive as ADBench's are: rows, labels, and one array more.
fn archive() -> Vec<u8> {
    let labels: Vec<u8> = [-1i32, 1, 1].iter().flat_map(|y| y.to_le_bytes()).collect();
    npz(&[
        ("X", &npy_fortran("<i8", "(3, 2)", &counted(6))),
        ("y", &npy("<i4", "(3,)", &labels)),
        ("kind", &npy("|u1", "(3, 1)", &[7, 0, 7])),
        ("other", &npy("<f4", "(2, 1)", &f32s(&[0.5, 1.5]))),
    ])
}

#[test]
fn rows_and_labels_of_an_archive_are_found_or_named() {
    let data = read("a.npz", &archive(), &Options::default()).unwrap();
    assert_eq!((data.columns(), data.labels()), (2, None));
    assert_eq!(data.values(), &Values::Doubles(vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]));
    assert!(data.notes()[0].ends_with("the rows are its array X, and --array names another"), "{:?}", data.notes());
    let named = read("a.npz", &archive(), &Options::default().array("X").label("y")).unwrap();
    assert_eq!((named.labels(), named.classes(), named.notes().len()), (Some(&[0, 1, 1][..]), Some(&["-1".into(), "1".into()][..]), 0));
    let bytes = read("a.npz", &archive(), &Options::default().label("kind")).unwrap();
    assert_eq!((bytes.labels(), bytes.classes()), (Some(&[7, 0, 7][..]), None));
    // Beside the labels, one array is the only one.
    let pair = npz(&[("labels", &npy("|b1", "(2,)", &[1, 0])), ("rows", &npy("|u1", "(2, 3)", &[1, 2, 3, 4, 5, 6]))]);
    let only = read("a.npz", &pair, &Options::default().label("labels")).unwrap();
    assert_eq!((only.columns(), only.labels(), only.notes().len()), (3, Some(&[1, 0][..]), 0));
    let (_folder, path) = with("a.npz", &pair);
    assert_eq!(numbers(Options::default().array("rows").stream(&path).unwrap()), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn every_fault_of_an_archive_is_named() {
    let plain = Options::default;
    let one = npy("<f4", "(2, 2)", &f32s(&[1.0, 2.0, 3.0, 4.0]));
    let lie = npy("<f4", "(4294967295, 784)", &f32s(&[1.0]));
    let many = npy("<i8", "(300,)", &counted(300));
    for (options, bytes, said) in [
        (plain(), Vec::new(), "no zip archive, or a damaged one"),
        (plain(), one.clone(), "no zip archive, or a damaged one"),
        (plain(), npz(&[]), "there is no array of rows in it"),
        (plain().label("y"), npz(&[("y", &one)]), "there is no array of rows in it"),
        (plain(), npz(&[("a", &one), ("b", b"")]), "its arrays are a [2, 2], b damaged. Name the one with the rows: --array NAME."),
        (plain().array("z"), archive(), "no array is called `z`: there are X [3, 2], y [3], kind [3, 1], other [2, 1]. Name one"),
        (plain().label("z"), archive(), "no array is called `z`"),
        (plain().label("other"), archive(), "other]: its shape is [2, 1], and there are 3 rows"),
        (plain().array("X").label("X"), archive(), "X]: its shape is [3, 2]"),
        (plain().array("y"), archive(), "y]: it has 1 dimension, and rows of columns have 2"),
        (
            plain().array("b").label("n"),
            npz(&[("n", &many), ("b", &npy("|u1", "(300, 1)", &[0; 300]))]),
            "row 256 (counted from 0): this is the 257th label",
        ),
        (plain(), npz(&[("a", &lie)]), "a]: it ends after 1 of 3367254359280 elements"),
        (plain(), npz(&[("a", &[&one[..], &[0]].concat())]), "a]: there are more bytes than its 2 rows have"),
        (plain(), npz(&[("a", b"text")]), "a]: it ends inside its first eight bytes"),
    ] {
        let error = read("a.npz", &bytes, &options).unwrap_err();
        assert!(matches!(error, Error::Data { .. }) && error.to_string().contains(said), "{error}\nshould say: {said}");
    }
    let error = read("a.npz", &archive(), &plain().label(1)).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }), "{error}");
    let error = read("a.npy", &one, &plain().array("X")).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }), "{error}");
}

#[test]
fn no_flipped_or_missing_byte_of_an_archive_or_a_header_passes_for_another_array() {
    let options = Options::default().array("X").label("kind");
    let whole = archive();
    let data = read("a.npz", &whole, &options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8], options: &Options| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        match options.read(&path) {
            Ok(read) => Some(read),
            Err(Error::Data { .. }) => None,
            Err(other) => panic!("{other:?}"),
        }
    };
    for at in 0..whole.len() {
        assert!(check("a.npz", &whole[..at], &options).is_none(), "{at} bytes of {}", whole.len());
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            if let Some(read) = check("a.npz", &bytes, &options) {
                assert_eq!((read.values(), read.labels()), (data.values(), data.labels()), "byte {at} ^ {flip}");
            }
        }
    }
    let whole = npy("<f4", "(2, 2)", &f32s(&[1.0, 2.0, 3.0, 4.0]));
    for at in 0..whole.len() - 16 {
        for byte in (0..=255).filter(|&byte| byte != whole[at]) {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            check("a.npy", &bytes, &Options::default());
        }
    }
}
