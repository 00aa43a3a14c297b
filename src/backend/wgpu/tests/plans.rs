//! Plans are data: pieces, grids, windows and parameters.

use super::super::bind::{Reach, bind};
use super::super::plan::{Facts, Launch};
use super::{empty, floats, paper};
use crate::device::View;
use crate::op::{Map, Op, Stream, Term, Zip, chunks};
use crate::{Dtype, Result, Shape};

const REACH: Reach = Reach { binding: 128 << 20, alignment: 256 };

const FACTS: Facts = Facts { software: false, buffers: 8, full: 64, few: 256 };

fn plan(op: &Op) -> Result<Vec<Launch>> {
    super::super::plan::plan(op, FACTS)
}

fn shaders(launches: &[Launch]) -> Vec<&str> {
    launches.iter().map(|l| l.shader.name.as_str()).collect()
}

fn sum(x: View) -> Op {
    let (d, n) = (x.device().clone(), chunks(x.len()));
    Op::Reduce { f: Term::Sum, x, other: None, parts: floats(&d, &[n]), y: floats(&d, &[1]), scale: 1.0 }
}

#[test]
fn elementwise_work_is_cut_into_pieces_whose_windows_fit() {
    let d = paper();
    let n = (1 << 25) + 5;
    let (x, y) = (floats(&d, &[n]), floats(&d, &[n + 3]));
    let y = y.part(3, Shape::new(&[n]).unwrap()).unwrap();
    let launches = plan(&Op::Map { f: Map::Relu, x, y }).unwrap();
    assert_eq!(launches.iter().map(|l| l.words[0]).collect::<Vec<_>>(), [1 << 24, 1 << 24, 5]);
    for launch in &launches {
        let [gx, gy] = launch.grid;
        assert!(gx <= 65_535 && gy <= 65_535 && gx * gy >= launch.words[0].div_ceil(256), "{:?}", launch.grid);
        let bound = bind(launch, REACH, "paper").unwrap();
        assert!(bound.windows.iter().all(|w| w.size <= REACH.binding && w.start % 256 == 0));
        assert_eq!(bound.words[..2], [0, 3]);
    }
}

/// What depends on an element's number is told the number of a piece's first.
#[test]
fn a_piece_knows_where_it_begins() {
    let d = paper();
    let n = (1 << 24) + 8;
    let (x, y, v) = (floats(&d, &[n]), floats(&d, &[n]), floats(&d, &[4]));
    let clock = empty(&d, Dtype::U32, &[2]);
    let stream = Stream { seed: 1, purpose: 2 };
    let rows = View { shape: Shape::new(&[n / 4, 4]).unwrap(), ..y.clone() };
    for op in [
        Op::Uniform { clock: clock.clone(), y: y.clone(), lo: 0.0, range: 1.0, stream },
        Op::Normal { clock: clock.clone(), y: y.clone(), mean: 0.0, std: 1.0, stream },
        Op::Mask { x: x.clone(), clock: clock.clone(), y: y.clone(), keep: 1, factor: 1.0, stream },
        Op::Rows { v, y: rows.clone() },
        Op::Select { x: rows.clone(), cut: empty(&d, Dtype::U32, &[n / 4, 2]), dy: x.clone(), dx: y.clone() },
        Op::Dead { x: rows, idle: floats(&d, &[4]), y: x.clone(), least: 1.0, other: 0.0 },
        Op::Store { x, clock, ring: y },
    ] {
        let launches = plan(&op).unwrap();
        let pieces: Vec<_> = launches.iter().map(|l| [l.words[0], l.words[1]]).collect();
        assert_eq!(pieces, [[1 << 24, 0], [8, 1 << 24]], "{}", op.name());
        assert!(launches.iter().all(|l| l.operands.iter().all(|o| o.view.len() <= 1 << 24 || o.name == "ring")));
    }
}

#[test]
fn a_choice_is_cut_into_pieces_of_rows() {
    let d = paper();
    let (x, cut) = (floats(&d, &[5, 1 << 23]), empty(&d, Dtype::U32, &[5, 2]));
    let launches = plan(&Op::Cut { x, cut, k: 3 }).unwrap();
    let words: Vec<_> = launches.iter().map(|l| l.words.clone()).collect();
    assert_eq!(words, [[2, 0, 1 << 23, 3], [2, 2, 1 << 23, 3], [1, 4, 1 << 23, 3]]);
    assert!(launches.iter().all(|l| bind(l, REACH, "paper").is_ok() && l.grid == [l.words[0], 1]));
    assert_eq!(launches.iter().map(|l| l.operands[1].view.offset).collect::<Vec<_>>(), [0, 4, 8]);
}

#[test]
fn reductions_are_cut_on_chunks() {
    let d = paper();
    let n = (1 << 25) + 4097;
    let launches = plan(&sum(floats(&d, &[n]))).unwrap();
    assert_eq!(shaders(&launches), ["sum_chunks", "sum_chunks", "sum_chunks", "total"]);
    assert_eq!(launches.iter().map(|l| l.operands[1].view.offset).collect::<Vec<_>>(), [0, 4096, 8192, 0]);
    assert_eq!(launches[2].words, [4097, 1 << 25]);
    assert_eq!(launches[2].operands[1].view.len(), 2);
    assert_eq!(launches[3].words, [8194, 0, 1f32.to_bits()]);
}

#[test]
fn an_empty_op_has_no_launch_but_a_sum_of_nothing_and_a_product_of_no_terms_have() {
    let d = paper();
    let f = |shape: &[usize]| floats(&d, shape);
    assert!(plan(&Op::Fill { y: f(&[0]), value: 1.0 }).unwrap().is_empty());
    assert!(plan(&Op::Dense { x: f(&[0, 3]), w: f(&[2, 3]), b: Some(f(&[2])), y: f(&[0, 2]) }).unwrap().is_empty());
    assert!(plan(&Op::DenseDb { dz: f(&[3, 0]), db: f(&[0]) }).unwrap().is_empty());
    assert_eq!(shaders(&plan(&sum(f(&[0]))).unwrap()), ["sum_chunks", "total"]);
    let no_terms = plan(&Op::Dense { x: f(&[2, 0]), w: f(&[3, 0]), b: Some(f(&[3])), y: f(&[2, 3]) }).unwrap();
    assert_eq!(shaders(&no_terms), ["dense in 4x4 by 8x8x1"]);
    assert_eq!(shaders(&plan(&Op::DenseDb { dz: f(&[0, 3]), db: f(&[3]) }).unwrap()), ["dense_db"]);
}

#[test]
fn rows_of_a_large_product_are_cut() {
    let d = paper();
    let f = |shape: &[usize]| floats(&d, shape);
    let op = Op::Dense { x: f(&[60_000, 784]), w: f(&[128, 784]), b: Some(f(&[128])), y: f(&[60_000, 128]) };
    let launches = plan(&op).unwrap();
    assert_eq!(launches.iter().map(|l| l.words[0]).sum::<u32>(), 60_000);
    assert!(launches.iter().all(|l| bind(l, REACH, "paper").is_ok()));
}

#[test]
fn what_cannot_be_cut_is_an_error_with_need_and_limit() {
    let d = paper();
    let op = Op::Gather {
        data: floats(&d, &[60_000, 784]),
        order: empty(&d, Dtype::U32, &[8]),
        clock: empty(&d, Dtype::U32, &[2]),
        y: floats(&d, &[4, 784]),
    };
    let launches = plan(&op).unwrap();
    let text = bind(&launches[0], REACH, "wgpu:0").unwrap_err().to_string();
    assert_eq!(
        text,
        "wgpu:0: gather: data needs a binding of 188160000 bytes, but this adapter binds at most 134217728. Pass fewer rows at once, keep images as bytes, or use the CPU."
    );
}

#[test]
fn operands_of_one_buffer_are_bound_once_when_one_of_them_is_written() {
    let d = paper();
    let all = floats(&d, &[3000]);
    let at = |start, len| all.part(start, Shape::new(&[len]).unwrap()).unwrap();
    let b = floats(&d, &[100]);
    let launches = plan(&Op::Zip { f: Zip::Add, a: at(1000, 100), b, y: at(2000, 100) }).unwrap();
    let bound = bind(&launches[0], REACH, "paper").unwrap();
    assert_eq!(bound.pattern.through, [0, 1, 0]);
    assert_eq!(bound.windows.len(), 2);
    let merged = &bound.windows[0];
    // 1000 elements are 4000 bytes: the window starts at 3840, which is element 960.
    assert_eq!((merged.index, merged.writes, merged.start, merged.size), (0, true, 3840, 4 * 2100 - 3840));
    assert_eq!(bound.words, [40, 0, 1040, 100, 0]);
}

#[test]
fn operands_of_one_buffer_that_are_only_read_are_bound_apart() {
    let d = paper();
    let weights = floats(&d, &[1000]);
    let w = weights.part(0, Shape::new(&[8, 100]).unwrap()).unwrap();
    let b = weights.part(800, Shape::new(&[8]).unwrap()).unwrap();
    let launches = plan(&Op::Dense { x: floats(&d, &[4, 100]), w, b: Some(b), y: floats(&d, &[4, 8]) }).unwrap();
    let bound = bind(&launches[0], REACH, "paper").unwrap();
    assert_eq!(bound.pattern.operands, bound.pattern.through);
    assert_eq!(bound.windows.len(), 4);
    assert_eq!(bound.words[2], 800 - 3072 / 4, "the bias starts at byte 3200, its window at 3072");
}

#[test]
fn a_view_without_elements_at_the_end_of_a_buffer_has_a_window() {
    let d = paper();
    let all = floats(&d, &[64]);
    let x = all.part(64, Shape::new(&[0]).unwrap()).unwrap();
    let launches = plan(&sum(x)).unwrap();
    let bound = bind(&launches[0], REACH, "paper").unwrap();
    assert_eq!((bound.windows[0].start, bound.windows[0].size), (0, 4));
}
