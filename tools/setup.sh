#!/usr/bin/env bash
# Makes .venv hold exactly the hash-locked requirements of a group (base or dev), and what dev needs from the system.
set -euo pipefail
cd "$(dirname "$0")/.."
group=${1:?base or dev}
say() { printf 'setup: %s\n' "$*" >&2; }

python=""
for candidate in python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate; break
  fi
done
if [ -z "$python" ]; then
  say "Python 3.11 or newer is needed. On Debian or Ubuntu: apt-get install python3 python3-venv"; exit 1
fi

apt_install() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then return 1; fi
  say "installing $* with apt"
  apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c '' 2>/dev/null; then
  rm -rf .venv
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
    apt_install "python$version-venv" || { say "install the package python3-venv, then run make again"; exit 1; }
  fi
  say "making .venv"
  "$python" -m venv .venv
fi

# A developer's environment holds the base one too, so a dev stamp satisfies base.
base=$(cat requirements/base.txt tools/setup.sh | sha256sum | cut -d' ' -f1)
dev=$(cat requirements/{base,dev,judges,ib_async}.txt tools/setup.sh | sha256sum | cut -d' ' -f1)
want=$base; [ "$group" = base ] || want=$dev
have=$(cat .venv/.stamp 2>/dev/null || true)
if [ "$have" != "$want" ] && [ "$have" != "$dev" ]; then
  install_locked() { # group, then more of pip's options
    say "installing the locked requirements ($1)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore \
      --require-hashes -r "requirements/$1.txt" "${@:2}" >.venv/setup.log 2>&1 ||
      { tail -n 20 .venv/setup.log >&2; say "the packages could not be installed; look at the lines above"; exit 1; }
  }
  install_locked "$group"
  if [ "$group" = dev ]; then
    # Beside the environment, for the tests that ask for them by path: they would clash with what tbot itself uses.
    for beside in judges ib_async; do
      rm -rf ".venv/$beside"
      install_locked "$beside" --no-deps --target ".venv/$beside"
    done
  fi
  printf '%s\n' "$want" > .venv/.stamp
fi

if [ "$group" = dev ] && ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null; then
  apt_install chromium || say "no Chromium: browser tests will be skipped. On Debian or Ubuntu: apt-get install chromium"
fi
if [ "$group" = dev ] && ! command -v strace >/dev/null; then
  apt_install strace || say "no strace: tests of kill -9, failing calls and power cuts will be skipped. On Debian or Ubuntu: apt-get install strace"
fi
if [ "$group" = dev ] && ! cmp -s tests/judges_npm/package-lock.json .venv/judges_npm/package-lock.json; then
  # A client of another language that judges the paper venue, exactly as locked.
  if command -v npm >/dev/null; then
    mkdir -p .venv/judges_npm && cp tests/judges_npm/package.json .venv/judges_npm/
    if (cd .venv/judges_npm && cp ../../tests/judges_npm/package-lock.json . && npm ci --ignore-scripts --no-audit --no-fund >/dev/null 2>&1); then
      say "the Node client that judges the paper venue is installed"
    else
      rm -rf .venv/judges_npm; say "the Node client that judges the paper venue could not be installed: its test will be skipped"
    fi
  else
    say "no Node.js: the Node client's judgement of the paper venue will be skipped"
  fi
fi
