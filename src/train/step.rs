//! A pass over a batch, recorded in one place: training, validation, benchmarks, the profile and tests all record it
//! here.

use crate::nn::{Recording, Training};
use crate::{Adam, AdamConfig, Clock, Device, Error, Params, Result, Tape, Tensor, Val};

/// What steps run on, all of it on the device: the rows and their order, the clock, the optimiser, and the losses of
/// each step.
///
/// ```
/// use narrows::nn::{Layer, Net};
/// use narrows::train::Step;
/// use narrows::{AdamConfig, Device, Params, Tape, Tensor};
/// let device = Device::cpu()?;
/// let net = Net { inputs: 2, layers: vec![Layer::Dense(2)] };
/// let params = Params::in_groups(&device, &[("model", net.layout("net"))], &[])?;
/// let rows = Tensor::new(&device, &[0.5, 0.25, 1.0, 0.0], &[2, 2])?;
/// let mut step = Step::training(&params, &rows, AdamConfig::default(), &[], 100)?;
/// let mut tape = Tape::plan(&device);
/// step.record(&mut tape, 2, |on, x| {
///     let y = net.record(on, "net", x)?;
///     let loss = on.tape().mse(y, x)?;
///     on.descend(loss, "model")
/// })?;
/// tape.compile()?.run(100)?;
/// let losses = step.losses()?.remove(0).1;
/// assert!(losses[99] < losses[0]);
/// # Ok::<(), narrows::Error>(())
/// ```
#[derive(Debug)]
pub struct Step {
    params: Params,
    rows: Tensor,
    order: Tensor,
    clock: Clock,
    /// `None` in use.
    adam: Option<Adam>,
    seed: u64,
    clip_norm: Option<f32>,
    /// Steps after which the losses are overwritten.
    steps: usize,
    names: Vec<&'static str>,
    /// The losses of each step, grouped by name. `None` before the first recording, which determines their number.
    losses: Option<Tensor>,
}

impl Step {
    /// Steps of training over `rows` [N, I], in their order. `rates` are the learning rates of the steps; if it is
    /// empty, the configured one holds. The losses of the last `steps` steps are kept.
    ///
    /// # Errors
    /// When there are no rows, a number is out of its range, or the device has no memory.
    pub fn training(params: &Params, rows: &Tensor, config: AdamConfig, rates: &[f64], steps: usize) -> Result<Step> {
        let step = Step::in_use(params, rows, steps)?;
        let adam = match rates {
            [] => Adam::with_clock(params, config, &step.clock)?,
            rates => Adam::with_rates(params, config, &step.clock, rates)?,
        };
        Ok(Step { adam: Some(adam), ..step })
    }

    /// Passes over `rows` in use: without noise, and without updates.
    ///
    /// # Errors
    /// When there are no rows, or the device has no memory.
    pub fn in_use(params: &Params, rows: &Tensor, steps: usize) -> Result<Step> {
        let count = rows.shape()[0];
        if count == 0 {
            return Err(Error::argument("rows", "there are none", "Pass at least one row."));
        }
        let device = params.device();
        Ok(Step {
            params: params.clone(),
            rows: rows.clone(),
            order: Tensor::indices(device, &(0..count as u32).collect::<Vec<_>>(), count)?,
            clock: Clock::new(device)?,
            adam: None,
            seed: 0,
            clip_norm: None,
            steps: steps.max(1),
            names: Vec::new(),
            losses: None,
        })
    }

    /// The seed of the noise. Default 0.
    pub fn seed(mut self, seed: u64) -> Step {
        self.seed = seed;
        self
    }

    /// The largest norm of a group's gradients. Default none.
    pub fn clip_norm(mut self, norm: Option<f32>) -> Step {
        self.clip_norm = norm;
        self
    }

    /// The order of the rows: each row's number once.
    ///
    /// # Errors
    /// When it has another number of rows, or names a row that does not exist.
    pub fn set_order(&self, order: &[u32]) -> Result<()> {
        self.order.write_u32(order)
    }

    /// The clock of the steps. It begins at step 0 and at the first row of the order.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The device that they run on.
    pub fn device(&self) -> &Device {
        self.params.device()
    }

    #[cfg(feature = "files")]
    pub(super) fn adam(&self) -> Option<&Adam> {
        self.adam.as_ref()
    }

    /// The names of the losses that the passes keep.
    #[cfg(feature = "files")]
    pub(super) fn names(&self) -> &[&'static str] {
        self.names.get(1..).unwrap_or_default()
    }

    /// Records one step over the next `batch` rows: `pass` over them, its losses kept, and the clock moved. Several
    /// recordings, for batches of several sizes, share all but the tape.
    ///
    /// # Errors
    /// When `pass` fails, descends nothing, or keeps other losses than the previous recording; or when the device
    /// fails.
    pub fn record(&mut self, tape: &mut Tape, batch: usize, pass: impl FnOnce(&mut Recording, Val) -> Result<()>) -> Result<()> {
        let x = tape.gather(&self.rows, &self.order, &self.clock, batch)?;
        let mut on = match &self.adam {
            Some(adam) => {
                let training = Training { adam, clock: &self.clock, seed: self.seed, clip_norm: self.clip_norm };
                Recording::in_training(tape, &self.params, training)
            }
            None => Recording::in_use(tape, &self.params),
        };
        pass(&mut on, x)?;
        let kept = on.losses()?;
        let names: Vec<_> = kept.iter().map(|(name, _)| *name).collect();
        let losses = match &self.losses {
            None => self.losses.insert(Tensor::zeros(self.params.device(), &[names.len() * self.steps])?),
            Some(_) if self.names != names => {
                let problem = format!("it keeps {names:?} but the previous recording kept {:?}", self.names);
                return Err(Error::argument("pass", problem, "Keep the same losses in every recording."));
            }
            Some(losses) => losses,
        };
        self.names = names;
        for (at, (_, loss)) in kept.into_iter().enumerate() {
            tape.store(loss, &losses.part(at * self.steps, self.steps)?, &self.clock)?;
        }
        tape.advance(&self.clock, batch, &self.order)
    }

    /// The losses of the last steps by name. The training's loss is first and has an empty name. Empty before the first
    /// recording.
    ///
    /// # Errors
    /// When the device fails.
    pub fn losses(&self) -> Result<Vec<(&'static str, Vec<f32>)>> {
        let Some(losses) = &self.losses else { return Ok(Vec::new()) };
        let all = losses.read()?;
        Ok(self.names.iter().copied().zip(all.chunks(self.steps).map(<[f32]>::to_vec)).collect())
    }

    /// The losses on the device, to be read without waiting: of each name as many numbers as steps are kept, that of
    /// step s at s modulo their number.
    ///
    /// # Errors
    /// When nothing was recorded.
    pub fn ring(&self) -> Result<&Tensor> {
        self.losses.as_ref().ok_or_else(|| Error::argument("losses", "nothing was recorded", "Record a step first."))
    }
}
