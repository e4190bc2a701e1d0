//! Where a secret is, and how it is read.
//!
//! Files of settings are copied, shown and put into version control, so no secret stands in them:
//! they say in which file, environment variable or systemd credential it is. It is read when it is
//! needed, kept in a type that does not show itself, and never part of an error.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use super::checked::SecretSource;

/// What is longer is no secret but a mistake.
const MAX_BYTES: u64 = 64 << 10;
/// The environment variables that may hold secrets begin with this.
pub(super) const PREFIX: &str = "PASSEUR_";

/// Why a secret cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(SecretSource),
    /// It is not text.
    #[error("{0} is not UTF-8")]
    NotText(SecretSource),
    /// The file of it cannot be read.
    #[error("failed to read {from}")]
    Read {
        /// Where it should be.
        from: SecretSource,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is longer than any secret.
    #[error("{0} is longer than 64 KiB")]
    TooLong(SecretSource),
    /// The environment variable is not there.
    #[error("{0} is not set")]
    Unset(SecretSource),
}

// === impl SecretSource ===

impl SecretSource {
    /// Reads the secret, without the line end that editors leave.
    ///
    /// # Errors
    /// If it is not there, is empty, or is no text.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            SecretSource::Env(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(std::env::VarError::NotPresent) => {
                    return Err(SecretError::Unset(self.clone()));
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(SecretError::NotText(self.clone()));
                }
            },
            SecretSource::File(path) => self.read_file(path)?,
            SecretSource::Kept(kept) => kept.secret.expose_secret().to_owned(),
            SecretSource::Credential(_) => match self.path() {
                Some(path) => self.read_file(&path)?,
                None => return Err(SecretError::Unset(self.clone())),
            },
        };
        let secret = text.trim_end_matches(['\r', '\n']);
        match secret.is_empty() {
            true => Err(SecretError::Empty(self.clone())),
            false => Ok(SecretString::from(secret)),
        }
    }

    /// The file that holds it, if one does.
    pub(super) fn path(&self) -> Option<PathBuf> {
        match self {
            SecretSource::File(path) => Some(path.clone()),
            SecretSource::Credential(name) => {
                Some(Path::new(&std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name))
            }
            SecretSource::Env(_) | SecretSource::Kept(_) => None,
        }
    }

    fn read_file(&self, path: &Path) -> Result<String, SecretError> {
        let failed = |source| SecretError::Read { from: self.clone(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(SecretError::TooLong(self.clone()));
        }
        String::from_utf8(bytes).map_err(|_| SecretError::NotText(self.clone()))
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SecretSource::Credential(name) => write!(f, "credential {name}"),
            SecretSource::Env(name) => write!(f, "environment variable {name}"),
            SecretSource::File(path) => write!(f, "{}", path.display()),
            SecretSource::Kept(kept) => write!(f, "the secret of {}", kept.key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_without_its_line_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, " a b \r\n").expect("a file");
        let source = SecretSource::File(path.clone());
        let secret = source.read().expect("a secret");
        assert_eq!(secret.expose_secret(), " a b ");
        assert!(!format!("{secret:?}").contains("a b"));
        std::fs::write(&path, "\n").expect("a file");
        assert!(matches!(source.read(), Err(SecretError::Empty(_))));
        std::fs::write(&path, b"\xff").expect("a file");
        assert!(matches!(source.read(), Err(SecretError::NotText(_))));
        std::fs::write(&path, vec![b'x'; 65_537]).expect("a file");
        assert!(matches!(source.read(), Err(SecretError::TooLong(_))));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let source = SecretSource::Env("PASSEUR_NO_SUCH_VARIABLE".to_owned());
        let error = source.read().expect_err("no variable");
        assert_eq!(error.to_string(), "environment variable PASSEUR_NO_SUCH_VARIABLE is not set");
        let source = SecretSource::File("/nonexistent/token".into());
        assert_eq!(
            source.read().expect_err("no file").to_string(),
            "failed to read /nonexistent/token"
        );
    }
}
