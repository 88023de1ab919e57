//! The header of the PROXY protocol: whole at one byte and not before, and never longer than what
//! is kept for it.

/// The input is what a proxy sends first.
pub fn check(input: &[u8]) {
    let whole = network::fuzz::proxy_header(input);
    for cut in 0..input.len() {
        match (network::fuzz::proxy_header(&input[..cut]), whole) {
            // A header that was found stays what it is whatever comes behind it.
            (Ok(Some(found)), _) => {
                assert!(found.0 <= cut);
                assert_eq!(whole, Ok(Some(found)));
            }
            (Ok(None), Ok(Some((bytes, _)))) => assert!(cut < bytes, "cut at {cut}"),
            (Ok(None), _) => {}
            (Err(()), whole) => assert_eq!(whole, Err(()), "cut at {cut}"),
        }
    }
    match whole {
        Ok(Some((bytes, _))) => assert!(bytes <= input.len() && bytes <= 2048),
        Ok(None) => assert!(input.len() < 2048),
        Err(()) => {}
    }
}
