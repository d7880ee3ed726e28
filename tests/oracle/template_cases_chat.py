"""Conversations through the templates of tests/data/template/chat/."""
import itertools
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "template" / "chat"

TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather for \"a place\" & time", "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "City, e.g. Köln"}, "days": {"type": "integer"}, "units": {"type": ["string", "null"], "enum": ["C", "F"]}, "points": {"type": "array", "items": {"type": "number"}}},
        "required": ["city"]}, "return": {"type": "object", "additionalProperties": {"type": "number"}}}},
    {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}}},
]
CALL = {"id": "call12345", "type": "function", "function": {"name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "points": [1.5, -2], "units": None}}}
CALL_TEXT = {"id": "call67890", "type": "function", "function": {"name": "now", "arguments": "{\"zone\": \"UTC\"}"}}


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def system(text):
    return {"role": "system", "content": text}


CONVERSATIONS = [
    [user("Hi")],
    [system("Be brief."), user("  Hi there \n")],
    [user("Hi"), assistant("Hello!"), user("Grüße 🌍 <b>&\"'\\</b>")],
    [system("Rules:\n- one\n- two"), user("1"), assistant("2"), user("3"), assistant("4")],
    [user("a"), user("b")],
    [assistant("first")],
    [system("only")],
    [system("s1"), system("s2"), user("q")],
    [user(""), assistant(""), user("")],
    [user([{"type": "text", "text": "What is "}, {"type": "image"}, {"type": "text", "text": " this? "}])],
    [system([{"type": "text", "text": "parts"}]), user("x")],
    [user("weather?"), assistant(None, tool_calls=[CALL]), {"role": "tool", "tool_call_id": "call12345", "content": "{\"t\": 21}"}, assistant("21 degrees"), user("thanks")],
    [user("weather?"), assistant("Let me look.", tool_calls=[CALL, CALL_TEXT]), {"role": "tool", "tool_call_id": "call12345", "content": "21"}, {"role": "tool", "tool_call_id": "call67890", "content": "noon"}],
    [user("think"), assistant("<think>\nhm\n</think>\n\nanswer"), user("again"), assistant("<think>\nhm hm\n</think>\n\nmore")],
    [user("think"), assistant("answer", reasoning_content="because\n")],
    [user(None)],
    [user(5)],
    [{"role": "user"}],
    [{"role": "narrator", "content": "x"}],
    [],
]
OPTIONS = [
    {"add_generation_prompt": True, "bos_token": "<s>", "eos_token": "</s>"},
    {"add_generation_prompt": False, "bos_token": "<s>", "eos_token": "</s>", "tools": TOOLS},
    {"add_generation_prompt": True, "bos_token": "", "eos_token": "</s>", "tools": TOOLS, "tools_in_user_message": False, "enable_thinking": False},
    {},
]


def groups():
    result = {}
    for path in sorted(FOLDER.glob("*.jinja")):
        # read as bytes: line ends and the last newline are part of the test
        source = path.read_bytes().decode("utf-8")
        result[f"chat_{path.stem}"] = [
            (source, {"messages": messages, **options}) for messages, options in itertools.product(CONVERSATIONS, OPTIONS)
        ]
    return result
