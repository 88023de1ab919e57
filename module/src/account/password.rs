//! Passwords: what is one, and how it is kept.

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 6;
/// Most bytes of a password: hashing takes time by the byte.
pub const PASSWORD_BYTES_MAX: usize = 128;

/// What a hash costs. The default is the least that OWASP recommends for argon2id: 19 MiB and two
/// passes, some 20 ms on one core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
        }
    }
}

impl HashCost {
    fn hasher(self) -> Argon2<'static> {
        let params = Params::new(self.memory_kib, self.passes, 1, None).unwrap_or_default();
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }

    /// The hash of a password in the PHC form, with a salt of its own. For a thread that may block.
    #[must_use]
    pub fn hash(self, password: &str) -> String {
        let salt = SaltString::generate(&mut OsRng);
        self.hasher()
            .hash_password(password.as_bytes(), &salt)
            .expect("the salt has the right length")
            .to_string()
    }

    /// A hash that no password has, to be checked against where there is none: the answer takes as
    /// long as it does for a name that there is.
    #[must_use]
    pub fn hash_of_nobody(self) -> String {
        let salt = SaltString::generate(&mut OsRng);
        self.hash(salt.as_str())
    }
}

/// Whether the hash is that of the password. The cost is the one that it was made with. For a
/// thread that may block.
#[must_use]
pub fn matches(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    })
}

/// Whether it may be taken for a password.
#[must_use]
pub fn is_acceptable(password: &str) -> bool {
    password.len() <= PASSWORD_BYTES_MAX && password.chars().count() >= PASSWORD_CHARS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_of_one_password_and_never_the_same_twice() {
        let cost = HashCost {
            memory_kib: 64,
            passes: 1,
        };
        let hash = cost.hash("correct horse");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
        assert!(matches("correct horse", &hash));
        assert!(!matches("correct horse ", &hash));
        assert_ne!(cost.hash("correct horse"), hash);
        assert!(!matches("", &cost.hash_of_nobody()));
        assert!(!matches("correct horse", "no hash"));
    }

    #[test]
    fn passwords_have_a_least_and_a_greatest_length() {
        assert!(!is_acceptable("12345"));
        assert!(is_acceptable("密码密码密码"));
        assert!(is_acceptable(&"x".repeat(128)));
        assert!(!is_acceptable(&"x".repeat(129)));
    }
}
