//! A pass being recorded: the same code in training and in use.

use crate::rng::purpose;
use crate::{Adam, Clock, Error, Params, Result, Tape, Val};

/// A pass over some rows that is being recorded on a tape, in training or in use.
///
/// In training there is noise, and [`descend`](Recording::descend) is a backward pass, a clipping and a step of the
/// optimiser. In use there is no noise, and `descend` only keeps the loss. So one function records both.
///
/// ```
/// use narrows::nn::{Activation, Layer, Net, Recording};
/// use narrows::{Device, Params, Tape, Tensor};
/// let device = Device::cpu()?;
/// let net = Net { inputs: 2, layers: vec![Layer::Dense(3), Layer::Act(Activation::Tanh), Layer::Dense(2)] };
/// let params = Params::in_groups(&device, &[("model", net.layout("net"))], &[])?;
/// let mut tape = Tape::new(&device);
/// let x = tape.input(&Tensor::new(&device, &[0.5, -1.0], &[1, 2])?)?;
/// let mut on = Recording::in_use(&mut tape, &params);
/// let y = net.record(&mut on, "net", x)?;
/// let loss = on.tape().mse(y, x)?;
/// on.descend(loss, "model")?;
/// assert_eq!(tape.read(loss)?, [0.625]);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Debug)]
pub struct Recording<'a> {
    tape: &'a mut Tape,
    params: &'a Params,
    training: Option<Training<'a>>,
    frozen: Vec<String>,
    /// The loss of the first descent.
    loss: Option<Val>,
    kept: Vec<(&'static str, Val)>,
    streams: u32,
}

/// What a step of training has and a pass in use does not.
#[derive(Debug)]
pub(crate) struct Training<'a> {
    pub(crate) adam: &'a Adam,
    pub(crate) clock: &'a Clock,
    pub(crate) seed: u64,
    /// The largest norm of a group's gradients.
    pub(crate) clip_norm: Option<f32>,
}

/// A stream of random numbers: no two calls of a pass share one, and every step of the clock draws other numbers from
/// it.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// The seed of the training.
    pub seed: u64,
    /// Distinguishes the streams of one seed.
    pub purpose: u32,
    /// The clock whose step counts.
    pub clock: &'a Clock,
}

impl<'a> Recording<'a> {
    /// A pass in use: without noise. The owner of the tape can still differentiate the parameters.
    pub fn in_use(tape: &'a mut Tape, params: &'a Params) -> Recording<'a> {
        Recording::new(tape, params, None)
    }

    pub(crate) fn in_training(tape: &'a mut Tape, params: &'a Params, training: Training<'a>) -> Recording<'a> {
        Recording::new(tape, params, Some(training))
    }

    fn new(tape: &'a mut Tape, params: &'a Params, training: Option<Training<'a>>) -> Recording<'a> {
        Recording { tape, params, training, frozen: Vec::new(), loss: None, kept: Vec::new(), streams: 0 }
    }

    /// Whether this is a step of training.
    pub fn trains(&self) -> bool {
        self.training.is_some()
    }

    /// The tape, for ops.
    pub fn tape(&mut self) -> &mut Tape {
        self.tape
    }

    /// A parameter: a constant if its group is frozen.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn param(&mut self, name: &str) -> Result<Val> {
        let at = self.params.position(name)?;
        for group in &self.frozen {
            if self.params.group(group)?.entries.contains(&at) {
                return self.tape.frozen(self.params, name);
            }
        }
        self.tape.param(self.params, name)
    }

    /// Records with the parameters of a group as constants: no gradient reaches them from what `pass` records, only
    /// through them.
    ///
    /// # Errors
    /// When there is no such group, or `pass` fails.
    pub fn frozen<T>(&mut self, group: &str, pass: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.params.group(group)?;
        self.frozen.push(group.to_string());
        let done = pass(self);
        self.frozen.pop();
        done
    }

    /// Calls `draw` with a stream of random numbers of its own; `None` in use, where there is no noise.
    ///
    /// # Errors
    /// When `draw` fails.
    pub fn noise(&mut self, draw: impl FnOnce(&mut Tape, Stream) -> Result<Val>) -> Result<Option<Val>> {
        self.stream().map(|stream| draw(self.tape, stream)).transpose()
    }

    /// A stream of random numbers of its own; `None` in use.
    pub(super) fn stream(&mut self) -> Option<Stream<'a>> {
        let &Training { seed, clock, .. } = self.training.as_ref()?;
        let purpose = purpose::NOISE + self.streams;
        self.streams += 1;
        Some(Stream { seed, purpose, clock })
    }

    /// The clock of the steps; `None` in use.
    pub(super) fn clock(&self) -> Option<&'a Clock> {
        self.training.as_ref().map(|training| training.clock)
    }

    /// Dropout: in training each number becomes 0 with probability `p`, and the others are multiplied by `1 / (1 - p)`;
    /// in use x is unchanged.
    ///
    /// # Errors
    /// When `p` is not in [0, 1).
    pub fn dropout(&mut self, x: Val, p: f32) -> Result<Val> {
        if p == 0.0 {
            return Ok(x);
        }
        let masked = self.noise(|tape, s| tape.mask(x, p.into(), true, s.seed, s.purpose, s.clock))?;
        Ok(masked.unwrap_or(x))
    }

    /// Keeps a number under a name: in training a column of `metrics.csv` and a line of the plot of losses. A parameter
    /// is kept as it is at this place of the pass: before a step that is recorded later moves it.
    ///
    /// # Errors
    /// When it is not one number, or the name has characters other than small letters, digits and `_`, is already a
    /// column or a line, or occurs twice.
    pub fn keep(&mut self, name: &'static str, value: Val) -> Result<()> {
        let refuse = |problem: String, remedy: &str| Err(Error::argument("loss", problem, remedy));
        let shape = self.tape.shape(value)?;
        if shape.iter().product::<usize>() != 1 {
            return refuse(format!("`{name}` is {shape:?} and not one number"), "Reduce it with `sum` or `mse`.");
        }
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        let line = ["training", "test", "validation"].contains(&name);
        if !plain || line || crate::train::COLUMNS.contains(&name) {
            let of = match plain {
                true if line => "is already a line of the plot of losses",
                true => "is already a column of metrics.csv",
                false => "is not a valid name",
            };
            return refuse(format!("`{name}` {of}"), "Use small letters, digits and _, such as `reconstruction`.");
        }
        if self.kept.iter().any(|(known, _)| *known == name) {
            return refuse(format!("`{name}` is kept twice"), "Give every loss its own name.");
        }
        let value = self.as_it_is(value)?;
        self.kept.push((name, value));
        Ok(())
    }

    /// One number, or a copy of it where a later op of the pass may write it.
    fn as_it_is(&mut self, value: Val) -> Result<Val> {
        // The sum of one number is that number.
        if self.params.hold(self.tape.view(value)?) { self.tape.sum(value) } else { Ok(value) }
    }

    /// Names the training's loss, where it is not what the first descent minimises.
    ///
    /// # Errors
    /// When it belongs to another tape.
    pub fn report(&mut self, loss: Val) -> Result<()> {
        self.loss = Some(self.as_it_is(loss)?);
        Ok(())
    }

    /// In training: the gradient of `loss` with respect to the parameters of one group, clipped if clipping is set, and
    /// a step of the optimiser on that group. The first loss that a pass descends is the training's loss, unless
    /// [`report`](Recording::report) has named it.
    ///
    /// # Errors
    /// When there is no such group, the loss is not one number or depends on no parameter of the group, or depends on
    /// parameters that a step has moved since it was computed.
    pub fn descend(&mut self, loss: Val, group: &str) -> Result<()> {
        self.params.group(group)?;
        if self.loss.is_none() {
            self.loss = Some(self.as_it_is(loss)?);
        }
        if let Some(Training { adam, clip_norm, .. }) = &self.training {
            self.tape.backward_on(loss, self.params, group)?;
            if let Some(most) = clip_norm {
                self.tape.clip_grads_on(self.params, group, *most)?;
            }
            adam.step_on(self.tape, group)?;
        }
        Ok(())
    }

    /// The losses of the pass: the training's loss, without a name, and then the named ones.
    ///
    /// # Errors
    /// When nothing was descended.
    pub(crate) fn losses(self) -> Result<Vec<(&'static str, Val)>> {
        let Some(loss) = self.loss else {
            return Err(Error::argument("pass", "it has no loss", "Call `descend` with the loss to minimise."));
        };
        Ok(std::iter::once(("", loss)).chain(self.kept).collect())
    }
}
