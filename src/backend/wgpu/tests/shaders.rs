//! Every shader, and every variant of it that merges operands, is valid by naga; and `Params` says what `bind` writes.

use super::super::opened::PARAMS;
use super::super::shader::{Pattern, Shader, all};
use wgpu::naga;

fn sides(shader: &Shader) -> &'static [Option<u32>] {
    if shader.name == "dense" { &[Some(8), Some(16)] } else { &[None] }
}

fn module(shader: &Shader, pattern: &Pattern, side: Option<u32>) -> (naga::Module, naga::valid::ModuleInfo) {
    let text = shader.variant(pattern, side);
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
    for shader in all() {
        for &side in sides(shader) {
            let (module, info) = module(shader, &Pattern::default(), side);
            assert!(!module.entry_points.is_empty(), "{} has no entry point", shader.name);
            for (i, entry) in module.entry_points.iter().enumerate() {
                assert!(entry.workgroup_size.iter().product::<u32>() <= 256, "{}", entry.name);
                let used = |space: fn(naga::AddressSpace) -> bool| {
                    let info = info.get_entry_point(i);
                    module.global_variables.iter().filter(move |(h, v)| space(v.space) && !info[*h].is_empty()).map(|(_, v)| v)
                };
                let buffers = used(|s| matches!(s, naga::AddressSpace::Storage { .. })).count();
                assert!((1..=8).contains(&buffers), "{} uses {buffers} buffers", entry.name);
                let shared: u32 =
                    used(|s| s == naga::AddressSpace::WorkGroup).map(|v| module.types[v.ty].inner.size(module.to_ctx())).sum();
                assert!(shared <= 16 << 10, "{} uses {shared} bytes of workgroup memory", entry.name);
            }
        }
    }
}

#[test]
fn the_parameters_begin_with_an_offset_for_each_binding() {
    for shader in all() {
        let (module, _) = module(shader, &Pattern::default(), sides(shader)[0]);
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
    for shader in all() {
        let (plain, _) = module(shader, &Pattern::default(), sides(shader)[0]);
        let types: Vec<_> = shader
            .bindings
            .iter()
            .map(|b| {
                let variable = plain.global_variables.iter().map(|(_, v)| v).find(|v| v.name.as_deref() == Some(b.name.as_str())).unwrap();
                element(&plain, variable)
            })
            .collect();
        let operands: Vec<usize> = (0..types.len()).collect();
        for a in 0..types.len() {
            for b in a + 1..types.len() {
                if types[a] == types[b] {
                    let through = operands.iter().map(|&i| if i == b { a } else { i }).collect();
                    module(shader, &Pattern { operands: operands.clone(), through }, sides(shader)[0]);
                }
            }
        }
        // And all of one type together.
        let through = operands.iter().map(|&i| types.iter().position(|t| *t == types[i]).unwrap()).collect();
        let (merged, _) = module(shader, &Pattern { operands, through }, sides(shader)[0]);
        let left = merged.global_variables.iter().filter(|(_, v)| matches!(v.space, naga::AddressSpace::Storage { .. })).count();
        assert!(left <= 2, "{}: {left} buffers are left", shader.name);
    }
}
