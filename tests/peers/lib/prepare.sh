# What a check needs before it starts: Debian packages, Python packages, the binary.
# Sourced by `run` and `demo`, from the root of the repository.

# Next to what cargo builds, so that whatever keeps that between runs keeps this too.
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export PEERS_CACHE="$target/peers"
export PEERS_VENV="$PEERS_CACHE/venv"
# Nothing that the checks do may go through a proxy of the environment.
export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
export PYTHONPATH="$PWD/tests/peers/lib" PYTHONDONTWRITEBYTECODE=1

# The command's output only if it fails.
quietly() {
  local log
  log=$(mktemp)
  "$@" >"$log" 2>&1 || { cat "$log"; rm -f "$log"; return 1; }
  rm -f "$log"
}

install_packages() {
  local wanted missing=() package
  wanted=$(sed 's/#.*//' tests/peers/packages.txt)
  for package in $wanted; do
    # Node may come from elsewhere, and then brings npm along.
    case $package in nodejs | npm) command -v "${package/nodejs/node}" >/dev/null && continue ;; esac
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  echo "installing ${missing[*]}"
  without_services apt_install "${missing[@]}"
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  quietly apt-get -q update
  quietly apt-get -q install -y --no-install-recommends "$@"
}

# Runs a command while no package may start a service of its own (nginx and Apache would take port 80).
without_services() {
  local policy=/usr/sbin/policy-rc.d made=0 code=0
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=1
  fi
  "$@" || code=$?
  if ((made)); then rm -f "$policy"; fi
  return "$code"
}

prepare_venv() {
  local list=tests/peers/requirements.txt stamp="$PEERS_VENV/.requirements"
  cmp -s "$list" "$stamp" && return 0
  echo 'installing Python packages'
  rm -rf "$PEERS_VENV"
  mkdir -p "$PEERS_CACHE"
  quietly /usr/bin/python3 -m venv "$PEERS_VENV"
  quietly "$PEERS_VENV/bin/pip" install -q --disable-pip-version-check -r "$list"
  cp "$list" "$stamp"
}

build_passeur() {
  if [[ -z ${PASSEUR_BIN-} ]]; then
    quietly cargo build --release --locked
    PASSEUR_BIN="$target/release/passeur"
  fi
  PASSEUR_BIN=$(realpath "$PASSEUR_BIN")
  export PASSEUR_BIN
}
