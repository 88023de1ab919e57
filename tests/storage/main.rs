//! What every store has to do, asked through the trait alone. Another implementation takes its
//! place in `Bench::open` and is held to all of it but what is about files: backup, faults,
//! migration, torn.

mod account;
mod backup;
mod bench;
mod channel;
mod conversation;
mod dense;
mod faults;
mod fill;
mod friend;
mod group;
mod kill;
mod member;
mod message;
mod migration;
mod nearby;
mod presence;
mod retention;
mod statistics;
mod torn;
mod verification;
