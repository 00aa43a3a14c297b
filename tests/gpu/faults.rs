//! Faults planted in the CUDA kernels, each of which the table must catch: a kernel that is wrong in this way can't be
//! released.
//!
//! The faulty kernels are compiled for the CPU, several faults at a time where they lie in different files and change
//! different ops. The table must fail in exactly the ops that a fault changes.

use crate::standin;
use narrows::Device;
use narrows::verify::{Select, run, run_each};
use std::fs;
use std::path::Path;

struct Fault {
    what: &'static str,
    file: &'static str,
    /// Occurs once in the file, so that a fault can't silently cease to be planted.
    from: &'static str,
    to: &'static str,
    /// The ops that it changes: rows of each of them must fail.
    ops: &'static [&'static str],
}

const PRODUCTS: &[&str] = &["dense", "dense_dx", "dense_dw"];

#[rustfmt::skip]
const FAULTS: &[Fault] = &[
    Fault {
        what: "the second block of terms replaces the first",
        file: "block.cuh", from: "mine == 0);", to: "mine <= FOLD);", ops: PRODUCTS,
    },
    Fault {
        what: "blocks of 128 terms",
        file: "fold.cuh", from: "FOLD = 256", to: "FOLD = 128", ops: &["dense", "dense_dx", "dense_dw", "dense_db"],
    },
    Fault {
        what: "the last panel of K loses a term",
        file: "block.cuh", from: "d < own % PANEL_TERMS", to: "d + 1 < own % PANEL_TERMS", ops: PRODUCTS,
    },
    Fault {
        what: "the last panel of K is not cut short",
        file: "block.cuh", from: "d < own % PANEL_TERMS", to: "d < (own % PANEL_TERMS == 0 ? 0 : PANEL_TERMS)", ops: PRODUCTS,
    },
    Fault {
        what: "a part takes the other's next panel",
        file: "block.cuh", from: "(after == FOLD ? (PARTS - 1) * FOLD : 0)", to: "0", ops: PRODUCTS,
    },
    Fault {
        what: "the lines of half the terms stay swapped",
        file: "block.cuh", from: "term / 4 % 2 * 16 : 0", to: "term / 8 * 16 : 0", ops: &["dense", "dense_dx"],
    },
    Fault {
        what: "the last band is as high as the others",
        file: "block.cuh", from: "down - band < BAND ? down - band : BAND", to: "down > 0 ? BAND : BAND", ops: PRODUCTS,
    },
    Fault {
        what: "the last row is not stored",
        file: "block.cuh", from: "if (m >= M || n >= N) continue;", to: "if (m + 1 >= M || n >= N) continue;", ops: PRODUCTS,
    },
    Fault {
        what: "a column too many is stored",
        file: "tail.cuh", from: "if (e < count) p[at + e] = v[e];", to: "if (e <= count) p[at + e] = v[e];", ops: PRODUCTS,
    },
    Fault {
        what: "the last block of rows is left out",
        file: "dense.cu", from: "p < parts && r0 + p * FOLD < B", to: "p < parts && r0 + (p + 1) * FOLD < B", ops: &["dense_db"],
    },
    Fault {
        what: "the bias is added before the sum",
        file: "block.cuh", from: "v[e] = v[e] + bias[least(n + e, N - 1)];", to: "v[e] = K > 0 ? fmaf(1.0f, bias[least(n + e, N - 1)], 0.5f * v[e]) + 0.5f * v[e] : bias[least(n + e, N - 1)];",
        ops: &["dense"],
    },
    Fault { what: "relu loses NaN", file: "relu.cu", from: "(x == x ? 0.0f : x)", to: "0.0f", ops: &["relu"] },
    Fault { what: "relu'(0) = 1", file: "relu.cu", from: "x <= 0.0f", to: "x < 0.0f", ops: &["relu_grad"] },
    Fault { what: "the derivative's sign", file: "sigmoid.cu", from: "return dy *", to: "return -dy *", ops: &["sigmoid_grad"] },
    Fault {
        what: "exp ends at -80",
        file: "exp.cuh", from: "x < -104.0f ? -104.0f", to: "x < -80.0f ? -80.0f", ops: &["sigmoid", "sigmoid_grad", "tanh_grad", "bce_grad"],
    },
    Fault {
        what: "ln 2 in one step",
        file: "exp.cuh", from: "r = fmaf(n, -0x1.7f7d1cp-20f, r);", to: "r = fmaf(n, -0x1.62e430p-1f, x);", ops: &["sigmoid", "sigmoid_grad", "tanh", "tanh_grad", "bce_grad"],
    },
    Fault {
        what: "past the table, the first row in place of the last",
        file: "adam.cuh", from: "clock[1] < T ? clock[1] : T - 1", to: "clock[1] < T ? clock[1] : 0", ops: &["adam"],
    },
    Fault {
        what: "v rounded in another order",
        file: "adam.cuh", from: "fmaf(w2 * g, g, beta2 * v)", to: "fmaf(beta2, v, w2 * g * g)", ops: &["adam"],
    },
    Fault {
        what: "the order does not begin again",
        file: "gather.cu", from: "(unsigned)(((unsigned long long)clock[0] + r) % M)", to: "clock[0] + r < M ? clock[0] + r : M - 1", ops: &["gather"],
    },
    Fault {
        what: "a multiplication by 1 / 255",
        file: "gather.cu", from: "div_rn((float)byte, 255.0f)", to: "(float)byte * (1.0f / 255.0f)", ops: &["gather"],
    },
    Fault {
        what: "a level of the tree is missing",
        file: "reduce.cuh", from: "s = LANES / 2; s > 0;", to: "s = LANES / 2; s > 1;", ops: &["mse", "sum", "bce", "square_sum"],
    },
    Fault {
        what: "lanes take neighbours",
        file: "reduce.cuh", from: "j * LANES + threadIdx.x", to: "threadIdx.x * (CHUNK / LANES) + j", ops: &["sum", "square_sum", "bce"],
    },
    Fault { what: "two roundings in place of one", file: "mse.cu", from: "return fmaf(d, d, lane)", to: "return lane + d * d", ops: &["mse"] },
    Fault { what: "the derivative's sign", file: "abs.cu", from: "^ 0x80000000u", to: "^ 0u", ops: &["abs_grad"] },
    Fault { what: "exp ends at 80", file: "exp.cuh", from: "x > 89.0f ? 89.0f", to: "x > 80.0f ? 80.0f", ops: &["exp", "exp_grad"] },
    Fault { what: "-0 stays", file: "clamp.cu", from: "near + 0.0f", to: "near", ops: &["clamp"] },
    Fault { what: "a bound lies outside", file: "clamp.cu", from: "x[i] < lo || x[i] > hi", to: "x[i] <= lo || x[i] > hi", ops: &["clamp_grad"] },
    Fault { what: "two roundings in place of one", file: "axpy.cu", from: "fmaf(b[i], factor, a[i])", to: "a[i] + b[i] * factor", ops: &["axpy"] },
    Fault { what: "a sum in place of a product", file: "mul.cu", from: "a * b; }", to: "a + b; }", ops: &["mul"] },
    Fault { what: "the derivative's sign", file: "abs_sum.cu", from: "x < 0.0f ? -s", to: "x < 0.0f ? s", ops: &["abs_sum_grad"] },
    Fault { what: "the sign counts", file: "abs_sum.cu", from: "lane + fabsf(x)", to: "lane + x", ops: &["abs_sum"] },
    Fault {
        what: "rounded in another order",
        file: "kl.cuh", from: "(fmaf(mu, mu, narrows_exp(logvar)) - logvar) - 1.0f", to: "fmaf(mu, mu, narrows_exp(logvar)) - (logvar + 1.0f)", ops: &["kl", "kl_terms"],
    },
    Fault { what: "the one is forgotten", file: "kl.cu", from: "s * (narrows_exp(logvar) - 1.0f)", to: "s * narrows_exp(logvar)", ops: &["kl_grad"] },
    Fault { what: "past the table, its first row", file: "scale_by.cu", from: "clock[1] < T ? clock[1] : T - 1", to: "clock[1] % T", ops: &["scale_by"] },
    Fault { what: "the derivative's sign", file: "mse.cu", from: "s * (x - target)", to: "s * (target - x)", ops: &["mse_grad"] },
    Fault { what: "a constant of a round of Philox", file: "philox.cuh", from: "0xBB67AE85u", to: "0xBB67AE84u", ops: &["uniform", "normal", "mask"] },
    Fault { what: "32 bits of a random number", file: "uniform.cu", from: "(float)(w.v[j] >> 8) * 0x1p-24f", to: "(float)w.v[j] * 0x1p-32f", ops: &["uniform"] },
    Fault { what: "the step counts rows", file: "clock.cuh", from: "step + 1;", to: "step + rows;", ops: &["advance"] },
    Fault { what: "the cursor in place of the step", file: "store.cu", from: "clock[1] % T", to: "clock[0] % T", ops: &["store"] },
    Fault { what: "the last element is missing", file: "zip.cuh", from: "if (i < N)", to: "if (i + 1 < N)", ops: &["add"] },
    Fault { what: "an element too many", file: "copy.cu", from: "if (i < N)", to: "if (i <= N)", ops: &["copy"] },
    Fault { what: "the first quarter in place of the nearest", file: "normal.cu", from: "turn + 0x200000u", to: "turn + 0x100000u", ops: &["normal"] },
    Fault { what: "ln 2 in one step", file: "ln.cuh", from: "y = fmaf(e, 0x1.62e400p-1f, y);", to: "y = fmaf(e, 0x1.62e430p-1f, r);", ops: &["normal"] },
    Fault { what: "what is dropped is kept", file: "mask.cu", from: "(w.v[j] >> 8) < keep", to: "(w.v[j] >> 8) >= keep", ops: &["mask"] },
    Fault { what: "the derivative's sign", file: "rho_kl.cu", from: "- div_rn(rho, q))", to: "+ div_rn(rho, q))", ops: &["rho_kl_grad"] },
    Fault { what: "rows in place of columns", file: "rows.cu", from: "v[i % C]", to: "v[i / C % C]", ops: &["rows"] },
    Fault { what: "the first number in place of the largest", file: "xent.cu", from: "most = largest(most);", to: "most = row[0] < -80.0f ? largest(most) : row[0];", ops: &["xent"] },
    Fault { what: "labels past the classes are read", file: "xent_grad.cu", from: "label[r] < C ? label[r] : C - 1", to: "label[r]", ops: &["xent_grad"] },
    Fault { what: "the scale is forgotten", file: "total.cu", from: "total * scale", to: "total * (scale > 2.0f ? scale : 1.0f)", ops: &["mse", "bce"] },
    Fault { what: "NaN is the smallest", file: "key.cuh", from: "return 0xffffffffu;", to: "return 0u;", ops: &["cut", "merge_topk", "select"] },
    Fault { what: "the highest index first", file: "kth.cuh", from: "from_end = N - 1 - i;", to: "from_end = i;", ops: &["cut", "merge_topk"] },
    Fault { what: "one more is taken", file: "cut.cu", from: "= kth.index;", to: "= kth.index + 1;", ops: &["cut"] },
    Fault { what: "one fewer is taken", file: "kth.cuh", from: "i <= index", to: "i < index", ops: &["merge_topk"] },
    Fault { what: "equal numbers push out earlier ones", file: "merge_topk.cu", from: "kth.takes(key(value), i);", to: "kth.takes(key(value), i + C);", ops: &["merge_topk"] },
    Fault { what: "the index does not begin at the cursor", file: "merge_topk.cu", from: "clock[0] + i", to: "clock[1] + i", ops: &["merge_topk"] },
    Fault { what: "all ties are taken", file: "select.cu", from: "mine == least && i - row * C <= last", to: "mine == least && i - row * C <= last + C", ops: &["select"] },
    Fault { what: "subnormal numbers are on", file: "idle.cu", from: "most >= 0x00800000u", to: "most > 0u", ops: &["idle"] },
    Fault { what: "the counter does not stop", file: "idle.cu", from: "longer > 0x1p24f ? 0x1p24f : longer", to: "longer", ops: &["idle"] },
    Fault { what: "dead from one row later on", file: "dead.cu", from: "idle[i % C] >= least", to: "idle[i % C] > least", ops: &["dead"] },
    Fault { what: "an element too many", file: "fill.cu", from: "if (i < N)", to: "if (i <= N)", ops: &["fill"] },
];

impl Fault {
    /// Whether the table can tell this fault from that one when both are planted.
    fn apart(&self, other: &Fault) -> bool {
        self.file != other.file && self.ops.iter().all(|op| !other.ops.contains(op))
    }
}

/// Whether the kernels of an op include a header, directly or not.
fn includes(stem: &str, header: &str) -> bool {
    let text = |file: &str| fs::read_to_string(standin::root().join("kernels").join(file)).unwrap_or_default();
    let mut files = vec![format!("{stem}.cu")];
    let mut at = 0;
    while let Some(file) = files.get(at).cloned() {
        for line in text(&file).lines() {
            let name = line.strip_prefix("#include \"").and_then(|rest| rest.strip_suffix('"'));
            files.extend(name.filter(|name| !files.iter().any(|f| f == name)).map(str::to_string));
        }
        at += 1;
    }
    files.iter().any(|file| file == header)
}

/// The faults in as few sets as their order gives.
fn sets() -> Vec<Vec<&'static Fault>> {
    let mut sets: Vec<Vec<&Fault>> = Vec::new();
    for fault in FAULTS {
        match sets.iter_mut().find(|set| set.iter().all(|other| fault.apart(other))) {
            Some(set) => set.push(fault),
            None => sets.push(vec![fault]),
        }
    }
    sets
}

/// The stand-in of kernels with these faults.
fn faulty(set: &[&Fault]) -> Option<Device> {
    let folder = standin::scratch().join(format!("faults-{}", standin::unique()));
    fs::create_dir_all(&folder).unwrap();
    // A kernel includes headers from the folder that it lies in, so all come along.
    for file in fs::read_dir(standin::root().join("kernels")).unwrap().map(|f| f.unwrap().path()).filter(|f| f.is_file()) {
        let name = file.file_name().unwrap().to_str().unwrap();
        let mut text = fs::read_to_string(&file).unwrap();
        for fault in set.iter().filter(|f| f.file == name) {
            assert_eq!(text.matches(fault.from).count(), 1, "{name}: `{}` for the fault `{}`", fault.from, fault.what);
            text = text.replace(fault.from, fault.to);
        }
        fs::write(folder.join(name), text).unwrap();
    }
    let library = standin::compile("faults", "so", &standin::library_flags("-O1"), "", &[Path::new(&folder)]);
    fs::remove_dir_all(&folder).unwrap();
    library.map(|library| Device::cuda_standin(&library).unwrap())
}

#[test]
fn every_planted_fault_is_caught_by_the_rows_of_its_ops_and_by_no_other() {
    // The first device has no fault.
    let sets = [vec![vec![]], sets()].concat();
    let all = std::thread::scope(|scope| {
        let compiled: Vec<_> = sets.iter().map(|set| scope.spawn(move || faulty(set))).collect();
        compiled.into_iter().map(|c| c.join().unwrap()).collect::<Option<Vec<Device>>>()
    });
    let Some(devices) = all else { return };
    // The quick rows on all devices, and all rows of an op where those miss what was planted in it: a fold of 256 needs
    // longer sums.
    let reports = run_each(&devices, &Select::quick()).unwrap();
    let mut wrong = Vec::new();
    for ((device, set), report) in devices.iter().zip(&sets).zip(reports) {
        for mut row in report.rows {
            let Some(fault) = set.iter().find(|f| f.ops.contains(&row.op)) else {
                // What a header holds, other kernels may show too.
                if row.failed > 0 && !set.iter().any(|fault| includes(row.op.trim_end_matches("_grad"), fault.file)) {
                    wrong.push(format!("{} fails without a fault: {:?}", row.op, row.failures));
                }
                continue;
            };
            if row.failed == 0 {
                row = run(device, &Select { op: Some(row.op.into()), ..Select::default() }).unwrap().rows.remove(0);
            }
            println!("{:12} {:3} of {:3} rows fail: {}", row.op, row.failed, row.cases, fault.what);
            if row.failed == 0 {
                wrong.push(format!("{}: `{}` passes all {} rows", row.op, fault.what, row.cases));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
