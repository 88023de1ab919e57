//! Wire protocols: each translates between its own messages and the IM's commands and events, and
//! holds no IM logic.

pub mod native;
pub mod rest;
