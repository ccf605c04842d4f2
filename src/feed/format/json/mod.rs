//! A list of objects in JSON, one object after the other.

mod beside;
mod cursor;
mod lines;
mod object;

use super::columns::Columns;
use super::findings::Findings;
use super::record::Record;
use super::source::Source;
use super::table::truncated;
use super::{Body, Target, unlike};
use crate::diagnostic::{Diagnostic, codes};
use crate::kinds::read::quoted;
use crate::model::Pos;
pub use beside::{Beside, beside};
use cursor::{Bad, Cursor, Stop};
pub(super) use lines::is_lines;
use object::{Objects, Skipped};

/// Names of members that an error has instead of data.
const ERRORS: [&str; 5] = ["error", "errors", "message", "fault", "exception"];
/// How much of a member beside the list is looked at.
const AHEAD: usize = 64 << 10;
/// How many members of an object are looked at for what it might be.
const MEMBERS: usize = 64;

/// What ends the reading before its end; it has been reported.
struct Ended;

/// A text in JSON.
struct Reader<'s, 'i, 'f> {
    source: &'s mut Source<'i>,
    findings: &'f mut Findings,
    /// The most bytes that one step may take.
    most: usize,
    /// A list in an object that is none.
    list: Option<String>,
    /// What an object is a part of.
    whole: &'static str,
    /// How many rows there are in all, as the answer says.
    total: Option<u64>,
    /// What it says beside the list.
    beside: Vec<(Pos, Diagnostic)>,
}

/// Reads the objects of a text.
pub(super) fn read(source: &mut Source<'_>, target: &mut Target<'_>) -> Body {
    let path = target.options.rows.as_deref().unwrap_or_default();
    let path: Vec<&str> = path.split('.').filter(|name| !name.is_empty()).collect();
    all_of(source, target, "list", |reader, objects, each| {
        reader.all(&path, objects, each)
    })
}

/// Reads the objects of a text that has one on each line.
pub(super) fn read_lines(source: &mut Source<'_>, target: &mut Target<'_>) -> Body {
    all_of(source, target, "line", |reader, objects, each| {
        reader.lines(objects, each)
    })
}

fn all_of(
    source: &mut Source<'_>,
    target: &mut Target<'_>,
    whole: &'static str,
    read: impl FnOnce(
        &mut Reader<'_, '_, '_>,
        &mut Objects<'_>,
        &mut dyn FnMut(&Record, &Columns) -> bool,
    ) -> Result<(), Ended>,
) -> Body {
    let limits = target.options.limits;
    let mut reader = Reader {
        source,
        findings: target.findings,
        most: limits.record,
        list: None,
        whole,
        total: None,
        beside: Vec::new(),
    };
    let mut objects = Objects::new(target.columns, limits, &target.options.blanks);
    let mut records = 0;
    // What went wrong has been reported.
    let _ = read(&mut reader, &mut objects, &mut |record, columns| {
        records += 1;
        (target.each)(record, columns)
    });
    let total = reader.total.filter(|total| *total > records);
    if let Some(total) = total.filter(|_| reader.findings.complete) {
        let at = reader.source.pos;
        reader.findings.report(at, beside::fewer(records, total));
    }
    Body {
        records,
        list: reader.list,
        ..Body::default()
    }
}

impl Reader<'_, '_, '_> {
    fn all(
        &mut self,
        path: &[&str],
        objects: &mut Objects<'_>,
        each: &mut dyn FnMut(&Record, &Columns) -> bool,
    ) -> Result<(), Ended> {
        self.find_list(path)?;
        let listed = self.list(objects, each);
        self.say_beside();
        listed?;
        for _ in path {
            let skipped = self.skip_members();
            self.say_beside();
            skipped?;
        }
        if self.is_done()? {
            return Ok(());
        }
        Err(self.not_json(&Bad {
            at: self.source.pos,
            what: "text follows the end".to_owned(),
            help: "one file holds one list",
        }))
    }

    /// Goes to the first member of the list.
    fn find_list(&mut self, path: &[&str]) -> Result<(), Ended> {
        for name in path {
            let (opens, _) = self.step(|cursor| cursor.take(b'{'))?;
            if !opens {
                let message = format!("no object that {} could be in", quoted(name));
                return Err(self.no_list(message, "correct `rows`, or leave it out"));
            }
            self.find_member(name)?;
        }
        let first = self.peek()?;
        match first {
            b'[' => self.step(|cursor| cursor.expect(b'[')).map(|_| ()),
            b'{' => {
                self.step(|cursor| cursor.expect(b'{'))?;
                Err(self.instead())
            }
            _ => {
                // It may be no JSON at all.
                self.skip_value()?;
                Err(self.no_list("no list".to_owned(), "export a list of objects"))
            }
        }
    }

    /// Goes to the value of a member of the object that has just opened.
    fn find_member(&mut self, name: &str) -> Result<(), Ended> {
        let mut others = Vec::new();
        let (empty, _) = self.step(|cursor| cursor.take(b'}'))?;
        let mut goes_on = !empty;
        while goes_on {
            let key = self.key()?;
            if key == name {
                return Ok(());
            }
            self.skip_beside(&key)?;
            others.push(key);
            others.truncate(MEMBERS);
            (goes_on, _) = self.step(|cursor| cursor.goes_on(b'}'))?;
        }
        let message = format!("no {} in an object with {}", quoted(name), listed(&others));
        Err(self.no_data(&others, message, "correct `rows`"))
    }

    /// Says what the object is that has just opened where a list belongs.
    fn instead(&mut self) -> Ended {
        let (mut members, mut lists) = (Vec::new(), Vec::new());
        if let Err(ended) = self.members(&mut members, &mut lists) {
            return ended;
        }
        let message = format!("an object with {} instead of a list", listed(&members));
        self.list = lists.first().cloned();
        let help = match lists.first() {
            Some(list) => format!("say where the list is: `rows: {list}`"),
            None => "write one object alone as a list with one member".to_owned(),
        };
        self.no_data(&members, message, &help)
    }

    /// The first members of an object that has just opened, and which of them are lists.
    fn members(&mut self, members: &mut Vec<String>, lists: &mut Vec<String>) -> Result<(), Ended> {
        let (empty, _) = self.step(|cursor| cursor.take(b'}'))?;
        let mut goes_on = !empty;
        while goes_on && members.len() < MEMBERS {
            let key = self.key()?;
            let first = self.peek()?;
            if first == b'[' {
                lists.push(key.clone());
            }
            self.skip_value()?;
            members.push(key);
            (goes_on, _) = self.step(|cursor| cursor.goes_on(b'}'))?;
        }
        Ok(())
    }

    fn list(
        &mut self,
        objects: &mut Objects<'_>,
        each: &mut dyn FnMut(&Record, &Columns) -> bool,
    ) -> Result<(), Ended> {
        let (empty, _) = self.step(|cursor| cursor.take(b']'))?;
        let mut goes_on = !empty;
        let mut record = Record::default();
        while goes_on {
            self.object(objects, &mut record)?;
            if !each(&record, objects.columns) {
                self.findings.complete = false;
                return Err(Ended);
            }
            (goes_on, _) = self.step(|cursor| cursor.goes_on(b']'))?;
        }
        Ok(())
    }

    /// Reads the object that comes next into a record.
    fn object(&mut self, objects: &mut Objects<'_>, record: &mut Record) -> Result<(), Ended> {
        if self.peek()? != b'{' {
            record.reset(self.source.pos);
            record.faulty = true;
            return self.no_object();
        }
        let ((), flawed) = self.step(|cursor| objects.read(cursor, record))?;
        record.faulty |= flawed;
        for (at, found) in objects.found.drain(..) {
            // A letter that was just lost has been reported.
            if !flawed || found.code != codes::REPLACEMENT_CHARACTER {
                self.findings.report(at, found);
            }
        }
        Ok(())
    }

    fn no_object(&mut self) -> Result<(), Ended> {
        let (message, help) = if self.whole == "line" {
            ("a line is no object", "every line is an object: `{…}`")
        } else {
            (
                "a member of the list is no object",
                "every member of the list is an object: `{…}`",
            )
        };
        let found = Diagnostic::new(codes::JSON_SHAPE, message).help(help);
        self.findings.report(self.source.pos, found);
        self.skip_value()
    }

    /// Skips what follows in an object after one of its members.
    fn skip_members(&mut self) -> Result<(), Ended> {
        while self.step(|cursor| cursor.goes_on(b'}'))?.0 {
            let key = self.key()?;
            self.skip_beside(&key)?;
        }
        Ok(())
    }

    fn say_beside(&mut self) {
        for (at, found) in std::mem::take(&mut self.beside) {
            self.findings.report(at, found);
        }
    }

    /// Skips a member beside the list, and reports what it says of the whole answer.
    fn skip_beside(&mut self, name: &str) -> Result<(), Ended> {
        self.peek()?;
        let at = self.source.pos;
        if let Some(value) = self.ahead() {
            match beside(name, &value) {
                Some(Beside::Problem(found)) => self.beside.push((at, found)),
                Some(Beside::Total(total)) => self.total = Some(total),
                None => {}
            }
        }
        self.skip_value()
    }

    /// The value that follows, which stays there; of a large one only that it is there.
    fn ahead(&mut self) -> Option<serde_json::Value> {
        loop {
            let rest = self.source.rest();
            let mut values = serde_json::Deserializer::from_str(rest).into_iter();
            match values.next() {
                Some(Ok(value)) => return Some(value),
                Some(Err(error)) if !error.is_eof() => return None,
                _ if rest.len() > AHEAD => return Some(serde_json::Value::Bool(true)),
                _ => {}
            }
            if !self.source.more() {
                return None;
            }
        }
    }

    /// The next byte that is no white space.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method of cursors of one lifetime is none of cursors of all"
    )]
    fn peek(&mut self) -> Result<u8, Ended> {
        Ok(self.step(|cursor| cursor.peek())?.0)
    }

    /// Whether nothing follows.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "a method of cursors of one lifetime is none of cursors of all"
    )]
    fn is_done(&mut self) -> Result<bool, Ended> {
        Ok(self.step(|cursor| cursor.is_done())?.0)
    }

    fn key(&mut self) -> Result<String, Ended> {
        let read = |cursor: &mut Cursor<'_>| {
            let mut key = String::new();
            cursor.string(&mut key)?;
            cursor.expect(b':')?;
            Ok(key)
        };
        Ok(self.step(read)?.0)
    }

    /// Skips a value that may be larger than what is kept at once.
    fn skip_value(&mut self) -> Result<(), Ended> {
        let mut skipped = Skipped::default();
        while !self.step(|cursor| skipped.word(cursor))?.0 {}
        Ok(())
    }

    /// Reads something, with as much text as it takes; whether a byte of it is of no text. What is
    /// read is read again from its start when more text has come.
    fn step<T>(
        &mut self,
        mut read: impl FnMut(&mut Cursor<'_>) -> Result<T, Stop>,
    ) -> Result<(T, bool), Ended> {
        loop {
            let text = self.source.rest();
            let mut cursor = Cursor::new(text, self.source.ended(), self.source.pos);
            match read(&mut cursor) {
                Ok(found) => {
                    let (length, pos) = (cursor.read(), cursor.pos());
                    let flawed = self.flaws(length);
                    self.source.consume(length, pos);
                    return Ok((found, flawed));
                }
                Err(Stop::More) if text.len() > self.most => return Err(self.too_long()),
                Err(Stop::More) => {
                    self.source.more();
                }
                Err(Stop::Cut(at)) => return Err(self.cut(at)),
                Err(Stop::Bad(bad)) => return Err(self.not_json(&bad)),
            }
        }
    }

    /// Reports the first byte of no text within so many bytes.
    fn flaws(&mut self, length: usize) -> bool {
        let mut first = None;
        while let Some(flaw) = self.source.next_flaw(length) {
            first.get_or_insert(flaw);
        }
        if let Some((at, flaw)) = first {
            let before = self.source.rest().get(..at).unwrap_or_default();
            let at = super::source::advance(self.source.pos, before);
            let encoding = self.source.encoding().0.name();
            super::report_flaw(self.findings, at, flaw, encoding);
        }
        first.is_some()
    }

    fn too_long(&mut self) -> Ended {
        let what = format!("more than {} bytes without an end", self.most);
        let found = unlike::instead(&what, "look at what wrote it");
        self.findings.fatal(self.source.pos, found);
        Ended
    }

    fn cut(&mut self, at: Pos) -> Ended {
        // What is wrong with the bytes is closer to the cause.
        if !self.flaws(self.source.rest().len()) {
            let found = truncated(&format!("the export ends before its {} does", self.whole));
            self.findings.fatal(at, found.help("get the whole export"));
        }
        self.findings.complete = false;
        Ended
    }

    fn not_json(&mut self, bad: &Bad) -> Ended {
        let found = Diagnostic::new(codes::FEED_NOT_DATA, format!("no JSON: {}", bad.what));
        self.findings.fatal(bad.at, found.help(bad.help));
        Ended
    }

    fn no_list(&mut self, message: String, help: &str) -> Ended {
        let found = Diagnostic::new(codes::JSON_NOT_LIST, message).help(help);
        self.findings.fatal(self.source.pos, found);
        Ended
    }

    /// Says that there is no list in an object: an error, if it looks like one.
    fn no_data(&mut self, members: &[String], message: String, help: &str) -> Ended {
        let error = members
            .iter()
            .find(|name| ERRORS.contains(&&*name.to_ascii_lowercase()));
        match error {
            Some(name) => {
                let what = format!("an error: an object with {}", quoted(name));
                let help = "look at the address and the credentials";
                self.findings
                    .fatal(self.source.pos, unlike::instead(&what, help));
                Ended
            }
            None => self.no_list(message, help),
        }
    }
}

/// Names, the first few of them.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 5;
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| quoted(name)).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
