//! `passeur check`: is the configuration right, and, with `--live`, are the sites behind it?
//!
//! Without `--live` nothing but files is looked at. With it, every web server of every site is asked
//! a few harmless questions, as a visitor could; nothing is changed, nobody logs in. What is wrong
//! is told together with the command or setting that puts it right.

mod live;
mod probe;
mod report;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde_json::json;

use self::report::{Level, SiteReport};
use super::{exit, say};
use crate::config::checked::{Config, HostPattern};
use crate::config::{self, Errors, Loaded, Problem};
use crate::tls::Certificates;
use crate::tours::Source;
use crate::upstream::causes;

/// More of the same are counted, not shown.
const SHOWN_ALIKE: usize = 10;

/// Check a configuration, and with --live the sites behind it
#[derive(Debug, clap::Args)]
pub(super) struct Check {
    /// The main configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/passeur/passeur.toml")]
    config: PathBuf,
    /// Also ask the web servers of every site
    #[arg(long)]
    live: bool,
    /// With --live: ask for these hosts only, such as one of a wildcard site (repeatable)
    #[arg(long, value_name = "HOST", requires = "live")]
    host: Vec<String>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Default)]
struct Outcome {
    sites: usize,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    /// What is wrong with certificates and tours.
    further_errors: Vec<String>,
    /// What is doubtful about them.
    further_warnings: Vec<String>,
    live: Option<Vec<SiteReport>>,
}

impl Check {
    /// Checks, prints, and gives the number to exit with.
    pub(super) fn run(self) -> anyhow::Result<u8> {
        let outcome = self.outcome()?;
        let shown = if self.json { outcome.json() } else { outcome.text() };
        say::text(&shown)?;
        Ok(outcome.exit())
    }

    fn outcome(&self) -> anyhow::Result<Outcome> {
        let mut outcome = Outcome::default();
        match config::load(&self.config) {
            Ok(loaded) => self.look_further(loaded, &mut outcome)?,
            Err(errors) => outcome.errors = Errors::into_problems(errors),
        }
        Ok(outcome)
    }

    fn look_further(&self, loaded: Loaded, outcome: &mut Outcome) -> anyhow::Result<()> {
        let Loaded { config, warnings, .. } = loaded;
        outcome.sites = config.sites.len();
        outcome.warnings = warnings;
        certificates(&config, outcome);
        tours(&config, outcome);
        if self.live && outcome.further_errors.is_empty() {
            let reports = live::reports(&config, &self.host);
            outcome.live = Some(super::running::block_on(reports)?);
        }
        Ok(())
    }
}

/// Loads the certificates, and looks for hosts without one.
fn certificates(config: &Config, outcome: &mut Outcome) {
    let Some(folder) = &config.listen.certificates else { return };
    if config.listen.https.is_empty() {
        return;
    }
    let certificates = match Certificates::load(folder) {
        Ok(certificates) => certificates,
        Err(errors) => {
            outcome.further_errors = errors.iter().map(|error| causes(error)).collect();
            return;
        }
    };
    let mut bare = Vec::new();
    for site in &config.sites {
        for host in site.hosts.iter().chain(&site.redirect_from) {
            // Any one label will do to ask for a wildcard.
            let name = match host {
                HostPattern::Exact(name) => name.clone(),
                HostPattern::Wildcard(parent) => format!("any.{parent}"),
            };
            if !certificates.covers(&name) {
                bare.push(host.to_string());
            }
        }
    }
    let more = bare.len().saturating_sub(SHOWN_ALIKE);
    let folder = folder.display();
    for host in bare.iter().take(SHOWN_ALIKE) {
        outcome.further_warnings.push(format!("no certificate in {folder} is for {host}"));
    }
    if more > 0 {
        outcome.further_warnings.push(format!("nor for {more} more hosts"));
    }
}

/// Reads the tours of all sites.
fn tours(config: &Config, outcome: &mut Outcome) {
    for source in Source::of_sites(config) {
        match source.catalogue() {
            Ok(catalogue) => {
                let warnings = catalogue.warnings().iter().map(ToString::to_string);
                outcome.further_warnings.extend(warnings);
            }
            Err(broken) => outcome.further_errors.push(broken.to_string()),
        }
    }
}

impl Outcome {
    fn exit(&self) -> u8 {
        let is_bad = |site: &SiteReport| site.worst() == Level::Problem;
        match &self.live {
            _ if !self.errors.is_empty() || !self.further_errors.is_empty() => exit::CONFIGURATION,
            Some(sites) if sites.iter().any(is_bad) => exit::LIVE,
            _ => 0,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for error in &self.errors {
            text.push_str(&format!("{}\n", error.display("error")));
        }
        for error in &self.further_errors {
            text.push_str(&format!("error: {error}\n\n"));
        }
        for warning in &self.warnings {
            text.push_str(&format!("{}\n", warning.display("warning")));
        }
        for warning in &self.further_warnings {
            text.push_str(&format!("warning: {warning}\n\n"));
        }
        for site in self.live.iter().flatten() {
            text.push_str(&format!("{site}\n"));
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    fn summary(&self) -> String {
        let errors = self.errors.len() + self.further_errors.len();
        let warnings = self.warnings.len() + self.further_warnings.len();
        let mut parts = Vec::new();
        if errors == 0 {
            parts.push(format!("the configuration is right: {}", counted(self.sites, "site")));
        } else {
            parts.push(counted(errors, "error"));
        }
        if warnings > 0 {
            parts.push(counted(warnings, "warning"));
        }
        if let Some(sites) = &self.live {
            let levels = sites.iter().flat_map(SiteReport::levels);
            let problems = levels.filter(|level| *level == Level::Problem).count();
            parts.push(match problems {
                0 => "nothing wrong behind it".to_owned(),
                _ => format!("{} behind it", counted(problems, "problem")),
            });
        }
        parts.join(", ")
    }

    fn json(&self) -> String {
        let problem = |problem: &Problem| {
            json!({
                "file": problem.file,
                "line": problem.place.as_ref().map(|place| place.line),
                "column": problem.place.as_ref().map(|place| place.column),
                "key": problem.key,
                "message": problem.fault.to_string(),
                "help": problem.fault.help(),
            })
        };
        let bare = |message: &String| json!({ "message": message });
        let errors = self.errors.iter().map(problem);
        let warnings = self.warnings.iter().map(problem);
        let object = json!({
            "exit": self.exit(),
            "sites": self.sites,
            "errors": errors.chain(self.further_errors.iter().map(bare)).collect::<Vec<_>>(),
            "warnings":
                warnings.chain(self.further_warnings.iter().map(bare)).collect::<Vec<_>>(),
            "live": self.live,
        });
        format!("{object}\n")
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
