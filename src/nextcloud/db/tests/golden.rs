//! Beside what Nextcloud's own commands changed, row for row: `dav:move-calendar --force asso alice
//! bob` and `files:transfer-ownership alice bob --path=Association` on a real 34.0.1.
//!
//! The recordings are not part of the repository: `PASSEUR_RECORDINGS` says where they are, or they
//! lie beside it. Without them there is nothing to compare with, and the tests say so.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::TryStreamExt;
use sqlx::AssertSqlSafe;
use tokio::io::AsyncReadExt;

use super::*;

/// What both commands say about a row, of the columns that no clock and no counter writes.
const CALENDARS: &[&str] = &[
    "principaluri",
    "displayname",
    "uri",
    "synctoken",
    "calendarcolor",
    "components",
    "transparent",
    "deleted_at",
];
const DAV_SHARES: &[&str] = &["principaluri", "type", "access", "publicuri", "token"];
/// Not `token`: each recording has its own.
const SHARES: &[&str] = &[
    "share_type",
    "share_with",
    "password",
    "uid_owner",
    "uid_initiator",
    "item_type",
    "item_target",
    "file_target",
    "permissions",
    "accepted",
    "expiration",
    "mail_send",
    "note",
    "hide_download",
    "label",
    "attributes",
];

fn recordings() -> Option<PathBuf> {
    let folder = std::env::var_os("PASSEUR_RECORDINGS").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/recordings/nextcloud-34"),
        PathBuf::from,
    );
    let there = folder.join("golden").is_dir();
    if !there {
        eprintln!("skipped: no recordings of a Nextcloud (PASSEUR_RECORDINGS)");
    }
    there.then_some(folder)
}

/// The recorded site on SQLite, and on the servers that have it.
async fn recorded() -> Option<(PathBuf, Vec<Site>)> {
    let folder = recordings()?;
    let site = Site::sqlite().await;
    let file = tokio::fs::File::open(folder.join("db/sqlite.sql.gz")).await.expect("a dump");
    let mut dump = String::new();
    async_compression::tokio::bufread::GzipDecoder::new(tokio::io::BufReader::new(file))
        .read_to_string(&mut dump)
        .await
        .expect("text");
    let super::super::pool::Pool::Sqlite(pool) = &site.database.pool else { panic!("not SQLite") };
    sqlx::raw_sql(AssertSqlSafe(dump)).execute(pool).await.expect("a filled database");
    let mut sites = vec![site];
    for variable in ["PASSEUR_TEST_POSTGRES", "PASSEUR_TEST_MYSQL"] {
        if let Ok(dsn) = std::env::var(variable) {
            let database = unchecked(&dsn, Prefix::default()).await;
            match database.is_nextcloud().await {
                Ok(()) => sites.push(Site { database, folder: None }),
                Err(_) => eprintln!("skipped: {variable} has no recorded site"),
            }
        }
    }
    Some((folder, sites))
}

/// One after the other: on a server, all of it happens in the same tables.
#[tokio::test]
async fn the_database_is_as_after_nextclouds_own_commands() {
    let Some((folder, sites)) = recorded().await else { return };
    for site in sites {
        assert_eq!(site.database.probe().await.expect("a probe").version, Some(34));
        calendar_as_recorded(&folder, &site).await;
        shares_as_recorded(&folder, &site).await;
        everything_is_read(&site).await;
    }
}

async fn calendar_as_recorded(folder: &std::path::Path, site: &Site) {
    let golden = Golden::read(&folder.join("golden/occ-dav-move-calendar-force.diff.txt"));
    let before = Rows::read(site, &["calendars", "dav_shares"]).await;
    let all = site.everything().await;
    let collection =
        Collection { from: "alice".into(), to: "bob".into(), uri: "asso".into(), name: None };
    let handover = site.database.prepare_calendar(&collection).await.expect("a hand-over");
    let applied = site.database.apply(&handover.record).await.expect("applied");
    assert_eq!(applied, Applied { changed: 2, already: 0 }, "more than the core changes");
    let changed = difference(&all, &site.everything().await);
    assert_eq!(changed.len(), 3, "more than the core changes: {changed:#?}");
    let after = Rows::read(site, &["calendars", "dav_shares"]).await;
    for (table, columns) in [("calendars", CALENDARS), ("dav_shares", DAV_SHARES)] {
        assert_eq!(after.beside(&before, table, columns), golden.of(table, columns), "{table}");
    }
    site.database.undo(&handover.record).await.expect("undone");
    assert_eq!(site.everything().await, all);
}

async fn shares_as_recorded(folder: &std::path::Path, site: &Site) {
    let golden = Golden::read(&folder.join("golden/occ-files-transfer-ownership-path.diff.txt"));
    let all = site.everything().await;
    let alice = site.database.home("alice").await.expect("a query").expect("a home");
    let bob = site.database.home("bob").await.expect("a query").expect("a home");
    let top =
        site.database.node(&alice, "files/Association").await.expect("a query").expect("a folder");
    let nodes: Vec<Node> =
        site.database.walk(&alice, "files/Association").try_collect().await.expect("nodes");
    assert_eq!(nodes.len(), 32);
    relocate(site, &nodes, bob.storage, |path| path.replacen("files/", "files/From Alice/", 1))
        .await;
    let before = Rows::read(site, &["share"]).await;
    let root = Root { file: top.id, was: vec!["Association".into()] };
    let moved = Moved { from: "alice".into(), to: "bob".into(), roots: vec![root] };
    let handover = site.database.prepare_shares(&moved).await.expect("a hand-over");
    site.database.apply(&handover.record).await.expect("applied");
    let after = Rows::read(site, &["share"]).await;
    assert_eq!(after.beside(&before, "share", SHARES), golden.of("share", SHARES));
    // The gap that the core leaves: the favourite.
    let personal = site.database.prepare_personal(&moved).await.expect("a hand-over");
    assert_eq!(personal.record.changes.len(), 2, "{:?}", personal.record);
    site.database.apply(&personal.record).await.expect("applied");
    site.database.undo(&personal.record).await.expect("undone");
    site.database.undo(&handover.record).await.expect("undone");
    relocate(site, &nodes, alice.storage, str::to_owned).await;
    site.run("DELETE FROM *PREFIX*vcategory WHERE uid = 'bob'").await;
    site.run("UPDATE *PREFIX*preferences SET configvalue = '0' WHERE configkey = 'user_needs_share_refresh'").await;
    assert_eq!(site.everything().await, all);
}

/// What a move over WebDAV does to the file cache.
async fn relocate(site: &Site, nodes: &[Node], storage: i64, path: impl Fn(&str) -> String) {
    let mut tx = site.database.pool.begin().await.expect("a transaction");
    for node in nodes {
        let path = path(&node.path);
        let hash = read::hex(&<md5::Md5 as md5::Digest>::digest(path.as_bytes()));
        let sql =
            "UPDATE *PREFIX*filecache SET storage = ?, path = ?, path_hash = ? WHERE fileid = ?";
        let sql = site.database.dialect().translate(sql, &site.database.prefix);
        let args = vec![Arg::Int(storage), text(path), text(hash), Arg::Int(node.id)];
        assert_eq!(tx.execute(sql, args).await.expect("moved"), 1);
    }
    tx.commit().await.expect("a commit");
}

async fn everything_is_read(site: &Site) {
    let database = &site.database;
    assert_eq!(database.accounts("", "", 100).await.expect("accounts").len(), 5);
    let calendars = database.calendars("alice").await.expect("calendars");
    let asso = calendars.iter().find(|calendar| calendar.uri == "asso").expect("a calendar");
    assert_eq!((asso.objects, asso.shares.len(), asso.link.is_some()), (13, 3, false));
    let meetings = database.meetings("alice", asso.id, 1_795_000_000).await.expect("meetings");
    assert_eq!(meetings, Meetings { organised: 1, invited: 0 });
    let books = database.address_books("alice").await.expect("books");
    assert!(books.iter().any(|book| (book.uri.as_str(), book.cards) == ("membres", 15)));
    assert_eq!(database.incoming("alice").await.expect("shares").len(), 1);
    assert_eq!(database.outgoing("alice").await.expect("shares").len(), 6);
    let home = database.home("alice").await.expect("a query").expect("a home");
    let tally = database.tally(&home, "files/Association").await.expect("a tally");
    assert_eq!((tally.files, tally.folders, tally.encrypted), (26, 6, 0));
    assert_eq!(database.leftovers("alice").await.expect("leftovers").favourites, 1);
}

/// Rows with their values, by table.
struct Rows(BTreeMap<&'static str, Vec<Row>>);

/// What a recording says went and came: `(sign, values)`.
struct Golden(BTreeMap<String, Vec<(char, Row)>>);

// === impl Rows ===

impl Rows {
    async fn read(site: &Site, tables: &[&'static str]) -> Self {
        let mut all = BTreeMap::new();
        for &table in tables {
            let columns = site.database.columns(table).await.expect("columns");
            let names: Vec<&str> = columns.keys().map(String::as_str).collect();
            let inner = format!("SELECT * FROM *PREFIX*{table}");
            let rows = site.database.rows(&names, &inner, Vec::new()).await.expect("rows");
            let named = rows
                .into_iter()
                .map(|cells| columns.keys().cloned().zip(cells.into_vec()).collect());
            all.insert(table, named.collect());
        }
        Self(all)
    }

    /// What went and what came, sorted.
    fn beside(&self, before: &Rows, table: &str, columns: &[&str]) -> Vec<String> {
        let (before, after) = (&before.0[table], &self.0[table]);
        let went =
            before.iter().filter(|row| !after.contains(row)).map(|row| shown('-', row, columns));
        let came =
            after.iter().filter(|row| !before.contains(row)).map(|row| shown('+', row, columns));
        let mut all: Vec<String> = went.chain(came).collect();
        all.sort();
        all
    }
}

// === impl Golden ===

impl Golden {
    /// Lines as Python shows rows: `== oc_share ['id', …]`, then `  - (1, None, 'x')`.
    fn read(file: &std::path::Path) -> Self {
        let text = std::fs::read_to_string(file).expect("a recording");
        let mut tables = BTreeMap::new();
        let (mut table, mut columns) = (String::new(), Vec::new());
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("== ") {
                let (name, rest) = head.split_once(' ').expect("a head");
                table = name.trim_start_matches("oc_").to_owned();
                columns = tuple(rest).into_iter().flatten().collect();
            } else {
                let line = line.trim_start();
                let (sign, row) =
                    (line.chars().next().expect("a sign"), line.get(2..).expect("a row"));
                let row = columns.iter().cloned().zip(tuple(row)).collect();
                tables.entry(table.clone()).or_insert_with(Vec::new).push((sign, row));
            }
        }
        Self(tables)
    }

    fn of(&self, table: &str, columns: &[&str]) -> Vec<String> {
        let mut all: Vec<String> =
            self.0[table].iter().map(|(sign, row)| shown(*sign, row, columns)).collect();
        all.sort();
        all
    }
}

fn shown(sign: char, row: &Row, columns: &[&str]) -> String {
    let values =
        columns.iter().map(|&column| format!("{column}={:?}", row.get(column).cloned().flatten()));
    format!("{sign} {}", values.collect::<Vec<_>>().join(" "))
}

/// The values in `(1, None, 'it\'s', "a'b")`.
fn tuple(text: &str) -> Vec<Option<String>> {
    let mut characters = text.trim_matches(['(', ')', '[', ']']).chars().peekable();
    let mut values = Vec::new();
    while let Some(first) = characters.next() {
        match first {
            ',' | ' ' => {}
            '\'' | '"' => {
                let mut value = String::new();
                while let Some(next) = characters.next_if(|&next| next != first) {
                    match next {
                        '\\' => value.extend(characters.next()),
                        other => value.push(other),
                    }
                }
                characters.next();
                values.push(Some(value));
            }
            first => {
                let mut word = String::from(first);
                while let Some(next) = characters.next_if(|&next| next != ',') {
                    word.push(next);
                }
                values.push((word != "None").then_some(word));
            }
        }
    }
    values
}
