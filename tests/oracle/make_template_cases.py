#!/usr/bin/env python3
"""Writes tests/data/template/*.json: templates, contexts and what Python's jinja2 makes of them.

usage: make_template_cases.py [--check]     (needs Jinja2; --check only compares with the files)

Each file is {"now", "templates", "contexts", "cases"}; a case is [template, context, expected], the first two as
positions in those lists, the last null where rendering must fail. The cases lie in template_cases_*.py beside
this file, the templates of models in tests/data/template/chat/.
"""
import json
import pathlib
import sys

import template_cases_chat
import template_cases_language
import template_cases_values
from template_env import render

DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "template"
NOW = 1753363725  # 2025-07-24 13:28:45


def position(value, values):
    if value not in values:
        values.append(value)
    return values.index(value)


def build(cases):
    templates, contexts, out = [], [], []
    for template, context in cases:
        # through JSON and back, so that both sides see the same numbers
        expected = render(template, json.loads(json.dumps(context)), NOW)
        out.append([position(template, templates), position(context, contexts), expected])
    return {"now": NOW, "templates": templates, "contexts": contexts, "cases": out}


def text_of(group):
    """One entry a line, for readable differences."""
    parts = [f'"now": {group["now"]}']
    for key in ("templates", "contexts", "cases"):
        lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in group[key])
        parts.append(f'"{key}": [\n{lines}\n]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    groups = {}
    for module in (template_cases_language, template_cases_values, template_cases_chat):
        groups.update(module.groups())
    stale = 0
    for name, cases in groups.items():
        path, group = DATA / f"{name}.json", build(cases)
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text(encoding="utf-8") != text_of(group):
                print(f"{path}: not what this script writes", file=sys.stderr)
                stale = 1
        else:
            path.write_text(text_of(group), encoding="utf-8")
            n_errors = sum(c[2] is None for c in group["cases"])
            print(f"{path.name}: {len(cases)} cases, {n_errors} of them errors")
    return stale


if __name__ == "__main__":
    sys.exit(main())
