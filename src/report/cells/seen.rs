//! What was seen of cells: a few bytes for a verdict and each attempt, one cell behind the other.
//!
//! Numbers are of variable length, records are told by how far they are from the one told before. What is there is never
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

/// Bytes of a page. What a page has stays where it is: one text that grows would be held twice while it is moved.
const PAGE: usize = 1 << PAGE_BITS;

/// The bits of a place that say where in its page it is.
const PAGE_BITS: u32 = 16;

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pages: Vec<Vec<u8>>,
    /// Chances, of which most cells have the same few, and their places by their bits.
    chances: Vec<f64>,
    chance_places: HashMap<u64, u32>,
}

/// What is told of a cell besides the place of its record, its seconds and its chance, or in another form: bits of the first
/// byte. The others are the number of its attempts here.
mod told {
    /// The seconds as they are.
    pub(super) const FLOAT: u8 = 1 << 0;
    /// How many attempts the verdict took, where they are not those that are here.
    pub(super) const ATTEMPTS: u8 = 1 << 1;
    /// What the suite lists.
    pub(super) const KNOWN: u8 = 1 << 2;
    /// Where the earlier verdict is.
    pub(super) const EARLIER: u8 = 1 << 3;
    /// How far the number of attempts is moved in the byte.
    pub(super) const COUNT_SHIFT: u32 = 4;
    /// A number of attempts that stands behind the byte.
    pub(super) const MANY: u8 = 15;
}

/// The bits of a distance that are the verdict of the attempt there.
const VERDICT_BITS: u32 = 3;

/// Where the verdict would be: the distance is too large, both follow.
const FAR: i64 = (1 << VERDICT_BITS) - 1;

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
        let nanoseconds = nanoseconds(judgement.seconds);
        let has_others = judgement.attempts as usize != attempts.len();
        let count = u8::try_from(attempts.len()).unwrap_or(told::MANY).min(told::MANY);
        let mut head = count << told::COUNT_SHIFT;
        for (is_told, bit) in [
            (nanoseconds.is_none(), told::FLOAT),
            (has_others, told::ATTEMPTS),
            (judgement.known != NONE, told::KNOWN),
            (earlier != NONE, told::EARLIER),
        ] {
            head |= if is_told { bit } else { 0 };
        }
        let mut writer = Writer { bytes: vec![head] };
        writer.number(judgement.record.number());
        match nanoseconds {
            Some(nanoseconds) => writer.number(nanoseconds),
            None => writer.bytes.extend(judgement.seconds.to_le_bytes()),
        }
        writer.number(judgement.miss_chance.map_or(0, |chance| u64::from(self.chance(chance)) + 1));
        if has_others {
            writer.number(judgement.attempts.into());
        }
        if judgement.known != NONE {
            writer.number(judgement.known.into());
        }
        if earlier != NONE {
            writer.number(earlier.into());
        }
        if count == told::MANY {
            writer.number(attempts.len() as u64);
        }
        let mut before = judgement.record;
        for (record, said) in attempts {
            writer.attempt(record.number().wrapping_sub(before.number()) as i64, *said);
            before = *record;
        }
        self.keep(&writer.bytes)
    }

    /// Keeps what was written of a cell in one piece, and answers where.
    fn keep(&mut self, bytes: &[u8]) -> u32 {
        let has_room = |page: &Vec<u8>| page.len() + bytes.len() <= PAGE;
        if !self.pages.last().is_some_and(has_room) {
            // a cell with very many attempts has a page that is longer than others
            self.pages.push(Vec::with_capacity(PAGE.max(bytes.len())));
        }
        let page = self.pages.len() - 1;
        let at = self.pages[page].len();
        self.pages[page].extend_from_slice(bytes);
        small(page << PAGE_BITS | at)
    }

    /// What was taken down at this place.
    pub(super) fn judgement(&self, place: u32) -> Judgement {
        self.read(place).judgement
    }

    /// The attempts of a cell up to this place, in order.
    pub(super) fn attempts(&self, place: u32) -> Vec<Attempt> {
        let mut found = Vec::new();
        let mut next = place;
        while next != NONE {
            let Part { judgement, count, earlier, mut rest } = self.read(next);
            next = earlier;
            let mut before = judgement.record.number();
            let begin = found.len();
            found.extend((0..count).map(|_| {
                let (distance, said) = rest.attempt();
                before = before.wrapping_add(distance as u64);
                (RecordOffset::of_number(before), said)
            }));
            // this part was read forwards, the parts come backwards
            found[begin..].reverse();
        }
        found.reverse();
        found
    }

    fn read(&self, place: u32) -> Part<'_> {
        let (page, at) = ((place >> PAGE_BITS) as usize, place as usize & (PAGE - 1));
        let mut rest = Reader { bytes: &self.pages[page][at..] };
        let head = rest.byte();
        let is_told = |bit: u8| head & bit != 0;
        let record = RecordOffset::of_number(rest.number());
        let seconds = if is_told(told::FLOAT) { rest.float() } else { rest.number() as f64 / 1e9 };
        let miss_chance = rest.number().checked_sub(1).map(|chance| self.chances[chance as usize]);
        let other_attempts = is_told(told::ATTEMPTS).then(|| rest.number() as u32);
        let known = if is_told(told::KNOWN) { rest.number() as Name } else { NONE };
        let earlier = if is_told(told::EARLIER) { rest.number() as u32 } else { NONE };
        let count = match head >> told::COUNT_SHIFT {
            told::MANY => rest.number() as u32,
            count => count.into(),
        };
        let attempts = other_attempts.unwrap_or(count);
        Part { judgement: Judgement { record, seconds, miss_chance, attempts, known }, count, earlier, rest }
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

/// A verdict and what led to it.
struct Part<'s> {
    judgement: Judgement,
    /// How many attempts follow.
    count: u32,
    /// The place of the earlier verdict, or [`NONE`].
    earlier: u32,
    rest: Reader<'s>,
}

/// Writes what [`Reader`] reads.
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn var(&mut self, number: impl VarInt) {
        let mut buffer = [0; 10];
        let length = number.encode_var(&mut buffer);
        self.bytes.extend_from_slice(&buffer[..length]);
    }

    fn number(&mut self, number: u64) {
        self.var(number);
    }

    fn attempt(&mut self, distance: i64, said: Verdict) {
        match distance.checked_mul(1 << VERDICT_BITS) {
            Some(moved) => self.var(moved | said as i64),
            None => {
                self.var(FAR);
                self.bytes.extend(distance.to_le_bytes());
                self.bytes.push(said as u8);
            }
        }
    }
}

/// Reads what [`Writer`] wrote.
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

    fn attempt(&mut self) -> (i64, Verdict) {
        let moved: i64 = self.var();
        match moved & FAR {
            FAR => {
                let distance = i64::from_le_bytes(self.eight());
                (distance, Verdict::ALL[usize::from(self.byte())])
            }
            said => (moved >> VERDICT_BITS, Verdict::ALL[said as usize]),
        }
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.bytes.split_first().expect("a byte that was written");
        self.bytes = rest;
        *first
    }

    fn eight(&mut self) -> [u8; 8] {
        let (first, rest) = self.bytes.split_first_chunk().expect("eight bytes that were written");
        self.bytes = rest;
        *first
    }

    fn float(&mut self) -> f64 {
        f64::from_le_bytes(self.eight())
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
        prop::collection::vec((offset(), prop::sample::select(Verdict::ALL.to_vec())), 0..20)
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
    fn what_many_cells_showed_reads_back_from_every_page() {
        let at = |at: u64| RecordOffset::of_number(at + 1);
        let judgement = |n: u64| Judgement {
            record: at(n),
            seconds: n as f64,
            miss_chance: None,
            attempts: 0,
            known: NONE,
        };
        // some fill several pages by themselves
        let attempts = |n: u64| vec![(at(n), Verdict::Lost); if n % 1000 == 7 { 2 * PAGE } else { 2 }];
        let mut seen = Seen::default();
        let places: Vec<u32> = (0..20_000).map(|n| seen.put(&judgement(n), &attempts(n), NONE)).collect();
        assert!(seen.pages.len() > 20);
        for (n, place) in (0..).zip(places) {
            assert_eq!(seen.judgement(place), judgement(n));
            assert_eq!(seen.attempts(place), attempts(n));
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
        assert_eq!(seen.pages[0].len(), 16);
    }
}
