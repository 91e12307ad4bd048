//! The shape of what is searched: which kernel holds the changes of which others.
//!
//! A history is a directed acyclic graph of *nodes* in topological order. Node 0 is the *old end*, a kernel from before
//! every candidate change; the last node is the *new end*, which holds them all. Every node but the old end stands for
//! one candidate change and for the kernel right after it. In a series of packages the graph is a line.

/// Which kernel holds the changes of which others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    parents: Vec<Vec<usize>>,
    /// For each node with several parents: its ancestors that are none of its first parent's, itself excluded.
    brought: Vec<Box<[u32]>>,
}

/// A graph that is no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// There is nothing between the ends.
    #[error("there is no candidate between the two ends: they are the same kernel")]
    Empty,
    /// A node has a parent that does not come before it.
    #[error("node {node} has the parent {parent}, which does not come before it")]
    Order {
        /// The node.
        node: usize,
        /// Its parent.
        parent: usize,
    },
    /// A node has no parent although it is not the old end.
    #[error("node {node} has no parent")]
    Rootless {
        /// The node.
        node: usize,
    },
    /// A node is not part of the new end.
    #[error("node {node} is no ancestor of the new end")]
    Stray {
        /// The node.
        node: usize,
    },
    /// More nodes than can be numbered.
    #[error("{0} candidates are more than can be searched")]
    TooLarge(usize),
}

impl History {
    /// A line: the old end and `candidates` kernels after it, each with one more change.
    ///
    /// # Panics
    /// Without any candidate.
    pub fn linear(candidates: usize) -> History {
        assert!(candidates > 0, "a line of at least one candidate");
        let parents: Vec<Vec<usize>> =
            std::iter::once(Vec::new()).chain((0..candidates).map(|parent| vec![parent])).collect();
        let brought = vec![Box::default(); parents.len()];
        History { parents, brought }
    }

    /// A graph, given as the parents of each node. Nodes come after their parents; node 0, the old end, has none; the
    /// last one is the new end.
    ///
    /// # Errors
    /// The lists describe no such graph.
    pub fn new(parents: Vec<Vec<usize>>) -> Result<History, HistoryError> {
        if parents.len() < 2 {
            return Err(HistoryError::Empty);
        }
        if u32::try_from(parents.len()).is_err() {
            return Err(HistoryError::TooLarge(parents.len()));
        }
        for (node, of_node) in parents.iter().enumerate().skip(1) {
            if of_node.is_empty() {
                return Err(HistoryError::Rootless { node });
            }
            if let Some(&parent) = of_node.iter().find(|parent| **parent >= node) {
                return Err(HistoryError::Order { node, parent });
            }
        }
        let mut history = History { brought: vec![Box::default(); parents.len()], parents };
        let mut walk = Walk::new(history.len());
        for node in 1..history.len() {
            if history.parents[node].len() > 1 {
                history.brought[node] = walk.brought(&history.parents, node);
            }
        }
        let reached = history.ancestors(history.newest());
        match reached.iter().position(|reached| !reached) {
            Some(node) => Err(HistoryError::Stray { node }),
            None => Ok(history),
        }
    }

    /// How many nodes there are, the old end included.
    #[expect(clippy::len_without_is_empty, reason = "a history has at least two nodes")]
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// How many changes may be the culprit.
    pub fn candidates(&self) -> usize {
        self.len() - 1
    }

    /// The new end.
    pub fn newest(&self) -> usize {
        self.len() - 1
    }

    /// A node's parents; none for the old end.
    pub fn parents(&self, node: usize) -> &[usize] {
        &self.parents[node]
    }

    /// For each node whether `node` holds its change: its ancestors and itself.
    pub fn ancestors(&self, node: usize) -> Vec<bool> {
        let mut held = vec![false; self.len()];
        held[node] = true;
        for child in (1..=node).rev() {
            if held[child] {
                self.parents[child].iter().for_each(|parent| held[*parent] = true);
            }
        }
        // a root outside of the range counts as the old end
        held[0] = true;
        held
    }

    /// For each node the sum of the weights of the changes that it holds, the old end's included. Takes time in
    /// proportion to the nodes and to what the merges bring in.
    pub fn sums<const K: usize>(&self, weight: impl Fn(usize) -> [f64; K]) -> Vec<[f64; K]> {
        let mut sums = Vec::with_capacity(self.len());
        sums.push(weight(0));
        for node in 1..self.len() {
            let mut sum: [f64; K] = sums[self.parents[node][0]];
            add(&mut sum, &weight(node));
            self.brought[node].iter().for_each(|other| add(&mut sum, &weight(*other as usize)));
            sums.push(sum);
        }
        sums
    }
}

fn add<const K: usize>(sum: &mut [f64; K], weight: &[f64; K]) {
    for (sum, weight) in sum.iter_mut().zip(weight) {
        *sum += weight;
    }
}

/// Finds what merges bring in, with marks that are used again for every merge.
struct Walk {
    /// For each node the merge it was last met for, and from which sides.
    marks: Vec<(usize, u8)>,
}

const MAIN: u8 = 1;
const SIDE: u8 = 2;

impl Walk {
    fn new(nodes: usize) -> Walk {
        Walk { marks: vec![(0, 0); nodes] }
    }

    /// The ancestors of `merge` that its first parent does not have. Newer nodes are looked at first, so that a node's
    /// sides are complete when it is its turn; the walk ends when only what both sides have is left.
    fn brought(&mut self, parents: &[Vec<usize>], merge: usize) -> Box<[u32]> {
        let mut waiting = std::collections::BinaryHeap::new();
        let mut one_sided = 0usize;
        let mut brought = Vec::new();
        let meet = |marks: &mut Vec<(usize, u8)>,
                    waiting: &mut std::collections::BinaryHeap<usize>,
                    side_only: &mut usize,
                    node: usize,
                    side: u8| {
            let mark = &mut marks[node];
            if mark.0 != merge {
                *mark = (merge, side);
                waiting.push(node);
                *side_only += usize::from(side == SIDE);
            } else if mark.1 != mark.1 | side {
                *side_only -= usize::from(mark.1 == SIDE);
                mark.1 |= side;
            }
        };
        for (nth, parent) in parents[merge].iter().enumerate() {
            let side = if nth == 0 { MAIN } else { SIDE };
            meet(&mut self.marks, &mut waiting, &mut one_sided, *parent, side);
        }
        while one_sided > 0 {
            let Some(node) = waiting.pop() else { break };
            let side = self.marks[node].1;
            if side == SIDE {
                one_sided -= 1;
                // the old end is in every kernel
                if node != 0 {
                    brought.push(node as u32);
                }
            }
            for parent in &parents[node] {
                meet(&mut self.marks, &mut waiting, &mut one_sided, *parent, side);
            }
        }
        brought.into_boxed_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any graph: each node has one parent before it, some have a second or third one; what is left over is merged.
    fn graphs() -> impl Strategy<Value = History> {
        proptest::collection::vec(proptest::collection::vec(0.0f64..1.0, 1..4), 1..40).prop_map(|choices| {
            let mut parents: Vec<Vec<usize>> = vec![Vec::new()];
            for (before, of_node) in choices.iter().enumerate() {
                let mut chosen: Vec<usize> =
                    of_node.iter().map(|at| (at * (before + 1) as f64) as usize).collect();
                chosen.dedup();
                parents.push(chosen);
            }
            let used: std::collections::BTreeSet<usize> = parents.iter().flatten().copied().collect();
            let tips: Vec<usize> = (1..parents.len()).filter(|node| !used.contains(node)).collect();
            if tips.len() > 1 {
                parents.push(tips);
            }
            History::new(parents).unwrap()
        })
    }

    proptest! {
        #[test]
        fn sums_count_every_ancestor_once(history in graphs()) {
            let weight = |node: usize| [(node * node % 17) as f64 + 0.5];
            let sums = history.sums(weight);
            for (node, sum) in sums.iter().enumerate() {
                let held = history.ancestors(node);
                let expected: f64 = (0..history.len()).filter(|n| held[*n]).map(|n| weight(n)[0]).sum();
                prop_assert!((sum[0] - expected).abs() < 1e-9, "{node}: {} {expected}", sum[0]);
            }
        }
    }

    #[test]
    fn a_line_holds_what_came_before() {
        let line = History::linear(4);
        assert_eq!(line, History::new(vec![vec![], vec![0], vec![1], vec![2], vec![3]]).unwrap());
        assert_eq!((line.len(), line.candidates(), line.newest()), (5, 4, 4));
        assert_eq!(line.ancestors(2), [true, true, true, false, false]);
        assert_eq!(line.sums(|_| [1.0]).concat(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    }

    #[test]
    fn a_merge_brings_its_branch() {
        // 1 - 2 - 4 - 5(merge of 4 and 3), 3 branches off 1
        let history =
            History::new(vec![vec![], vec![0], vec![1], vec![1], vec![2], vec![4, 3], vec![5]]).unwrap();
        assert_eq!(history.brought[5].as_ref(), [3]);
        assert_eq!(history.sums(|_| [1.0]).concat(), [1.0, 2.0, 3.0, 3.0, 4.0, 6.0, 7.0]);
    }

    #[test]
    fn what_is_no_history_is_refused() {
        let error = |parents: &[&[usize]]| {
            History::new(parents.iter().map(|p| p.to_vec()).collect()).unwrap_err().to_string()
        };
        let said =
            [error(&[&[]]), error(&[&[], &[2], &[0]]), error(&[&[], &[0], &[]]), error(&[&[], &[0], &[0]])];
        insta::assert_snapshot!(said.join("\n"), @r"
        there is no candidate between the two ends: they are the same kernel
        node 1 has the parent 2, which does not come before it
        node 2 has no parent
        node 1 is no ancestor of the new end
        ");
    }
}
