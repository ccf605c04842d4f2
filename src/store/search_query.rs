//! What a search looks for.

/// The conditions of a search.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery<'a> {
    /// Words to find in the external id or a text field, ignoring case.
    pub words: Option<&'a str>,
    pub status: Option<&'a str>,
    /// Only what belongs to this account: its users, organisations, policies, addresses and tags.
    pub account: Option<&'a str>,
    /// Only the resource with this external id.
    pub id: Option<&'a str>,
    /// Only what this source claims.
    pub source: Option<&'a str>,
    /// Only accounts that wait for an approval.
    pub pending: bool,
    /// Only resources that are blocked.
    pub blocked: bool,
    /// Only what this user sees. Nothing of a kind for which there is no rule.
    pub as_user: Option<&'a str>,
    /// Only what comes after this, the `next` of the page before.
    pub after: Option<&'a str>,
    /// The page size.
    pub limit: u32,
    /// How many resources are looked at for a page. Default: what takes a fraction of 100 ms.
    pub part: Option<u32>,
}
