"""A headless Chromium driven over its debugging protocol: open a page, ask it things, photograph it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from tests.support.kafka import die_with_parent

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Chromium", "binary"]

#: A cold start on two busy cores.
_START_SECONDS = 30.0
_ANSWER_SECONDS = 15.0


def binary() -> str | None:
    """Return the path of a Chromium or Chrome, or None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Chromium:
    """One browser with one page, from entering the context until leaving it."""

    def __init__(self, *, width: int = 1280, height: int = 900) -> None:
        self._size = (width, height)
        #: Addresses that the page asked for.
        self.requested: list[str] = []
        #: Errors of scripts, of the content policy and of the network, as the console would show them.
        self.complaints: list[str] = []
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def open(self, url: str) -> None:
        """Go to an address; return when its document is there."""
        await self._call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def begin_with(self, script: str) -> None:
        """Run a script before any of a page's own, from the next page on."""
        await self._call("Page.addScriptToEvaluateOnNewDocument", source=script)

    async def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = await self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    async def until(self, expression: str, *, seconds: float = 10.0) -> None:
        """Wait until a JavaScript expression is true in the page."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not await self._holds(expression):
            if asyncio.get_running_loop().time() > deadline:
                body = await self.ask("document.body.innerText")
                raise AssertionError(f"not true within {seconds:g} s: {expression}\n{self.complaints}\n{body}")
            await asyncio.sleep(0.02)

    async def _holds(self, expression: str) -> bool:
        try:
            return bool(await self.ask(f"Boolean({expression})"))
        except RuntimeError:  # the page is being left for another
            return False

    async def press(self, key: str) -> None:
        """Press a key, named as in ``KeyboardEvent.key``."""
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = {"Enter": 13, " ": 32, "Escape": 27, "Tab": 9}.get(key, 0)
        for kind in ("keyDown", "keyUp"):
            await self._call("Input.dispatchKeyEvent", type=kind, key=key, text=text, windowsVirtualKeyCode=code)

    async def tap(self, selector: str) -> None:
        """Tap the middle of an element as a finger does."""
        x, y = await self.ask(
            f"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        for kind, points in (("touchStart", [{"x": x, "y": y}]), ("touchEnd", [])):
            await self._call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    async def click(self, x: float, y: float) -> None:
        """Move the mouse to a place of the window and click there."""
        await self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased"):
            await self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def forget(self) -> None:
        """Be as a browser that has never been here: no cookies, and nothing that pages have stored."""
        await self._call("Network.clearBrowserCookies")
        await self._call("Page.navigate", url="about:blank")

    async def resize(self, width: int, height: int) -> None:
        """Give the window another size."""
        await self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    async def live_in(self, zone: str) -> None:
        """Have the machine's clock be of another time zone."""
        await self._call("Emulation.setTimezoneOverride", timezoneId=zone)

    async def prefer(self, feature: str, value: str) -> None:
        """Let the page see a media feature, such as ``prefers-reduced-motion``, as a viewer with this preference would."""
        await self._call("Emulation.setEmulatedMedia", features=[{"name": feature, "value": value}])

    async def media(self, kind: str) -> None:
        """Let the page be seen as on another medium, such as ``print``; the empty text is the screen."""
        await self._call("Emulation.setEmulatedMedia", media=kind)

    async def photograph(self, path: Path) -> None:
        """Write what the window shows as a PNG."""
        shot = await self._call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240 - one small file

    async def _start(self) -> None:
        program = binary()
        if program is None:
            raise RuntimeError("there is no Chromium")
        profile = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="contact-streams-chromium-", ignore_cleanup_errors=True))
        )
        options = ["--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking"]
        options += ["--remote-debugging-port=0", f"--user-data-dir={profile}", "--force-color-profile=srgb", "--disable-dev-shm-usage"]
        # Its sandbox refuses to run as root, as containers do; it opens nothing but the pages of these tests.
        options += ["--no-sandbox"] if os.geteuid() == 0 else []
        process = subprocess.Popen(  # noqa: ASYNC220 - returns as soon as it is started
            [program, *options, "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - the child calls one system call and execs
        )
        self._stack.callback(_end, process)
        port = await self._port(profile / "DevToolsActivePort", process)
        session = await self._stack.enter_async_context(aiohttp.ClientSession())
        async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
            page = next(target for target in await answer.json() if target["type"] == "page")
        self._socket = await self._stack.enter_async_context(session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0))
        listening = asyncio.create_task(self._listen())
        self._stack.callback(listening.cancel)
        for domain in ("Page", "Runtime", "Network", "Log"):
            await self._call(f"{domain}.enable")
        width, height = self._size
        await self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    async def _port(self, file: Path, process: subprocess.Popen[bytes]) -> int:
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            if file.exists() and (lines := file.read_text().split()):  # noqa: ASYNC240 - a line in a temporary file
                return int(lines[0])
            if process.poll() is not None:
                raise RuntimeError(f"Chromium ended with {process.returncode}")
            await asyncio.sleep(0.05)
        raise TimeoutError("Chromium did not start")

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        return await asyncio.wait_for(answer, _ANSWER_SECONDS)

    async def _listen(self) -> None:
        async for message in self._socket:
            payload = message.json()
            if "id" in payload:
                waiting = self._answers.pop(payload["id"])
                if waiting.done():
                    continue
                if "error" in payload:
                    waiting.set_exception(RuntimeError(str(payload["error"])))
                else:
                    waiting.set_result(payload["result"])
            elif payload["method"] == "Network.requestWillBeSent":
                self.requested.append(payload["params"]["request"]["url"])
            elif payload["method"] == "Runtime.exceptionThrown":
                self.complaints.append(str(payload["params"]["exceptionDetails"]))
            elif payload["method"] == "Log.entryAdded" and payload["params"]["entry"]["level"] == "error":
                self.complaints.append(str(payload["params"]["entry"]))


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
