# fish completion for optimus
function __optimus_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete -- $words[2..-1] 2>/dev/null
end
# Where Optimus proposes nothing, a file's name is meant.
complete -c optimus -n 'count (__optimus_complete)' -f -a '(__optimus_complete)'
