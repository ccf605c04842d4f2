//! A plan and how it is shown.

use super::source_diagnostics::SourceDiagnostics;
use crate::plan::Plan;
use crate::plan::render::RenderOptions;

pub struct ShownPlan<'a> {
    pub plan: &'a Plan,
    pub options: &'a RenderOptions,
}

impl<'a> From<&ShownPlan<'a>> for SourceDiagnostics<'a> {
    fn from(shown: &ShownPlan<'a>) -> Self {
        Self {
            source: &shown.plan.source.name,
            options: shown.options,
            found: &shown.plan.diagnostics,
        }
    }
}
