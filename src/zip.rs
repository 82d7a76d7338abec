//! Zip files as far as a snapshot needs them: writes deflated members one after the other, and reads them again
//! (PKWARE's APPNOTE, without zip64, encryption and other methods).
//!
//! `docs/decisions/006-crates.md` explains why no crate is used for this.

use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

const LOCAL: u32 = 0x0403_4b50;
const CENTRAL: u32 = 0x0201_4b50;
const END: u32 = 0x0605_4b50;
const LOCAL_LENGTH: usize = 30;
const CENTRAL_LENGTH: usize = 46;
const END_LENGTH: usize = 22;
/// The longest comment at the end of a file.
const COMMENT: u64 = 0xffff;
const DEFLATED: u16 = 8;
const STORED: u16 = 0;
/// The flag for names in UTF-8.
const UTF8: u16 = 1 << 11;
/// 1 January 1980, the first date of the zip format. The time of a snapshot is in its manifest.
const DATE: u16 = 0x21;
/// Version 2.0, which deflate needs, and Unix as the host system, so that the mode is used.
const VERSION: u16 = 20;
const UNIX: u16 = 3 << 8;
/// The mode of a regular file that only its owner can read and write.
const MODE: u32 = 0o100_600 << 16;

/// The longest directory that is read, enough for more than 100,000 members.
const LONGEST_DIRECTORY: u32 = 16 << 20;

/// The first bytes of a zip file.
pub(crate) const MAGIC: [u8; 4] = LOCAL.to_le_bytes();

/// A member as it is in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub name: String,
    method: u16,
    crc: u32,
    packed: u32,
    unpacked: u32,
    at: u32,
}

/// A zip file that is being written.
pub(crate) struct ZipWriter<W: Write + Seek> {
    /// `None` while a member is being written.
    out: Option<W>,
    open: Option<Open<W>>,
    members: Vec<Member>,
}

struct Open<W: Write> {
    name: String,
    at: u32,
    crc: Crc,
    unpacked: u64,
    encoder: DeflateEncoder<W>,
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "more than 4 GiB")
}

fn small(length: u64) -> io::Result<u32> {
    u32::try_from(length).map_err(|_| too_large())
}

impl<W: Write + Seek> ZipWriter<W> {
    /// An empty zip file.
    pub(crate) fn new(out: W) -> Self {
        Self { out: Some(out), open: None, members: Vec::new() }
    }

    /// Ends the previous member and begins a new one.
    ///
    /// # Errors
    /// The file cannot be written, or has become too large.
    pub(crate) fn begin(&mut self, name: &str) -> io::Result<()> {
        self.end()?;
        let mut out = self.out.take().expect("no member is under way");
        let at = small(out.stream_position()?)?;
        let member = Member { name: name.to_owned(), method: DEFLATED, crc: 0, packed: 0, unpacked: 0, at };
        out.write_all(&local(&member))?;
        let encoder = DeflateEncoder::new(out, Compression::default());
        self.open = Some(Open { name: name.to_owned(), at, crc: Crc::new(), unpacked: 0, encoder });
        Ok(())
    }

    /// Writes more bytes of the current member.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let open = self.open.as_mut().expect("a member was begun");
        open.crc.update(bytes);
        open.unpacked += bytes.len() as u64;
        open.encoder.write_all(bytes)
    }

    /// Discards the current member. The next one overwrites it. The caller must truncate the file at the end if it is
    /// longer than the zip file.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn take_back(&mut self) -> io::Result<()> {
        if let Some(open) = self.open.take() {
            let mut out = open.encoder.finish()?;
            out.seek(SeekFrom::Start(u64::from(open.at)))?;
            self.out = Some(out);
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let Open { name, at, crc, unpacked, encoder } = open;
        let mut out = encoder.finish()?;
        let end = out.stream_position()?;
        let packed = small(end - u64::from(at) - (LOCAL_LENGTH + name.len()) as u64)?;
        let member = Member { name, method: DEFLATED, crc: crc.sum(), packed, unpacked: small(unpacked)?, at };
        out.seek(SeekFrom::Start(u64::from(at)))?;
        out.write_all(&local(&member))?;
        out.seek(SeekFrom::Start(end))?;
        self.members.push(member);
        self.out = Some(out);
        Ok(())
    }

    /// Writes the directory and returns the output.
    ///
    /// # Errors
    /// The file cannot be written, or has become too large.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.end()?;
        let mut out = self.out.take().expect("no member is under way");
        let at = small(out.stream_position()?)?;
        for member in &self.members {
            out.write_all(&central(member))?;
        }
        let length = small(out.stream_position()?)? - at;
        let count = u16::try_from(self.members.len()).map_err(|_| too_large())?;
        let mut end = END.to_le_bytes().to_vec();
        end.extend([0; 4]);
        end.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        end.extend([length.to_le_bytes(), at.to_le_bytes()].concat());
        end.extend([0; 2]);
        out.write_all(&end)?;
        out.flush()?;
        Ok(out)
    }
}

/// The fields that are in both headers of a member.
fn common(member: &Member) -> Vec<u8> {
    let name = u16::try_from(member.name.len()).unwrap_or(u16::MAX);
    let words = [VERSION, UTF8, member.method, 0, DATE].map(u16::to_le_bytes).concat();
    let sizes = [member.crc, member.packed, member.unpacked].map(u32::to_le_bytes).concat();
    [words, sizes, [name, 0].map(u16::to_le_bytes).concat()].concat()
}

fn local(member: &Member) -> Vec<u8> {
    [&LOCAL.to_le_bytes()[..], &common(member), member.name.as_bytes()].concat()
}

fn central(member: &Member) -> Vec<u8> {
    let version = (UNIX | VERSION).to_le_bytes();
    let (mode, at) = (MODE.to_le_bytes(), member.at.to_le_bytes());
    // No comment, the first disk, no internal attributes.
    [&CENTRAL.to_le_bytes()[..], &version, &common(member), &[0; 6], &mode, &at, member.name.as_bytes()].concat()
}

/// A zip file that is being read.
pub(crate) struct ZipReader<R: Read + Seek> {
    from: R,
    pub members: Vec<Member>,
}

fn bad(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn word(bytes: &[u8], at: usize) -> io::Result<u16> {
    let two = bytes.get(at..at + 2).and_then(|two| two.try_into().ok());
    two.map(u16::from_le_bytes).ok_or_else(|| bad("its directory is cut off"))
}

fn double(bytes: &[u8], at: usize) -> io::Result<u32> {
    Ok(u32::from(word(bytes, at)?) | u32::from(word(bytes, at + 2)?) << 16)
}

impl<R: Read + Seek> ZipReader<R> {
    /// Reads the directory.
    ///
    /// # Errors
    /// The file cannot be read, or is not a zip file.
    pub(crate) fn open(mut from: R) -> io::Result<Self> {
        let length = from.seek(SeekFrom::End(0))?;
        from.seek(SeekFrom::Start(length.saturating_sub(COMMENT + END_LENGTH as u64)))?;
        let mut tail = Vec::new();
        from.read_to_end(&mut tail)?;
        let end = tail.windows(4).rposition(|window| window == END.to_le_bytes());
        let end = &tail[end.ok_or_else(|| bad("it breaks off"))?..];
        if end.len() < END_LENGTH {
            return Err(bad("it breaks off"));
        }
        let (count, size, at) = (word(end, 10)?, double(end, 12)?, double(end, 16)?);
        if u64::from(at) + u64::from(size) > length {
            return Err(bad("it breaks off"));
        }
        if size > LONGEST_DIRECTORY {
            return Err(bad("its directory is too long"));
        }
        from.seek(SeekFrom::Start(u64::from(at)))?;
        let mut directory = Vec::new();
        from.by_ref().take(u64::from(size)).read_to_end(&mut directory)?;
        let mut rest = &directory[..];
        let mut members = Vec::new();
        for _ in 0..count {
            if double(rest, 0)? != CENTRAL {
                return Err(bad("its directory is not one"));
            }
            let lengths = [28, 30, 32].map(|at| word(rest, at).map(usize::from));
            let [name, extra, comment] = lengths;
            let (name, skip) = (name?, extra? + comment?);
            let text =
                rest.get(CENTRAL_LENGTH..CENTRAL_LENGTH + name).ok_or_else(|| bad("its directory is cut off"))?;
            members.push(Member {
                name: String::from_utf8_lossy(text).into_owned(),
                method: word(rest, 10)?,
                crc: double(rest, 16)?,
                packed: double(rest, 20)?,
                unpacked: double(rest, 24)?,
                at: double(rest, 42)?,
            });
            rest = rest.get(CENTRAL_LENGTH + name + skip..).ok_or_else(|| bad("its directory is cut off"))?;
        }
        apart(&members, at)?;
        Ok(Self { from, members })
    }

    /// The bytes of a member as a reader. More bytes than the directory says are an error.
    ///
    /// # Errors
    /// The member is not where the directory says, or is compressed with an unsupported method.
    pub(crate) fn member(&mut self, member: &Member) -> io::Result<Box<dyn Read + '_>> {
        self.from.seek(SeekFrom::Start(u64::from(member.at)))?;
        let mut header = [0; LOCAL_LENGTH];
        self.from.read_exact(&mut header)?;
        if double(&header, 0)? != LOCAL {
            return Err(bad("a member is not where its directory says"));
        }
        let skip = i64::from(word(&header, 26)?) + i64::from(word(&header, 28)?);
        self.from.seek(SeekFrom::Current(skip))?;
        let packed = self.from.by_ref().take(u64::from(member.packed));
        match member.method {
            DEFLATED => Ok(Box::new(Exact { from: DeflateDecoder::new(packed), left: member.unpacked })),
            STORED => Ok(Box::new(Exact { from: packed, left: member.unpacked })),
            _ => Err(bad("a member is neither deflated nor stored")),
        }
    }
}

/// Checks that no members overlap. With shared bytes a small file could unpack to a large one.
fn apart(members: &[Member], directory: u32) -> io::Result<()> {
    let header = |member: &Member| (LOCAL_LENGTH + member.name.len()) as u64;
    let mut ranges: Vec<_> = members
        .iter()
        .map(|member| (u64::from(member.at), u64::from(member.at) + header(member) + u64::from(member.packed)))
        .collect();
    ranges.sort_unstable();
    let starts = ranges.iter().skip(1).map(|(start, _)| *start).chain([u64::from(directory)]);
    match ranges.iter().zip(starts).all(|((_, end), next)| *end <= next) {
        true => Ok(()),
        false => Err(bad("its members overlap")),
    }
}

/// A reader that fails if a member is longer than the directory says.
struct Exact<R> {
    from: R,
    left: u32,
}

impl<R: Read> Read for Exact<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        let left = u32::try_from(read).ok().and_then(|read| self.left.checked_sub(read));
        self.left = left.ok_or_else(|| bad("a member is longer than its directory says"))?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn written(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            writer.begin("lost").unwrap();
            writer.write(&[7; 1000]).unwrap();
            writer.take_back().unwrap();
            writer.begin(name).unwrap();
            bytes.chunks(7).for_each(|chunk| writer.write(chunk).unwrap());
        }
        let mut whole = writer.finish().unwrap();
        let length = usize::try_from(whole.stream_position().unwrap()).unwrap();
        whole.get_mut().truncate(length);
        whole.into_inner()
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut reader = ZipReader::open(Cursor::new(bytes))?;
        let members = reader.members.clone();
        let read = members.into_iter().map(|member| {
            let mut bytes = Vec::new();
            reader.member(&member)?.read_to_end(&mut bytes)?;
            Ok((member.name, bytes))
        });
        read.collect()
    }

    #[test]
    fn what_was_written_is_read_again_and_what_was_taken_back_is_not() {
        let zeros = vec![0; 70_000];
        let noise: Vec<u8> =
            (0..25_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let members: [(&str, &[u8]); 4] = [("a.json", b"{}"), ("pod/b.txt", b""), ("noise", &noise), ("zeros", &zeros)];
        let expected: Vec<_> = members.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        assert_eq!(read(&written(&members)).unwrap(), expected);
    }

    fn why(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    /// Overwrites a value in the directory entry of a member (from 0), at an offset within the entry.
    fn patched(mut whole: Vec<u8>, member: usize, offset: usize, value: u32) -> Vec<u8> {
        let starts: Vec<_> =
            whole.windows(4).enumerate().filter(|(_, window)| *window == CENTRAL.to_le_bytes()).collect();
        let at = starts[member].0 + offset;
        whole[at..at + 4].copy_from_slice(&value.to_le_bytes());
        whole
    }

    #[test]
    fn members_that_share_bytes_are_refused() {
        let whole = || written(&[("config.json", b"{}"), ("b", &[0; 1000]), ("c", &[0; 1000])]);
        assert_eq!(why(&patched(whole(), 1, 42, 0)), "its members overlap");
        assert_eq!(why(&patched(whole(), 2, 42, 3)), "its members overlap");
        assert_eq!(why(&patched(whole(), 0, 20, 40)), "its members overlap");
        assert_eq!(why(&patched(whole(), 2, 20, 1 << 20)), "its members overlap");
    }

    #[test]
    fn a_member_that_is_longer_than_its_directory_says_ends_there() {
        let zeros = vec![0; 1 << 20];
        let whole = patched(written(&[("zeros", &zeros)]), 0, 24, 5000);
        assert_eq!(why(&whole), "a member is longer than its directory says");
        let mut reader = ZipReader::open(Cursor::new(&whole)).unwrap();
        let member = reader.members[0].clone();
        let mut bytes = Vec::new();
        assert!(reader.member(&member).unwrap().read_to_end(&mut bytes).is_err());
        assert!(bytes.len() <= 5000, "{}", bytes.len());
    }

    #[test]
    fn a_directory_that_is_too_long_is_not_read() {
        let mut whole = vec![0; LONGEST_DIRECTORY as usize + 1];
        whole.extend(END.to_le_bytes());
        whole.extend([0; 8]);
        whole.extend((LONGEST_DIRECTORY + 1).to_le_bytes());
        whole.extend([0; 6]);
        assert_eq!(why(&whole), "its directory is too long");
    }

    #[test]
    fn a_zip_file_that_is_cut_off_anywhere_is_no_panic_and_no_members() {
        let whole = written(&[("a.json", b"{\"x\": 1}"), ("b", b"text")]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length}");
        }
        for at in 0..whole.len() {
            let mut broken = whole.clone();
            broken[at] ^= 0xff;
            let _ = read(&broken);
        }
    }
}
