//! The file of pages: writes, reads, and gives places again.

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

use crc32c::{crc32c, crc32c_append};
use parking_lot::Mutex;

use super::space::Space;
use crate::message::{FreedPlaces, StoredPage};
use crate::store::StoreError;
use crate::store::io::{Disk, DiskFile};

/// Name of the file.
pub const FILE: &str = "index.pages";

const MAGIC: &[u8; 8] = b"LeveretP";

const VERSION: u16 = 1;

/// Octets of the header that mean something.
const HEADER: usize = 16;

/// Places are multiples of this, which is what a file system writes as a whole.
pub(super) const UNIT: u64 = 4_096;

/// Octets of the check behind a page.
const CHECK: usize = 4;

/// Pages of queues' indexes in one file. All calls may come from several threads.
pub struct Pages {
    file: Arc<dyn DiskFile>,
    space: Mutex<Room>,
    freed: FreedPlaces,
    /// The first sync that failed. The system may have dropped what it could not write, so that a
    /// later sync would succeed and mean nothing.
    failed: Mutex<Option<StoreError>>,
}

struct Room {
    space: Space,
    /// The file may be longer than what is in use, if it could not be cut.
    file_units: u64,
}

/// Places that had been given back at some moment. Dropped instead of used, they wait for the next.
pub struct Freed {
    places: Vec<(u64, u32)>,
    home: FreedPlaces,
}

impl Drop for Freed {
    fn drop(&mut self) {
        if !self.places.is_empty() {
            self.home.lock().append(&mut self.places);
        }
    }
}

/// Units that a page of `len` octets takes.
fn units_of(len: u32) -> u64 {
    (u64::from(len) + CHECK as u64).div_ceil(UNIT)
}

fn check_of(place: u64, octets: &[u8], len: u32) -> u32 {
    let seed = crc32c_append(crc32c(&place.to_le_bytes()), &len.to_le_bytes());
    crc32c_append(seed, octets)
}

fn damaged(offset: u64, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        file: FILE.to_owned(),
        offset,
        reason: reason.into(),
    }
}

fn failed(verb: &'static str) -> impl FnOnce(std::io::Error) -> StoreError {
    move |source| StoreError::io(verb, FILE, source)
}

impl std::fmt::Debug for Pages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pages").finish_non_exhaustive()
    }
}

impl Pages {
    /// Opens the file, or creates it. `live` are the pages that the last checkpoint names, place and
    /// length; everything else is free. Gives one page for each of them, in the same order.
    ///
    /// # Errors
    /// The disk's own; `Damaged` when a page that is named cannot be in the file, `Version` when a
    /// later broker wrote it. The content of pages is not read.
    pub fn open(
        disk: Arc<dyn Disk>,
        live: &[(u64, u32)],
    ) -> Result<(Arc<Self>, Vec<Arc<StoredPage>>), StoreError> {
        let file = open_file(&*disk, !live.is_empty())?;
        // Also of a file that was there: who created it may have been killed before it was safe.
        disk.sync_folder()
            .map_err(|error| StoreError::io("sync", ".", error))?;
        let len = file.len().map_err(failed("read the length of"))?;
        let space = space_around(live, len)?;
        let end = space.end();
        file.truncate(end * UNIT).map_err(failed("truncate"))?;
        let freed = FreedPlaces::default();
        let pages = live
            .iter()
            .map(|(place, len)| Arc::new(StoredPage::new(*place, *len, Arc::clone(&freed))))
            .collect();
        let this = Self {
            file,
            space: Mutex::new(Room {
                space,
                file_units: end,
            }),
            freed,
            failed: Mutex::new(None),
        };
        Ok((Arc::new(this), pages))
    }

    /// Writes a page. It is safe after the next [`Self::sync`].
    ///
    /// # Errors
    /// The disk's own, after which nothing is changed; `TooLong` from 4 GiB on.
    pub fn write(&self, octets: &[u8]) -> Result<Arc<StoredPage>, StoreError> {
        let len = u32::try_from(octets.len()).map_err(|_| StoreError::TooLong {
            octets: octets.len() as u64,
            limit: u32::MAX.into(),
        })?;
        let units = units_of(len);
        let first = {
            let mut room = self.space.lock();
            let first = room.space.take(units);
            room.file_units = room.file_units.max(room.space.end());
            first
        };
        let place = first * UNIT;
        let check = check_of(place, octets, len).to_le_bytes();
        let written = self
            .file
            .write_at(&[IoSlice::new(octets), IoSlice::new(&check)], place);
        if let Err(error) = written {
            // No checkpoint can have named it: it may be used again at once.
            self.space.lock().space.give(first, units);
            return Err(StoreError::io("write", FILE, error));
        }
        let freed = Arc::clone(&self.freed);
        Ok(Arc::new(StoredPage::new(place, len, freed)))
    }

    /// The octets of a page.
    ///
    /// # Errors
    /// The disk's own; `Damaged` when they are not what was written.
    pub fn read(&self, page: &StoredPage) -> Result<Vec<u8>, StoreError> {
        read_page(&*self.file, page.place, page.len)
    }

    /// Makes every page written so far safe.
    ///
    /// # Errors
    /// The disk's own. After the first, every later call fails with the same.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut failed = self.failed.lock();
        if let Some(error) = &*failed {
            return Err(error.clone());
        }
        self.file.sync().map_err(|source| {
            let error = StoreError::io("sync", FILE, source);
            *failed = Some(error.clone());
            error
        })
    }

    /// The places given back so far. To be asked before a checkpoint looks at the first queue, and
    /// handed to [`Self::reuse`] when it is safe.
    pub fn freed_so_far(&self) -> Freed {
        Freed {
            places: std::mem::take(&mut *self.freed.lock()),
            home: Arc::clone(&self.freed),
        }
    }

    /// Lets places be used again; the file shrinks when its end is free. A checkpoint that names none
    /// of them must be safe.
    pub fn reuse(&self, mut freed: Freed) {
        let mut room = self.space.lock();
        for (place, len) in freed.places.drain(..) {
            room.space.give(place / UNIT, units_of(len));
        }
        let end = room.space.end();
        // Within the lock: else a page written behind the new end in the meantime would be cut off.
        if end < room.file_units {
            match self.file.truncate(end * UNIT) {
                Ok(()) => room.file_units = end,
                // What is too long does no harm, and is tried again next time.
                Err(error) => tracing::warn!(file = FILE, %error, "cannot shorten"),
            }
        }
    }

    /// Octets in use, those that wait for [`Self::reuse`] and the header among them, and octets of the
    /// file.
    pub fn bytes(&self) -> (u64, u64) {
        let room = self.space.lock();
        (room.space.used() * UNIT, room.file_units * UNIT)
    }
}

/// The file of pages, for reading only.
pub struct PagesRead {
    file: Option<Arc<dyn DiskFile>>,
}

impl PagesRead {
    /// No file, and so no pages.
    pub fn none() -> Self {
        Self { file: None }
    }

    /// Opens the file and changes nothing; without one, there are no pages. Tells what is wrong with
    /// its header besides, which no page needs.
    ///
    /// # Errors
    /// The disk's own, and `Version` when a later broker wrote it.
    pub fn open(disk: &dyn Disk) -> Result<(Self, Option<StoreError>), StoreError> {
        let file = match disk.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok((Self::none(), None));
            }
            Err(error) => return Err(StoreError::io("open", FILE, error)),
        };
        let damage = match check_header(&*file) {
            Ok(()) => None,
            Err(error @ StoreError::Damaged { .. }) => Some(error),
            Err(error) => return Err(error),
        };
        Ok((Self { file: Some(file) }, damage))
    }

    /// The octets of a page.
    ///
    /// # Errors
    /// The disk's own; `Damaged` when they are not what was written.
    pub fn read(&self, place: u64, len: u32) -> Result<Vec<u8>, StoreError> {
        let file = self.file.as_deref();
        let file = file.ok_or_else(|| damaged(place, "the file is missing"))?;
        let end = file.len().map_err(failed("read the length of"))?;
        // Before room is made for it.
        if end.saturating_sub(place) < u64::from(len) + CHECK as u64 {
            return Err(damaged(place, "the file ends within a page"));
        }
        read_page(file, place, len)
    }
}

fn read_page(file: &dyn DiskFile, place: u64, len: u32) -> Result<Vec<u8>, StoreError> {
    let mut octets = vec![0; len as usize + CHECK];
    if let Err(error) = file.read_at(&mut octets, place) {
        return Err(match error.kind() {
            ErrorKind::UnexpectedEof => damaged(place, "the file ends within a page"),
            _ => StoreError::io("read", FILE, error),
        });
    }
    let check = octets.split_off(len as usize);
    if check != check_of(place, &octets, len).to_le_bytes() {
        return Err(damaged(
            place,
            format!("the checksum of a page of {len} octets is wrong"),
        ));
    }
    Ok(octets)
}

/// Opens the file. Where nothing in it is `needed` it is made anew if it is not as it should be.
fn open_file(disk: &dyn Disk, needed: bool) -> Result<Arc<dyn DiskFile>, StoreError> {
    let file = match disk.open(FILE) {
        Ok(file) => match check_header(&*file) {
            Ok(()) => return Ok(file),
            Err(StoreError::Damaged { .. } | StoreError::Version { .. }) if !needed => file,
            Err(error) => return Err(error),
        },
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StoreError::io("open", FILE, error));
        }
        Err(_) if needed => {
            return Err(damaged(
                0,
                "the checkpoint names pages and there is no file",
            ));
        }
        Err(_) => disk.create(FILE).map_err(failed("create"))?,
    };
    let mut header = [0; UNIT as usize];
    for (to, from) in header.iter_mut().zip(header_octets()) {
        *to = from;
    }
    // Safe with the first pages.
    file.write_at(&[IoSlice::new(&header)], 0)
        .map_err(failed("write"))?;
    Ok(file)
}

fn header_octets() -> [u8; HEADER] {
    let mut octets = Vec::with_capacity(HEADER);
    octets.extend_from_slice(MAGIC);
    octets.extend_from_slice(&VERSION.to_le_bytes());
    octets.extend_from_slice(&[0; 2]);
    let crc = crc32c(&octets);
    octets.extend_from_slice(&crc.to_le_bytes());
    octets.try_into().unwrap_or([0; HEADER])
}

fn check_header(file: &dyn DiskFile) -> Result<(), StoreError> {
    let mut found = [0; HEADER];
    match file.read_at(&mut found, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(damaged(0, "the file ends within its header"));
        }
        Err(error) => return Err(StoreError::io("read", FILE, error)),
    }
    if found == header_octets() {
        return Ok(());
    }
    let (covered, crc) = found.split_at(HEADER - 4);
    let version = covered.get(8..).and_then(<[u8]>::first_chunk::<2>);
    match version {
        Some(version) if covered.starts_with(MAGIC) && crc == crc32c(covered).to_le_bytes() => {
            Err(StoreError::Version {
                file: FILE.to_owned(),
                found: u16::from_le_bytes(*version),
                known: VERSION,
            })
        }
        _ => Err(damaged(0, "the header is not one of this file")),
    }
}

/// What is free when exactly `live` is in use, in a file of `file_len` octets.
fn space_around(live: &[(u64, u32)], file_len: u64) -> Result<Space, StoreError> {
    let mut live = live.to_vec();
    live.sort_unstable();
    let mut gaps = Vec::new();
    let mut end = 1;
    for (place, len) in live {
        let first = place / UNIT;
        if place % UNIT != 0 || first < end {
            return Err(damaged(
                place,
                "no page can lie where the checkpoint names one",
            ));
        }
        let behind = place.saturating_add(u64::from(len) + CHECK as u64);
        if behind > file_len {
            return Err(damaged(
                file_len,
                format!("the file ends before the page at {place} does"),
            ));
        }
        if end < first {
            gaps.push((end, first - end));
        }
        end = first + units_of(len);
    }
    let mut space = Space::new(end);
    for (first, units) in gaps {
        space.give(first, units);
    }
    Ok(space)
}
