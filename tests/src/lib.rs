//! The harness that every suite of `tests/` shares.
