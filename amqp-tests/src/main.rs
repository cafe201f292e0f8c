//! Runs the scenarios against one broker or two and prints a line for each.

use std::process::ExitCode;

use amqp_tests::client::Url;
use amqp_tests::http::Http;
use amqp_tests::suite::{
    Plan, Product, Result, Target, detect, fail, free_ports, print_list, run_all,
};
use amqp_tests::{Scenario, scenarios};

const USAGE: &str =
    "scenarios [--url URL] [--http-url URL] [--broker-bin FILE] [--oracle-url URL] \
[--oracle-http-url URL] [--oracle-sbin DIR] \
[--product rabbitmq|leveret] [--filter TEXT] [--list] [--json FILE] [--threads N] [--repeat N]
  --url URL         broker under test (amqp://guest:guest@127.0.0.1:5672/%2f)
  --http-url URL    its management API (http://127.0.0.1:15672); without it scenarios of
                    that API are not run
  --broker-bin FILE its server binary, for scenarios that need their own instance
  --oracle-url URL  a RabbitMQ to run the same scenarios on, in a second column
  --oracle-http-url URL  the management API of that RabbitMQ
  --oracle-sbin DIR RabbitMQ's scripts, for scenarios that need a RabbitMQ of their own
                    (searched for at the usual places without it)
  --product NAME    what the broker is; without it its server-properties tell
  --filter TEXT     only scenarios whose id contains TEXT (several: any of them)
  --list            print ids, rules and sources, run nothing
  --json FILE       write the results there
  --threads N       scenarios at a time (8)
  --repeat N        run everything N times
  --free-ports N    print N free ports, run nothing";

#[derive(Default)]
struct Args {
    url: Option<String>,
    http: Option<Http>,
    binary: Option<String>,
    oracle: Option<String>,
    oracle_http: Option<Http>,
    oracle_sbin: Option<String>,
    product: Option<Product>,
    filters: Vec<String>,
    list: bool,
    json: Option<String>,
    threads: usize,
    repeat: usize,
    free_ports: usize,
}

fn parse() -> Result<Args> {
    let mut args = Args {
        threads: 8,
        repeat: 1,
        ..Args::default()
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || match words.next() {
            Some(v) => Ok(v),
            None => fail(format!("{word} needs a value")),
        };
        let number = |v: String| v.parse().or_else(|_| fail(format!("{v} is no number")));
        match word.as_str() {
            "--url" => args.url = Some(value()?),
            "--http-url" => args.http = Some(Http::parse(&value()?)?),
            "--oracle-http-url" => args.oracle_http = Some(Http::parse(&value()?)?),
            "--broker-bin" => args.binary = Some(value()?),
            "--oracle-url" => args.oracle = Some(value()?),
            "--oracle-sbin" => args.oracle_sbin = Some(value()?),
            "--product" => {
                args.product = Some(match value()?.as_str() {
                    "rabbitmq" => Product::RabbitMq,
                    "leveret" => Product::Leveret,
                    other => return fail(format!("unknown product {other}")),
                });
            }
            "--filter" => args.filters.push(value()?),
            "--list" => args.list = true,
            "--json" => args.json = Some(value()?),
            "--threads" => args.threads = number(value()?)?,
            "--repeat" => args.repeat = number(value()?)?,
            "--free-ports" => args.free_ports = number(value()?)?,
            _ => return fail(format!("unknown argument {word}\n{USAGE}")),
        }
    }
    Ok(args)
}

fn chosen(args: &Args) -> Result<Vec<Scenario>> {
    let all = scenarios::all();
    for (at, s) in all.iter().enumerate() {
        if all[..at].iter().any(|other| other.id == s.id) {
            return fail(format!("two scenarios are called {}", s.id));
        }
    }
    let wanted = |s: &Scenario| {
        args.filters.is_empty() || args.filters.iter().any(|f| s.id.contains(f.as_str()))
    };
    let chosen: Vec<Scenario> = all.into_iter().filter(wanted).collect();
    let repeated = std::iter::repeat_n(chosen, args.repeat);
    Ok(repeated.flatten().collect())
}

fn target(
    url: &str,
    http: &Option<Http>,
    product: Option<Product>,
    binary: Option<&String>,
) -> Result<Target> {
    let url = Url::parse(url)?;
    let (detected, description) = detect(&url)?;
    let product = product.unwrap_or(detected);
    println!("{}:{} is {description}", url.host, url.port);
    let label = match product {
        Product::RabbitMq => "RabbitMQ",
        Product::Leveret => "Leveret",
    };
    Ok(Target {
        label: label.into(),
        url,
        http: http.clone(),
        product,
        binary: binary.map(Into::into),
    })
}

fn run() -> Result<bool> {
    let args = parse()?;
    if args.free_ports > 0 {
        free_ports(args.free_ports)?
            .iter()
            .for_each(|port| println!("{port}"));
        return Ok(true);
    }
    let scenarios = chosen(&args)?;
    if args.list {
        print_list(&scenarios);
        return Ok(true);
    }
    let url = args
        .url
        .as_deref()
        .unwrap_or("amqp://guest:guest@127.0.0.1:5672/%2f");
    let mut targets = vec![target(url, &args.http, args.product, args.binary.as_ref())?];
    if let Some(oracle) = &args.oracle {
        targets.push(target(
            oracle,
            &args.oracle_http,
            Some(Product::RabbitMq),
            None,
        )?);
        if targets[0].label == targets[1].label {
            targets[1].label = "oracle".into();
        }
    }
    let report = run_all(&Plan {
        targets,
        scenarios,
        threads: args.threads,
        oracle_sbin: args.oracle_sbin.map(Into::into),
    });
    if let Some(file) = &args.json {
        std::fs::write(file, report.json())?;
    }
    let (passed, failed, not_run) = report.counts();
    if failed > 0 {
        println!("\nfailed:");
        report.print_failures();
    }
    for (label, count) in report.by_column() {
        println!("{label}: {count} of {}", passed + failed + not_run);
    }
    if not_run > 0 {
        println!("{not_run} not run");
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0 && passed > 0)
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::from(2)
        }
    }
}
