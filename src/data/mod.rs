//! Data sets: where rows come from, what is known of them, and what they are scaled by.

mod bounds;
#[cfg(feature = "files")]
mod broken;
mod chunks;
#[cfg(feature = "files")]
mod csv;
mod dataset;
mod digits;
#[cfg(feature = "files")]
mod fingerprint;
#[cfg(feature = "files")]
mod folder;
#[cfg(feature = "files")]
mod idx;
#[cfg(feature = "files")]
mod images;
#[cfg(feature = "files")]
mod labels;
#[cfg(feature = "files")]
mod likely;
#[cfg(feature = "files")]
mod mnist;
#[cfg(feature = "files")]
mod npy;
#[cfg(feature = "files")]
mod npz;
#[cfg(feature = "files")]
mod open;
mod rows;
mod scaler;
#[cfg(feature = "files")]
mod schema;
#[cfg(feature = "files")]
mod source;
mod strokes;
#[cfg(feature = "files")]
mod table;
#[cfg(feature = "files")]
mod table_rows;
#[cfg(feature = "files")]
mod text;
#[cfg(feature = "files")]
mod texts;
mod values;
#[cfg(feature = "files")]
mod worded;
#[cfg(feature = "files")]
mod words;
#[cfg(feature = "files")]
mod write;

pub use bounds::Bounds;
pub use chunks::{Chunk, Chunks, Remarks};
pub use dataset::{Dataset, Split};
pub use digits::{builtin, digits};
#[cfg(feature = "files")]
pub use fingerprint::{fingerprint, has_fingerprint};
#[cfg(feature = "files")]
pub use mnist::{Origin, Progress, mnist, mnist_folder, mnist_from, mnist_is_cached, mnist_with};
#[cfg(feature = "files")]
pub use open::{Column, Options};
pub use rows::Rows;
pub use scaler::{Scale, Scaler};
#[cfg(feature = "files")]
pub use schema::{Missing, Schema};
pub use values::Values;
pub(crate) use values::to_f32;
#[cfg(feature = "files")]
pub use worded::Worded;
#[cfg(feature = "files")]
pub use words::Weighting;
#[cfg(feature = "files")]
pub use write::{Number, RowWriter};

#[cfg(not(feature = "files"))]
use crate::Error;
use crate::Result;

/// Opens a data set by name. `builtin` is the synthetic digits; `mnist` comes from the cache or the network (see
/// `mnist`); anything else is a path:
///
/// - a folder with the four files of MNIST (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
///   `t10k-images-idx3-ubyte`, `t10k-labels-idx1-ubyte`), gzipped or not;
/// - one of these files, or a folder of torchvision's (`MNIST/raw`); EMNIST's files hold transposed images, which are
///   turned upright;
/// - a folder of images (PNG, JPEG, WebP, BMP, TIFF, the first frame of a GIF), where each sub-folder is a class; they
///   turn grey and take the size of the first;
/// - such a folder with the parts `train`, `valid` or `val`, and `test`; without a test part, the validation part is
///   the one to judge by;
/// - a folder of texts (`.txt`), where each sub-folder is a class: a row has a number for each of the most frequent
///   words; it may have parts too;
/// - a CSV file of numbers, with or without a header;
/// - an npy file of f32, f64 or u8 (a byte b means b / 255), whose first dimension is the rows.
///
/// Data in one part are split at random, always in the same way: 5/6 to train, 1/6 to test. `Options` has more, such as
/// a column of labels.
///
/// # Errors
/// A missing folder or file, or a wrong file, with the line or the offset.
///
/// ```
/// let digits = narrows::data::open("builtin")?;
/// assert_eq!((digits.train.len(), digits.test.len()), (20_000, 4_000));
/// assert!(digits.train.is_synthetic());
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn open(name: &str) -> Result<Split> {
    #[cfg(feature = "files")]
    return Options::default().open(name);
    #[cfg(not(feature = "files"))]
    match name {
        "builtin" => Ok(builtin()),
        _ => Err(Error::argument(
            "data",
            format!("{name} is not builtin, and this build reads no files"),
            "Use builtin, or build with the feature `files`.",
        )),
    }
}
