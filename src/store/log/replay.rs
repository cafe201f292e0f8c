//! Reads the entries of one file in order, and looks for what lies behind an end.

use std::io;
use std::sync::Arc;

use super::format::{ALIGN, Checked, HEADER_LEN, PREFIX_LEN, Prefix, log_name};
use super::place::Position;
use super::window::Window;
use crate::message::StoredFile;
use crate::store::StoreError;

/// An entry as it was found.
#[derive(Debug)]
pub struct Replayed<'a> {
    /// Where the entry starts.
    pub position: Position,
    /// As in [`super::Entry`].
    pub kind: u8,
    /// As in [`super::Entry`].
    pub group: u32,
    /// As in [`super::Entry`].
    pub index: u64,
    /// As in [`super::Entry`].
    pub term: u64,
    /// Head and chunk in one.
    pub payload: &'a [u8],
    /// The file, to be kept by whoever keeps a place in it.
    pub file: &'a Arc<StoredFile>,
    /// Where in the file the payload starts.
    pub payload_offset: u32,
}

/// What the octets behind an end still say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Remains {
    /// The highest mark of a whole entry.
    pub mark: Position,
    /// The end of the last whole entry, or of what looks like the start of one.
    pub end: u64,
}

/// Reads one file.
pub(super) struct FileReader<'a> {
    pub window: Window,
    pub file: &'a Arc<StoredFile>,
}

impl FileReader<'_> {
    fn error(&self, error: io::Error) -> StoreError {
        StoreError::io("read", log_name(self.file.number), error)
    }

    fn at(&self, offset: u64) -> Position {
        // Files are never longer than an offset can name; what is, holds no entry there.
        Position::new(self.file.number, u32::try_from(offset).unwrap_or(u32::MAX))
    }

    /// The octets of the file's header, fewer if it is shorter.
    pub fn header(&mut self) -> Result<Vec<u8>, StoreError> {
        let found = self.window.get(0, HEADER_LEN as usize);
        let found = found.map(|octets| octets.unwrap_or_default().to_vec());
        found.map_err(|e| self.error(e))
    }

    /// The prefix at `offset`, if its own check holds and the file is long enough for the rest.
    fn prefix(&mut self, offset: u64) -> io::Result<Option<Checked>> {
        let at = self.at(offset);
        let len = self.window.len;
        let octets = self.window.get(offset, PREFIX_LEN as usize)?;
        let checked = octets.and_then(|octets| Prefix::decode(octets, at));
        Ok(checked.filter(|c| offset + u64::from(PREFIX_LEN) + u64::from(c.prefix.len) <= len))
    }

    /// Reads the entry at `offset` and shows it to `visit`; gives the offset behind it, `None` if
    /// there is no whole entry.
    pub fn entry(
        &mut self,
        offset: u64,
        visit: &mut dyn FnMut(&Replayed<'_>, Position) -> Result<(), StoreError>,
    ) -> Result<Option<u64>, StoreError> {
        let checked = self.prefix(offset).map_err(|e| self.error(e))?;
        let Some(mut checked) = checked else {
            return Ok(None);
        };
        let position = self.at(offset);
        let payload_at = offset + u64::from(PREFIX_LEN);
        let name = || log_name(self.file.number);
        let payload = self
            .window
            .get(payload_at, checked.prefix.len as usize)
            .map_err(|e| StoreError::io("read", name(), e))?;
        let payload = payload.unwrap_or_default();
        checked.add(payload);
        if !checked.holds() {
            return Ok(None);
        }
        let prefix = checked.prefix;
        let found = Replayed {
            position,
            kind: prefix.kind,
            group: prefix.group,
            index: prefix.index,
            term: prefix.term,
            payload,
            file: self.file,
            payload_offset: position.offset.saturating_add(PREFIX_LEN),
        };
        visit(&found, prefix.mark)?;
        Ok(Some(offset + checked.size()))
    }

    /// The octets of the whole entry at `offset` as they lie in the file, checked as they are now.
    pub fn raw(&mut self, offset: u64) -> Result<Option<&[u8]>, StoreError> {
        let at = self.at(offset);
        let name = || log_name(self.file.number);
        let checked = self
            .prefix(offset)
            .map_err(|e| StoreError::io("read", name(), e))?;
        let Some(checked) = checked else {
            return Ok(None);
        };
        let size = checked.size().min(self.window.len - offset);
        let octets = self
            .window
            .get(offset, usize::try_from(size).unwrap_or(usize::MAX))
            .map_err(|e| StoreError::io("read", name(), e))?;
        Ok(octets.filter(|octets| {
            Prefix::decode(octets, at).is_some_and(|mut again| {
                let payload = octets.get(PREFIX_LEN as usize..).unwrap_or_default();
                let len = again.prefix.len as usize;
                again.add(payload.get(..len).unwrap_or_default());
                again.holds()
            })
        }))
    }

    /// Looks at every place behind `offset` where an entry may start.
    pub fn remains(&mut self, offset: u64) -> Result<Remains, StoreError> {
        let mut remains = Remains::default();
        let mut offset = offset.next_multiple_of(ALIGN).max(HEADER_LEN.into());
        while offset + u64::from(PREFIX_LEN) <= self.window.len {
            let checked = self.prefix(offset).map_err(|e| self.error(e))?;
            if let Some(checked) = checked {
                remains.end = remains.end.max(offset + checked.size());
                // A prefix in passing may pass its 16 bits; the whole is what is believed.
                let mut mark = Position::ZERO;
                let whole = self.entry(offset, &mut |_, found| {
                    mark = found;
                    Ok(())
                })?;
                if let Some(behind) = whole {
                    remains.mark = remains.mark.max(mark);
                    offset = behind;
                    continue;
                }
            }
            offset += ALIGN;
        }
        Ok(remains)
    }
}
