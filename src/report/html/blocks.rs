//! Pieces that several parts of the page are made of.

use std::fmt::Write as _;

use crate::report::text::escape;

/// Text whose line breaks count.
pub(super) fn push_block(out: &mut String, text: &str) {
    // A browser drops a newline right behind the start tag; an empty line of the text must not be lost.
    let _ = writeln!(out, "<pre tabindex=\"0\">\n{}</pre>", escape(text));
}

/// A list of items that are markup already; nothing where there is none.
pub(super) fn push_list(out: &mut String, items: &[String]) {
    if items.is_empty() {
        return;
    }
    out.push_str("<ul>\n");
    for item in items {
        let _ = writeln!(out, "<li>{item}</li>");
    }
    out.push_str("</ul>\n");
}

/// The start of a table that scrolls by itself and can be reached by the keyboard; [`TABLE_END`] ends it.
pub(super) fn table_start(id: &str, caption: &str, head: &[&str]) -> String {
    let head: String = head.iter().map(|name| format!("<th scope=\"col\">{}</th>", escape(name))).collect();
    format!(
        "<div class=\"scroll\" role=\"region\" aria-labelledby=\"{id}\" tabindex=\"0\">\n<table>\n\
         <caption id=\"{id}\">{}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n",
        escape(caption)
    )
}

/// The end of a table.
pub(super) const TABLE_END: &str = "</tbody>\n</table>\n</div>\n";
