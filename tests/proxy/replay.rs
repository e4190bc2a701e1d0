//! What a Nextcloud really answered, through the proxy: the same bytes.
//!
//! The recordings are not part of this repository. They are looked for in `PASSEUR_RECORDINGS`, and
//! beside the repository; where they are not, the tests say so and pass.

use std::path::PathBuf;

use passeur::config::checked::OwnerRule;

use crate::support::{Origin, Pieces, Wire, builder, proxy_to, request};

/// Fields that belong to one connection.
const HOP_BY_HOP: [&str; 4] = ["connection", "keep-alive", "transfer-encoding", "trailer"];

/// An answer as it was recorded.
struct Recording {
    name: String,
    status: u16,
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

fn recordings() -> Vec<Recording> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/recordings");
    let folder =
        std::env::var_os("PASSEUR_RECORDINGS").map_or_else(|| beside.into(), PathBuf::from);
    let Ok(files) = std::fs::read_dir(folder.join("nextcloud-34/http")) else {
        eprintln!("SKIPPED: no recordings of a Nextcloud in {}", folder.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "http"));
    files.sort();
    assert!(!files.is_empty(), "no recordings in {}", folder.display());
    files.iter().map(Recording::read).collect()
}

impl Recording {
    fn read(path: &PathBuf) -> Self {
        let bytes = std::fs::read(path).expect("a recording");
        let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head");
        let mut lines = head.split("\r\n");
        let status = lines.next().expect("a status line")[9..12].parse().expect("a status");
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(':').expect("a field");
            (name.to_ascii_lowercase(), value.trim().as_bytes().to_vec())
        });
        Self {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            status,
            fields: fields.filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str())).collect(),
            body: bytes[end + 4..].to_vec(),
        }
    }

    /// As the origin sends it: the body framed by its length, in chunks, or by the end.
    fn framed(&self, framing: &str) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Recorded\r\n", self.status).into_bytes();
        for (name, value) in self.fields.iter().filter(|(name, _)| name != "content-length") {
            bytes.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        match framing {
            "length" => {
                bytes.extend(format!("content-length: {}\r\n\r\n", self.body.len()).bytes());
                bytes.extend(&self.body);
            }
            "chunks" => {
                bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                for piece in self.body.chunks(1000) {
                    bytes.extend(format!("{:x}\r\n", piece.len()).bytes());
                    bytes.extend([piece, b"\r\n"].concat());
                }
                bytes.extend(b"0\r\n\r\n");
            }
            _ => {
                bytes.extend(b"connection: close\r\n\r\n");
                bytes.extend(&self.body);
            }
        }
        bytes
    }

    /// How it was asked for, roughly.
    fn request(&self) -> (&'static str, &'static str) {
        match self.name.as_str() {
            "dav-options" => ("OPTIONS", "/remote.php/dav/files/alice/"),
            "dav-calendar-report" => ("REPORT", "/remote.php/dav/calendars/alice/personal/"),
            name if name.starts_with("dav-") => ("PROPFIND", "/remote.php/dav/files/alice/"),
            name if name.starts_with("ocs-") => ("GET", "/ocs/v2.php/cloud/user?format=json"),
            _ => ("GET", "/index.php/apps/files/"),
        }
    }

    /// Whether these are the recorded fields: names in any order, values of one name in theirs.
    fn assert_fields(&self, mut got: Vec<(String, Vec<u8>)>, framing: &str) {
        let framed = |(name, _): &(String, Vec<u8>)| {
            name != "content-length" && !HOP_BY_HOP.contains(&name.as_str())
        };
        let mut recorded = self.fields.clone();
        recorded.retain(framed);
        got.retain(framed);
        // A stable sort: values of one name keep their order.
        recorded.sort_by(|a, b| a.0.cmp(&b.0));
        got.sort_by(|a, b| a.0.cmp(&b.0));
        let text = |fields: &[(String, Vec<u8>)]| -> Vec<String> {
            let line = |(name, value): &(String, Vec<u8>)| {
                format!("{name}: {}", String::from_utf8_lossy(value))
            };
            fields.iter().map(line).collect()
        };
        assert_eq!(text(&got), text(&recorded), "{}, {framing}", self.name);
        assert!(got == recorded, "{}, {framing}", self.name);
    }
}

#[tokio::test]
async fn recorded_answers_pass_byte_for_byte() {
    for recording in recordings() {
        for framing in ["length", "chunks", "end"] {
            let bytes = recording.framed(framing);
            let origin = Origin::scripted(move |mut conversation| {
                let bytes = bytes.clone();
                async move {
                    conversation.request().await;
                    conversation.wire.send(bytes).await;
                }
            })
            .await;
            // A rule for an account that occurs nowhere: whoever reads must not write.
            let owner = OwnerRule {
                from: "nobody-at-all".into(),
                to: "somebody".into(),
                display_name: "Somebody".into(),
            };
            let rules = |site: &mut passeur::config::checked::Site| {
                site.owners = if framing == "chunks" { vec![owner] } else { Vec::new() };
            };
            let proxy = proxy_to(&origin).site(rules).start().await;
            let (method, target) = recording.request();

            let mut client: Wire = proxy.connect().await;
            let answer = client.ask(request(method, target, "Depth: 1\r\n")).await;
            assert_eq!(answer.status(), recording.status);
            assert!(answer.body.whole);
            assert!(answer.body.bytes == recording.body, "{}, {framing}", recording.name);
            recording.assert_fields(answer.head.fields, framing);

            let request = builder(method, target).body(Pieces::none()).expect("a request");
            let answer = proxy.h2().await.ask(request).await;
            assert_eq!(answer.status().as_u16(), recording.status);
            assert!(answer.body() == &recording.body, "{}, {framing}", recording.name);
            let fields = answer.headers().iter();
            let fields = fields.map(|(n, v)| (n.as_str().to_owned(), v.as_bytes().to_vec()));
            recording.assert_fields(fields.collect(), framing);
        }
    }
}
