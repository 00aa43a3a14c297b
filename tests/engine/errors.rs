//! The texts of errors: each names the numbers and the way out.

use narrows::data::{Chunks, Dataset, Options, RowWriter, Scaler};
use narrows::nn::contamination;
use narrows::{Adam, AdamConfig, Autoencoder, Clock, Device, Fit, Level, Loss, Params, Tape, Tensor, verify};
use std::path::Path;

fn text<T>(result: narrows::Result<T>) -> String {
    match result {
        Ok(_) => panic!("this should have been refused"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn the_texts() {
    let device = Device::cpu().unwrap();
    let other = Device::cpu_with(1, Level::Portable).unwrap();
    let tensor = |shape: &[usize]| Tensor::new(&device, &vec![1.0; shape.iter().product()], shape).unwrap();
    let mut tape = Tape::new(&device);
    let x = tape.variable(&tensor(&[128, 784])).unwrap();
    let w = tape.variable(&tensor(&[64, 128])).unwrap();
    let b = tape.variable(&tensor(&[64])).unwrap();
    let flat = tape.input(&tensor(&[7])).unwrap();
    let few = tape.input(&tensor(&[3, 2])).unwrap();
    let none = tape.input(&tensor(&[0, 784])).unwrap();
    let params = Params::new(&device, &[("w".into(), vec![2, 2]), ("b".into(), vec![2])]).unwrap();
    let clock = Clock::new(&device).unwrap();
    let order = Tensor::indices(&device, &[0, 1, 2], 3).unwrap();
    let rows = |columns: usize| Dataset::from_rows("points", vec![0.5; 2 * columns], &[columns]).unwrap();
    let ae = Autoencoder::builder(4).hidden([3]).code(2).build(&device).unwrap();
    let linear = Autoencoder::builder(4).linear().code(2).build(&device).unwrap();
    let adam = |change: fn(&mut AdamConfig)| {
        let mut config = AdamConfig::default();
        change(&mut config);
        Adam::new(&params, config)
    };

    let texts = [
        (
            text(tape.dense(x, w, b)),
            "dense: x has 784 columns but w takes 128 (x is 128x784, w is 64x128). Build the layer with 784 inputs or pass the previous layer's output.",
        ),
        (text(tape.dense(flat, w, b)), "dense: x has 1 dimensions where 2 are needed (x is 7). Reshape it to [rows, columns]."),
        (text(tape.add(x, flat)), "add: a has 100352 elements but b has 7 (a is 128x784, b is 7). Give both the same shape."),
        (text(tape.mul(x, flat)), "mul: a has 100352 elements but b has 7 (a is 128x784, b is 7). Give both the same shape."),
        (text(tape.axpy(x, flat, 2.0)), "axpy: a has 100352 elements but b has 7 (a is 128x784, b is 7). Give both the same shape."),
        (text(tape.rho_kl(x, 1.0)), "rho_kl: the wanted activity is 1. Use a number between 0 and 1, such as 0.05."),
        (
            text(tape.kl(x, flat, 1.0)),
            "kl: mu has 100352 elements but logvar has 7 (mu is 128x784, logvar is 7). Give both the same shape.",
        ),
        (
            text(tape.kl_terms(x, flat)),
            "kl_terms: mu has 100352 elements but logvar has 7 (mu is 128x784, logvar is 7). Give both the same shape.",
        ),
        (
            text(tape.scale_by(x, &tensor(&[3, 2]), 2, &clock)),
            "scale_by: column 2 of a table of 3x2. Write a row for each step, and count the columns from 0.",
        ),
        (
            text(tape.scale_by(x, &tensor(&[3]), 0, &clock)),
            "scale_by: column 0 of a table of 3. Write a row for each step, and count the columns from 0.",
        ),
        (text(tape.clamp(x, 1.0, 0.0)), "clamp: the bounds are 1 and 0. Use the lower first; -inf and inf bound nothing."),
        (text(tape.mse(none, none)), "mse: a mean over no elements (y is 0x784). Pass at least one row."),
        (text(tape.bce_with_logits(none, none)), "bce: a mean over no elements (z is 0x784). Pass at least one row."),
        (
            text(tape.bce_with_logits(x, x)),
            "bce: the target depends on a variable or a parameter, and the loss has no derivative with respect to its target. Pass the target with `input`.",
        ),
        (
            text(tape.xent(few, &order)),
            "xent: the labels are for 3 classes but z has 2 columns (z is 3x2). Make them with `Tensor::indices(device, labels, columns of z)`.",
        ),
        (text(tape.xent(x, &order)), "xent: label has 3 elements where 128 are needed (label is 3). Give it that many elements."),
        (text(tape.clip_grads(&params, -1.0)), "clip: the largest norm is -1. Use a finite number above 0; 1 is usual."),
        (text(tape.backward(x)), "backward: the loss has 100352 elements (128x784). Reduce it with `sum` or `mse`."),
        (
            text(tape.grad(x)),
            "grad: this value has no gradient. Call `backward` on a loss that depends on it, and make it with `variable` or `param`.",
        ),
        (text(tape.reshape(flat, &[2, 3])), "reshape: 7 has 7 elements but 2x3 has 6. Keep the number of elements."),
        (text(tape.param(&params, "c")), "parameter: there is no `c`. Use one of w, b."),
        (
            text(tape.gather(&tensor(&[2, 5]), &order, &clock, 2)),
            "gather: the order is for 3 rows but the data has 2. Make it with `Tensor::indices(device, order, rows of the data)`.",
        ),
        (
            text(tape.input(&Tensor::zeros(&other, &[1]).unwrap())),
            "input: it is on cpu but the tape is for cpu. Put everything on one device (opening the same one twice gives two devices).",
        ),
        (text(tape.uniform(&[2], (1.0, 0.0), 0, 0, &clock)), "uniform: the range is [1, 0). Use finite bounds, the lower first."),
        (
            text(tape.normal(&[2], 0.0, -1.0, 0, 0, &clock)),
            "normal: the mean is 0, the standard deviation -1. Use finite numbers, the second at least 0.",
        ),
        (
            text(Tensor::new(&device, &[1.0, 2.0], &[3])),
            "tensor: 2 numbers for a shape of 3 (3). Pass as many numbers as the shape has elements.",
        ),
        (
            text(Tensor::zeros(&device, &[1, 1, 1, 1, 1])),
            "shape: [1, 1, 1, 1, 1] has 5 dimensions. Use 1 to 4 dimensions; a single number has shape [1].",
        ),
        (
            text(Tensor::zeros(&device, &[1 << 20, 1 << 20])),
            "shape: [1048576, 1048576] has more than 2147483647 elements. Split the data into smaller tensors.",
        ),
        (text(Tensor::indices(&device, &[0, 9], 3)), "indices: index 9 at position 1 is not one of 3 rows. Count the rows from 0."),
        (
            text(tensor(&[3]).write(&[1.0])),
            "write: 1 numbers into 3 elements (the shape is 3). Pass as many numbers as there are elements.",
        ),
        (text(order.read()), "read: the tensor holds u32, not f32. Use the method for that type."),
        (
            text(Params::new(&device, &[("w".into(), vec![1]), ("w".into(), vec![1])])),
            "parameter: `w` occurs twice. Give every parameter its own name.",
        ),
        (text(adam(|c| c.learning_rate = 0.0)), "learning rate: it is 0. Use a finite number above 0; 1e-3 is usual."),
        (text(adam(|c| c.beta2 = 1.0)), "beta2: it is 1. Use 0 to 0.99999; 0.999 is usual."),
        (text(adam(|c| c.weight_decay = -1.0)), "weight decay: it is -1. Use 0 or more, below 1 / learning rate; 1e-2 is usual."),
        (text(adam(|c| c.eps = f64::NAN)), "eps: it is NaN. Use a small number above 0; 1e-8 is usual."),
        (
            text(Autoencoder::builder(4).hidden([0]).build(&device)),
            "widths: layer 1 has width 0 (the widths are [4, 0, 32]). Use at least 1.",
        ),
        (
            text(ae.fit(&rows(5), &Fit::default())),
            "points: its rows have 5 columns but the network takes 4. Build it with `Autoencoder::builder(5)`.",
        ),
        (
            text(ae.encode(&rows(5))),
            "points: its rows have 5 columns where 4 are needed. Use a network that was built for these rows, or rows that fit it.",
        ),
        (text(ae.fit(&rows(4).head(0), &Fit::default())), "points: there are no rows to train on. Pass at least one row."),
        (text(ae.fit(&rows(4), &Fit::default().batch_size(0))), "batch size: it is 0. Use at least 1."),
        (
            text(ae.fit(&rows(4), &Fit::default().first_order(vec![1, 1]))),
            "first order: 2 numbers that are not each row of 2 once. Pass a permutation of the row numbers.",
        ),
        (
            text(ae.fit(&rows(4), &Fit::default().patience(2))),
            "patience: there are no validation rows to measure the error on. Name some with `Fit::validate`, or --validation FRACTION.",
        ),
        (
            text(ae.fit(&rows(4), &Fit::default().validate(&rows(3)))),
            "points: 2 validation rows of 3 columns where rows of 4 are needed. Pass at least one row of that width.",
        ),
        (
            text(linear.fit(&rows(4), &Fit::default().loss(Loss::Bce))),
            "loss: binary cross-entropy needs probabilities, and this network's output is linear. Train by mean squared error, or build it with a sigmoid at its end (--output sigmoid).",
        ),
        (text(Device::cpu_with(0, Level::Portable)), "threads: 0 threads. Use 1 to 1024."),
        (text(Device::open("gpu")), "device: `gpu` is not the name of a device. Use auto, cpu, cuda, cuda:N, wgpu or wgpu:N."),
    ];
    for (got, want) in texts {
        assert_eq!(got, want);
    }
}

#[test]
fn gradients_of_gradients_are_refused() {
    let device = Device::cpu().unwrap();
    let mut tape = Tape::new(&device);
    let x = tape.variable(&Tensor::new(&device, &[1.0, -2.0], &[2]).unwrap()).unwrap();
    let y = tape.relu(x).unwrap();
    let loss = tape.sum(y).unwrap();
    tape.backward(loss).unwrap();
    let dx = tape.grad(x).unwrap();
    let again = tape.sum(dx).unwrap();
    assert!(text(tape.backward(again)).contains("made of gradients"));
}

#[test]
fn a_model_file_that_is_not_one_is_refused() {
    let device = Device::cpu().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    let ae = Autoencoder::builder(6).hidden([5]).code(2).build(&device).unwrap();
    ae.save(&path).unwrap();
    let good = std::fs::read(&path).unwrap();
    let load = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Autoencoder::load(&device, &path)
    };
    assert!(load(&good).is_ok());
    for length in 0..good.len() {
        assert!(load(&good[..length]).is_err(), "cut at {length}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(load(&longer).is_err());
    let swap = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = good.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        text(load(&bytes))
    };
    assert!(swap(r#"dense:5\",\"relu\""#, r#"dense:0016777216\""#).contains("bytes of weights"));
    assert!(swap(r#"dense:5\",\"relu\""#, r#"dense:9999999999\""#).contains("has a layer of width 9999999999"));
    assert!(swap("dense:5", "dense:4").contains("is needed"));
    assert!(swap("dense:5", "dense:x").contains("`dense:x` is not a layer"));
    assert!(swap(r#"\"tied\":false"#, r#"\"tied\":true "#).contains("is not the transpose of `encoder.2.weight`, and the network is tied"));
    assert!(swap("encoder.0.bias", "encoder.9.bias").contains("encoder.9.bias"));
    assert!(swap("sigmoid", "softmax").contains("output: `softmax` is not an output"));
    assert!(swap("narrows", "nobodys").contains("no metadata of narrows"));
    let mut nan = good.clone();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(text(load(&nan)).contains("is NaN"));
    assert!(text(Autoencoder::load(&device, folder.path().join("none"))).contains("reading the model"));
    assert!(Autoencoder::builder(6).hidden([5]).code(3).weights(&device, &path).is_err());
}

#[test]
fn a_checkpoint_in_place_of_a_model_says_so_and_what_to_take() {
    let device = Device::cpu().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let rows = Dataset::from_rows("points", vec![0.5; 60], &[6]).unwrap();
    let builder = Autoencoder::builder(6).hidden([5]).code(2);
    builder.build(&device).unwrap().fit(&rows, &Fit::default().epochs(1).checkpoints(folder.path())).unwrap();
    let last = folder.path().join("last.safetensors");
    let said = format!(
        "{}: it is a checkpoint of a training, not a model. Use the model.safetensors of that run; one that was killed has it when it ends: narrows \
         train --resume.",
        last.display()
    );
    assert_eq!(text(Autoencoder::load(&device, &last)), said);
    assert_eq!(text(builder.weights(&device, &last)), said);
    // The other way round.
    let model = folder.path().join("model.safetensors");
    builder.build(&device).unwrap().save(&model).unwrap();
    assert!(text(narrows::train::Checkpoint::read(&model)).contains("it is not a checkpoint of narrows"));
}

/// The whole texts, where tests/files and tests/command/refused look for parts of them.
#[test]
fn the_texts_of_readers_writers_and_what_runs_on_rows() {
    let device = Device::cpu().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let ae = Autoencoder::builder(2).hidden([]).code(1).build(&device).unwrap();
    let read = |path: &Path, options: Options| text(options.read(path)).replace(&folder.path().display().to_string(), "F");
    let table = |name: &str, body: &str| write(name, body.as_bytes());
    let npy = |descr: &str, order: &str| {
        let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': (1, 1), }}\n");
        [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat()
    };
    let plain = Options::default;
    for (got, want) in [
        (read(&table("e.csv", ""), plain()), "F/e.csv: the table is empty. Give at least one line of numbers.".to_string()),
        (
            read(&table("r.csv", "1,2\n3\n"), plain()),
            "F/r.csv: line 2: 1 field where the first line has 2. Give every row the same number of fields; they are separated by `,`. --skip-broken leaves such lines out.".into(),
        ),
        (
            read(&table("l.csv", "a,b\n1,2\n"), plain().label("c")),
            "F/l.csv: no column is called `c`: the first line is a,b. Name one of these, or give its number.".into(),
        ),
        (
            read(&table("n.csv", "a,b\n1,nan\n"), plain()),
            "F/n.csv: line 2, column 2 (`b`): `nan` stands for a gap. Correct the fields, or leave columns out (--drop b), or say what becomes of \
             gaps (--missing drop, mean or median)."
                .into(),
        ),
        (
            read(&write("o.npy", &npy("|O", "False")), plain()),
            "F/o.npy: its elements are Python objects (a pickle), and those are never read. Save it again: numpy.save(file, array), with numbers as its elements and the rows as its first dimension.".into(),
        ),
        (
            read(Path::new("builtin"), plain()),
            "builtin: this is a data set of two parts. Use `open`, which gives both.".into(),
        ),
        (text(plain().label("x").open("builtin")), "label: builtin is not a CSV or npz file. Leave this option out.".into()),
        (text(plain().image_size(2, 2).open("builtin")), "image size: builtin is not a folder of images or a CSV file. Leave this option out.".into()),
        (
            text(RowWriter::create("codes.txt", &["x"])),
            "output: codes.txt ends neither in .csv nor in .npy. Name a file that does.".into(),
        ),
        (
            text(Scaler::new(vec![0.0], vec![0.0])),
            "scaler: column 0 has the shift 0 and the scale 0. Give a finite shift and a finite scale above 0 for each column.".into(),
        ),
        (
            text(ae.clone().with_scaler(Scaler::new(vec![0.0], vec![1.0]).unwrap())),
            "scaler: it has 1 columns but the network takes 2. Learn it on the rows that the network was built for.".into(),
        ),
        (
            text(ae.encode_stream(Chunks::of("mine", 3, std::iter::empty::<narrows::Result<Vec<f32>>>())).map(drop)),
            "mine: its rows have 3 columns where 2 are needed. Use a network that was built for these rows, or rows that fit it.".into(),
        ),
        (text(contamination(&[], 2.0)), "contamination: it is 2. Use a share from 0 to 1, such as 0.01.".into()),
        (
            text(verify::bench(&device, "relu", &[1 << 30])),
            "shape: [1073741824] has 1073741824 elements, and with the f64 reference they would take gigabytes. Use fewer than 2^27.".into(),
        ),
        (
            text(verify::bench_step(&device, 0, &[4, 2])),
            "shape: a batch of 0 rows through widths of [4, 2]. Use a batch of at least 1; it and 4096, times the largest width, have to stay below 2^27."
                .into(),
        ),
    ] {
        assert_eq!(got, want);
    }
}
