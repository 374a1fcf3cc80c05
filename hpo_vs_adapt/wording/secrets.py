"""What is hidden wherever people or files are shown: passwords and keys in URIs.

A URI holds secrets before its ``@`` and in parameters such as ``password=``. They are
hidden in three ways, each of which finds what the others cannot: a URI that is known is
found whole, however it is quoted or encoded; whatever looks like a URI with a secret is
hidden though nobody knows it; a secret that is known is found where it stands alone.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, unquote_plus

__all__ = ["MASK", "Secrets", "mask_uri", "mask_uris"]

MASK = "***"

LEAST = 6
"""Characters of a secret that is hidden also where it stands alone.

Shorter ones are parts of other words, and are hidden in their URIs.
"""

_NAME = (
    r"(?:password|passwd|pwd|secret|token|access[_-]?key(?:[_-]?id)?|secret[_-]?key"
    r"|account[_-]?key|api[_-]?key|credentials?|signature|odbc_connect)"
)
_SECRET_NAME = re.compile(rf"[\w.-]*{_NAME}", re.I)
_SETTING = re.compile(
    rf"(?<![\w-])([\w-]*{_NAME}\s*=\s*)(?!\s)(\"[^\"]*\"|'[^']*'|[^\s&;,)\]}}'\"]+)",
    re.I,
)
_URI = re.compile(r"[A-Za-z][\w+.-]*://[^\s\"'<>`]+")
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;?]+)=([^&;]*)")
# What follows RFC 3986: a port or path may stand before an @ that ends no password.
_PLAIN = {
    *("http", "https", "ftp", "sftp", "file", "s3", "gs", "gcs", "hdfs", "viewfs"),
    *("abfs", "abfss", "ws", "wss"),
}


def mask_uri(uri: str) -> str:
    """Return a URI without its secrets; one that has none as it is.

    Of databases the user's name stays: it says which of several accounts it is.
    """
    scheme, user, password, rest = _split(uri)
    if user is not None:
        shown = f"{user}:{MASK}" if password and scheme not in _PLAIN else user
        uri = f"{scheme}://{MASK if scheme in _PLAIN else shown}@{rest}"
    return _PARAMETER.sub(_mask_parameter, uri)


def mask_uris(text: str) -> str:
    """Return a text without the secrets of the URIs and settings in it."""
    text = _URI.sub(lambda found: mask_uri(found[0]), text)
    return _SETTING.sub(rf"\g<1>{MASK}", text)


class Secrets:
    """Secrets that are known, to be hidden in texts.

    Args:
        uris: That may hold some; others can be added.
    """

    def __init__(self, *uris: str) -> None:
        self._uris: dict[re.Pattern[str], str] = {}
        self._words: list[re.Pattern[str]] = []
        for uri in uris:
            self.learn(uri)

    def learn(self, uri: str) -> None:
        """Hide the secrets of one more URI."""
        shown = mask_uri(uri)
        if shown == uri:
            return
        self._uris[re.compile(_spelt(uri))] = shown
        words = sorted(_secrets(uri), key=len, reverse=True)  # a part of one last
        found = [_word(word) for word in words if len(word) >= LEAST]
        # A password that is the database's name too would only be given away by it.
        self._words += [word for word in found if not word.search(shown)]

    def __bool__(self) -> bool:
        return bool(self._uris)

    def hide(self, text: str, *, alone: bool = True) -> str:
        """Return a text without secrets.

        Args:
            text: Any.
            alone: Whether a known secret is hidden also outside of a URI.
        """
        for uri, shown in self._uris.items():
            text = uri.sub(lambda _, shown=shown: shown, text)  # type: ignore[misc]
        text = mask_uris(text)
        for word in self._words if alone else ():
            text = word.sub(MASK, text)
        return text


def _split(uri: str) -> tuple[str, str | None, str, str]:
    """Return scheme, user (None: there is no user or password), password and rest."""
    scheme, _, rest = uri.partition("://")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    head = rest.partition("?")[0]
    if scheme.lower() in _PLAIN:
        end = authority.rfind("@")
        _, colon, port = authority.partition(":")
        if end < 0 and colon and not port.isdigit():  # a slash in the password
            end = head.rfind("@")
    else:  # SQLAlchemy lets all but an @ stand in a password, and people write that
        last = rest.rfind("@")
        end = head.rfind("@") if "=" in rest[len(head) : max(last, 0)] else last
    user, colon, password = rest[: max(end, 0)].partition(":")
    if end < 0 or ("/" in user and not colon):
        return scheme, None, "", rest
    return scheme, user, password, rest[end + 1 :]


def _mask_parameter(found: re.Match[str]) -> str:
    name, value = found[1], found[2]
    secret = value and _SECRET_NAME.fullmatch(unquote(name))
    return f"{name}={MASK}" if secret else found[0]


def _secrets(uri: str) -> set[str]:
    """Return the secrets of a URI, as they are written in it and as they are meant."""
    scheme, user, password, _ = _split(uri)
    parts = {password}
    if scheme in _PLAIN and user:
        parts.add(user)
    parts |= {
        value
        for name, value in _PARAMETER.findall(uri)
        if _SECRET_NAME.fullmatch(unquote(name))
    }
    # Some programs end a password at its first @.
    parts |= {piece for part in parts for piece in part.split("@")}
    return {s for part in parts for s in (part, unquote(part), unquote_plus(part))}


def _word(secret: str) -> re.Pattern[str]:
    """Return what finds a secret that stands alone."""
    spelt = _spelt(secret)
    if secret.isalpha() or secret.isdigit():  # `postgres`, but not in `postgresql`
        escape = r"(?<=%[0-9a-fA-F]{2})|(?<=\\[nrt])"
        spelt = rf"(?:(?<![^\W_])|{escape}){spelt}(?![^\W_])"
    return re.compile(spelt)


def _spelt(text: str) -> str:
    """Return a pattern of all spellings of a text: quoted, escaped, percent-encoded."""
    runs = re.findall(r"\\+|[^\\]", text, re.S)
    return "".join(
        r"(?:\\|%5[cC])+" if run[0] == "\\" else _spellings(run) for run in runs
    )


def _spellings(char: str) -> str:
    code = ord(char)
    encoded = "".join(f"%{byte:02x}" for byte in char.encode(errors="surrogatepass"))
    if char.isascii() and char.isalnum():  # nobody escapes these in another way
        return f"(?:{char}|(?i:{encoded}))"
    # JSON, Python and YAML; JSON writes what lies beyond as two halves.
    numbers = [rf"\\+u{code:04x}", rf"\\+x{code:02x}", rf"\\+U{code:08x}"]
    if code > 0xFFFF:
        halves = char.encode("utf-16-be").hex()
        numbers.append(rf"\\+u{halves[:4]}\\+u{halves[4:]}")
    names = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
    numbers += [f"&#0*{code};", f"&#x0*{code:x};", f"&{names.get(char, 'none')};"]
    plain = rf"\\*{re.escape(char)}"
    if char == "'":
        plain = r"""'"'"'|''|\\*'"""
    short = {"\t": "t", "\n": "n", "\r": "r", "\0": "0", "\x07": "a", "\x08": "b"}
    if char in short:
        plain += rf"|\\+{short[char]}"
    space = r"|\+" if char == " " else ""
    return f"(?:(?i:{'|'.join([encoded, *numbers])})|{plain}{space})"
