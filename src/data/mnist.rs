//! MNIST: from the cache folder, or downloaded into it.

use super::dataset::Split;
use super::idx;
use crate::{Error, Result};
use std::path::{Path, PathBuf};

/// Where the files come from, and what they must hold.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Origin {
    /// Addresses that the names are appended to, tried in this order.
    pub mirrors: Vec<String>,
    /// Each file's name and the sha256 of its bytes.
    pub files: Vec<(String, String)>,
}

impl Default for Origin {
    fn default() -> Origin {
        let owned = |(name, digest): (&str, &str)| (name.to_string(), digest.to_string());
        Origin { mirrors: MIRRORS.map(String::from).to_vec(), files: FILES.map(owned).to_vec() }
    }
}

const MIRRORS: [&str; 2] = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"];

/// As published, with their sha256.
const FILES: [(&str, &str); 4] = [
    ("train-images-idx3-ubyte.gz", "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    ("train-labels-idx1-ubyte.gz", "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    ("t10k-images-idx3-ubyte.gz", "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    ("t10k-labels-idx1-ubyte.gz", "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
];

/// How far a download has come.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes received.
    pub bytes: u64,
    /// Bytes in all, where the server says so.
    pub total: Option<u64>,
}

/// MNIST: 60,000 images of handwritten digits to train on and 10,000 to test, 28 x 28. Files missing from `folder`
/// (default: [`mnist_folder`]) are downloaded into it once, from one of two mirrors, and their sha256 is checked. Files
/// put there by hand may be unpacked, and are used as they are.
///
/// # Errors
/// No folder to use, no server that has the files, or wrong files. The text names the files and the folder to put them
/// in.
///
/// ```no_run
/// let digits = narrows::data::mnist(None)?;
/// assert_eq!((digits.train.len(), digits.test.len()), (60_000, 10_000));
/// # Ok::<(), narrows::Error>(())
/// ```
pub fn mnist(folder: Option<&Path>) -> Result<Split> {
    mnist_with(folder, |_| {})
}

/// As [`mnist`], and calls `progress` while it downloads.
///
/// # Errors
/// As [`mnist`].
pub fn mnist_with(folder: Option<&Path>, progress: impl FnMut(Progress)) -> Result<Split> {
    mnist_from(&Origin::default(), folder, progress)
}

/// As [`mnist_with`], from another origin: for tests.
#[doc(hidden)]
pub fn mnist_from(origin: &Origin, folder: Option<&Path>, progress: impl FnMut(Progress)) -> Result<Split> {
    let folder = match folder {
        Some(folder) => folder.to_path_buf(),
        None => mnist_folder()?,
    };
    fetch_missing(origin, &folder, progress)?;
    idx::open(&folder)
}

/// The folder that MNIST is kept in: `NARROWS_CACHE/mnist`, else `XDG_CACHE_HOME/narrows/mnist`, else
/// `~/.cache/narrows/mnist` (Windows: in `LOCALAPPDATA`).
///
/// # Errors
/// When none of these variables is set.
pub fn mnist_folder() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("NARROWS_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).map(|cache| cache.join("narrows")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/narrows")))
        .or_else(|| set("LOCALAPPDATA").map(|local| local.join("narrows")));
    cache.map(|cache| cache.join("mnist")).ok_or_else(|| {
        Error::argument("cache", "none of NARROWS_CACHE, XDG_CACHE_HOME and HOME is set", "Set NARROWS_CACHE to a folder for downloads.")
    })
}

/// Whether MNIST is in [`mnist_folder`], so that it needs no network.
pub fn mnist_is_cached() -> bool {
    mnist_folder().is_ok_and(|folder| FILES.iter().all(|(name, _)| idx::has(&folder, name)))
}

#[cfg(not(feature = "download"))]
fn fetch_missing(origin: &Origin, folder: &Path, _: impl FnMut(Progress)) -> Result<()> {
    match origin.files.iter().find(|(name, _)| !idx::has(folder, name)) {
        None => Ok(()),
        Some((name, _)) => Err(missing(origin, folder, format!("{name} is missing, and this build cannot download it"))),
    }
}

fn missing(origin: &Origin, folder: &Path, problem: String) -> Error {
    let names: Vec<&str> = origin.files.iter().map(|(name, _)| name.as_str()).collect();
    Error::data(
        folder,
        problem,
        format!("Without a network, put {} into {} (from {}).", names.join(", "), folder.display(), origin.mirrors.join(" or ")),
    )
}

#[cfg(feature = "download")]
use network::fetch_missing;

#[cfg(feature = "download")]
mod network {
    use super::{Origin, Progress, idx, missing};
    use crate::files::write_atomic;
    use crate::{Error, Result};
    use sha2::{Digest, Sha256};
    use std::io::{self, ErrorKind, Read};
    use std::path::Path;
    use std::time::Duration;
    use ureq::Agent;

    /// The largest file has 10 MB.
    const MOST: u64 = 64 << 20;

    /// Downloads the files that the folder does not hold.
    pub(super) fn fetch_missing(origin: &Origin, folder: &Path, mut progress: impl FnMut(Progress)) -> Result<()> {
        let wanted: Vec<&(String, String)> = origin.files.iter().filter(|(name, _)| !idx::has(folder, name)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, "making the folder for downloads", e))?;
        let config = Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(15)))
            .timeout_recv_response(Some(Duration::from_secs(30)))
            .timeout_global(Some(Duration::from_secs(600)))
            .user_agent(concat!("narrows/", env!("CARGO_PKG_VERSION")));
        let agent: Agent = config.build().into();
        for (name, digest) in wanted {
            let path = folder.join(name);
            let mut tried = Vec::new();
            let found = origin.mirrors.iter().find_map(|mirror| match fetch(&agent, mirror, name, digest, &mut progress) {
                Ok(bytes) => Some(bytes),
                Err(problem) => {
                    tried.push(format!("{mirror}{name}: {problem}"));
                    None
                }
            });
            match found {
                Some(bytes) => write_atomic(&path, |file| file.write_all(&bytes))?,
                None => return Err(missing(origin, folder, format!("{name} could not be downloaded ({})", tried.join("; ")))),
            }
        }
        Ok(())
    }

    /// One file from one mirror, whole and with the right sha256, or what was wrong.
    fn fetch(
        agent: &Agent,
        mirror: &str,
        name: &str,
        digest: &str,
        progress: &mut impl FnMut(Progress),
    ) -> std::result::Result<Vec<u8>, String> {
        let response = agent.get(format!("{mirror}{name}")).call().map_err(|e| e.to_string())?;
        let mut body = response.into_body();
        let total = body.content_length();
        let mut reader = body.as_reader().take(MOST + 1);
        let (mut bytes, mut piece) = (Vec::new(), vec![0; 1 << 16]);
        loop {
            match reader.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(received(&bytes, total, &e)),
            }
            progress(Progress { file: name, bytes: bytes.len() as u64, total });
        }
        if bytes.len() as u64 > MOST || total.is_some_and(|total| total != bytes.len() as u64) {
            return Err(received(&bytes, total, &io::Error::from(ErrorKind::UnexpectedEof)));
        }
        let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if found != digest {
            return Err(format!("the sha256 of its {} bytes is {found}, not {digest}", bytes.len()));
        }
        Ok(bytes)
    }

    fn received(bytes: &[u8], total: Option<u64>, e: &io::Error) -> String {
        let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
        format!("the connection ended after {}{of} bytes ({e})", bytes.len())
    }
}
