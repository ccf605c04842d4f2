//! Rules on addresses that accounts share.
//!
//! Several accounts may link one address by its id. A mistyped id gives a customer somebody else's
//! address, and a change for one customer changes the deliveries of the others.

use super::field_index::{account, address};
use super::rule_diagnostic::list_keys;
use super::{
    CheckContext, PlannedOutcome, PlannedState, ResourceView, RuleDiagnostic, RuleDiagnostics,
};
use crate::diagnostic::codes;
use crate::kinds::{self, ACCOUNT, ADDRESS};
use crate::model::{CompactText, DeclaredResource, Key, Value};

/// The number of accounts in a message. All of them are affected, so nearly all are named.
const NAMED: usize = 1000;

fn key(id: &CompactText) -> Key {
    Key {
        kind: ADDRESS,
        id: id.clone(),
    }
}

/// Reports an address that an account uses neither for shipping nor for billing.
pub(super) fn no_use(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let links = view
        .value(account::ADDRESSES)
        .map_or(&[][..], Value::as_links);
    for link in links {
        // Both written as `false`. `None` is a flag that an export left out, and the stored one
        // stays.
        if link.attributes == [Some(0), Some(0)] {
            let id = &link.target;
            let message = format!("address `{id}` is for neither shipping nor billing");
            let code = codes::ADDRESS_NO_USE;
            let found = RuleDiagnostic::at_own_field(
                scene.world,
                code,
                view.key,
                account::ADDRESSES,
                message,
            );
            let help = "Leave one flag out, set it to `true`, or remove the address from the list";
            out.push(found.member(id).help(help));
        }
    }
}

/// Reports a stored address that is linked to another account without its required fields.
pub(super) fn link_incomplete(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    // An id alone is easily mistyped. Written with all its fields, a wrong one would show as a
    // change of the address, which `link_and_update` reports.
    if view.outcome().is_none() {
        return;
    }
    let world = scene.world;
    let before = world.before(view.key);
    for id in view.targets(account::ADDRESSES) {
        let address = key(id);
        let known = world.before(&address).is_some();
        if !known || before.is_some_and(|before| before.links_to(account::ADDRESSES, id)) {
            continue;
        }
        let Some(declared) = world.declared(&address) else {
            // The source does not declare the address, so the link is a `ref:` and left nothing
            // out.
            continue;
        };
        let missing = missing_required_fields(declared);
        if missing.is_empty() || !is_inline(world, declared) {
            continue;
        }
        let message = format!(
            "address `{id}` is linked to {} without {}",
            view.key,
            missing.join(", ")
        );
        let code = codes::ADDRESS_LINK_INCOMPLETE;
        let found =
            RuleDiagnostic::at_own_field(world, code, view.key, account::ADDRESSES, message)
                .help("Write it in full, or declare it as an Address and use `ref:`");
        out.push(found.involving(world, &address));
    }
}

fn missing_required_fields(declared: &DeclaredResource) -> Vec<&'static str> {
    let fields = kinds::get(ADDRESS).fields.iter().enumerate();
    fields
        .filter(|(index, field)| field.required && declared.value(*index).is_none())
        .map(|(_, field)| field.name)
        .collect()
}

/// Whether an address is written inside the list of an account and not as a document of its own.
///
/// The reader makes the same resource of both, so positions decide: an inline address comes after
/// the start of the list, in the same file, and before the next field of the account.
fn is_inline(world: &PlannedState<'_>, declared: &DeclaredResource) -> bool {
    let holders = world.referrers(ACCOUNT, account::ADDRESSES, &declared.key);
    holders.iter().any(|holder| {
        let Some(holder) = world.declared(holder) else {
            return false;
        };
        let Some(list) = holder.stated(&kinds::own_field(account::ADDRESSES)) else {
            return false;
        };
        let between = |cell: &crate::model::StatedField| {
            cell.position > list.position && cell.position < declared.position
        };
        holder.path == declared.path
            && list.position <= declared.position
            && !holder.cells.iter().any(between)
    })
}

/// Reports an address that a plan changes for the accounts that have it, and links to another
/// account.
pub(super) fn link_and_update(
    scene: &CheckContext<'_, '_>,
    view: ResourceView<'_>,
    out: &mut RuleDiagnostics,
) {
    let Some(PlannedOutcome::Change(changes)) = view.outcome() else {
        return;
    };
    // `protect` only guards against removal. It changes nothing for those who use the address.
    let protect = kinds::own_field(address::PROTECT);
    let Some(first) = changes.iter().find(|change| change.field != protect) else {
        return;
    };
    let world = scene.world;
    let before = world.referrers_before(ACCOUNT, account::ADDRESSES, view.key);
    let after = world.referrers(ACCOUNT, account::ADDRESSES, view.key);
    let new: Vec<&Key> = after
        .iter()
        // Referrers are sorted.
        .filter(|account| before.binary_search(account).is_err())
        .copied()
        .collect();
    if before.is_empty() || new.is_empty() {
        return;
    }
    let message = format!(
        "{} changes for {} and is linked to {} in the same pass",
        view.key,
        list_keys(before.iter().copied(), NAMED),
        list_keys(new.iter().copied(), NAMED)
    );
    let code = codes::ADDRESS_LINK_AND_UPDATE;
    let found = RuleDiagnostic::at_field(world, code, view.key, &first.field, message)
        .help("Give the new account its own address, unless all accounts need the change");
    out.push(new.into_iter().take(NAMED).fold(found, |found, account| {
        found.involving_field(world, account, account::ADDRESSES)
    }));
}
