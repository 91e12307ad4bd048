//! What is known of a bisection: a fold over the events of its run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::bisect::{Aims, Answer, Costs, History, HistoryError, Search, Seen};
use crate::event::{AttemptRecord, BisectionRecord, CandidateRecord, Event, Suspect};
use crate::journal::{JournalError, RunDir, read};
use crate::verdict::Verdict;

/// The share of the probability that the candidates hold which are still counted.
const COUNTED: f64 = 0.99;

/// How many suspects are named.
const NAMED: usize = 5;

/// An attempt, in short.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptSummary {
    /// Its number, from 1.
    pub number: u32,
    /// What it says by itself.
    pub verdict: Verdict,
    /// The title of what was seen.
    pub title: Option<String>,
    /// Why, where there is no title to say it.
    pub reason: Option<String>,
    /// Wall time, seconds.
    pub seconds: f64,
    /// Its console's file, relative to the run's folder.
    pub console: Option<String>,
}

impl AttemptSummary {
    /// What it counts for; `None` where it is no evidence.
    pub fn seen(&self) -> Option<Seen> {
        evidence(self.verdict)
    }
}

/// Nothing but the test's own symptom, and whole doses without it, is evidence.
fn evidence(verdict: Verdict) -> Option<Seen> {
    match verdict {
        Verdict::Bad => Some(Seen::new(1, 1)),
        Verdict::Good => Some(Seen::new(0, 1)),
        Verdict::Other | Verdict::Skip | Verdict::Blind | Verdict::Lost => None,
    }
}

/// What is known of a candidate from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierEvidence {
    /// Symptoms and attempts.
    pub seen: Seen,
    /// A run's id, or a file.
    pub from: String,
    /// Digest of what booted, where it is known.
    pub content: Option<String>,
}

/// What is known of one candidate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CandidateState {
    /// The attempts of this run.
    pub attempts: Vec<AttemptSummary>,
    /// What is known from elsewhere.
    pub earlier: Vec<EarlierEvidence>,
    /// Why it is tried no more.
    pub closed: Option<String>,
    /// `uname -r`, where its kernel was there.
    pub release: Option<String>,
    /// Digest of what boots.
    pub content: Option<String>,
    /// How long it took to get the kernel, seconds.
    pub fetch_seconds: f64,
    /// How many of the attempts, from the first on, are not held against it any more.
    pub forgiven: usize,
}

impl CandidateState {
    /// How many attempts in a row, up to the last one, said nothing about the test.
    pub fn inconclusive_streak(&self) -> u32 {
        self.attempts.iter().skip(self.forgiven).rev().take_while(|made| made.seen().is_none()).count() as u32
    }

    /// The next attempt's number.
    pub fn next_number(&self) -> u32 {
        self.attempts.iter().map(|made| made.number).max().unwrap_or(0) + 1
    }

    /// The attempts that were no evidence.
    pub fn without_evidence(&self) -> usize {
        self.attempts.iter().filter(|made| made.seen().is_none()).count()
    }

    /// The title of its first symptom.
    pub fn symptom(&self) -> Option<&str> {
        let bad = self.attempts.iter().find(|made| made.verdict == Verdict::Bad)?;
        bad.title.as_deref().or(bad.reason.as_deref())
    }
}

/// A bisection so far.
#[derive(Clone, Debug)]
pub struct BisectionState {
    record: BisectionRecord,
    search: Search,
    places: HashMap<String, usize>,
    tried: BTreeMap<usize, CandidateState>,
    here: BTreeSet<usize>,
    answer: Option<Answer>,
    notices: Vec<String>,
    seconds: f64,
    run: String,
}

impl BisectionState {
    /// A bisection of which nothing is known yet.
    ///
    /// # Errors
    /// The record's candidates are no history.
    pub fn new(record: BisectionRecord) -> Result<BisectionState, HistoryError> {
        let parents = record.candidates.iter().map(|candidate| candidate.parents.clone()).collect();
        let history = Arc::new(History::new(parents)?);
        let places = record.candidates.iter().enumerate().map(|(at, c)| (c.name.clone(), at)).collect();
        let search = Search::new(history, record.find, record.aims, record.costs);
        Ok(BisectionState {
            record,
            search,
            places,
            tried: BTreeMap::new(),
            here: BTreeSet::new(),
            answer: None,
            notices: Vec::new(),
            seconds: 0.0,
            run: String::new(),
        })
    }

    /// Reads a bisection back. `None`: the run is none.
    ///
    /// # Errors
    /// The journal cannot be read, or a line before its last one is damaged.
    pub fn of(run: &RunDir) -> Result<Option<BisectionState>, JournalError> {
        let mut state: Option<BisectionState> = None;
        let mut first: Option<String> = None;
        let mut events = read(&run.journal())?;
        let mut nth = 0;
        while let Some(event) = events.next() {
            let event = event?;
            if let Event::RunStarted { run: id, .. } = &event
                && first.get_or_insert_with(|| id.clone()) != id
                && state.is_some()
            {
                return Err(JournalError::Several { path: run.journal(), line: events.line_number() });
            }
            nth += 1;
            match (event, &mut state) {
                (Event::Bisection(record), None) => state = BisectionState::new(*record).ok(),
                (event, Some(state)) => state.apply(&event),
                // what comes before the record: the run's start. Other runs are not read any further
                (_, None) if nth > 4 => return Ok(None),
                _ => {}
            }
        }
        if let Some(state) = &mut state {
            state.run = run.id().to_owned();
        }
        Ok(state)
    }

    /// Takes in the next event.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, .. } => {
                self.run = run.clone();
                self.reopen();
            }
            // one that is resumed may have other aims than at its start
            Event::Bisection(record) => self.set_aims(record.aims),
            Event::Attempt { cell, record } => self.attempt(&cell.kernel, record),
            Event::Earlier { kernel, seen, from, content } => {
                if let Some(&node) = self.places.get(kernel) {
                    let earlier =
                        EarlierEvidence { seen: *seen, from: from.clone(), content: content.clone() };
                    self.tried.entry(node).or_default().earlier.push(earlier);
                    self.search.observe(node, *seen);
                }
            }
            Event::CandidateReady { kernel, release, content, seconds } => {
                if let Some(&node) = self.places.get(kernel) {
                    let tried = self.tried.entry(node).or_default();
                    tried.release = Some(release.clone());
                    tried.content = Some(content.clone());
                    tried.fetch_seconds = tried.fetch_seconds.max(*seconds);
                    // what was seen of a kernel of the same name that boots something else says nothing of this one
                    let before = tried.earlier.len();
                    tried.earlier.retain(|earlier| earlier.content.as_ref().is_none_or(|c| c == content));
                    match tried.earlier.len() == before {
                        true => self.search.have(node),
                        false => self.rebuild(),
                    }
                    self.measure();
                }
            }
            Event::CandidateClosed { kernel, reason } => {
                if let Some(&node) = self.places.get(kernel) {
                    self.tried.entry(node).or_default().closed = Some(reason.clone());
                    self.search.close(node);
                }
            }
            Event::BisectionEnded { answer, seconds } => {
                self.answer = Some(answer.clone());
                self.seconds += seconds;
            }
            Event::Notice { text } => self.notices.push(text.clone()),
            _ => {}
        }
    }

    /// Gives candidates another chance that were closed because their attempts said nothing: when a bisection is gone on
    /// with, the trouble may have passed, such as that of a host that is too busy to boot a guest.
    fn reopen(&mut self) {
        let mut any = false;
        for tried in self.tried.values_mut() {
            let said_nothing = |made: &AttemptSummary| made.seen().is_none() && made.verdict != Verdict::Skip;
            if tried.attempts.last().is_some_and(said_nothing) && tried.closed.take().is_some() {
                tried.forgiven = tried.attempts.len();
                any = true;
            }
        }
        if any {
            self.answer = None;
            self.rebuild();
        }
    }

    fn attempt(&mut self, kernel: &str, record: &AttemptRecord) {
        let Some(&node) = self.places.get(kernel) else { return };
        self.tried.entry(node).or_default().attempts.push(AttemptSummary {
            number: record.attempt,
            verdict: record.verdict,
            title: record.title.clone(),
            reason: record.reason.clone(),
            seconds: record.seconds,
            console: record.console.clone(),
        });
        if let Some(seen) = evidence(record.verdict) {
            self.search.observe(node, seen);
        }
        self.measure();
    }

    /// What was measured takes the place of what was assumed.
    fn measure(&mut self) {
        let assumed = self.record.costs;
        let mean = |assumed: f64, measured: &mut dyn Iterator<Item = f64>| {
            let (mut sum, mut count) = (assumed, 1.0);
            measured.for_each(|seconds| {
                sum += seconds;
                count += 1.0;
            });
            sum / count
        };
        let mut attempts = self.tried.values().flat_map(|tried| &tried.attempts).map(|made| made.seconds);
        // one that was there already says nothing of those that are not
        let mut fetches =
            self.tried.values().map(|tried| tried.fetch_seconds).filter(|seconds| *seconds > 1.0);
        let kernel = mean(assumed.kernel, &mut fetches);
        let attempt = mean(assumed.attempt, &mut attempts);
        self.search.set_costs(Costs { kernel, attempt });
    }

    /// What is searched.
    pub fn record(&self) -> &BisectionRecord {
        &self.record
    }

    /// The search.
    pub fn search(&self) -> &Search {
        &self.search
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        &self.run
    }

    /// A kernel is here already.
    pub fn have(&mut self, node: usize) {
        self.here.insert(node);
        self.search.have(node);
    }

    /// Another aim than at the start, for one that is resumed.
    pub fn set_aims(&mut self, aims: Aims) {
        self.record.aims = aims;
        self.answer = None;
        self.rebuild();
    }

    /// Makes the search anew from what was tried.
    fn rebuild(&mut self) {
        let history = self.search.posterior().history().clone();
        let mut search =
            Search::new(Arc::new(history), self.record.find, self.record.aims, self.record.costs);
        for (node, tried) in &self.tried {
            for seen in tried
                .attempts
                .iter()
                .filter_map(AttemptSummary::seen)
                .chain(tried.earlier.iter().map(|e| e.seen))
            {
                search.observe(*node, seen);
            }
            if tried.closed.is_some() {
                search.close(*node);
            }
            if tried.content.is_some() {
                search.have(*node);
            }
        }
        self.here.iter().for_each(|node| search.have(*node));
        self.search = search;
        self.measure();
    }

    /// The answer, once there is one.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// Wall time of the runs that ended, seconds.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Further notices for the user.
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// A candidate.
    pub fn candidate(&self, node: usize) -> &CandidateRecord {
        &self.record.candidates[node]
    }

    /// Where a kernel is in the list of candidates.
    pub fn place(&self, kernel: &str) -> Option<usize> {
        self.places.get(kernel).copied()
    }

    /// What was tried of a candidate.
    pub fn tried(&self, node: usize) -> Option<&CandidateState> {
        self.tried.get(&node)
    }

    /// Everything that was tried, in the order of the candidates.
    pub fn all_tried(&self) -> impl Iterator<Item = (usize, &CandidateState)> {
        self.tried.iter().map(|(node, tried)| (*node, tried))
    }

    /// Attempts of this run, those without evidence included.
    pub fn attempts(&self) -> usize {
        self.tried.values().map(|tried| tried.attempts.len()).sum()
    }

    /// Kernels that were got for this run.
    pub fn kernels(&self) -> usize {
        self.tried.values().filter(|tried| tried.content.is_some()).count()
    }

    /// The likeliest candidates, most likely first.
    pub fn suspects(&self) -> Vec<Suspect> {
        let posterior = self.search.posterior();
        let name = |node: usize| match node {
            0 => "before".to_owned(),
            node => self.record.candidates[node].name.clone(),
        };
        let mut all: Vec<(f64, String)> = (0..self.record.candidates.len())
            .map(|node| (posterior.probability(node), node))
            .filter(|(probability, _)| *probability > 1e-4)
            .map(|(probability, node)| (probability, name(node)))
            .collect();
        all.push((posterior.never().probability, "never".to_owned()));
        // the sort is stable: of equals the oldest comes first
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        all.truncate(NAMED);
        all.into_iter()
            .filter(|(probability, _)| *probability > 1e-4)
            .map(|(probability, kernel)| Suspect { kernel, probability })
            .collect()
    }

    /// How many candidates hold nearly all of the probability.
    pub fn open_candidates(&self) -> usize {
        let posterior = self.search.posterior();
        let mut all: Vec<f64> =
            (0..self.record.candidates.len()).map(|node| posterior.probability(node)).collect();
        all.sort_by(|a, b| b.total_cmp(a));
        let mut sum = posterior.never().probability;
        all.iter()
            .take_while(|probability| {
                let open = sum < COUNTED;
                sum += **probability;
                open
            })
            .count()
    }

    /// Whether the culprit's build cannot differ from its parent's: the names of both.
    pub fn identical_builds(&self, culprit: usize) -> Option<(&str, &str)> {
        let content = |node: usize| self.tried.get(&node)?.content.as_deref();
        let own = content(culprit)?;
        let parents = &self.record.candidates[culprit].parents;
        let same = parents.iter().find(|parent| content(**parent) == Some(own))?;
        Some((&self.record.candidates[culprit].name, &self.record.candidates[*same].name))
    }
}
