//! All rows of a data set at once, on every device: by runs of many steps, whose bits are those of the same rows in a
//! stream.

use crate::common;
use crate::common::devices;
use narrows::data::Rows;
use narrows::data::{self, Dataset};
use narrows::{Autoencoder, Device, Result};

fn assert_same<T: Into<f64>>(what: &str, all: &Rows, stream: impl Iterator<Item = Result<Rows<T>>>) {
    let streamed: Vec<f64> = stream.flat_map(|chunk| chunk.unwrap().values).map(T::into).collect();
    assert_eq!((all.values.len(), streamed.len()), (all.rows * all.columns, all.rows * all.columns), "{what}");
    let first = all.values.iter().zip(&streamed).position(|(&a, b)| f64::from(a).to_bits() != b.to_bits());
    assert_eq!(first, None, "{what}: the first number that differs");
    assert!(all.values.iter().any(|&x| x != all.values[0]), "{what}: there is nothing to compare");
}

fn compare(device: &Device, counts: &[usize]) {
    let ae = Autoencoder::builder(784).hidden([9]).code(3).seed(5).build(device).unwrap();
    let most = *counts.iter().max().unwrap();
    let bytes = data::digits(0, 0..most as u32);
    let floats = Dataset::from_rows("floats", bytes.rows_f32(0..most), &[784]).unwrap();
    for &count in counts {
        for data in [bytes.head(count), floats.head(count)] {
            let what = |way: &str| format!("{way} of {count} rows of {} on {}", data.name(), device.id());
            let codes = ae.encode(&data).unwrap();
            assert_eq!((codes.rows, codes.columns), (count, 3));
            assert_same(&what("encode"), &codes, ae.encode_stream(data.chunks()).unwrap());
            // So wide that a run has few steps, or one.
            assert_same(&what("reconstruct"), &ae.reconstruct(&data).unwrap(), ae.reconstruct_stream(data.chunks()).unwrap());
            let codes_again = Dataset::from_rows("codes", codes.values.clone(), &[3]).unwrap();
            assert_same(&what("decode"), &ae.decode(&codes).unwrap(), ae.decode_stream(codes_again.chunks()).unwrap());
        }
    }
}

#[test]
fn all_rows_at_once_have_the_bits_of_rows_in_a_stream() {
    for device in devices() {
        // One, less than a step, and several steps of which the last is not full: a GPU's step has at most 2048 rows.
        let counts: &[usize] = if device.id() == "cuda-standin" { &[1, 2_051] } else { &[1, 300, 4_100] };
        compare(device, counts);
    }
}

#[test]
fn more_codes_than_a_run_gives_come_in_several() {
    let device = common::cpu();
    let ae = Autoencoder::builder(2).hidden([5]).code(2).build(&device).unwrap();
    // 2^19 numbers are a run's.
    let count = (1 << 18) + 1_001;
    let values: Vec<f32> = (0..2 * count).map(|i| (i % 1_013) as f32 / 1_013.0).collect();
    let rows = Dataset::from_rows("pairs", values, &[2]).unwrap();
    assert_same("encode", &ae.encode(&rows).unwrap(), ae.encode_stream(rows.chunks()).unwrap());
}

#[test]
fn no_rows_give_no_rows() {
    for device in devices() {
        let ae = Autoencoder::builder(4).code(2).build(device).unwrap();
        let none = Dataset::from_rows("none", vec![], &[4]).unwrap();
        assert_eq!((ae.encode(&none).unwrap().rows, ae.reconstruct(&none).unwrap().values), (0, vec![]));
    }
}
