//! What a shop records of its users beside the directory: jobs with their files, and orders. They
//! are runtime facts, which no manifest states and no plan compares.

/// The statuses of jobs that are deleted together with their user. Any other status means that
/// somebody still works on the job.
pub const DELETED_WITH_USER: [&str; 3] = ["New", "Incoming", "Completed"];

/// What a file of a job is. A job has at most one of each.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum JobFileRole {
    /// The PDF that the user sent.
    Input,
    /// The PDL model, as JSON.
    Model,
    /// The support file.
    Support,
}

impl JobFileRole {
    pub const ALL: [Self; 3] = [Self::Input, Self::Model, Self::Support];

    /// The word in the database and in the API.
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Model => "model",
            Self::Support => "support",
        }
    }

    pub fn by_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Whether a job is deleted together with its user.
pub fn goes_with_user(status: &str) -> bool {
    DELETED_WITH_USER.contains(&status)
}
