//! Self-service of customers: they log in, change their own details, and as administrators of an
//! account its users. The token of a customer opens these routes only.

use super::request::MAX_ID_LENGTH;
use super::self_service_request::{
    AccountParam, AccountUserParam, USERS, checked, creation_key, enforcement, password_wrong,
    refusal, unauthorized,
};
use crate::daemon::handle::{DaemonHandle, HandlerError};
use crate::daemon::invitation::token_digest;
use crate::document::{
    AccountLevel, AccountUserPage, AccountUserRequest, ChangedUserDocument, CustomerDocument,
    LoginReply, LoginRequest, NewAccountUserRequest, NewPasswordRequest, OwnDetailsRequest,
    RemovedUserDocument,
};
use crate::http::problem::{self, HttpProblem, ProblemKind};
use crate::http::token::random_secret;
use crate::http::{
    AccessRequirement, CreatedResponse, CustomerToken, JsonBody, NoContentResponse, PathParams,
    PeerAddress, QueryParams, Route,
};
use crate::secrets::{PASSWORD_RULE, hash_password, password_weakness};
use crate::store::{
    NewAccountUser, SelfServiceError, SelfServiceOrder, SelfServiceReply, TokenDigest, UserChanges,
    UserPage,
};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, Method};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

const LOGIN: &str = "/api/v1/login";
const SELF: &str = "/api/v1/self";
const PASSWORD: &str = "/api/v1/self/password";
const ACCOUNT_USER: &str = "/api/v1/self/accounts/{account}/users/{user}";
const BLOCK: &str = "/api/v1/self/accounts/{account}/users/{user}/block";

/// What every token of a customer begins with, by which secret scanners recognise it.
const PREFIX: &str = "customer_";
/// How many users a page has.
const PAGE: u32 = 50;
const LARGEST_PAGE: u32 = 500;

/// The problems of a change of a user of an account.
const CHANGE: &[&ProblemKind] = &[
    problem::NO_PERMISSION,
    problem::NOT_FOUND,
    problem::DECLARED,
    problem::SEVERAL_ACCOUNTS,
];

/// Which users of an account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct UserFilter {
    /// Start after this id, the `next` of the previous page.
    #[schemars(length(max = MAX_ID_LENGTH), regex(pattern = r"^[^\u0000]*$"))]
    after: Option<String>,
    /// The maximum number of items. Default: 50. Limit: 500.
    limit: Option<u32>,
}

pub(super) fn routes() -> Vec<Route<DaemonHandle>> {
    let customer = AccessRequirement::Customer;
    let own = [
        Route::post(LOGIN, "login", AccessRequirement::Public, login)
            .with_docs(
                "Log in as a customer",
                "With the e-mail address or the login name, as `loginMode` of the settings says. \
                 Every failure is the same. After ten wrong passwords of an address or for a name, \
                 one more is compared every six seconds.",
            )
            .problems(&[problem::LOGIN_FAILED]),
        Route::get(SELF, "self", customer, own_details).with_docs(
            "Get the own details",
            "Those of the customer who has the token.",
        ),
        Route::new(
            Method::PATCH,
            SELF,
            "changeSelf",
            customer,
            change_own_details,
        )
        .with_docs(
            "Change the own details",
            "What is absent stays. A field that a source enforces is refused, with the source.",
        )
        .problems(&[problem::DECLARED, problem::EMAIL_TAKEN]),
        Route::new(
            Method::PUT,
            PASSWORD,
            "changeOwnPassword",
            customer,
            change_password,
        )
        .with_docs(
            "Change the own password",
            "Other tokens of the customer are void from then on.",
        )
        .problems(&[problem::PASSWORD_WRONG, problem::PASSWORD_WEAK]),
    ];
    own.into_iter().chain(user_routes()).collect()
}

fn user_routes() -> [Route<DaemonHandle>; 5] {
    let customer = AccessRequirement::Customer;
    [
        Route::get(USERS, "accountUsers", customer, list_users)
            .with_docs(
                "List the users of an account",
                "For its administrators. Sorted by id, one page at a time.",
            )
            .problems(&[problem::NO_PERMISSION]),
        Route::post(USERS, "createAccountUser", customer, create_user)
            .with_docs(
                "Create a user of an account",
                "For its administrators. The user gets a link to set a password by mail, unless \
                 `notify` is false.",
            )
            .problems(&[
                problem::NO_PERMISSION,
                problem::NOT_FOUND,
                problem::EMAIL_TAKEN,
            ])
            .handles_idempotency(),
        Route::new(Method::PATCH, ACCOUNT_USER, "changeAccountUser", customer, change_user)
            .with_docs(
                "Change a user of an account",
                "For its administrators. Of a user of several accounts only the level can be \
                 changed. A field that a source enforces is refused, with the source.",
            )
            .problems(CHANGE)
            .problems(&[problem::EMAIL_TAKEN]),
        Route::new(Method::DELETE, ACCOUNT_USER, "removeAccountUser", customer, remove_user)
            .with_docs(
                "Take a user out of an account",
                "For its administrators. A user without any account left becomes inactive.",
            )
            .problems(CHANGE)
            .problems(&[problem::WRONG_STATE]),
        Route::post(BLOCK, "blockAccountUser", customer, block_user)
            .with_docs(
                "Block a user of an account",
                "For its administrators. The user cannot log in until an operator removes the block.",
            )
            .problems(CHANGE)
            .problems(&[problem::WRONG_STATE]),
    ]
}

async fn login(
    State(handle): State<DaemonHandle>,
    peer: PeerAddress,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<Json<LoginReply>, HttpProblem> {
    let daemon = handle.daemon()?;
    let password = SecretString::from(request.password);
    let attempt = daemon.logins.begin(peer, &request.login)?;
    let name = request.login;
    let candidate = handle
        .query_store(move |store| async move {
            // PostgreSQL takes no text with such a character, so nobody has it in the login.
            if name.contains('\0') {
                return Ok(None);
            }
            store.login_candidate(&name).await
        })
        .await?;
    let hash = candidate.as_ref().map(|found| found.password_hash.clone());
    let fits = attempt.fits(password, hash).await?;
    let failed = || HttpProblem::new(problem::LOGIN_FAILED, "");
    let candidate = candidate.filter(|_| fits).ok_or_else(failed)?;
    let token = new_token()?;
    let digest = token_digest(&token);
    let customer = handle
        .query_store(move |store| async move {
            // The password or the access may have been taken away meanwhile.
            if !store.open_customer_session(&digest, &candidate).await? {
                return Ok(None);
            }
            store.customer(&digest).await
        })
        .await?;
    let customer = customer.ok_or_else(failed)?;
    Ok(Json(LoginReply::new(token, customer)))
}

fn new_token() -> Result<String, HttpProblem> {
    let random = random_secret().map_err(HttpProblem::internal)?;
    Ok(format!("{PREFIX}{random}"))
}

fn digest(token: &CustomerToken) -> TokenDigest {
    token_digest(token.0.expose_secret())
}

async fn own_details(
    State(handle): State<DaemonHandle>,
    token: CustomerToken,
) -> Result<Json<CustomerDocument>, HttpProblem> {
    let digest = digest(&token);
    let customer = handle
        .query_store(move |store| async move { store.customer(&digest).await })
        .await?;
    Ok(Json(customer.ok_or_else(unauthorized)?.into()))
}

async fn change_own_details(
    State(handle): State<DaemonHandle>,
    token: CustomerToken,
    JsonBody(request): JsonBody<OwnDetailsRequest>,
) -> Result<Json<CustomerDocument>, HttpProblem> {
    require_customer(&handle, &token).await?;
    let details = checked(request.into_details())?;
    let order = SelfServiceOrder::ChangeSelf { details };
    let reply = change(&handle, &token, order).await?;
    Ok(Json(reply.customer.into()))
}

async fn change_password(
    State(handle): State<DaemonHandle>,
    peer: PeerAddress,
    token: CustomerToken,
    JsonBody(request): JsonBody<NewPasswordRequest>,
) -> Result<NoContentResponse, HttpProblem> {
    let own = digest(&token);
    let customer = handle
        .query_store(move |store| async move { store.customer(&own).await })
        .await?;
    let customer = customer.ok_or_else(unauthorized)?;
    let new = SecretString::from(request.new);
    if let Some(lack) = password_weakness(&new) {
        let detail = format!("the password {lack}; use {PASSWORD_RULE}");
        return Err(HttpProblem::new(problem::PASSWORD_WEAK, detail));
    }
    let daemon = handle.daemon()?;
    let attempt = daemon.logins.begin(peer, &customer.details.external_id)?;
    let verified = customer.password_hash;
    let is_same = request.password == new.expose_secret();
    let password = SecretString::from(request.password);
    if !attempt.fits(password, Some(verified.clone())).await? {
        return Err(password_wrong());
    }
    if is_same {
        let detail = "the password is the current one; choose another";
        return Err(HttpProblem::new(problem::PASSWORD_WEAK, detail));
    }
    let hash = tokio::task::spawn_blocking(move || hash_password(&new));
    let hash = hash.await.map_err(HttpProblem::internal)?;
    let new = hash.ok_or_else(|| HttpProblem::internal("the password could not be hashed"))?;
    let order = SelfServiceOrder::ChangePassword { verified, new };
    change(&handle, &token, order).await?;
    Ok(NoContentResponse)
}

async fn list_users(
    State(handle): State<DaemonHandle>,
    token: CustomerToken,
    PathParams(of): PathParams<AccountParam>,
    QueryParams(filter): QueryParams<UserFilter>,
) -> Result<Json<AccountUserPage>, HttpProblem> {
    let digest = digest(&token);
    let limit = filter.limit.unwrap_or(PAGE).clamp(1, LARGEST_PAGE);
    let after = filter.after.unwrap_or_default();
    let mut users = handle
        .query_store(move |store| async move {
            let page = UserPage {
                account: &of.account,
                after: &after,
                limit: limit + 1,
            };
            let users = store.account_users(&digest, page).await?;
            users.map_err(|refused| HandlerError::from(refusal(refused)))
        })
        .await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = users.len() > size;
    users.truncate(size);
    let last = users.last().filter(|_| more);
    let next = last.map(|user| user.details.external_id.clone());
    let items = users.into_iter().map(Into::into).collect();
    Ok(Json(AccountUserPage { items, next }))
}

async fn create_user(
    State(handle): State<DaemonHandle>,
    token: CustomerToken,
    PathParams(of): PathParams<AccountParam>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<NewAccountUserRequest>,
) -> Result<CreatedResponse<ChangedUserDocument>, HttpProblem> {
    require_customer(&handle, &token).await?;
    let (level, notify) = (request.level.word(), request.notify);
    let details = checked(request.into_details())?.into_iter();
    let user = NewAccountUser {
        // A source may declare any id, so one that nobody would write.
        external_id: format!("self-{:016x}", rand::random::<u64>()),
        details: details
            .filter_map(|(field, value)| Some((field, value?)))
            .collect(),
        level,
        notify,
    };
    let key = creation_key(&headers, &of.account, &user)?;
    let order = SelfServiceOrder::CreateUser {
        account: of.account,
        user,
        key,
    };
    let reply = change(&handle, &token, order).await?;
    Ok(CreatedResponse(changed_user(reply)?))
}

async fn change_user(
    State(handle): State<DaemonHandle>,
    token: CustomerToken,
    PathParams(of): PathParams<AccountUserParam>,
    JsonBody(request): JsonBody<AccountUserRequest>,
) -> Result<Json<ChangedUserDocument>, HttpProblem> {
    require_customer(&handle, &token).await?;
    let level = request.level.map(AccountLevel::word);
    let changes = UserChanges {
        details: checked(request.into_details())?,
        level,
    };
    let AccountUserParam { account, user } = of;
    let order = SelfServiceOrder::ChangeUser {
        account,
        user,
        changes,
    };
    let reply = change(&handle, &token, order).await?;
    Ok(Json(changed_user(reply)?))
}

async fn remove_user(
    State(handle): State<DaemonHandle>,
    token: CustomerToken,
    PathParams(of): PathParams<AccountUserParam>,
) -> Result<Json<RemovedUserDocument>, HttpProblem> {
    let AccountUserParam { account, user } = of;
    let id = user.clone();
    let order = SelfServiceOrder::RemoveUser { account, user };
    let reply = change(&handle, &token, order).await?;
    Ok(Json(RemovedUserDocument::new(id, reply)))
}

async fn block_user(
    State(handle): State<DaemonHandle>,
    token: CustomerToken,
    PathParams(of): PathParams<AccountUserParam>,
) -> Result<Json<ChangedUserDocument>, HttpProblem> {
    let AccountUserParam { account, user } = of;
    let order = SelfServiceOrder::BlockUser { account, user };
    let reply = change(&handle, &token, order).await?;
    Ok(Json(changed_user(reply)?))
}

fn changed_user(reply: SelfServiceReply) -> Result<ChangedUserDocument, HttpProblem> {
    let document = ChangedUserDocument::new(reply);
    document.ok_or_else(|| HttpProblem::internal("the user is not in the account"))
}

/// Fails without a valid token, before anything is said about the request.
async fn require_customer(handle: &DaemonHandle, token: &CustomerToken) -> Result<(), HttpProblem> {
    let digest = digest(token);
    let customer = handle
        .query_store(move |store| async move { store.customer(&digest).await })
        .await?;
    customer.map(|_| ()).ok_or_else(unauthorized)
}

/// Makes a change in the name of the customer.
async fn change(
    handle: &DaemonHandle,
    token: &CustomerToken,
    order: SelfServiceOrder,
) -> Result<SelfServiceReply, HttpProblem> {
    let digest = digest(token);
    let rules = enforcement(&handle.setup()?.config);
    handle
        .query_store(move |store| async move {
            let done = store.self_service(&digest, &order, &rules).await;
            done.map_err(|error| match error {
                SelfServiceError::Refused(refused) => refusal(refused).into(),
                SelfServiceError::Store(error) => HandlerError::from(error),
                SelfServiceError::Unknown(error) => HttpProblem::internal(error).into(),
            })
        })
        .await
}
