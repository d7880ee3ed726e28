/*
 * Two small vocabularies for tests: what they hold can be read here, so what must come out can be
 * worked out by hand.
 */
#ifndef DRIFT_TESTS_UNIT_TOKENIZER_SMALL_VOCABS_H
#define DRIFT_TESTS_UNIT_TOKENIZER_SMALL_VOCABS_H

#include "runtime/base/utf8.h"
#include "runtime/model/gguf.h"
#include "runtime/tokenizer/tokenizer.h"
#include "tests/unit/model/gguf_writer.h"

#include <stdio.h>

enum { KIND_NORMAL = 1, KIND_UNKNOWN, KIND_CONTROL, KIND_USER_DEFINED, KIND_UNUSED, KIND_BYTE };

#define SMALL_MAX_TOKENS 320

struct small_vocab {
    char names[SMALL_MAX_TOKENS][24];
    const char *tokens[SMALL_MAX_TOKENS];
    int32_t kinds[SMALL_MAX_TOKENS];
    float scores[SMALL_MAX_TOKENS];
    int32_t n;
};

static inline void small_add(struct small_vocab *v, const char *name, int32_t kind, float score)
{
    snprintf(v->names[v->n], sizeof(v->names[0]), "%s", name);
    v->tokens[v->n] = v->names[v->n];
    v->kinds[v->n] = kind;
    v->scores[v->n] = score;
    v->n++;
}

/* Ids of the SentencePiece-style vocabulary; byte b is SPM_BYTE + b. */
enum {
    SPM_UNK,
    SPM_BOS,
    SPM_EOS,
    SPM_IM_END,
    SPM_USER,  /* "<user>" */
    SPM_LINES, /* two line ends, user-defined */
    SPM_BYTE,
    SPM_SPACE = SPM_BYTE + 256,
    SPM_A,
    SPM_B,
    SPM_C,
    SPM_BC,
    SPM_AB,
    SPM_SPACE_A,
    SPM_ABB,
    SPM_C_SPACE, /* these two reach across a space */
    SPM_C_SPACE_A,
    SPM_N
};

#define SP "\xe2\x96\x81" /* U+2581 */

static inline void small_spm_tokens(struct small_vocab *v)
{
    char name[8];
    v->n = 0;
    small_add(v, "<unk>", KIND_UNKNOWN, 0);
    small_add(v, "<s>", KIND_CONTROL, 0);
    small_add(v, "</s>", KIND_CONTROL, 0);
    small_add(v, "<|im_end|>", KIND_CONTROL, 0);
    small_add(v, "<user>", KIND_USER_DEFINED, 0);
    small_add(v, "\n\n", KIND_USER_DEFINED, 0);
    for (unsigned b = 0; b < 256; b++) {
        snprintf(name, sizeof(name), "<0x%02X>", b & 255);
        small_add(v, name, KIND_BYTE, 0);
    }
    small_add(v, SP, KIND_NORMAL, -10);
    small_add(v, "a", KIND_NORMAL, -11);
    small_add(v, "b", KIND_NORMAL, -12);
    small_add(v, "c", KIND_NORMAL, -13);
    small_add(v, "bc", KIND_NORMAL, -1);
    small_add(v, "ab", KIND_NORMAL, -2);
    small_add(v, SP "a", KIND_NORMAL, -4);
    small_add(v, "abb", KIND_NORMAL, -5);
    small_add(v, "c" SP, KIND_NORMAL, -3);
    small_add(v, "c" SP "a", KIND_NORMAL, -6);
}

/* Ids of the byte-level vocabulary; byte b is b. */
enum {
    BPE_AB = 256, /* merge 0 */
    BPE_BC,       /* merge 1 */
    BPE_ABC,      /* merge 2: a bc */
    BPE_SPACE_A,  /* merge 3 */
    BPE_E_ACUTE,  /* merge 4: the two bytes of U+00E9 */
    BPE_DIGITS,   /* merge 5: "12" */
    BPE_WHOLE,    /* "cab", which no merge makes */
    BPE_END_OF_TEXT,
    BPE_IM_START,
    BPE_IM_END,
    BPE_USER, /* "<user>" */
    BPE_N
};

static inline int small_is_printable(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* The printable character that stands for a byte. */
static inline void small_byte_name(unsigned byte, char name[8])
{
    unsigned n_before = 0;
    for (unsigned b = 0; b < byte; b++)
        n_before += !small_is_printable(b);
    name[drift_utf8_encode(small_is_printable(byte) ? byte : 256 + n_before, name)] = '\0';
}

static inline void small_bpe_tokens(struct small_vocab *v)
{
    char name[8];
    v->n = 0;
    for (unsigned b = 0; b < 256; b++) {
        small_byte_name(b, name);
        small_add(v, name, KIND_NORMAL, 0);
    }
    small_add(v, "ab", KIND_NORMAL, 0);
    small_add(v, "bc", KIND_NORMAL, 0);
    small_add(v, "abc", KIND_NORMAL, 0);
    small_add(v,
              "\xc4\xa0"
              "a",
              KIND_NORMAL, 0);
    small_add(v, "\xc3\x83\xc2\xa9", KIND_NORMAL, 0);
    small_add(v, "12", KIND_NORMAL, 0);
    small_add(v, "cab", KIND_NORMAL, 0);
    small_add(v, "<|endoftext|>", KIND_CONTROL, 0);
    small_add(v, "<|im_start|>", KIND_CONTROL, 0);
    small_add(v, "<|im_end|>", KIND_CONTROL, 0);
    small_add(v, "<user>", KIND_USER_DEFINED, 0);
}

static inline void small_write_tokens(struct gguf_writer *w, const struct small_vocab *v,
                                      const char *model)
{
    gguf_writer_string(w, "tokenizer.ggml.model", model);
    gguf_writer_strings(w, "tokenizer.ggml.tokens", v->tokens, (uint64_t)v->n);
    gguf_writer_i32s(w, "tokenizer.ggml.token_type", v->kinds, (uint64_t)v->n);
}

/* The keys of the SentencePiece-style vocabulary; more may be written to w afterwards. */
static inline void small_write_spm(struct gguf_writer *w)
{
    struct small_vocab v;
    small_spm_tokens(&v);
    small_write_tokens(w, &v, "llama");
    gguf_writer_f32s(w, "tokenizer.ggml.scores", v.scores, (uint64_t)v.n);
}

/* The keys of the byte-level vocabulary with the pre-tokenizer pre. */
static inline void small_write_bpe(struct gguf_writer *w, const char *pre)
{
    static const char *const merges[] = {
        "a b", "b c", "a bc", "\xc4\xa0 a", "\xc3\x83 \xc2\xa9", "1 2",
    };
    struct small_vocab v;
    small_bpe_tokens(&v);
    small_write_tokens(w, &v, "gpt2");
    gguf_writer_string(w, "tokenizer.ggml.pre", pre);
    gguf_writer_strings(w, "tokenizer.ggml.merges", merges, 6);
}

/* Make a tokenizer of what w holds; w is released. */
static inline enum drift_status small_create(struct gguf_writer *w, struct drift_tokenizer **ret,
                                             struct drift_error *err)
{
    struct drift_buf file;
    struct drift_gguf *gguf = NULL;
    drift_buf_init(&file, DRIFT_TAG_BASE, SIZE_MAX / 4);
    gguf_writer_finish(w, &file);
    enum drift_status status = drift_gguf_open_memory(drift_buf_cstr(&file), file.len, &gguf, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_tokenizer_create(gguf, ret, err);
    drift_gguf_close(gguf);
    drift_buf_fini(&file);
    gguf_writer_fini(w);
    return status;
}

#endif
