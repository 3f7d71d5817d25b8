"""The README's picture: the top of the demo's report, as headless Chromium shows it.

`python -m benchmarks.picture` writes reports/report.png; it needs Chromium, its driver and selenium.
"""

import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from aj import main

PICTURE = Path(__file__).resolve().parents[1] / "reports" / "report.png"
WIDTH, HEIGHT = 1280, 1000


def picture(page: Path, out: Path = PICTURE) -> None:
    """Write the top of a page as a PNG of WIDTH by HEIGHT pixels. Raises what selenium raises."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    try:
        metrics = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get(page.as_uri())
        out.write_bytes(driver.get_screenshot_as_png())
    finally:
        driver.quit()


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        dataset = Path(folder) / "demo"
        if main(["demo", "--out", str(dataset)]):
            sys.exit("the demo's gates failed")
        picture(dataset / "report.html")
