#![doc = include_str!("../README.md")]

mod error;
mod evaluate;
mod matcher;
mod number;
mod parse;
mod versions;

pub use error::ParseError;
pub use evaluate::{Facts, Known};
pub use matcher::Matcher;
pub use number::Comparison;
pub use versions::KernelPattern;

/// An expression that says of each cell whether it is meant.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    node: Node,
}

/// A part of an expression.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    All,
    None,
    Not(Box<Node>),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Predicate(Predicate),
}

/// What is asked of a cell.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    Suite(Matcher),
    Test(Matcher),
    Kernel(KernelPattern),
    Needs(Matcher),
    Touches(String),
    Fixes(String),
    Verdict(Matcher),
    Duration(Comparison),
}

impl Filter {
    /// Reads an expression.
    ///
    /// # Errors
    /// It is none; the error says where, what was found and what was expected.
    pub fn parse(text: &str) -> Result<Filter, ParseError> {
        Ok(Filter { text: text.to_owned(), node: parse::expression(text)? })
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the expression asks for what an earlier run saw: a verdict or a duration.
    pub fn needs_earlier_run(&self) -> bool {
        self.node.any(&|predicate| matches!(predicate, Predicate::Verdict(_) | Predicate::Duration(_)))
    }

    /// Whether a cell is meant, by what is known of it.
    pub fn evaluate(&self, facts: &Facts<'_>) -> Known {
        evaluate::evaluate(&self.node, facts)
    }
}

impl Node {
    fn any(&self, asked: &impl Fn(&Predicate) -> bool) -> bool {
        match self {
            Node::All | Node::None => false,
            Node::Not(node) => node.any(asked),
            Node::And(a, b) | Node::Or(a, b) => a.any(asked) || b.any(asked),
            Node::Predicate(predicate) => asked(predicate),
        }
    }
}
