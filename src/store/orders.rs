//! Orders and quotes with the login that placed them. The login is kept as text, so that it stays
//! known after the login, the user or the account is gone. Start at `Store::put_order`.

use super::connection::SqlTransaction;
use super::error::StoreError;
use super::sql_value::{SqlType, SqlValue};
use super::submission;
use super::{Store, migrate};
use crate::kinds::{ACCOUNT, USER};
use crate::model::Key;

/// An order or a quote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredOrder {
    pub external_id: String,
    /// `order` or `quote`.
    pub kind: String,
    pub account: Option<String>,
    pub user: Option<String>,
    /// The name with which the user had logged in.
    pub login: Option<String>,
    /// ISO 8601 in UTC.
    pub placed_at: String,
}

/// An order to record or to change.
#[derive(Clone, Copy, Debug)]
pub struct OrderRequest<'a> {
    pub external_id: &'a str,
    pub kind: &'a str,
    pub user: &'a str,
    pub account: Option<&'a str>,
    /// Milliseconds since 1970.
    pub placed_at: i64,
}

/// Which orders to list.
#[derive(Clone, Debug, Default)]
pub struct OrderQuery<'a> {
    pub kind: Option<&'a str>,
    pub user: Option<&'a str>,
    pub account: Option<&'a str>,
    /// Only orders placed at this time or later, in milliseconds since 1970.
    pub since: Option<i64>,
    /// Only ids after this one, for the next page.
    pub after: Option<&'a str>,
    pub limit: Option<u32>,
}

/// Why an order was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// These resources are not stored.
    #[error("unknown resources")]
    NotFound(Vec<Key>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Records an order or a quote, or changes it.
    pub async fn put_order(&self, request: &OrderRequest<'_>) -> Result<StoredOrder, OrderError> {
        let mut tx = self.begin_write("record the order").await?;
        migrate::require_current(&mut tx).await?;
        let stored = order(&mut tx, request.external_id).await?;
        // Of an order that stays with its user and account, both may be gone by now.
        let stays = stored.as_ref().filter(|order| {
            order.user.as_deref() == Some(request.user)
                && order.account.as_deref() == request.account
        });
        let login = if let Some(order) = stays {
            order.login.clone()
        } else {
            require_stored(&mut tx, request).await?;
            login_name(&mut tx, request).await?
        };
        let sql = format!(
            "INSERT INTO orders (external_id, kind, account_id, user_id, login_name, placed_at) \
             VALUES (?, ?, ?, ?, ?, {}) ON CONFLICT (external_id) DO UPDATE SET \
             kind = excluded.kind, account_id = excluded.account_id, user_id = excluded.user_id, \
             login_name = excluded.login_name, placed_at = excluded.placed_at",
            tx.dialect().time_parameter
        );
        let params = [
            request.external_id.into(),
            request.kind.into(),
            SqlValue::text_or_null(request.account),
            request.user.into(),
            SqlValue::text_or_null(login),
            SqlValue::Time(request.placed_at),
        ];
        tx.run(&sql, &params).await?;
        let written = order(&mut tx, request.external_id).await?;
        let written = written.ok_or_else(|| tx.corrupt("the order is not there"))?;
        tx.commit().await?;
        Ok(written)
    }

    /// Returns an order or a quote.
    pub async fn order(&self, id: &str) -> Result<Option<StoredOrder>, StoreError> {
        match self.begin_schema_read("read an order").await? {
            Some(mut tx) => order(&mut tx, id).await,
            None => Ok(None),
        }
    }

    /// Returns orders and quotes, by external id.
    pub async fn orders(&self, query: &OrderQuery<'_>) -> Result<Vec<StoredOrder>, StoreError> {
        let Some(mut tx) = self.begin_schema_read("read the orders").await? else {
            return Ok(Vec::new());
        };
        let mut params: Vec<SqlValue> = vec![query.after.unwrap_or_default().into()];
        let mut sql = "WHERE external_id > ?".to_owned();
        for (column, value) in [
            ("kind", query.kind),
            ("user_id", query.user),
            ("account_id", query.account),
        ] {
            if let Some(value) = value {
                sql.push_str(&format!(" AND {column} = ?"));
                params.push(value.into());
            }
        }
        if let Some(since) = query.since {
            let dialect = tx.dialect();
            let placed = if dialect.is_postgres() {
                "placed_at".to_owned()
            } else {
                dialect.iso_text("placed_at")
            };
            sql.push_str(&format!(" AND {placed} >= {}", dialect.time_parameter));
            params.push(SqlValue::Time(since));
        }
        sql.push_str(" ORDER BY external_id");
        if let Some(limit) = query.limit {
            sql.push_str(" LIMIT ?");
            params.push(i64::from(limit).into());
        }
        select(&mut tx, &sql, &params).await
    }
}

async fn require_stored(
    tx: &mut SqlTransaction,
    request: &OrderRequest<'_>,
) -> Result<(), OrderError> {
    let mut unknown = Vec::new();
    if !submission::is_stored(tx, "users", request.user).await? {
        unknown.push(Key::new(USER, request.user));
    }
    if let Some(account) = request.account
        && !submission::is_stored(tx, "accounts", account).await?
    {
        unknown.push(Key::new(ACCOUNT, account));
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(OrderError::NotFound(unknown))
    }
}

/// The name with which the user logs in to the account: the login name, or the e-mail address where
/// people log in with that.
async fn login_name(
    tx: &mut SqlTransaction,
    request: &OrderRequest<'_>,
) -> Result<Option<String>, StoreError> {
    let sql = "SELECT 1 FROM settings WHERE login_mode <> 'email'";
    if tx.has_rows(sql, &[]).await?
        && let Some(account) = request.account
    {
        let sql = "SELECT name FROM user_logins WHERE user_id = ? AND account_id = ?";
        let pair = [request.user.into(), account.into()];
        if let Some(mut cells) = tx.first(sql, &pair, &[SqlType::Id]).await? {
            return Ok(cells[0].take_optional_text().map(Into::into));
        }
    }
    let sql = "SELECT email FROM users WHERE external_id = ?";
    let found = tx
        .first(sql, &[request.user.into()], &[SqlType::Text])
        .await?;
    Ok(found.and_then(|mut cells| cells[0].take_optional_text().map(Into::into)))
}

/// Returns the orders and quotes of a user, by external id. Shops write this table too, so that an
/// order may have the e-mail address alone.
pub(super) async fn of_user(
    tx: &mut SqlTransaction,
    user: &str,
    email: Option<&str>,
) -> Result<Vec<StoredOrder>, StoreError> {
    let is_own = "WHERE user_id = ? OR (user_id IS NULL AND lower(login_name) = ?) \
                  ORDER BY external_id";
    let email = email.map(str::to_lowercase);
    let params = [user.into(), SqlValue::text_or_null(email)];
    select(tx, is_own, &params).await
}

async fn order(tx: &mut SqlTransaction, id: &str) -> Result<Option<StoredOrder>, StoreError> {
    let found = select(tx, "WHERE external_id = ?", &[id.into()]).await?;
    Ok(found.into_iter().next())
}

async fn select(
    tx: &mut SqlTransaction,
    condition: &str,
    params: &[SqlValue],
) -> Result<Vec<StoredOrder>, StoreError> {
    let sql = format!(
        "SELECT external_id, kind, account_id, user_id, login_name, {} FROM orders {condition}",
        tx.dialect().iso_text("placed_at")
    );
    let (id, text) = (SqlType::Id, SqlType::Text);
    let found = tx
        .fetch(&sql, params, &[id, id, id, id, text, text])
        .await?;
    let orders = found.into_iter().map(|mut cells| StoredOrder {
        external_id: cells[0].take_text().into(),
        kind: cells[1].take_text().into(),
        account: cells[2].take_optional_text().map(Into::into),
        user: cells[3].take_optional_text().map(Into::into),
        login: cells[4].take_optional_text().map(Into::into),
        placed_at: cells[5].take_text().into(),
    });
    Ok(orders.collect())
}
