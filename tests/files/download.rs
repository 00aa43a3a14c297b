//! MNIST from a server on this machine: what is whole is kept, what is not is refused, and without a server the message
//! says what to do.

use flate2::{Compression, write::GzEncoder};
use narrows::Error;
use narrows::data::{Origin, mnist_from};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

const NAMES: [&str; 4] =
    ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"];

/// Three training and two test images of 2 x 3, gzipped as published.
fn files() -> [Vec<u8>; 4] {
    let idx = |dims: &[u32], values: &[u8]| {
        let mut file = vec![0, 0, 8, dims.len() as u8];
        dims.iter().for_each(|d| file.extend(d.to_be_bytes()));
        file.extend(values);
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&file).unwrap();
        encoder.finish().unwrap()
    };
    [idx(&[3, 2, 3], &[7; 18]), idx(&[3], &[1, 2, 3]), idx(&[2, 2, 3], &[9; 12]), idx(&[2], &[4, 5])]
}

#[derive(Clone, Copy, PartialEq)]
enum Server {
    Whole,
    NotFound,
    /// Says its length and sends a byte less.
    Truncated,
    /// Ends early without having said a length.
    Cut,
    Wrong,
}

/// A server that answers so, the address to ask, and what it was asked for.
fn serve(how: Server) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/mnist/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = asked.clone();
    let bodies: HashMap<&str, Vec<u8>> = NAMES.into_iter().zip(files()).collect();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let Some(request) = lines.next() else { continue };
            let path = request.split(' ').nth(1).unwrap().to_string();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            log.lock().unwrap().push(path.clone());
            let mut body = bodies[path.trim_start_matches("/mnist/")].clone();
            let mut said = Some(body.len());
            match how {
                Server::Whole | Server::NotFound => {}
                Server::Truncated => drop(body.pop()),
                Server::Cut => {
                    body.pop();
                    said = None;
                }
                Server::Wrong => body[20] ^= 1,
            }
            let status = if how == Server::NotFound { "404 Not Found" } else { "200 OK" };
            let length = said.map(|n| format!("Content-Length: {n}\r\n")).unwrap_or_default();
            let _ = stream.write_all(format!("HTTP/1.1 {status}\r\n{length}Connection: close\r\n\r\n").as_bytes());
            let _ = stream.write_all(&body);
        }
    });
    (address, asked)
}

fn origin(mirrors: &[&str]) -> Origin {
    let digest = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let files = NAMES.iter().zip(files()).map(|(name, bytes)| (name.to_string(), digest(&bytes))).collect();
    Origin { mirrors: mirrors.iter().map(|m| m.to_string()).collect(), files }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The error of a download from these mirrors, which leaves nothing in the folder.
fn refused(mirrors: &[&str]) -> String {
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("mnist");
    let error = mnist_from(&origin(mirrors), Some(&folder), |_| {}).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    let text = error.to_string();
    assert!(NAMES.iter().all(|name| text.contains(name)) && text.contains(&format!("into {}", folder.display())), "{text}");
    assert!(names(&folder).is_empty(), "{:?}", names(&folder));
    text
}

#[test]
fn a_download_is_kept_and_asked_for_once() {
    let (address, asked) = serve(Server::Whole);
    let cache = tempfile::tempdir().unwrap();
    let folder = cache.path().join("deep/mnist");
    let mut seen = Vec::new();
    let split = mnist_from(&origin(&[&address]), Some(&folder), |p| seen.push((p.file.to_string(), p.bytes, p.total))).unwrap();
    assert_eq!((split.train.len(), split.test.len(), split.test.labels()), (3, 2, Some([4, 5].as_slice())));
    for (name, bytes) in NAMES.iter().zip(files()) {
        assert_eq!(fs::read(folder.join(name)).unwrap(), bytes);
        assert!(seen.contains(&(name.to_string(), bytes.len() as u64, Some(bytes.len() as u64))), "{seen:?}");
    }
    assert_eq!(names(&folder).len(), 4);
    mnist_from(&origin(&[&address]), Some(&folder), |_| panic!("nothing is missing")).unwrap();
    assert_eq!(asked.lock().unwrap().len(), 4);
    // Only what is missing is asked for again.
    fs::remove_file(folder.join(NAMES[2])).unwrap();
    mnist_from(&origin(&[&address]), Some(&folder), |_| {}).unwrap();
    assert_eq!(asked.lock().unwrap()[4..], [format!("/mnist/{}", NAMES[2])]);
}

#[test]
fn the_second_mirror_is_asked_where_the_first_fails_in_any_way() {
    for how in [Server::NotFound, Server::Truncated, Server::Cut, Server::Wrong] {
        let ((bad, asked_bad), (good, asked_good)) = (serve(how), serve(Server::Whole));
        let cache = tempfile::tempdir().unwrap();
        let split = mnist_from(&origin(&[&bad, &good]), Some(cache.path()), |_| {}).unwrap();
        assert_eq!((split.train.len(), asked_bad.lock().unwrap().len(), asked_good.lock().unwrap().len()), (3, 4, 4));
        assert_eq!(names(cache.path()).len(), 4);
    }
}

#[test]
fn what_is_not_whole_is_not_kept_and_the_error_says_why_and_what_to_do() {
    let text = refused(&[&serve(Server::NotFound).0]);
    assert!(text.contains("404"), "{text}");
    let text = refused(&[&serve(Server::Truncated).0]);
    let length = files()[0].len();
    assert!(text.contains(&format!("after {} of {length} bytes", length - 1)), "{text}");
    for how in [Server::Cut, Server::Wrong] {
        let text = refused(&[&serve(how).0]);
        assert!(text.contains("the sha256 of its") && text.contains(", not "), "{text}");
    }
}

#[test]
fn without_a_server_the_message_names_every_mirror_that_was_tried() {
    // Ports that were free a moment ago.
    let closed = || format!("http://{}/", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let (one, two) = (closed(), closed());
    let text = refused(&[&one, &two]);
    assert!(text.contains(&one) && text.contains(&two) && text.contains("train-images-idx3-ubyte.gz could not be downloaded"), "{text}");
}

#[test]
fn files_put_there_by_hand_need_no_server_and_are_checked_as_any_file() {
    let cache = tempfile::tempdir().unwrap();
    for (name, bytes) in NAMES.iter().zip(files()) {
        let mut unpacked = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut unpacked).unwrap();
        fs::write(cache.path().join(name.trim_end_matches(".gz")), unpacked).unwrap();
    }
    assert_eq!(mnist_from(&origin(&[]), Some(cache.path()), |_| {}).unwrap().train.len(), 3);
    fs::write(cache.path().join("t10k-labels-idx1-ubyte"), "rubbish").unwrap();
    assert!(matches!(mnist_from(&origin(&[]), Some(cache.path()), |_| {}), Err(Error::Data { .. })));
}
