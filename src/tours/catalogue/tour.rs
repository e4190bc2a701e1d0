//! One tour: a graph of steps.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{Document, Fields, Node, Problem, is_name};
use super::step::{
    Action, MISSING, Pointer, Uses, actions, condition, dates, missing, parameters, pattern, sets,
};
use super::targets::version;

/// The step that ends a tour.
pub(super) const END: &str = "end";

/// A tour that was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Tour {
    pub(super) id: String,
    pub(super) rev: u32,
    pub(super) kind: String,
    pub(super) offer: Offer,
    /// As it stands in the file.
    pub(super) when: Option<Value>,
    pub(super) when_uses: Uses,
    /// Flags with defaults.
    pub(super) flags: Vec<String>,
    pub(super) start: Option<Pointer>,
    pub(super) chapters: Vec<Chapter>,
    pub(super) steps: BTreeMap<String, Step>,
}

/// When a tour is offered without being asked for.
#[derive(Clone, Debug, serde::Serialize)]
pub(super) struct Offer {
    pub(super) auto: bool,
    pub(super) priority: i64,
    pub(super) delay: i64,
    pub(super) again: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<String>,
}

/// Steps that belong together.
#[derive(Clone, Debug)]
pub(super) struct Chapter {
    pub(super) text: Option<Pointer>,
    pub(super) steps: Vec<Pointer>,
    pub(super) is_skippable: bool,
    pub(super) deeper: Option<Pointer>,
}

/// One step.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    pub(super) at: (usize, usize),
    /// What it points at; none for a card in the middle.
    pub(super) target: Option<Pointer>,
    pub(super) text: Option<Pointer>,
    /// Keys of its choices, below `text`.
    pub(super) choices: Vec<Pointer>,
    pub(super) media: Vec<Pointer>,
    /// Steps that can follow, without [`END`].
    pub(super) edges: Vec<Pointer>,
    /// Whether the tour can end here.
    pub(super) can_end: bool,
    pub(super) actions: Vec<Action>,
    pub(super) uses: Uses,
}

const STEP: [&str; 13] = [
    "target", "with", "text", "media", "place", "before", "after", "wait", "allow", "advance",
    "next", "choices", "missing",
];

const PLACES: [&str; 6] = ["top", "bottom", "start", "end", "sheet", "center"];

impl Default for Offer {
    fn default() -> Self {
        let again = "never".to_owned();
        Self { auto: false, priority: 0, delay: 0, again, from: None, until: None }
    }
}

impl Tour {
    /// Every target that it names, with its place.
    pub(super) fn targets(&self) -> impl Iterator<Item = &Pointer> {
        let steps = self.steps.values().flat_map(|step| {
            let actions = step.actions.iter().flat_map(|action| &action.uses.targets);
            step.target.iter().chain(&step.uses.targets).chain(actions)
        });
        self.when_uses.targets.iter().chain(steps)
    }

    /// Everything else that it names.
    pub(super) fn uses(&self) -> impl Iterator<Item = &Uses> {
        let steps = self
            .steps
            .values()
            .flat_map(|step| step.actions.iter().map(|action| &action.uses).chain([&step.uses]));
        steps.chain([&self.when_uses])
    }
}

/// Reads a tour; what is wrong comes with it.
pub(super) fn read(file: &str, text: &str) -> (Option<Tour>, Vec<Problem>) {
    let document = Document::new(file, text);
    let tour = document.root().and_then(|root| tour(root, file));
    (tour, document.into_problems())
}

fn tour(root: Node<'_>, file: &str) -> Option<Tour> {
    let fields = root.fields(&[
        "$v", "$schema", "id", "rev", "kind", "offer", "when", "flags", "start", "chapters",
        "defaults", "steps",
    ])?;
    version(&fields);
    let id_node = fields.required("id")?;
    let id = id_node.name()?;
    let folder = file.split('/').next().unwrap_or_default();
    if folder != id {
        id_node.error(format!("has to be the name of the folder, `{folder}`"));
    }
    let mut tour = Tour { id, rev: 1, ..Tour::default() };
    if let Some(rev) = fields.required("rev").and_then(|node| node.number(1..=1_000_000)) {
        tour.rev = u32::try_from(rev).unwrap_or(1);
    }
    if let Some(node) = fields.required("kind") {
        tour.kind = node.word(&["tour", "quest", "announce"]).unwrap_or_default();
    }
    tour.offer = fields.optional("offer").map(offer).unwrap_or_default();
    if let Some(node) = fields.optional("when") {
        tour.when_uses = condition(node);
        tour.when = serde_json::from_str(node.raw()).ok();
    }
    if let Some(flags) = fields.optional("flags") {
        let mut uses = Uses::default();
        sets(flags, &mut uses);
        tour.flags = uses.sets.into_iter().map(|flag| flag.name).collect();
    }
    tour.start = fields.required("start").and_then(Pointer::read);
    if let Some(node) = fields.optional("chapters") {
        tour.chapters = node.items().into_iter().filter_map(chapter).collect();
    }
    if let Some(defaults) = fields.optional("defaults")
        && let Some(defaults) = defaults.fields(&["place", "allow", "missing", "advance"])
    {
        behaviour(&defaults, &mut Step::default());
    }
    for (id, node) in fields.required("steps")?.fields(&[])?.iter() {
        if !is_name(id) || id == END {
            node.error(format!("`{id}` cannot be the id of a step: use a-z, 0-9 and `-`"));
        }
        if let Some(step) = step(node) {
            tour.steps.insert(id.to_owned(), step);
        }
    }
    Some(tour)
}

fn offer(node: Node<'_>) -> Offer {
    let mut offer = Offer::default();
    let known = ["auto", "priority", "delay", "again", "from", "until"];
    let Some(fields) = node.fields(&known) else { return offer };
    if let Some(auto) = fields.optional("auto").and_then(Node::boolean) {
        offer.auto = auto;
    }
    let number = |key, most| fields.optional(key).and_then(|node| node.number(0..=most));
    offer.priority = number("priority", 1_000).unwrap_or(0);
    offer.delay = number("delay", 3_600).unwrap_or(0);
    let again = fields.optional("again").and_then(|node| node.word(&["never", "rev", "major"]));
    offer.again = again.unwrap_or(offer.again);
    dates(&fields);
    let text = |key| fields.optional(key).filter(|node| node.is_string()).and_then(Node::string);
    (offer.from, offer.until) = (text("from"), text("until"));
    offer
}

fn chapter(node: Node<'_>) -> Option<Chapter> {
    let fields = node.fields(&["id", "text", "steps", "skippable", "deeper"])?;
    let steps = fields.required("steps")?.items().into_iter().filter_map(Pointer::read).collect();
    fields.required("id")?.name()?;
    Some(Chapter {
        text: fields.required("text").and_then(Pointer::read),
        steps,
        is_skippable: fields.optional("skippable").and_then(Node::boolean).unwrap_or(false),
        deeper: fields.optional("deeper").and_then(Pointer::read),
    })
}

fn step(node: Node<'_>) -> Option<Step> {
    let mut known = STEP.to_vec();
    known.push("when");
    let fields = node.fields(&known)?;
    let mut step = Step { at: node.at(), ..Step::default() };
    let target = fields.required("target").and_then(Pointer::read);
    step.target = target.filter(|target| target.name != "none");
    step.text = fields.required("text").and_then(Pointer::read);
    if let Some(with) = fields.optional("with") {
        parameters(with);
    }
    for key in ["before", "after"] {
        step.actions.extend(fields.optional(key).map(actions).unwrap_or_default());
    }
    for key in ["wait", "when"] {
        step.uses.extend(fields.optional(key).map(condition).unwrap_or_default());
    }
    if let Some(node) = fields.optional("media") {
        media(node, &mut step);
    }
    behaviour(&fields, &mut step);
    follow(&fields, &mut step);
    let or_steps = step.actions.iter().filter_map(|action| action.or_step.clone());
    step.edges.extend(or_steps.collect::<Vec<_>>());
    Some(step)
}

/// What can stand in `defaults`, too.
fn behaviour(fields: &Fields<'_>, step: &mut Step) {
    if let Some(node) = fields.optional("place") {
        node.items().into_iter().for_each(|item| drop(item.word(&PLACES)));
    }
    if let Some(node) = fields.optional("allow") {
        node.word(&["none", "target", "page"]);
    }
    if let Some(node) = fields.optional("missing") {
        step.edges.extend(missing(node));
    }
    if let Some(node) = fields.optional("advance") {
        node.items().into_iter().for_each(|item| advance(item, step));
    }
}

fn advance(node: Node<'_>, step: &mut Step) {
    if node.is_string() {
        node.word(&["next", "click"]);
        return;
    }
    let Some(fields) = node.fields(&["route", "appear", "vanish", "event", "value"]) else {
        return;
    };
    match fields.only(&[]) {
        Some(("route", value)) => pattern(value),
        Some(("event", value)) => drop(value.string()),
        Some((_, value)) => step.uses.targets.extend(Pointer::read(value)),
        None => {}
    }
}

fn media(node: Node<'_>, step: &mut Step) {
    let Some(fields) = node.fields(&["file", "kind", "poster", "captions"]) else { return };
    if let Some(kind) = fields.required("kind") {
        kind.word(&["image", "video"]);
    }
    step.media.extend(fields.required("file").and_then(Pointer::read));
    step.media.extend(fields.optional("poster").and_then(Pointer::read));
    let captions = fields.optional("captions").and_then(|node| node.fields(&[]));
    for (_, file) in captions.iter().flat_map(Fields::iter) {
        step.media.extend(Pointer::read(file));
    }
}

/// `next` and `choices`.
fn follow(fields: &Fields<'_>, step: &mut Step) {
    let choices = fields.optional("choices");
    for node in choices.map(Node::items).unwrap_or_default() {
        let Some(choice) = node.fields(&["text", "set", "to", "if"]) else { continue };
        step.choices.extend(choice.required("text").and_then(Pointer::read));
        if let Some(set) = choice.optional("set") {
            sets(set, &mut step.uses);
        }
        step.uses.extend(choice.optional("if").map(condition).unwrap_or_default());
        to(choice.required("to"), step);
    }
    match fields.optional("next") {
        None => step.can_end |= choices.is_none(),
        Some(node) if node.is_string() => to(Some(node), step),
        Some(node) => {
            let mut always = false;
            for item in node.items() {
                let Some(edge) = item.fields(&["if", "to"]) else { continue };
                always |= edge.optional("if").is_none();
                step.uses.extend(edge.optional("if").map(condition).unwrap_or_default());
                to(edge.required("to"), step);
            }
            step.can_end |= !always;
        }
    }
}

fn to(node: Option<Node<'_>>, step: &mut Step) {
    match node.and_then(Pointer::read) {
        Some(pointer) if pointer.name == END => step.can_end = true,
        Some(pointer) => step.edges.push(pointer),
        None => {}
    }
}

/// Whether a policy is no step, so that a step must not have its name.
pub(super) fn is_policy(name: &str) -> bool {
    MISSING.contains(&name)
}
