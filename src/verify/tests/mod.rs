//! The table itself is tested: that it is complete, that its rows are distinct, and that contract and oracle agree.

mod checks;
mod derivatives;
mod faults;

use super::case::{Case, Data, Role};
use super::data::Kind;
use super::judge::Ready;
use super::rows::{self, Row};
use super::spec::Spec;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};

fn small() -> Vec<Row> {
    rows::all().into_iter().filter(|r| !r.large()).collect()
}

#[test]
fn every_op_has_a_row() {
    let names = rows::order();
    assert!(names.len() >= 21, "{names:?}");
    let variants = include_str!("../../op.rs").split("enum Op {").nth(1).unwrap().split("\n}\n").next().unwrap();
    let variants = variants.lines().filter(|l| l.starts_with("    ") && l.trim().starts_with(char::is_uppercase)).count();
    assert_eq!(variants, names.len(), "an op whose name was not found");
    let rows = rows::all();
    for select in [rows.clone(), rows::quick(rows)] {
        for name in &names {
            let of: Vec<_> = select.iter().filter(|r| r.spec.name() == *name).collect();
            assert!(of.len() >= 8, "{name} has {} rows", of.len());
            assert!(of.iter().any(|r| r.kind == Kind::Integers), "{name} has no row of integers");
        }
    }
}

#[test]
fn rows_are_distinct_and_many() {
    let rows = rows::all();
    let distinct: HashSet<String> = rows.iter().map(Row::key).collect();
    let mut count = BTreeMap::new();
    for row in &rows {
        *count.entry(row.spec.name()).or_insert(0) += 1;
    }
    println!("{count:?}, {} in all, {} distinct", rows.len(), distinct.len());
    assert_eq!(distinct.len(), rows.len());
    assert!(distinct.len() >= 1500);
    assert!(rows::quick(rows).len() >= 300);
}

#[test]
fn contract_is_within_the_bound_of_the_oracle() {
    let wrong: Vec<String> = small()
        .into_par_iter()
        .map(Ready::new)
        .filter_map(|ready| {
            let verdict = ready.contract_against_oracle();
            let wrong = verdict.wrong.map(|w| format!("{}: {w:?}", ready.describe()));
            wrong.or_else(|| (!verdict.bits).then(|| format!("{}: not its own bits", ready.describe())))
        })
        .collect();
    assert!(wrong.is_empty(), "{} rows, as\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}

/// Integer rows are what every device must match bit for bit: most of them have to be exact, and not zero.
#[test]
fn integer_rows_are_exact_and_not_trivial() {
    let wrong: Vec<String> = small()
        .into_par_iter()
        .filter(|r| r.kind != Kind::Edges)
        .filter_map(|row| {
            let case = Case::new(&row.spec, row.kind, row.seed);
            let exact_op = !["sigmoid", "sigmoid_grad", "tanh", "tanh_grad", "bce", "bce_grad", "clip", "adam"].contains(&row.spec.name())
                && !format!("{:?}", row.spec).contains("0.1");
            for expect in &case.expects {
                let Data::F32(contract) = &expect.contract else { continue };
                if let Some(w) = expect.within.as_ref().filter(|_| row.kind == Kind::Integers && exact_op) {
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
                let single = matches!(row.spec, Spec::Gather { order: 1, .. });
                if zero && contract.len() > 7 && !inputs && !single && row.spec.name() != "fill" && row.spec.name() != "broadcast" {
                    return Some(format!("{row:?} is zero everywhere"));
                }
            }
            None
        })
        .collect();
    assert!(wrong.is_empty(), "{} rows, as\n{}", wrong.len(), wrong[..wrong.len().min(8)].join("\n"));
}
