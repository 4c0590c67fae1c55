#!/bin/sh
# Builds the agent's image and writes it as an archive: make image, with these variables:
#
#   ENGINE     buildah, podman or docker; the first that is here
#   BASE       the base image; default: the Containerfile's. `debian` makes one with mmdebstrap, which
#              needs no image registry
#   PLATFORM   linux/amd64 or linux/arm64; default: this machine's. Another one needs qemu-user
#   IMAGE      the name; default localhost/wattribute:VERSION. It is also tagged latest
#   OUT        the archive; default dist/wattribute-VERSION-ARCH.oci.tar (docker: .docker.tar). Beside
#              it, ending in .cdx.json, what is in the image
#   CA         a PEM file, for a network that opens TLS; default PIP_CERT. PIP_CONFIG_FILE is a pip.conf
#   ENGINE_FLAGS, BUILD_FLAGS   more words for the engine, and for its build
set -eu
cd "$(dirname "$0")/.."

say() { echo "image: $*" >&2; }
fail() { say "$*" && exit 1; }

case $(uname -m) in
x86_64) here=amd64 ;;
aarch64) here=arm64 ;;
*) here=$(uname -m) ;;
esac
arch=${PLATFORM:-linux/$here}
arch=${arch#linux/}
if [ "$arch" != "$here" ] && [ ! -e "/proc/sys/fs/binfmt_misc/qemu-$(echo "$arch" | sed 's/amd64/x86_64/; s/arm64/aarch64/')" ]; then
    say "if programs of $arch do not start here: apt-get install qemu-user-static binfmt-support"
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
image=${IMAGE:-localhost/wattribute:$version}
suite=bookworm

engine=${ENGINE:-}
for name in buildah podman docker; do
    [ -n "$engine" ] || ! "$name" --version >/dev/null 2>&1 || engine=$name
done
[ -n "$engine" ] || fail "no buildah, podman or docker here; apt-get install buildah"

engine() { # shellcheck disable=SC2086 # words
    "$engine" ${ENGINE_FLAGS:-} "$@"
}

# A Debian with Python, and the venv module that the build needs.
debian_base() {
    command -v mmdebstrap >/dev/null || fail "BASE=debian needs mmdebstrap; apt-get install mmdebstrap"
    say "mmdebstrap: Debian $suite, $arch"
    mkdir -p build
    mmdebstrap --quiet --variant=minbase --architectures="$arch" --include=python3,python3-venv \
        --aptopt='Acquire::Languages "none"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        $suite "build/base-$arch.tar"
    base=localhost/wattribute-base:$suite-$arch
    case $engine in
    buildah)
        made=$(engine from --arch "$arch" scratch)
        engine add --quiet "$made" "build/base-$arch.tar" / >/dev/null
        engine commit --quiet "$made" "$base" >/dev/null
        engine rm "$made" >/dev/null
        ;;
    podman) engine import --quiet --arch "$arch" "build/base-$arch.tar" "$base" >/dev/null ;;
    docker) engine import --platform "linux/$arch" "build/base-$arch.tar" "$base" >/dev/null ;;
    esac
    rm "build/base-$arch.tar"
}

base=${BASE:-}
[ "$base" != debian ] || debian_base

set -- --platform "linux/$arch" --build-arg "VERSION=$version" --file Containerfile --tag "$image" --tag "${image%:*}:latest"
[ -z "$base" ] || set -- "$@" --build-arg "BASE=$base"
ca=${CA:-${PIP_CERT:-}}
[ -z "$ca" ] || set -- "$@" --secret "id=ca,src=$ca"
# The same commit on the same base gives the same image.
made=$(git log -1 --format=%ct 2>/dev/null || true)
if [ "$engine" != docker ] && [ -n "$made" ]; then set -- "$@" --timestamp "$made"; fi
[ -z "${PIP_CONFIG_FILE:-}" ] || set -- "$@" --secret "id=pip-conf,src=$PIP_CONFIG_FILE"
say "$engine builds $image for $arch"
# shellcheck disable=SC2086
engine build "$@" ${BUILD_FLAGS:-} . >&2 ||
    fail "$engine failed. Where it cannot run containers: ENGINE=buildah BUILD_FLAGS='--isolation chroot --network host'"

mkdir -p dist
rm -f "${OUT:=dist/wattribute-$version-$arch.$([ "$engine" = docker ] && echo docker || echo oci).tar}"
case $engine in
docker) engine save --output "$OUT" "$image" ;;
podman) engine save --quiet --format oci-archive --output "$OUT" "$image" ;;
buildah) engine push --quiet "$image" "oci-archive:$OUT:$image" ;;
esac
sbom=${OUT%.tar}.cdx.json
if [ "$engine" = buildah ]; then
    made=$(engine from --arch "$arch" "$image")
    cat "$(engine mount "$made")/opt/wattribute/sbom.cdx.json" >"$sbom"
    engine rm "$made" >/dev/null
else
    made=$(engine create "$image")
    engine cp "$made:/opt/wattribute/sbom.cdx.json" "$sbom" >/dev/null
    engine rm "$made" >/dev/null
fi
say "$OUT: $(($(wc -c <"$OUT") / 1000000)) MB as registries would carry it"
printf '%s\n' "$OUT" "$sbom"
