//! The machine code of the matrix product. A compiler that keeps one of the sums in memory makes it two and a half
//! times as slow, and no other test would see it: the innermost loops may hold no store.
//!
//! `NARROWS_OBJDUMP` names the disassembler, `objdump` if it is not set.

use narrows::Device;
use std::process::Command;

struct Instruction {
    address: u64,
    name: String,
    operands: String,
}

/// The instructions of all functions whose symbol holds `tile`, which is where the kernels are, function by function.
fn functions(text: &str) -> Vec<Vec<Instruction>> {
    let mut all: Vec<Vec<Instruction>> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some((_, symbol)) = line.strip_suffix(">:").and_then(|line| line.split_once(" <")) {
            inside = symbol.contains("tile");
            if inside {
                all.push(Vec::new());
            }
        } else if let Some((address, rest)) = line.trim_start().split_once(":\t").filter(|_| inside)
            && let Ok(address) = u64::from_str_radix(address, 16)
        {
            let (name, operands) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
            all.last_mut().expect("a function").push(Instruction { address, name: name.into(), operands: operands.trim().into() });
        }
    }
    all
}

/// The loops that hold no other jump: from where a jump leads back to the jump.
fn innermost(function: &[Instruction]) -> Vec<&[Instruction]> {
    let jumps = |i: &Instruction| {
        if cfg!(target_arch = "x86_64") { i.name.starts_with('j') } else { i.name.starts_with(['b', 'c', 't']) && to(i).is_some() }
    };
    let mut loops = Vec::new();
    for (end, jump) in function.iter().enumerate().filter(|(_, i)| jumps(i)) {
        let Some(start) = to(jump).and_then(|to| function[..=end].iter().position(|i| i.address == to)) else { continue };
        if !function[start..end].iter().any(jumps) {
            loops.push(&function[start..=end]);
        }
    }
    loops
}

/// Where a jump leads: `1f40 <symbol+0x20>`, after a register and a comma on aarch64.
fn to(jump: &Instruction) -> Option<u64> {
    let target = jump.operands.split_once(" <")?.0.rsplit(' ').next()?;
    u64::from_str_radix(target.trim_start_matches("0x"), 16).ok()
}

fn multiplies(i: &Instruction) -> bool {
    (i.name.starts_with("vfmadd") && i.name.ends_with("ps")) || i.name == "fmla"
}

fn stores(i: &Instruction) -> bool {
    match cfg!(target_arch = "x86_64") {
        // The last operand is where the result goes; of a prefetch it is what is fetched.
        true => i.operands.ends_with(')') && i.name.contains("mov"),
        false => i.name.starts_with("st"),
    }
}

#[test]
fn the_innermost_loops_of_the_matrix_product_hold_no_store() {
    Device::cpu().unwrap();
    let objdump = std::env::var("NARROWS_OBJDUMP").unwrap_or("objdump".into());
    let output = Command::new(&objdump).args(["-d", "--no-show-raw-insn"]).arg(std::env::current_exe().unwrap()).output();
    let text = match output {
        _ if cfg!(debug_assertions) => return println!("ABSENT: optimised code, so the loops are not looked at"),
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
        _ => return println!("ABSENT: {objdump}, so the loops are not looked at"),
    };
    let functions = functions(&text);
    // Registers, rows of the highest tile, vectors that a row has.
    let levels: &[(&str, usize)] = if cfg!(target_arch = "x86_64") { &[("ymm", 6), ("zmm", 8)] } else { &[("v", 4)] };
    for (register, height) in levels {
        let of_level = |body: &&[Instruction]| body.iter().any(|i| multiplies(i) && i.operands.contains(register));
        let loops: Vec<_> = functions.iter().flat_map(|function| innermost(function)).filter(of_level).collect();
        let count = |body: &[Instruction]| body.iter().filter(|i| multiplies(i)).count();
        // Four terms of a tile, two vectors in each row, once for each way in which rows lie.
        let whole = loops.iter().filter(|body| count(body) == 4 * 2 * height).count();
        println!("{register}: {} innermost loops, {whole} of the highest tile", loops.len());
        for body in &loops {
            let stores: Vec<_> = body.iter().filter(|i| stores(i)).map(|i| format!("{} {}", i.name, i.operands)).collect();
            assert!(stores.is_empty(), "a loop of {} multiply-adds with {register} stores: {stores:?}", count(body));
        }
        assert!(whole >= 3 && loops.len() >= 3 * height, "{whole} of {} loops with {register} are those of the highest tile", loops.len());
    }
}
