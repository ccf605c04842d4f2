//! Expressions over the columns of a record. They are templates of minijinja without access to
//! files or functions, and with a bounded number of steps, because a mapping may come from a
//! repository that many people can change.

use super::column_reader::ColumnReader;
use crate::diagnostic::codes;
use crate::kinds::read::ValueProblem;
use crate::model::CompactText;
use minijinja::{Environment, UndefinedBehavior, Value};
use std::sync::LazyLock;

const FUEL: u64 = 5_000;
const LONGEST: usize = 2_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    // A record that lacks a column (JSON leaves out what is empty) must not make the expression
    // fail.
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment
});

#[derive(Debug)]
pub struct CellExpression {
    text: String,
    compiled: minijinja::Expression<'static, 'static>,
}

impl CellExpression {
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("an expression has at most {LONGEST} bytes"));
        }
        let compiled = ENVIRONMENT.compile_expression_owned(text.to_owned());
        Ok(Self {
            text: text.to_owned(),
            compiled: compiled.map_err(|error| reason(&error))?,
        })
    }

    /// Evaluates the expression for a record. Columns are available by name, and all of them in
    /// `row`.
    pub(super) fn evaluate(&self, record: &dyn ColumnReader) -> Result<CompactText, ValueProblem> {
        let columns = record.all_texts();
        let row = Value::from_serialize(&columns);
        let mut context: std::collections::BTreeMap<String, Value> = columns
            .into_iter()
            .map(|(name, text)| (name, Value::from(text)))
            .collect();
        // Last, so that a column named `row` cannot hide it. Names with spaces are reachable only
        // through it.
        context.insert("row".to_owned(), row);
        let value = self.compiled.eval(&context).map_err(|error| {
            let message = format!(
                "the expression `{}` fails here: {}",
                self.text,
                reason(&error)
            );
            ValueProblem::new(codes::WRONG_TYPE, message)
                .help("correct the mapping or the values in this row")
        })?;
        // No value is blank, not the text `none`.
        if value.is_undefined() || value.is_none() {
            return Ok(CompactText::default());
        }
        Ok(CompactText::new(value.to_string()))
    }
}

fn reason(error: &minijinja::Error) -> String {
    match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    }
}
