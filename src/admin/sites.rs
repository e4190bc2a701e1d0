//! Sites that are in no file, as the API sets them.

use futures_util::future::BoxFuture;

use crate::config::Errors;
use crate::config::kept::{Kept, Written};
use crate::store;

/// The sites that are served, and how those of the store are checked.
pub trait Keeping: Send + Sync + 'static {
    /// Checks a site beside all others, as they are served now.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn check(&self, name: &str, written: &Written) -> Result<Kept, Errors>;

    /// Whether a file has a site of this name.
    fn is_in_files(&self, name: &str) -> bool;

    /// All sites, those of files first.
    fn list(&self) -> Vec<Listed>;

    /// Serves what the store says now.
    fn catch_up(&self) -> BoxFuture<'_, Result<(), store::Error>>;
}

/// A site.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its hosts; `*` for all.
    pub hosts: Vec<String>,
    /// Which change it comes from; `None` if from a file.
    pub revision: Option<i64>,
    /// Why it is not served.
    pub problem: Option<String>,
}
