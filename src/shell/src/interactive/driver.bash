# The driver of an interactive login: one cycle of PROMPT_COMMAND a line. The
# shell never reads a command from its terminal: its standard input is a socket
# on which the front sends one newline a cycle, and the line to run arrives on
# the private socket after it was approved. The front puts `../driver.bash` and the
# mark of this login in.
#
# Functions, because aliases do not reach into them; read-only, because an
# approved line shares this shell; `eval` outside of them, because `declare` is
# local inside. What a line may have done to a variable of ours (an attribute,
# a nameref) goes with `unset`; what cannot be unset ends the shell.
#
# This file is read as `$ENV`, in POSIX mode: of a `--rcfile` Debian's bash would
# read /etc/bash.bashrc first. What that mode sets is set back.
set +o posix
shopt -u inherit_errexit shift_verbose
unset ENV
MAILCHECK=60
exec 70<&-
enable -n suspend
shopt -s execfail
PS1='\u@\h:\w\$ ' PS2='> ' HISTFILE=
@COMMON@
__cs_prompt=$PS1 PS1= __cs_status=0 __cs_busy= __cs_line=
# Redirections are undone from copies that a line can reach by number. If that
# failed, the next command would be read from the terminal.
__cs_gate() {
  # Without it PS0 below would not be acted on.
  builtin shopt -s promptvars
  [[ -S /dev/fd/0 && -S /dev/fd/72 && -t 71 ]] || { builtin kill -KILL "$$"; __cs_stop 94; }
}
# bash itself shows no prompt; the front shows it.
__cs_hide() { [[ -z $PS1 ]] || builtin declare -g "__cs_prompt=$PS1" PS1=; }
__cs_ready() {
  # A local variable could inherit what a line has done to one of its name.
  builtin unset -n __cs_was __cs_message
  builtin unset -v __cs_was __cs_message || __cs_stop 96
  builtin local - __cs_was=$__cs_status __cs_message || __cs_stop 95
  builtin set +aefkuvx
  __cs_gate
  # A line that never came back here was interrupted or was an error.
  [[ -z $__cs_busy ]] || __cs_was=$1
  builtin unset -n __cs_line __cs_busy __cs_status
  builtin unset -v __cs_line __cs_busy __cs_status || __cs_stop 96
  __cs_status=$__cs_was __cs_busy= __cs_line=
  __cs_hide
  builtin printf '\033]133;D;@MARK@\007' >&71 || __cs_stop 97
  builtin unset -n __cs_elsewhere
  builtin unset -v __cs_elsewhere || __cs_stop 96
  # However it came to hold something that runs: `\044` is a `$`, too.
  [[ ${__cs_prompt//'\$'} != *[\$\`]* && $__cs_prompt != *'\'[\\0-7]* ]] || __cs_elsewhere+=:prompt
  __cs_here || __cs_elsewhere+=:PWD
  __cs_return "$__cs_was"
  # Before it is told what is set: a prompt may set something.
  __cs_message=${__cs_prompt@P}
  # What goes elsewhere is in no recording.
  [[ /dev/fd/1 -ef /dev/fd/71 ]] || __cs_elsewhere+=:stdout
  [[ /dev/fd/2 -ef /dev/fd/71 ]] || __cs_elsewhere+=:stderr
  { __cs_tell "$2$__cs_elsewhere"; builtin printf J; builtin jobs -sp; builtin printf '\0'; } >&72 2>/dev/null || __cs_stop 98
  builtin printf 'R%s\t%s\0' "$__cs_was" "$__cs_message" >&72 || __cs_stop 90
  # Leave for a line that was broken off before it began is for none.
  while IFS= builtin read -r -d '' -u 72 __cs_message || __cs_stop 91; [[ $__cs_message == G ]]; do builtin :; done
  case $__cs_message in
  E*)
    __cs_busy=1 __cs_message=${__cs_message#?}
    # What ^C broke off while it was read is lost, and this may be the rest of
    # it: the front knows the word of the line that it sent.
    builtin printf 'A%s\0' "${__cs_message%%$'\t'*}" >&72 || __cs_stop 92
    __cs_message=${__cs_message#*$'\t'}
    IFS= builtin read -r -d '' -u 72 __cs_line || __cs_stop 91
    [[ $__cs_line == G ]] || __cs_stop 93
    __cs_line=${__cs_message#*$'\t'}
    builtin return "${__cs_message%%$'\t'*}" ;;
  X*) __cs_stop "${__cs_message#?}" ;;
  *) __cs_stop 93 ;;
  esac
}
__cs_done() {
  builtin local -
  builtin set +aefkuvx
  __cs_gate
  __cs_hide
  __cs_status=$1 __cs_busy=
}
PROMPT_COMMAND='\__cs_ready "$?" "$SHELLOPTS"; \builtin eval "$__cs_line" 0<&71 71<&- 72<&-; \__cs_done "$?"'
# Whatever the shell should ever read as a command by itself ends it.
PS0='$(builtin kill -KILL $$)'
readonly PROMPT_COMMAND PS0
readonly -f __cs_gate __cs_hide __cs_ready __cs_done
