//! Bad models, bad runs and checkpoints, bad arguments.

use super::{Case, Table};
use crate::bytes::f32s;
use std::fs;
use std::path::Path;

const ABOUT: &str = r#"{"format":1,"widths":[3,1],"hidden":"relu","code":"linear","output":"sigmoid"}"#;

/// A safetensors file: the text of `about` as our metadata, the tensors of a network of 3 inputs and a code of 1, of
/// which one may be another.
fn model(about: Option<&str>, change: impl Fn(&mut Vec<(&str, &str, Vec<usize>, Vec<u8>)>)) -> Vec<u8> {
    let tensor = |name: &'static str, shape: &[usize]| (name, "F32", shape.to_vec(), f32s(&vec![0.5; shape.iter().product()]));
    let mut tensors = vec![
        tensor("encoder.0.weight", &[1, 3]),
        tensor("encoder.0.bias", &[1]),
        tensor("decoder.0.weight", &[3, 1]),
        tensor("decoder.0.bias", &[3]),
    ];
    change(&mut tensors);
    let mut header = serde_json::Map::new();
    if let Some(about) = about {
        header.insert("__metadata__".into(), serde_json::json!({ "narrows": about }));
    }
    let mut data = Vec::new();
    for (name, kind, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        header.insert(name.into(), serde_json::json!({ "dtype": kind, "shape": shape, "data_offsets": offsets }));
        data.extend(bytes);
    }
    safetensors(&serde_json::Value::from(header).to_string(), &data)
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

pub fn model_cases(table: &mut Table) {
    let good = model(Some(ABOUT), |_| {});
    let about = |from: &str, to: &str| {
        assert!(ABOUT.contains(from));
        model(Some(&ABOUT.replace(from, to)), |_| {})
    };
    let scaler = |text: &str| about("}", &format!(",\"scaler\":{text}}}"));
    let length = |n: u64| [&n.to_le_bytes()[..], &good[8..]].concat();
    let offsets = |text: &str| safetensors(&format!("{{\"x\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{text}}}}}"), &[0; 4]);
    for (bytes, said) in [
        (vec![], "it is not a whole safetensors file"),
        (good[..7].to_vec(), "it is not a whole safetensors file"),
        (good[..100].to_vec(), "it is not a whole safetensors file"),
        (good[..good.len() - 1].to_vec(), "it is not a whole safetensors file"),
        ([&good[..], &[0]].concat(), "it is not a whole safetensors file"),
        (b"PK\x03\x04 a PyTorch archive".to_vec(), "it is not a whole safetensors file"),
        (b"\x80\x04\x95 a pickle, which is never read".to_vec(), "it is not a whole safetensors file"),
        (length(u64::MAX), "it is not a whole safetensors file"),
        (length(90_000_000), "it is not a whole safetensors file"),
        (length(0), "it is not a whole safetensors file"),
        (safetensors("[1, 2]", &[]), "it is not a whole safetensors file"),
        (safetensors("{\"x\"", &[]), "it is not a whole safetensors file"),
        (safetensors(&"[".repeat(100_000), &[]), "it is not a whole safetensors file"),
        (offsets("[0,8]"), "it is not a whole safetensors file"),
        (offsets("[4,0]"), "it is not a whole safetensors file"),
        (offsets("[0,18446744073709551615]"), "it is not a whole safetensors file"),
        (model(None, |_| {}), "it has no metadata of narrows"),
        (model(Some("no JSON"), |_| {}), "its metadata is not JSON"),
        (model(Some("{}"), |_| {}), "its format is null; this version knows 1 to 3"),
        (about("\"format\":1", "\"format\":2"), "its model can't be read"),
        (about("\"format\":1", "\"format\":4"), "its format is 4; this version knows 1 to 3"),
        (about("relu", "tanh"), "its hidden activation is \"tanh\""),
        (about("\"code\":\"linear\"", "\"code\":7"), "its code activation is 7"),
        (about("sigmoid", "softmax"), "its output is \"softmax\""),
        (about("[3,1]", "[]"), "its widths are []"),
        (about("[3,1]", "[3]"), "its widths are [3]"),
        (about("[3,1]", "[3,0]"), "its widths are [3,0]"),
        (about("[3,1]", "[3,-1]"), "its widths are [3,-1]"),
        (about("[3,1]", "\"3,1\""), "its widths are \"3,1\""),
        (about("[3,1]", "[1099511627776,1]"), "its widths are [1099511627776,1]"),
        (about("[3,1]", "[16777216,16777216]"), "bytes of weights but it has"),
        (about("[3,1]", "[3,2]"), "where F32 of"),
        (scaler("{\"shift\":[0,0],\"scale\":[1,1]}"), "it has 2 columns but the network takes 3"),
        (scaler("{\"shift\":[0,0,0],\"scale\":[1,1,0]}"), "column 2 has the shift 0 and the scale 0"),
        (scaler("{\"shift\":[0,0,0],\"scale\":[1,1,-1e99]}"), "column 2 has the shift 0 and the scale -1000"),
        (scaler("{\"shift\":[0,0,0],\"scale\":[1,1,\"x\"]}"), "its scaler can't be read"),
        (scaler("{\"scale\":[1,1,1]}"), "its scaler can't be read"),
        (scaler("[]"), "its scaler can't be read"),
        (model(Some(ABOUT), |t| drop(t.remove(3))), "the tensor `decoder.0.bias` ([3]) is missing"),
        (model(Some(ABOUT), |t| t.push(("extra", "F32", vec![1], vec![0; 4]))), "it holds a tensor `extra`"),
        (model(Some(ABOUT), |t| t[0].2 = vec![3, 1]), "where F32 of [1, 3] is needed"),
        (model(Some(ABOUT), |t| t[1] = ("encoder.0.bias", "F16", vec![2], vec![0; 4])), "where F32 of [1] is needed"),
        (model(Some(ABOUT), |t| t[1].1 = "I32"), "where F32 of [1] is needed"),
        (model(Some(ABOUT), |t| t[3].3 = f32s(&[0.0, f32::NAN, 0.0])), "element 1 of `decoder.0.bias` is NaN"),
        (model(Some(ABOUT), |t| t[0].3 = f32s(&[0.0, 0.0, f32::NEG_INFINITY])), "element 2 of `encoder.0.weight` is -inf"),
    ] {
        table.file("x.safetensors", bytes, "score --device cpu -q --model x.safetensors --data t3.csv -o new.csv", said);
    }
    table.args(
        "score --device cpu -q --model m/checkpoints/last.safetensors --data t3.csv",
        3,
        "it is a checkpoint of a training, not a model",
    );
    table.args("score --device cpu -q --model m/checkpoints --data t3.csv", 3, "reading the model");
    table.args("score --device cpu -q --model absent.safetensors --data t3.csv", 3, "reading the model");
    table.args("score --device cpu -q --model t3.csv --data t3.csv", 3, "it is not a whole safetensors file");
    table.args("eval --device cpu -q --model m --data builtin", 3, "its rows have 784 columns where 3 are needed");
    table.add(&[("x.safetensors", &good)], "eval --device cpu -q --model x.safetensors", 2, "is not in the folder of a run");
}

/// A run that is as `m` but for one file.
pub fn run_cases(table: &mut Table, root: &Path) {
    let read = |name: &str| fs::read(root.join("m").join(name)).unwrap();
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let whole = [
        "config.toml",
        "metrics.csv",
        "run.json",
        "model.safetensors",
        "checkpoints/last.safetensors",
        "checkpoints/last.previous.safetensors",
    ];
    let mut add = |changed: &[(&str, Option<Vec<u8>>)], args: &str, code: i32, said: &'static str| {
        let files = whole.iter().filter_map(|name| {
            let bytes = match changed.iter().find(|(other, _)| other == name) {
                Some((_, bytes)) => bytes.clone()?,
                None => read(name),
            };
            Some((format!("r/{name}"), bytes))
        });
        table.cases.push(Case { files: files.collect(), args: args.into(), code, said });
    };
    const RESUME: &str = "train --device cpu -q --resume r";
    const EVAL: &str = "eval --device cpu -q --model r";
    const REPORT: &str = "report --device cpu -q --run r";
    let [last, previous] = ["checkpoints/last.safetensors", "checkpoints/last.previous.safetensors"];
    let both = |bytes: Vec<u8>| [(last, Some(bytes.clone())), (previous, Some(bytes))];
    let sealed = read(last);
    let flipped = |at: usize| {
        let mut bytes = sealed.clone();
        bytes[at] ^= 1;
        bytes
    };
    add(&both(flipped(sealed.len() / 2)), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(flipped(sealed.len() - 1)), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(flipped(0)), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(sealed[..sealed.len() - 4].to_vec()), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both([&sealed[..], &[0]].concat()), RESUME, 3, "it is a checkpoint, but not as it was written");
    add(&both(vec![]), RESUME, 3, "it is not a checkpoint of narrows");
    add(&both(b"no checkpoint".to_vec()), RESUME, 3, "it is not a checkpoint of narrows");
    add(&both(read("model.safetensors")), RESUME, 3, "it is not a checkpoint of narrows");
    add(&[(last, None), (previous, None)], RESUME, 3, "reading the checkpoint");
    let config = |from: &str, to: &str| {
        let old = text("config.toml");
        assert!(old.contains(from), "{old}");
        [("config.toml", Some(old.replace(from, to).into_bytes()))]
    };
    add(&config("layers = [2]", "layers = [1]"), RESUME, 3, "its widths are [3,2], not [3,1]");
    add(&config("layers = [2]", "layers = []"), RESUME, 2, "layers: there are none");
    add(&config("layers = [2]", "layers = [18446744073709551615]"), RESUME, 2, "the encoder has a layer of width 18446744073709551615");
    add(&config("output = \"sigmoid\"", "output = \"linear\""), RESUME, 3, "its output is \"sigmoid\", not \"linear\"");
    add(&config("batch_size = 128", "batch_size = 64"), RESUME, 3, "its batch size is 128, not 64");
    add(&config("batch_size = 128", "batch_size = -1"), RESUME, 3, ": invalid value: integer `-1`");
    add(&config("batch_size = 128", "batch_size = \"many\""), RESUME, 3, ": invalid type: string");
    add(&config("lr = ", "lr = nan # "), RESUME, 2, "learning rate: it is NaN");
    add(&config("lr = 0.001", "lr = 0.002"), RESUME, 3, "its lr is 0.001, not 0.002");
    add(&config("seed = \"0\"", "seed = \"x\""), RESUME, 3, ": a seed is a whole number");
    add(&config("seed = \"0\"", "seed = \"1\""), RESUME, 3, "its seed is \"0\", not \"1\"");
    add(&config("t3.csv\"", "absent.csv\""), RESUME, 3, "r/config.toml: it names the data /");
    add(&config("t3.csv\"", "absent.csv\""), EVAL, 3, "which is not there, nor is /");
    add(
        &config("t3.csv\"", "absent.csv\""),
        "train --device cpu -q --resume r --epochs 9",
        3,
        "Put the data back, or say where they are: --data PATH",
    );
    add(&config("name = \"", "name = \"builtin\" # "), RESUME, 3, "these are not the data that the run in r was trained");
    add(&config("name = \"", "name = \"-\" # "), RESUME, 2, "- is stdin");
    add(&config("device = \"cpu\"", "devise = \"cpu\""), RESUME, 3, "unknown field `devise`");
    add(&config("loss = \"mse\"", "loss = \"mae\""), RESUME, 3, "`mae` is not a loss. Use one of mse, bce. Correct it");
    add(&config("seed = \"0\"", "seed = \"0\"\npatience = 3"), RESUME, 2, "take `patience` out of r/config.toml");
    add(&[("config.toml", Some(b"[fit".to_vec()))], RESUME, 3, "config.toml: line 1: ");
    add(&[("config.toml", Some(b"\xff\xfe\0".to_vec()))], RESUME, 3, "config.toml: reading the settings");
    add(&[("config.toml", None)], RESUME, 3, "config.toml: reading the settings");
    add(&[("config.toml", None)], "eval --device cpu -q --model r", 2, "is not in the folder of a run");
    for (name, bytes, said) in [
        ("run.json", Some("{"), "run.json: it is no JSON"),
        ("run.json", Some("{}"), "its format is null where 1 is known"),
        ("run.json", Some("{\"format\":1}"), "run.json: its `"),
        ("run.json", Some("[[[["), "run.json: it is no JSON"),
        ("run.json", None, "run.json: reading the record of the run"),
        ("metrics.csv", Some(""), "metrics.csv: there is no column `epoch`"),
        ("metrics.csv", Some("epoch,loss\n1,2\n"), "there is no column `train_loss`"),
        ("metrics.csv", Some("epoch,train_loss\n"), "it holds no epoch"),
        ("metrics.csv", Some("epoch,train_loss\n1,x\n"), "line 2: `x` is not a finite number"),
        ("metrics.csv", Some("epoch,train_loss\n1,1e999\n"), "line 2: `1e999` is not a finite number"),
        ("metrics.csv", Some("epoch,train_loss\n1e300,1\n"), "line 2: `1e300` is not an epoch after 0"),
        ("metrics.csv", None, "metrics.csv: reading the epochs"),
        ("model.safetensors", Some("x"), "it is not a whole safetensors file"),
        ("model.safetensors", None, "this run has no model yet: its training was killed, or goes on. Let it come to its end"),
    ] {
        add(&[(name, bytes.map(|b| b.as_bytes().to_vec()))], REPORT, 3, said);
    }
    add(
        &[("run.json", Some(text("run.json").replace("\"sha256\": \"", "\"sha256\": \"0").into_bytes()))],
        REPORT,
        3,
        "these are not the data that the run in r was trained and tested on",
    );
}

pub fn argument_cases(table: &mut Table) {
    for (args, code, said) in [
        ("--device tpu", 2, "`tpu` is not the name of a device"),
        ("--device cuda:x", 2, "is not the name of a device"),
        ("--threads 0", 2, "threads: 0 threads"),
        ("--threads 1000000", 2, "threads: 1000000 threads"),
        ("--layers 64,0", 2, "width 0"),
        ("--layers a,b", 2, "invalid value"),
        ("--layers 3-", 2, "invalid value"),
        ("--layers 4-2", 2, "the widths begin with rows of 4 numbers, and these have 3. Begin with 3-"),
        ("--layers 16000000,16000000", 2, "more than 2147483647 elements"),
        ("--layers 18446744073709551615", 2, "the encoder has a layer of width 18446744073709551615"),
        ("--layers 16000000,26", 4, "no memory for"),
        ("--epochs 0", 2, "epochs: it is 0"),
        ("--epochs -1", 2, "unexpected argument"),
        ("--epochs 99999999999999999999", 2, "invalid value"),
        ("--epochs 100000000 --schedule cosine", 2, "Use at most 33554432 steps"),
        ("--batch-size 0", 2, "batch size: it is 0"),
        ("--lr 0", 2, "learning rate: it is 0"),
        ("--lr -1", 2, "learning rate: it is -1"),
        ("--lr inf", 2, "learning rate: it is inf"),
        ("--lr x", 2, "invalid value"),
        ("--weight-decay -1", 2, "weight decay: it is -1"),
        ("--weight-decay 1000", 2, "weight decay: it is 1000"),
        ("--clip 0", 2, "clip norm: it is 0"),
        ("--clip nan", 2, "clip norm: it is NaN"),
        ("--schedule linear", 2, "`linear` is not a schedule"),
        ("--schedule step:0:0.5", 2, "a change every 0 epochs"),
        ("--schedule step:1:inf", 2, "a factor of inf"),
        ("--schedule cosine:1", 2, "a cosine from 0.001 to 1"),
        ("--warmup 18446744073709551615", 2, "warm-up: 18446744073709551615 steps"),
        ("--validation 1", 2, "--validation: 1 of"),
        ("--validation nan", 2, "--validation: NaN of"),
        ("--validation 0.001", 2, "--validation: 0.001 of"),
        ("--patience 0", 2, "patience: it is 0"),
        ("--evaluate-every 0", 2, "an evaluation every 0 epochs of 1 steps"),
        ("--evaluate-every 1000000000", 2, "Use at least 1 epoch and at most 268435456 steps"),
        ("--min-delta 1", 2, "min delta: it is 1"),
        ("--min-delta nan", 2, "min delta: it is NaN"),
        ("--loss mae", 2, "invalid value"),
        ("--loss bce --output linear", 2, "this network's output is linear"),
        ("--output tanh", 2, "invalid value"),
        ("--scale log", 2, "invalid value"),
        ("--image-size 0x3", 2, "it is not like 28x28"),
        ("--image-size 4x4", 3, "4x4 pixels are asked for, and its rows have 3 columns"),
        ("--header maybe", 2, "neither yes nor no"),
        ("--seed 18446744073709551616", 2, "invalid value"),
        ("--out t3.csv", 3, "making the folder for the results"),
        ("--out m", 2, "already holds a config.toml"),
        ("--resume m --config m", 2, "cannot be used with"),
        ("--data t3.csv", 2, "cannot be used multiple times"),
    ] {
        let out = if args.starts_with("--out") { "" } else { "--out new" };
        let epochs = if args.contains("--epochs") { "" } else { "--epochs 1" };
        let layers = if args.contains("--layers") { "" } else { "--layers 2" };
        let device = if args.contains("--device") { "" } else { "--device cpu" };
        table.args(&format!("train -q {device} --data t3.csv {args} {out} {epochs} {layers}"), code, said);
    }
    for (args, code, said) in [
        ("train --device cpu -q --data - --layers 2", 2, "- is stdin"),
        ("train t3.csv", 2, "rows are named by a flag: --data t3.csv"),
        ("t3.csv", 2, "rows are named by a flag: --data t3.csv"),
        ("train --device cpu -q --data absent --layers 2", 3, "there is no such file or folder. Check the path"),
        ("train --device cpu -q --data t3.bin --layers 2", 3, "there is no such file or folder. Check the path"),
        ("train --device cpu -q --data m/model.safetensors --layers 2", 3, "this is a file, not a folder"),
        ("train --device cpu -q --resume absent", 3, "reading the settings"),
        ("train --device cpu -q --resume t3.csv", 3, "reading the settings"),
        ("eval --device cpu --model m --label x", 2, "there are options for reading it, but it is not named"),
        ("encode --device cpu --model m --data t3.csv -o new.txt", 2, "ends neither in .csv nor in .npy"),
        ("encode --device cpu --model m --data t3.csv -o new", 2, "ends neither in .csv nor in .npy"),
        (
            "encode --device cpu --model m --data t3.csv -o m/no/new.csv",
            3,
            "writing: the folder `m/no` does not exist. Make the folder first",
        ),
        ("encode --device cpu --model absent --data t3.csv", 3, "reading the model: there is no such file. Check the path"),
        ("map --device cpu --model m -o no/map.svg", 3, "the folder `no` does not exist"),
        ("probe --device cpu --model m", 3, "the rows have no labels. Name them with --data: a table with --label COLUMN, or a folder"),
        ("probe --device cpu --model m -o no/c.png", 3, "the folder `no` does not exist"),
        (
            "encode --device cpu --model m --data t3.csv -o ./t3.csv",
            2,
            "-o: ./t3.csv would take the place of the rows that it is made from",
        ),
        ("encode --device cpu --model m --data t3.csv -o new.csv --output new.npy", 2, "-o: it is new.csv, and --output is new.npy"),
        ("encode --device cpu --model m --data t3.csv --json", 2, "required arguments were not provided:"),
        (
            "encode --device cpu --model m --data t3.csv --layers 3,1",
            2,
            "m/model.safetensors describes its network itself, which is --layers 3,2",
        ),
        (
            "encode --device cpu --model m --data t3.csv --layers 3",
            2,
            "it names one width. Name those from the numbers in a row to those in a code, such as 784,128,64,32.",
        ),
        ("encode --device cpu --model m --data t3.csv --tied", 2, "--layers"),
        ("plot --device cpu --model m --codes -o m/model.safetensors", 2, "m/model.safetensors does not end in .svg or .png"),
        ("plot --device cpu --model m --codes -o c.jpg", 2, "c.jpg does not end in .svg or .png. Name a file that does."),
        ("plot --device cpu --model m --weights -o w.svg", 2, "w.svg does not end in .png. Name a file that does."),
        ("plot --device cpu --model m --codes --epochs 3", 2, "cannot be used with"),
        ("encode --device cpu --model m --data - -o new.csv", 3, "stdin: the table is empty"),
        ("encode --device cpu --model m --data t3.csv --part all", 2, "invalid value"),
        ("encode --device cpu --model m --data t3.csv --part test", 2, "--part: t3.csv is one part, and all of its rows are taken"),
        ("encode --device cpu --data t3.csv", 2, "--model"),
        ("decode --device cpu --model m --data t3.csv -o new.csv", 3, "its lines have 3 fields, and the model knows 2 columns"),
        ("reconstruct --device cpu --model m --data t3.csv -o new.png", 2, "the rows are not images"),
        (
            "reconstruct --device cpu --model m --data t3.csv --noise mask:0.5 -o new.csv",
            2,
            "--noise: it is drawn, and the output is not a picture",
        ),
        (
            "reconstruct --device cpu --model m --data t3.csv --noise mask -o new.png",
            2,
            "`mask` is not a noise. Use one of gaussian:S, mask:P",
        ),
        ("eval --device cpu --model m --noise gaussian:0", 2, "noise: it is 0. Use a finite standard deviation above 0"),
        ("eval --device cpu --model m --nll 5", 2, "it is not variational: its codes follow no known distribution"),
        ("sample --device cpu --model m --from prior", 2, "it is not variational: its codes follow no known distribution"),
        ("sample --device cpu --model m -n 0", 2, "-n: it is 0. Ask for at least one row."),
        ("sample --device cpu --model m -o new.txt", 2, "ends neither in .csv nor in .npy"),
        ("plot --device cpu --model m --between row:1", 2, "it is not like row:3,row:5 or class:3,class:5"),
        ("plot --device cpu --model m --traverse -o t.svg", 2, "t.svg does not end in .png"),
        ("plot --device cpu --model m --manifold", 3, "its rows are not images"),
        ("train --device cpu -q --data t3.csv --layers 2 --beta 2", 2, "this code is not variational"),
        (
            "train --device cpu -q --data t3.csv --layers 2 --variational --code relu",
            2,
            "a variational code is drawn from a normal distribution",
        ),
        (
            "train --device cpu -q --data t3.csv --layers 2 --sparse kl:0.1:1",
            2,
            "Build it with a sigmoid code (--code sigmoid), or use l1.",
        ),
        (
            "train --device cpu -q --data t3.csv --layers 2 --sparse l2:1",
            2,
            "`l2:1` is not a sparsity. Use one of l1:W, kl:RHO:W, topk:K, batchtopk:K, none.",
        ),
        ("train --device cpu -q --data t3.csv --layers 2 --sparse topk:3", 2, "sparse: topk:3 of a code of 2. Use 1 to 2."),
        ("train --device cpu -q --data t3.csv --layers 2 --sparse topk:1 --variational", 2, "a variational code is drawn as a whole"),
        ("train --device cpu -q --data t3.csv --layers 2 --contractive -1", 2, "contractive: it is -1. Use a finite number of at least 0"),
        (
            "train --device cpu -q --data t3.csv --layers 3,2 --dropout 0.5 --contractive 1",
            2,
            "dropout trains another in each step. Leave one of the two out.",
        ),
        ("train --device cpu -q --data t3.csv --layers 2 --noise salt:0.1", 2, "`salt:0.1` is not a noise"),
        ("score --device cpu --model m --data t3.csv --contamination 2", 2, "contamination: it is 2"),
        ("score --device cpu --model m --data t3.csv --contamination -0.5", 2, "contamination: it is -0.5"),
        ("score --device cpu --model m --data t3.csv --contamination nan", 2, "contamination: it is NaN"),
        ("score --device cpu --model m --data t3.csv --threshold NaN", 2, "--threshold: it is NaN"),
        ("score --device cpu --model m --data t3.csv --threshold x", 2, "invalid value"),
        ("score --device cpu --model m --data t3.csv --threshold 1 --contamination 0.1", 2, "cannot be used with"),
        ("bench --device cpu --op nope", 2, "`nope` is not an op that can be timed"),
        ("bench --device cpu --shape 3", 2, "--op"),
        ("bench --device cpu --op relu --shape 0", 2, "has no elements"),
        ("bench --device cpu --op relu --shape 1x1x1x1x1", 2, "has 5 dimensions"),
        ("bench --device cpu --op relu --shape 2147483647", 2, "they would take gigabytes"),
        ("bench --device cpu --op relu --shape 2147483648", 2, "Use fewer than 2^27"),
        ("bench --device cpu --op adam --shape 1000000000", 2, "they would take gigabytes"),
        ("bench --device cpu --op gather --shape 1000000x2000x1", 2, "they would take gigabytes"),
        ("bench --device cpu --op dense --shape 1", 2, "Name batch, inputs and outputs"),
        ("bench --device cpu --op dense --shape 4096x4096x4096", 2, "the f64 reference would take minutes"),
        ("bench --device cpu --op dense --shape 18446744073709551615x2x2", 2, "the f64 reference would take minutes"),
        ("bench --device cpu --op step --shape 0x784x3", 2, "a batch of 0 rows"),
        ("bench --device cpu --op step --shape 128", 2, "are not the widths of a network"),
        ("bench --device cpu --op step --shape 1x1000000x1", 2, "have to stay below 2^27"),
        ("bench --device cpu --op step --shape 18446744073709551615x784x2", 2, "have to stay below 2^27"),
        ("bench --device cpu -o xml", 2, "invalid value"),
        ("verify --device cpu --op dens", 2, "no op `dens`"),
        ("verify --quick --all", 2, "cannot be used with"),
        ("completions tcsh", 2, "invalid value"),
        ("data imagenet", 2, "unrecognized subcommand"),
        ("report --device cpu --run absent", 3, "run.json: reading"),
        ("fly", 2, "unrecognized subcommand"),
    ] {
        table.args(args, code, said);
    }
}
