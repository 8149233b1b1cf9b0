//! Logs of CI runs, from providers that are played over real HTTP on loopback.

mod broken;
mod cli;
mod contract;
#[path = "../respond/description.rs"]
mod description;
mod play;
mod providers;
#[path = "../respond/server.rs"]
mod server;
