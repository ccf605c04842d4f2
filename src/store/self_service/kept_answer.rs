//! The answer to the creation of a user, as it is kept for a repetition of the request.

use super::customer::{AccountUser, SelfServiceReply};
use crate::store::act_request::ActWarning;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(super) struct KeptAnswer {
    pub(super) user: AccountUser,
    pub(super) warnings: Vec<ActWarning>,
}

impl KeptAnswer {
    /// `None` if the answer is not about a user.
    pub(super) fn of(reply: &SelfServiceReply) -> Option<Self> {
        Some(Self {
            user: reply.user.clone()?,
            warnings: reply.warnings.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_that_is_kept_can_be_read() {
        let kept = json!({
            "user": {"external_id": "self-1", "details": {"email": "x@roster.example"},
                "level": "user", "login": "1-5", "status": "active", "access": "enabled",
                "is_blocked": false, "has_other_accounts": false},
            "warnings": [],
        });
        let answer: KeptAnswer = serde_json::from_value(kept.clone()).expect("an answer");
        assert_eq!(answer.user.details.value("email"), Some("x@roster.example"));
        assert_eq!(json!(answer), kept);
    }
}
