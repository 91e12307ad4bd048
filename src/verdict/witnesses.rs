//! What it means that the witnesses of the kernel's messages differ, beyond the reports that they have.

use super::{Judgement, Verdict};
use crate::witness::Testimony;

/// The judgement with what the witnesses say of each other taken into account. A symptom that was seen, and a crash of
/// another kind, stay what they are.
///
/// A program that writes what looks like a crash report makes an attempt blind: neither that report nor the silence
/// around it can be believed. And so does a log of which some is missing, because it does not prove that the console has
/// everything.
pub fn with_witnesses(mut judgement: Judgement, testimony: &Testimony) -> Judgement {
    if !judgement.dosed {
        return judgement;
    }
    if let Some(title) = &testimony.forged
        && matches!(judgement.verdict, Verdict::Good | Verdict::Blind)
    {
        judgement.verdict = Verdict::Blind;
        judgement.reason =
            Some(format!("a program wrote what looks like a crash report of the kernel: {title}"));
    } else if let Some(doubt) = &testimony.doubt
        && judgement.verdict == Verdict::Good
    {
        judgement.verdict = Verdict::Blind;
        judgement.reason = Some(doubt.clone());
    }
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_decide_only_where_nothing_was_seen() {
        let judged = |verdict, testimony: &Testimony| {
            let judgement = Judgement {
                verdict,
                title: None,
                reason: Some("as before".into()),
                dosed: verdict != Verdict::Lost,
            };
            let after = with_witnesses(judgement, testimony);
            (after.verdict, after.reason.unwrap_or_default())
        };
        let forged = Testimony { forged: Some("WARNING in f".into()), ..Testimony::default() };
        let doubt = Testimony { doubt: Some("2 messages were lost".into()), ..Testimony::default() };
        for verdict in Verdict::ALL {
            assert_eq!(judged(verdict, &Testimony::default()), (verdict, "as before".into()));
        }
        for verdict in [Verdict::Bad, Verdict::Other, Verdict::Skip, Verdict::Lost] {
            assert_eq!(judged(verdict, &forged), (verdict, "as before".into()));
            assert_eq!(judged(verdict, &doubt), (verdict, "as before".into()));
        }
        let why = "a program wrote what looks like a crash report of the kernel: WARNING in f";
        assert_eq!(judged(Verdict::Good, &forged), (Verdict::Blind, why.into()));
        assert_eq!(judged(Verdict::Blind, &forged), (Verdict::Blind, why.into()));
        assert_eq!(judged(Verdict::Good, &doubt), (Verdict::Blind, "2 messages were lost".into()));
        assert_eq!(judged(Verdict::Blind, &doubt), (Verdict::Blind, "as before".into()));
    }
}
