/*
 * Any text through small tokenizers of all families, there and back; and any file as the source of
 * a vocabulary.
 *
 * The first byte chooses: its low bits a tokenizer (or, from 4, the rest is a GGUF file), bits 4
 * and 5 the flags.
 */
#include "tests/unit/tokenizer/small_vocabs.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct drift_tokenizer *small(unsigned choice)
{
    static struct drift_tokenizer *tokenizers[4];
    static const char *const pres[4] = {NULL, "gpt-2", "smollm", "llama-bpe"};
    if (!tokenizers[choice]) {
        struct gguf_writer w;
        gguf_writer_init(&w);
        if (pres[choice])
            small_write_bpe(&w, pres[choice]);
        else
            small_write_spm(&w);
        if (small_create(&w, &tokenizers[choice], NULL) != DRIFT_STATUS_OK)
            abort();
    }
    return tokenizers[choice];
}

/* Encode and decode; what comes out is valid and, if exact, what went in. */
static void there_and_back(const struct drift_tokenizer *t, const char *text, size_t len,
                           uint32_t flags, bool exact)
{
    struct drift_tokens tokens;
    struct drift_buf back;
    drift_tokens_init(&tokens, 1 << 24);
    drift_buf_init(&back, DRIFT_TAG_BASE, 1 << 28);
    if (drift_tokenizer_encode(t, text, len, flags, &tokens, NULL) != DRIFT_STATUS_OK)
        abort();
    drift_tokenizer_decode(t, tokens.ids, tokens.count, DRIFT_DECODE_SPECIAL, &back);
    if (back.failed || !drift_utf8_is_valid(drift_buf_cstr(&back), back.len))
        abort();
    if (exact && drift_utf8_is_valid(text, len) &&
        (back.len != len || (len && memcmp(back.data, text, len) != 0)))
        abort();
    drift_tokens_fini(&tokens);
    drift_buf_fini(&back);
}

static void try_file(const uint8_t *data, size_t size)
{
    static const char text[] = "abc \xc3\xa9" SP "e\xcc\x81 12<user><|im_end|>\xff xyz";
    struct drift_gguf *gguf = NULL;
    struct drift_tokenizer *t = NULL;
    struct drift_error err;
    if (drift_gguf_open_memory(data, size, &gguf, &err) != DRIFT_STATUS_OK)
        return;
    if (drift_tokenizer_create(gguf, &t, &err) == DRIFT_STATUS_OK)
        there_and_back(t, text, sizeof(text) - 1,
                       DRIFT_ENCODE_PARSE_SPECIAL | DRIFT_ENCODE_ADD_SPECIAL, false);
    drift_tokenizer_destroy(t);
    drift_gguf_close(gguf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    unsigned choice = data[0] & 7;
    if (choice >= 4)
        try_file(data + 1, size - 1);
    else /* the spaces that the family "llama" puts in and reads do not come back as they were */
        there_and_back(small(choice), (const char *)data + 1, size - 1,
                       (uint32_t)(data[0] >> 4) & 2, choice > 0);
    return 0;
}
