//! The whole IM from outside: who may do what, what bad requests do, many users at once.

mod authorization;
mod calls;
mod hostile;
mod scene;
mod wrong;
