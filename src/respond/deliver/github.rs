//! Secrets of GitHub Actions. Facts: docs.github.com/rest/actions/secrets. Nobody can read them back.

use crypto_box::PublicKey;
use crypto_box::aead::OsRng;
use serde_json::{Map, Value};

use super::{GithubSecret, Place};
use crate::http::{Answer, Body, Host, Http, Method, Request, segment};
use crate::secret::Secret;

pub(super) struct At<'a> {
    http: &'a Http,
    host: &'a Host,
    /// `/repos/o/r/actions/secrets`, and so on.
    path: String,
    name: String,
    /// What an organisation wants to be told with every change.
    visible: bool,
}

impl<'a> At<'a> {
    pub(super) fn new(http: &'a Http, host: &'a Host, secret: &GithubSecret) -> Result<Self, String> {
        let repository =
            secret.repository.as_deref().map(|it| it.split('/').map(segment).collect::<Vec<_>>().join("/"));
        let path = match (repository, &secret.environment, &secret.organization) {
            (Some(repository), None, None) => format!("/repos/{repository}/actions/secrets"),
            (Some(repository), Some(environment), None) => {
                format!("/repos/{repository}/environments/{}/secrets", segment(environment))
            }
            (None, None, Some(organization)) => format!("/orgs/{}/actions/secrets", segment(organization)),
            _ => return Err("a secret is one of a repository, of its environment, or of an organization".to_owned()),
        };
        let visible = secret.organization.is_some();
        Ok(At { http, host, path, name: secret.secret.clone(), visible })
    }

    fn get(&self, what: &str) -> Result<Value, String> {
        let request = versioned(Request::get(format!("{}/{}", self.path, segment(what)), self.host.sign_in()?));
        let answer = self.http.read(self.host, &request).map_err(|fault| fault.to_string())?;
        answer.json().filter(|_| answer.status == 200).ok_or_else(|| odd(&answer))
    }

    /// The repositories that may use the secret of an organisation.
    fn selected(&self) -> Result<Value, String> {
        let path = format!("{}/{}/repositories", self.path, segment(&self.name));
        let request = versioned(Request::get(path, self.host.sign_in()?)).query("per_page", "100");
        let answer = self.http.read(self.host, &request).map_err(|fault| fault.to_string())?;
        let body = answer.json().filter(|_| answer.status == 200).ok_or_else(|| odd(&answer))?;
        if answer.has_next() {
            return Err("more than 100 repositories may use it: set it by hand, so that none is forgotten".to_owned());
        }
        let all = body.get("repositories").and_then(Value::as_array).into_iter().flatten();
        Ok(all.filter_map(|one| one.get("id").cloned()).collect())
    }

    fn key(&self) -> Result<(String, PublicKey), String> {
        let body = self.get("public-key")?;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let key = text("key").and_then(|key| data_encoding::BASE64.decode(key.as_bytes()).ok());
        let key = key.and_then(|key| PublicKey::from_slice(&key).ok());
        key.zip(text("key_id").map(str::to_owned))
            .map(|(key, id)| (id, key))
            .ok_or_else(|| "GitHub's answer holds no public key".to_owned())
    }
}

fn versioned(request: Request<'_>) -> Request<'_> {
    request.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28")
}

impl Place for At<'_> {
    fn probe(&self) -> Result<(), String> {
        self.key()?;
        let there = self.get(&self.name)?;
        if self.visible && there.get("visibility").is_some_and(|it| it == "selected") {
            self.selected()?;
        }
        Ok(())
    }

    #[expect(clippy::disallowed_methods, reason = "sealed for its place")]
    fn put(&self, new: &Secret) -> Result<(), String> {
        let (id, key) = self.key()?;
        let sealed = key.seal(&mut OsRng, new.expose()).map_err(|_| "the successor cannot be sealed".to_owned())?;
        let mut body = Map::from_iter([
            ("encrypted_value".to_owned(), data_encoding::BASE64.encode(&sealed).into()),
            ("key_id".to_owned(), id.into()),
        ]);
        if self.visible {
            // Who may use it stays as it is.
            let there = self.get(&self.name)?;
            body.extend(there.get("visibility").map(|it| ("visibility".to_owned(), it.clone())));
            if there.get("visibility").is_some_and(|it| it == "selected") {
                body.insert("selected_repository_ids".to_owned(), self.selected()?);
            }
        }
        let path = format!("{}/{}", self.path, segment(&self.name));
        let request =
            versioned(Request::new(Method::PUT, path, self.host.sign_in()?)).body(Body::json(&body.into()), &[]);
        let answer = self.http.once(self.host, &request).map_err(|fault| fault.to_string())?;
        if matches!(answer.status, 201 | 204) { Ok(()) } else { Err(odd(&answer)) }
    }
}

fn odd(answer: &Answer) -> String {
    match answer.status {
        401 | 403 => format!("our credential may not do that ({})", answer.status),
        404 => "there is no such secret, or our credential does not see it (404); make it first".to_owned(),
        status => format!("GitHub answers with status {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libsodium_sealed_is_what_this_seals() {
        // crypto_box_seal of libsodium, by PyNaCl 1.6.2, for the key of 32 bytes 0x07.
        let key = crypto_box::SecretKey::from([7; 32]);
        let theirs = include_str!("../../../testdata/sealed-box.txt").trim();
        let opened = key.unseal(&data_encoding::BASE64.decode(theirs.as_bytes()).unwrap()).unwrap();
        assert_eq!(opened, b"a sealed box");
        let ours = key.public_key().seal(&mut OsRng, b"another").unwrap();
        assert_eq!(key.unseal(&ours).unwrap(), b"another");
    }
}
