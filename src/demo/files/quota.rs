//! Quotas: what an account may store, as `oc_preferences` says it ("1 GB", "none").

use super::tree;
use crate::demo::{StandIn, db};

/// The quota in bytes, if there is one.
pub(in crate::demo) async fn limit(stand: &StandIn, uid: &str) -> Result<Option<u64>, sqlx::Error> {
    Ok(db::preference(&stand.db.read, uid, "files", "quota").await?.and_then(|text| parse(&text)))
}

/// What the account uses.
pub(in crate::demo) async fn used(stand: &StandIn, uid: &str) -> Result<u64, sqlx::Error> {
    let root = tree::node_at(&stand.db.read, uid, "files").await?;
    Ok(root.map_or(0, |root| u64::try_from(root.size).unwrap_or(0)))
}

/// What is left, if there is a limit.
pub(in crate::demo) async fn room(stand: &StandIn, uid: &str) -> Result<Option<u64>, sqlx::Error> {
    match limit(stand, uid).await? {
        Some(limit) => Ok(Some(limit.saturating_sub(used(stand, uid).await?))),
        None => Ok(None),
    }
}

/// Reads a quota.
pub(in crate::demo) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" => 10,
        "M" | "MB" => 20,
        "G" | "GB" => 30,
        "T" | "TB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn quotas_are_read_as_people_write_them() {
        assert_eq!(parse("1 GB"), Some(1 << 30));
        assert_eq!(parse("500"), Some(500));
        assert_eq!(parse("none"), None);
        assert_eq!(parse("99999999999999999999 TB"), None);
    }
}
