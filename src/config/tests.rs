//! Fixtures, the manual, loading again, reloading.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::signal::unix::{SignalKind, signal};

use super::checked::{Config, HostPattern, TargetAddress};
use super::checker::Checker;
use super::keys::{self, File};
use super::problem::{Problem, Source};
use super::settings::Settings;
use super::world::World;
use super::{Loader, Reloader, Reloads, load, raw, read_anything, reuse};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What there is to say about a configuration, with paths as seen from its folder.
fn report(folder: &Path) -> String {
    let text = match load(&folder.join("passeur.toml")) {
        Ok(loaded) => {
            let shown = |warning: &Problem| format!("{}\n", warning.display("warning"));
            loaded.warnings.iter().map(shown).collect()
        }
        Err(errors) => format!("{errors}\n"),
    };
    text.replace(&format!("{}/", folder.display()), "").replace(&folder.display().to_string(), ".")
}

#[test]
fn every_fixture_is_reported_as_written() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in fs::read_dir(repository().join("tests/data/config")).expect("fixtures") {
        let folder = entry.expect("an entry").path();
        let said = report(&folder);
        let file = folder.join("errors.txt");
        if std::env::var_os("PASSEUR_WRITE_FIXTURES").is_some() {
            fs::write(&file, &said).expect("a folder that can be written");
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if said != expected {
            wrong.push(format!("{}:\n{said}", folder.display()));
        }
        seen += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 10, "only {seen} fixtures");
}

// === the manual ===

fn settings(text: &str) -> Result<Settings, Vec<Problem>> {
    let world = World::blind();
    let mut checker = Checker::new(Source { path: "passeur.toml".as_ref(), text }, &world);
    let raw = keys::parse::<raw::Main>(&checker.source, &mut checker.errors).unwrap_or_default();
    let settings = Settings::of(raw, &mut checker);
    match checker.errors.is_empty() {
        true => Ok(settings),
        false => Err(checker.errors),
    }
}

/// A line of the manual that sets something.
struct Line<'a> {
    table: &'a str,
    key: &'a str,
    text: &'a str,
    is_commented: bool,
    is_example: bool,
}

fn lines(manual: &str) -> Vec<Line<'_>> {
    let mut table = "";
    let mut lines = Vec::new();
    for line in manual.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = name.trim_matches(['[', ']']);
            continue;
        }
        let text = line.strip_prefix('#').unwrap_or(line);
        let Some((key, _)) = text.split_once(" = ") else { continue };
        if key.is_empty() || key.contains(' ') {
            continue;
        }
        let is_example = text.ends_with("  # example");
        lines.push(Line { table, key, text, is_commented: line.starts_with('#'), is_example });
    }
    lines
}

fn manual() -> String {
    fs::read_to_string(repository().join("config/passeur.toml")).expect("the manual")
}

#[test]
fn the_examples_can_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let sites = folder.path().join("config/sites");
    fs::create_dir_all(&sites).expect("a folder");
    fs::create_dir(folder.path().join("certs")).expect("a folder");
    fs::write(folder.path().join("config/passeur.toml"), manual()).expect("a file");
    for entry in fs::read_dir(repository().join("config/sites")).expect("examples") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), sites.join(entry.file_name())).expect("a copy");
    }
    let loaded = load(&folder.path().join("config/passeur.toml"));
    let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let [cloud, farm, office] = &loaded.config.sites[..] else { panic!("three sites") };
    assert_eq!(cloud.name, "cloud.example.org");
    assert_eq!(cloud.hosts, [HostPattern::Exact("cloud.example.org".to_owned())]);
    assert_eq!(cloud.upstream.targets.len(), 2);
    assert!(cloud.dav.spool_chunked.is_some());
    assert_eq!(cloud.owners[0].display_name, "Grace Hopper");
    assert_eq!(farm.hosts, [HostPattern::Wildcard("example.net".to_owned())]);
    let TargetAddress::Tcp { host, port: 8080 } = &farm.upstream.targets[0].address else {
        panic!("a host with its port")
    };
    assert_eq!(host, "{label}.nextcloud.internal");
    let prefixes: Vec<&str> = office.routes.iter().map(|route| &*route.prefix).collect();
    assert_eq!(prefixes, ["/standalone-signaling", "/hosting", "/browser", "/push", "/cool"]);
    assert!(office.upstream.targets[0].tls);
}

#[test]
fn the_manual_tells_the_defaults() {
    let head = "listen.http = [\"127.0.0.1:0\"]\n";
    let default = settings(head).unwrap_or_else(|problems| panic!("{problems:?}"));
    let manual = manual();
    let mut seen = 0;
    for line in lines(&manual).iter().filter(|line| line.is_commented) {
        let dot = if line.table.is_empty() { "" } else { "." };
        let text = format!("{head}{}{dot}{}", line.table, line.text);
        let set = settings(&text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
        let is_default =
            set.config == default.config && set.base == default.base && set.sites == default.sites;
        // `public_https_port = 443` is the example that is set, and what holds without.
        assert_eq!(is_default, !line.is_example, "{text}");
        seen += 1;
    }
    assert!(seen > 40, "only {seen} defaults");
}

#[test]
fn the_manual_tells_every_key() {
    let manual = manual();
    let known = lines(&manual);
    let of_one_site =
        ["name", "hosts", "redirect_from", "routes", "owners", "targets", "secret", "dsn"];
    for table in raw::Main::tables() {
        for key in table.keys {
            let path = [table.path, key].join(".");
            let is_table = manual.contains(&format!("\n[{}]\n", path.trim_start_matches('.')));
            let is_told = known.iter().any(|line| line.table == table.path && line.key == *key);
            let is_elsewhere = table.path.starts_with("defaults") && of_one_site.contains(key);
            assert!(is_table || is_told || is_elsewhere, "{path} is not in the manual");
        }
    }
    let examples: Vec<String> = fs::read_dir(repository().join("config/sites"))
        .expect("examples")
        .map(|entry| fs::read_to_string(entry.expect("an entry").path()).expect("an example"))
        .collect();
    let examples = examples.join("\n");
    let tables = [keys::fields::<raw::Route>(), keys::fields::<raw::Owner>(), &of_one_site[..]];
    for key in tables.into_iter().flatten() {
        let forms = [format!("{key} = "), format!("{key}]]"), format!("{key}.")];
        assert!(forms.iter().any(|form| examples.contains(form)), "{key} is in no example");
    }
}

// === loading again ===

/// A configuration in a folder of its own.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(folder.path("sites")).expect("a folder");
        folder.write("passeur.toml", "listen.http = [\"127.0.0.1:0\"]");
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn site(&self, name: &str, port: u16) {
        self.write(&format!("sites/{name}.toml"), &site_text(name, port));
    }
}

fn site_text(name: &str, port: u16) -> String {
    format!("hosts = [\"{name}.example.org\"]\nupstream.targets = [\"http://10.0.0.1:{port}\"]\n")
}

#[test]
fn sites_that_did_not_change_are_shared_with_those_before() {
    let folder = Folder::new();
    folder.site("a", 8001);
    folder.site("b", 8002);
    let mut loader = Loader::new(&folder.path("passeur.toml"));
    let first = loader.load().expect("no errors").config;
    folder.site("b", 8003);
    assert!(loader.is_stale());
    let second = loader.load().expect("no errors").config;
    assert!(Arc::ptr_eq(&first.sites[0], &second.sites[0]));
    assert_ne!(first.sites[1], second.sites[1]);
    let afresh = load(&folder.path("passeur.toml")).expect("no errors").config;
    assert_eq!(second, afresh);
    let reused = reuse(&first, afresh);
    assert!(Arc::ptr_eq(&first.sites[0], &reused.sites[0]));
    assert!(!Arc::ptr_eq(&first.sites[1], &reused.sites[1]));
    assert_eq!(second, reused);
}

#[test]
fn changed_defaults_reach_every_site() {
    let folder = Folder::new();
    folder.site("a", 8001);
    let mut loader = Loader::new(&folder.path("passeur.toml"));
    let first = loader.load().expect("no errors").config;
    folder.write("passeur.toml", "listen.http = [\"127.0.0.1:0\"]\ndefaults.http2 = false");
    let second = loader.load().expect("no errors").config;
    assert!(first.sites[0].http2);
    assert!(!second.sites[0].http2);
}

#[test]
fn errors_of_all_files_are_told_at_once() {
    let folder = Folder::new();
    folder.site("a", 8001);
    folder.write("sites/b.toml", "hosts = [\"a.example.org\", 5]\nupstream.targets = [\"x\"]");
    folder.write("sites/c.toml", "hosts = ");
    folder.write("passeur.toml", "listen.http = [\"127.0.0.1:0\"]\nlimits.client_idle = 75");
    let errors = load(&folder.path("passeur.toml")).expect_err("errors");
    let keys: Vec<Option<&str>> = errors.problems().iter().map(|p| p.key.as_deref()).collect();
    let expected = ["limits.client_idle", "hosts[0]", "hosts[1]", "upstream.targets[0]"];
    assert_eq!(keys[..4], expected.map(Some));
    assert_eq!(keys.len(), 5);
}

#[test]
fn a_missing_main_file_is_an_error() {
    let errors = load(Path::new("/nonexistent/passeur.toml")).expect_err("no file");
    assert_eq!(errors.problems().len(), 1, "{errors}");
    assert!(errors.to_string().contains("/nonexistent/passeur.toml"));
}

#[test]
fn the_fuzz_corpus_does_not_make_it_panic() {
    let corpus = fs::read_dir(repository().join("fuzz/corpus/config")).expect("a corpus");
    let count =
        corpus.map(|entry| fs::read(entry.expect("an entry").path())).fold(0, |count, bytes| {
            read_anything(&bytes.expect("a file"));
            count + 1
        });
    assert!(count > 10, "only {count} files");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_anything(&bytes);
    }

    #[test]
    fn no_text_like_a_file_makes_it_panic(lines in proptest::collection::vec(line(), 0..12)) {
        read_anything(lines.join("\n").as_bytes());
    }

    #[test]
    fn what_is_cut_off_does_not_make_it_panic(at in 0usize..10_000) {
        let manual = manual();
        read_anything(&manual.as_bytes()[..at.min(manual.len())]);
    }
}

/// Lines that reach beyond the TOML parser.
fn line() -> impl Strategy<Value = String> {
    let keys = [raw::Main::tables(), raw::Site::tables()].into_iter().flatten().flat_map(|table| {
        let dot = if table.path.is_empty() { "" } else { "." };
        table.keys.iter().map(move |key| format!("{}{dot}{key}", table.path))
    });
    let tables = ["[[routes]]", "[[owners]]", "[upstream]", "[defaults]"].map(str::to_owned);
    let key = prop_oneof![proptest::sample::select(keys.collect::<Vec<_>>()), "[a-zé]{1,8}"];
    let value = prop_oneof![
        "\"[ -~é日]{0,20}\"",
        "\"(http://|https://|unix:/|\\*\\.)?[a-z0-9{}:.\\[\\]-]{0,12}(:[0-9]{0,6})?\"",
        "\"[0-9]{0,22} ?(ms|s|m|h|d|B|KiB|GiB|TiB)\"",
        "-?[0-9]{1,20}",
        "(true|false|1.5|\\[\\]|\\{\\}|2020-01-01)",
        "\\[\"[a-z*.]{0,9}\", [0-9]\\]",
    ];
    prop_oneof![
        4 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => proptest::sample::select(tables.to_vec()),
    ]
}

#[test]
fn defaults_of_the_types_are_those_of_the_files() {
    let settings = settings("listen.http = [\"127.0.0.1:0\"]").map(|settings| settings.config);
    let mut config = settings.unwrap_or_else(|problems| panic!("{problems:?}"));
    config.listen.http.clear();
    // The folder that what is relative is in.
    config.ground.folder = std::path::PathBuf::new();
    assert_eq!(config, Config::default());
}

// === reloading ===

/// What a [`Reloader`] calls.
#[derive(Debug)]
enum Call {
    Apply(Box<Config>),
    Certificates,
}

struct Running {
    calls: tokio::sync::mpsc::UnboundedReceiver<Call>,
    reloads: Arc<Reloads>,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(folder: &Folder) -> Self {
        let hangups = signal(SignalKind::hangup()).expect("a signal");
        let loaded = Reloader::load(&folder.path("passeur.toml"));
        let (_, reloader) = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        let reloads = reloader.reloads();
        let (sender, calls) = tokio::sync::mpsc::unbounded_channel();
        let again = sender.clone();
        let apply = move |config| sender.send(Call::Apply(Box::new(config))).is_ok();
        let certificates = move || drop(again.send(Call::Certificates));
        Self { calls, reloads, task: tokio::spawn(reloader.run(hangups, apply, certificates)) }
    }

    async fn call(&mut self) -> Call {
        let call = tokio::time::timeout(Duration::from_secs(20), self.calls.recv()).await;
        call.expect("a call in time").expect("a running reloader")
    }

    /// The configuration of the next call; calls about certificates are passed over.
    async fn applied(&mut self) -> Config {
        loop {
            if let Call::Apply(config) = self.call().await {
                return *config;
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A reloader that has answered to a change.
async fn running(folder: &Folder) -> (Running, Config) {
    let mut running = Running::start(folder);
    folder.site("ready", 8000);
    let config = running.applied().await;
    (running, config)
}

#[tokio::test]
async fn a_changed_file_is_applied_and_a_wrong_one_is_not() {
    let folder = Folder::new();
    folder.site("a", 8001);
    let (mut running, first) = running(&folder).await;
    folder.write("sites/b.toml", "hosts = 5");
    let mut polls = tokio::time::interval(Duration::from_millis(10));
    for _ in 0..2000 {
        polls.tick().await;
        if running.reloads.failed() > 0 {
            break;
        }
    }
    assert!(running.reloads.is_outdated());
    // As editors do it: another file takes the name.
    folder.write("sites/.b.toml.new", &site_text("b", 8002));
    fs::rename(folder.path("sites/.b.toml.new"), folder.path("sites/b.toml")).expect("a rename");
    let second = running.applied().await;
    assert_eq!(second.sites.len(), 3);
    assert!(Arc::ptr_eq(&first.sites[0], &second.sites[0]));
    assert!(!running.reloads.is_outdated());
}

#[tokio::test]
async fn a_folder_that_is_replaced_is_still_watched() {
    let folder = Folder::new();
    folder.site("a", 8001);
    let (mut running, _) = running(&folder).await;
    fs::create_dir(folder.path("next")).expect("a folder");
    folder.write("next/c.toml", &site_text("c", 8003));
    fs::rename(folder.path("sites"), folder.path("before")).expect("a rename");
    fs::rename(folder.path("next"), folder.path("sites")).expect("a rename");
    while running.applied().await.sites[0].name != "c" {}
    folder.site("d", 8004);
    while running.applied().await.sites.len() != 2 {}
}

#[tokio::test]
async fn changed_certificates_are_told() {
    let folder = Folder::new();
    fs::create_dir(folder.path("certs")).expect("a folder");
    folder
        .write("passeur.toml", "listen.https = [\"127.0.0.1:0\"]\nlisten.certificates = \"certs\"");
    let (mut running, _) = running(&folder).await;
    fs::create_dir(folder.path("certs/a.example.org")).expect("a folder");
    while !matches!(running.call().await, Call::Certificates) {}
    folder.write("certs/a.example.org/fullchain.pem", "");
    while !matches!(running.call().await, Call::Certificates) {}
}

#[tokio::test]
async fn hangup_reloads_everything() {
    let folder = Folder::new();
    folder.site("a", 8001);
    let (mut running, _) = running(&folder).await;
    let pid = std::process::id().to_string();
    let kill = std::process::Command::new("kill").args(["-HUP", &pid]).status();
    assert!(kill.expect("a command").success());
    while !matches!(running.call().await, Call::Certificates) {}
    assert_eq!(running.applied().await.sites.len(), 2);
}

/// A certificate authority that was renewed in place, with nothing else changed.
#[tokio::test]
async fn a_changed_authority_changes_the_sites_that_name_it_and_no_others() {
    let folder = Folder::new();
    let authority = || crate::tls::self_signed::generate(&["ca.test".to_owned()]).expect("one").0;
    folder.write("ca.pem", &authority());
    folder.site("plain", 8001);
    folder.write(
        "sites/tls.toml",
        "hosts = [\"tls.test\"]\n[upstream]\ntargets = [\"https://127.0.0.1:1\"]\nca = \"ca.pem\"",
    );
    let (mut running, before) = running(&folder).await;
    folder.write("ca.pem", &authority());
    let after = running.applied().await;
    let named = |config: &Config, name: &str| {
        let found = config.sites.iter().find(|site| site.name == name);
        Arc::clone(found.expect("a site"))
    };
    assert!(Arc::ptr_eq(&named(&before, "plain"), &named(&after, "plain")));
    assert_ne!(named(&before, "tls"), named(&after, "tls"));
    // One that cannot be used replaces nothing.
    folder.write("ca.pem", "no certificate");
    while running.reloads.failed() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(running.reloads.is_outdated());
}
