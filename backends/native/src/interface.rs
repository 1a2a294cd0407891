//! What the ports of this process share of an interface. Ports are opened in whatever thread works them, so it is kept here.

use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Names an interface for good: the network namespace of the calling thread, and its index there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    namespace: (u64, u64),
    pub index: u32,
}

impl Interface {
    pub fn here(index: u32) -> Interface {
        use std::os::unix::fs::MetadataExt;
        // without /proc all namespaces look the same, and only one is in use
        let namespace = std::fs::metadata("/proc/thread-self/ns/net").map_or((0, 0), |file| (file.dev(), file.ino()));
        Interface { namespace, index }
    }
}

/// One `T` an interface, made by who needs it first, gone with who lets go of it last.
pub struct Shared<T> {
    entries: Mutex<Vec<(Interface, Weak<T>)>>,
}

impl<T> Shared<T> {
    pub const fn new() -> Shared<T> {
        Shared { entries: Mutex::new(Vec::new()) }
    }

    pub fn get<E>(&self, interface: Interface, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|(_, entry)| entry.strong_count() > 0);
        let known = entries.iter().find(|(of, _)| *of == interface).and_then(|(_, entry)| entry.upgrade());
        if let Some(known) = known {
            return Ok(known);
        }
        let made = Arc::new(make()?);
        entries.push((interface, Arc::downgrade(&made)));
        Ok(made)
    }
}
