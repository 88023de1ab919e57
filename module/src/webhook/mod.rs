//! Asking and telling the operator's own servers over HTTP.

mod endpoint;
mod poster;
mod secret;

pub use endpoint::{Endpoint, NoEndpoint};
pub(crate) use poster::{Patience, Poster, new_id};
pub use secret::{Secret, SecretError};
