/// Scripts that have a shell ask the program itself what can follow on a line that is being typed.
///
/// What is offered is decided in one place for all shells, ``CompletionOffer``: a script only hands the line over, and shows what
/// comes back.
enum CompletionScript {
    enum Shell: String, CaseIterable { case bash, zsh, fish }

    static func text(for shell: Shell) -> String {
        switch shell {
        case .bash: bash
        case .zsh: zsh
        case .fish: fish
        }
    }

    private static let bash = #"""
        # Completion of zxbackup for bash. For this shell: source <(zxbackup completion bash)
        # For all: zxbackup completion bash > /etc/bash_completion.d/zxbackup
        _zxbackup() {
            local line="${COMP_LINE:0:COMP_POINT}" text rest
            # To bash a word begins behind @, = and others, too: what it has of the word is in $2, what comes before stays.
            local word="${line##*[[:space:]]}"
            local -i before=$((${#word} - ${#2}))
            COMPREPLY=()
            while IFS=$'\t' read -r text rest; do
                if [[ $text == :files ]]; then
                    compopt -o filenames
                    mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$2")
                else
                    COMPREPLY+=("${text:before}")
                fi
            done < <("${1/#\~/$HOME}" completion bash --line="$line" 2>/dev/null)
        }
        complete -F _zxbackup zxbackup

        """#

    private static let zsh = #"""
        #compdef zxbackup
        # Completion of zxbackup for zsh. For this shell: source <(zxbackup completion zsh)
        # For all: zxbackup completion zsh > /usr/share/zsh/vendor-completions/_zxbackup
        _zxbackup() {
            local line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX" text rest
            local -a offered
            local -i files=0 result=1
            while IFS=$'\t' read -r text rest; do
                if [[ $text == :files ]]; then files=1; else offered+=("${text//:/\\:}:$rest"); fi
            done < <(${~words[1]} completion zsh --line="$line" 2>/dev/null)
            # Names match without regard to case.
            (( $#offered )) && _describe zxbackup offered -M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]}' && result=0
            (( files )) && { compset -P '--[^=]#='; _files } && result=0
            return result
        }
        if [[ "${funcstack[1]}" == _zxbackup ]]; then _zxbackup "$@"; else compdef _zxbackup zxbackup; fi

        """#

    private static let fish = #"""
        # Completion of zxbackup for fish. For this shell: zxbackup completion fish | source
        # For all: zxbackup completion fish > /usr/share/fish/vendor_completions.d/zxbackup.fish
        function __zxbackup_offer
            set -l line (commandline -cp | string collect)
            set -l program (string match -r '^(?:.*/)?zxbackup$' -- (commandline -opc))[1]
            set program (string replace -r '^~' $HOME -- $program)
            for text in ($program completion fish --line="$line" 2>/dev/null)
                if test "$text" = :files
                    set -l word (commandline -ct | string trim --left --chars="'\"")
                    set -l before (string match -r '^--[^=]*=' -- $word)
                    for path in (__fish_complete_path (string replace -- "$before" '' $word))
                        echo "$before$path"
                    end
                else
                    echo $text
                end
            end
        end
        complete -c zxbackup -f -a '(__zxbackup_offer)'

        """#
}
