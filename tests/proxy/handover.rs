//! What a transfer sets on a running site: holds, and owners that are shown as others.

use std::sync::Arc;
use std::time::Duration;

use passeur::dav::multistatus::OwnerRule;
use passeur::site::Live;
use passeur::site::live::{Hold, Tree};

use crate::support::{HOST, Origin, Proxy, proxy_to, put, request};

fn live(proxy: &Proxy) -> Arc<Live> {
    proxy.server.shared().table.load().lives().of("cloud")
}

fn hold(trees: Vec<Tree>) -> Hold {
    Hold { trees, time: Duration::from_secs(600) }
}

fn files(path: &str) -> Tree {
    Tree::Files { account: "alice".to_owned(), path: path.to_owned() }
}

#[tokio::test]
async fn writers_wait_and_readers_do_not() {
    let origin = Origin::ok().await;
    let mut proxy = proxy_to(&origin).start().await;
    let work = Tree::Calendar { account: "alice".to_owned(), uri: "work".to_owned() };
    live(&proxy).hold("item", hold(vec![files("Work"), work]));
    // A reload that changes the site keeps what is held.
    proxy.change(|config| {
        let mut site = (*config.sites[0]).clone();
        site.answer_well_known = true;
        config.sites[0] = Arc::new(site);
    });
    let moved =
        |to: &str| format!("Destination: https://{HOST}/remote.php/dav/files/alice/{to}\r\n");
    for (status, asked) in [
        (423, put("/remote.php/dav/files/alice/Work/a%20b.txt", "", "x")),
        (423, request("DELETE", "/remote.php/dav/files/alice/Work", "")),
        (423, request("MOVE", "/remote.php/dav/uploads/alice/1/.file", &moved("Work/big"))),
        (423, request("MOVE", "/remote.php/dav/files/alice/Work/a", &moved("elsewhere"))),
        (423, request("MKCOL", "/remote.php/dav/files/alice//Work/./new", "")),
        (503, put("/remote.php/dav/calendars/alice/work/1.ics", "", "x")),
        (503, put("/remote.php/dav/calendars/bob/work_shared_by_alice/1.ics", "", "x")),
        (503, request("POST", "/remote.php/dav/bulk", "Content-Length: 0\r\n")),
        (200, put("/remote.php/dav/files/alice/Other/a.txt", "", "x")),
        (200, put("/remote.php/dav/files/bob/Work/a.txt", "", "x")),
        (200, request("COPY", "/remote.php/dav/files/alice/Work/a", &moved("elsewhere"))),
        (200, request("GET", "/remote.php/dav/files/alice/Work/a%20b.txt", "")),
        (200, request("PROPFIND", "/remote.php/dav/files/alice/Work", "Depth: 1\r\n")),
        (200, put("/remote.php/dav/calendars/alice/home/1.ics", "", "x")),
    ] {
        let answer = proxy.ask(&asked).await;
        assert_eq!(answer.head.status(), status, "{asked}");
        let text = String::from_utf8_lossy(&answer.body.bytes).into_owned();
        if status != 200 {
            assert!(text.contains("<d:error") && text.contains("handed over"), "{text}");
            assert_eq!(answer.head.field("retry-after").is_some(), status == 503, "{asked}");
        }
    }
    live(&proxy).release("item");
    let answer = proxy.ask(put("/remote.php/dav/files/alice/Work/a.txt", "", "x")).await;
    assert_eq!(answer.head.status(), 200, "released");
}

#[tokio::test]
async fn a_hold_ends_by_itself() {
    let origin = Origin::ok().await;
    let proxy = proxy_to(&origin).start().await;
    live(&proxy).hold("item", Hold { trees: vec![files("")], time: Duration::ZERO });
    let answer = proxy.ask(put("/remote.php/dav/files/alice/a.txt", "", "x")).await;
    assert_eq!(answer.head.status(), 200);
}

#[tokio::test]
async fn owners_are_shown_while_they_are_set() {
    let body = "<?xml version=\"1.0\"?><d:multistatus xmlns:d=\"DAV:\" \
                xmlns:oc=\"http://owncloud.org/ns\"><d:response><d:href>/remote.php/dav/files/bob/x\
                </d:href><d:propstat><d:prop><oc:owner-id>alice</oc:owner-id></d:prop>\
                <d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>";
    let length = body.len();
    let origin = Origin::answering(format!(
        "HTTP/1.1 207 Multi-Status\r\nContent-Type: application/xml; charset=utf-8\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    ))
    .await;
    let proxy = proxy_to(&origin).start().await;
    let ask = request("PROPFIND", "/remote.php/dav/files/bob/x", "Depth: 0\r\n");
    let shown =
        || async { String::from_utf8(proxy.ask(&ask).await.body.bytes.to_vec()).expect("text") };
    assert_eq!(shown().await, body, "byte for byte");
    let rule = OwnerRule {
        from: "alice".to_owned(),
        to: "bob".to_owned(),
        display_name: "Bob".to_owned(),
    };
    live(&proxy).show_owners("transfer", vec![rule]);
    assert_eq!(shown().await, body.replace(">alice<", ">bob<"));
    live(&proxy).unshow_owners("transfer");
    assert_eq!(shown().await, body, "byte for byte again");
}
