#compdef yard

__yard_complete() {
    local -ar non_empty_completions=("${@:#(|:*)}")
    local -ar empty_completions=("${(M)@:#(|:*)}")
    _describe -V '' non_empty_completions -- empty_completions -P $'\'\''
}

__yard_custom_complete() {
    local -a completions
    completions=("${(@f)"$("${command_name}" "${@}" "${command_line[@]}")"}")
    if [[ "${#completions[@]}" -gt 1 ]]; then
        __yard_complete "${completions[@]:0:-1}"
    fi
}

__yard_cursor_index_in_current_word() {
    if [[ -z "${QIPREFIX}${IPREFIX}${PREFIX}" ]]; then
        printf 0
    else
        printf %s "${#${(z)LBUFFER}[-1]}"
    fi
}

_yard() {
    emulate -RL zsh -G
    setopt extendedglob nullglob numericglobsort
    unsetopt aliases banghist

    local -xr SAP_SHELL=zsh
    local -x SAP_SHELL_VERSION
    SAP_SHELL_VERSION="$(builtin emulate zsh -c 'printf %s "${ZSH_VERSION}"')"
    local -r SAP_SHELL_VERSION

    local context state state_descr line
    local -A opt_args

    local -r command_name="${words[1]}"
    local -ar command_line=("${words[@]}")
    local -ir current_word_index="$((CURRENT - 1))"

    local -i ret=1
    local -ar arg_specs=(
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
        '(-): :->command'
        '(-)*:: :->arg'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0
    case "${state}" in
    command)
        local -ar subcommands=(
            'status:Shows what the edge is and how it does.'
            'routes:Lists the routes, or says what one name gets.'
            'sessions:Lists the sessions that there are now.'
            'stats:Shows all that was counted since the start.'
            'targets:Lists the targets and how they do.'
            'top:Watches the edge: rates, sessions, bytes, the busiest names and targets.'
            'reload:Has the edge read its configuration and routes anew.'
            'drain:Sends no new sessions to a target.'
            'check:Says whether configuration and routes are right; changes nothing.'
            'upgrade:Replaces the running edge by the program that is installed now.'
            'site:Adds, starts, stops and shows sites.'
            'run:Starts the site of a runme, and makes it known first if need be.'
            'blueprint:Prints a runme for an image, from what the image declares of itself.'
            'peer:Makes peers of other hosters, with whom sites are exchanged.'
            'migrate:Moves a site with everything to a peer; returns when it is served there.'
            'migrations:Lists migrations, and tells them what to do.'
            'doctor:Looks for what on this machine will hurt the edge, and says what to type.'
            'help:Show subcommand help information.'
        )
        _describe -V subcommand subcommands && ret=0
        ;;
    arg)
        case "${words[1]}" in
        status|routes|sessions|stats|targets|top|reload|drain|check|upgrade|site|run|blueprint|peer|migrate|migrations|doctor|help)
            "_yard_${words[1]}" && ret=0
            ;;
        esac
        ;;
    esac

    return "${ret}"
}

_yard_status() {
    local -i ret=1
    local -ar arg_specs=(
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_routes() {
    local -i ret=1
    local -ar arg_specs=(
        ':name:'
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_sessions() {
    local -i ret=1
    local -ar arg_specs=(
        '--limit[At most so many.]:count:'
        '--name[Those that asked for this name.]:name:'
        '--target[Those that go to this target.]:address:{__yard_custom_complete ---completion sessions -- --target "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_stats() {
    local -i ret=1
    local -ar arg_specs=(
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_targets() {
    local -i ret=1
    local -ar arg_specs=(
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_top() {
    local -i ret=1
    local -ar ___sort=('rate' 'sessions' 'bytes' 'errors')
    local -ar arg_specs=(
        '--once[Print one screen and exit; for scripts.]'
        '--interval[Seconds between two looks, 1 to 9.]:seconds:'
        '--sort[Order\: rate, sessions, bytes or errors.]:order:{__yard_complete "${___sort[@]}"}'
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_reload() {
    local -i ret=1
    local -ar arg_specs=(
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_drain() {
    local -i ret=1
    local -ar arg_specs=(
        ':target:{__yard_custom_complete ---completion drain -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--off[Send it sessions again.]'
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_check() {
    local -i ret=1
    local -ar arg_specs=(
        ':file:_files'
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_upgrade() {
    local -i ret=1
    local -ar arg_specs=(
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site() {
    local -i ret=1
    local -ar arg_specs=(
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
        '(-): :->command'
        '(-)*:: :->arg'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0
    case "${state}" in
    command)
        local -ar subcommands=(
            'add:Makes a site known; it is stopped until it is started.'
            'list:Lists the sites and how they are.'
            'show:Tells all about one site.'
            'start:Starts a site, as its runme says now; returns when it answers.'
            'stop:Stops a site; its visitors are refused until it is started.'
            'restart:Makes and starts a site'\''s containers anew, as its runme says now; visitors wait meanwhile.'
            'sleep:Puts a site to sleep, after its snapshot; its next visitor wakes it.'
            'wake:Wakes a site, as a visitor would.'
            'logs:Shows what a site has written last.'
            'journal:Lists what was wanted of sites, and what became of it.'
            'remove:Stops a site and forgets it. Its folder with all its data stays.'
            'export:Makes an archive of a site: everything that another hoster needs.'
            'import:Makes a site'\''s folder of an archive; `yard site add` makes it known then.'
        )
        _describe -V subcommand subcommands && ret=0
        ;;
    arg)
        case "${words[1]}" in
        add|list|show|start|stop|restart|sleep|wake|logs|journal|remove|export|import)
            "_yard_site_${words[1]}" && ret=0
            ;;
        esac
        ;;
    esac

    return "${ret}"
}

_yard_site_add() {
    local -i ret=1
    local -ar arg_specs=(
        ':folder:_files -/'
        '--start[Start it, too.]'
        '--asleep[Let its first visitor start it.]'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_list() {
    local -i ret=1
    local -ar arg_specs=(
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_show() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site show -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_start() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site start -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_stop() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site stop -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_restart() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site restart -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_sleep() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site sleep -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_wake() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site wake -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_logs() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site logs -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '(-n --lines)'{-n,--lines}'[How many lines of each part.]:lines:'
        '--part[One part alone\: a sidecar, or `site` for what serves.]:part:'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_journal() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site journal -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '(-n --lines)'{-n,--lines}'[How many entries.]:lines:'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_remove() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site remove -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_export() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion site export -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        ':path:_files'
        '--format[switchyard, or 0.3.]:format:'
        '--without-key[Leave the certificate and its key out.]'
        '--dump[For 0.3\: a dump of the database as it is now.]:dump:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_site_import() {
    local -i ret=1
    local -ar arg_specs=(
        ':path:_files'
        '--domain[For 0.3\: the site'\''s domain.]:domain:'
        '--image[For 0.3\: the image that serves it.]:image:'
        '--tls[For 0.3\: the port on which the image speaks TLS.]:tls:'
        '--content[For 0.3\: where a static site'\''s files are mounted.]:content:'
        '--uploads[For 0.3\: where an application'\''s uploads are mounted.]:uploads:'
        '--plugins[For 0.3\: where an application'\''s plugins are mounted.]:plugins:'
        '--database-image[For 0.3\: the database'\''s image.]:database-image:'
        '--owner[For 0.3\: whom content, uploads and plugins belong to\: USER\:GROUP, by number.]:owner:'
        '*--variable[For 0.3\: NAME=VALUE.]:variable:'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_run() {
    local -i ret=1
    local -ar arg_specs=(
        ':runme:_files'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_blueprint() {
    local -i ret=1
    local -ar arg_specs=(
        ':image:'
        '--domain[The site'\''s domain.]:domain:'
        '--tls[The port on which it speaks TLS, if the image does not say so.]:tls:'
        '--audit[Run it, and name what it writes outside of its volumes.]'
        '--seconds[For how long the audit runs it.]:seconds:'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_peer() {
    local -i ret=1
    local -ar arg_specs=(
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
        '(-): :->command'
        '(-)*:: :->arg'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0
    case "${state}" in
    command)
        local -ar subcommands=(
            'invite:Prints a token for another hoster; it is good for one use within a day.'
            'accept:Accepts an invitation; both are peers then.'
            'list:Lists the peers, who is invited, and who this hoster is.'
            'remove:Forgets a peer, or withdraws an invitation: from now on it may do nothing here.'
        )
        _describe -V subcommand subcommands && ret=0
        ;;
    arg)
        case "${words[1]}" in
        invite|accept|list|remove)
            "_yard_peer_${words[1]}" && ret=0
            ;;
        esac
        ;;
    esac

    return "${ret}"
}

_yard_peer_invite() {
    local -i ret=1
    local -ar arg_specs=(
        ':name:'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_peer_accept() {
    local -i ret=1
    local -ar arg_specs=(
        ':token:'
        '--name[What the inviter is called here, if not what it calls itself.]:name:'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_peer_list() {
    local -i ret=1
    local -ar arg_specs=(
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_peer_remove() {
    local -i ret=1
    local -ar arg_specs=(
        ':name:'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_migrate() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion migrate -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--to[The peer.]:to:'
        '--dry-run[Print the plan and its promise, and do nothing.]'
        '--max-pause[The longest that a visitor may wait.]:duration:'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_migrations() {
    local -i ret=1
    local -ar arg_specs=(
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
        '(-): :->command'
        '(-)*:: :->arg'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0
    case "${state}" in
    command)
        local -ar subcommands=(
            'list:Lists them, and what they wait for.'
            'show:Shows all that is known of the migration of one site.'
            'resume:Tries again at once what has failed.'
            'revert:Takes everything back; possible until the switch.'
            'finish:Ends the forwarding: DNS has moved. The old copy is kept for a week.'
        )
        _describe -V subcommand subcommands && ret=0
        ;;
    arg)
        case "${words[1]}" in
        list|show|resume|revert|finish)
            "_yard_migrations_${words[1]}" && ret=0
            ;;
        esac
        ;;
    esac

    return "${ret}"
}

_yard_migrations_list() {
    local -i ret=1
    local -ar arg_specs=(
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_migrations_show() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion migrations show -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_migrations_resume() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion migrations resume -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_migrations_revert() {
    local -i ret=1
    local -ar arg_specs=(
        ':domain:{__yard_custom_complete ---completion migrations revert -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_migrations_finish() {
    local -i ret=1
    local -ar arg_specs=(
        '--force[End it even if visitors lose by it.]'
        ':domain:{__yard_custom_complete ---completion migrations finish -- positional@0 "${current_word_index}" "$(__yard_cursor_index_in_current_word)"}'
        '--yardmaster[yardmaster'\''s socket (default\: $SWITCHYARD_YARDMASTER, or /run/yardmaster/api.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_doctor() {
    local -i ret=1
    local -ar arg_specs=(
        '--socket[The edge'\''s control socket (default\: $SWITCHYARD_CONTROL, or /run/switchyard/control.sock).]:path:_files'
        '--json[Print JSON\: one object, or one for each line of a list.]'
        '--version[Show the version.]'
        '(-h --help)'{-h,--help}'[Show help information.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

_yard_help() {
    local -i ret=1
    local -ar arg_specs=(
        '*:subcommands:'
        '--version[Show the version.]'
    )
    _arguments -w -s -S : "${arg_specs[@]}" && ret=0

    return "${ret}"
}

if [[ "${funcstack[1]}" = _yard ]]; then
    _yard "${@}"
else
    compdef _yard yard
fi
