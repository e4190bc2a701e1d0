//! `passeur tours …`: for those who write tours, and for those who run them.

mod check;
mod edit;
mod import;
mod preview;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Subcommand;

use crate::tours::Source;
use crate::tours::Tours;
use crate::tours::embedded::Player;
use crate::tours::progress::store::Memory;
use crate::tours::progress::token::Key;

/// Check, preview, write and import guided tours
#[derive(Debug, clap::Args)]
pub(super) struct Command {
    #[command(subcommand)]
    command: Sub,
}

#[derive(Debug, Subcommand)]
enum Sub {
    Check(check::Check),
    Edit(edit::Edit),
    ImportIntros(import::Import),
    Preview(preview::Preview),
}

/// Which files are meant.
#[derive(Debug, clap::Args)]
struct Which {
    /// Your folder of tours; without it, only the shipped ones are meant
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Leave the shipped tours out (targets and the player's words stay)
    #[arg(long)]
    alone: bool,
}

impl Command {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        match self.command {
            Sub::Check(check) => check.run(),
            Sub::Edit(edit) => edit.run().map(|()| 0),
            Sub::ImportIntros(import) => import.run().map(|()| 0),
            Sub::Preview(preview) => preview.run().map(|()| 0),
        }
    }
}

impl Which {
    fn source(&self) -> Source {
        Source { folder: self.folder.clone(), shipped: !self.alone }
    }
}

/// Tours for a proxy, with the player that is part of the binary; `preview` is shown at once.
pub(super) fn tours(preview: Option<String>) -> anyhow::Result<Arc<Tours>> {
    let player = Player::shipped().context("the tour player is not usable")?;
    let key = Key::random().context("the system has no random numbers")?;
    Ok(Arc::new(Tours::new(player, key, Arc::new(Memory::default())).previewing(preview)))
}
