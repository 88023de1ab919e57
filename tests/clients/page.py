"""The chat page in a browser window, and the server that it comes from."""

import re
import signal
import subprocess
import sys
from pathlib import Path

from browser import start_chromium
from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

LIMIT_S = 20
DESKTOP = (1280, 800)
PHONE = (360, 740)


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

    @property
    def ports(self):
        """Where it listens, for one that takes its place."""
        return (self.http, f"{self.tcp[0]}:{self.tcp[1]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT_S) == 0, "SIGTERM ends in order"


def retried(look):
    """Looks again where the page has drawn anew in the middle of a look."""

    def again(*arguments):
        try:
            return look(*arguments)
        except StaleElementReferenceException:
            return None

    return again


class Page:
    """The chat page in a browser window."""

    def __init__(self, server, size, screenshots, dark=False):
        self.driver = start_chromium(size)
        self.screenshots = Path(screenshots)
        self.resize(size)
        self.colours(dark)
        self.address = f"http://{server.http}/"
        self.driver.get(self.address)

    def resize(self, size):
        # Headless windows have a smallest width; the device's is set as phones report it.
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size[0] < 500},
        )

    def colours(self, dark):
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def wait(self, condition, what):
        try:
            return WebDriverWait(self.driver, LIMIT_S, poll_frequency=0.05).until(
                lambda _: retried(condition)(), f"waited for {what}"
            )
        except TimeoutException:
            self.shoot("failure")
            raise

    def elements(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def find(self, test_id, extra=""):
        """The first element that is shown."""
        selector = f'[data-testid="{test_id}"]{extra}'
        shown = lambda: next((e for e in self.elements(selector) if e.is_displayed()), None)
        return self.wait(shown, selector)

    def click(self, test_id, extra=""):
        self.wait(lambda: self.find(test_id, extra).click() or True, f"a click on {test_id}")

    def type(self, test_id, text):
        field = self.find(test_id)
        field.clear()
        field.send_keys(text)
        return field

    def has(self, selector):
        self.wait(lambda: self.elements(selector), selector)

    def lacks(self, selector):
        self.wait(lambda: not self.elements(selector), f"no {selector}")

    def is_connected(self):
        self.has('[data-testid="status"][data-state="connected"]')

    def log_in(self, name):
        """As a guest."""
        self.click("way-guest")
        self.type("name-input", name)
        self.click("login-button")
        self.is_connected()

    def register(self, login, password, name):
        self.click("way-register")
        self.type("login-input", login)
        self.type("password-input", password)
        self.type("name-input", name)
        self.click("login-button")
        self.is_connected()

    def log_in_with(self, login, password):
        self.click("way-login")
        self.type("login-input", login)
        self.type("password-input", password)
        self.click("login-button")

    def open(self, conversation):
        self.click_first(f'[data-testid="conversation-list"] [data-conversation="{conversation}"]')
        self.find("message-input")

    def open_named(self, name):
        self.click_first(f'[data-testid="conversation-list"] [data-name="{name}"]')
        self.wait(lambda: self.find("pane-title").text == name, f"the conversation {name}")

    def click_first(self, selector):
        shown = lambda: next((e for e in self.elements(selector) if e.is_displayed()), None)
        self.wait(lambda: (found := shown()) and (found.click() or True), f"a click on {selector}")

    def row(self, name):
        """What the list says of a conversation."""
        found = self.elements(f'[data-testid="conversation-list"] [data-name="{name}"]')
        return found[0].text if found else ""

    def lists(self, name, text):
        """The list says this of a conversation, in the end."""
        self.wait(lambda: text in self.row(name), f"{text!r} in the row of {name}")

    def finds_online(self, name, online):
        """Whether the other one of the conversation that is open is there; told long before a heartbeat is missed."""
        assert self.find("pane-title").text == name
        text = "Online" if online else "Not online"
        self.wait(lambda: self.find("pane-subtitle").text == text, f"{name}: {text}")

    def say(self, text, state="sent"):
        field = self.find("message-input")
        field.send_keys(text, Keys.ENTER)
        return self.hears(text, state=state)

    def hears(self, text, sender=None, state=None, read=None):
        def heard():
            for bubble in self.elements('[data-testid="message"]'):
                body = bubble.find_elements(By.CSS_SELECTOR, '[data-testid="message-body"]')
                if (
                    body
                    and body[0].text == text
                    and sender in (None, bubble.get_attribute("data-sender"))
                    and state in (None, bubble.get_attribute("data-state"))
                    and read in (None, bubble.get_attribute("data-read"))
                ):
                    return bubble
            return None

        return self.wait(heard, f"the message {text!r}")

    def choose(self, text, item):
        """Opens the menu of the message `text` and chooses `item`."""
        def opened():
            bubble = self.hears(text)
            more = bubble.find_element(By.CSS_SELECTOR, '[data-testid="message-more"]')
            self.driver.execute_script("arguments[0].click()", more)
            return True

        self.wait(opened, f"the menu of {text!r}")
        self.click(item)

    def hold_catching_up(self):
        """Loads the page again and keeps it from asking what was missed, until what is given back is called."""
        script = """
            const post = MessagePort.prototype.postMessage;
            const held = [];
            MessagePort.prototype.postMessage = function (message, ...more) {
                if (message?.op !== 'inbox.sync') return post.call(this, message, ...more);
                document.documentElement.dataset.held = 'true';
                held.push(() => post.call(this, message, ...more));
            };
            globalThis.catchUp = () => {
                MessagePort.prototype.postMessage = post;
                for (const ask of held) ask();
            };
        """
        added = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        self.driver.refresh()
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
        self.has("html[data-held]")
        return lambda: self.driver.execute_script("catchUp()")

    def miss_a_change(self):
        """The next push of a change does not reach the page."""
        script = """
            const [done] = arguments;
            import(`${location.origin}/chat/app.js`).then(({ app: { inbox } }) => {
                inbox.push = (message) => {
                    if (message.change === undefined) return Object.getPrototypeOf(inbox).push.call(inbox, message);
                    delete inbox.push;
                    document.documentElement.dataset.missed = 'true';
                };
                done();
            });
        """
        self.driver.execute_async_script(script)

    def hold_history(self, conversation):
        """Keeps pages of history from the page, once the server has given them, until what is given back is called."""
        script = """
            const [conversation, done] = arguments;
            import(`${location.origin}/chat/app.js`).then(({ app: { link } }) => {
                let release;
                const held = new Promise((resolve) => { release = resolve; });
                link.request = async (op, data) => {
                    const ok = await Object.getPrototypeOf(link).request.call(link, op, data);
                    if (op === 'message.history' && data.conversation === conversation) {
                        document.documentElement.dataset.held = 'true';
                        await held;
                    }
                    return ok;
                };
                globalThis.releaseHistory = () => {
                    delete link.request;
                    delete document.documentElement.dataset.held;
                    release();
                };
                done();
            });
        """
        self.driver.execute_async_script(script, conversation)
        return lambda: self.driver.execute_script("releaseHistory()")

    def drop(self, path):
        """Drags a file from the desk onto the conversation."""
        script = """
            const input = document.createElement('input');
            input.type = 'file';
            input.id = 'dropped';
            document.body.append(input);
        """
        self.driver.execute_script(script)
        self.driver.find_element(By.ID, "dropped").send_keys(str(path))
        script = """
            const input = document.getElementById('dropped');
            const data = new DataTransfer();
            for (const file of input.files) data.items.add(file);
            input.remove();
            for (const type of ['dragover', 'drop']) {
                const event = new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true });
                document.getElementById('pane').dispatchEvent(event);
            }
        """
        self.driver.execute_script(script)

    def shoot(self, name):
        # What is just coming up is shown as it will be.
        self.driver.execute_script(
            "for (const animation of document.getAnimations())"
            " if (animation.effect.getComputedTiming().endTime !== Infinity) animation.finish();"
        )
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
