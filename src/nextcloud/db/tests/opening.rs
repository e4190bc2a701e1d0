//! Opening: what is refused, and in which words.

use super::*;

#[tokio::test]
async fn the_version_is_told_and_an_untested_one_not_written() {
    for site in Site::everywhere().await {
        let probe = site.database.probe().await.expect("a probe");
        assert_eq!(probe, Probe { version: Some(34), tested: true, writable: true });
        site.run("UPDATE *PREFIX*migrations SET version = '33000Date1' WHERE version LIKE '34%'")
            .await;
        assert_eq!(site.database.probe().await.expect("a probe").version, Some(33));
        let collection =
            Collection { from: "alice".into(), to: "bob".into(), uri: "asso".into(), name: None };
        let error = site.database.prepare_calendar(&collection).await.expect_err("an error");
        assert!(
            error.to_string().contains("Nextcloud 33 was not tried (only 29, 31 and 34)"),
            "{error}"
        );
        let forced = site.database.forced(true);
        let handover = forced.prepare_calendar(&collection).await.expect("a hand-over");
        forced.apply(&handover.record).await.expect("applied");
        let error = forced.forced(false).undo(&handover.record).await.expect_err("an error");
        assert!(matches!(error, Error::Untested { .. }));
    }
}

#[tokio::test]
async fn without_migrations_an_app_tells_the_version() {
    for site in Site::everywhere().await {
        site.run("DELETE FROM *PREFIX*migrations").await;
        assert_eq!(site.database.probe().await.expect("a probe").version, Some(34));
        site.run("DELETE FROM *PREFIX*appconfig").await;
        let probe = site.database.probe().await.expect("a probe");
        assert_eq!(probe, Probe { version: None, tested: false, writable: false });
    }
}

#[tokio::test]
async fn another_prefix_is_pointed_at() {
    for site in Site::everywhere().await {
        site.database.is_nextcloud().await.expect("a Nextcloud");
        let right = site.database.prefix.clone();
        let wrong = Prefix::new("wrong_").expect("a prefix");
        let database =
            Database { prefix: wrong, schema: schema::Schema::default(), ..site.database };
        let error = database.is_nextcloud().await.expect_err("an error").to_string();
        assert!(error.contains("\"wrong_\""), "{error}");
        // On a server, other tests' tables may come first.
        if database.dialect() == Dialect::Sqlite {
            assert!(
                error.contains(&format!("there are some with the prefix {:?}", right.as_str())),
                "{error}"
            );
        }
    }
}

#[tokio::test]
async fn a_column_that_is_not_there_stops_the_write() {
    for site in Site::everywhere().await {
        site.run("ALTER TABLE *PREFIX*share DROP COLUMN note").await;
        let moved = Moved {
            from: "alice".into(),
            to: "bob".into(),
            roots: vec![Root { file: 20, was: vec!["Association".into()] }],
        };
        let error = site.database.prepare_shares(&moved).await.expect_err("an error");
        assert!(error.to_string().contains("share.note"), "{error}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let dsn = Dsn::parse(&SecretString::from("sqlite:/nonexistent/owncloud.db")).expect("a DSN");
    let error = Database::open(&dsn, Prefix::default()).await.err().expect("an error");
    assert!(error.to_string().contains("/nonexistent/owncloud.db"), "{error}");
}

#[tokio::test]
async fn servers_say_what_is_wrong() {
    let opened = |dsn: String| async move {
        let dsn = Dsn::parse(&SecretString::from(dsn)).expect("a DSN");
        Database::open(&dsn, Prefix::default()).await.err().expect("an error")
    };
    for (variable, kind) in [("PASSEUR_TEST_POSTGRES", "postgres"), ("PASSEUR_TEST_MYSQL", "mysql")]
    {
        let Ok(right) = std::env::var(variable) else { continue };
        let mut url = url::Url::parse(&right).expect("a URL");
        url.set_path("/nowhere");
        let error = opened(url.to_string()).await;
        // MariaDB tells a stranger nothing: without a right to it, a database is not there.
        assert!(
            matches!(&error, Error::UnknownDatabase { name, .. } if name == "nowhere"),
            "{error:?}"
        );
        let mut url = url::Url::parse(&right).expect("a URL");
        url.set_password(Some("hunter2")).expect("a password");
        let error = opened(url.to_string()).await;
        assert!(matches!(error, Error::Access { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let encrypted = if kind == "mysql" { "ssl-mode=REQUIRED" } else { "sslmode=require" };
        let error = opened(format!("{right}?{encrypted}")).await;
        assert!(matches!(error, Error::Tls(_)), "{error:?}");
        let error = opened(format!("{kind}://nc:pw@127.0.0.1:1/nc")).await;
        assert!(error.to_string().contains("127.0.0.1:1"), "{error:?}");
    }
}

#[tokio::test]
async fn a_file_that_may_only_be_read_is_told() {
    let site = Site::sqlite().await;
    site.fill().await;
    let collection =
        Collection { from: "alice".into(), to: "bob".into(), uri: "asso".into(), name: None };
    let handover = site.database.prepare_calendar(&collection).await.expect("a hand-over");
    let options = SqliteConnectOptions::new().filename(site.file()).read_only(true);
    let pool = super::super::pool::Pool::Sqlite(sqlx::SqlitePool::connect_lazy_with(options));
    let database = Database { pool, ..site.database };
    let error = database.apply(&handover.record).await.expect_err("an error");
    assert!(matches!(error, Error::NotAllowed(_)) && !error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn a_second_writer_waits_and_is_then_told_to_try_again() {
    let site = Site::sqlite().await;
    site.fill().await;
    let collection =
        Collection { from: "alice".into(), to: "bob".into(), uri: "asso".into(), name: None };
    let handover = site.database.prepare_calendar(&collection).await.expect("a hand-over");
    let writer = site.database.pool.begin().await.expect("a transaction");
    let options =
        SqliteConnectOptions::new().filename(site.file()).busy_timeout(std::time::Duration::ZERO);
    let pool = super::super::pool::Pool::Sqlite(sqlx::SqlitePool::connect_lazy_with(options));
    let impatient = Database {
        pool,
        prefix: Prefix::default(),
        schema: schema::Schema::default(),
        forced: false,
    };
    let error = impatient.apply(&handover.record).await.expect_err("an error");
    assert!(matches!(error, Error::Busy(_)) && error.is_transient(), "{error:?}");
    writer.rollback().await.expect("an end");
    impatient.apply(&handover.record).await.expect("applied");
}
