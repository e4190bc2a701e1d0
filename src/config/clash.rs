//! What can be wrong between files: two sites with one name or one host, and targets that are
//! Passeur itself.
//!
//! The places that can clash are kept beside each site, with their lines: the text of a file that
//! did not change is not read again to say where its host stands.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::checked::{Config, Site, Target};
use super::checker::Checker;
use super::fault::Fault;
use super::load::{Known, listeners};
use super::problem::{Problem, Source};
use super::site::SiteFile;
use super::values::Host;
use super::world::World;

/// Where the things stand in a site's file that another file can clash with.
#[derive(Clone, Debug)]
pub(super) struct Places {
    name: Spot,
    hosts: Vec<(Host, Spot)>,
    targets: Vec<(Target, Spot)>,
}

/// A place in a file; looked up in full only when something is wrong with it.
#[derive(Clone, Debug)]
struct Spot {
    span: Option<std::ops::Range<usize>>,
    line: usize,
}

// === impl Places ===

impl Places {
    pub(super) fn of(file: &SiteFile, source: &Source<'_>) -> Self {
        let spot = |span: &std::ops::Range<usize>| Spot {
            span: Some(span.clone()),
            line: source.line(span),
        };
        let names = file.hosts_at.iter().map(|(host, span)| (host.clone(), spot(span)));
        let redirects = file.redirect_from_at.iter();
        let redirects = redirects.map(|(host, at)| (Host::Pattern(host.clone()), spot(at)));
        Self {
            name: file.name_at.as_ref().map_or(Spot { span: None, line: 1 }, spot),
            hosts: names.chain(redirects).collect(),
            targets: file.targets_at.iter().map(|(t, span)| (t.clone(), spot(span))).collect(),
        }
    }
}

// === impl Spot ===

impl Spot {
    fn problem(&self, path: &Path, fault: Fault) -> Problem {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        match &self.span {
            Some(span) => Source { path, text: &text }.problem(span.clone(), fault),
            None => Problem::of_file(path, fault),
        }
    }

    fn name(&self, path: &Path) -> String {
        match self.span {
            Some(_) => format!("{}:{}", path.display(), self.line),
            None => path.display().to_string(),
        }
    }
}

/// Everything that is wrong between these sites, in their order.
pub(super) fn between(
    sites: &[(&Path, Arc<Known>)],
    config: &Config,
    world: &World,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut names: HashMap<&str, (&Path, &Spot)> = HashMap::new();
    let mut hosts: HashMap<&Host, (&Path, &Spot)> = HashMap::new();
    for (path, known) in sites {
        let name = &known.places.name;
        if let Some((other, earlier)) = names.get(known.site.name.as_str()) {
            let fault =
                Fault::DoubleName { name: known.site.name.clone(), by: earlier.name(other) };
            problems.push(name.problem(path, fault));
        } else {
            names.insert(&known.site.name, (path, name));
        }
        for (host, spot) in &known.places.hosts {
            if let Some((other, earlier)) = hosts.get(host) {
                let fault = Fault::DoubleHost { host: shown(host), by: earlier.name(other) };
                problems.push(spot.problem(path, fault));
            } else {
                hosts.insert(host, (path, spot));
            }
        }
        for (target, spot) in &known.places.targets {
            if let Some(own) = listeners(config).find(|own| world.is_reached(own, target)) {
                let fault =
                    Fault::TargetSelf { target: target.to_string(), listener: own.to_string() };
                problems.push(spot.problem(path, fault));
            }
        }
    }
    problems
}

/// Everything that is wrong between a site that is in no file and others; each of these with what
/// it is called.
pub(super) fn with_others<'a>(
    file: &SiteFile,
    others: impl Iterator<Item = (&'a Arc<Site>, &'static str)>,
    config: &Config,
    checker: &mut Checker<'_>,
) {
    let redirects = file.redirect_from_at.iter();
    let redirects = redirects.map(|(host, at)| (Host::Pattern(host.clone()), at));
    let hosts: HashMap<Host, &Range<usize>> =
        file.hosts_at.iter().map(|(host, at)| (host.clone(), at)).chain(redirects).collect();
    for (other, what) in others {
        let by = || format!("{what} {}", other.name);
        if other.name == file.site.name {
            let fault = Fault::DoubleName { name: other.name.clone(), by: by() };
            match &file.name_at {
                Some(span) => checker.error(span.clone(), fault),
                None => checker.error_of_file(fault),
            }
        }
        let patterns = other.hosts.iter().chain(&other.redirect_from).cloned().map(Host::Pattern);
        let any = other.hosts.is_empty().then_some(Host::Any);
        for host in patterns.chain(any) {
            if let Some(span) = hosts.get(&host) {
                let fault = Fault::DoubleHost { host: shown(&host), by: by() };
                checker.error((*span).clone(), fault);
            }
        }
    }
    for (target, span) in &file.targets_at {
        if let Some(own) = listeners(config).find(|own| checker.world.is_reached(own, target)) {
            let fault = Fault::TargetSelf { target: target.to_string(), listener: own.to_string() };
            checker.error(span.clone(), fault);
        }
    }
}

fn shown(host: &Host) -> String {
    match host {
        Host::Any => "*".to_owned(),
        Host::Pattern(pattern) => pattern.to_string(),
    }
}
