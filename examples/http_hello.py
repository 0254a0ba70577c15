"""The smallest honest HTTP/1.1 server: it says hello, keeps connections open, and pipelines.

Start it, and try it with any browser, curl, or a load generator:

    python examples/http_hello.py 8080
    curl -i http://127.0.0.1:8080/
    wrk -t 1 -c 50 -d 5 http://127.0.0.1:8080/

It shows how to work on raw bytes. It takes no request bodies and knows one page; for more than
a demonstration, use a web framework.
"""

import sys

import iocpreuse

HEAD_MAX = 16 * 1024  # bytes of a request's head
BODY = b"Hello\n"


def response(status: bytes, body: bytes, *, keep: bool, head_only: bool = False) -> bytes:
    """A whole response."""
    head = (
        b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: %s\r\n\r\n"
    )
    filled = head % (status, len(body), b"keep-alive" if keep else b"close")
    return filled if head_only else filled + body


def refusal(status: bytes) -> tuple[bytes, bool]:
    """The answer to what cannot be answered; the connection ends with it."""
    return response(status, status + b"\n", keep=False), False


def answer(head: bytes) -> tuple[bytes, bool]:
    """The response to the head of a request, and whether the connection stays open."""
    request_line, *lines = head.split(b"\r\n")
    parts = request_line.split(b" ")
    if len(parts) != 3 or parts[2] not in (b"HTTP/1.0", b"HTTP/1.1"):
        return refusal(b"400 Bad Request")
    method, target, version = parts
    headers = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not name or name != name.strip():
            return refusal(b"400 Bad Request")
        headers[name.lower()] = value.strip()
    if b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0":
        return refusal(b"413 Content Too Large")
    if method not in (b"GET", b"HEAD"):
        return refusal(b"501 Not Implemented")
    wish = headers.get(b"connection", b"").lower()
    keep = wish != b"close" if version == b"HTTP/1.1" else wish == b"keep-alive"
    status, body = (b"200 OK", BODY) if target == b"/" else (b"404 Not Found", b"Not found\n")
    return response(status, body, keep=keep, head_only=method == b"HEAD"), keep


class HttpHello(iocpreuse.Server):
    """Says hello at /."""

    def on_connect(self, session: iocpreuse.Session) -> None:
        """What has come from the client and is not yet a whole request."""
        session.state = b""

    def on_data(self, session: iocpreuse.Session, data: bytes) -> None:
        """Answers each whole request, in order."""
        *heads, rest = (session.state + data).split(b"\r\n\r\n")
        session.state = rest
        answers = []
        keep = True
        for head in heads:
            text, keep = answer(head)
            answers.append(text)
            if not keep:
                break
        if keep and len(rest) > HEAD_MAX:
            text, keep = refusal(b"431 Request Header Fields Too Large")
            answers.append(text)
        if answers:
            session.send(*answers)
        if not keep:
            session.close()


if __name__ == "__main__":
    HttpHello("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8080).serve_forever()
