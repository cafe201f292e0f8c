//! Scenarios: the management API under settings of its own.

use super::http::{LAG, over_http};
use super::http_health::{certificate, openssl};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.settings.path_prefix",
        "with path_prefix everything is below it, and the root leads there",
        "management 1.1; RabbitMQ configuration",
        path_prefix,
    ),
    over_http(
        "http.settings.cors",
        "pages of the origins that are allowed may use the API, and no others",
        "RabbitMQ configuration",
        cors,
    ),
    over_http(
        "http.settings.cors_max_age",
        "a browser is told how long it may remember what a page may do",
        "RabbitMQ configuration",
        cors_max_age,
    )
    .deviation("RabbitMQ 3.10.8 takes the setting and tells nothing (RULINGS 22 a)"),
    over_http(
        "http.settings.headers",
        "the configured policies for scripts and for TLS stand in every answer",
        "RabbitMQ configuration",
        headers,
    ),
    over_http(
        "http.settings.tls",
        "the API over TLS, beside the one in the clear, and as a listener",
        "RabbitMQ configuration; management 1.1",
        tls,
    ),
    over_http(
        "http.settings.tls_clients",
        "over TLS a client without the certificate that is asked for is refused",
        "RabbitMQ configuration",
        tls_clients,
    ),
];

const WHOAMI: &str = "/api/whoami";

fn path_prefix(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let http = ctx.private("management.path_prefix = /mq", "")?.http()?;
    check_eq!(http.json("/mq/api/whoami")?["name"].text(), "guest");
    http.get(WHOAMI)?.expect(404)?;
    http.get("/mqx")?.expect(404)?;
    let root = http.anonymous().get("/")?.expect(301)?;
    check_eq!(root.header("location"), Some("/mq/"));
    for path in ["/mq", "/mq/"] {
        let page = http.anonymous().get(path)?.expect(200)?;
        let kind = page.header("content-type").unwrap_or("");
        check!(kind.starts_with("text/html"), "{path}: {kind}");
    }
    let name = ctx.name("v");
    http.put(&format!("/mq/api/vhosts/{name}"), "{}")?
        .expect(201)?;
    Ok(())
}

/// A broker whose API pages of two origins may use.
fn with_origins(ctx: &Ctx) -> Result<Http> {
    ctx.http()?;
    let conf = "management.cors.allow_origins.1 = https://one.example\n\
                management.cors.allow_origins.2 = https://two.example\n\
                management.cors.max_age = 1234";
    ctx.private(conf, "")?.http()
}

/// What a browser asks before a page of this origin may send a PUT with a login.
fn preflight(origin: &str) -> Request {
    Request::new("OPTIONS", "/api/queues/%2F/q")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization")
}

fn cors(ctx: &mut Ctx) -> Result {
    let http = with_origins(ctx)?;
    let asked = |origin: &str| {
        let request = Request::new("GET", WHOAMI).header("origin", origin);
        http.send(&request)?.expect(200)
    };
    let allowed = "access-control-allow-origin";
    for origin in ["https://one.example", "https://two.example"] {
        let answer = asked(origin)?;
        check_eq!(answer.header(allowed), Some(origin));
        let credentials = answer.header("access-control-allow-credentials");
        check_eq!(credentials, Some("true"));
        // Without a login, as browsers send it.
        let told = http.anonymous().send(&preflight(origin))?.expect(200)?;
        check_eq!(told.header(allowed), Some(origin));
        let methods = told.header("access-control-allow-methods").unwrap_or("");
        for method in ["GET", "PUT", "DELETE"] {
            check!(methods.split(", ").any(|m| m == method), "{methods}");
        }
        let headers = told.header("access-control-allow-headers");
        check_eq!(headers, Some("authorization"));
    }
    for origin in ["https://three.example", "http://one.example", "null"] {
        check_eq!(asked(origin)?.header(allowed), None, "{origin}");
        let told = http.anonymous().send(&preflight(origin))?;
        check_eq!(told.header(allowed), None, "{origin}");
    }
    Ok(())
}

fn cors_max_age(ctx: &mut Ctx) -> Result {
    let http = with_origins(ctx)?.anonymous();
    let told = http.send(&preflight("https://one.example"))?.expect(200)?;
    let expected = ctx.on(None, Some("1234"));
    check_eq!(told.header("access-control-max-age"), expected);
    Ok(())
}

fn headers(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let (csp, hsts) = ("script-src 'self'; object-src 'none'", "max-age=31536000");
    let conf = format!("management.csp.policy = {csp}\nmanagement.hsts.policy = {hsts}");
    let http = ctx.private(&conf, "")?.http()?;
    for path in [WHOAMI, "/"] {
        let answer = http.get(path)?.expect(200)?;
        check_eq!(answer.header("content-security-policy"), Some(csp));
        check_eq!(answer.header("strict-transport-security"), Some(hsts));
    }
    let usual = ctx.private("", "")?.http()?.get(WHOAMI)?.expect(200)?;
    check_eq!(usual.header("strict-transport-security"), None);
    let policy = usual.header("content-security-policy").unwrap_or("");
    check!(!policy.is_empty() && policy != csp, "{policy}");
    Ok(())
}

/// A broker with the API over TLS too: its certificate's folder, its settings, the port.
fn with_tls(ctx: &Ctx, more: &str) -> Result<(Scratch, Broker, u16)> {
    ctx.http()?;
    let folder = Scratch(std::env::temp_dir().join(ctx.name("tls")));
    std::fs::create_dir_all(&folder.0)?;
    certificate(&folder.0)?;
    let port = crate::suite::free_port()?;
    let file = |name: &str| folder.0.join(name).display().to_string();
    let conf = format!(
        "management.ssl.port = {port}\nmanagement.ssl.ip = 127.0.0.1\n\
         management.ssl.cacertfile = {}\nmanagement.ssl.certfile = {}\n\
         management.ssl.keyfile = {}\n{more}",
        file("cert.pem"),
        file("cert.pem"),
        file("key.pem")
    );
    let broker = ctx.private_own(&conf, "")?;
    // RabbitMQ's listeners of the API may come after the one that was waited for.
    eventually(LAG, || broker.http()?.json(WHOAMI))?;
    Ok((folder, broker, port))
}

/// A folder that goes with its owner.
struct Scratch(std::path::PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tls(ctx: &mut Ctx) -> Result {
    let (folder, broker, port) = with_tls(ctx, "")?;
    let secure = Http::local(port).over_tls(&folder.0.join("cert.pem"));
    check_eq!(secure.json(WHOAMI)?["name"].text(), "guest");
    let name = ctx.name("v");
    let path = format!("/api/vhosts/{name}");
    secure.put(&path, "{\"description\":\"ä\"}")?.expect(201)?;
    let clear = broker.http()?;
    check_eq!(clear.json(&path)?["description"].text(), "ä");
    secure.anonymous().get(WHOAMI)?.expect(401)?;
    check!(Http::local(port).get(WHOAMI).is_err(), "in the clear");
    let told = clear.json("/api/overview")?;
    let listener = told["listeners"].find("protocol", "https");
    check_eq!(listener["port"].int(), Some(port.into()), "{told}");
    clear
        .json("/api/health/checks/protocol-listener/https")
        .map(drop)
}

/// Makes `client.pem`, signed by `cert.pem`, and `client.key`.
fn client_certificate(folder: &std::path::Path) -> Result<()> {
    let extensions = "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n";
    std::fs::write(folder.join("client.ext"), extensions)?;
    for words in [
        "req -newkey rsa:2048 -nodes -subj /CN=client -keyout client.key -out client.csr",
        "x509 -req -in client.csr -CA cert.pem -CAkey key.pem -set_serial 2 -days 9 \
         -extfile client.ext -out client.pem",
    ] {
        openssl(folder, words)?;
    }
    Ok(())
}

fn tls_clients(ctx: &mut Ctx) -> Result {
    let more = "management.ssl.verify = verify_peer\nmanagement.ssl.fail_if_no_peer_cert = true";
    let (folder, _broker, port) = with_tls(ctx, more)?;
    let file = |name: &str| folder.0.join(name);
    let without = Http::local(port).over_tls(&file("cert.pem"));
    check!(without.get(WHOAMI).is_err(), "no certificate was needed");
    client_certificate(&folder.0)?;
    let with = without.showing(&file("client.pem"), &file("client.key"));
    check_eq!(with.json(WHOAMI)?["name"].text(), "guest");
    Ok(())
}
