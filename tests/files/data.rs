//! Data sets and the files they come from: what is right is read, what is wrong is an error with its place, and nothing
//! is believed.

use crate::bytes::{NAMES, gz, idx, small};
use flate2::{Compression, write::GzEncoder};
use narrows::Error;
use narrows::data::{self, Dataset, Split, Values};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Counts what this thread asks for, so that "costs no memory" can be tested.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending has no counters any more.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator with the same arguments; counting allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Large blocks grow where they are: the pages are remapped.
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `f` gives, and the most bytes it held at once on this thread.
fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let value = f();
    (value, (PEAK.get() - before) as usize)
}

fn folder(files: &[Vec<u8>; 4]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(files) {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(folder: &Path) -> narrows::Result<Split> {
    data::open(folder.to_str().unwrap())
}

/// The error of a folder whose file number `which` is `bytes`.
fn refused(which: usize, bytes: Vec<u8>) -> Result<Split, Error> {
    let mut files = small();
    files[which] = bytes;
    let result = open(folder(&files).path());
    if let Err(error) = &result {
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
    }
    result
}

fn assert_small(split: &Split) {
    let pixels: Vec<u8> = (0..18).map(|i| i * 15).collect();
    assert_eq!(split.train.values(), &Values::Bytes(pixels.clone()));
    assert_eq!(split.test.values(), &Values::Bytes(pixels[6..].to_vec()));
    assert_eq!((split.train.labels(), split.test.labels()), (Some([7, 0, 9].as_slice()), Some([1, 2].as_slice())));
    assert_eq!((split.train.row_dims(), split.train.image_dims()), ([1, 2, 3].as_slice(), Some([1, 2, 3])));
    assert!(!split.train.is_synthetic() && !split.test.is_synthetic());
}

#[test]
fn files_are_read_plain_gzipped_in_members_and_in_both_spellings() {
    assert_small(&open(folder(&small()).path()).unwrap());
    assert_small(&open(folder(&small().map(|f| gz(&f))).path()).unwrap());
    // Members break anywhere, also inside the header, and may be empty.
    let members = small().map(|f| [gz(&f[..5]), gz(&[]), gz(&f[5..7]), gz(&f[7..])].concat());
    assert_small(&open(folder(&members).path()).unwrap());
    for (dotted, gzip) in [(true, false), (true, true), (false, true)] {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in NAMES.iter().zip(small()) {
            let name = if dotted { name.replace("-idx", ".idx") } else { name.to_string() };
            let (name, bytes) = if gzip { (name + ".gz", gz(&bytes)) } else { (name, bytes) };
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        assert_small(&open(folder.path()).unwrap());
    }
}

#[test]
fn labels_may_be_absent_on_both_sides_only() {
    let both = folder(&small());
    fs::remove_file(both.path().join(NAMES[1])).unwrap();
    let error = open(both.path()).unwrap_err().to_string();
    assert!(error.contains("t10k-labels-idx1-ubyte is there, but train-labels-idx1-ubyte is not"), "{error}");
    fs::remove_file(both.path().join(NAMES[3])).unwrap();
    let split = open(both.path()).unwrap();
    assert_eq!((split.train.labels(), split.test.labels(), split.train.len()), (None, None, 3));
}

#[test]
fn a_file_that_is_no_data_names_the_four_files() {
    let folder = folder(&small());
    let absent = folder.path().join("absent");
    let file = folder.path().join("notes.md");
    fs::write(&file, "no data").unwrap();
    let error = open(&file).unwrap_err().to_string();
    assert!(error.contains("not a folder") && NAMES.iter().all(|name| error.contains(name)), "{error}");
    let error = open(&absent).unwrap_err().to_string();
    assert!(error.contains("there is no such file or folder. Check the path"), "{error}");
    fs::remove_file(folder.path().join(NAMES[2])).unwrap();
    let error = open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("t10k-images-idx3-ubyte is not in this folder") && NAMES.iter().all(|name| error.contains(name)), "{error}");
}

#[test]
fn truncation_at_any_byte_is_an_error() {
    for (which, name) in NAMES.into_iter().enumerate() {
        let whole = small()[which].clone();
        let zipped = gz(&whole);
        for end in 0..whole.len() {
            let plain = refused(which, whole[..end].to_vec()).unwrap_err().to_string();
            assert!(plain.contains(name) && plain.contains("offset "), "{plain}");
            // Cut off and then zipped, so that only the header can tell.
            refused(which, gz(&whole[..end])).unwrap_err();
        }
        for end in 0..zipped.len() {
            assert!(refused(which, zipped[..end].to_vec()).is_err(), "file {which} cut to {end} of {} bytes of gzip", zipped.len());
        }
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    for which in 0..4 {
        let longer = [small()[which].clone(), vec![0]].concat();
        let plain = refused(which, longer.clone()).unwrap_err().to_string();
        assert!(plain.contains("followed by something else"), "{plain}");
        let zipped = refused(which, gz(&longer)).unwrap_err().to_string();
        assert!(zipped.contains("more bytes than the header declares"), "{zipped}");
        refused(which, [gz(&small()[which]), gz(&[0])].concat()).unwrap_err();
        refused(which, [gz(&small()[which]), b"rubbish".to_vec()].concat()).unwrap_err();
    }
}

#[test]
fn any_flipped_bit_of_a_header_is_an_error() {
    for (which, header) in [(0, 16), (1, 8), (2, 16), (3, 8)] {
        for bit in 0..8 * header {
            let mut file = small()[which].clone();
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(refused(which, file.clone()).is_err(), "file {which}, bit {bit}");
            assert!(refused(which, gz(&file)).is_err(), "file {which}, bit {bit}, zipped");
        }
    }
}

#[test]
fn any_flipped_bit_of_gzip_is_an_error_or_changes_nothing() {
    let zipped = gz(&small()[0]);
    let mut harmless = 0;
    for bit in 0..8 * zipped.len() {
        let mut file = zipped.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        if let Ok(split) = refused(0, file) {
            assert_small(&split);
            harmless += 1;
        }
    }
    // The time, the compressor's flags and the system's name (six bytes), one flag, and the padding before the checksum
    // carry no data.
    assert!(harmless <= 8 * 6 + 1 + 7, "{harmless}");
    // The checksum and the length are the last eight bytes.
    for byte in 1..=8 {
        let mut file = zipped.clone();
        let last = file.len() - byte;
        file[last] ^= 0x10;
        let error = refused(0, file).unwrap_err().to_string();
        assert!(error.contains("gzip stream is damaged"), "{error}");
    }
}

#[test]
fn every_kind_of_wrong_file_says_what_and_where() {
    let pixels = [0u8; 18];
    let float = [vec![0, 0, 0x0d, 3], idx(&[3, 2, 3], &pixels)[4..].to_vec()].concat();
    for (which, bytes, said) in [
        (0, b"\x89PNG\r\n\x1a\n0123456789".to_vec(), "offset 0: the magic number is 0x89504e47, not 0x00000803"),
        (0, small()[1].clone(), "offset 3: there are 1 dimensions, and images have 3"),
        (1, small()[0].clone(), "offset 3: there are 3 dimensions, and labels have 1"),
        (0, float, "offset 2: the element type is 0x0d (32-bit floats)"),
        (0, idx(&[3, 0, 3], &[]), "offset 8: images of 0x3 pixels"),
        (2, idx(&[3, 2, 0], &[]), "offset 12: images of 2x0 pixels"),
        (0, idx(&[u32::MAX, 28, 28], &pixels), "offset 4: the header declares 4294967295x28x28 bytes"),
        (0, idx(&[u32::MAX; 3], &pixels), "offset 4: the header declares 4294967295x4294967295x4294967295 bytes"),
        (0, idx(&[2_000_000, 28, 28], &pixels), "offset 34: the header declares 1568000016 bytes, but the file has 34"),
        (1, idx(&[4], &[1, 2, 3, 4]), "offset 4: there are 4 labels for the 3 images"),
        (2, idx(&[2, 3, 2], &pixels[..12]), "the training images are [2, 3] and the test images [3, 2]"),
        (0, Vec::new(), "offset 0: the file ends here, 16 bytes early"),
    ] {
        let error = refused(which, bytes).unwrap_err().to_string();
        assert!(error.contains(said), "{error}\nshould say: {said}");
    }
}

#[test]
fn no_rows_are_an_empty_data_set() {
    let split = open(folder(&[idx(&[0, 28, 28], &[]), idx(&[0], &[]), idx(&[0, 28, 28], &[]), idx(&[0], &[])]).path()).unwrap();
    assert!(split.train.is_empty() && split.test.is_empty());
    assert_eq!((split.train.columns(), split.train.rows_f32(0..9).len(), split.train.head(3).len()), (784, 0, 0));
}

#[test]
fn lies_and_bombs_cost_no_memory() {
    const MIB: usize = 1 << 20;
    // 256 MiB of zeros in 256 KiB of gzip.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&idx(&[10, 28, 28], &[0; 7840])).unwrap();
    (0..256).for_each(|_| encoder.write_all(&[0; MIB]).unwrap());
    let bomb = encoder.finish().unwrap();
    // 20 kB that deflate can't shrink: by its size alone, such a file could hold 20 MB.
    let noise: Vec<u8> = (0..20_000u32).map(|i| (i.wrapping_mul(2_654_435_761) ^ i.wrapping_mul(i)).to_le_bytes()[2]).collect();
    for (name, bytes) in [
        ("a bomb behind an honest header", bomb),
        ("2^32 - 1 images, plain", idx(&[u32::MAX, 28, 28], &[0; 784])),
        ("2^32 - 1 images, zipped", gz(&idx(&[u32::MAX, 28, 28], &[0; 784]))),
        ("2 GB, plain", idx(&[2_000_000, 28, 28], &[0; 784])),
        ("2 GB in a small gzip", gz(&idx(&[2_000_000, 28, 28], &[0; 784]))),
        ("a gzip that could hold as much", gz(&idx(&[20_000, 28, 28], &noise))),
        ("a little more than there is", gz(&idx(&[50, 28, 28], &[0; 784]))),
    ] {
        let mut files = small();
        files[0] = bytes;
        let folder = folder(&files);
        let (result, held) = peak(|| open(folder.path()));
        assert!(matches!(result, Err(Error::Data { .. })), "{name}: {result:?}");
        assert!(held < MIB + MIB / 2, "{name}: {held} bytes were held");
    }
    // A file that keeps its promise costs what it declares, and not twice as much.
    let mut files = small();
    files[0] = gz(&idx(&[3, 2000, 2000], &vec![0; 12_000_000]));
    files[2] = gz(&idx(&[2, 2000, 2000], &vec![0; 8_000_000]));
    let folder = folder(&files);
    let (result, held) = peak(|| open(folder.path()));
    assert_eq!(result.unwrap().train.len(), 3);
    assert!((20_000_000..20_000_000 + 2 * MIB).contains(&held), "{held} bytes were held for 20,000,000");
}

#[test]
fn a_data_set_gives_its_rows_as_floats_and_its_head() {
    let bytes = Dataset::from_bytes("b", (0..=255).collect(), &[1, 8, 16]).unwrap().with_labels(vec![3, 4]).unwrap();
    assert_eq!((bytes.name(), bytes.len(), bytes.columns(), bytes.image_dims()), ("b", 2, 128, Some([1, 8, 16])));
    assert_eq!(bytes.rows_f32(0..2), (0..=255u8).map(|b| f32::from(b) / 255f32).collect::<Vec<_>>());
    assert_eq!(bytes.rows_f32(1..2)[127], 1.0);
    assert_eq!(bytes.rows_f32(1..usize::MAX).len(), 128);
    #[allow(clippy::reversed_empty_ranges)]
    let nothing = [bytes.rows_f32(2..1), bytes.rows_f32(7..9)];
    assert_eq!(nothing, [Vec::<f32>::new(), Vec::new()]);
    let head = bytes.head(1);
    assert_eq!((head.len(), head.labels(), head.rows_f32(0..1)), (1, Some([3].as_slice()), bytes.rows_f32(0..1)));
    assert_eq!((bytes.head(0).len(), bytes.head(99).len(), bytes.head(usize::MAX).labels()), (0, 2, Some([3, 4].as_slice())));
    let colour = Dataset::from_rows("c", vec![0.5; 24], &[3, 2, 4]).unwrap();
    assert_eq!((colour.image_dims(), colour.labels(), colour.len()), (Some([3, 2, 4]), None, 1));
    let other = Dataset::from_rows("o", vec![0.5; 16], &[2, 2, 4]).unwrap();
    assert_eq!((other.image_dims(), other.len()), (None, 1), "two channels are no picture");
    assert!(!colour.is_synthetic() && colour.clone().synthetic().is_synthetic());
    // A clone shares the rows.
    let (copy, held) = peak(|| data::digits(0, 0..10).clone());
    assert!(std::ptr::eq(copy.values(), copy.clone().values()) && held > 0);
}

#[test]
fn rows_that_do_not_fit_are_refused_with_their_numbers() {
    let rows = |values: Vec<f32>, dims: &[usize]| Dataset::from_rows("table", values, dims).map(drop);
    for (result, said) in [
        (rows(vec![0.0; 7], &[3]), "table: 7 values are not whole rows of 3: 1 are left over"),
        (rows(vec![0.0; 6], &[]), "a row of shape [] has no elements"),
        (rows(vec![], &[0]), "a row of shape [0] has no elements"),
        (rows(vec![0.0; 6], &[2, 0]), "a row of shape [2, 0] has no elements"),
        (rows(vec![0.0; 6], &[1, 1, 1, 1]), "not 1 to 3 dimensions"),
        (rows(vec![0.0; 6], &[usize::MAX, usize::MAX]), "more than 2147483647 elements"),
        (rows(vec![0.0, 1.0, 2.0, 3.0, f32::NAN, 5.0], &[3]), "table: row 1, column 1 (both counted from 0) is NaN"),
        (rows(vec![0.0, 1.0, f32::NEG_INFINITY], &[3]), "row 0, column 2 (both counted from 0) is -inf"),
        (Dataset::from_bytes("b", vec![0; 5], &[1, 2, 2]).map(drop), "b: 5 values are not whole rows of 4: 1 are left over"),
        (Dataset::from_bytes("b", vec![0; 8], &[4]).unwrap().with_labels(vec![1]).map(drop), "b: there are 1 labels for 2 rows"),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(said), "{error}\nshould say: {said}");
    }
}
