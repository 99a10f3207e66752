#!/bin/sh
# Whether what lies in directory $1 can only have been put there by us or by root; says on standard error why not.
# shellcheck disable=SC2012
# Run before anything of it is read: whoever may write there, or exchange a directory on the way, would give us programs.
safe() {
  own_group='' said=''
  who
  # A group of that user alone, as many systems give each user one.
  [ "$me" != 0 ] && [ "$(id -gn 2>/dev/null)" = "$(id -un 2>/dev/null)" ] && own_group=$(id -g)
  state=$1 way=$1
  case $way in /*) ;; *) way=$(pwd)/$way ;; esac
  set --
  while [ -n "$way" ]; do
    if [ -e "$way" ] || [ -L "$way" ]; then set -- "$@" "$way"; fi
    way=${way%/*}
  done
  # The way as it is written, whose links could be exchanged, and the way that it really is.
  way=$(cd -P "${1:-/}" 2>/dev/null && pwd -P)
  while [ -n "$way" ] && [ "$way" != / ]; do
    set -- "$@" "$way"
    way=${way%/*}
  done
  # In a directory like /tmp nobody can exchange what is ours, but anybody can add to it: the last has to be closed.
  # ls sorts what it names, so that the last is told by its dot at the end.
  if [ -d "$state" ]; then set -- "$@" "$state/."; fi
  [ $# = 0 ] || said=$(ls -ldn "$@" 2>/dev/null | judge)
  [ -z "$said" ] || {
    echo "$state: $said" >&2
    return 1
  }
}

# Our number, in $me; a shell that reads it itself starts no process for it.
who() {
  me=
  {
    while read -r what _ effective _; do
      if [ "$what" = Uid: ]; then me=$effective; fi
    done </proc/self/status
  } 2>/dev/null
  [ -n "$me" ] || me=$(id -u)
}

# Print what the lines of standard input tell of that others may write, where they do; there has to be a line.
judge() {
  seen='' said=''
  while read -r mode _ owner group line; do
    seen=1
    case $owner in "$me" | 0) ;; *) tell "on the way to it is something of user $owner's" ;; esac
    case $mode in
    l*) ;;
    d????????[tT]*) case $line in *"/.") tell "others may write there" ;; esac ;;
    d???????w*) tell "others may write there or on the way to it" ;;
    d????w*) [ "$group" = "$own_group" ] || tell "a group may write there or on the way to it" ;;
    esac
  done
  [ -n "$seen" ] || said="what lies there cannot be listed"
  echo "$said"
}

tell() {
  [ -n "$said" ] || said=$1
}
