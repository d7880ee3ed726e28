"""The server's behaviour over a fake engine: refusals, streams, slow and vanishing clients, full queues, signals.

usage: server_test.py BUILD [unittest arguments]. What the engine does to a request is written in its prompt; see
fake_engine.c. Only the standard library is needed. Nothing here measures time, it only waits for what must happen.
"""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "clients"))
from daemon import Daemon, free_port  # noqa: E402

BUILD = "build"
PATIENCE_S = 20


class Fake(Daemon):
    """driftd_fake with models that are small text files, one of them loaded."""

    def __init__(self, *args, models=None, **kwargs):
        self.folder = tempfile.TemporaryDirectory(prefix="driftd-test-")
        for name, words in {"m": "", **(models or {})}.items():
            (pathlib.Path(self.folder.name) / f"{name}.gguf").write_text(words)
        path = pathlib.Path(self.folder.name) / "m.gguf"
        super().__init__(BUILD, "--model", f"m={path}", "--models-dir", self.folder.name, *args,
                         program="driftd_fake", **kwargs)

    def __exit__(self, *exc):
        try:
            return super().__exit__(*exc)
        finally:
            self.folder.cleanup()

    def connect(self, timeout=PATIENCE_S):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, body=None, headers=None):
        """(status, headers, body) of one request on a connection of its own."""
        c = self.connect()
        try:
            if isinstance(body, (dict, list)):
                body = json.dumps(body)
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, r.headers, r.read()
        finally:
            c.close()

    def chat(self, content="hi", headers=None, **fields):
        body = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
        status, replied, data = self.ask("POST", "/v1/chat/completions", body, headers)
        return status, replied, json.loads(data)

    def metric(self, name):
        total = 0.0
        for line in self.ask("GET", "/metrics")[2].decode().splitlines():
            if line.startswith("driftd_" + name) and line[len("driftd_" + name)] in " {":
                total += float(line.rsplit(" ", 1)[1])
        return total

    def until(self, condition, what):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {what}\n{self.log()[-2000:]}")
            time.sleep(0.02)

    def open_stream(self, content, path="/v1/chat/completions", **fields):
        """A raw socket on which a streaming request was sent."""
        if path.endswith("chat/completions"):
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": content}], **fields}
        else:
            body = {"model": "m", "stream": True, "prompt": content, **fields}
        data = json.dumps(body).encode()
        s = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        s.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
        return s


def receive_until(s, mark):
    data = b""
    while mark not in data:
        piece = s.recv(65536)
        if not piece:
            break
        data += piece
    return data


def events(body):
    """The data of a stream's events; comments are checked and left out."""
    out = []
    for block in body.decode().split("\n\n"):
        if not block:
            continue
        if block.startswith(":"):
            assert block == ": ping", block
        else:
            assert block.startswith("data: ") and "\n" not in block, block
            out.append(block[6:])
    return out


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.d = cls.stack.enter_context(Fake("--max-body-bytes", "200KiB", models={
            "plain": "no_template=1", "strict": "template=raise", "broken": "load_fail=1", "slow": "load_ms=3000"}))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def check_error(self, reply, status, code, param, words=""):
        got, headers, data = reply
        error = (data if isinstance(data, dict) else json.loads(data))["error"]
        self.assertEqual((got, error["code"], error["param"]), (status, code, param), error)
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        self.assertIn(words, error["message"])
        self.assertRegex(headers["x-request-id"], r"^[A-Za-z0-9._-]+$")
        self.assertEqual(headers["Content-Type"], "application/json")
        return headers

    def post(self, body, path="/v1/chat/completions"):
        return self.d.ask("POST", path, body)

    def test_body__not_json__400(self):
        for body in (b"", b"hello", b"{", b'{"model":"m"} x', b"[1,2]", b'"m"', b"null"):
            self.check_error(self.post(body), 400, None, None)

    def test_body__nan_and_infinity__400(self):
        for word in (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"01", b"+1"):
            status, _, data = self.post(b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":' + word
                                        + b"}")
            self.assertEqual(status, 400, data)

    def test_body__200_levels_deep__400(self):
        deep = '{"model":"m","messages":[{"role":"user","content":"x"}],"metadata":' + "[" * 200 + "]" * 200 + "}"
        self.check_error(self.post(deep), 400, None, None)

    def test_body__broken_utf8__400(self):
        for broken in (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
            self.check_error(self.post(b'{"model":"m","messages":[{"role":"user","content":"' + broken + b'"}]}'),
                             400, None, None)

    def test_body__over_the_limit__413_and_closed(self):
        headers = self.check_error(self.post(b"x" * 300 * 1024), 413, "request_too_large", None)
        self.assertEqual(headers["Connection"].lower(), "close")

    def test_body__far_over_the_limit__the_refusal_arrives(self):
        for _ in range(5):
            self.check_error(self.post(b"x" * (8 << 20)), 413, "request_too_large", None)

    def test_body__chunked_over_the_limit__413(self):
        c = self.d.connect()
        with contextlib.closing(c):
            c.request("POST", "/v1/chat/completions", (b"x" * 65536 for _ in range(8)),
                      {"Transfer-Encoding": "chunked"}, encode_chunked=True)
            r = c.getresponse()
            self.check_error((r.status, r.headers, r.read()), 413, "request_too_large", None)

    def test_expect_continue__refused_before_the_body(self):
        with socket.create_connection(("127.0.0.1", self.d.port), timeout=PATIENCE_S) as s:
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n"
                      b"Expect: 100-continue\r\n\r\n")
            self.assertIn(b" 413 ", receive_until(s, b"\r\n").split(b"\r\n")[0])

    def test_expect_continue__accepted(self):
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
        with socket.create_connection(("127.0.0.1", self.d.port), timeout=PATIENCE_S) as s:
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n"
                      b"Expect: 100-continue\r\n\r\n" % len(body))
            self.assertIn(b" 100 ", receive_until(s, b"\r\n\r\n").split(b"\r\n")[0])
            s.sendall(body)
            self.assertIn(b" 200 ", receive_until(s, b"\r\n\r\n").split(b"\r\n")[0])

    def test_field__wrong_type_or_range__400_with_param(self):
        cases = [
            ({"temperature": "hot"}, "invalid_type", "temperature"), ({"temperature": -0.1}, "invalid_value", "temperature"),
            ({"temperature": 2.1}, "invalid_value", "temperature"), ({"max_tokens": -5}, "invalid_value", "max_tokens"),
            ({"max_tokens": 1.5}, "invalid_type", "max_tokens"), ({"max_tokens": 0}, "invalid_value", "max_tokens"),
            ({"max_tokens": 1e300}, "invalid_value", "max_tokens"), ({"n": 0}, "invalid_value", "n"),
            ({"n": 17}, "invalid_value", "n"), ({"stream": "yes"}, "invalid_type", "stream"),
            ({"top_p": -1}, "invalid_value", "top_p"), ({"stop": [1]}, "invalid_type", "stop[0]"),
            ({"stop": ["x"] * 17}, "invalid_value", "stop"), ({"seed": "7"}, "invalid_type", "seed"),
            ({"logit_bias": {"a": 1}}, "invalid_value", "logit_bias.a"),
            ({"logit_bias": {"1": 101}}, "invalid_value", "logit_bias.1"),
            ({"top_logprobs": 3}, "invalid_value", "top_logprobs"),
            ({"stream_options": {"include_usage": True}}, "invalid_value", "stream_options"),
            ({"model": 5}, "invalid_type", "model"), ({"messages": []}, "invalid_value", "messages"),
            ({"messages": "hi"}, "invalid_type", "messages"), ({"messages": None}, "missing_required_parameter", "messages"),
            ({"messages": [{"content": "x"}]}, "missing_required_parameter", "messages[0].role"),
            ({"messages": [{"role": "wizard", "content": "x"}]}, "invalid_value", "messages[0].role"),
            ({"messages": [{"role": "user"}]}, "missing_required_parameter", "messages[0].content"),
            ({"messages": [{"role": "user", "content": 7}]}, "invalid_type", "messages[0].content"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
             "unsupported_parameter", "messages[0].content[0].type"),
            ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "unsupported_parameter", "tools"),
            ({"response_format": {"type": "json_object"}}, "unsupported_parameter", "response_format"),
        ]
        for fields, code, param in cases:
            with self.subTest(fields=fields):
                self.check_error(self.d.chat(**fields), 400, code, param)

    def test_model__missing_or_unknown(self):
        body = {"messages": [{"role": "user", "content": "x"}]}
        self.check_error(self.post(body), 400, "missing_required_parameter", "model")
        self.check_error(self.d.chat(model="nobody"), 404, "model_not_found", "model", "nobody")
        self.check_error(self.d.ask("GET", "/v1/models/nobody"), 404, "model_not_found", "model")

    def test_model__without_template__400(self):
        self.wait_loaded("plain")
        self.check_error(self.d.chat(model="plain"), 400, "unsupported_parameter", "messages", "chat template")

    def test_model__template_refuses__400_with_its_words(self):
        self.wait_loaded("strict")
        self.check_error(self.d.chat(model="strict"), 400, "invalid_value", "messages", "roles must alternate")

    def test_model__cannot_be_loaded__503_without_retry(self):
        self.d.until(lambda: self.d.chat(model="broken")[2]["error"]["code"] == "model_failed", "the failure")
        headers = self.check_error(self.d.chat(model="broken"), 503, "model_failed", None, "no model")
        self.assertEqual(headers["x-should-retry"], "false")

    def test_model__loading__503_with_retry_after_and_then_200(self):
        headers = self.check_error(self.d.chat(model="slow"), 503, "model_loading", None)
        self.assertLessEqual(int(headers["Retry-After"]), 120)
        self.wait_loaded("slow")

    def wait_loaded(self, name):
        self.d.ask("POST", f"/admin/models/{name}/load")
        self.d.until(lambda: json.loads(self.d.ask("GET", f"/v1/models/{name}")[2])["status"] == "ready", name)

    def test_prompt__longer_than_context__400(self):
        for n in (2048, 9000, 150000):
            self.check_error(self.d.chat("x" * n), 400, "context_length_exceeded", "messages", "maximum context length")
        self.check_error(self.post({"model": "m", "prompt": [1] * 2048}, "/v1/completions"), 400,
                         "context_length_exceeded", "prompt", "maximum context length")

    def test_path__unknown_404__method_wrong_405_with_allow(self):
        self.check_error(self.d.ask("GET", "/v2/chat"), 404, "not_found", None)
        headers = self.check_error(self.d.ask("DELETE", "/v1/models"), 405, "method_not_allowed", None)
        self.assertIn("GET", headers["Allow"])
        headers = self.check_error(self.d.ask("GET", "/v1/chat/completions"), 405, "method_not_allowed", None)
        self.assertIn("POST", headers["Allow"])

    def test_host__of_another_name__403(self):
        self.check_error(self.d.ask("GET", "/v1/models", headers={"Host": "evil.example:8080"}), 403, "forbidden", None)
        for host in ("localhost", f"127.0.0.1:{self.d.port}", "[::1]:1", "LOCALHOST:80"):
            self.assertEqual(self.d.ask("GET", "/v1/models", headers={"Host": host})[0], 200, host)

    def test_origin__foreign_403__loopback_answered(self):
        self.check_error(self.d.ask("GET", "/v1/models", headers={"Origin": "https://evil.example"}), 403, "forbidden", None)
        self.check_error(self.d.ask("GET", "/v1/models", headers={"Origin": "null"}), 403, "forbidden", None)
        status, headers, _ = self.d.ask("GET", "/v1/models", headers={"Origin": "http://localhost:3000"})
        self.assertEqual((status, headers["Access-Control-Allow-Origin"]), (200, "http://localhost:3000"))

    def test_preflight__names_what_was_asked_for(self):
        status, headers, body = self.d.ask("OPTIONS", "/v1/chat/completions", headers={
            "Origin": "http://127.0.0.1:5173", "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-stainless-os"})
        self.assertEqual((status, body), (204, b""))
        self.assertIn("x-stainless-os", headers["Access-Control-Allow-Headers"])
        self.assertIn("POST", headers["Access-Control-Allow-Methods"])

    def test_request_id__sane_one_comes_back__others_are_replaced(self):
        self.assertEqual(self.d.ask("GET", "/health", headers={"x-request-id": "abc-1.2_3"})[1]["x-request-id"], "abc-1.2_3")
        for given in ("a b", "x" * 65, "<script>"):
            self.assertNotEqual(self.d.ask("GET", "/health", headers={"x-request-id": given})[1]["x-request-id"], given)

    def test_head__has_no_body(self):
        status, _, body = self.d.ask("HEAD", "/v1/models")
        self.assertEqual((status, body), (200, b""))

    def test_header__too_large__refused_and_alive(self):
        with socket.create_connection(("127.0.0.1", self.d.port), timeout=PATIENCE_S) as s:
            with contextlib.suppress(OSError):
                s.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 300000 + b"\r\n\r\n")
                receive_until(s, b"\r\n\r\n")
        self.assertEqual(self.d.ask("GET", "/health")[0], 200)


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.d = cls.stack.enter_context(Fake("--sse-ping-interval", "1s", "--max-sequences", "8"))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def stream(self, content, path="/v1/chat/completions", **fields):
        body = {"model": "m", "stream": True, **fields}
        body.update({"prompt": content} if path == "/v1/completions" else {"messages": [{"role": "user", "content": content}]})
        status, headers, data = self.d.ask("POST", path, body)
        self.assertEqual(status, 200, data)
        self.assertEqual(headers["Content-Type"], "text/event-stream; charset=utf-8")
        self.assertEqual(headers["Cache-Control"], "no-cache")
        self.assertEqual(headers["X-Accel-Buffering"], "no")
        parts = events(data)
        self.assertEqual(parts[-1], "[DONE]")
        return [json.loads(p) for p in parts[:-1]]

    def test_whole__has_text_usage_and_reason(self):
        status, _, answer = self.d.chat("hi @tokens=3")
        self.assertEqual(status, 200)
        self.assertEqual(answer["object"], "chat.completion")
        self.assertEqual(answer["choices"][0]["message"]["content"], "w0 w1 w2")
        self.assertEqual(answer["choices"][0]["message"]["role"], "assistant")
        self.assertEqual(answer["choices"][0]["finish_reason"], "stop")
        usage = answer["usage"]
        self.assertEqual(usage["completion_tokens"], 3)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 3)

    def test_stream__shape(self):
        chunks = self.stream("hi @tokens=3")
        self.assertEqual(len({(c["id"], c["created"], c["model"], c["system_fingerprint"]) for c in chunks}), 1)
        self.assertEqual({c["object"] for c in chunks}, {"chat.completion.chunk"})
        self.assertFalse(any("usage" in c for c in chunks))
        deltas = [c["choices"][0]["delta"] for c in chunks]
        self.assertEqual(deltas[0], {"role": "assistant", "content": ""})
        self.assertEqual("".join(d.get("content", "") for d in deltas), "w0 w1 w2")
        self.assertEqual(deltas[-1], {})
        self.assertEqual([c["choices"][0]["finish_reason"] for c in chunks], [None] * (len(chunks) - 1) + ["stop"])
        self.assertTrue(all("logprobs" in c["choices"][0] for c in chunks))

    def test_stream__with_usage__null_before_and_counts_last(self):
        chunks = self.stream("hi @tokens=3", stream_options={"include_usage": True})
        self.assertTrue(all(c["usage"] is None for c in chunks[:-1]))
        self.assertEqual(chunks[-1]["choices"], [])
        self.assertEqual(chunks[-1]["usage"]["completion_tokens"], 3)

    def test_stream__text_outside_ascii__is_whole_characters(self):
        chunks = self.stream("hi @wide @tokens=6")
        text = "".join(c["choices"][0]["delta"].get("content", "") for c in chunks)
        self.assertEqual(text, "ä€🐝" * 3)

    def test_logprobs__half_characters__bytes_tell(self):
        _, _, answer = self.d.chat("hi @wide @tokens=2", logprobs=True, top_logprobs=2)
        content = answer["choices"][0]["logprobs"]["content"]
        self.assertEqual([c["bytes"] for c in content], [[0xE2], [0xAC]])
        self.assertEqual(len(content[0]["top_logprobs"]), 2)

    def test_logprobs__stream_and_whole_agree(self):
        _, _, answer = self.d.chat("hi @tokens=5", logprobs=True, top_logprobs=1)
        chunks = self.stream("hi @tokens=5", logprobs=True, top_logprobs=1)
        streamed = [entry for c in chunks for entry in (c["choices"][0]["logprobs"] or {}).get("content") or []]
        self.assertEqual(streamed, answer["choices"][0]["logprobs"]["content"])

    def test_n__every_choice_complete(self):
        chunks = self.stream("hi @tokens=3", n=3)
        for i in range(3):
            mine = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == i]
            self.assertEqual(mine[0]["delta"]["role"], "assistant")
            self.assertEqual("".join(c["delta"].get("content", "") for c in mine), "w0 w1 w2")
            self.assertEqual(mine[-1]["finish_reason"], "stop")

    def test_max_tokens__length(self):
        _, _, answer = self.d.chat("hi @tokens=50", max_tokens=2)
        self.assertEqual((answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]), ("w0 w1", "length"))
        _, _, answer = self.d.chat("hi @tokens=50", max_tokens=2, max_completion_tokens=3)
        self.assertEqual(answer["usage"]["completion_tokens"], 3)

    def test_content_parts__joined(self):
        _, _, joined = self.d.chat([{"type": "text", "text": "a"}, {"type": "text", "text": "bc"}])
        _, _, plain = self.d.chat("abc")
        self.assertEqual(joined["usage"]["prompt_tokens"], plain["usage"]["prompt_tokens"])

    def test_ignored_fields__do_not_matter(self):
        status, _, answer = self.d.chat("x", user="u", metadata={"a": "b"}, store=False, service_tier="auto", tools=[],
                                        prompt_cache_key="k", safety_identifier="s", never_heard_of={"x": [1]}, stop=None,
                                        response_format={"type": "text"}, tool_choice="auto", reasoning_effort="low",
                                        parallel_tool_calls=True, chat_template_kwargs={"messages": [], "x": 1})
        self.assertEqual(status, 200, answer)

    def test_completions__prompts_times_n(self):
        body = {"model": "m", "prompt": ["a @tokens=2", "b @tokens=1"], "n": 2, "logprobs": 1}
        answer = json.loads(self.d.ask("POST", "/v1/completions", body)[2])
        self.assertEqual(answer["object"], "text_completion")
        self.assertEqual([(c["index"], c["text"]) for c in answer["choices"]],
                         [(0, "w0 w1"), (1, "w0 w1"), (2, "w0"), (3, "w0")])
        self.assertEqual(answer["choices"][0]["logprobs"]["text_offset"], [0, 2])
        self.assertEqual(set(answer["choices"][0]["logprobs"]), {"tokens", "token_logprobs", "top_logprobs", "text_offset"})

    def test_completions__default_is_16_tokens(self):
        answer = json.loads(self.d.ask("POST", "/v1/completions", {"model": "m", "prompt": "x @tokens=99"})[2])
        self.assertEqual((answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"]), (16, "length"))

    def test_completions__echo_and_token_prompts(self):
        for prompt in ("ab @tokens=1", list(b"ab @tokens=1")):
            body = {"model": "m", "prompt": prompt, "echo": True}
            answer = json.loads(self.d.ask("POST", "/v1/completions", body)[2])
            self.assertEqual(answer["choices"][0]["text"], "ab @tokens=1w0")
            chunks = self.stream(prompt, "/v1/completions", echo=True)
            self.assertEqual("".join(c["choices"][0]["text"] for c in chunks), "ab @tokens=1w0")

    def test_keep_alive__several_requests_on_one_connection(self):
        c = self.d.connect()
        with contextlib.closing(c):
            for stream in (False, True, False, True):
                c.request("POST", "/v1/chat/completions", json.dumps(
                    {"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hi @tokens=2"}]}))
                r = c.getresponse()
                self.assertEqual(r.status, 200)
                self.assertIn(b"w0", r.read())

    def test_long_prefill__headers_at_once_and_pings(self):
        s = self.d.open_stream("hi @tokens=1 @prefill_ms=3500")
        with contextlib.closing(s):
            self.assertIn(b"text/event-stream", receive_until(s, b"\r\n\r\n"))
            data = receive_until(s, b"[DONE]")
        self.assertIn(b": ping\n\n", data)
        self.assertIn(b'"w0"', data)

    def test_failure__before_the_first_token_and_in_the_middle(self):
        chunks = self.stream("hi @tokens=9 @fail_after=2")
        self.assertEqual(chunks[-1]["error"]["code"], "device_lost")
        self.assertEqual(set(chunks[-1]["error"]), {"message", "type", "param", "code"})
        status, headers, answer = self.d.chat("hi @fail_after=0")
        self.assertEqual((status, answer["error"]["code"]), (503, "device_lost"))
        self.assertEqual(self.d.chat("hi")[0], 200)

    def test_long_body__goes_through_the_pool(self):
        status, _, answer = self.d.chat("@tokens=2", metadata={"pad": "x" * 100000})
        self.assertEqual((status, answer["choices"][0]["message"]["content"]), (200, "w0 w1"))

    def test_many_at_once__each_gets_its_own(self):
        answers = {}

        def ask(i):
            answers[i] = self.d.chat(f"@tokens={i + 1} @token_ms=1")[2]

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(24)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        for i, answer in answers.items():
            self.assertEqual(answer["choices"][0]["message"]["content"], " ".join(f"w{k}" for k in range(i + 1)))

    def test_models__list_and_states(self):
        listed = json.loads(self.d.ask("GET", "/v1/models")[2])
        self.assertEqual(listed["object"], "list")
        model = listed["data"][0]
        self.assertEqual((model["id"], model["object"], type(model["created"]), type(model["owned_by"])), ("m", "model", int, str))
        self.assertEqual(json.loads(self.d.ask("GET", "/v1/models/m")[2])["id"], "m")

    def test_metrics__well_formed(self):
        status, headers, body = self.d.ask("GET", "/metrics")
        self.assertEqual(status, 200)
        self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
        typed = set()
        for line in body.decode().splitlines():
            if line.startswith("# TYPE"):
                name = line.split()[2]
                self.assertNotIn(name, typed)
                typed.add(name)
            elif not line.startswith("#"):
                float(line.rsplit(" ", 1)[1])
                base = line.split("{")[0].split(" ")[0]
                self.assertTrue(base in typed or base.rsplit("_", 1)[0] in typed, line)


class Leaving(unittest.TestCase):
    """Clients that go away, and readers that are slow."""

    def check_cancelled(self, d, s, phase):
        before = d.metric("requests_cancelled_total")
        s.close()
        d.until(lambda: d.metric("requests_cancelled_total") == before + 1, f"the cancel in {phase}")
        d.until(lambda: d.metric("requests_running") + d.metric("requests_queued") == 0, "nothing running")
        self.assertEqual(d.chat("hi @tokens=1")[0], 200)

    def test_disconnect__in_prefill_decode_and_whole_answers__cancels(self):
        with Fake() as d:
            s = d.open_stream("hi @prefill_ms=600000")
            d.until(lambda: d.metric("requests_running") == 1, "prefill")
            self.check_cancelled(d, s, "prefill")
            s = d.open_stream("hi @tokens=1000000 @token_ms=20")
            receive_until(s, b"w1")
            self.check_cancelled(d, s, "decode")
            s = d.open_stream("hi @prefill_ms=600000", stream=False)
            d.until(lambda: d.metric("requests_running") == 1, "a whole answer")
            self.check_cancelled(d, s, "a whole answer")

    def test_disconnect__in_the_queue__leaves_the_others_alone(self):
        with Fake("--max-sequences", "1") as d:
            running = d.open_stream("hi @tokens=40 @token_ms=50")
            receive_until(running, b"w0")
            queued = d.open_stream("hi")
            d.until(lambda: d.metric("requests_queued") == 1, "the queue")
            queued.close()
            d.until(lambda: d.metric("requests_queued") == 0, "an empty queue")
            self.assertIn(b"w39", receive_until(running, b"[DONE]"))
            running.close()

    def test_disconnect__while_the_body_arrives(self):
        with Fake() as d:
            s = socket.create_connection(("127.0.0.1", d.port))
            s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
            s.close()
            self.assertEqual(d.chat("hi")[0], 200)

    def test_slow_reader__is_paused_and_gets_everything(self):
        with Fake() as d:
            n = 40000
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(PATIENCE_S * 3)
            s.connect(("127.0.0.1", d.port))
            data = json.dumps({"model": "m", "stream": True, "prompt": f"hi @bytes=150 @tokens={n}", "max_tokens": n,
                               "ignore_eos": True}).encode()
            s.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
            last = [-1.0]

            def stalled():
                now = d.metric("generated_tokens_total")
                same = now == last[0] and now > 0
                last[0] = now
                time.sleep(0.2)
                return same

            d.until(stalled, "the pause")
            self.assertLess(last[0], 20000)
            self.assertEqual(d.chat("hi")[0], 200)  # nobody else waits for that reader
            body = receive_until(s, b"[DONE]")
            s.close()
            # the context ends first: 2,048 tokens at most
            self.assertGreater(body.count(b"x" * 150), 1000)

    def test_half_closed_and_reset__no_trace(self):
        with Fake() as d:
            for _ in range(20):
                s = d.open_stream("hi @tokens=1000 @token_ms=5")
                receive_until(s, b"data:")
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                s.close()
            d.until(lambda: d.metric("requests_running") == 0, "all gone")


class Limits(unittest.TestCase):
    def test_queue_full__429_with_every_header(self):
        with Fake("--max-sequences", "1", "--max-queue", "1") as d:
            held = [d.open_stream("hi @prefill_ms=600000") for _ in range(1)]
            d.until(lambda: d.metric("requests_running") == 1, "the first")
            held.append(d.open_stream("hi @prefill_ms=600000"))
            d.until(lambda: d.metric("requests_queued") == 1, "the second")
            status, headers, answer = d.chat("hi")
            self.assertEqual((status, answer["error"]["code"], answer["error"]["type"]), (429, "queue_full", "rate_limit_error"))
            self.assertTrue(1 <= int(headers["Retry-After"]) <= 120)
            self.assertEqual(int(headers["retry-after-ms"]), int(headers["Retry-After"]) * 1000)
            self.assertEqual(headers["x-should-retry"], "true")
            for s in held:
                s.close()
            d.until(lambda: d.chat("hi")[0] == 200, "room")

    def test_slow_header_and_slow_body__cut(self):
        with Fake("--header-timeout", "1s") as d:
            with socket.create_connection(("127.0.0.1", d.port), timeout=PATIENCE_S) as s:
                s.sendall(b"GET /health HTT")
                with contextlib.suppress(OSError):
                    while True:  # a byte now and then does not help
                        time.sleep(0.3)
                        s.sendall(b"P")
                        if not s.recv(4096):
                            break
            with socket.create_connection(("127.0.0.1", d.port), timeout=PATIENCE_S) as s:
                s.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
                with contextlib.suppress(ConnectionResetError):
                    while s.recv(4096):
                        pass
            self.assertEqual(d.ask("GET", "/health")[0], 200)

    def test_connections__more_than_allowed__come_back(self):
        with Fake("--max-connections", "8") as d:
            idle = [socket.create_connection(("127.0.0.1", d.port)) for _ in range(30)]
            for s in idle:
                s.close()
            d.until(lambda: d.get("/health")[0] == 200, "room")

    def test_idle_connections__many__health_answers(self):
        with Fake() as d:
            idle = [socket.create_connection(("127.0.0.1", d.port)) for _ in range(300)]
            self.assertEqual(d.ask("GET", "/health")[0], 200)
            for s in idle:
                s.close()


class Keys(unittest.TestCase):
    def test_keys__needed_everywhere_but_health__reload(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "keys"
            file.write_text("# ours\nfirst-key-1\nsecond-key-2\n")
            with Fake("--api-key-file", str(file)) as d:
                for path in ("/v1/models", "/metrics", "/admin/models"):
                    status, headers, body = d.ask("GET", path)
                    self.assertEqual((status, json.loads(body)["error"]["code"]), (401, "invalid_api_key"), path)
                    self.assertIn("Bearer", headers["WWW-Authenticate"])
                    self.assertEqual(d.ask("GET", path, headers={"Authorization": "Bearer second-key-2"})[0], 200)
                    self.assertEqual(d.ask("GET", path, headers={"x-api-key": "first-key-1"})[0], 200)
                    for wrong in ("Bearer second-key-3", "Bearer ", "second-key-2", "Basic second-key-2", "Bearer first-key-11"):
                        self.assertEqual(d.ask("GET", path, headers={"Authorization": wrong})[0], 401, wrong)
                self.assertEqual(d.ask("GET", "/health")[0], 200)
                file.write_text("third-key-3\n")
                d.process.send_signal(signal.SIGHUP)
                d.until(lambda: d.ask("GET", "/v1/models", headers={"x-api-key": "third-key-3"})[0] == 200, "the new key")
                self.assertEqual(d.ask("GET", "/v1/models", headers={"x-api-key": "first-key-1"})[0], 401)
                file.unlink()
                d.process.send_signal(signal.SIGHUP)
                d.until(lambda: "refused" in d.log(), "the refusal")
                self.assertEqual(d.ask("GET", "/v1/models", headers={"x-api-key": "third-key-3"})[0], 200)


class Life(unittest.TestCase):
    def run_to_end(self, *args):
        p = subprocess.run([str(pathlib.Path(BUILD) / "bin" / "driftd_fake"), *args], capture_output=True, text=True,
                           timeout=PATIENCE_S, check=False)
        return p.returncode, p.stdout + p.stderr

    def test_port_taken__69_and_says_so(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            s.listen()
            port = s.getsockname()[1]
            code, text = self.run_to_end("--listen", f"127.0.0.1:{port}")
        self.assertEqual(code, 69, text)
        self.assertIn(str(port), text)

    def test_usage_configuration_and_files__exit_statuses(self):
        self.assertEqual(self.run_to_end("--no-such-flag")[0], 64)
        self.assertEqual(self.run_to_end("--max-body-bytes", "soon")[0], 78)
        self.assertEqual(self.run_to_end("--config", "/nonexistent/driftd.conf")[0], 66)
        port = free_port()
        code, text = self.run_to_end("--listen", f"127.0.0.1:{port}", "--model", "x=/nonexistent/x.gguf")
        self.assertEqual(code, 66, text)
        self.assertIn("/nonexistent/x.gguf", text)
        self.assertEqual(self.run_to_end("--listen", f"0.0.0.0:{port}")[0], 78)

    def test_version_help_devices_check__end_well(self):
        for flag in ("--version", "--help", "--list-devices", "--check-config"):
            code, text = self.run_to_end(flag)
            self.assertEqual(code, 0, flag)
            self.assertTrue(text.strip(), flag)

    def test_sigterm__running_finish__new_are_refused__exit_0(self):
        with Fake("--drain-timeout", "20s") as d:
            idle = d.connect()
            idle.request("GET", "/health")
            idle.getresponse().read()
            s = d.open_stream("hi @tokens=40 @token_ms=50")
            receive_until(s, b"w0")
            d.process.send_signal(signal.SIGTERM)
            d.until(lambda: d.get("/health")[0] == 0, "no new connections")
            with contextlib.suppress(OSError, http.client.HTTPException):
                idle.request("POST", "/v1/chat/completions",
                             json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}))
                r = idle.getresponse()
                self.assertEqual((r.status, json.loads(r.read())["error"]["code"]), (503, "server_draining"))
            self.assertIn(b"w39", receive_until(s, b"[DONE]"))
            self.assertEqual(d.process.wait(PATIENCE_S), 0)
            s.close()

    def test_sigterm__deadline__error_event_and_done__exit_0(self):
        with Fake("--drain-timeout", "1s") as d:
            s = d.open_stream("hi @tokens=100000 @token_ms=50")
            receive_until(s, b"w0")
            d.process.send_signal(signal.SIGTERM)
            data = receive_until(s, b"[DONE]")
            self.assertIn(b'"server_draining"', data)
            self.assertIn(b"data: [DONE]", data)
            self.assertEqual(d.process.wait(PATIENCE_S), 0)
            s.close()

    def test_sigterm_twice__ends_at_once(self):
        with Fake("--drain-timeout", "10min") as d:
            s = d.open_stream("hi @prefill_ms=600000")
            d.until(lambda: d.metric("requests_running") == 1, "the request")
            d.process.send_signal(signal.SIGTERM)
            d.until(lambda: d.get("/health")[0] == 0, "the drain")
            d.process.send_signal(signal.SIGTERM)
            d.process.wait(PATIENCE_S)
            s.close()

    def test_sigterm__with_idle_connections__does_not_wait_for_them(self):
        with Fake("--drain-timeout", "10min") as d:
            idle = [socket.create_connection(("127.0.0.1", d.port)) for _ in range(5)]
            d.process.send_signal(signal.SIGTERM)
            self.assertEqual(d.process.wait(PATIENCE_S), 0)
            for s in idle:
                s.close()

    def test_unix_socket_and_several_listeners(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "d.sock")
            with Fake("--listen", f"unix:{path}") as d:
                with socket.socket(socket.AF_UNIX) as s:
                    s.settimeout(PATIENCE_S)
                    s.connect(path)
                    s.sendall(b"GET /health HTTP/1.1\r\nHost: whatever\r\n\r\n")
                    self.assertIn(b" 200 ", receive_until(s, b"\r\n"))
                self.assertEqual(d.ask("GET", "/health")[0], 200)
            self.assertFalse(os.path.exists(path))

    def test_load_and_unload__states_and_requests(self):
        with Fake(models={"slow": "load_ms=1000"}) as d:
            state = lambda: json.loads(d.ask("GET", "/v1/models/slow")[2])["status"]  # noqa: E731
            self.assertEqual(state(), "absent")
            status, _, body = d.ask("POST", "/admin/models/slow/load")
            self.assertIn(status, (200, 202), body)
            self.assertEqual(state(), "loading")
            d.until(lambda: state() == "ready", "the load")
            self.assertEqual(d.chat("hi", model="slow")[0], 200)
            s = d.open_stream("hi @tokens=40 @token_ms=50", model="slow")
            receive_until(s, b"w0")
            self.assertIn(d.ask("POST", "/admin/models/slow/unload")[0], (200, 202))
            status, headers, answer = d.chat("hi", model="slow")
            self.assertEqual(status, 503, answer)
            self.assertIn("Retry-After", headers)
            self.assertIn(b"w39", receive_until(s, b"[DONE]"))  # what runs may finish
            s.close()
            d.until(lambda: state() == "absent", "the unload")
            self.assertEqual(d.ask("POST", "/admin/models/nobody/load")[0], 404)

    def test_ready__follows_the_preloaded_models(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "x.gguf"
            path.write_text("load_ms=1500")
            with Daemon(BUILD, "--model", f"x={path}", program="driftd_fake", wait=False) as d:
                deadline = time.monotonic() + PATIENCE_S
                while d.get("/health")[0] != 200 and time.monotonic() < deadline:
                    time.sleep(0.01)
                self.assertEqual(d.get("/ready")[0], 503)
                d.wait_ready()


if __name__ == "__main__":
    BUILD = sys.argv.pop(1)
    unittest.main(verbosity=2)
