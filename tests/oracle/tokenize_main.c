/*
 * The tokenizer as a filter, for check_tokenizers.py and for measuring.
 *
 *   oracle_tokenize FILE.gguf < requests > replies
 *   oracle_tokenize FILE.gguf --time TEXTFILE
 *
 * A request is u32 flags (enum drift_encode_flag), u32 length, bytes. A reply is u32 count, the
 * ids, and what they decode to as u32 length, bytes. All integers are the machine's.
 */
#include "runtime/base/clock.h"
#include "runtime/base/file.h"
#include "runtime/model/gguf.h"
#include "runtime/tokenizer/tokenizer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAX_BYTES (512u << 20)

static int fail(const char *what, const struct drift_error *err)
{
    fprintf(stderr, "oracle_tokenize: %s: %s\n", what, err->msg);
    return 1;
}

static bool read_u32(uint32_t *ret)
{
    return fread(ret, sizeof(*ret), 1, stdin) == 1;
}

static void write_block(const void *data, size_t count, size_t size)
{
    uint32_t n = (uint32_t)count;
    fwrite(&n, sizeof(n), 1, stdout);
    fwrite(data, size, count, stdout);
}

static int answer(const struct drift_tokenizer *t, uint32_t flags, const char *text, size_t len)
{
    struct drift_error err;
    struct drift_tokens tokens;
    struct drift_buf decoded;
    drift_tokens_init(&tokens, MAX_BYTES);
    drift_buf_init(&decoded, DRIFT_TAG_BASE, MAX_BYTES);
    if (drift_tokenizer_encode(t, text, len, flags, &tokens, &err) != DRIFT_STATUS_OK)
        return fail("encode", &err);
    drift_tokenizer_decode(t, tokens.ids, tokens.count,
                           DRIFT_DECODE_SPECIAL | DRIFT_DECODE_TEXT_START, &decoded);
    write_block(tokens.ids, tokens.count, sizeof(*tokens.ids));
    write_block(drift_buf_cstr(&decoded), decoded.len, 1);
    drift_tokens_fini(&tokens);
    drift_buf_fini(&decoded);
    return 0;
}

static int serve(const struct drift_tokenizer *t)
{
    uint32_t flags, len;
    int failed = 0;
    while (!failed && read_u32(&flags) && read_u32(&len)) {
        char *text = len < MAX_BYTES ? drift_alloc(DRIFT_TAG_BASE, len, 1) : NULL;
        failed = !text || fread(text, 1, len, stdin) != len || answer(t, flags, text, len);
        drift_free(text);
    }
    return failed;
}

static int measure(const struct drift_tokenizer *t, const char *path)
{
    struct drift_error err;
    struct drift_buf text;
    struct drift_tokens tokens;
    drift_buf_init(&text, DRIFT_TAG_BASE, MAX_BYTES);
    drift_tokens_init(&tokens, MAX_BYTES);
    if (drift_file_read(path, &text, &err) != DRIFT_STATUS_OK)
        return fail(path, &err);
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        tokens.count = 0;
        uint64_t start = drift_clock_ns();
        if (drift_tokenizer_encode(t, text.data, text.len, 0, &tokens, &err) != DRIFT_STATUS_OK)
            return fail("encode", &err);
        uint64_t took = drift_clock_ns() - start;
        best = took < best ? took : best;
    }
    printf("%zu bytes, %zu tokens, %.1f ms, %.2f MB/s\n", text.len, tokens.count,
           (double)best / 1e6, (double)text.len * 1e3 / (double)best);
    drift_tokens_fini(&tokens);
    drift_buf_fini(&text);
    return 0;
}

int main(int argc, char **argv)
{
    struct drift_gguf *gguf = NULL;
    struct drift_tokenizer *tokenizer = NULL;
    struct drift_error err;
    if (argc != 2 && !(argc == 4 && strcmp(argv[2], "--time") == 0)) {
        fprintf(stderr, "usage: oracle_tokenize FILE.gguf [--time TEXTFILE]\n");
        return 64;
    }
    uint64_t start = drift_clock_ns();
    if (drift_gguf_open(argv[1], &gguf, &err) != DRIFT_STATUS_OK ||
        drift_tokenizer_create(gguf, &tokenizer, &err) != DRIFT_STATUS_OK)
        return fail(argv[1], &err);
    drift_gguf_close(gguf);
    uint64_t loaded = drift_clock_ns();
    if (argc == 4)
        printf("loading %.1f ms, %.1f MiB\n", (double)(loaded - start) / 1e6,
               (double)drift_alloc_live_bytes(DRIFT_TAG_TOKENIZER) / 1048576);
    int failed = argc == 4 ? measure(tokenizer, argv[3]) : serve(tokenizer);
    drift_tokenizer_destroy(tokenizer);
    return failed;
}
