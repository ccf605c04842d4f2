//! Reads `passwordFrom`: the name of the environment variable or file that holds a password, never
//! the password itself.

use super::document::ManifestParser;
use super::entries::MappingEntries;
use super::keys;
use super::nodes::{DocumentError, NodeEvent};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::Field;
use crate::model::{LineColumn, Value};

impl ManifestParser<'_, '_> {
    /// Reads `{env: ROSTER_SECRET_X}` or `{file: name}` after the start of the mapping.
    pub(super) fn secret(
        &mut self,
        field: &'static Field,
        at: LineColumn,
    ) -> Result<Option<Value>, DocumentError> {
        let mut places = Vec::new();
        let mut whole = true;
        let mut entries = MappingEntries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            // The value is skipped and never quoted in a message: diagnostics end up in logs and on
            // the page.
            if keys::is_password(&name) || name == "value" || name == "plain" {
                self.password(field.name, at)?;
                whole = false;
            } else if name == "env" || name == "file" {
                places.extend(self.secret_location(field, &name)?);
            } else {
                self.reader.skip_next()?;
                let message = format!("`{}` has only the fields `env` and `file`", field.name);
                let found = Diagnostic::new(codes::UNKNOWN_FIELD, message).field(field.name);
                self.sink.report(at, found.help("Write `env` or `file`"));
                whole = false;
            }
        }
        // A partly understood location might read the wrong secret; the stored password stays.
        if !whole {
            return Ok(None);
        }
        Ok(self.single_location(field, &places, at))
    }

    /// Returns one location as `env:X` or `file:name`, or `None` if it is blank.
    fn secret_location(
        &mut self,
        field: &'static Field,
        name: &str,
    ) -> Result<Option<String>, DocumentError> {
        let (node, at) = self.reader.next()?;
        match node {
            NodeEvent::Scalar(scalar) if scalar.is_blank() => Ok(None),
            NodeEvent::Scalar(scalar) => Ok(Some(format!("{name}:{}", scalar.text))),
            other => {
                self.reader.skip(&other)?;
                let help = "Write `{env: ROSTER_SECRET_…}` or `{file: name}`";
                self.wrong_type(field.name, at, "needs text as `env` or `file`", help);
                Ok(None)
            }
        }
    }

    fn single_location(
        &mut self,
        field: &'static Field,
        places: &[String],
        at: LineColumn,
    ) -> Option<Value> {
        let [place] = places else {
            let help = "Write `{env: ROSTER_SECRET_…}` or `{file: name}`";
            let what = "needs exactly one of `env` and `file`";
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
