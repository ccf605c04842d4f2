//! The platforms as data: what CI sets, how their API is asked, and what a token needs.

use reqwest::Method;

/// A platform with pull requests.
pub(super) struct CommentPlatform {
    /// The word of `--provider`.
    pub word: &'static str,
    pub name: &'static str,
    /// What it calls a pull request.
    pub request: &'static str,
    /// The variable that its CI sets to `true`.
    pub ci: &'static str,
    /// Variables that name it outside its CI. No token among them: one is often set for another job.
    pub marks: &'static [&'static str],
    /// Variables with the address of the API, the first that is set counts.
    pub api: &'static [&'static str],
    /// Variables with the address of the server, to which `api_path` is added.
    pub server: &'static [&'static str],
    pub api_path: &'static str,
    /// The address without any of these.
    pub default_api: Option<&'static str>,
    pub repository: &'static [&'static str],
    /// Variables with a token, and how it is sent.
    pub tokens: &'static [(&'static str, TokenHeader)],
    /// A variable with the number of the pull request, if there is one.
    pub number: Option<&'static str>,
    /// The path of the comments of a pull request.
    pub comments: &'static str,
    /// How pages are asked for, the oldest comments first: new ones must not move those on later pages.
    pub paging: &'static str,
    /// The path of one comment.
    pub comment: &'static str,
    pub update: Method,
    /// The members with the name of a comment's author.
    pub author: [&'static str; 2],
    pub identity: IdentityRequest,
    /// What a token needs to be told whose it is, if not every token is.
    pub identity_permission: Option<&'static str>,
    /// The author of what its CI writes.
    pub ci_author: Option<&'static str>,
    pub accept: &'static str,
    /// What a token needs to write comments.
    pub permission: &'static str,
}

/// How a token is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenHeader {
    Bearer,
    /// `Authorization: token …`
    Token,
    PrivateToken,
    JobToken,
}

impl TokenHeader {
    pub fn is_authorization(self) -> bool {
        matches!(self, Self::Bearer | Self::Token)
    }

    /// Returns the name and the value of the header.
    pub fn header(self, token: &str) -> (&'static str, String) {
        match self {
            Self::Bearer => ("authorization", format!("Bearer {token}")),
            Self::Token => ("authorization", format!("token {token}")),
            Self::PrivateToken => ("private-token", token.to_owned()),
            Self::JobToken => ("job-token", token.to_owned()),
        }
    }
}

/// How a token learns whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum IdentityRequest {
    /// `GET user`, and the member with the name.
    User(&'static str),
    /// The only way for the token of a workflow, which may not read `user`.
    GraphQl,
}

/// In the order in which they are looked for: Gitea sets the variables of GitHub too.
pub(super) static ALL_PLATFORMS: [CommentPlatform; 3] = [
    CommentPlatform {
        word: "gitea",
        name: "Gitea",
        request: "pull request",
        ci: "GITEA_ACTIONS",
        marks: &["GITEA_API_URL"],
        api: &["GITEA_API_URL", "GITHUB_API_URL"],
        server: &["GITEA_SERVER_URL", "GITHUB_SERVER_URL"],
        api_path: "api/v1",
        default_api: None,
        repository: &["GITEA_REPOSITORY", "GITHUB_REPOSITORY"],
        tokens: &[
            ("GITEA_TOKEN", TokenHeader::Token),
            ("GITHUB_TOKEN", TokenHeader::Token),
        ],
        number: None,
        comments: "repos/{repository}/issues/{number}/comments",
        paging: "per_page=100",
        comment: "repos/{repository}/issues/comments/{id}",
        update: Method::PATCH,
        author: ["user", "login"],
        identity: IdentityRequest::User("login"),
        identity_permission: Some("the scope `read:user`"),
        ci_author: Some("gitea-actions"),
        accept: "application/json",
        permission: "the scope `write:issue`",
    },
    CommentPlatform {
        word: "gitlab",
        name: "GitLab",
        request: "merge request",
        ci: "GITLAB_CI",
        marks: &["CI_API_V4_URL"],
        api: &["CI_API_V4_URL"],
        server: &["CI_SERVER_URL"],
        api_path: "api/v4",
        default_api: None,
        // In a fork's pipeline, CI_PROJECT_ID is the fork, which has no merge request.
        repository: &["CI_MERGE_REQUEST_PROJECT_ID", "CI_PROJECT_ID"],
        tokens: &[
            ("GITLAB_TOKEN", TokenHeader::PrivateToken),
            ("CI_JOB_TOKEN", TokenHeader::JobToken),
        ],
        number: Some("CI_MERGE_REQUEST_IID"),
        comments: "projects/{repository}/merge_requests/{number}/notes",
        paging: "per_page=100&sort=asc&order_by=created_at",
        comment: "projects/{repository}/merge_requests/{number}/notes/{id}",
        update: Method::PUT,
        author: ["author", "username"],
        identity: IdentityRequest::User("username"),
        identity_permission: Some("the scope `api`"),
        ci_author: None,
        accept: "application/json",
        permission: "the scope `api` and the role Reporter; CI_JOB_TOKEN cannot write comments, so set GITLAB_TOKEN to a project access token",
    },
    CommentPlatform {
        word: "github",
        name: "GitHub",
        request: "pull request",
        ci: "GITHUB_ACTIONS",
        marks: &["GITHUB_API_URL", "GITHUB_REPOSITORY"],
        api: &["GITHUB_API_URL"],
        server: &[],
        api_path: "",
        default_api: Some("https://api.github.com"),
        repository: &["GITHUB_REPOSITORY"],
        tokens: &[
            ("GITHUB_TOKEN", TokenHeader::Bearer),
            ("GH_TOKEN", TokenHeader::Bearer),
        ],
        number: None,
        comments: "repos/{repository}/issues/{number}/comments",
        paging: "per_page=100",
        comment: "repos/{repository}/issues/comments/{id}",
        update: Method::PATCH,
        author: ["user", "login"],
        identity: IdentityRequest::GraphQl,
        identity_permission: None,
        ci_author: Some("github-actions[bot]"),
        accept: "application/vnd.github+json",
        permission: "`pull-requests: write` (in a workflow: under `permissions:` of the job; of a fine-grained token: Pull requests, read and write)",
    },
];
