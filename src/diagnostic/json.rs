//! Diagnostics as JSON, the same in every output.

use super::{Diagnostic, Origin};
use serde_json::{Value, json};

impl Diagnostic {
    /// The diagnostic as JSON. Every key is present, so that readers need not test for it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "severity": self.severity.to_string(),
            "code": self.code.name(),
            "message": self.message,
            "help": self.help,
            "kind": self.key.as_ref().map(|key| key.kind.to_string()),
            "externalId": self.key.as_ref().map(|key| key.id.as_str()),
            "field": self.field,
            "origin": self.origin.as_ref().map(Origin::to_json),
            "related": self.related.iter().map(Origin::to_json).collect::<Vec<_>>(),
            "djustCode": self.code.rule().djust,
        })
    }
}

impl Origin {
    /// The place as JSON. Line and column are null if the whole file is meant.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let number = |number: u32| (self.at.line > 0).then_some(number);
        json!({
            "path": &*self.path,
            "line": number(self.at.line),
            "column": number(self.at.column),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Diagnostic, Origin, codes};
    use crate::kinds::USER;
    use crate::model::{Key, LineColumn};

    #[test]
    fn every_key_stands_in_its_order() {
        let at = |path: &str, line| Origin {
            path: path.into(),
            at: LineColumn { line, column: line },
        };
        let found = Diagnostic::new(codes::ENUM, "m")
            .for_resource(&Key::new(USER, "u"))
            .field("civility")
            .at(at("a.yaml", 3))
            .related([at("b.yaml", 0)]);
        assert_eq!(
            found.to_json().to_string(),
            r#"{"severity":"error","code":"enum","message":"m","help":null,"kind":"User","externalId":"u","field":"civility","origin":{"path":"a.yaml","line":3,"column":3},"related":[{"path":"b.yaml","line":null,"column":null}],"djustCode":"F-E-008"}"#
        );
    }
}
