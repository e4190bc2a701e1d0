//! What `occ app_api:app:register` asks of an external app: whether it is well, to make itself ready,
//! and to be enabled, proving who asks with the shared secret.
//!
//! An app that does not answer, refuses, or complains is not registered; nothing is kept of it.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{StandIn, mint};

/// The largest answer that is read.
const MAX_ANSWER: usize = 64 << 10;

/// Why an app cannot be registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// The stand-in was opened without an app.
    #[error("there is no external app to register")]
    NoApp,
    /// Nothing answers there, or not in HTTP.
    #[error("the app at {0} does not answer")]
    Unreachable(SocketAddr, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// It is not well.
    #[error("the app answers {path} with {status}")]
    Refused {
        /// What was asked.
        path: &'static str,
        /// What it said.
        status: StatusCode,
    },
    /// It does not want to be enabled.
    #[error("the app complains: {0}")]
    Complaint(String),
}

impl StandIn {
    /// Asks the app of [`Options::app`](super::Options::app), which listens at `address`, what a
    /// registration asks.
    ///
    /// # Errors
    ///
    /// It does not answer, or not as an app does.
    pub async fn register_app(&self, address: SocketAddr) -> Result<(), RegisterError> {
        let refused = |path, status| RegisterError::Refused { path, status };
        let (status, body) = self.ask_app(address, "GET", "/heartbeat", false).await?;
        let well = status == StatusCode::OK && json(&body)["status"] == "ok";
        if !well {
            return Err(refused("/heartbeat", status));
        }
        let (status, _) = self.ask_app(address, "POST", "/init", true).await?;
        // Nothing to make ready is fine.
        let fine = status.is_success()
            || status == StatusCode::NOT_FOUND
            || status == StatusCode::NOT_IMPLEMENTED;
        if !fine {
            return Err(refused("/init", status));
        }
        let (status, body) = self.ask_app(address, "PUT", "/enabled?enabled=1", true).await?;
        if status != StatusCode::OK {
            return Err(refused("/enabled", status));
        }
        match json(&body)["error"].as_str() {
            Some("") => Ok(()),
            complaint => Err(RegisterError::Complaint(complaint.unwrap_or_default().to_owned())),
        }
    }

    async fn ask_app(
        &self,
        address: SocketAddr,
        method: &str,
        path: &str,
        signed: bool,
    ) -> Result<(StatusCode, Bytes), RegisterError> {
        let app = self.app.as_ref().ok_or(RegisterError::NoApp)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", address.to_string())
            .header("user-agent", "Nextcloud-Server-Crawler/34.0.1");
        if signed {
            request = request
                .header("aa-version", "34.0.0")
                .header("ex-app-id", &app.id)
                .header("ex-app-version", "1.0.0")
                .header("authorization-app-api", BASE64.encode(format!(":{}", app.secret)))
                .header("aa-request-id", mint::token(20));
        }
        let asked = async {
            let request = request.body(Empty::<Bytes>::new())?;
            let stream = TcpStream::connect(address).await?;
            let (mut send, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let (head, body) = send.send_request(request).await?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            connection.abort();
            Ok((head.status, body))
        };
        asked.await.map_err(|e| RegisterError::Unreachable(address, e))
    }
}

fn json(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice(body).unwrap_or_default()
}
