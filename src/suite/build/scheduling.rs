//! When tests run among the others: groups with a maximum, and priorities.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use crate::suite::model::{Group, Scheduling};
use crate::suite::shape::{GroupShape, TestShape};
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind;
use crate::yaml::{quantity, word};

/// The groups of a suite.
pub(super) fn groups(
    fields: &mut Fields<'_>,
    suite: &str,
    shapes: Option<&BTreeMap<String, Option<GroupShape>>>,
) -> Vec<Arc<Group>> {
    let at = KeyPath::default().key("groups");
    let mut groups = Vec::new();
    for (key, shape) in shapes.into_iter().flatten() {
        let at = at.key(key);
        let name = word::name(key);
        let max = shape.as_ref().and_then(|shape| shape.max.as_ref());
        let max = fields.required(&at.key("max"), max, |text| quantity::within(text, 1..=1_000));
        match name {
            // a wrong maximum is said above; that the name is known keeps its tests from being blamed, too
            Ok(name) => {
                let name = format!("{suite}::{name}");
                groups.push(Arc::new(Group { name, max: max.unwrap_or(1) }));
            }
            Err(rejection) => fields.reject_key(&at, rejection),
        }
    }
    groups
}

/// A test's own, else the default's.
pub(super) fn scheduling(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> Scheduling {
    let (at, text) = picked(context, "priority", shape.priority.as_ref(), context.defaults.priority.as_ref());
    let priority = fields.optional(&at, text, |text| quantity::within(text, -100..=100)).unwrap_or_default();
    let (at, text) = picked(context, "group", shape.group.as_ref(), context.defaults.group.as_ref());
    let name = fields.optional(&at, text, word::name);
    let group = name.and_then(|name| {
        let own = |group: &&Arc<Group>| group.name.rsplit("::").next() == Some(name.as_str());
        let found = context.groups.iter().find(own).cloned();
        if found.is_none() {
            unknown(fields, &at, context, &name);
        }
        found
    });
    Scheduling { priority, group, ..Scheduling::default() }
}

fn picked<'v>(
    context: &Context<'_>,
    key: &str,
    own: Option<&'v String>,
    default: Option<&'v String>,
) -> (KeyPath, Option<&'v String>) {
    match (own, default) {
        (None, Some(_)) => (context.defaults_path.key(key), default),
        _ => (context.test.key(key), own),
    }
}

fn unknown(fields: &mut Fields<'_>, at: &KeyPath, context: &Context<'_>, name: &str) {
    let known: Vec<&str> = context.groups.iter().filter_map(|group| group.name.rsplit("::").next()).collect();
    let help = match (word::meant(name, known.iter().copied()), known.is_empty()) {
        (Some(group), _) => format!("did you mean `{group}`?"),
        (None, true) => format!("add `groups: {{{name}: {{max: 1}}}}` to the suite"),
        (None, false) => format!("the suite has: {}", known.join(", ")),
    };
    let headline = format!("no group here is named `{name}`");
    fields.report(ProblemKind::Contradiction, fields.span(at), headline, "which group?".into(), help);
}
