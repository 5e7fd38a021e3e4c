"""The page of `zoo serve --playground`, in a real browser that a person could use."""

import re
from pathlib import Path

import pytest

import pipelines
from tests.pipelines.serving.server.conftest import TOKEN
from tests.support.browser import chromium

selenium = pytest.importorskip("selenium.webdriver")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support import ui  # noqa: E402

pytestmark = pytest.mark.serving

_SECONDS = 60


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture(scope="module")
def files(photos, tmp_path_factory) -> list[Path]:
    """Two photos, and a file that is not a photo."""
    folder = tmp_path_factory.mktemp("photos")
    contents = {"one.png": photos[0], "two.png": photos[1], "broken.png": b"no photo"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def until(browser, condition):
    return ui.WebDriverWait(browser, _SECONDS).until(lambda _: condition())


def shown(browser, selector: str) -> list[str]:
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, selector)]


def press(browser, key: str) -> None:
    selenium.ActionChains(browser).send_keys(key).perform()


@pytest.fixture
def page(browser, served_artifact):
    """The page as it is after it has found its model."""
    browser.get(f"http://127.0.0.1:{served_artifact.rest_port}/playground")
    until(browser, lambda: "classes" in browser.find_element(By.ID, "status").text)
    yield browser
    # A refusal by the policy, and every error of the script, is in the log.
    assert [one["message"] for one in browser.get_log("browser")] == []


def test_page_is_off_unless_asked_for(impatient):
    for path in ("/playground", "/playground/page.js", "/playground/models"):
        assert impatient.get(path).status == 404


def test_photo_gets_the_answer_of_the_artifact(page, files, artifact):
    page.find_element(By.ID, "files").send_keys(str(files[0]))
    until(page, lambda: shown(page, ".latency"))
    (wanted,) = pipelines.load(artifact).predict([files[0].read_bytes()])
    assert shown(page, ".label") == [wanted.label]
    shares = shown(page, ".classes span")
    likeliest = sorted(wanted.probabilities.values(), reverse=True)[:5]
    assert shares == [f"{100 * one:.1f} %" for one in likeliest]
    (verdict,) = shown(page, ".verdict")
    assert verdict.startswith("Accepted" if wanted.accepted else "Not accepted")
    (latency,) = shown(page, ".latency")
    assert re.fullmatch(r"answered in \d+ ms", latency)
    image = page.find_element(By.CSS_SELECTOR, ".seen img")
    assert image.get_attribute("alt") == "one.png"
    assert image.get_property("naturalWidth") == 30


def test_page_shows_and_hides_the_heat_map(page, files):
    page.find_element(By.ID, "files").send_keys(str(files[0]))
    until(page, lambda: shown(page, ".place"))
    canvas = page.find_element(By.CSS_SELECTOR, ".seen canvas")
    hottest = page.execute_script(
        """const canvas = arguments[0], { width, height } = canvas;
        const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        return Math.max(...pixels.filter((_, i) => i % 4 === 3));""",
        canvas,
    )
    assert hottest == 150
    place = r"the (top|middle|bottom) (left|centre|right)"
    label = canvas.get_attribute("aria-label")
    assert re.fullmatch(rf"It looked most at {place}\.", label)
    assert canvas.size == page.find_element(By.CSS_SELECTOR, ".seen img").size
    page.find_element(By.ID, "heat").click()
    assert not canvas.is_displayed()


def test_texts_are_answered_and_blank_ones_broken(page):
    ui.Select(page.find_element(By.ID, "model")).select_by_visible_text("texts")
    until(page, lambda: page.find_element(By.ID, "text").is_displayed())
    assert not page.find_element(By.ID, "photos").is_displayed()
    field = page.find_element(By.ID, "text")
    field.send_keys("7 was a <b>rainy</b> day")
    page.find_element(By.CSS_SELECTOR, "#texts button").click()
    until(page, lambda: shown(page, ".latency"))
    assert shown(page, ".label")[0] in ("bad", "good")
    assert sorted(shown(page, ".classes dt")) == ["bad", "good"]
    assert "7 was a <b>rainy</b> day" in shown(page, ".answer")[0]
    field.clear()
    page.find_element(By.CSS_SELECTOR, "#texts button").click()
    until(page, lambda: len(shown(page, ".latency")) == 2)
    assert "Broken" in shown(page, ".answer")[0]


def test_rows_have_a_field_for_each_column(page):
    ui.Select(page.find_element(By.ID, "model")).select_by_visible_text("rows")
    until(page, lambda: page.find_element(By.ID, "rows").is_displayed())
    labels = shown(page, "#columns label")
    assert labels == ["age, a number", "job, a category"]
    age, job = page.find_elements(By.CSS_SELECTOR, "#columns input")
    ask = page.find_element(By.CSS_SELECTOR, "#rows button")
    age.send_keys("63")
    job.send_keys('a "b:null" <i>c</i>')
    ask.click()
    until(page, lambda: shown(page, ".latency"))
    assert shown(page, ".label") == ["old"]
    assert 'age 63, job a "b:null" <i>c</i>' in shown(page, ".answer")[0]
    age.clear()
    ask.click()  # a missing number is an answer of its own
    until(page, lambda: len(shown(page, ".latency")) == 2)
    assert "Not accepted" in shown(page, ".answer")[0]
    job.clear()
    ask.click()
    until(page, lambda: len(shown(page, ".latency")) == 3)
    assert "Broken" in shown(page, ".answer")[0]
    age.send_keys("3,5")
    ask.click()
    until(page, lambda: shown(page, ".failed"))
    assert "age takes a number" in page.find_element(By.ID, "status").text
    page.find_element(By.ID, "clear").click()
    assert page.switch_to.active_element == age


def test_broken_file_is_marked_beside_its_neighbours(page, files):
    page.find_element(By.ID, "files").send_keys("\n".join(map(str, files)))
    until(page, lambda: len(shown(page, ".latency")) == 3)
    cards = shown(page, ".answer")  # the last one that was asked is the first one
    assert "broken.png\nBroken: this cannot be read." in cards[0]
    assert [name in card for name, card in zip(("two", "one"), cards[1:])] == [True] * 2
    assert len(shown(page, ".label")) == 2
    assert "broken.png: cannot be read" in page.find_element(By.ID, "status").text


def test_files_that_are_dropped_are_asked_about(page):
    page.execute_script(
        """const data = new DataTransfer();
        data.items.add(new File(["none"], "dropped.png", { type: "image/png" }));
        document.getElementById("drop").dispatchEvent(
          new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
        );"""
    )
    until(page, lambda: shown(page, ".latency"))
    assert "dropped.png" in shown(page, ".answer")[0]


def test_keyboard_and_screen_reader_are_enough(page, files):
    seen = []
    for _ in range(3):
        press(page, Keys.TAB)
        seen.append(page.switch_to.active_element.get_attribute("id"))
        if seen[-1] == "files":
            break
    assert seen[-1] == "files"  # the model is before it, if anything
    page.switch_to.active_element.send_keys(str(files[0]))
    until(page, lambda: shown(page, ".latency"))
    for _ in range(4):
        press(page, Keys.TAB)
        if page.switch_to.active_element.get_attribute("id") == "clear":
            break
    press(page, Keys.SPACE)
    assert shown(page, ".answer") == []
    assert page.switch_to.active_element.get_attribute("id") == "files"
    unnamed = page.execute_script(
        """return [...document.querySelectorAll("input, select, textarea")]
        .filter((one) => !one.labels.length).map((one) => one.id)"""
    )
    assert unnamed == []
    status = page.find_element(By.ID, "status")
    assert status.get_attribute("aria-live") == "polite"


def test_nothing_is_asked_of_anybody_else(page, files, served_artifact):
    page.find_element(By.ID, "files").send_keys(str(files[0]))
    until(page, lambda: shown(page, ".latency"))
    asked = page.execute_script(
        "return performance.getEntriesByType('resource').map((one) => one.name)"
    )
    here = f"http://127.0.0.1:{served_artifact.rest_port}/"
    assert len(asked) >= 4
    assert all(name.startswith((here, "blob:" + here, "data:")) for name in asked)


def test_content_policy_stops_smuggled_code(browser, served_artifact):
    """Scripts in the page, styles in tags, and addresses elsewhere, all refused."""
    browser.get(f"http://127.0.0.1:{served_artifact.rest_port}/playground")
    refused = browser.execute_async_script(
        """const done = arguments[0], refused = [];
        document.addEventListener("securitypolicyviolation", (event) => {
          refused.push(event.effectiveDirective);
          if (refused.length === 3) done(refused.sort());
        });
        const script = document.createElement("script");
        script.textContent = "window.smuggled = true";
        document.body.append(script);
        const image = new Image();
        image.src = "http://127.0.0.2:9/image.png";
        fetch("http://127.0.0.2:9/").catch(() => {});"""
    )
    assert refused == ["connect-src", "img-src", "script-src-elem"]
    assert browser.execute_script("return window.smuggled") is None
    browser.get_log("browser")  # the refusals, which the next test must not see


def test_page_asks_for_token_over_tls(browser, guarded):
    browser.get(f"https://localhost:{guarded.rest_port}/playground")
    until(browser, lambda: browser.find_element(By.ID, "access").is_displayed())
    field = browser.switch_to.active_element
    assert field.get_attribute("id") == "token"
    field.send_keys("wrong", Keys.ENTER)
    until(browser, lambda: "Bearer" in browser.find_element(By.ID, "status").text)
    field.clear()
    field.send_keys(TOKEN, Keys.ENTER)
    text = browser.find_element(By.ID, "text")
    until(browser, text.is_displayed)
    assert not browser.find_element(By.ID, "access").is_displayed()
    text.send_keys("a sunny day")
    browser.find_element(By.CSS_SELECTOR, "#texts button").click()
    until(browser, lambda: shown(browser, ".latency"))
    assert len(shown(browser, ".label")) == 1
    browser.get_log("browser")  # the refusal, which the next test must not see
