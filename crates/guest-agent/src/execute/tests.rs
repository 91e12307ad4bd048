use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;

use super::*;
use guest_protocol::wire::{Decoder, Kind};

/// What a command said, and how it ended.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    output: String,
    errors: String,
    consumed: u64,
    exit: Option<Exit>,
}

fn request(script: &str) -> ExecuteRequest {
    ExecuteRequest {
        command: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        folder: "/".into(),
        terminal: None,
    }
}

/// Runs a command to its end; `drive` speaks to it.
fn run(request: &ExecuteRequest, drive: impl FnOnce(&mut Handle)) -> Said {
    let (near, far) = UnixStream::pair().unwrap();
    let sender = Arc::new(Sender::to(File::from(OwnedFd::from(far))));
    let mut handle = start(request, &sender).unwrap();
    drop(sender);
    drive(&mut handle);
    let mut said = Said::default();
    let mut decoder = Decoder::new();
    let (mut near, mut chunk) = (near, [0u8; 4096]);
    while said.exit.is_none() {
        let read = near.read(&mut chunk).unwrap();
        assert!(read > 0, "the command's end was not told");
        decoder.push(&chunk[..read]);
        while let Some(frame) = decoder.next_frame() {
            let text = || String::from_utf8_lossy(&frame.payload).into_owned();
            match frame.kind {
                Kind::Data => said.output.push_str(&text()),
                Kind::Errors => said.errors.push_str(&text()),
                Kind::Message => match serde_json::from_slice(&frame.payload).unwrap() {
                    FromGuest::Exited { exit, .. } => said.exit = Some(exit),
                    FromGuest::Consumed { bytes } => said.consumed += bytes,
                    FromGuest::Reached { phase } => assert_eq!(phase, Phase::Dose),
                    other => panic!("{other:?}"),
                },
            }
        }
    }
    said
}

#[test]
fn streams_are_kept_apart_and_the_end_is_told() {
    let said = run(&request("echo $GREETING; pwd; echo no >&2; exit 7"), |_| {});
    let (output, errors) = ("hello\n/\n".to_owned(), "no\n".to_owned());
    assert_eq!(said, Said { output, errors, consumed: 0, exit: Some(Exit::Code(7)) });
    assert_eq!(run(&request("kill -9 $$"), |_| {}).exit, Some(Exit::Signal(9)));
}

#[test]
fn input_is_passed_to_its_end() {
    let said = run(&request("wc -c"), |command| {
        for _ in 0..10 {
            command.input(vec![b'x'; 10_000]);
        }
        command.input_ends();
    });
    assert_eq!((said.output.trim(), said.consumed), ("100000", 100_000));
    // a command that ends without reading does not keep anybody
    let said = run(&request("exit 3"), |command| command.input(vec![b'x'; 1 << 20]));
    assert_eq!(said.exit, Some(Exit::Code(3)));
}

#[test]
fn all_output_of_a_command_is_passed() {
    let said = run(&request("head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2"), |_| {});
    assert_eq!((said.output.len(), said.errors.as_str()), (3_000_000, "end\n"));
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let (_near, far) = UnixStream::pair().unwrap();
    let sender = Arc::new(Sender::to(File::from(OwnedFd::from(far))));
    let missing = ExecuteRequest { command: vec!["no-such-command".into()], ..request("") };
    let error = start(&missing, &sender).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "no-such-command: No such file or directory (os error 2)");
}
