//! `passeur token`: what opens the host's door. Works on the store itself, so that the first token can
//! be made before there is any, and whether Passeur runs or not.

use std::path::PathBuf;

use anyhow::{Context, bail};
use secrecy::ExposeSecret;
use serde_json::json;

use super::say::{remark, say};
use super::{client, doors, running};
use crate::admin::caller::read_scopes;
use crate::config;
use crate::store::{Entry, NewToken, Store, now};

/// Make, list and revoke tokens for the operator's listener
#[derive(Debug, clap::Args)]
pub(super) struct Tokens {
    /// The main configuration file, which says where the store is
    #[arg(long, value_name = "FILE", default_value = "/etc/passeur/passeur.toml", global = true)]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a token; what opens is printed once
    Create {
        /// What people call it
        name: String,
        /// What it opens (repeatable): read, transfer, approve, audit, tokens, metrics, sites, tours, site:NAME
        #[arg(long = "scope", value_name = "SCOPE", required = true)]
        scopes: Vec<String>,
        /// After how many days it ends by itself
        #[arg(long, value_name = "N")]
        days: Option<u32>,
    },
    /// List all tokens, also those that no longer open
    List,
    /// End a token
    Revoke {
        /// Its id
        id: String,
    },
}

impl Tokens {
    pub(super) fn run(self) -> anyhow::Result<()> {
        running::block_on(async {
            let loaded = config::load(&self.config)?;
            let store = doors::open_store(&loaded.config.store).await?;
            let Some(store) = store else {
                bail!("there is no store: set [store] folder in {}", self.config.display());
            };
            let done = self.command.run(&store).await;
            store.close().await;
            done
        })
    }
}

impl Command {
    async fn run(self, store: &Store) -> anyhow::Result<()> {
        match self {
            Command::Create { name, scopes, days } => {
                let (known, _) = read_scopes(&scopes)?;
                if known.is_empty() {
                    bail!("name at least one scope beside the sites");
                }
                let expires_at = days.map(|days| now() + i64::from(days) * 24 * 3_600_000);
                let new = NewToken { name: &name, scopes: &scopes, created_by: "cli", expires_at };
                let (token, secret) = store.create_token(&new).await?;
                note(store, "token.create", &token.id).await?;
                say!("{}", secret.expose_secret())?;
                remark!("This is shown once. Its id is {}.", token.id);
                Ok(())
            }
            Command::List => {
                let tokens = store.tokens().await?;
                let tokens = tokens.iter().map(|token| {
                    json!({
                        "id": token.id, "name": token.name, "scopes": token.scopes,
                        "created_at": token.created_at, "created_by": token.created_by,
                        "expires_at": token.expires_at, "used_at": token.used_at,
                        "revoked_at": token.revoked_at,
                    })
                });
                client::print(&tokens.collect())
            }
            Command::Revoke { id } => {
                if !store.revoke_token(&id).await? {
                    bail!("there is no token {id} that opens");
                }
                note(store, "token.revoke", &id).await
            }
        }
    }
}

async fn note(store: &Store, action: &str, id: &str) -> anyhow::Result<()> {
    let entry = Entry {
        who: "command line".to_owned(),
        action: action.to_owned(),
        subject: id.to_owned(),
        result: "done".to_owned(),
        ..Entry::default()
    };
    store.audit(&entry).await.context("failed to write it down").map(drop)
}
