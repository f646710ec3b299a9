#compdef optimus
# zsh completion for optimus
_optimus() {
  local -a found
  local word usage
  while IFS=$'\t' read -r word usage; do
    found+=("${word//:/\\:}:$usage")
  done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( ${#found} )); then
    _describe -V optimus found
  else
    _files
  fi
}
# As a file on fpath it is the function's body; sourced, it defines the function.
if [[ ${funcstack[1]} == _optimus ]]; then
  _optimus "$@"
else
  compdef _optimus optimus
fi
