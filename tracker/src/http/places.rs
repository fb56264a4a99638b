//! Which connections may be open, and how much memory their requests may take.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::guard::Prefix;
use crate::limit::{HTTP_CONNECTION_BYTES, HTTP_PREFIX_SHARE, TLS_CONNECTION_BYTES};

/// The places for connections, shared by all listeners.
#[derive(Debug)]
pub struct Places {
    connections_max: usize,
    bytes_max: usize,
    prefix_max: usize,
    connections: AtomicUsize,
    /// What connections are charged: their fixed cost, and what long requests and slow readers hold.
    bytes: AtomicUsize,
    by_prefix: Mutex<HashMap<Prefix, usize>>,
}

/// The right to be open; given back when dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    /// Those that it is counted for.
    prefixes: [Option<Prefix>; 2],
    /// Held in memory on its behalf.
    bytes: Bytes,
}

/// A charge on the memory of connections; given back when dropped.
#[derive(Debug)]
pub struct Bytes {
    places: Arc<Places>,
    count: usize,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// As many connections as may be are open, or their memory is used up.
    Full,
    /// This client's prefix has its share.
    Share,
}

impl Places {
    /// Places for so many connections in so many bytes.
    pub fn new(connections_max: usize, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            connections_max,
            bytes_max,
            prefix_max: (connections_max / HTTP_PREFIX_SHARE).max(2),
            connections: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            by_prefix: Mutex::new(HashMap::new()),
        })
    }

    /// A place for a connection from `ip`; `counted` says whether its prefix has a share that it must keep to.
    pub fn take(self: &Arc<Self>, ip: IpAddr, counted: bool, is_tls: bool) -> Result<Place, NoPlace> {
        let bytes = self.charge(if is_tls { TLS_CONNECTION_BYTES } else { HTTP_CONNECTION_BYTES });
        let bytes = bytes.ok_or(NoPlace::Full)?;
        if !add_within(&self.connections, 1, self.connections_max) {
            return Err(NoPlace::Full);
        }
        let mut place = Place { places: self.clone(), prefixes: [None; 2], bytes };
        if counted {
            let mut by_prefix = self.by_prefix.lock().unwrap_or_else(PoisonError::into_inner);
            let shares = [(Some(Prefix::site_of(ip)), self.prefix_max), (Prefix::around(ip), 4 * self.prefix_max)];
            let is_full = |&(prefix, max): &(Option<Prefix>, usize)| {
                prefix.and_then(|prefix| by_prefix.get(&prefix)).is_some_and(|&open| open >= max)
            };
            if shares.iter().any(is_full) {
                // Its place goes back, for which nobody is counted yet.
                drop(by_prefix);
                return Err(NoPlace::Share);
            }
            place.prefixes = shares.map(|(prefix, _)| prefix);
            for prefix in place.prefixes.into_iter().flatten() {
                *by_prefix.entry(prefix).or_insert(0) += 1;
            }
        }
        Ok(place)
    }

    /// Whether so many are open that idle ones should make room.
    pub fn are_scarce(&self) -> bool {
        let is_scarce = |used: &AtomicUsize, max: usize| used.load(Ordering::Relaxed) > max / 4 * 3;
        is_scarce(&self.connections, self.connections_max) || is_scarce(&self.bytes, self.bytes_max)
    }

    /// Open connections.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Bytes charged.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn charge(self: &Arc<Self>, count: usize) -> Option<Bytes> {
        add_within(&self.bytes, count, self.bytes_max).then(|| Bytes { places: self.clone(), count })
    }
}

impl Place {
    /// Charges more bytes on behalf of this connection, as long as there are some.
    pub fn charge(&self, count: usize) -> Option<Bytes> {
        self.places.charge(count)
    }

    /// Whether so many are open that idle ones should make room.
    pub fn is_scarce(&self) -> bool {
        self.places.are_scarce()
    }
}

impl Bytes {
    /// Raises the charge to `count`; false when there is not enough.
    pub fn raise_to(&mut self, count: usize) -> bool {
        let more = count.saturating_sub(self.count);
        let is_there = add_within(&self.places.bytes, more, self.places.bytes_max);
        if is_there {
            self.count += more;
        }
        is_there
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.places.bytes.fetch_sub(self.count, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        debug_assert!(self.bytes.count > 0, "every connection costs something");
        self.places.connections.fetch_sub(1, Ordering::Relaxed);
        if self.prefixes[0].is_some() {
            let mut by_prefix = self.places.by_prefix.lock().unwrap_or_else(PoisonError::into_inner);
            for prefix in self.prefixes.into_iter().flatten() {
                if let Some(open) = by_prefix.get_mut(&prefix) {
                    *open -= 1;
                    if *open == 0 {
                        by_prefix.remove(&prefix);
                    }
                }
            }
            // A crowd that has gone must not leave its table behind.
            if by_prefix.capacity() > 1024 && by_prefix.capacity() > 8 * by_prefix.len() {
                by_prefix.shrink_to_fit();
            }
        }
    }
}

fn add_within(counter: &AtomicUsize, more: usize, max: usize) -> bool {
    let sum = |used: usize| used.checked_add(more).filter(|&sum| sum <= max);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, sum).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn places_run_out_and_come_back() {
        let places = Places::new(3, 1 << 20);
        let mut taken: Vec<_> = (0..3).map(|n| places.take(ip(n), true, false).unwrap()).collect();
        assert_eq!(places.take(ip(9), true, false).unwrap_err(), NoPlace::Full);
        assert!(places.are_scarce());
        taken.pop();
        taken.push(places.take(ip(9), true, false).unwrap());
        drop(taken);
        assert_eq!((places.connections(), places.bytes()), (0, 0));
        assert!(places.by_prefix.lock().unwrap().is_empty());
    }

    #[test]
    fn one_address_has_its_share_and_leaves_the_others_theirs() {
        let places = Places::new(80, 1 << 20);
        let share: Vec<_> = (0..10).map(|_| places.take(ip(1), true, false).unwrap()).collect();
        assert_eq!(places.take(ip(1), true, false).unwrap_err(), NoPlace::Share);
        assert_eq!(places.connections(), 10, "a refused one takes no place");
        places.take(ip(2), true, false).unwrap();
        places.take(ip(1), false, false).unwrap();
        drop(share);
        places.take(ip(1), true, false).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_has_half_of_the_places_whatever_its_subnets() {
        let places = Places::new(80, 1 << 20);
        let take =
            |net: u16, subnet: u16| places.take(IpAddr::from([0x2001, 0xdb8, net, subnet, 0, 0, 0, 1]), true, false);
        let held: Vec<_> = (0..100).filter_map(|subnet| take(1, subnet).ok()).collect();
        assert_eq!((held.len(), take(1, 200).unwrap_err()), (40, NoPlace::Share));
        take(2, 0).unwrap();
        drop(held);
        take(1, 200).unwrap();
        assert!(places.by_prefix.lock().unwrap().is_empty());
    }

    #[test]
    fn memory_is_charged_to_its_limit_and_given_back() {
        let places = Places::new(100, 10 * HTTP_CONNECTION_BYTES);
        let place = places.take(ip(1), true, false).unwrap();
        let mut bytes = place.charge(0).unwrap();
        assert!(bytes.raise_to(9 * HTTP_CONNECTION_BYTES) && !bytes.raise_to(9 * HTTP_CONNECTION_BYTES + 1));
        assert_eq!(places.take(ip(2), true, false).unwrap_err(), NoPlace::Full);
        drop(bytes);
        assert!(places.take(ip(2), true, true).is_err() || TLS_CONNECTION_BYTES <= 9 * HTTP_CONNECTION_BYTES);
        drop(place);
        assert_eq!(places.bytes(), 0);
    }
}
