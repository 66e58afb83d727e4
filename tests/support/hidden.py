"""A password of every special character, and whether a text shows it or a part of it."""

import base64
import json
import os
import string
import urllib.parse

SECRET = "S3cr3t" + string.punctuation + " ñ☕"


def forms_of(secret):
    """As it is, and as it would look in a URL, in JSON, in base64, in hexadecimal digits."""
    raw = secret.encode()
    return {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret),
            json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1],
            base64.b64encode(raw).decode().rstrip("="), raw.hex()}


PARTS = forms_of(SECRET) | {"S3cr3t", SECRET[6:20]}


def clean(text, what, parts=PARTS):
    """Fails where one of the parts is in the text; it does not repeat them either."""
    assert not any(part in text for part in parts), f"{what} shows a secret, or a part of it"


def lines_of(pem):
    """What a key in PEM would look like: each line of its base64."""
    return {line for line in pem.splitlines() if len(line) > 20 and not line.startswith("-----")}


def command_lines(pid):
    """What everybody sees of a process with ps: its arguments, and the names of its threads."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        text = file.read().replace(b"\0", b" ").decode()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as file:
            text += "\n" + file.read()
    return text
