//! The floor: a server that does only what the framing of AMQP asks, as a measure of the machine.
//!
//! It answers the set-up methods, parses publishes and writes them out again as deliveries to
//! the queue's first consumer, answers confirms in groups and reads acknowledgements. It keeps
//! no messages: what is published to a queue without a consumer is dropped. It never checks
//! permissions, prefetch or equivalence. What a broker costs above it is the broker's own doing.

mod output;
mod server;
mod session;
mod topology;

use anyhow::{Context, Result};

/// What the line that announces the address begins with.
pub const ANNOUNCEMENT: &str = "floor listens on ";

/// Serves until the process ends. With `until_stdin_closes`, that is when its parent goes.
pub fn serve(listen: &str, until_stdin_closes: bool) -> Result<()> {
    let address = listen
        .parse()
        .with_context(|| format!("{listen} is not an address and port"))?;
    let mut server = server::Server::bind(address)?;
    println!("{ANNOUNCEMENT}{}", server.address()?);
    if until_stdin_closes {
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
    }
    server.run()
}

/// A floor on a thread that goes with the test's process: where it listens.
#[cfg(test)]
pub fn in_background() -> std::net::SocketAddr {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut server = server::Server::bind(([127, 0, 0, 1], 0).into()).unwrap();
        tell.send(server.address().unwrap()).unwrap();
        server.run().unwrap();
    });
    told.recv().unwrap()
}
