//! From a launch to its bindings: one window per binding, with operands of one buffer merged, and the words of the
//! parameters.

use super::opened::PARAMS;
use super::plan::{Bind, Launch};
use super::shader::{Pattern, Shader};
use crate::device::View;
use crate::{Error, Result};
use std::sync::Arc;

/// The limits of a device's bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// The most bytes of one binding.
    pub(super) binding: u64,
    /// The start of a binding must be a multiple of this, in bytes.
    pub(super) alignment: u64,
}

/// A window of a buffer behind one binding.
#[derive(Debug)]
pub(super) struct Window {
    /// The binding's index in the shader's list.
    pub(super) index: usize,
    pub(super) writes: bool,
    /// A view into the buffer, kept for its buffer.
    pub(super) view: View,
    /// In bytes.
    pub(super) start: u64,
    /// In bytes, never 0.
    pub(super) size: u64,
}

#[derive(Debug)]
pub(super) struct Bound {
    pub(super) shader: Arc<Shader>,
    pub(super) pattern: Pattern,
    pub(super) windows: Vec<Window>,
    /// The whole `Params`: an offset in elements for every binding that the shader declares, then the launch's own
    /// words.
    pub(super) words: Vec<u32>,
}

impl Bound {
    /// Whether a device that binds at most `buffers` buffers in a launch can run it.
    pub(super) fn fits(&self, buffers: usize) -> bool {
        self.windows.len() <= buffers && 4 * self.words.len() as u64 <= PARAMS
    }
}

/// # Errors
/// When a window is larger than the device binds.
pub(super) fn bind(launch: &Launch, reach: Reach, device: &str) -> Result<Bound> {
    let shader = launch.shader.clone();
    let indices: Vec<usize> = launch.operands.iter().map(|o| o.index).collect();
    let mut pattern = Pattern { operands: indices.clone(), through: indices.clone() };
    let mut windows: Vec<Window> = Vec::new();
    let mut words = vec![0; shader.bindings.len()];
    for (i, Bind { name, view, .. }) in launch.operands.iter().enumerate() {
        let mates: Vec<usize> = (0..launch.operands.len()).filter(|&j| launch.operands[j].view.same_buffer(view)).collect();
        let writes = mates.iter().any(|&j| shader.bindings[indices[j]].writes);
        // A buffer that is only read may be bound several times.
        let class = if writes { mates } else { vec![i] };
        let (start, end) = extent(class.iter().map(|&j| &launch.operands[j].view), reach.alignment);
        if view.len() > 0 {
            let size = view.dtype().size() as u64;
            words[indices[i]] = ((view.offset as u64 * size - start) / size) as u32;
        }
        pattern.through[i] = indices[class[0]];
        if class[0] != i {
            continue;
        }
        if end - start > reach.binding {
            let operands: Vec<_> = class.iter().map(|&j| launch.operands[j].name).collect();
            let (problem, remedy) = if class.len() == 1 {
                (format!("{}: {name} needs a binding", launch.op), "Pass fewer rows at once, keep images as bytes, or use the CPU.")
            } else {
                (
                    format!("{}: {} lie in one buffer and need a binding", launch.op, operands.join(", ")),
                    "Keep them in buffers of their own, or use the CPU.",
                )
            };
            return Err(Error::device(
                device,
                format!("{problem} of {} bytes, but this adapter binds at most {}", end - start, reach.binding),
                remedy,
            ));
        }
        windows.push(Window { index: indices[i], writes, view: view.clone(), start, size: end - start });
    }
    words.extend_from_slice(&launch.words);
    Ok(Bound { shader, pattern, windows, words })
}

/// The bytes that cover all of the views: from a multiple of the alignment to a multiple of 4, at least one word.
fn extent<'a>(views: impl Iterator<Item = &'a View>, alignment: u64) -> (u64, u64) {
    let bytes = views.filter(|v| v.len() > 0).map(|v| {
        let size = v.dtype().size() as u64;
        (v.offset as u64 * size, (v.offset + v.len()) as u64 * size)
    });
    // Views without elements may lie at the end of a buffer, where nothing can be bound: any window will do for them.
    let (start, end) = bytes.reduce(|(s, e), (start, end)| (s.min(start), e.max(end))).unwrap_or((0, 4));
    (start / alignment * alignment, end.next_multiple_of(4))
}
