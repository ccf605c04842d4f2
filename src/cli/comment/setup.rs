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

fn first_of(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| variable(name))
}

pub(super) fn find(options: &Options) -> Result<CommentPlace, CommandFailure> {
    let platform = find_platform(options.provider.as_deref())?;
    let mut missing = Vec::new();
    let api = api_address(platform, options);
    if api.is_none() {
        missing.push(format!("`--api-url` or {}", platform.api[0]));
    }
    let repository = options
        .repository
        .clone()
        .or_else(|| first_of(platform.repository));
    if repository.is_none() {
        missing.push(format!(
            "`--repository` or {}",
            platform.repository.join(", ")
        ));
    }
    let number = options.number.or_else(|| number_of(platform));
    if number.is_none() {
        missing.push("`--pr N`".to_owned());
    }
    let token = find_token(platform, options)?;
    if token.is_none() {
        let names: Vec<&str> = platform.tokens.iter().map(|(name, _)| *name).collect();
        missing.push(format!("`--token-file` or {}", names.join(", ")));
    }
    match (api, repository, number, token) {
        (Some((option, api)), Some(repository), Some(number), Some((token, header))) => {
            let api = http_client::parse_base_url(option, &api)?;
            http_client::require_private(&api)?;
            Ok(CommentPlace {
                platform,
                api,
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

fn find_platform(wanted: Option<&str>) -> Result<&'static CommentPlatform, CommandFailure> {
    let mut all = platform::ALL_PLATFORMS.iter();
    let is_set = |(name, value): &(&str, Option<&str>)| {
        variable(name).is_some_and(|found| value.is_none_or(|value| found == value))
    };
    let found = match wanted {
        Some(word) => all.find(|platform| platform.word == word),
        None => all.find(|platform| platform.marks.iter().any(is_set)),
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
    let named = platform.api.iter();
    let mut named = named.filter_map(|name| Some((*name, variable(name)?)));
    let from_server = || {
        let mut servers = platform.server.iter();
        servers.find_map(|name| {
            let server = variable(name)?;
            let api = format!("{}/{}", server.trim_end_matches('/'), platform.api_path);
            Some((*name, api))
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
    let reference = variable("GITHUB_REF")?;
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
    let mut tokens = platform.tokens.iter();
    Ok(tokens.find_map(|(name, header)| {
        let token = http_client::token(&variable(name)?)?;
        Some((token, *header))
    }))
}
