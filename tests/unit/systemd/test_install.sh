#!/bin/sh
# usage: test_install.sh CMAKE BUILD_DIR PREFIX SYSCONFDIR [PROGRAM]...
# Installs into an empty root and checks what a distribution would look for: the files, a configuration
# that is not overwritten, units that systemd accepts and finds hardened, pages that groff takes.
set -eu
cmake=$1 build=$2 prefix=$3 sysconfdir=$4
shift 4

root=$(mktemp -d "${TMPDIR:-/tmp}/driftd-test-install-XXXXXX")
trap 'rm -rf "$root"' EXIT
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}
have() {
    command -v "$1" >/dev/null || { echo "not here, so not checked: $1"; return 1; }
}
install_again() {
    DESTDIR=$root "$cmake" --install "$build" >"$root/install.log" || { cat "$root/install.log"; exit 1; }
}

install_again
# Where units go is systemd's to say; the other files follow from the prefix.
unit_dir=$(cd "$root" && find . -name driftd.service -printf '/%h' | sed 's|^/\.||')
case $unit_dir in
*/systemd/system) ;;
*) fail "driftd.service is in '$unit_dir'" ;;
esac
for file in "$unit_dir/driftd.service" "$unit_dir/driftd.socket" \
    "$prefix/lib/sysusers.d/driftd.conf" "$prefix/lib/tmpfiles.d/driftd.conf" \
    "$sysconfdir/driftd/driftd.conf" "$prefix/share/doc/driftd/driftd.conf.example" \
    "$prefix/share/man/man8/driftd.8" "$prefix/share/man/man1/driftctl.1" \
    "$prefix/share/man/man1/drift-bench.1" "$prefix/share/man/man5/driftd.conf.5"; do
    [ -s "$root$file" ] || fail "$file is not installed"
done
for program in "$@"; do
    [ -x "$root$prefix/bin/$program" ] || fail "$prefix/bin/$program is not installed"
done
# Nothing else: a stray header or library would be a promise.
expected=$((10 + $# + 1))
[ -e "$root$prefix/share/doc/driftd/README.md" ] && expected=$((expected + 1))
found=$(find "$root" -type f | wc -l)
[ "$found" -eq "$expected" ] || fail "$found files, expected $expected: $(cd "$root" && find . -type f)"

# An edited configuration survives the next installation.
echo '# edited' >>"$root$sysconfdir/driftd/driftd.conf"
install_again
tail -1 "$root$sysconfdir/driftd/driftd.conf" | grep -q '^# edited$' || fail 'driftd.conf was overwritten'

if grep -n '@[A-Z_]*@' "$root$unit_dir/driftd.service" "$root$prefix"/share/man/man*/*; then
    fail 'a template was not filled in'
fi
grep -q "^ExecStart=$prefix/bin/driftd --config $sysconfdir/driftd/driftd.conf\$" \
    "$root$unit_dir/driftd.service" || fail 'ExecStart does not name the installed files'

# systemd wants the program to exist, so that it checks a copy which names the one below our root.
mkdir -p "$root/units" "$root$prefix/bin"
[ -x "$root$prefix/bin/driftd" ] || install -m 755 /bin/true "$root$prefix/bin/driftd"
sed "s|^ExecStart=|&$root|" "$root$unit_dir/driftd.service" >"$root/units/driftd.service"
cp "$root$unit_dir/driftd.socket" "$root/units/"
if have systemd-analyze; then
    for unit in driftd.service driftd.socket; do
        said=$(systemd-analyze verify --man=no "$root/units/$unit" 2>&1) || fail "verify $unit"
        [ -z "$said" ] || fail "verify $unit: $said"
    done
    # Of 10. The rest is GPUs, the network, and a JIT's executable memory; the unit says why.
    systemd-analyze security --offline=true --threshold=16 --no-pager "$root/units/driftd.service" \
        >"$root/security.log" || fail "exposure: $(grep -v '✓' "$root/security.log")"
    tail -1 "$root/security.log"
fi
if have systemd-sysusers; then
    mkdir -p "$root/etc"
    systemd-sysusers --root="$root" "$root$prefix/lib/sysusers.d/driftd.conf" 2>"$root/sysusers.log" ||
        fail "sysusers: $(cat "$root/sysusers.log")"
    grep -q '^driftd:x:' "$root/etc/passwd" || fail 'no user driftd'
    grep -q '^render:.*driftd' "$root/etc/group" || fail 'driftd is not in the group render'
fi
if have man && have groff; then
    for page in "$root$prefix"/share/man/man*/*; do
        said=$(MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -l "$page" 2>&1 >"$root/page.txt") || fail "man $page"
        [ -z "$said" ] || fail "man $page: $said"
        [ "$(wc -l <"$root/page.txt")" -gt 20 ] || fail "$page is all but empty"
    done
fi
[ "$failures" -eq 0 ]
