//! Responding, over real HTTP on loopback.
#![expect(clippy::disallowed_methods, reason = "tests look for the secrets where they must not be, and set the scene")]

mod act;
mod cli;
mod crash;
mod door;
mod forge;
mod inspect;
mod openapi;
mod scan;
mod server;
mod support;
mod task;
