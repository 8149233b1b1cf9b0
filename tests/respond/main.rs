//! Responding, over real HTTP on loopback.

mod act;
mod cli;
mod crash;
mod door;
mod forge;
mod inspect;
mod openapi;
mod server;
mod support;
mod task;
