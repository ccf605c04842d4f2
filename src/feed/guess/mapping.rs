//! Drafts a mapping for an export: from a preset that fits, or from the names of the columns. In
//! goes an `ExportProfile`; out comes YAML with comments on everything that somebody has to check.
//! The draft must never decide silently who is inactive. Start reading at `draft_mapping`.

use super::column_names::holds_secrets;
use super::field_names::{FieldTarget, fields_for_name};
use super::mapping_draft::{MappingDraft, quoted, table_start};
use super::numbered_addresses::NumberedAddresses;
use super::preset_mapping::mapping_from_preset;
use super::{ExportProfile, rivals};
use crate::feed::format::ExportFormat;
use crate::feed::preset;
use crate::kinds::{self, ACCOUNT, ADDRESS, FieldType, Kind, USER};
use crate::model::KindId;
use std::fmt::Write;

/// The least number of address fields in a list of objects that is taken for addresses.
const FIELDS: usize = 3;

/// Drafts a mapping called `name`: from the wanted preset, one that fits, or the column names.
pub fn draft_mapping(
    look: &ExportProfile,
    name: &str,
    wanted: Option<&str>,
) -> Result<MappingDraft, String> {
    let rivals = rivals(look);
    // Two presets that read a column in opposite ways fit equally well. Guessing could deactivate
    // all customers, so the user has to choose.
    if let (None, Some(first)) = (wanted, rivals.first()) {
        return Err(first.question());
    }
    let fit = match wanted {
        Some(wanted) => {
            // Only to fail on an unknown name.
            preset::mapping(wanted)?;
            look.fits.iter().find(|fit| fit.preset == wanted)
        }
        None => look.fits.first().filter(|fit| fit.is_good()),
    };
    match (wanted.or(fit.map(|fit| fit.preset)), fit) {
        (Some(preset), fit) => Ok(mapping_from_preset(preset, fit, look, name)),
        (None, _) => Ok(MappingDraft {
            text: mapping_from_names(look, name),
            preset: None,
        }),
    }
}

/// What the columns are, judged by their names.
pub(super) struct ColumnGuess<'l> {
    pub(super) look: &'l ExportProfile,
    /// The columns that may show who is inactive.
    pub(super) statuses: Vec<usize>,
    /// Columns with the fields that they were taken for.
    taken: Vec<(usize, FieldTarget)>,
    /// The list of objects that holds addresses.
    pub(super) list: Option<usize>,
    /// Addresses in numbered columns.
    numbered: Option<NumberedAddresses>,
}

fn mapping_from_names(look: &ExportProfile, name: &str) -> String {
    let guess = ColumnGuess::new(look);
    let mut text = guess.head(name);
    let mut needs = Vec::new();
    if guess.is_users() {
        text += &guess.section(kinds::get(USER), &mut needs);
    } else {
        text += &guess.section(kinds::get(ACCOUNT), &mut needs);
        text += &guess.addresses(&mut needs);
    }
    if !needs.is_empty() {
        text.push_str("# Still needed for new resources: a column, or `{constant: ..}`\n");
        needs.iter().for_each(|need| {
            let _ = writeln!(text, "#   {need}");
        });
    }
    text
}

impl<'l> ColumnGuess<'l> {
    fn new(look: &'l ExportProfile) -> Self {
        let lists = || look.first.iter().flat_map(|record| &record.lists);
        let is_address = |name: &str| {
            fields_for_name(name)
                .iter()
                .any(|(kind, _)| *kind == ADDRESS)
        };
        // Addresses are looked for in one place: in a nested list if there is one, otherwise in the
        // columns of the row.
        let list = lists().find(|(_, members)| {
            let first = members.first().map_or(&[][..], |member| &member.cells);
            let there = first.iter().enumerate().filter(|(_, cell)| cell.is_some());
            there
                .filter(|(at, _)| is_address(look.columns.name(*at)))
                .count()
                >= FIELDS
        });
        let mut guess = Self {
            look,
            statuses: Vec::new(),
            taken: Vec::new(),
            list: list.map(|(at, _)| *at),
            numbered: match list {
                Some(_) => None,
                None => NumberedAddresses::find(&look.columns),
            },
        };
        // Statuses first, because a name such as `state` would otherwise be taken for the region of
        // an address.
        let columns = 0..look.columns.len();
        guess.statuses = columns.filter(|at| guess.is_status(*at)).collect();
        let count = |kinds: &[KindId]| {
            let names = look.columns.names();
            names
                .filter(|name| {
                    fields_for_name(name)
                        .iter()
                        .any(|(kind, _)| kinds.contains(kind))
                })
                .count()
        };
        let person = |field: &str| {
            look.columns
                .names()
                .any(|name| fields_for_name(name).contains(&(USER, field)))
        };
        // A list of users also has columns of their customer, so user columns need not outnumber
        // those of accounts by much.
        let users = person("lastName")
            && person("email")
            && count(&[USER]) + 1 >= count(&[ACCOUNT, ADDRESS]);
        let kinds: &[KindId] = if users { &[USER] } else { &[ACCOUNT, ADDRESS] };
        // In the order of the columns, and each field once: in `Name, Name 2` the first one is
        // meant.
        for (at, name) in look.columns.names().enumerate() {
            if guess.statuses.contains(&at) || guess.is_numbered(at) {
                continue;
            }
            let open = |target: &&FieldTarget| {
                kinds.contains(&target.0)
                    && !guess.has_field(**target)
                    && guess.can_be_field(at, **target)
            };
            if let Some(target) = fields_for_name(name).iter().find(open) {
                guess.taken.push((at, *target));
            }
        }
        guess
    }

    fn is_users(&self) -> bool {
        self.taken.iter().any(|(_, (kind, _))| *kind == USER)
    }

    fn has_field(&self, target: FieldTarget) -> bool {
        self.taken.iter().any(|(_, known)| *known == target)
    }

    fn column(&self, kind: KindId, field: &str) -> Option<&str> {
        let numbered = self.numbered.iter().filter(|_| kind == ADDRESS);
        let mut numbered = numbered.flat_map(|numbered| &numbered.columns);
        if let Some((_, column)) = numbered.find(|(known, _)| *known == field) {
            return Some(column);
        }
        let found = self
            .taken
            .iter()
            .find(|(_, target)| target.0 == kind && target.1 == field);
        found.map(|(at, _)| self.look.columns.name(*at))
    }

    /// Returns whether a column can be a field. Statuses are handled separately.
    fn can_be_field(&self, at: usize, (kind, field): FieldTarget) -> bool {
        let in_place = match (kind, &self.numbered) {
            (ADDRESS, Some(numbered)) => numbered.columns.iter().all(|(known, _)| *known != field),
            (ADDRESS, None) => self.list.is_none() || self.in_list(at),
            _ => true,
        };
        field != "status" && in_place
    }

    fn is_numbered(&self, at: usize) -> bool {
        let numbered = self.numbered.as_ref();
        numbered.is_some_and(|numbered| numbered.taken.contains(&at))
    }

    /// The values of a column, without blanks.
    pub(super) fn texts(&self, at: usize) -> impl Iterator<Item = &str> {
        self.look.texts(at)
    }

    pub(super) fn in_list(&self, at: usize) -> bool {
        let lists = self
            .look
            .first
            .iter()
            .filter_map(|record| record.list(self.list?));
        lists.flatten().any(|member| member.cell(at).is_some())
    }

    /// Writes what precedes the sections.
    fn head(&self, name: &str) -> String {
        let outcome = &self.look.outcome;
        let mut text = format!(
            "# A first guess from the column names. Check every line against the export.\napiVersion: roster/v1\nname: {}\n",
            quoted(name)
        );
        let _ = writeln!(text, "format: {}", outcome.format.key());
        if outcome.format == ExportFormat::Csv {
            let delimiter = quoted(&outcome.delimiter.unwrap_or(',').to_string());
            let encoding = outcome.encoding.to_lowercase();
            let _ = write!(text, "csv: {{delimiter: {delimiter}, encoding: {encoding}");
            if !self.look.header {
                let names: Vec<String> = self.look.columns.names().map(quoted).collect();
                let _ = write!(text, ", names: [{}]", names.join(", "));
            }
            text.push_str("}\n");
        }
        text += &table_start(self.look);
        if let Some(rows) = &self.look.rows {
            let _ = writeln!(text, "rows: {}", quoted(rows));
        }
        if let Some(trailer) = &self.look.trailer {
            let _ = writeln!(text, "trailer: {}", quoted(trailer));
        }
        text.push_str("# locale: de   # format of numbers and dates, if any are mapped\n");
        text + &self.ignored()
    }

    /// Writes the columns that could not be assigned, with an example value each.
    fn ignored(&self) -> String {
        let taken = |at: usize| {
            let known = self.taken.iter().any(|(known, _)| *known == at);
            known || self.list == Some(at) || self.is_numbered(at)
        };
        let others =
            (0..self.look.columns.len()).filter(|at| !taken(*at) && !self.statuses.contains(at));
        let lines: Vec<String> = others
            .map(|at| {
                let name = quoted(self.look.columns.name(at));
                // The draft is written to a file that is often committed. No password may end up in
                // it.
                let secret = holds_secrets(self.look.columns.name(at));
                let example = self.texts(at).next().filter(|_| !secret).map(|text| {
                    let shown: String = text
                        // Values may be long notes with line breaks, which would break the comment.
                        .chars()
                        .take(40)
                        .map(|c| if c.is_control() { ' ' } else { c })
                        .collect();
                    format!("   # as `{shown}`")
                });
                let note = if self.is_yes_or_no(at) && !secret {
                    ": if it shows who is inactive, map it as `status`"
                } else {
                    ""
                };
                format!("  - {name}{}{note}\n", example.unwrap_or_default())
            })
            .collect();
        if lines.is_empty() {
            return String::new();
        }
        format!(
            "ignore:   # unknown: map them or leave them here\n{}",
            lines.concat()
        )
    }

    fn section(&self, kind: &Kind, needs: &mut Vec<String>) -> String {
        let mut text = format!("{}:\n", kind.collection);
        let id = self.column(kind.id, "externalId");
        let column = quoted(id.unwrap_or_else(|| self.look.columns.name(0)));
        let note = match id {
            Some(_) => "",
            None => "   # no column looks like an id; choose one that is unique and never changes",
        };
        let _ = writeln!(text, "  externalId: {column}{note}");
        let name = self.column(ACCOUNT, "name");
        let stands_in = |field: &str| match (kind.id, field) {
            (ACCOUNT, "companyRegistrationName") => name,
            _ => None,
        };
        text += &self.fields(kind, "  ", &stands_in, needs);
        text
    }

    /// Writes the fields of a kind that have columns. Required fields without one are added to
    /// `needs`.
    fn fields(
        &self,
        kind: &Kind,
        indent: &str,
        stands_in: &dyn Fn(&str) -> Option<&'l str>,
        needs: &mut Vec<String>,
    ) -> String
    where
        Self: 'l,
    {
        let mut text = String::new();
        for field in kind.fields {
            let inline = matches!(field.ty, FieldType::Links { inline: true, .. });
            let member = field.name.contains('.');
            if field.name == "status" {
                // Only accounts and users have a status of their own. A status column in the row of
                // an address means its account.
                if kind.id != ADDRESS {
                    text += &self.status(indent);
                }
                continue;
            }
            match self.column(kind.id, field.name) {
                Some(column) => {
                    let _ = writeln!(
                        text,
                        "{indent}  {}: {}",
                        field.name,
                        Self::cell(&field.ty, column)
                    );
                }
                None if !field.required || inline || member => {}
                // Without a legal name, the display name is proposed, since a new account needs
                // one.
                None => match stands_in(field.name) {
                    Some(column) => {
                        let _ = writeln!(
                            text,
                            "{indent}  {}: {}   # no column of its own",
                            field.name,
                            quoted(column)
                        );
                    }
                    None => needs.push(format!("{}.{}: {}", kind.name, field.name, field.doc)),
                },
            }
        }
        if text.is_empty() {
            return text;
        }
        format!("{indent}fields:\n{text}")
    }

    /// Writes the cell of a column. `add` never touches members that came from elsewhere, so it is
    /// the safe proposal for a list.
    fn cell(ty: &FieldType, column: &str) -> String {
        let name = quoted(column);
        if ty.is_list() {
            return format!(
                "{{column: {name}, list: add}}   # or `replace`, if it has all members"
            );
        }
        name
    }

    fn addresses(&self, needs: &mut Vec<String>) -> String {
        let kind = kinds::get(ADDRESS);
        let taken = self.taken.iter();
        let found = taken.filter(|(_, target)| target.0 == ADDRESS).count();
        // One or two address-like columns, such as a country, do not make an address.
        if found < FIELDS && self.numbered.is_none() {
            needs.push("Account.addresses: no column looks like an address".to_owned());
            return String::new();
        }
        let mut text = "  addresses:\n".to_owned();
        if let Some(list) = self.list {
            let _ = writeln!(text, "    rows: {}", quoted(self.look.columns.name(list)));
        }
        if let Some(numbered) = &self.numbered {
            let _ = writeln!(text, "    numbered: {}", numbered.count);
        }
        let account = self.column(ACCOUNT, "externalId");
        let account = account.unwrap_or_else(|| self.look.columns.name(0));
        match self.column(ADDRESS, "externalId") {
            Some(column) => {
                let _ = writeln!(text, "    externalId: {}", quoted(column));
            }
            // Without an id column, the id is built from that of the account and the number. It
            // stays the same as long as the export keeps the order of the addresses.
            None if self.numbered.is_some() => {
                let made = quoted(&format!("{{{account}}}-{{n}}"));
                let _ = writeln!(
                    text,
                    "    externalId: {{template: {made}}}   # no column: numbered by its position in the row"
                );
            }
            None => {
                if let (Some(street), None) = (self.column(ADDRESS, "street"), self.list) {
                    let _ = writeln!(
                        text,
                        "    when: {{column: {}, blank: false}}",
                        quoted(street)
                    );
                }
                let made = quoted(&format!("{{{account}}}-main"));
                let _ = writeln!(
                    text,
                    "    externalId: {{template: {made}}}   # no column: an account has one address"
                );
            }
        }
        let name = self.column(ACCOUNT, "name");
        let stands_in = |field: &str| {
            (field == "fullName" && self.list.is_none())
                .then_some(name)
                .flatten()
        };
        text += &self.fields(kind, "    ", &stands_in, needs);
        text
    }
}
