//! A provider on loopback: real HTTP, real state, and every fault that a network has.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Got {
    pub method: String,
    /// With the query.
    pub target: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Every byte of it.
    pub raw: Vec<u8>,
}

impl Got {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.path())
    }

    /// The token that the request speaks for: `Bearer`, a header of GitLab's, or the password of Basic.
    pub fn token(&self) -> Option<String> {
        if let Some(token) = self.headers.get("private-token").or(self.headers.get("job-token")) {
            return Some(token.clone());
        }
        let value = self.headers.get("authorization")?;
        match value.split_once(' ')? {
            ("Bearer", token) => Some(token.to_owned()),
            ("Basic", pair) => {
                let pair = String::from_utf8(data_encoding::BASE64.decode(pair.as_bytes()).unwrap()).unwrap();
                Some(pair.split_once(':').unwrap().1.to_owned())
            }
            _ => None,
        }
    }
}

/// What comes back, or what goes wrong.
#[derive(Clone, Debug)]
pub enum Reply {
    Json(u16, Vec<(&'static str, String)>, String),
    Html(u16),
    /// Nothing, until the client gives up.
    Silence,
    /// The connection breaks before the answer.
    Reset,
    /// The connection breaks in the middle of the answer.
    Truncated,
    /// One byte now and then, for ever.
    Drip,
    Redirect(String),
    /// A file: its media type, its bytes, and how many of them come before the connection breaks.
    File(&'static str, Vec<u8>, usize),
}

impl Reply {
    pub fn json(status: u16, body: impl ToString) -> Self {
        Reply::Json(status, Vec::new(), body.to_string())
    }

    /// A file to its end.
    pub fn file(kind: &'static str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let all = bytes.len();
        Reply::File(kind, bytes, all)
    }

    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Reply::Json(status, mut headers, body) => {
                headers.push((name, value.into()));
                Reply::Json(status, headers, body)
            }
            other => other,
        }
    }
}

type Handler = dyn Fn(&Got) -> Reply + Send + Sync;

/// A listening server; it lives as long as the process.
#[derive(Clone)]
pub struct Server {
    pub url: String,
    log: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    pub fn start(handler: impl Fn(&Got) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let server = Server { url, log: log.clone() };
        let handler: Arc<Handler> = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, handler) = (log.clone(), handler.clone());
                thread::spawn(move || serve(stream, &log, &*handler));
            }
        });
        server
    }

    /// A host that nobody has any business with.
    pub fn canary() -> Self {
        Server::start(|_| Reply::json(200, r#"{"login":"canary","id":1}"#))
    }

    pub fn log(&self) -> Vec<Got> {
        self.log.lock().unwrap().clone()
    }

    /// The requests that came, as `VERB /path`.
    pub fn lines(&self) -> Vec<String> {
        self.log().iter().map(Got::line).collect()
    }

    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|it| *it == line).count()
    }

    /// `127.0.0.1:PORT`.
    pub fn name(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

fn serve(mut stream: TcpStream, log: &Mutex<Vec<Got>>, handler: &Handler) {
    let Some(got) = read(&stream) else { return };
    log.lock().unwrap().push(got.clone());
    let reply = handler(&got);
    // The client may be gone, or killed: that is what some tests are about.
    drop(answer(&mut stream, reply));
}

fn read(stream: &TcpStream) -> Option<Got> {
    let mut reader = BufReader::new(stream);
    let mut raw = Vec::new();
    let mut line = |raw: &mut Vec<u8>| {
        let from = raw.len();
        reader.read_until(b'\n', raw).ok().filter(|&len| len > 0)?;
        Some(String::from_utf8_lossy(&raw[from..]).trim_end().to_owned())
    };
    let first = line(&mut raw)?;
    let (method, rest) = first.split_once(' ')?;
    // Two services at one server: each has its own address.
    let target = rest.split(' ').next()?;
    let own = ["/2nd", "/3rd", "/4th", "/5th"].into_iter().find_map(|address| target.strip_prefix(address));
    let target = own.unwrap_or(target).to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let header = line(&mut raw)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let len = headers.get("content-length").map_or(0, |len| len.parse().unwrap());
    let mut body = vec![0; len];
    reader.read_exact(&mut body).ok()?;
    raw.extend_from_slice(&body);
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Got { method: method.to_owned(), target, headers, body, raw })
}

fn answer(stream: &mut TcpStream, reply: Reply) -> std::io::Result<()> {
    let head = |status: u16, kind: &str, len: usize| {
        format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len}\r\nconnection: close\r\n")
    };
    match reply {
        Reply::Json(status, headers, body) => {
            let mut text = head(status, "application/json; charset=utf-8", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            stream.write_all(format!("{text}\r\n{body}").as_bytes())
        }
        Reply::Html(status) => {
            let body = "<html><body>Please log in</body></html>";
            stream.write_all(format!("{}\r\n{body}", head(status, "text/html", body.len())).as_bytes())
        }
        Reply::Silence => {
            thread::sleep(Duration::from_secs(20));
            Ok(())
        }
        Reply::Reset => Ok(()),
        Reply::Truncated => {
            let body = r#"{"login":"al"#;
            stream.write_all(format!("{}\r\n{body}", head(200, "application/json", 500)).as_bytes())
        }
        Reply::Drip => {
            stream.write_all(format!("{}\r\n", head(200, "application/octet-stream", 100_000)).as_bytes())?;
            loop {
                stream.write_all(b" ")?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        Reply::File(kind, bytes, sent) => {
            stream.write_all(format!("{}\r\n", head(200, kind, bytes.len())).as_bytes())?;
            stream.write_all(&bytes[..sent])
        }
        Reply::Redirect(to) => {
            stream.write_all(format!("{}location: {to}\r\n\r\n", head(302, "text/html", 0)).as_bytes())
        }
    }
}
