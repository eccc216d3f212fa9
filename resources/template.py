"""Templates: text in which `{{ name }}` stands for a variable. Used by kind `File`, in its model and by its agent.

A strict subset of Jinja2's syntax, so that a template means the same there: `{{ name }}` is replaced, and
`{{ '{{' }}` writes a literal pair of braces. There are no conditions, loops or filters: what looks like one is an error,
never copied into the result. Replacing is pure, and one pass: values are not read as templates again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_PART = re.compile(
    r"""\{\{ \s* (?: (?P<name> [A-Za-z_]\w* ) | '(?P<single> [^'\n]* )' | "(?P<double> [^"\n]* )" ) \s* \}\}
      | (?P<unreadable> \{\{ .*? \}\} )
      | (?P<unclosed> \{\{ )
      | (?P<statement> \{% -? \s [^\n]*? %\} )""",
    re.ASCII | re.DOTALL | re.VERBOSE,
)
_LITERAL = "for literal braces write {{ '{{' }}"


class TemplateError(ValueError):
    """A template can't be filled in; the message names the line, counting from 1, and what is wrong there."""


def render(text: str, variables: Mapping[str, str]) -> str:
    """`text` with every `{{ name }}` replaced. Raises TemplateError for an unknown name or anything else in braces."""

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        if name is not None and name in variables:
            return variables[name]
        for literal in (found["single"], found["double"]):
            if literal is not None:
                return literal
        line = text.count("\n", 0, found.start()) + 1
        raise TemplateError(f"cannot fill in the template: line {line}: {_problem(found, variables)}")

    return _PART.sub(value, text)


def _problem(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if name := found["name"]:
        import difflib  # only for a mistake

        near = difflib.get_close_matches(name, variables, 1)
        hint = f'did you mean "{near[0]}"?' if near else f"known are: {', '.join(sorted(variables)) or 'none'}"
        return f'no variable is named "{name}"; {hint}'
    if found["unclosed"]:
        return f"{{{{ is not closed by }}}}; {_LITERAL}"
    return f"{found[0]} is more than a variable's name, and there is nothing else to put in braces; {_LITERAL}"
