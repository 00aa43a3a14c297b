//! Where bytes become slices: the only place of the CPU backend that forms references into buffers.
#![allow(unsafe_code)]

use crate::device::{HostMemory, View};
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Aligned for cache lines and the widest vectors.
const ALIGN: usize = 64;

/// An aligned, zeroed allocation, or memory of the host that is only read. A pointer and a length, never a `Vec`
/// borrowed through a cell: slices are formed by [`Slices`] alone.
pub(crate) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
    /// The owner of the memory, if it is not this allocation.
    owner: Option<Arc<dyn HostMemory>>,
    /// How often it has been written.
    version: AtomicU64,
}

// SAFETY: the memory is plain bytes without thread affinity, and it is reached only through `Slices`, which exists only
// while the device's queue lock is held.
unsafe impl Send for Memory {}
// SAFETY: as above; a shared `Memory` by itself gives no access to its bytes.
unsafe impl Sync for Memory {}

impl Memory {
    /// `None` when the system does not have that much memory.
    pub(crate) fn zeroed(bytes: usize) -> Option<Memory> {
        let layout = Layout::from_size_align(bytes.max(1).next_multiple_of(ALIGN), ALIGN).ok()?;
        // SAFETY: the layout's size is not zero.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Memory { start, layout, owner: None, version: AtomicU64::new(0) })
    }

    /// Memory of the host, where it lies.
    pub(crate) fn shared(owner: Arc<dyn HostMemory>) -> Memory {
        let bytes = owner.bytes();
        let (start, layout) = (NonNull::from(bytes).cast(), Layout::for_value(bytes));
        Memory { start, layout, owner: Some(owner), version: AtomicU64::new(0) }
    }

    /// The memory of a view of this device.
    pub(crate) fn of(view: &View) -> &Memory {
        view.buffer.storage.downcast_ref().expect("a buffer of this device holds `Memory`")
    }

    /// Records that it was written. The caller holds the device's queue lock, as for [`Memory::version`].
    pub(crate) fn changed(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
    }

    /// A number that changes with each write.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// All of it as floats, for the owner.
    pub(crate) fn floats(&mut self) -> &mut [f32] {
        assert!(self.owner.is_none(), "memory of the host is only read");
        // SAFETY: the allocation is borrowed mutably, it owns its memory, it holds that many floats, and any bits are a
        // float.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.layout.size() / size_of::<f32>()) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.owner.is_none() {
            // SAFETY: allocated in `zeroed` with this very layout, and freed once.
            unsafe { dealloc(self.start.as_ptr(), self.layout) }
        }
    }
}

/// The right to form slices: it belongs to the holder of the device's queue lock, who lends it to the threads of its
/// team, and to no one else.
///
/// Within a team the rule is that of `touch.rs`: between two barriers no thread touches an element that another one
/// writes. A work declares the elements it touches, the plan places the barriers accordingly, and a test compares the
/// declaration with the slices that are formed.
pub(crate) struct Slices(());

impl Slices {
    /// # Safety
    /// The caller holds the queue lock of the device whose views it passes, for as long as any slice lives.
    pub(crate) unsafe fn new() -> Slices {
        Slices(())
    }

    /// Elements of a view that this thread only reads.
    pub(crate) fn read<'a, T: bytemuck::Pod>(&'a self, view: &'a View, part: Range<usize>) -> &'a [T] {
        let start = first::<T>(view, &part, false);
        log(view, &part, false);
        // SAFETY: `first` proved the bounds, the element type and the alignment. What the host shares is never written
        // (`HostMemory`). For the rest: the queue lock is held, so no other run is in progress; no thread of this one
        // writes these elements before the next barrier; and `Op::check` proved that no written operand of this op
        // overlaps this one (an op that works in place asks for `write` alone).
        unsafe { std::slice::from_raw_parts(start, part.len()) }
    }

    /// All elements of a view that this thread only reads.
    pub(crate) fn all<'a, T: bytemuck::Pod>(&'a self, view: &'a View) -> &'a [T] {
        self.read(view, 0..view.len())
    }

    /// Elements of a view that this thread writes.
    #[allow(clippy::mut_from_ref)]
    pub(crate) fn write<'a, T: bytemuck::Pod>(&'a self, view: &'a View, part: Range<usize>) -> &'a mut [T] {
        let start = first::<T>(view, &part, true);
        log(view, &part, true);
        // SAFETY: as in `read`; it is not memory of the host, as `first` proved; no other thread touches these elements
        // before the next barrier; and each op asks once for each operand that it writes, so that this is the only
        // reference to them.
        unsafe { std::slice::from_raw_parts_mut(start, part.len()) }
    }

    /// Columns of a matrix that this thread writes, while other threads may write others.
    pub(crate) fn columns<'a>(&'a self, view: &'a View, columns: Range<usize>) -> Rectangle<'a> {
        let n = view.shape.columns();
        assert!(columns.start <= columns.end && columns.end <= n, "columns {columns:?} of {n}");
        let start = first::<f32>(view, &(0..view.len()), true);
        log(view, &(0..view.len()), true);
        Rectangle { start, pitch: n, rows: view.len() / n.max(1), columns, of: PhantomData }
    }
}

fn first<T: bytemuck::Pod>(view: &View, part: &Range<usize>, written: bool) -> *mut T {
    let memory = Memory::of(view);
    let size = view.dtype().size();
    assert!(size == size_of::<T>() || size_of::<T>() == 1, "the element type of a view is not what the op takes");
    assert!(part.start <= part.end && part.end * size_of::<T>() <= view.len() * size, "a part reaches past its view");
    assert!((view.offset + view.len()) * size <= memory.layout.size(), "a view reaches past its buffer");
    assert!(!written || memory.owner.is_none(), "memory of the host is only read");
    assert!(memory.start.cast::<T>().is_aligned(), "memory of the host is not aligned for its elements");
    // SAFETY: the offset lies within the allocation, as just asserted.
    unsafe { memory.start.as_ptr().add(view.offset * size + part.start * size_of::<T>()).cast() }
}

/// Some columns of all rows of a matrix, written by one thread.
pub(crate) struct Rectangle<'a> {
    start: *mut f32,
    /// Columns of the whole matrix.
    pitch: usize,
    rows: usize,
    columns: Range<usize>,
    of: PhantomData<&'a mut [f32]>,
}

impl<'a> Rectangle<'a> {
    /// A whole matrix of n columns.
    pub(crate) fn whole(c: &'a mut [f32], n: usize) -> Rectangle<'a> {
        Rectangle { start: c.as_mut_ptr(), pitch: n, rows: c.len() / n.max(1), columns: 0..n, of: PhantomData }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Counted in the whole matrix.
    pub(crate) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Some of its rows, and of its columns, which are counted in the whole matrix.
    pub(crate) fn part(&mut self, rows: Range<usize>, columns: Range<usize>) -> Rectangle<'_> {
        assert!(rows.start <= rows.end && rows.end <= self.rows);
        assert!(self.columns.start <= columns.start && columns.start <= columns.end && columns.end <= self.columns.end);
        let start = self.start.wrapping_add(rows.start * self.pitch);
        Rectangle { start, pitch: self.pitch, rows: rows.len(), columns, of: PhantomData }
    }

    /// Some columns of row i.
    pub(crate) fn row(&mut self, i: usize, columns: Range<usize>) -> &mut [f32] {
        assert!(i < self.rows && self.columns.start <= columns.start && columns.start <= columns.end && columns.end <= self.columns.end);
        // SAFETY: the row and the columns are this rectangle's, as asserted, and the rectangle is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(i * self.pitch + columns.start), columns.len()) }
    }

    /// MR rows and NR columns, the first of which is the whole matrix's column j.
    pub(crate) fn corner<const MR: usize, const NR: usize>(&mut self, i: usize, j: usize) -> Corner<'_, MR, NR> {
        assert!(i + MR <= self.rows && self.columns.start <= j && j + NR <= self.columns.end);
        Corner { start: self.start.wrapping_add(i * self.pitch + j), pitch: self.pitch, of: PhantomData }
    }
}

/// MR x NR numbers of a rectangle: what a register tile writes.
pub(crate) struct Corner<'a, const MR: usize, const NR: usize> {
    start: *mut f32,
    pitch: usize,
    of: PhantomData<&'a mut [f32]>,
}

impl<const MR: usize, const NR: usize> Corner<'_, MR, NR> {
    #[inline(always)]
    pub(crate) fn row(&mut self, i: usize) -> &mut [f32; NR] {
        assert!(i < MR);
        // SAFETY: `Rectangle::corner` asserted that MR rows of NR columns lie inside the rectangle, which is borrowed
        // mutably.
        unsafe { &mut *self.start.add(i * self.pitch).cast() }
    }
}

/// What a test records: buffer, elements, whether they are written.
#[cfg(test)]
pub(crate) type Formed = (usize, Range<usize>, bool);

#[cfg(test)]
thread_local! {
    /// The slices that this thread formed, for the test that compares them with what the works declare.
    pub(crate) static FORMED: std::cell::RefCell<Option<Vec<Formed>>> = const { std::cell::RefCell::new(None) };
}

#[cfg(test)]
fn log(view: &View, part: &Range<usize>, written: bool) {
    FORMED.with_borrow_mut(|formed| {
        if let Some(formed) = formed {
            formed.push((std::sync::Arc::as_ptr(&view.buffer) as usize, view.offset + part.start..view.offset + part.end, written));
        }
    });
}

#[cfg(not(test))]
fn log(_: &View, _: &Range<usize>, _: bool) {}
