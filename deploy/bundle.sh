#!/bin/sh
# Gather what a machine without a network needs to run the line: `make bundle`, then docs/operations.md, Without a network.
#   deploy/bundle.sh FOLDER     run from the project's folder; PYTHON is the interpreter to gather for
#
# Wheels of the product's lock, checked against its hashes; the project as it is committed; install.sh; SHA256SUMS of all.
set -eu
umask 022
target=${1:?name the folder of the bundle}
python=${PYTHON:-python3}
sources='pyproject.toml requirements include dags dbt_project expectations docs README.md README.zh-CN.md LICENSE Dockerfile docker-compose.yml'

if [ -n "$(git status --porcelain -- $sources)" ]; then
    echo 'files of the project differ from what is committed: commit them first, so that the bundle has a version' >&2
    exit 1
fi
rm -rf "$target"
mkdir -p "$target/wheels" "$target/yuyan"
git archive HEAD $sources .env.example | tar -x -C "$target/yuyan"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
    --dest "$target/wheels" -r requirements/product.txt
cp deploy/install.sh "$target/install.sh"
"$python" -c 'import sys, sysconfig; print("%d.%d %s" % (*sys.version_info[:2], sysconfig.get_platform()))' >"$target/PYTHON"
git rev-parse HEAD >"$target/COMMIT"
(cd "$target" && find . -type f ! -name SHA256SUMS | LC_ALL=C sort | xargs -d '\n' sha256sum >SHA256SUMS)
echo "$target: $(ls "$target/wheels" | wc -l) wheels, $(du -sh "$target" | cut -f1), for Python $(cat "$target/PYTHON")"
