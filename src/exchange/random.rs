//! `x-random`: one binding by chance.
//!
//! As in RabbitMQ every binding is a ticket, so a queue bound twice gets twice the share (probed).

use imbl::{OrdMap, Vector};

use super::binding::{BindingKey, Destination};

/// The tickets of one exchange; a clone is a snapshot. Every change costs O(log n).
#[derive(Debug, Clone, Default)]
pub(super) struct Random {
    tickets: Vector<BindingKey>,
    places: OrdMap<BindingKey, usize>,
}

impl Random {
    /// Adds a binding that is not there yet.
    pub(super) fn add(&mut self, key: &BindingKey) {
        self.places.insert(key.clone(), self.tickets.len());
        self.tickets.push_back(key.clone());
    }

    /// Removes a binding; the last ticket takes its place.
    pub(super) fn subtract(&mut self, key: &BindingKey) {
        let Some(place) = self.places.remove(key) else {
            return;
        };
        if let Some(last) = self.tickets.pop_back()
            && place < self.tickets.len()
        {
            self.places.insert(last.clone(), place);
            self.tickets.set(place, last);
        }
    }

    /// The ticket that `random` draws.
    pub(super) fn pick(&self, random: u64) -> Option<&Destination> {
        // The upper half of the product: even to within n / 2^64.
        let place = (u128::from(random) * self.tickets.len() as u128) >> 64;
        let ticket = self.tickets.get(usize::try_from(place).ok()?)?;
        Some(&ticket.destination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::value::Table;
    use crate::exchange::Binding;
    use crate::ids::Name;

    fn ticket(queue: &str, key: &str) -> BindingKey {
        BindingKey::of(&Binding {
            destination: Destination::queue(queue.as_bytes()),
            routing_key: Name::from(key),
            arguments: Table::default(),
        })
    }

    fn shares(random: &Random, queue: &str) -> usize {
        let step = u64::MAX / 300;
        (0..300)
            .filter(|i| {
                random.pick(i * step + step / 2) == Some(&Destination::queue(queue.as_bytes()))
            })
            .count()
    }

    #[test]
    fn every_binding_is_a_ticket() {
        let mut random = Random::default();
        assert_eq!(random.pick(7), None);
        for (queue, key) in [("a", "1"), ("a", "2"), ("b", "1")] {
            random.add(&ticket(queue, key));
        }
        assert_eq!((shares(&random, "a"), shares(&random, "b")), (200, 100));
        assert!(random.pick(0).is_some() && random.pick(u64::MAX).is_some());
    }

    #[test]
    fn removal_keeps_the_others() {
        let mut random = Random::default();
        for queue in ["a", "b", "c"] {
            random.add(&ticket(queue, ""));
        }
        random.subtract(&ticket("a", ""));
        random.subtract(&ticket("nobody", ""));
        assert_eq!((shares(&random, "b"), shares(&random, "c")), (150, 150));
        random.subtract(&ticket("c", ""));
        assert_eq!(shares(&random, "b"), 300);
        random.subtract(&ticket("b", ""));
        assert_eq!(random.pick(u64::MAX), None);
    }
}
