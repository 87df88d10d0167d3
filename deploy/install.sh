#!/bin/sh
# Install the line from this bundle, without a network:
#   sh install.sh FOLDER          the product
#   sh install.sh FOLDER --demo   and the simulated city, so that `FOLDER/venv/bin/yuyan run` shows the line at work
#
# Nothing is installed unless every file is the one that was bundled. PYTHON names the interpreter (default: python3).
set -eu
umask 022
here=$(cd "$(dirname "$0")" && pwd)
target=${1:?usage: sh install.sh FOLDER [--demo]}
demo=${2:-}
python=${PYTHON:-python3}

refuse() {
    echo "$1" >&2
    exit 1
}

cd "$here"
(sha256sum --check --quiet --strict SHA256SUMS) >&2 || refuse 'this bundle is not what was made: copy it again'
found=$(find . -type f ! -name SHA256SUMS | LC_ALL=C sort)
listed=$(cut -c 67- SHA256SUMS)
[ "$found" = "$listed" ] || refuse 'this bundle has files that are not in SHA256SUMS: copy it again into an empty folder'
is=$("$python" -c 'import sys, sysconfig; print("%d.%d %s" % (*sys.version_info[:2], sysconfig.get_platform()))') ||
    refuse "$python does not start: name the interpreter with PYTHON=/path/to/python3"
[ "$is" = "$(cat PYTHON)" ] || refuse "this bundle is for Python $(cat PYTHON), $python is $is: name another with PYTHON=…, or make a bundle with that one"
[ -z "$demo" ] || [ "$demo" = --demo ] || refuse "unknown option $demo; there is --demo only"
[ ! -e "$target" ] || [ -z "$(ls -A "$target")" ] || refuse "$target is not empty: name a new folder"

mkdir -p "$target"
target=$(cd "$target" && pwd)
cp -R yuyan/. "$target"
[ "$demo" = --demo ] || rm -r "$target/include/demo"
"$python" -m venv "$target/venv"
export PIP_CONFIG_FILE=/dev/null PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INDEX=1 PIP_FIND_LINKS="$here/wheels"
"$target/venv/bin/pip" install --quiet --no-deps --require-hashes -r "$target/requirements/product.txt"
"$target/venv/bin/pip" install --quiet --no-deps --no-build-isolation -e "$target" ${demo:+-e "$target/include/demo"}
"$target/venv/bin/yuyan" --version
