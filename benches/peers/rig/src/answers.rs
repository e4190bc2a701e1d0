//! What the origin says, made once: shaped like the answers of a Nextcloud (sizes, fields, markup),
//! but written here. Every answer holds its head, so that sending one is a single write.

use std::fmt::Write;

use bytes::Bytes;

const DATE: &str = "Date: Sun, 22 Nov 2026 06:26:30 GMT\r\nServer: rig\r\n";
const NONCE: &str = "TsoUEMXmmj3wrxG6ovANYgNcj2iisvnexw8pwKHX8A0=";
const PAGE_BYTES: usize = 36 << 10;

/// Whole answers, head and body.
pub struct Answers {
    /// 1 KiB of text.
    pub small: Bytes,
    /// 100 KiB of a file.
    pub file: Bytes,
    /// A page with a nonce policy, 36 KiB.
    pub page: Bytes,
    /// A folder of 30 entries.
    pub folder: Bytes,
    /// A folder of 2,000 entries, about 1.7 MB.
    pub large_folder: Bytes,
    /// What health probes read.
    pub status: Bytes,
    /// For anything else.
    pub missing: Bytes,
}

impl Answers {
    /// Makes them all.
    pub fn new() -> Self {
        let folder_type = "Content-Type: application/xml; charset=utf-8\r\nVary: Brief,Prefer\r\n\
            DAV: 1, 3, extended-mkcol, access-control\r\nX-User-Id: alice\r\n\
            Content-Security-Policy: default-src 'none';\r\n";
        let page_type = format!(
            "Content-Type: text/html; charset=UTF-8\r\n\
             Cache-Control: no-cache, no-store, must-revalidate\r\n\
             Content-Security-Policy: default-src 'none';base-uri 'none';manifest-src 'self';\
             script-src 'nonce-{NONCE}';script-src-elem 'strict-dynamic' 'nonce-{NONCE}';\
             style-src 'self' 'unsafe-inline';img-src 'self' data: blob:;connect-src 'self'\r\n\
             X-Robots-Tag: noindex, nofollow\r\nX-User-Id: alice\r\n"
        );
        let text = "Content-Type: text/plain\r\n";
        let file = "Content-Type: application/octet-stream\r\nETag: \"6b028790ad8bc\"\r\n";
        let json = "Content-Type: application/json\r\n";
        Self {
            small: answer("200 OK", text, &"0123456789abcde\n".repeat(64)),
            file: answer("200 OK", file, &"0123456789abcde\n".repeat(6400)),
            page: answer("200 OK", &page_type, &page()),
            folder: answer("207 Multi-Status", folder_type, &multistatus(30)),
            large_folder: answer("207 Multi-Status", folder_type, &multistatus(2000)),
            status: answer("200 OK", json, r#"{"installed":true,"maintenance":false}"#),
            missing: answer("404 Not Found", text, "no such row\n"),
        }
    }
}

/// The answer to an upload: how many bytes came.
pub fn received(bytes: u64) -> Bytes {
    answer("201 Created", "Content-Type: text/plain\r\n", &bytes.to_string())
}

/// The head of a download of `bytes`.
pub fn download_head(bytes: u64) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{DATE}Content-Type: application/octet-stream\r\n\
         Content-Length: {bytes}\r\n\r\n"
    )
}

fn answer(status: &str, fields: &str, body: &str) -> Bytes {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{DATE}{fields}Content-Length: {length}\r\n\r\n{body}").into()
}

/// A page whose head holds stylesheets and scripts with a nonce, as Nextcloud's do (about 12 KiB of
/// head), then hidden inputs with state up to the wanted size.
fn page() -> String {
    let mut page = String::with_capacity(PAGE_BYTES + 512);
    page.push_str(
        "<!DOCTYPE html>\n<html class=\"ng-csp\" lang=\"en\" translate=\"no\">\n\t\
         <head data-user=\"alice\" data-requesttoken=\"F4JwJZQ4FCHqsZwp6pRdUSWIzFzXt10blFke1pVx0\">\n\
         \t\t<meta charset=\"utf-8\">\n\t\t<title>Files</title>\n",
    );
    for n in 0..40 {
        let _ = writeln!(
            page,
            "<link rel=\"stylesheet\" href=\"/apps/app{n}/css/app{n}-main.css?v=9d30adea-{n}\">"
        );
        let _ = writeln!(
            page,
            "<script nonce=\"{NONCE}\" defer src=\"/dist/app{n}-main.js?v=f771e41c-{n}\" type=\"module\"></script>"
        );
    }
    page.push_str("\t</head>\n\t<body id=\"body-user\" data-path=\"/files\">\n");
    let end = "\t\t<div id=\"content\"></div>\n\t</body>\n</html>\n";
    let mut n = 0;
    while page.len() + 300 < PAGE_BYTES {
        let value = "eyJpZCI6MTIzLCJuYW1lIjoiYSBuYW1lIiwib3duZXIiOiJhbGljZSJ9".repeat(3);
        let _ = writeln!(page, "\t\t<input type=\"hidden\" id=\"state-{n}\" value=\"{value}\">");
        n += 1;
    }
    let room = PAGE_BYTES.saturating_sub(page.len() + end.len());
    page.push_str(&" ".repeat(room));
    page.push_str(end);
    page
}

/// A multistatus answer with the properties the desktop and web clients ask for.
fn multistatus(entries: usize) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?>\n<d:multistatus xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\" \
         xmlns:oc=\"http://owncloud.org/ns\" xmlns:nc=\"http://nextcloud.org/ns\">",
    );
    for n in 0..entries {
        let owner = if n % 4 == 0 { ("bob", "Bob") } else { ("alice", "Alice") };
        let _ = write!(
            xml,
            "<d:response><d:href>/remote.php/dav/files/alice/Association/Report%20{n}.odt</d:href>\
             <d:propstat><d:prop><d:getlastmodified>Sun, 22 Nov 2026 06:11:28 GMT</d:getlastmodified>\
             <d:getetag>&quot;{n:013x}&quot;</d:getetag><d:resourcetype/>\
             <d:getcontenttype>application/vnd.oasis.opendocument.text</d:getcontenttype>\
             <d:getcontentlength>{size}</d:getcontentlength><oc:fileid>{id}</oc:fileid>\
             <oc:permissions>RGDNVW</oc:permissions><oc:size>{size}</oc:size>\
             <oc:owner-id>{}</oc:owner-id><oc:owner-display-name>{}</oc:owner-display-name>\
             <oc:share-types/><oc:favorite>0</oc:favorite><nc:has-preview>false</nc:has-preview>\
             <nc:mount-type></nc:mount-type></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat>\
             <d:propstat><d:prop><d:owner/><oc:checksums/><nc:is-encrypted/></d:prop>\
             <d:status>HTTP/1.1 404 Not Found</d:status></d:propstat></d:response>",
            owner.0,
            owner.1,
            size = 20_000 + n * 37,
            id = 1000 + n,
        );
    }
    xml.push_str("</d:multistatus>");
    xml
}
