//! What every store has to do, asked through the trait alone. Another implementation takes its
//! place in `Bench::open` and is held to all of it but the file of faults.

mod account;
mod bench;
mod conversation;
mod dense;
mod faults;
mod fill;
mod friend;
mod group;
mod kill;
mod member;
mod message;
