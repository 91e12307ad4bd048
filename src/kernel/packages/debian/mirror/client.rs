//! Files over HTTP: small ones into memory, large ones into files, where a part that is there is continued.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::{Agent, Body};

use super::io as failed_on;
use crate::cancel::Cancel;
use crate::kernel::packages::source::SourceError;

/// How long a mirror may take to accept a connection, and then without a byte.
const PATIENCE: Duration = Duration::from_secs(60);

/// How soon a download ends after the user has asked for it.
const CANCEL_PERIOD: Duration = Duration::from_millis(100);

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 18;

/// A client of mirrors. Proxies are those of the environment (`http_proxy`, `https_proxy`, `no_proxy`), the authorities for
/// certificates those that Mozilla trusts: a host without apt may have none of its own.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
}

/// What became of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fetched {
    /// The server has sent all that it has.
    Whole,
    /// It does not have the file.
    Missing,
}

impl Client {
    pub(super) fn new() -> Client {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(PATIENCE))
            .timeout_recv_response(Some(PATIENCE))
            .timeout_per_read(Some(PATIENCE))
            .user_agent(concat!("kregress/", env!("CARGO_PKG_VERSION")))
            // what is compressed stays so: hashes are of the files as they are
            .accept_encoding("identity")
            .build();
        Client { agent: config.new_agent() }
    }

    /// A file of at most `max` bytes; `None` if the server does not have it.
    pub(super) fn get(&self, url: &str, max: u64) -> Result<Option<Vec<u8>>, SourceError> {
        let failed = |said: String| SourceError::Mirror { what: format!("fetching {url}"), said };
        let mut response = self.agent.get(url).call().map_err(|error| failed(error.to_string()))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => return Err(failed(format!("the server answered {status}"))),
        }
        let mut bytes = Vec::new();
        let read = response.body_mut().as_reader().take(max + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(error.to_string()))?;
        match bytes.len() as u64 > max {
            true => Err(failed(format!("it has more than {max} bytes"))),
            false => Ok(Some(bytes)),
        }
    }

    /// Downloads to `target`, behind the part that is there. At most `size` bytes are written and one more, which shows
    /// that there are too many. `progress` gets the bytes so far.
    pub(super) fn download(
        &self,
        url: &str,
        target: &Path,
        size: u64,
        progress: &(dyn Fn(u64) + Sync),
        cancel: Option<&Cancel>,
    ) -> Result<Fetched, SourceError> {
        let failed = |said: String| SourceError::Mirror { what: format!("downloading {url}"), said };
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(target)
            .map_err(failed_on("write", target))?;
        let mut done = file.seek(SeekFrom::End(0)).map_err(failed_on("write", target))?;
        if done >= size {
            // whole already, or wrong: the hash says which
            return Ok(Fetched::Whole);
        }
        let mut request = self.agent.get(url);
        if done > 0 {
            request = request.header(header::RANGE, format!("bytes={done}-"));
        }
        let response = request.call().map_err(|error| failed(error.to_string()))?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if begins_at(&response) == Some(done) => {}
            // the server sends the whole file, or has none of that length
            StatusCode::OK => done = 0,
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                if done == 0 {
                    let _ = std::fs::remove_file(target);
                }
                return Ok(Fetched::Missing);
            }
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                std::fs::remove_file(target).map_err(failed_on("remove", target))?;
                return self.download(url, target, size, progress, cancel);
            }
            status => return Err(failed(format!("the server answered {status}"))),
        }
        file.set_len(done)
            .and_then(|()| file.seek(SeekFrom::Start(done)))
            .map_err(failed_on("write", target))?;
        let chunks = chunks_of(response.into_body(), size.saturating_sub(done).saturating_add(1));
        loop {
            if cancel.is_some_and(Cancel::is_set) {
                return Err(SourceError::Interrupted);
            }
            match chunks.recv_timeout(CANCEL_PERIOD) {
                Ok(Ok(chunk)) => {
                    file.write_all(&chunk).map_err(failed_on("write", target))?;
                    done += chunk.len() as u64;
                    progress(done);
                }
                Ok(Err(error)) => return Err(failed(format!("{error} after {done} bytes"))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        file.sync_all().map_err(failed_on("write", target))?;
        Ok(Fetched::Whole)
    }
}

/// Where a part begins that a server sends: `Content-Range: bytes 5-9/10`.
fn begins_at(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

/// The body, piece by piece, read by a thread of its own: whoever takes the pieces does not wait for a server that has
/// stopped sending. The thread ends with the body, or when nobody takes the pieces any more.
fn chunks_of(body: Body, max: u64) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(4);
    std::thread::spawn(move || {
        let mut body = body.into_reader().take(max);
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = body.read(&mut chunk).map(|n| {
                chunk.truncate(n);
                chunk
            });
            let ends = read.as_ref().map_or(true, Vec::is_empty);
            if read.as_ref().is_ok_and(Vec::is_empty) || sender.send(read).is_err() || ends {
                return;
            }
        }
    });
    receiver
}
