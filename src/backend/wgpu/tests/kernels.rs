//! What the table can't show of the kernels: the order of long sums, and how good exp is.

use super::super::product::Tile;
use super::{adapter, only};
use crate::op::{Map, Op, Role};
use crate::verify::ops;
use crate::{Device, Dtype, Level, Shape};

/// Runs an op whose operands that are read hold those numbers, and gives its result.
fn result(device: &Device, op: &Op<Shape>, mut numbers: impl FnMut(usize, &Shape) -> Vec<f32>) -> Vec<f32> {
    let roles: Vec<_> = op.form().operands().map(|o| o.role).collect();
    let mut at = 0..;
    let op = op.map(|shape| {
        let (view, at) = (device.alloc(Dtype::F32, *shape).unwrap(), at.next().unwrap());
        if roles[at] == Role::Read {
            device.backend().write(&view, bytemuck::cast_slice(&numbers(at, shape))).unwrap();
        }
        view
    });
    op.check().unwrap();
    device.backend().run(&op).unwrap();
    let mut y = vec![0f32; op.result().len()];
    device.backend().read(op.result(), bytemuck::cast_slice_mut(&mut y)).unwrap();
    y
}

const TERMS: usize = 513;

#[test]
fn products_add_up_blocks_of_256_terms() {
    let Some(device) = adapter("products_add_up_blocks_of_256_terms") else { return };
    ["dense", "dense_dx", "dense_dw", "dense_db"].into_iter().for_each(|op| blocks_of_256_terms(&device, op));
}

/// 2^24 in the first block and ones in the second: only a sum that adds the second block up on its own sees the ones.
pub(super) fn blocks_of_256_terms(device: &Device, op: &str) {
    let dims: &[usize] = match op {
        "dense" => &[1, TERMS, 1],
        "dense_dx" => &[1, 1, TERMS],
        "dense_dw" => &[TERMS, 1, 1],
        _ => &[TERMS, 1],
    };
    let (op, _) = ops::sized(op, dims).unwrap().unwrap();
    let steep = |at: usize, shape: &Shape| -> Vec<f32> {
        match (at, shape.len()) {
            (0, TERMS) => (0..TERMS).map(|k| [0.0, 16_777_216.0, 1.0][usize::from(k >= 255) + usize::from(k > 255)]).collect(),
            // A bias.
            (_, 1) => vec![0.0],
            (_, n) => vec![1.0; n],
        }
    };
    let cpu = Device::cpu_with(1, Level::best()).unwrap();
    assert_eq!(result(device, &op, steep), result(&cpu, &op, steep), "{}", op.name());
}

/// Sizes below, at and above the edges of a tile, and terms at those of panels, blocks and rounds of blocks. Sums of
/// small integers are exact in any order.
#[test]
fn products_of_small_integers_are_exact_at_the_edges_of_the_tiles_of_gpus() {
    if adapter("products_of_small_integers_are_exact_at_the_edges_of_the_tiles_of_gpus").is_none() {
        return;
    }
    let cpu = Device::cpu_with(1, Level::best()).unwrap();
    let integers = |at: usize, shape: &Shape| (0..shape.len()).map(|i| ((7 * i + i / 9 + 3 * at) % 11) as f32 - 5.0).collect();
    let wrong = |device: &Device| {
        let mut wrong = Vec::new();
        for [rows, columns] in [[1, 1], [32, 32], [33, 31], [63, 66]] {
            for terms in [1, 7, 8, 17, 255, 256, 257, 520, 1023, 1025, 1300] {
                let dims = [("dense", [rows, terms, columns]), ("dense_dx", [rows, columns, terms]), ("dense_dw", [terms, columns, rows])];
                for (name, dims) in dims {
                    let (op, _) = ops::sized(name, &dims).unwrap().unwrap();
                    if result(device, &op, integers) != result(&cpu, &op, integers) {
                        wrong.push((name, dims, terms));
                    }
                }
            }
        }
        wrong
    };
    for tile in [Tile::WHOLE, Tile::SPLIT] {
        assert_eq!(wrong(&only(tile, None)), [], "{tile:?}");
    }
    // A part whose sums are lost is seen where it has any.
    let lost = Box::new(|_: &str, text: String| text.replace("p < PARTS; p++", "p < PARTS - 1u; p++"));
    let found = wrong(&only(Tile::SPLIT, Some(lost)));
    assert!(!found.is_empty() && found.iter().all(|(.., terms)| *terms > 768), "{found:?}");
}

#[test]
fn sums_keep_their_order() {
    let Some(device) = adapter("sums_keep_their_order") else { return };
    sum_of_reals(&device);
}

/// 2^24 and ones beside it: lanes that took neighbours would lose the ones. The last are more partial sums than lanes.
pub(super) fn sum_of_reals(device: &Device) {
    let cpu = Device::cpu_with(1, Level::best()).unwrap();
    for n in [16, 4097, 300 * 4096 + 1] {
        let (op, _) = ops::sized("sum", &[n]).unwrap().unwrap();
        let op = match op {
            Op::Reduce { f, x, other, parts, y, .. } => Op::Reduce { f, x, other, parts, y, scale: 1.0 },
            op => op,
        };
        let steep = |_, shape: &Shape| {
            let number = |i: usize| if i == 0 { 16_777_216.0 } else { f32::from(u8::from(i < 16)) };
            (0..shape.len()).map(number).collect()
        };
        let sum = result(&cpu, &op, steep);
        assert_eq!((result(device, &op, steep), &sum[..]), (vec![16_777_230.0], &[16_777_230.0][..]), "{n}");
    }
}

/// The kernel divides once or twice more, each good to 2.5 ulp where a device is at its worst, and may multiply and add
/// where the CPU fuses.
#[test]
fn exp_is_good_to_a_few_ulp() {
    let Some(device) = adapter("exp_is_good_to_a_few_ulp") else { return };
    let n = 1 << 16;
    let x: Vec<f32> = (0..n).map(|i| -87.0 * i as f32 / n as f32).collect();
    let s = Shape::new(&[n]).unwrap();
    let y = result(&device, &Op::Map { f: Map::Sigmoid, x: s, y: s }, |_, _| x.clone());
    let mut worst = (0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let e = f64::from(*x).exp();
        let want = e / (1.0 + e);
        let ulp = f64::from(want as f32).log2().floor().exp2() * 2f64.powi(-23);
        worst = if (f64::from(y) - want).abs() / ulp > worst.0 { ((f64::from(y) - want).abs() / ulp, *x) } else { worst };
    }
    assert!(worst.0 <= 8.0, "{worst:?}");
    assert!(worst.0 > 0.0);
    println!("sigmoid: {:.2} ulp at {}", worst.0, worst.1);
}
