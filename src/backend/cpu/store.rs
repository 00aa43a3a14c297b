//! store: keeps a value of each step on the device. Bound by memory: 8 bytes an element.

/// Where the entry of a step begins in a ring of this many elements; an entry has n.
pub(super) fn first(clock: &[u32], elements: usize, n: usize) -> usize {
    clock[1] as usize % (elements / n) * n
}
