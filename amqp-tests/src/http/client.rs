//! Requests: one connection each, read to its framed end.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use super::secure::{Secure, Tls};
use super::{Answer, base64};
use crate::suite::{Result, fail};

/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(15);

/// The longest line of a head, and how many lines it may have.
const LINE_MAX: u64 = 64 << 10;
const LINES_MAX: usize = 200;

/// A server and the login to use there.
#[derive(Clone, Debug)]
pub struct Http {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    login: Option<(String, String)>,
    tls: Option<Tls>,
}

/// What to ask.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// GET, PUT and so on.
    pub method: String,
    /// Path and query, as sent.
    pub path: String,
    /// Headers besides host, authorization, connection and content-length.
    pub headers: Vec<(String, String)>,
    /// The body; none sends no content-length either.
    pub body: Option<Vec<u8>>,
}

impl Request {
    /// A request without body.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            ..Self::default()
        }
    }
    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }
}

impl Http {
    /// guest at `http://host:port`.
    pub fn parse(text: &str) -> Result<Self> {
        let address = text
            .strip_prefix("http://")
            .map(|a| a.trim_end_matches('/'));
        let (host, port) = address.and_then(|a| a.rsplit_once(':')).unzip();
        match (host, port.and_then(|p| p.parse().ok())) {
            (Some(host), Some(port)) => Ok(Self::local(port).at(host)),
            _ => fail(format!("{text}: not http://host:port")),
        }
    }
    /// guest at 127.0.0.1.
    pub fn local(port: u16) -> Self {
        Self {
            host: "127.0.0.1".into(),
            port,
            login: Some(("guest".into(), "guest".into())),
            tls: None,
        }
    }
    /// The same over TLS, where this file says who may sign the server's certificate.
    pub fn over_tls(&self, ca: &Path) -> Self {
        let ca = ca.to_path_buf();
        Self {
            tls: Some(Tls { ca, own: None }),
            ..self.clone()
        }
    }
    /// The same with a certificate of the client's own, where it is over TLS.
    pub fn showing(&self, certificate: &Path, key: &Path) -> Self {
        let own = Some((certificate.to_path_buf(), key.to_path_buf()));
        let tls = self.tls.clone().map(|tls| Tls { own, ..tls });
        Self {
            tls,
            ..self.clone()
        }
    }
    /// The same server at another address.
    pub fn at(&self, host: &str) -> Self {
        Self {
            host: host.into(),
            ..self.clone()
        }
    }
    /// The same server as another user.
    pub fn as_user(&self, user: &str, password: &str) -> Self {
        Self {
            login: Some((user.into(), password.into())),
            ..self.clone()
        }
    }
    /// The same server without a login.
    pub fn anonymous(&self) -> Self {
        Self {
            login: None,
            ..self.clone()
        }
    }
    /// GET.
    pub fn get(&self, path: &str) -> Result<Answer> {
        self.send(&Request::new("GET", path))
    }
    /// GET of something that is there: the JSON of a 200.
    pub fn json(&self, path: &str) -> Result<super::Json> {
        self.get(path)?.expect(200)?.json()
    }
    /// PUT of a JSON body.
    pub fn put(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<Answer> {
        let request = Request::new("PUT", path).header("content-type", "application/json");
        self.send(&request.body(body))
    }
    /// POST of a JSON body.
    pub fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Result<Answer> {
        let request = Request::new("POST", path).header("content-type", "application/json");
        self.send(&request.body(body))
    }
    /// DELETE.
    pub fn delete(&self, path: &str) -> Result<Answer> {
        self.send(&Request::new("DELETE", path))
    }
    /// Sends a request and reads the whole answer.
    pub fn send(&self, request: &Request) -> Result<Answer> {
        let what = format!("{} {}", request.method, request.path);
        match self.exchange(request, &what) {
            Ok(answer) => Ok(answer),
            Err(e) => fail(format!("{what}: {e}")),
        }
    }
    fn exchange(&self, request: &Request, what: &str) -> std::io::Result<Answer> {
        let sent = self.octets(request, what);
        if let Some(tls) = &self.tls {
            let mut connection = Secure::connect(&self.host, self.port, tls)?;
            let (mut to, from) = connection.ends()?;
            to.write_all(&sent)?;
            return read_answer(&mut BufReader::new(from), request, what);
        }
        let mut stream = TcpStream::connect((self.host.as_str(), self.port))?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_write_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        stream.write_all(&sent)?;
        read_answer(&mut BufReader::new(stream), request, what)
    }
    /// A request as it is sent.
    fn octets(&self, request: &Request, what: &str) -> Vec<u8> {
        let mut sent = format!("{what} HTTP/1.1\r\nhost: {}:{}\r\n", self.host, self.port);
        sent.push_str("connection: close\r\n");
        if let Some((user, password)) = &self.login {
            let token = base64(format!("{user}:{password}").as_bytes());
            sent.push_str(&format!("authorization: Basic {token}\r\n"));
        }
        for (name, value) in &request.headers {
            sent.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &request.body {
            sent.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        sent.push_str("\r\n");
        let mut sent = sent.into_bytes();
        sent.extend_from_slice(request.body.as_deref().unwrap_or_default());
        sent
    }
}

fn read_answer(input: &mut impl BufRead, request: &Request, what: &str) -> std::io::Result<Answer> {
    let first = line(input)?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let Some(status) = status.filter(|_| first.starts_with("HTTP/1.1 ")) else {
        return Err(wrong(format!("no status line: {first:?}")));
    };
    let mut answer = Answer {
        request: what.into(),
        status,
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let text = line(input)?;
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(':') else {
            return Err(wrong(format!("no header: {text:?}")));
        };
        let header = (name.to_ascii_lowercase(), value.trim().to_string());
        answer.headers.push(header);
        if answer.headers.len() > LINES_MAX {
            return Err(wrong("a head without end".into()));
        }
    }
    let bare = request.method == "HEAD" || status == 204 || status == 304;
    if !bare {
        answer.body = read_body(input, &answer)?;
    }
    Ok(answer)
}

fn read_body(input: &mut impl BufRead, answer: &Answer) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if answer.header("transfer-encoding") == Some("chunked") {
        loop {
            let size = line(input)?;
            let digits = size.split(';').next().unwrap_or("");
            let Ok(size) = usize::from_str_radix(digits, 16) else {
                return Err(wrong(format!("no chunk size: {size:?}")));
            };
            let mut chunk = vec![0; size];
            input.read_exact(&mut chunk)?;
            body.extend_from_slice(&chunk);
            let end = line(input)?;
            if !end.is_empty() {
                return Err(wrong(format!("a chunk that goes on: {end:?}")));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match answer.header("content-length") {
        Some(length) => {
            let Ok(length) = length.parse() else {
                return Err(wrong(format!("content-length: {length}")));
            };
            body.resize(length, 0);
            input.read_exact(&mut body)?;
        }
        None => {
            input.read_to_end(&mut body)?;
        }
    }
    Ok(body)
}

fn line(input: &mut impl BufRead) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    input.take(LINE_MAX).read_until(b'\n', &mut bytes)?;
    let Some(text) = bytes.strip_suffix(b"\r\n") else {
        return Err(wrong(format!("no line: {bytes:?}")));
    };
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn wrong(text: String) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, text)
}
