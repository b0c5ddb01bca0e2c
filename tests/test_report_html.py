"""The HTML report: what is in it, that names stay text, and how it behaves in a real browser."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

import tinysim
from tests.conftest import DEMO_MODEL
from tinysim.report import render
from tinysim.report._html import arena, costs, flame, regions, verdict, words
from tinysim.simulator.profile import OutputCheck, Profile, Published

HOSTILE = (
    """</script><script>alert(1)</script>"'><img src=x onerror=alert(2)>\n\x1b[31m{{ 7 * 7 }}"""
)
MLPERF = ("kws_int8", "vww_int8", "ic_resnet_int8", "ad_int8")
MAX_BYTES = 1_500_000
SECTIONS = ("verdict", "cost", "arena", "memory", "functions", "loops", "layers", "conditions")


@pytest.fixture(scope="module")
def profile() -> Profile:
    return tinysim.run(DEMO_MODEL, "nucleo_l4r5zi")


@pytest.fixture(scope="module")
def hostile(profile: Profile) -> Profile:
    """The same with every name that somebody else chooses set to something bad."""
    return replace(
        profile,
        model_name=HOSTILE,
        layers=tuple(replace(one, name=HOSTILE, op=HOSTILE) for one in profile.layers),
        tensors=tuple(replace(one, name=HOSTILE) for one in profile.tensors),
        functions=tuple(replace(one, name=HOSTILE) for one in profile.functions),
        paths=tuple((tuple(HOSTILE for _ in path), cycles) for path, cycles in profile.paths),
        loops=tuple(replace(one, function=HOSTILE) for one in profile.loops),
        removed=(HOSTILE,),
        published=(Published(HOSTILE, 0.1, 0.001, HOSTILE),),
    )


@pytest.fixture(scope="module")
def page_of(profile: Profile) -> Elements:
    return elements(render(profile, "html"))


class Elements(HTMLParser):
    """Elements with their attributes, and text."""

    #: What has no end tag.
    VOID = ("meta", "input", "rect", "line", "br")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open and self.open.pop() == tag, f"{tag} is closed where it is not open"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


def elements(text: str) -> Elements:
    parser = Elements()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser


def test_sections_stand_in_order(page_of: Elements) -> None:
    ids = [one["id"] for one in page_of.all("section")]
    assert ids == list(SECTIONS)
    assert len(page_of.all("h1")) == 1 and len(page_of.all("h2")) == len(SECTIONS) - 1
    targets = {one["href"] for one in page_of.all("a")}
    known = {one.get("id") for _, one in page_of.found}
    assert all(target is not None and target[1:] in known for target in targets)


def test_ids_are_unique_and_labels_lead_to_them(page_of: Elements) -> None:
    ids = [one["id"] for _, one in page_of.found if "id" in one]
    assert len(ids) == len(set(ids))
    for _, one in page_of.found:
        for attribute in ("aria-labelledby", "aria-controls", "for"):
            assert one.get(attribute) is None or one[attribute] in ids


def test_the_file_needs_nothing_else(profile: Profile, page_of: Elements) -> None:
    assert not any({"src", "srcset", "action", "data"} & one.keys() for _, one in page_of.found)
    assert not page_of.all("link") and not page_of.all("img")
    text = render(profile, "html")
    assert (
        "@import" not in text
        and "url(" not in text
        and "http" not in re.sub("http-equiv", "", text)
    )
    (policy,) = [m for m in page_of.all("meta") if m.get("http-equiv")]
    assert policy["content"] is not None and policy["content"].startswith("default-src 'none';")


def test_every_figure_and_table_has_words(page_of: Elements) -> None:
    for one in page_of.all("figure"):
        assert one.get("aria-label") or one.get("aria-labelledby")
    for one in page_of.all("svg"):
        assert one.get("aria-hidden") == "true" or one.get("aria-labelledby")
    for one in page_of.all("th"):
        assert one.get("scope") in ("col", "row")


def test_it_says_what_the_profile_says(profile: Profile, page_of: Elements) -> None:
    text = page_of.text
    assert f"{profile.cycles:,} cycles" in text
    assert f"grade {profile.timing.grade}" in text
    assert f"{profile.arena_bytes:,}\N{NO-BREAK SPACE}B" in text
    assert profile.board_title in text and profile.core_sha256 in text
    assert profile.timing.source in text and profile.toolchain.version in text
    for layer in profile.layers:
        assert f"{layer.counters.cycles:,}" in text and layer.kernel in text
    for one in profile.loops[0].body:
        assert one.text in text


@pytest.mark.parametrize("is_hostile", [False, True])
def test_the_same_profile_is_the_same_bytes(
    profile: Profile, hostile: Profile, is_hostile: bool
) -> None:
    chosen = hostile if is_hostile else profile
    assert render(chosen, "html") == render(chosen, "html")


def test_hostile_names_stay_text(hostile: Profile) -> None:
    text = render(hostile, "html")
    page = elements(text)
    assert len(page.all("script")) == 1 and not page.all("img")
    assert not any(name.startswith("on") for _, one in page.found for name in one)
    assert "\x1b" not in text
    shown = HOSTILE.replace("\n", "?").replace("\x1b", "?")
    assert shown in page.text


def test_what_does_not_fit_and_is_wrong_is_said_first(profile: Profile) -> None:
    small = tuple(
        replace(one, size_bytes=one.used_bytes - 10) if one.kind == "flash" else one
        for one in profile.regions
    )
    bad = replace(profile, regions=small, output_check=OutputCheck("mismatch", "host", 3))
    text = elements(render(bad, "html")).text
    assert text.index("Does not fit") < text.index("Output wrong") < text.index("Latency")
    assert "flash is too small by 10\N{NO-BREAK SPACE}B" in verdict.headline(bad)
    (flash,) = [one for one in regions.filled(bad) if one.region.kind == "flash"]
    assert flash.full_at < 100 and flash.free_bytes == 0


def test_published_results_stand_beside_ours(profile: Profile) -> None:
    others = (Published("slow", profile.latency_s * 2, None, "a paper"),)
    page = elements(render(replace(profile, published=others), "html"))
    assert [one["id"] for one in page.all("section")][-2:] == ["published", "conditions"]
    assert "slow" in page.text and "2.00 ×" in page.text  # noqa: RUF001


def test_boards_without_power_have_no_chart_of_energy(profile: Profile) -> None:
    keys = [chart.key for chart in costs.charts(replace(profile, energy=None))]
    assert keys == ["cycles", "stalls", "macs"]
    assert "unknown" in elements(render(replace(profile, energy=None), "html")).text


def test_a_profile_of_nothing_renders(profile: Profile) -> None:
    nothing = replace(
        profile, layers=(), tensors=(), functions=(), paths=(), loops=(), regions=(), arena_bytes=0
    )
    assert [one["id"] for one in elements(render(nothing, "html")).all("section")] == list(SECTIONS)


def test_bars_are_as_long_as_what_they_show(profile: Profile) -> None:
    chart = costs.charts(profile)[0]
    most = max(layer.counters.cycles for layer in profile.layers)
    for layer, bar in zip(profile.layers, chart.bars, strict=False):
        length = sum(piece.width for piece in bar.pieces)
        assert length == pytest.approx(100 * layer.counters.cycles / most, abs=0.01)


def test_frames_lie_below_their_callers(profile: Profile) -> None:
    frames = flame.frames(profile)
    assert frames[0].width == 1 and frames[0].cycles == sum(cycles for _, cycles in profile.paths)
    for one in frames[1:]:
        above = [
            other
            for other in frames
            if other.depth == one.depth - 1
            and other.start - 1e-6 <= one.start
            and one.start + one.width <= other.start + other.width + 3e-6
        ]
        assert len(above) == 1


def test_boxes_lie_in_the_picture(profile: Profile) -> None:
    picture = arena.picture(profile)
    assert len(picture.boxes) == len(profile.tensors)
    for box in picture.boxes:
        assert box.x >= arena.LEFT and box.x + box.width <= arena.RIGHT
        assert box.y >= arena.TOP and box.y + box.height <= arena.BOTTOM
    (peak,) = [step for step in picture.steps if step.is_peak]
    assert peak.in_use_bytes == max(step.in_use_bytes for step in picture.steps)
    assert peak.in_use_bytes == profile.arena_lower_bound_bytes == profile.arena_bytes


def test_advice_names_the_layer_that_makes_the_bound(profile: Profile) -> None:
    steps = arena.picture(profile).steps
    (peak,) = [index - 1 for index, step in enumerate(steps) if step.is_peak]
    alive = [one for one in profile.tensors if one.first_layer <= peak <= one.last_layer]
    advice = arena.picture(profile).advice
    assert f"in layer {peak} ({profile.layers[peak].op})" in advice
    assert f"{max(one.size_bytes for one in alive):,}" in advice


def test_layers_are_named_in_spans() -> None:
    assert words.layers((0, 1, 2, 5, 7, 8)) == "layers 0–2, 5, 7–8"  # noqa: RUF001
    assert words.layers((3,)) == "layer 3" and words.layers(()) == "outside of layers"


def test_fragment_for_notebooks_stays_small(profile: Profile) -> None:
    fragment = tinysim.api.Result(**vars(profile))._repr_html_()
    assert fragment.startswith("<pre") and "<script" not in fragment


@pytest.mark.parametrize("name", MLPERF)
def test_reports_are_not_large(shared: Path, name: str) -> None:
    found = tinysim.run(shared / "models" / f"mlperf_{name}.tflite", "nucleo_l4r5zi")
    assert len(render(found, "html").encode()) < MAX_BYTES


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("there is no chromium: the report is not looked at in a browser")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


class Opened:
    """A page and what happened in it."""

    def __init__(self, browser: Browser, path: Path, width: int = 1280, scheme: str = "light"):
        self.context = browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        self.page: Page = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("dialog", lambda dialog: self.messages.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def column(self, number: int) -> list[str]:
        cells = self.page.locator(f"#layer-table tbody tr > :nth-child({number})")
        return cells.all_inner_texts()


@pytest.fixture(scope="module")
def file(profile: Profile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("html") / "report.html"
    path.write_text(render(profile, "html"), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Browser, file: Path) -> Iterator[Opened]:
    found = Opened(browser, file)
    yield found
    assert found.messages == [] and found.requests == [file.as_uri()]
    found.context.close()


def test_headings_sort_by_click_and_key(opened: Opened, profile: Profile) -> None:
    page = opened.page
    cycles = sorted((layer.counters.cycles for layer in profile.layers), reverse=True)
    table = page.locator("#layer-table")
    heading = table.get_by_role("columnheader", name="Cycles", exact=True)
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert opened.column(8) == [f"{value:,}" for value in cycles]
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert opened.column(8) == [f"{value:,}" for value in reversed(cycles)]
    kernel = table.get_by_role("columnheader", name="Kernel")
    kernel.get_by_role("button").click()
    assert opened.column(4) == sorted(layer.kernel for layer in profile.layers)
    assert page.locator("[aria-sort=ascending], [aria-sort=descending]").count() == 1


def test_filter_keeps_layers_that_have_all_words(opened: Opened, profile: Profile) -> None:
    opened.page.get_by_label("Filter").fill("conv_2d depthwise")
    wanted = [layer for layer in profile.layers if layer.op == "DEPTHWISE_CONV_2D"]
    assert opened.page.locator("#layer-table tbody tr:visible").count() == len(wanted) > 0
    assert f"{len(wanted)} of {len(profile.layers)}" in opened.page.locator("#shown").inner_text()


def test_charts_switch(opened: Opened) -> None:
    assert opened.page.locator(".rows .m-cycles").first.is_visible()
    opened.page.get_by_label("Stalls by cause").check(force=True)
    assert opened.page.locator(".rows .m-stalls").first.is_visible()
    assert not opened.page.locator(".rows .m-cycles").first.is_visible()


def test_flame_graph_zooms_by_click_and_key(opened: Opened) -> None:
    page = opened.page
    frames = page.locator(".frame")
    everything = page.locator(".frame:visible").count()
    widest = frames.nth(0).bounding_box()
    assert widest is not None
    frames.nth(1).click()
    zoomed = frames.nth(1).bounding_box()
    assert zoomed is not None and zoomed["width"] == pytest.approx(widest["width"], abs=1)
    assert page.locator(".frame:visible").count() < everything
    assert "cycles" in page.locator(".chosen").inner_text()
    page.keyboard.press("Escape")
    assert page.locator(".frame:visible").count() == everything
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.dataset.depth") == "0"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.depth") == "1"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_until_it_is_switched(
    browser: Browser, file: Path, scheme: str
) -> None:
    found = Opened(browser, file, scheme=scheme)
    button = found.page.get_by_role("button", name="Dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = found.page.evaluate(colour)
    assert button.get_attribute("aria-pressed") == str(scheme == "dark").lower()
    button.click()
    assert button.get_attribute("aria-pressed") == str(scheme != "dark").lower()
    assert found.page.evaluate(colour) != before
    assert found.messages == []
    found.context.close()


@pytest.mark.parametrize("is_hostile", [False, True])
def test_a_phone_does_not_scroll_sideways(
    browser: Browser, file: Path, hostile: Profile, tmp_path: Path, is_hostile: bool
) -> None:
    path = file
    if is_hostile:
        path = tmp_path / "hostile.html"
        path.write_text(render(hostile, "html"), encoding="utf-8")
    found = Opened(browser, path, width=390)
    for details in found.page.locator("details").all():
        details.evaluate("one => one.open = true")
    assert found.page.evaluate("document.documentElement.scrollWidth") == 390
    assert found.messages == [] and found.requests == [path.as_uri()]
    found.context.close()


def test_a_printed_page_is_as_wide_as_paper(browser: Browser, file: Path) -> None:
    found = Opened(browser, file, width=794, scheme="dark")  # A4 at 96 pixels an inch
    found.page.emulate_media(media="print")
    assert found.page.evaluate("document.documentElement.scrollWidth") == 794
    assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    assert not found.page.locator("header").is_visible()
    found.context.close()


#: Finds text whose contrast with what is behind it is below WCAG AA (4.5, or 3 if it is large).
CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * top[3] + below[i] * (1 - top[3]));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) {
      layers.push(rgba(getComputedStyle(one).backgroundColor));
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const wrong = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let checked = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest("svg")) continue;
    const style = getComputedStyle(node);
    const text = rgba(style.color);
    if (text[3] === 0) continue; // a frame too narrow for its name
    const back = behind(node);
    const pair = [luminance(over(text, back)), luminance(back)].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const isLarge = parseFloat(style.fontSize) >= 24
      || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    checked += 1;
    if (ratio < (isLarge ? 3 : 4.5)) {
      wrong.add(`${node.className} ${node.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
    }
  }
  return [checked, [...wrong]];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(browser: Browser, file: Path, scheme: str) -> None:
    found = Opened(browser, file, scheme=scheme)
    for details in found.page.locator("details").all():
        details.evaluate("one => one.open = true")
    checked, wrong = found.page.evaluate(CONTRAST)
    assert checked > 300 and wrong == []
    found.context.close()
