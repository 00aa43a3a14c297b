//! Programs: a tape's list of ops, frozen, that a device replays.

/// What a compiled program did since it was compiled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `run`.
    pub runs: u64,
    /// Times the list was run.
    pub steps: u64,
    /// Kernels launched or dispatched; on the CPU, ops executed.
    pub launches: u64,
    /// Submissions to a GPU queue; on the CPU, entries into the thread pool.
    pub submits: u64,
    /// Buffers mapped for reading.
    pub maps: u64,
    /// Writes from the host.
    pub writes: u64,
}
