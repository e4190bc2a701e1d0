//! What a page shows when it asks for progress: that it is a page of one person of one site.
//!
//! A token names the person only as a number that nobody can make without the key, which is also how
//! the store knows the person. It is in a page that only this person gets, and ends after half a day;
//! every page has a new one.

use std::time::{Duration, SystemTime};

use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// How long a token opens.
const LIFE: Duration = Duration::from_secs(12 * 3600);

/// Bytes of a person's number and of a signature.
const BYTES: usize = 16;

/// Signs and checks tokens. Replicas have to share it.
pub struct Key(hmac::Key);

/// A person of a site, without a name.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Person(String);

// === impl Key ===

impl Key {
    /// A key of 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// One that ends with the process.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Self::new(&secret))
    }

    /// A token for a person, from now on.
    #[must_use]
    pub fn sign(&self, tenant: &str, user: &str) -> String {
        self.sign_until(tenant, user, SystemTime::now() + LIFE)
    }

    fn sign_until(&self, tenant: &str, user: &str, end: SystemTime) -> String {
        let person = BASE64.encode(self.mac(&["person", tenant, user]));
        let end = end.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let end = format!("{end:x}");
        let mac = BASE64.encode(self.mac(&["token", tenant, &person, &end]));
        format!("1.{person}.{end}.{mac}")
    }

    /// Who shows a token; `None` if it is none of this site, or has ended.
    #[must_use]
    pub fn check(&self, tenant: &str, token: &str) -> Option<Person> {
        if token.len() > 128 {
            return None;
        }
        let parts: Vec<&str> = token.split('.').collect();
        let ["1", person, end, mac] = parts[..] else { return None };
        let expected = self.mac(&["token", tenant, person, end]);
        constant_time::verify_slices_are_equal(&BASE64.decode(mac).ok()?, &expected).ok()?;
        let end = Duration::from_secs(u64::from_str_radix(end, 16).ok()?);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (now < end).then(|| Person(person.to_owned()))
    }

    /// Each part with its length, so that no two lists are the same bytes.
    fn mac(&self, parts: &[&str]) -> [u8; BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut mac = [0; BYTES];
        mac.copy_from_slice(&context.sign().as_ref()[..BYTES]);
        mac
    }
}

impl Person {
    /// The number, as the store has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_site_and_one_person() {
        let key = Key::new(&[1; 32]);
        let alice = key.check("a", &key.sign("a", "alice")).unwrap();
        assert_eq!(key.check("a", &key.sign("a", "alice")), Some(alice.clone()));
        assert_ne!(key.check("a", &key.sign("a", "bob")), Some(alice.clone()));
        assert_ne!(key.check("b", &key.sign("b", "alice")), Some(alice));
        assert_eq!(key.check("b", &key.sign("a", "alice")), None);
        assert_eq!(Key::new(&[2; 32]).check("a", &key.sign("a", "alice")), None);
        assert!(!key.sign("a", "alice").contains("alice"));
    }

    #[test]
    fn a_token_ends() {
        let key = Key::new(&[1; 32]);
        let past = SystemTime::now() - Duration::from_secs(1);
        assert_eq!(key.check("a", &key.sign_until("a", "alice", past)), None);
    }

    #[test]
    fn a_changed_token_opens_nothing() {
        let key = Key::new(&[1; 32]);
        let token = key.sign("a", "alice");
        for at in 0..token.len() {
            let mut other = token.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            // The last digit of base64 has spare bits, which are refused, too.
            assert_eq!(key.check("a", &other), None, "{other}");
        }
        for bad in ["", ".", "1...", "1.a.b.c", &"1.".repeat(200)] {
            assert_eq!(key.check("a", bad), None, "{bad}");
        }
    }
}
