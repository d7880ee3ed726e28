/*
 * A llama of two layers with random weights and a byte-level vocabulary of 262 tokens, written as a GGUF file: enough to
 * run everything between a request and its events in milliseconds. What it says is noise, the same noise every time.
 */
#ifndef DRIFT_TESTS_UNIT_SCHED_TINY_MODEL_H
#define DRIFT_TESTS_UNIT_SCHED_TINY_MODEL_H

#include "runtime/base/utf8.h"
#include "tests/unit/model/gguf_writer.h"

#include <stdio.h>

#define TINY_VOCAB   262
#define TINY_CONTEXT 512
#define TINY_END     257 /* <|im_end|> */

/* GPT-2's printable stand-ins for bytes: token i is byte tiny_token_byte(i). */
static inline void tiny_vocabulary(struct gguf_writer *w)
{
    static char names[TINY_VOCAB][24];
    const char *tokens[TINY_VOCAB];
    int32_t types[TINY_VOCAB];
    uint32_t next = 256, n = 0;
    for (uint32_t byte = 0; byte < 256; byte++) {
        int printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
        size_t len = drift_utf8_encode(printable ? byte : next++, names[n]);
        names[n++][len] = '\0';
    }
    static const char *const special[] = {"<|endoftext|>", "<|im_end|>", "<|im_start|>"};
    for (size_t i = 0; i < 3; i++)
        snprintf(names[n++], sizeof names[0], "%s", special[i]);
    static const char *const merged[] = {"th", "he", "\xc4\xa0t"};
    for (size_t i = 0; i < 3; i++)
        snprintf(names[n++], sizeof names[0], "%s", merged[i]);
    for (uint32_t i = 0; i < TINY_VOCAB; i++) {
        tokens[i] = names[i];
        types[i] = i >= 256 && i < 259 ? 3 : 1;
    }
    static const char *const merges[] = {"t h", "h e", "\xc4\xa0 t"};
    gguf_writer_string(w, "tokenizer.ggml.model", "gpt2");
    gguf_writer_string(w, "tokenizer.ggml.pre", "gpt-2");
    gguf_writer_strings(w, "tokenizer.ggml.tokens", tokens, TINY_VOCAB);
    gguf_writer_i32s(w, "tokenizer.ggml.token_type", types, TINY_VOCAB);
    gguf_writer_strings(w, "tokenizer.ggml.merges", merges, 3);
    gguf_writer_u32(w, "tokenizer.ggml.bos_token_id", 256);
    gguf_writer_u32(w, "tokenizer.ggml.eos_token_id", TINY_END);
    gguf_writer_bool(w, "tokenizer.ggml.add_bos_token", 0);
}

static inline void tiny_layer(struct gguf_writer *w, int layer)
{
    static const struct {
        const char *name;
        uint32_t n_cols, n_rows; /* n_rows 0: a norm */
        enum drift_dtype dtype;
    } tensors[] = {
        {"attn_norm", 64, 0, DRIFT_DTYPE_F32},    {"attn_q", 64, 64, DRIFT_DTYPE_Q8_0},
        {"attn_k", 64, 32, DRIFT_DTYPE_Q4_0},     {"attn_v", 64, 32, DRIFT_DTYPE_Q4_1},
        {"attn_output", 64, 64, DRIFT_DTYPE_Q8_0}, {"ffn_norm", 64, 0, DRIFT_DTYPE_F32},
        {"ffn_gate", 64, 96, DRIFT_DTYPE_Q8_0},   {"ffn_up", 64, 96, DRIFT_DTYPE_Q5_0},
        {"ffn_down", 96, 64, DRIFT_DTYPE_Q5_1},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%d.%s.weight", layer, tensors[i].name);
        if (tensors[i].n_rows == 0)
            gguf_writer_constant_vector(w, name, tensors[i].n_cols, 1.0f);
        else
            gguf_writer_random_tensor(w, name, tensors[i].dtype, tensors[i].n_cols, tensors[i].n_rows,
                                      0.25f);
    }
}

/* Write the model to path; seed changes its weights. 0 on success. */
static inline int tiny_model_save(const char *path, uint64_t seed)
{
    struct gguf_writer w;
    gguf_writer_init(&w);
    w.random = seed;
    gguf_writer_string(&w, "general.architecture", "llama");
    gguf_writer_string(&w, "general.name", "Tiny");
    gguf_writer_u32(&w, "llama.context_length", TINY_CONTEXT);
    gguf_writer_u32(&w, "llama.embedding_length", 64);
    gguf_writer_u32(&w, "llama.block_count", 2);
    gguf_writer_u32(&w, "llama.feed_forward_length", 96);
    gguf_writer_u32(&w, "llama.attention.head_count", 4);
    gguf_writer_u32(&w, "llama.attention.head_count_kv", 2);
    gguf_writer_u32(&w, "llama.vocab_size", TINY_VOCAB);
    gguf_writer_u32(&w, "llama.rope.dimension_count", 16);
    gguf_writer_f32(&w, "llama.attention.layer_norm_rms_epsilon", 1e-5f);
    tiny_vocabulary(&w);
    gguf_writer_random_tensor(&w, "token_embd.weight", DRIFT_DTYPE_Q8_0, 64, TINY_VOCAB, 1.0f);
    for (int layer = 0; layer < 2; layer++)
        tiny_layer(&w, layer);
    gguf_writer_constant_vector(&w, "output_norm.weight", 64, 1.0f);
    int failed = gguf_writer_save(&w, path);
    gguf_writer_fini(&w);
    return failed;
}

#endif
