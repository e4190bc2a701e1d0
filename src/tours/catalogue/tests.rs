use std::fs;
use std::path::Path;

use super::*;

/// A catalogue of these files.
fn catalogue(files: &[(&str, &str)]) -> Result<Catalogue, Problems> {
    let files = files.iter();
    Catalogue::new(&Files(
        files.map(|(path, text)| ((*path).to_owned(), (*text).to_owned().into())).collect(),
    ))
}

const PACK: &str = r##"{ "$v": 1, "area": "files", "targets": {
    "new": { "safe": true, "any": [ { "css": "[data-cy-upload-picker] button" } ] },
    "old": { "any": [ { "css": ".old", "nc": "<31" } ] },
    "upload": { "needs": [ { "open": "files.new" } ], "any": [ { "css": "#u" } ] } } }"##;

const WORDS: &str = r#"{ "tour.title": "A", "tour.summary": "B", "hi.title": "Hi", "hi.body": ["a", {"list": ["**b**"]}], "hi.yes": "Yes" }"#;

const TOUR: &str = r#"{ "$v": 1, "id": "a", "rev": 2, "kind": "tour",
  "offer": { "auto": true, "priority": 3 }, "when": { "nc": ">=30" }, "flags": { "role": "x" },
  "start": "one",
  "steps": {
    "one": { "target": "files.upload", "text": "hi", "before": [ { "click": "files.new" } ],
      "choices": [ { "text": "yes", "set": { "role": "y" }, "to": "two" } ] },
    "two": { "target": "none", "text": "hi", "next": [ { "if": { "flag": "role=y" }, "to": "end" }, { "to": "one" } ] } } }"#;

fn with(change: impl Fn(&str) -> String) -> Vec<String> {
    let tour = change(TOUR);
    assert_ne!(tour, TOUR, "nothing was changed");
    let files =
        [("targets/files.json", PACK), ("a/tour.json", &*tour), ("a/locales/en.json", WORDS)];
    match catalogue(&files) {
        Ok(catalogue) => catalogue.warnings().iter().map(Problem::to_string).collect(),
        Err(problems) => problems.0.iter().map(Problem::to_string).collect(),
    }
}

#[test]
fn a_catalogue_and_its_manifest() {
    let files = [("targets/files.json", PACK), ("a/tour.json", TOUR), ("a/locales/en.json", WORDS)];
    let catalogue = catalogue(&files).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(catalogue.warnings().is_empty(), "{:?}", catalogue.warnings());
    assert!(
        catalogue.has_step("a", "two")
            && catalogue.has_step("a", "")
            && !catalogue.has_step("a", "x")
    );
    let manifest = Value::Object(catalogue.manifest(|_| false));
    let tour = &manifest["tours"][0];
    assert_eq!(tour["offer"], json!({"auto": true, "priority": 3, "delay": 0, "again": "never"}));
    assert_eq!(tour["packs"], json!(["files"]));
    assert_eq!(tour["when"], json!({"nc": ">=30"}));
    assert!(tour["locales"]["en"].as_str().unwrap().starts_with("/_passeur/tours/a/"));
    assert_eq!(catalogue.manifest(|id| id == "a")["tours"], json!([]));
}

#[test]
fn problems_tell_place_and_way_out() {
    for (from, to, expected) in [
        (
            "\"rev\": 2",
            "\"rve\": 2",
            "a/tour.json:1:30: error: there is no field `rve` here; did you mean `rev`?",
        ),
        ("\"rev\": 2", "\"rev\": 0", "a/tour.json:1:30: error: has to be 1 to 1000000"),
        (
            "files.upload",
            "files.uplaod",
            "a/tour.json:5:24: error: there is no target `files.uplaod`; did you mean `files.upload`?",
        ),
        ("\"to\": \"two\"", "\"to\": \"tow\"", "there is no step `tow`; did you mean `two`?"),
        ("files.new", "files.upload", "`files.upload` is not `safe`: a tour must not click it"),
        ("\"start\": \"one\"", "\"start\": \"two\", \"start\": \"one\"", "`start` is there twice"),
        ("\"tour\"", "\"tuor\"", "`tuor` is none of tour, quest, announce; did you mean `tour`?"),
        ("role=y", "rule=y", "`rule` is not in `flags`; did you mean `role`?"),
        (">=30\" }", ">=thirty\" }", "is no range of versions"),
        ("\"text\": \"yes\"", "\"text\": \"no\"", "`hi.no` is missing"),
        ("\"to\": \"end\"", "\"to\": \"one\"", "from `one` the tour never reaches its `end`"),
        ("files.upload", "files.old", "`files.old` has no candidate for Nextcloud 31, 32, 33, 34"),
        (
            "{ \"nc\": \">=30\" }",
            "{ \"nc\": \">=30\", \"admin\": true }",
            "says two things: `nc` and `admin`",
        ),
        ("\"kind\": \"tour\",", "\"kind\": \"tour\"", "error: no JSON: expected `,` or `}`"),
    ] {
        let problems = with(|tour| tour.replacen(from, to, 1));
        let found = problems.iter().any(|problem| problem.contains(expected));
        assert!(found, "{expected}\n{}", problems.join("\n"));
    }
    let unreached = with(|tour| tour.replacen("\"to\": \"two\"", "\"to\": \"end\"", 1));
    assert!(
        unreached.iter().any(|problem| problem.contains("no step leads to `two`")),
        "{unreached:?}"
    );
}

#[test]
fn files_that_nobody_looks_at_are_told() {
    let files = [("a/tuor.json", TOUR), ("targets/files.json", PACK)];
    let problems = catalogue(&files).err().unwrap();
    assert!(problems.to_string().contains("a/tuor.json: error: belongs to no tour"), "{problems}");
}

#[test]
fn the_shipped_catalogue_is_right() {
    let catalogue =
        Catalogue::new(&Files::shipped()).unwrap_or_else(|problems| panic!("{problems}"));
    for id in catalogue.ids() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/tours").join(id);
        for language in ["en", "fr"] {
            assert!(folder.join(format!("locales/{language}.json")).exists(), "{id} in {language}");
        }
    }
}

#[test]
fn a_folder_is_read_and_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("ui")).unwrap();
    fs::write(folder.path().join("ui/en.json"), "{}").unwrap();
    let files = Files::shipped().overlaid(Files::read(folder.path()).unwrap());
    assert_eq!(files.text("ui/en.json"), Some("{}"));
}

#[test]
fn titles_are_among_the_words_of_the_player() {
    let files = [
        ("a/tour.json", TOUR),
        ("a/locales/en.json", WORDS),
        ("a/locales/pt.json", "{\"tour.title\":\"T\"}"),
        ("targets/files.json", PACK),
        ("ui/en.json", "{\"next\":\"Next\"}"),
        ("ui/pt-BR.json", "{}"),
    ];
    let catalogue = catalogue(&files).unwrap_or_else(|problems| panic!("{problems}"));
    let served = catalogue.ui["pt-BR"].answer(&http::HeaderMap::new());
    let bytes = http_body_util::BodyExt::collect(served.into_body());
    let bytes = futures_util::FutureExt::now_or_never(bytes).unwrap().unwrap().to_bytes();
    let words: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(words, json!({"next": "Next", "tour.a.title": "T", "tour.a.summary": "B"}));
}
