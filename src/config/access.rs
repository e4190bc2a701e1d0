//! How Passeur may act for the accounts of a site: `[access]`.

use super::checked::{Access, Cloud, Database};
use super::checker::Checker;
use super::fault::Fault;
use super::raw;
use super::values::CloudUrl;

/// Sets what `[access]` says; `prefix` is that of the tables, for who has a database.
pub(super) fn set(
    access: &mut Access,
    prefix: &mut String,
    raw: raw::Access,
    checker: &mut Checker<'_>,
) {
    if let Some((folder, _)) = checker.value(raw.folder) {
        access.folder = folder.0;
    }
    name(&mut access.admin, raw.admin, checker);
    name(&mut access.app, raw.appapi.id, checker);
    if let Some(secret) = checker.secret(raw.appapi.secret) {
        access.app_secret = Some(secret);
    }
    if let Some((given, span)) = checker.value(raw.database.prefix) {
        if !is_prefix(&given) {
            checker.error(span, Fault::TablePrefix(given.clone()));
        }
        *prefix = given;
    }
    if let Some(dsn) = checker.secret(raw.database.dsn) {
        access.database = Some(Database { dsn, prefix: prefix.clone() });
    }
    if let Some(clouds) = checker.list(raw.hand_over_to) {
        access.hand_over_to = elsewhere(clouds, checker);
    }
}

fn elsewhere(
    given: Vec<(CloudUrl, std::ops::Range<usize>)>,
    checker: &mut Checker<'_>,
) -> Vec<Cloud> {
    let mut clouds: Vec<Cloud> = Vec::with_capacity(given.len());
    for (CloudUrl(cloud), span) in given {
        if clouds.contains(&cloud) {
            checker.error(span.clone(), Fault::DoubleCloud(cloud.to_string()));
        }
        if !cloud.target.tls && cloud.target.is_named() {
            checker.warn(span, Fault::CloudPlain(cloud.to_string()));
        }
        clouds.push(cloud);
    }
    clouds
}

/// The name of an account or an app, as Nextcloud's `UserManager` has them.
fn name(
    setting: &mut String,
    given: Option<super::given::Given<String>>,
    checker: &mut Checker<'_>,
) {
    let Some((name, span)) = checker.value(given) else { return };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.@-' ".contains(c);
    if name.trim() != name || name.is_empty() || name.len() > 64 || !name.chars().all(allowed) {
        checker.error(span, Fault::NextcloudName(name.clone()));
    }
    *setting = name;
}

/// Letters, digits and `_`: it goes into the names of tables.
fn is_prefix(prefix: &str) -> bool {
    prefix.len() <= 32 && prefix.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
