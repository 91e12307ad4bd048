//! The cycle in which tasks wait for each other.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use super::locks::{self, Lock};
use super::owner::{Owned, owners};
use super::task::blocked_tasks;
use crate::hang::BlockedTask;

/// Tasks each of which waits for what the next one holds, the last one for what the first one holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// Never empty.
    pub links: Vec<Link>,
    /// Whether the kernel named the owner in every link; if not, some are concluded from the stacks.
    pub by_kernel: bool,
}

/// One task of a deadlock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The task, as `name:pid`.
    pub task: String,
    /// Its process id.
    pub pid: u32,
    /// The kernel functions of its stack, innermost first, as far as they are known.
    pub stack: Vec<String>,
    /// The function in which it waits, where its stack is known.
    pub waits_in: Option<String>,
    /// What it waits for, in words.
    pub waits_for: String,
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock")?;
        if !self.by_kernel {
            f.write_str(" by the stacks")?;
        }
        for (n, link) in self.links.iter().enumerate() {
            let holder = match self.links.len() {
                1 => "itself",
                links => &self.links[(n + 1) % links].task,
            };
            write!(f, "{} {} waits", if n == 0 { ":" } else { ";" }, link.task)?;
            if let Some(function) = &link.waits_in {
                write!(f, " in {function}")?;
            }
            write!(f, " for {}, held by {holder}", link.waits_for)?;
        }
        Ok(())
    }
}

/// A blocked task with where and for what it waits.
struct Waiter<'t> {
    name: String,
    pid: u32,
    stack: &'t [String],
    /// Index in `stack` of the function that waits.
    site: usize,
    wants: Option<&'static Lock>,
    owned: Option<&'t Owned>,
}

/// Finds the shortest cycle among the tasks that a console shows as blocked and those that the agent saw.
pub fn deadlock(console: &[u8], seen: &[BlockedTask]) -> Option<Deadlock> {
    let (shown, owners) = (blocked_tasks(console), owners(console));
    let mut tasks: Vec<&BlockedTask> = shown.iter().collect();
    for task in seen {
        match tasks.iter_mut().find(|t| t.pid == task.pid) {
            Some(shown) if shown.stack.is_empty() => *shown = task,
            Some(_) => {}
            None => tasks.push(task),
        }
    }
    let waiters: Vec<Waiter<'_>> = tasks.into_iter().map(|task| Waiter::new(task, &owners)).collect();
    let cycles = (0..waiters.len()).filter_map(|start| cycle_from(start, &waiters));
    let shortest = cycles.min_by_key(Vec::len)?;
    let by_kernel = shortest.iter().all(|&n| waiters[n].owned.is_some());
    let links = shortest.iter().map(|&n| waiters[n].link()).collect();
    Some(Deadlock { links, by_kernel })
}

impl<'t> Waiter<'t> {
    fn new(task: &'t BlockedTask, owners: &'t [Owned]) -> Waiter<'t> {
        let site = task.stack.iter().position(|f| !locks::is_primitive(f)).unwrap_or(task.stack.len());
        Waiter {
            // the agent's name of a kernel worker has its work queue behind a plus sign
            name: format!("{}:{}", task.comm.split('+').next().unwrap_or(&task.comm), task.pid),
            pid: task.pid,
            stack: &task.stack,
            site,
            wants: task.stack.get(site).and_then(|function| locks::wanted_in(function)),
            owned: owners.iter().find(|owned| owned.waiter == task.pid),
        }
    }

    fn link(&self) -> Link {
        let kind = self.owned.map(|owned| format!("a {}", owned.what).replace("a rw-", "an rw-"));
        Link {
            task: self.name.clone(),
            pid: self.pid,
            stack: self.stack.to_vec(),
            waits_in: self.stack.get(self.site).cloned(),
            waits_for: match (self.wants, kind) {
                (Some(lock), _) => lock.name.to_owned(),
                (None, Some(kind)) => kind,
                (None, None) => "something".to_owned(),
            },
        }
    }

    /// Whether this task waits for what the other one holds. What the kernel says goes before what stacks suggest.
    fn waits_for(&self, other: &Waiter<'_>) -> bool {
        match (self.owned, self.wants) {
            (Some(owned), _) => owned.owner.1 == other.pid,
            (None, Some(lock)) if self.pid == other.pid => lock.single && other.holds(lock),
            (None, Some(lock)) => other.holds(lock),
            (None, None) => false,
        }
    }

    fn holds(&self, lock: &Lock) -> bool {
        // a function that waits for this very lock does not hold it yet, those that called it may
        let waits_for_it = self.wants.is_some_and(|wanted| std::ptr::eq(wanted, lock));
        let from = if waits_for_it { self.site + 1 } else { self.site };
        let below = self.stack.get(from..).unwrap_or_default();
        below.iter().any(|function| lock.held_in.contains(&locks::plain(function)))
    }
}

/// The shortest way from a waiter back to it, breadth first.
fn cycle_from(start: usize, waiters: &[Waiter<'_>]) -> Option<Vec<usize>> {
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for next in (0..waiters.len()).filter(|&next| waiters[at].waits_for(&waiters[next])) {
            if next == start {
                let mut way = vec![at];
                while *way.last()? != start {
                    way.push(*came_from.get(way.last()?)?);
                }
                way.reverse();
                return Some(way);
            }
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                at
            });
        }
    }
    None
}
