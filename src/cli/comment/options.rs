//! The options of `roster comment`.

use crate::cli::output::DisplayOptions;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `roster comment`.
#[derive(Debug, Args)]
pub struct Options {
    /// A plan saved by `roster plan --out`, or written by `--output json=FILE` or
    /// `--output markdown=FILE`.
    #[arg(long, value_name = "FILE")]
    pub(super) plan: PathBuf,
    /// The number of the pull request or merge request. Default: that of the CI job.
    #[arg(long = "pr", visible_alias = "mr", value_name = "N")]
    pub(super) number: Option<u64>,
    /// The platform. Default: the one whose CI runs this.
    #[arg(long, value_parser = ["github", "gitlab", "gitea"])]
    pub(super) provider: Option<String>,
    /// The URL of its API. Default: GITHUB_API_URL, CI_API_V4_URL or GITEA_API_URL.
    #[arg(long, value_name = "URL")]
    pub(super) api_url: Option<String>,
    /// The repository: `owner/name`, or the id of a GitLab project. Default: that of the CI job.
    #[arg(long, value_name = "NAME")]
    pub(super) repository: Option<String>,
    /// The file that holds the token. Default: GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust in addition to those of the system.
    #[arg(long, value_name = "FILE", env = "ROSTER_CA")]
    pub(super) ca: Option<PathBuf>,
    /// How long to wait for rate limits and for a server that does not answer.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = crate::config::parse_duration)]
    pub(super) timeout: Duration,
    #[command(flatten)]
    pub(super) shown: DisplayOptions,
}
