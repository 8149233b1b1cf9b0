//! Responding, over real HTTP on loopback.

mod act;
mod crash;
mod door;
mod forge;
mod inspect;
mod server;
mod support;
