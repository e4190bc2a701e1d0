//! `docs/pitfalls.md` has every row, and every test it names exists.

use std::path::Path;

const PITFALLS: &str = include_str!("../../docs/pitfalls.md");

#[test]
fn every_pitfall_is_listed() {
    let rows = PITFALLS.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let rows: Vec<u32> = rows.filter_map(|row| row.parse().ok()).collect();
    assert_eq!(rows, (1..=56).collect::<Vec<_>>());
}

#[test]
fn every_test_named_in_the_pitfalls_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = PITFALLS.split('`').skip(1).step_by(2).filter_map(|code| code.rsplit_once("::"));
    let mut count = 0;
    for (place, name) in names {
        let file = match place.ends_with(".rs") {
            true => root.join(place),
            false => root.join("tests/proxy").join(place.replace("::", "/") + ".rs"),
        };
        if place == "module" || place == "file" {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("no {place}"));
        assert!(text.contains(&format!("async fn {name}()")), "no {name} in {place}");
        count += 1;
    }
    assert!(count > 100, "{count}");
}
