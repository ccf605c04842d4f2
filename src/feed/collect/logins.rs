//! Reads the login name of a user from a row. It is kept apart from the cells, because no source
//! states login names: a user keeps the one that the export brings along.

use super::ResourceCollector;
use super::row::RecordView;
use crate::diagnostic::{Diagnostic, codes};
use crate::feed::mapping::{CellContent, MappingSection, trimmed};
use crate::kinds::own_field;
use crate::model::{Cell, CompactText, Key, RowLogin, StatedField, Value};

impl ResourceCollector<'_> {
    /// Notes the login name of a row. A blank one says nothing.
    pub(super) fn login(
        &mut self,
        section: &MappingSection,
        key: &Key,
        row: &RecordView<'_>,
        said: &[StatedField],
    ) {
        let Some(cell) = &section.login else {
            return;
        };
        let (text, position) = match cell.read(row, &self.mapping.words) {
            Ok(CellContent::Text(text, at)) if !trimmed(&text).is_empty() => (text, at),
            Ok(_) => return,
            Err((fault, at)) => return self.report(&fault, Some(key), "login", at),
        };
        let accounts = own_field(section.kind.expect_index("accounts"));
        let stated = said.iter().find(|stated| stated.field == accounts);
        let members = stated.and_then(|stated| match &stated.cell {
            Cell::Value(all) => Some(all),
            Cell::Amend(some) => Some(&some.add),
            Cell::Blank | Cell::Clear => None,
        });
        let members = members.into_iter().flat_map(Value::members);
        let accounts: Vec<CompactText> = members.cloned().collect();
        if accounts.is_empty() {
            let message = format!("the login `{}` is of no account", trimmed(&text));
            let found = Diagnostic::new(codes::LOGIN_TAKEN, message)
                .help("Name the account of the login in the same row");
            let origin = self.origin(position);
            let found = found.for_resource(key).field("login");
            self.collected.diagnostics.push(found.at(origin));
            return;
        }
        self.collected.logins.push(RowLogin {
            user: key.clone(),
            accounts,
            name: trimmed(&text).into(),
            path: self.path.clone(),
            position,
        });
    }
}
