//! A node in process and raw clients: one file a subject.

mod drain;
mod handle;
mod hostile;
mod http;
mod native;
mod proxy;
mod regression;
mod session;
mod tcp;
mod tls;
mod topic;
mod ws;
