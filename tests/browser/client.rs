//! A headless Chromium that is spoken with over its DevTools pipe: JSON, ended by a zero byte, on descriptors 3 and 4
//! (<https://chromedevtools.github.io/devtools-protocol/>).

#![allow(dead_code, reason = "a test and a bench use a part of it each")]

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use command_fds::{CommandFdExt, FdMapping};
use serde_json::{Value, json};

/// The programs that will do, the small one first.
const PROGRAMS: [&str; 3] = ["chromium-headless-shell", "chromium", "google-chrome"];

/// The browser of this host.
pub fn program() -> Option<PathBuf> {
    PROGRAMS.iter().find_map(|name| which::which(name).ok())
}

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: PipeWriter,
    from: BufReader<PipeReader>,
    session: Option<String>,
    number: u64,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts it with a window of this size, pixels, and further arguments.
    pub fn start(program: &Path, width: u32, height: u32, more: &[&str]) -> Browser {
        let (their_end, to) = std::io::pipe().expect("a pipe");
        let (from, its_end) = std::io::pipe().expect("a pipe");
        let profile = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(program);
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
                "--hide-scrollbars",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(format!("--window-size={width},{height}"))
            .args(more)
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .fd_mappings(vec![
                FdMapping { parent_fd: their_end.into(), child_fd: 3 },
                FdMapping { parent_fd: its_end.into(), child_fd: 4 },
            ])
            .expect("descriptors");
        let child = command.spawn().expect("the browser starts");
        drop(command);
        let from = BufReader::new(from);
        let mut browser = Browser { child, to, from, session: None, number: 0, _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attached =
            browser.call("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser.call("Page.enable", json!({}));
        browser
    }

    fn message(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).expect("the browser speaks");
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    fn send(&mut self, method: &str, params: Value) -> u64 {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).expect("JSON");
        bytes.push(0);
        self.to.write_all(&bytes).expect("the browser listens");
        self.number
    }

    /// Calls a method and waits for its answer.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        let number = self.send(method, params);
        loop {
            let mut message = self.message();
            if message["id"] == number {
                let error = message["error"].take();
                return if error.is_null() { Ok(message["result"].take()) } else { Err(error) };
            }
        }
    }

    /// Opens a file with this fragment and waits until it has been loaded.
    pub fn open(&mut self, file: &Path, fragment: &str) {
        let path = std::path::absolute(file).expect("a path");
        // a change of the fragment alone loads nothing
        self.go("about:blank");
        self.go(&format!("file://{}#{fragment}", path.display()));
    }

    fn go(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address}));
        let at = address.split('#').next().unwrap_or_default();
        let there = format!("document.readyState === 'complete' && location.href.split('#')[0] === '{at}'");
        let asked = json!({"expression": there, "returnByValue": true});
        // between two pages there is none that could answer
        while !self
            .try_call("Runtime.evaluate", asked.clone())
            .is_ok_and(|said| said["result"]["value"] == true)
        {}
    }

    /// The value of an expression.
    pub fn read(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// Presses and releases a key.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "Tab" => (9, ""),
            "End" => (35, ""),
            "Home" => (36, ""),
            "ArrowLeft" => (37, ""),
            "ArrowUp" => (38, ""),
            "ArrowRight" => (39, ""),
            "ArrowDown" => (40, ""),
            letter => (0, letter),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Shows pages in dark or light colours.
    pub fn dark(&mut self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    /// A picture of what the window shows, as PNG in base64.
    pub fn picture(&mut self) -> String {
        let taken = self.call("Page.captureScreenshot", json!({"format": "png"}));
        taken["data"].as_str().unwrap_or_default().to_owned()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
