#!/bin/sh
# Creates what a team would have: a bare repository of customers, a checkout, and the configuration of
# a daemon with its tokens. Run it in an empty folder. `roster` must be on the PATH.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

git init --quiet --bare --initial-branch=main customers.git
git clone --quiet customers.git checkout 2>/dev/null
mkdir checkout/manifests
cp -R "$here/../company/." checkout/manifests/
git -C checkout -c user.name=Eva -c user.email=eva@example.com checkout --quiet -B main
git -C checkout add .
git -C checkout -c user.name=Eva -c user.email=eva@example.com commit --quiet -m 'the directory as it is'
git -C checkout push --quiet origin main

cp "$here/roster.yaml" .
: > tokens && chmod 600 tokens
for role in planner operator approver administrator; do
  roster --quiet token create --name "$role" --role "$role" --file tokens > "$role.token"
  chmod 600 "$role.token"
done
echo 'Now: roster serve --config roster.yaml'
