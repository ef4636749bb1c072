"""The console as people use it, in headless Chromium."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Request, expect

REGION = "us-east-1"
MARKUP = '<img src=x onerror="window.ran = true">'
TEMPLATE = {
    "Description": "Where greetings wait.",
    "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
    "Outputs": {
        "Page": {"Value": "http://example.com/greetings"},
        "Script": {"Value": "javascript:window.ran=true"},
    },
}


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Opens the console of a server; the test fails if a page has an error of its own or asks anybody else."""
    opened: list[Page] = []
    errors: list[str] = []
    expect.set_options(timeout=30_000)

    def open_(url: str) -> Page:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.append(page)
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        page.on("request", lambda sent: errors.append(sent.url) if not sent.url.startswith(url) else None)
        page.goto(f"{url}/_cloudlet/console/")
        return page

    yield open_
    for page in opened:
        page.close()
    assert errors == []


@pytest.fixture
def page(open_page: Any, server: Any) -> Page:
    """The console of the module's server, before anybody signs in."""
    return open_page(server.url)


def sign_in(page: Page, server: Any, secret: str | None = None) -> None:
    key = server.session().get_credentials()
    page.get_by_label("Access key ID").fill(key.access_key)
    page.get_by_label("Secret access key").fill(secret or key.secret_key)
    page.get_by_role("button", name="Sign in").click()


def subscribed_topic(server: Any, name: str, address: str) -> tuple[str, str]:
    """The ARNs of a new topic and of the subscription of an e-mail address, which is not confirmed."""
    sns = server.client("sns")
    topic = sns.create_topic(Name=name)["TopicArn"]
    asked = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, ReturnSubscriptionArn=True)
    return topic, asked["SubscriptionArn"]


def mail(page: Page, *texts: str) -> Any:
    """The e-mail whose line has all the texts."""
    found = page.locator("#mails .mail")
    for text in texts:
        found = found.filter(has_text=text)
    return found


def kept(page: Page) -> int:
    return page.evaluate("sessionStorage.length + localStorage.length")


def test_a_wrong_key_is_refused_in_the_servers_words(page: Page, server: Any):
    sign_in(page, server, "not-the-secret")
    problem = page.get_by_role("alert").filter(has_text="SignatureDoesNotMatch")
    expect(problem).to_contain_text("The request signature we calculated does not match the signature you provided.")
    expect(page.locator("#account")).to_be_hidden()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    assert kept(page) == 0
    page.get_by_label("Access key ID").fill("AKIANOBODYKNOWSTHIS0")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#sign-in-problem")).to_contain_text("The security token included in the request is invalid.")


def test_whoever_signs_in_sees_the_account_and_what_is_not_there_yet(page: Page, server: Any):
    sign_in(page, server)
    expect(page.locator(".facts dd")).to_have_text(["000000000000", "root", REGION, server.health()["version"]])
    expect(page.locator("#no-mails")).to_contain_text("No e-mail has been sent yet.")
    expect(page.locator("#no-stacks")).to_contain_text("No stack in this region yet.")
    expect(page.locator("#status")).to_have_text("Live")
    expect(page.locator("#sign-in")).to_be_hidden()


def test_mails_appear_and_a_click_confirms_a_subscription(page: Page, server: Any):
    sign_in(page, server)
    expect(page.locator("#no-mails")).to_be_visible()
    topic, subscription = subscribed_topic(server, "alerts", "reader@example.com")
    asking = mail(page, "Subscription Confirmation", "reader@example.com")
    asking.locator("summary").click()
    link = asking.get_by_role("link")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    with page.context.expect_page() as opened:
        link.click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("window.opener === null && sessionStorage.length === 0")
    attributes = server.client("sns").get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    assert attributes["PendingConfirmation"] == "false"

    server.client("sns").publish(TopicArn=topic, Subject="Out of stock", Message="See http://example.com/a?b=c.")
    arrived = mail(page, "Out of stock")
    expect(arrived).to_have_count(1)
    expect(page.locator("#announcer")).to_have_text("New e-mail to reader@example.com: Out of stock")
    arrived.locator("summary").click()
    expect(arrived.get_by_role("link").first).to_have_attribute("href", "http://example.com/a?b=c")
    expect(asking).to_have_attribute("open", "")
    expect(page.locator("#mails .mail-subject").first).to_have_text("Out of stock")
    expect(page.locator("#no-mails")).to_be_hidden()


def test_markup_in_a_mail_is_text(page: Page, server: Any):
    topic, _ = subscribed_topic(server, "markup", "markup@example.com")
    sign_in(page, server)
    asking = mail(page, "markup@example.com")
    asking.locator("summary").click()
    with page.context.expect_page() as opened:
        asking.get_by_role("link").click()
    opened.value.wait_for_load_state()
    body = f"{MARKUP} <script>window.ran = true</script> javascript:window.ran=true http://example.com/\"onclick='x'"
    server.client("sns").publish(TopicArn=topic, Subject=MARKUP, Message=body)
    shown = mail(page, MARKUP)
    shown.locator("summary").click()
    expect(shown.locator(".mail-subject")).to_have_text(MARKUP)
    expect(shown.locator(".mail-body")).to_contain_text(body)
    expect(shown.get_by_role("link").first).to_have_attribute("href", "http://example.com/")
    expect(page.locator("main img, main script, main [onclick], main [onerror]")).to_have_count(0)
    assert page.evaluate("window.ran") is None


def test_short_messages_begin_with_what_they_say_and_many_are_shown_on_demand(page: Page, server: Any):
    for number in range(60):
        server.client("sns").publish(PhoneNumber="+15555550100", Message=f"Code {number}\nTell nobody.")
    sign_in(page, server)
    mails = page.locator("#mails .mail")
    expect(mails).to_have_count(50)
    expect(mails.first.locator(".mail-subject")).to_have_text("Code 59")
    page.get_by_role("button", name="Show all").click()
    expect(mails).to_have_count(int(page.locator("#mails-number").inner_text()))
    expect(mail(page, "Code 0")).to_have_count(1)
    expect(page.get_by_role("button", name="Show all")).to_be_hidden()


def test_stacks_are_shown_with_the_addresses_among_their_outputs(page: Page, server: Any):
    sign_in(page, server)
    server.client("cloudformation").create_stack(StackName="greeter", TemplateBody=json.dumps(TEMPLATE))
    stack = page.locator(".stack", has_text="greeter")
    expect(stack.locator(".badge")).to_have_text("CREATE_COMPLETE")
    expect(stack).to_contain_text("Where greetings wait.")
    expect(stack.locator("dt")).to_have_text(["Page", "Script"])
    expect(stack.get_by_role("link")).to_have_count(1)
    expect(stack.get_by_role("link")).to_have_attribute("href", "http://example.com/greetings")
    expect(stack.locator("dd").last).to_have_text("javascript:window.ran=true")


def test_a_user_sees_what_his_policy_allows(page: Page, server: Any):
    iam = server.client("iam")
    iam.create_user(UserName="reader")
    allowed = {"Effect": "Allow", "Action": "cloudformation:DescribeStacks", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="reader", PolicyName="stacks", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    page.get_by_label("Access key ID").fill(key["AccessKeyId"])
    page.get_by_label("Secret access key").fill(key["SecretAccessKey"])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#account-user")).to_have_text("user/reader")
    expect(page.locator("#mails-problem")).to_contain_text("Only the account's root may read its mailbox")
    expect(page.locator("#stacks-problem")).to_be_hidden()


def test_all_that_cloudlet_env_prints_may_be_pasted(page: Page, cloudlet: Any):
    page.evaluate(
        """(text) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text", text);
            const pasted = new ClipboardEvent("paste", {clipboardData, bubbles: true, cancelable: true});
            document.getElementById("access-key-id").dispatchEvent(pasted);
        }""",
        cloudlet("env").stdout,
    )
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#account-id")).to_have_text("000000000000")


def test_signing_out_forgets_the_key(page: Page, server: Any):
    secret = server.session().get_credentials().secret_key
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    sign_in(page, server)
    expect(page.locator("#account-id")).to_have_text("000000000000")
    assert kept(page) == 0
    page.get_by_role("button", name="Sign out").click()
    assert kept(page) == 0
    for field in ("Access key ID", "Secret access key"):
        expect(page.get_by_label(field)).to_have_value("")
    assert "000000000000" not in page.content()
    page.reload()
    expect(page.get_by_label("Access key ID")).to_be_visible()
    expect(page.locator("#account")).to_be_hidden()
    assert all(secret not in f"{request.url} {request.headers} {request.post_data}" for request in sent)


def test_nothing_is_asked_while_nobody_looks(page: Page, server: Any):
    page.clock.install()
    sign_in(page, server)
    expect(page.locator("#status")).to_have_text("Live")
    look(page, "hidden")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/mail") else None)
    for _ in range(5):
        page.clock.run_for(2000)
        page.evaluate("fetch('/_cloudlet/health').then((answer) => answer.text())")
    assert len(asked) <= 1, "one may have been under way"
    subscribed_topic(server, "hidden", "later@example.com")
    look(page, "visible")
    expect(mail(page, "later@example.com")).to_have_count(1)


def look(page: Page, state: str) -> None:
    """What the browser tells a page whose tab is put behind others or brought to the front."""
    page.evaluate(
        """(state) => {
            Object.defineProperty(document, "visibilityState", {value: state, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        state,
    )


def test_a_server_that_comes_back_is_found_again(open_page: Any, own_server: Any):
    page = open_page(own_server.url)
    sign_in(page, own_server)
    expect(page.locator("#status")).to_have_text("Live")
    own_server.kill9()
    expect(page.locator("#mails-problem")).to_have_text(f"Cloudlet does not answer at {own_server.url}.")
    expect(page.locator("#status")).to_have_text("Not up to date")
    own_server.start()
    expect(page.locator("#status")).to_have_text("Live")
    expect(page.locator("#mails-problem")).to_be_hidden()


def test_another_plain_name_is_said_to_be_of_no_use(open_page: Any, server: Any):
    page = open_page(f"http://another-machine.test:{server.port}")
    notice = page.get_by_role("alert").filter(has_text="This address cannot be used to sign in")
    expect(notice).to_contain_text(f"http://another-machine.test:{server.port}.")
    expect(notice.get_by_role("link")).to_have_attribute("href", f"http://localhost:{server.port}/_cloudlet/console/")
    expect(page.locator("#sign-in")).to_be_hidden()
