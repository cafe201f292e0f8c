//! The recorded exchanges of RabbitMQ's management API, asked again in order.
//!
//! `management/exchanges.jsonl` holds one exchange a line: the objects are made,
//! a publisher and a consumer work, everything is looked at, refused and deleted.
//! Statuses must be equal, and answers have at least the recorded keys with
//! values of the same JSON type. `management/deviations.txt` lists what Leveret
//! does otherwise on purpose; an entry that no longer occurs fails as well.

use super::http::LAG;
use crate::http::{Lack, lacks, parse_json};
use crate::prelude::*;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[Scenario::new(
    "http.replay",
    "every recorded exchange has the same status, and at least the same keys and types",
    "management 1.1 to 1.7",
    replay,
)
.deviation("management/deviations.txt lists them with reasons")
.seconds(240)];

/// How long all exchanges together wait for statistics before they are judged
/// as they are: a broker that lacks much should be told so soon.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time between two rounds of the publisher and the consumer.
const ROUND: Duration = Duration::from_millis(50);

struct Exchange {
    name: String,
    request: Request,
    /// None is guest; some of none is no login at all.
    login: Option<Option<(String, String)>>,
    status: u16,
    answer: Option<Json>,
}

struct Deviation {
    name: String,
    path: String,
    used: bool,
}

fn file(name: &str) -> Result<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("management");
    Ok(std::fs::read_to_string(folder.join(name))?)
}

/// Lines `NAME PATH REASON`; a name or path may end in `*`.
fn deviations() -> Result<Vec<Deviation>> {
    let mut found = Vec::new();
    for line in file("deviations.txt")?.lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(name), Some(path), Some(_)) = (words.next(), words.next(), words.next()) else {
            return fail(format!("deviations.txt: no name, path and reason: {line}"));
        };
        found.push(Deviation {
            name: name.into(),
            path: path.into(),
            used: false,
        });
    }
    Ok(found)
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}

fn exchange(line: &str) -> Result<Exchange> {
    let Ok(json) = parse_json(line) else {
        return fail(format!("exchanges.jsonl: no JSON: {line}"));
    };
    let text = |key: &str| json[key].text().to_string();
    let mut request = Request::new(&text("method"), &text("path"));
    for (name, value) in json["headers"].fields() {
        request = request.header(name, value.text());
    }
    if request.headers.is_empty() {
        request = request.header("content-type", "application/json");
    }
    match json.get("body") {
        // Text is sent as it is: it may be no JSON at all.
        Some(Json::Str(raw)) => request = request.body(raw.as_str()),
        Some(Json::Null) | None => {}
        Some(body) => request = request.body(body.to_string()),
    }
    let login = json.get("auth").map(|auth| match auth {
        Json::Null => None,
        pair => Some((pair[0].text().into(), pair[1].text().into())),
    });
    Ok(Exchange {
        name: text("name"),
        request,
        login,
        status: json["status"]
            .int()
            .and_then(|n| n.try_into().ok())
            .unwrap_or(0),
        answer: json.get("answer").cloned(),
    })
}

/// The connections the exchanges name, and the thread that works on two of them.
struct Load {
    names: Vec<(&'static str, String)>,
    third: Conn,
    stop: Sender<()>,
    thread: JoinHandle<Result>,
}

fn replay(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private_own("", "")?;
    let http = broker.http()?;
    let node = http.json("/api/overview")?["node"].text().to_string();
    let mut names = vec![("{node}", node), ("{port}", broker.url.port.to_string())];
    let mut listed = if ctx.is_rabbit() {
        Vec::new()
    } else {
        deviations()?
    };
    let mut wrong: Vec<String> = Vec::new();
    let mut load: Option<Load> = None;
    let mut patience = PATIENCE;
    for line in file("exchanges.jsonl")?.lines() {
        let line = names.iter().fold(line.to_string(), |line, (name, value)| {
            line.replace(name, value)
        });
        let exchange = exchange(&line)?;
        match exchange.name.as_str() {
            "=load" => {
                let started = start_load(&broker.url_for("guest", "guest", "scratch-mgmt"))?;
                names.extend(started.names.iter().cloned());
                load = Some(started);
            }
            "=idle" => {
                if let Some(Err(e)) = load.take().map(end_load) {
                    wrong.push(e.to_string());
                }
            }
            _ => wrong.extend(one(&http, &exchange, &mut listed, &mut patience)?),
        }
    }
    for unused in listed.iter().filter(|d| !d.used) {
        wrong.push(format!(
            "deviations.txt: {} {} does not occur",
            unused.name, unused.path
        ));
    }
    check!(wrong.is_empty(), "{}", wrong.join("\n        "));
    Ok(())
}

/// Asks one exchange; what is wrong and not listed. A GET is asked again while
/// its statistics may lag.
fn one(
    http: &Http,
    exchange: &Exchange,
    listed: &mut [Deviation],
    patience: &mut Duration,
) -> Result<Vec<String>> {
    let http = match &exchange.login {
        None => http.clone(),
        Some(None) => http.anonymous(),
        Some(Some((user, password))) => http.as_user(user, password),
    };
    let again = exchange.request.method == "GET" && exchange.status == 200;
    if exchange.request.path.contains("/api/connections/") {
        // A connection may be listed later than it is open.
        let get = Request::new("GET", &exchange.request.path);
        let there = if exchange.status == 404 { 404 } else { 200 };
        eventually(LAG, || http.send(&get)?.expect(there))?;
    }
    let mut wrong = Vec::new();
    let mut used: Vec<usize> = Vec::new();
    let limit = if again {
        LAG.min(*patience)
    } else {
        Duration::ZERO
    };
    let begun = Instant::now();
    let _ = eventually(limit, || {
        wrong.clear();
        used.clear();
        let answer = http.send(&exchange.request)?;
        for lack in judge(exchange, &answer) {
            let known =
                |d: &Deviation| matches(&d.name, &exchange.name) && matches(&d.path, &lack.path);
            match listed.iter().position(known) {
                Some(at) => used.push(at),
                None => wrong.push(format!("{}: {} {}", exchange.name, lack.path, lack.what)),
            }
        }
        check!(wrong.is_empty());
        Ok(())
    });
    *patience = patience.saturating_sub(begun.elapsed());
    used.into_iter().for_each(|at| listed[at].used = true);
    Ok(wrong)
}

fn judge(exchange: &Exchange, answer: &Answer) -> Vec<Lack> {
    let lack = |path: &str, what: String| Lack {
        path: path.into(),
        what,
    };
    if answer.status != exchange.status {
        let what = format!(
            "is {} instead of {}: {}",
            answer.status,
            exchange.status,
            answer.text()
        );
        return vec![lack("status", what)];
    }
    let Some(recorded) = &exchange.answer else {
        if exchange.status >= 300 && !answer.body.is_empty() {
            return vec![lack("body", format!("is not empty: {}", answer.text()))];
        }
        return Vec::new();
    };
    let told = match answer.json() {
        Ok(told) => told,
        Err(e) => return vec![lack("body", e.to_string())],
    };
    let mut found = lacks(recorded, &told);
    if exchange.status >= 400 {
        // What is refused is refused in the same words.
        for key in ["error", "reason"] {
            if found.iter().all(|l| l.path != key) && recorded[key] != told[key] {
                found.push(lack(
                    key,
                    format!("is {} instead of {}", told[key], recorded[key]),
                ));
            }
        }
    }
    found
}

fn start_load(url: &Url) -> Result<Load> {
    let (stop, stopped) = channel();
    let (told, connections) = channel();
    let at = url.clone();
    let thread = std::thread::spawn(move || work(&at, &told, &stopped));
    let third = Conn::open(url)?;
    let mut names = Vec::new();
    let mut add = |plain: &'static str, coded: &'static str, name: String| {
        names.push((coded, segment(&name)));
        names.push((plain, name));
    };
    add("{third}", "{third%}", name_of(&third)?);
    for (plain, coded) in [
        ("{publisher}", "{publisher%}"),
        ("{consumer}", "{consumer%}"),
    ] {
        match connections.recv_timeout(WAIT) {
            Ok(name) => add(plain, coded, name),
            Err(_) => {
                return thread
                    .join()
                    .unwrap_or_else(|_| fail("the load panicked"))
                    .and(fail("no load"));
            }
        }
    }
    Ok(Load {
        names,
        third,
        stop,
        thread,
    })
}

fn name_of(conn: &Conn) -> Result<String> {
    let url = conn.url();
    Ok(format!(
        "{} -> {}:{}",
        conn.local_addr()?,
        url.host,
        url.port
    ))
}

/// The third connection has been closed by the API; the thread ends its own.
fn end_load(load: Load) -> Result {
    load.third.expect_close(320, (0, 0), "maintenance")?;
    drop(load.stop);
    match load.thread.join() {
        Ok(result) => result,
        Err(_) => fail("the load panicked"),
    }
}

fn connection(url: &Url, name: &str) -> Result<Conn> {
    let properties = all_capabilities()
        .with("product", "Replay")
        .with("version", "1")
        .with("platform", "any")
        .with("information", "none")
        .with("connection_name", name);
    let options = Options {
        properties,
        ..Options::default()
    };
    Conn::open_with(url, &options)
}

/// Publishes, consumes, requeues and gets until told to stop.
fn work(url: &Url, told: &Sender<String>, stopped: &Receiver<()>) -> Result {
    let publisher = connection(url, "publisher-app")?;
    let consumer = connection(url, "consumer-app")?;
    let out = publisher.channel(1)?;
    out.confirm_select()?;
    let (orders, held) = (consumer.channel(1)?, consumer.channel(2)?);
    orders.qos(10)?;
    orders.consume_with(
        Consume::new("orders")
            .tag("ctag-orders")
            .arg("x-priority", 3),
    )?;
    held.consume_with(Consume::new("held").tag("ctag-held"))?;
    held.deliveries(3)?;
    for conn in [&publisher, &consumer] {
        let _ = told.send(name_of(conn)?);
    }
    let mut round = 0;
    while stopped.recv_timeout(ROUND) == Err(RecvTimeoutError::Timeout) {
        round += 1;
        out.publish("events", "order.new", "order")?;
        out.confirm()?;
        let delivery = orders.delivery()?;
        if round % 5 == 0 {
            orders.nack(delivery.tag, false, true)?;
            orders.ack(orders.delivery()?.tag)?;
        } else {
            orders.ack(delivery.tag)?;
        }
        if round % 10 == 0 {
            // Nobody is bound to it: it goes by the alternate exchange.
            out.publish_with(&Publish::new("events", "lost").props(Props::persistent()))?;
            out.confirm()?;
            out.get("empty-q")?;
            // A recorded purge may have been quicker.
            if let Some(taken) = out.get("backlog")? {
                out.nack(taken.tag, false, true)?;
            }
        }
    }
    publisher.close()?;
    consumer.close()
}
