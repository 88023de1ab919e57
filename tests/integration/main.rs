//! A node in process and raw clients: one file a subject.

mod attachment;
mod channel;
mod deflate;
mod dial;
mod drain;
mod files;
mod handle;
mod health;
mod hostile;
mod http;
mod login;
mod native;
mod origin;
mod presence;
mod proxied;
mod proxy;
mod regression;
mod session;
mod slow;
mod stream;
mod tcp;
mod tls;
mod together;
mod topic;
mod webhook;
mod ws;
