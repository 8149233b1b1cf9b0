//! What the configuration file says of hosts and of the response: `[[host]]` and `[respond]`.

use serde::Deserialize;

use crate::http::HostSpec;

/// The part of the configuration file that responding needs.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct File {
    /// Hosts that may be asked.
    #[serde(default)]
    pub host: Vec<HostSpec>,
}
