//! Responding, over real HTTP on loopback.

mod door;
mod inspect;
mod server;
mod support;
