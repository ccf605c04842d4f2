//! The indexes of the fields that effects ask for, worked out once for a comparison.

use crate::kinds::{self, ACCOUNT, ORGANISATION, POLICY, SETTINGS, USER};
use crate::model::KindId;

pub(super) struct EffectFields {
    pub user_accounts: usize,
    pub user_groups: usize,
    pub user_organisations: usize,
    pub user_stores: usize,
    pub account_tags: usize,
    pub organisation_account: usize,
    pub organisation_parent: usize,
    pub policy_account: usize,
    pub policy_approvers: usize,
    pub policy_reviewed: usize,
    pub account_approval: usize,
    pub admin_sees_account: usize,
}

impl EffectFields {
    pub fn new() -> Self {
        let index = |kind: KindId, name| kinds::get(kind).expect_index(name);
        Self {
            user_accounts: index(USER, "accounts"),
            user_groups: index(USER, "groups"),
            user_organisations: index(USER, "organisations"),
            user_stores: index(USER, "stores"),
            account_tags: index(ACCOUNT, "tags"),
            organisation_account: index(ORGANISATION, "account"),
            organisation_parent: index(ORGANISATION, "parent"),
            policy_account: index(POLICY, "account"),
            policy_approvers: index(POLICY, "approvers"),
            policy_reviewed: index(POLICY, "reviewed"),
            account_approval: index(SETTINGS, "accountApproval"),
            admin_sees_account: index(SETTINGS, "adminSeesAccount"),
        }
    }
}
