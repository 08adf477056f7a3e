//! Processes under test: started on the first core, asked what the kernel says of them, ended with their workers.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// Clock ticks a second in `/proc/PID/stat`: fixed on Linux for what user space sees.
const TICKS_PER_SECOND: u64 = 100;
/// How long a process may take to listen: a million tokens are read first.
const PATIENCE: Duration = Duration::from_secs(120);

/// Where a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// On the first core, alone there: what is measured.
    First,
    /// Where this process runs.
    Ours,
}

/// A process of ours. It ends with its workers when this is dropped.
pub(crate) struct Process(Child);

/// Pins this process, and with it the threads that it will start, to the second core. False where that cannot be done.
pub(crate) fn pin_this_process() -> bool {
    let id = std::process::id().to_string();
    Command::new("taskset").args(["-p", "-c", "1", &id]).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A program by its name, also where only root looks for it. None where it is not installed.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(system).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The same, installed where it is missing. None, and a line that says so, where that is not possible.
pub(crate) fn find_or_install(program: &str) -> Option<PathBuf> {
    if find(program).is_none() {
        eprintln!("{program} is missing: trying to install it");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/install");
        let _ = Command::new(script).arg(program).stdin(Stdio::null()).status();
    }
    let found = find(program);
    if found.is_none() {
        eprintln!("SKIPPED, {program} is not installed and could not be: what needs it is not measured");
    }
    found
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

// === impl Process ===

impl Process {
    /// Starts a program. What it prints goes to `/dev/null`: it is formatted and written, and no disk is measured.
    pub(crate) fn start(program: &Path, core: Core, prepare: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        // Each of these becomes the next, so that the process is the program itself. The program ends when this process does, however that ends.
        let mut words: Vec<OsString> = Vec::new();
        if core == Core::First && find("taskset").is_some() {
            words.extend(["taskset", "-c", "0"].map(OsString::from));
        }
        if find("setpriv").is_some() {
            words.extend(["setpriv", "--pdeathsig", "TERM"].map(OsString::from));
        }
        words.push(program.into());
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        prepare(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().with_context(|| format!("starting {}", program.display()))?))
    }

    /// Returns when something listens on `address`.
    pub(crate) fn wait_until_listening(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        self.wait_until(&format!("listens on {address}"), || TcpStream::connect(address).is_ok())
    }

    /// Returns when `done` says yes. Looks every millisecond.
    pub(crate) fn wait_until(&mut self, what: &str, mut done: impl FnMut() -> bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            if let Some(status) = self.0.try_wait()? {
                bail!("the process ended before it {what}: {status}");
            }
            ensure!(Instant::now() < deadline, "the process never {what}");
            thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// User and system time so far, its workers' too.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        self.all()?.into_iter().map(cpu).sum()
    }

    /// The most memory that it has had, in MB; workers are added, what they share is counted for each.
    pub(crate) fn peak_memory_mb(&self) -> anyhow::Result<f64> {
        self.memory("VmHWM:")
    }

    /// The memory that it has now, in MB, likewise.
    pub(crate) fn memory_mb(&self) -> anyhow::Result<f64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, line: &str) -> anyhow::Result<f64> {
        self.all()?.into_iter().map(|id| memory_mb(id, line)).sum()
    }

    /// It and its workers.
    fn all(&self) -> anyhow::Result<Vec<u32>> {
        let mut all = vec![self.0.id()];
        all.extend(children(self.0.id())?);
        Ok(all)
    }

    /// Ends it, politely first: a master that is killed leaves its workers behind.
    fn end(&mut self) {
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        let workers = children(self.0.id()).unwrap_or_default();
        if !workers.is_empty() {
            signal("TERM", self.0.id());
            let deadline = Instant::now() + Duration::from_secs(5);
            while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

fn signal(name: &str, id: u32) {
    let _ = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).stderr(Stdio::null()).status();
}

/// The fields of `/proc/PID/stat` behind the name, which may contain anything: the state is the first.
fn stat(id: u32) -> anyhow::Result<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
    Ok(fields.split_whitespace().map(str::to_owned).collect())
}

fn children(parent: u32) -> anyhow::Result<Vec<u32>> {
    let parent = parent.to_string();
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Others' processes come and go.
        if stat(id).is_ok_and(|fields| fields.get(1) == Some(&parent)) {
            children.push(id);
        }
    }
    Ok(children)
}

fn cpu(id: u32) -> anyhow::Result<Duration> {
    let fields = stat(id)?;
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).context("/proc/PID/stat");
    Ok(Duration::from_millis((ticks(11)? + ticks(12)?) * (1000 / TICKS_PER_SECOND)))
}

fn memory_mb(id: u32, line: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let kilobytes = status.lines().find_map(|found| found.strip_prefix(line)?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    Ok(kilobytes.with_context(|| format!("no {line} in /proc/PID/status"))? / 1000.0)
}
