//! Programs: a tape's list of ops, frozen, that a device replays.

use crate::device::{Counts, Executable, View};
use crate::op::{Cost, Op, Operand, Role};
use crate::val::Val;
use crate::{Device, Error, Reading, Result, tensor};
use std::fmt;

/// A frozen list of ops. One call replays it as often as wanted, with nothing coming from the host in between.
///
/// ```
/// use narrows::{Device, Tape, Tensor};
/// let device = Device::cpu()?;
/// let x = Tensor::new(&device, &[1.0, 2.0], &[2])?;
/// let mut tape = Tape::plan(&device);
/// let x = tape.input(&x)?;
/// let y = tape.scale(x, 10.0)?;
/// let mut program = tape.compile()?;
/// program.write(x, &[3.0, 4.0])?;
/// program.run(1)?;
/// assert_eq!(program.read(y)?, [30.0, 40.0]);
/// println!("{program}");
/// # Ok::<(), narrows::Error>(())
/// ```
pub struct Program {
    tape: u64,
    device: Device,
    ops: Vec<Op>,
    slots: Vec<Slot>,
    executable: Box<dyn Executable>,
}

/// What remains of a tape's value.
pub(crate) struct Slot {
    pub(crate) view: View,
    /// Whether the host may write it.
    pub(crate) written: bool,
    pub(crate) grad: Option<Val>,
}

impl Program {
    pub(crate) fn new(tape: u64, device: Device, ops: Vec<Op>, slots: Vec<Slot>) -> Result<Program> {
        let executable = device.compile(&ops)?;
        Ok(Program { tape, device, ops, slots, executable })
    }

    /// Runs the list `steps` times, in order on the device's queue. May return before the device is done; reading
    /// waits.
    ///
    /// # Errors
    /// When the device fails.
    pub fn run(&mut self, steps: usize) -> Result<()> {
        self.executable.run(steps)
    }

    /// The numbers of a value of the tape, as the last run left them.
    ///
    /// # Errors
    /// When the value belongs to another tape, or the device fails.
    pub fn read(&self, val: Val) -> Result<Vec<f32>> {
        tensor::read(&self.slots[val.on(self.tape)?].view)
    }

    /// Begins to copy the numbers of a value to the host, as the runs before have left them.
    ///
    /// # Errors
    /// As [`Program::read`].
    pub fn start_read(&self, val: Val) -> Result<Reading> {
        Reading::start(&self.slots[val.on(self.tape)?].view)
    }

    /// Replaces an input. It writes the very tensor that the input was made of.
    ///
    /// # Errors
    /// When the value is not an input or a variable, or the number of elements is not the same.
    pub fn write(&mut self, val: Val, data: &[f32]) -> Result<()> {
        let slot = &self.slots[val.on(self.tape)?];
        if !slot.written {
            return Err(Error::op("write", "the value is computed by the program", "Write to inputs and variables only."));
        }
        tensor::write(&slot.view, data)
    }

    /// The gradient of a value, as [`Tape::grad`](crate::Tape::grad).
    ///
    /// # Errors
    /// When there is none.
    pub fn grad(&self, val: Val) -> Result<Val> {
        self.slots[val.on(self.tape)?].grad.ok_or_else(|| {
            Error::op("grad", "this value has no gradient", "Call `backward` before compiling, on a loss that depends on the value.")
        })
    }

    /// The device that it runs on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// How the list is run: `list` is op by op; `team` is by a standing team of threads; `groups` is by launches that
    /// do several ops each, and `graph` by these in a CUDA graph. The environment variable `NARROWS_RUNG` names the one
    /// to take when a tape is compiled; without it, it is the fastest that can be had.
    pub fn rung(&self) -> &'static str {
        self.executable.rung()
    }

    /// What the program did since it was compiled.
    pub fn counts(&self) -> Counts {
        self.executable.counts()
    }

    /// What one step costs at the least.
    pub fn cost(&self) -> Cost {
        self.ops.iter().map(Op::cost).fold(Cost::default(), |a, b| Cost { flops: a.flops + b.flops, bytes: a.bytes + b.bytes })
    }
}

/// The list: a line per op with its operands, its MFLOP and its MB, then the totals. `{:#}` adds the plan: how a step
/// is run, where the device has more to tell than the list.
impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let line = |f: &mut fmt::Formatter, name: &str, cost: Cost, rest: &str| {
            writeln!(f, "{name:<14}{:>12.3} MFLOP{:>12.3} MB  {rest}", cost.flops as f64 / 1e6, cost.bytes as f64 / 1e6)
        };
        for op in &self.ops {
            let (read, written): (Vec<_>, Vec<_>) = op.form().operands().partition(|o| o.role == Role::Read);
            let names =
                |operands: &[Operand<View>]| operands.iter().map(|o| format!("{} {}", o.name, o.of.shape)).collect::<Vec<_>>().join(", ");
            line(f, op.name(), op.cost(), &format!("{} -> {}", names(&read), names(&written)))?;
        }
        let what = format!("{} ops on {}, run as: {}", self.ops.len(), self.device.id(), self.rung());
        line(f, "a step", self.cost(), &what)?;
        if f.alternate() { f.write_str(&self.executable.plan()) } else { Ok(()) }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Program({} ops on {})", self.ops.len(), self.device.id())
    }
}
