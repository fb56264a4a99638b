//! Seeders of a feed that were met and that neither its manifest nor a link names.

use peerfeed_protocol::ids::WitnessKey;

use crate::store::limits::SEEDERS_MET_MAX;

/// Where they were met, whom it was longest ago first. Whoever knows a feed can make up witness keys, so there are so many.
#[derive(Clone, Debug, Default)]
pub(super) struct Met(Vec<(WitnessKey, String)>);

impl Met {
    /// Notes where somebody was met. Of too many, whom it was longest ago is forgotten, and given.
    pub(super) fn insert(&mut self, witness: WitnessKey, address: String) -> Option<WitnessKey> {
        self.0.retain(|(known, _)| *known != witness);
        let forgotten = (self.0.len() >= SEEDERS_MET_MAX).then(|| self.0.remove(0).0);
        self.0.push((witness, address));
        forgotten
    }

    /// Whether somebody is remembered.
    pub(super) fn contains(&self, witness: &WitnessKey) -> bool {
        self.0.iter().any(|(known, _)| known == witness)
    }

    /// Notes those who were met before this process began.
    pub(super) fn remember(&mut self, before: Vec<(WitnessKey, String)>) {
        if self.0.is_empty() {
            self.0 = before;
            self.0.truncate(SEEDERS_MET_MAX);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&WitnessKey, &String)> {
        self.0.iter().map(|(witness, address)| (witness, address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_it_was_longest_ago_is_forgotten_first() {
        let witness = |number: u8| WitnessKey::from_stored([number; 32]);
        let mut met = Met::default();
        let last = u8::try_from(SEEDERS_MET_MAX).unwrap();
        for number in 1..=last {
            assert_eq!(met.insert(witness(number), format!("a:{number}")), None);
        }
        assert_eq!(met.insert(witness(1), "b:1".to_owned()), None);
        assert_eq!(met.insert(witness(last + 1), "c:1".to_owned()), Some(witness(2)));
        assert_eq!(met.iter().count(), SEEDERS_MET_MAX);
        assert!(!met.contains(&witness(2)), "met first, and not again");
        assert!(met.iter().any(|(known, address)| *known == witness(1) && address == "b:1"));
        met.remember(vec![(witness(99), "d:1".to_owned())]);
        assert!(met.iter().all(|(known, _)| *known != witness(99)), "what is known now is newer");
    }
}
