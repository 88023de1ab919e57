"""Somebody without a browser, who may say what no page would."""

import json

from page import LIMIT_S
from websockets.sync.client import connect


class Stranger:
    """A login with an account, registered with a `name` if there is none yet, on another platform than the page's."""

    def __init__(self, server, login, password, name=None):
        self.last_id = 0
        self.socket = connect(f"ws://{server.http}/im")
        if name:
            self.ask("account.register", login=login, password=password, name=name)
        granted = self.ask("account.login", login=login, password=password, platform="desktop")
        self.ask("login", token=granted["token"])

    def ask(self, op, **data):
        self.last_id += 1
        self.socket.send(json.dumps({"id": self.last_id, "op": op, "data": data}))
        while True:
            message = json.loads(self.socket.recv(LIMIT_S))
            if message.get("id") == self.last_id:
                assert "ok" in message, message
                return message["ok"]

    def finds(self, login):
        """The id of a user."""
        return next(user["id"] for user in self.ask("user.search", query=login)["users"] if user.get("login") == login)

    def close(self):
        self.socket.close()
