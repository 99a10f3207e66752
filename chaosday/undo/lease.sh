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
dir=$state/$id

die() {
  echo "$1" >&2
  exit "${2:-1}"
}

clock_name() {
  if [ -r /proc/uptime ]; then echo uptime; else echo wall; fi
}

# Centiseconds now. "0.07" must not become the octal number 007.
now() {
  if [ -r /proc/uptime ]; then
    read -r up _ </proc/uptime
    cs=${up%.*}${up#*.}
    while case $cs in 0?*) true ;; *) false ;; esac; do cs=${cs#0}; done
    echo "$cs"
  else
    echo "$(date +%s)00"
  fi
}

boot() {
  cat /proc/sys/kernel/random/boot_id 2>/dev/null || sysctl -n kern.bootsessionuuid 2>/dev/null || echo unknown
}

# Write standard input to $1: whole and on disk, or not at all.
put() {
  cat >"$1.tmp" && sync_path "$1.tmp" && mv -f "$1.tmp" "$1"
}

# sync of one file where sync knows files (coreutils 8.24), of everything elsewhere.
sync_path() {
  sync "$1" 2>/dev/null || sync
}

set_deadline() {
  echo "$(boot) $(clock_name) $(($(now) + $1))" | put "$dir/deadline"
}

# Centiseconds left; a lease from before a reboot is overdue by definition.
remaining() {
  read -r armed_boot _ deadline <"$1/deadline" 2>/dev/null || return 1
  if [ "$armed_boot" = "$(boot)" ]; then echo $((deadline - $(now))); else echo -1; fi
}

# mkdir is the one test-and-set that every file system has. The holder's number tells a dead one from a slow one.
lock() {
  tries=0
  until mkdir "$dir/lock" 2>/dev/null; do
    [ -d "$dir" ] || return 1
    holder=$(cat "$dir/lock/pid" 2>/dev/null)
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
  sleep "$(($1 / 100)).$(printf %02d $(($1 % 100)))" 2>/dev/null || sleep $((($1 + 99) / 100))
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
  watcher=$(cat "$1/watcher" 2>/dev/null) && [ -n "$watcher" ] && kill -0 "$watcher" 2>/dev/null &&
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
  if command -v setsid >/dev/null 2>&1; then
    setsid sh "$dir/lease.sh" "$state" watch "$id" </dev/null >/dev/null 2>&1 &
  elif command -v perl >/dev/null 2>&1; then
    perl -e 'use POSIX; POSIX::setsid(); exec @ARGV' sh "$dir/lease.sh" "$state" watch "$id" \
      </dev/null >/dev/null 2>&1 &
  else
    nohup sh "$dir/lease.sh" "$state" watch "$id" </dev/null >/dev/null 2>&1 &
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

# Whether directory $1 is ours. What calls this looked before there was one: here somebody could have come between.
owned() {
  # shellcheck disable=SC2012
  ls -ldn "$1" | {
    read -r _ _ owner _
    [ "$owner" = "$(id -u)" ]
  }
}

# Keep the script for verbs to come, under the name that it was called by.
keep_script() {
  [ -f "$self" ] || { cp "$1" "$self.$$" && mv -f "$self.$$" "$self"; }
}

arm() {
  ttl=$1 run=$2 fault=$3
  [ ! -d "$dir" ] || die "lease $id is already armed; heal it first" 5
  new=$state/.new-$id.$$
  # While this stands there, nobody takes the state directory away.
  make_dirs "$new" || die "cannot make $state; give a state directory that this user may write"
  { owned "$state" && owned "$new"; } || die "$state is not ours; give a state directory that only this user may write"
  if ! {
    printf '%s\n' "$CHAOSDAY_LEASE_SH" >"$new/lease.sh" && keep_script "$new/lease.sh" &&
      { echo "# undo of $id" && cat; } >"$new/all" && sed '/^--residue--$/,$d' "$new/all" >"$new/undo" &&
      sed '1,/^--residue--$/d' "$new/all" >"$new/residue" && rm -f "$new/all" &&
      printf '%s %s\n' "$run" "$fault" >"$new/meta" && echo armed >"$new/state" &&
      echo "$(boot) $(clock_name) $(($(now) + ttl))" >"$new/deadline"
  }; then
    rm -rf "$new"
    sweep
    die "cannot write the lease under $state: is the disk full?"
  fi
  for file in "$new"/*; do sync_path "$file"; done
  mv "$new" "$dir" || die "cannot put the lease in place under $state"
  sync_path "$state"
  start_watcher
  tries=0
  until watcher_alive "$dir"; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then
      forget
      die "the watcher of lease $id did not start" 6
    fi
    nap 5
  done
}

renew() {
  [ -d "$dir" ] || die "lease $id is gone: it fired or was healed" 3
  lock || die "lease $id is gone: it fired or was healed" 3
  if [ "$(cat "$dir/state")" != armed ] || [ "$(remaining "$dir")" -le 0 ]; then
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
  echo $$ | put "$dir/watcher"
  pause=100
  while [ -d "$dir" ]; do
    left=$(remaining "$dir") || exit 0
    if [ "$left" -gt 0 ]; then
      [ "$left" -lt 50 ] || left=50
      nap "$left"
      continue
    fi
    lock || exit 0
    # A renewal may have come in between the reading and the lock.
    if [ "$(remaining "$dir")" -gt 0 ]; then
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
    left=$(remaining "$lease") || continue
    read -r run fault <"$lease/meta" || continue
    read -r armed_boot clock _ <"$lease/deadline"
    detail="clock=$clock"
    [ "$armed_boot" = "$(boot)" ] || detail="$detail, from before a reboot"
    watcher_alive "$lease" || detail="$detail, no watcher"
    last=$(tail -n 1 "$lease/log" 2>/dev/null)
    [ -z "$last" ] || detail="$detail, the undo said: $last"
    printf '%s %s %s %s %s %s\n' "${lease##*/}" "$run" "$fault" "$left" "$(cat "$lease/state")" "$detail"
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
