//! The journal of systemd as JSON, one object a line (`journalctl -o json`, `json-seq`, `json-sse`).

use serde_json::Value;

/// The object of a line, if it is one of the journal's.
fn object(line: &[u8]) -> Option<serde_json::Map<String, Value>> {
    let open = line.iter().take(8).position(|byte| *byte == b'{')?;
    let close = line.iter().rposition(|byte| *byte == b'}')?;
    serde_json::from_slice(line.get(open..=close)?).ok()
}

/// Whether a line looks like an entry of the journal as JSON.
pub(super) fn is_entry(line: &[u8]) -> bool {
    line.iter().take(8).any(|byte| *byte == b'{') && memchr::memmem::find(line, b"\"MESSAGE\"").is_some()
}

/// The message of an entry that the kernel wrote; empty if another program did.
pub(super) fn message(line: &[u8]) -> Option<Vec<u8>> {
    let entry = object(line)?;
    let says = |key: &str| entry.get(key).and_then(Value::as_str);
    let kernel = match (says("_TRANSPORT"), says("SYSLOG_IDENTIFIER")) {
        (None, None) => true,
        (transport, identifier) => transport == Some("kernel") || identifier == Some("kernel"),
    };
    if !kernel {
        return Some(Vec::new());
    }
    match entry.get("MESSAGE")? {
        Value::String(text) => Some(text.clone().into_bytes()),
        // a message that is no text is a list of bytes
        Value::Array(bytes) => {
            bytes.iter().map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok())).collect()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_taken_from_entries() {
        let table: [(&str, Option<&str>); 6] = [
            (r#"{"_TRANSPORT":"kernel","MESSAGE":" \"x\"\ty","PRIORITY":"4"}"#, Some(" \"x\"\ty")),
            (r#"{"MESSAGE":[72,105]}"#, Some("Hi")),
            ("data: {\"MESSAGE\":\"x\"}", Some("x")),
            (r#"{"_TRANSPORT":"stdout","MESSAGE":"BUG: no"}"#, Some("")),
            (r#"{"MESSAGE":null}"#, None),
            ("{no", None),
        ];
        for (line, wanted) in table {
            let found = message(line.as_bytes()).map(|text| String::from_utf8_lossy(&text).into_owned());
            assert_eq!(found.as_deref(), wanted, "{line}");
        }
        assert!(is_entry(br#"{"a":1,"MESSAGE":"x"}"#));
        assert!(!is_entry(b"x \"MESSAGE\""));
    }
}
