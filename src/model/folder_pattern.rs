//! The path of a scope, such as `accounts/{account}/**`: which files of a source it covers, and
//! which part of a path names their account. Start reading at [`FolderPattern::account_in`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// The placeholder for the external id of an account.
const ACCOUNT: &str = "{account}";
/// Any number of folders.
const ANY_FOLDERS: &str = "**";

/// A pattern for the paths of files.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FolderPattern {
    text: String,
    parts: Vec<PatternPart>,
}

/// What stands between two slashes.
#[derive(Clone, PartialEq, Eq, Debug)]
enum PatternPart {
    /// `**`: any number of folders; at the end, everything below.
    AnyFolders,
    /// A name, split at each `*`.
    Name(Vec<String>),
    /// `{account}`, with the text before and after it.
    Account(String, String),
}

impl FolderPattern {
    /// Whether it names the account of a folder. Without, it sets no boundary.
    pub fn has_account(&self) -> bool {
        let mut parts = self.parts.iter();
        parts.any(|part| matches!(part, PatternPart::Account(..)))
    }

    /// The part of a path that names the account; `None` if the path is not covered.
    pub fn account_in<'p>(&self, path: &'p str) -> Option<&'p str> {
        let names: Vec<&str> = path.split('/').collect();
        let mut account = None;
        let is_covered = covers(&self.parts, &names, &mut account);
        account.filter(|_| is_covered)
    }

    /// The folder with a folder for each account, if the pattern says no more than that; empty for
    /// the root.
    pub fn folder_of_accounts(&self) -> Option<String> {
        let [
            folders @ ..,
            PatternPart::Account(before, after),
            PatternPart::AnyFolders,
        ] = &self.parts[..]
        else {
            return None;
        };
        let names = folders.iter().map(|part| match part {
            PatternPart::Name(texts) if texts.len() == 1 => Some(texts[0].as_str()),
            _ => None,
        });
        let is_whole = before.is_empty() && after.is_empty();
        let names = names.collect::<Option<Vec<&str>>>()?;
        is_whole.then(|| names.join("/"))
    }

    /// The pattern with `*` in place of the account, and what covers all below a folder as `/`: the
    /// form of a CODEOWNERS file.
    pub fn as_code_owners_path(&self) -> String {
        let text = self.text.replace(ACCOUNT, "*");
        match text.strip_suffix(ANY_FOLDERS) {
            // GitLab takes `**` at the end for the files right below; a slash means all to both.
            Some(folder) => folder.to_owned(),
            None => text,
        }
    }
}

impl fmt::Display for FolderPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for FolderPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: String| Err(format!("the path `{text}` {why}"));
        if text.is_empty() {
            return Err(format!("the path is empty; write `accounts/{ACCOUNT}/**`"));
        }
        if let Some(odd) = text.chars().find(|c| is_reserved(*c)) {
            return wrong(format!(
                "contains `{}`, which has no meaning here; use `*`, `**` and `{ACCOUNT}`",
                odd.escape_default()
            ));
        }
        let names: Vec<&str> = text.split('/').collect();
        if names.iter().any(|name| ["", ".", ".."].contains(name)) {
            return wrong("has an empty part, `.` or `..`; write the path below the root of the source, without a slash at either end".to_owned());
        }
        let parts = names.iter().map(|name| PatternPart::parse(name));
        let parts = match parts.collect::<Result<Vec<PatternPart>, String>>() {
            Ok(parts) => parts,
            Err(why) => return wrong(why),
        };
        if let Err(why) = check_order(&parts) {
            return wrong(why);
        }
        let last = names.last().copied().unwrap_or_default();
        let is_file = [".yaml", ".yml", ".json"]
            .iter()
            .any(|ending| last.ends_with(ending));
        // A folder is no file, so the pattern would cover nothing and promise a boundary.
        if !is_file && !last.contains('*') {
            return wrong(format!("names a folder; write `{text}/**`"));
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }
}

/// Characters that other patterns give a meaning, or that no CODEOWNERS file can name.
fn is_reserved(c: char) -> bool {
    c.is_control() || "\\?[]!#".contains(c)
}

fn check_order(parts: &[PatternPart]) -> Result<(), String> {
    let is_account = |part: &PatternPart| matches!(part, PatternPart::Account(..));
    let is_any = |part: &PatternPart| *part == PatternPart::AnyFolders;
    if parts.iter().filter(|part| is_account(part)).count() > 1 {
        return Err(format!(
            "has `{ACCOUNT}` twice; a folder belongs to one account"
        ));
    }
    let account = parts.iter().position(is_account);
    let any = parts.iter().position(is_any);
    // Which folder names the account would depend on how the path is read.
    if any.zip(account).is_some_and(|(any, account)| any < account) {
        return Err(format!(
            "has `**` before `{ACCOUNT}`, so several folders could name the account; write each folder, or `*` for one"
        ));
    }
    if parts.windows(2).any(|pair| pair.iter().all(is_any)) {
        return Err("has `**` twice in a row; write it once".to_owned());
    }
    Ok(())
}

impl PatternPart {
    fn parse(name: &str) -> Result<Self, String> {
        if name == ANY_FOLDERS {
            return Ok(Self::AnyFolders);
        }
        if name.contains(ANY_FOLDERS) {
            return Err(format!(
                "has `**` in `{name}`; use it alone between slashes, or `*` for a part of a name"
            ));
        }
        let (before, after) = match name.split_once(ACCOUNT) {
            Some((before, after)) => (before, Some(after)),
            None => (name, None),
        };
        if before.contains(['{', '}']) || after.is_some_and(|after| after.contains(['{', '}'])) {
            return Err(format!(
                "has `{{` or `}}` in `{name}`; only `{ACCOUNT}` is known"
            ));
        }
        match after {
            Some(_) if name.contains('*') => Err(format!(
                "has `*` beside `{ACCOUNT}`, so it is unclear what names the account"
            )),
            Some(after) => Ok(Self::Account(before.to_owned(), after.to_owned())),
            None => Ok(Self::Name(name.split('*').map(str::to_owned).collect())),
        }
    }
}

/// Whether parts of a pattern cover the names of a path, and which name is that of the account.
fn covers<'p>(parts: &[PatternPart], names: &[&'p str], account: &mut Option<&'p str>) -> bool {
    let Some((part, parts)) = parts.split_first() else {
        return names.is_empty();
    };
    match part {
        PatternPart::AnyFolders if parts.is_empty() => !names.is_empty(),
        PatternPart::AnyFolders => {
            let mut rests = (0..names.len()).map(|skipped| &names[skipped..]);
            rests.any(|rest| covers(parts, rest, account))
        }
        PatternPart::Name(pieces) => match names.split_first() {
            Some((name, names)) => matches_name(pieces, name) && covers(parts, names, account),
            None => false,
        },
        PatternPart::Account(before, after) => {
            let Some((name, names)) = names.split_first() else {
                return false;
            };
            let id = name.strip_prefix(&**before);
            let id = id.and_then(|rest| rest.strip_suffix(&**after));
            *account = id.filter(|id| !id.is_empty());
            account.is_some() && covers(parts, names, account)
        }
    }
}

/// Whether a name consists of these pieces with anything between them.
fn matches_name(pieces: &[String], name: &str) -> bool {
    let [first, others @ ..] = pieces else {
        return name.is_empty();
    };
    let Some(mut rest) = name.strip_prefix(&**first) else {
        return false;
    };
    let Some((last, middle)) = others.split_last() else {
        return rest.is_empty();
    };
    for piece in middle {
        match rest.find(&**piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(&**last)
}

/// The external id that the name of a folder stands for. As `roster export` writes them, characters
/// that no file system allows everywhere are percent-encoded.
pub fn account_of_folder(name: &str) -> Cow<'_, str> {
    if !name.contains('%') {
        return Cow::Borrowed(name);
    }
    // Exactly one id for each name, so that nobody gets a second account by its spelling.
    decoded(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// `None` if the text is not percent-encoded UTF-8.
fn decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account<'p>(pattern: &str, path: &'p str) -> Option<&'p str> {
        let pattern: FolderPattern = pattern.parse().expect(pattern);
        pattern.account_in(path)
    }

    #[test]
    fn the_account_is_read_from_the_path() {
        for (pattern, path, expected) in [
            (
                "accounts/{account}/**",
                "accounts/acme/users.yaml",
                Some("acme"),
            ),
            (
                "accounts/{account}/**",
                "accounts/acme/a/b/c.json",
                Some("acme"),
            ),
            (
                "accounts/{account}/**",
                "accounts/a b%/x.yaml",
                Some("a b%"),
            ),
            ("accounts/{account}/**", "accounts/acme", None),
            ("accounts/{account}/**", "accounts/users.yaml", None),
            ("accounts/{account}/**", "Accounts/acme/users.yaml", None),
            (
                "accounts/{account}/**",
                "old/accounts/acme/users.yaml",
                None,
            ),
            (
                "accounts/{account}/*.yaml",
                "accounts/acme/x.yaml",
                Some("acme"),
            ),
            ("accounts/{account}/*.yaml", "accounts/acme/a/x.yaml", None),
            ("accounts/{account}.yaml", "accounts/a.b.yaml", Some("a.b")),
            ("accounts/{account}.yaml", "accounts/.yaml", None),
            ("*/c-{account}-x/**", "se/c-1-x/u.yaml", Some("1")),
            ("{account}/**/users*.yaml", "acme/users.yaml", Some("acme")),
            (
                "{account}/**/users*.yaml",
                "acme/a/b/users-2.yaml",
                Some("acme"),
            ),
            ("{account}/**/users*.yaml", "acme/a/b/user.yaml", None),
            ("people/**", "people/x.yaml", None),
        ] {
            assert_eq!(account(pattern, path), expected, "{pattern} {path}");
        }
    }

    #[test]
    fn a_pattern_that_would_cover_nothing_or_two_accounts_is_refused() {
        for (text, why) in [
            ("", "is empty"),
            ("accounts/{account}", "write `accounts/{account}/**`"),
            ("accounts/{account}/", "without a slash"),
            ("/accounts/{account}/**", "without a slash"),
            ("../{account}/**", "`..`"),
            ("accounts/{acount}/**", "only `{account}` is known"),
            ("{account}/{account}/**", "twice"),
            ("**/{account}/**", "before `{account}`"),
            ("a/{account}*/**", "unclear"),
            ("a/**b/x.yaml", "alone between slashes"),
            ("a/**/**", "twice in a row"),
            ("a?/{account}/**", "contains `?`"),
            ("a\\{account}/**", "contains `\\\\`"),
        ] {
            let error = text.parse::<FolderPattern>().expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn the_name_of_a_folder_stands_for_one_id() {
        for (name, id) in [
            ("acme", "acme"),
            ("a%2Fb", "a/b"),
            ("%41cme", "Acme"),
            ("a%252Fb", "a%2Fb"),
            ("100%", "100%"),
            ("a%zz", "a%zz"),
            ("a%ff", "a%ff"),
            ("a b", "a b"),
        ] {
            assert_eq!(account_of_folder(name), id);
        }
    }

    #[test]
    fn a_folder_of_accounts_is_plain() {
        for (text, folder) in [
            ("accounts/{account}/**", Some("accounts")),
            ("shop/customers/{account}/**", Some("shop/customers")),
            ("{account}/**", Some("")),
            ("*/{account}/**", None),
            ("accounts/c-{account}/**", None),
            ("accounts/{account}.yaml", None),
            ("**", None),
        ] {
            let pattern: FolderPattern = text.parse().expect(text);
            assert_eq!(pattern.folder_of_accounts().as_deref(), folder, "{text}");
        }
    }

    #[test]
    fn code_owners_get_a_star_and_a_slash() {
        for (text, path) in [
            ("accounts/{account}/**", "accounts/*/"),
            ("accounts/{account}.yaml", "accounts/*.yaml"),
            ("**", ""),
            ("a/**/tags.yaml", "a/**/tags.yaml"),
        ] {
            let pattern: FolderPattern = text.parse().expect(text);
            assert_eq!(pattern.as_code_owners_path(), path);
        }
    }
}
