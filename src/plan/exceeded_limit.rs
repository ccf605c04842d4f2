//! The limits that a plan is over, in words: the messages and options of the holds of guards.

use super::context::PlanContext;
use super::rules::{AcceptOverride, GuardLimit};

/// A limit that a plan is over, in words.
#[derive(Clone, Debug)]
pub(super) struct ExceededLimit {
    /// What is more than which limit.
    excess: String,
    /// The override.
    pub accept_option: String,
    /// That an override was given, with another number.
    wrong_accept: String,
}

/// The options that let all of it through.
pub(super) fn overrides(all: &[ExceededLimit]) -> String {
    let all: Vec<&str> = all.iter().map(|limited| &*limited.accept_option).collect();
    all.join(" ")
}

/// What trips, and the way out.
pub(super) fn message(all: &[ExceededLimit]) -> String {
    let said: Vec<&str> = all.iter().map(|limited| &*limited.excess).collect();
    let wrong: String = all.iter().map(|limited| &*limited.wrong_accept).collect();
    let (said, over) = (said.join(", and "), overrides(all));
    format!("{said}; if this is intended, pass `{over}`{wrong}")
}

/// The numbers by which a guard holds.
pub(super) struct GuardNumbers {
    /// How many steps are held.
    pub count: u64,
    /// How many the source had applied within the window before.
    pub earlier: u64,
    /// Of how many.
    pub total: u64,
    pub limit: GuardLimit,
    /// Its key in the configuration.
    pub config: String,
}

/// What a budget is over, in words.
pub(super) fn exceeded_limit(
    context: &PlanContext<'_>,
    budget: &str,
    numbers: &GuardNumbers,
) -> ExceededLimit {
    let name = budget.split('@').next().unwrap_or_default();
    let mut accepts = context.rules.accepts.iter();
    let wrong = accepts.find_map(|accept| match accept {
        AcceptOverride::Budget(given, n) if given == budget || given == name => {
            Some(format!("; `{given}={n}` does not match"))
        }
        _ => None,
    });
    ExceededLimit {
        excess: describe_excess(budget, numbers),
        accept_option: format!("--accept {budget}={}", numbers.count),
        wrong_accept: wrong.unwrap_or_default(),
    }
}

/// Of how many so many are more than which limit.
pub(super) fn describe_excess(budget: &str, numbers: &GuardNumbers) -> String {
    let GuardNumbers { count, total, .. } = *numbers;
    // What comes back was not among those that are there.
    let share = if budget.ends_with(".reactivate") {
        format!("{count} beside {total} active now")
    } else {
        format!("{count} of {total}")
    };
    format!("{budget}: {share}{}", describe_limit(numbers))
}

/// Why these steps are held: by their number now, or by the number they were part of.
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
