//! Writes resources as YAML: as single documents or items of a collection, tidy or not.

use std::fmt::Write as _;

/// The text of one file.
pub struct Yaml {
    text: String,
    collection: bool,
    /// Whether the next resource has comments, flow lists, quoted and folded scalars.
    pub untidy: bool,
    /// What the next line of a resource begins with.
    indent: &'static str,
}

impl Yaml {
    /// An empty file.
    pub fn new(collection: bool) -> Self {
        let indent = if collection { "    " } else { "" };
        Self {
            text: String::new(),
            collection,
            untidy: false,
            indent,
        }
    }

    /// The text.
    pub fn into_text(self) -> String {
        self.text
    }

    /// A line as it is.
    pub fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// The first line of a resource; `note` becomes a comment of an untidy one.
    pub fn begin(&mut self, kind: &str, id: &str, note: &str) {
        let id = scalar(id);
        if self.collection {
            let note = if self.untidy {
                format!("  # {note}")
            } else {
                String::new()
            };
            self.line(&format!("  - externalId: {id}{note}"));
            return;
        }
        self.line("---");
        if self.untidy {
            self.line(&format!("# {note}"));
        }
        self.line(&format!("kind: {kind}"));
        self.line(&format!("externalId: {id}"));
    }

    /// A field with one value.
    pub fn text(&mut self, name: &str, value: &str) {
        let value = if self.untidy {
            quoted(value)
        } else {
            scalar(value)
        };
        let indent = self.indent;
        let _ = writeln!(self.text, "{indent}{name}: {value}");
    }

    /// A field with a sentence, folded in an untidy resource.
    pub fn prose(&mut self, name: &str, value: &str) {
        if !self.untidy {
            self.text(name, value);
            return;
        }
        let indent = self.indent;
        let middle = value.len() / 2 + value[value.len() / 2..].find(' ').unwrap_or(0);
        let (first, second) = value.split_at(middle);
        let _ = writeln!(
            self.text,
            "{indent}{name}: >-\n{indent}  {}\n{indent}  {}",
            first.trim(),
            second.trim()
        );
    }

    /// A list of words; without any the field is left out.
    pub fn list(&mut self, name: &str, words: &[String]) {
        let words: Vec<String> = words.iter().map(|word| scalar(word)).collect();
        self.items(name, &words);
    }

    /// A list of values that are YAML already.
    pub fn items(&mut self, name: &str, items: &[String]) {
        let indent = self.indent;
        if items.is_empty() {
            return;
        }
        if self.untidy || items.len() == 1 {
            let _ = writeln!(self.text, "{indent}{name}: [{}]", items.join(", "));
            return;
        }
        let _ = writeln!(self.text, "{indent}{name}:");
        for item in items {
            let _ = writeln!(self.text, "{indent}  - {item}");
        }
    }

    /// A mapping.
    pub fn map(&mut self, name: &str, entries: &[(&str, &str)]) {
        let indent = self.indent;
        let _ = writeln!(self.text, "{indent}{name}:");
        for (key, value) in entries {
            let _ = writeln!(self.text, "{indent}  {key}: {value}");
        }
    }
}

/// A value without quotes where that is possible; ids of digits only are quoted, as people do.
fn scalar(value: &str) -> String {
    let plain = value.starts_with(char::is_alphabetic) && !value.contains([':', '#', '\'', '"']);
    if plain {
        value.to_owned()
    } else {
        quoted(value)
    }
}

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
