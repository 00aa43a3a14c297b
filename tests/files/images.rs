//! Folders of images, and the folders that IDX files come in: how people have them.

use crate::bytes::{NAMES, idx, small};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use narrows::Error;
use narrows::data::{self, Dataset, Options, Split, Values};
use std::fs;
use std::path::Path;

const FORMATS: [ImageFormat; 6] =
    [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::Gif];

/// An image that no format can leave much of out.
fn noise(width: u32, height: u32) -> RgbImage {
    let shade = |x: u32, y: u32, c: u32| ((x * 7919 + y * 104_729 + c * 611_953).wrapping_mul(2_654_435_761) >> 24) as u8;
    RgbImage::from_fn(width, height, |x, y| Rgb([0, 1, 2].map(|c| shade(x, y, c))))
}

fn encoded(image: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = DynamicImage::from(image.clone());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A small image of one shade at each of the paths.
fn shades(root: &Path, paths: &[(&str, u8)]) {
    for (path, shade) in paths {
        put(root.join(path), encoded(&RgbImage::from_pixel(2, 2, Rgb([*shade; 3])), ImageFormat::Png));
    }
}

fn open(path: &Path) -> narrows::Result<Split> {
    data::open(path.to_str().unwrap())
}

fn bytes(data: &Dataset) -> &[u8] {
    match data.values() {
        Values::Bytes(bytes) => bytes,
        other => panic!("{other:?}"),
    }
}

/// The shade of each image, and its class.
fn seen(data: &Dataset) -> Vec<(u8, Option<String>)> {
    let class = |at: usize| Some(data.class_name(data.labels()?[at]));
    bytes(data).chunks(data.columns()).enumerate().map(|(at, pixels)| (pixels[0], class(at))).collect()
}

#[test]
fn what_a_file_is_its_first_bytes_say() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let image = RgbImage::from_pixel(3, 2, Rgb([90; 3]));
    let names = ["a.png", "b.jfif", "c.webp", "d.bmp", "e.tiff", "f.gif"];
    for (name, format) in names.into_iter().zip(FORMATS) {
        put(root.join(name), encoded(&image, format));
    }
    put(root.join("g.jpe"), encoded(&image, ImageFormat::Jpeg));
    put(root.join("h.png"), encoded(&image, ImageFormat::WebP));
    put(root.join("no ending"), encoded(&image, ImageFormat::Gif));
    put(root.join("notes.txt"), "no image");
    put(root.join(".hidden"), "no image");
    let data = Options::default().read(root).unwrap();
    assert_eq!((data.len(), data.row_dims()), (9, [1, 2, 3].as_slice()));
    assert!(bytes(&data).iter().all(|shade| shade.abs_diff(90) <= 1), "{:?}", bytes(&data));
    let note = format!("{}: files that are no images are left out (1): notes.txt", root.display());
    assert_eq!(data.notes(), [note]);
}

#[test]
fn an_image_that_is_cut_off_anywhere_is_refused_by_name_or_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let read = || Options::default().color(true).read(folder.path());
    for format in FORMATS {
        let file = encoded(&noise(24, 16), format);
        fs::write(&path, &file).unwrap();
        let whole = read().unwrap();
        for end in (0..file.len()).rev().step_by(5) {
            fs::write(&path, &file[..end]).unwrap();
            match read() {
                Ok(data) => assert_eq!(bytes(&data), bytes(&whole), "{format:?} cut to {end} of {}", file.len()),
                Err(Error::Data { path: named, .. }) => assert_eq!(named, path),
                Err(e) => panic!("{e:?}"),
            }
        }
    }
}

#[test]
fn an_image_stands_as_its_exif_data_say() {
    let folder = tempfile::tempdir().unwrap();
    // On the left dark, on the right light: after a quarter turn, above and below.
    let image = RgbImage::from_fn(16, 8, |x, _| Rgb([if x < 8 { 10 } else { 240 }; 3]));
    let jpeg = encoded(&image, ImageFormat::Jpeg);
    let turned = [b"\xff\xe1\x00\x22Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", &jpeg[2..]].concat();
    fs::write(folder.path().join("a.jpg"), [&jpeg[..2], &turned].concat()).unwrap();
    let data = Options::default().read(folder.path()).unwrap();
    assert_eq!(data.row_dims(), [1, 16, 8]);
    let (above, below) = bytes(&data).split_at(64);
    assert!(above.iter().all(|&p| p < 60) && below.iter().all(|&p| p > 190), "{above:?} {below:?}");
}

#[test]
fn colours_stay_if_wanted_and_else_turn_grey_and_that_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let image = RgbImage::from_fn(2, 1, |x, _| if x == 0 { Rgb([100, 50, 200]) } else { Rgb([7, 8, 9]) });
    put(folder.path().join("a.png"), encoded(&image, ImageFormat::Png));
    shades(folder.path(), &[("b.png", 77)]);
    let colour = Options::default().color(true).read(folder.path()).unwrap();
    assert_eq!((colour.row_dims(), &bytes(&colour)[..6]), ([3, 1, 2].as_slice(), [100, 7, 50, 8, 200, 9].as_slice()));
    let name = folder.path().display();
    let scaled = format!("{name}: 1 of 2 images have another size, and are scaled to 1x2 (--image-size names another)");
    let stretched =
        format!("{name}: 1 of 2 images are stretched: their sides have another ratio than 1x2 (--image-size HxW names another)");
    assert_eq!(colour.notes(), [scaled.as_str(), &stretched]);
    let grey = Options::default().read(folder.path()).unwrap();
    assert_eq!(bytes(&grey), [71, 8, 77, 77], "0.2126 R + 0.7152 G + 0.0722 B");
    assert!(grey.notes()[2].contains("1 of 2 images turn grey"), "{:?}", grey.notes());
}

#[test]
fn images_of_the_same_ratio_are_not_stretched_and_those_too_large_for_a_network_name_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    for (name, width, height) in [("a.png", 30, 20), ("b.png", 61, 40), ("c.png", 150, 100), ("d.png", 20, 30)] {
        put(folder.path().join(name), encoded(&RgbImage::from_pixel(width, height, Rgb([9; 3])), ImageFormat::Png));
    }
    let notes = Options::default().read(folder.path()).unwrap().notes().to_vec();
    assert!(notes[0].contains("3 of 4 images have another size") && notes[1].contains("1 of 4 images are stretched"), "{notes:?}");
    let error = Options::default().image_size(5_000, 5_000).read(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Argument { .. }) && error.to_string().contains("--image-size HxW"), "{error}");
    let large = tempfile::tempdir().unwrap();
    for (width, height, said) in [(1 << 13, 1 << 12, None), (1 << 11, 1 << 10, Some("make rows of 2097152 numbers; --image-size HxW"))] {
        put(large.path().join("a.png"), encoded(&RgbImage::new(width, height), ImageFormat::Png));
        match (Options::default().read(large.path()), said) {
            (Ok(data), Some(said)) => assert!(data.notes()[0].contains(said), "{:?}", data.notes()),
            (Err(e @ Error::Data { .. }), None) => {
                assert!(
                    e.to_string().contains("make rows of more than 16777216 numbers. Name a smaller size for them: --image-size"),
                    "{e}"
                );
            }
            (result, _) => panic!("{result:?}"),
        }
    }
}

#[test]
fn folders_called_train_valid_and_test_are_parts_with_the_classes_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let class = |name: &str| Some(name.to_string());
    // As MVTec AD is.
    let mvtec = root.join("mvtec");
    let images = [("train/good/a.png", 1), ("train/good/b.png", 2), ("test/good/a.png", 3), ("test/broken/deep/a.png", 4)];
    shades(&mvtec, &images);
    shades(&mvtec, &[("ground_truth/broken/a.png", 9)]);
    put(mvtec.join("readme.txt"), "MVTec");
    let split = open(&mvtec).unwrap();
    assert_eq!(seen(&split.train), [(1, class("good")), (2, class("good"))]);
    assert_eq!(seen(&split.test), [(4, class("broken")), (3, class("good"))]);
    assert!(split.validation.is_none());
    let note = format!("{}: what lies beside the parts is left out (2): ground_truth, readme.txt", mvtec.display());
    assert_eq!(split.notes(), [note]);
    assert!(matches!(Options::default().read(&mvtec), Err(Error::Data { .. })), "it is in two parts");

    let three = root.join("three");
    shades(&three, &[("Training/a.png", 1), ("TEST/b/a.png", 2), ("Val/a.png", 3)]);
    let split = open(&three).unwrap();
    assert_eq!(seen(&split.train), [(1, None)]);
    assert_eq!((seen(split.validation.as_ref().unwrap()), seen(&split.test)), (vec![(3, None)], vec![(2, class("b"))]));

    let two = root.join("two");
    shades(&two, &[("train/a.png", 1), ("valid/a.png", 2)]);
    let split = open(&two).unwrap();
    assert_eq!((seen(&split.test), split.validation.is_none()), (vec![(2, None)], true));
    assert!(split.notes()[0].ends_with("there is no test part, so valid is the one to judge by"), "{:?}", split.notes());

    let one = root.join("one");
    shades(&one, &[("train/a/a.png", 1), ("train/b/a.png", 2)]);
    let split = open(&one).unwrap();
    assert_eq!([seen(&split.train), seen(&split.test)].concat().len(), 2);
    assert_eq!(split.train.classes().unwrap(), ["a", "b"]);

    // Beside other folders, and without a test part, it is a class.
    shades(&one, &[("plane/a.png", 3)]);
    assert_eq!(open(&one).unwrap().train.classes().unwrap(), ["plane", "train"]);
    shades(&two, &[("VAL/a.png", 2)]);
    let error = open(&two).unwrap_err().to_string();
    assert!(error.contains("is the same part as"), "{error}");
}

#[test]
fn idx_files_are_found_where_torchvision_kaggle_and_emnist_have_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let fill = |below: &str, names: [&str; 4]| names.iter().zip(small()).for_each(|(name, file)| put(root.join(below).join(name), file));
    fill("torch/FashionMNIST/raw", NAMES);
    for path in ["torch", "torch/FashionMNIST", "torch/FashionMNIST/raw", &format!("torch/FashionMNIST/raw/{}", NAMES[2])] {
        assert_eq!(open(&root.join(path)).unwrap().train.labels(), Some([7, 0, 9].as_slice()), "{path}");
    }
    fill("torch/MNIST/raw", NAMES);
    let error = open(&root.join("torch")).unwrap_err().to_string();
    assert!(error.contains("it holds 2 data sets: FashionMNIST/raw/train-*, MNIST/raw/train-*. Name one of them"), "{error}");

    // Files with a dot, beside folders with a dash.
    fill("kaggle", NAMES.map(|name| name.replace("-idx", ".idx")).each_ref().map(String::as_str));
    NAMES.iter().for_each(|name| put(root.join("kaggle").join(name).join("a copy"), "x"));
    assert_eq!(open(&root.join("kaggle")).unwrap().test.labels(), Some([1, 2].as_slice()));

    let emnist = |set: &str| NAMES.map(|name| format!("emnist-{set}-{}", name.replace("t10k", "test")));
    fill("emnist", emnist("letters").each_ref().map(String::as_str));
    let split = open(&root.join("emnist")).unwrap();
    assert_eq!((split.train.row_dims(), &bytes(&split.train)[..6]), ([1, 3, 2].as_slice(), [0, 45, 15, 60, 30, 75].as_slice()));
    assert!(split.notes()[0].contains("transposed") && split.notes().len() == 1, "{:?}", split.notes());
    fill("emnist", emnist("digits").each_ref().map(String::as_str));
    let error = open(&root.join("emnist")).unwrap_err().to_string();
    assert!(error.contains("it holds 2 data sets: emnist-digits-train-*, emnist-letters-train-*"), "{error}");
    let one = root.join("emnist").join(&emnist("digits")[3]);
    fs::write(&one, idx(&[2], &[5, 6])).unwrap();
    assert_eq!(open(&one).unwrap().test.labels(), Some([5, 6].as_slice()));
}

#[test]
fn images_have_their_files_for_ids_and_others_are_read_as_the_first_were() {
    let folder = tempfile::tempdir().unwrap();
    for (name, size) in [("a/one.png", (4, 2)), ("b/two.png", (4, 2)), ("others/three.png", (8, 8))] {
        put(folder.path().join(name), encoded(&noise(size.0, size.1), ImageFormat::Png));
    }
    let all = Options::default().color(true).image_size(3, 5).read(folder.path()).unwrap();
    assert_eq!(all.ids().unwrap(), ["a/one.png", "b/two.png", "others/three.png"]);
    let schema = all.schema().unwrap();
    assert_eq!((schema.columns(), schema.names(), all.row_dims()), (45, None, &[3, 3, 5][..]));
    let others = Options::default().schema(schema).read(folder.path().join("others")).unwrap();
    assert_eq!((others.row_dims(), bytes(&others)), (&[3, 3, 5][..], &bytes(&all)[90..]));
    assert!(others.notes().is_empty(), "{:?}", others.notes());
    // Columns are by place then: the model of images takes tables of pixels too.
    put(folder.path().join("t.csv"), vec!["0.5"; 45].join(","));
    let table = Options::default().schema(schema).read(folder.path().join("t.csv")).unwrap();
    assert_eq!((table.len(), table.columns()), (1, 45));
}
