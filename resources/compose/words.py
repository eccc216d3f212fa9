"""A command written as one text -> its words, as Docker Compose splits it. `short.py` calls it.

It is a shell's way with quotes and backslashes, and nothing else of a shell: no variables, no patterns. A `;`, `&`, `|`,
`<` or `>` outside quotes ends the command there (https://github.com/mattn/go-shellwords); the caller warns of that.
"""

from __future__ import annotations

_SPACE = " \t\r\n"
_ENDS = ";&|<>"


def split(text: str) -> tuple[list[str], str]:
    """The words, and the rest of the text that is no part of the command. Raises ValueError for what is not closed."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    escaped = False
    for at, character in enumerate(text):
        if escaped:
            word, escaped = [*(word or []), character], False
        elif character == "\\" and quote != "'":
            escaped = True
        elif quote and character == quote:
            quote = ""
            word = word or []
            if character in ")`":
                word.append(character)
        elif quote:
            word = [*(word or []), character] if word is None else _appended(word, character)
        elif character in _SPACE:
            if word is not None:
                words.append("".join(word))
                word = None
        elif character in "'\"":
            quote = character
        elif character in _ENDS:
            if character == ">" and word and word[0].isdigit():
                word = None
            rest = text[at:]
            return ([*words, "".join(word)] if word is not None else words), rest
        else:
            if character in "()":
                if character == ")" or not word or word[-1] != "$":
                    raise ValueError(f'the "{character}" stands outside of quotes')
                quote = ")"
            elif character == "`":
                quote = "`"
            word = _appended(word, character)
    if quote or escaped:
        raise ValueError(f"the {quote} is not closed" if quote else "it ends with a backslash")
    return ([*words, "".join(word)] if word is not None else words), ""


def _appended(word: list[str] | None, character: str) -> list[str]:
    if word is None:
        return [character]
    word.append(character)
    return word
