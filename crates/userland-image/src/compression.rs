//! Compressed archives. Layers of images may be several compressed streams in a row, which are one archive.

use std::io::{self, BufRead, BufReader, Read};

/// The largest window that is granted to a zstd stream: that of `zstd --ultra -22`, 128 MiB.
const ZSTD_MAX_WINDOW: u64 = 1 << 27;

/// A reader of what `source` holds, decompressed if its first bytes are those of gzip, xz or zstd.
pub(crate) fn reader<'a>(source: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut source = BufReader::with_capacity(1 << 18, source);
    let start = source.fill_buf()?;
    Ok(if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(flate2::bufread::MultiGzDecoder::new(source))
    } else if start.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Box::new(liblzma::bufread::XzDecoder::new_multi_decoder(source))
    } else if is_zstd(start) {
        Box::new(Zstd::Between(source))
    } else if start.starts_with(b"BZh") {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "it is packed with bzip2, which is not read here; gzip, xz and zstd are",
        ));
    } else {
        Box::new(source)
    })
}

/// A frame, or one to be passed over (RFC 8878, 3.1.2).
fn is_zstd(start: &[u8]) -> bool {
    start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
        || matches!(start, [first, 0x2a, 0x4d, 0x18, ..] if first & 0xf0 == 0x50)
}

type Frame<R> = ruzstd::decoding::StreamingDecoder<BufReader<R>, ruzstd::decoding::FrameDecoder>;

/// Frames of zstd, one behind the other.
enum Zstd<R: Read> {
    Between(BufReader<R>),
    Within(Box<Frame<R>>),
    Ended,
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match std::mem::replace(self, Zstd::Ended) {
                Zstd::Ended => return Ok(0),
                Zstd::Between(mut source) => {
                    if source.fill_buf()?.is_empty() {
                        return Ok(0);
                    }
                    *self = begin(source)?;
                }
                Zstd::Within(mut frame) => {
                    let read = frame.read(into)?;
                    *self = match read {
                        0 if !into.is_empty() => Zstd::Between(frame.into_inner()),
                        _ => Zstd::Within(frame),
                    };
                    if read > 0 || into.is_empty() {
                        return Ok(read);
                    }
                }
            }
        }
    }
}

fn begin<R: Read>(mut source: BufReader<R>) -> io::Result<Zstd<R>> {
    let start = source.fill_buf()?;
    if matches!(start, [first, 0x2a, 0x4d, 0x18, ..] if first & 0xf0 == 0x50) {
        let mut header = [0; 8];
        source.read_exact(&mut header)?;
        let length = u64::from(u32::from_le_bytes([header[4], header[5], header[6], header[7]]));
        io::copy(&mut source.by_ref().take(length), &mut io::sink())?;
        return Ok(Zstd::Between(source));
    }
    let frame = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(source, ZSTD_MAX_WINDOW)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
    Ok(Zstd::Within(Box::new(frame)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn xz(data: &[u8]) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn streams_in_a_row_are_one() {
        for pack in [gzip as fn(&[u8]) -> Vec<u8>, xz, zstd] {
            let packed = [pack(b"one "), pack(b"two")].concat();
            let mut text = String::new();
            reader(packed.as_slice()).expect("a stream").read_to_string(&mut text).expect("whole");
            assert_eq!(text, "one two");
            let half = &packed[..packed.len() - 5];
            let mut text = Vec::new();
            assert!(
                reader(half).and_then(|mut reader| reader.read_to_end(&mut text)).is_err(),
                "what is cut off is no end"
            );
        }
        // a skippable frame, as some packers put a table of contents into
        let packed = [&[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], zstd(b"x").as_slice()].concat();
        let mut text = String::new();
        reader(packed.as_slice()).expect("a stream").read_to_string(&mut text).expect("whole");
        assert_eq!(text, "x");
    }
}
