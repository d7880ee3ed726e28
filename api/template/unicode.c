/* utf8proc's tables, and the places where Python decides otherwise. */
#include "api/template/unicode.h"

#include "runtime/base/utf8.h"

#include <utf8proc.h>

struct range {
    uint32_t first, last;
};

/* Digits that are not decimal digits: superscripts, circled numbers and the like. */
static const struct range other_digits[] = {
    {0xB2,    0xB3   },
    {0xB9,    0xB9   },
    {0x1369,  0x1371 },
    {0x19DA,  0x19DA },
    {0x2070,  0x2070 },
    {0x2074,  0x2079 },
    {0x2080,  0x2089 },
    {0x2460,  0x2468 },
    {0x2474,  0x247C },
    {0x2488,  0x2490 },
    {0x24EA,  0x24EA },
    {0x24F5,  0x24FD },
    {0x24FF,  0x24FF },
    {0x2776,  0x277E },
    {0x2780,  0x2788 },
    {0x278A,  0x2792 },
    {0x10A40, 0x10A43},
    {0x10E60, 0x10E68},
    {0x11052, 0x1105A},
    {0x1F100, 0x1F10A},
};

/* Letters by category that are cased, and case-ignorable signs, beyond what the category says. */
static const struct range other_cased[] = {
    {0xAA,    0xAA   },
    {0xBA,    0xBA   },
    {0x2B0,   0x2B8  },
    {0x2C0,   0x2C1  },
    {0x2E0,   0x2E4  },
    {0x345,   0x345  },
    {0x37A,   0x37A  },
    {0x1D2C,  0x1D6A },
    {0x1D78,  0x1D78 },
    {0x1D9B,  0x1DBF },
    {0x2071,  0x2071 },
    {0x207F,  0x207F },
    {0x2090,  0x209C },
    {0x2160,  0x217F },
    {0x24B6,  0x24E9 },
    {0x2C7C,  0x2C7D },
    {0xA69C,  0xA69D },
    {0xA770,  0xA770 },
    {0xA7F8,  0xA7F9 },
    {0xAB5C,  0xAB5F },
    {0x1F130, 0x1F149},
    {0x1F150, 0x1F169},
    {0x1F170, 0x1F189},
};

static const struct range ignorable_punctuation[] = {
    {0x27,   0x27  },
    {0x2E,   0x2E  },
    {0x3A,   0x3A  },
    {0xB7,   0xB7  },
    {0x387,  0x387 },
    {0x55F,  0x55F },
    {0x5F4,  0x5F4 },
    {0x2018, 0x2019},
    {0x2024, 0x2024},
    {0x2027, 0x2027},
    {0xFE13, 0xFE13},
    {0xFE52, 0xFE52},
    {0xFE55, 0xFE55},
    {0xFF07, 0xFF07},
    {0xFF0E, 0xFF0E},
    {0xFF1A, 0xFF1A},
};

#define IN_RANGES(ranges, code) in_ranges(ranges, sizeof(ranges) / sizeof((ranges)[0]), code)

static bool in_ranges(const struct range *ranges, size_t n, uint32_t code)
{
    for (size_t i = 0; i < n; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    }
    return false;
}

static utf8proc_category_t category(uint32_t code)
{
    return utf8proc_category((utf8proc_int32_t)code);
}

uint32_t drift_tmpl_next_code(const char **s, const char *end)
{
    unsigned char c = (unsigned char)**s;
    if (c < 0x80) {
        (*s)++;
        return c;
    }
    uint32_t code = 0xFFFD;
    size_t n = drift_utf8_decode(*s, (size_t)(end - *s), &code);
    *s += n ? n : 1;
    return code;
}

uint32_t drift_tmpl_prev_code(const char *begin, const char **s)
{
    const char *end = *s, *p = end - 1;
    while (p > begin && ((unsigned char)*p & 0xC0) == 0x80)
        p--;
    *s = p;
    return drift_tmpl_next_code(&p, end);
}

size_t drift_tmpl_count_codes(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += ((unsigned char)s[i] & 0xC0) != 0x80;
    return n;
}

size_t drift_tmpl_code_offset(const char *s, size_t len, size_t n)
{
    size_t i = 0;
    for (; i < len; i++) {
        if (((unsigned char)s[i] & 0xC0) != 0x80 && n-- == 0)
            break;
    }
    return i;
}

bool drift_tmpl_is_space(uint32_t code)
{
    if (code < 0x80)
        return (code >= 9 && code <= 13) || (code >= 28 && code <= 32);
    return code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
           code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

bool drift_tmpl_is_line_break(uint32_t code)
{
    return (code >= 10 && code <= 13) || (code >= 28 && code <= 30) || code == 0x85 ||
           code == 0x2028 || code == 0x2029;
}

bool drift_tmpl_is_alpha(uint32_t code)
{
    if (code < 0x80)
        return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
    switch (category(code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return true;
    default:
        return false;
    }
}

bool drift_tmpl_is_decimal(uint32_t code)
{
    return code < 0x80 ? code >= '0' && code <= '9' : category(code) == UTF8PROC_CATEGORY_ND;
}

bool drift_tmpl_is_digit(uint32_t code)
{
    return drift_tmpl_is_decimal(code) || (code >= 0x80 && IN_RANGES(other_digits, code));
}

bool drift_tmpl_is_numeric(uint32_t code)
{
    if (code < 0x80)
        return drift_tmpl_is_decimal(code);
    utf8proc_category_t c = category(code);
    return c == UTF8PROC_CATEGORY_ND || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_NO;
}

bool drift_tmpl_is_printable(uint32_t code)
{
    if (code < 0x80)
        return code >= 32 && code < 127;
    switch (category(code)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return false;
    default:
        return true;
    }
}

bool drift_tmpl_is_word(uint32_t code)
{
    if (code < 0x80)
        return drift_tmpl_is_alpha(code) || drift_tmpl_is_decimal(code) || code == '_';
    return drift_tmpl_is_alpha(code) || drift_tmpl_is_numeric(code);
}

bool drift_tmpl_is_upper(uint32_t code)
{
    if (code < 0x80)
        return code >= 'A' && code <= 'Z';
    return category(code) == UTF8PROC_CATEGORY_LU || (code >= 0x2160 && code <= 0x216F) ||
           (code >= 0x24B6 && code <= 0x24CF) || (code >= 0x1F130 && code <= 0x1F189);
}

bool drift_tmpl_is_lower(uint32_t code)
{
    if (code < 0x80)
        return code >= 'a' && code <= 'z';
    return category(code) == UTF8PROC_CATEGORY_LL ||
           (IN_RANGES(other_cased, code) && !drift_tmpl_is_upper(code));
}

bool drift_tmpl_is_title(uint32_t code)
{
    return code >= 0x80 && category(code) == UTF8PROC_CATEGORY_LT;
}

bool drift_tmpl_is_cased(uint32_t code)
{
    return drift_tmpl_is_upper(code) || drift_tmpl_is_lower(code) || drift_tmpl_is_title(code);
}

bool drift_tmpl_is_case_ignorable(uint32_t code)
{
    if (code < 0x80)
        return code == '\'' || code == '.' || code == ':' || code == '^' || code == '`';
    switch (category(code)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
        return true;
    default:
        return IN_RANGES(ignorable_punctuation, code);
    }
}

static int fold(uint32_t code, uint32_t out[DRIFT_TMPL_MAX_CASE_CODES])
{
    utf8proc_int32_t folded[DRIFT_TMPL_MAX_CASE_CODES];
    int last = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char(
        (utf8proc_int32_t)code, folded, DRIFT_TMPL_MAX_CASE_CODES, UTF8PROC_CASEFOLD, &last);
    if (n < 1 || n > DRIFT_TMPL_MAX_CASE_CODES) {
        out[0] = code;
        return 1;
    }
    for (utf8proc_ssize_t i = 0; i < n; i++)
        out[i] = (uint32_t)folded[i];
    return (int)n;
}

static uint32_t simple_upper(uint32_t code)
{
    return (uint32_t)utf8proc_toupper((utf8proc_int32_t)code);
}

/*
 * Small letters that have no single capital (the sharp s, ligatures, some Greek) are those whose
 * fold has several code points: capitals of these are the capital they stand for.
 */
static int map_upper(uint32_t code, enum drift_tmpl_case to,
                     uint32_t out[DRIFT_TMPL_MAX_CASE_CODES])
{
    utf8proc_category_t cat = category(code);
    uint32_t title = (uint32_t)utf8proc_totitle((utf8proc_int32_t)code);
    int n =
        cat == UTF8PROC_CATEGORY_LL || (cat == UTF8PROC_CATEGORY_LT && to == DRIFT_TMPL_CASE_UPPER)
            ? fold(code, out)
            : 1;
    if (to == DRIFT_TMPL_CASE_TITLE && title != code && drift_tmpl_is_title(title))
        n = 1;
    if (n == 1) {
        out[0] = to == DRIFT_TMPL_CASE_TITLE ? title : simple_upper(code);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        uint32_t folded = out[i];
        out[i] = simple_upper(folded);
        if (to == DRIFT_TMPL_CASE_TITLE && out[i] != folded)
            break; /* one capital per word */
    }
    return n;
}

int drift_tmpl_map_case(uint32_t code, enum drift_tmpl_case to,
                        uint32_t out[DRIFT_TMPL_MAX_CASE_CODES])
{
    if (code < 0x80) {
        bool letter = drift_tmpl_is_alpha(code),
             up = to == DRIFT_TMPL_CASE_UPPER || to == DRIFT_TMPL_CASE_TITLE;
        out[0] = !letter ? code : up ? code & ~0x20u : code | 0x20u;
        return 1;
    }
    if (to == DRIFT_TMPL_CASE_FOLD)
        return fold(code, out);
    if (to != DRIFT_TMPL_CASE_LOWER)
        return map_upper(code, to, out);
    out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)code);
    if (code != 0x130)
        return 1;
    out[0] = 'i'; /* the capital I with dot */
    out[1] = 0x307;
    return 2;
}
