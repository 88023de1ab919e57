"""A browser, Python's `websockets` and a raw TCP client in one group, against the real program.

    chat_room.py PATH_OF_GATEHOUSE DIRECTORY_FOR_SCREENSHOTS

Every wait is for an event (an element of the page, a push), with a limit that only a failure reaches.
"""

import asyncio
import json
import socket
import struct
import sys
from pathlib import Path

import websockets
from page import DESKTOP, LIMIT_S, PHONE, Page, Server
from selenium.webdriver.common.keys import Keys


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
    ada.click("group-create")
    ada.click(f"group-join-{group}")
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
    bob.click("back-button")
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
    ada.open("all")
    server.stop()
    ada.find("banner")
    field = ada.find("message-input")
    field.send_keys("Said while you were away", Keys.ENTER)
    ada.shoot("offline-desktop")
    again = Server(program, ports=server.ports)
    ada.is_connected()
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
    ada = Page(server, DESKTOP, screenshots)
    bob = Page(server, PHONE, screenshots, dark=True)
    ada.shoot("login-desktop")
    carol, dave = await chat(server, ada, bob)
    print("passed: a browser, Python's websockets and a raw TCP client in one group")

    bob.close()
    await carol.socket.close()
    dave.socket.close()
    server = reconnect(program, server, ada)
    print("passed: the page reconnects by itself and sends what waited")
    other = Page(server, PHONE, screenshots)
    kick(ada, other)
    print("passed: a later login takes the place of the earlier one")
    other.close()
    ada.close()
    server.stop()
    print("3 passed, 0 failed")


if __name__ == "__main__":
    asyncio.run(main())
