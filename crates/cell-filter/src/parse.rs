//! The grammar:
//!
//! ```text
//! or        := and (("|" | "+" | "or") and)*
//! and       := not (("&" | "and" | "-") not)*        a - b is a & !b
//! not       := ("!" | "not") not | primary
//! primary   := "(" or ")" | NAME "(" ARGUMENT ")"
//! ```
//!
//! An argument ends at its closing parenthesis; one that has parentheses in it has them in pairs, or stands between two
//! slashes as a regular expression, in which `\/` is a slash.

use winnow::ascii::multispace0;
use winnow::combinator::{alt, preceded, repeat};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{LocatingSlice, Location, Stream};
use winnow::token::{literal, take_while};

use super::error::ParseError;
use super::matcher::{Bare, Matcher};
use super::number::Comparison;
use super::versions::KernelPattern;
use super::{Node, Predicate};

/// How deep parentheses and `not` may be nested.
const DEPTH: usize = 64;

const EXPECTED: &str = "expected a predicate such as `suite(block)`, `!` or `(`";

/// What can be asked, with an example of each.
const PREDICATES: [(&str, &str); 8] = [
    ("suite", "suite(block)"),
    ("test", "test(race)"),
    ("kernel", "kernel(>=6.12, <7.2)"),
    ("needs", "needs(igb)"),
    ("touches", "touches(fs/ext4)"),
    ("fixes", "fixes(9b25f381de6b)"),
    ("verdict", "verdict(bad)"),
    ("duration", "duration(>30s)"),
];

type Input<'a> = LocatingSlice<&'a str>;
type Parsed<T> = Result<T, ErrMode<Wrong>>;

/// Where and why, while an expression is read.
#[derive(Clone, Debug)]
struct Wrong {
    at: usize,
    message: String,
}

impl ParserError<Input<'_>> for Wrong {
    type Inner = Wrong;

    fn from_input(input: &Input<'_>) -> Wrong {
        Wrong { at: input.current_token_start(), message: EXPECTED.to_owned() }
    }

    fn into_inner(self) -> Result<Wrong, Wrong> {
        Ok(self)
    }
}

fn wrong<T>(at: usize, message: impl Into<String>) -> Parsed<T> {
    Err(ErrMode::Cut(Wrong { at, message: message.into() }))
}

pub(crate) fn expression(text: &str) -> Result<Node, ParseError> {
    let mut input = LocatingSlice::new(text);
    let result = whole(&mut input);
    result.map_err(|error| {
        let wrong = match error {
            ErrMode::Backtrack(wrong) | ErrMode::Cut(wrong) => wrong,
            ErrMode::Incomplete(_) => Wrong { at: text.len(), message: EXPECTED.to_owned() },
        };
        ParseError { text: text.to_owned(), at: wrong.at, message: wrong.message }
    })
}

fn whole(input: &mut Input<'_>) -> Parsed<Node> {
    let node = or(input, DEPTH)?;
    blanks(input)?;
    let rest: &str = input.as_ref();
    if rest.is_empty() {
        return Ok(node);
    }
    let at = input.current_token_start();
    if rest.starts_with(')') {
        return wrong(at, "this `)` closes nothing");
    }
    wrong(at, "expected `&`, `|`, `-` or the end of the expression")
}

fn blanks(input: &mut Input<'_>) -> Parsed<()> {
    multispace0.void().parse_next(input)
}

/// One of these signs, or this word with no letter behind it.
fn operator<'a>(
    signs: &'static [&'static str],
    word: &'static str,
) -> impl Parser<Input<'a>, (), ErrMode<Wrong>> {
    move |input: &mut Input<'a>| {
        blanks(input)?;
        let rest: &str = input.as_ref();
        let found = signs.iter().find(|sign| rest.starts_with(**sign)).copied().or_else(|| {
            let behind = rest.strip_prefix(word)?;
            // `not(...)` is the word and a parenthesis, `nothing(...)` is a predicate
            (!behind.starts_with(|c: char| c.is_alphanumeric() || c == '_')).then_some(word)
        });
        match found {
            Some(found) => literal(found).void().parse_next(input),
            None => Err(ErrMode::Backtrack(Wrong::from_input(input))),
        }
    }
}

fn or(input: &mut Input<'_>, depth: usize) -> Parsed<Node> {
    let first = and(input, depth)?;
    let more = preceded(operator(&["||", "|", "+"], "or"), |input: &mut Input<'_>| cut(and(input, depth)));
    let rest: Vec<Node> = repeat(0.., more).parse_next(input)?;
    Ok(rest.into_iter().fold(first, |a, b| Node::Or(Box::new(a), Box::new(b))))
}

fn and(input: &mut Input<'_>, depth: usize) -> Parsed<Node> {
    let first = not(input, depth)?;
    let sign = alt((operator(&["&&", "&"], "and").value(false), operator(&["-"], "minus").value(true)));
    let more = (sign, |input: &mut Input<'_>| cut(not(input, depth)));
    let rest: Vec<(bool, Node)> = repeat(0.., more).parse_next(input)?;
    Ok(rest.into_iter().fold(first, |a, (without, b)| {
        let b = if without { Node::Not(Box::new(b)) } else { b };
        Node::And(Box::new(a), Box::new(b))
    }))
}

/// Behind an operator there is no other way to read on.
fn cut<T>(result: Parsed<T>) -> Parsed<T> {
    result.map_err(ErrMode::cut)
}

fn not(input: &mut Input<'_>, depth: usize) -> Parsed<Node> {
    if operator(&["!"], "not").parse_next(input).is_ok() {
        let Some(depth) = depth.checked_sub(1) else { return too_deep(input) };
        return Ok(Node::Not(Box::new(cut(not(input, depth))?)));
    }
    primary(input, depth)
}

fn too_deep<T>(input: &Input<'_>) -> Parsed<T> {
    wrong(input.current_token_start(), format!("nested more than {DEPTH} deep"))
}

fn primary(input: &mut Input<'_>, depth: usize) -> Parsed<Node> {
    blanks(input)?;
    let at = input.current_token_start();
    let rest: &str = input.as_ref();
    if rest.starts_with('(') {
        let Some(depth) = depth.checked_sub(1) else { return too_deep(input) };
        input.next_token();
        let node = cut(or(input, depth))?;
        blanks(input)?;
        let rest: &str = input.as_ref();
        if !rest.starts_with(')') {
            return wrong(
                input.current_token_start(),
                format!("expected `)` for the `(` at column {}", at + 1),
            );
        }
        input.next_token();
        return Ok(node);
    }
    let name: &str = take_while(0.., |c: char| c.is_ascii_alphanumeric() || c == '_').parse_next(input)?;
    let rest: &str = input.as_ref();
    if name.is_empty() {
        let found = match rest.chars().next() {
            Some(c) => format!("`{c}` found, "),
            None => "the expression ends here, ".to_owned(),
        };
        return wrong(at, format!("{found}{EXPECTED}"));
    }
    if !rest.starts_with('(') {
        return wrong(
            at,
            format!("`{name}` alone is no predicate: a part of a test's name is written `test({name})`"),
        );
    }
    input.next_token();
    let begin = input.current_token_start();
    let rest: &str = input.as_ref();
    let Some(length) = argument(rest) else {
        return wrong(begin + rest.len(), format!("expected `)` behind the argument of `{name}`"));
    };
    let argument = rest[..length].trim();
    let place = begin + (length - rest[..length].trim_start().len());
    input.next_slice(length + 1);
    predicate(name, argument).map_err(|(inside, message)| {
        let at = inside.map_or(at, |inside| place + inside);
        ErrMode::Cut(Wrong { at, message })
    })
}

/// Bytes up to the parenthesis that closes.
fn argument(text: &str) -> Option<usize> {
    if text.trim_start().starts_with('/') {
        let slash = text.find('/')?;
        let mut escaped = false;
        let end = text[slash + 1..].find(|c: char| {
            let ends = c == '/' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let behind = slash + 1 + end + 1;
        return text[behind..].find(')').map(|at| behind + at);
    }
    let mut open = 0_usize;
    text.char_indices().find_map(|(at, c)| match c {
        '(' => {
            open += 1;
            None
        }
        ')' if open == 0 => Some(at),
        ')' => {
            open -= 1;
            None
        }
        _ => None,
    })
}

fn predicate(name: &str, argument: &str) -> Result<Node, (Option<usize>, String)> {
    let inside = |(at, why)| (Some(at), why);
    let named = |bare| Matcher::parse(argument, bare).map_err(inside);
    let needed = || {
        if argument.is_empty() { Err((Some(0), format!("`{name}` needs an argument"))) } else { Ok(()) }
    };
    let predicate = match name {
        "all" | "none" if !argument.is_empty() => {
            return Err((Some(0), format!("`{name}()` takes no argument")));
        }
        "all" => return Ok(Node::All),
        "none" => return Ok(Node::None),
        "suite" => Predicate::Suite(named(Bare::Name)?),
        "test" => Predicate::Test(named(Bare::Part)?),
        "needs" => Predicate::Needs(named(Bare::Name)?),
        "verdict" => {
            let verdicts = ["bad", "good", "other", "skip", "blind", "lost"];
            let bare = argument.chars().all(|c| c.is_ascii_alphabetic());
            if bare && !verdicts.contains(&argument) {
                return Err((Some(0), format!("`{argument}` is no verdict: {} are", verdicts.join(", "))));
            }
            Predicate::Verdict(named(Bare::Name)?)
        }
        "kernel" => {
            needed()?;
            Predicate::Kernel(KernelPattern::parse(argument).map_err(inside)?)
        }
        "touches" => {
            needed()?;
            Predicate::Touches(argument.trim_start_matches("./").to_owned())
        }
        "fixes" => {
            let commit = argument.to_ascii_lowercase();
            if !(7..=40).contains(&commit.len()) || !commit.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err((Some(0), "expected a commit: 7 to 40 hexadecimal digits".to_owned()));
            }
            Predicate::Fixes(commit)
        }
        "duration" => {
            needed()?;
            Predicate::Duration(Comparison::parse(argument).map_err(inside)?)
        }
        other => return Err((None, unknown(other))),
    };
    Ok(Node::Predicate(predicate))
}

fn unknown(name: &str) -> String {
    let near = PREDICATES.iter().min_by_key(|(known, _)| strsim::levenshtein(known, name));
    match near {
        Some((known, example)) if strsim::levenshtein(known, name) <= 2 => {
            format!("there is no predicate `{name}`; did you mean `{known}`, as in `{example}`?")
        }
        _ => {
            let all: Vec<&str> = PREDICATES.iter().map(|(known, _)| *known).collect();
            format!("there is no predicate `{name}`: {}, all and none are", all.join(", "))
        }
    }
}
