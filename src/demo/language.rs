//! The language of pages: the first of the browser's that is known, as in the original when the
//! account has chosen none. Words that pages show most are there in French, too; the rest is English.

use super::http::Ask;

/// Languages in which a page may call itself.
const KNOWN: [&str; 7] = ["en", "fr", "de", "es", "it", "pt", "ar"];

/// English and French.
const WORDS: [(&str, &str); 28] = [
    ("Accounts", "Comptes"),
    ("All files", "Tous les fichiers"),
    ("Calendar", "Agenda"),
    ("Contacts", "Contacts"),
    ("Customize", "Personnaliser"),
    ("Dashboard", "Tableau de bord"),
    ("Deleted files", "Fichiers supprimés"),
    ("Favorites", "Favoris"),
    ("Files", "Fichiers"),
    ("Files settings", "Paramètres des fichiers"),
    ("Hello", "Bonjour"),
    ("Log out", "Se déconnecter"),
    ("Modified", "Modifié"),
    ("Name", "Nom"),
    ("New", "Nouveau"),
    ("New folder", "Nouveau dossier"),
    ("Owner", "Propriétaire"),
    ("Personal files", "Fichiers personnels"),
    ("Recent", "Récents"),
    ("Recent files", "Fichiers récents"),
    ("Settings", "Paramètres"),
    ("Shares", "Partages"),
    ("Size", "Taille"),
    ("Tags", "Étiquettes"),
    ("Type", "Type"),
    ("Upcoming events", "Événements à venir"),
    ("Upload files", "Téléverser des fichiers"),
    ("used", "utilisés"),
];

/// One of the known languages.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Language(&'static str);

impl Default for Language {
    fn default() -> Self {
        Self("en")
    }
}

impl Language {
    /// The first known one of `Accept-Language`, whose order is taken as the wish; English if none.
    pub(super) fn of(ask: &Ask) -> Self {
        Self::first(ask.header("accept-language").unwrap_or_default())
    }

    fn first(accepted: &str) -> Self {
        let base = |tag: &str| tag.split(['-', ';']).next().unwrap_or_default().trim().to_owned();
        let mut wanted = accepted.split(',').map(base);
        let known =
            wanted.find_map(|tag| KNOWN.into_iter().find(|one| one.eq_ignore_ascii_case(&tag)));
        Self(known.unwrap_or("en"))
    }

    /// For `lang`.
    pub(super) fn code(self) -> &'static str {
        self.0
    }

    /// For `dir`.
    pub(super) fn direction(self) -> &'static str {
        if self.0 == "ar" { "rtl" } else { "ltr" }
    }

    /// The English words in this language, or as they are.
    pub(super) fn say(self, english: &'static str) -> &'static str {
        let known = WORDS.iter().find(|(word, _)| self.0 == "fr" && *word == english);
        known.map_or(english, |(_, french)| french)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_known_language() {
        for (accepted, code) in
            [("", "en"), ("fr-FR,fr;q=0.9,en;q=0.8", "fr"), ("nl, DE;q=0.5", "de"), ("*", "en")]
        {
            assert_eq!(Language::first(accepted).code(), code, "{accepted}");
        }
        assert_eq!(Language::first("fr").say("Files"), "Fichiers");
        assert_eq!(Language::first("de").say("Files"), "Files");
    }
}
