"""A browser without a window: cookies, forms, redirects. It sends what a browser sends (Origin with
every form) unless a test takes it away, and shows what a person sees as text."""

import html.parser
import http.client
import random
import urllib.parse


class _Forms(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms, self.words, self.button, self.skipped = [], [], None, False

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.forms.append({"action": attrs["action"], "method": attrs.get("method", "get"),
                               "fields": {}, "buttons": []})
        elif tag == "input" and self.forms and "name" in attrs:
            chosen = attrs.get("type") not in ("radio", "checkbox") or "checked" in attrs
            if chosen:
                self.forms[-1]["fields"][attrs["name"]] = attrs.get("value", "")
        elif tag == "button":
            self.button = ""
        elif tag in ("style", "title"):
            self.skipped = True

    def handle_endtag(self, tag):
        if tag == "button" and self.forms:
            self.forms[-1]["buttons"].append(self.button)
            self.button = None
        elif tag in ("style", "title"):
            self.skipped = False

    def handle_data(self, data):
        if self.button is not None:
            self.button += data
        if not self.skipped and data.strip():
            self.words.append(" ".join(data.split()))


class Page:
    """An answer. `forms` have action, method, fields and buttons; `words` is what one can read."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.set_cookies = [v for n, v in headers if n.lower() == "set-cookie"]
        self.source = body.decode()
        reader = _Forms()
        reader.feed(self.source)
        self.forms, self.words = reader.forms, " ".join(reader.words)

    @property
    def location(self):
        return self.headers.get("location")

    def form(self, button):
        found = [form for form in self.forms if button in form["buttons"]]
        assert len(found) == 1, f"{len(found)} forms with the button {button!r}: {self.words}"
        return found[0]

    def cookie(self, name):
        """The whole Set-Cookie of that name; None."""
        found = [one for one in self.set_cookies if one.startswith(name + "=")]
        return found[-1] if found else None

    def __repr__(self):
        return f"Page({self.status}, {self.location}, {self.words[:400]!r})"


class Browser:
    def __init__(self, server, language="en", address=None):
        self.server, self.language = server, language
        self.cookies = {}
        self.origin = server.url
        # Behind a trusted proxy each has an address of its own, so that throttles do not meet.
        self.address = address or ".".join(str(random.randint(1, 254)) for _ in range(4))

    def request(self, method, path, fields=None, headers=None, body=None):
        """`fields`: a dict or a list of pairs, sent as a form."""
        head = {"Accept": "text/html", "Accept-Language": self.language,
                "X-Forwarded-For": self.address}
        if self.cookies:
            head["Cookie"] = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
        if fields is not None:
            body = urllib.parse.urlencode(fields)
        if method == "POST":
            head["Content-Type"] = "application/x-www-form-urlencoded"
            head["Origin"] = self.origin
        head.update(headers or {})
        head = {name: value for name, value in head.items() if value is not None}
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=head)
            answer = connection.getresponse()
            page = Page(answer.status, answer.getheaders(), answer.read())
        finally:
            connection.close()
        for one in page.set_cookies:
            name, _, rest = one.partition("=")
            value = rest.split(";")[0]
            if "Max-Age=0" in one:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return page

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def open(self, path):
        """Follows redirects, as long as they lead to us."""
        page = self.get(path)
        for _ in range(5):
            if page.status not in (302, 303):
                break
            assert page.location.startswith("/") and not page.location.startswith("//")
            page = self.get(page.location)
        return page

    def press(self, page, button, headers=None, **changes):
        """Sends the form with that button, some fields changed (None: left out)."""
        form = page.form(button)
        fields = {**form["fields"], **changes}
        fields = {name: value for name, value in fields.items() if value is not None}
        if form["method"] == "get":
            return self.open(form["action"] + "?" + urllib.parse.urlencode(fields))
        return self.request("POST", form["action"], fields, headers)

    def follow(self, page):
        assert page.status == 303, page
        return self.open(page.location)

    def check_out(self, slug, email, password="correct horse", **more):
        """A visitor subscribes; the answer to the button."""
        page = self.get(f"/checkout/{slug}")
        fields = {"first_name": "Ana", "last_name": "Gil", "email": email, "password": password,
                  "terms": "yes", **more}
        return self.press(page, "Subscribe", **fields)

    def sign_in(self, email, password="correct horse"):
        return self.press(self.get("/sign-in"), "Sign in", email=email, password=password)
