#!/bin/sh
# Builds what a release is, all of the version in pyproject.toml: make release IMAGE_REPOSITORY=registry/name
#
#   dist/wattribute-VERSION-py3-none-any.whl      pip install
#   dist/wattribute-VERSION-ARCH.oci.tar          the image, and .cdx.json, what is in it
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
for platform in ${PLATFORMS:-$(case $(uname -m) in aarch64) echo linux/arm64 ;; *) echo linux/amd64 ;; esac)}; do
    OUT='' IMAGE="$repository:$version" PLATFORM=$platform tools/build_image.sh
done
.venv/bin/python -m tools.chart package dist/chart --repository "$repository"
sums=$(cd dist && find . -type f | sort | xargs sha256sum)
printf '%s\n' "$sums" >dist/SHA256SUMS
say "$version is in dist. To give it away:"
say "  skopeo copy oci-archive:dist/wattribute-$version-ARCH.oci.tar docker://$repository:$version"
say "  put dist/chart on a web server: helm repo add wattribute URL; or helm push dist/chart/wattribute-$version.tgz oci://REGISTRY"
