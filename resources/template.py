"""Templates: text in which `{{ name }}` stands for a variable. Used by kind `File`, in its model and by its agent.

A strict subset of Jinja2's syntax, so that a template means the same there: `{{ name }}` is replaced, and
`{{ '{{' }}` writes a literal pair of braces. There are no conditions, loops or filters: what looks like one is an error,
never copied into the result. Replacing is pure, and one pass: values are not read as templates again.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

_PART = re.compile(r"\{\{(?P<expression>.*?)\}\}|(?P<open>\{\{)|(?P<statement>\{%-?\s[^\n]*?%\})", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LITERAL = re.compile(r"'([^'\n]*)'|\"([^\"\n]*)\"")


class TemplateError(ValueError):
    """A template can't be filled in; the message names the line, counting from 1, and what is wrong there."""


def render(text: str, variables: Mapping[str, str]) -> str:
    """`text` with every `{{ name }}` replaced. Raises TemplateError for an unknown name or anything else in braces."""

    def replacement(found: re.Match[str]) -> str:
        try:
            return _value(found, variables)
        except TemplateError as error:
            line = text.count("\n", 0, found.start()) + 1
            raise TemplateError(f"cannot fill in the template: line {line}: {error}") from None

    return _PART.sub(replacement, text)


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["expression"] is None:
        shown = found["statement"] or "{{ without }}"
        raise TemplateError(f"{shown}: only {{{{ name }}}} is replaced; for literal braces write {{{{ '{{{{' }}}}")
    expression = found["expression"].strip()
    if expression in variables:
        return variables[expression]
    if literal := _LITERAL.fullmatch(expression):
        return literal[1] if literal[1] is not None else literal[2]
    if not _NAME.fullmatch(expression):
        raise TemplateError(f'cannot read "{found[0]}": only a variable\'s name may stand in the braces')
    near = difflib.get_close_matches(expression, variables, 1)
    hint = f'; did you mean "{near[0]}"?' if near else f"; known are: {', '.join(sorted(variables)) or 'none'}"
    raise TemplateError(f'no variable is named "{expression}"{hint}')
