//! Turns the units of a target into a folder of files, as libFuzzer has them, and back.
//!
//! ```text
//!   units unpack TARGET FOLDER     seeds and corpus into files
//!   units pack TARGET FOLDER       files into the corpus
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use gatehouse_fuzz::units;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["unpack", target, folder] => unpack(target, Path::new(folder)),
        ["pack", target, folder] => pack(target, Path::new(folder)),
        _ => Err(io::Error::other("units unpack|pack TARGET FOLDER")),
    };
    match done {
        Ok(count) => {
            println!("{count} units");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn unpack(target: &str, folder: &Path) -> io::Result<usize> {
    let found = units::of(target)?;
    fs::create_dir_all(folder)?;
    for (number, unit) in found.iter().enumerate() {
        fs::write(folder.join(format!("{number:05}")), unit)?;
    }
    Ok(found.len())
}

fn pack(target: &str, folder: &Path) -> io::Result<usize> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        found.push(fs::read(entry?.path())?);
    }
    let count = found.len();
    fs::write(units::file("corpus", target), units::print(found))?;
    Ok(count)
}
