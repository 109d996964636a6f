# The driver of a login that sends its commands on standard input. The shell
# reads nothing by itself: this text is all it ever parses, and each command
# arrives on the private socket (72) after it was approved. 71 is the pipe that
# is a command's standard input, 73 the file of a program that was held with it.
#
# Two loops, so that a command's own `break` ends neither the login nor what is
# checked here; lists and not conditions, so that `set -n` ends them.
@COMMON@
PS4='+ ' __cs_status=0 __cs_input= __cs_line=
# Redirections are undone from copies that a command can reach by number.
__cs_gate() {
  [[ /dev/fd/0 -ef /dev/null && -p /dev/fd/71 && -S /dev/fd/72 && -f /dev/fd/73 ]] ||
    { builtin kill -KILL "$$"; __cs_stop 94; }
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
  __cs_here || __cs_lies=:PWD
  __cs_tell "$2$__cs_lies" >&72 2>/dev/null || __cs_stop 98
  __cs_return "$__cs_was"
  builtin printf 'R%s\t\0' "$__cs_was" >&72 || __cs_stop 90
  # Leave for a command that was broken off before it began is for none.
  while IFS= builtin read -r -d '' -u 72 __cs_message || __cs_stop 91; [[ $__cs_message == G ]]; do builtin :; done
  case $__cs_message in
  N*) ;;
  F*) __cs_input=/dev/fd/71 ;;
  P*) __cs_input=/dev/fd/73 ;;
  X*) __cs_stop "${__cs_message#?}" ;;
  *) __cs_stop 93 ;;
  esac
  __cs_message=${__cs_message#?}
  # What a trap broke off while it was read is lost, and this may be the rest of
  # it: the front knows the word of the command that it sent.
  builtin printf 'A%s\0' "${__cs_message%%$'\t'*}" >&72 || __cs_stop 92
  __cs_message=${__cs_message#*$'\t'}
  IFS= builtin read -r -d '' -u 72 __cs_line || __cs_stop 91
  [[ $__cs_line == G ]] || __cs_stop 93
  __cs_line=${__cs_message#*$'\t'}
  builtin return "${__cs_message%%$'\t'*}"
}
readonly -f __cs_gate __cs_ready
for __cs_outer in {1..1000}; do
  for __cs_inner in {1..1000}; do
    \__cs_ready "$?" "$SHELLOPTS"
    \builtin eval "$__cs_line" 0<"$__cs_input" 71<&- 72<&- 73<&-
  done
done
\__cs_stop 98
