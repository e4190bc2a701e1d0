//! Where progress is kept, if it is Passeur that keeps it.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;

use super::token::Person;
use crate::store::Store;

/// An answer of a store.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The store could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the store of progress failed")]
pub struct StoreError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Documents by site and person.
pub trait ProgressStore: Send + Sync + 'static {
    /// The document of a person, if there is one.
    fn load<'a>(&'a self, tenant: &'a str, person: &'a Person) -> Stored<'a, Option<String>>;

    /// Replaces it.
    fn save<'a>(&'a self, tenant: &'a str, person: &'a Person, json: String) -> Stored<'a, ()>;
}

/// Keeps documents as long as the process runs, and the newest of them.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<(String, Person), String>>);

/// Keeps documents in Passeur's store, which is asked on the runtime that it belongs to.
pub struct Kept {
    store: Store,
    runtime: Handle,
}

impl Kept {
    /// In this store; `runtime` is the one on which it was opened.
    #[must_use]
    pub fn new(store: Store, runtime: Handle) -> Self {
        Self { store, runtime }
    }

    async fn ask<T: Send + 'static>(
        &self,
        asking: impl Future<Output = Result<T, crate::store::Error>> + Send + 'static,
    ) -> Result<T, StoreError> {
        on_runtime(&self.runtime, asking).await
    }
}

/// Asks a store on the runtime that it belongs to.
pub(in crate::tours) async fn on_runtime<T: Send + 'static>(
    runtime: &Handle,
    asking: impl Future<Output = Result<T, crate::store::Error>> + Send + 'static,
) -> Result<T, StoreError> {
    match runtime.spawn(asking).await {
        Ok(answer) => answer.map_err(|error| StoreError(Box::new(error))),
        Err(stopped) => Err(StoreError(Box::new(stopped))),
    }
}

impl ProgressStore for Kept {
    fn load<'a>(&'a self, tenant: &'a str, person: &'a Person) -> Stored<'a, Option<String>> {
        let (store, tenant, person) = (self.store.clone(), tenant.to_owned(), person.clone());
        Box::pin(self.ask(async move { store.tour_progress(&tenant, person.as_str()).await }))
    }

    fn save<'a>(&'a self, tenant: &'a str, person: &'a Person, json: String) -> Stored<'a, ()> {
        let (store, tenant, person) = (self.store.clone(), tenant.to_owned(), person.clone());
        Box::pin(
            self.ask(
                async move { store.keep_tour_progress(&tenant, person.as_str(), &json).await },
            ),
        )
    }
}

/// Documents kept in memory.
const MOST: usize = 50_000;

impl ProgressStore for Memory {
    fn load<'a>(&'a self, tenant: &'a str, person: &'a Person) -> Stored<'a, Option<String>> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.get(&(tenant.to_owned(), person.clone())).cloned();
        Box::pin(std::future::ready(Ok(row)))
    }

    fn save<'a>(&'a self, tenant: &'a str, person: &'a Person, json: String) -> Stored<'a, ()> {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rows.len() >= MOST {
            rows.clear();
        }
        rows.insert((tenant.to_owned(), person.clone()), json);
        Box::pin(std::future::ready(Ok(())))
    }
}
