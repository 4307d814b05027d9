/** Shells that complete commands. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const

export type Shell = (typeof SHELLS)[number]

/**
 * What a shell reads to complete `fridge`. The words go to `fridge complete` as they stand: none of
 * them is looked at by the shell again, which would carry out what is typed in backticks.
 */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# Completion of fridge for bash: source <(fridge completion bash)
_fridge() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("$line")
  done < <("\${COMP_WORDS[0]}" complete bash -- "\${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -o default -o nosort -F _fridge fridge 2>/dev/null || complete -o default -F _fridge fridge`,
  zsh: `#compdef fridge
# Completion of fridge for zsh: source <(fridge completion zsh), behind compinit
_fridge() {
  local -a found
  found=("\${(@f)$("\${words[1]}" complete zsh -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then
    _describe -V fridge found
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _fridge ]]; then _fridge "$@"; else compdef _fridge fridge; fi`,
  fish: `# Completion of fridge for fish: fridge completion fish | source
function __fridge_find
  set -l words (commandline -opc)
  set -g __fridge_found ($words[1] complete fish -- $words[2..] (commandline -ct) 2>/dev/null)
  test (count $__fridge_found) -gt 0
end
complete -c fridge -e
complete -c fridge -n __fridge_find -f -a '$__fridge_found'`,
}
