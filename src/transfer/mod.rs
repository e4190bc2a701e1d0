//! Handing over: what one account has goes to others.

mod effect;
mod error;
mod journal;
pub mod model;
mod site;

pub use error::{Error, Halt};
pub use journal::Fault;
pub use site::{Site, Sites};

// STUB until the transfer area lands: replaced wholly at the merge.
use std::sync::Arc;

use futures_util::Stream;

use model::{Event, Id, Plan, Receipt, Request, Summary, Transfer};

/// The transfers of all sites.
pub struct Transfers;

/// How the runner works.
#[derive(Clone, Default)]
pub struct Options;

/// The receipt as a page.
#[must_use]
pub fn page(_: &Receipt) -> String {
    String::new()
}

#[expect(missing_docs, clippy::missing_errors_doc, clippy::unused_async, reason = "a stub")]
impl Transfers {
    #[must_use]
    pub fn new(_: crate::store::Store, _: Arc<dyn Sites>, _: Options) -> Arc<Self> {
        Arc::new(Self)
    }
    pub async fn run(self: Arc<Self>) {
        std::future::pending().await
    }
    pub async fn plan(&self, _: &str, _: Request) -> Result<Plan, Error> {
        Err(Error::UnknownPlan(String::new()))
    }
    pub async fn planned(&self, _: &str, _: &str) -> Result<Plan, Error> {
        Err(Error::UnknownPlan(String::new()))
    }
    pub async fn unfinished(&self) -> Result<Vec<(String, Id)>, Error> {
        Ok(Vec::new())
    }
    pub async fn start(&self, _: &str, _: &str, _: Option<&str>, _: &str) -> Result<Id, Error> {
        Err(Error::UnknownPlan(String::new()))
    }
    pub async fn list(
        &self,
        _: Option<&str>,
        _: Option<Id>,
        _: u32,
    ) -> Result<Vec<Summary>, Error> {
        Ok(Vec::new())
    }
    pub async fn show(&self, _: &str, id: Id) -> Result<Transfer, Error> {
        Err(Error::UnknownTransfer(id.to_string()))
    }
    pub fn events(
        self: &Arc<Self>,
        _: &str,
        _: Id,
        _: u64,
    ) -> impl Stream<Item = Result<Event, Error>> + Send + use<> {
        futures_util::stream::empty()
    }
    pub async fn pause(&self, _: &str, id: Id) -> Result<(), Error> {
        Err(Error::UnknownTransfer(id.to_string()))
    }
    pub async fn resume(&self, _: &str, id: Id) -> Result<(), Error> {
        Err(Error::UnknownTransfer(id.to_string()))
    }
    pub async fn cancel(&self, _: &str, id: Id) -> Result<(), Error> {
        Err(Error::UnknownTransfer(id.to_string()))
    }
    pub async fn undo(&self, _: &str, id: Id) -> Result<(), Error> {
        Err(Error::UnknownTransfer(id.to_string()))
    }
    pub async fn approve(&self, _: &str, id: Id, _: &str) -> Result<(), Error> {
        Err(Error::UnknownTransfer(id.to_string()))
    }
    pub async fn receipt(&self, _: &str, id: Id) -> Result<Receipt, Error> {
        Err(Error::UnknownTransfer(id.to_string()))
    }
}
