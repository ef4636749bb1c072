"""E-mails by SMTP: what the mail server is told, and what becomes of its refusals."""

import asyncio
import json
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from typing import Any

import pytest

from cloudlet.services.sns.mail import Mail, MailRefused, send_by_smtp


class MailServer:
    """Understands as much SMTP as it takes to be sent a mail; answers recipients as it is told."""

    def __init__(self) -> None:
        self.mails: asyncio.Queue[bytes] = asyncio.Queue()
        self.recipient_answer = "250 fine"
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def answer(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        answer("220 ready")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"RCPT":
                answer(self.recipient_answer)
            elif verb == b"DATA":
                answer("354 go on")
                self.mails.put_nowait((await reader.readuntil(b"\r\n.\r\n"))[:-3])
                answer("250 taken")
            else:
                answer("221 bye" if verb == b"QUIT" else "250 fine")
            if verb == b"QUIT":
                break
        writer.close()


@pytest.fixture
async def smtp() -> AsyncIterator[MailServer]:
    found = MailServer()
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield found


async def test_a_notification_goes_to_the_mail_server(sns: Any, smtp: MailServer) -> None:
    sns.cloud.settings.smtp_url = smtp.url
    topic = await sns.topic(DisplayName="Der Laden")
    await sns.subscribe(topic, "email-json", "boss@example.com")
    asked = message_from_bytes(await smtp.mails.get(), policy=policy.default)
    token = json.loads(asked.get_content())["Token"]
    await sns("ConfirmSubscription", TopicArn=topic, Token=token)
    await sns("Publish", TopicArn=topic, Message="Nichts mehr da: Müsli", Subject="Inventur")
    mail = message_from_bytes(await smtp.mails.get(), policy=policy.default)
    assert (mail["To"], mail["Subject"]) == ("boss@example.com", "Inventur")
    assert mail["From"] == "Der Laden <no-reply@sns.amazonaws.com>"
    assert json.loads(mail.get_content())["Message"] == "Nichts mehr da: Müsli"
    assert await sns.mails() == []


MAIL = Mail("email", "Shop", "boss@example.com", "Hi", "hello")


async def test_a_recipient_that_does_not_exist_is_refused_for_good(smtp: MailServer) -> None:
    smtp.recipient_answer = "550 nobody here"
    with pytest.raises(MailRefused):
        await send_by_smtp(smtp.url, MAIL)


@pytest.mark.parametrize("answer", ["450 mailbox busy", "451 later"])
async def test_a_server_that_is_busy_may_be_asked_again(smtp: MailServer, answer: str) -> None:
    smtp.recipient_answer = answer
    with pytest.raises(OSError, match=answer[:3]):
        await send_by_smtp(smtp.url, MAIL)
