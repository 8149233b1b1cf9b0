//! Responding, over real HTTP on loopback.
#![expect(clippy::disallowed_methods, reason = "tests look for the secrets where they must not be, and set the scene")]

mod act;
mod cli;
mod crash;
mod description;
mod door;
mod enterprise;
mod flows;
mod forge;
mod house;
mod inspect;
mod openapi;
mod openapi_gitlab;
mod prompt;
mod rotate;
mod scan;
mod server;
mod support;
mod task;
