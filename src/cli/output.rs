//! Where results are written, in which format and colour.

use super::{ColorMode, CommandFailure, GlobalOptions, atomic_file, pager};
use crate::config::SourceLocation;
use crate::diagnostic::{Diagnostic, write_each, write_grouped};
use crate::document::{self, OutputFormat, ShownPlan};
use crate::plan::Plan;
use crate::plan::render::{NextStep, PersonalData, PlanDetail, PseudonymKey, RenderOptions};
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
    /// The maximum size of Markdown. Beyond it, whole blocks are left out. Default: 65536.
    #[arg(long, value_name = "N")]
    pub max_bytes: Option<usize>,
    /// Show personal data in Markdown, HTML and reports instead of pseudonyms.
    #[arg(long)]
    pub show_personal: bool,
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

impl From<DetailArg> for PlanDetail {
    fn from(detail: DetailArg) -> Self {
        match detail {
            DetailArg::Summary => Self::Summary,
            DetailArg::Changes => Self::Changes,
            DetailArg::Full => Self::Full,
        }
    }
}

/// What the output of plans needs besides the plans.
pub struct PlanOutput<'a> {
    pub global: &'a GlobalOptions,
    pub shown: &'a DisplayOptions,
    /// The sources, for the lines of their files and their place in the repository.
    pub readings: &'a [SourceReading],
    pub pseudonyms: Option<PseudonymKey>,
    pub next: NextStep,
    /// Whether text goes through a pager if stdout is a terminal.
    pub paged: bool,
}

impl PlanOutput<'_> {
    /// Writes plans with their diagnostics to stdout and to every requested file.
    pub fn write(&self, plans: &[&Plan]) -> Result<(), CommandFailure> {
        self.print(plans)?;
        write_files(self.global, |format, out| {
            self.format(plans, format, false, out)
        })
    }

    /// Writes plans with their diagnostics to stdout.
    pub fn print(&self, plans: &[&Plan]) -> io::Result<()> {
        let (format, color) = (self.global.output(), colored(&io::stdout()));
        let write = |out: &mut dyn Write| self.format(plans, format, color, out);
        if self.paged && format == OutputFormat::Text {
            return pager::page(write);
        }
        let mut out = stdout();
        write(&mut out)?;
        out.flush()
    }

    /// Writes plans to every requested file, with a JSON document of their own.
    pub fn write_files(
        &self,
        plans: &[&Plan],
        json: impl Fn(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), CommandFailure> {
        write_files(self.global, |format, out| match format {
            OutputFormat::Json => json(out),
            format => self.format(plans, format, false, out),
        })
    }

    fn format(
        &self,
        plans: &[&Plan],
        format: OutputFormat,
        color: bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let options: Vec<RenderOptions> = plans
            .iter()
            .map(|plan| self.render_options(plan, format, color))
            .collect();
        let shown = plans.iter().zip(&options);
        let shown: Vec<_> = shown
            .map(|(plan, options)| ShownPlan { plan, options })
            .collect();
        if format != OutputFormat::Text {
            return document::render_all(&shown, format, out);
        }
        for (at, one) in shown.iter().enumerate() {
            if at > 0 {
                writeln!(out)?;
            }
            // The other formats carry the diagnostics inside the document.
            self.diagnostics(one, out)?;
            document::render(one.plan, format, one.options, out)?;
        }
        Ok(())
    }

    fn render_options(&self, plan: &Plan, format: OutputFormat, color: bool) -> RenderOptions {
        let personal = if format.is_published() && !self.shown.show_personal {
            PersonalData::Masked(self.pseudonyms.clone())
        } else {
            PersonalData::Shown
        };
        RenderOptions {
            detail: self.shown.detail.into(),
            color,
            max_bytes: self.shown.max_bytes,
            root: self
                .reading(plan)
                .map(path_in_repository)
                .unwrap_or_default(),
            next: self.next.clone(),
            personal,
        }
    }

    fn reading(&self, plan: &Plan) -> Option<&SourceReading> {
        let mut readings = self.readings.iter();
        readings.find(|reading| reading.source.name == plan.source.name)
    }

    fn diagnostics(&self, shown: &ShownPlan<'_>, out: &mut dyn Write) -> io::Result<()> {
        let reading = self.reading(shown.plan);
        let text = |path: &str| reading?.tree.text(path);
        let color = shown.options.color;
        // Every diagnostic on its own; the other levels group them.
        if shown.options.detail == PlanDetail::Full {
            return write_each(&shown.plan.diagnostics, text, color, out);
        }
        // What the base says already is counted after what the branch adds.
        let own = shown.plan.diagnostics.iter();
        write_grouped(own.filter(|found| !found.is_on_base), text, color, out)
    }
}

/// Writes a result to every requested file, each completely or not at all.
pub fn write_files(
    global: &GlobalOptions,
    content: impl Fn(OutputFormat, &mut dyn Write) -> io::Result<()>,
) -> Result<(), CommandFailure> {
    for (format, file) in global.output_files() {
        atomic_file::write(file, |out| content(format, out))?;
    }
    Ok(())
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

/// Writes diagnostics with the line each one is about; those with the same cause appear once.
pub fn write_diagnostics<'d>(
    found: impl IntoIterator<Item = &'d Diagnostic>,
    text: impl Fn(&str) -> Option<String>,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_grouped(found, text, colored(&io::stdout()), out)
}
