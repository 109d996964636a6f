# The driver of an interactive login: one cycle of PROMPT_COMMAND a line. The
# shell never reads a command from its terminal: its standard input is a socket
# on which the front sends one newline a cycle, and the line to run arrives on
# the private socket after it was approved. @MARK@ is replaced by the front.
exec 60<&-
PS1='\u@\h:\w\$ ' PS2='> ' HISTFILE=
__cs_prompt=$PS1 PS1= __cs_status=0 __cs_busy= __cs_line= __cs_before= __cs_tab=$'\t'
__cs_return() { builtin return "$1"; }
PROMPT_COMMAND='
  [[ $? != 130 || -z $__cs_busy ]] || __cs_status=130
  __cs_busy=
  [[ -z $PS1 ]] || { __cs_prompt=$PS1; PS1=; }
  builtin printf "\033]133;D;@MARK@\007" >&61
  builtin printf "R%s\t%s\0" "$__cs_status" "${__cs_prompt@P}" >&62 || builtin exit 90
  IFS= builtin read -r -d "" -u 62 __cs_line || builtin exit 91
  case $__cs_line in
  E*)
    builtin printf "A\0" >&62 || builtin exit 92
    __cs_line=${__cs_line#E} __cs_before=${__cs_line%%"$__cs_tab"*}
    __cs_before=${__cs_before#E} __cs_line=${__cs_line#*"$__cs_tab"}
    __cs_busy=1
    __cs_return "$__cs_before"
    builtin eval "$__cs_line" 0<&61 61<&- 62<&-
    __cs_status=$? __cs_busy= ;;
  X*) builtin exit "${__cs_line#X}" ;;
  *) builtin exit 93 ;;
  esac'
readonly PROMPT_COMMAND
