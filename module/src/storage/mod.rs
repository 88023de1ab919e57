//! What the IM keeps: operations, the store that does them, and SQLite behind it.

pub mod operation;
pub mod refusal;
pub mod sqlite;
pub mod store;
