"""The report in a real browser: silent, quiet on the network, legible at every width, usable by all."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.browser import browser, narrow, requests
from tests.finished import hostile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return hostile(tmp_path_factory.mktemp("hostile")) / "report.html"


@pytest.fixture(scope="module")
def driver(page):
    with browser() as found:
        yield found


@pytest.fixture
def opened(driver, page):
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(page.as_uri())
    return driver


def test_it_opens_without_a_word_on_the_console_and_without_a_request(opened, page):
    assert opened.get_log("browser") == []
    assert requests(opened, page) == []


def test_hostile_rows_run_nothing_and_hide_nothing(opened):
    assert "owned" not in opened.title
    assert opened.execute_script("return getComputedStyle(document.body).display") == "block"
    assert opened.execute_script("return document.querySelectorAll('img, iframe, form').length") == 0
    assert "<script>document.title" in opened.execute_script("return document.body.textContent")


@pytest.mark.parametrize("width", [320, 768, 1280, 1920])
def test_it_never_scrolls_sideways(opened, width):
    narrow(opened, width)
    opened.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    wide = opened.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert wide[1] == width
    assert wide[0] <= width


@pytest.mark.parametrize("dark", [False, True])
def test_a_table_that_goes_on_has_a_shadow_on_that_side_only(page, dark):
    with browser(dark=dark) as driver:
        narrow(driver, 390)
        driver.get(page.as_uri())
        table = driver.find_element("css selector", "#gates .scroll")
        assert sides(driver, table) == (False, True)
        driver.execute_script("arguments[0].scrollLeft = arguments[0].scrollWidth", table)
        assert sides(driver, table) == (True, False)
        narrow(driver, 1920)
        driver.execute_script("arguments[0].scrollLeft = 0", table)
        assert sides(driver, table) == (False, False)


def sides(driver, table) -> tuple[bool, bool]:
    """Whether the first and the last column of pixels have a shade that the page's ground does not."""
    picture = Image.open(BytesIO(table.screenshot_as_png)).convert("L")
    ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    light = round(sum(map(int, re.findall(r"\d+", ground)[:3])) / 3)
    # No line and no word goes all the way down, as the shade does; a scrollbar lies below.
    # What does not fit the window is not in the picture.
    height = min(table.find_element("tag name", "table").size["height"], picture.height)
    edges = [[picture.getpixel((x, y)) for y in range(4, height - 4)] for x in (1, picture.width - 2)]
    first, last = (all(abs(pixel - light) > 16 for pixel in edge) for edge in edges)
    return first, last


def test_the_search_shows_only_the_rows_that_fit(opened):
    search = opened.find_element("id", "search")
    search.send_keys("call it")
    rows = "[...document.querySelectorAll('#samples article.row')]"
    shown = f"return {rows}.filter((r) => !r.hidden).map((r) => r.textContent)"
    texts = opened.execute_script(shown)
    assert texts
    assert all("call it" in " ".join(text.split()).lower() for text in texts)
    search.clear()
    search.send_keys("nothingholdsthis")
    assert opened.execute_script(shown) == []
    assert opened.find_element("id", "found").text.startswith("0 of ")


def test_keys_go_to_the_search_and_from_row_to_row(opened):
    body = opened.find_element("tag name", "body")
    body.send_keys("/")
    assert opened.switch_to.active_element.get_attribute("id") == "search"
    opened.switch_to.active_element.send_keys("\ue00c")
    opened.find_element("tag name", "body").send_keys("j")
    first = opened.switch_to.active_element
    assert "row" in first.get_attribute("class")
    first.send_keys("j")
    assert opened.switch_to.active_element != first


def test_a_click_on_a_heading_sorts_numbers_as_numbers(opened):
    column = (
        "return [...document.querySelectorAll('#mixture table tbody tr')].map((r) => r.cells[3].textContent)"
    )
    button = opened.find_elements("css selector", "#mixture thead th button")[3]
    opened.execute_script("arguments[0].click()", button)
    down = [int(text.replace(",", "")) for text in opened.execute_script(column)]
    assert down == sorted(down, reverse=True)
    opened.execute_script("arguments[0].click()", button)
    assert [int(t.replace(",", "")) for t in opened.execute_script(column)] == sorted(down)


def test_on_paper_stand_a_dozen_rows_and_every_thing_to_know(opened):
    seen = (
        "return [...document.querySelectorAll(arguments[0])]"
        ".filter((e) => e.checkVisibility({contentVisibilityAuto: true})).length"
    )
    opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert opened.execute_script(seen, "#kept .row") == 12
        assert opened.execute_script(seen, "#pairs details:first-of-type .pair") <= 4
        assert opened.execute_script(seen, "#verdict details .remarks li") > 0
        assert opened.execute_script(seen, "nav, .filter") == 0
        assert "On paper the first twelve stand here" in opened.find_element("id", "kept").text
    finally:
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert opened.execute_script(seen, "#kept .row") > 12


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_but_minor_faults(page, dark):
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core-python: pip install '.[test]'")
    source = (Path(axe.__file__).parent / "axe.min.js").read_text("utf-8")
    with browser(dark=dark) as driver:
        driver.get(page.as_uri())
        driver.execute_script("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        driver.execute_script(source)
        told = driver.execute_async_script(
            "const done = arguments[arguments.length - 1]; axe.run().then((r) => done(r.violations))"
        )
    grave = [
        (fault["id"], [node["target"] for node in fault["nodes"]][:3])
        for fault in told
        if fault["impact"] in ("moderate", "serious", "critical")
    ]
    assert grave == []


def test_without_javascript_everything_can_be_read(page):
    with browser(script=False) as driver:
        driver.get(page.as_uri())
        assert driver.get_log("browser") == []
        text = driver.find_element("tag name", "main").text
        for wanted in ("From read to written", "Mixture asked and got", "Kept rows", "aj approve ."):
            assert wanted in text
        assert not driver.find_element("id", "search").is_displayed()
        assert not driver.find_elements("css selector", "html.script")
