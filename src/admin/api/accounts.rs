//! Accounts of a site, and what each has.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use crate::admin::caller::{Caller, Scope};
use crate::admin::given::{Asked, At};
use crate::admin::problem::Problem;
use crate::admin::work::{acting, admin};
use crate::dav::client::{Client, Path};
use crate::nextcloud;
use crate::nextcloud::inventory::{self, Node, Obstacle};
use crate::nextcloud::ocs::User;
use crate::transfer::Site;
use crate::transfer::model::Kind;

/// The most that is given at a time.
const MOST: usize = 500;

#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct Search {
    /// What name, display name or mail address hold.
    #[serde(default)]
    search: String,
    /// At most so many; 50 if not said, 500 at most.
    limit: Option<usize>,
    /// From this one on.
    #[serde(default)]
    offset: usize,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Account {
    /// Its id.
    uid: String,
    /// The name that people see.
    display_name: String,
    /// Whether it may log in.
    enabled: bool,
    /// Bytes that it uses, where the instance says.
    used: Option<i64>,
    /// Bytes that it may use; none where there is no limit.
    quota: Option<i64>,
    /// Milliseconds since 1970 of its last login; none if there was none.
    last_login: Option<i64>,
}

/// Some accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Accounts {
    accounts: Vec<Account>,
    /// Whether there may be more, from `offset` plus `limit` on.
    more: bool,
}

/// What an account has.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Inventory {
    account: Account,
    files: Files,
    calendars: Vec<Collection>,
    address_books: Vec<Collection>,
    /// What cannot be handed over, as far as it is seen without looking into every folder.
    excluded: Vec<Left>,
}

/// The account's files.
#[derive(Debug, Serialize, ToSchema)]
struct Files {
    /// Files and folders in the root.
    count: Option<u64>,
    /// Bytes, with what is shared to the account.
    size: Option<u64>,
}

/// A calendar or address book.
#[derive(Debug, Serialize, ToSchema)]
struct Collection {
    /// The last part of its address.
    uri: String,
    /// The name that people see.
    name: String,
    /// How many objects are in it.
    count: u64,
    /// Whether it is shared with somebody, or has a link.
    shared: bool,
    /// Meetings to come that have guests, of calendars.
    #[serde(skip_serializing_if = "Option::is_none")]
    meetings: Option<usize>,
}

/// What cannot be handed over.
#[derive(Debug, Serialize, ToSchema)]
struct Left {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    path: String,
    reason: String,
}

/// Accounts whose name, display name or mail address holds something.
#[utoipa::path(get, path = "/sites/{site}/accounts", tag = "accounts",
    params(("site" = String, Path), Search),
    responses((status = 200, body = Accounts), (status = "default", body = Problem)))]
pub(super) async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At(site): At<String>,
    Asked(search): Asked<Search>,
) -> Result<Json<Accounts>, Problem> {
    caller.needs(Scope::Read, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    let limit = search.limit.unwrap_or(50).clamp(1, MOST);
    // As themselves at a space's door: the instance knows which accounts a sub-admin may see.
    let asking = caller.person().map_or(cloud.access.admin.as_str(), |person| &person.identity.uid);
    let asking = acting(&cloud, asking)?.ocs();
    // An instance with several sources of accounts gives more than was asked for; all of it counts as
    // one page, and what it said last of all is not known here.
    let users = asking.users(&search.search, limit, search.offset).await?;
    let more = users.len() >= limit;
    Ok(Json(Accounts { accounts: users.into_iter().map(account).collect(), more }))
}

/// What an account has, and what of it cannot be handed over. Changes nothing.
#[utoipa::path(get, path = "/sites/{site}/accounts/{uid}/inventory", tag = "accounts",
    params(("site" = String, Path), ("uid" = String, Path)),
    responses((status = 200, body = Inventory), (status = "default", body = Problem)))]
pub(super) async fn inventory(
    State(api): State<Arc<Api>>,
    caller: Caller,
    At((site, uid)): At<(String, String)>,
) -> Result<Json<Inventory>, Problem> {
    caller.needs(Scope::Read, Some(&site))?;
    let cloud = api.cloud(&caller, &site)?;
    api.looks_after(&caller, &cloud, &[&uid]).await?;
    let account = known(&cloud, &uid).await?;
    let client = acting(&cloud, &uid)?.dav();
    let root = nextcloud::files(&uid).map_err(nextcloud::Error::from)?;
    let mut excluded = Vec::new();
    let folder = inventory::folder(&client, &root).await?;
    let files = match &folder {
        Some(folder) => {
            let barred = folder
                .children
                .iter()
                .filter_map(|node| Some(left(None, &place(node, &root), node.obstacle?)));
            excluded.extend(barred);
            let size = Some(folder.itself.size);
            Files { count: u64::try_from(folder.children.len()).ok(), size }
        }
        // Nobody has logged in yet: there are no files.
        None => Files { count: Some(0), size: Some(0) },
    };
    let calendars = calendars(&client, &uid, &mut excluded).await?;
    let address_books = address_books(&client, &uid, &mut excluded).await?;
    Ok(Json(Inventory { account, files, calendars, address_books, excluded }))
}

/// The account, or that there is none.
async fn known(cloud: &Site, uid: &str) -> Result<Account, Problem> {
    let user = admin(cloud)?.ocs().user(uid).await?;
    user.map(account).ok_or_else(|| {
        let uid: String = uid.chars().take(100).collect();
        Problem::not_found("unknown_account", format!("There is no account `{uid}`."))
    })
}

fn account(user: User) -> Account {
    let positive = |number: i64| (number > 0).then_some(number);
    Account {
        display_name: match user.display_name.is_empty() {
            true => user.id.clone(),
            false => user.display_name,
        },
        uid: user.id,
        enabled: user.enabled,
        used: (user.quota.used >= 0).then_some(user.quota.used),
        quota: positive(user.quota.quota),
        last_login: positive(user.last_login),
    }
}

async fn calendars(
    client: &Client,
    uid: &str,
    excluded: &mut Vec<Left>,
) -> Result<Vec<Collection>, Problem> {
    let now = crate::store::now() / 1000;
    let addresses = inventory::addresses(client, uid).await?;
    let mut found = Vec::new();
    for calendar in inventory::calendars(client, uid).await? {
        if let Some(obstacle) = calendar.obstacle {
            excluded.push(left(Some(Kind::Calendar), &calendar.name, obstacle));
            continue;
        }
        let meetings = inventory::future_meetings(client, &calendar.path, &addresses, now, MOST)
            .await?
            .0
            .len();
        found.push(Collection {
            count: inventory::count(client, &calendar.path).await?.0,
            shared: !calendar.invitees.is_empty() || calendar.link.is_some(),
            meetings: Some(meetings),
            uri: calendar.uri,
            name: calendar.name,
        });
    }
    Ok(found)
}

async fn address_books(
    client: &Client,
    uid: &str,
    excluded: &mut Vec<Left>,
) -> Result<Vec<Collection>, Problem> {
    let mut found = Vec::new();
    for book in inventory::books(client, uid).await? {
        if let Some(obstacle) = book.obstacle {
            excluded.push(left(Some(Kind::AddressBook), &book.name, obstacle));
            continue;
        }
        found.push(Collection {
            count: inventory::count(client, &book.path).await?.0,
            shared: !book.invitees.is_empty(),
            meetings: None,
            uri: book.uri,
            name: book.name,
        });
    }
    Ok(found)
}

fn left(kind: Option<Kind>, path: &str, obstacle: Obstacle) -> Left {
    Left { kind, path: path.to_owned(), reason: obstacle.to_string() }
}

/// Where a node is below the root of its account, beginning with `/`.
pub(super) fn place(node: &Node, root: &Path) -> String {
    let below = node.path.below(root).unwrap_or_default();
    format!("/{}", below.trim_start_matches('/'))
}
