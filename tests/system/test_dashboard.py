"""The dashboard as people use it, in headless Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

APPLICATION = Path(__file__).parents[2] / "apps" / "inventory"
BERLIN = APPLICATION / "samples" / "berlin.csv"


@pytest.fixture(scope="module")
def url(server: Any, cloudlet: Any) -> str:
    """The address of a dashboard that nobody has uploaded anything to."""
    deployed = cloudlet("deploy", str(APPLICATION))
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    stack = server.client("cloudformation").describe_stacks(StackName="inventory")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return outputs["DashboardUrl"]


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The open dashboard; the test fails if the page has an error of its own."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(30_000)
    expect.set_options(timeout=30_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(url)
    expect(opened.locator("#status-text")).to_have_text("Live")
    yield opened
    opened.close()
    assert errors == []


def drop(page: Page, name: str, content: str) -> None:
    """What the browser tells a page when a file is dropped on it."""
    files = page.evaluate_handle(
        """([name, content]) => {
            const data = new DataTransfer();
            data.items.add(new File([content], name, {type: "text/csv"}));
            return data;
        }""",
        [name, content],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", event, {"dataTransfer": files})


def test_an_empty_dashboard_says_what_to_do(page: Page):
    expect(page.locator("#nothing")).to_have_text("Nothing is in the inventory yet. Upload a file to begin.")


def test_an_uploaded_file_becomes_levels(page: Page):
    page.set_input_files("#files", BERLIN)
    berlin = page.locator(".store", has_text="Berlin")
    expect(berlin.locator(".item")).to_have_count(6)
    expect(berlin.locator(".item").first).to_have_text("Echo PlusOut of stock")
    expect(berlin.locator(".item", has_text="Echo (2nd Gen)")).to_have_text("Echo (2nd Gen)19")
    expect(berlin.locator(".badge")).to_have_text("1 out of stock")
    expect(page.locator("#out-list")).to_have_text("Echo PlusBerlin")
    expect(page.locator("#total-out")).to_have_text("1")
    expect(page.locator("#total-units")).to_have_text("74")
    expect(page.locator(".file", has_text="berlin.csv")).to_contain_text("6 rows loaded · just now")


def test_dropped_files_are_uploaded_and_bad_rows_explained(page: Page):
    drop(page, "tokyo.csv", "store,item,count\nTokyo,Echo Dot,41\nTokyo,Echo Show,many\n")
    file = page.locator(".file", has_text="tokyo.csv")
    expect(file).to_contain_text("1 row loaded")
    file.locator("summary").click()
    expect(file.locator("tbody tr")).to_have_text(["3the count is not a whole number: manyTokyo,Echo Show,many"])
    expect(page.locator(".store h3")).to_have_text(["Berlin", "Tokyo"])


def test_a_file_that_cannot_be_taken_is_refused_with_a_reason(page: Page):
    drop(page, "notes.txt", "hello")
    expect(page.locator(".file.failed")).to_contain_text("must end in .csv")


def test_search_and_choice_narrow_the_levels(page: Page):
    page.fill("#search", "echo d")
    expect(page.locator(".item-name")).to_have_text(["Echo Dot", "Echo Dot"])
    page.fill("#search", "")
    page.get_by_label("Out of stock", exact=True).check(force=True)
    expect(page.locator(".item-name")).to_have_text(["Echo Plus"])


def test_what_others_upload_appears_by_itself(page: Page, server: Any):
    outputs = server.client("cloudformation").describe_stacks(StackName="inventory")["Stacks"][0]["Outputs"]
    bucket = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "BucketName")
    server.client("s3").put_object(Bucket=bucket, Key="inventory/b.csv", Body=b"store,item,count\nBerlin,Echo Plus,3\n")
    expect(page.locator("#total-out")).to_have_text("0")
    expect(page.locator("#out")).to_be_hidden()


def test_orders_appear_with_what_became_of_them(page: Page):
    orders = "order,store,item,count\nD-1,Berlin,Echo Dot,2\nD-2,Berlin,Echo Plus,9\n"
    drop(page, "monday.csv", orders)
    expect(page.locator(".file", has_text="orders/monday.csv")).to_contain_text("2 orders taken")
    expect(page.locator(".order", has_text="D-1")).to_contain_text("Reserved")
    waiting = page.locator(".order", has_text="D-2")
    expect(waiting).to_contain_text("Back-ordered")
    expect(waiting).to_contain_text("Echo Plus: 9 wanted, 3 available")
    expect(page.locator("#total-waiting")).to_have_text("1")
    page.get_by_label("Back-ordered", exact=True).check(force=True)
    expect(page.locator(".order-id")).to_have_text(["D-2"])


def test_stock_that_comes_fills_a_back_order_before_ones_eyes(page: Page):
    expect(page.locator(".order", has_text="D-2")).to_contain_text("Back-ordered")
    drop(page, "more.csv", "store,item,count\nBerlin,Echo Plus,10\n")
    expect(page.locator(".order", has_text="D-2")).to_contain_text("Reserved")
    expect(page.locator(".item", has_text="Echo Plus")).to_have_text("Echo Plus1")
    expect(page.locator("#total-waiting")).to_have_text("0")


def test_the_stock_report_can_be_downloaded(page: Page, server: Any):
    server.client("lambda").invoke(FunctionName="inventory-stock-report")
    page.reload()
    with page.expect_download() as download:
        page.locator("#reports a").first.click()
    assert download.value.path().read_text(encoding="utf-8-sig").startswith("store,item,count,state")


def test_a_phone_shows_the_orders_without_scrolling_sideways(page: Page):
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator(".order").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
