//! Logs of CI runs, from providers that are played over real HTTP on loopback.
#![expect(clippy::disallowed_methods, reason = "tests look for the secrets where they must not be, and set the scene")]

mod broken;
mod cli;
mod contract;
#[path = "../respond/description.rs"]
mod description;
mod play;
mod providers;
#[path = "../respond/server.rs"]
mod server;
