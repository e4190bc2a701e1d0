//! `passeur tours check [DIR] [--release DIR]`.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Which;
use crate::cli::exit;
use crate::cli::say::{remark, say};
use crate::tours::catalogue::release::Release;
use crate::tours::catalogue::{Catalogue, Problem, Problems};

/// Read tours, target packs and words, and tell what is wrong with them
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    which: Which,
    /// Look for every name of the target packs in an unpacked release of Nextcloud
    #[arg(long, value_name = "DIR")]
    release: Option<PathBuf>,
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let files = self.which.source().files()?;
        let catalogue = match Catalogue::new(&files) {
            Ok(catalogue) => catalogue,
            Err(Problems(problems)) => {
                self.tell(&problems);
                return Ok(exit::CONFIGURATION);
            }
        };
        let mut problems = catalogue.warnings().to_vec();
        if let Some(folder) = &self.release {
            problems.extend(search(folder, &catalogue)?);
        }
        self.tell(&problems);
        let is_wrong = |problem: &Problem| problem.is_error || self.strict;
        if problems.iter().any(is_wrong) {
            return Ok(exit::CONFIGURATION);
        }
        say!("{} tours, nothing wrong", catalogue.ids().count())?;
        Ok(0)
    }

    fn tell(&self, problems: &[Problem]) {
        for problem in problems {
            remark!("{problem}");
        }
        let errors = problems.iter().filter(|problem| problem.is_error).count();
        if !problems.is_empty() {
            remark!("{errors} errors, {} warnings", problems.len() - errors);
        }
    }
}

fn search(folder: &Path, catalogue: &Catalogue) -> anyhow::Result<Vec<Problem>> {
    let release = Release::search(folder, catalogue)
        .with_context(|| format!("failed to read {}", folder.display()))?;
    let found = release.check(catalogue);
    let major = release.major.map_or("of an unknown version".to_owned(), |major| major.to_string());
    say!(
        "Nextcloud {major}: {} targets found, {} missing, {} of apps that are not part of it",
        found.found,
        found.problems.len(),
        found.elsewhere
    )?;
    Ok(found.problems)
}
