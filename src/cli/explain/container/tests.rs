use std::io::Write;

use base64::Engine as _;

use super::*;

const LOG: &str =
    "[    1.0] BUG: kernel NULL pointer dereference, address: 0000000000000008 ä=20\n[    1.1] more\n";

/// The text of a file, or what is said of it, with what is said about damage.
fn read(file: &[u8]) -> String {
    let damage = Damage::default();
    let text = match open(file, &damage).unwrap() {
        Opened::Unreadable(what) => what.to_string(),
        Opened::Log(mut log) => {
            // in small pieces, so that everything is cut somewhere
            let mut text = Vec::new();
            let mut piece = [0; 7];
            loop {
                match log.read(&mut piece).unwrap() {
                    0 => break,
                    length => text.extend_from_slice(&piece[..length]),
                }
            }
            String::from_utf8_lossy(&text).into_owned()
        }
    };
    let damage = damage.borrow().as_ref().map(|damage| format!("\n!! {damage}")).unwrap_or_default();
    text + &damage
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
}

fn utf16(text: &str, little: bool, mark: bool) -> Vec<u8> {
    let mark = mark.then_some(0xfeff).into_iter();
    let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    mark.chain(text.encode_utf16()).flat_map(bytes).collect()
}

fn base64_of(text: &[u8]) -> String {
    let letters = base64::engine::general_purpose::STANDARD.encode(text);
    letters.as_bytes().chunks(76).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

#[test]
fn every_wrapping_is_undone() {
    let long = LOG.repeat(5000);
    let wrapped = [
        gzip(long.as_bytes()),
        [gzip(LOG.as_bytes()), gzip(&long.as_bytes()[LOG.len()..])].concat(),
        xz(long.as_bytes()),
        [xz(LOG.as_bytes()), xz(&long.as_bytes()[LOG.len()..])].concat(),
        zstd(long.as_bytes()),
        [
            zstd(LOG.as_bytes()),
            b"\x50\x2a\x4d\x18\x03\0\0\0abc".to_vec(),
            zstd(&long.as_bytes()[LOG.len()..]),
        ]
        .concat(),
        utf16(&long, true, true),
        utf16(&long, false, true),
        utf16(&long, true, false),
        utf16(&long, false, false),
        [b"\xef\xbb\xbf", long.as_bytes()].concat(),
        xz(&gzip(&utf16(&long, true, true))),
    ];
    for (which, file) in wrapped.iter().enumerate() {
        assert!(read(file) == long, "{which}");
    }
    assert_eq!(read(&utf16("\u{1f41b} x, x, x, x, x, x", true, true)), "\u{1f41b} x, x, x, x, x, x");
}

#[test]
fn encoded_parts_of_mails_are_decoded() {
    let mail = format!(
        "From: somebody <somebody@example.org>\nContent-Type: multipart/mixed;\n boundary=\"=-x\"\n\n--=-x\n\
         Content-Type: text/plain; charset=utf-8\ncontent-transfer-encoding: Base64\n\n{}--=-x\n\
         Content-Transfer-Encoding: quoted-printable\n\nthe line =\ngoes on: 3D=3D, 5=3\n-- \n{}--=-x\n\
         Content-Type: application/x-xz\nContent-Transfer-Encoding: base64\n\n{}--=-x\n\
         Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n{}--=-x--\nfooter\n\
         From somebody else\nSubject: x\n\nplain =20 text\n",
        base64_of(b"decoded once\n"),
        "text =C3=A4\n",
        base64_of(&xz(b"from an attachment\n")),
        base64_of(b"\x89PNG\r\n\x1a\n......"),
    );
    insta::assert_snapshot!(read(mail.as_bytes()));
}

#[test]
fn what_is_no_log_is_named() {
    let files: [&[u8]; 9] = [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR",
        b"\xff\xd8\xff\xe0\0\x10JFIF",
        b"%PDF-1.7\n",
        b"PK\x03\x04\x14\0",
        b"BZh91AY&SY",
        b"LPKSHHRH\0\0\0\0",
        b"KDUMP   \x06\0\0\0",
        b"\x7fELF\x02\x01\x01",
        b"RIFF\0\0\0\0WEBPVP8 ",
    ];
    let told: Vec<String> = files.iter().map(|file| read(file)).collect();
    insta::assert_snapshot!(told.join("\n"));
    let packed = (0..9).fold(LOG.as_bytes().to_vec(), |file, _| gzip(&file));
    assert!(read(&packed).contains("packed again and again"));
}

#[test]
fn a_damaged_file_is_read_up_to_the_damage() {
    let text = (0..20_000).map(|number| format!("[{number:5}.0] line {number}\n")).collect::<String>();
    for file in [gzip(text.as_bytes()), xz(text.as_bytes()), zstd(text.as_bytes())] {
        let told = read(&file[..file.len() * 3 / 4]);
        let (part, damage) = told.split_once("\n!! ").unwrap();
        assert!(text.starts_with(part), "{}", part.len());
        assert!(damage.starts_with("it is damaged or cut off after "), "{damage}");
    }
    let mail = b"Content-Transfer-Encoding: base64\n\nYWJj\n****\nZGVm\n";
    let told = read(mail);
    assert!(told.contains("abc") && told.contains("other letters"), "{told}");
}

#[test]
fn text_stays_as_it_is() {
    for text in [LOG, "", "x", "From: nobody\n\n=20\n", "BMP is no picture here\n"] {
        assert_eq!(read(text.as_bytes()), text);
    }
    let noisy = b"\0\0\0\0[    1.0] x\0\0\0\n[    1.1] yyyyyyyyyy\n";
    assert_eq!(read(noisy).as_bytes(), noisy);
}

proptest::proptest! {
    #[test]
    fn anything_is_read(file in proptest::collection::vec(proptest::num::u8::ANY, 0..400), which in 0..6_usize) {
        let heads: [&[u8]; 6] =
            [b"", b"\x1f\x8b\x08", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\xff\xfe", b"Content-Transfer-Encoding: base64\n\n"];
        read(&[heads[which], &file].concat());
    }
}
