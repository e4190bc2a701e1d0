//! What is wrong between files: steps that lead nowhere, words and targets that are not there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::json::{Problem, nearest};
use super::locale::Words;
use super::range::Range;
use super::step::Pointer;
use super::targets::{Pack, Target};
use super::tour::{END, Step, Tour, is_policy};

/// The majors of Nextcloud that packs are held to.
pub const MAJORS: std::ops::RangeInclusive<u32> = 29..=34;

/// What a tour is checked against.
pub(super) struct Surroundings<'a> {
    pub(super) targets: &'a BTreeMap<String, Target>,
    pub(super) tours: &'a BTreeSet<String>,
    /// Names of the files in the folder of media.
    pub(super) media: &'a BTreeSet<String>,
    pub(super) words: &'a BTreeMap<String, Words>,
}

struct Report {
    file: String,
    problems: Vec<Problem>,
}

impl Report {
    fn error(&mut self, at: (usize, usize), message: String) {
        self.push(at, message, true);
    }

    fn push(&mut self, (line, column): (usize, usize), message: String, is_error: bool) {
        let file = self.file.clone();
        self.problems.push(Problem { file, line, column, message, is_error });
    }
}

/// All targets of all packs; what packs name that is not there.
pub(super) fn packs(packs: &[Pack]) -> (BTreeMap<String, Target>, Vec<Problem>) {
    let all: BTreeMap<String, Target> =
        packs.iter().flat_map(|pack| pack.targets.clone()).collect();
    let mut problems = Vec::new();
    for pack in packs {
        let mut report = Report { file: format!("targets/{}.json", pack.area), problems };
        for target in pack.targets.values() {
            let pointers = target.candidates.iter().flat_map(|candidate| &candidate.pointers);
            let needs = target.needs.iter().flat_map(|action| &action.uses.targets);
            pointers.chain(needs).for_each(|pointer| is_known(pointer, &all, &mut report));
        }
        problems = report.problems;
    }
    (all, problems)
}

fn is_known(pointer: &Pointer, targets: &BTreeMap<String, Target>, report: &mut Report) {
    if !targets.contains_key(&pointer.name) {
        let near = nearest(&pointer.name, targets.keys().map(String::as_str));
        report.error(pointer.at, format!("there is no target `{}`{near}", pointer.name));
    }
}

/// Everything about one tour.
pub(super) fn tour(tour: &Tour, around: &Surroundings<'_>) -> Vec<Problem> {
    let mut report = Report { file: format!("{}/tour.json", tour.id), problems: Vec::new() };
    graph(tour, &mut report);
    for pointer in tour.targets() {
        is_known(pointer, around.targets, &mut report);
    }
    for step in tour.steps.values() {
        clicks(step, around.targets, &mut report);
        for file in step.media.iter().filter(|file| !around.media.contains(&file.name)) {
            let message = format!("there is no file `{}/media/{}`", tour.id, file.name);
            report.error(file.at, message);
        }
    }
    names(tour, around, &mut report);
    versions(tour, around.targets, &mut report);
    let mut problems = report.problems;
    problems.extend(words(tour, around.words));
    problems
}

/// Flags and other tours.
fn names(tour: &Tour, around: &Surroundings<'_>, report: &mut Report) {
    for uses in tour.uses() {
        for flag in uses.flags.iter().chain(&uses.sets) {
            if !tour.flags.contains(&flag.name) {
                let near = nearest(&flag.name, tour.flags.iter().map(String::as_str));
                report.error(flag.at, format!("`{}` is not in `flags`{near}", flag.name));
            }
        }
        for other in uses.tours.iter().filter(|other| !around.tours.contains(&other.name)) {
            let near = nearest(&other.name, around.tours.iter().map(String::as_str));
            let message = format!("there is no tour `{}` here{near}", other.name);
            report.push(other.at, message, false);
        }
    }
}

/// A tour never clicks what its pack does not call safe.
fn clicks(step: &Step, targets: &BTreeMap<String, Target>, report: &mut Report) {
    for action in step.actions.iter().filter(|action| action.kind == "click") {
        for pointer in &action.uses.targets {
            if targets.get(&pointer.name).is_some_and(|target| !target.is_safe) {
                let message = format!("`{}` is not `safe`: a tour must not click it", pointer.name);
                report.error(pointer.at, message);
            }
        }
    }
}

fn graph(tour: &Tour, report: &mut Report) {
    let known = || tour.steps.keys().map(String::as_str);
    let chapters = tour.chapters.iter();
    let named = chapters.flat_map(|chapter| chapter.steps.iter().chain(&chapter.deeper));
    let edges = tour.steps.values().flat_map(|step| &step.edges);
    for pointer in tour.start.iter().chain(named).chain(edges) {
        if !tour.steps.contains_key(&pointer.name) {
            let near = nearest(&pointer.name, known());
            report.error(pointer.at, format!("there is no step `{}`{near}", pointer.name));
        }
    }
    for (id, step) in tour.steps.iter().filter(|(id, _)| is_policy(id)) {
        report.error(step.at, format!("`{id}` has a meaning of its own and cannot be a step"));
    }
    let reached = reach(tour.steps.keys(), roots(tour), |id| {
        tour.steps.get(id).into_iter().flat_map(|step| &step.edges).map(|edge| edge.name.as_str())
    });
    // Backwards from where the tour can end.
    let ends = tour.steps.iter().filter(|(_, step)| step.can_end).map(|(id, _)| id.as_str());
    let ending = reach(tour.steps.keys(), ends.collect(), |id| {
        let leads = move |step: &Step| step.edges.iter().any(|edge| edge.name == id);
        tour.steps.iter().filter(move |(_, step)| leads(step)).map(|(id, _)| id.as_str())
    });
    for (id, step) in &tour.steps {
        if !reached.contains(id.as_str()) {
            report.error(step.at, format!("no step leads to `{id}`"));
        } else if !ending.contains(id.as_str()) {
            report.error(step.at, format!("from `{id}` the tour never reaches its `{END}`"));
        }
    }
}

/// Where a person can begin: at the start, with a chapter after one that can be skipped, deeper.
fn roots(tour: &Tour) -> Vec<&str> {
    let mut roots: Vec<&str> = tour.start.iter().map(|start| start.name.as_str()).collect();
    for (index, chapter) in tour.chapters.iter().enumerate() {
        let follows = index > 0 && tour.chapters[index - 1].is_skippable;
        roots.extend(chapter.steps.first().filter(|_| follows).map(|step| step.name.as_str()));
        roots.extend(chapter.deeper.iter().map(|step| step.name.as_str()));
    }
    roots
}

/// What can be reached from `from` along `next`.
fn reach<'t, I: Iterator<Item = &'t str>>(
    all: impl Iterator<Item = &'t String>,
    mut from: Vec<&'t str>,
    next: impl Fn(&'t str) -> I,
) -> BTreeSet<&'t str> {
    let all: BTreeSet<&str> = all.map(String::as_str).collect();
    let mut reached = BTreeSet::new();
    while let Some(id) = from.pop() {
        if all.contains(id) && reached.insert(id) {
            from.extend(next(id));
        }
    }
    reached
}

/// Targets without any candidate for a version that the tour runs on.
fn versions(tour: &Tour, targets: &BTreeMap<String, Target>, report: &mut Report) {
    let mut told = BTreeSet::new();
    for pointer in tour.targets().filter(|pointer| told.insert(pointer.name.clone())) {
        let Some(target) = targets.get(&pointer.name) else { continue };
        let missing: Vec<String> = MAJORS
            .filter(|&major| tour.when.as_ref().and_then(|when| holds(when, major)) != Some(false))
            .filter(|&major| !is_in(target, major))
            .map(|major| major.to_string())
            .collect();
        if !missing.is_empty() {
            let message = format!(
                "`{}` has no candidate for Nextcloud {}, on which the tour runs",
                pointer.name,
                missing.join(", ")
            );
            report.push(pointer.at, message, false);
        }
    }
}

/// Whether a target has a candidate for a major.
pub(super) fn is_in(target: &Target, major: u32) -> bool {
    let fits = |range: &Range| range.touches(major);
    target.candidates.iter().any(|candidate| candidate.nextcloud.as_ref().is_none_or(fits))
}

/// What a condition says if nothing but the major of Nextcloud is known.
fn holds(condition: &Value, major: u32) -> Option<bool> {
    let (kind, value) = condition.as_object()?.iter().next()?;
    let mut each = value.as_array().into_iter().flatten().map(|inner| holds(inner, major));
    match kind.as_str() {
        "all" => each
            .try_fold(true, |all, one| match one {
                Some(false) => Err(Some(false)),
                Some(true) => Ok(all),
                None => Ok(all),
            })
            .map_or_else(|end| end, |_| None),
        "any" => {
            let each: Vec<_> = each.collect();
            match each.contains(&Some(true)) {
                true => Some(true),
                false if each.iter().all(|one| *one == Some(false)) => Some(false),
                false => None,
            }
        }
        "not" => holds(value, major).map(|inner| !inner),
        "nc" => Range::parse(value.as_str()?).map(|range| range.touches(major)),
        _ => None,
    }
}

/// Words that are missing (in English, an error) or belong to nothing.
fn words(tour: &Tour, languages: &BTreeMap<String, Words>) -> Vec<Problem> {
    let wanted = wanted(tour);
    let mut problems = Vec::new();
    if !languages.contains_key("en") {
        problems.push(of_file(
            &tour.id,
            "en",
            "is missing: every tour has to be there in English",
            true,
        ));
    }
    for (language, words) in languages {
        let is_base = language == "en";
        for key in wanted.iter().filter(|key| !words.contains_key(*key)) {
            problems.push(of_file(&tour.id, language, &format!("`{key}` is missing"), is_base));
        }
        for (key, (line, column)) in words.iter().filter(|(key, _)| !wanted.contains(*key)) {
            let near = nearest(key, wanted.iter().map(String::as_str));
            let mut problem =
                of_file(&tour.id, language, &format!("nothing uses `{key}`{near}"), is_base);
            (problem.line, problem.column) = (*line, *column);
            problems.push(problem);
        }
    }
    problems
}

fn of_file(tour: &str, language: &str, message: &str, is_error: bool) -> Problem {
    let file = format!("{tour}/locales/{language}.json");
    Problem { file, line: 0, column: 0, message: message.to_owned(), is_error }
}

fn wanted(tour: &Tour) -> BTreeSet<String> {
    let mut wanted = BTreeSet::from(["tour.title".to_owned(), "tour.summary".to_owned()]);
    for step in tour.steps.values() {
        let Some(text) = &step.text else { continue };
        wanted.extend(["title", "body"].map(|part| format!("{}.{part}", text.name)));
        wanted.extend(step.choices.iter().map(|choice| format!("{}.{}", text.name, choice.name)));
        if !step.media.is_empty() {
            wanted.insert(format!("{}.alt", text.name));
        }
    }
    let chapters = tour.chapters.iter().filter_map(|chapter| chapter.text.as_ref());
    wanted.extend(chapters.map(|text| format!("{}.title", text.name)));
    wanted
}
