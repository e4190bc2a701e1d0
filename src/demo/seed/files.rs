//! The sample files and their shares.

use std::io::Write as _;

use sqlx::SqliteConnection;

use crate::demo::StandIn;
use crate::demo::files::change::{Arrived, Change};
use crate::demo::files::{mark_favorite, tree};
use crate::demo::http::Fault;
use crate::demo::ocs::{New, insert_share};

const FOLDERS: [(&str, &str); 12] = [
    ("alice", "Documents"),
    ("alice", "Association"),
    ("alice", "Association/Budget"),
    ("alice", "Association/Budget/2024"),
    ("alice", "Association/Procès-verbaux été"),
    ("alice", "Association/100% légal & co #1"),
    ("alice", "Association/deep"),
    ("alice", "Private"),
    ("bob", "Documents"),
    ("carol", "Documents"),
    ("dave", "FromDave"),
    ("admin", "Documents"),
];

const FILES: [(&str, &str, &str); 10] = [
    (
        "alice",
        "Readme.md",
        "# Welcome\n\nThis is a stand-in: sample data, gone when you delete its folder.\n",
    ),
    (
        "alice",
        "Association/Procès-verbaux été/AG 2024 – compte rendu.md",
        "# Assemblée générale\n\n1. Rapport moral\n2. Budget\n3. Divers\n",
    ),
    (
        "alice",
        "Association/100% légal & co #1/a+b;c=d?.txt",
        "a name with every mark that URLs dislike\n",
    ),
    ("alice", "Association/deep/%2F literal.txt", "the name holds %2F, not a slash\n"),
    ("alice", "Association/deep/emoji 🦆.txt", "a duck\n"),
    ("alice", "Association/deep/quote'\".txt", "both quotes\n"),
    ("alice", "Private/diary.txt", "secret"),
    ("alice", "Association/Budget/plan.ods", "plan v2 of 3"),
    ("dave", "FromDave/x.txt", "x"),
    ("bob", "Readme.md", "# Welcome\n"),
];

/// Makes the files, then shares some.
pub(super) async fn fill(stand: &StandIn, db: &mut SqliteConnection) -> Result<(), Fault> {
    for (uid, name) in FOLDERS {
        let mut change = Change { db: &mut *db, data: &stand.data };
        change.make_folder(uid, &format!("files/{name}")).await?;
    }
    for (uid, name, text) in FILES {
        put(stand, db, uid, name, text.as_bytes()).await?;
    }
    for i in 0..20 {
        let name = format!("Association/Budget/2024/invoice-{i:03}.pdf");
        let mut bytes = format!("%PDF-1.4\n% sample invoice {i}\n").into_bytes();
        bytes.resize(1000 * (i + 1), b' ');
        put(stand, db, "alice", &name, &bytes).await?;
    }
    if let Some(plan) = node(db, "alice", "Association/Budget/plan.ods").await? {
        mark_favorite(db, "alice", plan.id, true).await?;
    }
    share(db, "alice", "Association/Budget", (3, None, 17)).await?;
    share(db, "alice", "Association/Budget", (0, Some("carol"), 31)).await?;
    share(db, "alice", "Association", (1, Some("board"), 15)).await?;
    share(db, "alice", "Association/deep", (0, Some("bob"), 1)).await?;
    share(db, "dave", "FromDave", (0, Some("alice"), 31)).await
}

async fn put(
    stand: &StandIn,
    db: &mut SqliteConnection,
    uid: &str,
    name: &str,
    bytes: &[u8],
) -> Result<(), Fault> {
    let mut file = tempfile::NamedTempFile::new_in(stand.parts())?;
    file.write_all(bytes)?;
    let arrived = Arrived {
        file: file.into_temp_path(),
        size: bytes.len() as u64,
        mtime: None,
        checksum: None,
    };
    let mut change = Change { db, data: &stand.data };
    change.put(uid, &format!("files/{name}"), arrived).await?;
    Ok(())
}

async fn node(
    db: &mut SqliteConnection,
    uid: &str,
    name: &str,
) -> Result<Option<tree::Node>, sqlx::Error> {
    tree::node_at(db, uid, &format!("files/{name}")).await
}

async fn share(
    db: &mut SqliteConnection,
    uid: &str,
    name: &str,
    (kind, with, permissions): (i64, Option<&str>, i64),
) -> Result<(), Fault> {
    let node = node(db, uid, name).await?.ok_or(Fault::NOT_FOUND)?;
    let new = New { kind, with, by: uid, target: format!("/{}", node.name), permissions };
    insert_share(db, &node, &new).await?;
    Ok(())
}
