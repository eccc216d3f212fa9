"""Templates: variables are replaced, everything else is copied or refused with its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.template import TemplateError, render


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("", ""),
        ("no variables\n", "no variables\n"),
        ("{{ host }}", "atlas"),
        ("{{host}}:{{  port\t}}", "atlas:80"),
        ("a {{ host }}\r\nb\r\n", "a atlas\r\nb\r\n"),
        ("{{ '{{' }} host {{ \"}}\" }}", "{{ host }}"),
        ("{{ '{{' }} .Name }}", "{{ .Name }}"),
        ("${host} $host {host} %(host)s {%s} {#x#}", "${host} $host {host} %(host)s {%s} {#x#}"),
        ("${#array[@]} ${x%%.*} }}", "${#array[@]} ${x%%.*} }}"),
    ],
)
def test_text_is_filled_in(template: str, result: str) -> None:
    assert render(template, {"host": "atlas", "port": "80"}) == result


def test_values_are_not_read_as_templates() -> None:
    assert render("{{ a }}", {"a": "{{ b }}", "b": "x"}) == "{{ b }}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a\nb {{ hots }}", 'line 2: no variable is named "hots"; did you mean "host"?'),
        ("{{ x }}", 'line 1: no variable is named "x"; known are: host, port'),
        ("\n\n{{ host | upper }}", "line 3: {{ host | upper }} is more than a variable"),
        ("{{ host.name }}", "{{ host.name }} is more than a variable"),
        ("{{ }}", "{{ }} is more than a variable"),
        ("{{}}", "{{}} is more than a variable"),
        ("a {{ host", "line 1: {{ is not closed"),
        ("a\n{% if host %}", "line 2: {% if host %}"),
        ("{%- for x in y %}", "line 1: {%- for x in y %}"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_line(template: str, message: str) -> None:
    with pytest.raises(TemplateError) as refused:
        render(template, {"host": "atlas", "port": "80"})
    assert str(refused.value).startswith("cannot fill in the template: line ")
    assert message in str(refused.value)


def test_without_variables_none_are_known() -> None:
    with pytest.raises(TemplateError, match="known are: none"):
        render("{{ x }}", {})


@given(st.text(alphabet=st.characters(exclude_characters="{", exclude_categories=["Cs"])))
def test_text_without_braces_is_copied(text: str) -> None:
    assert render(text, {}) == text


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.text(), min_size=1))
def test_every_value_comes_out_as_it_went_in(variables: dict[str, str]) -> None:
    template = "\n".join(f"{{{{ {name} }}}}" for name in variables)
    assert render(template, variables) == "\n".join(variables.values())
