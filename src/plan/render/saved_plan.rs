//! Reading a saved plan back. What was written is read exactly; anything else is refused.
//!
//! Two things are not in a saved plan and so do not come back: what a created resource declares
//! field by field as cells (its changes do), and secrets, whose values read back as empty text.

use super::decode::{ChangeDocument, changes};
use super::json;
use crate::diagnostic::{Code, Diagnostic, Origin, Severity};
use crate::kinds::{self, Kind};
use crate::model::{CompactText, Digest, HeldStep, Key, LineColumn};
use crate::plan::{
    ClaimDigests, HoldEntry, Plan, PlanSummary, SourceRef, Step, StepBody, StepClaim, StepReason,
    StepVerb,
};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a text is not a saved plan.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// It is not JSON, or not of the form of a plan.
    #[error("this is not a plan saved by `roster plan --out`: {0}")]
    Form(#[from] serde_json::Error),
    /// It was saved in a format that this version does not read.
    #[error(
        "this plan has format {0}; this version of Roster reads 1.x. Run `roster plan --out` again"
    )]
    Version(String),
    /// Its content is not what its id was made of.
    #[error(
        "this plan was changed after it was saved: its id is {said}, but its content has {found}"
    )]
    Changed {
        /// The id that stands in it.
        said: String,
        /// The id of what it holds.
        found: String,
    },
}

/// Reads a saved plan; also says its id.
pub fn parse(text: &str) -> Result<(Plan, String), SavedPlanError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct FormatVersion {
        format_version: String,
    }
    let document = serde_json::from_str::<SavedPlanDocument>(text);
    let version = match &document {
        Ok(document) => Some(document.format_version.clone()),
        // Of a newer format only the version can be expected to read.
        Err(_) => serde_json::from_str::<FormatVersion>(text)
            .ok()
            .map(|version| version.format_version),
    };
    if let Some(version) = version.filter(|version| !version.starts_with("1.")) {
        return Err(SavedPlanError::Version(version));
    }
    let document = document?;
    let said = document.id.clone();
    let plan = document.into_plan();
    let found = json::id(&plan);
    if said == found {
        Ok((plan, said))
    } else {
        Err(SavedPlanError::Changed { said, found })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SavedPlanDocument {
    format_version: String,
    id: String,
    source: SourceDocument,
    database: Option<String>,
    environment: Option<String>,
    summary: SummaryDocument,
    steps: Vec<FromDocument<Step>>,
    held: Vec<FromDocument<HoldEntry>>,
    orphans: Vec<FromDocument<Key>>,
    released: Vec<FromDocument<Key>>,
    accepted: Vec<String>,
    #[serde(default)]
    budgets: BTreeMap<String, BudgetDocument>,
    #[serde(default)]
    remembered: Vec<FromDocument<HeldStep>>,
    #[serde(default)]
    undeclared: Vec<FromDocument<(Key, String)>>,
    diagnostics: Vec<FromDocument<Diagnostic>>,
    errored: bool,
}

impl SavedPlanDocument {
    fn into_plan(self) -> Plan {
        let source = SourceRef {
            name: self.source.name.into(),
            revision: self.source.revision.into(),
        };
        let budgets = self.budgets.into_iter();
        let (spent, bases) = budgets
            .map(|(name, budget)| ((name.clone(), budget.count), (name, budget.of)))
            .unzip();
        let remembered = into_values(self.remembered)
            .into_iter()
            .map(|step| HeldStep {
                source: source.name.clone(),
                ..step
            });
        Plan {
            budget_use: spent,
            budget_bases: bases,
            remembered_steps: remembered.collect(),
            source,
            database: self.database,
            environment: self.environment,
            summary: self.summary.into(),
            steps: into_values(self.steps),
            held: into_values(self.held),
            orphans: into_values(self.orphans),
            released: into_values(self.released),
            accepted: self.accepted,
            diagnostics: into_values(self.diagnostics),
            errored: self.errored,
            undeclared: into_values(self.undeclared),
            ..Plan::default()
        }
    }
}

/// Something that is read by way of the form it has in the document, so that what is wrong with
/// it is said with its place.
struct FromDocument<T>(T);

fn into_values<T>(read: Vec<FromDocument<T>>) -> Vec<T> {
    read.into_iter().map(|read| read.0).collect()
}

/// The form that something has in the document.
trait DocumentForm {
    type Document: for<'de> Deserialize<'de>;

    fn read(document: Self::Document) -> Result<Self, String>
    where
        Self: Sized;
}

impl<'de, T: DocumentForm> Deserialize<'de> for FromDocument<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let document = T::Document::deserialize(from)?;
        T::read(document)
            .map(Self)
            .map_err(serde::de::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceDocument {
    name: String,
    revision: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SummaryDocument {
    create: u64,
    update: u64,
    adopt: u64,
    deactivate: u64,
    reactivate: u64,
    delete: u64,
    held: u64,
    unchanged: u64,
    unclaimed: u64,
}

impl From<SummaryDocument> for PlanSummary {
    fn from(read: SummaryDocument) -> Self {
        Self {
            create: read.create,
            update: read.update,
            adopt: read.adopt,
            deactivate: read.deactivate,
            reactivate: read.reactivate,
            delete: read.delete,
            held: read.held,
            unchanged: read.unchanged,
            unclaimed: read.unclaimed,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetDocument {
    count: u64,
    of: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RememberedDocument {
    kind: String,
    external_id: CompactText,
    budget: String,
    field: String,
    verb: String,
    hold: String,
    count: u64,
    earlier: u64,
    of: u64,
    declared: String,
    step: String,
}

impl DocumentForm for HeldStep {
    type Document = RememberedDocument;

    fn read(read: RememberedDocument) -> Result<Self, String> {
        let digest =
            |text: &str| Digest::parse(text).ok_or_else(|| format!("`{text}` is not a digest"));
        Ok(Self {
            source: Arc::default(),
            key: Key::new(kind(&read.kind)?.id, read.external_id),
            budget: read.budget,
            field: read.field,
            verb: read.verb,
            hold: read.hold,
            count: read.count,
            earlier: read.earlier,
            total: read.of,
            declared: digest(&read.declared)?,
            step: digest(&read.step)?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepDocument {
    verb: String,
    kind: String,
    external_id: CompactText,
    version: Option<i64>,
    reason: String,
    origin: Option<OriginDocument>,
    claim: Option<ClaimDocument>,
    changes: Vec<ChangeDocument>,
}

impl DocumentForm for Step {
    type Document = StepDocument;

    fn read(read: StepDocument) -> Result<Self, String> {
        let key = Key::new(kind(&read.kind)?.id, read.external_id);
        Ok(Self {
            verb: verb(&read.verb)?,
            version: read.version,
            reason: StepReason::by_word(&read.reason)
                .ok_or_else(|| format!("unknown reason `{}`", read.reason))?,
            origin: read.origin.map(Origin::from),
            claim: read.claim.map(ClaimDocument::read).transpose()?,
            body: StepBody::Changes(changes(&key, read.changes)?),
            key,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HoldEntryDocument {
    verb: String,
    kind: String,
    external_id: CompactText,
    code: String,
    root: Option<String>,
    message: String,
    hold: String,
    count: Option<u64>,
    of: Option<u64>,
    limit: Option<u64>,
    #[serde(rename = "override")]
    over: Option<String>,
    origin: Option<OriginDocument>,
    changes: Vec<ChangeDocument>,
    #[serde(default)]
    becomes: Option<CompactText>,
}

impl DocumentForm for HoldEntry {
    type Document = HoldEntryDocument;

    fn read(read: HoldEntryDocument) -> Result<Self, String> {
        let key = Key::new(kind(&read.kind)?.id, read.external_id);
        Ok(Self {
            verb: verb(&read.verb)?,
            code: code(&read.code)?,
            root: code(read.root.as_ref().unwrap_or(&read.code))?,
            message: read.message,
            hold: read.hold,
            count: read.count,
            total: read.of,
            limit: read.limit,
            accept_option: read.over,
            origin: read.origin.map(Origin::from),
            changes: changes(&key, read.changes)?,
            becomes: read.becomes.map(|id| Key::new(key.kind, id)),
            key,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DiagnosticDocument {
    severity: String,
    code: String,
    message: String,
    help: Option<String>,
    kind: Option<String>,
    external_id: Option<CompactText>,
    field: Option<String>,
    origin: Option<OriginDocument>,
    related: Vec<OriginDocument>,
    /// Follows from the code.
    #[serde(rename = "djustCode")]
    _djust: Option<String>,
}

impl DocumentForm for Diagnostic {
    type Document = DiagnosticDocument;

    fn read(read: DiagnosticDocument) -> Result<Self, String> {
        let key = match (read.kind, read.external_id) {
            (Some(name), Some(id)) => Some(Key::new(kind(&name)?.id, id)),
            (None, None) => None,
            _ => return Err("`kind` and `externalId` are only valid together".into()),
        };
        Ok(Self {
            code: code(&read.code)?,
            severity: Severity::by_word(&read.severity)
                .ok_or_else(|| format!("unknown severity `{}`", read.severity))?,
            message: read.message,
            help: read.help,
            key,
            field: read.field,
            origin: read.origin.map(Origin::from),
            member: None,
            related: read.related.into_iter().map(Origin::from).collect(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeyDocument {
    kind: String,
    external_id: CompactText,
}

impl DocumentForm for Key {
    type Document = KeyDocument;

    fn read(read: KeyDocument) -> Result<Self, String> {
        Ok(Self::new(kind(&read.kind)?.id, read.external_id))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UndeclaredDocument {
    kind: String,
    external_id: CompactText,
    field: String,
}

impl DocumentForm for (Key, String) {
    type Document = UndeclaredDocument;

    fn read(read: UndeclaredDocument) -> Result<Self, String> {
        Ok((Key::new(kind(&read.kind)?.id, read.external_id), read.field))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginDocument {
    path: String,
    #[serde(default)]
    line: u32,
    #[serde(default)]
    column: u32,
}

impl From<OriginDocument> for Origin {
    fn from(read: OriginDocument) -> Self {
        Self {
            path: read.path.into(),
            at: LineColumn {
                line: read.line,
                column: read.column,
            },
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimDocument {
    digest: String,
    fields: BTreeMap<CompactText, String>,
}

impl ClaimDocument {
    fn read(self) -> Result<StepClaim, String> {
        let wrong = |digest: &str| format!("`{digest}` is not a digest");
        let fields = self.fields.into_iter().map(|(name, said)| {
            let hex = said.len() == 16 && said.bytes().all(|b| b.is_ascii_hexdigit());
            let number = u64::from_str_radix(&said, 16).ok().filter(|_| hex);
            number
                .map(|number| (name, number))
                .ok_or_else(|| wrong(&said))
        });
        Ok(StepClaim::Digests(ClaimDigests {
            digest: Digest::parse(&self.digest).ok_or_else(|| wrong(&self.digest))?,
            fields: fields.collect::<Result<_, _>>()?,
        }))
    }
}

fn kind(name: &str) -> Result<&'static Kind, String> {
    kinds::by_name(name).ok_or_else(|| format!("unknown kind `{name}`"))
}

fn verb(word: &str) -> Result<StepVerb, String> {
    StepVerb::by_word(word).ok_or_else(|| format!("unknown verb `{word}`"))
}

fn code(name: &str) -> Result<Code, String> {
    Code::by_name(name).ok_or_else(|| format!("unknown code `{name}`"))
}
