//! The PTX that ships, and what of it one kernel needs.

/// All kernels, as `kernels/build_ptx.py` made PTX of them.
const PTX: &str = include_str!("../../../kernels/ptx/narrows.ptx");

/// Stands before each kernel, and `END` after its last instruction.
const ENTRY: &str = ".visible .entry ";
const END: &str = "\n}\n";

/// The names of the kernels.
#[cfg(test)]
pub(super) fn entries() -> impl Iterator<Item = &'static str> {
    PTX.split(ENTRY).skip(1).filter_map(|rest| rest.split('(').next())
}

/// A module with one kernel and what all kernels share: constants, and the functions that they call. So the driver
/// compiles what is used and nothing else, and keeps it in its cache. None if there is no such kernel.
pub(super) fn module(entry: &str) -> Option<String> {
    let mut parts = PTX.split(ENTRY);
    let mut module = String::from(parts.next()?);
    let mut is_there = false;
    for part in parts {
        let (kernel, shared) = part.split_at(part.find(END)? + END.len());
        if kernel.split('(').next() == Some(entry) {
            is_there = true;
            module.extend([ENTRY, kernel]);
        }
        module.push_str(shared);
    }
    is_there.then_some(module)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The functions that a text calls: each stands alone in the line after its call.
    fn called(text: &str) -> BTreeSet<&str> {
        let calls = text.lines().zip(text.lines().skip(1)).filter(|(line, _)| line.contains("call."));
        calls.map(|(_, name)| name.trim().trim_end_matches(',')).collect()
    }

    #[test]
    fn a_module_has_one_kernel_and_the_functions_that_it_calls() {
        let mut kernels = 0;
        for entry in entries() {
            let module = module(entry).unwrap();
            assert_eq!(module.matches(ENTRY).count(), 1, "{entry}");
            assert!(module.contains(&format!("{ENTRY}{entry}(")) && module.starts_with(&PTX[..PTX.find(ENTRY).unwrap()]), "{entry}");
            assert_eq!(module.matches('{').count(), module.matches('}').count(), "{entry}");
            for name in called(&module) {
                assert!(module.contains(&format!(") {name}(\n")), "{entry} calls {name}, which is not in its module");
            }
            kernels += 1;
        }
        assert!(kernels > 70, "{kernels}");
        assert!(module("weights").is_some_and(|module| !called(&module).is_empty()), "`weights` calls functions");
        assert_eq!(module("no_such_kernel"), None);
    }
}
