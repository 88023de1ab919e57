//! The parser of forms, which a fuzz target reaches although nobody outside may use it. No part of
//! the interface.

use super::multipart::{self, FormError, Part};

/// Most bytes that a form holds between two pieces.
pub const HELD_BYTES_MAX: usize = multipart::HELD_BYTES_MAX;

/// A form, and what has come of the file in it.
#[derive(Debug)]
pub struct Form {
    form: multipart::Form,
    /// What the file is called, once it has begun.
    pub name: Option<String>,
    /// Its bytes.
    pub data: Vec<u8>,
}

impl Form {
    /// A form whose Content-Type is this; `None` if it is another type, or has no boundary.
    #[must_use]
    pub fn of(content_type: &str) -> Option<Self> {
        Some(Self {
            form: multipart::Form::of(content_type)?,
            name: None,
            data: Vec::new(),
        })
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// What is wrong with the form.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), String> {
        let (name, data) = (&mut self.name, &mut self.data);
        let pushed = self.form.push(piece, |part| {
            match part {
                Part::Begin(called) => assert_eq!(name.replace(called), None, "one file"),
                Part::Data(bytes) => {
                    assert!(name.is_some() && !bytes.is_empty());
                    data.extend_from_slice(bytes);
                }
            }
            Ok(())
        });
        pushed.map_err(|error: FormError| error.to_string())
    }

    /// Whether the form has come to its end, with a file in it.
    ///
    /// # Errors
    /// What is missing.
    pub fn finish(&self) -> Result<(), String> {
        self.form.finish().map_err(|error| error.to_string())
    }

    /// Bytes of memory that are kept for what has come and is not dealt with.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.form.held_bytes()
    }
}
