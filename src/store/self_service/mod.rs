//! Self-service: what customers read and change themselves, with a token that they get for their
//! login and password. `login` finds who logs in, `customer` says who a token belongs to and what
//! that person has, and `changes` writes.
//!
//! All of it is written as the shop writes: rows get a foreign version, so that no source takes them
//! for its own, and a field that a source enforces is refused (`enforcement`) instead of being
//! undone by the next pass. Start at `Store::self_service`.

mod changes;
mod customer;
mod enforcement;
mod history;
mod kept_answer;
mod login;
mod login_name;
mod new_user;
mod person;
mod request;
mod scene;
mod users;

pub use customer::{AccountUser, CustomerAccount, LoggedInCustomer, SelfServiceReply, UserPage};
pub use enforcement::{EnforcedField, EnforcementRules};
pub use login::fold_login;
pub use person::PersonalDetails;
pub use request::{
    NewAccountUser, SelfServiceError, SelfServiceOrder, SelfServiceRefusal, UserChanges,
};
