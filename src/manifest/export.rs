//! A stored directory as manifests: a folder an account, what belongs to no single account beside.

use super::write;
use crate::kinds::{self, ACCOUNT, Field, Kind, Type};
use crate::model::{FieldRef, Key, Keyed, KindId, Row, Text, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

/// What a directory is written as.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Export {
    /// The manifests, by path.
    pub manifests: BTreeMap<String, String>,
    /// The documents that they point to, by path: the SHA-256 of each.
    pub documents: BTreeMap<String, String>,
}

/// Writes every row into the file where it belongs.
///
/// The same rows give the same bytes, and what is written reads back as the same cells: what a
/// create writes by itself is left out, an address of one account is written out within it.
#[must_use]
pub fn export(rows: &Keyed<Row>) -> Export {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by(|a, b| a.key.cmp(&b.key));
    let layout = Layout::new(rows, &sorted);
    let mut export = Export::default();
    for row in &sorted {
        if layout.inline.contains(&row.key) {
            continue;
        }
        let path = layout.path(row);
        let (text, documents) = layout.document(row);
        let file = export.manifests.entry(path).or_default();
        if !file.is_empty() {
            file.push_str("---\n");
        }
        file.push_str(&text);
        export.documents.extend(documents);
    }
    export
}

/// Where everything goes.
struct Layout<'a> {
    rows: &'a Keyed<Row>,
    /// The folder of each account.
    folders: HashMap<&'a str, String>,
    /// What is written within the only resource that links to it.
    inline: BTreeSet<Key>,
}

impl<'a> Layout<'a> {
    fn new(rows: &'a Keyed<Row>, sorted: &[&'a Row]) -> Self {
        let accounts = sorted.iter().filter(|row| row.key.kind == ACCOUNT);
        let ids: Vec<&str> = accounts.map(|row| row.key.id.as_str()).collect();
        let inline = used_once(sorted).filter(|key| rows.contains(key)).collect();
        Self {
            rows,
            folders: file_names(&ids),
            inline,
        }
    }

    /// The file of a row: of the first account it belongs to, or beside the accounts.
    fn path(&self, row: &Row) -> String {
        let kind = kinds::get(row.key.kind);
        if kind.id == ACCOUNT {
            return format!("{}/{}.yaml", self.folder(&row.key.id), kind.singular);
        }
        let file = kebab(kind.collection);
        match first_account(kind, row) {
            Some(account) => format!("{}/{file}.yaml", self.folder(account)),
            None => format!("{file}.yaml"),
        }
    }

    fn folder(&self, account: &str) -> String {
        let name = self.folders.get(account).cloned();
        format!(
            "accounts/{}",
            name.unwrap_or_else(|| file_name(account, false))
        )
    }

    /// One document, and the documents it points to.
    fn document(&self, row: &Row) -> (String, Vec<(String, String)>) {
        let kind = kinds::get(row.key.kind);
        let mut documents = Vec::new();
        let mut said = said(row);
        for (field, value) in &mut said {
            let is_file = kind
                .field(field)
                .is_some_and(|field| matches!(field.ty, Type::File));
            if let (true, Some((path, sha256))) = (is_file, file(value)) {
                let (path, sha256) = (document_path(kind, &row.key.id, path), sha256.to_owned());
                *value = Value::text(format!("{path} sha256:{sha256}"));
                documents.push((path, sha256));
            }
        }
        let said = said.iter().map(|(field, value)| (field, value));
        let inline = |id: &str| self.written_within(kind, id);
        let fields = write::fields(kind, &row.key.id, said, &inline);
        (format!("kind: {}\n{fields}", kind.name), documents)
    }

    fn written_within(&self, outer: &Kind, id: &str) -> Option<String> {
        let key = Key::new(inlined(outer)?.1, id);
        let row = self.inline.get(&key).and_then(|key| self.rows.get(key))?;
        let said = said(row);
        let said = said.iter().map(|(field, value)| (field, value));
        Some(write::fields(kinds::get(key.kind), id, said, &|_| None))
    }
}

/// What a manifest has to say of a row: what a create would not write by itself.
fn said(row: &Row) -> Vec<(FieldRef, Value)> {
    let kind = kinds::get(row.key.kind);
    let own = row.values.iter().enumerate().filter_map(|(index, value)| {
        let value = value
            .as_ref()
            .filter(|value| is_said(&kind.fields[index], value))?;
        Some((kinds::own(index), value.clone()))
    });
    let custom = row.custom.iter();
    let custom = custom.map(|(id, value)| (FieldRef::Custom(id.clone()), value.clone()));
    own.chain(custom).collect()
}

fn is_said(field: &Field, value: &Value) -> bool {
    match field.default.value() {
        Some(default) => default != *value,
        None => !value.is_empty_list(),
    }
}

/// The list of a kind whose members may be written out in it, and their kind.
fn inlined(kind: &Kind) -> Option<(usize, KindId)> {
    let mut fields = kind.fields.iter().enumerate();
    fields.find_map(|(index, field)| match field.ty {
        Type::Links {
            kind, inline: true, ..
        } => Some((index, kind)),
        _ => None,
    })
}

/// What exactly one resource links to and may write out.
fn used_once(rows: &[&Row]) -> impl Iterator<Item = Key> {
    let mut users: BTreeMap<Key, usize> = BTreeMap::new();
    for row in rows {
        let Some((index, kind)) = inlined(kinds::get(row.key.kind)) else {
            continue;
        };
        for id in row.values[index].iter().flat_map(Value::members) {
            *users.entry(Key::new(kind, id)).or_default() += 1;
        }
    }
    users
        .into_iter()
        .filter_map(|(key, users)| (users == 1).then_some(key))
}

fn first_account<'a>(kind: &Kind, row: &'a Row) -> Option<&'a str> {
    let (index, _) = kind.references().find(|(_, target)| *target == ACCOUNT)?;
    let value = row.values[index].as_ref()?;
    value
        .as_text()
        .or_else(|| value.members().next().map(Text::as_str))
}

/// The path and the hash within a file's value.
fn file(value: &Value) -> Option<(&str, &str)> {
    value.as_text()?.rsplit_once(" sha256:")
}

/// Where a document goes: where it was, since a moved one is a change, unless that is no place for
/// it below another root.
fn document_path(kind: &Kind, id: &str, path: &str) -> String {
    let plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    let ending = path
        .rsplit('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let manifest = matches!(ending.as_str(), "yaml" | "yml" | "json");
    if !manifest && !path.contains(['\\', ':']) && path.split('/').all(plain) {
        return path.to_owned();
    }
    format!("{}/{}", kind.collection, file_name(id, true))
}

/// `custom-fields` of `customFields`.
fn kebab(name: &str) -> String {
    name.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_uppercase() {
            out.push('-');
        }
        out.push(c.to_ascii_lowercase());
        out
    })
}

/// A file name for each id, distinct also where capitals do not count.
fn file_names<'a>(ids: &[&'a str]) -> HashMap<&'a str, String> {
    let mut alike: HashMap<String, usize> = HashMap::new();
    for id in ids {
        *alike.entry(id.to_lowercase()).or_default() += 1;
    }
    let names = ids
        .iter()
        .map(|id| (*id, file_name(id, alike[&id.to_lowercase()] > 1)));
    names.collect()
}

/// The longest name that is kept whole: file systems take 255 bytes.
const LONGEST: usize = 180;

/// An id as the name of a file: what is no letter, digit, `-`, `_` or inner `.` is percent-encoded,
/// and `capitals` too where asked for.
fn file_name(id: &str, capitals: bool) -> String {
    let mut name = String::new();
    for (at, c) in id.char_indices() {
        let dot = c == '.' && at > 0 && at + 1 < id.len();
        let safe = c.is_alphanumeric() && !(capitals && c.is_uppercase());
        if safe || dot || matches!(c, '-' | '_') {
            name.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                let _ = write!(name, "%{byte:02X}");
            }
        }
    }
    shortened(name, id)
}

fn shortened(mut name: String, id: &str) -> String {
    if name.len() > LONGEST {
        let end = (0..=LONGEST).rev().find(|end| name.is_char_boundary(*end));
        name.truncate(end.unwrap_or_default());
        let digest = crate::model::Digest::of(id.as_bytes()).to_string();
        // `~` stands in no other name.
        let _ = write!(name, "~{}", &digest[..16]);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::{ADDRESS, POLICY, TERMS, USER};
    use crate::manifest::{LoadOptions, Tree, load};
    use crate::model::Cell;

    #[test]
    fn names_of_files_are_safe_and_distinct() {
        let long = "å".repeat(120);
        for (id, name) in [
            ("acme", "acme"),
            ("0010.a_b-c", "0010.a_b-c"),
            ("..", "%2E%2E"),
            (".git", "%2Egit"),
            ("a/b", "a%2Fb"),
            ("a b%", "a%20b%25"),
            ("~", "%7E"),
        ] {
            assert_eq!(file_name(id, false), name);
        }
        assert!(file_name(&long, false).len() < 255);
        assert_ne!(
            file_name(&long, false),
            file_name(&format!("{long}x"), false)
        );
        let names = file_names(&["acme", "Acme", "Beta"]);
        assert_eq!(names["acme"], "acme");
        assert_eq!(names["Acme"], "%41cme");
        assert_eq!(names["Beta"], "Beta");
    }

    #[test]
    fn a_document_stays_where_it_was_unless_that_is_no_place_for_it() {
        let kind = kinds::get(TERMS);
        assert_eq!(document_path(kind, "t", "docs/t.pdf"), "docs/t.pdf");
        for path in ["/etc/passwd", "../t.pdf", "a//b", "t.yaml", "c:\\t.pdf"] {
            assert_eq!(document_path(kind, "t/1", path), "terms/t%2F1");
        }
    }

    const TREE: &str = "accounts:\n- externalId: a/b\n  name: A\n  companyRegistrationName: A\n  businessRegistrationNumber: '1'\n  \
        addresses:\n  - {externalId: only, fullName: 'N: #', street: S, zipCode: '1', city: C, country: SE, billing: false, \
        customFields: {note: \"a\\n\\n  b\"}}\n  - ref: shared\n\
        - externalId: B\n  name: B\n  companyRegistrationName: B\n  businessRegistrationNumber: '2'\n  addresses: [ref: shared]\n  status: inactive\n\
        addresses:\n- {externalId: shared, fullName: N, street: S, zipCode: '1', city: C, country: SE, protect: true}\n\
        users:\n- {externalId: u, civility: MR, firstName: F, lastName: L, email: e@x.example, phone: '123', groups: [g], \
        accounts: [B, {account: a/b, level: administrator}]}\n- {externalId: nobody, civility: MR, firstName: F, lastName: L, \
        email: f@x.example, phone: '123', groups: [g]}\npolicies:\n- {externalId: p, name: P, account: B, reviewed: [u], approvers: [u]}\n";

    fn read(files: &BTreeMap<String, String>) -> BTreeMap<Key, Vec<(FieldRef, Cell)>> {
        let files = files
            .iter()
            .map(|(path, text)| (path.clone(), text.clone().into_bytes()));
        let loaded = load(&Tree::from_files(files), &LoadOptions::default());
        let faults: Vec<_> = loaded
            .diagnostics
            .iter()
            .filter(|found| found.is_error())
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
        let declared = loaded.desired.resources.iter().map(|declared| {
            let cells = declared.cells.iter();
            let cells = cells.map(|stated| (stated.field.clone(), stated.cell.clone()));
            (declared.key.clone(), cells.collect())
        });
        declared.collect()
    }

    fn rows(tree: &BTreeMap<Key, Vec<(FieldRef, Cell)>>) -> Keyed<Row> {
        let rows = tree.iter().map(|(key, cells)| {
            let kind = kinds::get(key.kind);
            let fields = kind.fields.iter();
            let mut row = Row {
                key: key.clone(),
                version: 1,
                values: fields.map(|field| field.default.value()).collect(),
                custom: BTreeMap::new(),
                facts: BTreeMap::new(),
            };
            for (field, cell) in cells {
                row.set(field, cell.value().cloned());
            }
            row
        });
        rows.collect()
    }

    #[test]
    fn a_directory_reads_back_as_it_is_stored() {
        let tree = read(&[("all.yaml".to_owned(), TREE.to_owned())].into());
        let rows = rows(&tree);
        let exported = export(&rows);
        let paths: Vec<&str> = exported.manifests.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "accounts/B/account.yaml",
                "accounts/B/policies.yaml",
                "accounts/B/users.yaml",
                "accounts/a%2Fb/account.yaml",
                "addresses.yaml",
                "users.yaml"
            ]
        );
        assert_eq!(read(&exported.manifests), tree);
        let account = &exported.manifests["accounts/a%2Fb/account.yaml"];
        assert!(
            account.contains("  - externalId: only\n    fullName: \"N: #\"\n"),
            "{account}"
        );
        assert!(
            account.contains("        b\n    billing: false\n  - ref: shared\n"),
            "{account}"
        );
        for kind in [ADDRESS, USER, POLICY] {
            assert!(rows.iter().any(|row| row.key.kind == kind));
        }
    }
}
