//! The whole IM from outside: who may do what, what bad requests do, many users at once.

mod administration;
mod authorization;
mod calls;
mod concurrency;
mod hostile;
mod reference;
mod scene;
mod session;
mod wrong;
