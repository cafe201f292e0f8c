# Sourced by `run` and `upstream`: a virtual environment in the cache folder,
# filled from one requirements file and rebuilt only when a pinned version
# changes. Expects $here; sets $venv.

cache=$here/../../.cache/python

# prepare_venv REQUIREMENTS: 0 ready, 77 no usable python3, 1 install failed.
prepare_venv() {
    local requirements=$1 stamp
    local name
    name=$(basename "$requirements" .txt)
    venv=$cache/$name
    stamp=$venv/installed.txt

    if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "not run: python3 (3.11 or newer) with venv is missing" >&2
        return 77
    fi
    mkdir -p "$cache"
    # One installer at a time; a second run waits and finds the stamp.
    exec 9>"$cache/$name.lock"
    flock 9
    # One file may include another, so both are compared.
    if ! cat "$here"/requirements*.txt | cmp -s - "$stamp"; then
        rm -rf "$venv"
        if ! { python3 -m venv "$venv" &&
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
                -r "$requirements" &&
            cat "$here"/requirements*.txt >"$stamp"; } >&2; then
            echo "failed: the pinned packages of $(basename "$requirements") did not install" >&2
            flock -u 9
            return 1
        fi
    fi
    # Closed, so that no child of the run keeps the lock.
    exec 9>&-
}
