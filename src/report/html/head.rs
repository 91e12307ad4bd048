//! The beginning and the end of every page: one style, and a policy that lets the browser load nothing and run nothing
//! but the script of the page itself, which it knows by its digest. What a guest wrote could not run even where it
//! became markup.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

/// The style of all pages.
const STYLE: &str = include_str!("style.css");

/// The script of the page of a run.
const SCRIPT: &str = include_str!("page.js");

/// Whether a page has the script of a run's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripted {
    /// It filters and opens cells.
    Yes,
    /// It is only read.
    No,
}

/// Up to and with `<body>`; `title` is escaped already.
pub fn head(title: &str, scripted: Scripted) -> String {
    let scripts = match scripted {
        Scripted::No => String::new(),
        Scripted::Yes => {
            format!(" script-src 'sha256-{}';", STANDARD.encode(Sha256::digest(content().as_bytes())))
        }
    };
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';{scripts} base-uri 'none'; form-action 'none'"/>
<meta name="referrer" content="no-referrer"/>
<title>{title}</title>
<style>
{STYLE}</style>
</head>
<body>
"#
    )
}

/// The script's element, for the end of a page.
pub(super) fn script() -> String {
    format!("<script>{}</script>\n", content())
}

/// The script as XML takes it, too.
fn content() -> String {
    format!("//<![CDATA[\n{SCRIPT}//]]>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_script_ends_it() {
        assert!(!SCRIPT.contains("</") && !SCRIPT.contains("]]>") && !SCRIPT.contains("<!--"));
        assert!(!STYLE.contains("url(") && !STYLE.contains('<') && !STYLE.contains("@import"));
    }
}
