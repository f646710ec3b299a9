# fish completion for optimus
function __optimus_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] complete -- $words[2..-1] 2>/dev/null
end
complete -c optimus -a '(__optimus_complete)'
