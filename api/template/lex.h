/* Template text to tokens, with the whitespace rules of trim_blocks, lstrip_blocks and the -/+
 * signs. */
#ifndef DRIFT_API_TEMPLATE_LEX_H
#define DRIFT_API_TEMPLATE_LEX_H

#include "api/template/ast.h"
#include "api/template/template.h"
#include "runtime/base/error.h"

/* X(enumerator, text in messages) */
#define DRIFT_TMPL_TOKEN_MAP(X)                                                                    \
    X(EOF, "end of template")                                                                      \
    X(DATA, "template data")                                                                       \
    X(VARIABLE_BEGIN, "{{")                                                                        \
    X(VARIABLE_END, "}}")                                                                          \
    X(BLOCK_BEGIN, "{%")                                                                           \
    X(BLOCK_END, "%}")                                                                             \
    X(NAME, "name")                                                                                \
    X(STRING, "string")                                                                            \
    X(INTEGER, "integer")                                                                          \
    X(FLOAT, "float")                                                                              \
    X(FLOORDIV, "//")                                                                              \
    X(POW, "**")                                                                                   \
    X(EQ, "==")                                                                                    \
    X(NE, "!=")                                                                                    \
    X(GE, ">=")                                                                                    \
    X(LE, "<=")                                                                                    \
    X(ADD, "+")                                                                                    \
    X(SUB, "-")                                                                                    \
    X(DIV, "/")                                                                                    \
    X(MUL, "*")                                                                                    \
    X(MOD, "%")                                                                                    \
    X(TILDE, "~")                                                                                  \
    X(LBRACKET, "[")                                                                               \
    X(RBRACKET, "]")                                                                               \
    X(LPAREN, "(")                                                                                 \
    X(RPAREN, ")")                                                                                 \
    X(LBRACE, "{")                                                                                 \
    X(RBRACE, "}")                                                                                 \
    X(GT, ">")                                                                                     \
    X(LT, "<")                                                                                     \
    X(ASSIGN, "=")                                                                                 \
    X(DOT, ".")                                                                                    \
    X(COLON, ":")                                                                                  \
    X(PIPE, "|")                                                                                   \
    X(COMMA, ",")                                                                                  \
    X(SEMICOLON, ";")

enum drift_tmpl_token_type {
#define X(id, text) DRIFT_TMPL_TOKEN_##id,
    DRIFT_TMPL_TOKEN_MAP(X)
#undef X
        DRIFT_TMPL_TOKEN_COUNT
};

struct drift_tmpl_token {
    uint8_t type;
    uint32_t line;
    struct drift_tmpl_value value; /* DATA, NAME, STRING as strings; INTEGER, FLOAT */
};

struct drift_tmpl_lexer {
    const char *text; /* newlines are \n */
    size_t len, pos;
    size_t line_pos; /* line counts up to here */
    uint32_t line;
    uint8_t mode; /* the token type that ends the tag, or EOF outside of tags */
    struct drift_tmpl_token pending;
    uint32_t n_open;
    char open[DRIFT_TEMPLATE_MAX_NESTING]; /* brackets that wait for these */
    struct drift_arena *arena;
    struct drift_error *err;
};

const char *drift_tmpl_token_name(enum drift_tmpl_token_type type);
/* text stays borrowed; errors go to err, which the caller keeps. */
void drift_tmpl_lexer_init(struct drift_tmpl_lexer *lx, const char *text, size_t len,
                           struct drift_arena *arena, struct drift_error *err);
/* The next token, EOF again and again at the end. */
enum drift_status drift_tmpl_lexer_next(struct drift_tmpl_lexer *lx,
                                        struct drift_tmpl_token *ret) DRIFT_MUST_USE;

#endif
