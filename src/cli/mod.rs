//! The command line, and the one place where everything is put together.

mod proxy;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use server::{Server, StartError};

/// A reverse proxy for Nextcloud.
#[derive(Debug, Parser)]
#[command(name = "passeur", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Carry one site, without a configuration file.
    Proxy(proxy::Proxy),
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    match Cli::parse().command {
        Command::Proxy(proxy) => proxy.run(),
    }
}
