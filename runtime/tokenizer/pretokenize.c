/* See pretokenize.h. */
#define PCRE2_CODE_UNIT_WIDTH 8

#include "runtime/tokenizer/pretokenize.h"

#include "runtime/base/alloc.h"

#include <pcre2.h>
#include <string.h>

/*
 * White space is spelled out: Unicode's property White_Space, which the engines that the patterns
 * were written for take \s to be. PCRE2's \s has U+180E too.
 */
#define SPACE "\\t-\\r\\x{85}\\p{Z}"

#define SUFFIX "'(?:[sdmt]|ll|ve|re)"
#define WORD   " ?+\\p{L}++"
#define OTHER  " ?+[^" SPACE "\\p{L}\\p{N}]++"
#define SPACES "[" SPACE "]++"
/* White space whose last character belongs to the word behind it. */
#define SPACES_BUT_1 "[" SPACE "]+(?![^" SPACE "])"
/* White space up to and with its last line end. */
#define LINE_ENDS "[" SPACE "]*[\\r\\n]"
/* A word with any one character before it. */
#define MARK_WORD "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++"

#define PATTERN_GPT2 SUFFIX "|" WORD "| ?+\\p{N}++|" OTHER "|" SPACES_BUT_1 "|" SPACES
/* Every digit alone. They are cut out first: to the rest, the text ends before a digit. */
#define PATTERN_SMOLLM                                                                             \
    SUFFIX "|" WORD "|\\p{N}|" OTHER "|[" SPACE "]+(?![^" SPACE "\\p{N}])|" SPACES
#define PATTERN_LLAMA3                                                                             \
    "(?i:" SUFFIX ")|" MARK_WORD "|\\p{N}{1,3}+|" OTHER "[\\r\\n]*+|" LINE_ENDS "|" SPACES_BUT_1   \
    "|" SPACES
#define PATTERN_QWEN2                                                                              \
    "(?i:" SUFFIX ")|" MARK_WORD "|\\p{N}|" OTHER "[\\r\\n]*+|" LINE_ENDS "|" SPACES_BUT_1         \
    "|" SPACES

static const struct drift_pretokenizer_rule rules[] = {
    {"gpt-2",     PATTERN_GPT2,   false, false, false},
    {"phi-2",     PATTERN_GPT2,   false, false, false},
    {"smollm",    PATTERN_SMOLLM, false, false, false},
    {"starcoder", PATTERN_SMOLLM, false, false, false},
    {"refact",    PATTERN_SMOLLM, false, false, false},
    {"llama-bpe", PATTERN_LLAMA3, true,  true,  false},
    {"llama3",    PATTERN_LLAMA3, true,  true,  false},
    {"llama-v3",  PATTERN_LLAMA3, true,  true,  false},
    {"qwen2",     PATTERN_QWEN2,  false, false, true },
};

static void *pcre_malloc(size_t size, void *ctx)
{
    (void)ctx;
    return drift_alloc(DRIFT_TAG_TOKENIZER, size, 1);
}

static void pcre_free(void *ptr, void *ctx)
{
    (void)ctx;
    drift_free(ptr);
}

static enum drift_status compile(struct drift_pretokenizer *p, struct drift_error *err)
{
    int code = 0;
    PCRE2_SIZE offset = 0;
    p->memory = pcre2_general_context_create(pcre_malloc, pcre_free, NULL);
    pcre2_compile_context *context = p->memory ? pcre2_compile_context_create(p->memory) : NULL;
    if (context)
        p->code = pcre2_compile((PCRE2_SPTR)p->rule->pattern, PCRE2_ZERO_TERMINATED,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code, &offset, context);
    pcre2_compile_context_free(context);
    if (!p->code)
        return drift_error_set(err,
                               !context || code == PCRE2_ERROR_HEAP_FAILED ? DRIFT_STATUS_NO_MEMORY
                                                                           : DRIFT_STATUS_INTERNAL,
                               code,
                               "compiling the pattern of the pre-tokenizer '%s' fails at %zu (%d)",
                               p->rule->name, (size_t)offset, code);
    /* where code may not be made at run time (a hardened service) the interpreter does the same,
     * slower */
    (void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_pretokenizer_init(struct drift_pretokenizer *p, const char *name,
                                          size_t len, struct drift_error *err)
{
    *p = (struct drift_pretokenizer){0};
    for (size_t i = 0; i < DRIFT_COUNT_OF(rules) && !p->rule; i++) {
        if (strlen(rules[i].name) == len && memcmp(rules[i].name, name, len) == 0)
            p->rule = &rules[i];
    }
    if (!p->rule)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "the pre-tokenizer '%.*s' (tokenizer.ggml.pre) is not known",
                               (int)(len < 60 ? len : 60), name);
    return compile(p, err);
}

void drift_pretokenizer_fini(struct drift_pretokenizer *p)
{
    pcre2_code_free(p->code);
    pcre2_general_context_free(p->memory);
    *p = (struct drift_pretokenizer){0};
}

enum drift_status drift_pretokenizer_begin(const struct drift_pretokenizer *p,
                                           struct drift_pretokenizer_run *run,
                                           struct drift_error *err)
{
    run->match = pcre2_match_data_create(1, p->memory);
    if (!run->match)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tokenizing");
    return DRIFT_STATUS_OK;
}

void drift_pretokenizer_end(struct drift_pretokenizer_run *run)
{
    pcre2_match_data_free(run->match);
    run->match = NULL;
}

enum drift_status drift_pretokenizer_next(const struct drift_pretokenizer *p,
                                          struct drift_pretokenizer_run *run, const char *text,
                                          size_t len, size_t at, size_t *ret_end,
                                          struct drift_error *err)
{
    int n = pcre2_match(p->code, (PCRE2_SPTR)text, len, at, PCRE2_NO_UTF_CHECK, run->match, NULL);
    if (n == PCRE2_ERROR_NOMEMORY)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, n, "out of memory for tokenizing");
    if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_HEAPLIMIT ||
        n == PCRE2_ERROR_JIT_STACKLIMIT)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, n,
                               "the text holds a run of white space too long to be tokenized");
    size_t end = n >= 0 ? pcre2_get_ovector_pointer(run->match)[1] : 0;
    if (end <= at) /* the patterns match every character */
        return drift_error_set(err, DRIFT_STATUS_INTERNAL, n,
                               "the pattern of the pre-tokenizer '%s' fails (%d)", p->rule->name,
                               n);
    *ret_end = end;
    return DRIFT_STATUS_OK;
}
