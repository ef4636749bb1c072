"""E-mails: how they read, and how they leave: by SMTP, or into the local mailbox."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from cloudlet.store import Reader, Transaction

SENDER_ADDRESS = "no-reply@sns.amazonaws.com"
_SMTP_SECONDS = 30


class MailRefused(Exception):
    """The mail server refused the mail for good."""


@dataclass(frozen=True, slots=True)
class Mail:
    """`protocol` is email, email-json or sms; a short message has no subject. `sender` is the name shown."""

    protocol: str
    sender: str
    recipient: str
    subject: str
    body: str


def confirmation_mail(recipient: str, topic: str, url: str) -> Mail:
    body = (
        "Somebody asked for this address to be subscribed to the topic:\n"
        f"{topic}\n\n"
        "If that was you, confirm it by opening this link:\n"
        f"{url}\n\n"
        "Otherwise there is nothing to do: without a confirmation nothing else will be sent.\n"
    )
    return Mail("email", "AWS Notifications", recipient, "AWS Notification - Subscription Confirmation", body)


def notification_mail(recipient: str, sender: str, subject: str | None, body: str, unsubscribe: str) -> Mail:
    footer = f"\n\n--\nTo stop receiving notifications from this topic, open this link:\n{unsubscribe}\n"
    return Mail("email", sender or "AWS Notifications", recipient, subject or "AWS Notification Message", body + footer)


def put_in_mailbox(tx: Transaction, account: str, region: str, mail: Mail, now: float) -> None:
    tx.execute(
        "INSERT INTO mail (account, region, protocol, sender, recipient, subject, body, sent)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (account, region, mail.protocol, mail.sender, mail.recipient, mail.subject, mail.body, now),
    )


def mailbox(reader: Reader, account: str, limit: int) -> list[dict[str, Any]]:
    """The newest mails of an account, newest first; `time` in epoch seconds."""
    rows = reader.all(
        "SELECT id, region, protocol, sender, recipient, subject, body, sent FROM mail WHERE account = ?"
        " ORDER BY id DESC LIMIT ?",
        (account, limit),
    )
    names = ("id", "region", "protocol", "from", "to", "subject", "body", "time")
    return [dict(zip(names, row, strict=True)) for row in rows]


async def send_by_smtp(url: str, mail: Mail) -> None:
    """Raises MailRefused, or OSError or SMTPException where another attempt may help."""
    await asyncio.to_thread(_send, url, asdict(mail))


def _send(url: str, mail: Mapping[str, str]) -> None:
    # Slow imports: a server that sends no e-mails does not wait for them at its start.
    import smtplib
    from email.headerregistry import Address
    from email.message import EmailMessage

    server = urlsplit(url)
    message = EmailMessage()
    message["From"] = Address(mail["sender"], addr_spec=SENDER_ADDRESS)
    message["To"] = mail["recipient"]
    message["Subject"] = mail["subject"]
    message.set_content(mail["body"])
    connect = smtplib.SMTP_SSL if server.scheme == "smtps" else smtplib.SMTP
    with connect(server.hostname or "localhost", server.port or 0, timeout=_SMTP_SECONDS) as smtp:
        smtp.ehlo_or_helo_if_needed()
        if server.scheme != "smtps" and smtp.has_extn("starttls"):
            smtp.starttls()
        if server.username:
            smtp.login(unquote(server.username), unquote(server.password or ""))
        try:
            smtp.send_message(message)
        except ValueError as refused:  # an address that cannot be written in SMTP
            raise MailRefused(str(refused)) from refused
        except smtplib.SMTPRecipientsRefused as refused:
            codes = [code for code, _ in refused.recipients.values()]
            if all(code >= 500 for code in codes):
                raise MailRefused(str(refused)) from refused
            raise
