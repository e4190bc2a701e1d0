//! The prefix of a site's tables, checked once, so that names can stand in SQL.
//!
//! Table names cannot be bound like values. What is in a [`Prefix`] is safe to write into SQL:
//! there is no other way to make one.

use std::fmt;

/// What Nextcloud puts before the names of its tables: `oc_` unless the admin chose another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

/// A prefix that no Nextcloud has.
#[derive(Debug, thiserror::Error)]
#[error("the table prefix {0:?} has other characters than letters, digits and _, or more than 32")]
pub struct InvalidPrefix(String);

// === impl Prefix ===

impl Prefix {
    /// Checks a prefix; an empty one is right, too.
    ///
    /// # Errors
    /// [`InvalidPrefix`] if it is longer than 32 characters or has others than `[A-Za-z0-9_]`.
    pub fn new(prefix: &str) -> Result<Self, InvalidPrefix> {
        let right = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        match prefix.len() <= 32 && prefix.bytes().all(right) {
            true => Ok(Self(prefix.to_owned())),
            false => Err(InvalidPrefix(prefix.to_owned())),
        }
    }

    /// As it stands before the names.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Prefix {
    fn default() -> Self {
        Self("oc_".to_owned())
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_stand_in_sql_is_a_prefix() {
        for right in ["oc_", "", "Nextcloud9_", "a"] {
            assert_eq!(Prefix::new(right).expect("a prefix").as_str(), right);
        }
        for wrong in ["oc_;", "oc-", "é", "a b", "\"", &"a".repeat(33)] {
            assert!(Prefix::new(wrong).is_err(), "{wrong}");
        }
    }
}
