//! Secrets at rest: AES-256-GCM with a key from a file that only Passeur reads.
//!
//! What is sealed carries the id of its key and is bound to a context (which row it belongs to), so
//! that a sealed password cannot be moved to another row. The file may hold several keys, one a
//! line: the first seals, all open, which is how keys are changed.

use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256};

/// Bytes of a key.
const KEY: usize = 32;
/// Bytes of a nonce.
const NONCE: usize = 12;

/// Why keys cannot be used, or something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The key file cannot be read or made.
    #[error("failed to use the key file {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others may read the key file.
    #[error("the key file {} can be read by others: chmod 600 it", .0.display())]
    Open(PathBuf),
    /// A line is no key.
    #[error("line {0} of the keys is not 32 bytes in base64")]
    Malformed(usize),
    /// There is no key at all.
    #[error("there is no key")]
    Empty,
    /// The key that sealed something is not there any more.
    #[error("the key {0} is missing from the key file")]
    UnknownKey(String),
    /// It was changed, or belongs to something else.
    #[error("a sealed secret was changed, or belongs elsewhere")]
    Changed,
    /// The system gives no randomness.
    #[error("failed to seal")]
    Failed,
}

/// Keys that seal and open.
pub struct Keys(Vec<(String, RandomizedNonceKey)>);

/// Something sealed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sealed {
    /// Which key opens it.
    pub key: String,
    /// Nonce, ciphertext, tag.
    pub bytes: Vec<u8>,
}

impl Keys {
    /// Reads the keys in a file; makes the file, with one key, if it is missing.
    ///
    /// # Errors
    /// If it cannot be read or made, is readable by others, or holds something else.
    pub fn at(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        match std::fs::File::open(path) {
            Ok(mut file) => {
                if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
                    return Err(Error::Open(path.to_owned()));
                }
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed)?;
                Self::read(&text.into())
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut key = [0; KEY];
                getrandom::fill(&mut key).map_err(|_| Error::Failed)?;
                let text = BASE64_STANDARD.encode(key) + "\n";
                let mut options = std::fs::OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600).open(path);
                let mut file = file.map_err(failed)?;
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
                Self::read(&text.into())
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Reads keys, one a line.
    ///
    /// # Errors
    /// If a line is no key, or there is none.
    pub fn read(text: &SecretString) -> Result<Self, Error> {
        let mut keys = Vec::new();
        for (index, line) in text.expose_secret().lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = || Error::Malformed(index + 1);
            let key = BASE64_STANDARD.decode(line).map_err(|_| malformed())?;
            let made = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(|_| malformed())?;
            keys.push((name(&key), made));
        }
        if keys.is_empty() { Err(Error::Empty) } else { Ok(Self(keys)) }
    }

    /// Seals for a context, e.g. `transfer/ID/credentials`; only the same context opens it.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Sealed, Error> {
        let (name, key) = self.0.first().ok_or(Error::Empty)?;
        let mut sealed = secret.to_vec();
        let nonce = key
            .seal_in_place_append_tag(Aad::from(context), &mut sealed)
            .map_err(|_| Error::Failed)?;
        let bytes = [nonce.as_ref().as_slice(), &sealed].concat();
        Ok(Sealed { key: name.clone(), bytes })
    }

    /// Opens what was sealed for the same context.
    ///
    /// # Errors
    /// If the key is missing, or what was sealed is not as it was.
    pub fn open(&self, context: &str, sealed: &Sealed) -> Result<SecretSlice<u8>, Error> {
        let key = self.0.iter().find(|(name, _)| *name == sealed.key);
        let (_, key) = key.ok_or_else(|| Error::UnknownKey(sealed.key.clone()))?;
        let (nonce, rest) = sealed.bytes.split_first_chunk::<NONCE>().ok_or(Error::Changed)?;
        let mut bytes = rest.to_vec();
        let length = key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut bytes)
            .map_err(|_| Error::Changed)?
            .len();
        bytes.truncate(length);
        Ok(bytes.into())
    }
}

impl super::Store {
    /// Seals a secret for a context, e.g. `transfer/ID/credentials`; only the same context opens it.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Result<Sealed, super::Error> {
        Ok(self.keys.seal(context, secret)?)
    }

    /// Opens what was sealed for the same context.
    ///
    /// # Errors
    /// If the key is missing, or what was sealed is not as it was.
    pub fn unseal(&self, context: &str, sealed: &Sealed) -> Result<SecretSlice<u8>, super::Error> {
        Ok(self.keys.open(context, sealed)?)
    }
}

/// A short name for a key, which says nothing about it.
fn name(key: &[u8]) -> String {
    let digest = Sha256::new().chain_update(b"passeur key id\0").chain_update(key).finalize();
    digest[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(keys: &Keys, context: &str, sealed: &Sealed) -> Result<Vec<u8>, Error> {
        keys.open(context, sealed).map(|secret| secret.expose_secret().to_vec())
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let keys = Keys::at(&path).expect("new keys");
        let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let sealed = keys.seal("job/1", b"secret").expect("sealed");
        assert!(!sealed.bytes.windows(6).any(|window| window == b"secret"));
        let again = Keys::at(&path).expect("the same keys");
        assert_eq!(opened(&again, "job/1", &sealed).expect("opened"), b"secret");
        assert!(matches!(opened(&again, "job/2", &sealed), Err(Error::Changed)));
        for index in 0..sealed.bytes.len() {
            let mut changed = sealed.clone();
            changed.bytes[index] ^= 1;
            assert!(matches!(opened(&again, "job/1", &changed), Err(Error::Changed)), "{index}");
        }
        let short = Sealed { bytes: vec![1, 2], ..sealed };
        assert!(matches!(opened(&again, "job/1", &short), Err(Error::Changed)));
    }

    #[test]
    fn an_older_key_still_opens() {
        let line = |byte: u8| BASE64_STANDARD.encode([byte; KEY]);
        let old = Keys::read(&line(1).into()).expect("keys");
        let sealed = old.seal("x", b"secret").expect("sealed");
        let both = Keys::read(&format!("# new\n{}\n{}\n", line(2), line(1)).into()).expect("keys");
        assert_eq!(opened(&both, "x", &sealed).expect("opened"), b"secret");
        assert_ne!(both.seal("x", b"").expect("sealed").key, sealed.key);
        let new = Keys::read(&line(2).into()).expect("keys");
        assert!(matches!(opened(&new, "x", &sealed), Err(Error::UnknownKey(_))));
    }

    #[test]
    fn bad_keys_are_named() {
        assert!(matches!(Keys::read(&"\n#\n".into()), Err(Error::Empty)));
        assert!(matches!(Keys::read(&"\nAAAA\n".into()), Err(Error::Malformed(2))));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        std::fs::write(&path, BASE64_STANDARD.encode([1; KEY])).expect("a file");
        let open = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(&path, open).expect("permissions");
        assert!(matches!(Keys::at(&path), Err(Error::Open(_))));
    }
}
