//! Where an attempt's guest comes from: restored from a snapshot where that is possible, else booted.
//!
//! Each restored guest rehearses: under TCG its first program would meet code that is not translated yet, and races would
//! show less often than on a guest that has just booted.
//!
//! While the kernel of one attempt is watched a last time, the guest of the next is restored already. It costs memory
//! only for the pages that it touched, and no processor while it waits.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::Watch;
use super::payload::Payload;
use super::timeouts::Timeouts;
use crate::cancel::Cancel;
use crate::vm::VmError;
use crate::vm::backend::Backend;
use crate::vm::snapshot::{self, Key, Restored, SaveError, Snapshot, Store};
use crate::vm::spec::VmSpec;

/// What all snapshots of a cache may take, bytes. One takes about 100 MB.
pub const SNAPSHOTS_LIMIT: u64 = 8_000_000_000;

/// After so many failures to save or to restore a machine it boots for the rest of the run.
const MOST_FAILURES: u32 = 2;

/// After so many guests that were restored since, a failure is forgotten: on a busy host one in some hundred fails, and a run that
/// goes on for hours would come to boot for all of them.
const FORGIVEN: u32 = 50;

/// A restored guest waits at most so long, microseconds, before it goes on: several ticks of any kernel's timer.
const LONGEST_PAUSE: u64 = 12_000;

/// What is needed to make a guest.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// What runs it.
    pub backend: &'a Arc<dyn Backend>,
    /// The machine.
    pub machine: &'a VmSpec,
    /// Its name, for people: the kernel and the machine.
    pub name: &'a str,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// Hears of what failed.
    pub watch: &'a dyn Watch,
    /// Ends the making.
    pub cancel: &'a Cancel,
}

/// What is known about the snapshot of one key.
#[derive(Default)]
struct Slot {
    snapshot: Option<Arc<Snapshot>>,
    failures: u32,
    /// Guests that were restored since the last one.
    restored: u32,
    /// Whether this machine boots from now on.
    boots: bool,
}

/// The snapshots in use and the guests that wait.
pub struct Guests {
    store: Store,
    slots: Mutex<HashMap<String, Arc<Mutex<Slot>>>>,
    /// Machines whose notice that they boot was shown.
    boot_notices: Mutex<HashMap<String, ()>>,
    pool: Arc<Mutex<Pool>>,
    running: AtomicUsize,
    fetchers: Mutex<Vec<JoinHandle<()>>>,
    /// Ends the making of guests that nobody will use.
    closing: Arc<Cancel>,
}

/// Guests that wait, the oldest first, and those that are about to.
#[derive(Default)]
struct Pool {
    waiting: Vec<(String, Restored)>,
    /// Each token is set when the guest is there, or will not be.
    coming: Vec<(String, Cancel)>,
}

/// Counts an attempt while it runs.
pub struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Guests {
    /// Guests from the snapshots of a cache.
    pub fn new(cache: &Path) -> Guests {
        Guests {
            store: Store::new(cache),
            slots: Mutex::default(),
            boot_notices: Mutex::default(),
            pool: Arc::default(),
            running: AtomicUsize::new(0),
            fetchers: Mutex::default(),
            closing: Arc::new(Cancel::new()),
        }
    }

    /// Counts an attempt as running; as many guests may wait.
    pub fn running(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(&self.running)
    }

    /// A restored guest with a time and a randomness of its own. `None`: this machine must boot, and what the user
    /// should know of that was shown.
    pub fn restored(&self, wanted: Wanted<'_>) -> Option<Restored> {
        let key = Key::of(&**wanted.backend, wanted.machine);
        let slot = self.slot(&key);
        if let Some(mut guest) = self.take(&key.name, wanted.cancel)
            && self.refresh(&mut guest, wanted).is_ok()
        {
            // where somebody saves just now it is one the less
            if let Some(mut slot) = slot.try_lock() {
                slot.restored += 1;
            }
            return Some(guest);
        }
        let snapshot = self.snapshot_in(&mut slot.lock(), &key, wanted)?;
        let Wanted { backend, machine, timeouts, cancel, .. } = wanted;
        let guest = restore(&**backend, machine, &snapshot, timeouts.restore, cancel);
        match guest.and_then(|mut guest| self.refresh(&mut guest, wanted).map(|()| guest)) {
            Ok(guest) => {
                slot.lock().restored += 1;
                Some(guest)
            }
            Err(_) if cancel.is_set() => None,
            Err(error) => {
                self.reject(wanted, &error.to_string());
                None
            }
        }
    }

    /// The snapshot of a machine, made if there is none.
    ///
    /// # Errors
    /// [`SaveError`].
    pub fn snapshot(&self, wanted: Wanted<'_>) -> Result<Arc<Snapshot>, SaveError> {
        let key = Key::of(&**wanted.backend, wanted.machine);
        self.obtain(&key, wanted).map(Arc::new)
    }

    /// Restores a guest in the background, for whichever attempt is next on such a machine.
    pub fn prefetch(&self, backend: &Arc<dyn Backend>, machine: &VmSpec, limit: Duration) {
        let key = Key::of(&**backend, machine);
        // one that is being made would keep the caller waiting
        let slot = self.slot(&key);
        let Some(snapshot) = slot.try_lock().and_then(|slot| slot.snapshot.clone()) else { return };
        let most = self.running.load(Ordering::Relaxed).max(1);
        if self.pool.lock().holds(&key.name) >= most || !fits(machine) {
            return;
        }
        let (backend, machine) = (Arc::clone(backend), machine.clone());
        let (pool, closing) = (Arc::clone(&self.pool), Arc::clone(&self.closing));
        let there = Cancel::new();
        let token = there.clone();
        self.pool.lock().coming.push((key.name.clone(), there.clone()));
        let fetch = move || {
            let guest = restore(&*backend, &machine, &snapshot, limit, &closing);
            // an attempt that finds no guest here makes its own, and tells what is wrong
            pool.lock().arrived(key.name, guest.ok(), &there, most);
        };
        let mut fetchers = self.fetchers.lock();
        fetchers.retain(|fetcher| !fetcher.is_finished());
        match std::thread::Builder::new().name("restore".into()).spawn(fetch) {
            Ok(fetcher) => fetchers.push(fetcher),
            Err(_) => self.pool.lock().arrived(String::new(), None, &token, most),
        }
    }

    /// Waits until no guest is being restored in the background.
    pub fn wait_prefetched(&self) {
        let fetchers = std::mem::take(&mut *self.fetchers.lock());
        for fetcher in fetchers {
            let _ = fetcher.join();
        }
    }

    /// Takes a snapshot out of use from which a guest came that could not be used.
    pub fn reject(&self, wanted: Wanted<'_>, why: &str) {
        let key = Key::of(&**wanted.backend, wanted.machine);
        let slot = self.slot(&key);
        let mut slot = slot.lock();
        if let Some(snapshot) = slot.snapshot.take() {
            self.store.discard(&snapshot);
        }
        self.pool.lock().waiting.retain(|(name, _)| *name != key.name);
        if slot.restored > FORGIVEN {
            slot.failures = 0;
        }
        slot.restored = 0;
        slot.failures += 1;
        slot.boots = slot.failures >= MOST_FAILURES;
        let then = if slot.boots { "it boots from now on" } else { "it boots, and is saved anew" };
        wanted.watch.notice(&format!("{}: a saved guest could not be used: {why}; {then}", wanted.name));
    }

    /// A guest that waits, or that is on its way, which takes less time than to begin with another.
    fn take(&self, key: &str, cancel: &Cancel) -> Option<Restored> {
        let there = {
            let mut pool = self.pool.lock();
            let Some(there) = pool.expect(key) else { return pool.take(key) };
            there
        };
        let mut fds = [PollFd::new(&there, PollFlags::IN), PollFd::new(cancel, PollFlags::IN)];
        while poll(&mut fds, None) == Err(Errno::INTR) {}
        self.pool.lock().take(key)
    }

    fn slot(&self, key: &Key) -> Arc<Mutex<Slot>> {
        Arc::clone(self.slots.lock().entry(key.name.clone()).or_default())
    }

    fn snapshot_in(&self, slot: &mut Slot, key: &Key, wanted: Wanted<'_>) -> Option<Arc<Snapshot>> {
        if slot.boots {
            return None;
        }
        if let Some(snapshot) = &slot.snapshot {
            return Some(Arc::clone(snapshot));
        }
        match self.obtain(key, wanted) {
            Ok(snapshot) => Some(Arc::clone(slot.snapshot.insert(Arc::new(snapshot)))),
            Err(SaveError::Cancelled | SaveError::Busy) => None,
            // a boot may fail now and then, above all on a busy host; attempts do it again, too
            Err(SaveError::NoBoot(_)) if slot.failures + 1 < MOST_FAILURES => {
                slot.failures += 1;
                None
            }
            Err(error) => {
                slot.boots = true;
                self.tell_once(wanted, &error);
                None
            }
        }
    }

    fn obtain(&self, key: &Key, wanted: Wanted<'_>) -> Result<Snapshot, SaveError> {
        let Wanted { backend, machine, timeouts, cancel, .. } = wanted;
        self.store.obtain(key, SNAPSHOTS_LIMIT, |folder| {
            snapshot::save(&**backend, machine, key, folder, timeouts.boot, cancel)
        })
    }

    fn tell_once(&self, wanted: Wanted<'_>, error: &SaveError) {
        let text = format!("{} boots for every attempt, it could not be saved: {error}", wanted.name);
        if let Entry::Vacant(entry) = self.boot_notices.lock().entry(text) {
            wanted.watch.notice(entry.key());
            entry.insert(());
        }
    }

    fn refresh(&self, guest: &mut Restored, wanted: Wanted<'_>) -> Result<(), VmError> {
        if !wanted.machine.clock.is_real() {
            guest.guest.go_on()?;
        }
        let mut random = [0; 72];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut random))
            .map_err(VmError::io("/dev/urandom"))?;
        let (entropy, choice) = random.split_at(64);
        let choice = u64::from_le_bytes(choice.try_into().unwrap_or_default());
        let pause = Duration::from_micros(choice % LONGEST_PAUSE);
        guest.refresh(entropy, pause, wanted.timeouts.restore, wanted.cancel)
    }
}

impl Drop for Guests {
    fn drop(&mut self) {
        self.closing.set();
        self.wait_prefetched();
    }
}

impl Pool {
    fn take(&mut self, key: &str) -> Option<Restored> {
        let place = self.waiting.iter().position(|(name, _)| name == key)?;
        Some(self.waiting.remove(place).1)
    }

    /// What to wait for where none is there yet, but one is coming that nobody waits for.
    fn expect(&mut self, key: &str) -> Option<Cancel> {
        if self.waiting.iter().any(|(name, _)| name == key) {
            return None;
        }
        let place = self.coming.iter().position(|(name, _)| name == key)?;
        Some(self.coming.remove(place).1)
    }

    fn holds(&self, key: &str) -> usize {
        let waiting = self.waiting.iter().filter(|(name, _)| name == key).count();
        waiting + self.coming.iter().filter(|(name, _)| name == key).count()
    }

    /// Puts a guest into the pool, where at most `most` have room, and wakes who waits for it.
    fn arrived(&mut self, key: String, guest: Option<Restored>, there: &Cancel, most: usize) {
        self.coming.retain(|(_, token)| !token.is(there));
        self.waiting.extend(guest.map(|guest| (key, guest)));
        let over = self.waiting.len().saturating_sub(most);
        self.waiting.drain(..over);
        there.set();
    }
}

/// A guest that was restored and has rehearsed.
fn restore(
    backend: &dyn Backend,
    machine: &VmSpec,
    snapshot: &Snapshot,
    limit: Duration,
    cancel: &Cancel,
) -> Result<Restored, VmError> {
    let mut restored = snapshot::restore(backend, machine, snapshot, limit, cancel)?;
    if machine.clock.is_real() {
        Payload::rehearsal().send(&mut *restored.guest);
        restored.wait_for_program(limit, cancel)?;
    } else {
        // what is translated takes none of the guest's time, and one that waits would never be idle
        restored.guest.pause()?;
    }
    Ok(restored)
}

/// Whether the host has memory for one more guest, and as much again for those that run.
fn fits(machine: &VmSpec) -> bool {
    crate::host::available_memory_mib().is_none_or(|mib| mib >= 2 * u64::from(machine.memory_mib))
}
