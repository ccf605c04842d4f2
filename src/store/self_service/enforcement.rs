//! Which fields of a user a source enforces, by its claim. The next pass would undo a change of such
//! a field, so self-service refuses it. What a source left to the shop, or only observes, may be
//! changed.

use crate::kinds::{self, Kind, USER};
use crate::model::{Cell, Claim, ClaimState, CompactText, FieldRef, Link, Value, digest};
use crate::plan::{AuthorityMode, SourceAuthority};
use crate::store::claim::{COLUMNS, ClaimReader};
use crate::store::connection::SqlTransaction;
use crate::store::error::StoreError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What each source may write, as the configuration says.
#[derive(Clone, Debug, Default)]
pub struct EnforcementRules {
    /// By name. A source that is not configured here may be applied elsewhere, so what it claims
    /// counts as enforced.
    pub sources: BTreeMap<Arc<str>, SourceAuthority>,
    /// The fields that the shop writes.
    pub shop: SourceAuthority,
}

/// A field that a source enforces.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct EnforcedField {
    pub field: String,
    pub source: String,
}

/// A change of a user, as far as sources may have a say in it.
#[derive(Clone, Copy, Debug)]
pub(super) enum TouchedField<'a> {
    /// A field with one value.
    Field(&'static str),
    /// That the user is linked to the account.
    Link(&'a str),
    /// The level in the account.
    Level(&'a str),
    /// The status, which a source that decides about existence sets without naming it.
    Status,
    /// That the user is in the organisation.
    Organisation(&'a str),
}

impl EnforcementRules {
    fn enforces(&self, source: &str, kind: &Kind, name: &str) -> bool {
        let field = kinds::own_field(kind.expect_index(name));
        let enforces = |authority: &SourceAuthority, field: &FieldRef| {
            authority.mode(kind, field) == AuthorityMode::Enforce
        };
        let own = self.sources.get(source);
        enforces(&self.shop, &field) && own.is_none_or(|own| enforces(own, &field))
    }

    /// Returns the touched fields that sources enforce, sorted.
    pub(super) async fn enforced(
        &self,
        tx: &mut SqlTransaction,
        user: &str,
        touched: &[TouchedField<'_>],
    ) -> Result<Vec<EnforcedField>, StoreError> {
        let claims = claims(tx, user).await?;
        let mut enforced = Vec::new();
        for claim in &claims {
            for touched in touched {
                if self.is_claimed(claim, *touched) {
                    enforced.push(EnforcedField {
                        field: touched.shown().to_owned(),
                        source: claim.source.to_string(),
                    });
                }
            }
        }
        enforced.sort();
        enforced.dedup();
        Ok(enforced)
    }

    fn is_claimed(&self, claim: &Claim, touched: TouchedField<'_>) -> bool {
        let kind = kinds::get(USER);
        let declared = match touched {
            TouchedField::Field(name) => claim.fields.get(name).is_some(),
            TouchedField::Link(account) => claim.fields.member("accounts", account).is_some(),
            TouchedField::Level(account) => {
                let declared = claim.fields.member("accounts", account);
                declared.is_some_and(|declared| declared != link_without_level(account))
            }
            TouchedField::Organisation(id) => claim.fields.member("organisations", id).is_some(),
            TouchedField::Status => {
                let own = self.sources.get(&claim.source);
                claim.fields.get("status").is_some()
                    || own.is_none_or(|own| own.decides_existence(USER))
            }
        };
        declared && self.enforces(&claim.source, kind, touched.field())
    }
}

impl TouchedField<'_> {
    /// The name of the field in the table of kinds.
    fn field(self) -> &'static str {
        match self {
            Self::Field(name) => name,
            Self::Link(_) | Self::Level(_) => "accounts",
            Self::Status => "status",
            Self::Organisation(_) => "organisations",
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Self::Level(_) => "level",
            other => other.field(),
        }
    }
}

/// The digest of a link whose level is not declared.
fn link_without_level(account: &str) -> u64 {
    let link = Link {
        target: CompactText::new(account),
        attributes: [None; 2],
    };
    digest::short_digest(&Cell::Value(Value::Links([link].into())))
}

/// The claims of sources that declare the user now.
async fn claims(tx: &mut SqlTransaction, user: &str) -> Result<Vec<Claim>, StoreError> {
    let names = COLUMNS.map(|(name, _)| name).join(", ");
    let sql =
        format!("SELECT {names} FROM claims WHERE kind = ? AND external_id = ? ORDER BY source");
    let params = [kinds::get(USER).name.into(), user.into()];
    let types = COLUMNS.map(|(_, ty)| ty);
    let found = tx.fetch(&sql, &params, &types).await?;
    let mut reader = ClaimReader::default();
    let claims = found
        .into_iter()
        .filter_map(|mut cells| reader.read(&mut cells));
    let claims = claims.map(|(_, claim)| claim);
    Ok(claims
        .filter(|claim| claim.state == ClaimState::Active)
        .collect())
}
