//! One web page with everything that the Markdown says. It needs no network and no script, apart
//! from the search.

use super::markdown_html::MarkdownToHtml;
use super::shown_plan::ShownPlan;
use super::source_diagnostics::SourceDiagnostics;
use crate::plan::render::{RenderOptions, markdown};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};

const STYLE: &str = include_str!("html_report.css");
const SCRIPT: &str = include_str!("html_report.js");

/// Writes the plans of several sources, one after the other.
pub(super) fn write_plans(shown: &[ShownPlan<'_>], out: &mut dyn Write) -> io::Result<()> {
    page("Roster plan", out, |out| {
        shown.iter().try_for_each(|one| {
            let options = unlimited(one.options);
            article(out, |out| markdown::write(one.plan, &options, out))
        })
    })
}

/// Writes what a validation found.
pub(super) fn write_validation(
    sentence: &str,
    sources: &[SourceDiagnostics<'_>],
    out: &mut dyn Write,
) -> io::Result<()> {
    let options: Vec<_> = sources.iter().map(|of| unlimited(of.options)).collect();
    let found = sources.iter().zip(&options);
    let found: Vec<_> = found.map(|(of, options)| (of.found, options)).collect();
    page("Roster validation", out, |out| {
        article(out, |out| markdown::write_validation(sentence, &found, out))
    })
}

fn unlimited(options: &RenderOptions) -> RenderOptions {
    RenderOptions {
        max_bytes: Some(usize::MAX),
        ..options.clone()
    }
}

fn article(
    out: &mut dyn Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    writeln!(out, "<article>")?;
    let mut converter = MarkdownToHtml::new(&mut *out);
    content(&mut converter)?;
    converter.finish()?;
    writeln!(out, "</article>")
}

fn page(
    title: &str,
    out: &mut dyn Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\">")?;
    writeln!(out, "{}", head(title).into_string())?;
    writeln!(out, "<body>\n{}\n<main>", header(title).into_string())?;
    content(out)?;
    writeln!(out, "</main>\n<script>{SCRIPT}</script>\n</body>\n</html>")
}

fn head(title: &str) -> Markup {
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    // A value that became markup in spite of everything could then still load and run nothing.
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'"
    );
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (title) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

fn header(title: &str) -> Markup {
    html! {
        header {
            h1 { (title) }
            // The script shows it; without one it would do nothing.
            div #search role="search" hidden {
                label for="words" { "Search" }
                input #words type="search" autocomplete="off" placeholder="User/u-1 phone";
                output #count for="words" {}
            }
        }
    }
}
