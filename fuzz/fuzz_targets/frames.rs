//! What a guest sends: frames, messages, records of the kernel's log, lines of a program.
#![no_main]

use guest_protocol::message::{FromGuest, HostRequest};
use guest_protocol::program::ProgramReport;
use guest_protocol::wire::{Decoder, MAX_PAYLOAD, Tally};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (mut decoder, mut tally) = (Decoder::new(), Tally::default());
    for chunk in bytes.chunks(7) {
        decoder.push(chunk);
        while let Some(frame) = decoder.next_frame() {
            assert!(frame.payload.len() <= MAX_PAYLOAD);
            tally.take(frame.number);
        }
    }
    let _ = (tally.missing(), decoder.skipped());
    let _ = serde_json::from_slice::<FromGuest>(bytes);
    if let Some(record) = guest_protocol::kmsg::parse(bytes) {
        let mut printed = Vec::new();
        record.print(&mut printed, |_| {});
    }
    for line in String::from_utf8_lossy(bytes).lines() {
        let _ = (HostRequest::parse(line), ProgramReport::parse(line));
    }
});
