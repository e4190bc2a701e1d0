//! The rig of the comparison: one origin for every proxy, and the loads that wrk and h2load cannot
//! make (bodies of a gigabyte, idle TLS connections, handshakes, WebSockets, a constant rate).
//!
//! It must cost less than any proxy under test, else it is what gets measured: the origin parses no
//! more than it has to and answers from memory. A load that sees a wrong answer ends with an error
//! and no figures. Results are one JSON object on the last line of standard output; `ready` lines and
//! the waiting for standard input in between let the caller read counters at the right moments.

use clap::Parser;

mod answers;
mod body;
mod connections;
mod gate;
mod latency;
mod origin;
mod tls;
mod websocket;

/// Errors are only ever printed.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Origin and load generators for `benches/peers/run`.
#[derive(Parser)]
enum Command {
    /// Answer everything the rows ask for.
    Origin(origin::Options),
    /// Download or upload large bodies.
    Body(body::Options),
    /// Open TLS connections, ask once on each, and keep them.
    Idle(connections::IdleOptions),
    /// Open TLS connections one after the other.
    Handshakes(connections::HandshakeOptions),
    /// Echo on many WebSockets.
    Websocket(websocket::Options),
    /// Ask at a constant rate and time the answers.
    Latency(latency::Options),
}

fn main() -> Result<()> {
    let command = Command::parse();
    if let Command::Latency(options) = command {
        return latency::run(&options);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Origin(options) => origin::run(options).await,
            Command::Body(options) => body::run(options).await,
            Command::Idle(options) => connections::idle(options).await,
            Command::Handshakes(options) => connections::handshakes(options).await,
            Command::Websocket(options) => websocket::run(options).await,
            Command::Latency(_) => Ok(()),
        }
    })
}
