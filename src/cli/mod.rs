//! The command line, one file per command. Each has its clap options and a `run` that returns an
//! exit code or a failure. Results go to stdout, everything else to stderr. Start at [`main`];
//! `session` holds what most commands begin with.

mod acts;
mod adopt;
mod apply;
mod apply_result;
mod approve;
mod atomic_file;
mod backup;
mod changes;
mod codeowners;
mod command_groups;
mod comment;
mod compare;
mod completions;
mod daemon;
mod dossier;
mod download;
mod draft_folder;
mod explain;
mod export;
mod failure;
mod feed;
mod follow;
mod format;
mod get;
mod history;
mod holds;
mod http_client;
mod import;
mod import_manifests;
mod init;
mod list_output;
mod lock;
mod log_lines;
mod man;
mod migrate;
mod new_files;
mod notice;
mod openapi;
mod options;
mod order_refs;
mod output;
mod output_target;
mod paged_export;
mod pager;
mod plan;
mod plan_remote;
mod policy;
mod print;
mod progress;
mod propose;
mod reject;
mod remote;
mod resource_output;
mod revert;
mod schema;
mod serve;
mod session;
mod show;
mod source;
mod state;
mod status;
mod token;
mod user;
mod validate;
mod visible;
mod why;

use output_target::CommandOutputs;

pub use failure::CommandFailure;
pub use options::{ColorMode, CommandResult, GlobalOptions, HoldOverrides, LogFormat, PlanScope};

use crate::kinds::act;
use clap::builder::StyledStr;
use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::process::ExitCode;

/// What the help says about the actor.
const ACTOR: &str = "The history records who ran a command. Roster takes the first of these that is set: ROSTER_ACTOR, \
    GITHUB_ACTOR, GITLAB_USER_LOGIN, git's user.email or user.name, USER, LOGNAME.";

/// GitOps for B2B customer directories: YAML in git, a reviewed plan, one transaction.
#[derive(Debug, Parser)]
#[command(
    name = "roster",
    version,
    max_term_width = 100,
    after_long_help = ACTOR,
    help_template = help_template(),
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten, next_help_heading = "Global options")]
    global: GlobalOptions,
    /// The command.
    #[command(subcommand)]
    pub command: CliCommand,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Check manifests without a database.
    Validate(validate::Options),
    /// Show what apply would do, without writing.
    #[command(visible_alias = "diff")]
    Plan(plan::Options),
    /// Show the plan, ask for confirmation and apply it. Or apply a saved plan.
    #[command(visible_alias = "sync")]
    Apply(apply::Options),
    /// Import one export by hand. Report bad rows, and apply the others or write them as manifests.
    Import(import::Options),
    /// Inspect an export, or write a mapping to start from.
    Feed(feed::Options),
    /// Show a saved plan.
    Show(show::Options),
    /// Write a plan as a comment on a pull request. The next plan replaces it.
    Comment(comment::Options),
    /// Show what changes from one revision of the sources to another, without a database.
    Compare(compare::CompareOptions),
    /// Print a stored resource, or all of a kind.
    Get(get::Options),
    /// Print what was stored at an earlier time, or after a run.
    State(state::StateOptions),
    /// List what a user sees: users, organisations and accounts.
    Visible(visible::Options),
    /// Export the database as manifests, one folder per account, or in the format of a preset.
    Export(export::Options),
    /// Print the runs or the changes of one resource, or verify the history.
    History(history::Options),
    /// Plan the undoing of a run, ask for confirmation and apply it.
    Revert(revert::RevertOptions),
    /// Show who set a field, from where, and what it overrode.
    Why(why::Options),
    /// Print every committed change in order, one JSON object per line, or as an export.
    Changes(changes::Options),
    /// Format manifests without changing their meaning.
    Fmt(format::Options),
    /// List what is held and waits for a decision.
    Holds(holds::HoldsOptions),
    /// Approve a hold, the first apply of an export source, or new accounts.
    Approve(approve::Options),
    /// Reject a hold or new accounts.
    Reject(reject::RejectOptions),
    #[command(about = act::BLOCK.doc)]
    Block(acts::BlockOptions),
    #[command(about = act::UNBLOCK.doc)]
    Unblock(acts::BlockOptions),
    /// Change who can log in, and ask about users.
    User(user::UserOptions),
    /// Write everything that is stored about a person. Also `roster user dossier`.
    Dossier(dossier::DossierOptions),
    /// Erase a person. Also `roster user erase`.
    Erase(acts::ConfirmedIdOptions),
    /// Check which buying policies review a purchase.
    Policy(policy::Options),
    /// Rename or forget a source that is no longer configured.
    Source(source::Options),
    /// Hand over claims from one source to another that declares the same resources.
    Adopt(adopt::Options),
    /// Propose the values of an export for the manifests, as a patch, in place or on a branch.
    Propose(propose::Options),
    /// Create or upgrade the database schema.
    Migrate(migrate::Options),
    /// Show or break the leases of sources.
    Lock(lock::Options),
    /// Test whether notices arrive.
    Notice(notice::Options),
    /// Write a commented configuration, a small example tree and a CI workflow.
    Init(init::InitArgs),
    /// Write a CODEOWNERS file from the scopes of the configuration.
    Codeowners(codeowners::CodeownersOptions),
    /// Print the JSON Schema of manifests or of the configuration.
    Schema(schema::SchemaArgs),
    /// Print the OpenAPI document of the daemon.
    Openapi,
    /// Create and list tokens for the daemon.
    Token(token::Options),
    /// Explain a diagnostic code, a kind or a field.
    Explain(explain::ExplainArgs),
    /// Run the daemon: watch the sources and keep the database equal to them until stopped.
    Serve(serve::Options),
    /// Show the state of the sources of a running daemon, and the reason if nothing happens.
    Status(status::StatusOptions),
    /// Suspend a source on every replica, across restarts.
    Suspend(daemon::SuspendOptions),
    /// Resume a suspended source.
    Resume(daemon::SuspendOptions),
    /// Request a pass from a running daemon.
    Reconcile(daemon::ReconcileOptions),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual page.
    Man(man::ManArgs),
}

impl CliCommand {
    /// What a command can write beside its text.
    fn outputs(&self) -> CommandOutputs {
        CommandOutputs {
            reports: matches!(
                self,
                Self::Validate(_)
                    | Self::Plan(_)
                    | Self::Apply(_)
                    | Self::Show(_)
                    | Self::Compare(_)
            ),
            forms: matches!(self, Self::Get(_)),
        }
    }
}

/// The help with its commands in groups.
fn help_template() -> StyledStr {
    command_groups::help_template(&CliCommand::augment_subcommands(Command::new("roster")))
}

/// Runs the program with these arguments, starting with its name.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match Cli::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let _ = error.print();
            // clap prints help and version as errors too, to stdout and with success.
            return ExitCode::from(if error.use_stderr() {
                failure::USAGE
            } else {
                0
            });
        }
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    // Before anything is printed or logged.
    output::set_color(cli.global.color);
    log(&cli.global, matches!(cli.command, CliCommand::Serve(_)));
    let checked = output_target::check(&cli.global.outputs, cli.command.outputs());
    ExitCode::from(match checked.and_then(|()| run(cli)) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    })
}

fn run(cli: Cli) -> CommandResult {
    // Several threads: a lease is renewed while another thread plans.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandFailure::error(format!("cannot start: {error}")))?;
    let global = &cli.global;
    let outcome = runtime.block_on(async {
        match cli.command {
            CliCommand::Validate(options) => validate::run(global, &options),
            CliCommand::Plan(options) => plan::run(global, &options).await,
            CliCommand::Apply(options) => apply::run(global, options).await,
            CliCommand::Import(options) => import::run(global, &options).await,
            CliCommand::Feed(options) => feed::run(global, &options),
            CliCommand::Show(options) => show::run(global, &options).await,
            CliCommand::Comment(options) => comment::run(global, &options).await,
            CliCommand::Compare(options) => compare::run(global, &options),
            CliCommand::Get(options) => get::run(global, &options).await,
            CliCommand::State(options) => state::run(global, &options).await,
            CliCommand::Visible(options) => visible::run(global, &options).await,
            CliCommand::Export(options) => export::run(global, &options).await,
            CliCommand::History(options) => history::run(global, &options).await,
            CliCommand::Revert(options) => revert::run(global, &options).await,
            CliCommand::Why(options) => why::run(global, &options).await,
            CliCommand::Changes(options) => changes::run(global, &options).await,
            CliCommand::Fmt(options) => format::run(global, &options),
            CliCommand::Holds(options) => holds::run(global, &options).await,
            CliCommand::Approve(options) => approve::run(global, &options).await,
            CliCommand::Reject(options) => reject::run(global, &options).await,
            CliCommand::Block(options) => acts::block(global, &act::BLOCK, &options).await,
            CliCommand::Unblock(options) => acts::block(global, &act::UNBLOCK, &options).await,
            CliCommand::User(options) => user::run(global, &options).await,
            CliCommand::Dossier(options) => dossier::run(global, &options).await,
            CliCommand::Erase(options) => {
                acts::by_confirmed_id(global, &act::ERASE, &options).await
            }
            CliCommand::Policy(options) => policy::run(global, &options).await,
            CliCommand::Source(options) => source::run(global, &options).await,
            CliCommand::Adopt(options) => adopt::run(global, &options).await,
            CliCommand::Propose(options) => propose::run(global, &options).await,
            CliCommand::Migrate(options) => migrate::run(global, &options).await,
            CliCommand::Lock(options) => lock::run(global, &options).await,
            CliCommand::Serve(options) => serve::run(global, &options).await,
            CliCommand::Status(options) => status::run(global, &options).await,
            CliCommand::Suspend(options) => daemon::suspend(global, &options).await,
            CliCommand::Resume(options) => daemon::resume(global, &options).await,
            CliCommand::Reconcile(options) => daemon::reconcile(global, &options).await,
            CliCommand::Notice(options) => notice::run(global, &options).await,
            CliCommand::Init(args) => init::run(&args),
            CliCommand::Codeowners(options) => codeowners::run(global, &options),
            CliCommand::Schema(args) => schema::run(&args),
            CliCommand::Openapi => openapi::run(),
            CliCommand::Token(options) => token::run(global, &options),
            CliCommand::Explain(args) => explain::run(&args),
            CliCommand::Completions(args) => completions::run(&args, &Cli::command()),
            CliCommand::Man(args) => man::run(&args, &Cli::command()),
        }
    });
    // A pass that did not stop when asked is rolled back by the end of the process.
    runtime.shutdown_background();
    outcome
}

fn log(global: &GlobalOptions, serving: bool) {
    let level = match (global.quiet, global.verbose) {
        (true, _) => tracing::Level::ERROR,
        (false, 0) => tracing::Level::WARN,
        (false, 1) => tracing::Level::INFO,
        (false, _) => tracing::Level::DEBUG,
    };
    // Statements contain values, so the database driver stays silent at every level.
    // The log is all that a daemon prints, so its events are shown without `-v`.
    let daemon = level.max(tracing::Level::INFO);
    let filter = format!("roster={level},roster::daemon={daemon},roster::http={daemon}");
    let filter = tracing_subscriber::EnvFilter::new(if serving {
        filter
    } else {
        format!("roster={level}")
    });
    let logger = tracing_subscriber::fmt()
        .with_writer(log_lines::to_stderr)
        .with_ansi(output::colored(&std::io::stderr()))
        .with_env_filter(filter);
    match global.log {
        // JSON escapes control characters by itself.
        LogFormat::Json => logger.json().with_writer(std::io::stderr).init(),
        LogFormat::Text if serving => logger.with_target(false).init(),
        LogFormat::Text => logger.with_target(false).without_time().init(),
    }
}

#[cfg(test)]
mod tests {
    use super::command_groups::{GROUPS, WIDTH};
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = Cli::command();
        let mut known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        known.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, known);
    }

    #[test]
    fn the_help_names_every_command_and_option() {
        let mut command = Cli::command();
        let help = command.render_long_help().to_string();
        for name in command.get_subcommands().map(Command::get_name) {
            assert!(help.contains(&format!("\n  {name} ")), "{name}: {help}");
        }
        for option in ["--config", "--output", "--help", "--version"] {
            assert!(help.contains(option), "{option}: {help}");
        }
        assert!(
            help.lines().all(|line| line.chars().count() <= WIDTH),
            "{help}"
        );
    }

    #[test]
    fn own_options_come_before_those_of_every_command() {
        let mut command = Cli::command();
        command.build();
        let plan = command.find_subcommand_mut("plan").expect("a command");
        let help = plan.render_help().to_string();
        let place = |text: &str| help.find(text).unwrap_or_else(|| panic!("{text}: {help}"));
        assert!(place("\nOptions:") < place("--source"));
        assert!(place("--source") < place("\nGlobal options:"));
        assert!(place("\nGlobal options:") < place("--config"));
    }
}
