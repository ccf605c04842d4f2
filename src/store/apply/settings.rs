//! The settings that govern an apply, as they will be after it. A plan may change the settings and,
//! in the same run, create accounts that must already follow them.

use super::super::connection::SqlTransaction;
use super::super::error::StoreError;
use super::super::read;
use crate::kinds;
use crate::model::Value;
use crate::plan::Plan;

/// The settings that an apply depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct EffectiveSettings {
    /// New accounts wait for approval.
    pub(super) approval: bool,
    /// The access that new users start with.
    pub(super) access: InitialAccess,
    /// An active account must keep an active user.
    pub(super) first_user: bool,
    /// Which links get login names.
    pub(super) names: LoginNameScope,
}

/// The access of users whose access nobody has set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum InitialAccess {
    Unregistered,
    /// The shop has logins of its own.
    Enabled,
}

impl InitialAccess {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Unregistered => "unregistered",
            Self::Enabled => "enabled",
        }
    }
}

/// Which links get login names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LoginNameScope {
    /// No link: people log in by e-mail.
    None,
    /// New links and links of renumbered accounts.
    New,
    /// Every link without a name: this plan changes the login mode.
    All,
}

/// The stored settings with the plan's changes on top.
pub(super) async fn effective_settings(
    tx: &mut SqlTransaction,
    plan: &Plan,
) -> Result<EffectiveSettings, StoreError> {
    let key = kinds::settings_key();
    let kind = kinds::get(key.kind);
    let stored = read::read_row(tx, &key).await?;
    let steps = plan.steps.iter().filter(|step| step.key == key);
    let changes: Vec<_> = steps.flat_map(|step| step.changes().into_owned()).collect();
    let value = |name: &str| -> Option<Value> {
        let field = kinds::own_field(kind.expect_index(name));
        let change = changes.iter().find(|change| change.field == field);
        let said = match change {
            Some(change) => change.after.clone(),
            None => stored.as_ref().and_then(|row| row.value(&field).cloned()),
        };
        said.or_else(|| kind.field(&field)?.default.value())
    };
    let word = |name| value(name).and_then(|value| value.as_text().map(str::to_owned));
    let mode = kinds::own_field(kind.expect_index("loginMode"));
    let switched = changes.iter().any(|change| change.field == mode);
    let names = match word("loginMode").as_deref() {
        Some("email") => LoginNameScope::None,
        // Links made while the mode was e-mail have no names, so a switch has to name all of them.
        _ if switched => LoginNameScope::All,
        _ => LoginNameScope::New,
    };
    Ok(EffectiveSettings {
        approval: value("accountApproval") == Some(Value::Bool(true)),
        access: match word("initialAccess").as_deref() {
            Some("enabled") => InitialAccess::Enabled,
            _ => InitialAccess::Unregistered,
        },
        first_user: word("firstUser").as_deref() == Some("required"),
        names,
    })
}
