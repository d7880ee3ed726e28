#!/usr/bin/env bash
# The arrows between the folders (README, "Layout"): greps the includes, fails when one points the wrong way,
# and when something is used outside the only place for it (libraries, the environment, the heap).
# usage: test_layout.sh [TREE]. Without TREE it checks the tree it lies in, and then itself: for each rule
# a small tree that breaks it must be refused.
set -euo pipefail

# folder of the including file | what it may include with "..." (patterns; its own folder is not implied)
# The first line whose pattern matches the file decides.
arrows='
server/driftctl*      api/* config/* server/* runtime/engine.h runtime/base/* runtime/model/gguf.h backends/backend.h
server/drift_bench*   server/* runtime/base/* runtime/model/*.h backends/backend.h
server/*              api/* config/* server/* runtime/engine.h runtime/base/*
api/*                 api/* runtime/engine.h runtime/sample/*.h runtime/base/*
config/*              config/* runtime/base/*
runtime/base/*        runtime/base/*
runtime/*             runtime/* backends/backend.h backends/plan.h backends/tensor.h
backends/*            backends/* runtime/base/*
'
# what is included or called (an extended regular expression) | the only files that may (patterns)
fences='
#include.*microhttpd\.h              server/*
#include.*CL/                        backends/opencl/*
#include.*vulkan/                    backends/vulkan/*
#include.*cJSON\.h                   runtime/base/json*.c
\<(secure_)?getenv[[:space:]]*\(     */main.c server/driftctl* server/drift_bench*
\<(m|c|re)alloc[[:space:]]*\(           runtime/base/alloc.c
\<(aligned_alloc|posix_memalign|v?asprintf|strn?dup|open_memstream)[[:space:]]*\(  runtime/base/alloc.c
'

# matches FILE PATTERN...: a pattern's * crosses slashes.
matches() {
    local file=$1 pattern
    shift
    for pattern in "$@"; do
        # shellcheck disable=SC2053
        [[ $file == $pattern ]] && return 0
    done
    return 1
}

check_arrows() {
    local file include pattern allowed bad=0
    while IFS=: read -r file include; do
        include=${include#*\"}
        include=${include%%\"*}
        while read -r pattern allowed; do
            [[ -n $pattern ]] && matches "$file" "$pattern" || continue
            # shellcheck disable=SC2086
            if ! matches "$include" $allowed; then
                echo "$file must not include \"$include\" (allowed: $allowed)"
                bad=1
            fi
            break
        done <<<"$arrows"
    done < <(grep -rEo --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*"' \
        server api config runtime backends 2>/dev/null)
    return $bad
}

check_fences() {
    local regex allowed file bad=0
    while read -r regex allowed; do
        [[ -n $regex ]] || continue
        while read -r file; do
            # shellcheck disable=SC2086
            if ! matches "$file" $allowed; then
                echo "$file must not have $regex (only: $allowed)"
                bad=1
            fi
        done < <(grep -rlE --include='*.[ch]' "$regex" server api config runtime backends 2>/dev/null)
    done <<<"$fences"
    return $bad
}

check_tree() {
    set -f # the patterns of the tables are for [[ == ]], not for file names
    local bad=0
    cd "$1"
    check_arrows || bad=1
    check_fences || bad=1
    return $bad
}

# check_refusals: FILE|LINE pairs, each of which alone must be refused (or, with "ok", accepted).
check_refusals() {
    local verdict file line got bad=0
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    while IFS='|' read -r verdict file line; do
        rm -rf "${tree:?}"/*
        mkdir -p "$tree/$(dirname "$file")"
        printf '%s\n' "$line" >"$tree/$file"
        got=ok
        (check_tree "$tree") >/dev/null || got=no
        if [[ $got != "$verdict" ]]; then
            echo "self-check: $file with '$line' gave $got, expected $verdict"
            bad=1
        fi
    done <<'END'
ok|server/http.c|#include "runtime/engine.h"
no|server/http.c|#include "runtime/model/gguf.h"
no|server/http.c|#include "backends/backend.h"
ok|server/driftctl.c|#include "runtime/model/gguf.h"
no|server/driftctl.c|#include "runtime/model/model.h"
ok|api/openai/chat.c|#include "runtime/sample/params.h"
no|api/openai/chat.c|#include "runtime/tokenizer/tokenizer.h"
no|api/openai/chat.c|#include "server/http.h"
no|config/schema.c|#include "api/openai/chat.h"
no|runtime/base/log.c|#include "runtime/engine.h"
ok|runtime/graph/graph.c|#include "backends/plan.h"
no|runtime/graph/graph.c|#include "backends/backend_impl.h"
no|runtime/graph/graph.c|#include "backends/cpu/cpu.h"
no|backends/cpu/cpu.c|#include "runtime/model/gguf.h"
no|backends/cpu/cpu.c|#  include "runtime/engine.h"
no|api/x.c|#include <microhttpd.h>
ok|server/x.c|#include <microhttpd.h>
no|backends/gpu/x.c|#include <CL/cl.h>
no|backends/opencl/x.c|#include <vulkan/vulkan.h>
ok|runtime/base/json_read.c|#include <cJSON.h>
no|api/json.c|#include <cjson/cJSON.h>
no|runtime/base/log.c|    return getenv("X");
no|server/http.c|    return secure_getenv("X");
ok|server/main.c|    return getenv("X");
no|server/http.c|    char *s = strdup(name);
no|runtime/kv/page.c|    p = realloc (p, n);
ok|runtime/kv/page.c|    p = drift_realloc(DRIFT_TAG_KV, p, n, 1);
ok|runtime/base/alloc.c|    char *raw = calloc(1, total);
END
    return $bad
}

if [[ $# -gt 0 ]]; then
    check_tree "$1"
else
    (check_tree "$(dirname "$0")/../..") && check_refusals && echo "layout: arrows hold"
fi
