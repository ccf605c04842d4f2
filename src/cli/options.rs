//! The options that commands share, and the result type of commands.

use super::failure::CommandFailure;
use super::output_target::{self, OutputTarget, OutputTargetParser, TextForm};
use crate::config::ConfigOverrides;
use crate::document::OutputFormat;
use crate::plan::AcceptOverride;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// The result of a command: its exit code, or why it failed.
pub type CommandResult = Result<u8, CommandFailure>;

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub struct GlobalOptions {
    /// The configuration. Default: `roster.yaml` here or in a parent directory, up to the git root.
    #[arg(long, global = true, env = "ROSTER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The database, `sqlite:PATH` or `postgres://…`. Overrides the configuration.
    #[arg(
        long,
        global = true,
        env = "ROSTER_DATABASE",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database: Option<String>,
    /// The directory for git mirrors and fetched exports. Overrides the configuration.
    #[arg(long, global = true, env = "ROSTER_CACHE", value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// The environment of the configuration to use.
    #[arg(
        short,
        long,
        global = true,
        env = "ROSTER_ENVIRONMENT",
        value_name = "NAME"
    )]
    pub environment: Option<String>,
    /// The format of the result. `FORMAT=FILE` writes it to a file; repeat it for several.
    #[arg(
        long = "output",
        global = true,
        env = "ROSTER_OUTPUT",
        value_name = "FORMAT[=FILE]",
        value_parser = OutputTargetParser { has_forms: false },
        default_value = "text"
    )]
    pub outputs: Vec<OutputTarget>,
    /// The format of log lines on stderr.
    #[arg(long, global = true, env = "ROSTER_LOG", value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
    /// Print more on stderr. Repeat for even more.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print only errors on stderr.
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// When to use colour. `auto` does on a terminal, unless NO_COLOR is set.
    #[arg(long, global = true, env = "ROSTER_COLOR", value_enum, default_value_t = ColorMode::Auto)]
    pub color: ColorMode,
}

/// `-o` for `--output`, on commands that print resources or lists. It takes the place of the global
/// option, which then has its value.
#[derive(Clone, Debug, Args)]
pub struct ShortOutput {
    /// The format of the result. `yaml` prints manifests, `table` one line per resource.
    #[arg(
        id = "outputs",
        short = 'o',
        long = "output",
        env = "ROSTER_OUTPUT",
        value_name = "FORMAT",
        value_parser = OutputTargetParser { has_forms: true },
        default_value = "text"
    )]
    _outputs: Vec<OutputTarget>,
}

/// The format of log lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// When to use colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ColorMode {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The scope and the overrides of `plan` and `apply`.
#[derive(Clone, Debug, Default, Args)]
pub struct PlanScope {
    /// The directory of manifests. With a configuration: parts of its sources.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Use only this source.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Plan only this resource and what it needs (`User/u-1`). Removes only named resources.
    #[arg(long, value_name = "KIND/ID")]
    pub target: Vec<String>,
    #[command(flatten)]
    pub consent: HoldOverrides,
}

/// Overrides for one run: steps that would otherwise be held.
#[derive(Clone, Debug, Default, Args)]
pub struct HoldOverrides {
    /// Accept exactly this many steps of a guard: `User.deactivate=104`, `empty=Policy`,
    /// `rename=OLD`.
    #[arg(long, value_name = "WHAT=N", value_parser = AcceptOverride::parse)]
    pub accept: Vec<AcceptOverride>,
    /// Allow deletes in this run.
    #[arg(long)]
    pub allow_delete: bool,
}

impl GlobalOptions {
    /// The format of stdout.
    pub fn output(&self) -> OutputFormat {
        output_target::stdout_format(&self.outputs)
    }

    /// The form of text on stdout, if one was requested.
    pub fn text_form(&self) -> Option<TextForm> {
        let mut to_stdout = self.outputs.iter().filter(|target| target.file.is_none());
        to_stdout.next().and_then(|target| target.form)
    }

    /// Every requested format, that of stdout included.
    pub fn formats(&self) -> impl Iterator<Item = OutputFormat> {
        let files = self.output_files().map(|(format, _)| format);
        std::iter::once(self.output()).chain(files)
    }

    /// The requested files, each with its format.
    pub fn output_files(&self) -> impl Iterator<Item = (OutputFormat, &Path)> {
        let files = self.outputs.iter();
        files.filter_map(|target| Some((target.format, target.file.as_deref()?)))
    }

    /// The settings that the command line adds to the configuration file.
    pub fn overrides(&self, consent: &HoldOverrides) -> ConfigOverrides {
        ConfigOverrides {
            config: self.config.clone(),
            database: self.database.clone(),
            cache: self.cache.clone(),
            environment: self.environment.clone(),
            accepts: consent.accept.clone(),
            allow_delete: consent.allow_delete,
            serves: false,
        }
    }
}
