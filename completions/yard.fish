function __yard_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __yard_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __yard_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __yard_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __yard_parse_tokens -S
    set -l unparsed_tokens (__yard_tokens -pc)
    switch $unparsed_tokens[1]
    case 'yard'
        __yard_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'status'
            __yard_parse_subcommand 0 'socket=' 'json' 'version' 'h/help'
        case 'routes'
            __yard_parse_subcommand 1 'socket=' 'json' 'version' 'h/help'
        case 'sessions'
            __yard_parse_subcommand 0 'limit=' 'name=' 'target=' 'socket=' 'json' 'version' 'h/help'
        case 'stats'
            __yard_parse_subcommand 0 'socket=' 'json' 'version' 'h/help'
        case 'targets'
            __yard_parse_subcommand 0 'socket=' 'json' 'version' 'h/help'
        case 'top'
            __yard_parse_subcommand 0 'once' 'interval=' 'sort=' 'socket=' 'json' 'version' 'h/help'
        case 'reload'
            __yard_parse_subcommand 0 'socket=' 'json' 'version' 'h/help'
        case 'drain'
            __yard_parse_subcommand 1 'off' 'socket=' 'json' 'version' 'h/help'
        case 'check'
            __yard_parse_subcommand 1 'socket=' 'json' 'version' 'h/help'
        case 'upgrade'
            __yard_parse_subcommand 0 'socket=' 'json' 'version' 'h/help'
        case 'site'
            __yard_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'add'
                __yard_parse_subcommand 1 'start' 'asleep' 'yardmaster=' 'json' 'version' 'h/help'
            case 'list'
                __yard_parse_subcommand 0 'yardmaster=' 'json' 'version' 'h/help'
            case 'show'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'start'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'stop'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'restart'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'sleep'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'wake'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'logs'
                __yard_parse_subcommand 1 'yardmaster=' 'n/lines=' 'part=' 'json' 'version' 'h/help'
            case 'journal'
                __yard_parse_subcommand 1 'n/lines=' 'yardmaster=' 'json' 'version' 'h/help'
            case 'remove'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'export'
                __yard_parse_subcommand 2 'yardmaster=' 'format=' 'without-key' 'dump=' 'json' 'version' 'h/help'
            case 'import'
                __yard_parse_subcommand 1 'domain=' 'image=' 'tls=' 'content=' 'uploads=' 'plugins=' 'database-image=' 'owner=' 'variable=+' 'yardmaster=' 'json' 'version' 'h/help'
            end
        case 'run'
            __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
        case 'blueprint'
            __yard_parse_subcommand 1 'domain=' 'tls=' 'audit' 'seconds=' 'yardmaster=' 'json' 'version' 'h/help'
        case 'peer'
            __yard_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'invite'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'accept'
                __yard_parse_subcommand 1 'name=' 'yardmaster=' 'json' 'version' 'h/help'
            case 'list'
                __yard_parse_subcommand 0 'yardmaster=' 'json' 'version' 'h/help'
            case 'remove'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            end
        case 'migrate'
            __yard_parse_subcommand 1 'to=' 'dry-run' 'max-pause=' 'yardmaster=' 'json' 'version' 'h/help'
        case 'migrations'
            __yard_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'list'
                __yard_parse_subcommand 0 'yardmaster=' 'json' 'version' 'h/help'
            case 'show'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'resume'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'revert'
                __yard_parse_subcommand 1 'yardmaster=' 'json' 'version' 'h/help'
            case 'finish'
                __yard_parse_subcommand 1 'force' 'yardmaster=' 'json' 'version' 'h/help'
            end
        case 'doctor'
            __yard_parse_subcommand 0 'socket=' 'json' 'version' 'h/help'
        case 'help'
            __yard_parse_subcommand -r 1 'version'
        end
    end
end

function __yard_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __yard_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __yard_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __yard_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__yard_tokens -p)
    if test -z "$(__yard_tokens -t)"
        set -l index (count (__yard_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'yard' -f
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'status' -d 'Shows what the edge is and how it does.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'routes' -d 'Lists the routes, or says what one name gets.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'sessions' -d 'Lists the sessions that there are now.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'stats' -d 'Shows all that was counted since the start.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'targets' -d 'Lists the targets and how they do.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'top' -d 'Watches the edge: rates, sessions, bytes, the busiest names and targets.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'reload' -d 'Has the edge read its configuration and routes anew.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'drain' -d 'Sends no new sessions to a target.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'check' -d 'Says whether configuration and routes are right; changes nothing.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'upgrade' -d 'Replaces the running edge by the program that is installed now.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'site' -d 'Adds, starts, stops and shows sites.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'run' -d 'Starts the site of a runme, and makes it known first if need be.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'blueprint' -d 'Prints a runme for an image, from what the image declares of itself.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'peer' -d 'Makes peers of other hosters, with whom sites are exchanged.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'migrate' -d 'Moves a site with everything to a peer; returns when it is served there.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'migrations' -d 'Lists migrations, and tells them what to do.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'doctor' -d 'Looks for what on this machine will hurt the edge, and says what to type.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard status" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard status" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard status" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard routes" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard routes" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard routes" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard routes" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard sessions" limit' -l 'limit' -d 'At most so many.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard sessions" name' -l 'name' -d 'Those that asked for this name.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard sessions" target' -l 'target' -d 'Those that go to this target.' -rfka '(__yard_custom_completion ---completion sessions -- --target (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard sessions" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard sessions" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard sessions" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard sessions" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard stats" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard stats" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard stats" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard stats" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard targets" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard targets" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard targets" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard targets" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard top" once' -l 'once' -d 'Print one screen and exit; for scripts.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard top" interval' -l 'interval' -d 'Seconds between two looks, 1 to 9.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard top" sort' -l 'sort' -d 'Order: rate, sessions, bytes or errors.' -rfka 'rate sessions bytes errors'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard top" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard top" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard top" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard top" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard reload" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard reload" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard reload" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard reload" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard drain" -eq 1' -fka '(__yard_custom_completion ---completion drain -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard drain" off' -l 'off' -d 'Send it sessions again.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard drain" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard drain" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard drain" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard drain" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard check" -eq 1' -F
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard check" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard check" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard check" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard upgrade" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard upgrade" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard upgrade" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard upgrade" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'add' -d 'Makes a site known; it is stopped until it is started.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'list' -d 'Lists the sites and how they are.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'show' -d 'Tells all about one site.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'start' -d 'Starts a site, as its runme says now; returns when it answers.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'stop' -d 'Stops a site; its visitors are refused until it is started.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'restart' -d 'Makes and starts a site\'s containers anew, as its runme says now; visitors wait meanwhile.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'sleep' -d 'Puts a site to sleep, after its snapshot; its next visitor wakes it.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'wake' -d 'Wakes a site, as a visitor would.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'logs' -d 'Shows what a site has written last.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'journal' -d 'Lists what was wanted of sites, and what became of it.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'remove' -d 'Stops a site and forgets it. Its folder with all its data stays.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'export' -d 'Makes an archive of a site: everything that another hoster needs.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site" -eq 1' -fa 'import' -d 'Makes a site\'s folder of an archive; `yard site add` makes it known then.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site add" -eq 1' -fa '(__yard_complete_directories)'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site add" start' -l 'start' -d 'Start it, too.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site add" asleep' -l 'asleep' -d 'Let its first visitor start it.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site add" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site add" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site add" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site add" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site list" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site list" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site list" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site show" -eq 1' -fka '(__yard_custom_completion ---completion site show -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site show" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site show" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site show" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site show" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site start" -eq 1' -fka '(__yard_custom_completion ---completion site start -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site start" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site start" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site start" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site start" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site stop" -eq 1' -fka '(__yard_custom_completion ---completion site stop -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site stop" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site stop" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site stop" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site stop" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site restart" -eq 1' -fka '(__yard_custom_completion ---completion site restart -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site restart" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site restart" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site restart" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site restart" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site sleep" -eq 1' -fka '(__yard_custom_completion ---completion site sleep -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site sleep" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site sleep" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site sleep" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site sleep" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site wake" -eq 1' -fka '(__yard_custom_completion ---completion site wake -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site wake" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site wake" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site wake" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site wake" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site logs" -eq 1' -fka '(__yard_custom_completion ---completion site logs -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site logs" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site logs" lines n' -s 'n' -l 'lines' -d 'How many lines of each part.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site logs" part' -l 'part' -d 'One part alone: a sidecar, or `site` for what serves.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site logs" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site logs" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site logs" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site journal" -eq 1' -fka '(__yard_custom_completion ---completion site journal -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site journal" lines n' -s 'n' -l 'lines' -d 'How many entries.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site journal" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site journal" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site journal" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site journal" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site remove" -eq 1' -fka '(__yard_custom_completion ---completion site remove -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site remove" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site remove" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site remove" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site remove" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site export" -eq 1' -fka '(__yard_custom_completion ---completion site export -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site export" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site export" -eq 2' -F
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site export" format' -l 'format' -d 'switchyard, or 0.3.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site export" without-key' -l 'without-key' -d 'Leave the certificate and its key out.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site export" dump' -l 'dump' -d 'For 0.3: a dump of the database as it is now.' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site export" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site export" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site export" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard site import" -eq 1' -F
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" domain' -l 'domain' -d 'For 0.3: the site\'s domain.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" image' -l 'image' -d 'For 0.3: the image that serves it.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" tls' -l 'tls' -d 'For 0.3: the port on which the image speaks TLS.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" content' -l 'content' -d 'For 0.3: where a static site\'s files are mounted.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" uploads' -l 'uploads' -d 'For 0.3: where an application\'s uploads are mounted.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" plugins' -l 'plugins' -d 'For 0.3: where an application\'s plugins are mounted.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" database-image' -l 'database-image' -d 'For 0.3: the database\'s image.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" owner' -l 'owner' -d 'For 0.3: whom content, uploads and plugins belong to: USER:GROUP, by number.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import"' -l 'variable' -d 'For 0.3: NAME=VALUE.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard site import" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard run" -eq 1' -F
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard run" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard run" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard run" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard run" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" domain' -l 'domain' -d 'The site\'s domain.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" tls' -l 'tls' -d 'The port on which it speaks TLS, if the image does not say so.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" audit' -l 'audit' -d 'Run it, and name what it writes outside of its volumes.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" seconds' -l 'seconds' -d 'For how long the audit runs it.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard blueprint" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard peer" -eq 1' -fa 'invite' -d 'Prints a token for another hoster; it is good for one use within a day.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard peer" -eq 1' -fa 'accept' -d 'Accepts an invitation; both are peers then.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard peer" -eq 1' -fa 'list' -d 'Lists the peers, who is invited, and who this hoster is.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard peer" -eq 1' -fa 'remove' -d 'Forgets a peer, or withdraws an invitation: from now on it may do nothing here.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer invite" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer invite" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer invite" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer invite" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer accept" name' -l 'name' -d 'What the inviter is called here, if not what it calls itself.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer accept" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer accept" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer accept" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer accept" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer list" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer list" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer list" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer remove" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer remove" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer remove" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard peer remove" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrate" -eq 1' -fka '(__yard_custom_completion ---completion migrate -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrate" to' -l 'to' -d 'The peer.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrate" dry-run' -l 'dry-run' -d 'Print the plan and its promise, and do nothing.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrate" max-pause' -l 'max-pause' -d 'The longest that a visitor may wait.' -rfka ''
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrate" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrate" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrate" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrate" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations" -eq 1' -fa 'list' -d 'Lists them, and what they wait for.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations" -eq 1' -fa 'show' -d 'Shows all that is known of the migration of one site.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations" -eq 1' -fa 'resume' -d 'Tries again at once what has failed.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations" -eq 1' -fa 'revert' -d 'Takes everything back; possible until the switch.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations" -eq 1' -fa 'finish' -d 'Ends the forwarding: DNS has moved. The old copy is kept for a week.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations list" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations list" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations list" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations show" -eq 1' -fka '(__yard_custom_completion ---completion migrations show -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations show" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations show" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations show" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations show" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations resume" -eq 1' -fka '(__yard_custom_completion ---completion migrations resume -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations resume" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations resume" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations resume" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations resume" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations revert" -eq 1' -fka '(__yard_custom_completion ---completion migrations revert -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations revert" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations revert" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations revert" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations revert" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations finish" force' -l 'force' -d 'End it even if visitors lose by it.'
complete -c 'yard' -n '__yard_should_offer_completions_for_positional "yard migrations finish" -eq 1' -fka '(__yard_custom_completion ---completion migrations finish -- positional@0 (count (__yard_tokens -pc)) (__yard_tokens -tC))'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations finish" yardmaster' -l 'yardmaster' -d 'yardmaster\'s socket (default: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations finish" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations finish" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard migrations finish" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard doctor" socket' -l 'socket' -d 'The edge\'s control socket (default: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).' -rF
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard doctor" json' -l 'json' -d 'Print JSON: one object, or one for each line of a list.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard doctor" version' -l 'version' -d 'Show the version.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'yard' -n '__yard_should_offer_completions_for_flags_or_options "yard help" version' -l 'version' -d 'Show the version.'
