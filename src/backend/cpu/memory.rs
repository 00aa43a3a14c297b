//! Where bytes become slices: the only place of the CPU backend that forms references into buffers.
#![allow(unsafe_code)]

use crate::device::View;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;

/// Cache lines and the widest vectors fit this.
const ALIGN: usize = 64;

/// An aligned allocation of zeros. A pointer and a length, never a `Vec` borrowed through a cell: slices are formed by [`Slices`] alone.
pub(crate) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory is plain bytes without thread affinity, and it is reached only through `Slices`, which exists only while the device's queue lock is held.
unsafe impl Send for Memory {}
// SAFETY: as above; a shared `Memory` by itself gives no access to its bytes.
unsafe impl Sync for Memory {}

impl Memory {
    /// `None` when the system has not that much.
    pub(crate) fn zeroed(bytes: usize) -> Option<Memory> {
        let layout = Layout::from_size_align(bytes.max(1).next_multiple_of(ALIGN), ALIGN).ok()?;
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Memory { start, layout })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed` with this very layout, and freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// The right to form slices: held by whoever holds the device's queue lock, and by nobody else.
pub(crate) struct Slices(());

impl Slices {
    /// # Safety
    /// The caller holds the queue lock of the device whose views it passes, for as long as any slice lives.
    pub(crate) unsafe fn new() -> Slices {
        Slices(())
    }

    /// The elements of a view that this op only reads.
    pub(crate) fn read<'a, T: bytemuck::Pod>(&'a self, view: &'a View) -> &'a [T] {
        let start = first::<T>(view);
        // SAFETY: `first` proved the bounds and the element type. The queue lock is held, so no other op runs, and `Op::check` proved that
        // no written operand of this op overlaps this one (an op that works in place asks for `write` alone).
        unsafe { std::slice::from_raw_parts(start, view.len()) }
    }

    /// The elements of a view that this op writes.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn write<'a, T: bytemuck::Pod>(&'a self, view: &'a View) -> &'a mut [T] {
        let start = first::<T>(view);
        // SAFETY: as in `read`; and each op asks once for each operand that it writes, so that this is the only reference to these elements.
        unsafe { std::slice::from_raw_parts_mut(start, view.len()) }
    }
}

fn first<T: bytemuck::Pod>(view: &View) -> *mut T {
    let memory: &Memory = view.buffer.storage.downcast_ref().expect("a buffer of this device holds `Memory`");
    let size = view.dtype().size();
    assert!(size == size_of::<T>() || size_of::<T>() == 1, "the element type of a view is not what the op takes");
    assert!((view.offset + view.len()) * size <= memory.layout.size(), "a view reaches past its buffer");
    // SAFETY: the offset lies within the allocation, as just asserted.
    unsafe { memory.start.as_ptr().add(view.offset * size).cast() }
}
