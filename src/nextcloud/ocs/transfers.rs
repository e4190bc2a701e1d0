//! The core's own transfer of files, with the recipient's consent.

use http::Method;

use super::Client;
use crate::nextcloud::Error;

const TRANSFERS: [&str; 5] = ["apps", "files", "api", "v1", "transferownership"];

impl Client {
    /// Offers what is at `path` to `recipient`. The number of the offer is in a notification to the
    /// recipient, and nowhere else.
    ///
    /// # Errors
    /// As [`Error`] says; 400 for an unknown recipient or path, 403 for what is not the account's.
    pub async fn offer_ownership(&self, recipient: &str, path: &str) -> Result<(), Error> {
        let given = [("recipient", recipient), ("path", path)];
        self.call(Method::POST, &TRANSFERS, &given).await.map(drop)
    }

    /// Accepts an offer; the instance's next background job carries it out.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn accept_ownership(&self, offer: &str) -> Result<(), Error> {
        self.call(Method::POST, &[&TRANSFERS[..], &[offer]].concat(), &[]).await.map(drop)
    }

    /// Rejects an offer.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn reject_ownership(&self, offer: &str) -> Result<(), Error> {
        self.call(Method::DELETE, &[&TRANSFERS[..], &[offer]].concat(), &[]).await.map(drop)
    }
}
