//! The wording of exceeded limits: messages and override options for the holds of guards.

use super::context::PlanContext;
use super::effect_budget::EffectBudget;
use super::rules::{AcceptOverride, GuardLimit};

/// The wording of one exceeded limit.
#[derive(Clone, Debug)]
pub(super) struct ExceededLimit {
    /// By how much which limit is exceeded.
    excess: String,
    /// The option that allows it.
    pub accept_option: String,
    /// Whether it limits an effect, and not steps.
    is_of_effect: bool,
    /// A note about an override given with another number.
    wrong_accept: String,
}

/// The options that allow all of it. What lets the steps through covers their effects, and one
/// effect covers the others.
pub(super) fn overrides(all: &[ExceededLimit]) -> String {
    let of_steps = all.iter().filter(|limited| !limited.is_of_effect);
    let mut options: Vec<&str> = of_steps.map(|limited| &*limited.accept_option).collect();
    if options.is_empty() {
        options.extend(all.first().map(|limited| &*limited.accept_option));
    }
    options.join(" ")
}

/// What exceeds a limit, and the way out.
pub(super) fn message(all: &[ExceededLimit]) -> String {
    let said: Vec<&str> = all.iter().map(|limited| &*limited.excess).collect();
    let wrong: String = all.iter().map(|limited| &*limited.wrong_accept).collect();
    let (said, over) = (said.join(", and "), overrides(all));
    format!("{said}; if this is intended, pass `{over}`{wrong}")
}

/// The numbers behind a guard's hold.
pub(super) struct GuardNumbers {
    pub count: u64,
    /// How many the source applied before, within the window.
    pub earlier: u64,
    /// The base that the count is a share of.
    pub total: u64,
    pub limit: GuardLimit,
    /// The key of the limit in the configuration.
    pub config: String,
}

/// The wording for a budget that is exceeded.
pub(super) fn exceeded_limit(
    context: &PlanContext<'_>,
    budget: &str,
    numbers: &GuardNumbers,
) -> ExceededLimit {
    let name = budget.split('@').next().unwrap_or_default();
    // Somebody who passed the number of an earlier plan should learn why it had no effect.
    let mut accepts = context.rules.accepts.iter();
    let wrong = accepts.find_map(|accept| match accept {
        AcceptOverride::Budget(given, n) if given == budget || given == name => {
            Some(format!("; `{given}={n}` does not match"))
        }
        _ => None,
    });
    ExceededLimit {
        excess: describe_excess(budget, numbers),
        is_of_effect: EffectBudget::by_name(budget).is_some(),
        accept_option: format!("--accept {budget}={}", numbers.count),
        wrong_accept: wrong.unwrap_or_default(),
    }
}

/// The count, its base and the limit in one sentence.
pub(super) fn describe_excess(budget: &str, numbers: &GuardNumbers) -> String {
    let GuardNumbers { count, total, .. } = *numbers;
    // Reactivated rows are not part of their base, so "of" would be wrong.
    let share = if budget.ends_with(".reactivate") {
        format!("{count} beside {total} active now")
    } else if budget.ends_with(".gained") {
        format!("{count} beside {total} now")
    } else {
        format!("{count} of {total}")
    };
    format!("{budget}: {share}{}", describe_limit(numbers))
}

/// The limit, or that the steps stay held because of the number that they were part of before.
fn describe_limit(numbers: &GuardNumbers) -> String {
    let GuardNumbers {
        count,
        earlier,
        total,
        limit,
        config,
    } = numbers;
    let allowed = limit.allowed(*total);
    if !limit.is_exceeded_by(*count, *earlier, *total) {
        return format!(
            " stay held; with others they were more than the {allowed} that `{config}` allows"
        );
    }
    let (earlier, are, when) = if *earlier > 0 {
        let earlier = format!(" and {earlier} shortly before");
        (earlier, "are", "within `guards.window`")
    } else {
        (String::new(), "is", "at once")
    };
    format!("{earlier} {are} more than the {allowed} that `{config}` allows {when}")
}
