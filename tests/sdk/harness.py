"""Starts the real binary for the SDK tests: a gateway, and `spendgate simulate` as the provider behind it."""

import http.server
import json
import os
import pathlib
import random
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

BINARY = pathlib.Path(os.environ["SPENDGATE_BINARY"]).resolve()
MAIN_KEY = "sdk-tests-main-key-0123456789abcdef0123456789"
PATIENCE = 60
# How long a request to the silent upstream may wait for its answer.
HELD = 10 * PATIENCE


def free_port():
    """A port that nobody listens on, from below the range that outgoing connections are given."""
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def eventually(what, probe):
    """Asks again and again, within bounds, until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = probe()
        if found is not None:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited in vain: {what}")


class Process:
    """A server that we started, and that we stop."""

    def __init__(self, arguments, folder, environment):
        inherited = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
        self.log = open(pathlib.Path(folder) / f"{arguments[0]}.log", "w+b")
        self.child = subprocess.Popen(
            [str(BINARY), *arguments], cwd=folder, env={**inherited, "HOME": str(folder), **environment},
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )

    def answers(self, url):
        """None until the server answers; fails when it has ended."""
        if self.child.poll() is not None:
            self.log.seek(0)
            raise AssertionError(f"ended with {self.child.returncode}: {self.log.read().decode()}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status
        except OSError:
            return None

    def stop(self):
        self.child.terminate()
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        self.log.close()


class Silence:
    """An upstream that takes requests and answers when it is told to: what it has not answered is held."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.arrived = threading.Semaphore(0)
        self.release = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with connection:
            connection.recv(65536)
            self.arrived.release()
            self.release.wait(HELD)
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")

    def stop(self):
        self.release.set()
        self.listener.close()


class Slow:
    """A provider that thinks for half a second before each event of a stream: of a chat, or of a message."""

    CHAT = [
        '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"slow"},"finish_reason":null}]}',
        '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4},"cost":0.001}',
        "[DONE]",
    ]
    MESSAGE = [
        '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}}',
        '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}',
        '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"slow"}}',
        '{"type":"content_block_stop","index":0}',
        '{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":1}}',
        '{"type":"message_stop"}',
    ]

    def __init__(self):
        slow = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.end_headers()
                is_message = self.path.endswith("/messages")
                for data in slow.MESSAGE if is_message else slow.CHAT:
                    time.sleep(0.5)
                    name = f"event: {json.loads(data)['type']}\n" if is_message else ""
                    self.wfile.write(f"{name}data: {data}\n\n".encode())
                    self.wfile.flush()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Gateway:
    """A gateway before a simulated provider, with tokens on demand."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="spendgate-sdk-")
        provider, listen, ops = free_port(), free_port(), free_port()
        self.silence, self.slow = Silence(), Slow()
        self.url = f"http://127.0.0.1:{listen}"
        self.ops = f"http://127.0.0.1:{ops}"
        routes = pathlib.Path(self.folder.name) / "routes.toml"
        routes.write_text(f"""
[upstreams.openai]
url = "http://127.0.0.1:{provider}"
key = "${{OPENAI_API_KEY}}"

[upstreams.anthropic]
url = "http://127.0.0.1:{provider}"
key = "${{OPENAI_API_KEY}}"

[upstreams.cohere]
url = "http://127.0.0.1:{provider}"
key = "${{OPENAI_API_KEY}}"

[upstreams.mistral]
url = "http://127.0.0.1:{provider}/mistral"
key = "${{OPENAI_API_KEY}}"

[upstreams.azure]
url = "http://127.0.0.1:{provider}"
key = "${{OPENAI_API_KEY}}"

[upstreams.google]
url = "http://127.0.0.1:{provider}"
key = "${{OPENAI_API_KEY}}"

[upstreams.edenai]
url = "http://127.0.0.1:{provider}"
key = "${{OPENAI_API_KEY}}"

[upstreams.slow]
url = "http://{self.slow.address}"
key = "${{OPENAI_API_KEY}}"

[upstreams.silent]
url = "http://{self.silence.address}"
key = "${{OPENAI_API_KEY}}"

[[routes]]
path = "/v1/messages*"
api = "anthropic"
upstream = "anthropic"

[[routes]]
path = "/v1/*"
api = "openai"
upstream = "openai"

[[routes]]
path = "/openai/*"
api = "azure"
upstream = "azure"
deployments = {{ "my-gpt4o-mini" = "gpt-4o-mini" }}

[[routes]]
path = "/v1/*"
api = "anthropic"
upstream = "anthropic"

[[routes]]
path = "/v2/chat*"
api = "cohere"
upstream = "cohere"

[[routes]]
path = "/v2/embed*"
api = "cohere"
upstream = "cohere"

[[routes]]
path = "/v2/rerank*"
api = "cohere"
upstream = "cohere"

[[routes]]
path = "/mistral/v1/*"
api = "mistral"
upstream = "mistral"

[[routes]]
path = "/v1beta/*"
api = "gemini"
upstream = "google"

[[routes]]
path = "/v1/*"
api = "gemini"
upstream = "google"

[[routes]]
path = "/upload/*"
api = "gemini"
upstream = "google"

[[routes]]
path = "/v3/universal-ai*"
api = "edenai"
upstream = "edenai"
price = {{ reported = {{ json = "/cost" }}, hold = "0.05" }}

[[routes]]
path = "/v3/*"
api = "edenai"
upstream = "edenai"

[[routes]]
path = "/slow/v3/*"
api = "edenai"
upstream = "slow"
keep_alive = "50ms"
price = {{ input_mtok = "1", output_mtok = "1" }}

[[routes]]
path = "/silent"
api = "http"
upstream = "silent"
price = {{ per_request = "1.00" }}
""")
        self.provider = Process(["simulate", "--listen", f"127.0.0.1:{provider}"], self.folder.name, {})
        self.gateway = Process(["serve"], self.folder.name, {
            "SPENDGATE_LISTEN": f"127.0.0.1:{listen}", "SPENDGATE_OPS_LISTEN": f"127.0.0.1:{ops}", "SPENDGATE_ROUTES": str(routes),
            "SPENDGATE_STORE": f"sqlite:{self.folder.name}/spendgate.db", "SPENDGATE_API_KEY": MAIN_KEY, "OPENAI_API_KEY": "sk-simulated",
        })
        eventually("the provider", lambda: self.provider.answers(f"http://127.0.0.1:{provider}/v1/models"))
        eventually("the gateway", lambda: self.gateway.answers(f"{self.ops}/readyz"))

    def api(self, method, path, body=None, key=MAIN_KEY):
        """One call of the token API. Amounts stay texts."""
        request = urllib.request.Request(self.url + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {key}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=HELD if path == "/silent" else PATIENCE) as answer:
            return json.loads(answer.read() or b"null", parse_float=str, parse_int=str)

    def token(self, name, **fields):
        """Creates a token and returns its secret."""
        return self.api("POST", "/v2/user/custom_token/", {"name": name, **fields})["token"]

    def me(self, secret):
        """A token's own view, once nothing is held any more."""
        def settled():
            token = self.api("GET", "/v2/user/custom_token/me/", key=secret)
            return token if float(token["held"]) == 0 else None
        return eventually("every hold to end", settled)

    def hold_all(self, name):
        """A token whose whole budget a request holds until the gateway stops."""
        secret = self.token(name, balance="1.00", active_balance=True)
        threading.Thread(target=self.api, args=("POST", "/silent", {}, secret), daemon=True).start()
        if not self.silence.arrived.acquire(timeout=PATIENCE):
            raise AssertionError("waited in vain: the request that holds")
        return secret

    def attempts(self, name):
        """How many requests of a token have ended so far."""
        with urllib.request.urlopen(f"{self.ops}/metrics", timeout=PATIENCE) as answer:
            lines = answer.read().decode().splitlines()
        return sum(int(float(line.rsplit(" ", 1)[1])) for line in lines if line.startswith("spendgate_requests_total{") and f'token="{name}"' in line)

    def stop(self):
        self.silence.stop()
        self.slow.stop()
        self.gateway.stop()
        self.provider.stop()
        self.folder.cleanup()
