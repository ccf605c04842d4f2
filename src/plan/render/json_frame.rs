//! The frame of a JSON document that is too long to be built before it is written.

use rayon::prelude::*;
use serde::Serialize;
use std::io::{self, Write};

/// How many elements are made into JSON at once, and how many of them by one task at least.
const BATCH_ELEMENTS: usize = 4096;
const MIN_TASK_ELEMENTS: usize = 64;

/// Writes the outer levels of a document piece by piece; what is a member or an element of it is
/// written whole, on one line.
pub(super) struct JsonFrame<'a> {
    out: &'a mut dyn Write,
    pretty: bool,
    depth: usize,
    first: bool,
}

impl<'a> JsonFrame<'a> {
    /// With a line a member and two spaces a level.
    pub fn pretty(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            pretty: true,
            depth: 0,
            first: true,
        }
    }

    /// Without any space.
    pub fn compact(out: &'a mut dyn Write) -> Self {
        Self {
            pretty: false,
            ..Self::pretty(out)
        }
    }

    /// Opens an object or an array.
    pub fn open(&mut self, bracket: char) -> io::Result<()> {
        self.depth += 1;
        self.first = true;
        write!(self.out, "{bracket}")
    }

    /// Closes what was opened last.
    pub fn close(&mut self, bracket: char) -> io::Result<()> {
        self.depth -= 1;
        if !self.first {
            self.new_line()?;
        }
        self.first = false;
        write!(self.out, "{bracket}")
    }

    /// What stands before every member and element.
    pub fn next(&mut self) -> io::Result<()> {
        if !self.first {
            self.out.write_all(b",")?;
        }
        self.first = false;
        self.new_line()
    }

    /// The name of a member, whose value comes next.
    pub fn key(&mut self, name: &str) -> io::Result<()> {
        self.next()?;
        serde_json::to_writer(&mut *self.out, name)?;
        self.out.write_all(if self.pretty { b": " } else { b":" })
    }

    /// A member whose value is small.
    pub fn member(&mut self, name: &str, value: &impl Serialize) -> io::Result<()> {
        self.key(name)?;
        Ok(serde_json::to_writer(&mut *self.out, value)?)
    }

    /// A member that is an array, written element by element.
    pub fn list<T: Serialize + Sync>(
        &mut self,
        name: &str,
        elements: impl Iterator<Item = T>,
    ) -> io::Result<()> {
        self.key(name)?;
        self.open('[')?;
        let mut elements = elements.fuse();
        loop {
            let some: Vec<T> = elements.by_ref().take(BATCH_ELEMENTS).collect();
            if some.is_empty() {
                return self.close(']');
            }
            let lines: Vec<Vec<u8>> = some
                .par_iter()
                .with_min_len(MIN_TASK_ELEMENTS)
                .map(serde_json::to_vec)
                .collect::<Result<_, _>>()?;
            for line in lines {
                self.next()?;
                self.out.write_all(&line)?;
            }
        }
    }

    /// Ends the last line of a document.
    pub fn end_line(&mut self) -> io::Result<()> {
        if self.pretty {
            self.out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn new_line(&mut self) -> io::Result<()> {
        if self.pretty {
            write!(self.out, "\n{:width$}", "", width = 2 * self.depth)?;
        }
        Ok(())
    }
}
