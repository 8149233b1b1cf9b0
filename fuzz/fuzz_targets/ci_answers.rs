//! Any answers of a provider, of any form: a list, or something that was not read; never a panic, and no request to another
//! host. The provider is played on loopback, and answers each request with the next piece of the input.
#![no_main]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use stanch::fetch::target::Target;
use stanch::fetch::{Logs, Options};
use stanch::http::{HostSpec, Hosts, Http};
use stanch::source::remote::{Listed, Remote};

static ANSWERS: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// The provider's address.
static URL: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            drop(stream.read(&mut request));
            let answer = ANSWERS.lock().unwrap().pop().unwrap_or_default();
            let kind = if answer.first() == Some(&b'{') || answer.first() == Some(&b'[') { "application/json" } else { "text/plain" };
            let head = format!("HTTP/1.1 200 X\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
            drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&answer)));
        }
    });
    url
});

fuzz_target!(|input: (u8, Vec<Vec<u8>>)| {
    let (which, mut answers) = input;
    answers.truncate(6);
    answers.reverse();
    *ANSWERS.lock().unwrap() = answers;
    let targets = ["github:o/r", "github:o", "github:o/r#1", "gitlab:g/p", "gitlab:g", "bitbucket:w/r", "bitbucket:w"];
    let target = Target::parse(targets[usize::from(which) % targets.len()]).expect("one of ours");
    let spec = HostSpec::bare(target.provider.service(), &URL);
    let mut http = Http::new(Hosts::new(vec![spec], Arc::new(|_| Err(String::new()))).expect("loopback"));
    http.pace.attempts = 1;
    http.pace.answer = Duration::from_secs(2);
    let options = Options { artifacts: !target.is_repository() || which % 2 == 0, ..Options::default() };
    let Ok(logs) = Logs::new(http, &URL, target, options, None) else { return };
    let mut left = 20;
    logs.list(&mut |listed| {
        if let Listed::Log(log) = listed {
            if let Ok(mut content) = logs.open(&log) {
                drop(content.read_to_end(&mut Vec::new()));
            }
            logs.facts(&log, &log.origin(Some("a/1_b.txt")));
        }
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
});
