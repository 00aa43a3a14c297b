//! Every op on the adapter against the CPU: operands in buffers of their own and all in one, guard zones of NaN round each of them.

use super::adapter;
use crate::device::View;
use crate::op::{AdamHyper, Op, chunks};
use crate::rng::Rng;
use crate::{Device, Dtype, Shape};

/// An operand: its shape and what it holds; `None` is NaN, for what is written.
struct Operand {
    shape: Vec<usize>,
    data: Data,
}

#[derive(Clone)]
enum Data {
    F(Vec<f32>),
    U(Vec<u32>),
    B(Vec<u8>),
}

fn given(shape: &[usize], data: Vec<f32>) -> Operand {
    assert_eq!(shape.iter().product::<usize>(), data.len());
    Operand { shape: shape.to_vec(), data: Data::F(data) }
}

fn reals(rng: &mut Rng, shape: &[usize]) -> Operand {
    let n = shape.iter().product();
    given(shape, (0..n).map(|_| 4.0 * rng.uniform() - 2.0).collect())
}

fn integers(rng: &mut Rng, shape: &[usize]) -> Operand {
    let n = shape.iter().product();
    given(shape, (0..n).map(|_| (rng.next_u32() % 17) as f32 - 8.0).collect())
}

fn result(shape: &[usize]) -> Operand {
    given(shape, vec![f32::NAN; shape.iter().product()])
}

fn words(data: &[u32]) -> Operand {
    Operand { shape: vec![data.len()], data: Data::U(data.to_vec()) }
}

fn bytes(data: &Data) -> &[u8] {
    match data {
        Data::F(v) => bytemuck::cast_slice(v),
        Data::U(v) => bytemuck::cast_slice(v),
        Data::B(v) => v,
    }
}

const GUARD: usize = 5;

/// Places the operands on a device, runs the op, and gives back the whole buffers. `together` puts all operands of a type into one buffer.
fn outcome(device: &Device, operands: &[Operand], together: bool, build: &dyn Fn(&[View]) -> Op) -> Vec<Vec<u8>> {
    let dtype = |o: &Operand| match o.data {
        Data::F(_) => Dtype::F32,
        Data::U(_) => Dtype::U32,
        Data::B(_) => Dtype::U8,
    };
    let mut images: Vec<(Dtype, Vec<u8>)> = Vec::new();
    let mut places = Vec::new();
    for o in operands {
        let kind = dtype(o);
        let at = images.iter().position(|(d, _)| together && *d == kind).unwrap_or_else(|| {
            images.push((kind, vec![]));
            images.len() - 1
        });
        let image = &mut images[at].1;
        image.extend(vec![0xff; GUARD * kind.size()]);
        places.push((at, image.len() / kind.size()));
        image.extend(bytes(&o.data));
        image.extend(vec![0xff; GUARD * kind.size()]);
    }
    let buffers: Vec<View> = images
        .iter()
        .map(|(kind, image)| {
            let view = device.alloc(*kind, Shape::new(&[image.len() / kind.size()]).unwrap()).unwrap();
            device.backend().write(&view, image).unwrap();
            view
        })
        .collect();
    let views: Vec<View> =
        operands.iter().zip(&places).map(|(o, &(at, start))| buffers[at].part(start, Shape::new(&o.shape).unwrap()).unwrap()).collect();
    let op = build(&views);
    op.check().unwrap();
    device.backend().run(&op).unwrap();
    buffers
        .iter()
        .zip(images)
        .map(|(view, (_, mut image))| {
            device.backend().read(view, &mut image).unwrap();
            image
        })
        .collect()
}

/// Demands that the adapter leaves every buffer, guard zones included, as the CPU does: bit for bit, or within `tolerance` relative to 1 + |value|.
fn same(device: &Device, what: &str, operands: &[Operand], tolerance: f32, build: impl Fn(&[View]) -> Op) {
    let cpu = Device::cpu().unwrap();
    for together in [false, true] {
        let want = outcome(&cpu, operands, together, &build);
        let have = outcome(device, operands, together, &build);
        for (buffer, (want, have)) in want.iter().zip(&have).enumerate() {
            if want == have {
                continue;
            }
            assert_eq!(want.len() % 4, 0, "{what}: bytes differ");
            let (want, have): (Vec<u32>, Vec<u32>) = (bytemuck::pod_collect_to_vec(want), bytemuck::pod_collect_to_vec(have));
            for (i, (w, h)) in want.iter().zip(&have).enumerate() {
                let (wf, hf) = (f32::from_bits(*w), f32::from_bits(*h));
                let close =
                    w == h || (wf.is_nan() && hf.is_nan()) || (wf == 0.0 && hf == 0.0) || (wf - hf).abs() <= tolerance * (1.0 + wf.abs());
                assert!(
                    close,
                    "{what}, together {together}: buffer {buffer}, word {i}: {hf:e} ({h:08x}) where the CPU has {wf:e} ({w:08x})"
                );
            }
        }
    }
}

fn specials() -> Vec<f32> {
    let mut v = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        17.0,
        -17.0,
        30.0,
        -30.0,
        88.0,
        -88.0,
        104.0,
        -104.0,
        1e20,
        -1e20,
        1e-30,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        -f32::NAN,
    ];
    v.extend((0..600).map(|i| (i - 300) as f32 / 13.0));
    v
}

#[test]
fn products_agree_at_every_edge() {
    let Some(device) = adapter("products_agree_at_every_edge") else { return };
    let mut rng = Rng::new(1, 0);
    let sizes = [
        [1, 1, 1],
        [2, 3, 7],
        [16, 17, 31],
        [33, 64, 65],
        [64, 64, 64],
        [127, 129, 257],
        [128, 784, 128],
        [130, 5, 600],
        [3, 0, 4],
        [700, 20, 700],
        [1, 4096, 3],
        [0, 3, 2],
    ];
    for [b, i, o] in sizes {
        for exact in [true, false] {
            let mut make = |shape: &[usize]| if exact { integers(&mut rng, shape) } else { reals(&mut rng, shape) };
            let tolerance = if exact { 0.0 } else { 2e-5 * ((b.max(i).max(o)) as f32).sqrt() };
            let what = format!("{b}x{i}x{o}");
            let (x, w, bias, dz) = (make(&[b, i]), make(&[o, i]), make(&[o]), make(&[b, o]));
            let copy = |o: &Operand| Operand { shape: o.shape.clone(), data: o.data.clone() };
            same(&device, &format!("dense {what}"), &[copy(&x), copy(&w), bias, result(&[b, o])], tolerance, |v| Op::Dense {
                x: v[0].clone(),
                w: v[1].clone(),
                b: v[2].clone(),
                y: v[3].clone(),
            });
            same(&device, &format!("dense_dx {what}"), &[copy(&dz), w, result(&[b, i])], tolerance, |v| Op::DenseDx {
                dz: v[0].clone(),
                w: v[1].clone(),
                dx: v[2].clone(),
            });
            same(&device, &format!("dense_dw {what}"), &[copy(&dz), x, result(&[o, i])], tolerance, |v| Op::DenseDw {
                dz: v[0].clone(),
                x: v[1].clone(),
                dw: v[2].clone(),
            });
            same(&device, &format!("dense_db {what}"), &[dz, result(&[o])], tolerance, |v| Op::DenseDb {
                dz: v[0].clone(),
                db: v[1].clone(),
            });
        }
    }
}

#[test]
fn products_add_up_blocks_of_256_terms() {
    let Some(device) = adapter("products_add_up_blocks_of_256_terms") else { return };
    ["dense", "dense_dx", "dense_dw", "dense_db"].into_iter().for_each(|op| blocks_of_256_terms(&device, op));
}

/// 2^24 in the first block and ones in the second: only a sum that adds the second block up on its own sees the ones.
pub(super) fn blocks_of_256_terms(device: &Device, op: &str) {
    let terms = 513;
    let mut steep = vec![1.0; terms];
    steep[..255].fill(0.0);
    steep[255] = 16_777_216.0;
    let ones = vec![1.0; terms];
    let one = result(&[1, 1]);
    match op {
        "dense" => {
            let operands = [given(&[1, terms], steep), given(&[1, terms], ones), given(&[1], vec![0.0]), one];
            let build = |v: &[View]| Op::Dense { x: v[0].clone(), w: v[1].clone(), b: v[2].clone(), y: v[3].clone() };
            same(device, op, &operands, 0.0, build);
        }
        "dense_dx" => {
            let build = |v: &[View]| Op::DenseDx { dz: v[0].clone(), w: v[1].clone(), dx: v[2].clone() };
            same(device, op, &[given(&[1, terms], steep), given(&[terms, 1], ones), one], 0.0, build);
        }
        "dense_dw" => {
            let build = |v: &[View]| Op::DenseDw { dz: v[0].clone(), x: v[1].clone(), dw: v[2].clone() };
            same(device, op, &[given(&[terms, 1], steep), given(&[terms, 1], ones), one], 0.0, build);
        }
        _ => {
            let build = |v: &[View]| Op::DenseDb { dz: v[0].clone(), db: v[1].clone() };
            same(device, op, &[given(&[terms, 1], steep), result(&[1])], 0.0, build);
        }
    }
}

#[test]
fn elementwise_ops_agree_on_special_values() {
    let Some(device) = adapter("elementwise_ops_agree_on_special_values") else { return };
    let mut rng = Rng::new(2, 0);
    let s = specials();
    let n = [s.len()];
    let x = || given(&n, specials());
    same(&device, "relu", &[x(), result(&n)], 0.0, |v| Op::Relu { x: v[0].clone(), y: v[1].clone() });
    same(&device, "relu_grad", &[x(), reals(&mut rng, &n), result(&n)], 0.0, |v| Op::ReluGrad {
        x: v[0].clone(),
        dy: v[1].clone(),
        dx: v[2].clone(),
    });
    same(&device, "sigmoid", &[x(), result(&n)], 1e-6, |v| Op::Sigmoid { x: v[0].clone(), y: v[1].clone() });
    same(&device, "sigmoid_grad", &[x(), reals(&mut rng, &n), result(&n)], 1e-6, |v| Op::SigmoidGrad {
        x: v[0].clone(),
        dy: v[1].clone(),
        dx: v[2].clone(),
    });
    same(&device, "add", &[x(), integers(&mut rng, &n), result(&n)], 0.0, |v| Op::Add {
        a: v[0].clone(),
        b: v[1].clone(),
        y: v[2].clone(),
    });
    same(&device, "add in place", &[x(), integers(&mut rng, &n)], 0.0, |v| Op::Add { a: v[0].clone(), b: v[1].clone(), y: v[1].clone() });
    same(&device, "add to itself", &[x()], 0.0, |v| Op::Add { a: v[0].clone(), b: v[0].clone(), y: v[0].clone() });
    same(&device, "scale", &[x(), result(&n)], 0.0, |v| Op::Scale { x: v[0].clone(), y: v[1].clone(), factor: 0.1 });
    same(&device, "scale in place", &[x()], 0.0, |v| Op::Scale { x: v[0].clone(), y: v[0].clone(), factor: -3.0 });
    same(&device, "fill", &[result(&n)], 0.0, |v| Op::Fill { y: v[0].clone(), value: -0.0 });
    same(&device, "copy", &[x(), result(&n)], 0.0, |v| Op::Copy { x: v[0].clone(), y: v[1].clone() });
    same(&device, "broadcast", &[given(&[1], vec![2.5]), result(&n)], 0.0, |v| Op::Broadcast { x: v[0].clone(), y: v[1].clone() });
    let grad =
        |v: &[View]| Op::MseGrad { y: v[0].clone(), target: v[1].clone(), dloss: v[2].clone(), dy: v[3].clone(), scale: 2.0 / 619.0 };
    same(&device, "mse_grad", &[reals(&mut rng, &n), reals(&mut rng, &n), given(&[1], vec![1.5]), result(&n)], 1e-6, grad);
}

#[test]
fn reductions_agree_at_the_edges_of_chunks() {
    let Some(device) = adapter("reductions_agree_at_the_edges_of_chunks") else { return };
    let mut rng = Rng::new(3, 0);
    for n in [0, 1, 2, 255, 256, 257, 4095, 4096, 4097, 100_352, 300 * 4096 + 1] {
        let sum = |v: &[View]| Op::Sum { x: v[0].clone(), work: v[1].clone(), y: v[2].clone() };
        // The same order of plain additions on both: bit for bit for any numbers.
        same(&device, &format!("sum {n}"), &[reals(&mut rng, &[n]), result(&[chunks(n)]), result(&[1])], 0.0, sum);
        if n > 0 {
            let operands = [integers(&mut rng, &[n]), integers(&mut rng, &[n]), result(&[chunks(n)]), result(&[1])];
            let mse = |v: &[View]| Op::Mse {
                y: v[0].clone(),
                target: v[1].clone(),
                work: v[2].clone(),
                loss: v[3].clone(),
                scale: (1.0 / n as f64) as f32,
            };
            same(&device, &format!("mse {n}"), &operands, 0.0, mse);
        }
    }
}

#[test]
fn every_byte_is_divided_by_255_exactly_and_rows_start_anywhere() {
    let Some(device) = adapter("every_byte_is_divided_by_255_exactly_and_rows_start_anywhere") else { return };
    let images: Vec<u8> = (0..49 * 23).map(|i| (i % 256) as u8).collect();
    for first in 0..4 {
        let rows = 22;
        let data = Operand { shape: vec![rows, 49], data: Data::B(images[first..first + rows * 49].to_vec()) };
        let order = words(&[21, 3, 0, 7, 21, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 99]);
        let op = |v: &[View]| Op::Gather { data: v[0].clone(), order: v[1].clone(), clock: v[2].clone(), y: v[3].clone() };
        same(&device, "gather bytes", &[data, order, words(&[20, 7]), result(&[24, 49])], 0.0, op);
    }
    let mut rng = Rng::new(4, 0);
    let op = |v: &[View]| Op::Gather { data: v[0].clone(), order: v[1].clone(), clock: v[2].clone(), y: v[3].clone() };
    same(&device, "gather f32", &[reals(&mut rng, &[9, 13]), words(&[8, 7, 0, 3, 5]), words(&[3, 7]), result(&[11, 13])], 0.0, op);
}

#[test]
fn clocks_losses_and_random_numbers_agree() {
    let Some(device) = adapter("clocks_losses_and_random_numbers_agree") else { return };
    let advance = |v: &[View]| Op::Advance { clock: v[0].clone(), rows: 1 << 31, period: (1 << 31) - 5 };
    same(&device, "advance", &[words(&[(1 << 31) - 6, u32::MAX])], 0.0, advance);
    let store = |v: &[View]| Op::Store { x: v[0].clone(), clock: v[1].clone(), ring: v[2].clone() };
    same(&device, "store", &[given(&[3], vec![0.25, 0.5, 0.75]), words(&[0, 17]), result(&[5, 3])], 0.0, store);
    for n in [1, 3, 4, 1023, 5000] {
        let draw =
            |v: &[View]| Op::Uniform { clock: v[0].clone(), y: v[1].clone(), lo: 0.0, range: 1.0, seed: 0x1234_5678_9abc_def0, purpose: 7 };
        same(&device, &format!("uniform {n}"), &[words(&[9, 0xdead_beef]), result(&[n])], 0.0, draw);
    }
}

#[test]
fn adam_agrees() {
    let Some(device) = adapter("adam_agrees") else { return };
    let mut rng = Rng::new(5, 0);
    let n = [1000];
    let hyper = AdamHyper { w1: 0.1, beta2: 0.999, w2: 0.001, eps: 1e-8 };
    for step in [0, 2, 50] {
        let v = given(&n, (0..1000).map(|_| rng.uniform()).collect());
        let operands = [
            reals(&mut rng, &n),
            reals(&mut rng, &n),
            reals(&mut rng, &n),
            v,
            given(&[3, 4], vec![0.001, 10.0, 31.6, 1.0, 0.002, 5.2, 22.4, 0.99, 0.003, 3.7, 18.3, 1.0]),
            words(&[0, step]),
        ];
        same(&device, "adam", &operands, 1e-6, |v| Op::Adam {
            p: v[0].clone(),
            g: v[1].clone(),
            m: v[2].clone(),
            v: v[3].clone(),
            table: v[4].clone(),
            clock: v[5].clone(),
            hyper,
        });
    }
}

/// The kernel divides once or twice more, each good to 2.5 ulp where a device is at its worst, and may multiply and add where the CPU fuses.
#[test]
fn exp_is_good_to_a_few_ulp() {
    let Some(device) = adapter("exp_is_good_to_a_few_ulp") else { return };
    let n = 1 << 16;
    let x: Vec<f32> = (0..n).map(|i| -87.0 * i as f32 / n as f32).collect();
    let y = outcome(&device, &[given(&[n], x.clone()), result(&[n])], false, &|v| Op::Sigmoid { x: v[0].clone(), y: v[1].clone() });
    let y: Vec<f32> = bytemuck::pod_collect_to_vec(&y[1][4 * GUARD..][..4 * n]);
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
