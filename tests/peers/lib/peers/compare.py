"""The same requests at two copies of an origin: at one directly, at the other through Passeur.

Equal must be: the status, all fields but those of the single hop, `Date`, `Via` and the request id,
and the body. Lock tokens and ETags that an origin draws from chance or the clock are numbered by
their first appearance in each of the two runs, so what is compared is where each of them turns up
again; times are compared unless they are of the last minutes.
"""

import datetime
import difflib
import email.utils
import re
import time
from dataclasses import replace
from urllib.parse import unquote

from peers import expect, expect_equal, fail, found
from peers.http1 import Answer, Broken, Connection
from peers.requests import HOST, table, unreadable

# RFC 9110 section 7.6.1, and what names the exchange.
LEFT_OUT = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade", "date", "via", "x-request-id",
}  # fmt: skip
TOKEN = re.compile(r"(?:opaquelocktoken|urn:uuid):[0-9A-Za-z:-]{20,}")
IMF_DATE = re.compile(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT")
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
BOUNDARY = re.compile(r"boundary=([\w-]+)")
INSTANCE = re.compile(r"(?<![a-z])oc[0-9a-z]{10}(?![0-9a-z])")  # in cookies and file ids
CHANCE = re.compile(r"(?:[\w+/=:]|%[23][A-F0-9]){40,}")  # nonces and request tokens, escaped or not
SHARE = re.compile(r'(?<="token":")\w+|(?<=/s/)\w+')  # drawn when the stand-in is first opened
SESSION = re.compile(r"^(oc_sessionPassphrase=|oc[0-9a-z]{10}=)([^;]+)")
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")  # WsgiDAV signs its pages with it
QUOTA = re.compile(r"(?<=-bytes>)\d+(?=<)")  # of the disk, while others use it
PREFIX = r'\s+xmlns:\w+="[^"]*"'
PREFIXES = re.compile(rf"(?:{PREFIX}){{2,}}")  # Apache draws their order by lot, too
GETETAG = re.compile(r"(getetag>\s*)([^<\s]+)(\s*<)")
ETAG = re.compile(r'(?:W/)?"[^"]+"|[^<\s]+')


class Run:
    """One of the two: a connection, what it remembers, what it saw."""

    def __init__(self, connect, keep, host, fields):
        self.connect, self.keep = connect, keep
        self.host, self.fields = host, fields
        self.connection = None
        self.remembered = {}
        self.numbers = {}

    def ask(self, what):
        answer = self._exchange(replace(what, fields=tuple(self._fields(what))))
        if not self.keep and self.connection:
            self._close()
        if what.remember:
            token = answer.get("lock-token") or "<opaquelocktoken:none>"
            self.remembered[what.remember] = (answer.get("etag") or '"none"', token)
        return answer

    def _fields(self, what):
        def known(match):
            kind, name = match.groups()
            return self.remembered[name][0 if kind == "etag" else 1]

        for name, value in what.fields:
            if isinstance(value, str):
                value = re.sub(r"<(etag|token) (\w+)>", known, value)
            yield name, value
        yield from self.fields

    def _exchange(self, what):
        """On the kept connection; on a new one if the kept one was closed meanwhile."""
        if self.connection:
            try:
                return self._once(what)
            except (Broken, OSError):
                self._close()
        self.connection = self.connect()
        try:
            return self._once(what)
        except Broken as broken:
            self._close()
            return Answer(0, str(broken), [], b"")

    def _once(self, what):
        answer = self.connection.ask(what.method, what.target, self.host, what.fields, what.body, what.chunked)
        if "close" in (answer.get("connection") or "").lower():
            self._close()
        return answer

    def _close(self):
        self.connection.close()
        self.connection = None

    # === what is compared

    def plain(self, answer):
        # New in every answer; within one, it matters where each turns up again.
        for kind in ("chance", "session"):
            self.numbers.pop(kind, None)
        fields = {}
        for name, value in answer.fields:
            if answer.status in (204, 304) and name == "content-length":
                continue  # wrong with 204, may be left out with 304 (RFC 9110 section 8.6); hyper does
            if name == "content-length" and answer.body and int(value) == len(answer.body):
                value = "as it is"  # what is replaced below may differ in length
            if name not in LEFT_OUT:
                fields.setdefault(name, []).append(self._plain_value(name, value))
        return answer.status, fields, self._plain_body(answer)

    def _plain_value(self, name, value):
        if name == "allow":  # Apache draws their order by lot
            value = ", ".join(sorted(re.split(r",\s*", value)))
        if name in ("etag", "oc-etag"):
            value = ETAG.sub(self._numbered_etag, value)
        if name == "content-security-policy":
            value = self._plain_chance(value)
        if name == "set-cookie":
            value = SESSION.sub(lambda match: match[1] + self._number("session", match[2]), value)
        return self._plain_text(value)

    def _plain_body(self, answer):
        if re.match("text/html|application/json", answer.get("content-type") or ""):
            text = self._plain_chance(answer.body.decode("utf-8", "surrogateescape"))
            text = SHARE.sub(lambda match: self._number("share", match[0]), text)
            return re.sub(r"\b\d{10}\b", lambda seconds: _old(seconds[0], float), self._plain_text(text))
        boundary = BOUNDARY.search(answer.get("content-type") or "")
        if boundary:
            return answer.body.replace(boundary[1].encode(), b"BOUNDARY")
        if "xml" not in (answer.get("content-type") or "") or answer.get("content-encoding"):
            return answer.body
        text = answer.body.decode("utf-8", "surrogateescape")
        text = GETETAG.sub(lambda tag: tag[1] + self._numbered_etag(tag, 2) + tag[3], text)
        text = QUOTA.sub("(disk)", text)
        text = PREFIXES.sub(lambda all: "".join(sorted(re.findall(PREFIX, all[0]))), text)
        return self._plain_text(text)

    def _plain_chance(self, text):
        return CHANCE.sub(lambda match: self._number("chance", unquote(match[0])), text)

    def _plain_text(self, text):
        text = INSTANCE.sub("(instance)", text)
        text = STAMP.sub("(stamp)", text)
        text = TOKEN.sub(lambda token: self._number("token", token[0]), text)
        text = BOUNDARY.sub("boundary=BOUNDARY", text)
        text = IMF_DATE.sub(lambda date: _old(date[0], email.utils.parsedate_to_datetime), text)
        return ISO_DATE.sub(lambda date: _old(date[0], datetime.datetime.fromisoformat), text)

    def _numbered_etag(self, match, group=0):
        """Keeps what a proxy might change: `W/`, quotes, the suffix of a compression."""
        text = match[group]
        weak, core = ("W/", text[2:]) if text.startswith("W/") else ("", text)
        bare, gzip = (core.strip('"'), "")
        if bare.endswith("-gzip"):
            bare, gzip = bare[:-5], "-gzip"
        quote = '"' if core.startswith('"') else ""
        return weak + quote + self._number("etag", bare) + gzip + quote

    def _number(self, kind, text):
        known = self.numbers.setdefault(kind, {})
        return known.setdefault(text, f"{kind}-{len(known)}")


def _old(text, parse):
    when = parse(text)
    when = when if isinstance(when, float) else when.timestamp()
    return "(now)" if abs(when - time.time()) < 1200 else text


def compare(direct, proxied, prefix="", host=HOST, fields=(), keep=True, connect=None, skip=None, more=(), decided=unreadable):
    """Sends all requests to both, and judges.

    `keep`: whether connections to the origin are used again. `connect` makes other connections to
    Passeur than those of HTTP/1.1 without TLS. `skip` tells which requests are left out, `more` are asked as well,
    `decided` gives the status of those that Passeur decides by its own rules: they are sent to it alone.
    """
    one = Run(lambda: Connection(direct), keep, host, fields)
    two = Run(connect or (lambda: Connection(proxied)), True, host, fields)
    different, unanswered, statuses = 0, 0, {}
    asked = [what for what in [*table(prefix, host), *more] if not (skip and skip(what))]
    for what in asked:
        if decided(what) is not None:
            expect_equal(two.ask(what).status, decided(what), f"{what}: status")
            continue
        answers = [one.ask(what), two.ask(what)]
        statuses[answers[0].status] = statuses.get(answers[0].status, 0) + 1
        left, right = one.plain(answers[0]), two.plain(answers[1])
        if left[0] == 0 and right[0] == 502:
            unanswered += 1  # the origin hung up, and Passeur says so
        elif left != right:
            different += 1
            tell(what, left, right)
    # Were the origins to refuse everything, both sides would be equal too.
    for status in (200, 201, 204, 206, 207, 304, 404, 405, 409, 412):
        expect(statuses.get(status, 0) > 0, f"no request was answered {status}: {statuses}")
    expect(len(asked) >= 300, f"only {len(asked)} requests")
    if different:
        fail(f"{different} of {len(asked)} requests were answered differently")
    kinds = ", ".join(f"{count} × {status}" for status, count in sorted(statuses.items()))
    found(f"{len(asked)} requests, equal answers ({kinds}), {unanswered} answered by no one")


def tell(what, left, right):
    """Shows one difference."""
    print(f"== {what}\n   directly {left[0]}, through Passeur {right[0]}")
    for name in sorted({*left[1], *right[1]}):
        if left[1].get(name) != right[1].get(name):
            print(f"   {name}: {left[1].get(name)} | {right[1].get(name)}")
    if left[2] != right[2]:
        texts = [body if isinstance(body, str) else repr(body[:2000]) for body in (left[2], right[2])]
        lines = [re.sub(">", ">\n", text).splitlines() for text in texts]
        for line in list(difflib.unified_diff(*lines, lineterm="", n=0))[2:30]:
            print(f"   {line[:300]}")
