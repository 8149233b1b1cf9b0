//! CI/CD variables of GitLab. Facts: docs.gitlab.com/api/project_level_variables, /group_level_variables.

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Expected, GitlabVariable, Place};
use crate::http::{Answer, Body, Host, Http, Method, Request, segment};
use crate::secret::Secret;

pub(super) struct At<'a> {
    http: &'a Http,
    host: &'a Host,
    variable: &'a GitlabVariable,
    path: String,
    expected: Expected<'a>,
}

impl<'a> At<'a> {
    pub(super) fn new(
        http: &'a Http,
        host: &'a Host,
        variable: &'a GitlabVariable,
        expected: Expected<'a>,
    ) -> Result<Self, String> {
        let owner = match (&variable.project, &variable.group) {
            (Some(project), None) => format!("projects/{}", segment(project)),
            (None, Some(group)) => format!("groups/{}", segment(group)),
            _ => return Err("a GitLab variable is one of a project or of a group: name either".to_owned()),
        };
        let path = format!("/api/v4/{owner}/variables/{}", segment(&variable.variable));
        Ok(At { http, host, variable, path, expected })
    }

    fn request(&self, method: Method) -> Result<Request<'a>, String> {
        let request = Request::new(method, self.path.clone(), self.host.sign_in()?);
        Ok(match &self.variable.environment {
            Some(scope) => request.query("filter[environment_scope]", scope.clone()),
            None => request,
        })
    }

    /// The value, if it may be read: a hidden variable shows none.
    fn now(&self) -> Result<Option<String>, String> {
        let answer = self.http.read(self.host, &self.request(Method::GET)?).map_err(|fault| fault.to_string())?;
        let body = answer.json().filter(|body| answer.status == 200 && body.get("key").is_some());
        let body = body.ok_or_else(|| odd(&answer))?;
        let hidden = body.get("hidden") == Some(&Value::Bool(true));
        Ok(body.get("value").and_then(Value::as_str).filter(|_| !hidden).map(str::to_owned))
    }
}

impl Place for At<'_> {
    fn probe(&self) -> Result<(), String> {
        if let Some(there) = self.now()? {
            self.expected.is(&there)?;
        }
        // Who may read variables may write them, unless it is the token's scope that forbids writing.
        let own = Request::get("/api/v4/personal_access_tokens/self", self.host.sign_in()?);
        let answer = self.http.read(self.host, &own).map_err(|fault| fault.to_string())?;
        let body = answer.json().filter(|_| answer.status == 200).ok_or_else(|| odd(&answer))?;
        let scopes = body.get("scopes").and_then(Value::as_array).cloned().unwrap_or_default();
        let granular = body.get("granular") == Some(&Value::Bool(true));
        if granular || scopes.iter().any(|scope| scope == "api") {
            return Ok(());
        }
        Err("our credential there lacks the scope `api`".to_owned())
    }

    #[expect(clippy::disallowed_methods, reason = "written to its place")]
    fn put(&self, new: &Secret) -> Result<(), String> {
        let text = std::str::from_utf8(new.expose()).map_err(|_| "the successor is no text".to_owned())?;
        if let Some(there) = self.now()?.filter(|there| there.trim() != text) {
            self.expected.is(&there)?;
        }
        // What is not named stays as it is: masked, protected, hidden, raw, its scope.
        let body = Body::Json(Zeroizing::new(json!({ "value": text }).to_string().into_bytes()));
        let request = self.request(Method::PUT)?.body(body, &[new]);
        let answer = self.http.once(self.host, &request).map_err(|fault| fault.to_string())?;
        if answer.status != 200 {
            return Err(odd(&answer));
        }
        match self.now()? {
            Some(there) if there.trim() != text => Err("it was written, but is not there when read again".to_owned()),
            _ => Ok(()),
        }
    }
}

fn odd(answer: &Answer) -> String {
    match answer.status {
        400 => "GitLab takes no such value there (400): is it masked, and the new one cannot be?".to_owned(),
        401 | 403 => format!("our credential may not do that ({})", answer.status),
        404 => "there is no such variable, or our credential does not see it (404); make it first".to_owned(),
        409 => "several variables have that name: say which environment (409)".to_owned(),
        status => format!("GitLab answers with status {status}"),
    }
}
