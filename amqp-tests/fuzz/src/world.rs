//! A broker with one virtual host, its clock driven by hand, and what must hold when all is over.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};

use leveret::amqp::Table;
use leveret::auth::{HashingAlgorithm, Mechanism, PasswordHash, Permissions, User};
use leveret::broker::timer::Timer;
use leveret::broker::{Broker, Options, Vhost};
use leveret::connection::Tuning;
use leveret::message::chunk::bytes_held;
use leveret::queue::QueueKind;
use leveret::server::session::{PeerInfo, Session, SessionOptions};
use tokio::runtime::Runtime;

/// The largest body.
pub const MAX_MESSAGE: u64 = 200_000;

/// The frame_max that is offered.
pub const FRAME_MAX: u32 = 131_072;

/// One world at a time: the count of held octets is the process's.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().build().expect("a runtime")
    })
}

/// A broker under test.
pub struct World {
    pub broker: Arc<Broker>,
    pub vhost: Arc<Vhost>,
    options: Arc<SessionOptions>,
    /// A dead letter may wait for its next try, which keeps its octets.
    pub retries: bool,
    _one: MutexGuard<'static, ()>,
}

impl World {
    pub fn new() -> Self {
        let one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(bytes_held(), 0, "octets held before there is a broker");
        let broker = Broker::new(Options {
            max_message_size: MAX_MESSAGE,
            memory_limit: 1 << 30,
            consumer_timeout_ms: None,
            hashing: Default::default(),
            default_kind: QueueKind::Classic,
        });
        let vhost = broker.put_vhost(b"/", None);
        let password = PasswordHash::make(HashingAlgorithm::default(), [1, 2, 3, 4], b"guest");
        let all = Permissions::new(".*", ".*", ".*").expect("patterns");
        broker.users.change(|tables| {
            tables.put_user(User {
                name: "guest".into(),
                password: password.ok(),
                tags: vec!["administrator".into()],
            });
            tables.put_permissions("guest", "/", all);
        });
        let options = SessionOptions {
            tuning: Tuning {
                channel_max: 2047,
                frame_max: FRAME_MAX,
                heartbeat_s: 60,
            },
            initial_frame_max: 8192,
            server_properties: Table::default(),
            mechanisms: vec![Mechanism::Plain, Mechanism::Amqplain, Mechanism::External],
            anonymous_user: None,
            loopback_users: vec!["guest".into()],
            handshake_timeout_ms: 10_000,
            connection_max: None,
        };
        Self {
            broker,
            vhost,
            options: Arc::new(options),
            retries: false,
            _one: one,
        }
    }

    /// A session at its beginning.
    pub fn session(&self) -> Session {
        let peer = PeerInfo {
            socket_is_loopback: true,
            ..PeerInfo::default()
        };
        Session::new(Arc::clone(&self.broker), Arc::clone(&self.options), peer)
    }

    /// Lets the broker's timer do what is due.
    pub fn tick(&self) {
        let _context = runtime().enter();
        let mut timer = pin!(Timer::run(Arc::clone(&self.broker)));
        let mut context = Context::from_waker(Waker::noop());
        assert!(timer.as_mut().poll(&mut context).is_pending());
    }

    /// Every session has ended: what they held is free, and with the queues all octets are.
    pub fn end(self) {
        let Self {
            broker,
            vhost,
            options,
            retries,
            _one,
        } = self;
        assert_eq!(broker.connections.len(), 0, "connections of ended sessions");
        assert_eq!(broker.connections.sessions(), 0, "sessions that ended");
        for queue in vhost.all_queues() {
            let status = queue.status();
            assert_eq!(queue.owner, None, "an exclusive queue without its owner");
            assert_eq!(status.consumers, 0, "consumers of ended sessions");
            assert_eq!(status.unacked, 0, "deliveries of ended sessions");
        }
        let queues: Vec<_> = vhost.all_queues().iter().map(Arc::downgrade).collect();
        let host = Arc::downgrade(&vhost);
        for queue in vhost.all_queues() {
            vhost
                .delete_queue(&queue, false, false)
                .expect("unconditional");
        }
        assert!(vhost.all_queues().is_empty());
        if !retries {
            assert_eq!(bytes_held(), 0, "octets held without sessions and queues");
        }
        drop((vhost, options));
        assert_eq!(Arc::strong_count(&broker), 1, "somebody keeps the broker");
        drop(broker);
        assert_eq!(bytes_held(), 0, "octets held without a broker");
        assert_eq!(host.strong_count(), 0, "somebody keeps the virtual host");
        let kept = queues.iter().filter(|queue| queue.strong_count() > 0);
        assert_eq!(kept.count(), 0, "somebody keeps queues");
    }
}
