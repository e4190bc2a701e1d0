//! An account of an instance, as Passeur acts for it.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};

use super::credentials::{Credentials, Surface};
use super::instance::Instance;
use super::ocs;
use crate::body::Body;
use crate::dav::client::{Client, Error, Path, PathError, Transport};

/// An account, by a credential. Cheap to make and to clone.
#[derive(Clone, Debug)]
pub struct Acting {
    instance: Instance,
    uid: Arc<str>,
    credentials: Arc<Credentials>,
}

impl Instance {
    /// Acts for `uid`.
    #[must_use]
    pub fn acting(&self, uid: &str, credentials: &Credentials) -> Acting {
        Acting {
            instance: self.clone(),
            uid: uid.into(),
            credentials: Arc::new(credentials.clone()),
        }
    }
}

impl Acting {
    /// For whom.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Where.
    #[must_use]
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The same credential for another account; of use with an external app's only.
    #[must_use]
    pub fn as_other(&self, uid: &str) -> Self {
        Self { uid: uid.into(), ..self.clone() }
    }

    /// WebDAV, CalDAV and CardDAV as this account; its paths begin at `remote.php/dav`.
    #[must_use]
    pub fn dav(&self) -> Client {
        let base = format!("{}/remote.php/dav", self.instance.folder());
        Client::new(Arc::new(self.clone()), &base)
    }

    /// OCS calls as this account.
    #[must_use]
    pub fn ocs(&self) -> ocs::Client {
        ocs::Client::new(self.clone())
    }

    pub(super) async fn exchange(
        &self,
        mut request: Request<Body>,
        surface: Surface,
    ) -> Result<Response<Body>, Error> {
        let standing = self.instance.standing();
        if !standing.allows(&self.credentials, &self.uid, surface) {
            return Err(Error::Refused);
        }
        self.credentials.show(&self.uid, request.headers_mut());
        let answer = self.instance.send(request, None).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            standing.refused(&self.credentials, &self.uid, surface);
            return Err(Error::Refused);
        }
        // Everything else says that it was let in, but for what says nothing.
        if answer.status().is_success() || answer.status() == StatusCode::NOT_FOUND {
            standing.accepted(&self.credentials);
        }
        Ok(answer)
    }
}

impl Transport for Acting {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, Error>> {
        self.exchange(request, Surface::Dav).boxed()
    }
}

/// Where the files of an account are.
///
/// # Errors
/// If `uid` cannot be a name in a path.
pub fn files(uid: &str) -> Result<Path, PathError> {
    Path::of(["files", uid])
}

/// Where the uploads of an account are kept until they are complete.
///
/// # Errors
/// If `uid` cannot be a name in a path.
pub fn uploads(uid: &str) -> Result<Path, PathError> {
    Path::of(["uploads", uid])
}

/// Where the calendars of an account are.
///
/// # Errors
/// If `uid` cannot be a name in a path.
pub fn calendars(uid: &str) -> Result<Path, PathError> {
    Path::of(["calendars", uid])
}

/// Where the address books of an account are.
///
/// # Errors
/// If `uid` cannot be a name in a path.
pub fn addressbooks(uid: &str) -> Result<Path, PathError> {
    Path::of(["addressbooks", "users", uid])
}

/// The principal of an account.
///
/// # Errors
/// If `uid` cannot be a name in a path.
pub fn principal(uid: &str) -> Result<Path, PathError> {
    Path::of(["principals", "users", uid])
}
