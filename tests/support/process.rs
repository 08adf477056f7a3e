//! Running the binary, as a server or as a command that ends.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_spendgate");

/// Everything a process ever wrote, on both of its outputs.
#[derive(Clone, Default)]
pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

/// A command with an environment of its own: nothing of the caller's settings or keys leaks in.
pub(crate) fn command(folder: &Path, arguments: &[&str], environment: &[(String, String)]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    for name in ["PATH", "LLVM_PROFILE_FILE", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("HOME", folder).env("RUST_BACKTRACE", "1");
    for (name, value) in environment {
        command.env(name, value);
    }
    command
}

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str], environment: &[(String, String)]) -> Output {
    command(folder, arguments, environment).output().unwrap_or_else(|error| panic!("{BINARY} {arguments:?}: {error}"))
}

/// Both outputs of a command as one text.
pub(crate) fn both(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Starts a server, its outputs collected.
pub(crate) fn spawn(mut command: Command, written: &Written) -> Child {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap_or_else(|error| panic!("{BINARY}: {error}"));
    written.collect(child.stdout.take().unwrap());
    written.collect(child.stderr.take().unwrap());
    child
}

/// Sends a signal to a process that we started. Through the shell, whose `kill` is built in: no machine lacks it.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", child.id())).status().unwrap();
    assert!(status.success(), "kill -{name} {}", child.id());
}

// === impl Written ===

impl Written {
    fn collect(&self, mut pipe: impl Read + Send + 'static) {
        let into = Arc::clone(&self.0);
        thread::spawn(move || {
            let mut buffer = [0_u8; 8192];
            while let Ok(count) = pipe.read(&mut buffer) {
                if count == 0 {
                    break;
                }
                into.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }

    /// The end of it, for messages of failed tests.
    pub(crate) fn tail(&self) -> String {
        let text = self.text();
        let start = text.len().saturating_sub(6000);
        let start = (start..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text[start..].to_owned()
    }
}
