// llama.cpp through node-llama-cpp's prebuilt library: prefill and decode speed of one file, as one line of JSON.
// usage: node peer_llama.mjs MODEL THREADS PREFILL DECODE REPEAT
import {getLlama} from "node-llama-cpp";

const [model_path, threads, prefill, decode, repeat] =
    process.argv.slice(2).map((v, i) => (i === 0 ? v : Number(v)));
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: threads});
const start = performance.now();
const model = await llama.loadModel({modelPath: model_path});
const context = await model.createContext({
    contextSize: prefill + decode + 64, batchSize: 512, threads, sequences: 1
});
const load_ms = performance.now() - start;
const sequence = context.getSequence();
const n_vocab = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
const prompt = Array.from({length: prefill}, (_, i) => (i * 7919) % n_vocab);

async function time_prefill() {
    await sequence.clearHistory();
    const from = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(prompt);
    return prefill / (performance.now() - from) * 1e3;
}

async function time_decode() {
    await sequence.clearHistory();
    let n = 0, from = 0;
    for await (const _ of sequence.evaluate([1], {temperature: 0, yieldEogToken: true})) {
        if (n === 0)
            from = performance.now();
        if (n++ === decode)
            break;
    }
    return decode / (performance.now() - from) * 1e3;
}

const prefills = [], decodes = [];
for (let i = 0; i <= repeat; i++) { // the first round warms up
    const p = prefill ? await time_prefill() : 0, d = decode ? await time_decode() : 0;
    if (i > 0) {
        prefills.push(p);
        decodes.push(d);
    }
}
console.log(JSON.stringify({
    peer: "llama.cpp", model: model_path, prefill_tps: median(prefills), decode_tps: median(decodes), load_ms
}));
process.exit(0);
