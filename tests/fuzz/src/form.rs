//! A form gives the same file whatever pieces it comes in, and holds no more than it may between
//! two of them.
//!
//! The first two bytes are the lengths of the pieces, in turn. Then comes a line with the type of
//! the form, and the form.

use module::attachment::fuzz::{Form, HELD_BYTES_MAX};

use crate::pieces::cut;

/// The file: its name, and its bytes.
pub(crate) type File = (Option<String>, Vec<u8>);

/// See above.
pub fn check(input: &[u8]) {
    let Some((sizes, rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let Some(end) = rest.iter().position(|&byte| byte == b'\n') else {
        return;
    };
    let Ok(content_type) = std::str::from_utf8(&rest[..end]) else {
        return;
    };
    let wire = &rest[end + 1..];
    let whole = read(content_type, [wire]);
    assert_eq!(read(content_type, cut(wire, sizes)), whole);
    let Some(((name, data), outcome)) = whole else {
        return;
    };
    assert!(outcome.is_err() || name.is_some());
    assert!(data.is_empty() || wire.windows(data.len()).any(|window| window == data));
    look_at(name.as_deref());
}

/// The file of a form that comes in these pieces, and what the form came to; `None` if its type is
/// that of no form.
fn read<'p>(
    content_type: &str,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Option<(File, Result<(), String>)> {
    let mut form = Form::of(content_type)?;
    let mut pieces = pieces.into_iter();
    let outcome = pieces
        .try_for_each(|piece| push(&mut form, piece))
        .and_then(|()| form.finish());
    Some(((form.name, form.data), outcome))
}

/// Takes a piece, after which little is held.
pub(crate) fn push(form: &mut Form, piece: &[u8]) -> Result<(), String> {
    form.push(piece)?;
    assert!(
        form.held_bytes() <= HELD_BYTES_MAX,
        "{} bytes are held",
        form.held_bytes()
    );
    Ok(())
}

/// Names are for other people's disks.
fn look_at(name: Option<&str>) {
    let name = name.unwrap_or_default();
    assert!(name.len() <= 255 && name != "." && name != "..");
    let is_out_of_place = |c: char| c.is_control() || matches!(c, '/' | '\\');
    assert!(!name.contains(is_out_of_place), "{name:?}");
}
