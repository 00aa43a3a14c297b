//! THE TABLE: every op on every device that is present, against the oracle and the contract.
//!
//! `NARROWS_REQUIRE=wgpu,cuda,avx512,standin` makes the absence of a device or a level a failure. See the tables with
//! `-- --nocapture`. `NARROWS_EMULATED=1` is for emulators, which are slow: the CPU at its best level alone, with two
//! threads, without the rows that take more than 2^16 operations of the oracle.

#[cfg(all(feature = "cuda", feature = "standin"))]
use crate::common::standin;
use narrows::verify::{Report, Select, count, run, run_each};
use narrows::{Device, DeviceKind, Level};

/// Whether the environment demands a device or a level.
fn required(name: &str) -> bool {
    std::env::var("NARROWS_REQUIRE").is_ok_and(|all| all.split(',').any(|n| n.trim() == name))
}

/// Says by name what is not there.
fn absent(name: &str, reason: &str) {
    println!("ABSENT: {name}: {reason}");
    assert!(!required(name), "NARROWS_REQUIRE names {name}, but {reason}");
}

fn demand(report: &Report, rows: usize) {
    println!("{report}\n");
    assert_eq!(report.failed(), 0, "{report}");
    assert!(report.cases() >= rows, "{} rows on {}, not {rows}", report.cases(), report.device);
    assert_eq!(report.rows.len(), count(&Select::all()).unwrap().len(), "an op has no row");
    assert!(report.rows.iter().all(|r| r.worst <= 1.0 && r.worst.is_finite() && r.cases >= 8));
    // Each way in which the device runs programs.
    assert!(!report.programs.is_empty() && report.programs.iter().all(|r| r.worst <= 1.0 && r.cases > 500));
}

#[test]
fn cpu_gives_the_same_bits_at_every_level_for_any_number_of_threads() {
    let mut many = Vec::new();
    let mut few = Vec::new();
    let emulated = std::env::var_os("NARROWS_EMULATED").is_some();
    // A fiftieth of the rows have three quarters of the work.
    let small = Select { most_work: Some(if emulated { 1 << 16 } else { 1 << 20 }), ..Select::default() };
    for level in Level::ALL.into_iter().filter(|&level| !emulated || level == Level::best()) {
        if !level.is_available() {
            absent(&level.to_string(), "this processor does not support the level");
            continue;
        }
        let cpu = |threads| Device::cpu_with(threads, level).unwrap();
        if emulated {
            few.push(cpu(2));
            continue;
        }
        // At the levels of older processors one number of threads does the large rows.
        many.push(cpu(2));
        if level == Level::best() { &mut many } else { &mut few }.extend([cpu(1), cpu(7)]);
    }
    // Without devices the reference is not computed either.
    let run = |devices: &[Device], select| if devices.is_empty() { Vec::new() } else { run_each(devices, select).unwrap() };
    for report in [run(&many, &Select::all()), run(&few, &small)].concat() {
        demand(&report, 1500);
        assert!(report.rows.iter().chain(&report.programs).all(|r| r.bit_for_bit == r.cases));
    }
}

#[test]
fn wgpu_is_within_its_bounds() {
    let list = Device::list();
    // With the checks of wgpu every kind of access counts, not the size.
    let checked = std::env::var_os("NARROWS_WGSL_CHECKS").is_some();
    let select = Select { large: !checked, most_work: checked.then_some(1 << 20), ..Select::default() };
    for missing in list.absent.iter().filter(|a| a.kind == DeviceKind::Wgpu) {
        absent("wgpu", &missing.reason);
    }
    for info in list.found.iter().filter(|i| i.kind == DeviceKind::Wgpu) {
        let device = Device::open(&info.id).unwrap();
        demand(&run(&device, &select).unwrap(), 1500);
    }
}

#[test]
fn cuda_gives_the_contracts_bits() {
    let list = Device::list();
    for missing in list.absent.iter().filter(|a| a.kind == DeviceKind::Cuda) {
        absent("cuda", &missing.reason);
    }
    for info in list.found.iter().filter(|i| i.kind == DeviceKind::Cuda) {
        let device = Device::open(&info.id).unwrap();
        let report = run(&device, &Select::all()).unwrap();
        demand(&report, 1500);
        assert!(report.rows.iter().chain(&report.programs).all(|r| r.bit_for_bit == r.cases));
    }
}

/// The CUDA kernels, compiled for the CPU.
#[cfg(all(feature = "cuda", feature = "standin"))]
#[test]
fn cuda_standin_gives_the_contracts_bits() {
    let Some(library) = standin::build() else { return };
    let device = Device::cuda_standin(&library).unwrap();
    let report = run(&device, &Select::default()).unwrap();
    demand(&report, 1500);
    assert!(report.rows.iter().chain(&report.programs).all(|r| r.bit_for_bit == r.cases));
}

/// The table of the README: for each op the worst error of all its rows as a share of its bound.
/// `NARROWS_UPDATE=1` writes it anew. Where a device is absent, it can't be checked.
#[cfg(feature = "cuda")]
#[test]
fn the_readme_shows_what_the_devices_do() {
    let wgpu = Device::list().found.into_iter().find(|i| i.kind == DeviceKind::Wgpu);
    let (Some(wgpu), Some(library)) = (wgpu, standin::build()) else {
        return println!("ABSENT: wgpu or the stand-in, so the README's table is not checked");
    };
    let update = std::env::var_os("NARROWS_UPDATE").is_some();
    let select = if update { Select::all() } else { Select::quick() };
    let exact = run_each(&[Device::cpu().unwrap(), Device::cuda_standin(&library).unwrap()], &Select::quick()).unwrap();
    let every = |r: &Report| r.rows.iter().all(|r| r.bit_for_bit == r.cases && r.failed == 0);
    assert!(exact.iter().all(every), "the CPU and the CUDA kernels have the same bits");
    let reports = run_each(&[Device::cpu().unwrap(), Device::open(&wgpu.id).unwrap()], &select).unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (begin, end) = ("<!-- ops begin -->\n", "<!-- ops end -->");
    let (from, to) = (readme.find(begin).unwrap() + begin.len(), readme.find(end).unwrap());
    let rows = count(&Select::all()).unwrap();
    // Rounded up, so that no row is above what is written.
    let cell = |worst: f64| if worst == 0.0 { "exact".into() } else { format!("{:.2}", (100.0 * worst).ceil() / 100.0) };
    let mut table = String::from("| op | rows | CPU and CUDA | WGSL |\n|---|---|---|---|\n");
    for (i, (op, rows)) in rows.iter().enumerate() {
        let worst = [&reports[0], &reports[1]].map(|report| report.rows[i].worst);
        table += &format!("| {op} | {rows} | {} | {} |\n", cell(worst[0]), cell(worst[1]));
    }
    if update {
        std::fs::write(path, format!("{}{table}{}", &readme[..from], &readme[to..])).unwrap();
        return;
    }
    let fields = |line: &str| line.split('|').map(|field| field.trim().to_string()).collect::<Vec<_>>();
    let written: Vec<_> = readme[from..to].lines().map(fields).collect();
    let found: Vec<_> = table.lines().map(fields).collect();
    let remedy = "run this test with NARROWS_UPDATE=1 and look at the change";
    assert_eq!(written.len(), found.len(), "{remedy}");
    for (written, found) in written.iter().zip(&found) {
        assert_eq!(written[..3], found[..3], "{remedy}");
        // The quick rows are some of all. What WGSL leaves depends on the driver.
        let number = |field: &str| field.parse().unwrap_or(0.0);
        assert!(number(&found[3]) <= number(&written[3]) && number(&written[3]) <= 1.0, "{written:?} {found:?}: {remedy}");
        assert!(number(&found[4]) <= 1.0, "{found:?}");
    }
}

#[test]
fn an_op_that_does_not_exist_is_an_error() {
    let select = Select { op: Some("dens".into()), ..Select::default() };
    let error = run(&Device::cpu().unwrap(), &select).unwrap_err().to_string();
    assert!(error.contains("no op `dens`") && error.contains("dense_dx"), "{error}");
}
