//! An API server with prepared answers. It records its requests, and an unexpected request fails the test.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::certificate::{Certificate, Identity, identity};

/// Much longer than a command takes until its next request.
const PATIENCE: Duration = Duration::from_mins(2);

/// A request as received.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The path with the query.
    pub path: String,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of a header that may occur several times.
    pub fn headers(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Clone, Default)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    after: Duration,
    /// The number of other requests of the same method that are answered first.
    behind: usize,
    /// The answer waits until this is set.
    held: Option<Arc<AtomicBool>>,
    cut: bool,
    announced: Option<u64>,
}

struct Expectation {
    method: String,
    path: String,
    answers: VecDeque<Answer>,
    /// The last answer is repeated for every further request, and need not be used.
    always: bool,
    asked: usize,
}

/// Counts the requests of one method.
#[derive(Default)]
struct Count {
    under_way: usize,
    most_under_way: usize,
    answered: usize,
}

impl Count {
    fn begins(&mut self) {
        self.under_way += 1;
        self.most_under_way = self.most_under_way.max(self.under_way);
    }

    fn ends(&mut self) {
        self.under_way -= 1;
        self.answered += 1;
    }
}

#[derive(Default)]
struct State {
    expectations: Vec<Expectation>,
    requests: Vec<Request>,
    unexpected: Vec<String>,
    connections: usize,
    by_method: BTreeMap<String, Count>,
    stopped: bool,
}

/// The server. A missing or unexpected request fails the test when it is dropped.
pub struct Stub {
    port: u16,
    state: Arc<Mutex<State>>,
    identity: Option<Identity>,
}

impl Stub {
    /// Starts it with plain HTTP.
    pub fn new() -> Self {
        Self::start(None)
    }

    /// Starts it with TLS.
    pub fn tls(certificate: Certificate) -> Self {
        Self::start(Some(identity(certificate)))
    }

    fn start(identity: Option<Identity>) -> Self {
        let tls = identity.as_ref().map(|identity| identity.server.clone());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { break };
                {
                    let mut state = lock(&shared);
                    if state.stopped {
                        break;
                    }
                    state.connections += 1;
                }
                let (shared, tls) = (shared.clone(), tls.clone());
                std::thread::spawn(move || serve(stream, tls, &shared));
            }
        });
        Self { port, state, identity }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.identity.is_some() { "https" } else { "http" }, self.port)
    }

    /// Its certificates, and one for a client.
    pub fn identity(&self) -> &Identity {
        self.identity.as_ref().expect("a stub that speaks TLS")
    }

    /// The authority of its certificate in PEM.
    pub fn ca(&self) -> &str {
        &self.identity().ca
    }

    /// Expects a request. A path without a query matches any query.
    pub fn on(&self, method: &str, path: &str) -> On<'_> {
        lock(&self.state).expectations.push(Expectation {
            method: method.to_owned(),
            path: path.to_owned(),
            answers: VecDeque::new(),
            always: false,
            asked: 0,
        });
        let index = lock(&self.state).expectations.len() - 1;
        On { stub: self, index }
    }

    /// Expects any request that matches no other expectation.
    pub fn on_anything(&self) -> On<'_> {
        self.on("*", "*")
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.state).requests.clone()
    }

    /// Waits until this request has arrived.
    pub fn wait_for(&self, method: &str, path: &str) {
        let start = Instant::now();
        let is_it = |request: &Request| request.method == method && request.path == path;
        while !lock(&self.state).requests.iter().any(is_it) {
            assert!(start.elapsed() < PATIENCE, "{method} {path} never came: {:#?}", self.requests());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }

    /// The highest number of requests of a method at the same time.
    pub fn most_under_way(&self, method: &str) -> usize {
        lock(&self.state).by_method.get(method).map_or(0, |count| count.most_under_way)
    }

    /// Fails if the requests differ from the expected ones.
    pub fn finish(self) -> Vec<Request> {
        self.requests()
    }

    fn complaints(&self) -> String {
        let state = lock(&self.state);
        let mut out = String::new();
        for request in &state.unexpected {
            writeln!(out, "unexpected: {request}").unwrap();
        }
        for expectation in &state.expectations {
            let unused = !expectation.always && !expectation.answers.is_empty();
            if unused || expectation.asked == 0 && !expectation.always {
                let left = expectation.answers.len();
                writeln!(out, "not asked: {} {} ({left} answers left)", expectation.method, expectation.path).unwrap();
            }
        }
        out
    }

    /// A kubeconfig whose only and current context is `stub`.
    pub fn kubeconfig(&self) -> String {
        kubeconfig(&[("stub", self)])
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        lock(&self.state).stopped = true;
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        let complaints = self.complaints();
        if !std::thread::panicking() {
            assert!(complaints.is_empty(), "the stub API server:\n{complaints}");
        }
    }
}

/// A kubeconfig with a context for each server, the first one current, all with the user `me` and the token
/// `secret-token`. Any request to a server without expectations fails the test.
pub fn kubeconfig(contexts: &[(&str, &Stub)]) -> String {
    use base64::Engine as _;
    let mut clusters = String::new();
    let mut entries = String::new();
    for (name, stub) in contexts {
        writeln!(clusters, "- name: {name}\n  cluster:\n    server: {}", stub.url()).unwrap();
        if let Some(identity) = &stub.identity {
            let data = base64::engine::general_purpose::STANDARD.encode(&identity.ca);
            writeln!(clusters, "    certificate-authority-data: {data}").unwrap();
        }
        writeln!(entries, "- name: {name}\n  context: {{cluster: {name}, user: me, namespace: gloo-system}}").unwrap();
    }
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: {}\nclusters:\n{clusters}contexts:\n{entries}users:\n- name: me\n  user: {{token: secret-token}}\n",
        contexts[0].0
    )
}

/// The answers of an expectation, in order.
pub struct On<'a> {
    stub: &'a Stub,
    index: usize,
}

impl On<'_> {
    fn push(self, answer: Answer) -> Self {
        lock(&self.stub.state).expectations[self.index].answers.push_back(answer);
        self
    }

    fn last(self, change: impl FnOnce(&mut Answer)) -> Self {
        change(lock(&self.stub.state).expectations[self.index].answers.back_mut().expect("an answer to change"));
        self
    }

    pub fn body(self, status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        self.push(Answer { status, headers, body: body.into(), ..Answer::default() })
    }

    pub fn json(self, status: u16, value: &Value) -> Self {
        self.body(status, "application/json", value.to_string())
    }

    /// Answers with a Status as Kubernetes writes it.
    pub fn status(self, code: u16, reason: &str, message: &str) -> Self {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        self.json(code, &status)
    }

    /// Answers with the Status of an object that does not exist.
    pub fn not_found(self, plural: &str, group: &str, name: &str) -> Self {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("{plural}.{group} \"{name}\" not found"), "reason": "NotFound", "code": 404,
            "details": {"name": name, "group": group, "kind": plural},
        });
        self.json(404, &status)
    }

    /// Reads the request and closes the connection.
    pub fn cut(self) -> Self {
        self.push(Answer { cut: true, ..Answer::default() })
    }

    /// Adds `Retry-After` to the last answer.
    pub fn retry_after(self, seconds: u64) -> Self {
        self.last(|answer| answer.headers.push(("Retry-After".to_owned(), seconds.to_string())))
    }

    /// Adds this header to the last answer.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.last(|answer| answer.headers.push((name.to_owned(), value.to_owned())))
    }

    /// Delays the last answer by this time.
    pub fn slow(self, time: Duration) -> Self {
        self.last(|answer| answer.after = time)
    }

    /// Delays the last answer until this many other requests of the method were answered.
    pub fn behind(self, others: usize) -> Self {
        self.last(|answer| answer.behind = others)
    }

    /// Delays the last answer until this is set.
    pub fn held(self, until: &Arc<AtomicBool>) -> Self {
        self.last(|answer| answer.held = Some(Arc::clone(until)))
    }

    /// Lets the last answer announce a body of this length and end earlier.
    pub fn announcing(self, length: u64) -> Self {
        self.last(|answer| answer.announced = Some(length))
    }

    /// Repeats the last answer for every further request, if there is any.
    pub fn always(self) -> Self {
        lock(&self.stub.state).expectations[self.index].always = true;
        self
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn serve(stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>, state: &Mutex<State>) {
    stream.set_nodelay(true).unwrap();
    let Some(config) = tls else { return converse(stream, state) };
    let mut first = [0];
    if stream.peek(&mut first).is_ok() && first[0] != 0x16 {
        // The answer of Go's server.
        let text = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        read_head(&mut BufReader::new(&stream));
        drop((&stream).write_all(text.as_bytes()));
        return;
    }
    let session = rustls::ServerConnection::new(config).unwrap();
    converse(rustls::StreamOwned::new(session, stream), state);
}

fn converse(stream: impl Read + Write, state: &Mutex<State>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream) {
        let answer = answer(&request, &mut lock(state));
        std::thread::sleep(answer.after);
        while count(&mut lock(state), &request).answered < answer.behind {
            std::thread::sleep(Duration::from_millis(2));
        }
        while answer.held.as_ref().is_some_and(|held| !held.load(Ordering::Relaxed)) {
            std::thread::sleep(Duration::from_millis(2));
        }
        count(&mut lock(state), &request).ends();
        if answer.cut || write_answer(stream.get_mut(), &answer).is_err() || answer.announced.is_some() {
            return;
        }
    }
}

fn count<'s>(state: &'s mut State, request: &Request) -> &'s mut Count {
    state.by_method.entry(request.method.clone()).or_default()
}

fn answer(request: &Request, state: &mut State) -> Answer {
    state.requests.push(request.clone());
    count(state, request).begins();
    let bare = request.path.split('?').next().unwrap_or_default();
    let wanted = state.expectations.iter_mut().find(|expectation| {
        let is_it =
            expectation.method == request.method && (expectation.path == request.path || expectation.path == bare);
        (is_it || expectation.method == "*") && !expectation.answers.is_empty()
    });
    let Some(expectation) = wanted else {
        state.unexpected.push(format!("{} {}", request.method, request.path));
        return Answer { status: 500, body: b"unexpected".to_vec(), ..Answer::default() };
    };
    expectation.asked += 1;
    if expectation.always && expectation.answers.len() == 1 {
        return expectation.answers[0].clone();
    }
    expectation.answers.pop_front().expect("an expectation that was found has answers")
}

fn read_head(stream: &mut impl std::io::BufRead) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        match stream.read_until(b'\n', &mut line) {
            Ok(n) if n > 0 => {}
            _ => return Vec::new(),
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if line.is_empty() {
            return lines;
        }
        lines.push(line);
    }
}

fn read_request<S: Read + Write>(stream: &mut BufReader<S>) -> Option<Request> {
    // A request that is not HTTP, such as a TLS greeting, gets the answer of Go's server.
    let start = stream.fill_buf().ok()?.first().copied()?;
    if !start.is_ascii_alphabetic() {
        drop(stream.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request"));
        return None;
    }
    let lines = read_head(stream);
    let mut words = lines.first()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(key, value)| (key.to_owned(), value.trim().to_owned()))
        .collect();
    let mut request = Request { method, path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |value| value.parse().unwrap());
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// Answers each request on a connection.
pub fn answered(stream: TcpStream, mut answer: impl FnMut(&Request) -> (u16, Value)) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read_request(&mut stream) {
        let (status, value) = answer(&request);
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        let answer = Answer { status, headers, body: value.to_string().into_bytes(), ..Answer::default() };
        if write_answer(stream.get_mut(), &answer).is_err() {
            return;
        }
    }
}

fn write_answer(stream: &mut impl Write, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    let length = answer.announced.unwrap_or(answer.body.len() as u64);
    write!(head, "Content-Length: {length}\r\n\r\n").unwrap();
    stream.write_all(&[head.as_bytes(), &answer.body].concat())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(stub: &Stub, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", stub.port())).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\n\r\n").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        std::io::read_to_string(stream).unwrap()
    }

    fn complaint(stub: Stub) -> String {
        let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(stub)));
        *dropped.unwrap_err().downcast::<String>().unwrap()
    }

    #[test]
    fn a_request_nobody_expects_fails_the_test() {
        let stub = Stub::new();
        assert!(ask(&stub, "/a?b=c").starts_with("HTTP/1.1 500"));
        assert!(complaint(stub).contains("unexpected: GET /a?b=c"));
    }

    #[test]
    fn a_request_that_does_not_come_fails_the_test() {
        let stub = Stub::new();
        stub.on("GET", "/a").json(200, &json!({})).json(201, &json!({}));
        assert!(ask(&stub, "/a").starts_with("HTTP/1.1 200"));
        assert!(complaint(stub).contains("not asked: GET /a (1 answers left)"));
    }

    #[test]
    fn answers_are_given_in_their_order_and_the_last_as_often_as_asked() {
        let stub = Stub::new();
        stub.on("GET", "/a").json(200, &json!({})).json(201, &json!({})).always();
        let codes: Vec<_> = (0..3).map(|_| ask(&stub, "/a?x")[9..12].to_owned()).collect();
        assert_eq!(codes, ["200", "201", "201"]);
    }
}
