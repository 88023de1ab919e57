//! A stream cut into pieces, and what a codec makes of them.

use network::codec::ProtocolError;

/// What one call of a decoder found.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// Nothing complete.
    Partial,
    /// So many bytes were taken in.
    Skip(usize),
    /// So many bytes were one unit.
    Unit(usize, T),
    /// So many bytes were one unit, behind which nothing is decoded.
    Last(usize, T),
}

/// The units that were found, and the bytes left over or the error that ended the stream.
pub(crate) type Outcome<T> = (Vec<T>, Result<Vec<u8>, ProtocolError>);

/// Feeds a decoder as a connection does: what is left over stands in front of the next piece.
pub(crate) fn feed<'p, T>(
    pieces: impl IntoIterator<Item = &'p [u8]>,
    mut decode: impl FnMut(&mut [u8]) -> Result<Step<T>, ProtocolError>,
) -> Outcome<T> {
    let mut buffer = Vec::new();
    let mut units = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let bytes = buffer.len();
            let taken = match decode(&mut buffer) {
                Ok(Step::Partial) => break,
                Ok(Step::Skip(taken)) => taken,
                Ok(Step::Unit(taken, unit)) => {
                    units.push(unit);
                    taken
                }
                Ok(Step::Last(taken, unit)) => {
                    assert!(0 < taken && taken <= bytes);
                    units.push(unit);
                    return (units, Ok(Vec::new()));
                }
                Err(error) => return (units, Err(error)),
            };
            assert!(0 < taken && taken <= bytes);
            buffer.drain(..taken);
        }
    }
    (units, Ok(buffer))
}

/// Cuts `bytes` into pieces of these sizes, plus one each, in turn.
pub(crate) fn cut<'a>(mut bytes: &'a [u8], sizes: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for &size in sizes.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + usize::from(size)));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
