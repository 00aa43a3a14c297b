//! Products of rows with rows, on the device: what distances are made of.

use crate::{Device, Program, Result, Tape, Tensor, Val};

/// The products of some queries with some rows of the gallery: a program for each pair of sizes.
pub(super) struct Products<'a> {
    device: &'a Device,
    columns: usize,
    known: Vec<([usize; 2], [Val; 4], Program)>,
}

impl Products<'_> {
    pub(super) fn new(device: &Device, columns: usize) -> Products<'_> {
        Products { device, columns, known: Vec::new() }
    }

    /// `q g' + offsets`: a row for each query.
    pub(super) fn run(&mut self, q: &[f32], g: &[f32], offsets: &[f32]) -> Result<Vec<f32>> {
        let sizes = [q.len() / self.columns, offsets.len()];
        let at = match self.known.iter().position(|(known, ..)| *known == sizes) {
            Some(at) => at,
            None => {
                let mut tape = Tape::plan(self.device);
                let zeros = |dims: &[usize]| Tensor::zeros(self.device, dims);
                let x = tape.input(&zeros(&[sizes[0], self.columns])?)?;
                let w = tape.input(&zeros(&[sizes[1], self.columns])?)?;
                let b = tape.input(&zeros(&[sizes[1]])?)?;
                let y = tape.dense(x, w, b)?;
                self.known.push((sizes, [x, w, b, y], tape.compile()?));
                self.known.len() - 1
            }
        };
        let (_, [x, w, b, y], program) = &mut self.known[at];
        program.write(*x, q)?;
        program.write(*w, g)?;
        program.write(*b, offsets)?;
        program.run(1)?;
        program.read(*y)
    }
}
