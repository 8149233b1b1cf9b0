//! Responding, over real HTTP on loopback.

mod act;
mod cli;
mod crash;
mod door;
mod forge;
mod inspect;
mod server;
mod support;
mod task;
