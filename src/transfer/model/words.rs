//! The sentences that plans and receipts say to people, each once, so that a page can translate
//! them by the sentence itself. Where a value belongs to one, it stands behind it, after a colon.

/// A sentence with the values that belong to it.
#[must_use]
pub fn with(sentence: &str, values: impl std::fmt::Display) -> String {
    format!("{sentence}: {values}")
}

macro_rules! words {
    ($($name:ident = $text:literal;)*) => {
        $(#[doc = $text] pub const $name: &str = $text;)*

        /// All of them, to be translated.
        pub const ALL: &[&str] = &[$($name),*];
    };
}

words! {
    // What is kept.
    NAME = "name";
    NAMES = "names";
    CONTENTS = "contents";
    TIMES = "times";
    FILE_IDS = "file ids";
    VERSIONS = "versions";
    VERSIONS_REPLAYED = "versions, as far as the rules of the recipient's instance keep them";
    TAGS = "tags";
    COMMENTS = "comments";
    FAVOURITES = "favourites";
    PROPERTIES = "custom properties";
    ETAGS = "etags";
    COLOUR = "colour";
    REMINDERS = "reminders";
    EVERYTHING = "everything in it";
    SHARES = "shares";
    PUBLIC_LINK = "public link";
    SYNC_TOKEN = "sync token";

    // What is lost.
    SHARES_AND_LINKS = "shares and links";
    STAYS_MEMBER = "the source stays a member of the board";
    SOURCE_CANNOT_SEE = "the source does not see it any more, unless it is shared with it";
    RESULT_FILE = "a file that its results are written to stays where it is";
    PROPERTIES_AND_REMINDERS = "custom properties and reminders of the source";
    SHARES_REMADE = "some shares are made again: links may get another address";
    DELETED_EVENTS = "deleted events that wait in the trash bin";
    BIRTHDAYS = "birthdays follow when the instance makes them anew";
    NEW_ADDRESS = "who it is shared with sees it at a new address";
    NEW_LINK = "the public link gets a new address";

    // Why an engine.
    ELSEWHERE = "another instance: everything has to be carried";
    ASKED_FOR = "asked for";
    CANNOT = "the engine that was asked for cannot do it";
    BY_THE_INSTANCE =
        "the instance moves the files itself: ids and versions stay, nothing is carried";
    BY_THE_DATABASE = "the database is at hand: everything stays, shares and link too";
    BY_ITS_APP = "its app gives it to another account";
    OBJECT_BY_OBJECT = "each object of it is moved by the instance itself";

    // Why something stays.
    BY_PATTERN = "a pattern of the request says so";
    TALK_BY_HAND = "conversations of Talk are handed over by an admin on the server: occ \
                    talk:user:transfer-ownership SOURCE RECIPIENT";
    TEAMS_BY_HAND = "teams are handed over by their owner in the app Contacts, or by an admin on \
                     the server: occ circles:members:level TEAM MEMBER owner";
    APPLICATIONS_BY_HAND = "applications of Tables are handed over by their owner, in the app";
    APP_UNREADABLE = "the app did not say what the source has in it";
    NAME_TAKEN = "the recipient has something of that name";

    // Warnings.
    MANY_STAY = "only the first of the things that stay are named; there are";
    DECLINED = "a second person declined it";
    LOCKED = "it is locked, and waits until that is over";
    NO_FILES = "there are no files to hand over";
    NATIVE_WAITS = "the instance hands the files over when it runs its background jobs, which may \
                    take an hour or longer";
    PER_HOUR = "the instance may let an account make only ten of them in an hour, and the transfer \
                waits";
    MEETINGS_GO = "future meetings with guests get the recipient as their organiser, and nobody is \
                   mailed";
    MEETINGS_STAY = "future meetings with guests keep the source as their organiser, and nobody is \
                     mailed";
    SHARE_ABOVE = "the recipient sees it already by a share of a folder above it, which stays";
    LINK_AGAIN = "it was made again when this was undone, at another address: Nextcloud gives the \
                  old one back only where the admin allows own addresses \
                  (shareapi_allow_custom_tokens)";
    DISABLED_SOURCE = "the source is disabled, so that its links and the shares within its folders \
                       cannot be listed: enable the account until the transfer is done, or give \
                       database access, to keep them";

    // What was compared.
    CHECKED_TOP = "id, etag and size of the whole, and how much is directly in it";
    CHECKED_MUCH = "number and size of all files: to the instance they are new ones";
    CHECKED_ARRIVAL =
        "names and sizes; the receiving instance named the checksum of everything that arrived";
    CHECKED_OWNER = "who owns it, as its app says";
    CHECKED_AGAIN = "names and sizes; everything was read again where it is now, and its checksum \
                     compared";
    CHECKED_SIZES = "names and sizes; of some the receiving instance named no checksum";

    // Notes on shares.
    AS_ASKED = "as was asked for";
    OLD_SHARE_IN_THE_WAY =
        "its former owner is disabled, so that the old share is in the way";
    BY_MAIL = "a share by mail would be mailed again";
    REMOTE = "a share to another instance would have to be accepted there again";
    OF_AN_APP = "only its app can make it";
    PASSWORD = "its password cannot be read: it has a new one that nobody knows, set another";
    NOT_RESHARED = "what others share with the source could not be shared with the recipient";
    NOT_REMADE = "it could not be made again";
    OLD_ADDRESS = "the old address shows the empty calendar of the source";
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_translates_every_sentence() {
        let page = include_str!("../../../web/admin/src/locales/sentences.json");
        let known: std::collections::HashMap<String, serde_json::Value> =
            serde_json::from_str(page).expect("the page's file is JSON");
        let untold: Vec<_> = super::ALL.iter().filter(|one| !known.contains_key(**one)).collect();
        assert!(untold.is_empty(), "not in web/admin/src/locales/sentences.json: {untold:?}");
    }

    #[test]
    fn every_sentence_stands_there_once() {
        let mut all = super::ALL.to_vec();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), super::ALL.len());
        assert!(all.iter().all(|one| !one.contains("  ")), "{all:?}");
    }
}
