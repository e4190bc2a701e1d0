//! Shares of files.

use passeur::dav::client::Overwrite;
use passeur::nextcloud::inventory::{Obstacle, folder, node};
use passeur::nextcloud::ocs::{NewShare, ShareChange, ShareType};
use passeur::nextcloud::{Error, files};

use super::Cloud;

fn new<'a>(path: &'a str, share_type: ShareType, share_with: &'a str) -> NewShare<'a> {
    NewShare {
        path,
        share_type,
        share_with,
        permissions: Some(if share_type == ShareType::Link { 1 } else { 31 }),
        expiration: None,
        label: None,
        note: None,
        password: None,
        attributes: None,
    }
}

#[tokio::test]
async fn shares_are_made_changed_and_removed() {
    let cloud = Cloud::start().await;
    let place = cloud.folder("alice").await;
    let (alice, bob) = (cloud.acting("alice"), cloud.acting("bob"));
    let path = format!("/{}", place.name);
    let share = alice.ocs().create_share(&new(&path, ShareType::User, "bob")).await.unwrap();
    assert_eq!((share.uid_owner.as_str(), share.permissions), ("alice", 31));
    let link = NewShare {
        label: Some("for the press"),
        expiration: Some("2099-12-31"),
        ..new(&path, ShareType::Link, "")
    };
    let link = alice.ocs().create_share(&link).await.unwrap();
    assert!(link.token.as_ref().is_some_and(|token| !token.is_empty()), "{link:?}");
    assert_eq!(link.label, "for the press");
    assert!(link.expiration.as_ref().is_some_and(|date| date.starts_with("2099-12-31")));
    let changed = ShareChange { label: Some("for all"), ..ShareChange::default() };
    let link = alice.ocs().update_share(&link.id, &changed).await.unwrap();
    assert_eq!(link.label, "for all");

    assert_eq!(alice.ocs().shares_of(&path).await.unwrap().len(), 2);
    assert!(alice.ocs().shares().await.unwrap().iter().any(|one| one.id == share.id));
    assert!(alice.ocs().shares_within("/").await.unwrap().iter().any(|one| one.id == link.id));
    let received = bob.ocs().shared_with_me().await.unwrap();
    let received = received.iter().find(|one| one.id == share.id).unwrap();
    let target = received.file_target.clone().unwrap();
    let home = folder(&bob.dav(), &files("bob").unwrap()).await.unwrap().unwrap();
    let mount = home.children.iter().find(|n| format!("/{}", n.path.name().unwrap()) == target);
    assert_eq!(mount.unwrap().obstacle, Some(Obstacle::Received));
    let own = node(&alice.dav(), &place.path).await.unwrap().unwrap();
    assert_eq!(own.shares.len(), 2, "{own:?}");
    assert_eq!(own.file_id, Some(u64::try_from(share.file_source).unwrap()));

    // What alice moves into a folder that bob shares is bob's then, and stays the same file.
    let theirs = cloud.folder("bob").await;
    let helper = format!("/{}", theirs.name);
    bob.ocs().create_share(&new(&helper, ShareType::User, "alice")).await.unwrap();
    let inner = place.path.join("inner").unwrap();
    alice.dav().mkcol(&inner).await.unwrap();
    let before = node(&alice.dav(), &inner).await.unwrap().unwrap();
    let to = files("alice").unwrap().walk(&theirs.name).unwrap().join("inner").unwrap();
    alice.dav().move_to(&inner, &to, Overwrite::No).await.unwrap();
    let after = node(&bob.dav(), &theirs.path.join("inner").unwrap()).await.unwrap().unwrap();
    assert_eq!((before.file_id, before.etag), (after.file_id, after.etag));

    alice.ocs().delete_share(&share.id).await.unwrap();
    alice.ocs().delete_share(&share.id).await.unwrap();
    assert!(alice.ocs().share(&share.id).await.unwrap().is_none());
    assert_eq!(alice.ocs().share(&link.id).await.unwrap().unwrap().token, link.token);
    place.remove().await;
    theirs.remove().await;
}

#[tokio::test]
async fn no_share_is_mailed() {
    let cloud = Cloud::start().await;
    let share = new("/x", ShareType::Mail, "guest@example.org");
    let refused = cloud.acting("alice").ocs().create_share(&share).await;
    assert!(matches!(refused, Err(Error::Ocs { code: 400, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_share_of_nothing_is_refused() {
    let cloud = Cloud::start().await;
    let alice = cloud.acting("alice").ocs();
    let nothing = new("/no such file", ShareType::User, "bob");
    let refused = alice.create_share(&nothing).await.unwrap_err();
    assert!(refused.is_not_found(), "{refused:?}");
    assert!(!refused.to_string().is_empty());
}
