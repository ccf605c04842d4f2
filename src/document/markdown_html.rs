//! Turns the Markdown of plans into HTML, line by line, so that a plan of any size is never in
//! memory as text.
//!
//! It knows only what `plan::render::markdown` writes: headings, lists, tables, folds, code blocks,
//! code spans and bold. Everything else is text and is escaped.

use std::io::{self, Write};

/// A writer of Markdown that passes HTML on.
pub(super) struct MarkdownToHtml<'a> {
    out: &'a mut dyn Write,
    line: Vec<u8>,
    open: Vec<&'static str>,
    block: CodeBlock,
    table: TablePart,
}

/// Whether lines are code.
#[derive(Clone, Copy, PartialEq, Eq)]
enum CodeBlock {
    Outside,
    Text,
    /// With the entry of a resource open or not.
    Diff {
        in_entry: bool,
    },
}

/// Which line of a table comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TablePart {
    Header,
    Rule,
    Row,
}

impl Write for MarkdownToHtml<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                self.line(String::from_utf8_lossy(&line).trim_end_matches('\n'))?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MarkdownToHtml<'a> {
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self {
            out,
            line: Vec::new(),
            open: Vec::new(),
            block: CodeBlock::Outside,
            table: TablePart::Header,
        }
    }

    /// Writes what is left and closes what is open.
    pub fn finish(mut self) -> io::Result<()> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            self.line(&String::from_utf8_lossy(&line))?;
        }
        self.close_to(0)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        match self.block {
            CodeBlock::Outside => self.markdown(line),
            block => self.code(block, line),
        }
    }

    fn code(&mut self, block: CodeBlock, line: &str) -> io::Result<()> {
        if line == "```" {
            self.block = CodeBlock::Outside;
            let open = matches!(block, CodeBlock::Diff { in_entry: true });
            return writeln!(self.out, "{}</div>", if open { "</div>" } else { "" });
        }
        let CodeBlock::Diff { in_entry } = block else {
            return writeln!(
                self.out,
                "<div class=entry><div class=plain>{}</div></div>",
                escape(line)
            );
        };
        let name = match line.as_bytes().first() {
            Some(b'+') => "comes",
            Some(b'-') => "gone",
            Some(b'!') => "changed",
            Some(b'#') => "note",
            _ => "plain",
        };
        // The lines of fields are indented below their resource.
        if !line.get(1..).unwrap_or_default().starts_with("     ") {
            let close = if in_entry { "</div>" } else { "" };
            write!(self.out, "{close}<div class=entry>")?;
            self.block = CodeBlock::Diff { in_entry: true };
        }
        writeln!(self.out, "<div class={name}>{}</div>", escape(line))
    }

    fn markdown(&mut self, line: &str) -> io::Result<()> {
        let item = line.trim_start();
        let depth = (line.len() - item.len()) / 2 + 1;
        if let Some(item) = item.strip_prefix("- ") {
            return self.item(item, depth);
        }
        if line.starts_with("| ") {
            return self.row(line);
        }
        self.close_to(0)?;
        self.table = TablePart::Header;
        if let Some(language) = line.strip_prefix("```") {
            self.block = match language {
                "diff" => CodeBlock::Diff { in_entry: false },
                _ => CodeBlock::Text,
            };
            return writeln!(self.out, "<div class=code>");
        }
        let summary = line.strip_prefix("<details><summary>");
        if let Some(summary) = summary.and_then(|rest| rest.strip_suffix("</summary>")) {
            return writeln!(self.out, "<details><summary>{}</summary>", inline(summary));
        }
        match line {
            "" => Ok(()),
            "</details>" => writeln!(self.out, "</details>"),
            // The marker of comments.
            hidden if hidden.starts_with("<!-- ") => Ok(()),
            text => {
                let headings = [("#### ", "h3"), ("### ", "h2")];
                let heading = headings.iter().find(|(sign, _)| text.starts_with(sign));
                let (sign, tag) = heading.copied().unwrap_or(("", "p"));
                writeln!(self.out, "<{tag}>{}</{tag}>", inline(&text[sign.len()..]))
            }
        }
    }

    /// Writes an item of a list and opens the lists that it is in.
    fn item(&mut self, item: &str, depth: usize) -> io::Result<()> {
        // A list and its last item are open at each depth.
        self.close_to(depth * 2 - 1)?;
        while self.open.len() < depth * 2 - 1 {
            self.open("ul")?;
            if self.open.len() < depth * 2 - 1 {
                self.open("li")?;
            }
        }
        self.open("li")?;
        writeln!(self.out, "{}", inline(item))
    }

    fn row(&mut self, line: &str) -> io::Result<()> {
        let cells = cells(line);
        let cells = cells.iter().map(|cell| cell.trim());
        match self.table {
            TablePart::Header => {
                self.close_to(0)?;
                self.open("table")?;
                let cells = cells.map(|cell| match cell {
                    "" => "<td></td>".to_owned(),
                    cell => format!("<th scope=col>{}</th>", inline(cell)),
                });
                writeln!(self.out, "<tr>{}</tr>", cells.collect::<String>())?;
                self.table = TablePart::Rule;
            }
            TablePart::Rule => self.table = TablePart::Row,
            TablePart::Row => {
                let cells = cells.enumerate().map(|(at, cell)| match at {
                    0 => format!("<th scope=row>{}</th>", inline(cell)),
                    _ => format!("<td>{}</td>", inline(cell)),
                });
                writeln!(self.out, "<tr>{}</tr>", cells.collect::<String>())?;
            }
        }
        Ok(())
    }

    fn open(&mut self, tag: &'static str) -> io::Result<()> {
        self.open.push(tag);
        write!(self.out, "<{tag}>")
    }

    /// Closes elements until so many are open.
    fn close_to(&mut self, many: usize) -> io::Result<()> {
        while self.open.len() > many {
            if let Some(tag) = self.open.pop() {
                writeln!(self.out, "</{tag}>")?;
            }
        }
        Ok(())
    }
}

/// Splits a row of a table at its bars. One after a backslash belongs to a cell.
fn cells(line: &str) -> Vec<String> {
    let row = line.strip_prefix('|').unwrap_or(line);
    let row = row.strip_suffix('|').unwrap_or(row);
    let mut cells = vec![String::new()];
    let mut escaped = false;
    for c in row.chars() {
        match (c, cells.last_mut()) {
            ('|', _) if !escaped => cells.push(String::new()),
            (c, Some(cell)) => {
                if c == '|' {
                    cell.pop();
                }
                cell.push(c);
            }
            _ => {}
        }
        escaped = c == '\\';
    }
    cells
}

/// Turns code spans and bold words into elements.
fn inline(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        out.push_str(&bold(&rest[..at]));
        rest = &rest[at..];
        let fence = rest.len() - rest.trim_start_matches('`').len();
        let Some((code, after)) = code_span(&rest[fence..], fence) else {
            break;
        };
        out.push_str(&format!("<code>{}</code>", escape(code)));
        rest = after;
    }
    out + &bold(rest)
}

/// Splits a text after the opening fence of a code span into the code and what follows.
fn code_span(text: &str, fence: usize) -> Option<(&str, &str)> {
    let mut at = 0;
    loop {
        let start = at + text[at..].find('`')?;
        let run = text[start..].len() - text[start..].trim_start_matches('`').len();
        at = start + run;
        if run == fence {
            let code = &text[..start];
            let bare = code
                .strip_prefix(' ')
                .and_then(|code| code.strip_suffix(' '));
            // A space on both sides only separates the code from its fence.
            let code = bare.filter(|bare| !bare.trim().is_empty()).unwrap_or(code);
            return Some((code, &text[at..]));
        }
    }
}

fn bold(text: &str) -> String {
    let parts = text.split("**").enumerate();
    let parts = parts.map(|(at, part)| match at % 2 {
        0 => escape(part),
        _ => format!("<strong>{}</strong>", escape(part)),
    });
    parts.collect()
}

fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    escaped.replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(markdown: &str) -> String {
        let mut out = Vec::new();
        let mut converter = MarkdownToHtml::new(&mut out);
        converter.write_all(markdown.as_bytes()).expect("written");
        converter.finish().expect("written");
        String::from_utf8(out).expect("UTF-8").replace('\n', "")
    }

    #[test]
    fn what_plans_contain_becomes_elements() {
        for (markdown, expected) in [
            (
                "### A **b** `c`\n",
                "<h2>A <strong>b</strong> <code>c</code></h2>",
            ),
            (
                "- a\n  - b\n  - c\n- d\n\ntext",
                "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul><p>text</p>",
            ),
            (
                "| | x |\n| --- | ---: |\n| Tags | 1 |\n",
                "<table><tr><td></td><th scope=col>x</th></tr><tr><th scope=row>Tags</th><td>1</td></tr></table>",
            ),
            (
                "<details><summary>Tags: 1</summary>\n\n```diff\n+ create  Tag/a\n+     name: A\n! update  Tag/b\n```\n\n</details>\n",
                "<details><summary>Tags: 1</summary><div class=code><div class=entry><div class=comes>+ create  Tag/a</div><div class=comes>+     name: A</div></div><div class=entry><div class=changed>! update  Tag/b</div></div></div></details>",
            ),
            ("`` a`b ``", "<p><code>a`b</code></p>"),
            ("` `", "<p><code> </code></p>"),
            ("<!-- roster:plan source=a -->\n", ""),
        ] {
            assert_eq!(html(markdown), expected, "{markdown}");
        }
    }

    #[test]
    fn no_value_becomes_markup() {
        let hostile = "- `<script>alert(1)</script>` **<b>**\n```diff\n+ create  User/<img src=x onerror=y>\n```\n";
        let html = html(hostile);
        assert!(
            !html.contains("<script") && !html.contains("<img") && !html.contains("<b>"),
            "{html}"
        );
    }
}
