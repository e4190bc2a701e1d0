//! Bodies, paths and queries of requests, whose faults are problems like all others.

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::caller::Caller;
use super::problem::Problem;

/// The largest body that is read.
pub(super) const MAX_BODY: usize = 4 << 20;

/// A body of JSON.
pub(super) struct Given<T>(pub T);

/// A body of JSON that may be missing.
pub(super) struct Perhaps<T>(pub T);

/// What a path says.
pub(super) struct At<T>(pub T);

/// What a query says.
pub(super) struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        check_type(&request)?;
        read(&whole(request).await?).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Perhaps<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let checked = check_type(&request);
        let bytes = whole(request).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        checked?;
        read(&bytes).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        let path = path.map_err(|rejection: PathRejection| {
            Problem::not_found("not_found", format!("There is no such address: {rejection}."))
        })?;
        Ok(Self(path.0))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let query = query.map_err(|rejection: QueryRejection| {
            Problem::bad("bad_query", format!("The query cannot be read: {rejection}."))
        })?;
        Ok(Self(query.0))
    }
}

/// The whole body.
pub(super) async fn whole(request: Request) -> Result<Bytes, Problem> {
    axum::body::to_bytes(request.into_body(), MAX_BODY).await.map_err(|_| {
        let detail = "The body broke off, or is larger than 4 MiB.";
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    })
}

/// At a space's door, only JSON that calls itself JSON: a form of another page cannot send that.
fn check_type(request: &Request) -> Result<(), Problem> {
    if request.extensions().get::<Caller>().is_some_and(|caller| caller.person().is_none()) {
        return Ok(());
    }
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "The body has to be JSON: send `Content-Type: application/json`.";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_json", detail))
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::bad("bad_request", format!("The body cannot be read: {error}.")))
}
