//! A client's end of a session: does what the connection's driver does, with the socket's whims
//! decided by the input.

use leveret::limits::{INBOX_BYTES, OUTPUT_FULL};
use leveret::server::session::Session;

use crate::server_frames::{Said, ServerFrames};
use crate::world::{MAX_MESSAGE, World};

/// More than one reply, return or content can add to an output that was just below its bound.
const OUTPUT_SLACK: usize = MAX_MESSAGE as usize + INBOX_BYTES as usize + (1 << 20);

/// Rounds after which a session that still makes progress by itself is taken for stuck.
const ROUNDS: usize = 100_000;

/// A session and both directions of its stream.
pub struct Peer {
    pub session: Session,
    /// Octets that the session has not used.
    pub input: Vec<u8>,
    /// Octets of `input` that have arrived.
    arrived: usize,
    /// Octets that arrive at once; 0 for all.
    pub piece: usize,
    /// The client reads what it is sent.
    pub reads: bool,
    pub frames: ServerFrames,
    frame_max: usize,
}

impl Peer {
    pub fn new(world: &World, frame_max: u32, piece: usize) -> Self {
        Self {
            session: world.session(),
            input: Vec::new(),
            arrived: 0,
            piece,
            reads: true,
            frames: ServerFrames::new(frame_max),
            frame_max: frame_max as usize,
        }
    }

    /// Does what can be done; adds what the server said to `said`. False when there was nothing
    /// to do.
    pub fn pump(&mut self, said: &mut Vec<Said>) -> bool {
        for round in 0..ROUNDS {
            let mut progress = false;
            if self.session.has_work() {
                self.session.on_mail();
                progress = true;
            }
            progress |= self.feed();
            self.check_bounds();
            progress |= self.drain(said);
            if !progress {
                return round > 0;
            }
        }
        panic!("a session that never comes to rest");
    }

    /// Hands in what has arrived, or lets more arrive.
    fn feed(&mut self) -> bool {
        if !self.session.wants_read() || self.input.is_empty() {
            return false;
        }
        let before = self.arrived;
        let piece = if self.piece == 0 {
            self.input.len()
        } else {
            self.piece
        };
        self.arrived = (self.arrived + piece).min(self.input.len());
        let mut used = self.session.on_bytes(&self.input[..self.arrived]);
        // Before login frames are bounded by less.
        let most = self.frame_max.max(8 * 1024) + 16;
        if used == 0 && self.session.wants_read() && self.arrived > most {
            // A frame that closes the connection is left for the next time.
            used = self.session.on_bytes(&self.input[..self.arrived]);
            assert!(used > 0, "{} octets are no frame yet", self.arrived);
        }
        assert!(used <= self.arrived, "used more than there was");
        self.input.drain(..used);
        self.arrived -= used;
        used > 0 || self.arrived > before
    }

    fn check_bounds(&mut self) {
        let written = self.session.output().len();
        assert!(
            written <= OUTPUT_FULL + OUTPUT_SLACK,
            "{written} octets of output wait"
        );
        let room = self.session.inbox().room();
        assert!(
            room >= -(MAX_MESSAGE as isize + 1024),
            "the inbox has room for {room}"
        );
    }

    /// Reads what the session writes.
    fn drain(&mut self, said: &mut Vec<Said>) -> bool {
        if !self.reads || self.session.output().is_empty() {
            return false;
        }
        let mut octets = Vec::new();
        let piece = if self.piece == 0 {
            usize::MAX
        } else {
            self.piece
        };
        self.session
            .output()
            .write_with(|slices| {
                let mut took = 0;
                for slice in slices {
                    let part = slice.len().min(piece - took);
                    octets.extend_from_slice(&slice[..part]);
                    took += part;
                }
                Ok(took)
            })
            .expect("the client takes all");
        assert!(self.session.output().is_empty());
        assert_eq!(self.session.output().len(), 0);
        self.session.on_written(octets.len(), 1);
        said.extend(self.frames.read(&octets));
        true
    }

    /// True when everything sent was taken in and everything written was read.
    pub fn is_quiet(&mut self) -> bool {
        self.input.is_empty() && self.session.output().is_empty() && !self.session.has_work()
    }

    /// Ends the session as the driver does.
    pub fn end(mut self) {
        self.session.on_disconnect();
    }
}
