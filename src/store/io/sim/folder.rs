//! The simulated disk as the store sees it, and as a test does.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::sync::Arc;

use parking_lot::Mutex;
use rand::Rng;

use super::faults::{Fault, bad_device, no_power};
use super::state::{Change, Inode, Renaming, State, error_of};
use crate::store::io::{Disk, DiskFile};

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk; what its faults do in detail follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State::new(seed))))
    }

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Plans `fault` for operation number `at`, or the next one after it that can have it.
    pub fn plan(&self, at: u64, fault: Fault) {
        self.0.lock().plan.faults.insert(at, fault);
    }

    /// Forgets what is planned and was not met.
    pub fn plan_nothing(&self) {
        self.0.lock().plan.faults.clear();
    }

    /// False from a planned loss of power on.
    pub fn has_power(&self) -> bool {
        !self.0.lock().powerless
    }

    /// The power goes, now if it has not already, and comes again; `seed` decides what is left.
    pub fn crash(&self, seed: u64) {
        self.0.lock().lose_power(seed);
    }

    /// The program ends without a loss of power.
    pub fn restart(&self) {
        self.0.lock().restart();
    }

    /// Lets the disk hold so many octets.
    pub fn limit(&self, octets: Option<u64>) {
        self.0.lock().limit = octets;
    }

    /// How often each fault was met.
    pub fn met(&self) -> BTreeMap<String, u64> {
        self.0.lock().plan.met.clone()
    }

    /// Turns one bit of a file over, where it rests.
    pub fn flip(&self, name: &str, offset: usize, bit: u8) {
        let mut state = self.0.lock();
        let inode = state.names[name];
        let inode = state.inodes.get_mut(&inode).unwrap();
        for image in [&mut inode.safe, &mut inode.seen] {
            if let Some(octet) = image.get_mut(offset) {
                *octet ^= 1 << bit;
            }
        }
    }

    /// All octets of a file as the program sees them.
    pub fn content(&self, name: &str) -> Vec<u8> {
        let state = self.0.lock();
        state.inodes[&state.names[name]].seen.clone()
    }

    fn opened(&self, state: &State, inode: u64) -> Arc<dyn DiskFile> {
        Arc::new(SimFile {
            disk: self.clone(),
            inode,
            life: state.life,
        })
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for SimDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.begin_plain("open")?;
        let inode = *state.names.get(name).ok_or_else(not_found)?;
        Ok(self.opened(&state, inode))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.0.lock();
        let fault = state.begin("create")?;
        if let Some(fault) = fault
            && fault != Fault::Crash
        {
            return Err(error_of(fault));
        }
        if state.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.next_inode;
        state.next_inode += 1;
        state.inodes.insert(inode, Inode::default());
        state.rename(inode, Renaming::Create(name.to_owned()));
        fault.map_or(Ok(self.opened(&state, inode)), |f| Err(error_of(f)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        let fault = state.begin("rename")?;
        if fault.is_none_or(|fault| fault == Fault::Crash) {
            let inode = *state.names.get(from).ok_or_else(not_found)?;
            state.rename(inode, Renaming::Rename(from.to_owned(), to.to_owned()));
        }
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.0.lock();
        let fault = state.begin("remove")?;
        if fault.is_none_or(|fault| fault == Fault::Crash) {
            let inode = *state.names.get(name).ok_or_else(not_found)?;
            state.rename(inode, Renaming::Remove(name.to_owned()));
        }
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.0.lock();
        state.begin_plain("list")?;
        Ok(state.names.keys().cloned().collect())
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.begin_plain("sync folder")?;
        state.renamings.clear();
        state.safe_names = state.names.clone();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let mut state = self.0.lock();
        state.begin_plain("free")?;
        let limit = state.limit.unwrap_or(1 << 50);
        Ok(limit.saturating_sub(state.used()))
    }
}

struct SimFile {
    disk: SimDisk,
    inode: u64,
    life: u64,
}

impl DiskFile for SimFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let fault = state.begin("write")?;
        let mut data = Vec::new();
        parts.iter().for_each(|part| data.extend_from_slice(part));
        let offset = usize::try_from(offset).unwrap();
        state.admit(self.inode, (offset + data.len()) as u64)?;
        // A write that the power ends is as any other that was not synced; the other faults leave
        // a first part of it.
        if let Some(fault) = fault
            && fault != Fault::Crash
        {
            let kept = state.below(data.len());
            data.truncate(kept);
        }
        let inode = state.inode(self.inode, self.life)?;
        inode.change(Change::Write { offset, data });
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let fault = state.begin("read")?;
        let start = usize::try_from(offset).unwrap();
        let inode = state.inode(self.inode, self.life)?;
        let found = inode.seen.get(start..start + buffer.len());
        buffer.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        match fault {
            None => Ok(()),
            Some(Fault::Flip) => {
                let at = state.below(buffer.len());
                let bit = state.below(8);
                if let Some(octet) = buffer.get_mut(at) {
                    *octet ^= 1 << bit;
                }
                Ok(())
            }
            Some(Fault::Crash) => Err(no_power()),
            Some(_) => Err(bad_device()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        match state.begin("sync")? {
            None => {
                let inode = state.inode(self.inode, self.life)?;
                for change in std::mem::take(&mut inode.changes) {
                    change.apply(&mut inode.safe);
                }
                Ok(())
            }
            Some(Fault::Crash) => Err(no_power()),
            Some(_) => {
                // Some of it reached the device; the system forgets that the rest did not.
                let mut changes = std::mem::take(&mut state.inode(self.inode, self.life)?.changes);
                changes.retain(|_| state.rng.random());
                let inode = state.inode(self.inode, self.life)?;
                for change in changes {
                    change.apply(&mut inode.safe);
                }
                Err(bad_device())
            }
        }
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        if let Some(fault) = state.begin("allocate")? {
            return Err(error_of(fault));
        }
        state.admit(self.inode, len)?;
        let inode = state.inode(self.inode, self.life)?;
        inode.change(Change::Grow(usize::try_from(len).unwrap()));
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.0.lock();
        let fault = state.begin("truncate")?;
        // As with a write, the power may end it done or not done.
        if fault.is_none_or(|fault| fault == Fault::Crash) {
            let inode = state.inode(self.inode, self.life)?;
            inode.change(Change::Cut(usize::try_from(len).unwrap()));
        }
        fault.map_or(Ok(()), |fault| Err(error_of(fault)))
    }

    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.0.lock();
        state.begin_plain("length")?;
        Ok(state.inode(self.inode, self.life)?.seen.len() as u64)
    }
}
