//! Packed charts: their files, read and written.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::record::RecordProblem;

/// The limit of an unpacked chart, larger than any chart of templates.
const LIMIT: u64 = 64 * 1024 * 1024;
const BLOCK: usize = 512;

/// One file of a chart. The path is relative to the chart's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub path: String,
    pub text: String,
}

/// The files of a packaged chart: a gzipped tar archive with everything below one directory.
///
/// # Errors
/// The bytes are not a packaged chart, or it is too large.
pub(crate) fn unpacked(bytes: &[u8]) -> Result<Vec<File>, RecordProblem> {
    let mut tar = Vec::new();
    let mut open = GzDecoder::new(bytes).take(LIMIT + 1);
    open.read_to_end(&mut tar).map_err(|error| RecordProblem(format!("not a packed chart: {error}")))?;
    if tar.len() as u64 > LIMIT {
        return Err(RecordProblem("larger than 64 MiB unpacked".to_owned()));
    }
    let mut files = Vec::new();
    let mut rest = tar.as_slice();
    while let Some((header, after)) = rest.split_at_checked(BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        let text = |from: usize, to: usize| {
            let field = &header[from..to];
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            String::from_utf8_lossy(&field[..end]).trim().to_owned()
        };
        let broken = || RecordProblem("not a packed chart: its tar file is cut off".to_owned());
        let size = usize::from_str_radix(&text(124, 136), 8).map_err(|_| broken())?;
        let (content, _) = after.split_at_checked(size).ok_or_else(broken)?;
        let is_file = matches!(header[156], b'0' | 0);
        // If a name is too long for its field, its directories are in another field (POSIX ustar).
        let (name, prefix) = (text(0, 100), text(345, 500));
        let name =
            if prefix.is_empty() || !text(257, 262).starts_with("ustar") { name } else { format!("{prefix}/{name}") };
        if let (true, Some((_, path))) = (is_file, name.split_once('/')) {
            files.push(File { path: path.to_owned(), text: String::from_utf8_lossy(content).into_owned() });
        }
        rest = after.get(size.div_ceil(BLOCK) * BLOCK..).unwrap_or_default();
    }
    Ok(files)
}

/// The package of a chart with these files.
///
/// # Errors
/// A path is too long for a tar archive.
pub(crate) fn packed(files: &[File]) -> Result<Vec<u8>, RecordProblem> {
    let mut tar = Vec::new();
    for File { path, text } in files {
        let name = format!("chart/{path}");
        if name.len() > 100 {
            return Err(RecordProblem(format!("the path of a file in the chart is too long: {path}")));
        }
        let mut header = [0; BLOCK];
        let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, &name);
        put(100, "0000644");
        put(108, "0000000");
        put(116, "0000000");
        put(124, &format!("{:011o}", text.len()));
        put(136, "00000000000");
        // The checksum is that of a header in which it is eight blanks.
        put(148, "        ");
        put(156, "0");
        put(257, "ustar");
        put(263, "00");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend(header);
        tar.extend(text.as_bytes());
        tar.resize(tar.len().div_ceil(BLOCK) * BLOCK, 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
    let written = zip.write_all(&tar).and_then(|()| zip.finish());
    written.map_err(|error| RecordProblem(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, text: &str) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
        block[156] = b'0';
        block.extend(text.as_bytes());
        block.resize(block.len().div_ceil(BLOCK) * BLOCK, 0);
        block
    }

    fn zipped(tar: &[u8]) -> Vec<u8> {
        let mut zip = GzEncoder::new(Vec::new(), Compression::fast());
        zip.write_all(tar).unwrap();
        zip.finish().unwrap()
    }

    #[test]
    fn a_packed_chart_is_its_files() {
        let tar =
            [entry("gloo/Chart.yaml", "name: gloo\n"), entry("gloo/templates/a.yaml", &"x".repeat(600)), vec![0; 1024]];
        let files = unpacked(&zipped(&tar.concat())).unwrap();
        assert_eq!(files[0], File { path: "Chart.yaml".into(), text: "name: gloo\n".into() });
        assert_eq!((files[1].path.as_str(), files[1].text.len(), files.len()), ("templates/a.yaml", 600, 2));
        assert!(unpacked(&zipped(&tar.concat()[..1700])).is_err() && unpacked(b"no").is_err());
    }

    #[test]
    fn what_is_packed_is_unpacked_again() {
        let file = |path: &str, text: String| File { path: path.to_owned(), text };
        let files = [file("Chart.yaml", "name: gloo\n".into()), file("templates/a.yaml", "ä".repeat(700))];
        assert_eq!(unpacked(&packed(&files).unwrap()).unwrap(), files);
        assert!(packed(&[file(&"x".repeat(100), String::new())]).is_err());
    }
}
