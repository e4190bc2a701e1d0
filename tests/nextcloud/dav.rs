//! Files.

use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt as _;
use passeur::dav::client::{
    Change, Chunk, Conditions, Depth, Overwrite, Part, PartOutcome, Property, Put, Trash, Upload,
};
use passeur::nextcloud::inventory::{folder, node, walk};
use passeur::nextcloud::{files, properties, uploads};

use super::{Cloud, unique};

#[tokio::test]
async fn any_name_comes_back_as_it_was() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let long = "x".repeat(250);
    let names = [
        "50% off",
        "50%25",
        "%2F",
        "a+b",
        "a;b",
        "a#b",
        "a&b",
        "a b ",
        "é",
        "o\u{301}",
        "日本 😀",
        "'",
        "(x)",
        "[x]",
        "~x",
        "a,b=c@d:e$!",
        long.as_str(),
    ];
    for name in names {
        // Some systems' file names are forbidden by some instances: only those that pass count.
        let path = place.path.join(name).unwrap();
        let stored = client.put(&path, Upload::of(name.to_owned()), &Put::default()).await;
        let stored = stored.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(stored.created && stored.etag.is_some() && stored.file_id.is_some(), "{name}");
    }
    let listed = folder(&client, &place.path).await.unwrap().unwrap();
    // Nextcloud composes what is decomposed.
    let composed = |name: &str| name.replace("o\u{301}", "ó");
    let mut seen: Vec<_> =
        listed.children.iter().map(|n| composed(n.path.name().unwrap())).collect();
    let mut wanted = names.map(composed).to_vec();
    seen.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(seen, wanted);
    let to = place.path.join("to").unwrap();
    client.mkcol(&to).await.unwrap();
    for name in names {
        let (from, to) = (place.path.join(name).unwrap(), to.join(name).unwrap());
        assert!(!client.move_to(&from, &to, Overwrite::No).await.unwrap(), "{name}");
        let got = client.get(&to, None).await.unwrap().body.collect().await.unwrap().to_bytes();
        assert_eq!(got, name.as_bytes());
    }
    place.remove().await;
}

#[tokio::test]
async fn a_tree_is_walked_to_its_ground() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let mut path = place.path.clone();
    for level in 0..40 {
        path = path.join(&format!("{level}%")).unwrap();
        client.mkcol(&path).await.unwrap();
    }
    let bottom = path.join("file").unwrap();
    client.put(&bottom, Upload::of("12345"), &Put::default()).await.unwrap();
    let mut nodes = walk(&client, &place.path).await.unwrap();
    let (mut count, mut last) = (0, None);
    while let Some(node) = nodes.next().await.unwrap() {
        count += 1;
        assert!(node.obstacle.is_none() && node.file_id.is_some(), "{node:?}");
        last = Some(node);
    }
    assert_eq!(count, 42);
    let last = last.unwrap();
    assert_eq!((last.path, last.size, last.is_folder), (bottom, 5, false));
    let top = node(&client, &place.path).await.unwrap().unwrap();
    assert_eq!((top.size, top.is_folder), (5, true));
    assert!(node(&client, &place.path.join("no").unwrap()).await.unwrap().is_none());
    place.remove().await;
}

#[tokio::test]
async fn an_upload_says_what_it_is() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let path = place.path.join("file").unwrap();
    let put = Put {
        // Of "hello".
        checksum: Some("SHA1:aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d".to_owned()),
        mtime: Some(1_500_000_000),
        ctime: Some(1_400_000_000),
        conditions: Conditions::IfAbsent,
        ..Put::default()
    };
    let pieces = ["he", "llo"].map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
    let upload = Upload::streamed(5, stream::iter(pieces));
    let stored = client.put(&path, upload, &put).await.unwrap();
    assert!(stored.created && stored.mtime_accepted, "{stored:?}");
    let again = client.put(&path, Upload::of("hello"), &put).await.unwrap_err();
    assert_eq!(again.status().unwrap(), 412);
    let seen = node(&client, &path).await.unwrap().unwrap();
    assert_eq!((seen.mtime, seen.size), (Some(1_500_000_000), 5));
    assert_eq!(seen.etag, stored.etag);
    assert_eq!(seen.checksums.as_deref(), put.checksum.as_deref());
    let part = client.get(&path, Some(1..4)).await.unwrap();
    assert_eq!((part.from, part.length), (1, Some(3)));
    assert_eq!(part.body.collect().await.unwrap().to_bytes(), "ell");
    let whole = client.get(&path, None).await.unwrap();
    let copy = place.path.join("copy").unwrap();
    client.put(&copy, Upload::relayed(whole).unwrap(), &Put::default()).await.unwrap();
    assert!(client.copy_to(&path, &copy, Overwrite::Yes).await.unwrap());
    let taken = client.copy_to(&path, &copy, Overwrite::No).await.unwrap_err();
    assert_eq!(taken.status().unwrap(), 412);
    place.remove().await;
}

#[tokio::test]
async fn an_upload_that_breaks_leaves_nothing() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let path = place.path.join("file").unwrap();
    let pieces = stream::iter((0..3).map(|n| match n {
        2 => Err(std::io::Error::other("the source broke")),
        _ => Ok(Bytes::from(vec![b'x'; 100_000])),
    }));
    let error = client.put(&path, Upload::streamed(400_000, pieces), &Put::default()).await;
    assert!(error.is_err());
    // The instance may take a moment to notice.
    for _ in 0..50 {
        match node(&client, &path).await.unwrap() {
            None => return place.remove().await,
            Some(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
    panic!("half of a file was stored");
}

#[tokio::test]
async fn a_large_upload_goes_on_where_it_was() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let chunks = uploads("alice").unwrap().join(&unique("upload")).unwrap();
    let target = place.path.join("large é").unwrap();
    let piece = |byte: u8| Bytes::from(vec![byte; 5 << 20]);
    let upload = client.chunked(chunks.clone(), target.clone(), 11 << 20);
    assert_eq!(upload.stored().await.unwrap(), None);
    upload.begin().await.unwrap();
    upload.put(1, Upload::of(piece(b'a'))).await.unwrap();
    upload.put(2, Upload::of(piece(b'b'))).await.unwrap();
    // Another process takes over.
    let upload = client.chunked(chunks, target.clone(), 11 << 20);
    upload.begin().await.unwrap();
    let stored = upload.stored().await.unwrap().unwrap();
    let chunk = |number| Chunk { number, length: 5 << 20 };
    assert_eq!(stored, [chunk(1), chunk(2)]);
    upload.put(3, Upload::of(vec![b'c'; 1 << 20])).await.unwrap();
    let put = Put { mtime: Some(1_500_000_000), ..Put::default() };
    upload.finish(&put).await.unwrap();
    let seen = node(&client, &target).await.unwrap().unwrap();
    assert_eq!((seen.size, seen.mtime), (11 << 20, Some(1_500_000_000)));
    let edge = client.get(&target, Some((10 << 20) - 1..(10 << 20) + 1)).await.unwrap();
    assert_eq!(edge.body.collect().await.unwrap().to_bytes(), "bc");
    upload.abandon().await.unwrap();
    place.remove().await;
}

#[tokio::test]
async fn small_files_go_together() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let home = files("alice").unwrap();
    let part = |name: &str, text: &str| {
        let path = place.path.join(name).unwrap();
        let below = passeur::dav::client::Path::root().walk(&path.below(&home).unwrap()).unwrap();
        Part::new(below, 1_500_000_000, Bytes::from(text.to_owned()))
    };
    let parts = [part("a%20b", "one"), part("é 日本", "two"), part("empty", "")];
    let bulk = passeur::dav::client::Path::root().join("bulk").unwrap();
    let outcomes = client.bulk(&bulk, parts.to_vec()).await.unwrap();
    for (part, outcome) in parts.iter().zip(&outcomes) {
        let path = home.walk(&part.path.to_string()).unwrap();
        let seen = node(&client, &path).await.unwrap();
        match outcome {
            PartOutcome::Stored { .. } => {
                let seen = seen.unwrap();
                assert_eq!(seen.mtime, Some(1_500_000_000));
                assert_eq!(seen.size, part.bytes.len() as u64);
            }
            // What an instance may say of a file without a byte.
            other => assert!(part.bytes.is_empty(), "{other:?}"),
        }
    }
    place.remove().await;
}

#[tokio::test]
async fn many_files_come_in_one_answer() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let long = "é".repeat(100);
    let names = ["a", "100% #1, \"b\"", "%2F", long.as_str(), "empty"];
    for name in names {
        let text = if name == "empty" { "" } else { name };
        let path = place.path.join(name).unwrap();
        client.put(&path, Upload::of(text.to_owned()), &Put::default()).await.unwrap();
    }
    client.mkcol(&place.path.join("inner").unwrap()).await.unwrap();
    let sized = |name: &'static str| (name, name.len() as u64);
    let wanted = [sized("a"), sized("100% #1, \"b\""), sized("%2F"), (&long, 200), ("empty", 0)];
    let archived = client.archive(&place.path, &wanted).await.unwrap();
    assert!(archived.is_known);
    for (name, _) in wanted {
        let text = if name == "empty" { "" } else { name };
        assert_eq!(
            archived.files.get(name).map(|bytes| &bytes[..]),
            Some(text.as_bytes()),
            "{name}"
        );
    }
    // What is gone is no error: the rest can be asked for alone.
    let gone = client.archive(&place.path, &[("a", 1), ("gone", 1)]).await.unwrap();
    assert!(gone.is_known && gone.files.len() < 2);
    place.remove().await;
}

#[tokio::test]
async fn an_instance_says_what_arrived_and_what_it_has() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let path = place.path.join("a").unwrap();
    let put = Put { confirm: true, ..Put::default() };
    let stored = client.put(&path, Upload::of("hello"), &put).await.unwrap();
    let sum = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(stored.sha256.as_deref(), Some(sum));
    assert_eq!(client.recalculate(&path, "SHA256").await.unwrap().as_deref(), Some(sum));
    let md5 = client.recalculate(&path, "MD5").await.unwrap();
    assert_eq!(md5.as_deref(), Some("5d41402abc4b2a76b9719d911017c592"));
    let seen = node(&client, &path).await.unwrap().unwrap();
    assert_eq!(seen.checksums.as_deref(), Some("MD5:5d41402abc4b2a76b9719d911017c592"));
    assert_eq!(seen.etag, stored.etag, "nothing changed by that");
    place.remove().await;
}

#[tokio::test]
async fn chunks_are_not_put_over_what_is_there() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let target = place.path.join("a").unwrap();
    client.put(&target, Upload::of("mine"), &Put::default()).await.unwrap();
    let folder = passeur::nextcloud::uploads("alice").unwrap().join("passeur-over").unwrap();
    let upload = client.chunked(folder, target.clone(), 5 << 20);
    upload.begin().await.unwrap();
    let stored = upload.put(1, Upload::of(vec![b'x'; 5 << 20])).await.unwrap();
    assert_eq!(stored.sha256.map(|sum| sum.len()), Some(64));
    let put = Put { conditions: Conditions::IfAbsent, ..Put::default() };
    let error = upload.finish(&put).await.unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(412), "{error:?}");
    assert_eq!(node(&client, &target).await.unwrap().unwrap().size, 4);
    upload.abandon().await.unwrap();
    place.remove().await;
}

#[tokio::test]
async fn properties_are_read_and_written() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let client = place.acting.dav();
    let own = Property::new("https://passeur.example/ns", "note");
    let changes = [
        Change::Set(properties::FAVORITE, "1".to_owned()),
        Change::Set(own.clone(), "<é> & \"x\"".to_owned()),
    ];
    let outcomes = client.proppatch(&place.path, &changes).await.unwrap();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|(_, status)| status.is_success()), "{outcomes:?}");
    let entry =
        client.find(&place.path, &[properties::FAVORITE, own.clone()]).await.unwrap().unwrap();
    assert_eq!(entry.text(&properties::FAVORITE), Some("1"));
    assert_eq!(entry.text(&own), Some("<é> & \"x\""));
    client.proppatch(&place.path, &[Change::Remove(own.clone())]).await.unwrap();
    let entry = client.find(&place.path, std::slice::from_ref(&own)).await.unwrap().unwrap();
    assert!(entry.get(&own).is_none());
    let all = client.propfind(&place.path, Depth::Zero, &[]).await.unwrap().all(1).await.unwrap();
    assert!(all[0].properties().count() > 3);
    place.remove().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let cloud = Cloud::start().await;
    let client = cloud.acting("alice").dav();
    let nothing = files("alice").unwrap().join(&unique("nothing")).unwrap();
    assert!(client.get(&nothing, None).await.unwrap_err().is_not_found());
    assert!(client.delete(&nothing, Trash::Keep).await.unwrap_err().is_not_found());
    assert!(client.find(&nothing, &[]).await.unwrap().is_none());
    let below = nothing.join("x").unwrap();
    let error = client.mkcol(&below).await.unwrap_err();
    assert_eq!(error.status().unwrap(), 409, "{error}");
    // Another account's files are not to be seen.
    let others = client.propfind(&files("bob").unwrap(), Depth::One, &[]).await;
    let seen = match others {
        Ok(entries) => entries.all(100).await.unwrap().len(),
        Err(error) => {
            assert!(error.is_not_found() || error.status().unwrap() == 403, "{error}");
            0
        }
    };
    assert!(seen <= 1, "{seen}");
}
