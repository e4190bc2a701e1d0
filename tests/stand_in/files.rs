//! Files: ids, etags, uploads, chunks, bulk.

use std::time::Duration;

use base64::Engine as _;
use http::StatusCode;
use tokio::net::TcpStream;

use super::support::{FILES, Site};

#[tokio::test]
async fn files_keep_ids_and_change_etags() {
    let site = Site::start().await;
    let path = format!("{FILES}/alice/Association/n%C3%A9.txt");
    let headers = [("x-oc-mtime", "1700000000"), ("oc-checksum", "SHA1:abc")];
    let put = site.as_user("alice", "PUT", &path, &headers, "one").await;
    assert_eq!(put.status, StatusCode::CREATED);
    assert_eq!(put.header("x-oc-mtime"), "accepted");
    assert_eq!(put.header("etag"), put.header("oc-etag"));
    assert!(put.header("oc-fileid").ends_with(site.stand.instance_id()));

    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop><o:checksums/><o:owner-id/><d:getlastmodified/><o:nothing/></d:prop></d:propfind>"#;
    let found = site.as_user("alice", "PROPFIND", &path, &[("depth", "0")], body).await;
    assert!(found.body.contains("<oc:checksum>SHA1:abc</oc:checksum>"), "{}", found.body);
    assert!(found.body.contains("<oc:owner-id>alice</oc:owner-id>"));
    assert!(found.body.contains("Tue, 14 Nov 2023 22:13:20 GMT"));
    assert!(found.body.contains("<oc:nothing/></d:prop><d:status>HTTP/1.1 404"));

    let update = r#"<d:propertyupdate xmlns:d="DAV:" xmlns:n="http://nextcloud.org/ns" xmlns:x="x:"><d:set><d:prop><n:creation_time>1600000000</n:creation_time><x:mine>é &lt;</x:mine></d:prop></d:set></d:propertyupdate>"#;
    let patched = site.as_user("alice", "PROPPATCH", &path, &[], update).await;
    assert_eq!(patched.status, StatusCode::MULTI_STATUS);
    let body = r#"<d:propfind xmlns:d="DAV:" xmlns:n="http://nextcloud.org/ns" xmlns:x="x:"><d:prop><n:creation_time/><x:mine/></d:prop></d:propfind>"#;
    let found = site.as_user("alice", "PROPFIND", &path, &[("depth", "0")], body).await;
    assert!(found.body.contains("<nc:creation_time>1600000000</nc:creation_time>"));
    assert!(found.body.contains("<x1:mine xmlns:x1=\"x:\">é &lt;</x1:mine>"), "{}", found.body);

    let stale = [("if-match", "\"x\"")];
    let refused = site.as_user("alice", "PUT", &path, &stale, "two").await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
    assert!(refused.body.contains("Sabre\\DAV\\Exception\\PreconditionFailed"));
    let current = [("if-match", put.header("etag"))];
    let again = site.as_user("alice", "PUT", &path, &current, "two").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    assert_eq!(again.header("oc-fileid"), put.header("oc-fileid"));
    assert_ne!(again.header("etag"), put.header("etag"));

    let to = [("destination", "https://elsewhere.example/remote.php/dav/files/alice/moved.txt")];
    let moved = site.as_user("alice", "MOVE", &path, &to, "").await;
    assert_eq!(moved.status, StatusCode::CREATED);
    let range = [("range", "bytes=1-")];
    let got = site.as_user("alice", "GET", &format!("{FILES}/alice/moved.txt"), &range, "").await;
    assert_eq!((got.status, got.body.as_str()), (StatusCode::PARTIAL_CONTENT, "wo"));
    assert_eq!(got.header("etag"), again.header("etag"));

    let all = site
        .as_user("alice", "PROPFIND", &format!("{FILES}/alice/"), &[("depth", "infinity")], "")
        .await;
    assert!(all.body.contains("/Association/deep/%252F%20literal.txt</d:href>"));
    assert!(all.body.contains("/FromDave/x.txt</d:href>"));
    let out = [("destination", "/remote.php/dav/files/bob/x")];
    let refused =
        site.as_user("alice", "MOVE", &format!("{FILES}/alice/moved.txt"), &out, "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_the_old_version() {
    use tokio::io::AsyncWriteExt as _;
    let site = Site::start().await;
    let path = format!("{FILES}/bob/Readme.md");
    let before = site.as_user("bob", "GET", &path, &[], "").await;
    let basic = base64::engine::general_purpose::STANDARD.encode("bob:bob-ferry");
    for framing in
        ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]
    {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nHost: cloud.example\r\nAuthorization: Basic {basic}\r\n{framing}"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        // The server hangs up once it has given the upload up.
        let mut rest = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await.ok();
    }
    let after = site.as_user("bob", "GET", &path, &[], "").await;
    assert_eq!((after.body, after.headers.get("etag")), (before.body, before.headers.get("etag")));
}

#[tokio::test]
async fn chunks_are_assembled_by_a_move() {
    let site = Site::start().await;
    let up = "/remote.php/dav/uploads/alice/u1";
    let to = [("destination", "/remote.php/dav/files/alice/big.bin")];
    assert_eq!(site.as_user("alice", "MKCOL", up, &to, "").await.status, StatusCode::CREATED);
    for (number, text) in [("10", "c"), ("2", "b"), ("1", "a")] {
        let chunk = site.as_user("alice", "PUT", &format!("{up}/{number}"), &to, text).await;
        assert_eq!(chunk.status, StatusCode::CREATED);
    }
    let wrong = site.as_user("alice", "PUT", &format!("{up}/10001"), &to, "x").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let listed = site.as_user("alice", "PROPFIND", up, &[("depth", "1")], "").await;
    assert_eq!(listed.body.matches("<d:response>").count(), 4);

    // While one assembles, another is refused.
    site.stand.set_assembly_delay(Duration::from_secs(3600));
    let last = format!("{up}/.file");
    let wanted = [to[0], ("oc-total-length", "3"), ("x-oc-mtime", "1700000000")];
    let attempt = || async {
        let answer = site.as_user("alice", "MOVE", &last, &wanted, "").await;
        // The one that is refused comes back first, and lets the other end.
        site.stand.set_assembly_delay(Duration::ZERO);
        answer
    };
    let (one, two) = tokio::join!(attempt(), attempt());
    // Either may have come first.
    let (done, refused) = if one.status == StatusCode::LOCKED { (two, one) } else { (one, two) };
    assert_eq!(refused.status, StatusCode::LOCKED);
    assert_eq!(done.status, StatusCode::CREATED);
    assert!(!done.header("oc-etag").is_empty() && !done.header("oc-fileid").is_empty());
    let got = site.as_user("alice", "GET", &format!("{FILES}/alice/big.bin"), &[], "").await;
    assert_eq!(got.body, "abc");
    assert_eq!(
        site.as_user("alice", "MOVE", &last, &wanted, "").await.status,
        StatusCode::NOT_FOUND
    );

    site.ocs("admin", "PUT", "cloud/users/alice", "key=quota&value=1+MB").await;
    let large = [to[0], ("oc-total-length", "99999999")];
    let full = site.as_user("alice", "MKCOL", "/remote.php/dav/uploads/alice/u2", &large, "").await;
    assert_eq!(full.status, StatusCode::INSUFFICIENT_STORAGE);
}

#[tokio::test]
async fn bulk_takes_many_files() {
    let site = Site::start().await;
    let body = "--b\r\nContent-Length: 2\r\nX-File-Path: /new/a.txt\r\nX-File-Mtime: 1700000000\r\n\
        X-File-Md5: 49f68a5c8493ec2c0bf489821c21fc3b\r\n\r\nhi\r\n--b\r\nContent-Length: 2\r\n\
        X-File-Path: /b.txt\r\nX-File-Md5: 0\r\n\r\nhi\r\n--b--\r\n";
    let kind = [("content-type", "multipart/related; boundary=b")];
    let answer = site.as_user("dave", "POST", "/remote.php/dav/bulk", &kind, body).await;
    let results: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(results["/new/a.txt"]["error"], false);
    assert_eq!(results["/b.txt"]["error"], true);
    let got = site.as_user("dave", "GET", &format!("{FILES}/dave/new/a.txt"), &[], "").await;
    assert_eq!(got.body, "hi");
    assert_eq!(got.header("last-modified"), "Tue, 14 Nov 2023 22:13:20 GMT");
}

#[tokio::test]
async fn a_name_is_one_file_however_it_is_composed() {
    let site = Site::start().await;
    let (composed, apart) =
        (format!("{FILES}/dave/%C3%A9.txt"), format!("{FILES}/dave/e%CC%81.txt"));
    let first = site.as_user("dave", "PUT", &composed, &[], "one").await;
    assert_eq!(first.status, StatusCode::CREATED);
    let again = site.as_user("dave", "PUT", &apart, &[], "two").await;
    assert_eq!(again.status, StatusCode::NO_CONTENT);
    assert_eq!(site.as_user("dave", "GET", &composed, &[], "").await.body, "two");
    let new = format!("{FILES}/dave/a%CC%8A.txt");
    site.as_user("dave", "PUT", &new, &[], "x").await;
    let home = format!("{FILES}/dave/");
    let listed = site.as_user("dave", "PROPFIND", &home, &[("depth", "1")], "").await.body;
    assert!(listed.contains("/%c3%a5.txt</d:href>"), "{listed}");
}
