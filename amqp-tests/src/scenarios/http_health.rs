//! Scenarios: health checks that hold, and that fail when they should.

use super::http::{Api, LAG, over_http};
use crate::prelude::*;
use std::process::{Command, Stdio};

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.health.ok",
        "on a healthy node every check is ok, and the aliveness test leaves no message",
        "management 1.5",
        healthy,
    ),
    over_http(
        "http.health.listeners",
        "a port or protocol without a listener fails and tells which there are",
        "management 1.1, 1.5",
        listeners,
    ),
    over_http(
        "http.health.disk_alarm",
        "a disk alarm fails the alarm checks and shows on the node",
        "management 1.5",
        disk_alarm,
    ),
    over_http(
        "http.health.memory_alarm",
        "a memory alarm fails the alarm checks and shows on the node",
        "management 1.5",
        memory_alarm,
    ),
    over_http(
        "http.health.certificates",
        "a listener's certificate that expires within the time asked for fails the check",
        "management 1.2",
        certificates,
    ),
    over_http(
        "http.health.timeout",
        "a check takes the header timeout; one that is no number is refused",
        "management 1.5",
        timeout,
    )
    .deviation("RabbitMQ crashes on what is no number (RULINGS 22 a)"),
    over_http(
        "http.health.gone",
        "a broker that was stopped answers no check",
        "management 1.5",
        gone,
    ),
];

const CHECKS: &str = "/api/health/checks";

fn healthy(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    for check in [
        "alarms",
        "local-alarms",
        "virtual-hosts",
        "node-is-quorum-critical",
        "node-is-mirror-sync-critical",
    ] {
        // A vhost that another scenario makes may be down for a moment.
        let told = eventually(LAG, || api.http.json(&format!("{CHECKS}/{check}")))?;
        check_eq!(told["status"].text(), "ok", "{check}");
    }
    let told = api.http.json(&api.path("aliveness-test", ""))?;
    check_eq!(told.to_string(), "{\"status\":\"ok\"}");
    let left = api.http.json(&api.path("queues", ""))?;
    check!(
        left.items()
            .iter()
            .all(|q| q["messages"].int().unwrap_or(0) == 0),
        "{left}"
    );
    let node = api.http.json("/api/overview")?["node"].text().to_string();
    eventually(LAG, || {
        let node = api.http.json(&format!("/api/nodes/{}", segment(&node)))?;
        for alarm in ["mem_alarm", "disk_free_alarm"] {
            check_eq!(node[alarm], Json::Bool(false), "{alarm}");
        }
        check!(node["running"].is_true());
        Ok(())
    })
}

fn listeners(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let port = api.broker.url.port;
    let told = api.http.json(&format!("{CHECKS}/port-listener/{port}"))?;
    check_eq!(
        (told["status"].text(), told["port"].int()),
        ("ok", Some(port.into()))
    );
    let told = api
        .http
        .json(&format!("{CHECKS}/port-listener/{}", api.http.port))?;
    check_eq!(told["status"].text(), "ok");
    for name in ["amqp091", "amqp", "http"] {
        let told = api
            .http
            .json(&format!("{CHECKS}/protocol-listener/{name}"))?;
        check_eq!(told["status"].text(), "ok", "{name}");
    }
    let answer = api.http.get(&format!("{CHECKS}/port-listener/1"))?;
    let told = answer.expect(503)?.json()?;
    check_eq!(
        (told["status"].text(), told["reason"].text()),
        ("failed", "No active listener")
    );
    check_eq!(told["missing"].int(), Some(1));
    check!(
        told["ports"].items().contains(&Json::Int(port.into())),
        "{told}"
    );
    for (name, missing) in [
        ("web-mqtt", "http/web-mqtt"),
        ("nosuch", "nosuch"),
        ("amqp/ssl", "amqp/ssl"),
    ] {
        let path = format!("{CHECKS}/protocol-listener/{}", segment(name));
        let told = api.http.get(&path)?.expect(503)?.json()?;
        check_eq!(told["status"].text(), "failed", "{name}");
        check_eq!(told["missing"].text(), missing);
        check!(told["protocols"].items().contains(&"amqp".into()), "{told}");
    }
    api.http
        .get(&format!("{CHECKS}/port-listener/abc"))?
        .refused(400, "bad_request", "Invalid port")
}

/// Both alarm checks fail and name the resource, and the node shows it.
fn alarmed(api: &Api, resource: &str, shown: &str) -> Result<()> {
    let node = api.http.json("/api/overview")?["node"].text().to_string();
    let reasons = [
        ("alarms", "There are alarms in effect in the cluster"),
        ("local-alarms", "There are alarms in effect on the node"),
    ];
    for (check, reason) in reasons {
        let path = format!("{CHECKS}/{check}");
        let told = eventually(LAG, || api.http.get(&path)?.expect(503))?.json()?;
        check_eq!(told["status"].text(), "failed");
        check_eq!(told["reason"].text(), reason);
        let alarm = told["alarms"].find("resource", resource);
        check_eq!(alarm["node"].text(), node, "{told}");
    }
    eventually(LAG, || {
        let told = api.http.json(&format!("/api/nodes/{}", segment(&node)))?;
        check!(told[shown].is_true(), "{shown}");
        Ok(())
    })
}

fn disk_alarm(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private("disk_free_limit.absolute = 1000000GB", "")?;
    let api = Api::of(ctx, broker)?;
    alarmed(&api, "disk space", "disk_free_alarm")
}

fn memory_alarm(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private("vm_memory_high_watermark.absolute = 1MB", "")?;
    let api = Api::of(ctx, broker)?;
    alarmed(&api, "memory", "mem_alarm")
}

/// Makes `cert.pem`, which signs itself and is good for ten days, and `key.pem`.
pub(super) fn certificate(folder: &std::path::Path) -> Result<()> {
    let words = "req -x509 -newkey rsa:2048 -nodes -days 10 -subj /CN=localhost -keyout key.pem \
                 -out cert.pem";
    openssl(folder, words)
}

/// Runs openssl in this folder; the scenario is not run where there is none.
pub(super) fn openssl(folder: &std::path::Path, words: &str) -> Result<()> {
    let run = Command::new("openssl")
        .args(words.split_ascii_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match run {
        Ok(status) if status.success() => Ok(()),
        _ => crate::suite::not_run("needs openssl"),
    }
}

fn certificates(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let folder = std::env::temp_dir().join(ctx.name("tls"));
    std::fs::create_dir_all(&folder)?;
    certificate(&folder)?;
    let file = |name: &str| folder.join(name).display().to_string();
    let conf = format!(
        "listeners.ssl.default = 127.0.0.1:{}\nssl_options.cacertfile = {}\n\
         ssl_options.certfile = {}\nssl_options.keyfile = {}",
        crate::suite::free_port()?,
        file("cert.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    let broker = ctx.private_own(&conf, "")?;
    let http = broker.http()?;
    // This listener may come after the one that was waited for.
    let tls = format!("{CHECKS}/protocol-listener/{}", segment("amqp/ssl"));
    eventually(LAG, || http.json(&tls))?;
    let ask = |within: &str| http.get(&format!("{CHECKS}/certificate-expiration/{within}"));
    for within in ["1/days", "9/days", "1/weeks"] {
        check_eq!(
            ask(within)?.expect(200)?.json()?["status"].text(),
            "ok",
            "{within}"
        );
    }
    for within in ["11/days", "2/weeks", "1/months", "1/years"] {
        let told = ask(within)?.expect(503)?.json()?;
        check_eq!(told["status"].text(), "failed", "{within}");
        check!(!told["expired"].items().is_empty(), "{told}");
    }
    ask("1/x")?.refused(
        400,
        "bad_request",
        "Time unit not recognised. Supported units: days, weeks, months, years.",
    )?;
    ask("x/days")?.refused(400, "bad_request", "Invalid expiration value.")?;
    drop(broker);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn timeout(ctx: &mut Ctx) -> Result {
    let http = Api::new(ctx)?.http;
    let asked = |timeout: &str| {
        let path = format!("{CHECKS}/alarms");
        http.send(&Request::new("GET", &path).header("timeout", timeout))
    };
    check_eq!(asked("10000")?.expect(200)?.json()?["status"].text(), "ok");
    asked("soon")?.expect(ctx.on(500, 400)).map(drop)
}

fn gone(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let mut broker = ctx.private_own("", "")?;
    let http = broker.http()?;
    http.json(&format!("{CHECKS}/alarms"))?;
    broker.end(Ending::Clean)?;
    check!(
        http.get(&format!("{CHECKS}/alarms")).is_err(),
        "still answers"
    );
    ctx.start_again(&mut broker)?;
    broker.http()?.json(&format!("{CHECKS}/alarms")).map(drop)
}
