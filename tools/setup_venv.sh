#!/bin/sh
# Makes .venv in this tree, or brings it up to date; does nothing when nothing has changed.
#
#   tools/setup_venv.sh agent    what runs the agent
#   tools/setup_venv.sh all      what runs every command: chargeback, gate, scaler, models, pages
#   tools/setup_venv.sh dev      that, and what checks and tests it
#
# It takes uv where uv is there, else `python3 -m venv` and pip. Every package is pinned by hash
# in requirements/; where packages come from is this machine's own uv or pip configuration.
# What is missing is installed as root with apt-get, else named in one line.
set -eu
cd "$(dirname "$0")/.."

kind=${1:?usage: tools/setup_venv.sh agent|all|dev}
case $kind in
agent) lists="requirements/build.txt requirements/agent.txt requirements/gpu.txt" ;; # gpu: 0.4 MB
all) lists="requirements/build.txt requirements/all.txt" ;;
dev) lists="requirements/dev.txt" ;; # holds the others
*) echo "setup: $kind: say agent, all or dev" >&2 && exit 2 ;;
esac
python=.venv/bin/python
projects="--editable ."
[ "$kind" = dev ] && projects="$projects --editable ./testing" # the fakes are for development alone

say() { echo "setup: $*" >&2; }

# What the environment was made from: another checkout, list or project file makes it stale.
fingerprint() { # agent|all|dev
    { pwd && cat tools/setup_venv.sh pyproject.toml testing/pyproject.toml "requirements/$1.txt" requirements/gpu.txt; } | cksum
}

fresh() {
    [ -x $python ] && $python -c '' 2>/dev/null || return 1
    for made in dev all "$kind"; do # what is made for dev runs everything, for all the agent too
        [ "$kind" = dev ] && [ "$made" = all ] && continue
        [ "$(cat ".venv/made-for-$made" 2>/dev/null)" = "$(fingerprint "$made")" ] && return 0
    done
    return 1
}

# Scripts in .venv name their interpreter by full path: a tree that was moved or copied needs new ones.
usable() {
    [ -x $python ] && $python -c '' 2>/dev/null && [ "$(cat .venv/made-in 2>/dev/null)" = "$(pwd)" ]
}

with_uv() {
    uv --version >/dev/null 2>&1 || return 1
    say "packages by uv into .venv"
    usable || uv --quiet venv --clear --no-project --python '>=3.11' .venv || return 1
    # shellcheck disable=SC2046,SC2086 # one word per list and project
    uv --quiet pip install --python $python --require-hashes \
        $(for list in $lists; do echo "--requirements $list"; done) &&
        uv --quiet pip install --python $python --no-deps --no-build-isolation $projects
}

# Debian and Ubuntu split ensurepip from python3; a version manager's shim may name a version that is not there.
find_python() {
    for name in python3.13 python3.12 python3.11 python3 /usr/bin/python3; do
        if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name" && return 0
        fi
    done
    return 1
}

apt_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    say "apt-get install $*"
    apt-get update -qq >&2 || return 1
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
        install -y -qq --no-install-recommends "$@" >/dev/null </dev/null
}

need_python() {
    find_python >/dev/null && return 0
    apt_install python3-venv && find_python >/dev/null && return 0
    for package in python3.13-venv python3.12-venv python3.11-venv; do # the default one is too old
        apt_install "$package" 2>/dev/null && find_python >/dev/null && return 0
    done
    say "no Python 3.11 or newer with venv and ensurepip was found; this installs it, as root:"
    if command -v apt-get >/dev/null; then say "  apt-get install python3-venv (or python3.11-venv where python3 is older)"
    elif command -v dnf >/dev/null; then say "  dnf install python3.12"
    elif command -v zypper >/dev/null; then say "  zypper install python312"
    elif command -v apk >/dev/null; then say "  apk add python3"
    elif command -v pacman >/dev/null; then say "  pacman -S python"
    else say "  your system's package manager, package python3"; fi
    return 1
}

with_pip() {
    need_python || return 1
    say "packages by pip into .venv ($("$(find_python)" --version 2>&1))"
    if ! usable || ! $python -m pip --version >/dev/null 2>&1; then
        "$(find_python)" -m venv --clear .venv || return 1
    fi
    # shellcheck disable=SC2046,SC2086
    $python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
        $(for list in $lists; do echo "--requirement $list"; done) &&
        $python -m pip install --quiet --disable-pip-version-check --no-input \
            --no-deps --no-build-isolation $projects
}

fresh && exit 0
if ! with_uv; then
    uv --version >/dev/null 2>&1 && say "uv could not; trying pip"
    with_pip || { say "failed: see the lines above" && exit 1; }
fi
pwd >.venv/made-in
fingerprint "$kind" >".venv/made-for-$kind"
