// The official OpenAI client for Node, unchanged. usage: node openai_node.mjs BASE_URL MODEL (see node_clients.py)
import assert from "node:assert/strict";
import OpenAI from "openai";

const [base, model] = process.argv.slice(2);
const client = new OpenAI({baseURL: `${base}/v1`, apiKey: "none", maxRetries: 0});
const messages = [{role: "user", content: "How many days are there in a week?"}];
const request = {model, messages, temperature: 0, max_tokens: 32};

const models = await client.models.list();
assert.deepEqual(models.data.map((m) => m.id), [model]);

const reply = await client.chat.completions.create(request);
const whole = reply.choices[0].message.content;
assert.match(whole, /7/);

let text = "";
for await (const chunk of await client.chat.completions.create({...request, stream: true}))
    text += chunk.choices[0]?.delta?.content ?? "";
assert.equal(text, whole);

// The helper throws on every breach of the stream's rules: roles, indices, finish reasons, identities.
for (const extra of [{}, {n: 3, temperature: 1, seed: 3}, {stream_options: {include_usage: true}}, {logprobs: true, top_logprobs: 3},
    {max_tokens: 1}, {stop: [","]}]) {
    const stream = client.chat.completions.stream({...request, ...extra});
    let deltas = "";
    stream.on("content.delta", ({delta}) => (deltas += delta));
    const final = await stream.finalChatCompletion();
    assert.equal(final.choices.length, extra.n ?? 1);
    for (const choice of final.choices)
        assert.ok(["stop", "length"].includes(choice.finish_reason));
    if (!extra.n)
        assert.equal(deltas, final.choices[0].message.content);
    if (extra.stream_options)
        assert.equal(final.usage.total_tokens, final.usage.prompt_tokens + final.usage.completion_tokens);
}

const controller = new AbortController();
const aborted = await client.chat.completions.create({...request, stream: true, max_tokens: 2000},
    {signal: controller.signal});
let n = 0;
for await (const _ of aborted)
    if (++n === 5)
        controller.abort();

const completion = await client.completions.create({model, prompt: "The sky is", max_tokens: 8, temperature: 0});
assert.ok(completion.choices[0].text.length > 0);

await assert.rejects(client.chat.completions.create({...request, model: "nobody"}),
    (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found" && Boolean(e.requestID));
await assert.rejects(client.chat.completions.create({...request, temperature: -1}),
    (e) => e instanceof OpenAI.BadRequestError && e.param === "temperature");
console.log("openai-node ok");
