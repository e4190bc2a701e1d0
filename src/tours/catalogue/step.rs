//! What both tours and target packs are made of: conditions, actions, names of targets.

use super::json::{Fields, Node};
use super::targets::{app_range, range};

/// A name of a target, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Pointer {
    pub(super) name: String,
    pub(super) at: (usize, usize),
}

/// Something that is done before or after a step.
#[derive(Clone, Debug)]
pub(super) struct Action {
    pub(super) kind: String,
    pub(super) uses: Uses,
    /// The step to go on with if it fails.
    pub(super) or_step: Option<Pointer>,
}

/// What a condition, an action, a step names.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    pub(super) targets: Vec<Pointer>,
    pub(super) flags: Vec<Pointer>,
    pub(super) sets: Vec<Pointer>,
    pub(super) tours: Vec<Pointer>,
}

const ACTIONS: [&str; 13] = [
    "click",
    "close",
    "else",
    "focus",
    "goto",
    "highlight",
    "open",
    "reveal",
    "scroll",
    "set",
    "timeout",
    "wait",
    "with",
];

const OPTIONS: [&str; 3] = ["else", "timeout", "with"];

const CONDITIONS: [&str; 17] = [
    "admin",
    "all",
    "any",
    "app",
    "date",
    "device",
    "flag",
    "group",
    "has",
    "lang",
    "login_days",
    "nc",
    "not",
    "route",
    "seen",
    "tenant",
    "theme",
];

/// What to do about a missing target, besides going to another step.
pub(super) const MISSING: [&str; 4] = ["skip", "center", "ask", "end"];

impl Pointer {
    pub(super) fn read(node: Node<'_>) -> Option<Self> {
        Some(Self { name: node.string()?, at: node.at() })
    }
}

impl Uses {
    pub(super) fn extend(&mut self, other: Uses) {
        self.targets.extend(other.targets);
        self.flags.extend(other.flags);
        self.sets.extend(other.sets);
        self.tours.extend(other.tours);
    }
}

/// Reads a list of actions.
pub(super) fn actions(node: Node<'_>) -> Vec<Action> {
    node.items().into_iter().filter_map(action).collect()
}

fn action(node: Node<'_>) -> Option<Action> {
    let fields = node.fields(&ACTIONS)?;
    let (kind, value) = fields.only(&OPTIONS)?;
    let mut uses = Uses::default();
    match kind {
        "goto" => goto(value),
        "wait" => uses.extend(condition(value)),
        "set" => sets(value, &mut uses),
        _ => uses.targets.extend(Pointer::read(value)),
    }
    if let Some(timeout) = fields.optional("timeout") {
        timeout.number(0..=120);
    }
    if let Some(with) = fields.optional("with") {
        parameters(with);
    }
    let or_step = fields.optional("else").and_then(missing);
    Some(Action { kind: kind.to_owned(), uses, or_step })
}

/// An app, or a path below the web root.
fn goto(node: Node<'_>) {
    let Some(place) = node.string() else { return };
    let is_app = !place.is_empty()
        && place.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let is_path = place.starts_with('/') && !place.starts_with("//") && !place.contains('\\');
    if !is_app && !is_path {
        node.error(format!("`{place}` is no app and no path that begins with `/`"));
    }
}

/// `{ "flag": "value" }`.
pub(super) fn sets(node: Node<'_>, uses: &mut Uses) {
    let Some(fields) = node.fields(&[]) else { return };
    for (flag, value) in fields.iter() {
        value.string();
        uses.sets.push(Pointer { name: flag.to_owned(), at: value.at() });
    }
}

/// Parameters of a selector.
pub(super) fn parameters(node: Node<'_>) {
    let Some(fields) = node.fields(&[]) else { return };
    for (_, value) in fields.iter() {
        value.string();
    }
}

/// A policy for missing targets; the step, if it is one.
pub(super) fn missing(node: Node<'_>) -> Option<Pointer> {
    let pointer = Pointer::read(node)?;
    (!MISSING.contains(&pointer.name.as_str())).then_some(pointer)
}

/// Reads a condition.
pub(super) fn condition(node: Node<'_>) -> Uses {
    let mut uses = Uses::default();
    let Some(fields) = node.fields(&CONDITIONS) else { return uses };
    let Some((kind, value)) = fields.only(&[]) else { return uses };
    match kind {
        "all" | "any" => value.items().into_iter().for_each(|item| uses.extend(condition(item))),
        "not" => uses.extend(condition(value)),
        "nc" | "login_days" => drop(range(value)),
        "app" => app_range(value),
        "admin" => drop(value.boolean()),
        "device" => drop(value.word(&["phone", "desktop"])),
        "theme" => drop(value.word(&["dark", "light", "highcontrast"])),
        "route" => pattern(value),
        "date" => drop(value.fields(&["from", "until"]).map(|fields| dates(&fields))),
        "has" => uses.targets.extend(Pointer::read(value)),
        "flag" => uses.flags.extend(before_sign(value)),
        "seen" => {
            let seen = before_sign(value);
            let status = value.string().and_then(|text| Some(text.split_once('=')?.1.to_owned()));
            let known = ["active", "dismissed", "done", "offered"];
            if let Some(status) = status.filter(|status| !known.contains(&status.as_str())) {
                value.error(format!("`{status}` is none of {}", known.join(", ")));
            }
            uses.tours.extend(seen);
        }
        _ => drop(value.string()),
    }
    uses
}

/// What comes before `=`.
fn before_sign(node: Node<'_>) -> Option<Pointer> {
    let mut pointer = Pointer::read(node)?;
    pointer.name = pointer.name.split('=').next().unwrap_or_default().to_owned();
    Some(pointer)
}

/// `from` and `until`.
pub(super) fn dates(fields: &Fields<'_>) {
    for node in ["from", "until"].into_iter().filter_map(|key| fields.optional(key)) {
        let Some(text) = node.string() else { continue };
        let format = time::macros::format_description!("[year]-[month]-[day]");
        if time::Date::parse(&text, format).is_err() {
            node.error(format!("`{text}` is no date; write such as `2026-09-01`"));
        }
    }
}

/// A pattern of paths.
pub(super) fn pattern(node: Node<'_>) {
    let Some(text) = node.string() else { return };
    let segments: Vec<&str> = text.split('/').collect();
    let is_whole = |segment: &&str| *segment == "*" || *segment == "**" || !segment.contains('*');
    if !text.starts_with('/') || !segments.iter().all(is_whole) {
        node.error(format!("`{text}` is no pattern of paths; write such as `/apps/files/**`"));
    }
}
