#!/bin/sh
# Whether what lies in directory $1 can only have been put there by us or by root; says on standard error why not.
# shellcheck disable=SC2012
# Run before anything of it is read: whoever may write there, or exchange a directory on the way, would give us programs.
safe() {
  me=$(id -u) own_group=
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
  said=$(
    # In a directory like /tmp nobody can exchange what is ours, but anybody can add to it: the last has to be closed.
    if [ -d "$state" ]; then ls -ldn "$state/." | judge closed; fi
    [ $# = 0 ] || ls -ldn "$@" | judge
  )
  [ -z "$said" ] || {
    echo "$state: $said" | sed 1q >&2
    return 1
  }
}

judge() {
  while read -r mode _ owner group _; do
    case $owner in "$me" | 0) ;; *) echo "on the way to it is something of user $owner's" ;; esac
    case $mode in
    l*) ;;
    d????????[tT]*) [ -z "$*" ] || echo "others may write there" ;;
    d???????w*) echo "others may write there or on the way to it" ;;
    d????w*) [ "$group" = "$own_group" ] || echo "a group may write there or on the way to it" ;;
    esac
  done
}
