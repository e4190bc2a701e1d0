//! Target packs: names of things in Nextcloud's pages, and the selectors that find them.

use std::collections::BTreeMap;

use super::json::{Document, Fields, Node, Problem, is_name};
use super::range::Range;
use super::step::{Action, Pointer, actions};

/// The targets of an area.
#[derive(Clone, Debug, Default)]
pub(super) struct Pack {
    pub(super) area: String,
    /// By their full names.
    pub(super) targets: BTreeMap<String, Target>,
}

/// One thing in a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Target {
    pub(super) candidates: Vec<Candidate>,
    pub(super) needs: Vec<Action>,
    pub(super) is_safe: bool,
    pub(super) at: (usize, usize),
}

/// One way to find it.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) css: String,
    pub(super) nextcloud: Option<Range>,
    /// Other targets that it names.
    pub(super) pointers: Vec<Pointer>,
}

/// Reads a pack; what is wrong comes with it.
pub(super) fn read(file: &str, text: &str) -> (Option<Pack>, Vec<Problem>) {
    let document = Document::new(file, text);
    let pack = document.root().and_then(|root| pack(root, file));
    (pack, document.into_problems())
}

fn pack(root: Node<'_>, file: &str) -> Option<Pack> {
    let fields = root.fields(&["$v", "$schema", "area", "targets"])?;
    version(&fields);
    let area_node = fields.required("area")?;
    let area = area_node.name()?;
    let stem = file.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
    if stem.is_some_and(|stem| stem != area) {
        area_node.error(format!("has to be the name of the file, `{}`", stem.unwrap_or_default()));
    }
    let mut targets = BTreeMap::new();
    for (name, node) in fields.required("targets")?.fields(&[])?.iter() {
        if !name.split('.').all(is_name) {
            node.error(format!("`{name}` is no name of a target: use a-z, 0-9, `-` and `.`"));
        }
        if let Some(target) = target(node) {
            targets.insert(format!("{area}.{name}"), target);
        }
    }
    Some(Pack { area, targets })
}

/// `"$v": 1`: which format this is.
pub(super) fn version(fields: &Fields<'_>) {
    if let Some(node) = fields.required("$v")
        && node.raw() != "1"
    {
        node.error("has to be 1, the version of this format");
    }
}

fn target(node: Node<'_>) -> Option<Target> {
    let fields = node.fields(&["any", "needs", "safe", "description"])?;
    let any = fields.required("any")?;
    let items = any.items();
    if items.is_empty() {
        any.error("has to hold at least one way to find the target");
    }
    if let Some(node) = fields.optional("description") {
        node.string();
    }
    Some(Target {
        candidates: items.into_iter().filter_map(candidate).collect(),
        needs: fields.optional("needs").map(actions).unwrap_or_default(),
        is_safe: fields.optional("safe").and_then(Node::boolean).unwrap_or(false),
        at: node.at(),
    })
}

fn candidate(node: Node<'_>) -> Option<Candidate> {
    let fields = node.fields(&["css", "nc", "app", "index", "within", "frame"])?;
    let css_node = fields.required("css")?;
    let css = css_node.string()?;
    check_selector(css_node, &css);
    let nextcloud = fields.optional("nc").and_then(range);
    if let Some(app) = fields.optional("app") {
        app_range(app);
    }
    if let Some(index) = fields.optional("index") {
        index.number(0..=1000);
    }
    let named = ["within", "frame"].into_iter().filter_map(|key| fields.optional(key));
    let pointers = named.filter_map(Pointer::read).collect();
    Some(Candidate { css, nextcloud, pointers })
}

/// A range of versions.
pub(super) fn range(node: Node<'_>) -> Option<Range> {
    let text = node.string()?;
    let range = Range::parse(&text);
    if range.is_none() {
        node.error(format!("`{text}` is no range of versions; write such as `>=30 <34`"));
    }
    range
}

/// `files`, or `calendar >=5`.
pub(super) fn app_range(node: Node<'_>) {
    let Some(text) = node.string() else { return };
    let (app, range) = text.split_once(' ').unwrap_or((&text, ""));
    let is_app = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let is_range = range.trim().is_empty() || Range::parse(range).is_some();
    if app.is_empty() || !app.bytes().all(is_app) || !is_range {
        node.error(format!("`{text}` is no app with a range; write such as `calendar >=5`"));
    }
}

/// What is known to break: with a translation, with the next build, or with another order.
fn check_selector(node: Node<'_>, css: &str) {
    if css.trim().is_empty() {
        node.error("is empty");
    }
    for (part, why) in [
        ("[data-v-", "changes with every build of the app"),
        (":nth-", "changes with the order of elements"),
        ("[aria-label", "is translated"),
        ("[title", "is translated"),
        (":contains", "is no CSS"),
    ] {
        if css.contains(part) {
            node.warn(format!("`{part}` {why}: choose something that stays"));
        }
    }
    let closes = |open: char, close: char| css.matches(open).count() == css.matches(close).count();
    if !closes('[', ']') || !closes('(', ')') || !css.matches('"').count().is_multiple_of(2) {
        node.error("is no selector: a bracket or quote is not closed");
    }
}
