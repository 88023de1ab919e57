//! Negotiation of permessage-deflate: what stands in `Sec-WebSocket-Extensions` (RFC 6455 section
//! 9.1, RFC 7692 sections 5 and 7.1).

/// The registered name of the extension (RFC 7692 section 7).
const NAME: &str = "permessage-deflate";
const SERVER_NO_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_BITS: &str = "server_max_window_bits";
const CLIENT_BITS: &str = "client_max_window_bits";

/// The window of whoever is not told to use a smaller one, as a power of two (RFC 1951 section 2).
pub(super) const WINDOW_BITS_MAX: u8 = 15;
/// The smallest window that the RFC knows, 256 bytes.
const WINDOW_BITS_MIN: u8 = 8;
/// The smallest window that zlib compresses with: a raw stream with one of 256 bytes it refuses.
pub(super) const DEFLATE_BITS_MIN: u8 = 9;

/// The parameters of one offer of the extension, or of the answer to it (RFC 7692 section 7.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeflateParams {
    /// The server compresses each message by itself.
    pub server_no_context_takeover: bool,
    /// The client compresses each message by itself.
    pub client_no_context_takeover: bool,
    /// Largest window of the server's compressor, 8 to 15.
    pub server_max_window_bits: Option<u8>,
    /// Largest window of the client's compressor, 8 to 15. In an offer, its presence says that the
    /// answer may restrict the client further; a parameter without a value stands for 15.
    pub client_max_window_bits: Option<u8>,
}

impl DeflateParams {
    /// The first offer in one field's value that a server can accept.
    ///
    /// Offers of other extensions, those with parameters or values that the RFC does not know, and
    /// those with a window that our compressor cannot keep to are passed over. What is not a list
    /// of extensions at all ends the search.
    pub(super) fn first_offer(value: &[u8]) -> Option<Self> {
        let mut list = List(value);
        while let Some(element) = list.next_element() {
            if let Some(params) = element.ok()?
                && params
                    .server_max_window_bits
                    .is_none_or(|bits| bits >= DEFLATE_BITS_MIN)
            {
                return Some(params.0);
            }
        }
        None
    }

    /// Reads a server's answer to this offer out of the values of all its fields. `Err` if it
    /// accepts what was not offered, or not as it was offered (RFC 7692 sections 5.1 and 7.1).
    pub(super) fn check_answer<'a>(
        &self,
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, BadExtension> {
        let mut answer = None;
        for value in values {
            let mut list = List(value);
            while let Some(element) = list.next_element() {
                let params = element?.filter(|params| !params.1).ok_or(BadExtension)?.0;
                if answer.replace(params).is_some() {
                    return Err(BadExtension);
                }
            }
        }
        let Some(params) = answer else {
            return Ok(None);
        };
        let server_bits_kept = self.server_max_window_bits.is_none_or(|offered| {
            params
                .server_max_window_bits
                .is_some_and(|bits| bits <= offered)
        });
        let client_bits_offered = params
            .client_max_window_bits
            .is_none_or(|bits| self.client_max_window_bits.is_some_and(|max| bits <= max));
        let takeover_kept = params.server_no_context_takeover || !self.server_no_context_takeover;
        if server_bits_kept && client_bits_offered && takeover_kept {
            Ok(Some(params))
        } else {
            Err(BadExtension)
        }
    }

    /// Appends the header line of an offer.
    pub(super) fn write_offer(&self, out: &mut Vec<u8>) {
        self.write(self.client_max_window_bits == Some(WINDOW_BITS_MAX), out);
    }

    /// Appends the header line of an answer.
    pub(super) fn write_answer(&self, out: &mut Vec<u8>) {
        self.write(false, out);
    }

    fn write(&self, bare_client_bits: bool, out: &mut Vec<u8>) {
        let mut put = |parts: &[&str]| {
            for part in parts {
                out.extend_from_slice(part.as_bytes());
            }
        };
        put(&["Sec-WebSocket-Extensions: ", NAME]);
        if self.server_no_context_takeover {
            put(&["; ", SERVER_NO_TAKEOVER]);
        }
        if self.client_no_context_takeover {
            put(&["; ", CLIENT_NO_TAKEOVER]);
        }
        if let Some(bits) = self.server_max_window_bits {
            put(&["; ", SERVER_BITS, "=", digits(bits)]);
        }
        match self.client_max_window_bits {
            Some(_) if bare_client_bits => put(&["; ", CLIENT_BITS]),
            Some(bits) => put(&["; ", CLIENT_BITS, "=", digits(bits)]),
            None => {}
        }
        put(&["\r\n"]);
    }
}

/// Windows as they are written.
fn digits(bits: u8) -> &'static str {
    const DIGITS: [&str; 8] = ["8", "9", "10", "11", "12", "13", "14", "15"];
    DIGITS[usize::from(bits.clamp(WINDOW_BITS_MIN, WINDOW_BITS_MAX) - WINDOW_BITS_MIN)]
}

/// What stands in the field is no list of extensions, or no answer to what was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadExtension;

/// An element of the list: the parameters of permessage-deflate, and whether its
/// `client_max_window_bits` came without a value, which only an offer may do.
struct Element(DeflateParams, bool);

impl std::ops::Deref for Element {
    type Target = DeflateParams;

    fn deref(&self) -> &DeflateParams {
        &self.0
    }
}

/// The rest of a comma-separated list of extensions.
struct List<'a>(&'a [u8]);

impl<'a> List<'a> {
    /// The next element of the list; `None` within it for one that is not permessage-deflate as
    /// the RFC defines it.
    fn next_element(&mut self) -> Option<Result<Option<Element>, BadExtension>> {
        // Empty elements are passed over (RFC 9110 section 5.6.1).
        while self.eat(b',') {}
        (!self.0.is_empty()).then(|| self.element())
    }

    fn element(&mut self) -> Result<Option<Element>, BadExtension> {
        let known = self.token()?.eq_ignore_ascii_case(NAME.as_bytes());
        let mut element = Some(Element(DeflateParams::default(), false)).filter(|_| known);
        while self.eat(b';') {
            let name = self.token()?;
            let value = if self.eat(b'=') {
                Some(self.value()?)
            } else {
                None
            };
            element = element.and_then(|element| element.with(name, value));
        }
        if self.0.is_empty() || self.eat(b',') {
            Ok(element)
        } else {
            Err(BadExtension)
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.0 = self.0.trim_ascii_start();
        let Some(rest) = self.0.strip_prefix(&[byte]) else {
            return false;
        };
        self.0 = rest.trim_ascii_start();
        true
    }

    /// A token of RFC 9110 section 5.6.2.
    fn token(&mut self) -> Result<&'a [u8], BadExtension> {
        let len = self
            .0
            .iter()
            .position(|&byte| !is_token_byte(byte))
            .unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(len);
        self.0 = rest;
        if token.is_empty() {
            return Err(BadExtension);
        }
        Ok(token)
    }

    /// A token, or a quoted string that holds one (RFC 6455 section 9.1), as a number of one or two
    /// digits; 0, which no parameter takes, for anything else.
    fn value(&mut self) -> Result<u8, BadExtension> {
        if self.0.first() != Some(&b'"') {
            return Ok(number(self.token()?));
        }
        let mut inner = [0; 2];
        let mut len = 0;
        let mut at = 1;
        loop {
            let mut byte = *self.0.get(at).ok_or(BadExtension)?;
            match byte {
                b'"' => break,
                b'\\' => {
                    at += 1;
                    byte = *self.0.get(at).ok_or(BadExtension)?;
                }
                _ => {}
            }
            if let Some(place) = inner.get_mut(len) {
                *place = byte;
            }
            len += 1;
            at += 1;
        }
        self.0 = &self.0[at + 1..];
        Ok(inner.get(..len).map_or(0, number))
    }
}

impl Element {
    /// With one parameter more; `None` if there is no such parameter, or it was there already, or
    /// its value is none that it can have.
    fn with(mut self, name: &[u8], value: Option<u8>) -> Option<Self> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let bits = value.filter(|bits| (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(bits));
        let params = &mut self.0;
        let repeated = if is(SERVER_NO_TAKEOVER) && value.is_none() {
            std::mem::replace(&mut params.server_no_context_takeover, true)
        } else if is(CLIENT_NO_TAKEOVER) && value.is_none() {
            std::mem::replace(&mut params.client_no_context_takeover, true)
        } else if is(SERVER_BITS) && bits.is_some() {
            params.server_max_window_bits.replace(bits?).is_some()
        } else if is(CLIENT_BITS) && (bits.is_some() || value.is_none()) {
            self.1 = value.is_none();
            let bits = bits.unwrap_or(WINDOW_BITS_MAX);
            params.client_max_window_bits.replace(bits).is_some()
        } else {
            return None;
        };
        (!repeated).then_some(self)
    }
}

/// A decimal number of one or two digits without leading zeros; 0 for anything else.
fn number(text: &[u8]) -> u8 {
    match *text {
        [ones @ b'1'..=b'9'] => ones - b'0',
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9'] => 10 * (tens - b'0') + (ones - b'0'),
        _ => 0,
    }
}

const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.')
        || matches!(byte, b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: DeflateParams = DeflateParams {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_max_window_bits: None,
        client_max_window_bits: None,
    };

    #[test]
    fn the_first_good_offer_is_taken() {
        let both = DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            ..NONE
        };
        let server = |bits| DeflateParams {
            server_max_window_bits: Some(bits),
            ..NONE
        };
        let client = |bits| DeflateParams {
            client_max_window_bits: Some(bits),
            ..NONE
        };
        for (value, taken) in [
            ("permessage-deflate", NONE),
            ("PerMessage-Deflate", NONE),
            ("x-webkit-deflate-frame, permessage-deflate", NONE),
            (", ,permessage-deflate ,", NONE),
            // What browsers send.
            ("permessage-deflate; client_max_window_bits", client(15)),
            // The examples of RFC 7692 sections 5.2 and 7.1.3.
            (
                "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
                 permessage-deflate; client_max_window_bits",
                DeflateParams {
                    client_max_window_bits: Some(15),
                    ..server(10)
                },
            ),
            (
                "permessage-deflate;server_no_context_takeover;client_no_context_takeover",
                both,
            ),
            (
                "permessage-deflate ; SERVER_NO_CONTEXT_TAKEOVER\t; Client_No_Context_Takeover",
                both,
            ),
            ("permessage-deflate; server_max_window_bits=9", server(9)),
            (
                "permessage-deflate; server_max_window_bits = 15",
                server(15),
            ),
            (
                r#"permessage-deflate; server_max_window_bits="10""#,
                server(10),
            ),
            (
                r#"permessage-deflate; server_max_window_bits="1\2""#,
                server(12),
            ),
            ("permessage-deflate; client_max_window_bits=8", client(8)),
            (
                r#"permessage-deflate; client_max_window_bits="11""#,
                client(11),
            ),
            // What comes before is no offer that can be accepted.
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate",
                NONE,
            ),
            (
                "permessage-deflate; unknown, permessage-deflate; server_max_window_bits=11",
                server(11),
            ),
            (
                r#"foo; bar="a,b;permessage-deflate", permessage-deflate"#,
                NONE,
            ),
        ] {
            let offer = DeflateParams::first_offer(value.as_bytes());
            assert_eq!(offer, Some(taken), "{value}");
        }
    }

    #[test]
    fn offers_that_are_declined() {
        for value in [
            "",
            ",",
            "permessage-bzip2",
            "permessage-deflate2",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover=\"\"",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=7",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=010",
            "permessage-deflate; server_max_window_bits=100",
            "permessage-deflate; server_max_window_bits=1a",
            "permessage-deflate; server_max_window_bits=\"1 0\"",
            "permessage-deflate; client_max_window_bits=0",
            "permessage-deflate; client_max_window_bits=16",
            // No list at all, whatever stands behind.
            "permessage-deflate client_max_window_bits",
            "permessage-deflate;",
            "permessage-deflate; server_max_window_bits=\"10",
            "=, permessage-deflate",
        ] {
            let offer = DeflateParams::first_offer(value.as_bytes());
            assert_eq!(offer, None, "{value}");
        }
    }

    fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        let text = String::from_utf8(out).expect("a header line is text");
        let value = text
            .strip_prefix("Sec-WebSocket-Extensions: ")
            .and_then(|rest| rest.strip_suffix("\r\n"));
        value.expect("a header line").to_owned()
    }

    #[test]
    fn what_is_written_is_read() {
        let takeovers = [(false, false), (false, true), (true, false), (true, true)];
        for (server, client) in takeovers {
            for server_bits in std::iter::once(None).chain((9..=15).map(Some)) {
                for client_bits in std::iter::once(None).chain((8..=15).map(Some)) {
                    let params = DeflateParams {
                        server_no_context_takeover: server,
                        client_no_context_takeover: client,
                        server_max_window_bits: server_bits,
                        client_max_window_bits: client_bits,
                    };
                    let offer = line(|out| params.write_offer(out));
                    assert_eq!(
                        DeflateParams::first_offer(offer.as_bytes()),
                        Some(params),
                        "{offer}"
                    );
                    let answer = line(|out| params.write_answer(out));
                    assert_eq!(
                        params.check_answer([answer.as_bytes()].into_iter()),
                        Ok(Some(params)),
                        "{answer}"
                    );
                }
            }
        }
        let browser = DeflateParams {
            client_max_window_bits: Some(15),
            ..NONE
        };
        assert_eq!(
            line(|out| browser.write_offer(out)),
            "permessage-deflate; client_max_window_bits"
        );
    }

    #[test]
    fn answers_are_held_to_the_offer() {
        let offer = DeflateParams {
            server_no_context_takeover: true,
            client_no_context_takeover: false,
            server_max_window_bits: Some(12),
            client_max_window_bits: Some(15),
        };
        let good = "permessage-deflate; server_no_context_takeover; server_max_window_bits=12";
        let check = |offer: DeflateParams, fields: &[&str]| {
            offer.check_answer(fields.iter().map(|field| field.as_bytes()))
        };
        assert_eq!(check(offer, &[]), Ok(None));
        assert_eq!(check(offer, &[","]), Ok(None));
        for more in [
            "",
            "; client_no_context_takeover",
            "; client_max_window_bits=8",
            "; client_max_window_bits=15",
        ] {
            let answer = format!("{good}{more}");
            assert!(matches!(check(offer, &[&answer]), Ok(Some(_))), "{answer}");
        }
        // A server may use a smaller window than it was asked to, also without being asked.
        let smaller = good.replace("12", "8");
        assert!(matches!(check(offer, &[&smaller]), Ok(Some(_))));
        let unasked = "permessage-deflate; server_max_window_bits=10";
        assert!(matches!(check(NONE, &[unasked]), Ok(Some(_))));

        for answer in [
            "permessage-deflate",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_max_window_bits=12",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=13",
            "permessage-bzip2",
            "garbage in",
        ] {
            assert_eq!(check(offer, &[answer]), Err(BadExtension), "{answer}");
        }
        for more in [
            "; client_max_window_bits",
            "; client_max_window_bits=16",
            "; server_no_context_takeover",
            "; unknown",
            ", permessage-deflate",
            ", x",
        ] {
            let answer = format!("{good}{more}");
            assert_eq!(check(offer, &[&answer]), Err(BadExtension), "{answer}");
        }
        assert_eq!(check(offer, &[good, good]), Err(BadExtension));
        let restricts = "permessage-deflate; client_max_window_bits=10";
        assert_eq!(check(NONE, &[restricts]), Err(BadExtension));
    }
}
