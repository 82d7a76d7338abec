#!/bin/sh
# Installs gloo-rs from a release: the program, kubectl-gloo, completion for bash, zsh and fish, and the man pages.
# It downloads the archive of this platform, compares its SHA-256 with SHA256SUMS, and only then changes anything.
# It needs curl, tar, and sha256sum or shasum. A second run upgrades.
set -eu

# Where the release is. scripts/release writes the address of a release here.
url=''

usage() {
    cat <<'EOF'
Install gloo-rs from a release

Usage: install.sh [--user | --system | --prefix DIR] [--url URL] [--uninstall]

  --user        Install below ~/.local (default, except for root)
  --system      Install below /usr/local (default for root)
  --prefix DIR  Install below DIR: bin/ and share/
  --url URL     Download SHA256SUMS and the archive from URL
  --force       Replace files that this script did not install
  --uninstall   Remove what this script installed there
EOF
}

fail() { # WHAT [HINT]
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  hint: %s\n' "$2" >&2
    exit 1
}

usage_error() { # WHAT
    printf 'error: %s\n' "$1" >&2
    usage >&2
    exit 2
}

# The platform, as the archives are named.
platform() {
    case "$(uname -s) $(uname -m)" in
        'Linux x86_64') echo x86_64-unknown-linux-gnu ;;
        'Linux aarch64' | 'Linux arm64') echo aarch64-unknown-linux-gnu ;;
        'Darwin x86_64') echo x86_64-apple-darwin ;;
        'Darwin arm64') echo aarch64-apple-darwin ;;
        *) fail "no release is built for $(uname -s) on $(uname -m)" 'cargo install --locked --path . builds it from the sources' ;;
    esac
}

# Without TLS from this machine alone.
protocol() { # URL
    case $1 in
        https://*) echo '=https' ;;
        http://127.0.0.1[:/]* | http://localhost[:/]* | 'http://[::1]'[:/]*) echo '=http' ;;
        '') fail 'no address of a release is known' 'install.sh of a release has one; pass --url URL' ;;
        *) fail "the address is not https: $1" 'pass --url https://...' ;;
    esac
}

fetch() { # NAME
    curl --proto "$proto" --proto-redir '=https' --location --fail --silent --show-error --retry 2 \
        --connect-timeout 20 --max-time 600 --output "$scratch/$1" "$url/$1" ||
        fail "no download of $url/$1" 'check the address and the network; nothing was changed'
}

sum() { # FILE
    if command -v sha256sum >/dev/null; then
        sha256sum "$1"
    else
        shasum -a 256 "$1"
    fi | cut -d ' ' -f 1
}

# A file that this script installed before may be replaced, another one only with --force.
stage() { # FROM TO MODE
    if [ -e "$prefix/$2" ] && [ "$force" = no ] && ! grep -qxF "$2" "$scratch/before"; then
        fail "$prefix/$2 is there, and was not installed by this script" '--force replaces it'
    fi
    echo "$2" >>"$scratch/after"
    if ! { mkdir -p "$(dirname "$prefix/$2")" && cp "$top/$1" "$prefix/$2.$suffix" && chmod "$3" "$prefix/$2.$suffix"; }; then
        fail "cannot write $prefix/$2" '--prefix DIR names another place; nothing was changed'
    fi
}

# Takes away what is staged and not yet in its place, however this ends.
clean() {
    if [ -f "$scratch/after" ]; then
        while read -r file; do rm -f "$prefix/$file.$suffix"; done <"$scratch/after"
    fi
    rm -rf "$scratch"
}

remove() {
    [ -f "$list" ] || fail "nothing of this script is installed below $prefix" '--prefix DIR, --user and --system name another place'
    while read -r file; do rm -f "$prefix/$file"; done <"$list"
    rmdir "$(dirname "$list")" 2>/dev/null || true
    echo "removed gloo-rs from $prefix"
}

install() {
    command -v curl >/dev/null || fail 'curl is not on PATH' 'install curl'
    command -v sha256sum >/dev/null || command -v shasum >/dev/null ||
        fail 'neither sha256sum nor shasum is on PATH' 'install coreutils'
    target=$(platform)
    proto=$(protocol "$url")
    fetch SHA256SUMS
    grep -E "^[0-9a-f]{64}  gloo-rs-[0-9][0-9A-Za-z.+-]*-$target\.tar\.gz\$" "$scratch/SHA256SUMS" >"$scratch/line" || true
    [ "$(wc -l <"$scratch/line")" -eq 1 ] || fail "$url/SHA256SUMS does not name one archive for $target"
    read -r wanted archive <"$scratch/line"
    fetch "$archive"
    found=$(sum "$scratch/$archive")
    [ "$found" = "$wanted" ] ||
        fail "the checksum of $archive is wrong: $found, SHA256SUMS has $wanted" 'nothing was changed; download again, and do not use that file'
    tar -xzf "$scratch/$archive" -C "$scratch"
    top=$scratch/${archive%.tar.gz}

    stage gloo-rs bin/gloo-rs 755
    stage kubectl-gloo bin/kubectl-gloo 755
    stage completions/gloo-rs.bash share/bash-completion/completions/gloo-rs.bash 644
    stage completions/_gloo-rs share/zsh/site-functions/_gloo-rs 644
    stage completions/gloo-rs.fish share/fish/vendor_completions.d/gloo-rs.fish 644
    for page in "$top"/man/man1/*.1; do
        stage "man/man1/${page##*/}" "share/man/man1/${page##*/}" 644
    done
    # kubectl-gloo is the same program: a link, where it was a copy.
    rm "$prefix/bin/kubectl-gloo.$suffix"
    ln -s gloo-rs "$prefix/bin/kubectl-gloo.$suffix"
    version=$("$prefix/bin/gloo-rs.$suffix" --version) || fail "the program of $archive does not run on this machine"
    echo share/gloo-rs/installed >>"$scratch/after"
    mkdir -p "$(dirname "$list")"
    cp "$scratch/after" "$list.$suffix"

    while read -r file; do mv -f "$prefix/$file.$suffix" "$prefix/$file"; done <"$scratch/after"
    # What an older release had and this one has not.
    grep -vxF -f "$scratch/after" "$scratch/before" >"$scratch/gone" || true
    while read -r file; do rm -f "$prefix/$file"; done <"$scratch/gone"

    echo "installed $version in $prefix/bin"
    case ":$PATH:" in
        *":$prefix/bin:"*) ;;
        *) echo "note: $prefix/bin is not on PATH" >&2 ;;
    esac
}

main() {
    prefix=''
    force=no
    task=install
    while [ $# -gt 0 ]; do
        case $1 in
            --user) prefix=${HOME:?HOME is not set}/.local ;;
            --system) prefix=/usr/local ;;
            --prefix | --url)
                [ $# -gt 1 ] && [ -n "$2" ] || usage_error "$1 needs a value"
                if [ "$1" = --url ]; then url=${2%/}; else prefix=${2%/}; fi
                shift
                ;;
            --force) force=yes ;;
            --uninstall) task=remove ;;
            -h | --help) usage && exit 0 ;;
            *) usage_error "unknown argument: $1" ;;
        esac
        shift
    done
    if [ -z "$prefix" ]; then
        if [ "$(id -u)" -eq 0 ]; then prefix=/usr/local; else prefix=${HOME:?HOME is not set}/.local; fi
    fi
    case $prefix in
        /*) ;;
        *) prefix=$PWD/$prefix ;;
    esac
    list=$prefix/share/gloo-rs/installed
    suffix=gloo-rs-new-$$
    scratch=$(mktemp -d)
    trap clean EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    if [ -f "$list" ]; then cp "$list" "$scratch/before"; else : >"$scratch/before"; fi
    "$task"
}

# On the last line, so that a script that was cut while it was downloaded does nothing.
main "$@"
