"""What happens between people on any day, in two browsers, against the real program with a store on disk.

    everyday.py PATH_OF_GATEHOUSE DIRECTORY_FOR_SCREENSHOTS

friends who come and go, who is there, typing, drafts, what is deleted, a message that is looked for too early, a channel, and a
picture whose address has grown old. Every wait is for an event, with a limit that only a failure reaches.
"""

import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from messenger import png
from page import DESKTOP, LIMIT_S, Page, Server
from selenium.webdriver.common.keys import Keys
from stranger import Stranger

CONFIG = """
[store]
path = "data"
fanout_limit = 2

[attachments]
address_lifetime = "1s"
"""


def open_friend(page, name):
    """What can be done with one of the friends."""
    page.click("people-open")
    page.click("people-friends")
    page.click_first(f'[data-testid="friends-list"] [data-name="{name}"]')
    page.find("person")


def befriend(ada, bob):
    """Ada asks, Bob refuses; she asks again, and he accepts. What she calls him then is what her page calls him."""
    for answer in ("request-refuse", "request-accept"):
        ada.click("people-open")
        ada.click("people-find")
        ada.type("find-input", "bob")
        ada.click_first('[data-testid="find-list"] button[aria-label="Add Bob Noyce"]')
        ada.click("ask-friend-form-submit")
        ada.lacks('[data-testid="ask-friend"]')
        bob.wait(lambda: bob.find("requests-badge").text == "1", "the badge")
        bob.click("people-open")
        bob.find("request", '[data-name="Ada Lovelace"]')
        bob.click(answer)
        bob.wait(lambda: not bob.elements('[data-testid="request"]'), "the request to go")
        bob.click("dialog-close")
        ada.click("dialog-close")
    open_friend(ada, "Bob Noyce")
    ada.click_first('dialog [data-testid="person-remark"]')
    ada.type("field-remark", "Bobby")
    ada.click("remark-form-submit")
    ada.lacks("dialog")
    open_friend(ada, "Bobby")
    ada.shoot("remark-desktop-light")
    ada.click_first('dialog [data-testid="person-write"]')
    ada.wait(lambda: ada.find("pane-title").text == "Bobby", "the conversation with Bob")
    ada.say("Hello Bob")
    ada.driver.refresh()
    ada.is_connected()
    ada.open_named("Bobby")
    ada.finds_online("Bobby", True)


def part(ada, bob):
    """Ada removes Bob and blocks him; he is told of neither, and what he writes to her is refused until she lets him."""
    bob.open_named("Ada Lovelace")
    open_friend(ada, "Bobby")
    ada.click_first('dialog [data-testid="person-remove"]')
    ada.click("confirm-action")
    ada.wait(lambda: ada.find("pane-title").text == "Bob Noyce", "his own name")
    # The conversation stays, and so does what one sees of each other in it.
    ada.finds_online("Bob Noyce", True)
    bob.click("people-open")
    bob.click("people-friends")
    bob.wait(lambda: "no friends" in bob.find("friends-list").text, "no friends any more")
    bob.click("dialog-close")
    bob.finds_online("Ada Lovelace", True)
    ada.click("people-open")
    ada.click("people-find")
    ada.type("find-input", "bob")
    ada.click_first('[data-testid="find-list"] [data-name="Bob Noyce"]')
    ada.click_first('dialog [data-testid="person-block"]')
    ada.click("confirm-action")
    ada.wait(lambda: "blocked this person" in ada.driver.find_element("id", "composer-note").text, "that he is blocked")
    bob.finds_online("Ada Lovelace", False)
    bob.say("Can you hear me?", state="failed")
    ada.click("people-open")
    ada.click("people-blocked")
    ada.click_first('[data-testid="blocked-list"] [data-name="Bob Noyce"]')
    ada.click_first('dialog [data-testid="person-unblock"]')
    ada.lacks("dialog")
    bob.click("retry")
    bob.hears("Can you hear me?", state="sent")
    ada.hears("Can you hear me?", sender="Bob Noyce")


def meet(server, ada):
    """Whether a stranger is there is known as long as their conversation is listed, in its head as in the profile."""
    carol = Stranger(server, "carol", "never mind me", "Carol")
    to = {"user": carol.finds("ada")}
    carol.ask("message.send", to=to, body="You do not know me")
    ada.open_named("Carol")
    ada.finds_online("Carol", True)
    if ada.find("members-toggle").get_attribute("aria-expanded") != "true":
        ada.click("members-toggle")
    ada.has('[data-testid="members-panel"] .profile .online')
    ada.shoot("stranger-desktop-light")
    carol.close()
    ada.finds_online("Carol", False)
    ada.lacks('[data-testid="members-panel"] .profile .online')
    ada.driver.refresh()
    ada.is_connected()
    ada.open_named("Carol")
    ada.finds_online("Carol", False)
    carol = Stranger(server, "carol", "never mind me")
    ada.finds_online("Carol", True)
    return carol


def type_along(ada, bob):
    """Bob types, which Ada sees until he has said it."""
    ada.open_named("Bob Noyce")
    bob.find("message-input").send_keys("I am still")
    ada.wait(lambda: ada.find("pane-subtitle").text == "typing…", "that he is typing")
    bob.find("message-input").send_keys(" here", Keys.ENTER)
    ada.hears("I am still here", sender="Bob Noyce")
    ada.wait(lambda: ada.find("pane-subtitle").text == "Online", "that he is not typing any more")


def times_said(page, text):
    return len([e for e in page.elements('[data-testid="message-body"]') if e.text == text])


def begin_to_write(program, arguments, server, ada, bob):
    """What Ada has begun to write is there when the page is loaded again, and not when it was sent meanwhile."""
    field = lambda: ada.find("message-input")
    field().send_keys("Begun and left")
    ada.click("conversation-all")
    ada.lists("Bob Noyce", "Draft:")
    ada.driver.refresh()
    ada.is_connected()
    ada.lists("Bob Noyce", "Begun and left")
    ada.open_named("Bob Noyce")
    assert field().get_attribute("value") == "Begun and left"
    # The page is loaded again before the server was told of it.
    field().send_keys(", and gone on")
    ada.driver.refresh()
    ada.is_connected()
    ada.lists("Bob Noyce", "Begun and left, and gone on")
    ada.shoot("draft-desktop-light")
    ada.open_named("Bob Noyce")

    server.stop()
    ada.find("banner")
    field().send_keys(Keys.ENTER)
    ada.hears("Begun and left, and gone on", state="sending")
    ada.driver.get("about:blank")
    again = Server(program, *arguments, ports=server.ports)
    ada.driver.get(ada.address)
    ada.is_connected()
    ada.lists("Bob Noyce", "You: Begun and left, and gone on")
    ada.open_named("Bob Noyce")
    ada.hears("Begun and left, and gone on", state="sent")
    assert field().get_attribute("value") == ""
    bob.hears("Begun and left, and gone on", sender="Ada Lovelace")
    ada.driver.refresh()
    ada.is_connected()
    ada.lists("Bob Noyce", "You: Begun and left, and gone on")
    ada.open_named("Bob Noyce")
    ada.hears("Begun and left, and gone on")
    assert field().get_attribute("value") == ""
    assert times_said(ada, "Begun and left, and gone on") == 1
    assert times_said(bob, "Begun and left, and gone on") == 1
    return again


def delete_the_last(ada):
    """The list shows what was said before the message that one has deleted, also when it is read again."""
    ada.say("Never said")
    ada.lists("Bob Noyce", "Never said")
    ada.choose("Never said", "menu-delete")
    ada.lists("Bob Noyce", "Begun and left")
    ada.driver.refresh()
    ada.is_connected()
    ada.lists("Bob Noyce", "Begun and left")


def look_too_early(ada):
    """A message that is found and gone to before the page knows what was missed comes into sight when it does."""
    catch_up = ada.hold_catching_up()
    ada.type("search-input", "hello")
    ada.click("found-message")
    ada.wait(lambda: ada.find("pane-title").text == "Bob Noyce", "the conversation")
    assert not ada.elements('[data-testid="message"]'), "nothing is read yet"
    catch_up()
    ada.wait(lambda: any("Hello Bob" in e.text for e in ada.elements(".message.lit")), "the message, lit up")
    ada.find("search-input").send_keys(Keys.ESCAPE)
    ada.hears("Begun and left, and gone on")


def take_back_in_a_channel(ada, bob, carol):
    """What is taken back in a group that stands in no inbox goes everywhere, also where one was not told of it."""
    members = [carol.finds(login) for login in ("ada", "bob")]
    group = carol.ask("group.create", name="Everyone's mill", members=members)["group"]
    assert group["channel"], group
    ada.open_named("Everyone's mill")
    bob.open_named("Everyone's mill")
    ada.say("Not for you")
    bob.hears("Not for you", sender="Ada Lovelace")
    taken_back = '[data-testid="recalled"]'
    ada.choose("Not for you", "menu-recall")
    bob.wait(lambda: any("Ada Lovelace took back" in e.text for e in bob.elements(taken_back)), "who took it back")
    assert not times_said(bob, "Not for you")
    bob.lists("Everyone's mill", "Message taken back")

    # The page is told of the second of these, and finds by its number that there was one before.
    for text in ("Nor this", "Not even this"):
        ada.say(text)
        bob.hears(text, sender="Ada Lovelace")
    bob.miss_a_change()
    ada.choose("Nor this", "menu-recall")
    bob.has("html[data-missed]")
    bob.hears("Nor this")
    ada.choose("Not even this", "menu-recall")
    bob.wait(lambda: len(bob.elements(taken_back)) == 3, "both to go")
    ada.wait(lambda: len(ada.elements(taken_back)) == 3, "both to go")
    bob.shoot("channel-desktop-light")


def come_together(server, ada, crowd):
    """Who joins a channel at once is told of together; the page counts and names them, and asks for nothing."""
    group = crowd[0].ask("group.search", query="Everyone's mill")["groups"][0]["id"]
    for miller in crowd:
        miller.ask("group.join", group=group)
    ada.open_named("Everyone's mill")
    ada.wait(lambda: "8 members" in ada.find("pane-subtitle").text, "all of them to be counted")
    told = lambda: " ".join(e.text for e in ada.elements('[data-testid="notice"]'))
    ada.wait(lambda: "Miller 0 joined the group" in told(), "the first")
    ada.wait(lambda: all(f"Miller {n}" in told() for n in range(1, 4)), "those who came with others")
    ada.shoot("channel-joined-desktop-light")


def outlives(server, address):
    """Waits until a signed address is good no more."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(address, timeout=LIMIT_S).close()
        except urllib.error.HTTPError as error:
            assert error.code == 403, error
            return
    raise AssertionError(f"{address} does not grow old")


def look_again(server, ada, bob, folder):
    """A picture whose address has grown old is shown all the same, also where the clock says that it has not."""
    picture = folder / "wheel.png"
    picture.write_bytes(png(500, 300))
    ada.open_named("Bob Noyce")
    bob.open_named("Ada Lovelace")
    ada.has("#attach:not([hidden])")
    ada.drop(picture)
    shown = "return [...document.querySelectorAll('[data-testid=picture] img')].find((i) => i.complete && i.naturalWidth)?.src"
    address = bob.wait(lambda: bob.driver.execute_script(shown), "the picture")
    outlives(server, address)
    bob.click("picture")
    whole = "const picture = document.querySelector('.picture-large'); return picture?.complete && picture.naturalWidth"
    bob.wait(lambda: bob.driver.execute_script(whole) == 500, "the whole picture")
    bob.click("dialog-close")

    # A clock that stands still long ago.
    bob.driver.execute_script("globalThis.now = Date.now; Date.now = () => 0;")
    bob.open_named("Everyone's mill")
    bob.open_named("Ada Lovelace")
    newer = bob.wait(lambda: bob.driver.execute_script(shown), "the picture again")
    bob.driver.execute_script("Date.now = globalThis.now;")
    assert newer != address
    refused = [entry["message"] for entry in bob.driver.get_log("browser") if entry["level"] == "SEVERE"]
    assert all("/files/" in message and "403" in message for message in refused), refused


def main(program, screenshots):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "gatehouse.toml"
        config.write_text(CONFIG)
        arguments = ("--config", str(config))
        server = Server(program, *arguments)
        ada = Page(server, DESKTOP, screenshots)
        bob = Page(server, DESKTOP, screenshots)
        ada.register("ada", "correct horse", "Ada Lovelace")
        bob.register("bob", "battery staple", "Bob Noyce")
        befriend(ada, bob)
        part(ada, bob)
        print("passed: friends, a remark, a block")
        meet(server, ada).close()
        type_along(ada, bob)
        print("passed: who is there, and who is typing")
        server = begin_to_write(program, arguments, server, ada, bob)
        delete_the_last(ada)
        look_too_early(ada)
        print("passed: drafts, the last message, and one that is looked for too early")
        carol = Stranger(server, "carol", "never mind me")
        take_back_in_a_channel(ada, bob, carol)
        carol.close()
        crowd = [Stranger(server, f"miller-{n}", "never mind me", f"Miller {n}") for n in range(5)]
        come_together(server, ada, crowd)
        for miller in crowd:
            miller.close()
        look_again(server, ada, bob, folder)
        print("passed: a channel, and a picture whose address has grown old")
        ada.close()
        bob.close()
        server.stop()
    print("4 passed, 0 failed")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
