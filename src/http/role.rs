//! The roles and what each of them may do, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A permission of a role.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Request plans and see them.
    Plan,
    /// Read the directory, its history, plans, holds and runs.
    Read,
    /// Suspend, resume and reconcile sources, push, propose, record jobs, and perform acts on
    /// resources, such as to block, invite and delete users.
    Operate,
    /// Approve holds, export sources and accounts.
    Approve,
    /// Read the dossier of a person, and erase a person.
    Administer,
}

/// The role of a token.
#[derive(
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Debug,
    Serialize,
    Deserialize,
    JsonSchema,
    clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// For a CI job: requests plans and sees nothing else.
    Planner,
    /// Reads everything.
    Viewer,
    /// Reads, and operates sources: suspends, resumes, reconciles, pushes and proposes. Also records
    /// jobs, and blocks, invites and deletes users.
    Operator,
    /// Reads, and approves holds, export sources and accounts.
    Approver,
    /// Has all permissions. Nobody else reads the dossier of a person or erases one.
    Administrator,
}

impl Permission {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Plan,
        Self::Read,
        Self::Operate,
        Self::Approve,
        Self::Administer,
    ];

    /// Whether it allows changes.
    pub fn allows_changes(self) -> bool {
        matches!(self, Self::Operate | Self::Approve | Self::Administer)
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Planner,
        Self::Viewer,
        Self::Operator,
        Self::Approver,
        Self::Administrator,
    ];

    /// The name in the token file and the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Administrator => "administrator",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// The permissions of the role. The roles are not a ladder: approving holds is a different duty
    /// than operating sources, and a planner reads nothing but its own plan.
    pub fn permissions(self) -> &'static [Permission] {
        use Permission::{Approve, Operate, Plan, Read};
        match self {
            Self::Planner => &[Plan],
            Self::Viewer => &[Plan, Read],
            Self::Operator => &[Plan, Read, Operate],
            Self::Approver => &[Plan, Read, Approve],
            Self::Administrator => &Permission::ALL,
        }
    }

    pub fn may(self, permission: Permission) -> bool {
        self.permissions().contains(&permission)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plan => "plan",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Approve => "approve",
            Self::Administer => "administer",
        })
    }
}
