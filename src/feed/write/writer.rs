//! Writes drafts as text: CSV with its trailer, JSON with its lists, JSON Lines.

use super::draft::RowDraft;
use super::layout::ExportLayout;
use crate::feed::format::{ExportFormat, add_text_marker};
use crate::feed::mapping::ColumnIndex;
use serde_json::{Map, Value, json};
use std::io::{self, Write};

pub(super) struct ExportWriter<'a, 'o> {
    pub layout: ExportLayout<'a>,
    to: &'o mut dyn Write,
    records: u64,
}

impl<'a, 'o> ExportWriter<'a, 'o> {
    /// Writes what precedes the rows.
    pub fn begin(layout: ExportLayout<'a>, out: &'o mut dyn Write) -> io::Result<Self> {
        let mut begun = Self {
            layout,
            to: out,
            records: 0,
        };
        // JSON Lines has nothing around its objects.
        if begun.is_lines() {
            return Ok(begun);
        }
        if begun.layout.form.is_json() {
            // The path of `rows:` as nested objects, so that the same mapping finds the list again.
            let path = begun.layout.mapping.rows.as_deref().unwrap_or_default();
            for name in path.split('.').filter(|name| !name.is_empty()) {
                write!(begun.to, "{{{}: ", Value::from(name))?;
            }
            begun.to.write_all(b"[")?;
        } else {
            // Without a byte order mark, a reader has to guess UTF-16.
            let mark: &[u8] = match begun
                .layout
                .encoding
                .map(crate::feed::format::Encoding::name)
            {
                Some("UTF-16LE") => b"\xff\xfe",
                Some("UTF-16BE") => b"\xfe\xff",
                _ => b"",
            };
            begun.to.write_all(mark)?;
            // The reader skips this many lines above the header.
            let above = begun.layout.mapping.header.unwrap_or(1).saturating_sub(1);
            for _ in 0..above {
                begun.text("\n")?;
            }
            if begun.layout.mapping.csv.names.is_empty() {
                let names: Vec<String> = begun.layout.columns.names().map(str::to_owned).collect();
                begun.line(&names)?;
            }
        }
        Ok(begun)
    }

    pub fn row(&mut self, draft: &RowDraft) -> io::Result<()> {
        self.records += 1;
        if self.is_lines() {
            let object = Value::Object(self.object(draft));
            return writeln!(self.to, "{object}");
        }
        if self.layout.form.is_json() {
            // A comma may not follow the last object, so it is written before each but the first.
            let comma = if self.records == 1 { "\n" } else { ",\n" };
            let object = Value::Object(self.object(draft));
            return write!(self.to, "{comma}{object}");
        }
        let mut texts = vec![String::new(); self.layout.columns.len()];
        for (place, text) in self.layout.cells(draft) {
            texts[place] = add_text_marker(text, true).into_owned();
        }
        self.line(&texts)
    }

    /// Writes what follows the rows and returns their number.
    pub fn end(mut self) -> io::Result<u64> {
        if self.is_lines() {
            self.to.flush()?;
            return Ok(self.records);
        }
        if self.layout.form.is_json() {
            let path = self.layout.mapping.rows.as_deref().unwrap_or_default();
            let depth = path.split('.').filter(|name| !name.is_empty()).count();
            write!(self.to, "\n]{}\n", "}".repeat(depth))?;
        } else if let Some(trailer) = &self.layout.mapping.trailer {
            let line = trailer.replace("{n}", &self.records.to_string());
            self.text(&format!("{line}\n"))?;
        }
        self.to.flush()?;
        Ok(self.records)
    }

    /// Returns whether each object has a line of its own, with nothing around them.
    fn is_lines(&self) -> bool {
        self.layout.mapping.format == Some(ExportFormat::Jsonl) && self.layout.form.is_json()
    }

    fn line(&mut self, texts: &[String]) -> io::Result<()> {
        let quote = self.layout.mapping.csv.quote.unwrap_or('"');
        let delimiter = self.layout.delimiter;
        let mut line = String::new();
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                line.push(delimiter);
            }
            let special = |c: char| c == delimiter || c == quote || c == '\n' || c == '\r';
            // The reader trims cells without quotes.
            let outer =
                text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace);
            // A first cell such as `#EOF` would end the export when it is read.
            if outer || text.contains(special) || at == 0 && self.looks_like_trailer(text) {
                line.push(quote);
                line.push_str(&text.replace(quote, &format!("{quote}{quote}")));
                line.push(quote);
            } else {
                line.push_str(text);
            }
        }
        line.push('\n');
        self.text(&line)
    }

    /// Returns whether a line that begins with this text could be taken for the trailer.
    fn looks_like_trailer(&self, text: &str) -> bool {
        let Some(trailer) = &self.layout.mapping.trailer else {
            return false;
        };
        let before = trailer.split("{n}").next().unwrap_or_default();
        let head = before
            .split(self.layout.delimiter)
            .next()
            .unwrap_or_default();
        !text.is_empty() && text.starts_with(head)
    }

    fn text(&mut self, text: &str) -> io::Result<()> {
        // `encoding_rs` decodes UTF-16 but does not encode it.
        let units = || text.encode_utf16();
        match self
            .layout
            .encoding
            .map(|encoding| (encoding, encoding.name()))
        {
            None => self.to.write_all(text.as_bytes()),
            Some((_, "UTF-16LE")) => {
                let bytes: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
                self.to.write_all(&bytes)
            }
            Some((_, "UTF-16BE")) => {
                let bytes: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
                self.to.write_all(&bytes)
            }
            Some((encoding, _)) => self.to.write_all(&encoding.encode(text).0),
        }
    }

    fn object(&self, draft: &RowDraft) -> Map<String, Value> {
        let mut object = Map::new();
        // A reader refuses an export without these columns, so the objects name them even if they
        // are blank.
        let needed = self.layout.mapping.required_columns().into_iter();
        for column in
            needed.filter(|column| draft.section != usize::MAX && draft.text(*column).is_empty())
        {
            put(
                &mut object,
                &self.layout.mapping.columns[column.0][0],
                Value::Null,
            );
        }
        for (column, text) in draft.texts() {
            let name = &self.layout.mapping.columns[column.0][0];
            put(&mut object, name, self.value(column, text));
        }
        let custom = self.layout.custom.get(draft.section).into_iter().flatten();
        let every = self.layout.mapping.sections.get(draft.section);
        let prefix = every
            .and_then(|section| section.custom_prefix.as_deref())
            .unwrap_or_default();
        for (custom, text) in custom.zip(&draft.custom) {
            // A blank clears the field, and a required one cannot be cleared.
            let value = match text {
                Some((text, true)) => text
                    .split("||")
                    .map(|member| json!(add_text_marker(member, false)))
                    .collect(),
                Some((text, false)) => json!(add_text_marker(text, false)),
                None if custom.required => continue,
                None => Value::Null,
            };
            object.insert(format!("{prefix}{}", custom.id), value);
        }
        for (column, members) in &draft.lists {
            let name = &self.layout.mapping.columns[column.0][0];
            let members = members
                .iter()
                .map(|member| Value::Object(self.object(member)));
            put(&mut object, name, Value::Array(members.collect()));
        }
        object
    }

    fn value(&self, column: ColumnIndex, text: &str) -> Value {
        let words = &self.layout.mapping.words;
        // A mapping may define other words for booleans. JSON's `true` would not be one of them.
        let plain = words.boolean("true") == Some(true) && words.boolean("false") == Some(false);
        match words.boolean(text) {
            Some(value) if plain && self.layout.booleans.contains(&column) => Value::Bool(value),
            _ if self.layout.lists.contains(&column) => {
                let members = words.members(text).into_iter();
                members
                    .map(|member| json!(add_text_marker(&member, false)))
                    .collect()
            }
            _ => json!(add_text_marker(text, false)),
        }
    }
}

/// Sets a value at a path of names.
fn put(object: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        Some((name, rest)) => {
            let inner = object.entry(name).or_insert_with(|| json!({}));
            match inner {
                Value::Object(inner) => put(inner, rest, value),
                // A list of that name exists already, so the path becomes a name of its own.
                _ => {
                    object.insert(path.to_owned(), value);
                }
            }
        }
        None => {
            object.insert(path.to_owned(), value);
        }
    }
}
