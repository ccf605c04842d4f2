//! `passwordFrom`: where a password is found, never the password.

use super::document::Parsing;
use super::entries::Entries;
use super::names;
use super::nodes::{Fatal, Node};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::Field;
use crate::model::{Pos, Value};

impl Parsing<'_, '_> {
    /// Reads `{env: ROSTER_SECRET_X}` or `{file: name}`, whose mapping has begun.
    pub(super) fn secret(
        &mut self,
        field: &'static Field,
        at: Pos,
    ) -> Result<Option<Value>, Fatal> {
        let mut places = Vec::new();
        let mut whole = true;
        let mut entries = Entries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            if names::is_password(&name) || name == "value" || name == "plain" {
                self.password(field.name, at)?;
                whole = false;
            } else if name == "env" || name == "file" {
                places.extend(self.place(field, &name)?);
            } else {
                self.reader.skip_next()?;
                let message = format!("`{}` has no field of this name", field.name);
                let found = Diagnostic::new(codes::UNKNOWN_FIELD, message).field(field.name);
                self.sink.report(at, found.help("write `env` or `file`"));
                whole = false;
            }
        }
        if !whole {
            return Ok(None);
        }
        Ok(self.only_place(field, &places, at))
    }

    /// The text of one place, `env:X` or `file:name`, blank ones left out.
    fn place(&mut self, field: &'static Field, name: &str) -> Result<Option<String>, Fatal> {
        let (node, at) = self.reader.next()?;
        match node {
            Node::Scalar(scalar) if scalar.is_blank() => Ok(None),
            Node::Scalar(scalar) => Ok(Some(format!("{name}:{}", scalar.text))),
            other => {
                self.reader.skip(&other)?;
                let help = "write `{env: ROSTER_SECRET_…}` or `{file: name}`";
                self.wrong_type(field.name, at, "names a place as text", help);
                Ok(None)
            }
        }
    }

    fn only_place(&mut self, field: &'static Field, places: &[String], at: Pos) -> Option<Value> {
        let [place] = places else {
            let help = "write `{env: ROSTER_SECRET_…}` or `{file: name}`";
            let what = "names one place, `env` or `file`";
            self.wrong_type(field.name, at, what, help);
            return None;
        };
        match field.read(place) {
            Ok(reading) => Some(reading.value),
            Err(fault) => {
                self.sink.reading(fault, at, field.name);
                None
            }
        }
    }
}
