"""Requests whose end, host or meaning two parsers could read differently. Each carries a second
request in a place where only a wrong reading would find it; that one must never be answered.

A row: name, bytes, the statuses that may answer the first request. NONE: closed without an answer.
"""

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: h\r\n\r\n"
NONE = 0
LEN = str(len(HIDDEN)).encode()


def _post(headers, body=HIDDEN, target=b"/echo", method=b"POST", host=b"Host: h\r\n"):
    return method + b" " + target + b" HTTP/1.1\r\n" + host + headers + b"\r\n" + body


def _get(headers=b"", line=b"GET /hello HTTP/1.1\r\n", host=b"Host: h\r\n", after=HIDDEN):
    return line + host + headers + b"\r\n" + after


def _lengths():
    wrong = [
        ("empty", b""), ("blank", b"  "), ("plus", b"+" + LEN), ("minus", b"-1"), ("minus-zero", b"-0"),
        ("hex", b"0x21"), ("letters", b"abc"), ("trailing-letter", LEN + b"a"), ("leading-letter", b"a5"),
        ("inner-space", b"3 3"), ("inner-tab", b"3\t3"), ("list-same", LEN + b", " + LEN),
        ("list-other", b"0, " + LEN), ("list-empty", b","), ("fraction", b"5.0"), ("exponent", b"1e1"),
        ("quoted", b'"' + LEN + b'"'), ("semicolon", LEN + b";"), ("underscore", b"3_3"),
        ("2^64", b"18446744073709551616"), ("2^64+len", b"18446744073709551650"),
        ("2^63", b"9223372036854775808"), ("30-digits", b"1" * 30), ("nul", b"0\x00" + LEN),
        ("vertical-tab", b"\x0b" + LEN), ("form-feed", LEN + b"\x0c"), ("non-breaking", b"\xa0" + LEN),
        ("arabic-digits", "٣٤".encode()),
    ]
    for name, value in wrong:
        statuses = {400, 413, NONE} if len(value) > 18 else {400, NONE}
        yield "length-" + name, _post(b"Content-Length: " + value + b"\r\n"), statuses
    one = b"Content-Length: " + LEN + b"\r\n"
    zero = b"Content-Length: 0\r\n"
    yield "length-twice-same", _post(one + one), {400}
    yield "length-twice-zero-first", _post(zero + one), {400}
    yield "length-twice-zero-last", _post(one + zero), {400}
    yield "length-twice-other-case", _post(zero + one.lower()), {400}
    yield "length-thrice", _post(one + one + one), {400}
    yield "length-apart", _post(zero + b"X-A: b\r\n" + one), {400}
    yield "length-space-before-colon", _post(b"Content-Length : 0\r\n" + one), {400, NONE}
    yield "length-tab-before-colon", _post(b"Content-Length\t: 0\r\n" + one), {400, NONE}
    yield "length-only-with-space-before-colon", _post(b"Content-Length : " + LEN + b"\r\n"), {400, NONE}
    yield "length-name-goes-on", _post(b"Content-Lengthx: 5\r\n" + one), {400}
    yield "length-name-with-nul", _post(b"Content-Length\x00: 0\r\n" + one), {400, NONE}
    yield "length-name-with-digit", _post(b"Content-Length5: 0\r\n" + one), {400}
    yield "length-folded", _post(b"Content-Length:\r\n " + LEN + b"\r\n"), {400, NONE}
    yield "length-folded-tab", _post(b"Content-Length:\r\n\t" + LEN + b"\r\n"), {400, NONE}
    yield "length-folded-after-zero", _post(b"Content-Length: 0\r\n " + LEN + b"\r\n"), {400, NONE}
    yield "length-folded-inside", _post(b"Content-Length: 3\r\n 4\r\n"), {400, NONE}
    yield "length-inside-folded-other", _post(b"X-A: b\r\n Content-Length: " + LEN + b"\r\n"), {400, NONE}
    yield "length-line-of-space", _post(b" \r\n" + one), {400, NONE}
    yield "length-after-bare-cr", _post(b"X-A: b\rContent-Length: " + LEN + b"\r\n"), {400, NONE}
    yield "length-after-bare-lf", _post(b"X-A: b\nContent-Length: " + LEN + b"\r\n"), {400, NONE}
    yield "length-after-nul", _post(b"X-A: b\x00Content-Length: " + LEN + b"\r\n"), {400, NONE}
    yield "length-get", _get(one), {400}
    yield "length-head", _get(one, line=b"HEAD /hello HTTP/1.1\r\n"), {400}
    yield "length-too-short-body", _post(b"Content-Length: 999\r\n"), {408, NONE}


def _codings():
    te = b"Transfer-Encoding: "
    chunks = b"0\r\n\r\n" + HIDDEN
    inside = b"%x\r\n" % len(HIDDEN) + HIDDEN + b"\r\n0\r\n\r\n"
    yield "chunked", _post(te + b"chunked\r\n", chunks), {411}
    yield "chunked-upper", _post(te + b"CHUNKED\r\n", chunks), {411}
    yield "chunked-in-data", _post(te + b"chunked\r\n", inside), {411}
    yield "chunked-get", _get(te + b"chunked\r\n", after=chunks), {411}
    yield "chunked-bare-lf", _post(te + b"chunked\r\n", b"0\n\n" + HIDDEN), {411}
    yield "chunked-extension", _post(te + b"chunked\r\n", b"0;a=b\nx\r\n\r\n" + HIDDEN), {411}
    yield "chunked-negative", _post(te + b"chunked\r\n", b"-1\r\n" + HIDDEN), {411}
    yield "chunked-overflow", _post(te + b"chunked\r\n", b"f" * 17 + b"\r\n" + HIDDEN), {411}
    yield "chunked-hex-prefix", _post(te + b"chunked\r\n", b"0x0\r\n\r\n" + HIDDEN), {411}
    yield "chunked-trailer", _post(te + b"chunked\r\n", b"0\r\nContent-Length: 9\r\n\r\n" + HIDDEN), {411}
    for name, value in [
        ("identity", b"identity"), ("gzip", b"gzip"), ("gzip-chunked", b"gzip, chunked"),
        ("chunked-twice", b"chunked, chunked"), ("chunked-identity", b"chunked, identity"),
        ("xchunked", b"xchunked"), ("chunkedx", b"chunkedx"), ("quoted", b'"chunked"'),
        ("semicolon", b"chunked;q=1"), ("comma-first", b",chunked"), ("comma-last", b"chunked,"),
        ("empty", b""), ("vertical-tab", b"\x0bchunked"), ("form-feed", b"chunked\x0c"),
        ("nul", b"chunked\x00"), ("bare-cr", b"chunked\r"), ("del", b"chunked\x7f"), ("false", b"false"),
    ]:
        yield "coding-" + name, _post(te + value + b"\r\n", chunks), {400, NONE}
    length = b"Content-Length: " + str(len(chunks)).encode() + b"\r\n"
    yield "coding-then-length", _post(te + b"chunked\r\n" + length, chunks), {400}
    yield "length-then-coding", _post(length + te + b"chunked\r\n", chunks), {400}
    yield "length-and-unknown-coding", _post(length + te + b"x\r\n", chunks), {400}
    yield "length-zero-and-coding", _post(b"Content-Length: 0\r\n" + te + b"chunked\r\n", chunks), {400}
    yield "coding-twice", _post(te + b"chunked\r\n" + te + b"chunked\r\n", chunks), {400}
    yield "coding-twice-other", _post(te + b"identity\r\n" + te + b"chunked\r\n", chunks), {400}
    yield "coding-space-before-colon", _post(b"Transfer-Encoding : chunked\r\n", chunks), {400, NONE}
    yield "coding-folded", _post(b"Transfer-Encoding:\r\n chunked\r\n", chunks), {400, NONE}
    yield "coding-folded-name", _post(b"Transfer-Encoding\r\n : chunked\r\n", chunks), {400, NONE}
    yield "coding-name-goes-on", _post(b"Transfer-Encoding1: chunked\r\n", chunks), {400}
    yield "coding-leading-space", _post(b" Transfer-Encoding: chunked\r\n", chunks), {400, NONE}
    yield "coding-leading-tab-after", _post(b"X-A: b\r\n\tTransfer-Encoding: chunked\r\n", chunks), {400, NONE}
    yield "coding-in-1.0", b"POST /echo HTTP/1.0\r\nHost: h\r\n" + te + b"chunked\r\n\r\n" + chunks, {400}


def _hosts():
    for name, lines in [
        ("none", b""), ("empty", b"Host:\r\n"), ("twice-same", b"Host: h\r\nHost: h\r\n"),
        ("twice", b"Host: h\r\nHost: evil\r\n"), ("twice-case", b"Host: h\r\nhOST: h\r\n"),
        ("list", b"Host: h, evil\r\n"), ("space", b"Host: h evil\r\n"), ("path", b"Host: h/evil\r\n"),
        ("user", b"Host: u@h\r\n"), ("query", b"Host: h?x\r\n"), ("fragment", b"Host: h#x\r\n"),
        ("backslash", b"Host: h\\evil\r\n"), ("bad-port", b"Host: h:80x\r\n"),
        ("large-port", b"Host: h:65536\r\n"), ("two-ports", b"Host: h:80:81\r\n"),
        ("open-bracket", b"Host: [::1\r\n"), ("after-bracket", b"Host: [::1]x\r\n"),
        ("zone", b"Host: [fe80::1%25eth0]\r\n"), ("percent", b"Host: h%2eevil\r\n"),
        ("non-ascii", "Host: hé\r\n".encode()), ("nul", b"Host: h\x00evil\r\n"),
        ("control", b"Host: h\x01\r\n"), ("folded", b"Host: h\r\n evil\r\n"),
        ("folded-empty", b"Host:\r\n h\r\n"), ("space-before-colon", b"Host : h\r\n"),
        ("name-goes-on", b"Host: h\r\nHostx: evil\r\n"), ("comma-only", b"Host: ,\r\n"),
        ("scheme", b"Host: http://h\r\n"), ("dot-first", b"Host: .h\r\n"),
    ]:
        yield "host-" + name, _get(host=lines), {400, NONE}


def _lines():
    yield "lf-everywhere", _get().replace(b"\r\n", b"\n"), {400, NONE}
    yield "lf-after-request-line", _get(line=b"GET /hello HTTP/1.1\n"), {400, NONE}
    yield "lf-after-host", _get(host=b"Host: h\n"), {400, NONE}
    yield "lf-after-header", _get(b"X-A: b\n"), {400, NONE}
    yield "lf-ends-header", b"GET /hello HTTP/1.1\r\nHost: h\r\n\n" + HIDDEN, {400, NONE}
    yield "lf-lf-ends-header", b"GET /hello HTTP/1.1\r\nHost: h\n\n" + HIDDEN, {400, NONE}
    yield "cr-after-request-line", _get(line=b"GET /hello HTTP/1.1\r"), {400, NONE}
    yield "cr-after-header", _get(b"X-A: b\r"), {400, NONE}
    yield "cr-cr-lf", _get(b"X-A: b\r\r\n"), {400, NONE}
    yield "cr-in-value", _get(b"X-A: b\rX-B: c\r\n"), {400, NONE}
    yield "lf-cr", _get(b"X-A: b\n\r"), {400, NONE}
    yield "no-colon", _get(b"X-A\r\n"), {400, NONE}
    yield "no-name", _get(b": x\r\n"), {400, NONE}
    yield "space-before-first-header", b"GET /hello HTTP/1.1\r\n Host: h\r\n\r\n" + HIDDEN, {400, NONE}
    yield "folded-value", _get(b"X-A: b\r\n c\r\n"), {400, NONE}
    yield "folded-empty-value", _get(b"X-A:\r\n\r\n"[:-2] + b" c\r\n"), {400, NONE}
    yield "folded-twice", _get(b"X-A: b\r\n c\r\n\td\r\n"), {400, NONE}
    for name, text in [
        ("space", b"X A"), ("tab", b"X\tA"), ("paren", b"X(A"), ("quote", b'X"A'), ("slash", b"X/A"),
        ("at", b"X@A"), ("bracket", b"X[A"), ("brace", b"X{A"), ("equals", b"X=A"), ("comma", b"X,A"),
        ("semicolon", b"X;A"), ("control", b"X\x01A"), ("del", b"X\x7fA"), ("nul", b"X\x00A"),
        ("non-ascii", b"X\xe9A"), ("space-last", b"X-A "), ("less", b"X<A"), ("question", b"X?A"),
    ]:
        yield "name-" + name, _get(text + b": b\r\n"), {400, NONE}
    for name, text in [("nul", b"a\x00b"), ("control", b"a\x01b"), ("del", b"a\x7fb"), ("escape", b"\x1b[31m"),
                       ("vertical-tab", b"a\x0bb"), ("nul-first", b"\x00"), ("nul-last", b"a\x00")]:
        yield "value-" + name, _get(b"X-A: " + text + b"\r\n"), {400, NONE}


def _request_lines():
    rows = [
        ("lower-case-method", b"get /hello HTTP/1.1", {400, 501}),
        ("unknown-method", b"FOO /hello HTTP/1.1", {501}),
        ("method-prefix", b"GETX /hello HTTP/1.1", {501}),
        ("method-control", b"G\x01T /hello HTTP/1.1", {400, NONE}),
        ("method-nul", b"G\x00T /hello HTTP/1.1", {400, NONE}),
        ("method-slash", b"G/T /hello HTTP/1.1", {400, NONE}),
        ("method-colon", b"GET: /hello HTTP/1.1", {400, NONE}),
        ("leading-space", b" GET /hello HTTP/1.1", {400, NONE}),
        ("two-spaces", b"GET  /hello HTTP/1.1", {400, NONE}),
        ("tab", b"GET\t/hello HTTP/1.1", {400, NONE}),
        ("tab-before-version", b"GET /hello\tHTTP/1.1", {400, NONE}),
        ("two-spaces-before-version", b"GET /hello  HTTP/1.1", {400, NONE}),
        ("trailing-space", b"GET /hello HTTP/1.1 ", {400, 505, NONE}),
        ("no-version", b"GET /hello", {400, 505, NONE}),
        ("http-2", b"GET /hello HTTP/2.0", {400, 505, NONE}),
        ("http-0.9", b"GET /hello HTTP/0.9", {400, 505, NONE}),
        ("http-lower", b"GET /hello http/1.1", {400, 505, NONE}),
        ("http-1.1x", b"GET /hello HTTP/1.1x", {400, 505, NONE}),
        ("http-1.10", b"GET /hello HTTP/1.10", {400, 505, NONE}),
        ("http-11", b"GET /hello HTTP/11", {400, 505, NONE}),
        ("http-comma", b"GET /hello HTTP/1,1", {400, 505, NONE}),
        ("icap", b"GET /hello ICAP/1.1", {400, 505, NONE}),
        ("three-words", b"GET /hello x HTTP/1.1", {400, NONE}),
        ("target-empty", b"GET  HTTP/1.1", {400, NONE}),
        ("target-no-slash", b"GET hello HTTP/1.1", {400}),
        ("target-star", b"GET * HTTP/1.1", {400}),
        ("target-authority", b"GET h:80 HTTP/1.1", {400}),
        ("target-other-host", b"GET http://evil/hello HTTP/1.1", {400}),
        ("target-other-port", b"GET http://h:81/hello HTTP/1.1", {400}),
        ("target-user", b"GET http://u@h/hello HTTP/1.1", {400}),
        ("target-no-host", b"GET http:///hello HTTP/1.1", {400}),
        ("target-ftp", b"GET ftp://h/hello HTTP/1.1", {400}),
        ("target-fragment", b"GET /hello#x HTTP/1.1", {400}),
        ("target-nul", b"GET /hello\x00/x HTTP/1.1", {400, NONE}),
        ("target-encoded-nul", b"GET /hello%00/x HTTP/1.1", {400}),
        ("target-encoded-nul-query", b"GET /hello?a=%00 HTTP/1.1", {400}),
        ("target-half-escape", b"GET /hello%2 HTTP/1.1", {400}),
        ("target-bad-escape", b"GET /hello%zz HTTP/1.1", {400}),
        ("target-overlong", b"GET /show/%c0%af HTTP/1.1", {400}),
        ("target-latin1", b"GET /show/%e9 HTTP/1.1", {400}),
        ("target-raw-utf8", "GET /é HTTP/1.1".encode(), {400}),
        ("target-control", b"GET /a\x01b HTTP/1.1", {400}),
        ("target-del", b"GET /a\x7fb HTTP/1.1", {400}),
        ("target-backslash", b"GET /a\\b HTTP/1.1", {400}),
        ("target-quote", b'GET /a"b HTTP/1.1', {400}),
        ("target-less", b"GET /a<b HTTP/1.1", {400}),
        ("target-brace", b"GET /{id} HTTP/1.1", {400}),
        ("target-pipe", b"GET /a|b HTTP/1.1", {400}),
        ("target-vertical-tab", b"GET /a\x0bb HTTP/1.1", {400, NONE}),
        ("connect", b"CONNECT h:80 HTTP/1.1", {400, 405, 501}),
        ("http2-preface", b"PRI * HTTP/2.0", {400, 505, NONE}),
    ]
    for name, line, statuses in rows:
        yield "line-" + name, _get(line=line + b"\r\n"), statuses
    yield "line-lf-in-it", b"GET /hello\nX: HTTP/1.1\r\nHost: h\r\n\r\n" + HIDDEN, {400, 505, NONE}
    yield "line-nothing-but-spaces", b"   \r\n" + HIDDEN.replace(b"\r\n\r\n", b"\r\nX\r\n\r\n"), {400, NONE}
    yield "line-binary", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n" + HIDDEN, {400, 505, NONE}


def _bodies():
    """The hidden request is a body: it must be taken as one, whatever becomes of the request."""
    length = b"Content-Length: " + LEN + b"\r\n"
    close = b"Connection: close\r\n"
    yield "body-echo", _post(length + close), {200}
    yield "body-put", _post(length + close, method=b"PUT", target=b"/echo/1"), {200}
    yield "body-delete", _post(length + close, method=b"DELETE", target=b"/echo/1"), {200}
    yield "body-not-found", _post(length, target=b"/nope"), {404}
    yield "body-not-allowed", _post(length, target=b"/hello"), {405}
    yield "body-patch", _post(length, target=b"/hello", method=b"PATCH"), {405}
    yield "body-options", _post(length, target=b"/hello", method=b"OPTIONS"), {204}
    yield "body-trace", _post(length, target=b"/hello", method=b"TRACE"), {405}
    yield "body-unknown-method", _post(length, target=b"/hello", method=b"FOO"), {501}
    yield "body-wrong-type", _post(length + b"Content-Type: text/plain\r\n", target=b"/json"), {415}
    yield "body-too-large", _post(length, target=b"/small"), {413}
    yield "body-too-large-delete", _post(b"Content-Length: 70000\r\n", target=b"/echo/1", method=b"DELETE"), {413}
    yield "body-too-large-expect", _post(length + b"Expect: 100-continue\r\n", target=b"/small"), {413}
    yield "body-other-expectation", _post(length + b"Expect: a-miracle\r\n"), {417}
    yield "body-awaited", _post(length + close, target=b"/await?ms=5"), {200}
    yield "body-awaited-pipelined-after", _post(b"Content-Length: 0\r\n" + close, target=b"/await?ms=5"), {200}
    yield "body-upgrade", _post(length + b"Connection: Upgrade, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), {200}
    yield "header-too-large", _get(b"X-A: " + b"a" * 5000 + b"\r\n"), {431}
    yield "header-far-too-large", _get(b"X-A: " + b"a" * 20000 + b"\r\n"), {431, NONE}
    yield "headers-too-many", _get(b"X: y\r\n" * 100), {431}
    yield "target-too-long", _get(line=b"GET /" + b"a" * 3000 + b" HTTP/1.1\r\n"), {414}
    yield "target-far-too-long", _get(line=b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n"), {414, 431, NONE}
    yield "close-then-more", _get(close), {200}
    yield "http-1.0-then-more", b"GET /hello HTTP/1.0\r\n\r\n" + HIDDEN, {200}


def cases():
    rows = [*_lengths(), *_codings(), *_hosts(), *_lines(), *_request_lines(), *_bodies()]
    names = [row[0] for row in rows]
    assert len(set(names)) == len(names), "a name is there twice"
    return rows
