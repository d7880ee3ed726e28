#!/usr/bin/env python3
"""The official OpenAI client for Python, unchanged, against driftd with SmolLM2. usage: openai_python.py BUILD"""
import asyncio
import sys

import openai
from daemon import SMOLLM2, Daemon

MODEL = "smollm2"
MESSAGES = [{"role": "user", "content": "How many days are there in a week?"}]


def check_models(client):
    models = client.models.list()
    assert [m.id for m in models] == [MODEL], models
    model = client.models.retrieve(MODEL)
    assert model.object == "model" and model.created > 0 and model.owned_by, model


def check_chat(client):
    reply = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0, max_tokens=32)
    choice = reply.choices[0]
    assert reply.object == "chat.completion" and reply.id.startswith("chatcmpl-"), reply
    assert choice.message.role == "assistant" and "7" in choice.message.content, choice
    assert choice.finish_reason == "stop", choice
    usage = reply.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage
    return choice.message.content


def check_stream(client, whole):
    stream = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0, max_tokens=32,
                                            stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert len({(c.id, c.created, c.model, c.system_fingerprint) for c in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert all(c.usage is None for c in chunks[:-1])
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    with_choice = [c.choices[0] for c in chunks if c.choices]
    assert [c.finish_reason is not None for c in with_choice].count(True) == 1
    assert with_choice[-1].finish_reason is not None
    text = "".join(c.delta.content or "" for c in with_choice)
    assert text == whole, (text, whole)


def check_stream_helper(client, whole):
    with client.chat.completions.stream(model=MODEL, messages=MESSAGES, temperature=0, max_tokens=32) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert "content.delta" in kinds and "content.done" in kinds, kinds
    assert final.choices[0].message.content == whole, final


def check_fields(client):
    reply = client.chat.completions.create(
        model=MODEL, temperature=0.8, top_p=0.9, seed=7, n=3, max_completion_tokens=12, logprobs=True, top_logprobs=2,
        frequency_penalty=0.1, presence_penalty=0.1, logit_bias={"1000": -5}, user="u", stop=["###"],
        extra_body={"top_k": 40, "min_p": 0.01, "repetition_penalty": 1.05},
        messages=[{"role": "system", "content": "Be brief."},
                  {"role": "user", "content": [{"type": "text", "text": "Name a fruit."}]}])
    assert [c.index for c in reply.choices] == [0, 1, 2]
    for choice in reply.choices:
        tokens = choice.logprobs.content
        assert tokens and all(len(t.top_logprobs) == 2 and t.logprob <= 0 for t in tokens)
        assert b"".join(bytes(t.bytes) for t in tokens).decode("utf-8", "replace").startswith(
            choice.message.content[:4])
    again = [client.chat.completions.create(model=MODEL, temperature=1, seed=11, max_tokens=12, messages=MESSAGES)
             .choices[0].message.content for _ in range(2)]
    assert again[0] == again[1], again


def check_stop(client, whole):
    word = whole.split()[2]
    reply = client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0, max_tokens=32, stop=[word])
    assert reply.choices[0].finish_reason == "stop"
    assert reply.choices[0].message.content == whole[:whole.index(word)], (reply, whole)


def check_completions(client):
    reply = client.completions.create(model=MODEL, prompt="The sky is", max_tokens=8, temperature=0)
    text = reply.choices[0].text
    assert reply.object == "text_completion" and text, reply
    streamed = "".join(c.choices[0].text for c in client.completions.create(
        model=MODEL, prompt="The sky is", max_tokens=8, temperature=0, stream=True) if c.choices)
    assert streamed == text, (streamed, text)
    batch = client.completions.create(model=MODEL, prompt=["The sky is", "One, two,"], max_tokens=4, temperature=0)
    assert [c.index for c in batch.choices] == [0, 1] and text.startswith(batch.choices[0].text), batch


def expect(kind, code, call):
    try:
        call()
    except kind as error:
        assert error.code == code, (error.code, error.body)
        assert error.request_id, "no x-request-id"
        assert set(error.body) >= {"message", "type", "param", "code"}, error.body
        return error
    raise AssertionError(f"{kind.__name__} expected")


def check_errors(client):
    create = client.chat.completions.create
    expect(openai.NotFoundError, "model_not_found", lambda: create(model="nobody", messages=MESSAGES))
    long = [{"role": "user", "content": "word " * 9000}]
    error = expect(openai.BadRequestError, "context_length_exceeded", lambda: create(model=MODEL, messages=long))
    assert "maximum context length" in str(error)
    for bad in ({"temperature": 9}, {"messages": []}, {"n": 0}, {"top_p": "x"}, {"max_tokens": -1},
                {"messages": [{"role": "wizard", "content": "x"}]}):
        body = {"model": MODEL, "messages": MESSAGES, **bad}
        try:
            client.post("/chat/completions", body=body, cast_to=object)
        except openai.BadRequestError as e:
            assert e.param, (bad, e.body)
        else:
            raise AssertionError(bad)


async def check_async(base_url, whole):
    async with openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0) as client:
        async def one():
            reply = await client.chat.completions.create(model=MODEL, messages=MESSAGES, temperature=0, max_tokens=32)
            return reply.choices[0].message.content
        answers = await asyncio.gather(*(one() for _ in range(8)))
    assert answers == [whole] * 8, answers


def main():
    with Daemon(sys.argv[1], "--model", f"{MODEL}={SMOLLM2}", "--ctx", 4096) as daemon:
        client = openai.OpenAI(base_url=daemon.url + "/v1", api_key="none", max_retries=0)
        check_models(client)
        whole = check_chat(client)
        check_stream(client, whole)
        check_stream_helper(client, whole)
        check_fields(client)
        check_stop(client, whole)
        check_completions(client)
        check_errors(client)
        asyncio.run(check_async(daemon.url + "/v1", whole))
    print("openai-python", openai.__version__, "ok")


main()
