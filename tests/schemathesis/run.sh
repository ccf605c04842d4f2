#!/usr/bin/env bash
# Holds the API of a running daemon against its OpenAPI document: tests/schemathesis/run.sh ROSTER
# Needs python3 with venv and access to PyPI, or SCHEMATHESIS, the path of an installed `schemathesis`.
# SEED and EXAMPLES ask for other requests, and for more.
set -euo pipefail
roster=$(realpath "${1:?the path of roster}")
here=$(cd "$(dirname "$0")" && pwd)
examples=$here/../../examples/gitops
scratch=$(mktemp -d)
daemon=
end() {
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
  rm -rf "$scratch"
}
trap end EXIT

tool=${SCHEMATHESIS:-$scratch/venv/bin/schemathesis}
if [ ! -x "$tool" ]; then
  python3 -m venv "$scratch/venv"
  "$scratch/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
fi

# The example with a push that waits for a decision, so that there is a hold to decide about.
mkdir "$scratch/bin" "$scratch/site"
ln -s "$roster" "$scratch/bin/roster"
export PATH=$scratch/bin:$PATH GIT_CONFIG_GLOBAL=/dev/null
cd "$scratch/site"
sh "$examples/setup.sh" > /dev/null
# Nobody is to be told to come back later: the check asks as fast as it can.
sed -i 's/^  tokens: tokens/&\n  limits: {rate: 1000000, burst: 1000000}/' roster.yaml
roster serve --config roster.yaml --listen 127.0.0.1:0 > /dev/null 2> log &
daemon=$!
for _ in $(seq 300); do grep -q 'listening at' log && break; sleep 0.1; done
url=$(sed -n 's/.*listening at //p' log)
[ -n "$url" ] || { cat log >&2; exit 1; }
roster() { command roster "$@" --remote "$url" --token-file administrator.token; }
roster reconcile customers --wait > /dev/null
(
  cd checkout
  sed -i 's/groups: .FOC_User./groups: [FOC_Webmaster]/' manifests/accounts/*/users.yaml
  git -c user.name=Eva -c user.email=eva@example.com commit --quiet -am webmasters
  git push --quiet origin main
)
roster reconcile customers --wait > told || true
hold=$(sed -n 's/.*approve hold \([0-9a-f]*\).*/\1/p' told)
[ -n "$hold" ] || { cat told log >&2; echo 'there is no hold' >&2; exit 1; }

TOKEN=$(cat administrator.token)
export TOKEN
sed "s/HOLD/$hold/; s|HERE|$here|" "$here/schemathesis.toml" > schemathesis.toml
"$tool" --config-file schemathesis.toml run "$url/api/v1/openapi.json" --no-color \
  --seed "${SEED:-1}" --max-examples "${EXAMPLES:-60}" --generation-database none "${@:2}"

# What the document lets through may end in no failure of the daemon's own, told or not.
if grep -E ' ERROR |panicked' log; then
  echo 'the daemon failed inside' >&2
  exit 1
fi
curl --silent --fail "$url/healthz" > /dev/null
