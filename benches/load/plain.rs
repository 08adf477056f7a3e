//! nginx and HAProxy as plain proxies: one worker or thread, connections to the provider kept open, nothing logged, nothing gathered of what streams.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use crate::process::{self, Core, Process};

/// nginx: a master, which does nothing, and one worker. A request's body is kept in memory, since a file would be measured. What streams passes at once: the
/// provider says so in a header. A keepalive connection ends after 1,000 requests by default; here never.
pub(crate) fn nginx(program: &Path, provider: SocketAddr) -> anyhow::Result<(Process, SocketAddr, TempDir)> {
    let (address, folder) = (process::free_address()?, TempDir::with_prefix("spendgate-load-nginx-")?);
    let at = folder.path().display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].iter().map(|name| format!("    {name}_temp_path {at}/{name};\n")).collect();
    let text = format!(
        "daemon off;
user root;
worker_processes 1;
pid {at}/nginx.pid;
error_log {at}/error.log crit;
events {{
    use epoll;
    worker_connections 4096;
}}
http {{
    access_log off;
    tcp_nodelay on;
{temporary}    client_body_buffer_size 1m;
    keepalive_requests 1000000000;
    upstream provider {{
        server {provider};
        keepalive 256;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
    );
    run(program, "nginx.conf", &text, &["-p", &format!("{at}/"), "-e", &format!("{at}/error.log"), "-c"], (address, folder))
}

/// HAProxy: one process with one thread.
pub(crate) fn haproxy(program: &Path, provider: SocketAddr) -> anyhow::Result<(Process, SocketAddr, TempDir)> {
    let (address, folder) = (process::free_address()?, TempDir::with_prefix("spendgate-load-haproxy-")?);
    let text = format!(
        "global
    nbthread 1
    maxconn 4096
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    option http-no-delay
    http-reuse always
frontend clients
    bind {address}
    default_backend provider
backend provider
    server provider {provider}
"
    );
    run(program, "haproxy.cfg", &text, &["-db", "-q", "-f"], (address, folder))
}

/// Starts it with `arguments`, then the file.
fn run(program: &Path, file: &str, text: &str, arguments: &[&str], (address, folder): (SocketAddr, TempDir)) -> anyhow::Result<(Process, SocketAddr, TempDir)> {
    let file = folder.path().join(file);
    std::fs::write(&file, text)?;
    let mut process = Process::start(program, Core::First, |command| {
        command.args(arguments).arg(&file);
    })?;
    process.wait_until_listening(address)?;
    Ok((process, address, folder))
}
