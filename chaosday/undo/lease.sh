#!/bin/sh
# The target's side of chaosday's leases: an undo, stored with a deadline, that runs without us.
#
#   lease.sh STATE arm ID TTL_CS RUN FAULT   undo, a line "--residue--", residue script on standard input; this
#                                            script's own text in CHAOSDAY_LEASE_SH
#   lease.sh STATE renew ID TTL_CS           3 when the lease is gone or has fired
#   lease.sh STATE heal ID                   run the undo now and forget the lease; where it is not stored, run
#                                            the undo on standard input
#   lease.sh STATE residue ID                what the residue script on standard input finds, and the lease itself
#   lease.sh STATE list                      one line a lease: ID RUN FAULT REMAINING_CS STATE DETAIL...
#   lease.sh STATE watch ID                  what arm starts; not for hands
#
# STATE/ID/ holds undo, residue, meta, deadline ("BOOT CLOCK CENTISECONDS"), watcher (its process), state, log.
# Times are whole centiseconds, because sh has no fractions, on the clock of /proc/uptime: the wall clock may be
# what the fault moves. Where there is no /proc/uptime it is the wall clock, and `list` says so.
set -u
umask 077
PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
export PATH
# A watcher has to outlive the run that armed it: it must not carry the mark by which a run's processes are ended.
unset CHAOSDAY_RUN

state=$1 verb=$2 id=${3-}
self=$0
no_line='
'
dir=$state/$id

die() {
  echo "$1" >&2
  exit "${2:-1}"
}

# Where leases of many runs wait on one host, what a watcher does twice a second adds up: these start no process, and
# leave their answers in variables of their names.

# The clock and its centiseconds now. "0.07" must not become the octal number 007.
now() {
  clock=uptime
  if read -r up _ 2>/dev/null </proc/uptime; then
    now=${up%.*}${up#*.}
    while case $now in 0?*) true ;; *) false ;; esac; do now=${now#0}; done
  else
    clock=wall now=$(date +%s)00
  fi
}

boot=
boot() {
  [ -z "$boot" ] || return 0
  read -r boot 2>/dev/null </proc/sys/kernel/random/boot_id ||
    boot=$(sysctl -n kern.bootsessionuuid 2>/dev/null || echo unknown)
}

# The first line of file $1, in $line; false where there is none.
line_of() {
  line=
  { read -r line <"$1"; } 2>/dev/null
}

# Write standard input to $1: whole and on disk, or not at all.
put() {
  cat >"$1.tmp" && sync_path "$1.tmp" && mv -f "$1.tmp" "$1"
}

# sync of some files where sync knows files (coreutils 8.24), of everything elsewhere.
sync_path() {
  sync "$@" 2>/dev/null || sync
}

set_deadline() {
  boot
  now
  echo "$boot $clock $((now + $1))" | put "$dir/deadline"
}

# Centiseconds left, in $left; a lease from before a reboot is overdue by definition.
remaining() {
  line_of "$1/deadline" || return 1
  # shellcheck disable=SC2086
  set -- $line
  armed_boot=$1 armed_clock=$2 deadline=$3
  boot
  now
  left=-1
  [ "$armed_boot" != "$boot" ] || left=$((deadline - now))
}

# mkdir is the one test-and-set that every file system has. The holder's number tells a dead one from a slow one.
lock() {
  tries=0
  until mkdir "$dir/lock" 2>/dev/null; do
    [ -d "$dir" ] || return 1
    line_of "$dir/lock/pid"
    holder=$line
    # A holder that died before it could leave its number is given three seconds.
    if { [ -n "$holder" ] && ! kill -0 "$holder" 2>/dev/null; } || { [ -z "$holder" ] && [ "$tries" -gt 30 ]; }; then
      mv "$dir/lock" "$dir/lock.$$" 2>/dev/null && rm -rf "$dir/lock.$$"
      continue
    fi
    tries=$((tries + 1))
    [ "$tries" -lt 200 ] || die "lease $id is held by process ${holder:-unknown}: an undo is still running; try again" 4
    nap 10
  done
  echo $$ >"$dir/lock/pid"
}

unlock() {
  rm -rf "$dir/lock"
}

# Sleep $1 centiseconds; whole seconds where sleep knows no fractions.
nap() {
  part=$((100 + $1 % 100))
  sleep "$(($1 / 100)).${part#1}" 2>/dev/null || sleep $((($1 + 99) / 100))
}

# The arguments of process $1; ps cuts them at 80 columns unless told not to.
arguments() {
  if [ -r /proc/self/cmdline ]; then
    tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline"
  else
    ps -ww -o args= -p "$1" 2>/dev/null
  fi
}

watcher_alive() {
  line_of "$1/watcher" && watcher=$line && [ -n "$watcher" ] && kill -0 "$watcher" 2>/dev/null || return 1
  # Most shells leave out the NULs between the words that they read, and start no process for it.
  words=
  { read -r words <"/proc/$watcher/cmdline"; } 2>/dev/null
  case $words in *"watch${1##*/}") return 0 ;; esac
  case "$(arguments "$watcher") " in
  *" watch ${1##*/} "*) true ;;
  *) false ;;
  esac
}

stop_watcher() {
  watcher_alive "$dir" || return 0
  [ "$watcher" = "$$" ] && return 0
  # As leader of its session its group holds its sleep too.
  kill -s TERM -- "-$watcher" 2>/dev/null || kill -s TERM "$watcher" 2>/dev/null
}

# Take away the lease and, with the last one, everything of ours.
forget() {
  mv "$dir" "$state/.gone-$id.$$" 2>/dev/null && rm -rf "$state/.gone-$id.$$"
  sweep
}

# Where no lease is stored any more, take away what is ours.
sweep() {
  for other in "$state"/cd-*; do [ -d "$other" ] && return 0; done
  # What an arm, the end of a lease or an installation left that was killed in the middle: each bears its process.
  for other in "$state"/.new-* "$state"/.gone-* "$state"/lease-*.sh.*; do
    kill -0 "${other##*.}" 2>/dev/null || rm -rf "$other"
  done
  rm -f "$state"/lease-*.sh
  rmdir "$state" 2>/dev/null
  case $state in */chaosday/leases) rmdir "${state%/leases}" 2>/dev/null ;; esac
  return 0
}

run_undo() {
  echo "$1" >"$dir/state"
  if sh "$dir/undo" </dev/null >>"$dir/log" 2>&1; then
    return 0
  fi
  echo "failing" >"$dir/state"
  return 1
}

start_watcher() {
  unset CHAOSDAY_LEASE_SH
  if [ -d /run/systemd/system ] && [ "$(id -u)" = 0 ] &&
    systemd-run --quiet --collect --unit="chaosday-$id" \
      /bin/sh "$dir/lease.sh" "$state" watch "$id" >/dev/null 2>&1; then
    return 0
  fi
  # It lets go of what it prints to as soon as it has said which process it is: so long, and no longer, this waits.
  said=$(detached sh "$dir/lease.sh" "$state" watch "$id" </dev/null 2>/dev/null)
}

# Start a command in a session of its own.
detached() {
  if command -v setsid >/dev/null 2>&1; then
    setsid "$@" &
  elif command -v perl >/dev/null 2>&1; then
    perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' "$@" &
  else
    nohup "$@" &
  fi
}

# Make $1 and what is above it. The end of somebody else's last lease takes directories away, and where it does so
# between two steps of mkdir -p, that fails.
make_dirs() {
  tries=0
  while [ "$tries" -lt 20 ]; do
    mkdir -p "$1" 2>/dev/null && return 0
    tries=$((tries + 1))
  done
  mkdir -p "$1"
}

# Whether directories are ours. What calls this looked before there were any: here somebody could have come between.
owned() {
  for each in "$@"; do
    # Most shells can tell by themselves.
    # shellcheck disable=SC3067
    [ -O "$each" ] 2>/dev/null && [ ! -L "$each" ] && continue
    # shellcheck disable=SC2012
    ls -ldn "$each" | {
      read -r _ _ owner _ && [ "$owner" = "$(id -u)" ]
    } || return 1
  done
}

# Keep the script for verbs to come, under the name that it was called by.
keep_script() {
  [ -f "$self" ] || { cp "$1" "$self.$$" && mv -f "$self.$$" "$self"; }
}

# Print the lines of standard input as far as line $1, which is taken and not printed; to the end where none is like it.
lines_to() {
  while IFS= read -r text || [ -n "$text" ]; do
    [ "$text" != "$1" ] || return 0
    printf '%s\n' "$text" || return 1
  done
}

arm() {
  ttl=$1 run=$2 fault=$3
  [ ! -d "$dir" ] || die "lease $id is already armed; heal it first" 5
  new=$state/.new-$id.$$
  # While this stands there, nobody takes the state directory away.
  make_dirs "$new" || die "cannot make $state; give a state directory that this user may write"
  owned "$state" "$new" || die "$state is not ours; give a state directory that only this user may write"
  boot
  now
  if ! {
    printf '%s\n' "$CHAOSDAY_LEASE_SH" >"$new/lease.sh" && keep_script "$new/lease.sh" && : >"$new/residue" &&
      { echo "# undo of $id" && lines_to --residue--; } >"$new/undo" && lines_to "$no_line" >"$new/residue" &&
      printf '%s %s\n' "$run" "$fault" >"$new/meta" && echo armed >"$new/state" &&
      echo "$boot $clock $((now + ttl))" >"$new/deadline"
  }; then
    rm -rf "$new"
    sweep
    die "cannot write the lease under $state: is the disk full?"
  fi
  sync_path "$new"/*
  mv "$new" "$dir" || die "cannot put the lease in place under $state"
  sync_path "$state"
  start_watcher
  tries=0
  until watcher_alive "$dir"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 250 ]; then
      forget
      die "the watcher of lease $id did not start" 6
    fi
    nap 2
  done
}

renew() {
  [ -d "$dir" ] || die "lease $id is gone: it fired or was healed" 3
  lock || die "lease $id is gone: it fired or was healed" 3
  if ! { line_of "$dir/state" && [ "$line" = armed ] && remaining "$dir" && [ "$left" -gt 0 ]; }; then
    unlock
    die "lease $id has already fired" 3
  fi
  if ! watcher_alive "$dir"; then
    unlock
    die "the watcher of lease $id is dead: the lease can no longer fire by itself; heal it" 6
  fi
  set_deadline "$1"
  unlock
}

heal() {
  if ! { [ -d "$dir" ] && lock; }; then
    # Fired, healed, or never stored: the undo that the caller remembers is run all the same, because a fault
    # that was injected after its lease had fired is ended by nothing else.
    said=$(sh 2>&1) || die "the undo of lease $id failed: $(echo "$said" | tail -n 1)" 7
    forget
    return 0
  fi
  if run_undo healing; then
    stop_watcher
    forget
    return 0
  fi
  # What could not be undone now is tried again by the watcher, at once and from then on.
  set_deadline 0
  unlock
  die "the undo of lease $id failed: $(tail -n 1 "$dir/log" 2>/dev/null)" 7
}

watch() {
  trap '' HUP INT
  echo $$ >"$dir/watcher"
  exec >/dev/null
  pause=100
  while [ -d "$dir" ]; do
    remaining "$dir" || exit 0
    if [ "$left" -gt 0 ]; then
      # Looked at again, since a deadline may be moved forward: by an undo that failed, at which it is now.
      if [ "$left" -gt 3000 ]; then
        left=300
      elif [ "$left" -gt 300 ]; then
        left=100
      elif [ "$left" -gt 50 ]; then
        left=50
      fi
      nap "$left"
      continue
    fi
    lock || exit 0
    # A renewal may have come in between the reading and the lock.
    if remaining "$dir" && [ "$left" -gt 0 ]; then
      unlock
      continue
    fi
    if run_undo fired; then
      forget
      exit 0
    fi
    unlock
    nap "$pause"
    pause=$((pause * 2))
    [ "$pause" -le 3000 ] || pause=3000
  done
}

list() {
  for lease in "$state"/cd-*; do
    [ -d "$lease" ] || continue
    remaining "$lease" || continue
    read -r run fault <"$lease/meta" || continue
    detail="clock=$armed_clock"
    [ "$armed_boot" = "$boot" ] || detail="$detail, from before a reboot"
    watcher_alive "$lease" || detail="$detail, no watcher"
    last=$(tail -n 1 "$lease/log" 2>/dev/null)
    [ -z "$last" ] || detail="$detail, the undo said: $last"
    line_of "$lease/state"
    printf '%s %s %s %s %s %s\n' "${lease##*/}" "$run" "$fault" "$left" "$line" "$detail"
  done
}

residue() {
  sh
  [ ! -d "$dir" ] || echo "lease $id is still stored ($(cat "$dir/state"))"
}

case $verb in
arm) arm "$4" "$5" "$6" ;;
renew) renew "$4" ;;
heal) heal ;;
watch) watch ;;
list) list ;;
residue) residue ;;
*) die "no verb $verb" 64 ;;
esac
