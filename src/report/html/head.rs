//! The beginning of every page: one style, and a policy that lets the browser load and run nothing.

/// Up to and with `<body>`; `title` is escaped already, `style` is the page's own.
pub fn head(title: &str, style: &str) -> String {
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"/>
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
"#
    )
}

/// The style of runs, which pages about several runs share.
pub const STYLE: &str = include_str!("style.css");
