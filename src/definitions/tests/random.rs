//! Random commands over few names, so that they meet each other; by seed.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::amqp::{Table, Value};
use crate::auth::{HashingAlgorithm, PasswordHash};
use crate::definitions::command::Command;
use crate::definitions::import::DestinationKind;
use crate::definitions::rows::{
    BindingRow, ExchangeRow, GlobalParameterRow, ParameterRow, PermissionRow, PolicyRow, QueueRow,
    TopicPermissionRow, UserRow, VhostRow,
};
use crate::definitions::state::State;
use crate::ids::Name;

/// Runs `test` for so many seeds, or for the one in `LEVERET_SEED`; one that fails is named with
/// the command that repeats it.
pub(crate) fn for_seeds(name: &str, count: u64, test: impl Fn(&mut Commands)) {
    let one = std::env::var("LEVERET_SEED").ok();
    let one = one.map(|seed| seed.parse::<u64>().expect("LEVERET_SEED is a number"));
    let many = std::env::var("LEVERET_SEEDS").ok();
    let many = many.map(|count| count.parse::<u64>().expect("LEVERET_SEEDS is a number"));
    let seeds = one.map_or(0..many.unwrap_or(count), |seed| seed..seed + 1);
    for seed in seeds {
        let named = Named(name, seed);
        test(&mut Commands::new(seed));
        drop(named);
    }
}

/// Names the seed when its test panics.
struct Named<'a>(&'a str, u64);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(name, seed) = self;
            eprintln!("repeat with: LEVERET_SEED={seed} cargo test --lib definitions::{name}");
        }
    }
}

/// A source of commands.
pub(crate) struct Commands {
    pub(crate) rng: StdRng,
    queue_id: u64,
}

impl Commands {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            queue_id: 0,
        }
    }

    pub(crate) fn many(&mut self, count: usize) -> Vec<Command> {
        (0..count).map(|_| self.next()).collect()
    }

    /// The state after `commands`, numbered from 1.
    pub(crate) fn state_of(commands: &[Command]) -> State {
        let mut state = State::default();
        for (index, command) in (1..).zip(commands) {
            state.apply(index, command, &mut Vec::new());
        }
        state
    }

    pub(crate) fn next(&mut self) -> Command {
        if self.rng.random_ratio(1, 15) {
            let count = self.rng.random_range(0..6);
            return Command::Batch((0..count).map(|_| self.single()).collect());
        }
        self.single()
    }

    fn single(&mut self) -> Command {
        // Adding is more frequent than deleting, and deleting a host rare.
        match self.rng.random_range(0..60) {
            0..=2 => Command::PutVhost(VhostRow {
                name: self.vhost(),
                description: self.text(),
                tags: self.texts(),
                default_queue_type: self.rng.random::<bool>().then(|| "quorum".to_owned()),
                protected: self.rng.random(),
            }),
            3 => Command::DeleteVhost { name: self.vhost() },
            4..=6 => Command::PutUser(self.user_row()),
            7 => Command::DeleteUser { name: self.user() },
            8..=10 => Command::SetPermission(PermissionRow {
                vhost: self.vhost(),
                user: self.user(),
                configure: self.text(),
                write: self.text(),
                read: self.text(),
            }),
            11 => Command::ClearPermission {
                vhost: self.vhost(),
                user: self.user(),
            },
            12..=14 => Command::SetTopicPermission(TopicPermissionRow {
                vhost: self.vhost(),
                user: self.user(),
                exchange: self.name(),
                write: self.text(),
                read: self.text(),
            }),
            15 => Command::ClearTopicPermission {
                vhost: self.vhost(),
                user: self.user(),
                exchange: self.rng.random::<bool>().then(|| self.name()),
            },
            16..=20 => Command::DeclareExchange(ExchangeRow {
                vhost: self.vhost(),
                name: self.name(),
                kind: "x-consistent-hash".to_owned(),
                auto_delete: self.rng.random(),
                internal: self.rng.random(),
                arguments: self.table(2),
                declared_by: self.name(),
            }),
            21..=22 => Command::DeleteExchange {
                vhost: self.vhost(),
                name: self.name(),
            },
            23..=30 => Command::DeclareQueue(self.queue_row()),
            31..=32 => Command::DeleteQueue {
                id: self.rng.random_range(0..=self.queue_id + 1),
            },
            33..=45 => Command::Bind(self.binding_row()),
            46..=47 => Command::Unbind(self.binding_row()),
            48..=50 => Command::PutParameter(ParameterRow {
                vhost: self.vhost(),
                component: self.text(),
                name: self.text(),
                value: "{\"max-queues\":10}".to_owned(),
            }),
            51 => Command::DeleteParameter {
                vhost: self.vhost(),
                component: self.text(),
                name: self.text(),
            },
            52..=54 => Command::PutGlobalParameter(GlobalParameterRow {
                name: self.text(),
                value: "\"node\"".to_owned(),
            }),
            55 => Command::DeleteGlobalParameter { name: self.text() },
            56..=58 => Command::PutPolicy(PolicyRow {
                vhost: self.vhost(),
                name: self.text(),
                pattern: "^q".to_owned(),
                apply_to: "queues".to_owned(),
                definition: "{\"max-length\":5}".to_owned(),
                priority: self.rng.random(),
            }),
            _ => Command::DeletePolicy {
                vhost: self.vhost(),
                name: self.text(),
            },
        }
    }

    fn vhost(&mut self) -> Name {
        let names: [&[u8]; 4] = [b"/", b"", b"\xff\x00", b"a"];
        Name::new(names.choose(&mut self.rng).unwrap())
    }

    fn name(&mut self) -> Name {
        let long = [b'n'; 255];
        let names: [&[u8]; 6] = [b"", b"a", b"ab", b"b\x01", b"amq.topic", &long];
        Name::new(names.choose(&mut self.rng).unwrap())
    }

    fn user(&mut self) -> String {
        let names = ["guest", "", "ütf"];
        (*names.choose(&mut self.rng).unwrap()).to_owned()
    }

    fn text(&mut self) -> String {
        let texts = ["", "^a.*$", "limits"];
        (*texts.choose(&mut self.rng).unwrap()).to_owned()
    }

    fn texts(&mut self) -> Vec<String> {
        (0..self.rng.random_range(0..3))
            .map(|_| self.text())
            .collect()
    }

    fn user_row(&mut self) -> UserRow {
        let algorithms = [
            HashingAlgorithm::Sha256,
            HashingAlgorithm::Sha512,
            HashingAlgorithm::Md5,
        ];
        let algorithm = *algorithms.choose(&mut self.rng).unwrap();
        let hash = PasswordHash::make(algorithm, self.rng.random(), b"secret").unwrap();
        UserRow {
            name: self.user(),
            password: self.rng.random::<bool>().then_some(hash),
            tags: self.texts(),
            limits: vec![("max-channels".to_owned(), self.rng.random())],
        }
    }

    pub(crate) fn queue_row(&mut self) -> QueueRow {
        // Now and then an id that was there before.
        let id = if self.rng.random_ratio(1, 6) {
            self.rng.random_range(0..=self.queue_id)
        } else {
            self.queue_id += 1;
            self.queue_id
        };
        QueueRow {
            id,
            vhost: self.vhost(),
            name: self.name(),
            kind: "classic".to_owned(),
            auto_delete: self.rng.random(),
            arguments: self.table(3),
            declared_by: self.name(),
        }
    }

    fn binding_row(&mut self) -> BindingRow {
        let kinds = [DestinationKind::Queue, DestinationKind::Exchange];
        BindingRow {
            vhost: self.vhost(),
            source: self.name(),
            destination_kind: *kinds.choose(&mut self.rng).unwrap(),
            destination: self.name(),
            routing_key: self.name(),
            arguments: if self.rng.random_ratio(2, 3) {
                Table::default()
            } else {
                self.table(1)
            },
        }
    }

    fn table(&mut self, depth: usize) -> Table {
        let keys: [&[u8]; 4] = [b"x-match", b"x-max-length", b"\xfe", b""];
        let pairs = (0..self.rng.random_range(0..4)).map(|_| {
            let key = keys.choose(&mut self.rng).unwrap().to_vec();
            (key, self.value(depth))
        });
        Table(pairs.collect())
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.rng.random_range(0..if depth == 0 { 13 } else { 15 }) {
            0 => Value::Bool(self.rng.random()),
            1 => Value::I8(self.rng.random()),
            2 => Value::U8(self.rng.random()),
            3 => Value::I16(self.rng.random()),
            4 => Value::U16(self.rng.random()),
            5 => Value::I32(self.rng.random()),
            6 => Value::U32(self.rng.random()),
            7 => Value::I64(self.rng.random()),
            8 => Value::F64(*[0.0, -0.0, 1.5].choose(&mut self.rng).unwrap()),
            9 => Value::Decimal(self.rng.random(), self.rng.random()),
            10 => Value::LongString(vec![0xff; self.rng.random_range(0..300)]),
            11 => Value::Timestamp(self.rng.random()),
            12 => Value::Void,
            13 => Value::Array(vec![self.value(depth - 1), Value::Bytes(vec![0; 3])]),
            _ => Value::Table(self.table(depth - 1)),
        }
    }
}

/// What lies in the fixture of version 1: a row of each kind.
pub(crate) fn fixture() -> State {
    let vhost = Name::from("/");
    let arguments = Table(vec![(b"x-max-length".to_vec(), Value::I64(5))]);
    let hash = "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR";
    Commands::state_of(&[
        Command::PutVhost(VhostRow {
            name: vhost.clone(),
            description: "the host".to_owned(),
            tags: vec!["t".to_owned()],
            default_queue_type: Some("quorum".to_owned()),
            protected: false,
        }),
        Command::PutUser(UserRow {
            name: "u".to_owned(),
            password: PasswordHash::parse(HashingAlgorithm::Sha256, hash).unwrap(),
            tags: vec!["administrator".to_owned()],
            limits: vec![("max-channels".to_owned(), -1)],
        }),
        Command::SetPermission(PermissionRow {
            vhost: vhost.clone(),
            user: "u".to_owned(),
            configure: "^c".to_owned(),
            write: "^w".to_owned(),
            read: "^r".to_owned(),
        }),
        Command::SetTopicPermission(TopicPermissionRow {
            vhost: vhost.clone(),
            user: "u".to_owned(),
            exchange: Name::from("amq.topic"),
            write: "^w".to_owned(),
            read: "^r".to_owned(),
        }),
        Command::DeclareExchange(ExchangeRow {
            vhost: vhost.clone(),
            name: Name::from("x"),
            kind: "topic".to_owned(),
            auto_delete: true,
            internal: false,
            arguments: Table::default(),
            declared_by: Name::from(""),
        }),
        Command::DeclareQueue(QueueRow {
            id: 300,
            vhost: vhost.clone(),
            name: Name::new(b"q\xff"),
            kind: "classic".to_owned(),
            auto_delete: false,
            arguments: arguments.clone(),
            declared_by: Name::from(""),
        }),
        Command::Bind(BindingRow {
            vhost: vhost.clone(),
            source: Name::from("x"),
            destination_kind: DestinationKind::Queue,
            destination: Name::new(b"q\xff"),
            routing_key: Name::from("a.#"),
            arguments,
        }),
        Command::PutParameter(ParameterRow {
            vhost: vhost.clone(),
            component: "vhost-limits".to_owned(),
            name: "limits".to_owned(),
            value: "{\"max-queues\":10}".to_owned(),
        }),
        Command::PutGlobalParameter(GlobalParameterRow {
            name: "cluster_name".to_owned(),
            value: "\"rabbit@host\"".to_owned(),
        }),
        Command::PutPolicy(PolicyRow {
            vhost,
            name: "p".to_owned(),
            pattern: "^q".to_owned(),
            apply_to: "queues".to_owned(),
            definition: "{\"max-length\":5}".to_owned(),
            priority: -3,
        }),
    ])
}
