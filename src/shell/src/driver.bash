# What the drivers of both kinds of login begin with.

# It would be the longest that the shell waits for a line, and a line may run.
readonly TMOUT=0
# By these bytes the shell shows how it reads a line. What a locale has done stays
# when its variables are as they were: LOCPATH, or a LANG that is not installed.
builtin printf -v __cs_letters '\\x%x' {32..126} {128..255}
builtin printf -v __cs_letters "$__cs_letters\\xc3\\xa9"
readonly __cs_letters
__cs_stop() { builtin exit "$1"; exit "$1"; builtin kill -KILL "$$"; kill -KILL "$$"; }
__cs_return() { builtin return "$1"; }
# Whether the shell stands where PWD says, as a program is told: the shell itself
# knows better. Once it was unset, DIRSTACK is a variable like any other, and keeps
# what it is given.
__cs_here() {
  builtin printf -v 'DIRSTACK[0]' %s '' 2>/dev/null && [[ $PWD && ${DIRSTACK[0]} == "$PWD" ]] 2>/dev/null
}
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
readonly -f __cs_stop __cs_return __cs_here __cs_tell
