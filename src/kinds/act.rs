//! The table of acts: what people decide about stored resources at run time, such as approving an
//! account or blocking a user. An act changes one runtime fact; the table says from which states to
//! which. The command line, the API and the page are derived from it, and the store executes it.
//! No manifest states these facts, so no pass undoes an act.

use super::{ACCOUNT, BLOCKED, Kind, USER};
use crate::model::KindId;

/// An act of a person on stored resources.
#[derive(Debug)]
pub struct ResourceAct {
    /// As in `roster user deactivate`.
    pub name: &'static str,
    /// The path of its route in the API.
    pub path: &'static str,
    /// The path of its form on the page.
    pub form: &'static str,
    /// The name of its operation in the OpenAPI document.
    pub operation: &'static str,
    /// As in "Deactivated 2 users".
    pub done: &'static str,
    /// The kind it is for; `None` for every kind with a status.
    pub kind: Option<KindId>,
    /// The runtime fact that it changes: the column of that name, unless `input` says otherwise.
    pub fact: &'static str,
    /// The states in which it is possible.
    pub from: &'static [&'static str],
    /// The state afterwards.
    pub to: &'static str,
    /// The states in which it is possible and which it leaves as they are.
    pub keeps: &'static [&'static str],
    /// Further columns that it empties.
    pub clears: &'static [&'static str],
    /// Further columns that it sets to the current time.
    pub stamps: &'static [&'static str],
    /// What its request says beside the ids and the reason.
    pub input: ActInput,
    /// Whether it decides about something that waits, so that it needs the permission to approve,
    /// and a repetition is `already-decided` instead of `wrong-state`.
    pub is_decision: bool,
    /// Whether it deletes the resource for good. It then takes one id, and asks for it again.
    pub is_final: bool,
    /// Whether everything that is stored about the resource goes too. It is then also possible for
    /// one that was deleted before, and needs the permission to administer.
    pub erases: bool,
    /// What else helps where no act on the fact is possible; empty if nothing does.
    pub instead: &'static str,
    /// What it does, in one sentence without its full stop.
    pub doc: &'static str,
}

/// What the request of an act says beside the ids and the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActInput {
    /// Nothing.
    Reason,
    /// Whether the invitation is sent by mail or drafted.
    Invitation,
    /// Which version of which Terms document is accepted. The state is kept with that version, and
    /// not in a column of the resource.
    Terms,
}

/// The states of the acceptance of a version of a Terms document.
pub const ACCEPTED: &str = "accepted";
pub const NOT_ACCEPTED: &str = "not-accepted";

/// The states of the fact `blocked`, whose value is the reason of the block.
pub const IS_BLOCKED: &str = "blocked";
pub const NOT_BLOCKED: &str = "unblocked";

const APPROVAL: &str = "approval";
/// The fact that says whether a user can log in.
pub const ACCESS: &str = "access";

pub static APPROVE: ResourceAct = ResourceAct {
    name: "approve",
    path: "/api/v1/acts/approve",
    form: "/acts/approve",
    operation: "approveAccounts",
    done: "Approved",
    kind: Some(ACCOUNT),
    fact: APPROVAL,
    // A rejection can be taken back by an approval.
    from: &["pending", "rejected"],
    to: "approved",
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: true,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Approve accounts that wait for an approval or were rejected",
};

pub static REJECT: ResourceAct = ResourceAct {
    name: "reject",
    path: "/api/v1/acts/reject",
    form: "/acts/reject",
    operation: "rejectAccounts",
    done: "Rejected",
    kind: Some(ACCOUNT),
    fact: APPROVAL,
    // An approved account is in use: blocking it is the way to stop it.
    from: &["pending"],
    to: "rejected",
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: true,
    is_final: false,
    erases: false,
    instead: "`block` stops it",
    doc: "Reject accounts that wait for an approval",
};

pub static BLOCK: ResourceAct = ResourceAct {
    name: "block",
    path: "/api/v1/acts/block",
    form: "/acts/block",
    operation: "blockResources",
    done: "Blocked",
    kind: None,
    fact: BLOCKED.column,
    from: &[NOT_BLOCKED],
    to: IS_BLOCKED,
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Block resources: they cannot be used until they are unblocked, whatever the sources declare",
};

pub static UNBLOCK: ResourceAct = ResourceAct {
    name: "unblock",
    path: "/api/v1/acts/unblock",
    form: "/acts/unblock",
    operation: "unblockResources",
    done: "Unblocked",
    kind: None,
    fact: BLOCKED.column,
    from: &[IS_BLOCKED],
    to: NOT_BLOCKED,
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Remove the block of resources",
};

pub static INVITE: ResourceAct = ResourceAct {
    name: "invite",
    path: "/api/v1/acts/invite",
    form: "/acts/invite",
    operation: "inviteUsers",
    done: "Invited",
    kind: Some(USER),
    fact: ACCESS,
    // Invited again, a person gets a new link.
    from: &["unregistered", "invited", "pending"],
    to: "invited",
    // Who registered in the shop keeps that state until the invitation is used.
    keeps: &["invited", "pending"],
    clears: &[],
    stamps: &["invited_at"],
    input: ActInput::Invitation,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Invite users to set a password, with a link that can be used once",
};

/// What a person does with the link of an invitation. It is not in [`ACTS`], because nobody else
/// can perform it.
pub static ACCEPT_INVITATION: ResourceAct = ResourceAct {
    name: "accept-invitation",
    path: "",
    form: "",
    operation: "",
    done: "Accepted the invitation of",
    kind: Some(USER),
    fact: ACCESS,
    from: &["invited", "pending", "enabled"],
    to: "enabled",
    keeps: &["enabled"],
    clears: &["password_temporary"],
    stamps: &[],
    input: ActInput::Invitation,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Set a password with the link of an invitation",
};

pub static ACTIVATE: ResourceAct = ResourceAct {
    name: "activate",
    path: "/api/v1/acts/activate",
    form: "/acts/activate",
    operation: "activateUsers",
    done: "Activated",
    kind: Some(USER),
    fact: ACCESS,
    from: &["pending", "disabled"],
    to: "enabled",
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Let users log in who were deactivated, or who registered themselves",
};

pub static DEACTIVATE: ResourceAct = ResourceAct {
    name: "deactivate",
    path: "/api/v1/acts/deactivate",
    form: "/acts/deactivate",
    operation: "deactivateUsers",
    done: "Deactivated",
    kind: Some(USER),
    fact: ACCESS,
    from: &["enabled"],
    to: "disabled",
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Keep users from logging in. `activate` takes it back",
};

pub static DELETE_IDENTITIES: ResourceAct = ResourceAct {
    name: "delete-identities",
    path: "/api/v1/acts/delete-identities",
    form: "/acts/delete-identities",
    operation: "deleteIdentities",
    done: "Deleted the identities of",
    kind: Some(USER),
    fact: ACCESS,
    from: &["enabled"],
    to: "unregistered",
    keeps: &[],
    clears: &["password_hash", "password_temporary", "invited_at"],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Delete the login identities of users. The users stay, and need a new invitation",
};

pub static DELETE: ResourceAct = ResourceAct {
    name: "delete",
    path: "/api/v1/acts/delete",
    form: "/acts/delete",
    operation: "deleteUser",
    done: "Deleted",
    kind: Some(USER),
    fact: ACCESS,
    from: &["unregistered", "invited", "pending", "enabled", "disabled"],
    to: DELETED,
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: false,
    is_final: true,
    erases: false,
    instead: "",
    doc: "Delete a user for good, with the jobs that nobody works on. The id is never used again",
};

/// What is left of a user whose row is gone, as the state before the erasure.
pub const DELETED: &str = "deleted";
/// The state of a user of whom nothing is stored any more.
pub const ERASED: &str = "erased";

pub static ERASE: ResourceAct = ResourceAct {
    name: "erase",
    path: "/api/v1/acts/erase",
    form: "/acts/erase",
    operation: "eraseUser",
    done: "Erased",
    kind: Some(USER),
    fact: ACCESS,
    from: &[
        "unregistered",
        "invited",
        "pending",
        "enabled",
        "disabled",
        DELETED,
    ],
    to: ERASED,
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Reason,
    is_decision: false,
    is_final: true,
    erases: true,
    instead: "",
    doc: "Delete a user and erase everything that is stored about the person, also of one deleted before",
};

pub static ACCEPT_TERMS: ResourceAct = ResourceAct {
    name: "accept-terms",
    path: "/api/v1/acts/accept-terms",
    form: "/acts/accept-terms",
    operation: "acceptTerms",
    done: "Recorded the acceptance of",
    kind: Some(USER),
    fact: "terms",
    from: &[NOT_ACCEPTED],
    to: ACCEPTED,
    keeps: &[],
    clears: &[],
    stamps: &[],
    input: ActInput::Terms,
    is_decision: false,
    is_final: false,
    erases: false,
    instead: "",
    doc: "Record that users accept a Terms document in its stored version",
};

/// Every act, in the order in which they are listed.
pub static ACTS: [&ResourceAct; 11] = [
    &APPROVE,
    &REJECT,
    &BLOCK,
    &UNBLOCK,
    &INVITE,
    &ACTIVATE,
    &DEACTIVATE,
    &DELETE_IDENTITIES,
    &ACCEPT_TERMS,
    &DELETE,
    &ERASE,
];

impl ResourceAct {
    /// Whether the act is for resources of this kind.
    pub fn is_for(&self, kind: &Kind) -> bool {
        match self.kind {
            Some(only) => kind.id == only,
            None => kind.has_status,
        }
    }

    /// The state of the act's fact, from the value of its column.
    pub fn state<'v>(&self, value: Option<&'v str>) -> &'v str {
        if self.fact == BLOCKED.column {
            return match value {
                Some(_) => IS_BLOCKED,
                None => NOT_BLOCKED,
            };
        }
        if self.input == ActInput::Terms {
            return match value {
                Some(_) => ACCEPTED,
                None => NOT_ACCEPTED,
            };
        }
        // A row of another program may leave the column empty.
        value.unwrap_or(match self.fact {
            ACCESS => "unregistered",
            _ => "approved",
        })
    }

    /// The state of a resource after the act.
    pub fn state_after<'v>(&self, before: &'v str) -> &'v str {
        if self.keeps.contains(&before) {
            before
        } else {
            self.to
        }
    }

    /// The value of the column after the act. The value of a block is its reason.
    pub fn value_after<'v>(&self, before: &'v str, reason: &'v str) -> Option<&'v str> {
        match (self.fact == BLOCKED.column, self.state_after(before)) {
            (true, IS_BLOCKED) => Some(reason),
            (true, _) => None,
            (false, state) => Some(state),
        }
    }
}

/// The acts on one fact that are possible in each of these states. An erasure is none of them: it is
/// no step in the life of a user, and nobody should be led to it by a list.
pub fn possible(fact: &str, states: &[&str]) -> Vec<&'static str> {
    let acts = ACTS.iter().filter(|act| act.fact == fact && !act.erases);
    let acts = acts.filter(|act| states.iter().all(|state| act.from.contains(state)));
    acts.map(|act| act.name).collect()
}

/// The access of a user in the words of a print shop: a user who was only invited has not
/// registered yet, and one who has registered is active or not.
pub fn contact_status(access: &str) -> &'static str {
    match access {
        "enabled" => "Active",
        "pending" | "disabled" => "Inactive",
        _ => "Unregistered",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds;

    #[test]
    fn every_act_changes_a_fact_that_its_kinds_have() {
        for act in ACTS.into_iter().chain([&ACCEPT_INVITATION]) {
            let kinds = kinds::ALL.into_iter().filter(|kind| act.is_for(kind));
            let mut count = 0;
            for kind in kinds {
                count += 1;
                let own = (act.input != ActInput::Terms).then_some(&act.fact);
                for column in own.into_iter().chain(act.clears).chain(act.stamps) {
                    assert!(
                        kind.facts.iter().any(|fact| fact.column == *column),
                        "{} of {} has no column {column}",
                        act.name,
                        kind.name
                    );
                }
            }
            assert!(count > 0, "{} is for no kind", act.name);
            for state in act.from {
                let is_same = act.state_after(state) == *state;
                let name = act.name;
                assert_eq!(is_same, act.keeps.contains(state), "{name} of {state}");
            }
            for state in act.keeps {
                assert!(act.from.contains(state), "{} of {state}", act.name);
            }
        }
    }
}
