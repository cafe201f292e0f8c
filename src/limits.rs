//! Every bound of the broker with its reason. A buffer, map, loop or depth without one is a bug.

/// Octets read from a socket at once: large enough that a batch of small messages pays for its
/// system call, small enough to stay in the second-level cache.
pub const READ_BATCH: usize = 256 * 1024;

/// Ten years in milliseconds: RabbitMQ's upper bound of every TTL and expiry.
pub const EXPIRY_MAX_MS: u64 = 315_360_000_000;

/// Deliveries stop being turned into frames when a connection's output holds this many octets: a
/// peer that does not read costs at most this and its inbox.
pub const OUTPUT_HIGH: usize = 256 * 1024;

/// Replies, confirms and returns may grow the output to this before the connection stops being
/// read: a peer that sends requests but never reads the answers ends here.
pub const OUTPUT_FULL: usize = 4 * 1024 * 1024;

/// Octets of deliveries (bodies and a fixed cost each) that wait in a connection's inbox.
pub const INBOX_BYTES: isize = 512 * 1024;

/// What one delivery in an inbox counts besides its body.
pub const DELIVERY_COST: usize = 64;

/// Events (cancels, blocked, closes) that may wait in an inbox. Each consumer and the connection
/// itself give rise to a handful, so only a bug or an attack reaches it; the connection is closed.
pub const INBOX_EVENTS: usize = 65_536;

/// Bodies from here on are written from their chunk instead of being copied into the output.
pub const BODY_BY_REFERENCE: usize = 16 * 1024;

/// Messages in one block of a queue's index.
pub const BLOCK_ENTRIES: usize = 1_024;

/// Messages that one lock hold of a queue may expire, drop or dead-letter before it lets others in.
pub const DROPS_PER_HOLD: usize = 1_024;

/// Routes that a connection remembers. Publishers with more keys than this pay for a look-up.
pub const ROUTE_CACHE: usize = 8_192;

/// Dead-letter hops that one publish may set off before the rest goes to the timer task: bounds
/// the work a single method can cause.
pub const DEAD_LETTER_BURST: usize = 16_384;

/// Consumers of one channel; RabbitMQ has no limit, a million is beyond any real client.
pub const CONSUMERS_PER_CHANNEL: usize = 1_000_000;

/// Bytes of publishes and acknowledgements that an open transaction may hold.
pub const TX_BYTES: usize = 256 * 1024 * 1024;

/// Client properties kept for display.
pub const CLIENT_PROPERTIES: usize = 8 * 1024;

/// Hops along alternate exchanges and exchange bindings for one message: cycles end by the visited
/// set, this only bounds the set.
pub const ROUTE_HOPS: usize = 4_096;

/// Octets of bodies that are read at once for a queue whose next messages lie in files: enough that
/// the disk is asked for long runs, little enough for a thousand queues at a time.
pub const READ_AHEAD: u64 = 512 * 1024;

/// At least this many octets are read at once, whatever memory there is: with a thousand queues that
/// are drained at a time, 4 MiB.
pub const READ_AHEAD_MIN: u64 = 4 * 1024;

/// Octets of bodies, in memory and on their way there, up to which more than the least is read at
/// once. With the least of a thousand queues it stays below what makes the keeper let go of bodies
/// that consumers are about to get.
pub const READ_AHEAD_SUM: u64 = 8 * 1024 * 1024;

/// What a message that is being read counts besides its body: its place, its record's other fields
/// and, where records lie scattered, a chunk of its own.
pub const READ_COST: u64 = 160;

/// Messages that are read at once.
pub const READ_AHEAD_MESSAGES: usize = 4_096;
/// Octets of changed definitions that wait to be written to their tables. Beyond it (an import of
/// some 100,000 objects) they are dropped and the tables written anew from the definitions.
pub const TABLES_PENDING_BYTES: usize = 16 * 1024 * 1024;

/// Octets of bodies in memory from which on those that lie in the log as well are let go of.
pub const BODIES_SOFT: u64 = 8 * 1024 * 1024;

/// Octets of queue indexes in memory from which on blocks go to the file of pages.
pub const INDEX_SOFT: u64 = 8 * 1024 * 1024;

/// Messages of a block that still grows from which on it may go to the file of pages: fewer are not
/// worth a page of their own.
pub const PARTIAL_BLOCK: u32 = 128;

/// Blocks of one queue that are written down under one hold of its lock.
pub const PAGES_PER_HOLD: usize = 16;

/// Octets of the log after which a checkpoint is written, whatever the time: what a start has to
/// read at most, but for what came during the checkpoint.
pub const CHECKPOINT_BYTES: u64 = 192 * 1024 * 1024;

/// Octets of the log that wait to be written and synced before publishers are held up.
pub const LOG_BUFFER: usize = 12 * 1024 * 1024;

/// Bodies of more than this many octets are written to files of their own while they arrive.
pub const LARGE_BODY: u64 = 1024 * 1024;

/// Octets of large bodies that have arrived and wait to be written before their publishers are held
/// up.
pub const BODIES_ARRIVING: usize = 8 * 1024 * 1024;

/// Bodies of more than this many octets are written to files while they arrive when memory is scarce.
pub const SPOOL_FROM: u64 = 64 * 1024;

/// Memory is scarce for them when arriving content and open transactions take this part of its limit.
pub const SPOOL_SHARE: u64 = 16;

/// Transient messages go to files when bodies take more than this part of the memory limit.
pub const SPILL_SHARE: u64 = 4;

/// Lines of the log that are kept in memory for whoever looks on.
pub const LOG_LINES_KEPT: usize = 1_000;

/// Lines of the log that wait to be published to an exchange.
pub const LOG_LINES_TO_PUBLISH: usize = 1_000;

/// Octets of a line of the log; what is longer (a name of a client's choice, mostly) is cut.
pub const LOG_LINE: usize = 8 * 1024;

/// Events that are kept in memory for whoever looks on.
pub const EVENTS_KEPT: usize = 1_024;

/// Connections to one listener of the management API: pages and tools hold a few each, and more
/// wait to be accepted.
pub const MANAGEMENT_CONNECTIONS: usize = 1_024;

/// Connections to the operator's socket: tools of one machine.
pub const CONTROL_CONNECTIONS: usize = 64;

/// Time that a client of the management API has to send a request's head, between requests too.
pub const MANAGEMENT_HEADER_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// Octets of a request's head, and of what is read of it at once.
pub const MANAGEMENT_HEADER_BYTES: usize = 64 * 1024;

/// Time in which the next part of a request's body has to come.
pub const MANAGEMENT_BODY_IDLE: std::time::Duration = std::time::Duration::from_secs(60);

/// Octets of a body that brings a name and a password: who sends it has proved nothing yet.
pub const LOGIN_BODY_BYTES: usize = 16 * 1024;

/// Time in which such a body has to be there as a whole, however it trickles.
pub const LOGIN_BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Octets of a body on the operator's socket, whatever the configuration grants to others: the
/// definitions of a million queues take a fifth of it.
pub const OPERATOR_BODY_BYTES: usize = 1 << 30;

/// Publishers are held up while bodies take more than this many eighths of the memory limit and
/// some of them are being put away: an allocator may hold twice as much, which is below the limit.
pub const HOLD_EIGHTHS: u64 = 3;

/// Publishers are held up while the log takes this many quarters of what it may beyond twice what
/// lives in it, and files are being emptied; a checkpoint's worth may come before it is seen.
pub const HOLD_LOG_QUARTERS: u64 = 2;

/// Looks in vain after which publishers are let go again: what is there cannot be put away.
pub const HOLD_PATIENCE: u32 = 50;

/// Answers of the management API without an end (events, logs) at a time: a few for each person who
/// looks at the pages.
pub const MANAGEMENT_STREAMS: usize = 256;

/// Those of one user among them: every page of a browser has one or two.
pub const MANAGEMENT_STREAMS_OF_USER: usize = 32;

/// Octets of the text of metrics that are made before they are sent: an answer about a hundred
/// thousand objects takes no more memory than one about ten, but for the numbers themselves.
pub const METRICS_PIECE: usize = 64 * 1024;

/// Queues up to which the sums of the metrics are made anew for each scrape, in about a millisecond;
/// with more they are at most one round of the sampler old.
pub const METRICS_FRESH_QUEUES: usize = 1_000;

/// Sources of logins that are remembered, each an address, a name and a protocol: more than one
/// broker's applications, little for an attacker to fill.
pub const LOGIN_SOURCES: usize = 1_024;

/// Octets that are kept of the name a login asks for: a user's name is no longer over AMQP.
pub const LOGIN_NAME_BYTES: usize = 255;
