//! Reads `passwordFrom`: where a password is found, never the password itself.

use super::document::ManifestParser;
use super::entries::MappingEntries;
use super::keys;
use super::nodes::{DocumentError, NodeEvent};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::Field;
use crate::model::{LineColumn, Value};

impl ManifestParser<'_, '_> {
    /// Reads `{env: ROSTER_SECRET_X}` or `{file: name}`, whose mapping has begun.
    pub(super) fn secret(
        &mut self,
        field: &'static Field,
        at: LineColumn,
    ) -> Result<Option<Value>, DocumentError> {
        let mut places = Vec::new();
        let mut whole = true;
        let mut entries = MappingEntries::of_fields();
        while let Some((name, at)) = entries.next(&mut self.reader, self.sink)? {
            // People write the password here by mistake; it is reported without being repeated.
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
        if !whole {
            return Ok(None);
        }
        Ok(self.single_location(field, &places, at))
    }

    /// The text of one place, `env:X` or `file:name`; blank ones are left out.
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
