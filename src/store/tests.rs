//! What holds for both engines. SQLite always; PostgreSQL where `PASSEUR_TEST_POSTGRES` is the URL
//! of a database whose schemas may be made and dropped (`tests/peers` starts one).

use futures_util::TryStreamExt;
use secrecy::ExposeSecret;
use serde_json::json;
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::sites::{Changed, Expected};
use super::*;

/// Runs a test on every engine there is.
async fn each<F: Future<Output = ()>>(test: impl Fn(Location, Keys) -> F) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = || Keys::at(&folder.path().join("key")).expect("keys");
    test(Location::Sqlite(folder.path().join("store.db")), keys()).await;
    let Ok(url) = std::env::var("PASSEUR_TEST_POSTGRES") else {
        eprintln!("skipped on PostgreSQL: PASSEUR_TEST_POSTGRES is not set");
        return;
    };
    let schema = format!("test_{}", uuid::Uuid::now_v7().simple());
    let mut connection = PgConnection::connect(&url).await.expect("PostgreSQL");
    let run = |sql: String| sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
    run(format!("CREATE SCHEMA {schema}")).execute(&mut connection).await.expect("a schema");
    let separator = if url.contains('?') { '&' } else { '?' };
    let scoped = format!("{url}{separator}options=-csearch_path%3D{schema}");
    test(Location::Postgres(scoped.into()), keys()).await;
    let drop = run(format!("DROP SCHEMA {schema} CASCADE"));
    drop.execute(&mut connection).await.expect("no schema");
}

async fn open(location: &Location, keys: Keys) -> Store {
    Store::open(location, keys).await.expect("a store")
}

/// The tables as the database describes them, for comparison.
async fn schema(store: &Store) -> Vec<String> {
    let rows: Vec<(String,)> = match &store.engine {
        Engine::Sqlite { readers, .. } => {
            sqlx::query_as("SELECT name || ' ' || coalesce(sql, '') FROM sqlite_master ORDER BY 1")
                .fetch_all(readers)
                .await
        }
        Engine::Postgres(pool) => {
            sqlx::query_as(
                "SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable \
                 FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1",
            )
            .fetch_all(pool)
            .await
        }
    }
    .expect("a schema");
    rows.into_iter().map(|(row,)| row).collect()
}

#[tokio::test]
async fn every_earlier_version_is_brought_to_this_one() {
    let versions: Vec<i64> = migrations::sqlite().iter().map(|step| step.version).collect();
    let same: Vec<i64> = migrations::postgres().iter().map(|step| step.version).collect();
    assert_eq!(versions, same, "both engines have the same steps");
    for version in versions {
        each(|location, keys| async move {
            let engine = match &location {
                Location::Sqlite(path) => {
                    let _ = std::fs::remove_file(path);
                    sqlite(path).await.expect("a database")
                }
                Location::Postgres(url) => postgres(url).await.expect("a database"),
            };
            match &engine {
                Engine::Sqlite { writer, .. } => {
                    migrations::sqlite().run_to(version, writer).await.expect("steps");
                }
                Engine::Postgres(pool) => {
                    migrations::postgres().run_to(version, pool).await.expect("steps");
                }
            }
            let before = Store { engine, keys: Arc::new(keys) };
            let entry = Entry { action: "kept".to_owned(), ..Entry::default() };
            before.audit(&entry).await.expect("an entry");
            let keys = Keys::read(&"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into());
            let upgraded = open(&location, keys.expect("keys")).await;
            assert_eq!(upgraded.verify_audit().await.expect("a log"), 1);
            let upgraded = schema(&upgraded).await;
            before.close().await;
            if let Location::Sqlite(path) = &location {
                let fresh = path.with_file_name(format!("fresh{version}.db"));
                let keys = Keys::at(&path.with_file_name("key")).expect("keys");
                assert_eq!(upgraded, schema(&open(&Location::Sqlite(fresh), keys).await).await);
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_alone() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        on!(store.engine, writer => |pool| {
            sqlx::query(
                "INSERT INTO _sqlx_migrations \
                 (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', true, $1, 0)",
            )
            .bind(vec![0_u8])
            .execute(pool)
            .await
            .map(drop)
        })
        .expect("a row");
        store.close().await;
        let keys = Keys::read(&"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into());
        let opened = Store::open(&location, keys.expect("keys")).await;
        assert!(matches!(opened, Err(Error::Migrate(_))));
    })
    .await;
}

#[tokio::test]
async fn tokens_open_until_they_end() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let scopes = ["read".to_owned(), "site:demo".to_owned()];
        let new = NewToken { name: "ci", scopes: &scopes, created_by: "me", expires_at: None };
        let (token, secret) = store.create_token(&new).await.expect("a token");
        let found = store.token(&secret).await.expect("a look").expect("a token");
        assert_eq!((found.id.as_str(), &found.scopes[..]), (token.id.as_str(), &scopes[..]));
        assert!(store.tokens().await.expect("tokens")[0].used_at.is_some());
        for wrong in ["", "passeur_", &secret.expose_secret()[..20], "other"] {
            assert!(store.token(&wrong.into()).await.expect("a look").is_none(), "{wrong}");
        }
        assert!(store.revoke_token(&token.id).await.expect("revoked"));
        assert!(!store.revoke_token(&token.id).await.expect("no more"));
        assert!(store.token(&secret).await.expect("a look").is_none());
        let ended = NewToken { expires_at: Some(now() - 1), ..new };
        let (_, secret) = store.create_token(&ended).await.expect("a token");
        assert!(store.token(&secret).await.expect("a look").is_none());
        if let Location::Sqlite(path) = &location {
            store.close().await;
            let bytes = std::fs::read(path).expect("a file");
            let secret = secret.expose_secret().as_bytes();
            assert!(memchr::memmem::find(&bytes, secret).is_none(), "no token at rest");
        }
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_shows_what_was_changed_in_it() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let entry = |action: &str, site: &str| Entry {
            who: "token ci\nforged".to_owned(),
            action: action.to_owned(),
            site: site.to_owned(),
            detail: json!({"plan": "abc"}),
            ..Entry::default()
        };
        let writes = (0..20).map(|number| {
            let (store, site) = (store.clone(), if number % 2 == 0 { "a" } else { "b" });
            let entry = entry(&format!("do {number}"), site);
            async move { store.audit(&entry).await }
        });
        let numbers = futures_util::future::try_join_all(writes).await.expect("entries");
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=20).collect::<Vec<_>>(), "no gap, no double");
        assert_eq!(store.verify_audit().await.expect("a whole log"), 20);
        let of_a = Filter { site: Some("a".to_owned()), limit: Some(3), ..Filter::default() };
        let found: Vec<Written> = store.audit_entries(of_a).try_collect().await.expect("entries");
        assert_eq!(found.len(), 3);
        let newest = Filter { after: -2, ..Filter::default() };
        let newest: Vec<Written> =
            store.audit_entries(newest).try_collect().await.expect("the newest");
        assert_eq!(newest.len(), 2, "a negative number counts from the end");
        assert!(found.iter().all(|entry| entry.site == "a" && entry.detail["plan"] == "abc"));
        let change = "UPDATE audit SET who = 'me' WHERE seq = 7";
        let refused = on!(store.engine, writer => |pool| {
            sqlx::query(change).execute(pool).await.map(drop)
        });
        assert!(refused.is_err(), "append-only");
        let disarm = match store.engine {
            Engine::Sqlite { .. } => "DROP TRIGGER audit_keeps_rows",
            Engine::Postgres(_) => "DROP TRIGGER audit_keeps_all ON audit",
        };
        for statement in [disarm, change] {
            on!(store.engine, writer => |pool| {
                sqlx::query(statement).execute(pool).await.map(drop)
            })
            .expect("a change behind our back");
        }
        assert!(matches!(store.verify_audit().await, Err(Error::AuditBroken(7))));
    })
    .await;
}

#[tokio::test]
async fn a_lease_has_one_holder_and_a_growing_number() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let take = |owner: &'static str, time| {
            let store = store.clone();
            async move { store.take_lease("job/1", owner, time).await.expect("an answer") }
        };
        let minute = Duration::from_secs(60);
        let first = take("one", minute).await.expect("a lease");
        assert!(take("two", minute).await.is_none());
        store.renew_lease(&first, Duration::ZERO).await.expect("renewed");
        let second = take("two", minute).await.expect("a lease");
        assert!(second.fence > first.fence);
        let late = store.renew_lease(&first, minute).await;
        assert!(matches!(late, Err(Error::LeaseLost(name)) if name == "job/1"));
        store.release_lease(&second).await.expect("released");
        assert!(take("one", minute).await.is_some());
    })
    .await;
}

async fn make_transfer(store: &Store, id: &str, begins_at: i64, items: &[u32]) {
    let new = transfers::NewTransfer {
        id,
        site: "demo",
        state: "queued",
        plan: "{}",
        secrets: None,
        by: "test",
        once: None,
        begins_at,
        items,
    };
    store.make_transfer(&new).await.expect("a transfer");
}

#[tokio::test]
async fn a_transfer_adds_up_and_its_journal_is_kept_by_item() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        make_transfer(&store, "one", 0, &[1, 2, 3]).await;
        let claim = store.claim_transfer("w", Duration::from_secs(60), |_| 1).await;
        let claim = claim.expect("the store").expect("something to do");
        for (item, state, objects_done) in [(1, "done", 5), (2, "failed", 0), (3, "running", 2)] {
            let (state, bytes_done) = (state.to_owned(), objects_done * 10);
            let (outcome, error) = (None, None);
            let row = transfers::ItemRow { item, state, objects_done, bytes_done, outcome, error };
            store.set_item(&claim, &row).await.expect("to be kept");
            store.write_line(&claim, item, "look", "before", "{}").await.expect("a line");
        }
        let standing = store.standing("one").await.expect("the store").expect("a transfer");
        let expected = transfers::Standing {
            state: "running".to_owned(),
            objects_done: 7,
            bytes_done: 70,
            items_done: 1,
            items_failed: 1,
        };
        assert_eq!(standing, expected);
        assert_eq!(store.standing("other").await.expect("the store"), None);
        let lines = async |item| {
            let lines = store.journal("one", item).await.expect("a journal");
            lines.iter().map(|line| line.item).collect::<Vec<_>>()
        };
        assert_eq!((lines(Some(2)).await, lines(None).await), (vec![2], vec![1, 2, 3]));
    })
    .await;
}

#[tokio::test]
async fn of_each_ending_one_process_tells() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        for id in ["done", "waits", "declined", "works"] {
            let begins_at = if id == "works" { i64::MAX } else { 0 };
            make_transfer(&store, id, begins_at, &[]).await;
        }
        let end = async |id: &str, state: &str| {
            let claim = store.claim_transfer("w", Duration::ZERO, |_| 9).await;
            let claim = claim.expect("the store").expect("something to do");
            assert_eq!(claim.id, id);
            let ended_at = Some(now()).filter(|_| state != "paused");
            let ending = transfers::Ending { state, ended_at, ..transfers::Ending::default() };
            store.end_claim(&claim, &ending).await.expect("an end");
        };
        let took = async |id: &str| {
            let (one, two) = tokio::join!(store.take_ending(id), store.take_ending(id));
            u8::from(one.expect("the store")) + u8::from(two.expect("the store"))
        };
        end("declined", "cancelled").await;
        end("done", "done").await;
        end("waits", "paused").await;
        let untold = store.untold_transfers().await.expect("the store");
        assert_eq!(
            untold,
            [("demo", "declined"), ("demo", "done")]
                .map(|(site, id)| { (site.to_owned(), id.to_owned()) })
        );
        assert_eq!((took("done").await, took("waits").await, took("works").await), (1, 0, 0));
        assert_eq!(took("done").await, 0);
        // It goes on, and ends once more.
        assert!(store.turn_transfer("done", &["done"], "undoing", None).await.expect("the store"));
        assert_eq!(took("done").await, 0);
        end("done", "undone").await;
        assert_eq!(took("done").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let begin = |request: &'static str| {
            let store = store.clone();
            async move { store.begin_once("ci", "key", request.as_bytes()).await.expect("a look") }
        };
        assert_eq!(begin("a").await, Repeated::New);
        assert_eq!(begin("a").await, Repeated::Begun);
        assert_eq!(begin("b").await, Repeated::Other);
        store.end_once("ci", "key", 202, "{}").await.expect("an end");
        assert_eq!(begin("a").await, Repeated::Answered(202, "{}".to_owned()));
        store.forget_once("ci", "key").await.expect("forgotten");
        assert_eq!(begin("b").await, Repeated::New);
    })
    .await;
}

#[tokio::test]
async fn shown_owners_are_kept_until_they_end() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let rule = |name: &str, until| ShownOwner {
            site: "demo".to_owned(),
            name: name.to_owned(),
            from: "alice".to_owned(),
            to: "bob".to_owned(),
            display_name: "Bob".to_owned(),
            until,
        };
        store.keep_owner(&rule("1", Some(now() - 1))).await.expect("kept");
        assert!(store.owners().await.expect("rules").is_empty());
        store.keep_owner(&rule("1", None)).await.expect("kept again");
        assert_eq!(store.owners().await.expect("rules"), [rule("1", None)]);
        store.drop_owner("demo", "1").await.expect("dropped");
        assert!(store.owners().await.expect("rules").is_empty());
    })
    .await;
}

#[tokio::test]
async fn sites_are_kept_with_their_hosts_and_secrets() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let secrets = sites::Secrets::from([("access.database.dsn".to_owned(), "s3cret".into())]);
        let keep = |name: &'static str, text: &'static str, hosts: &[&str], expected| {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            let (store, secrets) = (store.clone(), secrets.clone());
            async move {
                let new = sites::NewSite { name, text, secrets: &secrets, hosts: &hosts };
                store.keep_site(&new, expected).await.expect("an answer")
            }
        };
        assert_eq!(keep("a", "1", &["a", "www.a"], Expected::Nothing).await, Changed::Done(1));
        let taken = Changed::HostTaken { host: "www.a".to_owned(), site: "a".to_owned() };
        assert_eq!(keep("b", "1", &["b", "www.a"], Expected::Nothing).await, taken);
        assert_eq!(keep("b", "1", &["b"], Expected::Any).await, Changed::Unexpected(None));
        let again = keep("a", "2", &["a"], Expected::Nothing).await;
        assert_eq!(again, Changed::Unexpected(Some(1)));
        assert_eq!(keep("a", "2", &["a"], Expected::Revision(1)).await, Changed::Done(2));
        assert_eq!(keep("b", "1", &["www.a"], Expected::Nothing).await, Changed::Done(3));
        let kept = store.kept_site("a").await.expect("a look").expect("a site");
        assert_eq!((kept.text.as_str(), kept.revision), ("2", 2));
        assert_eq!(kept.secrets["access.database.dsn"].expose_secret(), "s3cret");
        let all = store.sites_since(0).await.expect("changes");
        assert_eq!((all.revision, all.changed.len(), all.gone.len()), (3, 2, 0));
        let gone = store.drop_site("a", Expected::Revision(2)).await.expect("an answer");
        assert_eq!(gone, Changed::Done(4));
        let gone = store.drop_site("a", Expected::Any).await.expect("an answer");
        assert_eq!(gone, Changed::Unexpected(None));
        let news = store.sites_since(3).await.expect("changes");
        assert_eq!((news.revision, news.gone), (4, vec!["a".to_owned()]));
        assert_eq!(keep("a", "3", &["a"], Expected::Nothing).await, Changed::Done(5));
        assert!(store.sites_since(5).await.expect("changes").changed.is_empty());
        if let Location::Sqlite(path) = &location {
            store.close().await;
            let bytes = std::fs::read(path).expect("a file");
            assert!(memchr::memmem::find(&bytes, b"s3cret").is_none(), "no secret at rest");
        }
    })
    .await;
}

#[tokio::test]
async fn what_happened_to_tours_adds_up() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let count = |site: &str, count| TourCount {
            site: site.to_owned(),
            tour: "welcome".to_owned(),
            rev: 1,
            step: String::new(),
            what: "done".to_owned(),
            nextcloud: 34,
            language: "en".to_owned(),
            device: "phone".to_owned(),
            count,
        };
        let missing = |site: &str| TourMissing {
            target: "files.new".to_owned(),
            nextcloud: "34.0.1".to_owned(),
            app: String::new(),
            site: site.to_owned(),
            candidate: -1,
            route: "/apps/files".to_owned(),
            count: 1,
        };
        store.add_tour_counts(&[count("a", 3), count("x.a", 1)], &[missing("a")]).await.unwrap();
        store.add_tour_counts(&[count("a", 4), count("ba", 1)], &[missing("a")]).await.unwrap();
        store.add_tour_counts(&[], &[missing("b")]).await.unwrap();
        let mut found = store.tour_counts("a").await.unwrap();
        found.sort_by(|a, b| a.site.cmp(&b.site));
        assert_eq!(found, [count("a", 7), count("x.a", 1)]);
        let mut found = store.tour_missing().await.unwrap();
        found.sort_by(|a, b| a.site.cmp(&b.site));
        assert_eq!(found, [TourMissing { count: 2, ..missing("a") }, missing("b")]);
        store.forget_tour_counts().await.unwrap();
        assert_eq!(store.tour_counts("a").await.unwrap().len(), 2);
        store.close().await;
    })
    .await;
}

#[tokio::test]
async fn a_link_opens_the_editor_once_and_a_session_only_its_draft() {
    each(|location, keys| async move {
        let store = open(&location, keys).await;
        let (_, link) = store.invite_tour_editor("a", "hello", "admin").await.unwrap();
        let (_, other) = store.invite_tour_editor("a", "welcome", "admin").await.unwrap();
        assert!(store.tour_link_opens("a", &link).await.unwrap());
        assert!(!store.tour_link_opens("b", &link).await.unwrap());
        assert!(store.begin_tour_editing("b", &link).await.unwrap().is_none());
        // As two who click at the same time.
        let (one, two) = tokio::join!(
            store.begin_tour_editing("a", &link),
            store.begin_tour_editing("a", &link)
        );
        let session = match (one.unwrap(), two.unwrap()) {
            (Some(session), None) | (None, Some(session)) => session,
            both => panic!("not once: {both:?}"),
        };
        assert!(!store.tour_link_opens("a", &link).await.unwrap());
        assert_eq!(store.tour_editing("a", &link).await.unwrap(), None);
        assert_eq!(store.tour_editing("b", &session).await.unwrap(), None);
        let editing = store.tour_editing("a", &session).await.unwrap().unwrap();
        assert_eq!((editing.tour.as_str(), editing.draft.as_str()), ("hello", ""));
        store.keep_tour_draft(&editing.id, "{}").await.unwrap();
        assert_eq!(store.tour_editing("a", &session).await.unwrap().unwrap().draft, "{}");
        let second = store.begin_tour_editing("a", &other).await.unwrap().unwrap();
        assert_eq!(store.tour_editing("a", &second).await.unwrap().unwrap().draft, "");
        store.end_tour_editing(&editing.id).await.unwrap();
        assert_eq!(store.tour_editing("a", &session).await.unwrap(), None);
        store.close().await;
    })
    .await;
}
