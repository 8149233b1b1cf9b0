//! Vault's KV engine, version 2. Facts: hashicorp/vault, website/content/api-docs/secret/kv/kv-v2.mdx.

use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{Expected, Place, Vault};
use crate::http::{Answer, Body, Host, Http, Method, Request, segment};
use crate::secret::Secret;

pub(super) struct At<'a> {
    pub http: &'a Http,
    pub host: &'a Host,
    pub vault: &'a Vault,
    pub expected: Expected<'a>,
}

/// What stands there now: all keys, and the version that a write must name.
struct Now {
    keys: Map<String, Value>,
    version: u64,
}

impl At<'_> {
    /// `/v1/MOUNT/data/PATH`; both may have several parts.
    fn path(&self) -> String {
        let parts = |text: &str| text.trim_matches('/').split('/').map(segment).collect::<Vec<_>>().join("/");
        format!("/v1/{}/data/{}", parts(&self.vault.mount), parts(&self.vault.path))
    }

    fn now(&self) -> Result<Now, String> {
        let request = Request::get(self.path(), self.host.sign_in()?);
        let answer = self.http.read(self.host, &request).map_err(|fault| fault.to_string())?;
        let body = answer.json();
        let version = |body: &Value| body.pointer("/data/metadata/version").and_then(Value::as_u64);
        match (answer.status, body) {
            (200, Some(body)) => {
                let keys = body.pointer("/data/data").and_then(Value::as_object).cloned();
                let (Some(keys), Some(version)) = (keys, version(&body)) else { return Err(odd(&answer)) };
                Ok(Now { keys, version })
            }
            // Deleted but not destroyed: the next write follows its version.
            (404, Some(body)) => Ok(Now { keys: Map::new(), version: version(&body).unwrap_or(0) }),
            _ => Err(odd(&answer)),
        }
    }

    fn checked(&self) -> Result<Now, String> {
        let now = self.now()?;
        match now.keys.get(&self.vault.key) {
            Some(Value::String(there)) => self.expected.is(there)?,
            Some(_) => return Err("it holds something that is no text".to_owned()),
            None => {}
        }
        Ok(now)
    }
}

impl Place for At<'_> {
    fn probe(&self) -> Result<(), String> {
        let now = self.checked()?;
        let path = self.path().trim_start_matches("/v1/").to_owned();
        let ask = Request::new(Method::POST, "/v1/sys/capabilities-self", self.host.sign_in()?)
            .body(Body::json(&json!({ "paths": [path] })), &[]);
        let answer = self.http.read(self.host, &ask).map_err(|fault| fault.to_string())?;
        let body = answer.json().filter(|_| answer.status == 200).ok_or_else(|| odd(&answer))?;
        let may = body.get("capabilities").and_then(Value::as_array).cloned().unwrap_or_default();
        let may = |what: &str| may.iter().any(|one| one == what);
        // The first version is the creation of a secret, every other one an update.
        let need = if now.version == 0 { "create" } else { "update" };
        if may("root") || may(need) {
            return Ok(());
        }
        Err(format!("the policy of our credential does not allow `{need}` there"))
    }

    #[expect(clippy::disallowed_methods, reason = "written to its place")]
    fn put(&self, new: &Secret) -> Result<(), String> {
        let text = std::str::from_utf8(new.expose()).map_err(|_| "the successor is no text".to_owned())?;
        let mut now = self.now()?;
        if now.keys.get(&self.vault.key).and_then(Value::as_str) != Some(text) {
            now = self.checked()?;
            now.keys.insert(self.vault.key.clone(), Value::from(text));
            // Whoever writes in between makes this fail, and nothing of theirs is lost.
            let body = json!({ "options": { "cas": now.version }, "data": now.keys });
            let body = Body::Json(Zeroizing::new(body.to_string().into_bytes()));
            let request = Request::new(Method::POST, self.path(), self.host.sign_in()?).body(body, &[new]);
            let answer = self.http.once(self.host, &request).map_err(|fault| fault.to_string())?;
            if !answer.is_success() {
                return Err(odd(&answer));
            }
        }
        let there = self.now()?;
        let same = there.keys.get(&self.vault.key).and_then(Value::as_str).map(str::trim);
        // What is read is masked where it repeats a secret that was sent; here nothing of ours is in the question.
        if same == Some(text) { Ok(()) } else { Err("it was written, but is not there when read again".to_owned()) }
    }
}

fn odd(answer: &Answer) -> String {
    match answer.status {
        400 => "somebody else wrote to the secret at the same time (400)".to_owned(),
        403 => "our credential may not do that (403)".to_owned(),
        status => format!("Vault answers with status {status}"),
    }
}
