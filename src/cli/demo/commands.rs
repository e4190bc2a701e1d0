//! What tests ask of a demo that runs: more accounts, large folders, requests that fail.
//!
//! One JSON object a line on standard input, each answered by one on standard output: `{}`, or
//! `{"error": "..."}`. Nothing of it can be reached by the network.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::demo::{Harm, StandIn, Trouble};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Command {
    /// Makes so many accounts.
    AddAccounts(usize),
    FillFolder(Fill),
    Trouble(Wanted),
    /// No more trouble.
    ClearTroubles,
    /// Turns maintenance mode on or off.
    Maintenance(bool),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fill {
    account: String,
    folder: String,
    files: usize,
    size: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    method: String,
    /// Part of the path.
    path: String,
    harm: Named,
    #[serde(default)]
    skip: u32,
    #[serde(default = "one")]
    times: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Named {
    Status(u16),
    HangUp,
    LoseAnswer,
    DelayMs(u64),
}

fn one() -> u32 {
    1
}

/// Obeys until standard input ends.
pub(super) async fn obey(stand: Arc<StandIn>) {
    let (lines, mut read) = mpsc::channel(1);
    // Reading blocks, and nothing can end it: a thread that is left behind at the end does no harm.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    while let Some(line) = read.recv().await {
        let answer = match carry_out(&stand, &line).await {
            Ok(()) => json!({}),
            Err(error) => json!({ "error": format!("{error:#}") }),
        };
        let mut output = std::io::stdout().lock();
        let _nobody_reads = writeln!(output, "{answer}").and_then(|()| output.flush());
    }
}

async fn carry_out(stand: &Arc<StandIn>, line: &str) -> anyhow::Result<()> {
    match serde_json::from_str(line).context("this is no command")? {
        Command::AddAccounts(accounts) => stand.add_accounts(accounts).await?,
        Command::FillFolder(Fill { account, folder, files, size }) => {
            stand.fill_folder(&account, &folder, files, size).await?;
        }
        Command::Trouble(Wanted { method, path, harm, skip, times }) => {
            let harm = match harm {
                Named::Status(status) => Harm::Status(StatusCode::from_u16(status)?),
                Named::HangUp => Harm::HangUp,
                Named::LoseAnswer => Harm::LoseAnswer,
                Named::DelayMs(time) => Harm::Delay(Duration::from_millis(time)),
            };
            stand.trouble(Trouble::new(&method, &path, harm).skip(skip).times(times));
        }
        Command::ClearTroubles => stand.clear_troubles(),
        Command::Maintenance(on) => stand.set_maintenance(on),
    }
    Ok(())
}
