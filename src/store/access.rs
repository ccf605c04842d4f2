//! How a database is opened, and how its address is shown.

/// What a store is opened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreAccess {
    /// Nothing is written, nothing is created: read rights are enough.
    Read,
    /// A missing SQLite file is created.
    Write,
}

/// The URL without its password.
pub(super) fn redacted(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = match rest.rsplit_once('@') {
        Some((login, host)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{user}@{host}")
        }
        None => rest.to_owned(),
    };
    // A password may also stand in the query.
    let shown = rest.split('?').next().unwrap_or_default();
    format!("{scheme}://{shown}")
}
