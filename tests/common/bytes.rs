//! The bytes of data files, good and bad, as tests write them.
#![allow(dead_code)]

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::io::Write;

pub const NAMES: [&str; 4] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

pub fn idx(dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| file.extend(d.to_be_bytes()));
    file.extend(values);
    file
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Three training and two test images of 2 x 3, with labels.
pub fn small() -> [Vec<u8>; 4] {
    let pixels: Vec<u8> = (0..18).map(|i| i * 15).collect();
    [idx(&[3, 2, 3], &pixels), idx(&[3], &[7, 0, 9]), idx(&[2, 2, 3], &pixels[6..]), idx(&[2], &[1, 2])]
}

pub fn npy_header(text: &str) -> Vec<u8> {
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
}

pub fn npy(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    [npy_header(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n")), elements.to_vec()].concat()
}

/// As [`npy`], with the first index going fastest.
pub fn npy_fortran(descr: &str, shape: &str, elements: &[u8]) -> Vec<u8> {
    [npy_header(&format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': {shape}, }}\n")), elements.to_vec()].concat()
}

/// Arrays under names, the first stored and the others deflated.
pub fn npz(arrays: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut bytes);
    for (at, (name, array)) in arrays.iter().enumerate() {
        let method = if at == 0 { CompressionMethod::STORE } else { CompressionMethod::DEFLATE };
        let name = format!("{name}.npy");
        let (mut entry, config) = archive.new_file(&name).compression_method(method).start().unwrap();
        let descriptor = if at == 0 {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(array).unwrap();
            writer.finish().unwrap().1
        } else {
            let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::best()));
            writer.write_all(array).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        };
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

pub fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}
