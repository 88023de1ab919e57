//! A node in process and raw clients: one file a subject.

mod drain;
mod files;
mod handle;
mod hostile;
mod http;
mod native;
mod origin;
mod proxied;
mod regression;
mod session;
mod slow;
mod tcp;
mod topic;
mod ws;
