//! Finds out where to comment: from options, or from what CI sets.

use super::options::Options;
use super::platform::{self, CommentPlatform, TokenHeader};
use crate::cli::{CommandFailure, http_client};
use reqwest::Url;
use secrecy::SecretString;

/// Where to comment, and as whom.
pub(super) struct CommentPlace {
    pub platform: &'static CommentPlatform,
    pub api: Url,
    /// The password in the address as it was given, which a proxy may ask for.
    pub password: Option<SecretString>,
    pub repository: String,
    pub number: u64,
    pub token: SecretString,
    pub header: TokenHeader,
}

/// A variable that is set to something.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name)
        .ok()
        .filter(|text| !text.trim().is_empty())
}

fn is_true(name: &str) -> bool {
    variable(name).is_some_and(|value| value == "true")
}

impl CommentPlatform {
    /// Whether a job of its CI runs this.
    pub fn is_running(&self) -> bool {
        let first = platform::ALL_PLATFORMS
            .iter()
            .find(|platform| is_true(platform.ci));
        first.is_some_and(|platform| platform.word == self.word)
    }

    /// Whether a variable is about this platform. The same names have addresses and tokens of Gitea in
    /// its Actions and those of GitHub everywhere else, and no token may go to another platform.
    fn owns(&self, name: &str) -> bool {
        let is_shared = name.starts_with("GITHUB_");
        let owner = if is_true("GITEA_ACTIONS") {
            "gitea"
        } else {
            "github"
        };
        !is_shared || self.word == owner
    }

    fn own<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        let names = names.iter().copied();
        names.filter(|name| self.owns(name)).collect()
    }

    fn own_tokens(&self) -> Vec<(&'static str, TokenHeader)> {
        let tokens = self.tokens.iter().copied();
        tokens.filter(|(name, _)| self.owns(name)).collect()
    }

    /// The variables that may have a token for it.
    pub fn token_names(&self) -> Vec<&'static str> {
        self.own_tokens().iter().map(|(name, _)| *name).collect()
    }

    /// The variables that may name a repository of it.
    pub fn repository_names(&self) -> Vec<&'static str> {
        self.own(self.repository)
    }

    fn first_of(&self, names: &[&str]) -> Option<String> {
        self.own(names).into_iter().find_map(variable)
    }
}

pub(super) fn find(options: &Options) -> Result<CommentPlace, CommandFailure> {
    let platform = find_platform(options.provider.as_deref())?;
    let mut missing = Vec::new();
    let api = api_address(platform, options);
    if api.is_none() {
        missing.push(one_of("--api-url", &platform.own(platform.api)));
    }
    let repository = options
        .repository
        .clone()
        .or_else(|| platform.first_of(platform.repository));
    if repository.is_none() {
        missing.push(one_of("--repository", &platform.repository_names()));
    }
    let number = options.number.or_else(|| number_of(platform));
    if number.is_none() {
        missing.push("`--pr N`".to_owned());
    }
    let token = find_token(platform, options)?;
    if token.is_none() {
        missing.push(one_of("--token-file", &platform.token_names()));
    }
    match (api, repository, number, token) {
        (Some((option, api)), Some(repository), Some(number), Some((token, header))) => {
            let mut api = http_client::parse_base_url(option, &api)?;
            http_client::require_private(&api)?;
            let password = api.password().map(SecretString::from);
            if header.is_authorization() {
                // A request has only one `Authorization`, and that is the token.
                let _ = (api.set_username(""), api.set_password(None));
            }
            Ok(CommentPlace {
                platform,
                api,
                password,
                repository,
                number,
                token,
                header,
            })
        }
        // All at once: each found by a run of its own would cost a pipeline.
        _ => Err(CommandFailure::usage(format!(
            "to comment on {}, set {}",
            platform.name,
            missing.join("; ")
        ))),
    }
}

/// An option, and the variables that do the same.
fn one_of(option: &str, names: &[&str]) -> String {
    if names.is_empty() {
        format!("`{option}`")
    } else {
        format!("`{option}` or {}", names.join(", "))
    }
}

fn find_platform(wanted: Option<&str>) -> Result<&'static CommentPlatform, CommandFailure> {
    let mut all = platform::ALL_PLATFORMS.iter();
    let found = match wanted {
        Some(word) => all.find(|platform| platform.word == word),
        // The CI that runs this counts more than an address, which may be set for another job.
        None => all
            .clone()
            .find(|platform| platform.is_running())
            .or_else(|| {
                all.find(|platform| platform.marks.iter().any(|name| variable(name).is_some()))
            }),
    };
    found.ok_or_else(|| {
        CommandFailure::usage(
            "no CI of GitHub, GitLab or Gitea found; pass `--provider`, `--repository`, `--pr` and `--token-file`",
        )
    })
}

/// The address of the API and where it was given.
fn api_address(platform: &CommentPlatform, options: &Options) -> Option<(&'static str, String)> {
    if let Some(url) = &options.api_url {
        return Some(("--api-url", url.clone()));
    }
    let named = platform.own(platform.api).into_iter();
    let mut named = named.filter_map(|name| Some((name, variable(name)?)));
    let from_server = || {
        let mut servers = platform.own(platform.server).into_iter();
        servers.find_map(|name| {
            let server = variable(name)?;
            let api = format!("{}/{}", server.trim_end_matches('/'), platform.api_path);
            Some((name, api))
        })
    };
    let default = platform
        .default_api
        .map(|url| ("--api-url", url.to_owned()));
    named.next().or_else(from_server).or(default)
}

fn number_of(platform: &CommentPlatform) -> Option<u64> {
    if let Some(name) = platform.number {
        return variable(name)?.parse().ok();
    }
    // `refs/pull/7/merge`
    let reference = platform.first_of(&["GITHUB_REF"])?;
    let rest = reference.strip_prefix("refs/pull/")?;
    rest.split('/').next()?.parse().ok()
}

fn find_token(
    platform: &CommentPlatform,
    options: &Options,
) -> Result<Option<(SecretString, TokenHeader)>, CommandFailure> {
    if let Some(file) = &options.token_file {
        let token = http_client::read_token(file)?;
        return Ok(token.map(|token| (token, platform.tokens[0].1)));
    }
    for (name, header) in platform.own_tokens() {
        let text = variable(name).unwrap_or_default();
        if let Some(token) = http_client::token(name, &text)? {
            return Ok(Some((token, header)));
        }
    }
    Ok(None)
}
