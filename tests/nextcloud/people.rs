//! Accounts, and who somebody is.

use base64::Engine as _;
use http::HeaderMap;
use passeur::dav::client::{Error as DavError, Path};
use passeur::nextcloud::identity::{Caller, Role};
use passeur::nextcloud::{Credentials, Error, principal};

use super::{Cloud, app_credentials};

fn basic(uid: &str, password: &str) -> Caller {
    let pair = base64::prelude::BASE64_STANDARD.encode(format!("{uid}:{password}"));
    let mut fields = HeaderMap::new();
    fields.insert("authorization", format!("Basic {pair}").parse().unwrap());
    Caller::of(&fields, None).unwrap()
}

#[tokio::test]
async fn an_admin_is_told_from_others() {
    let cloud = Cloud::start().await;
    let instance = &cloud.instance;
    let admin = instance.identify(&basic("admin", cloud.password("admin"))).await.unwrap().unwrap();
    assert_eq!((admin.uid.as_str(), &admin.role), ("admin", &Role::Admin));
    let alice = instance.identify(&basic("alice", cloud.password("alice"))).await.unwrap().unwrap();
    assert_eq!((alice.uid.as_str(), &alice.role), ("alice", &Role::Person));
    assert_eq!(instance.identify(&basic("alice", "wrong")).await.unwrap(), None);
    assert_eq!(instance.identify(&basic("nobody", "wrong")).await.unwrap(), None);
    // A session that is none, with a token that is none.
    let mut fields = HeaderMap::new();
    fields.insert("cookie", "x=y; nc_sameSiteCookielax=true".parse().unwrap());
    fields.insert("requesttoken", "z:z".parse().unwrap());
    let caller = Caller::of(&fields, None).unwrap();
    assert_eq!(instance.identify(&caller).await.unwrap(), None);
    let password = cloud.password("alice").to_owned().into();
    let alice = instance.sign_in("alice", &password, None).await.unwrap().unwrap();
    assert_eq!(alice.uid, "alice");
}

#[tokio::test]
async fn accounts_are_found() {
    let cloud = Cloud::start().await;
    let admin = cloud.acting("admin").ocs();
    assert_eq!(admin.me().await.unwrap().id, "admin");
    let alice = admin.user("alice").await.unwrap().unwrap();
    assert!(alice.enabled && !alice.display_name.is_empty(), "{alice:?}");
    assert!(admin.user("no such account").await.unwrap().is_none());
    let found = admin.users("ali", 10, 0).await.unwrap();
    assert!(found.iter().any(|user| user.id == "alice"), "{found:?}");
    assert!(admin.users("no such account", 10, 0).await.unwrap().is_empty());
    assert_eq!(admin.users("", 2, 0).await.unwrap().len(), 2);
    assert!(!admin.apps().await.unwrap().is_empty());
    let refused = cloud.acting("alice").ocs().apps().await.unwrap_err();
    assert!(matches!(refused, Error::Ocs { code: 403 | 997 | 998, .. }), "{refused:?}");
    let version = cloud.instance.status().await.unwrap().version;
    assert!(version.starts_with("34."), "{version}");
    assert!(admin.capabilities().await.unwrap()["version"]["string"].is_string());
}

#[tokio::test]
async fn a_wrong_secret_is_shown_once() {
    let cloud = Cloud::start().await;
    let wrong = app_credentials("wrong");
    let find = async |uid: &str| {
        let client = cloud.instance.acting(uid, &wrong).dav();
        client.find(&principal(uid).unwrap(), &[]).await
    };
    assert!(matches!(find("alice").await, Err(DavError::Refused)));
    assert!(matches!(find("bob").await, Err(DavError::Refused)));
    let password = Credentials::AppPassword {
        uid: "alice".into(),
        password: cloud.password("alice").to_owned().into(),
    };
    let client = cloud.instance.acting("alice", &password).dav();
    assert!(client.find(&principal("alice").unwrap(), &[]).await.unwrap().is_some());
    let entry = cloud.acting("alice").dav().find(&Path::root(), &[]).await;
    assert!(entry.unwrap().is_some());
}

#[tokio::test]
async fn an_unknown_account_does_not_spoil_the_secret() {
    let cloud = Cloud::start().await;
    let alice = principal("alice").unwrap();
    assert!(cloud.acting("alice").dav().find(&alice, &[]).await.unwrap().is_some());
    let unknown = cloud.acting("nobody").dav().find(&alice, &[]).await;
    assert!(matches!(unknown, Err(DavError::Refused)), "{unknown:?}");
    assert!(cloud.acting("bob").dav().find(&alice, &[]).await.is_ok());
}
