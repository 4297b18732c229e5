"""Chromium as a test drives it: pages opened over its DevTools protocol, and what happens there."""

import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from websockets.sync.client import connect
from websockets.sync.connection import Connection

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE = 240.0
"""Seconds that an answer may take: the machine may be busy."""
_COMPLAINTS = {"Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"}


@dataclass
class Tab:
    """One tab. `asked`: the URLs it asked for; `complaints`: what its console showed."""

    socket: Connection
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _last: int = 0
    _seen: list[str] = field(default_factory=list)

    def send(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command; its result. Raises AssertionError for an error."""
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": params}))
        while True:
            message = self._receive()
            if message.get("id") == self._last:
                assert "error" not in message, message["error"]
                return dict(message["result"])

    def open(self, url: str) -> None:
        """Open a page and wait until all of it is loaded."""
        self._seen.clear()
        self.send("Page.navigate", url=url)
        while "Page.loadEventFired" not in self._seen:
            self._receive()

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, which works with scripts off too."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self.send("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press a key, such as ("Tab", 9)."""
        text = {"text": "\r"} if key == "Enter" else {}
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code, **text}
        self.send("Input.dispatchKeyEvent", type="keyDown", **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def resize(self, width: int, height: int, *, phone: bool = False) -> None:
        """The window, in CSS pixels; as on a phone, pages are laid out by their viewport."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=phone,
        )

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def _receive(self) -> dict[str, Any]:
        message = json.loads(self.socket.recv(timeout=PATIENCE))
        event = message.get("method", "")
        self._seen.append(event)
        if event == "Network.requestWillBeSent":
            self.asked.append(message["params"]["request"]["url"])
        if event in _COMPLAINTS:
            self.complaints.append(json.dumps(message["params"]))
        return dict(message)


@contextmanager
def browser(profile: Path) -> Iterator[Tab]:
    """A Chromium without a window, and its tab. Its processes end with the block."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    options += ["--enable-unsafe-swiftshader", "--disable-background-networking", "--no-first-run"]
    process = subprocess.Popen(
        [str(CHROMIUM), *options, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with connect(_tab_of(process, profile), max_size=None, open_timeout=PATIENCE) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Runtime", "Network", "Log"):
                tab.send(f"{domain}.enable")
            yield tab
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tab_of(process: "subprocess.Popen[bytes]", profile: Path) -> str:
    """The address of the browser's first tab, once it has opened one."""
    port = profile / "DevToolsActivePort"
    until = time.monotonic() + PATIENCE
    while not (port.is_file() and port.read_text().count("\n")):
        assert process.poll() is None, "Chromium has ended"
        assert time.monotonic() < until, "Chromium does not answer"
        time.sleep(0.1)
    listed = httpx2.get(f"http://127.0.0.1:{port.read_text().split()[0]}/json/list")
    return next(str(tab["webSocketDebuggerUrl"]) for tab in listed.json() if tab["type"] == "page")
