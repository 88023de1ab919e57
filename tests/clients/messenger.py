"""Two people go through everything that the chat page has, in two browsers, against the real program with a store on disk.

    messenger.py PATH_OF_GATEHOUSE DIRECTORY_FOR_SCREENSHOTS

register, friend request, direct chat with receipts, group, picture by drag and drop, recall, several tabs, offline, catch up;
and a stranger sends them what no page would.
Every wait is for an event, with a limit that only a failure reaches.
"""

import json
import struct
import sys
import tempfile
import zlib
from pathlib import Path

from page import DESKTOP, PHONE, Page, Server
from selenium.webdriver.common.keys import Keys
from stranger import Stranger

HISTORY = 130


def png(width, height):
    """A picture of two colours that run into each other."""
    rows = b"".join(
        b"\0" + bytes(c for x in range(width) for c in (40 + 180 * x // width, 120 + 100 * y // height, 110))
        for y in range(height)
    )
    chunk = lambda kind, data: (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    )
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shoot_everywhere(page, name):
    """In both sizes and in both colours; the page is left as it was."""
    size = DESKTOP if page.driver.execute_script("return innerWidth") > 720 else PHONE
    for dark in (False, True):
        page.colours(dark)
        for word, other in (("desktop", DESKTOP), ("phone", PHONE)):
            page.resize(other)
            page.shoot(f"{name}-{word}-{'dark' if dark else 'light'}")
    page.colours(False)
    page.resize(size)


def enter(ada, bob):
    """A wrong password, a name that is taken, and two accounts."""
    ada.log_in_with("ada", "never registered")
    ada.wait(lambda: ada.find("login-error").text, "an error")
    ada.register("ada", "correct horse", "Ada Lovelace")
    bob.click("way-register")
    bob.type("login-input", "ADA")
    bob.type("password-input", "battery staple")
    bob.click("login-button")
    bob.wait(lambda: bob.find("login-error").text, "that the name is taken")
    bob.shoot("register-desktop-light")
    bob.register("bob", "battery staple", "Bob Noyce")
    assert ada.find("me-name").text == "Ada Lovelace"


def befriend(ada, bob):
    """Ada finds Bob and asks; Bob sees the badge and accepts."""
    ada.click("people-open")
    ada.click("people-find")
    ada.type("find-input", "bob")
    ada.click_first('[data-testid="find-list"] button[aria-label="Add Bob Noyce"]')
    ada.type("field-text", "Hello Bob, it is Ada from the mill.")
    ada.click("ask-friend-form-submit")
    bob.wait(lambda: bob.find("requests-badge").text == "1", "the badge")
    bob.click("people-open")
    bob.find("request", '[data-name="Ada Lovelace"]')
    shoot_everywhere(bob, "request")
    bob.click("request-accept")
    bob.wait(lambda: not bob.elements('[data-testid="request-accept"]'), "the request to go")
    bob.click("people-friends")
    bob.click_first('[data-testid="friends-list"] [data-name="Ada Lovelace"]')
    bob.click("person-write")
    bob.wait(lambda: bob.find("pane-title").text == "Ada Lovelace", "the conversation with Ada")
    ada.click("people-friends")
    ada.has('[data-testid="friends-list"] [data-name="Bob Noyce"]')
    ada.click("dialog-close")


def talk(ada, bob):
    """A direct chat: receipts, an answer, a message that is taken back, one that is deleted."""
    bob.say("Good evening, Ada")
    ada.wait(lambda: ada.find("unread").text.startswith("1"), "an unread message")
    bob.hears("Good evening, Ada", state="sent")
    assert not bob.elements('[data-read="true"]'), "nobody has read it yet"
    ada.open_named("Bob Noyce")
    ada.hears("Good evening, Ada", sender="Bob Noyce")
    bob.hears("Good evening, Ada", read="true")
    ada.choose("Good evening, Ada", "menu-reply")
    ada.find("reply")
    ada.say("Good evening. Did the cards arrive? https://example.org/cards")
    bob.find("quote")
    bob.say("Not what I wanted to say")
    ada.hears("Not what I wanted to say")
    bob.choose("Not what I wanted to say", "menu-recall")
    ada.has('[data-testid="recalled"]')
    ada.wait(lambda: not any("Not what I wanted" in e.text for e in ada.elements('[data-testid="message"]')), "it to go")
    bob.say("Only for you")
    ada.choose("Only for you", "menu-delete")
    ada.wait(lambda: not any("Only for you" in e.text for e in ada.elements('[data-testid="message"]')), "it to go")
    bob.hears("Only for you")
    shoot_everywhere(ada, "direct")


def gather(ada, bob):
    """Ada makes a group with Bob, calls him in it, and sees who has read it."""
    ada.click("group-create")
    ada.type("field-group-name", "Engine room")
    ada.click_first('[data-testid="groups-dialog"] label[data-name="Bob Noyce"]')
    ada.shoot("group-create-desktop-light")
    ada.click("group-create-submit")
    ada.wait(lambda: ada.find("pane-title").text == "Engine room", "the group")
    bob.open_named("Engine room")
    field = ada.find("message-input")
    field.send_keys("@Bo")
    ada.find("mention-Bob Noyce")
    field.send_keys(Keys.ENTER)
    field.send_keys("please look at the mill", Keys.ENTER)
    ada.hears("@Bob Noyce please look at the mill", state="sent")
    bob.hears("@Bob Noyce please look at the mill", sender="Ada Lovelace")
    bob.has(".call.self")
    bob.say("On my way")
    ada.choose("@Bob Noyce please look at the mill", "menu-readers")
    ada.wait(lambda: "1 of 1" in ada.find("readers").text, "who has read it")
    ada.click("dialog-close")
    for page in (ada, bob):
        if page.find("members-toggle").get_attribute("aria-expanded") != "true":
            page.click("members-toggle")
    ada.click("group-settings")
    ada.type("field-announcement", "Oil the mill before noon.")
    ada.click("settings-submit")
    bob.wait(lambda: "Oil the mill" in bob.find("members-panel").text, "the announcement")
    shoot_everywhere(bob, "group")


def send_files(ada, bob, folder):
    """A picture and a file, dropped on the conversation."""
    ada.has('#attach:not([hidden])')
    picture, notes = folder / "mill.png", folder / "notes.txt"
    picture.write_bytes(png(640, 400))
    notes.write_text("Oil the mill.\n" * 40)
    ada.drop(picture)
    loaded = "return [...document.querySelectorAll('[data-testid=picture] img')].some((i) => i.complete && i.naturalWidth > 0)"
    bob.wait(lambda: bob.driver.execute_script(loaded), "the picture")
    ada.wait(lambda: ada.driver.execute_script(loaded), "the picture")
    ada.drop(notes)
    bob.has('[data-testid="file"][href*="/files/"]')
    shoot_everywhere(bob, "files")
    fetched = bob.driver.execute_async_script(
        "const [done] = arguments;"
        "const file = document.querySelector('[data-testid=file][href]');"
        "fetch(file.href).then((reply) => reply.text()).then((text) => done([file.download, text]), (error) => done([String(error)]))"
    )
    assert fetched == ["notes.txt", notes.read_text()], fetched
    bob.click("picture")
    whole = "const picture = document.querySelector('.picture-large'); return picture?.complete && picture.naturalWidth"
    bob.wait(lambda: bob.driver.execute_script(whole) == 640, "the whole picture")
    shoot_everywhere(bob, "picture")
    bob.click("dialog-close")


def search(ada):
    """Words in a message lead to it."""
    ada.type("search-input", "mill")
    ada.click("found-message")
    ada.has(".message.lit")
    shoot_everywhere(ada, "search")
    ada.find("search-input").send_keys(Keys.ESCAPE)
    ada.find("conversation-list")


def be_strange(server, ada):
    """Messages that are not as they should be hide neither themselves nor others, nor do those that come at a bad moment."""
    stranger = Stranger(server, "mallory", "never mind me", "Mallory")
    to = {"user": stranger.finds("ada")}
    no_text = {"toString": 1}
    file = json.dumps({"attachment": -1, "name": no_text, "type": no_text})
    quote = json.dumps({"quote": {"seq": 1, "from": {"name": no_text}, "text": no_text}})
    call = lambda name: json.dumps({"mentions": [{"id": 1, "name": name}]})
    stranger.ask("message.send", to=to, kind="file", body=file)
    stranger.ask("message.send", to=to, kind="quote", body="An answer to nothing", extra=quote)
    stranger.ask("message.send", to=to, kind="mention", body="@" * 16384, extra=call(""))
    stranger.ask("message.send", to=to, kind="mention", body="@a" * 8192, extra=call("a"))
    conversation = stranger.ask("message.send", to=to, body="Are you there?")["conversation"]
    ada.open_named("Mallory")
    ada.hears("An answer to nothing", sender="Mallory")
    ada.hears("Are you there?", sender="Mallory")
    ada.say("I am, and so is everybody")
    # In a list that is read again it is the last message of its conversation.
    stranger.ask("message.send", to=to, kind="file", body=file)
    ada.driver.refresh()
    ada.is_connected()
    ada.find("pane-title")
    ada.has('[data-testid="conversation-list"] [data-name="Bob Noyce"]')

    release = ada.hold_history(conversation)
    ada.open_named("Mallory")
    ada.has("html[data-held]")
    taken = stranger.ask("message.send", to=to, body="Not meant for you")["seq"]
    stranger.ask("message.send", to=to, body="Said while you were reading")
    stranger.ask("message.recall", conversation=conversation, seq=taken)
    preview = '[data-testid="conversation-list"] [data-name="Mallory"]'
    ada.wait(lambda: any("while you were reading" in e.text for e in ada.elements(preview)), "what was said meanwhile")
    release()
    ada.hears("Said while you were reading", sender="Mallory")
    ada.hears("I am, and so is everybody")
    ada.wait(lambda: any("Mallory took back" in e.text for e in ada.elements('[data-testid="recalled"]')), "who took it back")
    ada.shoot("strange-desktop-light")
    stranger.close()


def two_tabs(ada, bob):
    """A second tab shares the connection, which a wrong password there does not end: both see what either says."""
    first = ada.driver.current_window_handle
    # So that the second tab asks who comes.
    ada.driver.execute_script("localStorage.removeItem('gatehouse.last')")
    ada.driver.switch_to.new_window("tab")
    ada.driver.get(ada.address)
    second = ada.driver.current_window_handle
    ada.log_in_with("ada", "wrong horse")
    ada.wait(lambda: ada.find("login-error").text, "an error")
    ada.driver.switch_to.window(first)
    ada.open_named("Bob Noyce")
    ada.say("Said in the first tab")
    ada.driver.switch_to.window(second)
    ada.log_in_with("ada", "correct horse")
    ada.is_connected()
    ada.open_named("Bob Noyce")
    ada.say("Said in the second tab")
    bob.open_named("Ada Lovelace")
    bob.hears("Said in the second tab")
    ada.driver.switch_to.window(first)
    ada.is_connected()
    ada.open_named("Bob Noyce")
    ada.hears("Said in the second tab", state="sent")
    ada.driver.switch_to.window(second)
    # A tab that is closed by its driver is not told so.
    ada.driver.get("about:blank")
    ada.driver.close()
    ada.driver.switch_to.window(first)


def away(program, arguments, server, ada, bob):
    """Ada's page is closed, and Bob writes; then the server goes, and both write what waits for it."""
    ada.driver.get("about:blank")
    field = bob.find("message-input")
    for number in range(HISTORY):
        bob.driver.execute_script(
            "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'));"
            "arguments[0].form.requestSubmit()",
            field,
            f"While you were away, {number}",
        )
        # No more than the page keeps waiting.
        if number % 50 == 49:
            bob.hears(f"While you were away, {number}", state="sent")
    bob.hears(f"While you were away, {HISTORY - 1}", state="sent")

    ada.driver.get(ada.address)
    ada.is_connected()
    ada.wait(lambda: ada.elements('[data-name="Bob Noyce"] [data-testid="unread"]'), "what was missed")
    unread = ada.elements('[data-name="Bob Noyce"] [data-testid="unread"]')[0].text
    assert unread.startswith("99+"), unread
    ada.open_named("Bob Noyce")
    ada.hears(f"While you were away, {HISTORY - 1}")
    assert not any(e.text == "While you were away, 0" for e in ada.elements('[data-testid="message-body"]'))
    top = "const log = document.getElementById('log-scroll'); log.scrollTop = 0;"
    def reached():
        ada.driver.execute_script(top)
        return any(e.text == "While you were away, 0" for e in ada.elements('[data-testid="message-body"]'))
    ada.wait(reached, "the beginning")
    ada.click("new-messages")

    server.stop()
    ada.find("banner")
    bob.find("banner")
    bob.say("Written without a server", state="sending")
    bob.shoot("offline-desktop-light")
    # The page is closed with what it could not send, and opened again.
    bob.driver.get("about:blank")
    again = Server(program, *arguments, ports=server.ports)
    bob.driver.get(bob.address)
    bob.is_connected()
    ada.is_connected()
    ada.hears("Written without a server", sender="Bob Noyce")
    bob.open_named("Ada Lovelace")
    bob.hears("Written without a server", state="sent", read="true")
    assert len([e for e in ada.elements('[data-testid="message-body"]') if e.text == "Written without a server"]) == 1
    shoot_everywhere(ada, "caught-up")
    return again


def own_account(server, ada):
    """The profile, a wrong password, the sessions, and out; a password that is changed elsewhere ends the session here."""
    ada.click("account-open")
    ada.type("field-signature", "Poetical science")
    shoot_everywhere(ada, "account")
    ada.click("profile-submit")
    ada.lacks('[data-testid="account-dialog"]')
    ada.click("account-open")
    ada.click("account-password")
    ada.type("field-old", "wrong")
    ada.type("field-new", "another horse")
    ada.type("field-again", "another horse")
    ada.click("password-submit")
    ada.wait(lambda: ada.find("form-error").text, "an error")
    ada.click("account-sessions")
    ada.wait(lambda: "this one" in ada.find("session-list").text, "the sessions")
    ada.click("dialog-close")
    ada.click("logout-button")
    ada.find("login-button")
    ada.driver.refresh()
    ada.find("login-button")
    ada.log_in_with("ada", "correct horse")
    ada.is_connected()
    ada.has('[data-testid="conversation-list"] [data-name="Bob Noyce"]')
    elsewhere = Stranger(server, "ada", "correct horse")
    elsewhere.ask("account.password", old="correct horse", new="another horse")
    elsewhere.close()
    ada.wait(lambda: "password was changed" in ada.find("login-error").text, "why the session has ended")
    ada.shoot("password-changed-desktop-light")
    ada.log_in_with("ada", "another horse")
    ada.find("conversation-list")


def find_old(ada):
    """A message that is older than what is read first, in a conversation that was not opened yet, is led to."""
    ada.driver.refresh()
    # Nobody has said anything to everyone, which is known when everything else is.
    ada.has("#empty:not([hidden])")
    ada.type("search-input", "cards")
    ada.click("found-message")
    ada.wait(lambda: any("cards arrive" in e.text for e in ada.elements(".message.lit")), "the message, lit up")
    ada.hears("Good evening, Ada", sender="Bob Noyce")
    ada.shoot("found-old-desktop-light")
    ada.find("search-input").send_keys(Keys.ESCAPE)


def main(program, screenshots):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "gatehouse.toml"
        config.write_text('[store]\npath = "data"\n')
        arguments = ("--config", str(config))
        server = Server(program, *arguments)
        ada = Page(server, DESKTOP, screenshots)
        bob = Page(server, DESKTOP, screenshots)
        shoot_everywhere(ada, "login")
        enter(ada, bob)
        befriend(ada, bob)
        print("passed: two people register and become friends")
        talk(ada, bob)
        print("passed: receipts, an answer, recall and deletion")
        gather(ada, bob)
        send_files(ada, bob, folder)
        print("passed: a group, a call by name, a picture and a file")
        search(ada)
        be_strange(server, ada)
        two_tabs(ada, bob)
        print("passed: search, a stranger, and two tabs of one login")
        server = away(program, arguments, server, ada, bob)
        print("passed: away, offline, and caught up")
        own_account(server, ada)
        find_old(ada)
        print("passed: the account, and an old message")
        # Nor are they online whose browser is gone.
        bob.finds_online("Ada Lovelace", True)
        ada.close()
        bob.finds_online("Ada Lovelace", False)
        bob.close()
        server.stop()
    print("6 passed, 0 failed")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
