"""A browser, Python's `websockets` and a raw TCP client in one group, against the real program.

    chat_room.py PATH_OF_GATEHOUSE DIRECTORY_FOR_SCREENSHOTS

Every wait is for an event (an element of the page, a push), with a limit that only a failure reaches.
"""

import asyncio
import json
import re
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import websockets
from browser import start_chromium
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

LIMIT_S = 20


class Server:
    """`gatehouse serve` on ports of its own."""

    def __init__(self, program, *arguments, ports=("127.0.0.1:0", "127.0.0.1:0")):
        self.process = subprocess.Popen(
            [program, "serve", "--listen", ports[0], "--tcp", ports[1], "--admin", "off", *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.http = self.tcp = None
        while not (self.http and self.tcp):
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"gatehouse ended with status {self.process.wait()}")
            if found := re.search(r"ws://([\d.]+:\d+)", line):
                self.http = found[1]
            if found := re.search(r"tcp://([\d.]+):(\d+)", line):
                self.tcp = (found[1], int(found[2]))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0, "SIGTERM ends in order"


class Client:
    """The native protocol over whatever carries one message at a time."""

    def __init__(self):
        self.last_id = 0
        self.pushes = []

    def request(self, op, **data):
        self.last_id += 1
        return json.dumps({"id": self.last_id, "op": op, "data": data})

    def sort(self, text):
        """The `ok` of the reply that is waited for, or None for a push, which is kept."""
        message = json.loads(text)
        if "push" in message:
            self.pushes.append(message)
            return None
        assert message["id"] == self.last_id and "ok" in message, message
        return message["ok"]

    def take(self, push, matches):
        for at, message in enumerate(self.pushes):
            if message["push"] == push and matches(message["data"]):
                return self.pushes.pop(at)["data"]
        return None


class WebSocketClient(Client):
    async def open(self, server):
        self.socket = await websockets.connect(f"ws://{server.http}/im")

    async def ask(self, op, **data):
        await self.socket.send(self.request(op, **data))
        while True:
            ok = self.sort(await asyncio.wait_for(self.socket.recv(), LIMIT_S))
            if ok is not None:
                return ok

    async def pushed(self, push, matches=lambda data: True):
        while (found := self.take(push, matches)) is None:
            self.sort(await asyncio.wait_for(self.socket.recv(), LIMIT_S))
        return found


class TcpClient(Client):
    """len4be by hand: a length of four bytes, big-endian, then the JSON."""

    def __init__(self, server):
        super().__init__()
        self.socket = socket.create_connection(server.tcp, timeout=LIMIT_S)

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the server ended the connection"
            data += piece
        return data

    def receive(self):
        return self.sort(self.read(struct.unpack(">I", self.read(4))[0]))

    def ask(self, op, **data):
        payload = self.request(op, **data).encode()
        # In two pieces, cut inside the length.
        frame = struct.pack(">I", len(payload)) + payload
        self.socket.sendall(frame[:2])
        self.socket.sendall(frame[2:])
        while (ok := self.receive()) is None:
            pass
        return ok

    def pushed(self, push, matches=lambda data: True):
        while (found := self.take(push, matches)) is None:
            self.receive()
        return found


class Page:
    """The chat page in a browser window."""

    def __init__(self, server, size, screenshots, dark=False):
        self.driver = start_chromium(size)
        # Headless windows have a smallest width; the device's is set as phones report it.
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500},
        )
        if dark:
            features = [{"name": "prefers-color-scheme", "value": "dark"}]
            self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.screenshots = screenshots
        self.driver.get(f"http://{server.http}/")

    def wait(self, condition, what):
        return WebDriverWait(self.driver, LIMIT_S, poll_frequency=0.05).until(
            lambda _: condition(), f"waited for {what}"
        )

    def find(self, test_id, extra=""):
        """The first element that is shown."""
        selector = f'[data-testid="{test_id}"]{extra}'

        def shown():
            elements = self.driver.find_elements(By.CSS_SELECTOR, selector)
            return next((element for element in elements if element.is_displayed()), None)

        return self.wait(shown, selector)

    def has(self, selector):
        self.wait(lambda: self.driver.find_elements(By.CSS_SELECTOR, selector), selector)

    def log_in(self, name):
        field = self.find("name-input")
        field.clear()
        field.send_keys(name)
        self.find("login-button").click()
        self.has('[data-testid="status"][data-state="connected"]')

    def open(self, conversation):
        self.find("conversation-list")
        self.wait(
            lambda: self.driver.find_elements(
                By.CSS_SELECTOR, f'[data-conversation="{conversation}"]'
            ),
            conversation,
        )[0].click()
        self.find("message-input")

    def say(self, text):
        field = self.find("message-input")
        field.send_keys(text)
        field.send_keys(Keys.ENTER)
        self.hears(text, state="sent")

    def hears(self, text, sender=None, state=None):
        def heard():
            for bubble in self.driver.find_elements(By.CSS_SELECTOR, '[data-testid="message"]'):
                body = bubble.find_element(By.CSS_SELECTOR, '[data-testid="message-body"]')
                if (
                    body.text == text
                    and sender in (None, bubble.get_attribute("data-sender"))
                    and state in (None, bubble.get_attribute("data-state"))
                ):
                    return bubble
            return None

        return self.wait(heard, f"the message {text!r}")

    def shoot(self, name):
        path = self.screenshots / f"{name}.png"
        assert self.driver.save_screenshot(str(path))
        print(f"  {path}")

    def close(self):
        errors = [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] == "SEVERE" and "WebSocket connection" not in entry["message"]
        ]
        self.driver.quit()
        assert not errors, errors


async def chat(server, ada, bob):
    """Two windows, a Python client and a raw TCP client talk to all, in a group, and to one another."""
    ada.log_in("Ada")
    bob.log_in("Bob")
    ada.open("all")
    bob.open("all")
    ada.say("Good morning, everyone")
    bob.hears("Good morning, everyone", sender="Ada")
    bob.say("Morning, Ada")
    ada.hears("Morning, Ada", sender="Bob")

    carol = WebSocketClient()
    await carol.open(server)
    await carol.ask("login", name="Carol", platform="desktop")
    dave = TcpClient(server)
    dave.ask("login", name="Dave", platform="other")
    online = {user["name"] for user in (await carol.ask("users.online"))["users"]}
    assert online == {"Ada", "Bob", "Carol", "Dave"}, online

    # One group, made over WebSocket, joined over TCP and in the browser.
    group = (await carol.ask("group.create", name="Gate keepers"))["group"]["id"]
    assert dave.ask("group.join", group=group)["group"]["members"] == 2
    await carol.pushed("group.joined", lambda data: data["user"]["name"] == "Dave")
    ada.find("group-create").click()
    ada.find(f"group-join-{group}").click()
    await carol.pushed("group.joined", lambda data: data["user"]["name"] == "Ada")
    dave.pushed("group.joined", lambda data: data["user"]["name"] == "Ada")
    ada.open(f"g:{group}")

    ada.say("Hello from the browser")
    in_group = lambda data: data["conversation"] == f"g:{group}"
    for push in (await carol.pushed("message", in_group), dave.pushed("message", in_group)):
        assert push["body"] == "Hello from the browser" and push["from"]["name"] == "Ada", push
    await carol.ask("message.send", to={"group": group}, body="Hello from Python")
    ada.hears("Hello from Python", sender="Carol")
    assert dave.pushed("message", in_group)["seq"] == 2
    dave.ask("message.send", to={"group": group}, body="Hello from a raw socket")
    ada.hears("Hello from a raw socket", sender="Dave")
    assert (await carol.pushed("message", lambda d: in_group(d) and d["seq"] == 3))["from"]["name"] == "Dave"
    ada.shoot("group-desktop")

    # Text is text, whatever it looks like.
    await carol.ask("message.send", to={"group": group}, body="<img src=x onerror=alert(1)>")
    ada.hears("<img src=x onerror=alert(1)>", sender="Carol")

    # A direct message to the window on the phone.
    people = {user["name"]: user["id"] for user in (await carol.ask("users.online"))["users"]}
    me = people["Carol"]
    await carol.ask("message.send", to={"user": people["Bob"]}, body="Just between us")
    direct = f"d:{min(me, people['Bob'])}:{max(me, people['Bob'])}"
    bob.find("back-button").click()
    bob.shoot("list-phone")
    bob.open(direct)
    bob.hears("Just between us", sender="Carol")
    bob.say("Our secret")
    answer = await carol.pushed("message", lambda data: data["conversation"] == direct)
    assert answer["body"] == "Our secret", answer
    bob.shoot("direct-phone")
    return carol, dave


def reconnect(program, server, ada):
    """The page finds its server again after a restart, and sends what could not be sent before."""
    ports = (server.http, f"{server.tcp[0]}:{server.tcp[1]}")
    ada.open("all")
    server.stop()
    ada.find("banner")
    field = ada.find("message-input")
    field.send_keys("Said while you were away", Keys.ENTER)
    ada.shoot("offline-desktop")
    again = Server(program, ports=ports)
    ada.has('[data-testid="status"][data-state="connected"]')
    ada.hears("Said while you were away", sender="Ada", state="sent")
    return again


def kick(ada, other):
    """A second window of the same user takes the place of the first."""
    other.log_in("Ada")
    ada.has('[data-testid="status"][data-state="kicked"]')
    ada.shoot("kicked-desktop")


async def main():
    program, screenshots = sys.argv[1], Path(sys.argv[2])
    server = Server(program)
    ada = Page(server, (1280, 800), screenshots)
    bob = Page(server, (360, 740), screenshots, dark=True)
    ada.shoot("login-desktop")
    carol, dave = await chat(server, ada, bob)
    print("passed: a browser, Python's websockets and a raw TCP client in one group")

    bob.close()
    await carol.socket.close()
    dave.socket.close()
    server = reconnect(program, server, ada)
    print("passed: the page reconnects by itself and sends what waited")
    other = Page(server, (360, 740), screenshots)
    kick(ada, other)
    print("passed: a later login takes the place of the earlier one")
    other.close()
    ada.close()
    server.stop()
    print("3 passed, 0 failed")


if __name__ == "__main__":
    asyncio.run(main())
