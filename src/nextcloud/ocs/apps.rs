//! What other apps have that records an owner, and their own ways to hand it over.
//!
//! Sources are the apps' published route tables; each is asked only where [`Client::apps`] or the
//! capabilities say that it is there.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Client, parse};
use crate::nextcloud::Error;

/// A board of Deck.
#[derive(Clone, Debug, Deserialize)]
pub struct Board {
    /// Its number.
    pub id: u64,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Whose it is.
    #[serde(default, deserialize_with = "owner")]
    pub owner: String,
}

/// A table of Tables.
#[derive(Clone, Debug, Deserialize)]
pub struct OwnedTable {
    /// Its number.
    pub id: u64,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Whose it is.
    #[serde(default)]
    pub ownership: String,
}

/// What an account owns of something that is only counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owned {
    /// Its number or name.
    pub id: String,
    /// What people call it.
    pub title: String,
}

/// A form of Forms.
#[derive(Clone, Debug, Deserialize)]
pub struct Form {
    /// Its number.
    pub id: u64,
    /// Its title.
    #[serde(default)]
    pub title: String,
}

/// A poll of Polls.
#[derive(Clone, Debug, Deserialize)]
pub struct Poll {
    /// Its number.
    pub id: u64,
    /// Its title.
    #[serde(default)]
    pub title: String,
    /// Whose it is.
    #[serde(default, deserialize_with = "owner")]
    pub owner: String,
}

const TABLES: [&str; 5] = ["apps", "tables", "api", "2", "tables"];
const FORMS: [&str; 5] = ["apps", "forms", "api", "v3", "forms"];
const POLLS: [&str; 5] = ["apps", "polls", "api", "v1.0", "poll"];

impl Client {
    /// The apps that are on. Only for admins: a refusal is the proof that the account is none.
    ///
    /// # Errors
    /// As [`Error`] says; 403 for who is no admin.
    pub async fn apps(&self) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Apps {
            apps: Value,
        }
        let path = ["cloud", "apps"];
        let Apps { apps } = self.read(&path, &[("filter", "enabled")]).await?;
        // A list, or a map from numbers, when PHP left gaps.
        let apps = match apps {
            Value::Object(map) => map.into_iter().map(|(_, app)| app).collect(),
            list => list,
        };
        parse(apps, &path)
    }

    /// What the instance can do, and its version.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn capabilities(&self) -> Result<Value, Error> {
        self.read(&["cloud", "capabilities"], &[]).await
    }

    /// The boards that the account sees, its own and those it is a member of.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn boards(&self) -> Result<Vec<Board>, Error> {
        let path = ["apps", "deck", "api", "v1.0", "boards"];
        parse(self.json(Method::GET, &path, None).await?, &path)
    }

    /// Gives a board of the account to `uid`, its cards' owner included.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn give_board(&self, board: u64, uid: &str) -> Result<(), Error> {
        let id = board.to_string();
        let path = ["apps", "deck", "boards", &id, "transferOwner"];
        self.json(Method::PUT, &path, Some(json!({ "newOwner": uid }))).await.map(drop)
    }

    /// The tables that the account sees, its own and those shared with it.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn tables(&self) -> Result<Vec<OwnedTable>, Error> {
        self.read(&TABLES, &[]).await
    }

    /// Gives a table of the account to `uid`.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn give_table(&self, table: u64, uid: &str) -> Result<(), Error> {
        let id = table.to_string();
        let path = [&TABLES[..], &[id.as_str(), "transfer"]].concat();
        self.call(Method::PUT, &path, &[("newOwnerUserId", uid)]).await.map(drop)
    }

    /// The account's own forms.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn forms(&self) -> Result<Vec<Form>, Error> {
        self.read(&FORMS, &[]).await
    }

    /// Gives a form of the account to `uid`.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn give_form(&self, form: u64, uid: &str) -> Result<(), Error> {
        let id = form.to_string();
        let path = [&FORMS[..], &[id.as_str()]].concat();
        self.call(Method::PATCH, &path, &[("keyValuePairs[ownerId]", uid)]).await.map(drop)
    }

    /// The polls that the account sees.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn polls(&self) -> Result<Vec<Poll>, Error> {
        #[derive(Deserialize)]
        struct Polls {
            polls: Vec<Poll>,
        }
        let path = [&POLLS[..4], &["polls"]].concat();
        let Polls { polls } = self.read(&path, &[]).await?;
        Ok(polls)
    }

    /// Gives a poll to `uid`, whoever has it; only as an admin.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn give_poll(&self, poll: u64, uid: &str) -> Result<(), Error> {
        let id = poll.to_string();
        let path = [&POLLS[..], &[id.as_str(), "transfer", uid]].concat();
        self.call(Method::PUT, &path, &[]).await.map(drop)
    }

    /// The applications of Tables (its contexts) that the account owns.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn applications(&self) -> Result<Vec<Owned>, Error> {
        let path = ["apps", "tables", "api", "2", "contexts"];
        let all: Vec<Value> = self.read(&path, &[]).await?;
        let own = all.iter().filter(|one| one["owner"] == self.acting.uid());
        Ok(own.filter_map(|one| owned(one, "id", "name")).collect())
    }

    /// The conversations of Talk that the account owns, without those with one other account.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn conversations(&self) -> Result<Vec<Owned>, Error> {
        // With one account, with one that left, and with oneself (`Room::TYPE_*`); and an owner's
        // participant type.
        const NOT: [i64; 3] = [1, 5, 6];
        const OWNER: i64 = 1;
        let path = ["apps", "spreed", "api", "v4", "room"];
        let all: Vec<Value> = self.read(&path, &[]).await?;
        let own = all.iter().filter(|one| {
            one["participantType"] == OWNER && !NOT.iter().any(|kind| one["type"] == *kind)
        });
        Ok(own.filter_map(|one| owned(one, "token", "displayName")).collect())
    }

    /// The teams that the account owns.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub async fn teams(&self) -> Result<Vec<Owned>, Error> {
        let path = ["apps", "circles", "circles"];
        let all: Vec<Value> = self.read(&path, &[]).await?;
        let own = all.iter().filter(|one| one["owner"]["userId"] == self.acting.uid());
        Ok(own.filter_map(|one| owned(one, "id", "displayName")).collect())
    }
}

/// An account as Deck and Polls write it: its name, or an object with it.
fn owner<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(uid) => uid,
        Value::Object(map) => {
            let named = ["uid", "userId", "id"].iter().find_map(|key| map.get(*key)?.as_str());
            named.unwrap_or_default().to_owned()
        }
        _ => String::new(),
    })
}

fn owned(value: &Value, id: &str, title: &str) -> Option<Owned> {
    let id = match value.get(id)? {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let title = value.get(title).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Owned { id, title })
}
