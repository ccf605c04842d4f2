//! As much of XML and of XML Schema as the schema of JUnit reports uses.

/// An element.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct XmlElement {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub children: Vec<XmlElement>,
    pub text: String,
}

impl XmlElement {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self
            .attributes
            .iter()
            .find(|(attribute, _)| attribute == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Every element with this name below this one.
    pub fn all(&self, name: &str) -> Vec<&Self> {
        let mut found = Vec::new();
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            found.extend(child.all(name));
        }
        found
    }
}

/// Reads a document; anything that is not well-formed is an error.
pub fn parse(text: &str) -> Result<XmlElement, String> {
    let mut open = vec![XmlElement::default()];
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        let top = open.last_mut().ok_or("closed too often")?;
        top.text.push_str(&unescape(&rest[..start])?);
        rest = &rest[start..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").ok_or("a comment does not end")?.1;
            continue;
        }
        if let Some(declaration) = rest.strip_prefix("<?") {
            rest = declaration
                .split_once("?>")
                .ok_or("a declaration does not end")?
                .1;
            continue;
        }
        let (tag, after) = split_tag(&rest[1..])?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let closed = open.pop().ok_or("closed too often")?;
            if closed.name != name.trim() {
                return Err(format!("<{}> is closed by </{name}>", closed.name));
            }
            open.last_mut()
                .ok_or("closed too often")?
                .children
                .push(closed);
            continue;
        }
        let is_empty = tag.ends_with('/');
        let element = start_tag(tag.trim_end_matches('/'))?;
        if is_empty {
            open.last_mut()
                .ok_or("closed too often")?
                .children
                .push(element);
        } else {
            open.push(element);
        }
    }
    match (open.len(), open.pop()) {
        (1, Some(mut document)) if document.children.len() == 1 => Ok(document.children.remove(0)),
        _ => Err("not exactly one element that ends".to_owned()),
    }
}

/// Splits at the end of a tag, which may stand in a value too.
fn split_tag(text: &str) -> Result<(&str, &str), String> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '>') => return Ok((&text[..at], &text[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (_, '<') => return Err("< in a tag".to_owned()),
            _ => {}
        }
    }
    Err("a tag does not end".to_owned())
}

fn start_tag(tag: &str) -> Result<XmlElement, String> {
    let (name, mut rest) = match tag.split_once(char::is_whitespace) {
        Some((name, rest)) => (name, rest.trim()),
        None => (tag, ""),
    };
    let mut element = XmlElement {
        name: name.to_owned(),
        ..XmlElement::default()
    };
    while !rest.is_empty() {
        let (name, value) = rest.split_once('=').ok_or("an attribute without a value")?;
        let quote = value
            .chars()
            .next()
            .filter(|c| "\"'".contains(*c))
            .ok_or("a value without quotes")?;
        let (value, after) = value[1..].split_once(quote).ok_or("a value does not end")?;
        if element.attribute(name).is_some() {
            return Err(format!("{name} twice"));
        }
        element.attributes.push((name.to_owned(), unescape(value)?));
        rest = after.trim();
    }
    Ok(element)
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let (name, after) = rest[at + 1..].split_once(';').ok_or("& alone")?;
        out.push_str(match name {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "quot" => "\"",
            "apos" => "'",
            other => return Err(format!("&{other};")),
        });
        rest = after;
    }
    out.push_str(rest);
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    if out.chars().all(allowed) {
        Ok(out)
    } else {
        Err("a character that is not XML".to_owned())
    }
}

/// Checks an element against the one of its name at the top of a schema: its attributes, its text,
/// and which elements may stand in it.
pub fn validate(schema: &XmlElement, element: &XmlElement) -> Result<(), String> {
    let name = &element.name;
    let mut declared = schema.children.iter();
    let declared = declared
        .find(|it| it.name == "xs:element" && it.attribute("name") == Some(name))
        .ok_or_else(|| format!("<{name}> is not in the schema"))?;
    let Some(ty) = declared
        .children
        .iter()
        .find(|it| it.name == "xs:complexType")
    else {
        // A text.
        return if element.children.is_empty() && element.attributes.is_empty() {
            Ok(())
        } else {
            Err(format!("<{name}> is only text"))
        };
    };
    let known = ty.all("xs:attribute");
    for (attribute, _) in &element.attributes {
        if !known
            .iter()
            .any(|it| it.attribute("name") == Some(attribute))
        {
            return Err(format!("<{name}> has no attribute {attribute}"));
        }
    }
    for required in known
        .iter()
        .filter(|it| it.attribute("use") == Some("required"))
    {
        let attribute = required.attribute("name").unwrap_or_default();
        if element.attribute(attribute).is_none() {
            return Err(format!("<{name}> needs {attribute}"));
        }
    }
    if ty.attribute("mixed") != Some("true") && !element.text.trim().is_empty() {
        return Err(format!("<{name}> has text"));
    }
    let allowed = ty.all("xs:element");
    for child in &element.children {
        if !allowed
            .iter()
            .any(|it| it.attribute("ref") == Some(&child.name))
        {
            return Err(format!("<{name}> may not hold <{}>", child.name));
        }
        validate(schema, child)?;
    }
    Ok(())
}
