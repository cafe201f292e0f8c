//! What a damaged snapshot still says: every row that passes its check, wherever in the file. For the
//! repair of a store whose tables cannot be read either; a start never believes a part.

use std::fs;
use std::io;
use std::path::Path;

use super::snapshot::{FILE, HEADER_LEN, header_of, row_crc};
use super::state::State;

/// Octets of a row before its body.
const ROW_HEADER: usize = 8;

/// What was found.
#[derive(Debug, Clone)]
pub struct Salvaged {
    /// Which life of the data folder it belongs to; `None` where the header is damaged too.
    pub history: Option<u128>,
    /// The rows, at the index that the header names, or at 0.
    pub state: State,
    /// Rows that the header counts and that were not found; `None` where it is damaged.
    pub lost: Option<u64>,
}

/// Reads the rows of the snapshot in `folder` that are whole. A row's checksum starts from its place,
/// so that one found behind a damaged place was written there.
pub fn salvage(folder: &Path) -> io::Result<Salvaged> {
    let octets = fs::read(folder.join(FILE))?;
    let header = header_of(&octets);
    let mut state = State::default();
    let mut at = HEADER_LEN;
    while let Some(rest) = octets.get(at..).filter(|rest| rest.len() > ROW_HEADER) {
        at += match row(at as u64, rest, &mut state) {
            Some(len) => ROW_HEADER + len,
            None => 1,
        };
    }
    let found = state.len() as u64;
    Ok(Salvaged {
        history: header.map(|(history, _, _)| history),
        lost: header.map(|(_, _, rows)| rows.saturating_sub(found)),
        state: state.restored(header.map_or(0, |(_, applied, _)| applied)),
    })
}

/// Takes in the row at the start of `octets`; gives the length of its body.
fn row(at: u64, octets: &[u8], state: &mut State) -> Option<usize> {
    let (len, rest) = octets.split_first_chunk()?;
    let (crc, rest) = rest.split_first_chunk()?;
    let len = u32::from_le_bytes(*len);
    let body = rest.get(..len as usize)?;
    if len == 0 || row_crc(at, len, body) != u32::from_le_bytes(*crc) {
        return None;
    }
    super::snapshot::take_row(state, body).ok()?;
    Some(body.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::command::Command;
    use crate::definitions::rows::VhostRow;
    use crate::definitions::snapshot;
    use crate::ids::Name;

    fn saved(folder: &Path) -> State {
        let mut state = State::default();
        for number in 0..20u64 {
            let row = VhostRow {
                name: Name::from(format!("host-{number}").as_str()),
                description: String::new(),
                tags: Vec::new(),
                default_queue_type: None,
                protected: false,
            };
            state.apply(number + 1, &Command::PutVhost(row), &mut Vec::new());
        }
        snapshot::save(folder, 77, &state).unwrap();
        state
    }

    #[test]
    fn a_damaged_row_costs_itself_only_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let whole = saved(folder.path());
        let path = folder.path().join(FILE);
        let octets = fs::read(&path).unwrap();
        for at in HEADER_LEN..octets.len() {
            let mut bad = octets.clone();
            bad[at] ^= 0x20;
            fs::write(&path, bad).unwrap();
            let found = salvage(folder.path()).unwrap();
            assert_eq!((found.history, found.lost), (Some(77), Some(1)), "{at}");
            assert_eq!(found.state.applied(), 20);
            assert_eq!(found.state.len(), whole.len() - 1);
        }
    }

    #[test]
    fn without_the_header_the_rows_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let whole = saved(folder.path());
        let path = folder.path().join(FILE);
        let mut octets = fs::read(&path).unwrap();
        octets[30] ^= 1;
        fs::write(&path, &octets).unwrap();
        let found = salvage(folder.path()).unwrap();
        assert_eq!((found.history, found.lost), (None, None));
        assert_eq!(found.state.applied(), 0);
        assert_eq!(found.state.digest(), whole.digest());
    }
}
