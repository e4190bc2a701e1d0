//! Many rows.

use futures_util::TryStreamExt;

use super::*;

/// Ten pages and a bit.
#[tokio::test]
async fn twenty_thousand_files_are_walked_one_by_one() {
    for site in Site::everywhere().await {
        let numbers = "SELECT 0 AS n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 \
             UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9";
        let n = "a.n + 10 * b.n + 100 * c.n + 1000 * d.n + 10000 * e.n";
        let (path, hash) = match site.database.dialect() {
            Dialect::MySql => {
                (format!("CONCAT('files/Private/', {n})"), format!("CONCAT('h', {n})"))
            }
            _ => (format!("'files/Private/' || ({n})"), format!("'h' || ({n})")),
        };
        let added = site
            .run(&format!(
                "INSERT INTO *PREFIX*filecache (fileid, storage, path, path_hash, parent, mimetype, size, mtime) \
                 SELECT 1000 + {n}, 1, {path}, {hash}, 3, 3, 10, 0 FROM ({numbers}) a, ({numbers}) b, \
                 ({numbers}) c, ({numbers}) d, (SELECT 0 AS n UNION SELECT 1) e"
            ))
            .await;
        assert_eq!(added, 20_000);
        let home = site.database.home("alice").await.expect("a query").expect("a home");
        let tally = site.database.tally(&home, "files/Private").await.expect("a tally");
        assert_eq!((tally.files, tally.bytes), (20_001, 200_900));
        let count = site
            .database
            .walk(&home, "files/Private")
            .try_fold(0, |count, _| std::future::ready(Ok(count + 1)))
            .await
            .expect("nodes");
        assert_eq!(count, 20_002);
        // More walks than connections: none keeps one.
        let mut walks: Vec<_> = (0..4).map(|_| site.database.walk(&home, "files")).collect();
        for walk in &mut walks {
            walk.try_next().await.expect("a node");
        }
    }
}
