"""The local page: for the person at this machine and nobody else; marks become an exclusion file."""

import http.client
import re
import shutil
import socket
import threading
from urllib.parse import quote, urlencode

import polars as pl
import pytest

from curation.jobs.curate import curate
from curation.release.approval import read_approvals
from curation.release.verify import verify
from curation.stages.exclude.exclusions import read_exclusions
from tests.browser import browser, narrow
from tests.finished import HOSTILE, finished, hostile, planted_faults
from tests.small_recipe import no_documents, small_recipe

pytest.importorskip("bottle", reason="needs bottle: pip install '.[review]'")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("small"))


class Client:
    """Talks to a running page as a browser would."""

    def __init__(self, dataset):
        from reports.pages.review_app import open_server

        self.dataset = dataset
        self.server, self.sitting = open_server(dataset)
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def ask(self, path, form=None, *, host=None, cookie=True):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Host": host or f"127.0.0.1:{self.port}"}
        headers |= {"Cookie": f"{self.sitting.cookie}={self.sitting.key}"} if cookie else {}
        body = urlencode(form) if form is not None else None
        headers |= {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request("POST" if body else "GET", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer, text

    def send(self, path, **form):
        return self.ask(path, {"key": self.sitting.key, **form})


@pytest.fixture
def client(original, tmp_path):
    found = Client(shutil.copytree(original, tmp_path / "dataset"))
    yield found
    found.close()


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    dataset, _ = planted_faults(tmp_path_factory.mktemp("planted"))
    return dataset


@pytest.fixture
def queued(planted, tmp_path):
    found = Client(shutil.copytree(planted, tmp_path / "dataset"))
    yield found
    found.close()


def place(client, **where):
    rows = pl.read_parquet(sorted((client.dataset / "ledger").glob("*.parquet"))).filter(**where)
    row = rows.row(0, named=True)
    return f"{row['source']}:{row['file']}:{row['row']}", row


def test_it_listens_on_the_loopback_address_alone(client):
    assert client.server.server_address[0] == "127.0.0.1"


def test_without_the_key_or_with_another_host_nothing_is_shown(client):
    assert client.ask("/", cookie=False)[0].status == 403
    assert client.ask("/?key=wrong", cookie=False)[0].status == 403
    assert client.ask("/", host="evil.example:80")[0].status == 403
    assert client.ask("/")[0].status == 200


def test_the_printed_address_moves_the_key_into_a_strict_cookie(client):
    answer, _ = client.ask(f"/?key={client.sitting.key}", cookie=False)
    assert answer.status == 303
    assert "key=" not in answer.getheader("Location")
    cookie = answer.getheader("Set-Cookie").lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie


def test_the_host_that_was_opened_is_the_host_that_gets_the_cookie(client):
    host = f"localhost:{client.port}"
    answer, _ = client.ask(f"/?key={client.sitting.key}", host=host, cookie=False)
    assert answer.getheader("Location") == f"http://{host}/"
    assert client.ask("/", host=host)[0].status == 200


def test_two_sittings_at_once_keep_their_keys_and_each_others_marks(client):
    other = Client(client.dataset)
    try:
        assert client.sitting.cookie != other.sitting.cookie
        both = f"{client.sitting.cookie}={client.sitting.key}; {other.sitting.cookie}={other.sitting.key}"
        for one in (client, other):
            connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)
            connection.request("GET", "/", headers={"Host": f"127.0.0.1:{one.port}", "Cookie": both})
            assert connection.getresponse().status == 200
            connection.close()
        names = [place(client, fate="train")[0], place(client, fate="eval")[0]]
        client.send("/mark", row=names[0], note="one")
        other.send("/mark", row=names[1], note="other")
        client.send("/mark", row=names[0], note="again")
        marks = read_exclusions(client.sitting.review.marks_path)
        assert {mark.row: mark.note for mark in marks} == {names[0]: "again", names[1]: "other"}
    finally:
        other.close()


def test_an_idle_connection_keeps_nobody_waiting(client):
    with socket.create_connection(("127.0.0.1", client.port)):
        assert client.ask("/")[0].status == 200


def test_a_page_beyond_the_last_is_the_last(client):
    beyond = client.ask(f"/rows?fate=train&page={10**30}")[1]
    pages = int(re.search(r"page (\d+) of (\d+)", beyond)[2])
    assert f"page {pages} of {pages}" in beyond
    assert "page 1 of" in client.ask("/rows?fate=train&page=-1")[1]


def test_a_dataset_that_was_made_again_is_not_approved_by_those_who_read_the_old_one(client):
    recipe = small_recipe(client.dataset.parent / "again", version="1.0.1")
    shutil.rmtree(client.dataset)
    curate(recipe, documents=no_documents, out=client.dataset, workers=1)
    assert "made again since this page was opened" in client.send("/approve", by="A Person")[1]
    assert read_approvals(client.dataset) == []


def test_a_form_without_the_key_changes_nothing(client):
    row, _ = place(client, fate="train")
    assert client.ask("/mark", {"row": row, "note": "x"})[0].status == 403
    assert client.ask("/approve", {"by": "Someone"})[0].status == 403
    assert not client.sitting.review.marks_path.exists()
    assert read_approvals(client.dataset) == []


def test_rows_are_shown_by_source_fate_and_reason(client):
    _, text = client.ask("/rows?source=one&fate=dropped&reason=near_duplicate")
    row, _ = place(client, reason="near_duplicate")
    assert row in text
    assert "<h1>1 row ·" in text
    assert client.ask(f"/rows?row={quote(row)}")[1].count("<article") == 1
    _, first = client.ask("/rows?fate=train")
    _, second = client.ask("/rows?fate=train&page=1")
    assert first.count("<article") == second.count("<article") == 20
    assert set(re.findall(r"sha256:[0-9a-f]{64}", first)).isdisjoint(
        re.findall(r"sha256:[0-9a-f]{64}", second)
    )


def test_a_mark_becomes_an_exclusion_that_a_run_honours(client, tmp_path):
    name, row = place(client, fate="train", source="two")
    answer, _ = client.send("/mark", row=name, note="off topic", back="/rows?source=two")
    assert (answer.status, answer.getheader("Location")) == (303, f"{client.sitting.origin}/rows?source=two")
    (mark,) = read_exclusions(client.sitting.review.marks_path)
    assert (mark.id, mark.input_id, mark.note, mark.row) == (row["id"], row["input_id"], "off topic", name)
    assert verify(client.dataset).ok

    folder = tmp_path / "again"
    recipe = small_recipe(folder, stages=["normalise", "chat", {"exclude": {"file": "marks.jsonl"}}])
    shutil.copy(client.sitting.review.marks_path, folder / "marks.jsonl")
    run = curate(recipe, documents=no_documents, out=folder / "out", workers=1)
    ledger = pl.read_parquet(sorted((run.dataset / "ledger").glob("*.parquet")))
    assert ledger.filter(reason="excluded")["input_id"].to_list() == [row["input_id"]]


def test_a_mark_can_be_taken_back_and_outlives_the_sitting(client):
    from reports.rows.review import Review

    name, _ = place(client, fate="eval")
    client.send("/mark", row=name, note="é <b>")
    assert Review(client.dataset).marks[name].note == "é <b>"
    assert "é &lt;b&gt;" in client.ask("/rows?marked=yes")[1]
    client.send("/mark", row=name, take_back="1")
    assert Review(client.dataset).marks == {}


def test_approving_from_the_page_is_the_approval_of_the_command(client):
    assert "needs" not in client.send("/approve", by="A Person", note="read it")[1]
    (signed,) = read_approvals(client.dataset)
    assert (signed.approval.by, signed.approval.note, signed.approval.mode) == (
        "A Person",
        "read it",
        "attended",
    )
    assert verify(client.dataset).ok


def test_what_cannot_be_is_told_on_the_page(client):
    name, _ = place(client, reason="unreadable")
    assert "left out already" in client.send("/mark", row=name, note="")[1]
    assert "no row of this dataset" in client.send("/mark", row="x:y:1", note="")[1]
    client.send("/mark", row=place(client, fate="train")[0], note="")
    assert "Nothing was approved" in client.send("/approve", by="A Person")[1]
    assert read_approvals(client.dataset) == []


def test_an_answer_never_leads_to_another_site(client):
    name, _ = place(client, fate="train")
    answer, _ = client.send("/mark", row=name, note="", back="//evil.example/")
    assert answer.getheader("Location") == f"{client.sitting.origin}/"


def test_it_opens_with_the_queue_and_counts_what_was_seen(queued):
    assert "seen 0 of" in queued.ask("/")[1]
    _, first = queued.ask("/rows?order=worth")
    assert first.count("<article") == 1
    _, second = queued.ask("/rows?order=worth&page=1")
    assert set(re.findall(r"sha256:[0-9a-f]{64}", first)).isdisjoint(
        re.findall(r"sha256:[0-9a-f]{64}", second)
    )
    queued.ask("/rows?order=worth&page=1")
    _, home = queued.ask("/")
    assert "seen 2 of" in home
    assert "order=worth&amp;page=2" in home


def test_what_was_seen_is_still_seen_at_the_next_sitting(queued):
    from reports.rows.review import Review

    queued.ask("/rows?order=worth")
    review = Review(queued.dataset)
    assert review.progress(review.queue)[0] == 1


def test_rows_are_found_by_their_words_whatever_the_case(client):
    _, row = place(client, fate="train", source="one")
    messages, _ = client.sitting.review.content(row, [row["id"]])
    said = re.search('"content":"(.*?)"', messages)[1]
    _, text = client.ask(f"/rows?words={quote(said.upper())}")
    assert row["id"] in text
    assert "No row is like that" in client.ask("/rows?words=nobodysaysthis")[1]


def test_a_random_order_has_every_row_once_and_is_the_same_again(client):
    from reports.rows.review import Choice

    review = client.sitting.review
    random, read = (review.chosen(Choice(fate="train", order=order)) for order in ("random", ""))
    assert random.equals(review.chosen(Choice(fate="train", order="random")))
    assert not random.equals(read)
    assert sorted(random["input_id"]) == sorted(read["input_id"])


@pytest.mark.slow
def test_in_a_browser_the_keys_lead_through_the_queue_and_to_the_note(queued):
    with browser() as driver:
        driver.get(queued.sitting.address)
        for width in (390, 1200):
            narrow(driver, width)
            driver.get(f"{queued.sitting.origin}/rows?order=worth")
            assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        driver.find_element("css selector", "body").send_keys("j")
        wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(driver, 60)
        wait.until(lambda shown: shown.current_url.endswith("page=1"))
        driver.find_element("css selector", "body").send_keys("x")
        assert driver.switch_to.active_element.get_attribute("name") == "note"


@pytest.mark.slow
def test_in_a_browser_a_row_is_marked_and_hostile_text_runs_nothing(tmp_path):
    client = Client(hostile(tmp_path))
    try:
        with browser() as driver:
            driver.get(client.sitting.address)
            assert "key=" not in driver.current_url
            driver.get(f"{client.sitting.origin}/rows?source=two&fate=train&note={quote(HOSTILE[0])}")
            narrow(driver, 320)
            assert driver.execute_script("return document.documentElement.scrollWidth") <= 320
            assert "owned" not in driver.title
            driver.find_element("css selector", "form[action='/mark'] input[name=note]").send_keys("seen")
            driver.find_element("css selector", "form[action='/mark'] button").click()
            wait = pytest.importorskip("selenium.webdriver.support.wait").WebDriverWait(driver, 60)
            wait.until(lambda shown: "marked to be left out: seen" in shown.page_source)
            assert [e for e in driver.get_log("browser") if e["level"] == "SEVERE"] == []
        assert [mark.note for mark in client.sitting.review.marks.values()] == ["seen"]
    finally:
        client.close()
