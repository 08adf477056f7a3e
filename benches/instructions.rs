//! How many instructions the hot pieces of the road take, held against `benches/instructions.txt`: a report in which a regression is seen, on whatever
//! machine, however busy. It never fails because of a figure.
//!
//! `benches/count` builds it in the dev profile with our own crate optimised a little, the libraries as the tests build them: nothing is built that a test run would
//! not build but our crate. Absolute figures are higher than those of a release; `cargo bench --bench instructions` counts those, and says that the baseline is of
//! another profile. `SPENDGATE_INSTRUCTIONS_WRITE=1` writes the baseline.
//!
//! This program runs itself under valgrind (which is installed with apt where it is missing) twice for each piece, a few times the piece and many times: the
//! difference leaves out starting and preparing. Where counting is not possible, a line says so.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command line program; a bench fails by panicking")]
#![allow(clippy::cast_precision_loss, reason = "figures to be read")]

#[allow(dead_code, reason = "shared by the benches; each uses some of it")]
#[path = "pieces/all.rs"]
mod all;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use all::Piece;

/// The first argument that makes this program run a piece so many times.
const ROLE: &str = "--piece";
/// How often: tables have grown and caches are filled after the first.
const FEW: u64 = 20;
const MANY: u64 = 520;
/// Differences below this, in percent, are no news.
const NOISE: f64 = 1.0;
/// The same of the piece that looks into a hash table, which is seeded anew in each process.
const NOISE_OF_FIND: f64 = 15.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, name, times] = arguments.as_slice()
        && role == ROLE
    {
        return repeat(name, times.parse().unwrap());
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("nothing counted: run benches/count");
        return;
    }
    if !valgrind_is_there() {
        println!("instructions are not counted: valgrind is missing, and could not be installed");
        return;
    }
    let (path, mut counts) = (file(), BTreeMap::new());
    let baseline = read(&path);
    println!("{:<40} {:>12} {:>12} {:>8}", "instructions", "now", "baseline", "");
    for piece in all::ALL {
        let Some(count) = count(&piece) else {
            println!("{:<40} not counted: valgrind failed", piece.name);
            continue;
        };
        let (before, difference) = match baseline.get(piece.name) {
            Some(&before) if before > 0 => (before.to_string(), difference(piece.name, count, before)),
            _ => ("-".to_owned(), "new".to_owned()),
        };
        println!("{:<40} {count:>12} {before:>12} {difference}", piece.name);
        counts.insert(piece.name, count);
    }
    if profile() != baseline_profile(&path) {
        println!("The baseline is of {}, this is {}: do not compare.", baseline_profile(&path), profile());
    }
    if std::env::var_os("SPENDGATE_INSTRUCTIONS_WRITE").is_some() {
        let mut text = format!("# Instructions a piece, {}. Written by: SPENDGATE_INSTRUCTIONS_WRITE=1 benches/count\n", profile());
        for piece in all::ALL {
            if let Some(count) = counts.get(piece.name) {
                writeln!(text, "{count} {}", piece.name).unwrap();
            }
        }
        std::fs::write(&path, text).unwrap();
        println!("written to {}", path.display());
    }
}

fn repeat(name: &str, times: u64) {
    let piece = all::ALL.into_iter().find(|piece| piece.name == name).unwrap();
    let mut once = (piece.prepare)();
    for _ in 0..times {
        once();
    }
}

/// Instructions that a piece takes once.
fn count(piece: &Piece) -> Option<u64> {
    let (few, many) = std::thread::scope(|scope| {
        let few = scope.spawn(|| instructions(piece.name, FEW));
        let many = instructions(piece.name, MANY);
        (few.join().unwrap(), many)
    });
    Some(many?.saturating_sub(few?) / (MANY - FEW))
}

/// Instructions of this program running a piece so many times.
fn instructions(name: &str, times: u64) -> Option<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]).arg(std::env::current_exe().ok()?);
    let output = valgrind.args([ROLE, name, &times.to_string()]).stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    // "==123== I   refs:      1,234,567", with or without the spaces.
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.contains("refs:") && line.contains("== I"))?;
    line.rsplit(':').next()?.replace(',', "").trim().parse().ok()
}

fn difference(name: &str, now: u64, before: u64) -> String {
    let percent = (now as f64 / before as f64 - 1.0) * 100.0;
    let noise = if name == "prices/find" { NOISE_OF_FIND } else { NOISE };
    let word = if percent.abs() < noise {
        ""
    } else if percent > 0.0 {
        "MORE"
    } else {
        "less"
    };
    format!("{percent:>+7.1}% {word}")
}

/// How this program was built, as far as it shows.
fn profile() -> &'static str {
    if cfg!(debug_assertions) { "the dev profile with our crate optimised" } else { "a release" }
}

fn baseline_profile(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().next().and_then(|line| Some(line.split_once("piece, ")?.1.split_once(". ")?.0.to_owned())).unwrap_or_else(|| profile().to_owned())
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt")
}

fn read(path: &Path) -> BTreeMap<String, u64> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once(' ')).filter_map(|(count, name)| Some((name.to_owned(), count.parse().ok()?))).collect()
}

fn valgrind_is_there() -> bool {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/install");
    let runs = || Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    runs() || (Command::new(script).arg("valgrind").stdin(Stdio::null()).status().is_ok_and(|status| status.success()) && runs())
}
