//! Every shader, and every variant of it that merges operands, is valid by naga; and `Params` says what `bind` writes.

use super::super::opened::PARAMS;
use super::super::product::{self, After, Stage, Tile};
use super::super::shader::{Pattern, Shader, all};
use super::super::{chain, end};
use super::{empty, floats, paper};
use crate::Dtype;
use crate::fuse::Layer;
use crate::op::{Map, Op, Term};
use std::sync::Arc;
use wgpu::naga;

/// All shaders, and such products and ends as there can be.
fn every() -> Vec<Arc<Shader>> {
    let layer = |bias, stages| After::Layer { bias, stages };
    let gradient = |db, adam_w, adam_b| After::Gradient { db, adam_w, adam_b };
    let mut afters = vec![layer(false, vec![]), layer(true, vec![]), gradient(false, false, false), gradient(true, true, true)];
    afters.extend([gradient(true, false, false), gradient(true, true, false), gradient(false, true, false), gradient(true, false, true)]);
    for f in Map::ALL {
        afters.push(layer(true, vec![Stage::Map(f)]));
        afters.push(layer(false, vec![Stage::MapGrad { f, own: false }]));
        afters.push(layer(true, vec![Stage::MapGrad { f, own: true }]));
    }
    for f in [Term::Mse, Term::Bce, Term::SquareSum] {
        afters.push(layer(true, vec![Stage::ReduceGrad(f)]));
        afters.push(layer(true, vec![Stage::Map(Map::Sigmoid), Stage::ReduceGrad(f)]));
    }
    // As many functions as a layer may have, two with the same name in their files.
    afters.push(layer(true, vec![Stage::Map(Map::Silu), Stage::ReduceGrad(Term::Bce), Stage::MapGrad { f: Map::Tanh, own: true }]));
    let products = afters.iter().flat_map(|after| Tile::ALL.map(|tile| product::shader(after, tile)));
    let d = paper();
    let f = |n: usize| floats(&d, &[n]);
    let clock = empty(&d, Dtype::U32, &[2]);
    let sum = || Op::Reduce { f: Term::Sum, x: f(9), other: None, parts: f(1), y: f(1), scale: 1.0 };
    let store = || Op::Store { x: f(1), clock: clock.clone(), ring: f(5) };
    let advance = Op::Advance { clock: clock.clone(), rows: 1, period: 2 };
    let ends = [(0, 0), (1, 0), (0, 2), (2, 1)].map(|(sums, stores)| {
        let all = |n: usize, op: &dyn Fn() -> Op| (0..n).map(|_| op()).collect::<Vec<_>>();
        end::launch(&all(sums, &sum), &all(stores, &store), &advance).shader
    });
    let several = [vec![gradient(true, true, true); 6], vec![gradient(true, false, false), gradient(false, true, false)]];
    let together = several.iter().flat_map(|all| [Tile::WHOLE, Tile::SPLIT].map(|tile| product::together(all, tile)));
    all().iter().cloned().chain(products).chain(together).chain(ends).chain(chains()).collect()
}

/// Chains of layers: forward and backward, the widest that are taken, with a function or without.
fn chains() -> Vec<Arc<Shader>> {
    let d = paper();
    let f = |rows: usize, columns: usize| floats(&d, &[rows, columns]);
    let dense = |terms: usize, width: usize, bias: bool, tail: Vec<Op>| Layer {
        product: Op::Dense { x: f(5, terms), w: f(width, terms), b: bias.then(|| floats(&d, &[width])), y: f(5, width) },
        tail,
    };
    let down = |terms: usize, width: usize| Op::DenseDx { dz: f(5, terms), w: f(terms, width), dx: f(5, width) };
    let own = down(7, 3);
    let own_grad = Op::MapGrad { f: Map::Tanh, x: own.result().clone(), dy: own.result().clone(), dx: f(5, 3) };
    let grad = |width: usize| Op::MapGrad { f: Map::Silu, x: f(5, width), dy: f(5, width), dx: f(5, width) };
    let forward = [
        dense(256, 256, true, vec![Op::Map { f: Map::Silu, x: f(5, 256), y: f(5, 256) }]),
        dense(256, 1, false, vec![]),
        dense(1, 9, true, vec![]),
    ];
    let backward = [
        Layer { product: down(256, 256), tail: vec![grad(256)] },
        Layer { product: down(256, 7), tail: vec![] },
        Layer { product: own, tail: vec![own_grad] },
    ];
    let wide: Vec<Layer> = (0..8).map(|_| dense(64, 64, true, vec![Op::Map { f: Map::Exp, x: f(5, 64), y: f(5, 64) }])).collect();
    [&forward[..], &backward[..], &wide[..]].into_iter().map(|layers| chain::launch(layers).shader).collect()
}

fn module(shader: &Shader, pattern: &Pattern) -> (naga::Module, naga::valid::ModuleInfo) {
    let text = shader.variant(pattern);
    let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
    let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
    let info = validator.validate(&module).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&text)));
    (module, info)
}

fn element(module: &naga::Module, variable: &naga::GlobalVariable) -> naga::TypeInner {
    match module.types[variable.ty].inner {
        naga::TypeInner::Array { base, .. } => module.types[base].inner.clone(),
        ref other => panic!("{other:?} is not an array"),
    }
}

#[test]
fn every_shader_is_valid_and_fits_the_limits_that_webgpu_promises() {
    for shader in every() {
        let (module, info) = module(&shader, &Pattern::default());
        assert!(!module.entry_points.is_empty(), "{} has no entry point", shader.name);
        for (i, entry) in module.entry_points.iter().enumerate() {
            assert!(entry.workgroup_size.iter().product::<u32>() <= 256, "{}", shader.name);
            let used = |space: fn(naga::AddressSpace) -> bool| {
                let info = info.get_entry_point(i);
                module.global_variables.iter().filter(move |(h, v)| space(v.space) && !info[*h].is_empty()).map(|(_, v)| v)
            };
            let buffers = used(|s| matches!(s, naga::AddressSpace::Storage { .. })).count();
            // A plan asks the device whether it can bind those of a group.
            let grouped = shader.name.contains(", ") || shader.name.starts_with("end of");
            assert!(buffers >= 1 && (buffers <= 8 || grouped), "{} uses {buffers} buffers", shader.name);
            let shared: u32 = used(|s| s == naga::AddressSpace::WorkGroup).map(|v| module.types[v.ty].inner.size(module.to_ctx())).sum();
            assert!(shared <= 16 << 10, "{} uses {shared} bytes of workgroup memory", shader.name);
        }
    }
}

#[test]
fn the_parameters_begin_with_an_offset_for_each_binding() {
    for shader in every() {
        let (module, _) = module(&shader, &Pattern::default());
        let (_, params) = module.types.iter().find(|(_, t)| t.name.as_deref() == Some("Params")).unwrap();
        let naga::TypeInner::Struct { members, span } = &params.inner else { panic!("Params is no struct") };
        assert!(u64::from(*span) <= PARAMS, "{}: {span} bytes of parameters", shader.name);
        let offsets: Vec<_> = members.iter().filter_map(|m| m.name.as_deref()?.strip_suffix("_at")).collect();
        let names: Vec<_> = shader.bindings.iter().map(|b| b.name.trim_end_matches('_')).collect();
        assert_eq!(offsets, names, "{}", shader.name);
        for (i, binding) in shader.bindings.iter().enumerate() {
            assert_eq!(members[i].offset, 4 * i as u32, "{}: {}", shader.name, binding.name);
            let variable =
                module.global_variables.iter().map(|(_, v)| v).find(|v| v.name.as_deref() == Some(binding.name.as_str())).unwrap();
            assert_eq!(variable.binding.unwrap().binding, i as u32 + 1, "{}: {}", shader.name, binding.name);
        }
    }
}

#[test]
fn every_pair_of_operands_can_share_a_buffer() {
    for shader in every() {
        let (plain, _) = module(&shader, &Pattern::default());
        let types: Vec<_> = shader
            .bindings
            .iter()
            .map(|b| {
                let variable = plain.global_variables.iter().map(|(_, v)| v).find(|v| v.name.as_deref() == Some(b.name.as_str())).unwrap();
                element(&plain, variable)
            })
            .collect();
        let operands: Vec<usize> = (0..types.len()).collect();
        // Texts of several layers are the same for each: those near one another stand for all.
        let near = if types.len() > 20 { 4 } else { types.len() };
        for a in 0..types.len() {
            for b in a + 1..types.len().min(a + near) {
                if types[a] == types[b] {
                    let through = operands.iter().map(|&i| if i == b { a } else { i }).collect();
                    module(&shader, &Pattern { operands: operands.clone(), through });
                }
            }
        }
        // And all of one type together.
        let through = operands.iter().map(|&i| types.iter().position(|t| *t == types[i]).unwrap()).collect();
        let (merged, _) = module(&shader, &Pattern { operands, through });
        let left = merged.global_variables.iter().filter(|(_, v)| matches!(v.space, naga::AddressSpace::Storage { .. })).count();
        assert!(left <= 2, "{}: {left} buffers are left", shader.name);
    }
}
