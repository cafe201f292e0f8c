//! A syslog daemon: on this machine by `/dev/log`, or by UDP or TCP; RFC 3164 or RFC 5424, on
//! streams with the octet counts of RFC 6587. Every line of a message is a message of its own.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::form::Form;
use super::record::Record;
use crate::config::{SyslogProtocol, SyslogSettings, SyslogTransport};

/// Where a local daemon listens.
const LOCAL: &str = "/dev/log";

/// A remote daemon has this long to accept, and to take a line.
const PATIENCE: Duration = Duration::from_millis(500);

/// An open way to the daemon.
#[derive(Debug)]
enum Way {
    Local(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// A syslog daemon.
#[derive(Debug)]
pub struct Syslog {
    settings: SyslogSettings,
    form: Form,
    zone: TimeZone,
    host: String,
    way: Option<Way>,
}

impl Syslog {
    /// The daemon that the configuration names; the way to it is opened by the first line. `host`
    /// is the name of this machine.
    pub fn new(settings: SyslogSettings, host: String, zone: TimeZone) -> Self {
        let target = &settings.target;
        let mut form = target.form.clone();
        // The daemon notes time and severity itself.
        form.template.get_or_insert_with(|| "$pid $msg".to_owned());
        Self {
            form: Form::new(target.format, &form, zone.clone()),
            settings,
            zone,
            host,
            way: None,
        }
    }

    /// Sends a record. A way that is broken is opened once again.
    pub fn send(&mut self, record: &Record) -> io::Result<()> {
        let mut text = String::new();
        self.form.write(record, &mut text);
        for line in text.lines() {
            let message = self.message(record, line);
            let sent = self.way.as_mut().map(|way| way.send(&message));
            if !matches!(sent, Some(Ok(()))) {
                self.way = None;
                let mut way = Way::open(&self.settings)?;
                way.send(&message)?;
                self.way = Some(way);
            }
        }
        Ok(())
    }

    fn message(&self, record: &Record, line: &str) -> Vec<u8> {
        let settings = &self.settings;
        let priority = settings.facility * 8 + record.severity();
        let at = Timestamp::from_microsecond(record.at_us).unwrap_or(Timestamp::UNIX_EPOCH);
        let at = at.to_zoned(self.zone.clone());
        let pid = std::process::id();
        let (identity, host) = (&settings.identity, &self.host);
        let text = match settings.protocol {
            SyslogProtocol::Rfc3164 => {
                let time = at.strftime("%b %e %H:%M:%S");
                format!("<{priority}>{time} {host} {identity}[{pid}]: {line}")
            }
            SyslogProtocol::Rfc5424 => {
                let time = at.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z");
                format!("<{priority}>1 {time} {host} {identity} {pid} - - {line}")
            }
        };
        text.into_bytes()
    }
}

impl Way {
    fn open(settings: &SyslogSettings) -> io::Result<Self> {
        if settings.transport == SyslogTransport::Local {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect(LOCAL)?;
            return Ok(Self::Local(socket));
        }
        let address = (settings.host.as_str(), settings.port)
            .to_socket_addrs()?
            .next()
            .ok_or_else(|| io::Error::other("the syslog host has no address"))?;
        if settings.transport == SyslogTransport::Udp {
            let any = if address.is_ipv4() {
                "0.0.0.0:0"
            } else {
                "[::]:0"
            };
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            socket.connect(address)?;
            return Ok(Self::Udp(socket));
        }
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self::Tcp(stream))
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Local(socket) => socket.send(message).map(drop),
            Self::Udp(socket) => socket.send(message).map(drop),
            Self::Tcp(stream) => {
                let mut framed = format!("{} ", message.len()).into_bytes();
                framed.extend_from_slice(message);
                stream.write_all(&framed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;
    use crate::config::LogLevel;
    use crate::logs::record::Category;

    fn record() -> Record {
        Record {
            at_us: 1_795_182_538_520_269,
            level: LogLevel::Error,
            category: Category::Default,
            pid: 7,
            text: "one\ntwo".into(),
        }
    }

    fn syslog(transport: SyslogTransport, protocol: SyslogProtocol, port: u16) -> Syslog {
        let settings = SyslogSettings {
            transport,
            protocol,
            host: "127.0.0.1".into(),
            port,
            identity: "leveret".into(),
            facility: 3,
            ..SyslogSettings::default()
        };
        Syslog::new(settings, "box".into(), TimeZone::UTC)
    }

    #[test]
    fn datagrams_carry_the_old_protocol() {
        let daemon = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = daemon.local_addr().unwrap().port();
        syslog(SyslogTransport::Udp, SyslogProtocol::Rfc3164, port)
            .send(&record())
            .unwrap();
        let pid = std::process::id();
        let mut buffer = [0; 512];
        for line in ["one", "two"] {
            let length = daemon.recv(&mut buffer).unwrap();
            let got = String::from_utf8_lossy(&buffer[..length]);
            let expected = format!("<27>Nov 20 13:48:58 box leveret[{pid}]: <0.7.0> {line}");
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn streams_carry_the_new_protocol_with_lengths() {
        let daemon = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = daemon.local_addr().unwrap().port();
        let mut way = syslog(SyslogTransport::Tcp, SyslogProtocol::Rfc5424, port);
        way.send(&record()).unwrap();
        drop(way);
        let mut got = String::new();
        daemon.accept().unwrap().0.read_to_string(&mut got).unwrap();
        let pid = std::process::id();
        let body = |line| {
            format!("<27>1 2026-11-20T13:48:58.520269+00:00 box leveret {pid} - - <0.7.0> {line}")
        };
        let framed = |line| format!("{} {}", body(line).len(), body(line));
        assert_eq!(got, framed("one") + &framed("two"));
    }

    #[test]
    fn a_daemon_that_is_gone_is_an_error_and_no_wait() {
        let port = {
            let gone = TcpListener::bind("127.0.0.1:0").unwrap();
            gone.local_addr().unwrap().port()
        };
        let mut way = syslog(SyslogTransport::Tcp, SyslogProtocol::Rfc5424, port);
        assert!(way.send(&record()).is_err());
    }
}
