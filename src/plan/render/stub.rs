//! stub
use crate::plan::Plan;
use std::io::{self, Write};
#[derive(Clone,Copy)] pub enum Detail { Summary, Changes, Full }
#[derive(Clone,Copy)] pub enum Format { Text, Json, Ndjson, Markdown, Github }
pub struct Options { pub detail: Detail, pub max_bytes: Option<usize>, pub color: bool }
pub fn render(plan:&Plan, format: Format, _o:&Options, out:&mut dyn Write)->io::Result<()> {
  match format { Format::Json => { super::json::write(plan,out)?; writeln!(out) }
   _ => { for s in &plan.steps { writeln!(out, "{} {} {}", s.verb.sign(), s.verb, s.key)?; for c in s.changes().iter() { writeln!(out, "    {}: {:?} -> {:?}", s.field_name(c), c.before, c.after)?; } }
     for h in &plan.held { writeln!(out, "! held {} {} {} {}", h.code, h.key, h.hold, h.message)?; }
     if plan.errored { writeln!(out,"Refused")?; }
     writeln!(out, "{:?}", plan.summary) } }
}
pub fn id(plan:&Plan)->String { super::json::id(plan) }
pub fn write_applied(plan:&Plan, _run: Option<i64>, _o:&str, out:&mut dyn Write)->io::Result<()> { super::json::write(plan,out) }
pub mod github { pub fn diagnostics(_:&[crate::diagnostic::Diagnostic],_:&str,_:&mut dyn std::io::Write)->std::io::Result<()> {Ok(())} }
