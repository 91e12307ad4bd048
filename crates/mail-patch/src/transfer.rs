//! Damage by a transfer encoding that was applied and not undone, or by the way out of a web page. Each is undone only
//! where every character that the encoding uses is one of its escapes, so that no other reading exists.

use std::sync::LazyLock;

use regex::Regex;

use super::damage::{Damage, DamageKind, Fix};
use super::diff;
use super::text::{self, Line};

static ENTITY: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"&(?:amp|lt|gt|quot|apos|nbsp|#39|#34|#x27);").expect("valid"));
static AMPERSAND_WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"&[a-z#][a-z0-9]*;").expect("valid"));

/// Undoes what can be undone in the lines of a diff; answers the new lines with what was found.
pub fn undo(lines: Vec<Line>) -> (Vec<Line>, Vec<Damage>) {
    let mut damages = Vec::new();
    let mut lines = lines;
    for step in [returns, quoted_printable, no_break_spaces, entities] {
        if let Some((damage, undone)) = step(&lines) {
            if let Some(undone) = undone {
                lines = undone;
            }
            damages.push(damage);
        }
    }
    (lines, damages)
}

type Step = Option<(Damage, Option<Vec<Line>>)>;

fn numbers<'l>(lines: impl Iterator<Item = &'l Line>) -> Vec<usize> {
    lines.map(|line| line.number).collect()
}

fn mapped(lines: &[Line], change: impl Fn(&str) -> String) -> Vec<Line> {
    lines.iter().map(|line| Line::new(line.number, change(&line.text))).collect()
}

/// Every line of the diff ends with a carriage return, its headers too: they came with the transfer.
fn returns(lines: &[Line]) -> Step {
    let first = lines.first()?;
    if !first.text.ends_with('\r')
        || !lines.iter().all(|line| line.text.is_empty() || line.text.ends_with('\r'))
    {
        return None;
    }
    let damage = Damage {
        kind: DamageKind::CarriageReturns,
        lines: vec![first.number, lines.last()?.number],
        proof: "every line ends with a carriage return, the diff's own headers too".into(),
        fix: Fix::OneWay("the carriage returns are dropped".into()),
    };
    Some((damage, Some(mapped(lines, |text| text.trim_end_matches('\r').to_owned()))))
}

/// `=` followed by two upper-case hexadecimal digits, or by nothing at the end of a line.
fn is_escape(rest: &str) -> bool {
    let digits = rest.as_bytes().get(1..3);
    rest.len() == 1
        || digits
            .is_some_and(|two| two.iter().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte)))
}

fn quoted_printable(lines: &[Line]) -> Step {
    let escapes =
        |line: &Line| line.text.match_indices('=').filter(|(at, _)| is_escape(&line.text[*at..])).count();
    let all = |line: &Line| line.text.matches('=').count();
    let escaped = numbers(lines.iter().filter(|line| escapes(line) > 0));
    let sure = lines.iter().any(|line| {
        line.text.contains("=3D")
            || line.text == "=20"
            || (line.text.ends_with("=20") && !line.text.contains(" = "))
    });
    if escaped.is_empty() || !sure {
        return None;
    }
    let bare: Vec<&Line> = lines.iter().filter(|line| escapes(line) < all(line)).collect();
    let damage =
        |proof: String, fix| Damage { kind: DamageKind::QuotedPrintable, lines: escaped.clone(), proof, fix };
    let Some(first) = bare.first() else {
        let proof = "every `=` of the diff is an escape of the encoding".into();
        let fix = Fix::OneWay("the escapes are decoded and soft line breaks joined".into());
        return Some((damage(proof, fix), Some(decoded(lines))));
    };
    let only_ends =
        lines.iter().all(|line| escapes(line) == 0 || (line.text.ends_with("=20") && all(line) == 1));
    if only_ends {
        let undone = mapped(lines, |text| match text.strip_suffix("=20") {
            Some(start) => format!("{start} "),
            None => text.to_owned(),
        });
        let whole = |lines: &[Line]| diff::read(lines).is_whole();
        if whole(&undone) && !whole(lines) {
            let proof = "`=20` stands at line ends only, and the hunks count right when it is a blank".into();
            return Some((
                damage(proof, Fix::OneWay("each is the blank it stands for".into())),
                Some(undone),
            ));
        }
    }
    let proof = format!("`=` is an escape on these lines and itself on line {}", first.number);
    let why = "an escape such as `=20` could as well be what the author wrote; fetch the raw mail".into();
    Some((damage(proof, Fix::None(why)), None))
}

fn decoded(lines: &[Line]) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let mut joins = false;
    for line in lines {
        let (text, soft) = match line.text.strip_suffix('=') {
            Some(text) => (text, true),
            None => (line.text.as_str(), false),
        };
        let mut bytes = Vec::new();
        let raw = text::encode(text);
        let mut at = 0;
        while at < raw.len() {
            let escape = (raw[at] == b'=').then(|| raw.get(at + 1..at + 3)).flatten();
            let byte =
                escape.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
            bytes.push(byte.unwrap_or(raw[at]));
            at += if byte.is_some() { 3 } else { 1 };
        }
        let text = text::decode(&bytes);
        match out.last_mut().filter(|_| joins) {
            Some(last) => last.text.push_str(&text),
            None => out.push(Line::new(line.number, text)),
        }
        joins = soft;
    }
    out
}

fn no_break_spaces(lines: &[Line]) -> Step {
    let start_or_run = |line: &Line| {
        line.text.starts_with('\u{a0}') || line.text.contains("\u{a0}\u{a0}") || line.text.contains(" \u{a0}")
    };
    let found = numbers(lines.iter().filter(|line| start_or_run(line)));
    if found.is_empty() {
        return None;
    }
    let damage = Damage {
        kind: DamageKind::NoBreakSpaces,
        lines: found,
        proof: "no-break spaces (U+00A0) stand where blanks belong".into(),
        fix: Fix::OneWay("each becomes a blank".into()),
    };
    Some((damage, Some(mapped(lines, |text| text.replace('\u{a0}', " ")))))
}

fn entities(lines: &[Line]) -> Step {
    let found = numbers(lines.iter().filter(|line| ENTITY.is_match(&line.text)));
    if found.is_empty() {
        return None;
    }
    // in a text with entities, the characters themselves do not occur, and every ampersand starts one
    let bare = lines.iter().find(|line| {
        line.text.contains(['<', '>'])
            || line.text.matches('&').count() != AMPERSAND_WORD.find_iter(&line.text).count()
    });
    let damage = |proof: String, fix| Damage { kind: DamageKind::Entities, lines: found.clone(), proof, fix };
    if let Some(bare) = bare {
        // a source that is about HTML holds both
        if !lines.iter().any(|line| line.text.contains("-&gt;")) {
            return None;
        }
        let proof = format!("entities on these lines, the characters themselves on line {}", bare.number);
        return Some((
            damage(proof, Fix::None("either could be what the author wrote; fetch the raw mail".into())),
            None,
        ));
    }
    let undone = mapped(lines, |text| {
        let text =
            text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
        let text =
            text.replace("&#39;", "'").replace("&#x27;", "'").replace("&#34;", "\"").replace("&nbsp;", " ");
        text.replace("&amp;", "&")
    });
    let proof = "every `&` starts an entity, and neither `<` nor `>` occurs".into();
    // arrows of C and escaped ampersands are in every such text but a short one
    let sure = lines.iter().any(|line| line.text.contains("-&gt;") || line.text.contains("&amp;"));
    let fix = match sure {
        true => Fix::OneWay("the entities are decoded".into()),
        false => Fix::InPart("the entities are decoded; that the author wrote none is not known".into()),
    };
    Some((damage(proof, fix), Some(undone)))
}
