#!/usr/bin/env bash
# Runs the installer with a Python of the system: one in a user's home could not be run by the services.
set -euo pipefail
cd "$(dirname "$0")/.."
for candidate in /usr/bin/python3 /usr/bin/python3.{13,12,11} /usr/local/bin/python3; do
  if [ -x "$candidate" ] && "$candidate" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    PYTHONDONTWRITEBYTECODE=1 exec "$candidate" -m tools.installer "$@" --python "$candidate"
  fi
done
echo "tbot: Python 3.11 or newer from the system is needed: apt-get install python3.11-venv (Fedora: dnf install python3.11)" >&2
exit 1
