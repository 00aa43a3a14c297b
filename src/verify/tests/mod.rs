//! The table itself is tested: that it is complete, that its rows are distinct, and that contract and oracle agree.

mod checks;
mod derivatives;
mod faults;

use super::case::{Case, Data};
use super::data::Kind;
use super::judge::Prepared;
use super::row::{self, Row};
use crate::op::{Map, Op, Role, Term, Zip};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};

fn small() -> Vec<Row> {
    row::all().into_iter().filter(|r| !r.large()).collect()
}

/// The variants of an enum, read from its source.
fn variants(source: &'static str, name: &str) -> Vec<&'static str> {
    let body = source.split(&format!("enum {name}")).nth(1).unwrap().split_once("{\n").unwrap().1.split("\n}\n").next().unwrap();
    let word = |line: &'static str| line.strip_prefix("    ")?.split([' ', ',', '(']).next().filter(|w| w.starts_with(char::is_uppercase));
    body.lines().filter_map(word).collect()
}

#[test]
fn every_op_has_a_row() {
    let rows = row::all();
    let family = include_str!("../../op/family.rs");
    let counts = [("Map", Map::ALL.len()), ("Zip", Zip::ALL.len()), ("Term", Term::ALL.len())];
    assert_eq!(counts.map(|(name, _)| variants(family, name).len()), counts.map(|(_, n)| n), "a list of a family is not whole");
    let ops = variants(include_str!("../../op.rs"), "Op<V = View>");
    assert!(ops.len() >= 20, "{ops:?}");
    for variant in ops {
        let of = |row: &Row| format!("{:?}", row.op).split(' ').next() == Some(variant);
        assert!(rows.iter().any(of), "{variant} has no row");
    }
    let families =
        Map::ALL.into_iter().flat_map(Map::names).chain(Zip::ALL.map(Zip::name)).chain(Term::ALL.into_iter().flat_map(Term::names));
    let names = row::names(&rows);
    for name in families {
        assert!(names.contains(&name), "{name} has no row");
    }
    for select in [rows.clone(), row::quick(rows)] {
        for name in &names {
            let of: Vec<_> = select.iter().filter(|r| r.name() == *name).collect();
            assert!(of.len() >= 8, "{name} has {} rows", of.len());
            assert!(of.iter().any(|r| r.kind == Kind::Integers), "{name} has no row of integers");
        }
    }
}

/// Backends pass operands in the order of `form`, and rows make ops by `map`.
#[test]
fn map_goes_in_the_order_of_form() {
    for row in row::quick(row::all()) {
        let mut at = 0..;
        let numbered = row.op.map(|_| at.next().unwrap());
        assert!(numbered.form().operands().map(|o| *o.of).eq(0..at.next().unwrap()), "{}", row.name());
        assert_eq!(format!("{:?}", row.op.map(|shape| *shape)), format!("{:?}", row.op));
    }
}

#[test]
fn rows_are_distinct_and_many() {
    let rows = row::all();
    let distinct: HashSet<String> = rows.iter().map(Row::key).collect();
    let mut count = BTreeMap::new();
    for row in &rows {
        *count.entry(row.name()).or_insert(0) += 1;
    }
    println!("{count:?}, {} in all, {} distinct", rows.len(), distinct.len());
    assert_eq!(distinct.len(), rows.len());
    assert!(distinct.len() >= 1500);
    assert!(row::quick(rows).len() >= 300);
}

#[test]
fn contract_is_within_the_bound_of_the_oracle() {
    let wrong: Vec<String> = small()
        .into_par_iter()
        .map(Prepared::new)
        .filter_map(|prepared| {
            let verdict = prepared.contract_against_oracle();
            let wrong = verdict.wrong.map(|w| format!("{}: {w:?}", prepared.describe()));
            wrong.or_else(|| (!verdict.bits).then(|| format!("{}: not its own bits", prepared.describe())))
        })
        .collect();
    assert!(wrong.is_empty(), "{} rows, as\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

/// The ops whose every step is exact on small integers.
const EXACT: [&str; 27] = [
    "dense",
    "dense_dx",
    "dense_dw",
    "dense_db",
    "rows",
    "relu",
    "relu_grad",
    "abs",
    "abs_grad",
    "add",
    "mul",
    "axpy",
    "clamp",
    "clamp_grad",
    "scale",
    "scale_by",
    "copy",
    "sum",
    "sum_grad",
    "square_sum",
    "square_sum_grad",
    "abs_sum",
    "abs_sum_grad",
    "mse",
    "mse_grad",
    "mask",
    "uniform",
];

/// Integer rows are what every device must match bit for bit: most of them have to be exact, and not zero.
#[test]
fn integer_rows_are_exact_and_not_trivial() {
    let wrong: Vec<String> = small()
        .into_par_iter()
        .filter(|r| r.kind != Kind::Edges)
        .filter_map(|row| {
            let case = Case::new(&row);
            for expect in &case.expects {
                let Data::F32(contract) = &expect.contract else { continue };
                if let Some(w) =
                    expect.within.as_ref().filter(|w| row.kind == Kind::Integers && (EXACT.contains(&row.name()) || w.ieee == 0.0))
                {
                    let sharp = w.ieee == 0.0 && w.wgsl == 0.0 && w.roundings == 0.0;
                    let equal = contract.iter().zip(&w.oracle).all(|(&c, &o)| f64::from(c) == o);
                    let small = w.scale.as_ref().is_none_or(|s| s.iter().all(|&t| t < (1 << 24) as f64));
                    if !(sharp && equal && small) {
                        return Some(format!("{row:?} is not exact: sharp {sharp}, equal {equal}, small {small}"));
                    }
                }
                // A single element, or a few products, may well be zero.
                let zero = contract.iter().all(|&c| c == 0.0);
                let inputs = case.operands.iter().any(|o| o.role == Role::Read && o.shape.iter().product::<usize>() == 0);
                let single = match row.op {
                    Op::Gather { order, .. } => order.len() == 1,
                    // Of one class every row is sure.
                    Op::Xent { z, .. } | Op::XentGrad { z, .. } => z.columns() == 1,
                    _ => false,
                };
                if zero && contract.len() > 7 && !inputs && !single && row.name() != "fill" {
                    return Some(format!("{row:?} is zero everywhere"));
                }
            }
            None
        })
        .collect();
    assert!(wrong.is_empty(), "{} rows, as\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}
