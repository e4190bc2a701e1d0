//! What a transfer would do, worked out by looking only.
//!
//! A plan's hash is over everything in it that comes from the request and the site. It is made again
//! when the transfer starts, and where the hash differs nothing is done: what a person saw is what
//! happens, or nothing does. Memory grows with the number of items, not of files.

mod apps;
mod check;
mod collections;
mod files;
mod select;
mod survey;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Error;
use super::model::{
    After, Block, BlockCode, Engine, Estimate, Excluded, Incoming, Item, Kind, Plan, Request, words,
};
use super::site::{Who, World};
use crate::nextcloud::ocs::User;

pub(crate) use check::check;

/// How long a plan may be started, seconds.
const VALID: i64 = 24 * 3600;

/// A plan in the making.
struct Draft<'a> {
    world: &'a World,
    request: &'a Request,
    /// When, seconds since 1970.
    now: i64,
    source: User,
    recipients: BTreeMap<String, User>,
    items: Vec<Item>,
    joined: Vec<String>,
    excluded: Vec<Excluded>,
    blocking: Vec<Block>,
    warnings: Vec<String>,
}

/// Makes a plan. `now`: seconds since 1970; the same time gives the same names of folders.
pub(crate) async fn make(world: &World, request: &Request, now: i64) -> Result<Plan, Error> {
    check(request, now)?;
    let status = world.site.instance.status().await?;
    if status.maintenance {
        return Err(Error::Later {
            after: std::time::Duration::from_secs(60),
            why: "the site is in maintenance mode: try again when that is over".to_owned(),
            in_vain: false,
        });
    }
    let source = account(world, &Who::here(&request.source)).await?;
    let mut recipients = BTreeMap::new();
    for uid in request.recipients() {
        let who = if request.target.is_some() { Who::there(uid) } else { Who::here(uid) };
        recipients.insert(uid.to_owned(), account(world, &who).await?);
    }
    let mut draft = Draft {
        world,
        request,
        now,
        source,
        recipients,
        items: Vec::new(),
        joined: Vec::new(),
        excluded: Vec::new(),
        blocking: Vec::new(),
        warnings: Vec::new(),
    };
    draft.fill().await?;
    draft.finish()
}

/// An account, as the admin or as itself.
async fn account(world: &World, who: &Who) -> Result<User, Error> {
    let unknown = || Error::UnknownAccount(who.uid.clone());
    if let (Some(admin), false) = (world.admin(), who.there) {
        return admin.user(&who.uid).await?.ok_or_else(unknown);
    }
    let me = world.ocs(who)?.me().await?;
    if me.id == who.uid { Ok(me) } else { Err(unknown()) }
}

impl Draft<'_> {
    async fn fill(&mut self) -> Result<(), Error> {
        for (uid, user) in &self.recipients {
            if !user.enabled {
                self.blocking.push(Block {
                    code: BlockCode::RecipientDisabled,
                    detail: format!("{uid:?} is disabled: enable the account, or choose another"),
                    item: None,
                });
            }
        }
        if !self.blocking.is_empty() {
            return Ok(());
        }
        if self.wants(Kind::Folder) {
            files::plan(self).await?;
        }
        for kind in [Kind::Calendar, Kind::AddressBook] {
            if self.wants(kind) {
                collections::plan(self, kind).await?;
            }
        }
        apps::plan(self).await?;
        self.look_at_quotas();
        self.look_at_the_end().await?;
        self.say_what_else();
        Ok(())
    }

    /// Whether anything of a kind goes to anybody.
    fn wants(&self, kind: Kind) -> bool {
        self.request.selection.has(kind)
            || self.request.assignments.iter().any(|part| part.selection.has(kind))
    }

    fn add(&mut self, mut item: Item) {
        item.id = u32::try_from(self.items.len() + 1).unwrap_or(u32::MAX);
        self.items.push(item);
    }

    fn exclude(&mut self, kind: Option<Kind>, path: &str, reason: impl Into<String>) {
        self.excluded.push(Excluded { kind, path: path.to_owned(), reason: reason.into() });
    }

    fn block(&mut self, code: BlockCode, detail: impl Into<String>) {
        self.blocking.push(Block { code, detail: detail.into(), item: None });
    }

    fn look_at_quotas(&mut self) {
        let mut needed: BTreeMap<&str, u64> = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.kind.is_node()) {
            *needed.entry(&item.recipient).or_default() += item.size;
        }
        let mut blocks = Vec::new();
        for (uid, bytes) in needed {
            let quota = self.recipients.get(uid).map(|user| &user.quota);
            // Negative: no limit, or not known.
            let free =
                quota.filter(|quota| quota.quota >= 0).and_then(|q| u64::try_from(q.free).ok());
            if let Some(free) = free.filter(|free| *free < bytes) {
                blocks.push(format!(
                    "{uid:?} has room for {free} bytes, and {bytes} are to come: raise the quota, or \
                     hand over less"
                ));
            }
        }
        for detail in blocks {
            self.block(BlockCode::Quota, detail);
        }
    }

    /// Whether the source can be disabled afterwards, where that is wanted.
    async fn look_at_the_end(&mut self) -> Result<(), Error> {
        if self.request.after != After::Disable {
            return Ok(());
        }
        let admin = &self.world.site.access.admin;
        if self.request.source == *admin {
            let detail = format!("{admin:?} is the admin that Passeur acts as: it stays enabled");
            self.block(BlockCode::NoAccess, detail);
            return Ok(());
        }
        let Some(confirmed) = self.world.confirmed() else {
            if self.world.site.access.database.is_none() {
                let detail = "Nextcloud disables an account only for an admin who gives a password: \
                              give admin_password, or Passeur access to the database, or disable it \
                              when the transfer is done";
                self.block(BlockCode::NoAccess, detail);
            }
            return Ok(());
        };
        match confirmed.me().await {
            Ok(me) if me.id == *admin => Ok(()),
            Err(error) if !error.is_refused() => Err(error.into()),
            _ => {
                let detail = format!("admin_password is not what {admin:?} logs in with");
                self.block(BlockCode::NoAccess, detail);
                Ok(())
            }
        }
    }

    fn say_what_else(&mut self) {
        if self.request.incoming == Incoming::Reshare
            && (!self.source.enabled || self.world.site.app.is_none())
        {
            let detail = "what others share with the source can only be listed while it is enabled, \
                          and shared on only where Passeur is registered as an external app";
            self.block(BlockCode::NoAccess, detail);
        }
        let has_database = self.world.site.access.database.is_some();
        if !self.source.enabled
            && !has_database
            && self.items.iter().any(|item| item.kind.is_node())
        {
            self.warnings.push(words::DISABLED_SOURCE.to_owned());
        }
    }

    fn finish(self) -> Result<Plan, Error> {
        let estimate = estimate(&self.items);
        let mut plan = Plan {
            hash: String::new(),
            site: self.world.site.name.clone(),
            request: Request {
                source_password: None,
                recipient_password: None,
                admin_password: None,
                ..self.request.clone()
            },
            items: self.items,
            joined: self.joined,
            excluded: self.excluded,
            blocking: self.blocking,
            warnings: self.warnings,
            estimate,
            made_at: stamp(self.now),
            expires_at: stamp(self.now + VALID),
        };
        plan.hash = hash(&plan)?;
        Ok(plan)
    }
}

/// Over all that comes from the request and the site, and nothing of when it was asked.
fn hash(plan: &Plan) -> Result<String, Error> {
    let canonical = serde_json::to_vec(&(
        &plan.site,
        &plan.request,
        &plan.items,
        &plan.excluded,
        &plan.blocking,
    ))?;
    Ok(Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn estimate(items: &[Item]) -> Estimate {
    let mut all = Estimate::default();
    for item in items {
        all.objects += item.count;
        all.bytes += item.size;
        let (requests, bytes) = match item.engine {
            Engine::ServerMove => (6 + 2 * item.shares.len() as u64, 0),
            Engine::ObjectMove => (10 + item.count, 0),
            Engine::Stream => (5 + item.count.div_ceil(2), item.size),
            Engine::Native => (6, 0),
            Engine::Rewrite => (1, 0),
            Engine::App => (3, 0),
        };
        all.requests += requests;
        all.bytes_carried += bytes;
    }
    all.seconds = all.requests / 15 + all.bytes_carried / 20_000_000;
    all
}

/// A time by RFC 3339.
pub(crate) fn stamp(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// Seconds since 1970 of such a time.
pub(crate) fn seconds(stamp: &str) -> Option<i64> {
    OffsetDateTime::parse(stamp, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp)
}
