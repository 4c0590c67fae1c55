#!/bin/sh
# Builds what a release is, all of the version in pyproject.toml: make release IMAGE_REPOSITORY=registry/name
#
#   dist/wattribute-VERSION-py3-none-any.whl      pip install
#   dist/wattribute-VERSION-ARCH.oci.tar          the image, and .cdx.json, what is in it
#   dist/wattribute-VERSION.oci.tar               of several platforms: one image for all of them
#   dist/chart/                                   the Helm repository: the chart, whose image is
#                                                 IMAGE_REPOSITORY:VERSION, and index.yaml
#   dist/SHA256SUMS
#
# It pushes nothing. PLATFORMS="linux/amd64 linux/arm64" builds both; the other variables are those of
# tools/build_image.sh.
set -eu
cd "$(dirname "$0")/.."

say() { echo "release: $*" >&2; }

version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
repository=${IMAGE_REPOSITORY:-localhost/wattribute}
[ -n "${IMAGE_REPOSITORY:-}" ] || say "no IMAGE_REPOSITORY: the chart's image is $repository, which no cluster can pull"

mkdir -p dist
rm -f dist/*.whl dist/*.tar dist/*.cdx.json dist/SHA256SUMS
.venv/bin/python -m hatchling build --target wheel --directory dist >&2
set --
for platform in ${PLATFORMS:-$(case $(uname -m) in aarch64) echo linux/arm64 ;; *) echo linux/amd64 ;; esac)}; do
    built=$(OUT='' IMAGE="$repository:$version" PLATFORM=$platform tools/build_image.sh)
    printf '%s\n' "$built"
    set -- "$@" "$(echo "$built" | head -n 1)"
done
archive=$1
if [ $# -gt 1 ]; then # a cluster may have nodes of both
    buildah --version >/dev/null 2>&1 || { say "one image for several platforms needs buildah; apt-get install buildah" && exit 1; }
    list=localhost/wattribute-release:$version
    archive=dist/wattribute-$version.oci.tar
    buildah manifest rm "$list" >/dev/null 2>&1 || true # of a run that was broken off
    buildah manifest create "$list" >/dev/null
    for one in "$@"; do buildah manifest add "$list" "oci-archive:$one" >/dev/null; done
    buildah manifest push --quiet --all "$list" "oci-archive:$archive:$repository:$version"
    buildah manifest rm "$list" >/dev/null
    echo "$archive"
fi
.venv/bin/python -m tools.chart package dist/chart --repository "$repository"
sums=$(cd dist && find . -type f | sort | xargs sha256sum)
printf '%s\n' "$sums" >dist/SHA256SUMS
say "$version is in dist. To give it away:"
say "  skopeo copy --all oci-archive:$archive docker://$repository:$version"
say "  put dist/chart on a web server: helm repo add wattribute URL; or helm push dist/chart/wattribute-$version.tgz oci://REGISTRY"
