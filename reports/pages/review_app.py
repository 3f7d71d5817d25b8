"""`aj review`: a page on this machine alone, for going through rows at leisure and approving.

Only the loopback address is bound. Every request must name that address as its host (a name that a
stranger's server resolves to it does not pass) and carry the key of this sitting, which the printed
address brings and a cookie keeps; what changes anything must also carry it in its form.
"""

import hmac
import secrets
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Lock
from typing import Any
from urllib.parse import urlencode
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from curation.dataset.manifest import read_manifest
from curation.errors import CurationError, to_install
from curation.recipe.metrics import METRICS
from curation.release.approval import approve, read_approvals
from reports.facts.remarks import verdict
from reports.pages.report import environment, render
from reports.rows.queue import meaning
from reports.rows.review import Choice, Review

HOST = "127.0.0.1"
MAX_FORM = 100_000  # bytes of a form that is read

try:
    import bottle
except ImportError as error:
    raise CurationError(f"bottle is not installed: {to_install('review')}") from error


class Sitting:
    """One run of the page: what it shows, its key and the hosts it answers to."""

    def __init__(self, review: Review, port: int, key: str | None = None) -> None:
        self.review = review
        self.key = key or secrets.token_urlsafe(24)
        self.hosts = {f"{HOST}:{port}", f"localhost:{port}"}
        self.origin = f"http://{HOST}:{port}"
        # Browsers give cookies to every port of a host: two sittings at once need two names.
        self.cookie = f"aj_key_{port}"

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"{self.origin}/?key={self.key}"


def make_app(sitting: Sitting) -> Any:
    """The pages as a WSGI application. One request at a time reads and changes the marks."""
    app = bottle.Bottle()
    app.add_hook("before_request", lambda: guard(sitting))
    app.install(one_at_a_time())
    app.route("/", "GET", lambda: overview(sitting))
    app.route("/rows", "GET", lambda: rows(sitting))
    app.route("/mark", "POST", lambda: mark(sitting))
    app.route("/approve", "POST", lambda: record_approval(sitting))
    return app


def one_at_a_time() -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A plugin that lets no two pages be made at once."""
    lock = Lock()

    def alone(page: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(page)
        def locked(*args: Any, **named: Any) -> Any:
            with lock:
                return page(*args, **named)

        return locked

    return alone


def guard(sitting: Sitting) -> None:
    """Turn away whoever is not the person at this machine."""
    request = bottle.request
    if request.get_header("Host") not in sitting.hosts:
        raise bottle.HTTPError(403, "another host")
    key = request.query.get("key") or request.get_cookie(sitting.cookie) or ""
    if not hmac.compare_digest(key.encode(), sitting.key.encode()):
        raise bottle.HTTPError(403, "open the address that aj review printed")
    if request.method == "POST":
        if (request.content_length or 0) > MAX_FORM:
            raise bottle.HTTPError(413, "too long")
        if not hmac.compare_digest((request.forms.get("key") or "").encode(), sitting.key.encode()):
            raise bottle.HTTPError(403, "a form of another page")


def show(sitting: Sitting, template: str, **facts: Any) -> bytes:
    """A page; nothing keeps a copy and nothing may frame it."""
    for name, value in (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
    ):
        bottle.response.set_header(name, value)
    review = sitting.review
    return render(
        environment(),
        template,
        forms="'self'",
        review=review,
        manifest=review.manifest,
        key=sitting.key,
        **facts,
    )


def overview(sitting: Sitting) -> bytes:
    """The verdict, what is worth a look, the gates, every source and reason, the marks, and the approval."""
    if bottle.request.query.get("key"):
        # The key goes from the address bar, and so from the history, into the cookie of this very host.
        answer = go_to("/")
        answer.set_cookie(sitting.cookie, sitting.key, httponly=True, samesite="strict", path="/")
        raise answer
    review = sitting.review
    seen, goal, first = review.progress(review.queue)
    return show(
        sitting,
        "review.html.jinja",
        choice=Choice(),
        signs=[(sign, meaning(sign), rows) for sign, rows in review.signs],
        seen=seen,
        goal=goal,
        first=first,
        verdict=verdict(review.manifest, review.gates),
        reasons=review.reasons(),
        shares_of={name: metric.by for name, metric in METRICS.items() if metric.share_of},
        approvals=[signed.approval for signed in read_approvals(review.dataset)],
        query=query,
    )


def go_to(path: str) -> Any:
    """The answer that sends the browser to a page of this sitting, under the host that it used."""
    answer = bottle.HTTPResponse(status=303)
    answer.set_header("Location", f"http://{bottle.request.get_header('Host')}{path}")
    return answer


def rows(sitting: Sitting) -> bytes:
    """One page of rows."""
    asked = bottle.request.query
    choice = Choice(**{name: asked.getunicode(name) or "" for name in Choice._fields})
    wanted = asked.getunicode("page") or "0"
    looked, lines, number = sitting.review.page(choice, int(wanted) if wanted.isdecimal() else 0)
    pages = max(-(-lines.height // choice.rows_per_page), 1)
    seen, goal, _ = sitting.review.progress(lines)
    card: Any = environment().get_template("row.html.jinja").module
    return show(
        sitting,
        "review_rows.html.jinja",
        choice=choice,
        rows=[(look, card.row(look.row)) for look in looked],
        total=lines.height,
        seen=seen,
        goal=goal,
        meaning=meaning,
        page=number,
        pages=pages,
        query=query,
    )


def query(choice: Choice, page: int = 0) -> str:
    """The address of a page of rows."""
    chosen = {name: value for name, value in choice._asdict().items() if value}
    return "/rows?" + urlencode({**chosen, **({"page": page} if page else {})})


def mark(sitting: Sitting) -> Any:
    """Set or take back a mark, and go back to where it was."""
    form = bottle.request.forms
    place = form.getunicode("row") or ""
    try:
        if form.get("take_back"):
            sitting.review.unmark(place)
        else:
            sitting.review.mark(place, form.getunicode("note") or "", form.getunicode("by") or "")
    except CurationError as error:
        return show(sitting, "review_message.html.jinja", message=str(error))
    back = form.getunicode("back") or "/"
    return go_to(back if back.startswith("/rows?") and back.isprintable() else "/")


def record_approval(sitting: Sitting) -> Any:
    """The same approval as `aj approve` records."""
    form, review = bottle.request.forms, sitting.review
    if review.marks:
        message = (
            f"Nothing was approved, because rows are marked to leave out ({len(review.marks):,}): name "
            f"{review.marks_path.name} in the recipe's exclude stage and curate again, or take the marks back"
        )
        return show(sitting, "review_message.html.jinja", message=message)
    try:
        if read_manifest(review.dataset).self_sha256 != review.manifest.self_sha256:
            message = "The dataset was made again since this page was opened: start aj review once more"
            return show(sitting, "review_message.html.jinja", message=message)
        made = approve(review.dataset, form.getunicode("by") or "", form.getunicode("note") or None)
    except CurationError as error:
        return show(sitting, "review_message.html.jinja", message=str(error))
    return show(
        sitting, "review_message.html.jinja", message=f"Approved by {made.by} at {made.at}. Next: aj freeze"
    )


class Quiet(WSGIRequestHandler):
    """Says nothing on stderr for every request."""

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class Server(ThreadingMixIn, WSGIServer):
    """A thread a connection: browsers hold idle ones open, which must not keep the next from its answer."""

    daemon_threads = True


def open_server(dataset: Path, marks: Path | None = None, port: int = 0) -> tuple[WSGIServer, Sitting]:
    """A server on the loopback address, not yet serving, and its sitting. Port 0 takes a free one."""
    review = Review(dataset, marks)
    try:
        server = make_server(HOST, port, bottle.Bottle(), server_class=Server, handler_class=Quiet)
    except OSError as error:
        raise CurationError(f"port {port}: {error.strerror}; choose another --port") from error
    sitting = Sitting(review, server.server_port)
    server.set_app(make_app(sitting))
    return server, sitting
