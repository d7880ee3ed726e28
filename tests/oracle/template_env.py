"""jinja2 set up the way chat templates are rendered by the model hub's own tools."""
import datetime
import json

import jinja2
import jinja2.ext
import jinja2.sandbox


class GenerationBlocks(jinja2.ext.Extension):
    """{% generation %} marks the assistant's part for training; rendering passes it through."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_pass_through")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(lineno)

    def _pass_through(self, caller):
        return caller()


def make_environment(now):
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationBlocks, jinja2.ext.loopcontrols]
    )

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def strftime_now(fmt):
        moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=now)
        return moment.strftime(fmt)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


def render(template, context, now=0):
    """Returns the text, or None where jinja2 raises or makes no text."""
    try:
        text = make_environment(now).from_string(template).render(**context)
        text.encode("utf-8")  # a lone surrogate cannot leave the program
        return None if " at 0x" in text else text  # an address is not to be printed
    except (RecursionError, MemoryError):
        raise
    except Exception:
        return None
