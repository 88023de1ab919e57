//! Addresses that may be opened by whoever holds them, for a while: what a page puts into
//! `<img src>`, where no header can be sent along.
//!
//! ```text
//!   /files/<hash>?id=<attachment>[&form=thumbnail]&expires=<seconds>&signature=<hmac>
//! ```

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::{Attachment, AttachmentId, Hash};

/// In front of the hash.
pub(super) const PREFIX: &str = "/files/";
/// Names what is signed, so that no other use of the key could be taken for it.
const PURPOSE: &[u8] = b"gatehouse attachment 1\n";

/// Which form of an attachment is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// As it was uploaded.
    Whole,
    /// The small form of a picture.
    Thumbnail,
}

/// What an address says, once its signature has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Whose bytes.
    pub hash: Hash,
    /// Which attachment, of those that have these bytes.
    pub id: AttachmentId,
    /// In which form.
    pub variant: Variant,
    /// Until when it is good, in seconds since 1970.
    pub expires: u64,
}

/// Signs addresses and checks them.
#[derive(Debug)]
pub(super) struct Signer {
    key: hmac::Key,
    /// Seconds for which an address is good at least.
    lifetime: u64,
}

impl Signer {
    pub(super) fn new(secret: &[u8], lifetime: u64) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            lifetime: lifetime.max(1),
        }
    }

    /// Until when an address is good that is given out now, in seconds since 1970. It is the same
    /// for half of a lifetime, so that caches know an address that is given out again.
    pub(super) fn expiry(&self, now: u64) -> u64 {
        let step = self.lifetime.div_ceil(2);
        (now + self.lifetime).next_multiple_of(step)
    }

    /// The address of an attachment, path and query.
    pub(super) fn address(&self, of: &Attachment, variant: Variant, expires: u64) -> String {
        let address = Address {
            hash: of.hash,
            id: of.id,
            variant,
            expires,
        };
        let signature = hmac::sign(&self.key, &signed(&address));
        format!(
            "{PREFIX}{}?id={}{}&expires={expires}&signature={}",
            of.hash,
            of.id.0,
            match variant {
                Variant::Whole => "",
                Variant::Thumbnail => "&form=thumbnail",
            },
            URL_SAFE_NO_PAD.encode(signature)
        )
    }

    /// What an address says; `None` if we have not signed it or it has expired.
    pub(super) fn check(&self, path: &str, query: &str, now: u64) -> Option<Address> {
        let field = |name: &str| {
            let mut values = query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .filter(|(known, _)| *known == name);
            // Of a field that is there twice, somebody else may have read the other.
            values.next().filter(|_| values.next().is_none())
        };
        let value = |name| field(name).map(|(_, value)| value);
        let address = Address {
            hash: path.strip_prefix(PREFIX)?.parse().ok()?,
            id: AttachmentId(value("id")?.parse().ok()?),
            variant: match value("form") {
                None => Variant::Whole,
                Some("thumbnail") => Variant::Thumbnail,
                Some(_) => return None,
            },
            expires: value("expires")?.parse().ok()?,
        };
        let signature = URL_SAFE_NO_PAD.decode(value("signature")?).ok()?;
        hmac::verify(&self.key, &signed(&address), &signature).ok()?;
        (now < address.expires).then_some(address)
    }
}

/// The bytes that a signature is of. All fields have a length of their own, so that no two
/// addresses have the same.
fn signed(address: &Address) -> Vec<u8> {
    let variant = match address.variant {
        Variant::Whole => 0,
        Variant::Thumbnail => 1,
    };
    let mut signed = PURPOSE.to_vec();
    signed.extend_from_slice(&address.hash.0);
    signed.extend_from_slice(&address.id.0.to_be_bytes());
    signed.push(variant);
    signed.extend_from_slice(&address.expires.to_be_bytes());
    signed
}

#[cfg(test)]
mod tests {
    use common::UserId;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn attachment() -> Attachment {
        Attachment {
            id: AttachmentId(7),
            owner: UserId(1),
            hash: Hash([0xab; 32]),
            name: "a.png".to_owned(),
            media_type: "image/png".to_owned(),
            bytes: 1,
            pixels: None,
            thumbnail: true,
            created_ms: 0,
        }
    }

    fn check(signer: &Signer, address: &str, now: u64) -> Option<Address> {
        let (path, query) = address.split_once('?')?;
        signer.check(path, query, now)
    }

    #[test]
    fn an_address_is_good_until_it_expires() {
        let signer = Signer::new(b"secret", 3_600);
        let expires = signer.expiry(NOW);
        assert!((NOW + 3_600..=NOW + 5_400).contains(&expires));
        for variant in [Variant::Whole, Variant::Thumbnail] {
            let address = signer.address(&attachment(), variant, expires);
            let read = check(&signer, &address, expires - 1).expect("it is good");
            assert_eq!((read.id, read.variant), (AttachmentId(7), variant));
            assert_eq!(check(&signer, &address, expires), None);
        }
    }

    #[test]
    fn nothing_in_an_address_can_be_changed() {
        let signer = Signer::new(b"secret", 3_600);
        let address = signer.address(&attachment(), Variant::Whole, signer.expiry(NOW));
        let good = check(&signer, &address, NOW);
        assert!(good.is_some());
        for at in PREFIX.len()..address.len() {
            for other in [b'0', b'1', b'a', b'b', b'A', b'&'] {
                let mut changed = address.clone().into_bytes();
                changed[at] = other;
                let changed = String::from_utf8(changed).expect("ASCII");
                if changed != address {
                    let read = check(&signer, &changed, NOW);
                    // The last digit of base64 has bits that stand for nothing.
                    assert!(read.is_none() || read == good, "{changed}");
                }
            }
        }
        for beside in ["&id=8", "&form=thumbnail", "&expires=99999999999"] {
            assert_eq!(check(&signer, &format!("{address}{beside}"), NOW), None);
        }
        let other = Signer::new(b"another", 3_600);
        assert_eq!(check(&other, &address, NOW), None);
    }
}
