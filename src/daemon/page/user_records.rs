//! What a shop recorded of a user: the newest jobs, orders and quotes, on the page of the user.

use crate::daemon::path_segment;
use crate::http::{Caller, Permission};
use crate::kinds::USER;
use crate::model::Key;
use crate::store::{JobQuery, OrderQuery, Store, StoreError, StoredJob, StoredOrder};
use maud::{Markup, html};

/// The most rows of a table. The API has the others.
const LISTED: usize = 50;

/// The jobs and orders of a user.
#[derive(Debug, Default)]
pub(super) struct UserRecords {
    jobs: Vec<StoredJob>,
    orders: Vec<StoredOrder>,
}

impl UserRecords {
    /// Reads them; of another kind there are none.
    pub async fn read(store: &Store, key: &Key) -> Result<Self, StoreError> {
        if key.kind != USER {
            return Ok(Self::default());
        }
        let jobs = JobQuery {
            user: Some(&key.id),
            ..JobQuery::default()
        };
        let orders = OrderQuery {
            user: Some(&key.id),
            ..OrderQuery::default()
        };
        let mut records = Self {
            jobs: store.jobs(&jobs).await?,
            orders: store.orders(&orders).await?,
        };
        let jobs = &mut records.jobs;
        jobs.sort_by(|a, b| (&b.created_at, &a.external_id).cmp(&(&a.created_at, &b.external_id)));
        let orders = &mut records.orders;
        orders.sort_by(|a, b| (&b.placed_at, &a.external_id).cmp(&(&a.placed_at, &b.external_id)));
        Ok(records)
    }

    pub fn sections(&self, key: &Key) -> Markup {
        html! {
            @if key.kind == USER {
                @let path = format!("/api/v1/resources/User/{}/backup", path_segment::encode_id(&key.id));
                p { a href=(path) download { "Download the backup" } " (profile, jobs and their files)" }
            }
            @if !self.jobs.is_empty() { (jobs(&self.jobs)) }
            @if !self.orders.is_empty() { (orders(&self.orders)) }
        }
    }
}

/// A link to everything that is stored about a user, also about one who was deleted.
pub(super) fn dossier_link(caller: &Caller, key: &Key) -> Markup {
    let path = format!(
        "/api/v1/resources/User/{}/dossier",
        path_segment::encode_id(&key.id)
    );
    html! {
        @if key.kind == USER && caller.may(Permission::Administer) {
            p { a href=(path) download="dossier.json" { "Download the dossier" } " (everything that is stored about the user)" }
        }
    }
}

/// Says how many more there are than the table shows.
fn more(count: usize, path: &str) -> Markup {
    html! {
        @if count > LISTED {
            p.small { "And " (count - LISTED) " older ones; " code { (path) } " of the API lists all." }
        }
    }
}

fn jobs(jobs: &[StoredJob]) -> Markup {
    html! {
        section #jobs {
            h2 { "Jobs" }
            table {
                caption { "Newest first." }
                thead { tr {
                    th scope="col" { "Job" } th scope="col" { "Name" } th scope="col" { "Status" }
                    th scope="col" { "Submitted" } th scope="col" { "Files" }
                } }
                tbody { @for job in jobs.iter().take(LISTED) { (job_row(job)) } }
            }
            (more(jobs.len(), "/api/v1/jobs"))
        }
    }
}

fn job_row(job: &StoredJob) -> Markup {
    let path = format!(
        "/api/v1/jobs/{}/files",
        path_segment::encode_id(&job.external_id)
    );
    html! {
        tr {
            td data-label="Job" { (job.external_id) }
            td data-label="Name" { (job.name) }
            td data-label="Status" { (job.status) }
            td data-label="Submitted" { (job.created_at) }
            td data-label="Files" {
                @for (at, file) in job.files.iter().enumerate() {
                    @if at > 0 { ", " }
                    a href={ (path) "/" (file.role) } download=(file.name) { (file.role) ": " (file.name) }
                    @if file.edited { " (edited)" }
                }
            }
        }
    }
}

fn orders(orders: &[StoredOrder]) -> Markup {
    html! {
        section #orders {
            h2 { "Orders and quotes" }
            table {
                caption { "Newest first." }
                thead { tr {
                    th scope="col" { "Order" } th scope="col" { "Kind" } th scope="col" { "Account" }
                    th scope="col" { "Login" } th scope="col" { "Placed" }
                } }
                tbody {
                    @for order in orders.iter().take(LISTED) {
                        tr {
                            td data-label="Order" { (order.external_id) }
                            td data-label="Kind" { (order.kind) }
                            td data-label="Account" { (order.account.as_deref().unwrap_or_default()) }
                            td data-label="Login" { (order.login.as_deref().unwrap_or_default()) }
                            td data-label="Placed" { (order.placed_at) }
                        }
                    }
                }
            }
            (more(orders.len(), "/api/v1/orders"))
        }
    }
}
