"""Chromium without a window, driven by Selenium."""

import contextlib
import shutil
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service


def start_chromium(size=(1280, 800), trusting_anyone=False):
    """A driver, to be ended with `quit`. `trusting_anyone` takes any certificate."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    options.accept_insecure_certs = trusting_anyone
    profile = tempfile.mkdtemp(prefix="gatehouse-chromium-")
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        # A page of nobody's may speak to this host.
        "--disable-features=LocalNetworkAccessChecks",
        f"--window-size={size[0]},{size[1]}",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.profile_folder = profile
    return driver


@contextlib.contextmanager
def chromium(**options):
    driver = start_chromium(**options)
    try:
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(driver.profile_folder, ignore_errors=True)
