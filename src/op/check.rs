//! The requirements on an op's operands: everything that a backend relies on.

use super::{Op, Operand, Reach, Role, chunks};
use crate::device::View;
use crate::{Dtype, Error, Result};

impl Op {
    /// Proves one device, the element types, bounds, shapes, and that nothing written overlaps another operand.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_each()?;
        self.check_overlaps()?;
        self.check_lengths()?;
        self.check_shapes()
    }

    fn refuse(&self, problem: String, remedy: impl Into<String>) -> Result<()> {
        Err(Error::op(self.name(), problem, remedy))
    }

    /// Each operand on its own: its device, its type, its bounds.
    fn check_each(&self) -> Result<()> {
        let form = self.form();
        let written = form.operands().find(|o| o.role != Role::Read).expect("every op writes");
        for Operand { name, types, of: view, .. } in form.operands() {
            if !view.device().same(written.of.device()) {
                let (here, there) = (view.device().id(), written.of.device().id());
                return self.refuse(format!("{name} is on {here} but {} is on {there}", written.name), "Put all operands on one device.");
            }
            let end = view.offset + view.len();
            if end > view.buffer.len {
                let problem = format!("{name} reaches to element {end} of a buffer of {}", view.buffer.len);
                return self.refuse(problem, "Use a view that lies inside its buffer.");
            }
            if !types.contains(&view.dtype()) {
                let problem = format!("{name} has elements of {} where {} is needed", view.dtype(), types[0]);
                return self.refuse(problem, "Convert the data before it is uploaded.");
            }
        }
        Ok(())
    }

    fn check_overlaps(&self) -> Result<()> {
        let form = self.form();
        for (at, a) in form.operands().enumerate().filter(|(_, o)| o.role != Role::Read) {
            for (other, b) in form.operands().enumerate().filter(|(other, _)| *other != at) {
                // An in-place op may write what it reads, but only if the two are the same view.
                let is_read = b.role == Role::Read;
                if a.of.overlaps(b.of) && !(is_read && form.in_place && a.reach == b.reach && a.of.identical(b.of)) {
                    let how = if is_read { "is read" } else { "is written too" };
                    if is_read || other < at {
                        return self.refuse(format!("{} overlaps {}, which {how}", a.name, b.name), "Write to a buffer of its own.");
                    }
                }
            }
        }
        Ok(())
    }

    /// The numbers of elements that a reach implies.
    fn check_lengths(&self) -> Result<()> {
        let form = self.form();
        let first = form.operands().find(|o| o.reach == Reach::Each);
        for Operand { name, reach, of: view, .. } in form.operands() {
            let needed = match reach {
                Reach::Each => {
                    let Some(first) = first.filter(|first| first.of.len() != view.len()) else { continue };
                    let problem = format!(
                        "{} has {} elements but {name} has {} ({} is {}, {name} is {})",
                        first.name,
                        first.of.len(),
                        view.len(),
                        first.name,
                        first.of.shape,
                        view.shape
                    );
                    return self.refuse(problem, "Give both the same shape.");
                }
                Reach::One => 1,
                Reach::Clock => 2,
                Reach::Parts => chunks(self.elements()),
                Reach::Row | Reach::Whole | Reach::Entry | Reach::Matrix => continue,
            };
            self.check_length(name, view, needed)?;
        }
        Ok(())
    }

    fn check_length(&self, name: &str, view: &View, needed: usize) -> Result<()> {
        if view.len() == needed {
            return Ok(());
        }
        let problem = format!("{name} has {} elements where {needed} are needed ({name} is {})", view.len(), view.shape);
        self.refuse(problem, "Give it that many elements.")
    }

    /// The requirements that no reach implies.
    fn check_shapes(&self) -> Result<()> {
        match self {
            Op::Dense { x, w, b, y } => {
                self.check_matrix("x", x)?;
                self.check_matrix("w", w)?;
                let (have, takes) = (x.shape.columns(), w.shape.columns());
                if have != takes {
                    let problem = format!("x has {have} columns but w takes {takes} (x is {}, w is {})", x.shape, w.shape);
                    return self.refuse(problem, format!("Build the layer with {have} inputs or pass the previous layer's output."));
                }
                if let Some(b) = b {
                    self.check_length("b", b, w.shape.rows())?;
                }
                self.check_product("y", y, x.shape.rows(), w.shape.rows())
            }
            Op::DenseDx { dz, w, dx } => {
                self.check_matrix("dz", dz)?;
                self.check_matrix("w", w)?;
                self.check_inner("columns of dz", dz.shape.columns(), "rows of w", w.shape.rows())?;
                self.check_product("dx", dx, dz.shape.rows(), w.shape.columns())
            }
            Op::DenseDw { dz, x, dw } => {
                self.check_matrix("dz", dz)?;
                self.check_matrix("x", x)?;
                self.check_inner("rows of dz", dz.shape.rows(), "rows of x", x.shape.rows())?;
                self.check_product("dw", dw, dz.shape.columns(), x.shape.columns())
            }
            Op::DenseDb { dz, db } => {
                self.check_matrix("dz", dz)?;
                self.check_length("db", db, dz.shape.columns())
            }
            Op::Rows { v, y } => {
                self.check_matrix("y", y)?;
                self.check_length("v", v, y.shape.columns())
            }
            Op::Cut { x, cut, k } => {
                self.check_matrix("x", x)?;
                let columns = x.shape.columns();
                if *k == 0 || *k as usize > columns {
                    return self.refuse(format!("{k} of {columns} numbers a row are wanted (x is {})", x.shape), "Take 1 up to all.");
                }
                self.check_cut(cut, x.shape.rows())
            }
            Op::MergeTopk { x, values, index, .. } => {
                self.check_matrix("x", x)?;
                self.check_matrix("values", values)?;
                let (columns, k) = (x.shape.columns(), values.shape.columns());
                if columns == 0 || k == 0 {
                    return self.refuse(format!("{k} of {columns} numbers a row are wanted (x is {})", x.shape), "Take at least 1 of 1.");
                }
                self.check_inner("rows of x", x.shape.rows(), "of values", values.shape.rows())?;
                self.check_product("index", index, x.shape.rows(), k)
            }
            Op::Select { x, cut, .. } => {
                self.check_matrix("x", x)?;
                self.check_cut(cut, x.shape.rows())
            }
            Op::Idle { code: x, idle } | Op::Dead { x, idle, .. } => {
                let name = self.form().operands().next().expect("it has two").name;
                self.check_matrix(name, x)?;
                self.check_inner(&format!("columns of {name}"), x.shape.columns(), "units", idle.len())
            }
            Op::Reduce { f, x, .. } if f.is_mean() && x.len() == 0 => {
                self.refuse(format!("a mean over no elements ({} is {})", f.operands()[0], x.shape), "Pass at least one row.")
            }
            Op::Reduce { f, other, .. } | Op::ReduceGrad { f, other, .. } if f.other().is_some() != other.is_some() => {
                self.refuse("the second operand is missing, or there is one too many".into(), "Pass one where the terms take two.")
            }
            Op::ReduceGrad { f, x, .. } if f.grad_takes_x() != x.is_some() => {
                self.refuse("x is missing, or not needed".into(), "Pass x where the derivative depends on it.")
            }
            Op::Clamp { lo, hi, .. } | Op::ClampGrad { lo, hi, .. } if lo.is_nan() || hi.is_nan() || lo > hi => {
                self.refuse(format!("the bounds are {lo} and {hi}"), "Use the lower first; -inf and inf bound nothing.")
            }
            Op::Xent { z, label, lse, loss } => {
                self.check_matrix("z", z)?;
                if z.shape.columns() == 0 {
                    return self.refuse(format!("there is no class (z is {})", z.shape), "Pass a column for each class.");
                }
                [("label", label), ("lse", lse), ("loss", loss)]
                    .iter()
                    .try_for_each(|(name, of)| self.check_length(name, of, z.shape.rows()))
            }
            Op::XentGrad { z, label, lse, dy, .. } => {
                self.check_matrix("z", z)?;
                [("label", label), ("lse", lse), ("dy", dy)].iter().try_for_each(|(name, of)| self.check_length(name, of, z.shape.rows()))
            }
            Op::Clip { most, .. } if !(*most > 0.0 && most.is_finite()) => {
                self.refuse(format!("the largest norm is {most}"), "Use a finite number above 0; 1 is usual.")
            }
            Op::Gather { data, order, y, .. } => {
                if (data.dtype() == Dtype::U32) != (y.dtype() == Dtype::U32) {
                    let problem = format!("data has elements of {} but y of {}", data.dtype(), y.dtype());
                    return self.refuse(problem, "Gather integers as integers, everything else as f32.");
                }
                let (have, takes) = (data.shape.columns(), y.shape.columns());
                if have != takes {
                    let problem = format!("data has {have} columns but y has {takes} (data is {}, y is {})", data.shape, y.shape);
                    return self.refuse(problem, "Give both rows of the same length.");
                }
                if y.len() > 0 && (order.len() == 0 || data.shape.rows() == 0) {
                    let (wanted, rows) = (y.shape.rows(), data.shape.rows());
                    let problem = format!("{wanted} rows wanted from {rows} by an order of {}", order.len());
                    return self.refuse(problem, "Pass at least one row and one index.");
                }
                Ok(())
            }
            Op::Advance { rows, period, .. } if *period == 0 || *period > 1 << 31 || *rows > 1 << 31 => {
                self.refuse(format!("{rows} rows in a period of {period}"), "Use a period of 1 to 2^31 and at most 2^31 rows.")
            }
            Op::Store { x, ring, .. } if x.len() == 0 || ring.len() == 0 || !ring.len().is_multiple_of(x.len()) => {
                let problem = format!(
                    "ring has {} elements where entries of {} are wanted (ring is {}, x is {})",
                    ring.len(),
                    x.len(),
                    ring.shape,
                    x.shape
                );
                self.refuse(problem, "Give it as many elements as x has, times the number of steps to keep.")
            }
            Op::ScaleBy { table, column, .. } if table.shape.rows() == 0 || *column as usize >= table.shape.columns() => {
                let problem = format!("column {column} of a table of {}", table.shape);
                self.refuse(problem, "Write a row for each step, and count the columns from 0.")
            }
            Op::Mask { keep, .. } if *keep > 1 << 24 => self.refuse(format!("{keep} of 2^24 are kept"), "Keep at most all of them."),
            Op::Adam { table, .. } if table.shape.columns() != 4 || table.shape.rows() == 0 => {
                let problem = format!("the table is {} where steps x 4 is needed", table.shape);
                self.refuse(problem, "Write a row of four numbers for each step.")
            }
            Op::Map { .. }
            | Op::MapGrad { .. }
            | Op::Zip { .. }
            | Op::Axpy { .. }
            | Op::Clamp { .. }
            | Op::ClampGrad { .. }
            | Op::Reduce { .. }
            | Op::ReduceGrad { .. }
            | Op::Clip { .. }
            | Op::Scale { .. }
            | Op::ScaleBy { .. }
            | Op::Fill { .. }
            | Op::Copy { .. }
            | Op::Advance { .. }
            | Op::Store { .. }
            | Op::Uniform { .. }
            | Op::Normal { .. }
            | Op::Mask { .. }
            | Op::Adam { .. } => Ok(()),
        }
    }

    fn check_matrix(&self, operand: &str, view: &View) -> Result<()> {
        if view.shape.dims().len() == 2 {
            return Ok(());
        }
        let problem = format!("{operand} has {} dimensions where 2 are needed ({operand} is {})", view.shape.dims().len(), view.shape);
        self.refuse(problem, "Reshape it to [rows, columns].")
    }

    /// The key and the index that a cut has for each row.
    fn check_cut(&self, cut: &View, rows: usize) -> Result<()> {
        self.check_product("cut", cut, rows, 2)
    }

    fn check_inner(&self, a: &str, m: usize, b: &str, n: usize) -> Result<()> {
        if m == n {
            return Ok(());
        }
        self.refuse(format!("{m} {a} but {n} {b}"), "Make the two agree.")
    }

    fn check_product(&self, operand: &str, view: &View, rows: usize, columns: usize) -> Result<()> {
        if view.shape.dims() == [rows, columns] {
            return Ok(());
        }
        self.refuse(format!("{operand} is {} where {rows}x{columns} is needed", view.shape), "Give the result that shape.")
    }
}
