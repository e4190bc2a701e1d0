//! Makes tours of the files of *Intros*, Framasoft's app for Nextcloud.
//!
//! Intros has one file of structure, a list of steps, and one file of texts per language, which belong
//! together by their positions. Here steps get names, texts become keys of them, and `open` (what has
//! to be clicked first) becomes a need of a target. What has no counterpart is told in a note. What
//! was read is checked for its shape only; `tours check` says the rest.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// What came out.
#[derive(Debug, Default)]
pub struct Imported {
    /// Files by their paths in a folder of tours.
    pub files: BTreeMap<String, String>,
    /// What has to be looked at by a person.
    pub notes: Vec<String>,
}

/// Why nothing came out.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file cannot be read.
    #[error("failed to read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no JSON.
    #[error("{} is no JSON", path.display())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// Steps and texts do not belong together.
    #[error("{}: {steps} steps, but {texts} texts in {language}", path.display())]
    Lengths {
        /// The file of structure.
        path: PathBuf,
        /// Steps.
        steps: usize,
        /// Texts.
        texts: usize,
        /// The language.
        language: String,
    },
}

/// Reads a folder: `NAME.json` or `intro.json` with the steps, and `LANGUAGE.json` or
/// `NAME.LANGUAGE.json` beside it, or in `l10n/`, with the texts.
///
/// # Errors
/// If a file cannot be read, or steps and texts do not belong together.
pub fn import(folder: &Path) -> Result<Imported, ImportError> {
    let mut imported = Imported::default();
    let documents = read(folder)?;
    let structures = documents.iter().filter(|(_, value)| !steps(value).is_empty());
    for (path, structure) in structures {
        let stem = stem(path);
        let texts = documents.iter().filter(|(other, _)| *other != path);
        let texts: BTreeMap<String, Vec<Text>> = texts
            .filter_map(|(other, value)| Some((language(other, &stem)?, list_of_texts(value)?)))
            .collect();
        let steps = steps(structure);
        if let Some((language, list)) = texts.iter().find(|(_, list)| list.len() != steps.len()) {
            return Err(ImportError::Lengths {
                path: path.clone(),
                steps: steps.len(),
                texts: list.len(),
                language: language.clone(),
            });
        }
        tour(&stem, &steps, &texts, &mut imported);
    }
    Ok(imported)
}

/// Title and body of a step.
struct Text {
    title: String,
    body: Vec<String>,
}

fn read(folder: &Path) -> Result<BTreeMap<PathBuf, Value>, ImportError> {
    let mut documents = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| ImportError::Io { path, source }
        };
        for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
            let path = entry.map_err(failed(&folder))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "json") {
                let text = fs::read_to_string(&path).map_err(failed(&path))?;
                let value = serde_json::from_str(&text)
                    .map_err(|source| ImportError::Json { path: path.clone(), source })?;
                documents.insert(path, value);
            }
        }
    }
    Ok(documents)
}

/// The steps of a structure: a list, or the field `steps` of an object, of objects that name an
/// element or have no text of their own.
fn steps(value: &Value) -> Vec<Map<String, Value>> {
    let list = value.as_array().or_else(|| value.get("steps")?.as_array());
    let list: Vec<_> = list.into_iter().flatten().filter_map(Value::as_object).cloned().collect();
    let is_structure =
        list.iter().any(|step| step.contains_key("element") || step.contains_key("open"));
    if is_structure { list } else { Vec::new() }
}

fn list_of_texts(value: &Value) -> Option<Vec<Text>> {
    let list = value.as_array().or_else(|| value.get("steps")?.as_array())?;
    Some(list.iter().map(text).collect())
}

fn text(value: &Value) -> Text {
    let of = |keys: &[&str]| {
        let found = keys.iter().find_map(|key| value.get(*key)?.as_str());
        found.or_else(|| value.as_str()).unwrap_or_default().to_owned()
    };
    let body = plain(&of(&["intro", "text", "body", "content"]));
    let title = plain(&of(&["title"])).into_iter().next().unwrap_or_default();
    Text { title, body }
}

/// Paragraphs of text from HTML: tags become what they stand for here, or nothing.
fn plain(html: &str) -> Vec<String> {
    let mut text = String::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('>') else { break };
        let tag = rest[open + 1..open + close].trim_matches('/').to_ascii_lowercase();
        match tag.split([' ', '/']).next().unwrap_or_default() {
            "b" | "strong" => text.push_str("**"),
            "code" | "kbd" => text.push('`'),
            "br" | "p" | "div" | "li" | "ul" | "ol" | "h1" | "h2" | "h3" => text.push('\n'),
            _ => {}
        }
        rest = &rest[open + close + 1..];
    }
    text.push_str(rest);
    let entities =
        [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")];
    let text = entities.iter().fold(text, |text, (from, to)| text.replace(from, to));
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn tour(
    stem: &str,
    steps: &[Map<String, Value>],
    texts: &BTreeMap<String, Vec<Text>>,
    imported: &mut Imported,
) {
    let id = name(&format!("intros-{stem}"));
    let mut targets = Map::new();
    let mut graph = Map::new();
    for (index, step) in steps.iter().enumerate() {
        let step_id = format!("step-{}", index + 1);
        let target = target(step, &step_id, &id, &mut targets);
        let mut made = json!({ "target": target, "text": step_id });
        if index + 1 < steps.len() {
            made["next"] = json!(format!("step-{}", index + 2));
        }
        if let Some(place) = step.get("position").and_then(Value::as_str).and_then(place) {
            made["place"] = json!([place]);
        }
        let known = ["element", "open", "position", "title", "intro", "text"];
        for key in step.keys().filter(|key| !known.contains(&key.as_str())) {
            imported.notes.push(format!("{id}, {step_id}: `{key}` was left out"));
        }
        graph.insert(step_id, made);
    }
    let app = stem.split(['-', '_']).next().unwrap_or(stem);
    let tour = json!({
        "$v": 1, "id": id, "rev": 1, "kind": "tour", "when": { "app": app },
        "start": "step-1", "steps": graph,
    });
    imported.files.insert(format!("{id}/tour.json"), pretty(&tour));
    if !targets.is_empty() {
        let pack = json!({ "$v": 1, "area": id, "targets": targets });
        imported.files.insert(format!("targets/{id}.json"), pretty(&pack));
    }
    for (language, list) in texts {
        let mut words = Map::new();
        words.insert("tour.title".to_owned(), json!(stem));
        words.insert("tour.summary".to_owned(), json!(stem));
        for (index, text) in list.iter().enumerate() {
            let key = format!("step-{}", index + 1);
            let title =
                if text.title.is_empty() { (index + 1).to_string() } else { text.title.clone() };
            words.insert(format!("{key}.title"), json!(title));
            words.insert(format!("{key}.body"), json!(text.body));
        }
        let file = format!("{id}/locales/{}.json", language.replace('_', "-"));
        imported.files.insert(file, pretty(&Value::Object(words)));
    }
    imported.notes.push(format!("{id}: write `tour.title` and `tour.summary` in each language"));
    if !texts.contains_key("en") {
        imported.notes.push(format!("{id}: English is missing, and every tour needs it"));
    }
}

/// The name of the target of a step; what finds it goes to the pack.
fn target(
    step: &Map<String, Value>,
    step_id: &str,
    area: &str,
    targets: &mut Map<String, Value>,
) -> String {
    let Some(css) = step.get("element").and_then(Value::as_str).filter(|css| !css.is_empty())
    else {
        return "none".to_owned();
    };
    let mut made = json!({ "any": [{ "css": css }] });
    if let Some(open) = step.get("open").and_then(Value::as_str) {
        let opener = format!("{step_id}-open");
        made["needs"] = json!([{ "open": format!("{area}.{opener}") }]);
        targets.insert(opener, json!({ "any": [{ "css": open }], "safe": true }));
    }
    targets.insert(step_id.to_owned(), made);
    format!("{area}.{step_id}")
}

fn place(position: &str) -> Option<&'static str> {
    Some(match position.split('-').next()? {
        "top" => "top",
        "bottom" => "bottom",
        "left" => "start",
        "right" => "end",
        "floating" => "center",
        _ => return None,
    })
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The language of a file: `fr`, `files.fr`, `files_pt_BR`, or `l10n/files/fr`.
fn language(path: &Path, stem_of_structure: &str) -> Option<String> {
    let own = stem(path);
    let folder = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let after = own.strip_prefix(stem_of_structure).map(|rest| rest.trim_matches(['.', '-', '_']));
    let is_beside = folder == stem_of_structure || stem_of_structure == "intro";
    let language = match after {
        Some(rest) if !rest.is_empty() => rest,
        _ if is_beside || folder == "l10n" => own.as_str(),
        _ => return None,
    };
    let is_language = (2..=8).contains(&language.len())
        && language.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_' || b == b'-');
    is_language.then(|| language.to_owned())
}

/// A name of what is left of text.
fn name(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let plain = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    plain.collect::<String>().trim_matches('-').to_owned()
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tours::catalogue::{Catalogue, Files};

    #[test]
    fn what_is_imported_is_a_catalogue() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "files.json",
            r##"[
            { "element": "#new", "position": "right" },
            { "element": ".entry", "open": "#new", "ripple": true },
            { "position": "floating" }
        ]"##,
        );
        let texts = r#"[{ "title": "A", "intro": "<p>One</p><p>Two <b>bold</b></p>" },
                        { "intro": "B &amp; C" }, { "title": "End", "intro": "x" }]"#;
        write("files.en.json", texts);
        write("files.fr.json", texts);
        let imported = import(folder.path()).unwrap();
        let files = imported.files.iter().map(|(path, text)| (path.clone(), text.clone().into()));
        let catalogue = Catalogue::new(&Files(files.collect())).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(catalogue.ids().collect::<Vec<_>>(), ["intros-files"]);
        assert!(imported.files["intros-files/locales/fr.json"].contains("Two **bold**"));
        assert!(imported.notes.iter().any(|note| note.contains("ripple")));
        write("files.de.json", "[]");
        assert!(matches!(
            import(folder.path()),
            Err(ImportError::Lengths { steps: 3, texts: 0, .. })
        ));
    }
}
