//! The budgets of effects: how much of the directory one day may take away or open up, whatever the
//! road. One budget is for all sources together.

use super::effects::EffectName;
use crate::model::GuardBase;

/// An effect that guards limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EffectBudget {
    AccessGained,
    AccessLost,
    AdministratorLost,
    ApproverLost,
    PriceChanged,
    VisibilityWidened,
}

impl EffectBudget {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 6] = [
        Self::AccessGained,
        Self::AccessLost,
        Self::AdministratorLost,
        Self::ApproverLost,
        Self::PriceChanged,
        Self::VisibilityWidened,
    ];

    /// The effect that it limits.
    #[must_use]
    pub fn effect(self) -> EffectName {
        match self {
            Self::AccessGained => EffectName::AccessGained,
            Self::AccessLost => EffectName::AccessLost,
            Self::AdministratorLost => EffectName::AdministratorLost,
            Self::ApproverLost => EffectName::ApproverLost,
            Self::PriceChanged => EffectName::PriceChanged,
            Self::VisibilityWidened => EffectName::VisibilityWidened,
        }
    }

    /// Whether it limits what is taken from somebody, or changes for them.
    #[must_use]
    pub(super) fn takes(self) -> bool {
        !matches!(self, Self::AccessGained | Self::VisibilityWidened)
    }

    /// The name of the budget, which is that of the effect.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.effect().word()
    }

    /// Of what the count is a share.
    pub(super) fn base(self) -> GuardBase {
        match self {
            Self::AccessGained | Self::AccessLost | Self::VisibilityWidened => {
                GuardBase::AccessHolders
            }
            Self::AdministratorLost => GuardBase::Administrators,
            Self::ApproverLost => GuardBase::Approvers,
            Self::PriceChanged => GuardBase::UsableAccounts,
        }
    }

    /// The budget called `name`.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|budget| budget.name() == name)
    }
}

/// Whether guards limit an effect.
pub(super) fn has_budget(effect: EffectName) -> bool {
    EffectBudget::ALL
        .iter()
        .any(|budget| budget.effect() == effect)
}
