//! What was seen of cells: a few bytes for a verdict and each attempt, one cell behind the other.
//!
//! Numbers are of variable length, records are told by how far they are from that of their cell. What stands there is never
//! changed: a cell that is judged again has its new attempts behind all others, and where the earlier ones are.

use std::collections::HashMap;

use integer_encoding::VarInt;

use super::names::{NONE, Name, small};
use crate::report::records::RecordOffset;
use crate::verdict::Verdict;

/// An attempt: where its record is, and what it says by itself.
pub(super) type Attempt = (RecordOffset, Verdict);

/// What the record of a verdict says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Judgement {
    /// Where it is.
    pub(super) record: RecordOffset,
    pub(super) seconds: f64,
    pub(super) miss_chance: Option<f64>,
    pub(super) attempts: u32,
    pub(super) known: Name,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    bytes: Vec<u8>,
    /// Chances, of which most cells have the same few, and their places by their bits.
    chances: Vec<f64>,
    chance_places: HashMap<u64, u32>,
}

/// Seconds as nanoseconds, where that is the very same number.
fn nanoseconds(seconds: f64) -> Option<u64> {
    let nanoseconds = (seconds * 1e9).round();
    // larger ones are not whole any more
    let fits =
        (0.0..(1u64 << 53) as f64).contains(&nanoseconds) && !(seconds == 0.0 && seconds.is_sign_negative());
    (fits && nanoseconds / 1e9 == seconds).then_some(nanoseconds as u64)
}

impl Seen {
    /// Takes down a verdict, its attempts since the one at `earlier`, or [`NONE`], and answers its place.
    pub(super) fn put(&mut self, judgement: &Judgement, attempts: &[Attempt], earlier: u32) -> u32 {
        let place = small(self.bytes.len());
        let chance = judgement.miss_chance.map_or(0, |chance| self.chance(chance) + 1);
        self.number(judgement.record.number());
        match nanoseconds(judgement.seconds) {
            Some(nanoseconds) => self.number(nanoseconds << 1),
            None => {
                self.number(1);
                self.bytes.extend(judgement.seconds.to_le_bytes());
            }
        }
        self.number(u64::from(chance));
        self.number(u64::from(judgement.attempts));
        self.number(if judgement.known == NONE { 0 } else { u64::from(judgement.known) + 1 });
        self.number(if earlier == NONE { 0 } else { u64::from(place - earlier) });
        self.number(attempts.len() as u64);
        for (record, said) in attempts {
            let distance = record.number().wrapping_sub(judgement.record.number()) as i64;
            self.bytes.extend(distance.encode_var_vec());
            self.bytes.push(*said as u8);
        }
        place
    }

    /// What was taken down at this place.
    pub(super) fn judgement(&self, place: u32) -> Judgement {
        self.read(place).0
    }

    /// The attempts of a cell up to this place, in order.
    pub(super) fn attempts(&self, place: u32) -> Vec<Attempt> {
        let mut found = Vec::new();
        let mut next = Some(place);
        while let Some(place) = next {
            let (judgement, mut rest) = self.read(place);
            next = match rest.number() {
                0 => None,
                back => Some(place - back as u32),
            };
            let count = rest.number() as usize;
            found.resize_with(found.len() + count, || {
                let distance = rest.signed();
                let record = judgement.record.number().wrapping_add(distance as u64);
                (RecordOffset::of_number(record), Verdict::ALL[usize::from(rest.byte())])
            });
            // this part was read forwards, the parts come backwards
            let part = found.len() - count;
            found[part..].reverse();
        }
        found.reverse();
        found
    }

    fn read(&self, place: u32) -> (Judgement, Reader<'_>) {
        let mut reader = Reader { bytes: &self.bytes[place as usize..] };
        let record = RecordOffset::of_number(reader.number());
        let seconds = match reader.number() {
            1 => reader.float(),
            nanoseconds => (nanoseconds >> 1) as f64 / 1e9,
        };
        let miss_chance = reader.number().checked_sub(1).map(|chance| self.chances[chance as usize]);
        let attempts = reader.number() as u32;
        let known = reader.number().checked_sub(1).map_or(NONE, |known| known as Name);
        (Judgement { record, seconds, miss_chance, attempts, known }, reader)
    }

    fn number(&mut self, number: u64) {
        self.bytes.extend(number.encode_var_vec());
    }

    fn chance(&mut self, chance: f64) -> u32 {
        let next = small(self.chances.len());
        let place = *self.chance_places.entry(chance.to_bits()).or_insert(next);
        if place == next {
            self.chances.push(chance);
        }
        place
    }
}

/// Reads what [`Seen`] wrote.
struct Reader<'s> {
    bytes: &'s [u8],
}

impl Reader<'_> {
    fn var<T: VarInt>(&mut self) -> T {
        let (number, length) = T::decode_var(self.bytes).expect("a number that was written");
        self.bytes = &self.bytes[length..];
        number
    }

    fn number(&mut self) -> u64 {
        self.var()
    }

    fn signed(&mut self) -> i64 {
        self.var()
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.bytes.split_first().expect("a byte that was written");
        self.bytes = rest;
        *first
    }

    fn float(&mut self) -> f64 {
        let (first, rest) = self.bytes.split_first_chunk().expect("eight bytes that were written");
        self.bytes = rest;
        f64::from_le_bytes(*first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn offset() -> impl Strategy<Value = RecordOffset> {
        prop_oneof![1..u64::MAX, 1..1_000_000u64].prop_map(RecordOffset::of_number)
    }

    fn seconds() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("a number", |seconds| !seconds.is_nan()),
            0.0..1000.0,
            Just(-0.0),
            (0..u64::MAX).prop_map(|n| n as f64 / 1e9)
        ]
    }

    fn judgement() -> impl Strategy<Value = Judgement> {
        let chance = prop::option::of(0.0..1.0);
        (offset(), seconds(), chance, any::<u32>(), prop_oneof![Just(NONE), any::<u32>()]).prop_map(
            |(record, seconds, miss_chance, attempts, known)| Judgement {
                record,
                seconds,
                miss_chance,
                attempts,
                known,
            },
        )
    }

    fn attempts() -> impl Strategy<Value = Vec<Attempt>> {
        prop::collection::vec((offset(), prop::sample::select(Verdict::ALL.to_vec())), 0..5)
    }

    proptest! {
        #[test]
        fn what_was_seen_reads_back(cell in prop::collection::vec((judgement(), attempts()), 1..4), other in judgement()) {
            let mut seen = Seen::default();
            let (mut last, mut all) = (NONE, Vec::new());
            for (judgement, attempts) in &cell {
                seen.put(&other, &[], NONE);
                last = seen.put(judgement, attempts, last);
                all.extend(attempts.iter().copied());
                prop_assert_eq!(seen.judgement(last), *judgement);
                prop_assert_eq!(seen.judgement(last).seconds.to_bits(), judgement.seconds.to_bits());
                prop_assert_eq!(seen.attempts(last), all.clone());
            }
        }
    }

    #[test]
    fn a_verdict_with_two_attempts_takes_little() {
        // a run may have a million of them
        let mut seen = Seen::default();
        let at = |at: u64| RecordOffset::of_number(500_000_000 + at);
        let judgement = Judgement {
            record: at(900),
            seconds: 2.740152424,
            miss_chance: Some(0.003),
            attempts: 2,
            known: NONE,
        };
        seen.put(&judgement, &[(at(0), Verdict::Good), (at(450), Verdict::Good)], NONE);
        assert_eq!(seen.bytes.len(), 21);
    }
}
