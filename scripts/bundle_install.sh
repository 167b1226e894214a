#!/bin/sh
# usage: ./install
# Installs rag from this folder into .venv here, the weights into the cache (RAG_CACHE, else ~/.cache/rag), and indexes seeds/.
# It needs the Python and the kind of machine in BUILT_FOR, and no network. Safe to run again. PYTHON names the Python to use.
set -eu
cd "$(dirname "$0")"
give_up() { echo "$*" >&2; exit 1; }

read -r version system machine <BUILT_FOR
[ "$(uname -s) $(uname -m)" = "$system $machine" ] ||
    give_up "this bundle is for $system on $machine, and this is $(uname -s) on $(uname -m); make one there: make bundle"
if [ "$machine" = x86_64 ] && [ -r /proc/cpuinfo ] && ! grep -q -m1 -w avx2 /proc/cpuinfo; then
    give_up "this processor has no AVX2, which the bundle's llama.cpp needs; install from the project here: make ask"
fi
python=
for candidate in ${PYTHON:-python$version python3}; do
    if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || give_up "this bundle needs Python $version; install it, or run: PYTHON=/path/to/python$version ./install"

echo "checking the files"
"$python" - <<'END'
import hashlib, sys
for line in open("SHA256SUMS", encoding="utf-8"):
    expected, name = line.rstrip("\n").split("  ", 1)
    digest = hashlib.sha256()
    try:
        with open(name, "rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        sys.exit(f"{name} cannot be read ({error.strerror}); unpack the bundle again")
    if digest.hexdigest() != expected:
        sys.exit(f"{name} is damaged; unpack the bundle again, or copy it again")
END

echo "installing into .venv"
"$python" -m venv .venv || give_up "cannot make .venv; on Debian run: apt-get install python3-venv"
.venv/bin/python -m pip --isolated --disable-pip-version-check install --quiet --no-index --find-links wheels \
    --requirement requirements.lock rag || give_up "pip failed; remove .venv and run ./install again"

cache=${RAG_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/rag}
for file in models/*/*; do
    mkdir -p "$cache/$(dirname "$file")"
    # One file under two names where both are on one disk.
    [ "$file" -ef "$cache/$file" ] || ln -f "$file" "$cache/$file" 2>/dev/null || cp "$file" "$cache/$file"
done
.venv/bin/rag index || [ $? -eq 3 ] || give_up "seeds/ could not be indexed"
echo 'installed; ask with: .venv/bin/rag ask "..."    your documents go into seeds/, then run: .venv/bin/rag index'
