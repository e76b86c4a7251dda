"""`chatcli completion SHELL`: the script that makes a shell complete chatcli's command lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from chatcli.commands.arguments import Arg, Word
from chatcli.commands.outcomes import Outcome, Print
from chatcli.commands.registry import command
from chatcli.errors import BadArgument
from chatcli.session.session import Session

# Each asks chatcli for the words, one a line; with none it offers files.
SCRIPTS = {
    "bash": """\
_chatcli() {
    local word
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(_CHATCLI_COMPLETE=bash "$1" "${COMP_LINE:0:$COMP_POINT}" 2>/dev/null)
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
    return 0
}
complete -o default -F _chatcli chatcli
""",
    "zsh": """\
#compdef chatcli
_chatcli() {
    local line
    local -a found shown
    while IFS= read -r line; do
        found+=("${line%%$'\\t'*}")
        shown+=("${line%%$'\\t'*}  ${line#*$'\\t'}")
    done < <(_CHATCLI_COMPLETE=zsh "${words[1]}" "${(@Q)words[2,CURRENT]}" 2>/dev/null)
    if (( $#found )); then
        compadd -l -d shown -a found
    else
        _files
    fi
}
if [ "$funcstack[1]" = "_chatcli" ]; then
    _chatcli "$@"
else
    compdef _chatcli chatcli
fi
""",
    "fish": """\
function __chatcli_complete
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l found (env _CHATCLI_COMPLETE=fish $before "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
complete -c chatcli -f -a '(__chatcli_complete)'
""",
}
_WHERE = {
    "bash": 'Put this into ~/.bashrc: eval "$(chatcli completion bash)"',
    "zsh": 'Put this into ~/.zshrc, after compinit: eval "$(chatcli completion zsh)"',
    "fish": "Write it once: chatcli completion fish > ~/.config/fish/completions/chatcli.fish",
}


def shell_words(session: Session, typed: str) -> Iterator[Word]:
    return (Word(name, where) for name, where in _WHERE.items() if name.startswith(typed))


@command("", subcommand="completion", tolerant=True)
def completion(session: Session, shell: Annotated[str, Arg("bash, zsh or fish", shell_words)]) -> Outcome:
    """Print the script that completes flags, values, subcommands, conversations and models by Tab.

    For bash put `eval "$(chatcli completion bash)"` into ~/.bashrc; for zsh the same with zsh into ~/.zshrc, after
    compinit; for fish write it to ~/.config/fish/completions/chatcli.fish.
    """
    if shell not in SCRIPTS:
        raise BadArgument(f'There is no completion for "{shell}".', f"One of: {', '.join(SCRIPTS)}.")
    return Print(SCRIPTS[shell])
