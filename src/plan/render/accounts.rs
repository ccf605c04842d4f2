//! What a plan does by account, for Markdown: people think in customers.

use super::code_span::code;
use super::markdown_writer::{BlockTopic, MarkdownWriter};
use super::text;
use super::wording::{joined, plural};
use crate::model::Key;
use crate::plan::Plan;
use std::collections::BTreeMap;
use std::io;

/// How many resources of an account are named.
const NAMED: usize = 10;

/// Writes a folded table with a row for each account.
pub(super) fn write(plan: &Plan, page: &mut MarkdownWriter<'_>) -> io::Result<()> {
    let mut words: BTreeMap<&Key, String> = BTreeMap::new();
    for step in &plan.steps {
        words.insert(&step.key, step.verb.to_string());
    }
    for held in &plan.held {
        let entry = words.entry(&held.key).or_default();
        let lead = if entry.is_empty() { "" } else { ", " };
        entry.push_str(&format!("{lead}{} (held)", held.verb));
    }
    let rows = plan.accounts.iter().filter_map(|(account, keys)| {
        let changes = keys.iter().filter_map(|key| Some((key, words.get(key)?)));
        let changes: Vec<String> = changes
            .map(|(key, words)| format!("{words} {}", cell(&text::key(key))))
            .collect();
        (!changes.is_empty()).then_some((account, changes))
    });
    let rows: Vec<_> = rows.collect();
    let count = plural(rows.len(), "account");
    let opening = format!(
        "<details><summary>By account: {count}</summary>\n\n| Account | Changes |\n| --- | --- |\n"
    );
    page.begin(opening, "\n</details>\n\n");
    for (account, changes) in rows {
        let named = &changes[..changes.len().min(NAMED)];
        let row = format!("| {} | {} |\n", cell(account), joined(named, changes.len()));
        page.block((BlockTopic::Account, 1), &row)?;
    }
    page.end_section()
}

/// A bar would end the cell, in a code span too.
fn cell(text: &str) -> String {
    code(text).replace('|', "\\|")
}
