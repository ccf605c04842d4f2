//! Where results are written, in which format and colour.

use super::{ColorMode, GlobalOptions, OutputFormat};
use crate::config::SourceLocation;
use crate::diagnostic::render::DiagnosticRenderer;
use crate::diagnostic::{Diagnostic, cap, group};
use crate::document::{self, PlanFormat, PlanListDocument};
use crate::plan::Plan;
use crate::plan::render::{PlanDetail, RenderOptions};
use crate::reconcile::SourceReading;
use std::io::{self, BufWriter, Write};

/// Sets the colour mode for stdout and stderr.
pub fn set_color(color: ColorMode) {
    let choice = match color {
        ColorMode::Auto => anstream::ColorChoice::Auto,
        ColorMode::Always => anstream::ColorChoice::Always,
        ColorMode::Never => anstream::ColorChoice::Never,
    };
    choice.write_global();
}

/// Whether output to a stream is coloured.
pub fn colored(stream: &impl anstream::stream::RawStream) -> bool {
    let choice = anstream::AutoStream::choice(stream);
    !matches!(choice, anstream::ColorChoice::Never)
}

/// Buffered stdout, with colours as set.
pub fn stdout() -> impl Write {
    BufWriter::new(io::stdout())
}

/// How much of a plan is shown, and how large it may be.
#[derive(Clone, Debug, clap::Args)]
pub struct DisplayOptions {
    /// How much detail to show.
    #[arg(long, value_enum, default_value_t = DetailArg::Changes)]
    pub detail: DetailArg,
    /// The maximum size of Markdown. Beyond it, whole blocks are left out.
    #[arg(long, value_name = "N")]
    pub max_bytes: Option<usize>,
}

/// [`PlanDetail`] on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum DetailArg {
    /// Counts and holds.
    Summary,
    /// Changes, with creates by name only.
    Changes,
    /// Every field of every resource.
    Full,
}

/// Writes plans with their diagnostics in the requested format.
pub fn plans(
    global: &GlobalOptions,
    shown: &DisplayOptions,
    plans: &[Plan],
    readings: &[SourceReading],
) -> io::Result<()> {
    let mut out = stdout();
    let options = RenderOptions {
        detail: match shown.detail {
            DetailArg::Summary => PlanDetail::Summary,
            DetailArg::Changes => PlanDetail::Changes,
            DetailArg::Full => PlanDetail::Full,
        },
        max_bytes: shown.max_bytes,
        color: colored(&io::stdout()),
        root: String::new(),
    };
    if global.output == OutputFormat::Json && plans.len() != 1 {
        document::write(&PlanListDocument::new(plans), &mut out)?;
        return out.flush();
    }
    for (index, plan) in plans.iter().enumerate() {
        // The other formats carry the diagnostics inside the document.
        if global.output == OutputFormat::Text {
            if index > 0 {
                writeln!(out)?;
            }
            diagnostics(plan, readings, options.detail, &mut out)?;
        }
        let reading = readings
            .iter()
            .find(|reading| reading.source.name == plan.source.name);
        let options = RenderOptions {
            root: reading.map(path_in_repository).unwrap_or_default(),
            ..options.clone()
        };
        document::render(plan, format(global.output), &options, &mut out)?;
    }
    out.flush()
}

/// The folder of a source within its git checkout, or as it was configured if there is none.
/// Annotations on GitHub need the path in the repository.
pub fn path_in_repository(reading: &SourceReading) -> String {
    let root = match &reading.source.place {
        SourceLocation::Directory(root) => root,
        SourceLocation::Git(place) => return place.path.clone(),
        SourceLocation::Export(_) => return String::new(),
    };
    // A relative path, or a link, has other parents than the place it stands for.
    let root = root.canonicalize().unwrap_or_else(|_| root.clone());
    let checkout = root.ancestors().find(|folder| folder.join(".git").exists());
    match checkout.and_then(|checkout| root.strip_prefix(checkout).ok()) {
        Some(below) => below.to_string_lossy().into_owned(),
        None => reading.source.written.clone(),
    }
}

fn format(output: OutputFormat) -> PlanFormat {
    match output {
        OutputFormat::Text => PlanFormat::Text,
        OutputFormat::Json => PlanFormat::Json,
        OutputFormat::Ndjson => PlanFormat::Ndjson,
        OutputFormat::Markdown => PlanFormat::Markdown,
        OutputFormat::Github => PlanFormat::Github,
    }
}

fn diagnostics(
    plan: &Plan,
    readings: &[SourceReading],
    detail: PlanDetail,
    out: &mut dyn Write,
) -> io::Result<()> {
    let reading = readings
        .iter()
        .find(|reading| reading.source.name == plan.source.name);
    let text = |path: &str| reading?.tree.text(path);
    // Every diagnostic on its own; the other levels group them.
    if detail == PlanDetail::Full {
        let mut renderer = DiagnosticRenderer::new(text, colored(&io::stdout()));
        let mut found = plan.diagnostics.iter();
        return found.try_for_each(|found| writeln!(out, "{}", renderer.render(found)));
    }
    write_diagnostics(&plan.diagnostics, text, out)
}

/// Writes diagnostics with the line each one is about; those with the same cause appear once.
pub fn write_diagnostics<'d>(
    found: impl IntoIterator<Item = &'d Diagnostic>,
    text: impl Fn(&str) -> Option<String>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut renderer = DiagnosticRenderer::new(text, colored(&io::stdout()));
    let (shown, omitted) = cap(group(found), |one| (&*one.found, one.count));
    for one in shown {
        writeln!(out, "{}", renderer.render(&one.found))?;
    }
    omitted
        .iter()
        .try_for_each(|more| writeln!(out, "{more}\n"))
}
