"""Some hundred requests of the kinds that clients of Nextcloud send, and of the kinds they should not.

The order matters: they work on one tree (see `seed`), and later ones find what earlier ones left.
`remember` keeps ETag and lock token of an answer under a name; `<etag NAME>` and `<token NAME>` in
later fields stand for them.
"""

import dataclasses
import random
from urllib.parse import quote

from peers.seed import NAMES

HOST = "cloud.example"
XML = ("Content-Type", "application/xml; charset=utf-8")
GONE = "Sun, 06 Nov 1994 08:49:37 GMT"
FUTURE = "Fri, 31 Dec 2038 23:59:59 GMT"


@dataclasses.dataclass
class Request:
    method: str
    target: str
    fields: tuple = ()
    body: bytes | None = None
    chunked: bool = False
    remember: str | None = None

    def __str__(self):
        size = "" if self.body is None else f" [{len(self.body)} bytes{', chunked' * self.chunked}]"
        fields = "; ".join(f"{name}: {value[:60]}" for name, value in self.fields)
        return f"{self.method} {self.target[:120]} ({fields}){size}"


def table(prefix="", host=HOST):
    """All requests, for an origin that serves the tree below `prefix`, as the site `host`."""
    made = []
    for part in (odd_names, targets, reading, ranges, conditions, writing, bodies, locking,
                 properties, collections, moving, methods, heads, many):  # fmt: skip
        made += part(prefix, host)
    return made


def odd_names(prefix, host):
    """Every odd name, escaped as little and as much as possible, through the life of a file."""
    for name in NAMES:
        for target in dict.fromkeys((escape(name), escape_all(name))):
            at = f"{prefix}/odd/{target}"
            yield Request("GET", at)
            yield Request("HEAD", at)
        at = f"{prefix}/odd/{escape(name)}"
        there = f"http://{host}{prefix}/odd/copy%20of%20{escape(name)}"
        yield Request("PROPFIND", at, (("Depth", "0"),))
        yield Request("COPY", at, (("Destination", there),))
        yield Request("PUT", f"{prefix}/odd/new%20{escape_all(name)}", body=name.encode())
        yield Request("MOVE", f"{prefix}/odd/copy%20of%20{escape(name)}",
                      (("Destination", there.replace("copy", "move")), ("Overwrite", "F")))  # fmt: skip
        yield Request("DELETE", f"{prefix}/odd/move%20of%20{escape_all(name)}")
    yield Request("PROPFIND", f"{prefix}/odd/", (("Depth", "1"),))


def targets(prefix, host):
    """Targets that a proxy must not decode, merge or normalise.

    Not here: what Passeur refuses and some origins take, `` ` ``, `<`, `>` in a path, `"`, `<`, `>` in
    a query, and bytes beyond ASCII; no client sends them unescaped. See the check of smuggling.
    """
    for target in (
        "//small.txt", "/./small.txt", "/deep/../small.txt", "/deep/%2e%2e/small.txt", "/%2e/small.txt",
        "/deep%2Fer/still/leaf.txt", "/deep%252Fer", "/small.txt%00", "/small.txt%ff", "/%ff%fe",
        "/small%2Etxt", "/sm%61ll.txt", "/small.txt?", "/small.txt?a=b&c=%20", "/small.txt?a+b",
        "/small.txt?%23", "/small.txt?x?y", "/small.txt;v=1", "/odd/plus%2b.txt", "/odd/plus%2B.txt",
        "/%", "/%z1", "/%2", "/small.txt/", "/deep", "/deep/", "/deep//er/", "/" + "a" * 300,
        "/" + "%41" * 200, "/" + "x/" * 60, "/small.txt?q=" + "y" * 7000, "/" + "long/" * 6000,
        "/{a}", "/a|b", "/a^b", "/a\\b", "/\"quoted\"", "/*", "/small.txt?{}", "/small.txt?`|", "/small.txt?\\^",
    ):  # fmt: skip
        for method in ("GET", "PROPFIND"):
            fields = (("Depth", "0"),) if method == "PROPFIND" else ()
            yield Request(method, prefix + target, fields)
    yield Request("GET", f"http://{host}{prefix}/small.txt")
    yield Request("OPTIONS", "*")


def reading(prefix, host):
    for path in ("/small.txt", "/big.bin", "/zero.bin", "/page.html", "/missing", "/empty/"):
        for method in ("GET", "HEAD"):
            yield Request(method, prefix + path)
            yield Request(method, prefix + path, (("Accept-Encoding", "gzip, br"),))
    yield Request("GET", f"{prefix}/page.html", (("Accept-Encoding", "gzip;q=0, identity"),))


def ranges(prefix, host):
    for value in (
        "bytes=0-9", "bytes=10-", "bytes=-5", "bytes=0-0", "bytes=0-9,20-29", "bytes=5-2",
        "bytes=1000-", "bytes=-0", "items=0-1", "bytes=0-", "bytes=a-b", "bytes=0-0,-1", "bytes= 1-2",
    ):  # fmt: skip
        yield Request("GET", f"{prefix}/small.txt", (("Range", value),))
    yield Request("HEAD", f"{prefix}/small.txt", (("Range", "bytes=0-9"),))
    yield Request("GET", f"{prefix}/big.bin", (("Range", "bytes=1000000-2000000"),))
    yield Request("GET", f"{prefix}/big.bin", (("Range", "bytes=1-1,1048576-3000000"),))
    yield Request("GET", f"{prefix}/small.txt", remember="small")
    for value in ("<etag small>", '"other"', GONE, FUTURE):
        yield Request("GET", f"{prefix}/small.txt", (("Range", "bytes=1-3"), ("If-Range", value)))


def conditions(prefix, host):
    yield Request("GET", f"{prefix}/small.txt", remember="small")
    for method in ("GET", "HEAD", "PROPFIND"):
        for field in (
            ("If-None-Match", "<etag small>"), ("If-None-Match", "*"), ("If-None-Match", '"a", <etag small>'),
            ("If-None-Match", "W/<etag small>"), ("If-Match", "<etag small>"), ("If-Match", '"a"'), ("If-Match", "*"),
            ("If-Modified-Since", GONE), ("If-Modified-Since", FUTURE), ("If-Modified-Since", "yesterday"),
            ("If-Unmodified-Since", GONE), ("If-Unmodified-Since", FUTURE),
        ):  # fmt: skip
            yield Request(method, f"{prefix}/small.txt", (field, ("Depth", "0")))
    yield Request("PUT", f"{prefix}/cond.txt", (("If-None-Match", "*"),), b"one", remember="cond")
    yield Request("PUT", f"{prefix}/cond.txt", (("If-None-Match", "*"),), b"two")
    yield Request("GET", f"{prefix}/cond.txt", remember="cond")
    yield Request("PUT", f"{prefix}/cond.txt", (("If-Match", '"wrong"'),), b"three")
    yield Request("PUT", f"{prefix}/cond.txt", (("If-Match", "<etag cond>"),), b"four!")
    yield Request("PUT", f"{prefix}/cond.txt", (("If-Match", "<etag cond>"),), b"five!!")
    yield Request("DELETE", f"{prefix}/cond.txt", (("If-Match", '"wrong"'),))
    yield Request("DELETE", f"{prefix}/cond.txt", (("If-Match", "*"),))
    yield Request("DELETE", f"{prefix}/cond.txt", (("If-Match", "*"),))


def writing(prefix, host):
    yield Request("PUT", f"{prefix}/new.txt", body=b"new")
    yield Request("PUT", f"{prefix}/new.txt", body=b"newer")
    yield Request("PUT", f"{prefix}/new.txt", body=b"")
    yield Request("PUT", f"{prefix}/no/such/folder.txt", body=b"lost")
    yield Request("PUT", f"{prefix}/empty/", body=b"a folder")
    yield Request("PUT", f"{prefix}/new.txt", (("Content-Range", "bytes 0-2/10"),), b"abc")
    yield Request("PUT", f"{prefix}/new.txt", (("Expect", "100-continue"),), b"expected")
    yield Request("PUT", f"{prefix}/typed.html", (("Content-Type", "text/html"),), b"<p>typed")
    yield Request("GET", f"{prefix}/typed.html")
    yield Request("POST", f"{prefix}/new.txt", (("Content-Type", "text/plain"),), b"posted")
    yield Request("PATCH", f"{prefix}/new.txt", body=b"patched")
    yield Request("DELETE", f"{prefix}/new.txt")
    yield Request("DELETE", f"{prefix}/new.txt")
    yield Request("DELETE", f"{prefix}/many/file%20000.txt", (("X-Custom", "é".encode("latin-1")),))


def bodies(prefix, host):
    """Bodies of all sizes around the edges of buffers, both framings, there and back."""
    chance = random.Random(2)
    for size in (1, 1000, 8191, 8192, 8193, 65535, 65536, 65537, 1 << 20, 5_000_001):
        for chunked in (False, True):
            at = f"{prefix}/body-{size}-{'chunked' if chunked else 'length'}"
            yield Request("PUT", at, body=chance.randbytes(size), chunked=chunked)
            yield Request("GET", at)
    yield Request("PUT", f"{prefix}/body-0-chunked", body=b"", chunked=True)
    yield Request("GET", f"{prefix}/body-0-chunked")
    yield Request("PROPFIND", f"{prefix}/small.txt", (("Depth", "0"), XML), NAMED, chunked=True)


NAMED = b"""<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop>
<d:getetag/><d:resourcetype/><d:getcontentlength/><o:fileid/><o:permissions/></d:prop></d:propfind>"""
LOCK = b"""<?xml version="1.0"?><d:lockinfo xmlns:d="DAV:"><d:lockscope><d:%s/></d:lockscope>
<d:locktype><d:write/></d:locktype><d:owner>somebody</d:owner></d:lockinfo>"""


def locking(prefix, host):
    at = f"{prefix}/small.txt"
    yield Request("LOCK", at, (XML, ("Timeout", "Second-600"), ("Depth", "0")), LOCK % b"exclusive", remember="lock")
    yield Request("LOCK", at, (XML,), LOCK % b"exclusive")
    yield Request("LOCK", at, (XML,), LOCK % b"shared")
    yield Request("PUT", at, body=b"locked out")
    yield Request("PUT", at, (("If", "(<token lock>)"),), b"0123456789abcdefghijklmnopqrstuvwxyz!")
    yield Request("PUT", at, (("If", f"<http://{host}{at}> (<token lock>)"),), b"0123456789abcdefghijklmnopqrstuvwxyz?")
    yield Request("PUT", at, (("If", "(<opaquelocktoken:00000000-0000-0000-0000-000000000000>)"),), b"x")
    yield Request("PUT", at, (("If", "(Not <DAV:no-lock>)"),), b"x")
    yield Request("PUT", at, (("If", "(broken"),), b"x")
    yield Request("DELETE", at)
    yield Request("MOVE", at, (("Destination", f"http://{host}{prefix}/moved.txt"),))
    yield Request("LOCK", at, (("If", "(<token lock>)"), ("Timeout", "Infinite, Second-4100000000")))
    yield Request("PROPFIND", at, (("Depth", "0"),))
    yield Request("UNLOCK", at, (("Lock-Token", "<opaquelocktoken:nonsense>"),))
    yield Request("UNLOCK", at)
    yield Request("UNLOCK", at, (("Lock-Token", "<token lock>"),))
    yield Request("UNLOCK", at, (("Lock-Token", "<token lock>"),))
    yield Request("LOCK", f"{prefix}/unmapped.txt", (XML,), LOCK % b"exclusive", remember="unmapped")
    yield Request("UNLOCK", f"{prefix}/unmapped.txt", (("Lock-Token", "<token unmapped>"),))
    yield Request("LOCK", f"{prefix}/deep/", (XML, ("Depth", "infinity")), LOCK % b"shared", remember="deep")
    yield Request("PUT", f"{prefix}/deep/er/still/leaf.txt", body=b"locked above")
    yield Request("UNLOCK", f"{prefix}/deep/", (("Lock-Token", "<token deep>"),))


def properties(prefix, host):
    at = f"{prefix}/small.txt"
    body = '<?xml version="1.0"?><d:%s xmlns:d="DAV:" xmlns:x="http://x.example/">%s</d:%s>'

    def ask(kind, inner, method="PROPFIND", path=at, depth="0"):
        text = body % (kind, inner, kind)
        return Request(method, path, (("Depth", depth), XML), text.encode())

    yield ask("propfind", "<d:allprop/>")
    yield ask("propfind", "<d:propname/>")
    yield ask("propfind", "<d:prop><d:getetag/><x:none/></d:prop>")
    yield ask("propertyupdate", "<d:set><d:prop><x:a>é &amp; 日本</x:a></d:prop></d:set>", "PROPPATCH")
    yield ask("propertyupdate", "<d:set><d:prop><d:getetag>no</d:getetag></d:prop></d:set>", "PROPPATCH")
    yield ask("propfind", "<d:prop><x:a/></d:prop>")
    yield ask("propertyupdate", "<d:remove><d:prop><x:a/></d:prop></d:remove>", "PROPPATCH")
    yield ask("propfind", "<d:prop><x:a/></d:prop>")
    for depth in ("0", "1", "infinity", "7"):
        yield ask("propfind", "<d:prop><d:getcontentlength/><d:resourcetype/></d:prop>", path=f"{prefix}/", depth=depth)
        yield Request("PROPFIND", f"{prefix}/deep/", (("Depth", depth),))
    yield Request("PROPFIND", f"{prefix}/missing", (("Depth", "0"),))
    yield Request("PROPFIND", at, (("Depth", "0"), XML), b"<not xml")
    yield Request("PROPFIND", at, (("Depth", "0"), XML), b"<d:propfind xmlns:d='DAV:'>")
    yield Request("PROPPATCH", at, (XML,), b"")
    yield Request("PROPFIND", f"{prefix}/many/", (("Depth", "1"), ("Accept-Encoding", "gzip")))
    yield Request("PROPFIND", f"{prefix}/many/", (("Depth", "1"), ("Brief", "t"), ("Prefer", "return=minimal")))


def collections(prefix, host):
    yield Request("MKCOL", f"{prefix}/made")
    yield Request("MKCOL", f"{prefix}/made/")
    yield Request("MKCOL", f"{prefix}/no/such/parent/")
    yield Request("MKCOL", f"{prefix}/with-body/", (XML,), b"<x/>")
    yield Request("MKCOL", f"{prefix}/small.txt/below")
    for name in ("é", "日本", "per%cent", "a b", "plus+"):
        yield Request("MKCOL", f"{prefix}/made/{escape(name)}/")
        yield Request("PUT", f"{prefix}/made/{escape_all(name)}/file", body=b"in it")
    yield Request("PROPFIND", f"{prefix}/made/", (("Depth", "infinity"),))
    yield Request("DELETE", f"{prefix}/made/{escape('é')}")
    yield Request("GET", f"{prefix}/made/")


def moving(prefix, host):
    here = f"http://{host}{prefix}"
    leaf = f"{prefix}/deep/er/still/leaf.txt"
    for destination in (
        f"{here}/moved%20%C3%A9.txt", f"{prefix}/path-absolute.txt", f"{here}/no/such/place.txt",
        f"{here}/deep/er/still/leaf.txt", f"{here}/per%2525cent", f"{here}/a%2Fb", f"{here}/%ff",
        f"{here}/trailing/", f"{here}/", "not a url", "", f"{here}/q?x=1", f"{here}/two%20%20blanks",
    ):  # fmt: skip
        yield Request("COPY", leaf, (("Destination", destination),))
    yield Request("COPY", leaf)
    yield Request("COPY", leaf, (("Destination", f"{here}/small.txt"), ("Overwrite", "F")))
    yield Request("COPY", leaf, (("Destination", f"{here}/plain-copy.txt"), ("Overwrite", "T")))
    yield Request("COPY", f"{prefix}/deep/", (("Destination", f"{here}/deep2/"), ("Depth", "0")))
    yield Request("COPY", f"{prefix}/deep/", (("Destination", f"{here}/deep3/"), ("Depth", "infinity")))
    yield Request("COPY", f"{prefix}/deep/", (("Destination", f"{here}/deep4/"), ("Depth", "1")))
    yield Request("MOVE", f"{prefix}/deep3/", (("Destination", f"{here}/deep5/"),))
    yield Request("MOVE", f"{prefix}/deep3/", (("Destination", f"{here}/deep6/"),))
    yield Request("MOVE", f"{prefix}/deep5/", (("Destination", f"{here}/deep5/below/"),))
    yield Request("PROPFIND", f"{prefix}/", (("Depth", "infinity"),))


def methods(prefix, host):
    for method in (
        "OPTIONS", "POST", "REPORT", "SEARCH", "MKCALENDAR", "MKACTIVITY", "ACL", "BIND", "REBIND",
        "UNBIND", "CHECKIN", "CHECKOUT", "LABEL", "MERGE", "ORDERPATCH", "UPDATE", "VERSION-CONTROL",
        "UNCHECKOUT", "BASELINE-CONTROL", "LINK", "UNLINK", "PATCH", "QUERY", "FOO", "get",
    ):  # fmt: skip
        yield Request(method, f"{prefix}/small.txt")
        yield Request(method, f"{prefix}/deep/", (XML, ("Depth", "1")), b"<x/>")


def heads(prefix, host):
    """Fields that must pass, and blocks that are large."""
    yield Request("GET", f"{prefix}/small.txt", (("Cookie", "a=b; c=d"), ("Cookie2", "x")))
    yield Request("GET", f"{prefix}/small.txt", (("Accept", "a/b"), ("Accept", "c/d")))
    yield Request("GET", f"{prefix}/small.txt", (("X-Long", "v" * 4000),))
    yield Request("GET", f"{prefix}/small.txt", (("X-Long", "v" * 30000),))
    yield Request("GET", f"{prefix}/small.txt", tuple((f"X-Many-{i}", str(i)) for i in range(60)))
    yield Request("GET", f"{prefix}/small.txt", (("Connection", "X-Gone"), ("X-Gone", "1")))
    yield Request("GET", f"{prefix}/small.txt", (("TE", "trailers"), ("Connection", "TE")))
    yield Request("GET", f"{prefix}/small.txt", (("X-Empty", ""),))


def many(prefix, host):
    """What a sync client does all day."""
    for index in range(0, 40):
        at = f"{prefix}/many/file%20{index:03}.txt"
        yield Request("GET", at, remember="sync")
        yield Request("PUT", at, (("If-Match", "<etag sync>"), ("X-OC-Mtime", "1600000000")), b"%d" % index)


def unreadable(what):
    """400 for what Passeur cannot read, so cannot guard (Destination and If); None for all else."""
    fields = dict(what.fields)
    return 400 if fields.get("Destination") in ("", "not a url") or fields.get("If") == "(broken" else None


def decided(what):
    """What Passeur decides in front of Nextcloud: the same, and that a weak ETag is one that some proxy
    made so, and is repaired."""
    weak = dict(what.fields).get("If-None-Match", "").startswith("W/") and what.method in ("GET", "HEAD")
    return 304 if weak else unreadable(what)


def escape(name):
    """As clients do it."""
    return quote(name, safe="!$&'()*,;=:@~-._+")


def escape_all(name):
    """Every byte, in lower case hexadecimal."""
    return "".join(f"%{byte:02x}" for byte in name.encode())


def nextcloud():
    """What is not about files: pages, OCS, calendars, contacts, sharing, uploads in chunks."""
    for path in (
        "/", "/status.php", "/login", "/index.php/login", "/index.php/apps/files/", "/index.php/csrftoken",
        "/ocs/v2.php/cloud/user?format=json", "/ocs/v2.php/cloud/user", "/ocs/v1.php/cloud/capabilities?format=json",
        "/ocs/v2.php/cloud/users?format=json", "/ocs/v2.php/apps/files_sharing/api/v1/shares?format=json",
        "/.well-known/caldav", "/.well-known/carddav", "/.well-known/webfinger", "/.well-known/nodeinfo",
        "/index.php/missing", "/remote.php/missing", "/public.php/dav/", "/robots.txt", "/apps/calendar/",
    ):  # fmt: skip
        yield Request("GET", path, (("OCS-APIRequest", "true"),))
        yield Request("GET", path)
    for path in ("/remote.php/dav/", "/remote.php/dav/principals/users/alice/", "/remote.php/dav/files/",
                 "/remote.php/dav/calendars/alice/", "/remote.php/dav/calendars/alice/personal/",
                 "/remote.php/dav/addressbooks/users/alice/", "/remote.php/dav/addressbooks/users/alice/contacts/",
                 "/remote.php/dav/files/bob/", "/remote.php/webdav/"):  # fmt: skip
        yield Request("OPTIONS", path)
        for depth in ("0", "1"):
            yield Request("PROPFIND", path, (("Depth", depth), XML), OWNERS)
        yield Request("PROPFIND", path, (("Depth", "0"), ("Accept-Encoding", "gzip"), XML), OWNERS)
        yield Request("REPORT", path, (("Depth", "1"), XML), QUERY)
    event = "/remote.php/dav/calendars/alice/personal/peer.ics"
    yield Request("PUT", event, (("Content-Type", "text/calendar"), ("If-None-Match", "*")), EVENT, remember="event")
    yield Request("GET", event)
    yield Request("PUT", event, (("Content-Type", "text/calendar"), ("If-Match", "<etag event>")), EVENT)
    yield Request("DELETE", event)
    upload = "/remote.php/dav/uploads/alice/peer-upload"
    whole = (("Destination", f"http://{HOST}/remote.php/dav/files/alice/assembled.bin"), ("OC-Total-Length", "200000"))
    yield Request("MKCOL", upload, whole)
    for chunk in (1, 2):
        yield Request("PUT", f"{upload}/0000{chunk}", whole, bytes([chunk]) * 100_000)
    yield Request("MOVE", f"{upload}/.file", (*whole, ("X-OC-Mtime", "1600000000")))
    yield Request("GET", "/remote.php/dav/files/alice/assembled.bin")


OWNERS = b"""<?xml version="1.0"?><d:propfind xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns"><d:prop>
<d:displayname/><d:owner/><o:owner-id/><o:owner-display-name/><o:owner-principal/><d:resourcetype/>
<d:current-user-principal/><d:supported-report-set/></d:prop></d:propfind>"""
QUERY = b"""<?xml version="1.0"?><c:calendar-query xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:prop>
<d:getetag/><c:calendar-data/></d:prop><c:filter><c:comp-filter name="VCALENDAR"/></c:filter></c:calendar-query>"""
EVENT = b"""BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//peers//EN\r\nBEGIN:VEVENT\r\nUID:peer\r
DTSTAMP:20200101T000000Z\r\nDTSTART:20300101T100000Z\r\nSUMMARY:\xc3\xa9v\xc3\xa9nement\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"""
