# bash completion for optimus
_optimus() {
  local IFS=$'\n' cur=${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=($("${COMP_WORDS[0]}" complete -- "${COMP_WORDS[@]:1:COMP_CWORD-1}" "$cur" 2>/dev/null | cut -f1))
}
# Where Optimus proposes nothing, a file's name is meant.
complete -o bashdefault -o default -F _optimus optimus
