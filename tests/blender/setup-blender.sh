#!/usr/bin/env bash
# Installs a real Blender (GUI included) from a Debian release into a private
# root folder, beside a wrapper that runs it there. The host is not changed,
# except that mmdebstrap is installed if it is missing.
#
#   setup-blender.sh TARGET [RELEASE]      RELEASE: trixie (4.3, default), sid, ...
#
# TARGET/blender ARGS...     runs Blender; starts a private Xvfb when it needs a
#                            window and DISPLAY is unset
# TARGET/run CMD ARGS...     runs any command in the same root
#
# Environment of this script:
#   DEBIAN_MIRROR       mirror URL (default: the one the host's apt uses)
#   EXTRA_PACKAGES      more Debian packages, separated by spaces
# Environment of the wrappers:
#   BLENDER_PROJECT     folder made visible inside, at the same path (default: $PWD)
#   BLENDER_BIND        more such folders, separated by colons
#   BLENDER_SCREEN      Xvfb screen (default 1280x800x24)
#   BLENDER_XVFB        1: always start an Xvfb, 0: never (default: when needed)
set -euo pipefail

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit "${1:-0}"; }
[[ ${1:-} == -h || ${1:-} == --help ]] && usage 0
[[ $# -ge 1 && $# -le 2 ]] || usage 2 >&2
target=$1 release=${2:-trixie}

packages=(
  blender python3-numpy                     # not among the package's dependencies, yet most add-ons need it
  python3-cattr python3-requests python3-zstandard   # imported by 5.x, absent from its Depends
  xvfb xdotool imagemagick
  libgl1 libglx-mesa0 libgl1-mesa-dri libegl1 libegl-mesa0   # software OpenGL
)
# shellcheck disable=SC2206
packages+=(${EXTRA_PACKAGES:-})

mkdir -p "$target"; target=$(cd "$target" && pwd -P)
root=$target/rootfs stamp=$target/.complete
want=$(printf '%s\n' "$release" "${packages[@]}" | sha256sum | cut -d' ' -f1)-$(sha256sum < "$0" | cut -c1-16)

if [[ -f $stamp && $(cat "$stamp") == "$want" ]]; then
  echo "up to date: $target/blender"; exit 0
fi

host_mirror() {
  local f
  for f in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/*.sources; do
    [[ -f $f ]] && awk '/^URIs:/ && $2 ~ /debian\/?$/ {print $2; exit}' "$f"
  done
  for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -f $f ]] && awk '$1=="deb" {for(i=2;i<=NF;i++) if ($i ~ /^https?:.*debian\/?$/) {print $i; exit}}' "$f"
  done
  return 0
}
mirror=${DEBIAN_MIRROR:-$(host_mirror | head -n1)}
[[ -n $mirror ]] || { echo "no Debian mirror found: set DEBIAN_MIRROR" >&2; exit 1; }

again() {                    # a mirror may fail for a moment: five tries of COMMAND, 10, 20, 40 and 80 s apart
  local pause=10
  until "$@"; do
    ((pause <= 80)) || return 1
    echo "failed: $1; trying again in $pause s" >&2
    sleep "$pause"; pause=$((2 * pause))
  done
}

install_mmdebstrap() {
  apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mmdebstrap debian-archive-keyring
}
command -v mmdebstrap >/dev/null || again install_mmdebstrap

include=$(IFS=,; echo "${packages[*]}")
mode=auto; [[ $EUID -eq 0 ]] && mode=root
install_root() {
  if [[ -d $root ]]; then    # a stale or half-made root: nothing may be mounted below it
    grep -q " $root/" /proc/self/mounts && { echo "something is mounted below $root" >&2; exit 1; }
    rm -rf --one-file-system "$root"
  fi
  mmdebstrap --quiet --variant=minbase --mode="$mode" --include="$include" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Check-Date "false"' \
    --aptopt='Acquire::Retries "5"' \
    --dpkgopt='force-unsafe-io' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    "$release" "$root" "$mirror"
}
rm -f "$stamp"
again install_root

ln -sf ../proc/self/mounts "$root/etc/mtab"      # Blender lists file systems from it

# ---- inside the root: starts an Xvfb if asked to, then the command
cat > "$root/usr/local/bin/with-display" <<'INNER'
#!/bin/bash
# with-display XVFB(0|1) CMD...
set -u
xvfb=$1; shift
[[ $xvfb == 1 ]] || exec "$@"
coproc XV { exec setpriv --pdeathsig TERM Xvfb -displayfd 1 -screen 0 "${BLENDER_SCREEN:-1280x800x24}" -nolisten tcp 2>/dev/null; }
xpid=$XV_PID
read -r -t 20 n <&"${XV[0]}" || { echo "Xvfb did not start" >&2; exit 70; }
export DISPLAY=:$n
setpriv --pdeathsig KILL "$@" & pid=$!
trap 'kill -TERM $pid 2>/dev/null' TERM INT HUP
wait $pid; rc=$?
while kill -0 $pid 2>/dev/null; do wait $pid; rc=$?; done
kill "$xpid" 2>/dev/null; wait "$xpid" 2>/dev/null
exit $rc
INNER
chmod +x "$root/usr/local/bin/with-display"

# ---- on the host: a mount namespace of its own, so that no mount outlives the command
cat > "$target/run" <<'OUTER'
#!/usr/bin/env bash
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
export NEURAL_IMPLICIT_ROOT=$here/rootfs NEURAL_IMPLICIT_CWD=$PWD
export NEURAL_IMPLICIT_BIND="${BLENDER_PROJECT:-$PWD}:${BLENDER_BIND:-}"
user=(); [[ $EUID -eq 0 ]] || user=(--user --map-root-user)
# shellcheck disable=SC2016
exec unshare "${user[@]}" --mount --propagation private -- bash -c '
set -euo pipefail
mount --rbind /proc "$NEURAL_IMPLICIT_ROOT/proc"
mount --rbind /dev  "$NEURAL_IMPLICIT_ROOT/dev"
IFS=: read -ra dirs <<<"$NEURAL_IMPLICIT_BIND"
for d in "${dirs[@]}"; do
  [[ -n $d ]] || continue
  d=$(cd "$d" && pwd -P)
  [[ $d != / ]] || { echo "refusing to bind /" >&2; exit 1; }
  mkdir -p "$NEURAL_IMPLICIT_ROOT$d"; mount --rbind "$d" "$NEURAL_IMPLICIT_ROOT$d"
done
if [[ -n ${DISPLAY:-} && -d /tmp/.X11-unix ]]; then
  mkdir -p "$NEURAL_IMPLICIT_ROOT/tmp/.X11-unix"; mount --bind /tmp/.X11-unix "$NEURAL_IMPLICIT_ROOT/tmp/.X11-unix"
fi
root=$NEURAL_IMPLICIT_ROOT cwd=$NEURAL_IMPLICIT_CWD; unset NEURAL_IMPLICIT_ROOT NEURAL_IMPLICIT_CWD NEURAL_IMPLICIT_BIND dirs
[[ -d $root$cwd ]] || cwd=/
exec env -u PYTHONHOME -u PYTHONPATH -u VIRTUAL_ENV -u XDG_RUNTIME_DIR -u TMPDIR \
  HOME=/root LC_ALL=C.UTF-8 LIBGL_ALWAYS_SOFTWARE="${LIBGL_ALWAYS_SOFTWARE:-1}" \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  chroot "$root" /bin/bash -c "cd \"\$0\" && exec \"\$@\"" "$cwd" "$@"
' bash "$@"
OUTER

cat > "$target/blender" <<'OUTER'
#!/usr/bin/env bash
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
need=1; [[ -n ${DISPLAY:-} ]] && need=0
for a in "$@"; do
  case $a in
    --) break ;;
    -b|--background|-c|--command|-v|--version|-h|--help) need=0 ;;
  esac
done
exec "$here/run" with-display "${BLENDER_XVFB:-$need}" blender "$@"
OUTER
chmod +x "$target/run" "$target/blender"

version=$("$target/blender" --version | head -n1)
printf '%s\n' "$want" > "$stamp"
echo "ready: $target/blender ($version, $(du -sh "$root" 2>/dev/null | cut -f1))"
