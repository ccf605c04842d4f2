//! Who changes something, and what both changes of the own details and those of others share: the
//! checks that a field is free to be changed.

use super::customer::LoggedInCustomer;
use super::enforcement::{EnforcementRules, TouchedField};
use super::history::{RecordedRun, UserChange};
use super::login::{LoginMode, setting, users_with_email};
use super::person::{self, PersonalDetails};
use super::request::{SelfServiceError, SelfServiceRefusal};
use crate::kinds::{self, USER};
use crate::model::Value;
use crate::store::connection::SqlTransaction;
use std::collections::BTreeMap;

/// A change that was written and not yet committed.
pub(super) struct WrittenChange {
    /// `None` if nothing differed.
    pub(super) run: Option<RecordedRun>,
    /// The user of an account that the change was for.
    pub(super) user: Option<String>,
}

/// The person who changes something, and what sources have a say in.
pub(super) struct SelfServiceScene<'a> {
    pub(super) customer: &'a LoggedInCustomer,
    pub(super) rules: &'a EnforcementRules,
    pub(super) mode: LoginMode,
}

/// Writes the details that differ, unless a source enforces one of them.
pub(super) async fn write_details(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    person: &PersonalDetails,
    details: &BTreeMap<&'static str, Option<String>>,
    change: &mut UserChange,
) -> Result<(), SelfServiceError> {
    let differs =
        |(field, value): &(&&'static str, &Option<String>)| person.value(field) != value.as_deref();
    let changed: BTreeMap<&'static str, Option<String>> = details
        .iter()
        .filter(differs)
        .map(|(field, value)| (*field, value.clone()))
        .collect();
    let cleared = changed.iter().filter(|(_, value)| value.is_none());
    let cleared: Vec<&'static str> = cleared.map(|(field, _)| *field).collect();
    require_clearable(tx, scene.mode, cleared).await?;
    let touched = changed.keys().map(|field| TouchedField::Field(field));
    let touched: Vec<TouchedField<'_>> = touched.collect();
    require_free(tx, scene, &person.external_id, &touched).await?;
    if let Some(Some(email)) = changed.get("email") {
        require_free_email(tx, scene.mode, &person.external_id, email).await?;
    }
    person::write(tx, &person.external_id, &changed).await?;
    change.changed_details(&person.values, &changed);
    Ok(())
}

/// Fails if a user needs one of these details: the settings do not make it optional, or people log in
/// with it.
async fn require_clearable(
    tx: &mut SqlTransaction,
    mode: LoginMode,
    mut cleared: Vec<&'static str>,
) -> Result<(), SelfServiceError> {
    if cleared.is_empty() {
        return Ok(());
    }
    let kind = kinds::get(USER);
    let optional = setting(tx, "optionalFields").await?;
    cleared.retain(|field| {
        let name = format!("{}.{field}", kind.name);
        let mut optional = optional.iter().flat_map(Value::members);
        let is_optional = optional.any(|member| **member == name);
        let is_login = *field == "email" && mode.by_email;
        is_login || kind.fields[kind.expect_index(field)].required && !is_optional
    });
    if cleared.is_empty() {
        Ok(())
    } else {
        Err(SelfServiceRefusal::Needed(cleared).into())
    }
}

/// Fails if a source enforces one of these fields of a user.
pub(super) async fn require_free(
    tx: &mut SqlTransaction,
    scene: &SelfServiceScene<'_>,
    user: &str,
    touched: &[TouchedField<'_>],
) -> Result<(), SelfServiceError> {
    let enforced = scene.rules.enforced(tx, user, touched).await?;
    if enforced.is_empty() {
        Ok(())
    } else {
        Err(SelfServiceRefusal::Declared(enforced).into())
    }
}

/// Fails if people log in with e-mail addresses and another active user has this one.
pub(super) async fn require_free_email(
    tx: &mut SqlTransaction,
    mode: LoginMode,
    user: &str,
    email: &str,
) -> Result<(), SelfServiceError> {
    if !mode.by_email {
        return Ok(());
    }
    let active = "(SELECT * FROM users WHERE status = 'active') AS u";
    let found = users_with_email(tx, active, email).await?;
    let mut others = found.iter().filter_map(|cells| cells[0].as_text());
    if others.any(|other| other != user) {
        return Err(SelfServiceRefusal::EmailTaken.into());
    }
    Ok(())
}
