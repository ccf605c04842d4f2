//! Writes lists of diagnostics as text.

use super::{Diagnostic, DiagnosticRenderer, cap, group};
use std::io::{self, Write};

/// Writes diagnostics with the line each one is about; those with the same cause appear once. `text`
/// returns the text of a file.
pub fn write_grouped<'d>(
    found: impl IntoIterator<Item = &'d Diagnostic>,
    text: impl Fn(&str) -> Option<String>,
    color: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut renderer = DiagnosticRenderer::new(text, color);
    let (shown, omitted) = cap(group(found), |one| (&*one.found, one.count));
    for one in shown {
        writeln!(out, "{}", renderer.render(&one.found))?;
    }
    omitted
        .iter()
        .try_for_each(|more| writeln!(out, "{more}\n"))
}

/// Writes every diagnostic on its own.
pub fn write_each<'d>(
    found: impl IntoIterator<Item = &'d Diagnostic>,
    text: impl Fn(&str) -> Option<String>,
    color: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut renderer = DiagnosticRenderer::new(text, color);
    let mut found = found.into_iter();
    found.try_for_each(|found| writeln!(out, "{}", renderer.render(found)))
}
