//! Where a row's operands lie: views at odd offsets inside larger buffers, with guard zones on both sides.

use super::case::{Case, Data};
use crate::device::{Device, View};
use crate::op::Role;
use crate::{Dtype, Error, Result, Shape};

/// How the operands share buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// A buffer for each operand, the view at an odd offset.
    Odd,
    /// A buffer for each operand, the view at 256 bytes.
    Aligned,
    /// A buffer for each operand, the view at its beginning.
    Start,
    /// One buffer for the operands that are only read (for each element type), another for those that are written.
    Shared,
    /// One buffer for each element type, read and written operands side by side in it.
    Together,
    /// A buffer for each operand, the first operand's over 128 MiB and the view at its far end.
    Far,
}

impl Layout {
    /// The layouts that rows cycle through.
    pub(crate) const ALL: [Layout; 4] = [Layout::Odd, Layout::Shared, Layout::Aligned, Layout::Start];
}

/// Elements of 4 bytes that fill 128 MiB and a little more.
const FAR: usize = (1 << 25) + 12_345;

/// The contents of one buffer before the op.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) dtype: Dtype,
    pub(crate) bytes: Vec<u8>,
    read_only: bool,
}

/// Where an operand lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Location {
    pub(crate) image: usize,
    /// In elements.
    pub(crate) offset: usize,
}

/// A case in memory.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) images: Vec<Image>,
    pub(crate) locations: Vec<Location>,
}

/// The word of a guard zone at a place. All words differ, so that guards copied onto guards are detected. As an f32 it
/// is a NaN, so that reading it spoils a result; as an index it is out of any range.
fn guard(at: usize) -> [u8; 4] {
    (0xffe5_0000 | (at as u32).wrapping_mul(0x9E37_79B9) >> 16).to_le_bytes()
}

impl Data {
    pub(crate) fn dtype(&self) -> Dtype {
        match self {
            Data::F32(_) => Dtype::F32,
            Data::U8(_) => Dtype::U8,
            Data::U32(_) => Dtype::U32,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Data::F32(x) => bytemuck::cast_slice(x),
            Data::U8(x) => x,
            Data::U32(x) => bytemuck::cast_slice(x),
        }
    }
}

impl Image {
    /// `salt` makes the guards of one operand differ from another's.
    fn guard(&mut self, elements: usize, salt: usize) {
        let start = self.bytes.len();
        self.bytes.extend((start..start + elements * self.dtype.size()).map(|i| guard((i / 4) << 3 | salt)[i % 4]));
    }
}

impl Placed {
    pub(crate) fn new(case: &Case, layout: Layout) -> Placed {
        let mut images: Vec<Image> = Vec::new();
        let mut locations = Vec::new();
        for (i, operand) in case.operands.iter().enumerate() {
            let (dtype, read_only) = (operand.data.dtype(), operand.role == Role::Read);
            let (front, back) = match layout {
                Layout::Odd => ([3, 5, 1, 7, 2, 9][i % 6], [5, 3, 64, 1, 7, 2][i % 6]),
                Layout::Shared | Layout::Together => ([1, 3, 2, 5][i % 4], [2, 1, 4, 3][i % 4]),
                Layout::Aligned => (256 / dtype.size(), 64),
                Layout::Start => (0, 3),
                Layout::Far => (if i == 0 { FAR * 4 / dtype.size() } else { 3 }, 5),
            };
            let fits = |image: &Image| match layout {
                Layout::Shared => image.dtype == dtype && image.read_only == read_only,
                Layout::Together => image.dtype == dtype,
                _ => false,
            };
            let image = images.iter().position(fits).unwrap_or_else(|| {
                images.push(Image { dtype, bytes: Vec::new(), read_only });
                images.len() - 1
            });
            let into = &mut images[image];
            into.guard(front, i);
            locations.push(Location { image, offset: into.bytes.len() / dtype.size() });
            into.bytes.extend_from_slice(operand.data.bytes());
            into.guard(back, i);
        }
        Placed { images, locations }
    }

    /// Makes the buffers, writes each of them once, and gives the operands' views with the whole buffers behind them.
    pub(crate) fn upload(&self, case: &Case, device: &Device) -> Result<(Vec<View>, Vec<View>)> {
        let mut buffers = Vec::new();
        for image in &self.images {
            let buffer = device.alloc(image.dtype, Shape::new(&[image.bytes.len() / image.dtype.size()])?)?;
            device.backend().write(&buffer, &image.bytes)?;
            buffers.push(buffer);
        }
        let view = |(location, operand): (&Location, &super::case::Operand)| {
            let part = buffers[location.image].part(location.offset, Shape::new(&operand.shape)?);
            part.ok_or_else(|| Error::argument("verify", "an operand reaches past its buffer", "Correct the layout."))
        };
        let views = self.locations.iter().zip(&case.operands).map(view).collect::<Result<_>>()?;
        Ok((views, buffers))
    }
}
