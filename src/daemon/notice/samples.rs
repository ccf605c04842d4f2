//! Notices that the tests share.

use super::{Notice, NoticeDetail, NoticeEvent, NoticeOrigin};
use std::collections::BTreeMap;

pub(super) fn failed() -> Notice {
    let detail = NoticeDetail {
        what: "A phone number contains a character that is not a digit.".to_owned(),
        code: Some("phone".to_owned()),
        resource: Some("User/u-1".to_owned()),
        field: Some("phone".to_owned()),
        place: Some(NoticeOrigin {
            path: "users.yaml".to_owned(),
            line: 9,
            column: 7,
        }),
    };
    Notice {
        event: NoticeEvent::Failed,
        source: "directory".to_owned(),
        environment: Some("staging".to_owned()),
        revision: Some("4f2a9c1".to_owned()),
        state: "9d1c".to_owned(),
        summary: "1 error; nothing was applied.".to_owned(),
        details: vec![detail],
        counts: BTreeMap::from([("errors".to_owned(), 1)]),
        since: "2026-05-01T12:00:00Z".parse().unwrap(),
        url: Some("https://roster.example/sources/directory".to_owned()),
        command: None,
    }
}

pub(super) fn many(count: usize) -> Notice {
    let one = failed();
    Notice {
        details: vec![one.details[0].clone(); count],
        ..one
    }
}
