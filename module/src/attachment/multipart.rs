//! `multipart/form-data` taken apart as it comes (RFC 7578, RFC 2046 section 5.1): the one file in
//! it, and where that file's bytes are.
//!
//! ```text
//!   --boundary CRLF fields CRLF CRLF data CRLF --boundary CRLF … CRLF --boundary--
//!   Preamble ─▶ Mark ─▶ Fields ─▶ Data ─▶ Mark ─▶ … ─▶ Done
//! ```

use memchr::memmem;

/// Most bytes of the fields in front of a part.
const FIELDS_BYTES_MAX: usize = 8 * 1024;
/// Most bytes of a boundary (RFC 2046 section 5.1.1).
const BOUNDARY_BYTES_MAX: usize = 70;
/// Most bytes that are held between two pieces: of the fields of a part, and the mark behind them.
#[cfg(feature = "fuzz")]
pub(super) const HELD_BYTES_MAX: usize = FIELDS_BYTES_MAX + 4 + BOUNDARY_BYTES_MAX;

/// What is wrong with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FormError {
    /// Not as RFC 2046 says.
    #[error("the form is malformed")]
    Malformed,
    /// More than one file.
    #[error("an upload is one file")]
    SecondFile,
    /// None.
    #[error("there is no file in the form")]
    NoFile,
    /// The form breaks off.
    #[error("the form is not complete")]
    Incomplete,
}

/// What was found.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// The file begins, and is called so.
    Begin(String),
    /// The next bytes of it.
    Data(&'a [u8]),
}

/// Takes a form apart.
#[derive(Debug)]
pub(super) struct Form {
    /// What ends data: CRLF and the boundary.
    mark: Vec<u8>,
    /// What has come and is not dealt with: less than a mark, or the fields of a part.
    rest: Vec<u8>,
    state: State,
    has_file: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    Mark,
    Fields,
    Data { is_file: bool },
    Done,
}

impl Form {
    /// A form whose Content-Type is this; `None` if it is another type, or has no boundary.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let (kind, parameters) = content_type.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameter(parameters, "boundary")?;
        if !(1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()) {
            return None;
        }
        Some(Self {
            mark: format!("\r\n--{boundary}").into_bytes(),
            // The first mark may stand at the very front.
            rest: b"\r\n".to_vec(),
            state: State::Preamble,
            has_file: false,
        })
    }

    /// Takes the next piece, and gives what is in it of the file.
    pub(super) fn push<E: From<FormError>>(
        &mut self,
        piece: &[u8],
        mut found: impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut input = std::mem::take(&mut self.rest);
        input.extend_from_slice(piece);
        let mut at = 0;
        while let Some(taken) = self.step(&input[at..], &mut found)? {
            at += taken;
        }
        if self.state != State::Done {
            // A copy, since what is left is little and the piece may have been long.
            self.rest = input[at..].to_vec();
        }
        Ok(())
    }

    /// Whether the form has come to its end, with a file in it.
    pub(super) fn finish(&self) -> Result<(), FormError> {
        match (self.state, self.has_file) {
            (State::Done, true) => Ok(()),
            (State::Done, false) => Err(FormError::NoFile),
            _ => Err(FormError::Incomplete),
        }
    }

    #[cfg(feature = "fuzz")]
    pub(super) const fn held_bytes(&self) -> usize {
        self.rest.capacity() + self.mark.capacity()
    }

    /// Deals with what stands at the front; how many bytes that was, or `None` if more must come.
    fn step<E: From<FormError>>(
        &mut self,
        input: &[u8],
        found: &mut impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<Option<usize>, E> {
        match self.state {
            State::Preamble | State::Data { .. } => {
                let end = memmem::find(input, &self.mark);
                // The last bytes may be the beginning of a mark.
                let keep = self.mark.len() - 1;
                let data = end.unwrap_or_else(|| input.len().saturating_sub(keep));
                if self.state == (State::Data { is_file: true }) && data > 0 {
                    found(Part::Data(&input[..data]))?;
                }
                if end.is_some() {
                    self.state = State::Mark;
                    return Ok(Some(data + self.mark.len()));
                }
                Ok(Some(data).filter(|&data| data > 0))
            }
            State::Mark => match input {
                [b'\r', b'\n', ..] => {
                    self.state = State::Fields;
                    // The line end stays: a part without fields has nothing but an empty line.
                    Ok(Some(0))
                }
                [b'-', b'-', ..] => {
                    self.state = State::Done;
                    Ok(Some(2))
                }
                [] | [b'\r' | b'-'] => Ok(None),
                _ => Err(FormError::Malformed.into()),
            },
            State::Fields => {
                let window = &input[..input.len().min(FIELDS_BYTES_MAX)];
                let Some(end) = memmem::find(window, b"\r\n\r\n") else {
                    if window.len() == FIELDS_BYTES_MAX {
                        return Err(FormError::Malformed.into());
                    }
                    return Ok(None);
                };
                let name = file_name(&window[..end])?;
                let is_file = name.is_some();
                if let Some(name) = name {
                    if std::mem::replace(&mut self.has_file, true) {
                        return Err(FormError::SecondFile.into());
                    }
                    found(Part::Begin(name))?;
                }
                self.state = State::Data { is_file };
                Ok(Some(end + 4))
            }
            State::Done => Ok(None),
        }
    }
}

/// The file name in the fields of a part; `None` for a part that is no file.
fn file_name(fields: &[u8]) -> Result<Option<String>, FormError> {
    let fields = std::str::from_utf8(fields).map_err(|_| FormError::Malformed)?;
    let lines = fields.split("\r\n").filter(|line| !line.is_empty());
    let mut name = None;
    let mut is_part = false;
    for line in lines {
        let (field, value) = line.split_once(':').ok_or(FormError::Malformed)?;
        if !field.eq_ignore_ascii_case("content-disposition") {
            continue;
        }
        let (kind, parameters) = value.split_once(';').ok_or(FormError::Malformed)?;
        if is_part || !kind.trim().eq_ignore_ascii_case("form-data") {
            return Err(FormError::Malformed);
        }
        is_part = true;
        name = parameter(parameters, "filename").map(|name| {
            // What a browser cannot put between quotes (HTML, section 4.10.21.8).
            let name = name.replace("%22", "\"");
            super::name::cleaned(&name)
        });
    }
    match is_part {
        true => Ok(name),
        false => Err(FormError::Malformed),
    }
}

/// The value of a parameter, with or without quotes. In quotes a backslash only stands for itself
/// or in front of a quote: browsers send paths of Windows as they are.
fn parameter(mut text: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, rest) = text.split_once('=')?;
        let is_wanted = name.trim().eq_ignore_ascii_case(wanted);
        let rest = rest.trim_start();
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = closing_quote(quoted)?;
                (quoted[..end].replace("\\\"", "\""), &quoted[end + 1..])
            }
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim_end().to_owned(), &rest[end..])
            }
        };
        if is_wanted {
            return Some(value);
        }
        text = after.trim_start().strip_prefix(';')?;
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_closing = |&at: &usize| at == 0 || bytes[at - 1] != b'\\';
    // A name may end in a backslash, in front of which clients put no other.
    let last = || memchr::memrchr(b'"', bytes);
    memchr::memchr_iter(b'"', bytes)
        .find(is_closing)
        .or_else(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; charset=x; boundary=\"b-1\"";

    fn read(pieces: &[&[u8]]) -> Result<(String, Vec<u8>), FormError> {
        let mut form = Form::of(TYPE).expect("a form");
        let (mut name, mut data) = (String::new(), Vec::new());
        for piece in pieces {
            form.push(piece, |part| {
                match part {
                    Part::Begin(called) => name = called,
                    Part::Data(bytes) => data.extend_from_slice(bytes),
                }
                Ok::<_, FormError>(())
            })?;
        }
        form.finish()?;
        Ok((name, data))
    }

    fn part(fields: &str, data: &str) -> String {
        format!("--b-1\r\n{fields}\r\n\r\n{data}\r\n")
    }

    const FILE: &str = "content-disposition: form-data; name=\"file\"; \
                        filename=\"C:\\a %22.txt\"\r\nContent-Type: text/html";
    const FIELD: &str = "Content-Disposition: form-data; name=\"note\"";

    #[test]
    fn a_form_is_the_same_wherever_it_is_cut() {
        let data = "\r\n--b-\r\n--b\r-1\r\n\r\n-";
        let form = part(FIELD, "hello") + &part(FILE, data) + &part(FIELD, "") + "--b-1--\r\nend";
        let whole = Ok(("a \".txt".to_owned(), data.as_bytes().to_vec()));
        for at in 0..=form.len() {
            let (front, back) = form.as_bytes().split_at(at);
            assert_eq!(read(&[front, back]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = form.as_bytes().chunks(1).collect();
        assert_eq!(read(&bytes), whole);
        assert_eq!(read(&[b"preamble\r\n", form.as_bytes()]), whole);
    }

    #[test]
    fn a_name_is_what_clients_mean_by_it() {
        for (written, name) in [
            // curl and browsers, curl --form-escape, Internet Explorer.
            (r"a %22b%22.txt", "a \"b\".txt"),
            (r#"a \"b\".txt"#, "a \"b\".txt"),
            (r"C:\Users\ada\a.txt", "a.txt"),
            // A path that ends in a backslash has nothing behind it, but it is a file's.
            (r"end\", ""),
            ("", ""),
        ] {
            let fields = format!("content-disposition: form-data; filename=\"{written}\"");
            let form = part(&fields, "data") + "--b-1--";
            let read = read(&[form.as_bytes()]);
            assert_eq!(read, Ok((name.to_owned(), b"data".to_vec())), "{written}");
        }
    }

    #[test]
    fn a_file_may_be_empty() {
        let form = part(FILE, "") + "--b-1--";
        assert_eq!(
            read(&[form.as_bytes()]).map(|(_, data)| data),
            Ok(Vec::new())
        );
    }

    #[test]
    fn what_is_no_form_with_one_file_is_refused() {
        let long = part(
            &format!("{FILE}\r\nx: {}", "y".repeat(FIELDS_BYTES_MAX)),
            "",
        );
        for (form, error) in [
            (String::new(), FormError::Incomplete),
            (part(FILE, "data"), FormError::Incomplete),
            ("--b-1--".to_owned(), FormError::NoFile),
            (part(FIELD, "data") + "--b-1--", FormError::NoFile),
            (
                part(FILE, "1") + &part(FILE, "2") + "--b-1--",
                FormError::SecondFile,
            ),
            (part("nonsense", ""), FormError::Malformed),
            (part("content-type: text/plain", ""), FormError::Malformed),
            (
                part("content-disposition: attachment; filename=x", ""),
                FormError::Malformed,
            ),
            ("--b-1x".to_owned(), FormError::Malformed),
            (long, FormError::Malformed),
        ] {
            assert_eq!(read(&[form.as_bytes()]), Err(error), "{form:.80}");
        }
        for other in [
            "text/plain",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=x",
            &format!("multipart/form-data; boundary={}", "x".repeat(71)),
        ] {
            assert!(Form::of(other).is_none(), "{other}");
        }
    }
}
