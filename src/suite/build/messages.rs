//! Lists of known messages: those of a suite, and those of a file of their own.

use jiff::civil::Date;

use crate::suite::messages::{KnownMessage, KnownMessages};
use crate::suite::shape::{AllowShape, DenyShape, MessagesShape};
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind;
use crate::yaml::rejection::Rejection;
use crate::yaml::word;

/// A file that holds nothing else.
pub(in crate::suite) fn file(fields: &mut Fields<'_>, shape: &MessagesShape) -> Option<KnownMessages> {
    Some(messages(fields, &KeyPath::default(), shape))
}

/// What a suite has under `known-messages`.
pub(super) fn of_suite(fields: &mut Fields<'_>, shape: Option<&MessagesShape>) -> KnownMessages {
    let at = KeyPath::default().key("known-messages");
    shape.map_or_else(KnownMessages::default, |shape| messages(fields, &at, shape))
}

fn messages(fields: &mut Fields<'_>, at: &KeyPath, shape: &MessagesShape) -> KnownMessages {
    if shape.allow.is_none() && shape.deny.is_none() && !fields.is_refused(at) {
        let span = fields.key_span(at);
        let help = "give `allow:`, `deny:` or both, each a list of `{match: …, reason: …}`".to_owned();
        let headline = "the known messages name none".to_owned();
        fields.report(ProblemKind::MissingKey, span, headline, "empty".into(), help);
    }
    let (allow_at, deny_at) = (at.key("allow"), at.key("deny"));
    let mut allow = Vec::new();
    for (nth, entry) in shape.allow.iter().flatten().enumerate() {
        let at = allow_at.index(nth);
        match entry {
            Some(AllowShape { r#match, trace, versions, reason, link, expires }) => {
                let texts = Texts { r#match, versions, reason, link, expires };
                let trace = fields.list(&at.key("trace"), trace.as_ref(), str::parse);
                allow.extend(message(fields, &at, &texts).map(|entry| KnownMessage { trace, ..entry }));
            }
            None => fields.missing(&at),
        }
    }
    let mut deny = Vec::new();
    for (nth, entry) in shape.deny.iter().flatten().enumerate() {
        let at = deny_at.index(nth);
        match entry {
            Some(DenyShape { r#match, versions, reason, link, expires }) => {
                let texts = Texts { r#match, versions, reason, link, expires };
                deny.extend(message(fields, &at, &texts));
            }
            None => fields.missing(&at),
        }
    }
    KnownMessages { allow, deny }
}

/// What entries of both lists have.
struct Texts<'a> {
    r#match: &'a Option<String>,
    versions: &'a Option<String>,
    reason: &'a Option<String>,
    link: &'a Option<String>,
    expires: &'a Option<String>,
}

fn message(fields: &mut Fields<'_>, at: &KeyPath, texts: &Texts<'_>) -> Option<KnownMessage> {
    let matching = fields.required(&at.key("match"), texts.r#match.as_ref(), str::parse);
    let versions = fields.optional(&at.key("versions"), texts.versions.as_ref(), str::parse);
    let reason = fields.required(&at.key("reason"), texts.reason.as_ref(), word::sentence);
    let link = fields.optional(&at.key("link"), texts.link.as_ref(), word::link);
    let expires = fields.optional(&at.key("expires"), texts.expires.as_ref(), day);
    let span = fields.location(&at.key("match"));
    Some(KnownMessage {
        matching: matching?,
        trace: Vec::new(),
        versions,
        reason: reason?,
        link,
        expires,
        span,
    })
}

/// Reads a day.
pub(super) fn day(text: &str) -> Result<Date, Rejection> {
    // jiff takes other forms too; one is enough
    let written = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    text.parse().ok().filter(|_| written).ok_or_else(|| {
        Rejection::of(text, "a day that exists, such as `2027-01-31`: the last one on which the entry holds")
    })
}
