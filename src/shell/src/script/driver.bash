# The driver of a login that sends its commands on standard input. The shell
# reads nothing by itself: this text is all it ever parses, and each command
# arrives on the private socket (62) after it was approved. 61 is the pipe that
# is a command's standard input, 63 the file of a program that was held with it.
#
# Two loops, so that a command's own `break` ends neither the login nor what is
# checked here; lists and not conditions, so that `set -n` ends them.
# It would be the longest that the shell waits for a command.
readonly TMOUT=0
# By these bytes the shell shows how it reads a line. What a locale has done stays
# when its variables are as they were: LOCPATH, or a LANG that is not installed.
builtin printf -v __cs_letters '\\x%x' {32..126} {128..255}
builtin printf -v __cs_letters "$__cs_letters\\xc3\\xa9"
readonly __cs_letters
PS4='+ ' __cs_status=0 __cs_input= __cs_line=
__cs_stop() { builtin exit "$1"; exit "$1"; builtin kill -KILL "$$"; kill -KILL "$$"; }
# Redirections are undone from copies that a command can reach by number.
__cs_gate() {
  [[ /dev/fd/0 -ef /dev/null && -p /dev/fd/61 && -S /dev/fd/62 && -f /dev/fd/63 ]] ||
    { builtin kill -KILL "$$"; __cs_stop 94; }
}
__cs_return() { builtin return "$1"; }
# What names mean here, for who decides; "as the shell reports", no more. $1:
# the options of the shell outside of these functions.
__cs_tell() {
  builtin printf 'P%s\0L' "$PATH"
  builtin alias -p
  builtin printf '\0F'
  builtin declare -F
  builtin printf '\0H'
  builtin hash -l
  builtin printf '\0V'
  builtin declare -px
  builtin printf '\0O%s\n%s\n' "$1" "$BASHOPTS"
  builtin declare -p BASH_COMPAT CDPATH EXECIGNORE GLOBIGNORE IFS LANG LC_ALL LC_CTYPE MAILPATH PS4 auto_resume
  builtin declare -pr
  builtin declare -pi
  builtin declare -pu
  builtin declare -pl
  builtin declare -pc
  builtin declare -pn
  builtin printf 'letters %s:%s:%s\n' "${#__cs_letters}" "${__cs_letters//[![:blank:]]}" "${__cs_letters//[![:alnum:]]}"
  builtin umask -p
  builtin ulimit -a
  builtin printf '\0'
}
__cs_ready() {
  # A local variable could inherit what a command has done to one of its name.
  builtin unset -n __cs_was __cs_message
  builtin unset -v __cs_was __cs_message || __cs_stop 96
  builtin local - __cs_was=$1 __cs_message || __cs_stop 95
  builtin set +aefuvx
  __cs_gate
  builtin unset -n __cs_line __cs_input __cs_lies
  builtin unset -v __cs_line __cs_input __cs_lies || __cs_stop 96
  __cs_line= __cs_input=/dev/null
  # What a program is told of where it is: the shell itself knows better. Once it was unset, DIRSTACK is a variable
  # like any other, and keeps what it is given.
  builtin printf -v 'DIRSTACK[0]' %s '' 2>/dev/null && [[ $PWD && ${DIRSTACK[0]} == "$PWD" ]] 2>/dev/null || __cs_lies=:PWD
  __cs_tell "$2$__cs_lies" >&62 2>/dev/null || __cs_stop 98
  __cs_return "$__cs_was"
  builtin printf 'R%s\t\0' "$__cs_was" >&62 || __cs_stop 90
  # Leave for a command that was broken off before it began is for none.
  while IFS= builtin read -r -d '' -u 62 __cs_message || __cs_stop 91; [[ $__cs_message == G ]]; do builtin :; done
  case $__cs_message in
  N*) ;;
  F*) __cs_input=/dev/fd/61 ;;
  P*) __cs_input=/dev/fd/63 ;;
  X*) __cs_stop "${__cs_message#?}" ;;
  *) __cs_stop 93 ;;
  esac
  __cs_message=${__cs_message#?}
  # What a trap broke off while it was read is lost, and this may be the rest of
  # it: the front knows the word of the command that it sent.
  builtin printf 'A%s\0' "${__cs_message%%$'\t'*}" >&62 || __cs_stop 92
  __cs_message=${__cs_message#*$'\t'}
  IFS= builtin read -r -d '' -u 62 __cs_line || __cs_stop 91
  [[ $__cs_line == G ]] || __cs_stop 93
  __cs_line=${__cs_message#*$'\t'}
  builtin return "${__cs_message%%$'\t'*}"
}
readonly -f __cs_stop __cs_gate __cs_return __cs_tell __cs_ready
for __cs_outer in {1..1000}; do
  for __cs_inner in {1..1000}; do
    \__cs_ready "$?" "$SHELLOPTS"
    \builtin eval "$__cs_line" 0<"$__cs_input" 61<&- 62<&- 63<&-
  done
done
\__cs_stop 98
