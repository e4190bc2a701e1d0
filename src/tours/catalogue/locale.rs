//! Words: of a tour in one language, and of the player itself.

use std::collections::BTreeMap;

use super::json::{Document, Node, Problem};

/// Keys with their places.
pub(super) type Words = BTreeMap<String, (usize, usize)>;

/// Reads the words of a tour.
pub(super) fn read(file: &str, text: &str) -> (Words, Vec<Problem>) {
    let document = Document::new(file, text);
    let mut words = Words::new();
    for (key, node) in
        document.root().and_then(|root| root.fields(&[])).iter().flat_map(|f| f.iter())
    {
        words.insert(key.to_owned(), node.at());
        if !key.starts_with('$') {
            value(node);
        }
    }
    words.retain(|key, _| !key.starts_with('$'));
    (words, document.into_problems())
}

fn value(node: Node<'_>) {
    if node.is_string() {
        return inline(node);
    }
    for block in node.items() {
        if !block.is_object() {
            inline(block);
        } else if let Some(fields) = block.fields(&["list"])
            && let Some(list) = fields.required("list")
        {
            list.items().into_iter().for_each(inline);
        }
    }
}

/// Text with its few marks.
fn inline(node: Node<'_>) {
    let Some(text) = node.string() else { return };
    if text.trim().is_empty() {
        node.error("is empty");
    }
    if text.matches("**").count() % 2 != 0 {
        node.error("`**` is opened and not closed");
    }
    if text.contains("[[") && text.matches("[[").count() != text.matches("]]").count() {
        node.error("`[[` is opened and not closed");
    }
    if text.contains('<') && text.contains("</") {
        node.warn("tags are shown as they are: text is no HTML");
    }
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let is_local = link.starts_with('/') && !link.starts_with("//") && !link.contains('\\');
        if !is_local && !link.starts_with("https://") {
            node.error(format!("`{link}` is no link: begin with `/` or `https://`"));
        }
    }
}

/// Whether a file name is that of a language: `fr`, `pt-BR`.
pub(super) fn is_language(name: &str) -> bool {
    let mut parts = name.split('-');
    let is_alphanumeric = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let first = parts.next().unwrap_or_default();
    (2..=3).contains(&first.len())
        && first.bytes().all(|b| b.is_ascii_lowercase())
        && parts.all(is_alphanumeric)
}
