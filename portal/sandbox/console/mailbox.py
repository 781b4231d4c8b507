"""`/mailbox/`: what the portal mailed, newest first, with links that work."""

import re
from urllib.parse import urlencode

from portal.sandbox import wire
from portal.sandbox.console.html import Markup, fill, form_field, join, page, safe, table
from portal.sandbox.mail import Mail, Mailbox
from portal.sandbox.request import Request

BANNER = "Mailbox of the demo \u2013 every mail the portal sends arrives here, none leaves this machine"
LINK = re.compile(r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")


class MailboxPages:
    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def __call__(self, request: Request) -> wire.Reply:
        number = request.path.removeprefix("/mailbox").strip("/")
        to = form_field(request.query, "to")
        if not number:
            return self._list(to)
        mail = self.mailbox.find(number)
        if mail is None:
            return page("No such mail", fill('<p><a href="/mailbox/">All mail</a></p>'), banner=BANNER, status=404)
        return _show(mail)

    def _list(self, to: str) -> wire.Reply:
        rows = [
            (
                _time(mail),
                ", ".join(mail.to),
                fill('<a href="/mailbox/{id}/">{subject}</a>', id=mail.id, subject=mail.subject or "(no subject)"),
            )
            for mail in self.mailbox.newest_first(to)
        ]
        form = fill(
            '<form method="get" action="/mailbox/" class="inline"><label for="to">Mail to</label> '
            '<input id="to" name="to" type="email" value="{to}"> <button class="quiet">Filter</button></form>',
            to=to,
        )
        empty = "No mail to this address yet." if to else "No mail yet."
        return page("Mailbox", join((form, table(("Received", "To", "Subject"), rows, caption="Newest first", empty=empty))), banner=BANNER)


def _show(mail: Mail) -> wire.Reply:
    body = fill(
        "<p>{back}</p><dl><dt>Received</dt><dd>{time}</dd><dt>From</dt><dd>{sender}</dd><dt>To</dt><dd>{to}</dd></dl>"
        '<div class="mail">{text}</div>',
        back=join(
            (
                fill('<a href="/mailbox/">All mail</a>'),
                fill('<a href="/mailbox/?{query}">Mail to {to}</a>', query=urlencode({"to": mail.to[0]}), to=mail.to[0]),
            ),
            " \u00b7 ",
        ),
        time=_time(mail),
        sender=mail.sender,
        to=", ".join(mail.to),
        text=linked(mail.text or "This mail has no text part."),
    )
    return page(mail.subject or "(no subject)", body, banner=BANNER)


def linked(text: str) -> Markup:
    """Text with its web addresses as links, everything else escaped."""
    parts: list[Markup] = []
    position = 0
    for found in LINK.finditer(text):
        parts += [safe(text[position : found.start()]), fill('<a href="{url}">{url}</a>', url=found.group())]
        position = found.end()
    return join([*parts, safe(text[position:])])


def _time(mail: Mail) -> Markup:
    return fill('<time datetime="{value}">{shown} UTC</time>', value=mail.received_at, shown=mail.received_at[:19].replace("T", " "))
