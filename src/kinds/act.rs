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
    /// The runtime fact that it changes: the column of that name, unless `place` says otherwise.
    pub fact: &'static str,
    /// Where the state is kept.
    pub place: ActPlace,
    /// The states in which it is possible.
    pub from: &'static [&'static str],
    /// The state afterwards.
    pub to: &'static str,
    /// Further columns that it empties.
    pub clears: &'static [&'static str],
    /// Whether it decides about something that waits, so that it needs the permission to approve,
    /// and a repetition is `already-decided` instead of `wrong-state`.
    pub is_decision: bool,
    /// What else helps where no act on the fact is possible; empty if nothing does.
    pub instead: &'static str,
    /// What it does, in one sentence without its full stop.
    pub doc: &'static str,
}

/// Where the state that an act changes is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActPlace {
    /// In the column of the fact.
    Column,
    /// With the version of the Terms document that the request names.
    Acceptance,
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
    place: ActPlace::Column,
    // A rejection can be taken back by an approval.
    from: &["pending", "rejected"],
    to: "approved",
    clears: &[],
    is_decision: true,
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
    place: ActPlace::Column,
    // An approved account is in use: blocking it is the way to stop it.
    from: &["pending"],
    to: "rejected",
    clears: &[],
    is_decision: true,
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
    place: ActPlace::Column,
    from: &[NOT_BLOCKED],
    to: IS_BLOCKED,
    clears: &[],
    is_decision: false,
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
    place: ActPlace::Column,
    from: &[IS_BLOCKED],
    to: NOT_BLOCKED,
    clears: &[],
    is_decision: false,
    instead: "",
    doc: "Remove the block of resources",
};

pub static ACTIVATE: ResourceAct = ResourceAct {
    name: "activate",
    path: "/api/v1/acts/activate",
    form: "/acts/activate",
    operation: "activateUsers",
    done: "Activated",
    kind: Some(USER),
    fact: ACCESS,
    place: ActPlace::Column,
    from: &["pending", "disabled"],
    to: "enabled",
    clears: &[],
    is_decision: false,
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
    place: ActPlace::Column,
    from: &["enabled"],
    to: "disabled",
    clears: &[],
    is_decision: false,
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
    place: ActPlace::Column,
    from: &["enabled"],
    to: "unregistered",
    clears: &["password_hash", "password_temporary", "invited_at"],
    is_decision: false,
    instead: "",
    doc: "Delete the login identities of users. The users stay, and need a new invitation",
};

pub static ACCEPT_TERMS: ResourceAct = ResourceAct {
    name: "accept-terms",
    path: "/api/v1/acts/accept-terms",
    form: "/acts/accept-terms",
    operation: "acceptTerms",
    done: "Recorded the acceptance of",
    kind: Some(USER),
    fact: "terms",
    place: ActPlace::Acceptance,
    from: &[NOT_ACCEPTED],
    to: ACCEPTED,
    clears: &[],
    is_decision: false,
    instead: "",
    doc: "Record that users accept a Terms document in its stored version",
};

/// Every act, in the order in which they are listed.
pub static ACTS: [&ResourceAct; 8] = [
    &APPROVE,
    &REJECT,
    &BLOCK,
    &UNBLOCK,
    &ACTIVATE,
    &DEACTIVATE,
    &DELETE_IDENTITIES,
    &ACCEPT_TERMS,
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
        if self.place == ActPlace::Acceptance {
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

    /// The value of the column after the act. The value of a block is its reason.
    pub fn value_after<'v>(&self, reason: &'v str) -> Option<&'v str>
    where
        'static: 'v,
    {
        match (self.fact == BLOCKED.column, self.to) {
            (true, IS_BLOCKED) => Some(reason),
            (true, _) => None,
            (false, state) => Some(state),
        }
    }
}

/// The acts on one fact that are possible in each of these states.
pub fn possible(fact: &str, states: &[&str]) -> Vec<&'static str> {
    let acts = ACTS.iter().filter(|act| act.fact == fact);
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
        for act in ACTS {
            let kinds = kinds::ALL.into_iter().filter(|kind| act.is_for(kind));
            let mut count = 0;
            for kind in kinds {
                count += 1;
                let own = (act.place == ActPlace::Column).then_some(&act.fact);
                for column in own.into_iter().chain(act.clears) {
                    assert!(
                        kind.facts.iter().any(|fact| fact.column == *column),
                        "{} of {} has no column {column}",
                        act.name,
                        kind.name
                    );
                }
            }
            assert!(count > 0, "{} is for no kind", act.name);
            assert!(!act.from.contains(&act.to), "{} changes nothing", act.name);
        }
    }
}
